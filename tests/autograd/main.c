#include <check.h>
#include <stdlib.h>

TCase *tcase_tape(void);
TCase *tcase_callback(void);
TCase *tcase_backward(void);
TCase *tcase_grad(void);
TCase *tcase_functional(void);
TCase *tcase_op(void);
TCase *tcase_memory(void);
TCase *tcase_checkpoint(void);
TCase *tcase_hook(void);
TCase *tcase_leaf_hooks(void);
TCase *tcase_deep(void);
TCase *tcase_many(void);
TCase *tcase_nonfinite(void);
TCase *tcase_finite_check(void);
TCase *tcase_looked(void);
TCase *tcase_looked_threads(void);
TCase *tcase_over(void);
TCase *tcase_why(void);
TCase *tcase_plan(void);
TCase *tcase_shared(void);
TCase *tcase_recording(void);
TCase *tcase_unused(void);
TCase *tcase_compile(void);
TCase *tcase_straight(void);
TCase *tcase_profile(void);

int main(void) {
    Suite *suite = suite_create("autograd");
    suite_add_tcase(suite, tcase_tape());
    suite_add_tcase(suite, tcase_callback());
    suite_add_tcase(suite, tcase_backward());
    suite_add_tcase(suite, tcase_grad());
    suite_add_tcase(suite, tcase_functional());
    suite_add_tcase(suite, tcase_op());
    suite_add_tcase(suite, tcase_checkpoint());
    suite_add_tcase(suite, tcase_hook());
    suite_add_tcase(suite, tcase_leaf_hooks());
    suite_add_tcase(suite, tcase_nonfinite());
    suite_add_tcase(suite, tcase_finite_check());
    suite_add_tcase(suite, tcase_looked());
    suite_add_tcase(suite, tcase_looked_threads());
    suite_add_tcase(suite, tcase_over());
    suite_add_tcase(suite, tcase_why());
    suite_add_tcase(suite, tcase_plan());
    suite_add_tcase(suite, tcase_shared());
    suite_add_tcase(suite, tcase_recording());
    suite_add_tcase(suite, tcase_unused());
    suite_add_tcase(suite, tcase_compile());
    suite_add_tcase(suite, tcase_straight());
    suite_add_tcase(suite, tcase_profile());
    suite_add_tcase(suite, tcase_many());
    suite_add_tcase(suite, tcase_memory()); /* last: tests that count slots would count their millions */
    suite_add_tcase(suite, tcase_deep());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
