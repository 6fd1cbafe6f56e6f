/* Backward passes by hand, graded: right ones, wrong ones of each kind, and what cannot be graded. */
#include "autograd/check/grade.h"

#include "tests/autograd/helpers.h"

#include <math.h>

/* ---- a layer, with all that it takes ---- */

enum { N = 4, IN = 3, OUT = 2 };

typedef struct layer {
    tg_tensor *x, *y, *w, *b, *z, *a, *e, *loss;
    tg_tensor *da, *dz, *dw, *db, *dx; /* by hand, and right */
} layer;

static tg_tensor *wave(tg_dtype dtype, double phase, int64_t rows, int64_t cols) {
    double v[N * IN];
    for (int64_t i = 0; i < rows * cols; i++) v[i] = sin((double)(3 * i) + phase);
    return tg_to(cols ? tg_from(TG_F64, v, rows, cols) : tg_from(TG_F64, v, rows), dtype);
}

static layer make_layer(tg_dtype dtype) {
    layer l = {.x = tg_set_requires_grad(wave(dtype, 1, N, IN), true), .y = wave(dtype, 2, N, OUT)};
    l.w = tg_set_name(tg_set_requires_grad(wave(dtype, 3, IN, OUT), true), "w");
    l.b = tg_set_name(tg_set_requires_grad(tg_reshape(wave(dtype, 4, 1, OUT), OUT), true), "b");
    l.z = tg_add(tg_matmul(l.x, l.w), l.b);
    l.a = tg_tanh(l.z);
    l.e = tg_sub(l.a, l.y);
    l.loss = tg_mean(tg_square(l.e));
    bool was = tg_set_grad_enabled(false);
    l.da = tg_mul_scalar(l.e, 2.0 / (N * OUT));
    l.dz = tg_mul(l.da, tg_sub(tg_ones_like(l.a), tg_square(l.a)));
    l.dw = tg_matmul(tg_transpose(l.x, 0, 1), l.dz);
    l.db = tg_sum(l.dz, .axes = {1, {0}});
    l.dx = tg_matmul(l.dz, tg_transpose(l.w, 0, 1));
    tg_set_grad_enabled(was);
    expect_ok();
    return l;
}

static tg_grade_report grade_layer(const layer *l) {
    tg_grade_report r;
    const tg_by_hand given[] = {
        {"dx", l->x, l->dx}, {"db", l->b, l->db}, {NULL, l->w, l->dw}, {"dz", l->z, l->dz}, {"da", l->a, l->da}};
    bool ok = tg_grade(l->loss, 5, given, &r);
    ck_assert_int_eq(ok, r.ok);
    ck_assert(!strchr(r.message, '\n'));
    expect_ok();
    return r;
}

#define expect_message(r, ...) expect_message_at(__LINE__, &(r), (const char *[]){__VA_ARGS__, NULL})
static void expect_message_at(int line, const tg_grade_report *r, const char *const *words) {
    for (; *words; words++)
        ck_assert_msg(strstr(r->message, *words), "line %d: no \"%s\" in: %s", line, *words, r->message);
}

START_TEST(right_passes) {
    for (int k = 0; k < 2; k++) {
        layer l = make_layer(k ? TG_F32 : TG_F64);
        tg_grade_report r = grade_layer(&l);
        ck_assert_msg(r.ok, "%s", r.message);
        ck_assert(r.compared == 5 && r.wrong == 0 && r.follow == 0 && r.index == -1 && r.node == -1);
        ck_assert_int_eq(r.numbers, N * IN + OUT + IN * OUT + 2 * N * OUT);
        expect_message(r, "right: 5 gradients, 36 numbers");
        ck_assert(!tg_has_grad(l.w));
        ck_assert_int_eq(tg_backward(l.loss), TG_OK);
        r = grade_layer(&l); /* what was walked can be walked once more */
        ck_assert_msg(r.ok, "%s", r.message);
    }
}
END_TEST

/* ---- one slip of each kind ---- */

typedef void slip_fn(layer *l);
static void absent(layer *l) { l->dz = NULL; }
static void no_slope(layer *l) { l->dz = l->da; }
static void slope_alone(layer *l) { l->dz = tg_sub(tg_ones_like(l->a), tg_square(l->a)); }
static void sign(layer *l) { l->da = tg_neg(l->da); }
static void twice(layer *l) { l->dw = tg_mul_scalar(l->dw, 7); }
static void half(layer *l) { l->dw = tg_mul_scalar(l->dw, 0.2); }
static void mean_again(layer *l) { l->db = tg_mul_scalar(l->db, 0.25); }
static void no_mean(layer *l) { l->da = tg_mul_scalar(l->da, 4); }
static void turned(layer *l) { l->dw = tg_transpose(l->dw, 0, 1); }
static void not_summed(layer *l) { l->db = l->dz; }
static void summed(layer *l) { l->dz = tg_sum(l->dz, .axes = {1, {0}}); }
static void summed_wrongly(layer *l) { l->db = tg_sum(l->dz, .axes = {1, {0}}, .keepdim = true); }
static void shape(layer *l) { l->db = tg_zeros(TG_F64, 3); }
static void dtype(layer *l) { l->db = tg_to(l->db, TG_F32); }
static void zero(layer *l) { l->dx = tg_zeros_like(l->dx); }
static void one_nan(layer *l) { ((double *)tg_data_mut(l->dw))[3] = NAN; }
static void one_element(layer *l) { ((double *)tg_data_mut(l->dz))[5] *= 3; }
static void some_zero(layer *l) {
    ((double *)tg_data_mut(l->dz))[5] = 0, ((double *)tg_data_mut(l->dz))[2] = 0;
}
static void another(layer *l) { l->dw = tg_add(l->dw, wave(TG_F64, 5, IN, OUT)); }

static const struct {
    slip_fn *make;
    tg_slip slip;
    int index, element;
    double factor;
    const char *says[4];
} slips[] = {
    {absent, TG_SLIP_ABSENT, 3, -1, NAN, {"dz, by #2 tanh (test_grade.c:", "is not given"}},
    {no_slope, TG_SLIP_SLOPE, 3, 0, NAN, {"dz, by #2 tanh", "the slope", "(by differences "}},
    {slope_alone, TG_SLIP_DOUT, 3, 0, NAN, {"the slope alone"}},
    {sign, TG_SLIP_SIGN, 4, 0, -1, {"da, by #3 sub", "wrong sign"}},
    {twice, TG_SLIP_FACTOR, 2, 0, 7, {"dw, by #0 matmul", "is 7 times what it should be. First at [0, 0]: "}},
    {half, TG_SLIP_FACTOR, 2, 0, 0.2, {"is 1/5 of what it should be"}},
    {mean_again,
     TG_SLIP_COUNT,
     1,
     0,
     0.25,
     {"db, by #1 add", "1/4 of what it should be; 4 is the size of an axis", "once too often. First"}},
    {no_mean, TG_SLIP_COUNT, 4, 0, 4, {"da, by #3 sub", "4 times", "perhaps a division by it is missing."}},
    {turned,
     TG_SLIP_TRANSPOSED,
     2,
     -1,
     NAN,
     {"dw, by #0 matmul", "is transposed: [2, 3] f64 in place of [3, 2] f64."}},
    {not_summed,
     TG_SLIP_NOT_SUMMED,
     1,
     -1,
     NAN,
     {"db, by #1 add", "is not summed over axis 0, along which it was broadcast: [4, 2] f64"}},
    {summed, TG_SLIP_SUMMED, 3, -1, NAN, {"is summed over axis 0: [2] f64 in place of [4, 2] f64"}},
    {summed_wrongly, TG_SLIP_NOT_SUMMED, 1, -1, NAN, {"[1, 2] f64 in place of [2] f64"}},
    {shape, TG_SLIP_SHAPE, 1, -1, NAN, {"has the wrong shape or dtype: [3] f64 in place of [2] f64"}},
    {dtype, TG_SLIP_SHAPE, 1, -1, NAN, {"[2] f32 in place of [2] f64"}},
    {zero, TG_SLIP_ZERO, 0, 0, 0, {"dx, by #0 matmul", "is 0 everywhere"}},
    {one_nan, TG_SLIP_NOT_FINITE, 2, 3, NAN, {"is not finite. First at [1, 1]: nan instead of "}},
    {one_element, TG_SLIP_SOME, 3, 5, 3, {"is wrong in 1 of 8 elements, all of which are 3 times", "First at [2, 1]"}},
    {some_zero, TG_SLIP_SOME, 3, 2, 0, {"is wrong in 2 of 8 elements, which are 0", "First at [1, 0]"}},
    {another, TG_SLIP_OTHER, 2, 0, NAN, {"is not right. First at [0, 0]"}},
};

START_TEST(slips_are_named) {
    layer l = make_layer(TG_F64);
    slips[_i].make(&l);
    tg_grade_report r = grade_layer(&l);
    ck_assert_msg(!r.ok && r.slip == slips[_i].slip, "%s: %s", tg_slip_name(r.slip), r.message);
    ck_assert_msg(r.wrong == 1 && r.follow == 0 && strchr(r.message, '\0')[-1] == '.', "%s", r.message);
    ck_assert_msg(r.index == slips[_i].index && r.element == slips[_i].element, "%d %d: %s", r.index,
                  (int)r.element, r.message);
    if (!isnan(slips[_i].factor))
        ck_assert_msg(fabs(r.factor - slips[_i].factor) < 1e-9, "%g: %s", r.factor, r.message);
    for (int k = 0; k < 4 && slips[_i].says[k]; k++)
        ck_assert_msg(strstr(r.message, slips[_i].says[k]), "no \"%s\" in: %s", slips[_i].says[k], r.message);
    if (r.element >= 0) {
        ck_assert_msg(r.verdict == TG_CORRECT, "%s", r.message);
        ck_assert(fabs(r.numeric - r.right) <= 1e-8 && r.error < 1e-6);
    }
}
END_TEST

/* The first slip is one, and what follows from it is not counted; a second is. */
START_TEST(what_follows_is_no_slip) {
    layer l = make_layer(TG_F64);
    l.dz = tg_mul_scalar(l.dz, 3);
    l.dw = tg_matmul(tg_transpose(l.x, 0, 1), l.dz), l.dx = tg_matmul(l.dz, tg_transpose(l.w, 0, 1));
    l.db = tg_sum(l.dz, .axes = {1, {0}});
    tg_grade_report r = grade_layer(&l);
    ck_assert_msg(r.slip == TG_SLIP_FACTOR && r.wrong == 1 && r.follow == 3 && r.index == 3, "%s", r.message);
    expect_message(r, "dz, by #2 tanh", "dx, db and dw follow from it, and have no slip of their own.");
    l.dw = tg_neg(l.dw);
    r = grade_layer(&l);
    ck_assert_msg(r.wrong == 2 && r.follow == 2 && r.index == 3, "%s", r.message);
    expect_message(r, "dz, by #2 tanh", " dw has a slip of its own.", " dx and db follow from it");
}
END_TEST

/* Of a tensor that is used twice the contributions are known apart. */
START_TEST(paths_add_up) {
    tg_tensor *x = leaf(3), *a = tg_mul(x, x), *loss = tg_add(a, tg_exp(x));
    const double parts[] = {3, exp(3), 6, 3 + exp(3)};
    tg_grade_report r;
    for (int k = 0; k < 4; k++) {
        ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_scalar(TG_F64, parts[k])}, &r));
        ck_assert_msg(r.slip == TG_SLIP_PATH && r.node == 1, "%s: %s", tg_slip_name(r.slip), r.message);
        ck_assert_int_eq(r.verdict, TG_CORRECT);
        expect_message(r, "there are 3 contributions, and they are added. It is ",
                       k == 0   ? "is only what comes by #0 mul"
                       : k == 1 ? "is only what comes by #1 exp"
                       : k == 2 ? "lacks what comes by #1 exp"
                                : "lacks what comes by #0 mul");
    }
    ck_assert_msg(tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_scalar(TG_F64, 6 + exp(3))}, &r), "%s",
                  r.message);
    /* a constant, the loss itself, and what it does not depend on */
    tg_tensor *aside = tg_exp(x);
    const tg_by_hand more[] = {{NULL, loss, tg_scalar(TG_F64, 1)}, {"daside", aside, tg_scalar(TG_F64, 0)}};
    ck_assert_msg(tg_grade(loss, 2, more, &r), "%s", r.message);
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"daside", aside, tg_scalar(TG_F64, 1)}, &r));
    expect_message(r, "daside is not right. It is 1 instead of 0. ", "The loss does not depend on it.");
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){NULL, loss, tg_scalar(TG_F64, 2)}, NULL));
}
END_TEST

/* What differences say: where the tape itself is wrong, and at a kink. */
static tg_status wrong_infer(const tg_call *c) { return tg_infer_same(c); }
static tg_status wrong_forward(const tg_call *c) {
    tg_array_set(c->out[0], 0, 2 * tg_array_get(c->in[0], 0));
    return TG_OK;
}
static void wrong_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, din[0] = dout[0];
}
static const tg_op wrong_op = {
    .name = "wrong", .n_in = 1, .infer = wrong_infer, .forward = wrong_forward, .grad = wrong_grad};

START_TEST(differences_are_a_witness) {
    tg_grade_report r;
    tg_tensor *x = leaf(3), *loss = tg_apply(&wrong_op, &x, 1, NULL);
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_scalar(TG_F64, 2)}, &r));
    ck_assert_int_eq(r.verdict, TG_WRONG);
    expect_message(r, "2 instead of 1 (but differences say 2 +- ", "tg_gradcheck");
    x = leaf(0), loss = tg_relu(x);
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_scalar(TG_F64, 2)}, &r));
    ck_assert_int_eq(r.verdict, TG_KINK);
    expect_message(r, "2 instead of 0 (at a kink: its slopes are 0 and 1)");
    loss = tg_add(x, x);
    tg_drop_elements(loss); /* then nobody can tell whether it is as it was */
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_scalar(TG_F64, 5)}, &r));
    ck_assert_int_eq(r.verdict, TG_NO_VERDICT);
    /* a loss made of several ops, which has dropped what stands between them */
    x = tg_set_requires_grad(wave(TG_F64, 1, N, OUT), true);
    loss = tg_cross_entropy(x, tg_full(TG_F64, 0.5, N, OUT));
    ck_assert(!tg_grade(loss, 1, &(tg_by_hand){"dx", x, tg_ones_like(x)}, &r));
    ck_assert_msg(r.verdict == TG_CORRECT, "%s", r.message);
    /* in f32, run again in f64 */
    layer l = make_layer(TG_F32);
    l.dz = l.da;
    r = grade_layer(&l);
    ck_assert_msg(r.verdict == TG_CORRECT && fabs(r.numeric - r.right) < 1e-6 && r.error < 1e-8, "%s",
                  r.message);
}
END_TEST

/* ---- one rule ---- */

static void mul_right(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], n->in[1]), din[1] = tg_mul(dout[0], n->in[0]);
}
static void mul_swapped(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], n->in[0]), din[1] = tg_mul(dout[0], n->in[1]);
}
static void mul_half(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = tg_mul(dout[0], n->in[1]);
}
static void mul_slope(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *ones = tg_ones_like(dout[0]);
    din[0] = tg_mul(ones, n->in[1]), din[1] = tg_mul(ones, n->in[0]);
}
static void mul_passes(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, din[0] = din[1] = dout[0];
}
static void mul_fails(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = din[1] = tg_matmul(n->in[0], dout[0]);
}
static void mul_walks(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *z = tg_set_requires_grad(tg_scalar(TG_F64, 2), true), *g;
    bool was = tg_set_grad_enabled(true);
    tg_tensor *y = tg_mul(z, z);
    tg_grad(1, &y, 1, &z, &g);
    tg_set_grad_enabled(was);
    mul_right(n, dout, din);
    din[0] = tg_mul(din[0], tg_mul_scalar(g, 0.25));
}

static const struct {
    tg_grad_fn rule;
    tg_slip slip;
    int index, node;
    const char *says[3];
} rules[] = {
    {mul_right, TG_SLIP_NONE, -1, -1, {"right: mul, at 2 nodes, 20 numbers"}},
    {mul_walks, TG_SLIP_NONE, -1, -1, {"right: mul"}},
    {mul_swapped,
     TG_SLIP_OTHER,
     0,
     1,
     {"da, of #1 mul (test_grade.c:", "is not right. First at [0, 0]", "Of 2 such nodes it is wrong at 2."}},
    {mul_half, TG_SLIP_ABSENT, 1, 0, {"db, of #0 mul", "is not given."}},
    {mul_slope, TG_SLIP_DOUT, 0, 0, {"the slope alone", "(by differences "}},
    {mul_passes, TG_SLIP_SLOPE, 0, 1, {"is what comes in there, unchanged"}},
    {mul_fails, TG_SLIP_FAILED, 0, 1, {"mul: the rule fails at #1 mul", "inner sizes differ"}},
};

START_TEST(rules_are_graded) {
    tg_tensor *x = tg_set_requires_grad(wave(TG_F64, 1, N, OUT), true),
              *s = tg_set_requires_grad(tg_reshape(wave(TG_F64, 2, 1, OUT), OUT), true);
    tg_tensor *once = tg_mul(x, s); /* s is broadcast */
    tg_tensor *loss = tg_sum(tg_mul(once, tg_detach(x)));
    tg_grade_report r;
    ck_assert_int_eq(tg_grade_rule(loss, "mul", rules[_i].rule, &r), rules[_i].slip == TG_SLIP_NONE);
    expect_ok();
    ck_assert_msg(r.slip == rules[_i].slip && r.index == rules[_i].index, "%s: %s", tg_slip_name(r.slip),
                  r.message);
    for (int k = 0; k < 3 && rules[_i].says[k]; k++)
        if (rules[_i].slip != TG_SLIP_NONE || k > 0)
            ck_assert_msg(strstr(r.message, rules[_i].says[k]), "no \"%s\" in: %s", rules[_i].says[k],
                          r.message);
    ck_assert_int_eq(r.node, rules[_i].node);
}
END_TEST

static void linear_turned(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_matmul(dout[0], n->in[1]);
    din[1] = tg_matmul(tg_transpose(n->in[0], 0, 1), dout[0]);
    din[2] = dout[0]; /* the walk sums it */
}

static void tanh_passes(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, din[0] = dout[0];
}

/* A rule may return the broadcast shape; a matrix that is turned round is told. */
START_TEST(rules_of_layers) {
    tg_tensor *x = wave(TG_F64, 1, N, IN), *w = tg_set_requires_grad(wave(TG_F64, 3, OUT, IN), true);
    tg_tensor *b = tg_set_requires_grad(tg_reshape(wave(TG_F64, 4, 1, OUT), OUT), true);
    tg_tensor *loss = tg_mean(tg_tanh(tg_linear(x, w, .bias = b)));
    tg_grade_report r;
    ck_assert(!tg_grade_rule(loss, "linear", linear_turned, &r));
    ck_assert_msg(r.slip == TG_SLIP_TRANSPOSED && r.index == 1 && r.compared == 2 && r.wrong == 1, "%s",
                  r.message);
    expect_message(r, "is transposed: [3, 2] f64 in place of [2, 3] f64.");
    ck_assert(!tg_grade_rule(loss, "tanh", mul_passes, &r));
    ck_assert_int_eq(r.slip, TG_SLIP_FAILED);
    expect_message(r, "tanh: the rule fails at #1 tanh", "it sets din[1], and tanh has 1 input");
}
END_TEST

/* ---- what cannot be graded ---- */

START_TEST(bad_input_is_refused) {
    layer l = make_layer(TG_F64), *p = &l;
    tg_grade_report r;
    const tg_by_hand one = {"dw", l.w, l.dw}, twice[] = {one, one};
    tg_tensor *gone;
    tg_mark m = tg_tape_mark();
    gone = tg_exp(l.b);
    tg_tape_rewind(m);
#define refused(call, ...) \
    do { \
        ck_assert_msg(!(call) && !r.ok && r.index == -1, "%s", r.message); \
        expect_ok(); \
        expect_message(r, __VA_ARGS__); \
    } while (0)
    refused(tg_grade(NULL, 1, &one, &r), "tg_grade: the loss is NULL");
    refused(tg_grade(gone, 1, &one, &r), "rewound");
    refused(tg_grade(p->z, 1, &one, &r), "the loss, [4, 2] f64, is not one number");
    refused(tg_grade(tg_scalar(TG_F64, 1), 1, &one, &r), "made by no recorded op");
    refused(tg_grade(p->loss, 0, &one, &r), "must be given");
    refused(tg_grade(p->loss, 1, NULL, &r), "must be given");
    refused(tg_grade(p->loss, 1, &(tg_by_hand){"dw", NULL, p->dw}, &r), "the tensor of gradient 0 is NULL");
    refused(tg_grade(p->loss, 1, &(tg_by_hand){"dw", p->w, gone}, &r), "gradient 0");
    refused(tg_grade(p->loss, 1, &(tg_by_hand){"dy", p->y, p->dz}, &r), "requires no gradient");
    refused(tg_grade(p->loss, 2, twice, &r), "gradients 0 and 1 are both of w [3, 2] f64");
    refused(tg_grade_rule(p->loss, NULL, mul_right, &r), "the op's name is NULL");
    refused(tg_grade_rule(p->loss, "tanh", NULL, &r), "the rule is NULL");
    refused(tg_grade_rule(p->loss, "relu", mul_right, &r), "depends on no node of the op \"relu\"");
    tg_fail(TG_ERR_SHAPE, "an error before");
    ck_assert(!tg_grade(p->loss, 1, &one, &r));
    expect_message(r, "an error before");
    ck_assert(!tg_grade_rule(p->loss, "tanh", mul_right, &r));
    expect_error(TG_ERR_SHAPE, "an error before");
    /* what the tape's rule needs has been changed */
    ((double *)tg_data_mut(p->z))[0] = 0;
    refused(tg_grade(p->loss, 1, &one, &r), "changed");
    for (int k = -1; k <= TG_SLIP_OTHER + 1; k++) ck_assert_ptr_nonnull(tg_slip_name((tg_slip)k));
    ck_assert_str_eq(tg_slip_name(TG_SLIP_OTHER), "OTHER");
}
END_TEST

/* At each allocation that fails there is a message about memory, or the grade is what it is; nothing else is changed. */
START_TEST(memory_may_fail) {
    layer l = make_layer(TG_F64);
    l.dz = l.da;
    tg_grade_report r;
    int failed = 0;
    for (int way = 0; way < 2; way++)
        for (int n = 1;; n++) {
            const int64_t nodes = tg_tape_nodes(), tensors = tg_tape_tensors();
            const tg_by_hand given[] = {{"db", l.b, l.dz}, {"dz", l.z, l.dz}, {"da", l.a, l.da}};
            tg_memory_fail_at(n);
            bool ok = way ? tg_grade(l.loss, 3, given, &r) : tg_grade_rule(l.loss, "tanh", tanh_passes, &r);
            tg_memory_stats stats = tg_memory_now();
            tg_memory_fail_at(-1);
            (void)stats;
            ck_assert(!ok && !r.ok);
            expect_ok();
            ck_assert(tg_tape_nodes() == nodes && tg_tape_tensors() == tensors && !tg_has_grad(l.w));
            if (r.verdict == TG_CORRECT) break;
            failed++;
            ck_assert_msg(r.slip == TG_SLIP_SLOPE || strstr(r.message, "memory"), "%d: %s", n, r.message);
            ck_assert_int_lt(n, 5000);
        }
    ck_assert_int_gt(failed, 10);
}
END_TEST

TCase *tcase_grade(void) {
    TCase *tc = tcase_create("grade");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, right_passes);
    tcase_add_loop_test(tc, slips_are_named, 0, sizeof slips / sizeof *slips);
    tcase_add_test(tc, what_follows_is_no_slip);
    tcase_add_test(tc, paths_add_up);
    tcase_add_test(tc, differences_are_a_witness);
    tcase_add_loop_test(tc, rules_are_graded, 0, sizeof rules / sizeof *rules);
    tcase_add_test(tc, rules_of_layers);
    tcase_add_test(tc, bad_input_is_refused);
    tcase_add_test(tc, memory_may_fail);
    return tc;
}
