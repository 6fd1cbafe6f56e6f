/* Normalisation of each sample: out = (x - mean) / sqrt(variance + eps) * weight + bias, of f32 or f64.
 * The variance is the biased one (divided by n, not n - 1), the mean of squared differences from the mean; the mean itself is
 * corrected by the mean of what its rounding leaves. Where one element has nearly all of a row's squares, its gradient is
 * computed from the others. An eps left out is PyTorch's default, and TG_ZERO asks for 0; a negative eps, or one that is
 * not finite, is TG_ERR_ARGUMENT.
 *
 *     y = tg_layer_norm(x, .weight = w, .bias = b) */
#ifndef TG_OPS_STRUCTURED_LAYER_NORM_H
#define TG_OPS_STRUCTURED_LAYER_NORM_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_layer_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *weight, *bias;     /* their shape is that of the axes normalised over; NULL: 1 and 0 */
    int axes;                     /* how many of the last axes are normalised over; 0 stands for 1 */
    double eps;                   /* default: layer_norm 1e-5, rms_norm the machine epsilon of the dtype */
} tg_layer_norm_opts;
typedef tg_layer_norm_opts tg_rms_norm_opts;

/* Normalises over the last axis or axes of each sample. */
TG_API tg_tensor *tg_layer_norm_with(tg_tensor *x, tg_layer_norm_opts opts);

/* x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, "Root mean square layer normalization", NeurIPS
 * 2019). A bias is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_rms_norm_with(tg_tensor *x, tg_rms_norm_opts opts);

#ifdef __cplusplus
}
#endif

#endif
