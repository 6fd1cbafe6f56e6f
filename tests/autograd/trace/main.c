#include <check.h>
#include <stdio.h>
#include <stdlib.h>

TCase *tcase_trace_numbers(void);
TCase *tcase_trace_orders(void);
TCase *tcase_trace_parts(void);
TCase *tcase_trace_hostile(void);
TCase *tcase_trace_refused(void);
TCase *tcase_trace_sections(void);
TCase *tcase_trace_pictures(void);

int main(void) {
    Suite *suite = suite_create("trace");
    suite_add_tcase(suite, tcase_trace_numbers());
    suite_add_tcase(suite, tcase_trace_orders());
    suite_add_tcase(suite, tcase_trace_parts());
    suite_add_tcase(suite, tcase_trace_hostile());
    suite_add_tcase(suite, tcase_trace_refused());
    suite_add_tcase(suite, tcase_trace_sections());
    suite_add_tcase(suite, tcase_trace_pictures());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
