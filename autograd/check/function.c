/* Gradient checking of plain C functions. */
#include "autograd/check/function.h"
#include "autograd/check/ladder.h"
#include "autograd/check/pages.h"
#include "autograd/check/products.h"
#include "autograd/check/tally.h"
#include "core/random.h"
#include "core/span.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct run {
    tg_by_hand p;
    tg_function_opts opts;
    tg_function_report *r;
    tg_rng rng;
    int64_t began;
    double noise, most; /* of a value, negative: not measured yet; the largest |x| */
    double transpose;   /* of the worst: what the transpose product gives */
    int in_vain;        /* elements along which the noise was measured for nothing */
    bool stopped;       /* out of time, or by the progress function */
    bool wrong_transpose, wrong_forward,
        apart; /* of some derivative; apart: the two are not transposes of each other */
} run;

const char *tg_function_fault_name(tg_function_fault fault) {
    static const char *const name[] = {"", "the transpose product", "the forward product",
                                       "the derivative that both products are made of",
                                       "both products, which are not transposes of each other either"};
    return (size_t)fault < sizeof name / sizeof *name ? name[fault] : "";
}

/* ---- one derivative ---- */

static void note(run *c, int64_t element, const tg_evidence *e, double transpose, double forward) {
    tg_function_report *r = c->r;
    double ratio = tg_check_ratio(e, c->opts.rtol);
    int gravity = tg_check_gravity_of_one(e->verdict),
        before = r->compared ? tg_check_gravity_of_one(r->evidence.verdict) : -1;
    r->verdicts[e->verdict]++, r->compared++;
    r->noticed += e->noticed && e->verdict == TG_CORRECT;
    if (gravity > before || (gravity == before && ratio > r->worst))
        r->worst = ratio, r->element = element, r->evidence = *e, r->forward = forward,
        c->transpose = transpose;
    if (c->opts.each) c->opts.each(element, e, c->opts.each_user);
}

static double noise_along(tg_products_line *line, double scale) {
    double noise = tg_noise_of(tg_products_on_line, line, scale);
    return isfinite(noise) ? noise : 0;
}

/* The noise is measured along the first line and taken to be the same along the others, until one of them says WRONG, or says
 * nothing for noise: f may be noisy in one element alone. */
static tg_status judge(run *c, tg_products_line *line, double analytic, double scale, tg_evidence *e) {
    if (!(c->noise >= 0)) c->noise = noise_along(line, scale);
    tg_judge_opts opts = {.scale = scale, .rtol = c->opts.rtol, .noise = c->noise, .full = c->opts.full};
    if (tg_error_status() == TG_OK)
        tg_judge_twice(tg_products_on_line, line, analytic, &opts, &c->in_vain, e);
    return tg_error_status();
}

/* <u, J v> beside <J^T u, v>: where they are not the same, the first is judged as well, and the graver verdict counts. What
 * neither is seen to be wrong by, because of noise, may be seen by this. (At a kink each may be a subgradient.) */
static double compare_forward(run *c, tg_products_line *line, double scale, double size, tg_evidence *e) {
    double a = e->analytic, forward = tg_products_forward(&c->p, line->element, &size), gap = fabs(forward - a);
    bool finite = isfinite(forward), apart = !finite || !(gap <= 1e-9 * size),
         far = !finite || !(gap <= c->opts.rtol * fmax(fabs(a), fabs(forward)) + 1e-9 * size);
    tg_evidence of_forward = *e;
    if (apart && tg_error_status() == TG_OK) judge(c, line, forward, scale, &of_forward);
    if (tg_error_status() != TG_OK) return NAN;
    tg_verdict v = e->verdict, w = of_forward.verdict;
    c->wrong_transpose |= v == TG_WRONG, c->wrong_forward |= w == TG_WRONG;
    if (tg_check_gravity(w) > tg_check_gravity(v)) *e = of_forward;
    if (far && v != TG_KINK && w != TG_KINK) {
        c->apart = true;
        c->wrong_transpose |= w == TG_CORRECT, c->wrong_forward |= v == TG_CORRECT;
        if (e->verdict != TG_NO_VERDICT) e->verdict = TG_WRONG;
    }
    return forward;
}

/* `size` is that of the terms of which the derivative is made, or of the largest beside it: one that is no rounding of these,
 * and drowns in noise, is not at rest. */
static tg_status judge_line(run *c, int64_t element, double analytic, double scale, double size) {
    tg_products_line line = {&c->p, element};
    tg_evidence e;
    double forward = NAN;
    if (judge(c, &line, analytic, scale, &e) != TG_OK) return tg_error_status();
    bool moved = e.numeric != 0 || e.left != 0 || e.right != 0,
         noisy = moved && e.noise > 0x1p-36 * fabs(c->p.at_point); /* that is no rounding */
    if (e.verdict == TG_NOT_EXERCISED && (noisy || fabs(analytic) > 0x1p-46 * size))
        e.verdict = TG_NOISE_LIMITED;
    if (element >= 0) tg_check_hint(&e, c->p.analytic, (int64_t)c->p.n);
    if (c->p.forward) forward = compare_forward(c, &line, scale, element < 0 ? size : 0, &e);
    if (tg_error_status() == TG_OK) note(c, element, &e, analytic, forward);
    return tg_error_status();
}

/* ---- all of them ---- */

static int64_t all_of(const run *c) {
    size_t some = c->opts.samples;
    return c->opts.directions ? c->opts.directions : (int64_t)(some && some < c->p.n ? some : c->p.n);
}

static bool may_go_on(run *c) {
    c->stopped |= 1e-9 * (double)(tg_span_now() - c->began) >= c->opts.seconds;
    if (c->opts.progress && !c->stopped)
        c->stopped = !c->opts.progress(c->r->compared, all_of(c), c->opts.progress_user);
    return !c->stopped;
}

/* The scale of a step: that of the element, unless it is small among the others. */
static double scale_of(const run *c, size_t i) {
    double scale = fmax(fabs(c->p.was[i]), 1e-3 * c->most);
    return scale > 0 && isfinite(scale) ? scale : 1;
}

/* The largest change that the gradient claims for a step of a scale. */
static double steepest(const run *c) {
    double most = 0;
    for (size_t i = 0; i < c->p.n; i++) most = fmax(most, fabs(c->p.analytic[i]) * scale_of(c, i));
    return most;
}

static tg_status judge_elements(run *c) {
    double steep = steepest(c);
    size_t n = c->p.n, wanted = (size_t)all_of(c);
    c->r->left_out = (int64_t)(n - wanted);
    for (size_t k = 0; k < n && wanted > 0 && tg_error_status() == TG_OK; k++) {
        if (wanted < n - k && tg_rng_below(&c->rng, n - k) >= wanted) continue;
        size_t i = isfinite(c->opts.seconds) ? (size_t)tg_check_place((int64_t)k, (int64_t)n) : k;
        if (!may_go_on(c)) {
            c->r->left_out += (int64_t)wanted;
            break;
        }
        wanted--;
        judge_line(c, (int64_t)i, c->p.analytic[i], scale_of(c, i), steep / scale_of(c, i));
    }
    return tg_error_status();
}

static tg_status judge_directions(run *c) {
    for (int k = 0; k < c->opts.directions && tg_error_status() == TG_OK && may_go_on(c); k++) {
        double analytic = 0, size = 0;
        for (size_t i = 0; i < c->p.n; i++) {
            c->p.v[i] = tg_check_signed(tg_rng_uniform(&c->rng)) * scale_of(c, i);
            analytic += c->p.v[i] * c->p.analytic[i], size += fabs(c->p.v[i] * c->p.analytic[i]);
        }
        judge_line(c, -1, analytic, 1, size);
    }
    c->r->left_out = c->opts.directions - c->r->compared;
    return tg_error_status();
}

/* ---- what it says ---- */

static void say(tg_function_report *r, const char *format, ...) TG_PRINTF(2, 3);
static void say(tg_function_report *r, const char *format, ...) {
    size_t at = strlen(r->message);
    va_list args;
    va_start(args, format);
    vsnprintf(r->message + at, sizeof r->message - at, format, args);
    va_end(args);
}

static void say_worst(run *c) {
    tg_function_report *r = c->r;
    char text[512];
    tg_evidence_text(&r->evidence, text, sizeof text);
    const char *numbers = strchr(text, ':');
    say(r, "%s: ", tg_verdict_name(r->verdict));
    if (r->element < 0)
        say(r, "along a random direction");
    else
        say(r, "element %" PRId64 " of %zu, where x is %.6g", r->element, c->p.n, c->p.was[r->element]);
    if (!c->p.scalar) say(r, ", of u . y");
    say(r, "%s", numbers ? numbers : "");
    if (r->fault != TG_FUNCTION_RIGHT) say(r, "; at fault is %s", tg_function_fault_name(r->fault));
    if (c->apart)
        say(r, "; by the transpose product %.12g, by the forward product %.12g", c->transpose, r->forward);
}

static void say_unexercised(run *c) {
    bool moves = c->r->verdicts[TG_CORRECT] || c->r->evidence.analytic != 0;
    say(c->r, c->r->ok ? "%s: %s (accepted by .allow_zero)" : "%s: %s (.allow_zero accepts that)",
        tg_verdict_name(TG_NOT_EXERCISED),
        moves ? "a gradient that is wrong by its sign or by 3 % would not be noticed at any element"
              : "every derivative is 0: the function does not move");
}

static void conclude_verdict(run *c) {
    tg_function_report *r = c->r;
    r->verdict = tg_check_verdict_of(r->verdicts, r->noticed);
    r->ok = tg_verdict_passes(r->verdict) || (r->verdict == TG_NOT_EXERCISED && c->opts.allow_zero);
    bool transpose = c->wrong_transpose, forward = c->wrong_forward;
    if (c->p.forward && r->verdict == TG_WRONG)
        r->fault = transpose && !forward   ? TG_FUNCTION_TRANSPOSE
                   : forward && !transpose ? TG_FUNCTION_FORWARD
                   : c->apart              ? TG_FUNCTION_BOTH
                                           : TG_FUNCTION_DERIVATIVE;
    r->verdict == TG_NOT_EXERCISED ? say_unexercised(c) : say_worst(c);
    say(r, " (%" PRId64 " judged", r->compared);
    if (r->left_out) say(r, ", %" PRId64 " left out", r->left_out);
    if (c->opts.directions) say(r, ", directions only");
    say(r, ", an error of 3 %% noticed in %" PRId64 ")", r->noticed);
}

static void conclude(run *c) {
    tg_function_report *r = c->r;
    r->evaluations = c->p.evaluations;
    if (tg_error_status() != TG_OK)
        say(r, "%s", tg_error_message());
    else if (r->compared > 0)
        conclude_verdict(c);
    else if (c->stopped)
        say(r, "nothing was checked: there was no time for it, or the progress function stopped it");
    else
        say(r, "%s there are no %s", (r->ok = c->opts.allow_empty) ? "ok:" : "nothing was checked:",
            c->p.n == 0 ? "elements" : "values");
}

/* ---- files ---- */

static void write_page(const run *c, FILE *file) {
    const tg_function_report *r = c->r;
    fprintf(file, "gradient check of a function of %zu numbers: %s\n", c->p.n, tg_verdict_name(r->verdict));
    tg_check_write_heads(file, "");
    tg_check_write_counts(file, r->verdicts, r->left_out);
    fprintf(file, "\n%s\n", r->message);
    if (r->compared) tg_check_write_costs(file, &r->evidence, r->evaluations, r->compared, c->began);
}

static void write_json(const run *c, FILE *file) {
    const tg_function_report *r = c->r;
    fprintf(file, "{\"ok\":%s,\"verdict\":\"%s\",\"numbers\":%zu,\"values\":%zu,", r->ok ? "true" : "false",
            tg_verdict_name(r->verdict), c->p.n, c->p.m);
    tg_check_json_counts(file, r->compared, r->verdicts, r->noticed, r->left_out);
    fprintf(file, ",\"evaluations\":%" PRId64 ",\"message\":", r->evaluations);
    tg_check_json_string(file, r->message);
    if (r->fault != TG_FUNCTION_RIGHT) {
        fputs(",\"at_fault\":", file);
        tg_check_json_string(file, tg_function_fault_name(r->fault));
    }
    if (r->compared) {
        fprintf(file, ",\"worst\":{\"element\":%" PRId64, r->element);
        if (r->element >= 0) tg_check_json_number(file, "x", c->p.was[r->element]);
        tg_check_json_number(file, "forward", r->forward);
        fputc(',', file);
        tg_check_json_evidence(file, &r->evidence);
        fputc('}', file);
    }
    fputs("}\n", file);
}

/* ---- options and the whole ---- */

static tg_status read_options(run *c, const double *x) {
    tg_function_opts *o = &c->opts;
    const tg_by_hand *p = &c->p;
    bool all = p->scalar ? p->gradient != NULL : p->vector && p->transpose;
    if (!all || (!x && p->n > 0))
        return tg_fail(TG_ERR_ARGUMENT, "%s: the %s is NULL", p->who,
                       all                      ? "point"
                       : p->scalar || p->vector ? "gradient"
                                                : "function");
    if (!(o->rtol >= 0 && isfinite(o->rtol)) || !(o->seconds >= 0))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .rtol is %g and .seconds is %g; neither may be negative", p->who,
                       o->rtol, o->seconds);
    if (o->directions < 0 || (o->directions && o->samples))
        return tg_fail(
            TG_ERR_ARGUMENT,
            "%s: .directions is %d and .samples is %zu: the first must not be negative, and takes the place of "
            "the other",
            p->who, o->directions, o->samples);
    o->rtol = tg_option(o->rtol, 1e-6);
    o->seconds = tg_option(o->seconds, INFINITY);
    return TG_OK;
}

static tg_status check(run *c, const double *x) {
    if (read_options(c, x) != TG_OK || c->p.n == 0 || c->p.m == 0) return tg_error_status();
    c->began = tg_span_now();
    if (tg_products_begin(&c->p, x, c->opts.seed) != TG_OK) return tg_error_status();
    for (size_t i = 0; i < c->p.n; i++) c->most = fmax(c->most, fabs(x[i]));
    tg_status s = c->opts.directions ? judge_directions(c) : judge_elements(c);
    if (s == TG_OK && c->opts.progress && !c->stopped)
        c->opts.progress(c->r->compared, all_of(c), c->opts.progress_user);
    return s == TG_OK ? tg_products_check_still(&c->p) : s;
}

static bool run_check(run *c, const double *x, tg_function_report *report) {
    tg_function_report none;
    bool pending = tg_error_status() != TG_OK;
    c->r = report ? report : &none;
    *c->r = (tg_function_report){.element = -1, .forward = NAN};
    c->noise = -1;
    c->rng = (tg_rng){.seed = c->opts.seed + 1};
    if (!pending) check(c, x);
    conclude(c);
    if (c->opts.page) write_page(c, c->opts.page);
    if (c->opts.json) write_json(c, c->opts.json);
    tg_products_end(&c->p);
    if (!pending) tg_error_clear();
    return c->r->ok;
}

bool tg_check_function(tg_scalar_fn f, tg_gradient_fn g, void *user, size_t n, const double *x,
                       tg_function_opts opts, tg_function_report *report) {
    run c = {.p = {.who = "tg_check_function", .scalar = f, .gradient = g, .user = user, .n = n, .m = 1},
             .opts = opts};
    return run_check(&c, x, report);
}

bool tg_check_products(tg_vector_fn f, tg_vjp_fn transpose, tg_jvp_fn forward, void *user, size_t n,
                       const double *x, size_t m, tg_function_opts opts, tg_function_report *report) {
    run c = {.p = {.who = "tg_check_products",
                   .vector = f,
                   .transpose = transpose,
                   .forward = forward,
                   .user = user,
                   .n = n,
                   .m = m},
             .opts = opts};
    return run_check(&c, x, report);
}
