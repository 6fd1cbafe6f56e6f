/* What padding leaves in memory. */
#include "tests/ops/harness.h"

/* What each axis but the last leaves on the way is given back. */
START_TEST(reflecting_leaves_its_result_alone) {
    tg_tensor *x = tg_uniform(TG_F64, 0, 1, 16, 16, 16);
    size_t before = tg_memory_now().live_buffer_bytes, result = 18 * 18 * 18 * sizeof(double);
    ck_assert(tg_is_alive(
        tg_pad(x, .before = TG_SHAPE(1, 1, 1), .after = TG_SHAPE(1, 1, 1), .mode = TG_PAD_REFLECT)));
    ck_assert_uint_lt(tg_memory_now().live_buffer_bytes - before, result + result / 2);
}
END_TEST

/* Attributes put together by hand, whose shapes have other ranks than x. */
START_TEST(ranks_of_attributes_say_nothing) {
    const struct {
        tg_shape before, after;
        double value;
    } attr[] = {{{2, {-1, 1}}, {2, {1, 0}}, 0}, {{0, {-1, 1}}, {0, {1, 0}}, 0}, {{1000, {-1, 1}}, {77, {1, 0}}, 0}};
    for (int record = 0; record < 2; record++)
        for (int i = 0; i < 3; i++) {
            tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F64, 3, 2), true), *g, *y, *sum;
            y = tg_apply(tg_op_find("pad"), &x, 1, &attr[i]);
            sum = tg_sum(tg_mul(y, y));
            ck_assert_int_eq(tg_grad(1, &sum, 1, &x, &g, .create_graph = record), TG_OK);
            for (int k = 0; k < 6; k++) ck_assert_double_eq(tg_get(g, k), k < 2 ? 0 : 2);
        }
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_pad(void) {
    TCase *t = tcase_create("pad");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, reflecting_leaves_its_result_alone);
    tcase_add_test(t, ranks_of_attributes_say_nothing);
    return t;
}
