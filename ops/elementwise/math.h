/* Mathematical functions of one tensor, element by element. The result has x's shape; x is f32 or f64
 * (TG_ERR_DTYPE otherwise). NaN gives NaN, and so does an element outside a function's domain. Where the
 * derivative does not exist, the comment of the function says which value is taken. Powers are in
 * ops/elementwise/binary.h.
 */
#ifndef TG_OPS_ELEMENTWISE_MATH_H
#define TG_OPS_ELEMENTWISE_MATH_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_exp(tg_tensor *x);        /* e^x */
TG_API tg_tensor *tg_log(tg_tensor *x);        /* the natural logarithm; log 0 = -inf, NaN below 0 */
TG_API tg_tensor *tg_sqrt(tg_tensor *x);       /* NaN below 0; derivative +inf at 0 */
TG_API tg_tensor *tg_square(tg_tensor *x);     /* x^2 */
TG_API tg_tensor *tg_abs(tg_tensor *x);        /* |x|; derivative 0 at 0 */
TG_API tg_tensor *tg_sign(tg_tensor *x);       /* -1, 0 or 1; derivative 0 */
TG_API tg_tensor *tg_rsqrt(tg_tensor *x);      /* 1 / sqrt(x) */
TG_API tg_tensor *tg_reciprocal(tg_tensor *x); /* 1 / x */
TG_API tg_tensor *tg_exp2(tg_tensor *x);       /* 2^x */
TG_API tg_tensor *tg_expm1(tg_tensor *x);      /* e^x - 1, accurate near 0 */
TG_API tg_tensor *tg_log2(tg_tensor *x);
TG_API tg_tensor *tg_log10(tg_tensor *x);
TG_API tg_tensor *tg_log1p(tg_tensor *x); /* log(1 + x), accurate near 0 */

TG_API tg_tensor *tg_sin(tg_tensor *x);
TG_API tg_tensor *tg_cos(tg_tensor *x);
TG_API tg_tensor *tg_tan(tg_tensor *x);
TG_API tg_tensor *tg_asin(tg_tensor *x);
TG_API tg_tensor *tg_acos(tg_tensor *x);
TG_API tg_tensor *tg_atan(tg_tensor *x);
TG_API tg_tensor *tg_sinh(tg_tensor *x);
TG_API tg_tensor *tg_cosh(tg_tensor *x);
TG_API tg_tensor *tg_asinh(tg_tensor *x);
TG_API tg_tensor *tg_acosh(tg_tensor *x);
TG_API tg_tensor *tg_atanh(tg_tensor *x);

TG_API tg_tensor *tg_erf(tg_tensor *x);     /* 2/sqrt(pi) times the integral of e^-t^2 from 0 to x */
TG_API tg_tensor *tg_erfc(tg_tensor *x);    /* 1 - erf(x), accurate where erf is near 1 */
TG_API tg_tensor *tg_erfinv(tg_tensor *x);  /* the inverse of erf; infinite at -1 and 1 */
TG_API tg_tensor *tg_lgamma(tg_tensor *x);  /* log |gamma(x)| */
TG_API tg_tensor *tg_digamma(tg_tensor *x); /* psi(x) = d/dx log gamma(x) */

/* The derivative of psi of this order, 0 <= order <= 20 (TG_ERR_ARGUMENT otherwise): digamma is order 0,
 * trigamma order 1. Its gradient is the next order. */
TG_API tg_tensor *tg_polygamma(int64_t order, tg_tensor *x);

TG_API tg_tensor *tg_sinc(tg_tensor *x); /* sin(pi x) / (pi x), 1 at 0 */
/* The derivative of sinc of this order, 0 <= order <= 20, accurate near 0. Its gradient is the next order. */
TG_API tg_tensor *tg_sinc_derivative(tg_tensor *x, int64_t order);

/* The derivative of the sigmoid of this order, 0 <= order <= 20. It and its gradients have relative
 * accuracy in both tails. */
TG_API tg_tensor *tg_sigmoid_derivative(tg_tensor *x, int64_t order);

/* The derivative of e^(-scale x^2) of this order, 0 <= order <= 20, for scale > 0. */
TG_API tg_tensor *tg_gaussian_derivative(tg_tensor *x, double scale, int64_t order);

/* Rounding: the derivative of the first four is 0, also at the jumps; that of frac is 1 everywhere. */
TG_API tg_tensor *tg_floor(tg_tensor *x);
TG_API tg_tensor *tg_ceil(tg_tensor *x);
TG_API tg_tensor *tg_round(tg_tensor *x); /* to the nearest integer, the even one of two */
TG_API tg_tensor *tg_trunc(tg_tensor *x); /* towards 0 */
TG_API tg_tensor *tg_frac(tg_tensor *x);  /* x - trunc(x), which has the sign of x */

/* min(max(x, lo), hi), which is hi where lo > hi; an infinite bound has no effect. The derivative is 1 at
 * the bounds. A bound that is NaN is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_clamp(tg_tensor *x, double lo, double hi);

/* x with NaN, +inf and -inf replaced by these numbers. For posinf and neginf, an infinity stands for the
 * largest finite number of x's dtype with its sign: tg_nan_to_num(x, 0, INFINITY, -INFINITY). The gradient
 * is 0 where something was replaced. */
TG_API tg_tensor *tg_nan_to_num(tg_tensor *x, double nan, double posinf, double neginf);

#ifdef __cplusplus
}
#endif

#endif
