/* Losses that are distances: of numbers, of distributions, from a margin; and the cosine of an angle. They have the rules and
 * reductions of ops/nn/loss.h: equal shapes, the mean unless `.reduction`
 * says otherwise. Where an option is a number, 0 (left out) stands for the default given here;
 * one that is not finite, or not positive where only that makes sense, is TG_ERR_ARGUMENT. Compositions. */
#ifndef TG_OPS_NN_LOSS_DISTANCE_H
#define TG_OPS_NN_LOSS_DISTANCE_H

#include "ops/nn/loss.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef tg_loss_opts tg_l1_loss_opts;

/* mean|prediction - target|; slope 0 where they are equal. */
TG_API tg_tensor *tg_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_l1_loss_opts opts);

/* For d = prediction - target: d^2/2 where |d| < delta, delta (|d| - delta/2) elsewhere. */
typedef struct tg_huber_loss_opts {
    tg_loss_reduction reduction;
    double delta; /* 1; it is positive */
    char end; /* no option: ops/calls.h */
} tg_huber_loss_opts;
TG_API tg_tensor *tg_huber_loss_with(tg_tensor *prediction, tg_tensor *target, tg_huber_loss_opts opts);

/* The same divided by beta: d^2/(2 beta) where |d| < beta, |d| - beta/2 elsewhere. With beta 0 it is the l1_loss. */
typedef struct tg_smooth_l1_loss_opts {
    tg_loss_reduction reduction;
    double beta; /* 1; TG_ZERO for 0 */
    char end; /* no option: ops/calls.h */
} tg_smooth_l1_loss_opts;
TG_API tg_tensor *tg_smooth_l1_loss_with(tg_tensor *prediction, tg_tensor *target, tg_smooth_l1_loss_opts opts);

/* mean(p (log p - log_q)), from log_q = log probabilities of the model and p = target; a term with p = 0 is
 * 0. The mean is over elements; the divergence of distributions in rows is .reduction =
  * TG_REDUCTION_BATCH_MEAN. */
typedef struct tg_kl_div_opts {
    tg_loss_reduction reduction;
    bool log_target; /* the target is log p */
    char end; /* no option: ops/calls.h */
} tg_kl_div_opts;
TG_API tg_tensor *tg_kl_div_with(tg_tensor *log_q, tg_tensor *target, tg_kl_div_opts opts);

/* For y = 1: x. For y = -1: max(0, margin - x), with slope -1 at the margin (as PyTorch). Another y is
 * TG_ERR_ARGUMENT. */
typedef struct tg_hinge_loss_opts {
    tg_loss_reduction reduction;
    double margin; /* 1; TG_ZERO for 0 */
    char end; /* no option: ops/calls.h */
} tg_hinge_loss_opts;
typedef tg_hinge_loss_opts tg_hinge_embedding_loss_opts;
TG_API tg_tensor *tg_hinge_embedding_loss_with(tg_tensor *x, tg_tensor *y, tg_hinge_embedding_loss_opts opts);

/* max(0, margin - y s) of a score s and y = 1 or -1: the loss of a support vector machine. Slope as above. */
TG_API tg_tensor *tg_hinge_loss_with(tg_tensor *score, tg_tensor *y, tg_hinge_loss_opts opts);

/* mean of 1/2 (log v + (mean - target)^2 / v), v = max(variance, eps); the gradient passes to the variance
 * where eps bounds it, so that it can leave (as PyTorch). The variance has the shape of the others or
 * broadcasts to it, and is not negative (TG_ERR_ARGUMENT). */
typedef struct tg_gaussian_nll_loss_opts {
    tg_loss_reduction reduction;
    bool full;  /* with the constant log(2 pi)/2 */
    double eps; /* 1e-6; it is positive */
    char end; /* no option: ops/calls.h */
} tg_gaussian_nll_loss_opts;
TG_API tg_tensor *tg_gaussian_nll_loss_with(tg_tensor *mean, tg_tensor *target, tg_tensor *variance,
                                       tg_gaussian_nll_loss_opts opts);

/* No loss, but one minus it is: the cosine of the angle between a and b along `axis`, which goes away. a and
 * b broadcast. sum(a b) / (max(|a|, eps) max(|b|, eps)); where a or b is 0 it is 0. */
typedef struct tg_cosine_similarity_opts {
    double eps; /* 1e-8; TG_ZERO for 0 */
    char end; /* no option: ops/calls.h */
} tg_cosine_similarity_opts;
TG_API tg_tensor *tg_cosine_similarity_with(tg_tensor *a, tg_tensor *b, int axis, tg_cosine_similarity_opts opts);

#ifdef __cplusplus
}
#endif

#endif
