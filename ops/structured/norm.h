/* Normalisation: (x - mean) / sqrt(variance + eps), then times weight and plus bias where they are given.
 * The variance is that of all elements (divided by n, not n - 1), computed from differences to the mean,
 * which is taken twice: of the row, and of what the rounded first one leaves. Where one element has nearly all of a
 * row's squares, its gradient is made of the others. f32 and f64. An
 * eps left out is PyTorch's default; TG_ZERO asks for 0. A negative eps, or one that is not finite, is TG_ERR_ARGUMENT.
 *
 *     y = tg_layer_norm(x, .weight = w, .bias = b) */
#ifndef TG_OPS_STRUCTURED_NORM_H
#define TG_OPS_STRUCTURED_NORM_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_layer_norm_opts {
    tg_tensor *weight, *bias; /* of the shape of the axes normalised over; NULL: 1 and 0 */
    int axes;                 /* how many of the last axes are normalised over; 0 stands for 1 */
    double eps;               /* default: layer_norm 1e-5, rms_norm the machine epsilon of the dtype */
    char end; /* no option: ops/calls.h */
} tg_layer_norm_opts;
typedef tg_layer_norm_opts tg_rms_norm_opts;

/* Over the last axis or axes of each sample. */
TG_API tg_tensor *tg_layer_norm_with(tg_tensor *x, tg_layer_norm_opts opts);

/* x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, "Root mean square layer normalization", NeurIPS
 * 2019). Takes no bias: TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_rms_norm_with(tg_tensor *x, tg_rms_norm_opts opts);

typedef struct tg_batch_norm_opts {
    tg_tensor *weight, *bias;              /* [channels]; NULL: 1 and 0 */
    tg_tensor *running_mean, *running_var; /* [channels] */
    bool training;
    double momentum; /* in [0, 1]; default 0.1, TG_ZERO for 0 */
    double eps;      /* default 1e-5 */
    char end; /* no option: ops/calls.h */
} tg_batch_norm_opts;

/* x is [images, channels, ..]; each channel is normalised over all images and places. In training with the
 * mean and variance of this batch, and the running ones, where given, move towards them: r = (1 -
 * momentum) r + momentum * batch, the variance being that with n - 1. Else with the running ones, which
 * must then be given; they get no gradient. */
TG_API tg_tensor *tg_batch_norm_with(tg_tensor *x, tg_batch_norm_opts opts);

typedef struct tg_group_norm_opts {
    tg_tensor *weight, *bias; /* [channels]; NULL: 1 and 0 */
    double eps;               /* default 1e-5 */
    char end; /* no option: ops/calls.h */
} tg_group_norm_opts;

/* x is [images, channels, ..]; each image is normalised over each of `groups` equal groups of channels. */
TG_API tg_tensor *tg_group_norm_with(tg_tensor *x, int64_t groups, tg_group_norm_opts opts);

#ifdef __cplusplus
}
#endif

#endif
