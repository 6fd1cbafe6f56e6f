/* Pooling by the largest element. Images x are [images, channels, height, width], f32 or f64. Pairs are
 * {height, width} (ops/structured/pair.h): {2} is {2, 2}, and {2, TG_NONE} a padding of the height alone. Zero is the default of every
 * option but the kernel, which must be given; the default stride of a pool is its kernel. Windows that no
 * longer fit at the far edges are left out (as in PyTorch without ceil_mode).
 *
 *     y = tg_max_pool2d(x, .kernel = {2, 2}) */
#ifndef TG_OPS_STRUCTURED_MAX_POOL_H
#define TG_OPS_STRUCTURED_MAX_POOL_H

#include "autograd/op.h"
#include "ops/structured/pair.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest element of each window; NaN where the window has one. The gradient goes to the first of those that tie, in
 * row-major order; *index, when not NULL, receives its position in the plane, row * width + column, as i64. Padding counts
 * as -inf; more than half the kernel is TG_ERR_ARGUMENT. */
typedef struct tg_max_pool2d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    tg_tensor **index;
} tg_max_pool2d_opts;
TG_API tg_tensor *tg_max_pool2d_with(tg_tensor *x, tg_max_pool2d_opts opts);

/* Along the last axis of x [images, channels, length] (torch.nn.functional.max_pool1d), with numbers for pairs; *index is the
 * position along it. */
typedef struct tg_max_pool1d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel, stride, padding, dilation;
    tg_tensor **index;
} tg_max_pool1d_opts;
TG_API tg_tensor *tg_max_pool1d_with(tg_tensor *x, tg_max_pool1d_opts opts);

#ifdef __cplusplus
}
#endif

#endif
