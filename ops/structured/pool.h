/* Pooling, and the windows it slides, over x [images, channels, height, width]; f32 and f64. Pairs are
 * {height, width}; zero is the default of every option, and the default stride of a pool is its kernel.
 * Windows that do not fit any more at the far edges are left out (as PyTorch without ceil_mode).
 *
 *     y = tg_max_pool2d(x, .kernel = {2, 2}) */
#ifndef TG_OPS_STRUCTURED_POOL_H
#define TG_OPS_STRUCTURED_POOL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest element of each window; NaN where there is one. The gradient goes to the first of those that
 * tie, in row-major order. *index (when not NULL) is its position in the plane, row * width + column, as
 * i64. Padding counts as -inf; at most half the kernel, TG_ERR_ARGUMENT otherwise. */
typedef struct tg_max_pool2d_opts {
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    tg_tensor **index;
    char end; /* no option: ops/calls.h */
} tg_max_pool2d_opts;
TG_API tg_tensor *tg_max_pool2d_with(tg_tensor *x, tg_max_pool2d_opts opts);

/* The mean of each window. Padding counts as zeros, which are part of the mean unless exclude_padding is
 * set; at most half the kernel, TG_ERR_ARGUMENT otherwise. An image of no elements is TG_ERR_SHAPE. */
typedef struct tg_avg_pool2d_opts {
    int64_t kernel[2], stride[2], padding[2];
    bool exclude_padding;
    char end; /* no option: ops/calls.h */
} tg_avg_pool2d_opts;
typedef tg_avg_pool2d_opts tg_avg_pool2d_input_opts;
TG_API tg_tensor *tg_avg_pool2d_with(tg_tensor *x, tg_avg_pool2d_opts opts);

/* The transpose: each element of g, divided as in tg_avg_pool2d, added to its window in an image of height
 * by width. */
TG_API tg_tensor *tg_avg_pool2d_input_with(tg_tensor *g, int64_t height, int64_t width, tg_avg_pool2d_input_opts opts);

/* height by width means: window i covers floor(i in / out) up to ceil((i + 1) in / out). */
TG_API tg_tensor *tg_adaptive_avg_pool2d(tg_tensor *x, int64_t height, int64_t width);

/* What each window sees, as a column: out is [images, channels * kernel height * kernel width, windows].
 * fold is the transpose: it adds up columns into an image of height by width. */
typedef struct tg_unfold_opts {
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    char end; /* no option: ops/calls.h */
} tg_unfold_opts;
typedef tg_unfold_opts tg_fold_opts;
TG_API tg_tensor *tg_unfold_with(tg_tensor *x, tg_unfold_opts opts);
TG_API tg_tensor *tg_fold_with(tg_tensor *x, int64_t height, int64_t width, tg_fold_opts opts);

#ifdef __cplusplus
}
#endif

#endif
