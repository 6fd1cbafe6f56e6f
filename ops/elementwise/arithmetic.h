/* Arithmetic of two tensors, elementwise, and of a tensor and a number.
 *
 * Operands broadcast (NumPy's rules, core/shape.h) and must have one dtype: mixing dtypes is TG_ERR_DTYPE,
 * tg_to converts. Gradients exist for f32 and f64; add, sub, mul and div also take i32 and i64 (division
 * truncates, by zero gives 0). Shapes that do not fit are TG_ERR_SHAPE. The result belongs to the tape, as
 * that of every op.
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
TG_API tg_tensor *tg_div(tg_tensor *a, tg_tensor *b); /* a / b; x/0 is inf or NaN as IEEE 754 has it */

/* scale * x + shift. The numbers are rounded to x's dtype; one that an integer dtype does not have, such as
 * 0.5, is TG_ERR_DTYPE. One op; the three below are shorthands for it. */
TG_API tg_tensor *tg_affine(tg_tensor *x, double scale, double shift);
TG_API tg_tensor *tg_add_scalar(tg_tensor *x, double s); /* x + s */
TG_API tg_tensor *tg_mul_scalar(tg_tensor *x, double s); /* x * s */
TG_API tg_tensor *tg_neg(tg_tensor *x);                  /* -x */

#ifdef __cplusplus
}
#endif

#endif
