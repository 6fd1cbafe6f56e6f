/* Reductions over any set of axes.
 *
 *     tg_sum(x)                                          // over all axes: a scalar
 *     tg_sum(x, .axes = TG_SHAPE(0, -1), .keepdim = true) // over the first and the last
 *
 * Negative axes count from the end; an axis that is out of range or named twice is TG_ERR_ARGUMENT. With
 * keepdim the reduced axes stay, with size 1. x is f32 or f64 unless said otherwise. Sums are pairwise, so
 * that rounding grows with log n.
 */
#ifndef TG_OPS_REDUCE_REDUCE_H
#define TG_OPS_REDUCE_REDUCE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_reduce_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_shape axes;                /* left out (rank 0): all of them */
    bool keepdim;
} tg_reduce_opts;
typedef tg_reduce_opts tg_sum_opts, tg_mean_opts, tg_amax_opts, tg_amin_opts;

TG_API tg_tensor *tg_sum_with(tg_tensor *x, tg_sum_opts opts); /* 0 of no elements; of integers and bool i64 */
TG_API tg_tensor *tg_mean_with(tg_tensor *x, tg_mean_opts opts); /* NaN of no elements */

/* The largest and the smallest element, or NaN where an element is NaN; of no elements they are
 * TG_ERR_SHAPE. The gradient is split evenly among elements that tie (as torch.amax). */
TG_API tg_tensor *tg_amax_with(tg_tensor *x, tg_amax_opts opts);
TG_API tg_tensor *tg_amin_with(tg_tensor *x, tg_amin_opts opts);

/* The largest (smallest) element along one axis; *index, unless NULL, becomes its i64 position. Of
 * elements that tie the first is taken, and gets all the gradient (as torch.max with dim). */
typedef struct tg_max_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool keepdim;
    tg_tensor **index;
} tg_max_opts;
typedef tg_max_opts tg_min_opts;
TG_API tg_tensor *tg_max_with(tg_tensor *x, int axis, tg_max_opts opts);
TG_API tg_tensor *tg_min_with(tg_tensor *x, int axis, tg_min_opts opts);

/* The i64 position of the first largest (smallest) element along `axis`, without that axis and without
 * gradient. */
TG_API tg_tensor *tg_argmax(tg_tensor *x, int axis);
TG_API tg_tensor *tg_argmin(tg_tensor *x, int axis);

/* x summed down to `shape`, which must broadcast to x's shape (TG_ERR_SHAPE): the transpose of tg_expand. */
TG_API tg_tensor *tg_sum_to(tg_tensor *x, tg_shape shape);

#ifdef __cplusplus
}
#endif

#endif
