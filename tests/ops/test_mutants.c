/* The checker, checked: a wrong gradient of any op must fail the gradient check of its rows. */
#include "tests/ops/harness.h"

START_TEST(wrong_gradients_are_caught) {
    int n;
    const tg_op *op = tg_op_table(&n)[_i].op;
    if (has_gradient(op) && chosen(op)) check_mutants(op);
}
END_TEST

START_TEST(none_escaped) {
    ck_assert_int_gt(counted(T_PLANTED), 0);
    ck_assert_int_eq(counted(T_PLANTED), counted(T_CAUGHT));
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_mutants(void) {
    TCase *t = tcase_create("mutants");
    tcase_set_tags(t, "slow");
    int n;
    tg_op_table(&n);
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, wrong_gradients_are_caught, 0, n);
    tcase_add_test(t, none_escaped);
    return t;
}
