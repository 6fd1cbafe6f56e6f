/* Other shapes of the same elements. They share memory with x and copy nothing, but for those whose comment
 * says so, and tg_reshape where strides cannot express the new shape. Gradients flow back through them. Any
 * dtype.
 */
#ifndef TG_OPS_SHAPE_VIEW_H
#define TG_OPS_SHAPE_VIEW_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The elements in row-major order under new sizes, one of which may be -1: whatever is left over.
 *     tg_reshape(x, 64, -1)
 * Numbers of elements that differ are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_reshape_with(tg_tensor *x, tg_shape shape);

/* Axis i of the result is axis order[i] of x: tg_permute(x, 2, 0, 1). Negative axes count from the end. */
TG_API tg_tensor *tg_permute_with(tg_tensor *x, tg_shape order);

/* Two axes swapped: tg_transpose(x, 0, 1) is the matrix transpose. */
TG_API tg_tensor *tg_transpose(tg_tensor *x, int axis0, int axis1);

/* x[.., start:stop:step, ..] along one axis, with Python's rules: negative start and stop count from the
 * end, both are clamped to the axis, step may be negative but not zero (TG_ERR_ARGUMENT). TG_END stands for
 * "to the end", in either direction; for step < 0 a start of TG_END is the last element. */
#define TG_END INT64_MAX
TG_API tg_tensor *tg_slice(tg_tensor *x, int axis, int64_t start, int64_t stop, int64_t step);

/* A copy of x in which that slice is src, which has the slice's shape (torch.slice_scatter). */
TG_API tg_tensor *tg_slice_scatter(tg_tensor *x, tg_tensor *src, int axis, int64_t start, int64_t stop,
                                   int64_t step);

/* x repeated to `shape` by broadcasting; -1 keeps a size: tg_expand(x, 10, -1). tg_broadcast_to is another
 * name for it. */
TG_API tg_tensor *tg_expand_with(tg_tensor *x, tg_shape shape);
TG_API tg_tensor *tg_broadcast_to_with(tg_tensor *x, tg_shape shape);

/* An axis of size 1 removed (TG_ERR_SHAPE when its size is not 1), or added before `axis`. */
TG_API tg_tensor *tg_squeeze(tg_tensor *x, int axis);
TG_API tg_tensor *tg_unsqueeze(tg_tensor *x, int axis);

/* x itself when its elements already lie in row-major order, else a copy that does. */
TG_API tg_tensor *tg_contiguous(tg_tensor *x);

/* A copy, converted to dtype (as tg_array_copy); x itself when it has that dtype. Gradients flow between f32
 * and f64; the result of converting to or from another dtype has none. */
TG_API tg_tensor *tg_to(tg_tensor *x, tg_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
