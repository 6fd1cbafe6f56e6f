#include "helpers.h"

#include <math.h>

static tg_mark start;

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
}

static void teardown(void) {
    expect_ok();
    tg_tape_rewind(start);
}

static tg_tensor *smooth(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_tanh(tg_mul(in[0], tg_exp(in[1])));
}

static tg_tensor *input(double value, int64_t n) { return tg_set_requires_grad(tg_full(TG_F64, value, n), true); }

START_TEST(test_right_gradients_pass) {
    tg_gradcheck_report r;
    tg_tensor *in[2] = {param(TG_SHAPE(2, 1)), param(TG_SHAPE(3))};
    int64_t tensors = tg_tape_tensors();
    for (int order = 1; order <= 2; order++) {
        ck_assert_msg(tg_gradcheck(smooth, NULL, 2, in, &r, .order = order), "%s", r.message);
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
                {infinite, "differ"},         {single, "f64"},   {broken, "[7]"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_gradcheck_report r;
        tg_tensor *in[2] = {input(1.5, 2), input(0.5, 2)};
        ck_assert_msg(!tg_gradcheck(rows[i].f, NULL, 2, in, &r), "row %zu passed: %s", i, r.message);
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
    ck_assert(!tg_gradcheck(stopped, NULL, 1, in, &r, .projections = 1));
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
static const tg_op half = {.name = "half", .formula = "out = x^2", .n_in = 1, .save = TG_IN(0), .infer = tg_infer_same,
                           .forward = square_forward, .grad = half_grad};
static tg_tensor *half_f(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&half, in, 1, NULL);
}

START_TEST(test_second_order_is_checked) {
    tg_gradcheck_report r;
    tg_tensor *in[1] = {input(1.5, 3)};
    ck_assert(tg_gradcheck(half_f, NULL, 1, in, &r));
    ck_assert(!tg_gradcheck(half_f, NULL, 1, in, &r, .order = 2));
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
    ck_assert_msg(tg_gradcheck(linear, NULL, 1, in, &r, .order = 2), "%s", r.message);
    ck_assert_int_eq(r.compared, 12);
}
END_TEST

START_TEST(test_nothing_exercised_fails) {
    tg_gradcheck_report r;
    tg_tensor *constant[1] = {tg_ones(TG_F64, 2)}, *empty[1] = {input(1, 0)};
    ck_assert(!tg_gradcheck(linear, NULL, 1, constant, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "no input requires"));
    ck_assert(!tg_gradcheck(linear, NULL, 1, empty, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "no elements"));
    ck_assert(tg_gradcheck(linear, NULL, 1, empty, &r, .allow_empty = true));
    tg_tensor *f32[1] = {tg_set_requires_grad(tg_ones(TG_F32, 2), true)}, *null[1] = {NULL};
    ck_assert(!tg_gradcheck(linear, NULL, 1, f32, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "f32"));
    ck_assert(!tg_gradcheck(linear, NULL, 1, null, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "NULL"));
}
END_TEST

START_TEST(test_pending_error_is_reported_and_kept) {
    tg_gradcheck_report r;
    tg_tensor *in[1] = {input(1, 2)};
    tg_add(NULL, NULL);
    ck_assert(!tg_gradcheck(linear, NULL, 1, in, &r));
    ck_assert_ptr_nonnull(strstr(r.message, "NULL"));
    expect_error(TG_ERR_ARGUMENT, "add");
}
END_TEST

TCase *tcase_gradcheck(void) {
    TCase *tc = tcase_create("gradcheck");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_right_gradients_pass);
    tcase_add_test(tc, test_wrong_gradients_fail);
    tcase_add_test(tc, test_report_names_the_worst_element);
    tcase_add_test(tc, test_second_order_is_checked);
    tcase_add_test(tc, test_second_order_of_a_linear_function);
    tcase_add_test(tc, test_nothing_exercised_fails);
    tcase_add_test(tc, test_pending_error_is_reported_and_kept);
    return tc;
}
