/* Comparisons, and choices by a mask. A comparison takes two tensors of one dtype, any, which broadcast;
 * it gives bool and has no gradient. A NaN is unequal to everything. */
#ifndef TG_OPS_ELEMENTWISE_COMPARE_H
#define TG_OPS_ELEMENTWISE_COMPARE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_eq(tg_tensor *a, tg_tensor *b); /* a == b */
TG_API tg_tensor *tg_ne(tg_tensor *a, tg_tensor *b); /* a != b */
TG_API tg_tensor *tg_lt(tg_tensor *a, tg_tensor *b); /* a < b */
TG_API tg_tensor *tg_le(tg_tensor *a, tg_tensor *b); /* a <= b */
TG_API tg_tensor *tg_gt(tg_tensor *a, tg_tensor *b); /* a > b */
TG_API tg_tensor *tg_ge(tg_tensor *a, tg_tensor *b); /* a >= b */

/* condition ? a : b, where all three broadcast, condition is bool or u8, and a and b have one dtype. The
 * gradient goes to the side that was chosen; a NaN on the other side does not reach it. */
TG_API tg_tensor *tg_where(tg_tensor *condition, tg_tensor *a, tg_tensor *b);

/* x with `value` where mask (bool or u8, broadcast to x's shape) is set; no gradient flows there. */
TG_API tg_tensor *tg_masked_fill(tg_tensor *x, tg_tensor *mask, double value);

#ifdef __cplusplus
}
#endif

#endif
