/* Private. Convolutions of few channels a group: groups and images side by side in the lanes of vectors, so that each lane
 * has a convolution of its own, whatever the width, stride and dilation. */
#ifndef TG_CORE_KERNELS_CONV_INTERLEAVED_H
#define TG_CORE_KERNELS_CONV_INTERLEAVED_H

#include "core/kernels/conv/plan.h"

/* Whether this is faster than output channels or pixels in the lanes (core/kernels/conv/conv.c): for the results of
 * out_channels that see in_channels in each group, and for the weights. */
bool tg_interleaved_correlation_pays(const tg_conv *c, tg_dtype dtype, int64_t in_channels,
                                     int64_t out_channels);
bool tg_interleaved_weight_pays(const tg_conv *c, tg_dtype dtype);

/* As tg_conv_forward and tg_conv_input (without a bias), by an interleaved plan. */
tg_status tg_interleaved_correlation(const tg_conv_plan *p, const void *source, const void *w,
                                     const void *bias, void *result);

/* As tg_conv_weight. */
tg_status tg_interleaved_weight(const tg_conv_plan *p, const void *x, const void *g, void *w, bool add);

#endif
