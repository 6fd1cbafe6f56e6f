/* Reading and adding at computed positions. Indices are i64 or i32 (TG_ERR_DTYPE) and may be negative,
 * counting from the end; one that is out of range for the axis is TG_ERR_ARGUMENT, which names it and
 * where it stands. Gradients flow to x and src, not to indices. */
#ifndef TG_OPS_INDEX_GATHER_H
#define TG_OPS_INDEX_GATHER_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[.., j, ..] = x[.., index[.., j, ..], ..] along `axis` (torch.gather). index has x's rank and, apart
 * from the axis, at most x's sizes; out has index's shape. */
TG_API tg_tensor *tg_gather(tg_tensor *x, int axis, tg_tensor *index);

/* x with src[.., j, ..] added at [.., index[.., j, ..], ..], which is the transpose of tg_gather
 * (torch.scatter_add). src has index's shape, and x and index fit as in tg_gather. Equal indices add up,
 * in row-major order. x and src are f32 or f64. */
TG_API tg_tensor *tg_scatter_add(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src);

/* x[.., index, ..]: the slices of x along `axis` that a vector of indices names (torch.index_select). */
TG_API tg_tensor *tg_index_select(tg_tensor *x, int axis, tg_tensor *index);

#ifdef __cplusplus
}
#endif

#endif
