/* Losses: the mean over all elements (or rows), a scalar. Shapes must be equal, not merely broadcastable:
 * (N, 1) against (N) is TG_ERR_SHAPE. Targets are treated as constants unless they require a gradient
 * themselves.
 *
 * Each of the three comes fused, from the raw output of the network ("logits"), and as the plain
 * composition that courses teach, so that the start gradient of both can be compared: for n rows it is
 * (y_hat - y)/n in either.
 */
#ifndef TG_OPS_NN_LOSS_H
#define TG_OPS_NN_LOSS_H

#include "autograd/grad.h"

#ifdef __cplusplus
extern "C" {
#endif

/* mean((prediction - target)^2). */
TG_API tg_tensor *tg_mse_loss(tg_tensor *prediction, tg_tensor *target);

/* mean(-[y log s(z) + (1 - y) log(1 - s(z))]) for s = sigmoid, by way of tg_logsigmoid, so that value and
 * gradient are exact at any finite z: 1000 for z = -1000, y = 1. Target y in [0, 1] (TG_ERR_ARGUMENT
 * otherwise: labels of -1 and 1 are a silent bug), of z's dtype and shape. */
TG_API tg_tensor *tg_binary_cross_entropy_with_logits(tg_tensor *logits, tg_tensor *target);

/* The same from probabilities p: mean(-[y log p + (1 - y) log(1 - p)]), each log no smaller than -100 (as
 * PyTorch), where that bound holds with gradient 0. p outside [0, 1] is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_binary_cross_entropy(tg_tensor *p, tg_tensor *target);

/* mean over rows of -log softmax(logits)[class]: logits [n, classes], target [n] of class numbers, i64 or
 * i32. A class outside [0, classes) is TG_ERR_ARGUMENT naming row and class. */
TG_API tg_tensor *tg_cross_entropy(tg_tensor *logits, tg_tensor *target);

/* The last step of the plain composition: mean over rows of -log_p[class], for log_p [n, classes]. */
TG_API tg_tensor *tg_nll_loss(tg_tensor *log_p, tg_tensor *target);

/* The fraction of rows whose largest logit is the target's; a number, not a tensor; NaN on error.
 * Among equal logits the first is the largest; a row with a NaN counts as wrong. No gradient. */
TG_API double tg_accuracy(tg_tensor *logits, tg_tensor *target);

#ifdef __cplusplus
}
#endif

#define tg_mse_loss(prediction, target) TG_AT((tg_mse_loss)((prediction), (target)))
#define tg_binary_cross_entropy_with_logits(z, y) TG_AT((tg_binary_cross_entropy_with_logits)((z), (y)))
#define tg_binary_cross_entropy(p, y) TG_AT((tg_binary_cross_entropy)((p), (y)))
#define tg_cross_entropy(logits, target) TG_AT((tg_cross_entropy)((logits), (target)))
#define tg_nll_loss(log_p, target) TG_AT((tg_nll_loss)((log_p), (target)))

#endif
