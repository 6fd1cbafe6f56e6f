/* Activation functions of one tensor, element by element. The result has x's shape; x is f32 or f64
 * (TG_ERR_DTYPE otherwise). NaN gives NaN. Where the derivative does not exist, the comment of the function
 * says which value is taken; the choices are PyTorch's.
 */
#ifndef TG_OPS_ELEMENTWISE_ACTIVATION_H
#define TG_OPS_ELEMENTWISE_ACTIVATION_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_relu(tg_tensor *x); /* max(x, 0); derivative 0 at 0 */

/* tanh x, and 1 / (1 + e^-x) without overflow at any x. In f32 the derivative is computed from the result,
 * which is all that is saved: its absolute error is at most 1e-7, and it is 0 where the result has rounded
 * to 1. In f64 it is computed from x, and right to its last digits everywhere. */
TG_API tg_tensor *tg_tanh(tg_tensor *x);
TG_API tg_tensor *tg_sigmoid(tg_tensor *x);

TG_API tg_tensor *tg_softplus(tg_tensor *x);   /* log(1 + e^x), accurate at any x */
TG_API tg_tensor *tg_logsigmoid(tg_tensor *x); /* log(sigmoid(x)), accurate at any x */

/* x above 0, slope * x below; the derivative at 0 is slope, which is usually 0.01. */
TG_API tg_tensor *tg_leaky_relu(tg_tensor *x, double slope);

/* x above 0, alpha (e^x - 1) below; the derivative at 0 is alpha, which is usually 1. */
TG_API tg_tensor *tg_elu(tg_tensor *x, double alpha);

/* 1.0507 elu(x, 1.67326): with these two numbers, mean 0 and variance 1 are preserved from layer to layer. */
TG_API tg_tensor *tg_selu(tg_tensor *x);

/* x above 0, alpha (e^(x/alpha) - 1) below, which is smooth at 0 for any alpha; usually alpha is 1. alpha
 * = 0 is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_celu(tg_tensor *x, double alpha);

TG_API tg_tensor *tg_gelu(tg_tensor *x);      /* x Phi(x), where Phi is the normal distribution function */
TG_API tg_tensor *tg_gelu_tanh(tg_tensor *x); /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
TG_API tg_tensor *tg_silu(tg_tensor *x);      /* x sigmoid(x) */
TG_API tg_tensor *tg_mish(tg_tensor *x);      /* x tanh(softplus(x)) */
TG_API tg_tensor *tg_softsign(tg_tensor *x);  /* x / (1 + |x|) */

/* log(1 + e^(beta x)) / beta, and x itself where beta x > threshold; tg_softplus has beta = 1 and no
 * threshold. beta = 0 is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_softplus_beta(tg_tensor *x, double beta, double threshold);

/* min(max(x, lo), hi) as tg_clamp, but with derivative 0 at the bounds, which are usually -1 and 1.
 * TG_ERR_ARGUMENT unless lo < hi. */
TG_API tg_tensor *tg_hardtanh(tg_tensor *x, double lo, double hi);

TG_API tg_tensor *tg_hardsigmoid(tg_tensor *x); /* min(max(x + 3, 0), 6) / 6; derivative 0 at -3 and 3 */
TG_API tg_tensor *tg_hardswish(tg_tensor *x);   /* x hardsigmoid(x); derivative 0 at -3, 1 at 3 */

/* ---- of a second operand ---- */

/* a sigmoid(b), where a and b are the halves of x along the axis, whose size must be even (TG_ERR_SHAPE); PyTorch's default is -1. */
TG_API tg_tensor *tg_glu(tg_tensor *x, int axis);

/* x above 0, weight * x below, the weight being one number, or [channels] with one for each place of axis 1 (TG_ERR_SHAPE
 * otherwise). At 0 the derivative by x is the weight. */
TG_API tg_tensor *tg_prelu(tg_tensor *x, tg_tensor *weight);

#ifdef __cplusplus
}
#endif

#endif
