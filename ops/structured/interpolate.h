/* Resizing of images: a composition of other ops. */
#ifndef TG_OPS_STRUCTURED_INTERPOLATE_H
#define TG_OPS_STRUCTURED_INTERPOLATE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x [images, channels, height, width] resized to `size`, or by `scale` where size is left out: each place
 * of the result takes the nearest element, or the mean of the four around it, weighted by nearness; those of
 * weight 0 do not count, infinite or NaN as they may be. The corners of the first and last *elements* coincide,
 * or with align_corners their centres (bilinear only). */
typedef enum tg_interpolation { TG_NEAREST, TG_BILINEAR } tg_interpolation;
typedef struct tg_interpolate_opts {
    int64_t size[2];
    double scale[2];
    tg_interpolation mode;
    bool align_corners;
    char end; /* no option: ops/calls.h */
} tg_interpolate_opts;
TG_API tg_tensor *tg_interpolate_with(tg_tensor *x, tg_interpolate_opts opts);

#ifdef __cplusplus
}
#endif

#endif
