/* Functions of a few numbers. */
#include "tests/autograd/check/corpus.h"

#include <math.h>

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

/* ---- in less precision ---- */

static double minus_cos(double x) { return -cos(x); }
static double far_off_cos(double x) { return 1.1 * cos(x); }

static tg_tensor *singly(tg_tensor *x) { return tg_to(x, TG_F32); }
static tg_tensor *sin_in_f32(tg_tensor *const *in, void *user) {
    return (void)user, tg_to(tg_sin(singly(in[0])), TG_F64);
}
static tg_tensor *off_in_f32(tg_tensor *const *in, void *user) { /* a term of 3 % is cut off */
    (void)user;
    tg_tensor *x = singly(in[0]);
    return tg_to(tg_add(tg_sin(x), tg_mul_scalar(tg_sin(tg_detach(x)), 0.03)), TG_F64);
}
static tg_tensor *norm_in_f32(tg_tensor *const *in, void *user) {
    return (void)user, tg_to(tg_norm(singly(in[0])), TG_F64);
}

/* ---- noise ---- */

/* A number in [-1/2, 1/2] that jumps from float to float. */
static double jumpy(double x) {
    double hash = sin(1e7 * x) * 43758.5453;
    return hash - floor(hash) - 0.5;
}
static double little_noise(double x) { return sin(x) + 1e-8 * jumpy(x); }
static double much_noise(double x) { return sin(x) + 0.1 * jumpy(x); }

/* ---- many elements ---- */

enum { MANY = 4096 };
static tg_tensor *many_normal(const corpus_case *c) {
    tg_rng rng = {.seed = 7};
    tg_tensor *x = tg_zeros(TG_F64, c->n);
    for (int i = 0; i < c->n; i++) ((double *)tg_data_mut(x))[i] = tg_rng_normal(&rng);
    return x;
}
static tg_tensor *sum_of_squares(tg_tensor *const *in, void *user) {
    return (void)user, tg_sum(tg_square(in[0]));
}
static tg_tensor *mean_of_exp(tg_tensor *const *in, void *user) { return (void)user, tg_mean(tg_exp(in[0])); }
static tg_tensor *one_of_many(tg_tensor *const *in, void *user) { /* the gradient by element 0 is 2 too large */
    (void)user;
    tg_tensor *first = tg_slice(in[0], 0, 0, 1, 1);
    return tg_add(tg_sum(tg_square(in[0])), tg_mul_scalar(tg_sum(tg_sub(first, tg_detach(first))), 2));
}

/* ---- hypot and renorm ---- */

static tg_status hypot_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        tg_array_set(c->out[0], i, hypot(tg_array_get(c->in[0], i), tg_array_get(c->in[1], i)));
    return TG_OK;
}
/* The numerators are exchanged, in both forms of the rule, so that each bears out the other. */
static void hypot_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < 2; i++) din[i] = tg_mul(dout[0], tg_div(n->in[1 - i], tg_hypot(n->in[0], n->in[1])));
}
static tg_status hypot_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x[2] = {tg_node_in(n, 0), tg_node_in(n, 1)};
    tg_status s = TG_OK;
    for (int i = 0; i < 2 && s == TG_OK; i++) {
        s = tg_array_alloc_like(&din[i], dout[0]);
        for (int64_t k = 0; s == TG_OK && k < dout[0]->numel; k++) {
            double a = tg_array_get(x[0], k), b = tg_array_get(x[1], k);
            tg_array_set(&din[i], k, tg_array_get(dout[0], k) * (i ? a : b) / hypot(a, b));
        }
    }
    return s;
}
static const tg_op mirrored_hypot = {.name = "hypot_",
                                     .n_in = 2,
                                     .save = TG_IN(0) | TG_IN(1),
                                     .infer = tg_infer_same,
                                     .forward = hypot_forward,
                                     .grad = hypot_grad,
                                     .grad_kernel = hypot_kernel};

static void cut_in_two(tg_tensor *x, tg_tensor *part[2]) {
    int64_t n = tg_numel(x) / 2;
    part[0] = tg_slice(x, 0, 0, n, 1), part[1] = tg_slice(x, 0, n, 2 * n, 1);
}
static tg_tensor *hypot_right(tg_tensor *const *in, void *user) {
    tg_tensor *part[2];
    (void)user;
    cut_in_two(in[0], part);
    return tg_hypot(part[0], part[1]);
}
static tg_tensor *hypot_mirrored(tg_tensor *const *in, void *user) {
    tg_tensor *part[2];
    (void)user;
    cut_in_two(in[0], part);
    return tg_apply(&mirrored_hypot, part, 2, NULL);
}

/* x, or where its norm is larger than 1 what of x has norm 1. */
static tg_tensor *renorm(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], tg_minimum(tg_scalar(TG_F64, 1), tg_reciprocal(tg_norm(in[0]))));
}
static tg_tensor *renorm_held_inside(tg_tensor *const *in, void *user) { /* at 1, 0 of both slopes */
    (void)user;
    return tg_div(in[0], tg_clamp(tg_norm(in[0]), 1, INFINITY));
}
static double factor_of(const tg_array *x) {
    double sum = 0;
    for (int64_t i = 0; i < x->numel; i++) sum += tg_array_get(x, i) * tg_array_get(x, i);
    return sum > 1 ? 1 / sqrt(sum) : 1;
}
static tg_status renorm_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++)
        tg_array_set(c->out[0], i, factor_of(c->in[0]) * tg_array_get(c->in[0], i));
    return TG_OK;
}
static void renorm_grad(const tg_node *n, tg_tensor *const *dout,
                        tg_tensor **din) { /* as if the factor were constant */
    din[0] = tg_mul_scalar(dout[0], factor_of(tg_array_of(n->in[0])));
}
static const tg_op wrong_renorm = {.name = "renorm_",
                                   .n_in = 1,
                                   .save = TG_IN(0),
                                   .infer = tg_infer_same,
                                   .forward = renorm_forward,
                                   .grad = renorm_grad};
static tg_tensor *renorm_wrong(tg_tensor *const *in, void *user) {
    return (void)user, tg_apply(&wrong_renorm, in, 1, NULL);
}

/* ---- at special points ---- */

static tg_tensor *pool_2d(tg_tensor *const *in, void *user) {
    return (void)user, tg_max_pool2d(tg_reshape(in[0], 1, 1, 2, 4), .kernel = {2, 2});
}
static double billionth(double x) { return 1e-9 * x; }
static double minus_billionth(double x) { return (void)x, -1e-9; }
static double stiff_wrong(double x) { return 1.1 * stiff_slope(x); }
static double from_0(double x) { return x * x + x; }
static double from_0_slope(double x) { return 2 * x + 1; }
static double from_0_wrong(double x) { return 2 * x + 1.01; }

static const corpus_case cases[] = {
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
    {.name = "hypot beside a constant, three orders",
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

    /* more of the same list */
    {RIGHT("max_pool2d with ties (pytorch#114219)", TG_KINK), .f = pool_2d, .n = 8,
     .x = {1, 1, 4, 0, 1, 0.5, 2, 4}},
    {RIGHT("f32 on the way", TG_CORRECT), .f = sin_in_f32, .n = 3, .x = {0.7, 1.1, -0.3}},
    {RIGHT("norm of 1e-25 in f32", TG_CORRECT), .f = norm_in_f32, .n = 3, .x = {1e-25, -2e-25, 3e-25}},
    {RIGHT("evaluator noise (gam#2425)", TG_CORRECT), .op = ELEMENTWISE("noisy", little_noise, cos), .n = 2,
     .x = {0.7, 1.2}},
    {RIGHT("noise as large as what it hides", TG_NOISE_LIMITED), .op = ELEMENTWISE("noisy", much_noise, cos),
     .n = 2, .x = {0.7, 1.2}},
    {RIGHT("a forward difference at 0 (MATLAB)", TG_CORRECT),
     .op = ELEMENTWISE("from_0", from_0, from_0_slope), .n = 2, .x = {0, 0}},
    {RIGHT("scaling with dimension (jax#3130)", TG_CORRECT), .f = sum_of_squares, .n = MANY,
     .opts = {.samples = 16}, .input = many_normal},
    {RIGHT("scaling with dimension, a mean (chainer#3046)", TG_CORRECT), .f = mean_of_exp, .n = MANY,
     .opts = {.samples = 16}, .input = many_normal},
    {RIGHT("scaling with dimension, along directions", TG_CORRECT), .f = mean_of_exp, .n = MANY,
     .opts = {.directions = 4}, .input = many_normal},
    {RIGHT("hypot of two inputs", TG_CORRECT), .f = hypot_right, .n = 4, .x = {3e-200, 1e-200, 4e-200, -2e-200}},
    {RIGHT("hypot at the origin", TG_KINK), .f = hypot_right, .n = 2, .x = {0, 0}},
    {RIGHT("renorm (pytorch#59615)", TG_CORRECT), .f = renorm, .n = 4, .x = {3, -1, 0.5, 2}},
    {RIGHT("renorm along directions", TG_CORRECT), .f = renorm, .n = 4, .x = {3, -1, 0.5, 2},
     .opts = {.directions = 4}},
    {RIGHT("renorm at its norm", TG_KINK), .f = renorm_held_inside, .n = 3, .x = {0, 1, 0}},
    {WRONG("sign flipped in bf16", "bf16_sin"), .op = ELEMENTWISE("bf16_sin", bf16_sin, minus_cos), .n = 2,
     .x = {0.7, 1.1}},
    {WRONG("10 % off in f16", "f16_sin"), .op = ELEMENTWISE("f16_sin", f16_sin, far_off_cos), .n = 2,
     .x = {0.7, 1.1}},
    {WRONG("3 % cut off in f32 on the way", NULL), .f = off_in_f32, .n = 3, .x = {0.7, 1.1, -0.3}},
    {WRONG("3 % off amid evaluator noise", "noisy"), .op = ELEMENTWISE("noisy", little_noise, off_cos),
     .n = 2, .x = {0.7, 1.2}},
    {WRONG("1e-9 with the wrong sign", "billionth"),
     .op = ELEMENTWISE("billionth", billionth, minus_billionth), .n = 2, .x = {0.4, 3}},
    {WRONG("1e-9 that should not be 0", "billionth"), .op = ELEMENTWISE("billionth", billionth, zero), .n = 2,
     .x = {0.4, 3}},
    {WRONG("stiff, 10 % off", "stiff"), .op = ELEMENTWISE("stiff", stiff, stiff_wrong), .n = 2,
     .x = {1e-4, 3e-4}},
    {WRONG("1 % off at 0", "from_0"), .op = ELEMENTWISE("from_0", from_0, from_0_wrong), .n = 2, .x = {0, 0}},
    {WRONG("one of 4096, along directions", NULL), .f = one_of_many, .n = MANY, .opts = {.directions = 4},
     .input = many_normal},
    {WRONG("hypot mirrored (ChainRules#74, #76)", "hypot_"), .f = hypot_mirrored, .n = 4, .x = {3, 1, 4, -2},
     .fault = TG_FAULT_RULE},
    {WRONG("renorm with its factor held (pytorch#59615)", "renorm_"), .f = renorm_wrong, .n = 4,
     .x = {3, -1, 0.5, 2}},
    {WRONG("the same in fast mode (pytorch#59615)", "renorm_"), .f = renorm_wrong, .n = 4,
     .x = {3, -1, 0.5, 2}, .opts = {.directions = 1}},
    {.name = "slow tests skipped (pytorch#80411)",
     .source = FALSE_PASS,
     .verdict = TG_NO_VERDICT,
     .op = ELEMENTWISE("square_", square, twice),
     .n = 2,
     .x = {1, 2},
     .opts = {.seconds = TG_ZERO}},
};
const corpus_table corpus_of_values = {cases, sizeof cases / sizeof *cases};
