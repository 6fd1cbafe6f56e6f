/* What einsum takes as operands, what it returns, and what it gives up on the way. */
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

START_TEST(einsum_counts_its_operands) {
    tg_tensor *a = counting(TG_SHAPE(2, 3)), *b = counting(TG_SHAPE(3, 4));
    expect_same(tg_einsum("ij,jk->ik", a, b), tg_matmul(a, b));
    expect_same(tg_einsum("ij->ji", a), tg_transpose(a, 0, 1));
}
END_TEST

START_TEST(einsum_needs_an_equation_and_operands) {
    tg_tensor *a = counting(TG_SHAPE(2, 3));
    for (int i = 0; i < 2; i++) {
        ck_assert(tg_is_poison(tg_einsum_with(i ? NULL : "ij", i, &a)));
        ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
        tg_error_clear();
    }
}
END_TEST

/* So that a name or a release of the result does not reach x. */
START_TEST(einsum_returns_a_tensor_of_its_own) {
    tg_tensor *a = counting(TG_SHAPE(2, 3)), *same = tg_einsum("ij->ij", a);
    ck_assert_ptr_ne(same, a);
    expect_same(same, a);
    tg_drop_elements(same);
    ck_assert_double_eq(tg_get(a, 0), -3);
}
END_TEST

START_TEST(einsum_gives_up_what_no_gradient_reads) {
    tg_tensor *a = counting(TG_SHAPE(64, 2)), *b = counting(TG_SHAPE(2, 64)), *c = counting(TG_SHAPE(64, 1));
    size_t before = tg_memory_now().live_buffer_bytes;
    tg_tensor *y = tg_einsum("ij,jk,kl->il", a, b, c);
    ck_assert_int_eq(tg_numel(y), 64);
    ck_assert_uint_lt(tg_memory_now().live_buffer_bytes - before, 64 * 64 * sizeof(double));
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_einsum(void) {
    TCase *t = tcase_create("einsum");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, einsum_counts_its_operands);
    tcase_add_test(t, einsum_needs_an_equation_and_operands);
    tcase_add_test(t, einsum_returns_a_tensor_of_its_own);
    tcase_add_test(t, einsum_gives_up_what_no_gradient_reads);
    return t;
}
