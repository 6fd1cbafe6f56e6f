/* Channels traded for places, as after a convolution that makes an image larger (Shi et al., 2016). */
#ifndef TG_OPS_SHAPE_PIXEL_SHUFFLE_H
#define TG_OPS_SHAPE_PIXEL_SHUFFLE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [.., C r^2, H, W] becomes [.., C, H r, W r]:  y[c, h r + i, w r + j] = x[c r^2 + i r + j, h, w]. unshuffle is its inverse,
 * from [.., C, H r, W r]. Any dtype. r < 1 is TG_ERR_ARGUMENT; fewer than three axes, and sizes that r^2 or r does not
 * divide, are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_pixel_shuffle(tg_tensor *x, int64_t r);
TG_API tg_tensor *tg_pixel_unshuffle(tg_tensor *x, int64_t r);

#ifdef __cplusplus
}
#endif

#endif
