/* Softmax of f32 or f64 along one axis, shifted by the maximum so that nothing overflows; a negative axis counts from the
 * end (TG_ERR_ARGUMENT out of range). Where a p is near 1, gradients compute 1 - p from the other probabilities. Elements
 * that are +inf share the probability 1; a row of -inf alone gives NaN (as in PyTorch, which gives NaN for +inf too). */
#ifndef TG_OPS_LOSS_SOFTMAX_H
#define TG_OPS_LOSS_SOFTMAX_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_tensor *tg_softmax(tg_tensor *x, int axis);     /* e^x / sum e^x */
TG_API tg_tensor *tg_log_softmax(tg_tensor *x, int axis); /* x - log sum e^x */

#ifdef __cplusplus
}
#endif

#endif
