#include "helpers.h"

#include <math.h>

START_TEST(test_chain_rule) {
    tg_tensor *x = leaf(0.5), *y = tg_exp(tg_square(x));
    ck_assert_int_eq(tg_backward(y), TG_OK);
    ck_assert_double_eq_tol(tg_item(tg_grad_of(x)), 2 * 0.5 * exp(0.25), 1e-15);
}
END_TEST

START_TEST(test_fan_out_adds_up) {
    tg_tensor *x = leaf(3), *y = tg_mul(x, x), *z = tg_add(tg_mul(y, x), tg_add(y, x)); /* x^3 + x^2 + x */
    ck_assert_int_eq(tg_backward(z), TG_OK);
    expect_value(tg_grad_of(x), 3 * 9 + 2 * 3 + 1);
}
END_TEST

START_TEST(test_same_gradient_for_two_leaves_is_not_shared_memory) {
    tg_tensor *a = param(TG_SHAPE(2)), *b = param(TG_SHAPE(2));
    ck_assert_int_eq(tg_backward(tg_sum(tg_add(a, b))), TG_OK);
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul_scalar(a, 5))), TG_OK);
    ck_assert(tg_get(tg_grad_of(a), 1) == 6 && tg_get(tg_grad_of(b), 1) == 1);
    tg_free(a);
    tg_free(b);
}
END_TEST

START_TEST(test_broadcast_is_summed_down) {
    tg_tensor *a = param(TG_SHAPE(2, 1, 3)), *b = param(TG_SHAPE(4, 1)), *s = leaf(2);
    tg_tensor *y = tg_mul(tg_mul(a, b), s); /* [2, 4, 3] */
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    ck_assert_int_eq(tg_rank(tg_grad_of(a)), 3);
    for (int i = 0; i < 6; i++) ck_assert(tg_get(tg_grad_of(a), i) == 2 * (1 + 2 + 3 + 4));
    for (int i = 0; i < 4; i++) ck_assert(tg_get(tg_grad_of(b), i) == 2 * 21);
    expect_value(tg_grad_of(s), 21 * 10);
    tg_free(a);
    tg_free(b);
}
END_TEST

START_TEST(test_accumulates_until_zeroed) {
    tg_tensor *w = param(TG_SHAPE(3));
    ck_assert(!tg_has_grad(w));
    ck_assert(tg_is_poison(tg_grad_of(w)));
    expect_error(TG_ERR_ARGUMENT, "no gradient yet", "test_backward.c");
    for (int k = 1; k <= 3; k++) {
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        for (int i = 0; i < 3; i++) ck_assert(tg_get(tg_grad_of(w), i) == k * 2 * (i + 1));
    }
    ck_assert_int_eq(tg_zero_grad(w), TG_OK);
    ck_assert(!tg_has_grad(w));
    tg_free(w);
}
END_TEST

START_TEST(test_seed) {
    tg_tensor *x = param(TG_SHAPE(2)), *y = tg_square(x);
    double v[2] = {10, 100}, three[3] = {0};
    float f[2] = {0};
    ck_assert_int_eq(tg_backward(y), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "[2]", "seed", "test_backward.c");
    ck_assert_int_eq(tg_backward(y, .seed = tg_from(TG_F64, three, 3)), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "[3]", "[2]");
    ck_assert_int_eq(tg_backward(y, .seed = tg_from(TG_F32, f, 2)), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "f32", "f64");
    tg_tensor *seed = tg_from(TG_F64, v, 2);
    ck_assert_int_eq(tg_backward(y, .seed = seed), TG_OK);
    ck_assert(tg_get(tg_grad_of(x), 0) == 20 && tg_get(tg_grad_of(x), 1) == 400);
    ck_assert(tg_get(seed, 0) == 10 && tg_get(seed, 1) == 100); /* only read */
    tg_free(x);
}
END_TEST

START_TEST(test_seed_is_not_taken_over) {
    tg_tensor *x = param(TG_SHAPE(2)), *seed = tg_ones(TG_F64, 2);
    ck_assert_int_eq(tg_backward(tg_add_scalar(x, 1), .seed = seed), TG_OK);
    ck_assert_int_eq(tg_backward(tg_add_scalar(x, 1), .seed = seed), TG_OK);
    ck_assert(tg_get(seed, 0) == 1 && tg_get(tg_grad_of(x), 0) == 2);
    tg_free(x);
}
END_TEST

START_TEST(test_twice) {
    tg_tensor *x = leaf(3), *y = tg_square(x), *a = tg_exp(y), *b = tg_log(y);
    ck_assert_int_eq(tg_backward(a, .retain = true), TG_OK);
    double one = tg_item(tg_grad_of(x));
    ck_assert_int_eq(tg_backward(a, .retain = true), TG_OK);
    ck_assert_double_eq(tg_item(tg_grad_of(x)), 2 * one);
    ck_assert_int_eq(tg_backward(b), TG_OK);
    double before = tg_item(tg_grad_of(x));
    ck_assert_int_eq(tg_backward(a), TG_ERR_TAPE); /* the shared part is gone */
    expect_error(TG_ERR_TAPE, "square", "walked before", "retain");
    ck_assert_double_eq(tg_item(tg_grad_of(x)), before);
}
END_TEST

START_TEST(test_no_history) {
    tg_tensor *c = tg_set_name(tg_scalar(TG_F64, 1), "c");
    ck_assert_int_eq(tg_backward(c), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "c []", "no history");
    ck_assert_int_eq(tg_backward(NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_backward", "NULL");
    tg_tensor *x = leaf(2);
    ck_assert_int_eq(tg_backward(x), TG_OK); /* a leaf is its own result */
    expect_value(tg_grad_of(x), 1);
}
END_TEST

START_TEST(test_pending_error_stops_it) {
    tg_tensor *x = leaf(2), *good = tg_square(x), *bad = tg_add(tg_ones(TG_F64, 2), tg_ones(TG_F64, 3));
    ck_assert(tg_is_poison(bad) && tg_is_poison(tg_exp(tg_neg(bad))));
    ck_assert_int_eq(tg_backward(good), TG_ERR_SHAPE);
    ck_assert(!tg_has_grad(x));
    expect_error(TG_ERR_SHAPE, "add", "[2]", "[3]", "test_backward.c");
    ck_assert_int_eq(tg_backward(bad), TG_ERR_LIFETIME); /* poison stays poison after the error is cleared */
    expect_error(TG_ERR_LIFETIME, "failed");
    ck_assert_int_eq(tg_backward(good), TG_OK);
}
END_TEST

START_TEST(test_changed_in_place) {
    tg_tensor *x = leaf(2), *c = tg_set_name(tg_scalar(TG_F64, 3), "c"), *y = tg_mul(x, c);
    ck_assert_int_eq(tg_fill_(c, 4), TG_OK);
    ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "mul needs", "c []", "fill_");
    ck_assert(!tg_has_grad(x));
    tg_tensor *z = tg_add(x, c); /* saves nothing, so a change does not matter */
    ck_assert_int_eq(tg_fill_(c, 5), TG_OK);
    ck_assert_int_eq(tg_backward(z), TG_OK);
    ck_assert_int_eq(tg_fill_(x, 1), TG_ERR_TAPE); /* a leaf that needs a gradient, while recording */
    expect_error(TG_ERR_TAPE, "fill_");
    bool was = tg_set_grad_enabled(false);
    ck_assert_int_eq(tg_fill_(x, 1), TG_OK);
    tg_set_grad_enabled(was);
    tg_tensor *w = tg_mul(x, c);
    ((double *)tg_data_mut(c))[0] = 6;
    ck_assert_int_eq(tg_backward(w), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "mul needs", "changed in place");
}
END_TEST

START_TEST(test_retain_grad_of_intermediate) {
    tg_tensor *x = leaf(3), *h = tg_square(x), *y = tg_add(tg_mul_scalar(h, 5), h);
    ck_assert_int_eq(tg_retain_grad(h), TG_OK);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_value(tg_grad_of(h), 6);
    expect_value(tg_grad_of(x), 36);
}
END_TEST

START_TEST(test_views_share_and_carry) {
    tg_tensor *x = param(TG_SHAPE(2, 3)), *t = tg_transpose(x, 0, 1), *s = tg_slice(t, 0, 1, 3, 1);
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul(s, s))), TG_OK);
    const double want[6] = {0, 4, 6, 0, 10, 12};
    for (int i = 0; i < 6; i++) ck_assert_double_eq(tg_get(tg_grad_of(x), i), want[i]);
    tg_free(x);
}
END_TEST

START_TEST(test_gradient_memory_is_contiguous_and_own) {
    tg_tensor *x = param(TG_SHAPE(3, 2));
    ck_assert_int_eq(tg_backward(tg_sum(x)), TG_OK); /* the rule returns a stride-0 view */
    ck_assert(tg_is_contiguous(tg_grad_of(x)));
    ck_assert_int_eq(tg_backward(tg_sum(x)), TG_OK);
    for (int i = 0; i < 6; i++) ck_assert(tg_get(tg_grad_of(x), i) == 2);
    tg_free(x);
}
END_TEST

START_TEST(test_zero_size) {
    tg_tensor *x = tg_param(tg_zeros(TG_F64, 0, 3));
    ck_assert_int_eq(tg_backward(tg_sum(tg_exp(x))), TG_OK);
    ck_assert_int_eq(tg_size(tg_grad_of(x), 0), 0);
    ck_assert_int_eq(tg_size(tg_grad_of(x), 1), 3);
    tg_free(x);
}
END_TEST

TCase *tcase_backward(void) {
    TCase *tc = tcase_create("backward");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, test_chain_rule);
    tcase_add_test(tc, test_fan_out_adds_up);
    tcase_add_test(tc, test_same_gradient_for_two_leaves_is_not_shared_memory);
    tcase_add_test(tc, test_broadcast_is_summed_down);
    tcase_add_test(tc, test_accumulates_until_zeroed);
    tcase_add_test(tc, test_seed);
    tcase_add_test(tc, test_seed_is_not_taken_over);
    tcase_add_test(tc, test_twice);
    tcase_add_test(tc, test_no_history);
    tcase_add_test(tc, test_pending_error_stops_it);
    tcase_add_test(tc, test_changed_in_place);
    tcase_add_test(tc, test_retain_grad_of_intermediate);
    tcase_add_test(tc, test_views_share_and_carry);
    tcase_add_test(tc, test_gradient_memory_is_contiguous_and_own);
    tcase_add_test(tc, test_zero_size);
    return tc;
}
