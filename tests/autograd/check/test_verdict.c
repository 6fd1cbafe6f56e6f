/* tg_gradcheck by verdicts, and what it stands on: the judge of one derivative, the measured noise, reports. */
#include "tests/autograd/helpers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the judge, on functions of one variable ---- */

typedef struct line {
    double (*f)(double);
    double x;
    int calls;
} line;
static double on_line(double *t, void *user) {
    line *l = user;
    double x = l->x + *t;
    *t = x - l->x;
    l->calls++;
    return l->f(x);
}
static double kinked(double x) { return x > 0 ? 2 * x : -x; }
static double jump(double x) { return x < 0 ? 0 : 1 + x; }
static double cube_root(double x) { return cbrt(x); }
static double random_part(double x) {
    static unsigned state = 1;
    state = state * 1664525u + 1013904223u;
    return sin(x) + 1e-3 * (double)(state >> 8) / 16777216;
}
static double slow(double x) { return sin(1000 * x); }
/* Of the steps of the ladder the fourth and the fifth alone lie where the slope is another. */
static double two_rungs(double x) { return fabs(x) > 3e-4 && fabs(x) < 4e-3 ? 1.1 * x : x; }
static double constant(double x) { return (void)x, 3; }

static const struct {
    const char *name;
    double (*f)(double);
    double x, analytic;
    tg_verdict verdict;
    tg_gap_law law;
    tg_hint hint;
} judged[] = {
    {"right", exp, 1, 2.718281828459045, TG_CORRECT, TG_GAP_TRUNCATION, TG_HINT_NONE},
    {"off by 1e-5", exp, 1, 2.71831, TG_WRONG, TG_GAP_CONSTANT, TG_HINT_NONE},
    {"sign", exp, 1, -2.718281828459045, TG_WRONG, TG_GAP_CONSTANT, TG_HINT_SIGN},
    {"half", exp, 1, 1.3591409142295225, TG_WRONG, TG_GAP_CONSTANT, TG_HINT_FACTOR},
    {"missing", exp, 1, 0, TG_WRONG, TG_GAP_CONSTANT, TG_HINT_MISSING},
    {"extra", constant, 1, 0.25, TG_WRONG, TG_GAP_CONSTANT, TG_HINT_EXTRA},
    {"unmoved", constant, 1, 0, TG_NOT_EXERCISED, TG_GAP_NOISE, TG_HINT_NONE},
    {"between the slopes", kinked, 0, 0.75, TG_KINK, TG_GAP_KINK, TG_HINT_NONE},
    {"one of the slopes", kinked, 0, -1, TG_KINK, TG_GAP_KINK, TG_HINT_NONE},
    {"beyond the slopes", kinked, 0, 2.5, TG_WRONG, TG_GAP_KINK, TG_HINT_NONE},
    {"the calm side of a jump", jump, 0, 1, TG_KINK, TG_GAP_KINK, TG_HINT_NONE},
    {"no side of a jump", jump, 0, 5, TG_WRONG, TG_GAP_KINK, TG_HINT_NONE},
    {"drowned", random_part, 1, 0.5403023058681398, TG_NOISE_LIMITED, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"an infinite slope", cube_root, 0, 0, TG_NOISE_LIMITED, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"fast oscillation", slow, 1, 562.37907629073, TG_CORRECT, TG_GAP_TRUNCATION, TG_HINT_NONE},
    {"NaN", exp, 1, NAN, TG_WRONG, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"NaN in noise", random_part, 1, NAN, TG_WRONG, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"the slope of two rungs", two_rungs, 0, 1.1, TG_WRONG, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"past the slope of two rungs", two_rungs, 0, 1, TG_CORRECT, TG_GAP_UNKNOWN, TG_HINT_NONE},
    {"outside the domain", log, -1, 1, TG_NO_VERDICT, TG_GAP_UNKNOWN, TG_HINT_NONE},
};

START_TEST(the_judge) {
    line l = {judged[_i].f, judged[_i].x, 0};
    tg_evidence e;
    double noise = tg_noise_of(on_line, &l, 1);
    ck_assert_int_le(l.calls, 600);
    l.calls = 0;
    ck_assert(tg_judge(on_line, &l, judged[_i].analytic,
                       (tg_judge_opts){.noise = isfinite(noise) ? noise : 0}, &e) == TG_OK);
    char text[512], cut[20];
    tg_evidence_text(&e, text, sizeof text);
    ck_assert_msg(e.verdict == judged[_i].verdict, "%s: %s", judged[_i].name, text);
    if (judged[_i].law != TG_GAP_UNKNOWN)
        ck_assert_msg(e.law == judged[_i].law, "%s: %s", judged[_i].name, text);
    ck_assert_msg(e.hint == judged[_i].hint, "%s: %s", judged[_i].name, text);
    ck_assert(e.evaluations == l.calls && l.calls <= 29);
    ck_assert(strncmp(text, tg_verdict_name(e.verdict), strlen(tg_verdict_name(e.verdict))) == 0);
    tg_evidence_text(&e, cut, sizeof cut);
    ck_assert(strlen(cut) == 19 && strncmp(cut, text, 19) == 0);
    tg_evidence_text(&e, NULL, 0);
}
END_TEST

/* The Taylor remainder has slope 2 beside a right derivative, 1 beside a wrong one, and none where phi is linear. */
static double linear_line(double x) { return 3 * x; }
START_TEST(taylor_slopes) {
    line curved = {exp, 0.5, 0}, straight = {linear_line, 0, 0};
    tg_evidence e;
    tg_judge(on_line, &curved, exp(0.5), (tg_judge_opts){.full = true}, &e);
    ck_assert(fabs(e.taylor - 2) < 0.1 && e.noticed);
    tg_judge(on_line, &curved, 1, (tg_judge_opts){0}, &e);
    ck_assert(fabs(e.taylor - 1) < 0.1);
    tg_judge(on_line, &straight, 3, (tg_judge_opts){0}, &e);
    ck_assert(isnan(e.taylor) && e.verdict == TG_CORRECT && e.evaluations == 11);
}
END_TEST

/* Noise of a known size is found to a factor of three; a kink at 0 is none. */
static double with_noise(double x) { return sin(x) + 1e-6 * (rand() / (double)RAND_MAX - 0.5); }
/* Jumps within 1/8 of 0 and within a 32nd of that, and none nearer. */
static double few_jumps(double x) {
    double sum = x;
    for (int near = 0; near < 2; near++)
        for (int k = 1; k < 16; k++)
            sum += (fabs(x) > (near ? 0.125 / 32 : 0.125) * k / 16) * (k % 2 ? 4e-3 : -4e-3);
    return sum;
}
START_TEST(noise_is_measured) {
    line jumps = {few_jumps, 0, 0};
    tg_evidence e;
    double none = tg_noise_of(on_line, &jumps, 1);
    ck_assert_msg(none < 1e-12, "%g", none);
    tg_judge(on_line, &jumps, 1.03, (tg_judge_opts){.noise = none}, &e);
    ck_assert_int_eq(e.verdict, TG_WRONG);

    line noisy = {with_noise, 1, 0}, smooth = {sin, 1, 0}, edge = {fabs, 0, 0};
    double is = tg_noise_of(on_line, &noisy, 1), should = 1e-6 / sqrt(12);
    ck_assert_msg(is > should / 3 && is < should * 3, "%g instead of %g", is, should);
    ck_assert(tg_noise_of(on_line, &smooth, 1) < 1e-15);
    ck_assert(tg_noise_of(on_line, &edge, 1) < 1e-15);
}
END_TEST

START_TEST(the_judge_refuses) {
    line l = {exp, 0, 0};
    tg_evidence e;
    ck_assert(tg_judge(NULL, &l, 1, (tg_judge_opts){0}, &e) == TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_judge", "function");
    ck_assert(tg_judge(on_line, &l, 1, (tg_judge_opts){0}, NULL) == TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "evidence");
    ck_assert(tg_judge(on_line, &l, 1, (tg_judge_opts){.scale = -1}, &e) == TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, ".scale is -1");
    ck_assert(tg_judge(on_line, &l, 1, (tg_judge_opts){.rtol = NAN}, &e) == TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "rtol");
    ck_assert(isnan(tg_noise_of(NULL, &l, 1)));
    expect_error(TG_ERR_ARGUMENT, "tg_noise_of");
    ck_assert(isnan(tg_noise_of(on_line, &l, 0)));
    expect_error(TG_ERR_ARGUMENT, "scale");
    ck_assert_str_eq(tg_verdict_name((tg_verdict)77), "NO VERDICT");
}
END_TEST

/* ---- functions of tensors ---- */

static tg_tensor *smooth(tg_tensor *const *in, void *user) {
    return (void)user, tg_tanh(tg_mul(in[0], tg_exp(in[1])));
}
static tg_tensor *input(double value, int64_t n) {
    return tg_set_requires_grad(tg_full(TG_F64, value, n), true);
}

START_TEST(right_gradients) {
    tg_gradcheck_report r;
    tg_tensor *in[2] = {tg_set_requires_grad(tg_full(TG_F64, 0.2, 2, 1), true), input(0.3, 3)};
    int64_t tensors = tg_tape_tensors();
    for (int order = 1; order <= 4; order++) {
        ck_assert_msg(tg_gradcheck(smooth, NULL, 2, in, &r, .order = order), "%s", r.message);
        ck_assert(r.verdict == TG_CORRECT && r.compared == order * 5 && r.noticed == r.compared);
        ck_assert(r.verdicts[TG_CORRECT] == r.compared && r.worst <= 1 &&
                  r.evaluations <= r.compared * 30 + 100 * order); /* the noise of each order */
    }
    ck_assert(tg_tape_tensors() == tensors && !tg_has_grad(in[0]));
}
END_TEST

/* Each option does what it says. */
typedef struct seen {
    int calls, elements[8], directions;
    int64_t stop_at;
} seen;
static void see(const tg_checked *one, void *user) {
    seen *s = user;
    s->calls++;
    if (one->element >= 0)
        s->elements[one->element]++;
    else
        s->directions++;
}
static bool until(int64_t done, int64_t all, void *user) {
    seen *s = user;
    ck_assert(all == 8 && done <= all);
    return done < s->stop_at;
}
static bool twice(int64_t done, int64_t all, void *user) { return (void)user, (void)all, done < 2; }
static tg_tensor *exp_of(tg_tensor *const *in, void *user) { return (void)user, tg_exp(in[0]); }

START_TEST(options) {
    tg_gradcheck_report r;
    seen s = {0};
    tg_tensor *x = input(0.5, 8);
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .each = see, .each_user = &s));
    for (int i = 0; i < 8; i++) ck_assert_int_eq(s.elements[i], 1);
    s = (seen){0};
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .samples = 3, .each = see, .each_user = &s));
    ck_assert(s.calls == 3 && r.compared == 3 && r.left_out == 5);
    for (int i = 0; i < 8; i++) ck_assert_int_le(s.elements[i], 1);
    s = (seen){0};
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .directions = 2, .projections = 2, .each = see,
                           .each_user = &s));
    ck_assert(s.calls == 4 && s.directions == 4 && r.element == -1);
    for (int order = 1; order <= 3; order++) { /* of orders that were not begun nothing is known */
        ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .order = order, .progress = twice) == (order == 1));
        ck_assert_msg(r.compared == 2 && r.left_out == 8 * order - 2, "%s", r.message);
        ck_assert_msg(order == 1 || strstr(r.message, "NO VERDICT: orders above 1, of "), "%s", r.message);
    }
    s = (seen){.stop_at = 5};
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .progress = until, .progress_user = &s));
    ck_assert(r.compared == 5 && r.left_out == 3);
    ck_assert(!tg_gradcheck(exp_of, NULL, 1, &x, &r, .seconds = TG_ZERO) && r.compared == 0 &&
              r.verdict == TG_NO_VERDICT);
    ck_assert_msg(strstr(r.message, "no time"), "%s", r.message);
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .full = true) && r.evaluations >= 8 * 29);
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .rtol = 1e-3));
}
END_TEST

START_TEST(bad_options) {
    static const struct {
        tg_gradcheck_opts opts;
        const char *word;
    } bad[] = {{{.eps = 1e-6}, ".tolerances"},
               {{.atol = 1e-6}, ".tolerances"},
               {{.atol = TG_ZERO}, ".tolerances"},
               {{.samples = -1}, ".samples"},
               {{.directions = -1}, ".directions"},
               {{.samples = 2, .directions = 2}, "give one"},
               {{.seconds = -1}, ".seconds"},
               {{.seconds = NAN}, ".seconds"},
               {{.order = 9}, ".order"},
               {{.rtol = -1}, ".rtol"},
               {{.tolerances = true, .full = true}, ".full"},
               {{.tolerances = true, .samples = 3}, ".samples"}};
    tg_gradcheck_report r;
    tg_tensor *x = input(1, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!tg_gradcheck_with(exp_of, NULL, 1, &x, &r, bad[i].opts) && r.verdict == TG_NO_VERDICT);
        ck_assert_msg(strstr(r.message, bad[i].word), "row %zu: %s", i, r.message);
        expect_ok();
    }
}
END_TEST

/* ---- functions that are no functions ---- */

static int calls;
static tg_tensor *unsteady(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul_scalar(in[0], 1 + 1e-12 * calls++);
}
static tg_tensor *changing(tg_tensor *const *in, void *user) {
    (void)user;
    ((double *)tg_data_mut(in[0]))[1] += 1;
    return tg_exp(in[0]);
}
static tg_tensor *growing(tg_tensor *const *in, void *user) {
    (void)user;
    return calls++ ? tg_concat(0, in[0], in[0]) : tg_exp(in[0]);
}
/* The same whenever it is called twice at first, and another function in the middle of the check. */
static tg_tensor *drifting(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul_scalar(tg_exp(in[0]), calls++ < 90 ? 1 : 1.1);
}
static tg_tensor *single(tg_tensor *const *in, void *user) { return (void)user, tg_to(in[0], TG_F32); }
static tg_tensor *of_one(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul(tg_detach(in[0]), in[0]);
}
static tg_tensor *not_a_number(tg_tensor *const *in, void *user) {
    return (void)user, tg_log(tg_add_scalar(in[0], -10));
}
static tg_tensor *failing(tg_tensor *const *in, void *user) {
    (void)user;
    return calls++ == *(int *)user ? tg_add(in[0], tg_ones(TG_F64, 7)) : tg_exp(in[0]);
}

START_TEST(no_functions) {
    static const struct {
        tg_gradcheck_fn f;
        const char *word;
    } rows[] = {
        {unsteady, "not deterministic, as a model with dropout in training is: called twice"},
        {drifting, "at the end of the check it does not give at its inputs what it gave at the beginning"},
        {changing, "changes input 0"},
        {growing, "returned [6]"},
        {single, "f64"},
        {not_a_number, "NO VERDICT"}};
    tg_tensor *x = param(TG_SHAPE(3));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_gradcheck_report r;
        calls = 0;
        ck_assert_msg(!tg_gradcheck(rows[i].f, NULL, 1, &x, &r), "row %zu: %s", i, r.message);
        ck_assert_msg(!r.ok && r.verdict == TG_NO_VERDICT && strstr(r.message, rows[i].word), "row %zu: %s",
                      i, r.message);
        for (int k = 0; k < 3; k++) ck_assert(tg_get(x, k) == k + 1);
        expect_ok();
    }
    tg_tensor *one = tg_set_requires_grad(tg_scalar(TG_F64, 0.5), true);
    tg_gradcheck_report scalar;
    ck_assert(!tg_gradcheck(of_one, NULL, 1, &one, &scalar));
    ck_assert_msg(strstr(scalar.message, "[] f64, which is 0.5: analytic "), "%s", scalar.message);
    for (int at = 0; at < 60; at++) { /* whenever it fails, all is put back */
        tg_gradcheck_report r;
        calls = 0;
        bool ok = tg_gradcheck(failing, &at, 1, &x, &r, .order = 2);
        ck_assert(ok == (calls <= at) && (ok || strstr(r.message, "[7]")));
        for (int k = 0; k < 3; k++) ck_assert(tg_get(x, k) == k + 1);
        expect_ok();
    }
    tg_free(x);
}
END_TEST

START_TEST(without_memory) {
    tg_tensor *x = param(TG_SHAPE(3)), *y = input(0.1, 3);
    for (int64_t n = 1;; n++) {
        tg_gradcheck_report r;
        tg_memory_fail_at(n);
        bool ok = tg_gradcheck(smooth, NULL, 2, ((tg_tensor *[]){x, y}), &r, .samples = 1, .order = 2);
        tg_memory_fail_at(-1);
        for (int i = 0; i < 3; i++) ck_assert(tg_get(x, i) == i + 1);
        if (ok) break;
        ck_assert_msg(strstr(r.message, "memory"), "%s", r.message);
        ck_assert_int_lt(n, 20000);
    }
    tg_free(x);
}
END_TEST

/* ---- what is not exercised ---- */

static tg_tensor *of_first(tg_tensor *const *in, void *user) { return (void)user, tg_exp(in[0]); }
static tg_tensor *half_dead(tg_tensor *const *in, void *user) { return (void)user, tg_relu(in[0]); }

START_TEST(not_exercised) {
    tg_gradcheck_report r;
    tg_tensor *in[2] = {input(0.5, 2), input(0.25, 3)}, *empty = input(1, 0);
    ck_assert(!tg_gradcheck(of_first, NULL, 2, in, &r) && r.verdict == TG_NOT_EXERCISED);
    ck_assert_msg(strstr(r.message, "input 1, [3] f64") && strstr(r.message, "does not depend"), "%s",
                  r.message);
    ck_assert(tg_gradcheck(of_first, NULL, 2, in, &r, .allow_zero = true));
    ck_assert(!tg_gradcheck(of_first, NULL, 1, &empty, &r) && strstr(r.message, "no elements"));
    ck_assert(r.verdict == TG_NOT_EXERCISED && strstr(r.message, ".allow_empty"));
    ck_assert(tg_gradcheck(of_first, NULL, 1, &empty, &r, .allow_empty = true));
    in[1] = empty; /* beside one that is full */
    ck_assert(!tg_gradcheck(of_first, NULL, 2, in, &r) && r.verdict == TG_NOT_EXERCISED);
    ck_assert_msg(strstr(r.message, "input 1, [0] f64: it has no elements"), "%s", r.message);
    ck_assert(tg_gradcheck(of_first, NULL, 2, in, &r, .allow_empty = true) && r.verdict == TG_CORRECT);
    tg_tensor *x = tg_set_requires_grad(tg_from(TG_F64, ((double[]){1, -1, 2, -2}), 4), true);
    ck_assert(tg_gradcheck(half_dead, NULL, 1, &x, &r) && r.verdict == TG_CORRECT);
    ck_assert(r.verdicts[TG_NOT_EXERCISED] == 2 && r.noticed == 2);
}
END_TEST

/* An element whose derivative drowns in the noise of f is not one that f does not depend on. */
static tg_status noisy_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double x = tg_array_get(c->in[0], i), hash = sin(1e7 * x) * 43758.5453;
        tg_array_set(c->out[0], i, i == 0 ? x * x : sin(x) + 0.1 * (hash - floor(hash)));
    }
    return TG_OK;
}
static void noisy_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *slope =
        tg_concat(0, tg_mul_scalar(tg_slice(n->in[0], 0, 0, 1, 1), 2), tg_cos(tg_slice(n->in[0], 0, 1, 2, 1)));
    din[0] = tg_mul(dout[0], slope);
}
static const tg_op noisy_op = {.name = "noisy",
                               .n_in = 1,
                               .save = TG_IN(0),
                               .infer = tg_infer_same,
                               .forward = noisy_forward,
                               .grad = noisy_rule};
static tg_tensor *noisy(tg_tensor *const *in, void *user) {
    return (void)user, tg_apply(&noisy_op, in, 1, NULL);
}

START_TEST(what_drowns) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(tg_from(TG_F64, ((double[]){1.2, 1.2}), 2), true);
    ck_assert_msg(!tg_gradcheck(noisy, NULL, 1, &x, &r) && r.verdict == TG_NOISE_LIMITED, "%s", r.message);
}
END_TEST

/* A hint for what only the other elements can tell; and what stands in for precision that is missing. */
static tg_tensor *mean_for_sum(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *sum = tg_sum(tg_exp(in[0])), *mean = tg_mean(tg_exp(in[0]));
    return tg_add(tg_detach(tg_sub(sum, mean)), mean);
}
static tg_tensor *permuted(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *x = in[0], *w = tg_arange(TG_F64, 1, 8, 1), *still = tg_detach(x),
              *p = tg_add_scalar(tg_square(w), 1);
    return tg_sum(tg_add(tg_mul(still, p), tg_mul(tg_sub(x, still), tg_flip(p, 0))));
}

START_TEST(hints_and_precision) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(tg_arange(TG_F64, 0.1, 0.75, 0.1), true);
    ck_assert(!tg_gradcheck(mean_for_sum, NULL, 1, &x, &r) && r.evidence.hint == TG_HINT_MEAN);
    ck_assert_msg(strstr(r.message, "a mean stands for a sum"), "%s", r.message);
    ck_assert(!tg_gradcheck(permuted, NULL, 1, &x, &r) && r.evidence.hint == TG_HINT_MOVED);
    ck_assert_msg(strstr(r.message, "transposed or permuted"), "%s", r.message);
    x = tg_set_requires_grad(tg_from(TG_F64, ((double[]){1.2, 1.2}), 2), true);
    tg_gradcheck(noisy, NULL, 1, &x, &r);
    ck_assert_msg(strstr(r.message, "the noise of a value is") && strstr(r.message, "would do"), "%s",
                  r.message);
}
END_TEST

/* Nothing depends on how many elements there are (jax#3130, chainer#3046). */
static tg_tensor *mean_of_all(tg_tensor *const *in, void *user) {
    return (void)user, tg_mean(tg_tanh(in[0]));
}
START_TEST(many_elements) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(tg_randn(TG_F64, 200, 300), true);
    ck_assert_msg(tg_gradcheck(mean_of_all, NULL, 1, &x, &r, .samples = 10), "%s", r.message);
    ck_assert(r.verdict == TG_CORRECT && r.noticed == 10 && r.left_out == 60000 - 10);
    ck_assert_msg(tg_gradcheck(mean_of_all, NULL, 1, &x, &r, .directions = 2), "%s", r.message);
}
END_TEST

/* ---- what is at fault ---- */

static tg_op planted; /* x^2 with a rule of the test's */
static tg_status square_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double x = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, x * x);
    }
    return TG_OK;
}
static void right_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(n->in[0], 2));
}
static void wrong_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(n->in[0], 2.1));
}
static void constant_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(tg_detach(n->in[0]), 2));
}
static tg_status wrong_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_array_alloc_like(&din[0], dout[0]);
    for (int64_t i = 0; s == TG_OK && i < din[0].numel; i++)
        tg_array_set(&din[0], i, 1.9 * tg_array_get(tg_node_in(n, 0), i) * tg_array_get(dout[0], i));
    return s;
}
static tg_tensor *amid_others(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *h = tg_tanh(tg_matmul(in[0], in[1]));
    h = tg_add(tg_apply(&planted, &h, 1, NULL), tg_sigmoid(h));
    return tg_mul(tg_softmax(h, 1), tg_exp(h));
}

static tg_tensor *planted_first(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_exp(tg_apply(&planted, in, 1, NULL));
}

START_TEST(the_op_at_fault) {
    static const struct {
        tg_grad_fn grad;
        tg_status (*kernel)(const tg_node *, const tg_array *const *, tg_array *);
        int order;
        tg_fault fault;
    } rows[] = {{wrong_rule, NULL, 1, TG_FAULT_RULE},
                {right_rule, wrong_kernel, 1, TG_FAULT_TRANSPOSE},
                {constant_rule, NULL, 2, TG_FAULT_SECOND}};
    tg_tensor *in[2] = {
        tg_set_name(tg_set_requires_grad(tg_from(TG_F64, ((double[]){1, -1, 2, 0.5, 0.1, 0.3}), 2, 3), true),
                    "x"),
        tg_set_requires_grad(tg_from(TG_F64, ((double[]){0.2, 0.3, -0.1, 0.4, 0.6, -0.5}), 3, 2), true)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_gradcheck_report r;
        planted = (tg_op){.name = "planted",
                          .n_in = 1,
                          .save = TG_IN(0),
                          .infer = tg_infer_same,
                          .forward = square_forward,
                          .grad = rows[i].grad,
                          .grad_kernel = rows[i].kernel};
        ck_assert(!tg_gradcheck(amid_others, NULL, 2, in, &r, .order = rows[i].order));
        ck_assert_msg(r.verdict == TG_WRONG && strcmp(r.op, "planted") == 0 && r.fault == rows[i].fault,
                      "row %zu: %d %s", i, r.fault, r.message);
        ck_assert_msg(strstr(r.place, "planted(") && strstr(r.place, "[2, 2] f64"), "%s", r.place);
        ck_assert_msg(strstr(r.message, "input 0, x [2, 3] f64, at ["), "%s", r.message);
        tg_shape at = tg_shape_position(TG_SHAPE(2, 3), r.element);
        char place[64];
        snprintf(place, sizeof place, "at [%d, %d], where it is %g", (int)at.dim[0], (int)at.dim[1],
                 tg_get(in[0], r.element));
        ck_assert_msg(strstr(r.message, place), "no \"%s\" in: %s", place, r.message);
        ck_assert(!tg_gradcheck(amid_others, NULL, 2, in, &r, .order = rows[i].order, .no_search = true) &&
                  !r.op[0]);
    }
    tg_gradcheck_report r;
    planted.grad = wrong_rule, planted.grad_kernel = NULL;
    ck_assert(!tg_gradcheck(planted_first, NULL, 1, in, &r) && strcmp(r.op, "planted") == 0);
    planted.grad = right_rule;
    ck_assert_msg(tg_gradcheck(amid_others, NULL, 2, in, &r, .order = 2), "%s", r.message);
}
END_TEST

/* ---- pages ---- */

START_TEST(pages) {
    char *page = NULL, *json = NULL;
    size_t size;
    FILE *p = open_memstream(&page, &size), *j = open_memstream(&json, &size);
    tg_tensor *x = tg_set_name(input(0.5, 3), "\"quoted\"");
    tg_gradcheck_report r;
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .page = p, .json = j));
    fclose(p), fclose(j);
    ck_assert_msg(strstr(page, "order 1: CORRECT\n") && strstr(page, "evaluations"), "%s", page);
    ck_assert_msg(strncmp(json, "{\"ok\":true,\"verdict\":\"CORRECT\",", 31) == 0, "%s", json);
    ck_assert(strstr(json, "\\\"quoted\\\" [3] f64") && strstr(json, "\"taylor\":"));
    ck_assert_msg(strstr(json, "\"judged\":3,\"left_out\":0,\"noticed\":3,\"correct\":3,"), "%s", json);
    ck_assert_msg(strstr(json, ",\"position\":[") && strstr(json, "],\"x\":"), "%s", json);
    int open = 0;
    for (const char *c = json; *c; c++) open += (*c == '{') - (*c == '}');
    ck_assert_int_eq(open, 0);
    free(page), free(json);
    j = open_memstream(&json, &size);
    ck_assert(tg_gradcheck(exp_of, NULL, 1, &x, &r, .tolerances = true, .json = j));
    fclose(j);
    ck_assert_msg(r.compared == 6 && strstr(json, "\"judged\":6,"), "%s", json);
    free(json);
}
END_TEST

TCase *tcase_verdict(void) {
    TCase *tc = tcase_create("verdict");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_loop_test(tc, the_judge, 0, sizeof judged / sizeof *judged);
    tcase_add_test(tc, taylor_slopes);
    tcase_add_test(tc, noise_is_measured);
    tcase_add_test(tc, the_judge_refuses);
    tcase_add_test(tc, right_gradients);
    tcase_add_test(tc, options);
    tcase_add_test(tc, bad_options);
    tcase_add_test(tc, no_functions);
    tcase_add_test(tc, without_memory);
    tcase_add_test(tc, not_exercised);
    tcase_add_test(tc, what_drowns);
    tcase_add_test(tc, hints_and_precision);
    tcase_add_test(tc, many_elements);
    tcase_add_test(tc, the_op_at_fault);
    tcase_add_test(tc, pages);
    return tc;
}
