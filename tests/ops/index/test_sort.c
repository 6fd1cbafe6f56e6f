/* Long sorts. */
#include "tests/ops/harness.h"

/* Random numbers with ties, long enough for several runs and threads. */
START_TEST(long_sorts_are_sorted_and_stable) {
    int64_t rows = 9, n = 3001;
    tg_tensor *x = tg_zeros_with(TG_F32, TG_SHAPE(rows, n)), *index;
    tg_rng rng = {5, 0};
    for (int64_t k = 0; k < rows * n; k++) tg_array_set(tg_array_of(x), k, (double)tg_rng_below(&rng, 500));
    for (int down = 0; down < 2; down++) {
        tg_tensor *y = tg_sort(x, 1, .descending = down, .index = &index);
        for (int64_t k = 0; k < rows * n; k++) {
            int64_t row = k / n * n, at = (int64_t)tg_get(index, k);
            ck_assert(tg_get(y, k) == tg_get(x, row + at));
            if (k == row) continue;
            double before = tg_get(y, k - 1), here = tg_get(y, k);
            ck_assert(before == here ? tg_get(index, k - 1) < (double)at
                      : down         ? before > here
                                     : before < here);
        }
    }
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_sort(void) {
    TCase *t = tcase_create("sort");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, long_sorts_are_sorted_and_stable);
    return t;
}
