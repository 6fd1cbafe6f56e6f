/* The checker, checked: a wrong gradient of any op must fail the gradient check of its rows. */
#include "tests/ops/harness.h"

START_TEST(wrong_gradients_are_caught) {
    int n;
    const tg_op *op = tg_op_table(&n)[_i].op;
    if (has_gradient(op)) check_mutants(op);
}
END_TEST

/* An op none of whose mutants could be planted would pass the test above. */
START_TEST(every_op_had_mutants) {
    int64_t least = 0;
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    for (int i = 0; i < n; i++) least += has_gradient(table[i].op) ? 4 : 0;
    ck_assert_int_ge(counted(T_PLANTED) + counted(T_EQUIVALENT), least);
    ck_assert_int_eq(counted(T_PLANTED), counted(T_CAUGHT));
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_mutants(void) {
    TCase *t = tcase_create("mutants");
    int n;
    tg_op_table(&n);
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, wrong_gradients_are_caught, 0, n);
    tcase_add_test(t, every_op_had_mutants);
    return t;
}
