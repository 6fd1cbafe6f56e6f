/* Sliding windows as columns. Images, pairs and windows are as in ops/structured/max_pool.h; the default stride is 1. */
#ifndef TG_OPS_STRUCTURED_UNFOLD_H
#define TG_OPS_STRUCTURED_UNFOLD_H

#include "autograd/op.h"
#include "ops/structured/pair.h"

#ifdef __cplusplus
extern "C" {
#endif

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
