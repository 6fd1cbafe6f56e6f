/* Normalisation by channels, or groups of them, with the formula, the accuracy and the eps of ops/structured/layer_norm.h.
 *
 *     y = tg_batch_norm(x, .weight = w, .bias = b, .running_mean = mean, .running_var = var, .training = true) */
#ifndef TG_OPS_STRUCTURED_BATCH_NORM_H
#define TG_OPS_STRUCTURED_BATCH_NORM_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_batch_norm_opts {
    tg_options_are_named by_name;          /* no option: ops/calls.h */
    tg_tensor *weight, *bias;              /* [channels]; NULL: 1 and 0 */
    tg_tensor *running_mean, *running_var; /* [channels] */
    bool training;
    double momentum; /* in [0, 1]; default 0.1, TG_ZERO for 0 */
    double eps;      /* default 1e-5 */
} tg_batch_norm_opts;

/* x is [images, channels, ..]; each channel is normalised over all images and places. Training uses the mean and variance
 * of the batch and updates the running ones, where they are given, in place: r = (1 - momentum) r + momentum * batch, with
 * the unbiased variance of the batch (n - 1). Evaluation uses the running ones, which must be given then and get no
 * gradient. */
TG_API tg_tensor *tg_batch_norm_with(tg_tensor *x, tg_batch_norm_opts opts);

typedef struct tg_group_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *weight, *bias;     /* [channels]; NULL: 1 and 0 */
    double eps;                   /* default 1e-5 */
} tg_group_norm_opts;

/* x is [images, channels, ..]; each image is normalised over each of `groups` equal groups of channels. */
TG_API tg_tensor *tg_group_norm_with(tg_tensor *x, int64_t groups, tg_group_norm_opts opts);

/* tg_group_norm with each channel a group: each channel of each image is normalised by itself. x is [images, channels,
 * places, ..] with more than one place (TG_ERR_SHAPE). */
typedef tg_group_norm_opts tg_instance_norm_opts;
TG_API tg_tensor *tg_instance_norm_with(tg_tensor *x, tg_instance_norm_opts opts);

#ifdef __cplusplus
}
#endif

#endif
