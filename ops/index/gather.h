/* Reading and adding at computed positions. Indices are i64 or i32, may be negative (counted from the end),
 * and are checked: one outside the axis is TG_ERR_ARGUMENT naming it and its place. Gradients flow to x and
 * src, not to indices. */
#ifndef TG_OPS_INDEX_GATHER_H
#define TG_OPS_INDEX_GATHER_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`; index has x's rank and, off the axis, at most
 * x's sizes; out has index's shape (torch.gather). */
TG_API tg_tensor *tg_gather(tg_tensor *x, int axis, tg_tensor *index);

/* x plus src[.., j, ..] added at [.., index[.., j, ..], ..]: the transpose of tg_gather. src has index's
 * shape; x and index fit as in tg_gather (torch.scatter_add). Equal indices add up, in row-major order. f32
 * and f64. */
TG_API tg_tensor *tg_scatter_add(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src);

/* Whole slices: out = x[.., index, ..] for a vector of indices (torch.index_select). */
TG_API tg_tensor *tg_index_select(tg_tensor *x, int axis, tg_tensor *index);

#ifdef __cplusplus
}
#endif

#endif
