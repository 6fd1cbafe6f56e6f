/* Functions of two tensors, element by element, and three of three tensors. Operands broadcast and have one
 * dtype, which is f32 or f64 (TG_ERR_DTYPE otherwise); maximum and minimum also take i32 and i64. NaN gives
 * NaN unless said otherwise. Where the derivative does not exist, the comment of the function says which
 * value is taken.
 */
#ifndef TG_OPS_ELEMENTWISE_BINARY_H
#define TG_OPS_ELEMENTWISE_BINARY_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* a^b as C's pow: x^0 = 1, also for x = 0, and the power of a negative number is NaN unless b is an
 * integer. d/da is 0 where b = 0; d/db = a^b log a is 0 where a = 0 and b >= 0, and NaN where a < 0. */
TG_API tg_tensor *tg_pow(tg_tensor *a, tg_tensor *b);

/* x^exponent, which is faster than tg_pow, and has no derivative by the exponent. */
TG_API tg_tensor *tg_pow_scalar(tg_tensor *x, double exponent);

/* The larger and the smaller of a and b. Where they are equal, each gets half the gradient. */
TG_API tg_tensor *tg_maximum(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_minimum(tg_tensor *a, tg_tensor *b);

/* fmod is a - b trunc(a/b) and has the sign of a; remainder is a - b floor(a/b) and has the sign of b; so
 * does a result of 0. The derivative by b is minus that integer quotient. */
TG_API tg_tensor *tg_fmod(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_remainder(tg_tensor *a, tg_tensor *b);

/* The angle of (x, y), in [-pi, pi]; both derivatives are 0 at (0, 0). */
TG_API tg_tensor *tg_atan2(tg_tensor *y, tg_tensor *x);

/* sqrt(a^2 + b^2) without overflow; both derivatives are 0 at (0, 0). */
TG_API tg_tensor *tg_hypot(tg_tensor *a, tg_tensor *b);

/* a log b, which is 0 where a = 0, unless b is NaN. Where a = 0 and b <= 0, the derivatives of every order
 * are 0. */
TG_API tg_tensor *tg_xlogy(tg_tensor *a, tg_tensor *b);

/* log(e^a + e^b) without overflow; both derivatives are 0 where a and b are the same infinity. */
TG_API tg_tensor *tg_logaddexp(tg_tensor *a, tg_tensor *b);

/* a^2 / (2 b). No intermediate of it or of a derivative leaves the range of the dtype unless the result
 * does. */
TG_API tg_tensor *tg_half_square_over(tg_tensor *a, tg_tensor *b);

/* |a| with the sign of b, also where b is 0 or NaN. The derivative by a is 0 at a = 0, that by b 0
 * everywhere. */
TG_API tg_tensor *tg_copysign(tg_tensor *a, tg_tensor *b);

/* a + weight (b - a), computed from the nearer end: it is exactly a at weight 0 and b at weight 1,
 * monotone in the weight, and does not overflow between them. */
TG_API tg_tensor *tg_lerp(tg_tensor *a, tg_tensor *b, tg_tensor *weight);

/* x + value a b, and x + value a / b: compositions in which no partial product overflows unless the whole
 * does. */
TG_API tg_tensor *tg_addcmul(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value);
TG_API tg_tensor *tg_addcdiv(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value);

#ifdef __cplusplus
}
#endif

#endif
