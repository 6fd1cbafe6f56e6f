/* Vector norms over any set of axes, and directions of vectors, of f32 and f64. */
#ifndef TG_OPS_REDUCE_VECTOR_NORM_H
#define TG_OPS_REDUCE_VECTOR_NORM_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sum(|x|^p)^(1/p), which is the sum of |x| for p = 1, the largest |x| for p = INFINITY, and the smallest
 * for p = -INFINITY. Any other p <= 0, and NaN, are TG_ERR_ARGUMENT. The gradient is sign(x) (|x| /
 * norm)^(p-1), and 0 where the norm is 0. Where k elements are infinite it is the limit: sign(x) k^(1/p-1)
 * for each of them and, for p > 1, 0 for the others. For p = +-INFINITY it is split evenly among elements
 * that tie, and no elements are TG_ERR_SHAPE. */
typedef struct tg_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_shape axes;                /* left out: all of them */
    bool keepdim;
    double p; /* left out or 0: 2 */
} tg_norm_opts;
TG_API tg_tensor *tg_norm_with(tg_tensor *x, tg_norm_opts opts);

/* x / max(norm, eps) with the norm along the axis (torch.nn.functional.normalize). Where the norm is below eps, it is no part
 * of the gradient. An eps that is negative or not finite is TG_ERR_ARGUMENT. */
typedef struct tg_normalize_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double p;                     /* as above */
    double eps;                   /* default 1e-12; TG_ZERO for 0 */
} tg_normalize_opts;
TG_API tg_tensor *tg_normalize_with(tg_tensor *x, int axis, tg_normalize_opts opts);

#ifdef __cplusplus
}
#endif

#endif
