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

/* Channels of [images, channels, ..] go or stay as a whole, each by a number of its own, whatever the rank. */
START_TEST(dropout_by_channel) {
    const tg_shape shapes[] = {{2, {400, 300}}, {3, {400, 300, 3}}, {4, {400, 300, 1, 2}}, {5, {400, 300, 2, 1, 2}}};
    const double p = 0.25;
    tg_tensor *x = tg_set_requires_grad(tg_full_with(TG_F32, 3, shapes[_i]), true), *g;
    tg_seed(5);
    tg_tensor *y = tg_dropout(x, p, true, .by_channel = true);
    ck_assert_uint_eq(tg_default_rng()->next, 400 * 300 / 4);
    tg_grad(1, &y, 1, &x, &g, .seeds = (tg_tensor *[]){tg_ones_like(y)});
    int64_t places = tg_numel(x) / 120000, dropped = 0;
    for (int64_t c = 0; c < 120000; c++) {
        double first = tg_get(y, c * places);
        ck_assert(first == 0 || first == 4);
        dropped += first == 0;
        for (int64_t k = 0; k < places; k++) {
            ck_assert(tg_get(y, c * places + k) == first);
            ck_assert(fabs(tg_get(g, c * places + k) * 3 - first) < 1e-6);
        }
    }
    ck_assert_double_lt(fabs((double)dropped - p * 120000), 6 * sqrt(120000 * p * (1 - p)));
    ck_assert(tg_is_poison(tg_dropout(tg_ones(TG_F32, 5), p, true, .by_channel = true)));
    ck_assert_int_eq(tg_error_status(), TG_ERR_SHAPE);
}
END_TEST

/* A stream of the caller's gives what the default stream gives from the same place, and is the only one that moves; a call
 * that fails moves none. */
START_TEST(dropout_from_a_stream) {
    tg_tensor *x = tg_ones(TG_F64, 99);
    tg_seed(7);
    tg_tensor *a = tg_dropout(x, 0.5, true);
    uint64_t drawn = tg_default_rng()->next;
    tg_seed(8);
    tg_rng rng = {.seed = 7};
    tg_tensor *b = tg_dropout(x, 0.5, true, .rng = &rng);
    for (int i = 0; i < 99; i++) ck_assert(tg_get(a, i) == tg_get(b, i));
    ck_assert(rng.seed == 7 && rng.next == drawn && drawn == 50);
    ck_assert(tg_default_rng()->seed == 8 && tg_default_rng()->next == 0);
    tg_dropout(x, 0.5, false, .rng = &rng);
    ck_assert_uint_eq(rng.next, drawn);
    for (int64_t n = 1; tg_error_status() == TG_OK; n++) {
        tg_mark before = tg_tape_mark();
        tg_memory_fail_at(n);
        bool failed = tg_is_poison(tg_dropout(x, 0.5, true, .rng = &rng));
        tg_memory_fail_at(-1);
        ck_assert(tg_default_rng()->seed == 8 && tg_default_rng()->next == 0);
        tg_tape_rewind(before);
        if (!failed) break;
        ck_assert_uint_eq(rng.next, drawn);
        tg_error_clear();
    }
    ck_assert_uint_eq(rng.next, 2 * drawn);
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
    tcase_add_loop_test(t, dropout_by_channel, 0, 4);
    tcase_add_test(t, dropout_from_a_stream);
    return t;
}
