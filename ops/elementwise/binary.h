/* Functions of two tensors, element by element, and three handy combinations of three. Operands broadcast and
 * have one dtype, f32 or f64 (TG_ERR_DTYPE otherwise; maximum and minimum also take i32 and i64). NaN in, NaN
 * out, unless said otherwise. Where the derivative does not exist, the one chosen stands beside the function.
 */
#ifndef TG_OPS_ELEMENTWISE_BINARY_H
#define TG_OPS_ELEMENTWISE_BINARY_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* a^b as C's pow: x^0 = 1, also 0^0; a negative number has integer powers only, NaN otherwise. d/da is 0
 * where b = 0; d/db, a^b log a, is 0 where a = 0 and b >= 0, and NaN where a < 0. */
TG_API tg_tensor *tg_pow(tg_tensor *a, tg_tensor *b);

/* x^exponent. Faster than tg_pow, and without the derivative by the exponent. */
TG_API tg_tensor *tg_pow_scalar(tg_tensor *x, double exponent);

/* The larger, the smaller. Half the gradient to each where they are equal. */
TG_API tg_tensor *tg_maximum(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_minimum(tg_tensor *a, tg_tensor *b);

/* a - b trunc(a/b) has the sign of a; a - b floor(a/b) has the sign of b; a zero has that sign too. Derivative by b:
 * minus the whole number that the result was made with. */
TG_API tg_tensor *tg_fmod(tg_tensor *a, tg_tensor *b);
TG_API tg_tensor *tg_remainder(tg_tensor *a, tg_tensor *b);

TG_API tg_tensor *tg_atan2(tg_tensor *y, tg_tensor *x); /* the angle of (x, y), in [-pi, pi]; derivatives 0 at (0, 0) */

/* sqrt(a^2 + b^2) without overflow; derivative 0 at (0, 0) */
TG_API tg_tensor *tg_hypot(tg_tensor *a, tg_tensor *b);

/* a log b, and 0 where a = 0, unless b is NaN; where a = 0 and b <= 0 all derivatives are 0, to any order */
TG_API tg_tensor *tg_xlogy(tg_tensor *a, tg_tensor *b);

/* log(e^a + e^b) without overflow; derivatives 0 at two equal infinities */
TG_API tg_tensor *tg_logaddexp(tg_tensor *a, tg_tensor *b);

/* a^2 / (2 b), of which no part, nor any part of a derivative, leaves the range before the whole does */
TG_API tg_tensor *tg_half_square_over(tg_tensor *a, tg_tensor *b);

/* |a| with the sign of b, that of a zero or NaN too; derivative by a 0 at a = 0, by b 0 everywhere */
TG_API tg_tensor *tg_copysign(tg_tensor *a, tg_tensor *b);

/* a + weight (b - a), counted from the nearer end: exactly a at weight 0 and b at 1, monotone in the weight, and without
 * overflow between them. */
TG_API tg_tensor *tg_lerp(tg_tensor *a, tg_tensor *b, tg_tensor *weight);

/* Compositions: x + value a b and x + value a / b, where no partial product overflows before the whole does. */
TG_API tg_tensor *tg_addcmul(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value);
TG_API tg_tensor *tg_addcdiv(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value);

#ifdef __cplusplus
}
#endif

#endif
