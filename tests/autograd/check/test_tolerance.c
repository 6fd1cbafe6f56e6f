#include "tests/autograd/helpers.h"

#include <math.h>

#define by_tolerances(...) tg_gradcheck(__VA_ARGS__, .tolerances = true)

static tg_tensor *smooth(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_tanh(tg_mul(in[0], tg_exp(in[1])));
}

static tg_tensor *input(double value, int64_t n) {
    return tg_set_requires_grad(tg_full(TG_F64, value, n), true);
}

START_TEST(test_right_gradients_pass) {
    tg_gradcheck_report r;
    tg_tensor *in[2] = {param(TG_SHAPE(2, 1)), param(TG_SHAPE(3))};
    int64_t tensors = tg_tape_tensors();
    for (int order = 1; order <= 2; order++) {
        ck_assert_msg(by_tolerances(smooth, NULL, 2, in, &r, .order = order), "%s", r.message);
        ck_assert(r.ok && r.compared == order * 2 * 5 && r.worst <= 1);
    }
    ck_assert_int_eq(tg_tape_tensors(), tensors); /* leaves nothing behind */
    ck_assert(!tg_has_grad(in[0]) && tg_get(in[0], 1) == 2);
    tg_free(in[0]);
    tg_free(in[1]);
}
END_TEST

/* Functions whose gradient is wrong in one way each. */
static tg_tensor *stopped(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], tg_detach(in[0]));
}
static tg_tensor *lost(tg_tensor *const *in, void *user) { /* depends on in[1] by value only */
    (void)user;
    return tg_mul(in[0], tg_detach(in[1]));
}
static tg_tensor *unrecorded(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_detach(tg_exp(in[0]));
}
static tg_tensor *infinite(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_log(tg_sub(in[0], in[0]));
}
static tg_tensor *single(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_to(in[0], TG_F32);
}
static tg_tensor *broken(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_add(in[0], tg_ones(TG_F64, 7));
}

START_TEST(test_wrong_gradients_fail) {
    const struct {
        tg_gradcheck_fn f;
        const char *word;
    } rows[] = {{stopped, "gradients differ"}, {lost, "input 1"}, {unrecorded, "does not depend"},
                {infinite, "differ"},          {single, "f64"},   {broken, "[7]"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_gradcheck_report r;
        tg_tensor *in[2] = {input(1.5, 2), input(0.5, 2)};
        ck_assert_msg(!by_tolerances(rows[i].f, NULL, 2, in, &r), "row %zu passed: %s", i, r.message);
        ck_assert(!r.ok);
        ck_assert_msg(strstr(r.message, rows[i].word), "row %zu: %s", i, r.message);
        expect_ok(); /* none left pending */
    }
}
END_TEST

START_TEST(test_report_names_the_worst_element) {
    tg_gradcheck_report r;
    double v[4] = {1, 2, 3, 4};
    tg_tensor *in[1] = {tg_set_requires_grad(tg_from(TG_F64, v, 4), true)};
    ck_assert(!by_tolerances(stopped, NULL, 1, in, &r, .projections = 1));
    ck_assert_int_eq(r.input, 0);
    ck_assert_int_eq(r.compared, 4);
    ck_assert(fabs(r.numeric - 2 * r.analytic) < 1e-6 * fabs(r.numeric)); /* the stopped half is missing */
    ck_assert(r.worst > 1);
}
END_TEST

/* Right at first order; its second derivative is cut off. */
static void half_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(tg_detach(n->in[0]), 2));
}
static tg_status square_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double x = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, x * x);
    }
    return TG_OK;
}
static const tg_op half = {.name = "half",
                           .formula = "out = x^2",
                           .n_in = 1,
                           .save = TG_IN(0),
                           .infer = tg_infer_same,
                           .forward = square_forward,
                           .grad = half_grad};
static tg_tensor *half_f(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&half, in, 1, NULL);
}

START_TEST(test_second_order_is_checked) {
    tg_gradcheck_report r;
    tg_tensor *in[1] = {input(1.5, 3)};
    ck_assert(by_tolerances(half_f, NULL, 1, in, &r));
    ck_assert(!by_tolerances(half_f, NULL, 1, in, &r, .order = 2));
    ck_assert_int_eq(r.order, 2);
}
END_TEST

static tg_tensor *linear(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul_scalar(in[0], 3);
}

START_TEST(test_second_order_of_a_linear_function) {
    tg_gradcheck_report r;
    tg_tensor *in[1] = {input(1.5, 3)};
    ck_assert_msg(by_tolerances(linear, NULL, 1, in, &r, .order = 2), "%s", r.message);
    ck_assert_int_eq(r.compared, 12);
}
END_TEST

START_TEST(test_nothing_exercised_fails) {
    tg_gradcheck_report r;
    tg_tensor *constant[1] = {tg_ones(TG_F64, 2)}, *empty[1] = {input(1, 0)};
    ck_assert(!by_tolerances(linear, NULL, 1, constant, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "no input requires"));
    ck_assert(!by_tolerances(linear, NULL, 1, empty, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "no elements"));
    ck_assert(by_tolerances(linear, NULL, 1, empty, &r, .allow_empty = true));
    tg_tensor *f32[1] = {tg_set_requires_grad(tg_ones(TG_F32, 2), true)}, *null[1] = {NULL};
    ck_assert(!by_tolerances(linear, NULL, 1, f32, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "f32"));
    ck_assert(!by_tolerances(linear, NULL, 1, null, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "NULL"));
}
END_TEST

START_TEST(test_pending_error_is_reported_and_kept) {
    tg_gradcheck_report r;
    tg_tensor *in[1] = {input(1, 2)};
    tg_add(NULL, NULL);
    ck_assert(!by_tolerances(linear, NULL, 1, in, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "NULL"));
    expect_error(TG_ERR_ARGUMENT, "add");
}
END_TEST

/* ---- a check that has checked nothing ---- */

static tg_tensor *of_first(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_exp(in[0]);
}
static tg_tensor *steps(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_floor(in[0]);
}
static tg_tensor *no_inputs(tg_tensor *const *in, void *user) {
    (void)in, (void)user;
    return tg_ones(TG_F64, 2);
}
static tg_tensor *half_flat(tg_tensor *const *in, void *user) { /* 0 by in[1], by recorded ops */
    (void)user;
    return tg_add(tg_exp(in[0]), tg_floor(in[1]));
}

START_TEST(test_no_dependence_fails) {
    tg_gradcheck_report r;
    for (int order = 1; order <= 2; order++) {
        tg_tensor *in[3] = {input(0.5, 2), input(0.25, 3), input(0.75, 2)};
        ck_assert(!by_tolerances(of_first, NULL, 2, in, &r, .order = order));
        ck_assert_msg(strstr(r.message, "input 1, [3] f64") && strstr(r.message, "does not depend"), "%s",
                      r.message);
        ck_assert(by_tolerances(of_first, NULL, 2, in, &r, .order = order, .allow_zero = true));
        ck_assert(!by_tolerances(steps, NULL, 1, in, &r, .order = order));
        ck_assert_msg(strstr(r.message, "every derivative is 0"), "%s", r.message);
        ck_assert(by_tolerances(steps, NULL, 1, in, &r, .order = order, .allow_zero = true));
        ck_assert(!by_tolerances(no_inputs, NULL, 1, in, &r, .order = order));
        ck_assert_msg(strstr(r.message, "does not depend"), "%s", r.message);
        ck_assert(by_tolerances(half_flat, NULL, 2, ((tg_tensor *[]){in[0], in[2]}), &r, .order = order));
        expect_ok();
    }
}
END_TEST

/* ---- a network that reaches its parameters by name ---- */

static tg_tensor *weight, *bias;
static tg_op planted; /* mul_scalar by 2 whose gradient is wrong by `wrong` */
static double wrong;
static tg_status twice_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) tg_array_set(c->out[0], i, 2 * tg_array_get(c->in[0], i));
    return TG_OK;
}
static void twice_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = tg_mul_scalar(dout[0], 2 * wrong);
}

static tg_tensor *network(tg_tensor *const *in, void *user) {
    (void)in, (void)user;
    tg_tensor *h = tg_add(tg_matmul(tg_full(TG_F64, 0.1, 3, 2), weight), bias);
    return tg_tanh(tg_apply(&planted, &h, 1, NULL));
}

START_TEST(test_parameters_by_name) {
    planted = (tg_op){
        .name = "twice", .n_in = 1, .infer = tg_infer_same, .forward = twice_forward, .grad = twice_grad};
    tg_tensor *in[2] = {weight = param(TG_SHAPE(2, 4)), bias = param(TG_SHAPE(4))};
    const double third = 1.0 / 3;
    ((double *)tg_data_mut(weight))[5] = third;
    tg_gradcheck_report r;
    for (int order = 1; order <= 2; order++) {
        wrong = 1;
        ck_assert_msg(by_tolerances(network, NULL, 2, in, &r, .order = order), "%s", r.message);
        ck_assert_int_eq(r.compared, order * 2 * 12);
        wrong = 1.03;
        ck_assert(!by_tolerances(network, NULL, 2, in, &r, .order = order));
        ck_assert_msg(strstr(r.message, "differ"), "%s", r.message);
    }
    for (int i = 0; i < 8; i++) ck_assert(tg_get(weight, i) == (i == 5 ? third : i + 1)); /* to the bit */
    ck_assert(!tg_has_grad(weight));
    tg_free(weight);
    tg_free(bias);
}
END_TEST

/* f fails at its n-th call: the element that is off at that time comes back. */
static int calls_left;
static tg_tensor *fails_late(tg_tensor *const *in, void *user) {
    (void)user;
    return calls_left-- == 0 ? tg_add(in[0], tg_ones(TG_F64, 7)) : tg_exp(in[0]);
}

START_TEST(test_inputs_come_back_after_a_failure) {
    tg_tensor *x = param(TG_SHAPE(3));
    tg_gradcheck_report r;
    int64_t tensors = tg_tape_tensors();
    for (int n = 0; n < 40; n++) {
        calls_left = n;
        bool ok = by_tolerances(fails_late, NULL, 1, &x, &r, .order = 2);
        ck_assert(ok == (calls_left >= 0));
        if (!ok) ck_assert_ptr_nonnull(strstr(r.message, "[7]"));
        for (int i = 0; i < 3; i++) ck_assert(tg_get(x, i) == i + 1);
        ck_assert_int_eq(tg_tape_tensors(), tensors);
        ck_assert(tg_grad_enabled() && !tg_has_grad(x));
        expect_ok();
    }
    tg_free(x);
}
END_TEST

START_TEST(test_inputs_come_back_without_memory) {
    tg_tensor *x = param(TG_SHAPE(3));
    tg_gradcheck_report r;
    for (int64_t n = 1;; n++) {
        tg_memory_fail_at(n);
        bool ok = by_tolerances(smooth, NULL, 2, ((tg_tensor *[]){x, x}), &r);
        tg_memory_fail_at(-1);
        for (int i = 0; i < 3; i++) ck_assert(tg_get(x, i) == i + 1);
        if (ok) break;
        ck_assert_msg(strstr(r.message, "memory"), "%s", r.message);
        ck_assert_int_lt(n, 10000);
    }
    tg_free(x);
}
END_TEST

/* Inputs that cannot be perturbed where they are: each is right all the same. */
START_TEST(test_inputs_that_share_memory) {
    tg_gradcheck_report r;
    tg_tensor *x = param(TG_SHAPE(2, 3)), *pair[2] = {x, x};
    ck_assert_msg(by_tolerances(smooth, NULL, 2, pair, &r, .order = 2), "%s", r.message);
    tg_tensor *view[2] = {x, tg_set_requires_grad(tg_detach(tg_slice(x, 0, 0, 1, 1)), true)};
    ck_assert_msg(by_tolerances(smooth, NULL, 2, view, &r), "%s", r.message);
    tg_tensor *wide[2] = {tg_set_requires_grad(tg_expand(tg_full(TG_F64, 0.5, 1), 2), true),
                          tg_transpose(x, 0, 1)};
    ck_assert_msg(by_tolerances(smooth, NULL, 2, wide, &r, .order = 2), "%s", r.message);
    ck_assert(tg_get(x, 4) == 5);
    tg_free(x);
}
END_TEST

/* ---- the edges of the tolerance: y = 3 x, whose rule says 3 + off ---- */

static double off;
static int64_t nan_at, off_at;
static tg_status three_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) tg_array_set(c->out[0], i, 3 * tg_array_get(c->in[0], i));
    return TG_OK;
}
static tg_status three_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n;
    tg_status s = tg_array_alloc_like(&din[0], dout[0]);
    for (int64_t i = 0; s == TG_OK && i < din[0].numel; i++) {
        double slope = off_at < 0 || i == off_at ? 3 + off : 3;
        tg_array_set(&din[0], i, i == nan_at ? NAN : slope * tg_array_get(dout[0], i));
    }
    return s;
}
static void three_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = tg_mul_scalar(dout[0], 3 + off);
}
static const tg_op three = {.name = "three",
                            .n_in = 1,
                            .infer = tg_infer_same,
                            .forward = three_forward,
                            .grad = three_grad,
                            .grad_kernel = three_kernel};
static tg_tensor *three_times(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&three, in, 1, NULL);
}

/* At x = 0 differences of a power of two are exact: numeric is 3 p, analytic (3 + off) p. */
START_TEST(test_edges_of_the_tolerance) {
    static const struct {
        double atol, rtol, off;
        bool ok;
    } rows[] = {
        {1e-30, 1e-2, 0.0299, true},   {1e-30, 1e-2, 0.0301, false},    {1e-30, 1e-2, -0.0299, true},
        {1e-30, 1e-2, -0.0301, false}, {1e-30, 1e-8, 2.99e-8, true},    {1e-30, 1e-8, 3.01e-8, false},
        {0, 0, 0.00299, true},         {0, 0, 0.00304, false},          {1e-30, 1, 2.99, true},
        {1e-30, 1, 3.01, false},       {TG_ZERO, 1e-2, 0.0299, true},   {TG_ZERO, 1e-2, 0.0301, false},
        {TG_ZERO, TG_ZERO, 0, true},   {TG_ZERO, TG_ZERO, 1e-12, false}};
    tg_gradcheck_report r;
    nan_at = off_at = -1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        off = rows[i].off;
        tg_tensor *x = input(0, 3);
        bool ok = by_tolerances(three_times, NULL, 1, &x, &r, .eps = 0x1p-20, .atol = rows[i].atol,
                                .rtol = rows[i].rtol);
        ck_assert_msg(ok == rows[i].ok && r.ok == ok && (r.worst <= 1) == ok, "row %zu: %s", i, r.message);
    }
    /* atol alone: |p| < 1.5, so that 1.5 |off| is within */
    off = 1e-3;
    tg_tensor *x = input(0, 3);
    ck_assert_msg(by_tolerances(three_times, NULL, 1, &x, &r, .eps = 0x1p-20, .atol = 1.5e-3, .rtol = 1e-30),
                  "%s", r.message);
    ck_assert(!by_tolerances(three_times, NULL, 1, &x, &r, .eps = 0x1p-20, .atol = 0.5e-3, .rtol = 1e-30));
    ck_assert_msg(by_tolerances(three_times, NULL, 1, &x, &r, .eps = 0x1p-20, .atol = 1.5e-3, .rtol = TG_ZERO),
                  "%s", r.message);
    ck_assert(!by_tolerances(three_times, NULL, 1, &x, &r, .eps = 0x1p-20, .atol = 0.5e-3, .rtol = TG_ZERO));
}
END_TEST

/* One element that is off, or not a number, wherever it stands, is the worst, and is named. */
START_TEST(test_one_wrong_element) {
    tg_gradcheck_report r;
    for (int nan = 0; nan < 2; nan++)
        for (int64_t at = 0; at < 5; at++) {
            tg_tensor *x = input(0.25, 5);
            nan_at = nan ? at : -1;
            off_at = at;
            off = nan ? 0 : 0.1;
            ck_assert(!by_tolerances(three_times, NULL, 1, &x, &r));
            ck_assert_int_eq(r.element, at);
            ck_assert(nan ? isinf(r.worst) && isnan(r.analytic) : r.worst > 1 && isfinite(r.worst));
        }
    nan_at = off_at = -1;
    off = 0;
}
END_TEST

enum { MANY = 24 };
static int weak; /* the input whose gradient is cut off */
static tg_tensor *of_many(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *sum = NULL;
    for (int i = 0; i < MANY; i++) {
        tg_tensor *x = i == weak ? tg_add(in[i], tg_detach(in[i])) : in[i],
                  *term = tg_mul_scalar(tg_exp(x), i + 1);
        sum = sum ? tg_add(sum, term) : term;
    }
    return sum;
}

START_TEST(test_many_inputs) {
    tg_gradcheck_report r;
    tg_tensor *in[MANY];
    for (int i = 0; i < MANY; i++) in[i] = input(0.1 + 0.01 * i, 2);
    weak = -1;
    ck_assert_msg(by_tolerances(of_many, NULL, MANY, in, &r, .order = 2), "%s", r.message);
    ck_assert_int_eq(r.compared, 2 * 2 * 2 * MANY);
    for (weak = 0; weak < MANY; weak++) {
        ck_assert(!by_tolerances(of_many, NULL, MANY, in, &r));
        ck_assert_int_eq(r.input, weak);
    }
}
END_TEST

/* ---- options and pointers ---- */

static bool by_tolerances_with(tg_tensor **x, tg_gradcheck_report *r, tg_gradcheck_opts opts) {
    opts.tolerances = true;
    return tg_gradcheck_with(linear, NULL, 1, x, r, opts);
}

START_TEST(test_options_are_checked) {
    static const tg_gradcheck_opts bad[] = {{.eps = NAN},        {.eps = -1e-6},      {.eps = INFINITY},
                                            {.atol = NAN},       {.atol = -1},        {.rtol = NAN},
                                            {.rtol = -INFINITY}, {.projections = -1}, {.order = 9},
                                            {.order = -1},       {.eps = TG_ZERO}};
    static const char *const word[] = {".eps",  ".eps",         ".eps",   ".atol",  ".atol", ".rtol",
                                       ".rtol", ".projections", ".order", ".order", ".eps"};
    tg_gradcheck_report r;
    tg_tensor *x = input(1, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!by_tolerances_with(&x, &r, bad[i]));
        ck_assert_msg(!r.ok && strstr(r.message, word[i]), "row %zu: %s", i, r.message);
        expect_ok();
    }
    ck_assert(!by_tolerances(NULL, NULL, 1, &x, &r) &&
              strstr(r.message, "a function and at least one input must be given"));
    ck_assert(!by_tolerances(linear, NULL, 1, NULL, &r) &&
              strstr(r.message, "a function and at least one input must be given"));
    ck_assert(!by_tolerances(linear, NULL, 0, &x, &r) && !by_tolerances(linear, NULL, -3, &x, &r));
    ck_assert(by_tolerances(linear, NULL, 1, &x, NULL));
    ck_assert(!by_tolerances(NULL, NULL, 1, &x, NULL));
    expect_ok();
}
END_TEST

TCase *tcase_tolerance(void) {
    TCase *tc = tcase_create("tolerance");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, test_right_gradients_pass);
    tcase_add_test(tc, test_wrong_gradients_fail);
    tcase_add_test(tc, test_report_names_the_worst_element);
    tcase_add_test(tc, test_second_order_is_checked);
    tcase_add_test(tc, test_second_order_of_a_linear_function);
    tcase_add_test(tc, test_nothing_exercised_fails);
    tcase_add_test(tc, test_pending_error_is_reported_and_kept);
    tcase_add_test(tc, test_no_dependence_fails);
    tcase_add_test(tc, test_parameters_by_name);
    tcase_add_test(tc, test_inputs_come_back_after_a_failure);
    tcase_add_test(tc, test_inputs_come_back_without_memory);
    tcase_add_test(tc, test_inputs_that_share_memory);
    tcase_add_test(tc, test_edges_of_the_tolerance);
    tcase_add_test(tc, test_one_wrong_element);
    tcase_add_test(tc, test_many_inputs);
    tcase_add_test(tc, test_options_are_checked);
    return tc;
}
