/* Variance and standard deviation over any set of axes, of f32 and f64. Both are compositions. */
#ifndef TG_OPS_REDUCE_VARIANCE_H
#define TG_OPS_REDUCE_VARIANCE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sum((x - mean)^2) / (n - correction) for n elements, in two passes rather than by E[x^2] - E[x]^2. Where
 * n is no more than the correction, the divisor is 0, as in PyTorch: the result is NaN where the sum is 0,
 * else infinite. */
typedef struct tg_var_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_shape axes;                /* left out: all of them */
    bool keepdim;
    bool biased;       /* the correction is 0 */
    double correction; /* left out: 1, the unbiased estimate, as in PyTorch; TG_ERR_ARGUMENT unless finite */
} tg_var_opts;
typedef tg_var_opts tg_std_opts;
TG_API tg_tensor *tg_var_with(tg_tensor *x, tg_var_opts opts);
TG_API tg_tensor *tg_std_with(tg_tensor *x, tg_std_opts opts); /* the root of tg_var; its gradient is 0 at 0 */

#ifdef __cplusplus
}
#endif

#endif
