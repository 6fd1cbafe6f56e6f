/* Parts of a tensor: views that share memory with x and carry gradients (tg_flatten copies where strides
 * cannot express it, as tg_reshape does). Any dtype. Negative axes and positions count from the end. */
#ifndef TG_OPS_SHAPE_SPLIT_H
#define TG_OPS_SHAPE_SPLIT_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The axes from `first` to `last`, both included, made one: tg_flatten(x, 1, -1) keeps the batch. A 0-d
 * tensor becomes a vector of one. */
TG_API tg_tensor *tg_flatten(tg_tensor *x, int first, int last);

/* x[.., index, ..]: one place along the axis, which goes. TG_ERR_ARGUMENT when it lies outside. */
TG_API tg_tensor *tg_select(tg_tensor *x, int axis, int64_t index);

/* `length` places from `start` along the axis. Other than tg_slice it clamps nothing: what lies outside is
 * TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_narrow(tg_tensor *x, int axis, int64_t start, int64_t length);

/* Consecutive pieces of the given sizes along the axis into out[0] to out[n-1]; the sizes add up to that
 * of the axis (TG_ERR_ARGUMENT). On error all n are the poison tensor. */
TG_API tg_status tg_split(tg_tensor *x, int axis, int n, const int64_t *sizes, tg_tensor **out);

/* At most n pieces of equal size, the last one possibly smaller: ceil(size / n) each, as torch.chunk.
 * Returns how many there are; the rest of out[0] to out[n-1] is the poison tensor. On error 0, and all
 * are. */
TG_API int tg_chunk(tg_tensor *x, int axis, int n, tg_tensor **out);

#ifdef __cplusplus
}
#endif

#endif
