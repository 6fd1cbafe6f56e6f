/* The same elements in another shape, for any dtype. The results share memory with x; only those copy whose
 * comment says so, and tg_reshape where strides cannot express the new shape. Gradients flow back through all
 * of them.
 */
#ifndef TG_OPS_SHAPE_VIEW_H
#define TG_OPS_SHAPE_VIEW_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The elements in row-major order under new sizes, one of which may be -1, which stands for what is left
 * over.
 *     tg_reshape(x, 64, -1)
 * A shape with another number of elements is TG_ERR_SHAPE. */
TG_API tg_tensor *tg_reshape_with(tg_tensor *x, tg_shape shape);

/* Axis i of the result is axis order[i] of x: tg_permute(x, 2, 0, 1). Negative axes count from the end. */
TG_API tg_tensor *tg_permute_with(tg_tensor *x, tg_shape order);

/* x with two axes swapped: tg_transpose(x, 0, 1) is the matrix transpose. */
TG_API tg_tensor *tg_transpose(tg_tensor *x, int axis0, int axis1);

/* x[.., start:stop:step, ..] along one axis, by Python's rules: negative start and stop count from the
 * end, both are clamped to the axis, and step may be negative but not 0 (TG_ERR_ARGUMENT). A stop of
 * TG_END means "to the end" in either direction; for step < 0 a start of TG_END is the last element. */
#define TG_END INT64_MAX
TG_API tg_tensor *tg_slice(tg_tensor *x, int axis, int64_t start, int64_t stop, int64_t step);

/* A copy of x in which that slice is src, which has the slice's shape (torch.slice_scatter). */
TG_API tg_tensor *tg_slice_scatter(tg_tensor *x, tg_tensor *src, int axis, int64_t start, int64_t stop,
                                   int64_t step);

/* x repeated to `shape` by broadcasting; -1 keeps a size: tg_expand(x, 10, -1). tg_broadcast_to is another
 * name for it. */
TG_API tg_tensor *tg_expand_with(tg_tensor *x, tg_shape shape);
TG_API tg_tensor *tg_broadcast_to_with(tg_tensor *x, tg_shape shape);

/* x without an axis of size 1 (TG_ERR_SHAPE when its size is not 1), and with one that becomes `axis` of
 * the result. */
TG_API tg_tensor *tg_squeeze(tg_tensor *x, int axis);
TG_API tg_tensor *tg_unsqueeze(tg_tensor *x, int axis);

/* x itself when its elements already lie in row-major order, else a copy that does. */
TG_API tg_tensor *tg_contiguous(tg_tensor *x);

/* A copy converted to dtype as by tg_array_copy, or x itself when it has that dtype. Gradients flow
 * between f32 and f64; the result of a conversion to or from another dtype has none. */
TG_API tg_tensor *tg_to(tg_tensor *x, tg_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
