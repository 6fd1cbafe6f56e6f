#include "ops/nn/optim/lr_private.h"

#include "autograd/composed.h"
#include "autograd/tape.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

#define FIELD(name, type, ...) \
    { #name, type, offsetof(tg_lr, name), __VA_ARGS__ }
#define REAL(name, ...) FIELD(name, TG_ATTR_REAL, __VA_ARGS__)
#define FLAG(name) FIELD(name, TG_ATTR_BOOL, .standard = 0)
#define STEPS FIELD(steps, TG_ATTR_INT, .least = 1)
#define LENGTH(table) (int)(sizeof(table) / sizeof *(table))

/* ---- formulas ---- */

static double constant(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    return t < l->steps ? base * l->factor : base;
}

static double linear(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    double part = (double)(t < l->steps ? t : l->steps) / (double)l->steps;
    return base * (l->start_factor + (l->end_factor - l->start_factor) * part);
}

static double step(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    return base * pow(l->gamma, (double)(t / l->steps));
}

static double multi_step(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    int passed = 0;
    while (passed < TG_MAX_MILESTONES && l->milestones[passed] && l->milestones[passed] <= t) passed++;
    return base * pow(l->gamma, passed);
}

static double exponential(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    return base * pow(l->gamma, (double)t);
}

/* From a to b, of which the fraction p has passed, along half a wave of the cosine. */
static double half_wave(double a, double b, double p) { return b + (a - b) * (1 + cos(PI * p)) / 2; }

static double cosine(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    return half_wave(base, l->eta_min, (double)(t % (2 * l->steps)) / (double)l->steps);
}

/* A number that is `start` at first, `peak` at the end of the first phase and `end` at the end of the last, and with three
 * phases `start` again at the end of the second. */
static double cycle(const tg_lr *l, int64_t t, double start, double peak, double end) {
    double up = l->pct_start * (double)l->steps - 1, last = (double)l->steps - 1, back = 2 * up;
    double from = 0, to = up, a = start, b = peak, now = (double)t;
    if (now > up && l->three_phase && now <= back)
        from = up, to = back, a = peak, b = start;
    else if (now > up)
        from = l->three_phase ? back : up, to = last, a = l->three_phase ? start : peak, b = end;
    double p = to > from && now < to ? (now - from) / (to - from) : 1;
    return l->linear ? a + (b - a) * p : half_wave(a, b, p);
}

static double one_cycle(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)base, (void)s;
    if (t > l->steps) {
        tg_fail(TG_ERR_ARGUMENT, "tg_schedule_step: one_cycle ends after %lld steps", (long long)l->steps);
        return NAN;
    }
    double start = l->max_lr / l->div_factor;
    return cycle(l, t, start, l->max_lr, start / l->final_div_factor);
}

static double one_cycle_momentum(const tg_lr *l, int64_t t) {
    return l->fixed_momentum ? NAN : cycle(l, t, l->max_momentum, l->base_momentum, l->max_momentum);
}

static double reduced(const tg_lr *l, double base, int64_t reductions) {
    return reductions ? fmax(base * pow(l->factor, (double)reductions), l->min_lr) : base;
}

/* Of the reductions that the metric has asked for, those that were made: none after the first that would change the rate by
 * no more than eps, as the changes become smaller. Each group has its own. */
static int64_t made(const tg_lr *l, double base, int64_t asked) {
    int64_t lo = 0, hi = asked;
    while (lo < hi) {
        int64_t k = lo + (hi - lo) / 2;
        if (reduced(l, base, k) - reduced(l, base, k + 1) > l->eps)
            lo = k + 1;
        else
            hi = k;
    }
    return lo;
}

static double plateau(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)t;
    return reduced(l, base, made(l, base, s->reductions));
}

static bool is_better(const tg_lr *l, double metric, double best) {
    double by = l->maximize ? l->threshold : -l->threshold;
    double bound = isinf(best) ? best : l->absolute ? best + by : best * (1 + by);
    return l->maximize ? metric > bound : metric < bound;
}

static void observe(const tg_lr *l, double metric, tg_schedule_state *s) {
    bool better = is_better(l, metric, s->best);
    if (better) s->best = metric;
    s->bad = better ? 0 : s->bad + 1;
    if (s->cooldown > 0) s->cooldown--, s->bad = 0;
    if (s->bad <= l->patience) return;
    s->bad = 0, s->cooldown = l->cooldown, s->reductions++;
}

static double lambda(const tg_lr *l, double base, int64_t t, const tg_schedule_state *s) {
    (void)s;
    tg_mark before = tg_tape_mark();
    tg_callback c = tg_callback_begin();
    double factor = l->f(t, l->user);
    tg_status status = tg_callback_end(c, tg_error_status(), "tg_schedule_step: the formula");
    tg_tape_rewind(before);
    return status == TG_OK ? base * factor : NAN;
}

/* ---- kinds ---- */

static const tg_hyper constant_fields[] = {STEPS, REAL(factor, .standard = 1.0 / 3)};
static const tg_hyper linear_fields[] = {STEPS, REAL(start_factor, .standard = 1.0 / 3),
                                         REAL(end_factor, .standard = 1)};
static const tg_hyper step_fields[] = {STEPS, REAL(gamma, .standard = 0.1)};
static const tg_hyper multi_step_fields[] = {REAL(gamma, .least = 0)};
static const tg_hyper exponential_fields[] = {REAL(gamma, .least = 0)};
static const tg_hyper cosine_fields[] = {STEPS, REAL(eta_min, .least = 0)};
static const tg_hyper one_cycle_fields[] = {
    REAL(max_lr, .least = 0),
    STEPS,
    REAL(pct_start, .standard = 0.3),
    REAL(div_factor, .standard = 25, .least = 0x1p-1000),
    REAL(final_div_factor, .standard = 1e4, .least = 0x1p-1000),
    REAL(base_momentum, .standard = 0.85, .below = 1),
    REAL(max_momentum, .standard = 0.95, .below = 1),
    FLAG(linear),
    FLAG(three_phase),
    FLAG(fixed_momentum),
};
static const tg_hyper plateau_fields[] = {
    FIELD(patience, TG_ATTR_INT, .least = 0),
    REAL(factor, .standard = 0.1, .below = 1),
    REAL(threshold, .standard = 1e-4),
    FIELD(cooldown, TG_ATTR_INT, .least = 0),
    REAL(min_lr, .least = 0),
    REAL(eps, .standard = 1e-8),
    FLAG(maximize),
    FLAG(absolute),
};

#define KIND(name, ...) \
    static const tg_lr_kind name##_kind = {#name, name##_fields, LENGTH(name##_fields), __VA_ARGS__}
KIND(constant, .has_end = true, .rate = constant);
KIND(linear, .has_end = true, .rate = linear);
KIND(step, .rate = step);
KIND(multi_step, .rate = multi_step);
KIND(exponential, .rate = exponential);
KIND(cosine, .has_end = true, .rate = cosine);
KIND(one_cycle, .has_end = true, .rate = one_cycle, .momentum = one_cycle_momentum);
KIND(plateau, .rate = plateau, .observe = observe);
static const tg_lr_kind lambda_kind = {.name = "lambda", .rate = lambda};

/* ---- values ---- */

/* The formula with its defaults; without a kind where a number is out of range. */
static tg_lr complete(const tg_lr_kind *kind, tg_lr l) {
    static const tg_lr none = {0};
    if (tg_error_status() != TG_OK) return none;
    if (l.length < 0) {
        tg_fail(TG_ERR_ARGUMENT, "tg_lr_%s: the length is %lld, which is negative", kind->name,
                (long long)l.length);
        return none;
    }
    if (tg_hyper_complete(kind->hypers, kind->n_hypers, &l) != TG_OK) return none;
    l.kind = kind;
    if (!l.length && kind->has_end) l.length = l.steps;
    if (!*l.name) snprintf(l.name, sizeof l.name, "%s", kind->name);
    return l;
}

tg_lr tg_lr_constant_with(int64_t steps, tg_lr_constant_opts o) {
    TG_NAMED("tg_lr_constant");
    return complete(&constant_kind,
                    (tg_lr){.steps = steps, .length = o.length, .chained = o.chained, .factor = o.factor});
}

tg_lr tg_lr_linear_with(int64_t steps, tg_lr_linear_opts o) {
    TG_NAMED("tg_lr_linear");
    return complete(&linear_kind, (tg_lr){.steps = steps,
                                          .length = o.length,
                                          .chained = o.chained,
                                          .start_factor = o.start_factor,
                                          .end_factor = o.end_factor});
}

tg_lr tg_lr_step_with(int64_t steps, tg_lr_step_opts o) {
    TG_NAMED("tg_lr_step");
    return complete(&step_kind,
                    (tg_lr){.steps = steps, .length = o.length, .chained = o.chained, .gamma = o.gamma});
}

tg_lr tg_lr_multi_step_with(double gamma, tg_lr_multi_step_opts o) {
    TG_NAMED("tg_lr_multi_step");
    tg_lr l = {.length = o.length, .chained = o.chained, .gamma = gamma};
    int64_t last = 0;
    bool ended = false;
    for (int i = 0; i < TG_MAX_MILESTONES && tg_error_status() == TG_OK; i++) {
        int64_t m = l.milestones[i] = o.milestones[i];
        ended = ended || !m;
        if (m < 0 || (m && (ended || m <= last)))
            tg_fail(TG_ERR_ARGUMENT, "tg_lr_multi_step: milestone %lld stands after %lld: they must ascend",
                    (long long)m, (long long)last);
        last = m;
    }
    return complete(&multi_step_kind, l);
}

tg_lr tg_lr_exponential_with(double gamma, tg_lr_exponential_opts o) {
    TG_NAMED("tg_lr_exponential");
    return complete(&exponential_kind, (tg_lr){.length = o.length, .chained = o.chained, .gamma = gamma});
}

tg_lr tg_lr_cosine_with(int64_t steps, tg_lr_cosine_opts o) {
    TG_NAMED("tg_lr_cosine");
    return complete(&cosine_kind,
                    (tg_lr){.steps = steps, .length = o.length, .chained = o.chained, .eta_min = o.eta_min});
}

tg_lr tg_lr_one_cycle_with(double max_lr, int64_t steps, tg_lr_one_cycle_opts o) {
    TG_NAMED("tg_lr_one_cycle");
    if (o.pct_start > 1)
        tg_fail(TG_ERR_ARGUMENT, "tg_lr_one_cycle: pct_start is %g, outside [0, 1]", o.pct_start);
    return complete(&one_cycle_kind, (tg_lr){.max_lr = max_lr,
                                             .steps = steps,
                                             .length = o.length,
                                             .chained = o.chained,
                                             .pct_start = o.pct_start,
                                             .div_factor = o.div_factor,
                                             .final_div_factor = o.final_div_factor,
                                             .base_momentum = o.base_momentum,
                                             .max_momentum = o.max_momentum,
                                             .linear = o.linear,
                                             .three_phase = o.three_phase,
                                             .fixed_momentum = o.fixed_momentum});
}

tg_lr tg_lr_plateau_with(int64_t patience, tg_lr_plateau_opts o) {
    TG_NAMED("tg_lr_plateau");
    return complete(&plateau_kind, (tg_lr){.patience = patience,
                                           .length = o.length,
                                           .chained = o.chained,
                                           .factor = o.factor,
                                           .threshold = o.threshold,
                                           .min_lr = o.min_lr,
                                           .eps = o.eps,
                                           .cooldown = o.cooldown,
                                           .maximize = o.maximize,
                                           .absolute = o.absolute});
}

tg_lr tg_lr_lambda_with(tg_lr_fn f, const void *user, tg_lr_lambda_opts o) {
    TG_NAMED("tg_lr_lambda");
    tg_lr l = {.length = o.length, .chained = o.chained, .f = f, .user = user};
    const char *name = o.name ? o.name : "lambda";
    if (!f)
        tg_fail(TG_ERR_ARGUMENT, "tg_lr_lambda: the function is NULL");
    else if (!*name || strlen(name) > TG_MAX_LR_NAME)
        tg_fail(TG_ERR_ARGUMENT, "tg_lr_lambda: the name has %zu bytes, outside [1, %d]", strlen(name),
                TG_MAX_LR_NAME);
    else
        snprintf(l.name, sizeof l.name, "%s", name);
    return complete(&lambda_kind, l);
}

void tg_lr_print(FILE *file, const tg_lr *l) {
    const char *between = "";
    fprintf(file, "%s(", l->name);
    for (int i = 0; i < TG_MAX_MILESTONES && l->milestones[i]; i++) {
        fprintf(file, i ? " %lld" : "milestones=%lld", (long long)l->milestones[i]);
        between = ", ";
    }
    for (int i = 0; i < l->kind->n_hypers; i++, between = ", ") {
        fputs(between, file);
        tg_hyper_print(file, &l->kind->hypers[i], l);
    }
    fputs(")", file);
}
