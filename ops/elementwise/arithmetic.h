/* Arithmetic of two tensors, elementwise, and of a tensor and a number.
 *
 * Operands broadcast by NumPy's rules (core/shape.h), and shapes that do not are TG_ERR_SHAPE. They must have
 * one dtype: mixing dtypes is TG_ERR_DTYPE, and tg_to converts. Gradients exist for f32 and f64; i32 and i64
 * are taken too, and their division truncates and gives 0 for a divisor of 0. The result belongs to the tape,
 * as that of every op.
 */
#ifndef TG_OPS_ELEMENTWISE_ARITHMETIC_H
#define TG_OPS_ELEMENTWISE_ARITHMETIC_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_add(tg_tensor *a, tg_tensor *b); /* a + b */
TG_API tg_tensor *tg_sub(tg_tensor *a, tg_tensor *b); /* a - b */
TG_API tg_tensor *tg_mul(tg_tensor *a, tg_tensor *b); /* a * b */
TG_API tg_tensor *tg_div(tg_tensor *a, tg_tensor *b); /* a / b; x/0 is inf or NaN as in IEEE 754 */

/* scale * x + shift, as one op, of which the three below are special cases. The numbers are rounded to x's
 * dtype; one that an integer dtype does not have, such as 0.5, is TG_ERR_DTYPE. */
TG_API tg_tensor *tg_affine(tg_tensor *x, double scale, double shift);
TG_API tg_tensor *tg_add_scalar(tg_tensor *x, double s); /* x + s */
TG_API tg_tensor *tg_mul_scalar(tg_tensor *x, double s); /* x * s */
TG_API tg_tensor *tg_neg(tg_tensor *x);                  /* -x */

#ifdef __cplusplus
}
#endif

#endif
