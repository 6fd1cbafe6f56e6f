#include "ops/reduce/variance.h"

#include "ops/reduce/spread.h"

#include <math.h>

static tg_tensor *is_zero(tg_tensor *x) { return tg_eq(x, tg_scalar(tg_dtype_of(x), 0)); }

/* The root of x >= 0, with derivative 0 instead of infinity at 0. */
static tg_tensor *root_of(tg_tensor *x) {
    if (!tg_is_alive(x)) return x;
    tg_tensor *zero = is_zero(x), *root = tg_sqrt(tg_masked_fill(x, zero, 1)),
              *out = tg_masked_fill(root, zero, 0);
    tg_drop_temporary(root);
    return out;
}

static bool is_correction(double c) {
    if (!isfinite(c)) tg_fail(TG_ERR_ARGUMENT, "var: the correction must be finite, but is %g", c);
    return isfinite(c);
}

/* The number of elements of a result minus the correction, or 0. */
static double divisor(const tg_spread *s, const tg_var_opts *o) {
    double correction = o->biased ? 0 : tg_option(o->correction, 1);
    return fmax(0, s->n - correction);
}

/* The sum of d (d / left), for deviations whose squares may leave the range where their mean does not. The
 * gradient, 2 d / left, has no square. */
static tg_tensor *sum_of_shares(tg_tensor *d, tg_reduce_opts over, double left) {
    tg_tensor *terms = tg_mul(d, tg_mul_scalar(d, 1 / left)), *sum = tg_sum_with(terms, over);
    tg_drop_temporary(terms);
    return sum;
}

tg_tensor *tg_var_with(tg_tensor *x, tg_var_opts opts) {
    TG_COMPOSED("var");
    if (!is_correction(opts.correction)) return tg_poison();
    tg_spread s =
        tg_spread_over(x, (tg_spread_opts){.axes = opts.axes, .keepdim = opts.keepdim, .unscaled = true});
    if (!tg_is_alive(s.sum)) return s.sum;
    double left = divisor(&s, &opts);
    bool plain = left == 0 || tg_sum_is_safe(s.sum, 0); /* left is 0: too few elements */
    tg_tensor *out =
        plain ? tg_mul_scalar(s.sum, 1 / left)
              : sum_of_shares(s.d, (tg_reduce_opts){.axes = opts.axes, .keepdim = opts.keepdim}, left);
    tg_drop_temporary(s.mean), tg_drop_temporary(s.d), tg_drop_temporary(s.sum);
    return out;
}

/* size times the scale, which has axes of size 1 that size may lack. */
static tg_tensor *in_units(tg_tensor *size, tg_tensor *scale) {
    return tg_mul(size, tg_reshape_with(scale, tg_shape_of(size)));
}

tg_tensor *tg_std_with(tg_tensor *x, tg_std_opts opts) {
    TG_COMPOSED("std");
    if (!is_correction(opts.correction)) return tg_poison();
    tg_spread s = tg_spread_over(x, (tg_spread_opts){.axes = opts.axes, .keepdim = opts.keepdim});
    if (!tg_is_alive(s.sum)) return s.sum;
    tg_tensor *out = root_of(tg_mul_scalar(s.sum, 1 / divisor(&s, &opts)));
    tg_drop_temporary(s.mean), tg_drop_temporary(s.d), tg_drop_temporary(s.sum);
    return s.scale ? in_units(out, s.scale) : out;
}
