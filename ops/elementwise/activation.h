/* Activation functions of one tensor, element by element; out has x's shape. f32 and f64 only (TG_ERR_DTYPE otherwise).
 * NaN in, NaN out. Where the derivative does not exist, the one chosen stands beside the function; the choices are
 * PyTorch's.
 */
#ifndef TG_OPS_ELEMENTWISE_ACTIVATION_H
#define TG_OPS_ELEMENTWISE_ACTIVATION_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_relu(tg_tensor *x); /* max(x, 0); derivative 0 at 0 */

/* The next two: in f32 the derivative is made of the result, which is all that is saved; it is right to 1e-7 absolutely,
 * and 0 where the result has rounded to 1. In f64 it is made of x, and right to its last digits everywhere. */
TG_API tg_tensor *tg_tanh(tg_tensor *x);
TG_API tg_tensor *tg_sigmoid(tg_tensor *x);    /* 1 / (1 + e^-x), without overflow at any x */
TG_API tg_tensor *tg_softplus(tg_tensor *x);   /* log(1 + e^x), exact at any x */
TG_API tg_tensor *tg_logsigmoid(tg_tensor *x); /* log of the sigmoid, exact at any x */

/* x above 0, slope * x below; derivative slope at 0. Usual: slope 0.01. */
TG_API tg_tensor *tg_leaky_relu(tg_tensor *x, double slope);

/* x above 0, alpha (e^x - 1) below; derivative alpha at 0. Usual: alpha 1. */
TG_API tg_tensor *tg_elu(tg_tensor *x, double alpha);

/* 1.0507 elu(x, 1.67326): the two numbers for which mean 0 and variance 1 reproduce themselves */
TG_API tg_tensor *tg_selu(tg_tensor *x);

/* x above 0, alpha (e^(x/alpha) - 1) below: smooth at 0 for any alpha, usually 1. alpha 0:
 * TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_celu(tg_tensor *x, double alpha);

TG_API tg_tensor *tg_gelu(tg_tensor *x);      /* x Phi(x), Phi the normal distribution function */
TG_API tg_tensor *tg_gelu_tanh(tg_tensor *x); /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
TG_API tg_tensor *tg_silu(tg_tensor *x);      /* x sigmoid(x) */
TG_API tg_tensor *tg_mish(tg_tensor *x);      /* x tanh(softplus(x)) */
TG_API tg_tensor *tg_softsign(tg_tensor *x);  /* x / (1 + |x|) */

/* log(1 + e^(beta x)) / beta, and x itself where beta x > threshold. tg_softplus(x) is beta 1 without a threshold.
 * beta 0: TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_softplus_beta(tg_tensor *x, double beta, double threshold);

/* min(max(x, lo), hi), as tg_clamp, but with derivative 0 at the bounds. Usual: -1, 1. TG_ERR_ARGUMENT unless
 * lo < hi. */
TG_API tg_tensor *tg_hardtanh(tg_tensor *x, double lo, double hi);

TG_API tg_tensor *tg_hardsigmoid(tg_tensor *x); /* min(max(x + 3, 0), 6) / 6; derivative 0 at -3 and 3 */
TG_API tg_tensor *tg_hardswish(tg_tensor *x);   /* x hardsigmoid(x); derivative 0 at -3, 1 at 3 */

#ifdef __cplusplus
}
#endif

#endif
