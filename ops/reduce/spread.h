/* Private. The mean and the sum of squared deviations for variance, standard deviation and normalisation,
 * differentiable to any order. The plain formula is tried first, and its results, which are few, tell
 * whether it was accurate; if not, the mean is corrected by a second pass, and the squares are scaled so
 * that they stay in the range of the dtype. */
#ifndef TG_OPS_REDUCE_SPREAD_H
#define TG_OPS_REDUCE_SPREAD_H

#include "ops/shared.h"

#include <math.h>

/* Whether each element of a sum of squares (or other powers), with `more` added, is so far from the ends
 * of its dtype's range that terms, root and the derivatives of both keep their digits. False for NaN and
 * for a handle that is not valid. */
bool tg_sum_is_safe(const tg_tensor *sum, double more);

/* v, which is positive and finite, rounded down to a power of two: dividing by it is exact. */
static inline double tg_power_below(double v) {
    int exponent;
    frexp(v, &exponent);
    return ldexp(1, exponent - 1);
}

/* A constant to divide x by, with size 1 along `axes`: the largest |x| there, rounded down to a power of
 * two, so that dividing is exact. It is no less than `least`, nor so small that products with it are
 * subnormal, and it is 1 where the largest |x| is 0 or not finite. */
tg_tensor *tg_scale_over(tg_tensor *x, tg_shape axes, double least);

typedef struct tg_spread_opts {
    tg_shape axes;
    bool keepdim;    /* the sum keeps the axes, with size 1 */
    bool about_zero; /* the mean is taken to be 0 */
    bool unscaled;   /* the scale is 1, and the sum may leave the range of the dtype */
    double eps;      /* what will be added to sum / n: digits of the sum far below it are not needed */
} tg_spread_opts;

typedef struct tg_spread {
    tg_tensor *mean;  /* the mean of x, with size 1 along the axes; NULL about zero */
    tg_tensor *d;     /* (x - mean) / scale */
    tg_tensor *sum;   /* the sum of d^2 over the axes */
    tg_tensor *scale; /* a constant, with size 1 along the axes; NULL means 1 */
    double n;         /* the number of elements in each sum */
} tg_spread;

/* After a failure each of the four tensors is poison or NULL. */
tg_spread tg_spread_over(tg_tensor *x, tg_spread_opts opts);

/* sqrt(sum / n + eps / scale^2) of a spread with keepdim. */
tg_tensor *tg_spread_root(const tg_spread *s, double eps);

#endif
