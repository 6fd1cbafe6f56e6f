/* Fails under LeakSanitizer: loses memory on purpose. */
#include <check.h>
#include <stdlib.h>

static void *volatile lost;

START_TEST(loses_memory) {
    lost = malloc(64);
    ck_assert_ptr_nonnull(lost);
    lost = NULL;
}
END_TEST

int main(void) {
    TCase *tcase = tcase_create("leak");
    tcase_add_test(tcase, loses_memory);
    Suite *suite = suite_create("leak");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
