/* Parts of a tensor of any dtype, as views that share memory with x and carry gradients; tg_flatten copies
 * where strides cannot express the result, as tg_reshape does. Negative axes and positions count from the
 * end. */
#ifndef TG_OPS_SHAPE_SPLIT_H
#define TG_OPS_SHAPE_SPLIT_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x with the axes from `first` to `last`, both included, merged into one: tg_flatten(x, 1, -1) keeps the
 * batch. A 0-d tensor becomes a vector of one element. */
TG_API tg_tensor *tg_flatten(tg_tensor *x, int first, int last);

/* x[.., index, ..], without the axis; an index out of range is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_select(tg_tensor *x, int axis, int64_t index);

/* `length` elements from `start` along the axis. Unlike tg_slice it clamps nothing: a part that lies
 * outside is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_narrow(tg_tensor *x, int axis, int64_t start, int64_t length);

/* Stores consecutive pieces of the given sizes along the axis in out[0] to out[n-1]. The sizes must add up
 * to that of the axis (TG_ERR_ARGUMENT). On error all n are the poison tensor. */
TG_API tg_status tg_split(tg_tensor *x, int axis, int n, const int64_t *sizes, tg_tensor **out);

/* Stores at most n pieces of ceil(size / n) each, the last one possibly smaller, as torch.chunk. Returns
 * how many there are, and 0 on error; the rest of out[0] to out[n-1] is the poison tensor. */
TG_API int tg_chunk(tg_tensor *x, int axis, int n, tg_tensor **out);

#ifdef __cplusplus
}
#endif

#endif
