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

static void clear(void) { tg_error_clear(); }

TCase *tcase_pad(void) {
    TCase *t = tcase_create("pad");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, reflecting_leaves_its_result_alone);
    return t;
}
