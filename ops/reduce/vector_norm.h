/* Vector norms over any set of axes; f32 and f64. */
#ifndef TG_OPS_REDUCE_VECTOR_NORM_H
#define TG_OPS_REDUCE_VECTOR_NORM_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sum(|x|^p)^(1/p); the sum of |x| for p = 1, the largest |x| for p = INFINITY, the smallest for p =
 * -INFINITY. The gradient is sign(x) (|x| / norm)^(p-1), 0 at a norm of 0; with one infinite element it is the limit,
 * sign(x) there and, for p > 1, 0 elsewhere, and k of them have k^(1/p-1) each. Ties for the infinite norms split evenly, and of nothing these
 * are TG_ERR_SHAPE. Other p <= 0 and NaN are TG_ERR_ARGUMENT. */
typedef struct tg_norm_opts {
    tg_shape axes; /* left out: all of them */
    bool keepdim;
    double p; /* 0, left out: 2 */
    char end; /* no option: ops/calls.h */
} tg_norm_opts;
TG_API tg_tensor *tg_norm_with(tg_tensor *x, tg_norm_opts opts);

#ifdef __cplusplus
}
#endif

#endif
