#include "ops/nn/layers/init.h"

#include <math.h>

/* The elements of w; NULL with the error raised when it cannot be filled. */
static void *elements(tg_tensor *w, const char *who) {
    void *data = tg_data_mut(w);
    if (!data || tg_dtype_is_float(tg_dtype_of(w))) return data;
    char text[160];
    tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", who, tg_describe(w, text, sizeof text));
    return NULL;
}

/* w[i] = centre + scale * draw(rng), or centre alone without `draw`. Every element takes one number of the
 * stream, whatever the dtype: f32 gets the f64 values, rounded. */
static tg_status fill(tg_tensor *w, const char *who, double centre, double scale, double (*draw)(tg_rng *),
                      tg_rng *rng) {
    TG_NAMED(who);
    if (draw && !rng) return tg_fail(TG_ERR_ARGUMENT, "%s: the stream of random numbers is NULL", who);
    void *data = elements(w, who);
    if (!data) return tg_error_status();
    int64_t n = tg_numel(w);
    bool f64 = tg_dtype_of(w) == TG_F64;
    for (int64_t i = 0; i < n; i++) {
        double v = centre + (draw ? scale * draw(rng) : 0);
        if (f64)
            ((double *)data)[i] = v;
        else
            ((float *)data)[i] = (float)v;
    }
    return TG_OK;
}

static tg_status fill_uniform(tg_tensor *w, const char *who, double bound, tg_rng *rng) {
    return fill(w, who, -bound, 2 * bound, tg_rng_uniform, rng);
}

static tg_status fill_normal(tg_tensor *w, const char *who, double deviation, tg_rng *rng) {
    return fill(w, who, 0, deviation, tg_rng_normal, rng);
}

tg_status tg_init_zeros(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    return fill(w, "tg_init_zeros", 0, 0, NULL, rng);
}

tg_status tg_init_ones(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    return fill(w, "tg_init_ones", 1, 0, NULL, rng);
}

/* sqrt(numerator / fan_in), or sqrt(numerator / (fan_in + fan_out)) with `both`, for w [out, in, kernel...]; 0 for a w
 * without elements. It is negative, with the error raised, when w has no such axes. */
static double width(const tg_tensor *w, const char *who, double numerator, bool both) {
    TG_NAMED(who);
    if (!tg_check_argument(w, who, "the weight")) return -1;
    if (tg_rank(w) < 2) {
        char text[160];
        tg_fail(TG_ERR_SHAPE, "%s: needs a weight [out, in, ...], was given %s", who,
                tg_describe(w, text, sizeof text));
        return -1;
    }
    double kernel = 1;
    for (int axis = 2; axis < tg_rank(w); axis++) kernel *= (double)tg_size(w, axis);
    double fan = (double)tg_size(w, 1) * kernel;
    if (both) fan += (double)tg_size(w, 0) * kernel;
    return fan > 0 ? sqrt(numerator / fan) : 0;
}

tg_status tg_init_kaiming_uniform(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    double bound = width(w, "tg_init_kaiming_uniform", 6, false);
    return bound < 0 ? tg_error_status() : fill_uniform(w, "tg_init_kaiming_uniform", bound, rng);
}

tg_status tg_init_kaiming_normal(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    double deviation = width(w, "tg_init_kaiming_normal", 2, false);
    return deviation < 0 ? tg_error_status() : fill_normal(w, "tg_init_kaiming_normal", deviation, rng);
}

tg_status tg_init_xavier_uniform(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    double bound = width(w, "tg_init_xavier_uniform", 6, true);
    return bound < 0 ? tg_error_status() : fill_uniform(w, "tg_init_xavier_uniform", bound, rng);
}

tg_status tg_init_xavier_normal(tg_tensor *w, tg_rng *rng, const void *user) {
    (void)user;
    double deviation = width(w, "tg_init_xavier_normal", 2, true);
    return deviation < 0 ? tg_error_status() : fill_normal(w, "tg_init_xavier_normal", deviation, rng);
}

tg_status tg_init_uniform(tg_tensor *w, tg_rng *rng, const void *user) {
    const double *bound = user;
    if (!bound || !(*bound >= 0) || isinf(*bound))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_init_uniform: `user` must point to a finite bound that is not negative");
    return fill_uniform(w, "tg_init_uniform", *bound, rng);
}
