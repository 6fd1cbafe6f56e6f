/* Pooling by the mean. Images, pairs and windows are as in ops/structured/max_pool.h.
 *
 *     y = tg_avg_pool2d(x, .kernel = {2, 2}) */
#ifndef TG_OPS_STRUCTURED_AVG_POOL_H
#define TG_OPS_STRUCTURED_AVG_POOL_H

#include "autograd/op.h"
#include "ops/structured/pair.h"

#ifdef __cplusplus
extern "C" {
#endif

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
TG_API tg_tensor *tg_avg_pool2d_input_with(tg_tensor *g, int64_t height, int64_t width,
                                           tg_avg_pool2d_input_opts opts);

/* The means of height by width windows: along an axis, window i covers floor(i in / out) up to ceil((i + 1) in / out). */
TG_API tg_tensor *tg_adaptive_avg_pool2d(tg_tensor *x, int64_t height, int64_t width);

/* The same along the last axis of x [images, channels, length], with numbers for pairs. */
typedef struct tg_avg_pool1d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel, stride, padding;
    bool exclude_padding;
} tg_avg_pool1d_opts;
TG_API tg_tensor *tg_avg_pool1d_with(tg_tensor *x, tg_avg_pool1d_opts opts);
TG_API tg_tensor *tg_adaptive_avg_pool1d(tg_tensor *x, int64_t length);

#ifdef __cplusplus
}
#endif

#endif
