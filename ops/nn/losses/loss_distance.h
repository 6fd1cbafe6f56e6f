/* Losses that are distances of numbers, of distributions or from a margin, and the cosine of an angle. The rules and
 * reductions are those of ops/nn/losses/loss.h: shapes are equal, and the loss is the mean unless `.reduction` says otherwise. A
 * numeric option that is 0 (left out) stands for the default given here; one that is not finite, or not positive where only
 * that makes sense, is TG_ERR_ARGUMENT. All are compositions. */
#ifndef TG_OPS_NN_LOSS_DISTANCE_H
#define TG_OPS_NN_LOSS_DISTANCE_H

#include "ops/nn/losses/loss.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef tg_loss_opts tg_l1_loss_opts;

/* out = mean|prediction - target|; the gradient is 0 where they are equal. */
TG_API tg_tensor *tg_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_l1_loss_opts opts);

/* The mean of d^2/2 where |d| < delta, and of delta (|d| - delta/2) elsewhere, for d = prediction - target. */
typedef struct tg_huber_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    double delta; /* default 1; positive */
} tg_huber_loss_opts;
TG_API tg_tensor *tg_huber_loss_with(tg_tensor *prediction, tg_tensor *target, tg_huber_loss_opts opts);

/* The Huber loss divided by its bound beta: d^2/(2 beta) where |d| < beta, |d| - beta/2 elsewhere; the l1_loss for beta 0. */
typedef struct tg_smooth_l1_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    double beta; /* default 1; TG_ZERO for 0 */
} tg_smooth_l1_loss_opts;
TG_API tg_tensor *tg_smooth_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_smooth_l1_loss_opts opts);

/* out = mean(p (log p - log_q)), for the model's log probabilities log_q and the target p; a term with p = 0 is 0. The mean is
 * over elements; the divergence of distributions that lie in rows takes .reduction = TG_REDUCTION_BATCH_MEAN. */
typedef struct tg_kl_div_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    bool log_target; /* the target is log p */
} tg_kl_div_opts;
TG_API tg_tensor *tg_kl_div_with(tg_tensor *log_q, tg_tensor *target, tg_kl_div_opts opts);

/* The mean of x where y = 1 and of max(0, margin - x) where y = -1, with slope -1 at the margin (as in PyTorch). Another y
 * is TG_ERR_ARGUMENT. */
typedef struct tg_hinge_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    double margin; /* default 1; TG_ZERO for 0 */
} tg_hinge_loss_opts;
typedef tg_hinge_loss_opts tg_hinge_embedding_loss_opts;
TG_API tg_tensor *tg_hinge_embedding_loss_with(tg_tensor *x, tg_tensor *y, tg_hinge_embedding_loss_opts opts);

/* out = mean(max(0, margin - y score)) for y = 1 or -1, the loss of a support vector machine, with the same slope there. */
TG_API tg_tensor *tg_hinge_loss_with(tg_tensor *score, tg_tensor *y, tg_hinge_loss_opts opts);

/* The mean of 1/2 (log v + (mean - target)^2 / v) with v = max(variance, eps). Where eps bounds the variance, the gradient
 * still passes to it, so that it can grow (as in PyTorch). The variance has the shape of the others or broadcasts to it; a
 * negative one is TG_ERR_ARGUMENT. */
typedef struct tg_gaussian_nll_loss_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_loss_reduction reduction;
    bool full;  /* adds the constant log(2 pi)/2 */
    double eps; /* default 1e-6; positive */
} tg_gaussian_nll_loss_opts;
TG_API tg_tensor *tg_gaussian_nll_loss_with(tg_tensor *mean, tg_tensor *target, tg_tensor *variance,
                                            tg_gaussian_nll_loss_opts opts);

/* out = sum(a b) / (max(|a|, eps) max(|b|, eps)) along `axis`, which is removed: the cosine of the angle between a and b,
 * which broadcast; 0 where a or b is 0. It is no loss itself, but 1 - out is. */
typedef struct tg_cosine_similarity_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double eps;                   /* default 1e-8; TG_ZERO for 0 */
} tg_cosine_similarity_opts;
TG_API tg_tensor *tg_cosine_similarity_with(tg_tensor *a, tg_tensor *b, int axis,
                                            tg_cosine_similarity_opts opts);

#ifdef __cplusplus
}
#endif

#endif
