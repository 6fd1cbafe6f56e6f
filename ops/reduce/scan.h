/* Running sums and products along one axis. The result has the shape of x, and is i64 for integers and bool.
 * Those of f32 run in double, and a product that leaves the range may come back. An axis out of range is
 * TG_ERR_ARGUMENT.
 *
 *     tg_cumsum(x, -1)                       // x0, x0 + x1, x0 + x1 + x2, ...
 *     tg_cumsum(x, -1, .exclusive = true)    // 0, x0, x0 + x1, ...
 *     tg_cumprod(x, 0, .reverse = true)      // from the end
 */
#ifndef TG_OPS_REDUCE_SCAN_H
#define TG_OPS_REDUCE_SCAN_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_scan_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool reverse;                 /* from the last element to the first */
    bool exclusive;               /* without the element itself: what came before it */
} tg_scan_opts;
typedef tg_scan_opts tg_cumsum_opts, tg_cumprod_opts;

TG_API tg_tensor *tg_cumsum_with(tg_tensor *x, int axis, tg_cumsum_opts opts);

/* The gradient, to any order, is exact also where elements are 0 and where partial products leave the
 * range. */
TG_API tg_tensor *tg_cumprod_with(tg_tensor *x, int axis, tg_cumprod_opts opts);

/* The state before each step of a linear recurrence that starts at 0:
 *     out[0] = 0,  out[i + 1] = a[i] out[i] + b[i]
 * or, reversed, out[n - 1] = 0, out[i - 1] = a[i] out[i] + b[i]. a and b have one shape and one dtype, f32
 * or f64. Its gradient is the same scan in the other direction. */
TG_API tg_tensor *tg_linear_scan(tg_tensor *a, tg_tensor *b, int axis, bool reverse);

#ifdef __cplusplus
}
#endif

#endif
