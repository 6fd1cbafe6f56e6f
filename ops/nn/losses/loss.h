/* Losses. Each is the mean over all elements (or rows), a scalar, unless `.reduction` says otherwise. Shapes must be
 * equal, not merely broadcastable: (N, 1) against (N) is TG_ERR_SHAPE. A target is a constant unless it requires a gradient
 * itself. Options are named fields, all of them optional:
 *
 *     tg_mse_loss(y, t)
 *     tg_cross_entropy(z, c, .label_smoothing = 0.1, .ignore_index = -100)
 *
 * The cross-entropies come both fused, from the raw output of the network ("logits"), and as the plain composition that
 * courses teach, so that the first gradients of the two can be compared: for n rows each is (y_hat - y)/n. Other losses are
 * in ops/nn/losses/loss_distance.h.
 */
#ifndef TG_OPS_NN_LOSS_H
#define TG_OPS_NN_LOSS_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_loss_reduction {
    TG_REDUCTION_MEAN,
    TG_REDUCTION_SUM,
    TG_REDUCTION_NONE,      /* the loss of each element (or row) */
    TG_REDUCTION_BATCH_MEAN /* the sum divided by the size of the first axis */
} tg_loss_reduction;

typedef struct tg_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
} tg_loss_opts;
typedef tg_loss_opts tg_mse_loss_opts;

/* out = mean((prediction - target)^2). */
TG_API tg_tensor *tg_mse_loss_with(tg_tensor *prediction, tg_tensor *target, tg_mse_loss_opts opts);

/* Weights have the dtype of the logits and broadcast to their shape. */
typedef struct tg_binary_cross_entropy_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    tg_tensor *weight;     /* a factor of each element's loss */
    tg_tensor *pos_weight; /* a factor of y log s(z) alone, above 1 for rare positives; from logits only */
} tg_binary_cross_entropy_opts;
typedef tg_binary_cross_entropy_opts tg_binary_cross_entropy_with_logits_opts;

/* out = mean(-[y log s(z) + (1 - y) log(1 - s(z))]) for s = sigmoid, computed by tg_logsigmoid, so that value and
 * gradient are exact at any finite z: 1000 for z = -1000, y = 1. The target y has z's dtype and shape and lies in [0, 1]
 * (TG_ERR_ARGUMENT otherwise, since labels of -1 and 1 would be a silent bug). */
TG_API tg_tensor *tg_binary_cross_entropy_with_logits_with(tg_tensor *logits, tg_tensor *target,
                                                           tg_binary_cross_entropy_with_logits_opts opts);

/* The same from probabilities p: mean(-[y log p + (1 - y) log(1 - p)]). Each logarithm is at least -100 (as in PyTorch) and
 * has gradient 0 where that bound holds. A p outside [0, 1] is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_binary_cross_entropy_with(tg_tensor *p, tg_tensor *target,
                                               tg_binary_cross_entropy_opts opts);

/* The mean is weighted: it is the sum of the rows' losses over the sum of their weights, without ignored rows (NaN when all
 * are ignored). */
typedef struct tg_cross_entropy_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    tg_tensor *weight;      /* [classes], of the logits' dtype: the weight of a row is that of its class */
    int64_t ignore_index;   /* rows of this class, which may lie outside [0, classes), do not count */
    bool ignore;            /* needed for ignore_index 0 only, which otherwise means none */
    double label_smoothing; /* e in [0, 1]: targets (1 - e) onehot + e / classes */
} tg_cross_entropy_opts;

/* out = mean over rows of -log softmax(logits)[class], for logits [n, classes, ...] and a target [n, ...] of class numbers,
 * i64 or i32. A class outside [0, classes) is TG_ERR_ARGUMENT, which names row and class. A target of the logits'
 * own shape and dtype holds probabilities p of the classes, and out = mean over rows of -sum(p log softmax(logits));
 * that mean is not weighted, and no row can be ignored. */
TG_API tg_tensor *tg_cross_entropy_with(tg_tensor *logits, tg_tensor *target, tg_cross_entropy_opts opts);

typedef struct tg_nll_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;  /* the fields mean what they mean above */
    tg_tensor *weight;
    int64_t ignore_index;
    bool ignore;
} tg_nll_loss_opts;

/* The last step of the plain composition: out = mean over rows of -log_p[class], for log_p [n, classes, ...]. */
TG_API tg_tensor *tg_nll_loss_with(tg_tensor *log_p, tg_tensor *target, tg_nll_loss_opts opts);

/* The fraction of rows whose largest logit is the target's, for logits [n, classes]; it is a number, not a tensor, and NaN
 * on error. Among equal logits the first is the largest; a row with a NaN counts as wrong. */
TG_API double tg_accuracy(tg_tensor *logits, tg_tensor *target);

#ifdef __cplusplus
}
#endif

#endif
