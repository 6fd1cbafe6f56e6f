/* Pooling over x [images, channels, height, width], f32 or f64, and its sliding windows as columns. Pairs are
 * {height, width}; zero is the default of every option, and the default stride of a pool is its kernel.
 * Windows that no longer fit at the far edges are left out (as in PyTorch without ceil_mode).
 *
 *     y = tg_max_pool2d(x, .kernel = {2, 2}) */
#ifndef TG_OPS_STRUCTURED_POOL_H
#define TG_OPS_STRUCTURED_POOL_H

#include "autograd/op.h"

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

/* The mean of each window. Padding counts as zeros, which are part of the mean unless exclude_padding is set; more than
 * half the kernel is TG_ERR_ARGUMENT. An image of no elements is TG_ERR_SHAPE. */
typedef struct tg_avg_pool2d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel[2], stride[2], padding[2];
    bool exclude_padding;
} tg_avg_pool2d_opts;
typedef tg_avg_pool2d_opts tg_avg_pool2d_input_opts;
TG_API tg_tensor *tg_avg_pool2d_with(tg_tensor *x, tg_avg_pool2d_opts opts);

/* The transpose of tg_avg_pool2d: each element of g, divided as there, is added to its window in an image of height by
 * width. */
TG_API tg_tensor *tg_avg_pool2d_input_with(tg_tensor *g, int64_t height, int64_t width, tg_avg_pool2d_input_opts opts);

/* The means of height by width windows: along an axis, window i covers floor(i in / out) up to ceil((i + 1) in / out). */
TG_API tg_tensor *tg_adaptive_avg_pool2d(tg_tensor *x, int64_t height, int64_t width);

/* unfold makes a column of each window: out is [images, channels * kernel height * kernel width, windows].
 * fold, its transpose, adds the columns up into an image of height by width. */
typedef struct tg_unfold_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel[2], stride[2], padding[2], dilation[2];
} tg_unfold_opts;
typedef tg_unfold_opts tg_fold_opts;
TG_API tg_tensor *tg_unfold_with(tg_tensor *x, tg_unfold_opts opts);
TG_API tg_tensor *tg_fold_with(tg_tensor *x, int64_t height, int64_t width, tg_fold_opts opts);

#ifdef __cplusplus
}
#endif

#endif
