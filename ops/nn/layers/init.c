#include "ops/nn/layers/init_private.h"

#include "autograd/tape.h"

#include <math.h>
#include <stdint.h>

/* ---- filling ---- */

tg_status tg_init_each(tg_tensor *w, const char *who, double (*value)(void *context, int64_t i), void *context) {
    TG_NAMED(who);
    void *data = tg_data_mut(w);
    if (!data) return tg_error_status();
    if (!tg_dtype_is_float(tg_dtype_of(w))) {
        char text[160];
        return tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", who,
                       tg_describe(w, text, sizeof text));
    }
    int64_t n = tg_numel(w);
    if (tg_dtype_of(w) == TG_F64)
        for (int64_t i = 0; i < n; i++) ((double *)data)[i] = value(context, i);
    else
        for (int64_t i = 0; i < n; i++) ((float *)data)[i] = (float)value(context, i);
    return TG_OK;
}

/* centre + scale * draw(rng), or centre alone without `draw`. */
typedef struct drawing {
    double centre, scale;
    double (*draw)(tg_rng *);
    tg_rng *rng;
} drawing;

static double drawn(void *context, int64_t i) {
    const drawing *d = context;
    (void)i;
    return d->draw ? d->centre + d->scale * d->draw(d->rng) : d->centre;
}

static tg_status fill_constant(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng;
    return tg_init_each(w, "tg_init_constant", drawn, &(drawing){.centre = init->number[0]});
}

static tg_status fill_uniform(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    double low = init->number[0], high = init->number[1];
    if (!(low <= high) || !isfinite(high - low))
        return tg_fail(TG_ERR_ARGUMENT, "tg_init_uniform: no number can be drawn from [%g, %g)", low, high);
    return tg_init_each(w, "tg_init_uniform", drawn, &(drawing){low, high - low, tg_rng_uniform, rng});
}

static tg_status fill_normal(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    double mean = init->number[0], deviation = init->number[1];
    if (!isfinite(mean) || !(deviation >= 0) || isinf(deviation))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_init_normal: the mean %g must be finite, and the deviation %g finite and not negative",
                       mean, deviation);
    return tg_init_each(w, "tg_init_normal", drawn, &(drawing){mean, deviation, tg_rng_normal, rng});
}

tg_init tg_init_constant(double value) { return (tg_init){.fill = fill_constant, .number = {value}}; }
tg_init tg_init_zeros(void) { return tg_init_constant(0); }
tg_init tg_init_ones(void) { return tg_init_constant(1); }
tg_init tg_init_uniform(double low, double high) {
    return (tg_init){.fill = fill_uniform, .number = {low, high}};
}
tg_init tg_init_normal(double mean, double deviation) {
    return (tg_init){.fill = fill_normal, .number = {mean, deviation}};
}

/* ---- the normal distribution between bounds ---- */

/* A standard normal number in [low, high], 0 <= low, by rejection (Robert, "Simulation of truncated normal variables", 1995):
 * of numbers that are uniform where the interval is short against the scale 1 / low on which the density falls, else of
 * low + an exponential number. Both are accepted with the density over that of the proposal. */
static double in_tail(tg_rng *rng, double low, double high) {
    if (!(low < 1e8)) return low; /* the scale is less than the spacing of numbers there */
    double rate = (low + sqrt(low * low + 4)) / 2;
    bool is_short = (high - low) * rate < 4;
    for (;;) {
        double u = tg_rng_uniform(rng), v = tg_rng_uniform(rng);
        double z = is_short ? low + (high - low) * u : low - log1p(-u) / rate;
        double log_ratio = is_short ? (low - z) * (low + z) / 2 : -(z - rate) * (z - rate) / 2;
        if (z <= high && log1p(-v) <= log_ratio) return z;
    }
}

/* Where the interval has 0 inside and is wide, of normal numbers; else by its tail, or by both halves about 0. */
static double between(tg_rng *rng, double low, double high) {
    if (low >= 0) return in_tail(rng, low, high);
    if (high <= 0) return -in_tail(rng, -high, -low);
    if (high - low > 1.5)
        for (;;) {
            double z = tg_rng_normal(rng);
            if (z >= low && z <= high) return z;
        }
    for (;;) {
        double z = low + (high - low) * tg_rng_uniform(rng);
        if (log1p(-tg_rng_uniform(rng)) <= -z * z / 2) return z;
    }
}

typedef struct truncated {
    double mean, deviation, low, high;
    tg_rng *rng;
} truncated;

static double truncated_at(void *context, int64_t i) {
    const truncated *t = context;
    (void)i;
    double x = t->mean;
    if (t->deviation > 0)
        x += t->deviation *
             between(t->rng, (t->low - t->mean) / t->deviation, (t->high - t->mean) / t->deviation);
    return fmin(fmax(x, t->low), t->high);
}

static tg_status fill_trunc_normal(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    truncated t = {init->number[0], init->number[1], init->number[2], init->number[3], rng};
    if (!isfinite(t.mean) || !(t.deviation >= 0) || isinf(t.deviation) || !(t.low <= t.high) ||
        t.low == INFINITY || t.high == -INFINITY)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_init_trunc_normal: no number can be drawn in [%g, %g] with mean %g and deviation %g",
                       t.low, t.high, t.mean, t.deviation);
    return tg_init_each(w, "tg_init_trunc_normal", truncated_at, &t);
}

tg_init tg_init_trunc_normal(double mean, double deviation, double low, double high) {
    return (tg_init){.fill = fill_trunc_normal, .number = {mean, deviation, low, high}};
}

/* ---- widths by the fans ---- */

double tg_init_calculate_gain(tg_nonlinearity nonlinearity, double slope) {
    switch (nonlinearity) {
    case TG_GAIN_LEAKY_RELU:
        return sqrt(2 / (1 + slope * slope));
    case TG_GAIN_RELU:
        return sqrt(2);
    case TG_GAIN_LINEAR:
    case TG_GAIN_SIGMOID:
        return 1;
    case TG_GAIN_TANH:
        return 5.0 / 3;
    case TG_GAIN_SELU:
        return 0.75;
    }
    tg_fail(TG_ERR_ARGUMENT, "tg_init_calculate_gain: there is no nonlinearity %d", (int)nonlinearity);
    return 0;
}

/* Which fans the variance is the inverse of: their mean for xavier. */
enum { OF_IN = TG_FAN_IN, OF_OUT = TG_FAN_OUT, OF_BOTH };

/* The deviation gain / sqrt(fan), 0 for a w without elements; negative, with the error raised, where w has no fans. */
static double deviation_of(const tg_tensor *w, const char *who, const tg_init *init) {
    double gain = init->number[0], kernel = 1, fan;
    if (!tg_check_argument(w, who, "the weight")) return -1;
    if (tg_rank(w) < 2) {
        char text[160];
        tg_fail(TG_ERR_SHAPE, "%s: needs a weight [out, in, ...], was given %s", who,
                tg_describe(w, text, sizeof text));
        return -1;
    }
    if (!(gain >= 0) || isinf(gain)) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the gain %g must be finite and not negative", who, gain);
        return -1;
    }
    for (int axis = 2; axis < tg_rank(w); axis++) kernel *= (double)tg_size(w, axis);
    double in = (double)tg_size(w, 1) * kernel, out = (double)tg_size(w, 0) * kernel;
    fan = init->number[1] == OF_IN ? in : init->number[1] == OF_OUT ? out : (in + out) / 2;
    return fan > 0 ? gain / sqrt(fan) : 0;
}

static tg_status fill_by_fan(tg_tensor *w, tg_rng *rng, const tg_init *init, const char *who, bool normal) {
    TG_NAMED(who);
    double d = deviation_of(w, who, init), bound = sqrt(3) * d;
    if (d < 0) return tg_error_status();
    drawing of = {normal ? 0 : -bound, normal ? d : 2 * bound, normal ? tg_rng_normal : tg_rng_uniform, rng};
    return tg_init_each(w, who, drawn, &of);
}

#define BY_FAN(name, normal) \
    static tg_status fill_##name(tg_tensor *w, tg_rng *rng, const tg_init *init) { \
        return fill_by_fan(w, rng, init, "tg_init_" #name, normal); \
    }
BY_FAN(kaiming_uniform, false)
BY_FAN(kaiming_normal, true)
BY_FAN(xavier_uniform, false)
BY_FAN(xavier_normal, true)

static tg_init kaiming(const char *who, tg_init_fn fill, double slope, tg_init_kaiming_uniform_opts o) {
    TG_NAMED(who);
    if (o.mode != TG_FAN_IN && o.mode != TG_FAN_OUT)
        tg_fail(TG_ERR_ARGUMENT, "%s: there is no mode %d", who, (int)o.mode);
    return (tg_init){.fill = fill, .number = {tg_init_calculate_gain(o.nonlinearity, slope), o.mode}};
}

tg_init tg_init_kaiming_uniform_with(double slope, tg_init_kaiming_uniform_opts opts) {
    return kaiming("tg_init_kaiming_uniform", fill_kaiming_uniform, slope, opts);
}
tg_init tg_init_kaiming_normal_with(double slope, tg_init_kaiming_normal_opts opts) {
    return kaiming("tg_init_kaiming_normal", fill_kaiming_normal, slope, opts);
}
tg_init tg_init_xavier_uniform(double gain) {
    return (tg_init){.fill = fill_xavier_uniform, .number = {gain, OF_BOTH}};
}
tg_init tg_init_xavier_normal(double gain) {
    return (tg_init){.fill = fill_xavier_normal, .number = {gain, OF_BOTH}};
}

tg_init tg_init_by_fan_in(tg_shape weight) {
    double fan_in = 1;
    for (int axis = 1; axis < weight.rank; axis++) fan_in *= (double)weight.dim[axis];
    double bound = fan_in > 0 ? 1 / sqrt(fan_in) : 0;
    return tg_init_uniform(-bound, bound);
}

/* ---- use ---- */

tg_status tg_init_fill(tg_tensor *w, tg_init init, tg_rng *rng) {
    TG_NAMED("tg_init_fill");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_check_argument(w, "tg_init_fill", "the tensor")) return tg_error_status();
    if (!init.fill) init = tg_init_zeros();
    if (!rng) rng = tg_default_rng();
    tg_rng from = *rng;
    tg_mark before = tg_tape_mark();
    bool was = tg_set_grad_enabled(false);
    tg_callback c = tg_callback_begin();
    tg_callback_end(c, init.fill(w, rng, &init), "tg_init_fill");
    tg_set_grad_enabled(was);
    tg_tape_rewind(before);
    if (tg_error_status() != TG_OK) *rng = from;
    return tg_error_status();
}

tg_init tg_init_option(tg_init given, tg_init standard) { return given.fill ? given : standard; }
