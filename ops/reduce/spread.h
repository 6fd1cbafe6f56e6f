/* Private. What variance, deviation and normalisation share: a mean that is taken twice where once is not enough,
 * and squares that stay inside the dtype. All of it can be differentiated to any order. Whether the plain formula will
 * do is judged by its results, which are few; only then is the longer way taken. */
#ifndef TG_OPS_REDUCE_SPREAD_H
#define TG_OPS_REDUCE_SPREAD_H

#include "ops/shared.h"

#include <math.h>

/* Whether each element of a sum of squares (or other powers), with `more` added, is so far from the ends of its dtype
 * that terms, root and the derivatives of both keep their digits. False for NaN and for a handle that is not valid. */
bool tg_sum_is_safe(const tg_tensor *sum, double more);

/* v rounded down to a power of two, by which numbers are divided exactly; v > 0 and finite. */
static inline double tg_power_below(double v) {
    int exponent;
    frexp(v, &exponent);
    return ldexp(1, exponent - 1);
}

/* The largest |x| over `axes`, with size 1 there, as a constant that a homogeneous function of x may be taken out by;
 * rounded down to a power of two, so that dividing by it is exact; no less than `least`, nor so small that products with
 * it are subnormal; 1 in place of 0 and of what is not finite. */
tg_tensor *tg_scale_over(tg_tensor *x, tg_shape axes, double least);

typedef struct tg_spread_opts {
    tg_shape axes;
    bool keepdim;    /* of the sum */
    bool about_zero; /* with 0 in place of the mean */
    bool unscaled;   /* the scale is 1, and the sum may leave the dtype */
    double eps;      /* is going to be added to sum / n, and matters more than what is far below it */
    char end; /* no option: ops/calls.h */
} tg_spread_opts;

typedef struct tg_spread {
    tg_tensor *mean;  /* of x, with size 1 along the axes; NULL about zero */
    tg_tensor *d;     /* (x - mean) / scale */
    tg_tensor *sum;   /* of d^2 */
    tg_tensor *scale; /* a constant, with size 1 along the axes; NULL: 1 */
    double n;         /* elements of each sum */
} tg_spread;

/* All four are poison or NULL after a failure. */
tg_spread tg_spread_over(tg_tensor *x, tg_spread_opts opts);

/* sqrt(sum / n + eps) of a spread over kept axes, in units of its scale. */
tg_tensor *tg_spread_root(const tg_spread *s, double eps);

#endif
