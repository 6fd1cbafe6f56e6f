/* The corpus: cases that checkers got wrong, each with the verdict that is right. */
#include "tests/autograd/check/counts.h"
#include "tests/autograd/helpers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- ops with rules that are wrong in a way of their own ---- */

typedef double scalar_fn(double);
typedef struct elementwise_op { /* out = f(x), whose rule says f' = slope */
    tg_op op;                   /* first, so that a node's op leads here */
    scalar_fn *f, *slope;
} elementwise_op;

static tg_status apply_forward(const tg_call *c) {
    const elementwise_op *e = (const elementwise_op *)c->op;
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        tg_array_set(c->out[0], i, e->f(tg_array_get(c->in[0], i)));
    return TG_OK;
}
static tg_status apply_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const elementwise_op *e = (const elementwise_op *)n->op;
    const tg_array *x = tg_node_in(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], dout[0]);
    for (int64_t i = 0; s == TG_OK && i < din[0].numel; i++)
        tg_array_set(&din[0], i, e->slope(tg_array_get(x, i)) * tg_array_get(dout[0], i));
    return s;
}
static void apply_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const elementwise_op *e = (const elementwise_op *)n->op;
    tg_tensor *slope = tg_zeros_with(TG_F64, tg_shape_of(n->in[0]));
    for (int64_t i = 0; i < tg_numel(slope); i++)
        ((double *)tg_data_mut(slope))[i] = e->slope(tg_get(n->in[0], i));
    din[0] = tg_mul(dout[0], slope);
}
#define ELEMENTWISE(name_, f_, slope_) \
    { \
        {.name = name_, \
         .n_in = 1, \
         .save = TG_IN(0), \
         .infer = tg_infer_same, \
         .forward = apply_forward, \
         .grad = apply_grad, \
         .grad_kernel = apply_kernel}, \
            f_, slope_ \
    }

static double one(double x) { return (void)x, 1; }
static double zero(double x) { return (void)x, 0; }
static double half(double x) { return (void)x, 0.5; }
static double relu(double x) { return x > 0 ? x : 0; }
static double at_least_0(double x) { return x >= 0; }
static double square(double x) { return x * x; }
static double twice(double x) { return 2 * x; }
static double thrice(double x) { return 3 * x; }
static double minus_twice(double x) { return -2 * x; }
static double single_sin(double x) { return (double)sinf((float)x); }
static double off_cos(double x) { return 1.03 * cos(x); }
static double far_off(double x) { return 1e8 + sin(x); }
static double narrow(double x) { return tanh((x - 1) / 1e-6); }
static double narrow_slope(double x) { return (1 - narrow(x) * narrow(x)) / 1e-6; }
static double narrow_wrong(double x) { return 0.9 * narrow_slope(x); }
static double stiff(double x) { return exp(-1e4 * x); }
static double stiff_slope(double x) { return -1e4 * stiff(x); }
static double small(double x) { return 1e-9 * x + cos(x); }
static double small_slope(double x) { return 1e-9 - sin(x); }
static double small_wrong(double x) { return 2e-9 - sin(x); }
static double tiny_square(double x) { return 1e-30 * x * x; }
static double tiny_slope(double x) { return 2e-30 * x; }
static double tiny_wrong(double x) { return 4e-30 * x; }
static double stairs(double x) { return floor(x); }
static double half_precision(double x) { return rint(x * 2048) / 2048; } /* eleven bits */
static double below_single(double x) { return (double)(float)(x * 1e-20) * 1e20; }
static double no_kink(double x) { return (void)x, 2; }
static double bump(double x) { return x + 1e-6 * tanh((x - 1) / 1e-6); }
static double bump_slope(double x) { return 1 + 1 - tanh((x - 1) / 1e-6) * tanh((x - 1) / 1e-6); }

/* ---- the table ---- */

typedef enum source { FALSE_ALARM, FALSE_PASS, SHAPE_OF_IT } source;
typedef struct corpus_case {
    const char *name;
    source source;
    tg_verdict verdict;
    tg_gradcheck_fn f; /* NULL: `op`, applied to the input */
    elementwise_op op;
    int n;
    double x[8];
    tg_gradcheck_opts opts;
    const char *culprit; /* the op that is named; NULL: none is at fault */
} corpus_case;

static tg_tensor *pool_ties(tg_tensor *const *in, void *user) {
    return (void)user, tg_max(tg_reshape(in[0], 2, 2), 1);
}
static tg_tensor *largest(tg_tensor *const *in, void *user) { return (void)user, tg_amax(in[0]); }
static tg_tensor *sorted(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *values = tg_sort(in[0], 0);
    return tg_mul(values, tg_arange(TG_F64, 1, 1 + (double)tg_numel(in[0]), 1));
}
static tg_tensor *softmax_of(tg_tensor *const *in, void *user) { return (void)user, tg_softmax(in[0], 0); }
static tg_tensor *sum_of_softmax(tg_tensor *const *in, void *user) {
    return (void)user, tg_sum(tg_softmax(in[0], 0));
}
static tg_tensor *centred(tg_tensor *const *in, void *user) { /* batch norm under ones */
    (void)user;
    tg_tensor *x = tg_sub(in[0], tg_mean(in[0]));
    return tg_sum(tg_div(x, tg_sqrt(tg_mean(tg_square(x)))));
}
static tg_tensor *rms(tg_tensor *const *in, void *user) {
    return (void)user, tg_sqrt(tg_mean(tg_square(in[0])));
}
static tg_tensor *square_root(tg_tensor *const *in, void *user) { return (void)user, tg_sqrt(in[0]); }
static tg_tensor *hypotenuse(tg_tensor *const *in, void *user) {
    return (void)user, tg_hypot(in[0], tg_scalar(TG_F64, 3));
}
static tg_tensor *linear(tg_tensor *const *in, void *user) { return (void)user, tg_mul_scalar(in[0], 3); }
static tg_tensor *stopped(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul(in[0], tg_detach(in[0]));
}
static tg_tensor *transposed(tg_tensor *const *in, void *user) { /* right in value, permuted in its gradient */
    (void)user;
    tg_tensor *x = in[0], *w = tg_arange(TG_F64, 1, 1 + (double)tg_numel(x), 1);
    return tg_add(tg_mul(tg_detach(x), w), tg_mul(tg_sub(x, tg_detach(x)), tg_flip(w, 0)));
}
static tg_tensor *mean_for_sum(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *sum = tg_sum(tg_exp(in[0])), *mean = tg_mean(tg_exp(in[0]));
    return tg_add(tg_detach(tg_sub(sum, mean)), mean);
}
static tg_tensor *idle(tg_tensor *const *in, void *user) {
    return (void)user, tg_add(tg_ones(TG_F64, 2), tg_mul_scalar(tg_sum(in[0]), 0));
}
static tg_tensor *gather_twice(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_exp(tg_index_select(in[0], 0, tg_from(TG_I64, ((int64_t[]){0, 2, 0}), 3)));
}
static double cubed(double x) { return x * x * x / 3; }

static const corpus_case corpus[] = {
    /* false alarms elsewhere */
    {.name = "relu at 0 (pytorch#114234)",
     .source = FALSE_ALARM,
     .verdict = TG_KINK,
     .op = ELEMENTWISE("relu_", relu, zero),
     3,
     {0, 0, 0}},
    {.name = "relu at 0 with the other subgradient",
     .source = FALSE_ALARM,
     .verdict = TG_KINK,
     .op = ELEMENTWISE("relu_", relu, at_least_0),
     3,
     {0, 0, 1}},
    {.name = "|x| at 0", .source = FALSE_ALARM, .verdict = TG_KINK, .op = ELEMENTWISE("abs_", fabs, half), 1, {0}},
    {.name = "max pooling with ties (pytorch#114219)",
     .source = FALSE_ALARM,
     .verdict = TG_KINK,
     .f = pool_ties,
     .n = 4,
     .x = {1, 1, 2, 3}},
    {.name = "runner-up within the step (tensorflow-fast-rcnn#12)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = largest,
     .n = 3,
     .x = {1, 1 - 1e-4, 0.3}},
    {.name = "runner-up within any step",
     .source = FALSE_ALARM,
     .verdict = TG_KINK,
     .f = largest,
     .n = 3,
     .x = {1, 1 - 1e-12, 0.3}},
    {.name = "order of a sort flips (pytorch#57166)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = sorted,
     .n = 4,
     .x = {1, 1 + 1e-5, 2, 0}},
    {.name = "float32 forward (ChainRulesTestUtils#285)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("sin32", single_sin, cos),
     3,
     {0.7, 1.1, -0.3}},
    {.name = "step below the forward's epsilon (jax#7742, pytorch#115634)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("half_precision", half_precision, one),
     2,
     {3.3, 900}},
    {.name = "a stencil wider than the feature (gam#2461)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("narrow", narrow, narrow_slope),
     2,
     {1, 1}},
    {.name = "a bump of width 1e-6",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("bump", bump, bump_slope),
     1,
     {1}},
    {.name = "large offset",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("offset", far_off, cos),
     2,
     {0.7, 1.2}},
    {.name = "stiff",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("stiff", stiff, stiff_slope),
     2,
     {1e-4, 3e-4}},
    {.name = "RMS of 1e-19 and less (jax-gcm#847)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = rms,
     .n = 3,
     .x = {1e-25, -2e-25, 3e-25}},
    {.name = "at the edge of a domain",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = square_root,
     .n = 2,
     .x = {1e-12, 1e-3}},
    {.name = "linear (pyadjoint: log 0 / log 0)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = linear,
     .n = 3,
     .x = {1, 2, 3}},
    {.name = "linear, order 2",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = hypotenuse,
     .n = 2,
     .x = {4, 5},
     .opts = {.order = 3}},
    {.name = "bottom of a bowl",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("small", small, small_slope),
     2,
     {0, 0}},
    {.name = "1e-30 in all",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("tiny", tiny_square, tiny_slope),
     2,
     {1, 3}},
    {.name = "many uses of one element",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = gather_twice,
     .n = 3,
     .x = {0.3, 9, -0.4}},
    {.name = "softmax under signed weights",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = softmax_of,
     .n = 4,
     .x = {1, 2, -1, 0.5}},
    {.name = "fast mode's noise (pytorch#56275)",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .f = softmax_of,
     .n = 4,
     .x = {1, 2, -1, 0.5},
     .opts = {.directions = 4}},

    /* false passes elsewhere */
    {.name = "gradient all zero (tiny-dnn#871, glow#1559)",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("square_", square, zero),
     3,
     {1, 2, 3},
     .culprit = "square_"},
    {.name = "sign flipped (kann compares absolute values)",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("square_", square, minus_twice),
     3,
     {1, 2, 3},
     .culprit = "square_"},
    {.name = "1e-9 that should be 2e-9 (atol 1e-5)",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("small", small, small_wrong),
     1,
     {0},
     .culprit = "small"},
    {.name = "1e-30 wrong by a factor",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("tiny", tiny_square, tiny_wrong),
     2,
     {1, 3},
     .culprit = "tiny"},
    {.name = "3 % off in float32",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("sin32", single_sin, off_cos),
     2,
     {0.7, 1.1},
     .culprit = "sin32"},
    {.name = "3 % off beside a large offset",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("offset", far_off, off_cos),
     2,
     {0.7, 1.1},
     .culprit = "offset"},
    {.name = "10 % off in a narrow feature",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("narrow", narrow, narrow_wrong),
     1,
     {1},
     .culprit = "narrow"},
    {.name = "a factor 3 for 2",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("square_", square, thrice),
     2,
     {1, 2},
     .culprit = "square_"},
    {.name = "no subgradient at a kink",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("relu_", relu, no_kink),
     1,
     {0},
     .culprit = "relu_"},
    {.name = "NaN from the rule (ggml: NaN is not greater)",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("square_", square, log),
     1,
     {-1},
     .culprit = "square_"},
    {.name = "a path cut off", .source = FALSE_PASS, .verdict = TG_WRONG, .f = stopped, .n = 2, .x = {1.5, 2}},
    {.name = "permuted", .source = FALSE_PASS, .verdict = TG_WRONG, .f = transposed, .n = 4, .x = {1, 2, 3, 4}},
    {.name = "mean for sum",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .f = mean_for_sum,
     .n = 4,
     .x = {0.1, 0.2, 0.3, 0.4}},
    {.name = "seed of ones under softmax",
     .source = FALSE_PASS,
     .verdict = TG_NOT_EXERCISED,
     .f = sum_of_softmax,
     .n = 4,
     .x = {1, 2, -1, 0.5}},
    {.name = "seed of ones under batch norm",
     .source = FALSE_PASS,
     .verdict = TG_NOT_EXERCISED,
     .f = centred,
     .n = 4,
     .x = {1, 2, -1, 0.5}},
    {.name = "a checker that checks nothing (caffe#350)",
     .source = FALSE_PASS,
     .verdict = TG_NOT_EXERCISED,
     .f = idle,
     .n = 2,
     .x = {1, 2}},
    {.name = "a step function",
     .source = FALSE_PASS,
     .verdict = TG_NOT_EXERCISED,
     .op = ELEMENTWISE("stairs", stairs, zero),
     2,
     {0.5, 1.4}},
    {.name = "a step function with a slope",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("stairs", stairs, one),
     2,
     {0.5, 1.4},
     .culprit = "stairs"},
    {.name = "second order cut off (pytorch#79609)",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("third_cube", cubed, square),
     2,
     {1, 2},
     .opts = {.order = 2},
     .culprit = "third_cube"},
    {.name = "values below float32's range",
     .source = FALSE_ALARM,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("below_single", below_single, one),
     2,
     {1.25, 3}},
    {.name = "wrong along directions alone",
     .source = FALSE_PASS,
     .verdict = TG_WRONG,
     .op = ELEMENTWISE("square_", square, thrice),
     2,
     {1, 2},
     .opts = {.directions = 2},
     .culprit = "square_"},
    {.name = "right twice",
     .source = SHAPE_OF_IT,
     .verdict = TG_CORRECT,
     .op = ELEMENTWISE("square_", square, twice),
     2,
     {1, 2}},
};
enum { CASES = sizeof corpus / sizeof *corpus };

static tg_tensor *through_op(tg_tensor *const *in, void *user) {
    const corpus_case *c = user;
    return tg_apply(&c->op.op, in, 1, NULL);
}

static tg_gradcheck_report run_case(const corpus_case *c) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(tg_from_with(TG_F64, c->x, TG_SHAPE(c->n)), true);
    tg_gradcheck_with(c->f ? c->f : through_op, (void *)(uintptr_t)c, 1, &x, &r, c->opts);
    return r;
}

/* What the tables of docs/checking.md say: an alarm where there is nothing, and silence where there is something. */
static void count(const corpus_case *c, const tg_gradcheck_report *r) {
    const bool right = tg_verdict_passes(c->verdict);
    counts->cases++;
    counts->alarms += (right && !r->ok) || (c->source == FALSE_ALARM && r->verdict == TG_WRONG);
    counts->passes += !right && r->ok;
    counts->planted += c->culprit != NULL;
    counts->localised += c->culprit && strcmp(r->op, c->culprit) == 0;
}

START_TEST(each_case) {
    const corpus_case *c = &corpus[_i];
    tg_gradcheck_report r = run_case(c);
    count(c, &r);
    ck_assert_msg(r.verdict == c->verdict, "%s: %s instead of %s: %s", c->name, tg_verdict_name(r.verdict),
                  tg_verdict_name(c->verdict), r.message);
    ck_assert(r.ok == tg_verdict_passes(c->verdict));
    ck_assert_msg(strcmp(r.op, c->culprit ? c->culprit : "") == 0, "%s: \"%s\" is named: %s", c->name, r.op,
                  r.message);
}
END_TEST

TCase *tcase_corpus(void) {
    TCase *tc = tcase_create("corpus");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_loop_test(tc, each_case, 0, CASES);
    return tc;
}
