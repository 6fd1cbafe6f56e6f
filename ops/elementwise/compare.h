/* Comparing and choosing. Comparisons take any two tensors of one dtype, broadcast, give bool and have no
 * gradient; a NaN is unequal to everything. */
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

/* condition ? a : b, all three broadcast; condition is bool or u8, a and b have one dtype. The gradient goes
 * to the side that was chosen; a NaN on the other side does not leak. */
TG_API tg_tensor *tg_where(tg_tensor *condition, tg_tensor *a, tg_tensor *b);

/* x with `value` where mask (bool or u8, broadcast to x's shape) is set; no gradient flows there. */
TG_API tg_tensor *tg_masked_fill(tg_tensor *x, tg_tensor *mask, double value);

#ifdef __cplusplus
}
#endif

#endif
