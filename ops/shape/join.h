/* Joining tensors, and rearranging one, of any dtype. Gradients flow back through all of them. */
#ifndef TG_OPS_SHAPE_JOIN_H
#define TG_OPS_SHAPE_JOIN_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n tensors one after the other along `axis`: tg_concat(axis, a, b, c), or tg_concat_with(axis, n, x) for
 * an array of them. They have one dtype (TG_ERR_DTYPE) and, apart from the axis, whose sizes may be 0, one
 * shape (TG_ERR_SHAPE). n = 0 and a NULL array are TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_concat_with(int axis, int n, tg_tensor *const *x);

/* n tensors of one shape along a new axis: tg_stack(0, a, b) has shape [2, ..]. Errors are as for
 * tg_concat. */
TG_API tg_tensor *tg_stack_with(int axis, int n, tg_tensor *const *x);

/* Copies of x side by side: tg_tile(x, 2, 3) repeats a matrix twice downwards and three times to the
 * right. The numbers and the axes of x are aligned at the last, and a missing number or axis counts as 1.
 * The number 0 gives an empty axis; a negative one is TG_ERR_ARGUMENT. tg_repeat is the same, but needs a
 * number for each axis (torch.Tensor.repeat). */
TG_API tg_tensor *tg_tile_with(tg_tensor *x, tg_shape times);
TG_API tg_tensor *tg_repeat_with(tg_tensor *x, tg_shape times);

/* x with the order along the axes reversed, as a view: tg_flip(x, 0, -1). In tg_flip_with(x, axes) an
 * empty list means all axes. */
TG_API tg_tensor *tg_flip_with(tg_tensor *x, tg_shape axes);

/* x with its elements moved by `shift` places towards the end of the axis; those that leave it come in at
 * the start. A negative shift goes the other way, and a shift may be larger than the axis. */
TG_API tg_tensor *tg_roll(tg_tensor *x, int64_t shift, int axis);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
#define TG_COUNT_TENSORS(...) ((int)(sizeof((tg_tensor *[]){__VA_ARGS__}) / sizeof(tg_tensor *)))
#endif

#endif
