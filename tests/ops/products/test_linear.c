/* Two uses of the same tensors in linear. */
#include "tests/ops/harness.h"

static tg_tensor *counting(tg_shape shape) {
    tg_tensor *x = tg_zeros_with(TG_F64, shape);
    for (int64_t i = 0; i < tg_numel(x); i++) tg_array_set(tg_array_of(x), i, (double)(i % 7) - 3);
    return x;
}

static void expect_same(const tg_tensor *a, const tg_tensor *b) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert(tg_shape_equal(tg_shape_of(a), tg_shape_of(b)));
    for (int64_t i = 0; i < tg_numel(a); i++) ck_assert_double_eq(tg_get(a, i), tg_get(b, i));
}

/* Two uses of x and w: the second product is added to the gradient of the first. */
START_TEST(linear_adds_to_the_gradient_so_far) {
    tg_tensor *x = tg_set_requires_grad(counting(TG_SHAPE(2, 3, 4)), true);
    tg_tensor *w = tg_set_requires_grad(counting(TG_SHAPE(5, 4)), true), *in[2] = {x, w}, *got[2], *want[2];
    tg_tensor *one = tg_sum(tg_square(tg_add(tg_linear(x, w), tg_linear(x, w))));
    tg_tensor *wt = tg_transpose(w, 0, 1);
    tg_tensor *other = tg_sum(tg_square(tg_mul_scalar(tg_matmul(x, wt), 2)));
    ck_assert_int_eq(tg_grad(1, &one, 2, in, got), TG_OK);
    ck_assert_int_eq(tg_grad(1, &other, 2, in, want), TG_OK);
    expect_same(got[0], want[0]);
    expect_same(got[1], want[1]);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_linear(void) {
    TCase *t = tcase_create("linear");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, linear_adds_to_the_gradient_so_far);
    return t;
}
