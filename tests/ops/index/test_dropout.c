/* What rows cannot say of dropout: its random mask. */
#include "tests/ops/harness.h"

#include <math.h>

/* Each element is 0 or x / (1 - p), the gradient is the same mask, and about a share p is 0, within 6
 * deviations of the binomial distribution. The same seed gives the same mask. */
START_TEST(dropout_masks_and_scales) {
    const double p = 0.3, keep = 1 / (1 - p);
    const int64_t n = 20000;
    tg_dtype f = _i ? TG_F64 : TG_F32;
    tg_tensor *x = tg_set_requires_grad(tg_full(f, 2, n), true), *g;
    tg_seed(5);
    tg_tensor *y = tg_dropout(x, p, true), *sum = tg_sum(y);
    tg_seed(5);
    tg_tensor *again = tg_dropout(x, p, true);
    ck_assert_int_eq(tg_grad(1, &sum, 1, &x, &g), TG_OK);
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        bool dropped = tg_get(g, i) == 0;
        zeros += dropped;
        ck_assert_double_eq_tol(tg_get(g, i), dropped ? 0 : keep, 1e-6);
        ck_assert_double_eq(tg_get(y, i), 2 * tg_get(g, i));
        ck_assert_double_eq(tg_get(y, i), tg_get(again, i));
    }
    ck_assert_double_lt(fabs((double)zeros - p * (double)n), 6 * sqrt((double)n * p * (1 - p)));
}
END_TEST

/* What is dropped is 0, whatever it was, and so is its gradient. */
START_TEST(dropout_drops_infinities) {
    tg_tensor *x = tg_set_requires_grad(tg_full_with(TG_F32, INFINITY, TG_SHAPE(100)), true), *g;
    tg_tensor *y = tg_dropout(x, 0.5, true);
    tg_grad(1, &y, 1, &x, &g, .seeds = (tg_tensor *[]){tg_ones(TG_F32, 100)});
    for (int i = 0; i < 100; i++)
        ck_assert(tg_get(y, i) == 0 ? tg_get(g, i) == 0 : tg_get(y, i) == INFINITY && tg_get(g, i) == 2);
    y = tg_dropout(x, 1, true);
    for (int i = 0; i < 100; i++) ck_assert(tg_get(y, i) == 0);
}
END_TEST

START_TEST(dropout_is_off_outside_training) {
    tg_tensor *x = tg_full(TG_F32, 2, 5);
    ck_assert_ptr_eq(tg_dropout(x, 0.5, false), x);
    ck_assert_ptr_eq(tg_dropout(x, 0, true), x);
    ck_assert_double_eq(tg_item(tg_sum(tg_dropout(x, 1, true))), 0);
}
END_TEST

START_TEST(dropout_refuses_odd_probabilities) {
    static const double odd[] = {-0.1, 1.1, NAN};
    tg_tensor *x = tg_full(TG_F32, 2, 5);
    ck_assert(tg_is_poison(tg_dropout(x, odd[_i], true)));
    ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_dropout(void) {
    TCase *t = tcase_create("dropout");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, dropout_masks_and_scales, 0, 2);
    tcase_add_test(t, dropout_drops_infinities);
    tcase_add_test(t, dropout_is_off_outside_training);
    tcase_add_loop_test(t, dropout_refuses_odd_probabilities, 0, 3);
    return t;
}
