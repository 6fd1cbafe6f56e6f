/* Resizing of images, a composition of other ops. */
#ifndef TG_OPS_STRUCTURED_INTERPOLATE_H
#define TG_OPS_STRUCTURED_INTERPOLATE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Resizes x [images, channels, height, width], f32 or f64, to `size`, or by `scale` where size is left out, as
 * torch.nn.functional.interpolate; {7} is {7, 7}. Each output pixel is the nearest input pixel, or the bilinear mean of the four around it;
 * a pixel of weight 0 does not count, even if it is infinite or NaN. The outer edges of the corner pixels coincide, or,
 * with align_corners (bilinear only), their centres. A size or scale that leaves no pixel is TG_ERR_ARGUMENT. */
typedef enum tg_interpolation { TG_NEAREST, TG_BILINEAR } tg_interpolation;
typedef struct tg_interpolate_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t size[2];
    double scale[2];
    tg_interpolation mode;
    bool align_corners;
} tg_interpolate_opts;
TG_API tg_tensor *tg_interpolate_with(tg_tensor *x, tg_interpolate_opts opts);

#ifdef __cplusplus
}
#endif

#endif
