/* Variance and standard deviation over any set of axes: compositions; f32 and f64. */
#ifndef TG_OPS_REDUCE_VARIANCE_H
#define TG_OPS_REDUCE_VARIANCE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sum((x - mean)^2) / (n - correction) for n elements, in two passes: no E[x^2] - E[x]^2. Where that
 * leaves no element it is divided by 0, as in PyTorch: NaN where the sum is 0, else infinite. */
typedef struct tg_var_opts {
    tg_shape axes; /* left out: all of them */
    bool keepdim;
    bool biased;       /* divide by n */
    double correction; /* left out: 1, the unbiased estimate (as PyTorch). Not finite: TG_ERR_ARGUMENT */
    char end; /* no option: ops/calls.h */
} tg_var_opts;
typedef tg_var_opts tg_std_opts;
TG_API tg_tensor *tg_var_with(tg_tensor *x, tg_var_opts opts);
TG_API tg_tensor *tg_std_with(tg_tensor *x, tg_std_opts opts); /* its root; at 0 with gradient 0 */

#ifdef __cplusplus
}
#endif

#endif
