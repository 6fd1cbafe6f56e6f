#include "ops/moments.h"

#include "ops/ops.h"

#include <math.h>

/* What no gradient reads goes at once, what one reads stays for it. */
static void release(tg_tensor *t) {
    if (tg_is_alive(t)) tg_release(t);
}

static tg_tensor *is_zero(tg_tensor *x) { return tg_eq(x, tg_scalar(tg_dtype_of(x), 0)); }

/* x^p for x >= 0 with derivative 0 at 0, where that of the power may be infinite. */
static tg_tensor *power(tg_tensor *x, double p) {
    if (!tg_is_alive(x)) return x;
    tg_tensor *zero = is_zero(x), *safe = tg_masked_fill(x, zero, 1);
    tg_tensor *root = p == 0.5 ? tg_sqrt(safe) : tg_pow_scalar(safe, p);
    tg_tensor *out = tg_masked_fill(root, zero, 0);
    release(root);
    return out;
}

/* How many elements x has for each of the results over accepted axes. */
static double count_over(const tg_tensor *x, tg_shape axes) {
    unsigned set = tg_axis_set(axes, tg_rank(x));
    double n = 1;
    for (int i = 0; i < tg_rank(x); i++)
        if (set >> i & 1) n *= (double)tg_size(x, i);
    return n;
}

tg_tensor *(tg_var)(tg_tensor *x, tg_var_opts opts) {
    TG_COMPOSED("var");
    tg_tensor *mean = (tg_mean)(x, (tg_reduce_opts){opts.axes, true});
    if (!tg_is_alive(mean)) return mean;
    double correction = opts.biased ? 0 : opts.correction == 0 ? 1 : opts.correction;
    double left = fmax(0, count_over(x, opts.axes) - correction);
    tg_tensor *deviation = tg_sub(x, mean), *square = tg_square(deviation);
    tg_tensor *sum = (tg_sum)(square, (tg_reduce_opts){opts.axes, opts.keepdim});
    tg_tensor *out = tg_mul_scalar(sum, 1 / left);
    release(mean), release(deviation), release(square), release(sum);
    return out;
}

tg_tensor *(tg_std)(tg_tensor *x, tg_var_opts opts) {
    TG_COMPOSED("std");
    return power((tg_var)(x, opts), 0.5);
}

/* sum(|x|^p)^(1/p) for a finite p. */
static tg_tensor *finite_norm(tg_tensor *x, double p, tg_reduce_opts over) {
    tg_tensor *terms, *size = NULL;
    if (p == 2)
        terms = tg_square(x);
    else
        size = tg_abs(x), terms = power(size, p);
    tg_tensor *sum = (tg_sum)(terms, over);
    release(size), release(terms);
    return power(sum, 1 / p);
}

tg_tensor *(tg_norm)(tg_tensor *x, tg_vector_norm_opts opts) {
    TG_COMPOSED("norm");
    tg_reduce_opts over = {opts.axes, opts.keepdim};
    double p = opts.p == 0 ? 2 : opts.p;
    if (!(p > 0) && p != -INFINITY) {
        tg_fail(TG_ERR_ARGUMENT, "norm: p is %g: it must be more than 0, or -inf", p);
        return tg_poison();
    }
    if (isfinite(p) && p != 1) return finite_norm(x, p, over);
    tg_tensor *size = tg_abs(x), *out;
    if (p == 1)
        out = (tg_sum)(size, over);
    else
        out = p > 0 ? (tg_amax)(size, over) : (tg_amin)(size, over);
    release(size);
    return out;
}
