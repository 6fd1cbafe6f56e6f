/* Odd shapes and layouts: scalars, axes of size one, no elements, views. */
#include "tests/autograd/check/corpus.h"

#include <math.h>

/* ---- inputs ---- */

static tg_tensor *numbers(const corpus_case *c, tg_shape shape) {
    tg_tensor *x = tg_zeros_with(TG_F64, shape);
    for (int64_t i = 0; i < tg_numel(x); i++) ((double *)tg_data_mut(x))[i] = c->x[i % 8];
    return x;
}
static tg_tensor *scalar(const corpus_case *c) { return numbers(c, TG_SCALAR); }
static tg_tensor *all_ones(const corpus_case *c) { return numbers(c, TG_SHAPE(1, 1, 1)); }
static tg_tensor *eight_axes(const corpus_case *c) { return numbers(c, TG_SHAPE(1, 1, 2, 1, 1, 1, 2, 1)); }
static tg_tensor *column(const corpus_case *c) { return numbers(c, TG_SHAPE(4, 1)); }
static tg_tensor *row(const corpus_case *c) { return numbers(c, TG_SHAPE(1, 4)); }
static tg_tensor *odd(const corpus_case *c) { return numbers(c, TG_SHAPE(3, 1, 5)); }
static tg_tensor *nothing(const corpus_case *c) { return numbers(c, TG_SHAPE(3, 0)); }
static tg_tensor *transposed(const corpus_case *c) { return tg_transpose(numbers(c, TG_SHAPE(2, 4)), 0, 1); }
static tg_tensor *reversed(const corpus_case *c) {
    return tg_slice(numbers(c, TG_SHAPE(5)), 0, TG_END, TG_END, -1);
}
static tg_tensor *with_gaps(const corpus_case *c) {
    return tg_slice(numbers(c, TG_SHAPE(4, 7)), 1, 1, TG_END, 3);
}
static tg_tensor *repeated(const corpus_case *c) {
    return tg_expand_with(numbers(c, TG_SHAPE(1, 3)), TG_SHAPE(4, 3));
}

/* ---- functions ---- */

static tg_tensor *exp_of(tg_tensor *const *in, void *user) { return (void)user, tg_exp(in[0]); }
static tg_tensor *softmax_last(tg_tensor *const *in, void *user) { return (void)user, tg_softmax(in[0], -1); }
static tg_tensor *softmax_first(tg_tensor *const *in, void *user) { return (void)user, tg_softmax(in[0], 0); }
static tg_tensor *outer(tg_tensor *const *in, void *user) { /* broadcast both ways */
    return (void)user, tg_mul(in[0], tg_sin(tg_transpose(in[0], 0, 1)));
}
static tg_tensor *standardised(tg_tensor *const *in, void *user) { /* over the last axis: of one number, 0 */
    (void)user;
    tg_tensor *x = tg_sub(in[0], tg_mean(in[0], .axes = TG_SHAPE(-1), .keepdim = true));
    return tg_mul_scalar(x, 3);
}
static tg_tensor *mean_and_sum(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_add(tg_mean(tg_square(in[0])), tg_sum(tg_exp(in[0]), .axes = TG_SHAPE(1), .keepdim = true));
}
static tg_tensor *overlapping(tg_tensor *const *in,
                              void *user) { /* windows of three, each element in up to three */
    (void)user;
    tg_tensor *y = tg_slice(in[0], 0, 0, -2, 1);
    for (int i = 1; i < 3; i++) y = tg_mul(y, tg_slice(in[0], 0, i, i == 1 ? -1 : TG_END, 1));
    return y;
}

/* ---- ops that are wrong for some shapes and layouts alone ---- */

static tg_status square_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double x = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, x * x);
    }
    return TG_OK;
}
static bool always(const tg_tensor *x) { return (void)x, true; }
static bool is_scalar(const tg_tensor *x) { return tg_rank(x) == 0; }
static bool has_axis_of_one(const tg_tensor *x) {
    for (int i = 0; i < tg_rank(x); i++)
        if (tg_shape_of(x).dim[i] == 1) return true;
    return false;
}
static bool is_odd(const tg_tensor *x) { return tg_numel(x) % 2 == 1; }

/* 2 x, but for one element where the shape is such: the last has no gradient. */
static void square_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din,
                        bool (*wrong)(const tg_tensor *)) {
    tg_tensor *x = n->in[0], *slope = tg_mul_scalar(tg_detach(x), 2);
    if (wrong(x)) ((double *)tg_data_mut(slope))[tg_numel(x) - 1] = 0;
    din[0] = tg_mul(dout[0], slope);
}
#define WRONG_WHERE(name_) \
    static void grad_##name_(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) { \
        square_rule(n, dout, din, name_); \
    } \
    static const tg_op op_##name_ = {.name = #name_, \
                                     .n_in = 1, \
                                     .save = TG_IN(0), \
                                     .infer = tg_infer_same, \
                                     .forward = square_forward, \
                                     .grad = grad_##name_}; \
    static tg_tensor *of_##name_(tg_tensor *const *in, void *user) { \
        return (void)user, tg_apply(&op_##name_, in, 1, NULL); \
    }
WRONG_WHERE(always)
WRONG_WHERE(is_scalar)
WRONG_WHERE(has_axis_of_one)
WRONG_WHERE(is_odd)

/* The kernel takes x to be contiguous; the rule made of ops is right. */
static void strides_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(n->in[0], 2));
}
static tg_status strides_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const double *x = tg_node_in(n, 0)->data;
    tg_status s = tg_array_alloc(&din[0], TG_F64, tg_array_shape(dout[0]));
    for (int64_t i = 0; s == TG_OK && i < din[0].numel; i++)
        tg_array_set(&din[0], i, 2 * x[i] * tg_array_get(dout[0], i));
    return s;
}
static const tg_op without_strides = {.name = "without_strides",
                                      .n_in = 1,
                                      .save = TG_IN(0),
                                      .infer = tg_infer_same,
                                      .forward = square_forward,
                                      .grad = strides_grad,
                                      .grad_kernel = strides_kernel};
static tg_tensor *strides_ignored(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *x = tg_transpose(tg_mul_scalar(in[0], 1), 0, 1);
    return tg_apply(&without_strides, &x, 1, NULL);
}

#define NUMBERS .x = {0.3, -0.7, 1.1, 0.5, -1.3, 0.9, 2.1, -0.2}
static const corpus_case cases[] = {
    {RIGHT("a scalar", TG_CORRECT), .f = exp_of, .input = scalar, NUMBERS},
    {RIGHT("a scalar along directions", TG_CORRECT), .f = exp_of, .input = scalar, NUMBERS,
     .opts = {.directions = 2}},
    {RIGHT("a scalar, two orders", TG_CORRECT), .f = exp_of, .input = scalar, NUMBERS, .opts = {.order = 2}},
    {RIGHT("all axes of size 1", TG_CORRECT), .f = exp_of, .input = all_ones, NUMBERS},
    {RIGHT("eight axes", TG_CORRECT), .f = exp_of, .input = eight_axes, NUMBERS},
    {RIGHT("a column, broadcast", TG_CORRECT), .f = outer, .input = column, NUMBERS},
    {RIGHT("a row, broadcast", TG_CORRECT), .f = outer, .input = row, NUMBERS},
    {RIGHT("an axis of size 1 between others", TG_CORRECT), .f = mean_and_sum, .input = odd, NUMBERS},
    {RIGHT("the same, two orders", TG_CORRECT), .f = mean_and_sum, .input = odd, NUMBERS, .opts = {.order = 2}},
    {RIGHT("a transposed view", TG_CORRECT), .f = softmax_last, .input = transposed, NUMBERS},
    {RIGHT("a reversed view", TG_CORRECT), .f = exp_of, .input = reversed, NUMBERS},
    {RIGHT("a view with gaps", TG_CORRECT), .f = exp_of, .input = with_gaps, NUMBERS},
    {RIGHT("a view that repeats elements", TG_CORRECT), .f = softmax_first, .input = repeated, NUMBERS},
    {RIGHT("views that overlap", TG_CORRECT), .f = overlapping, .n = 7, NUMBERS},
    {RIGHT("an even number of elements (burn#5304)", TG_CORRECT), .f = of_is_odd, .n = 6, NUMBERS},
    {IDLE("no elements"), .f = exp_of, .input = nothing, NUMBERS},
    {IDLE("softmax over an axis of size 1"), .f = softmax_last, .input = column, NUMBERS},
    {IDLE("one example standardised"), .f = standardised, .input = column, NUMBERS},
    {WRONG("the last element of any shape", "always"), .f = of_always, .input = odd, NUMBERS},
    {WRONG("the only element of a scalar", "is_scalar"), .f = of_is_scalar, .input = scalar, NUMBERS},
    {WRONG("where an axis has size 1", "has_axis_of_one"), .f = of_has_axis_of_one, .input = odd, NUMBERS},
    {WRONG("an odd number of elements (burn#5304)", "is_odd"), .f = of_is_odd, .n = 7, NUMBERS},
    {WRONG("strides ignored", "without_strides"), .f = strides_ignored, .input = transposed, NUMBERS,
     .fault = TG_FAULT_TRANSPOSE},
};
const corpus_table corpus_of_shapes = {cases, sizeof cases / sizeof *cases};
