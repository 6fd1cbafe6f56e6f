/* Reductions over any set of axes.
 *
 *     tg_sum(x)                                          // over all axes: a scalar
 *     tg_sum(x, .axes = TG_SHAPE(0, -1), .keepdim = true) // over the first and the last
 *
 * Negative axes count from the end; an axis outside the rank or named twice is TG_ERR_ARGUMENT. With keepdim
 * the reduced axes stay, with size 1. f32 and f64; sums are pairwise, so that rounding grows with log n.
 */
#ifndef TG_OPS_REDUCE_REDUCE_H
#define TG_OPS_REDUCE_REDUCE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_reduce_opts {
    tg_shape axes; /* left out (rank 0): all of them */
    bool keepdim;
    char end; /* no option: ops/calls.h */
} tg_reduce_opts;
typedef tg_reduce_opts tg_sum_opts, tg_mean_opts, tg_amax_opts, tg_amin_opts;

TG_API tg_tensor *tg_sum_with(tg_tensor *x, tg_sum_opts opts); /* of nothing: 0. Integers and bool sum to i64 */
TG_API tg_tensor *tg_mean_with(tg_tensor *x, tg_mean_opts opts); /* of nothing: NaN */

/* The largest, the smallest element; NaN when there is one. Where several tie, the gradient is split evenly
 * among them (as torch.amax). Of nothing: TG_ERR_SHAPE. */
TG_API tg_tensor *tg_amax_with(tg_tensor *x, tg_amax_opts opts);
TG_API tg_tensor *tg_amin_with(tg_tensor *x, tg_amin_opts opts);

/* The largest (smallest) element along one axis, and in *index (when not NULL) its position as i64: the first
 * of those that tie, which gets all the gradient (as torch.max with dim). */
typedef struct tg_max_opts {
    bool keepdim;
    tg_tensor **index;
    char end; /* no option: ops/calls.h */
} tg_max_opts;
typedef tg_max_opts tg_min_opts;
TG_API tg_tensor *tg_max_with(tg_tensor *x, int axis, tg_max_opts opts);
TG_API tg_tensor *tg_min_with(tg_tensor *x, int axis, tg_min_opts opts);

/* The position of the first largest (smallest) element along `axis`, i64, without that axis. No gradient. */
TG_API tg_tensor *tg_argmax(tg_tensor *x, int axis);
TG_API tg_tensor *tg_argmin(tg_tensor *x, int axis);

/* x summed down to `shape`, which must broadcast to x's shape: the transpose of tg_expand. */
TG_API tg_tensor *tg_sum_to(tg_tensor *x, tg_shape shape);

#ifdef __cplusplus
}
#endif

#endif
