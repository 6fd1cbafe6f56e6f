/* Functions of one tensor, element by element; out has x's shape. f32 and f64 only (TG_ERR_DTYPE otherwise).
 * NaN in, NaN out. Where the derivative does not exist, the one chosen stands beside the function.
 */
#ifndef TG_OPS_ELEMENTWISE_BASIC_H
#define TG_OPS_ELEMENTWISE_BASIC_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_exp(tg_tensor *x);    /* e^x */
TG_API tg_tensor *tg_log(tg_tensor *x);    /* natural logarithm; log 0 = -inf, NaN below 0 */
TG_API tg_tensor *tg_sqrt(tg_tensor *x);   /* NaN below 0; derivative +inf at 0 */
TG_API tg_tensor *tg_square(tg_tensor *x); /* x^2 */
TG_API tg_tensor *tg_abs(tg_tensor *x);    /* |x|; derivative 0 at 0 */
/* The next two: in f32 the derivative is made of the result, which is all that is saved; it is right to 1e-7 absolutely,
 * and 0 where the result has rounded to 1. In f64 it is made of x, and right to its last digits everywhere. */
TG_API tg_tensor *tg_tanh(tg_tensor *x);
TG_API tg_tensor *tg_sigmoid(tg_tensor *x);    /* 1 / (1 + e^-x), without overflow at any x */
TG_API tg_tensor *tg_relu(tg_tensor *x);       /* max(x, 0); derivative 0 at 0 */
TG_API tg_tensor *tg_softplus(tg_tensor *x);   /* log(1 + e^x), exact at any x */
TG_API tg_tensor *tg_logsigmoid(tg_tensor *x); /* log of the sigmoid, exact at any x */
TG_API tg_tensor *tg_sign(tg_tensor *x);       /* -1, 0 or 1; derivative 0 */

#ifdef __cplusplus
}
#endif

#define tg_exp(x) TG_AT((tg_exp)(x))
#define tg_log(x) TG_AT((tg_log)(x))
#define tg_sqrt(x) TG_AT((tg_sqrt)(x))
#define tg_square(x) TG_AT((tg_square)(x))
#define tg_abs(x) TG_AT((tg_abs)(x))
#define tg_tanh(x) TG_AT((tg_tanh)(x))
#define tg_sigmoid(x) TG_AT((tg_sigmoid)(x))
#define tg_relu(x) TG_AT((tg_relu)(x))
#define tg_softplus(x) TG_AT((tg_softplus)(x))
#define tg_logsigmoid(x) TG_AT((tg_logsigmoid)(x))
#define tg_sign(x) TG_AT((tg_sign)(x))

#endif
