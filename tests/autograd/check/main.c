/* The gradient checker, checked. The last line counts what the tests that ran have found. */
#include "tests/autograd/check/counts.h"

#include <check.h>
#include <stdlib.h>

TCase *tcase_tolerance(void);
TCase *tcase_tolerance_edges(void);
TCase *tcase_verdict(void);
TCase *tcase_corpus(void);
TCase *tcase_points(void);
TCase *tcase_locate(void);
TCase *tcase_function(void);
TCase *tcase_grade(void);
TCase *tcase_check_model(void);
TCase *tcase_check_suite(void);

int main(void) {
    if (!counts_begin()) return EXIT_FAILURE;
    Suite *suite = suite_create("check");
    suite_add_tcase(suite, tcase_tolerance());
    suite_add_tcase(suite, tcase_tolerance_edges());
    suite_add_tcase(suite, tcase_verdict());
    suite_add_tcase(suite, tcase_corpus());
    suite_add_tcase(suite, tcase_points());
    suite_add_tcase(suite, tcase_locate());
    suite_add_tcase(suite, tcase_function());
    suite_add_tcase(suite, tcase_grade());
    suite_add_tcase(suite, tcase_check_model());
    suite_add_tcase(suite, tcase_check_suite());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    counts_print();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
