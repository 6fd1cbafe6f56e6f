/* The suite of ops/. With --reference or --functions it prints docs/ops.md or
 * docs/functions.md instead. TG_FAST=1 takes fewer sizes and
 * projections; TG_OP=add,mul only the samples, golden numbers and mutants of these ops. The coverage cases come
 * last: they judge what the others counted, so they mean something only in a run of all cases. */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--reference") == 0) {
        print_op_reference(stdout);
        return EXIT_SUCCESS;
    }
    if (argc > 1 && strcmp(argv[1], "--functions") == 0) {
        print_functions(stdout);
        return EXIT_SUCCESS;
    }
    if (!coverage_open()) {
        perror("coverage");
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("ops");
    suite_add_tcase(suite, tcase_conventions());
    suite_add_tcase(suite, tcase_errors());
    suite_add_tcase(suite, tcase_named());
    suite_add_tcase(suite, tcase_pairs());
    suite_add_tcase(suite, tcase_arguments());
    suite_add_tcase(suite, tcase_changed());
    suite_add_tcase(suite, tcase_huge());
    suite_add_tcase(suite, tcase_samples());
    suite_add_tcase(suite, tcase_scales());
    suite_add_tcase(suite, tcase_golden());
    suite_add_tcase(suite, tcase_inplace());
    suite_add_tcase(suite, tcase_compiled());
    suite_add_tcase(suite, tcase_rows());
    suite_add_tcase(suite, tcase_pad());
    suite_add_tcase(suite, tcase_join());
    suite_add_tcase(suite, tcase_sort());
    suite_add_tcase(suite, tcase_dropout());
    suite_add_tcase(suite, tcase_einsum());
    suite_add_tcase(suite, tcase_linear());
    suite_add_tcase(suite, tcase_conv());
    suite_add_tcase(suite, tcase_batch_norm());
    suite_add_tcase(suite, tcase_attention());
    suite_add_tcase(suite, tcase_recurrent());
    suite_add_tcase(suite, tcase_create_ops());
    suite_add_tcase(suite, tcase_ranks());
    suite_add_tcase(suite, tcase_long());
    suite_add_tcase(suite, tcase_views());
    suite_add_tcase(suite, tcase_blobs());
    suite_add_tcase(suite, tcase_mutants());
    suite_add_tcase(suite, tcase_reference());
    suite_add_tcase(suite, tcase_texts());
    if (!getenv("CK_RUN_CASE") && !getenv("TG_OP")) suite_add_tcase(suite, tcase_coverage());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    coverage_print(stdout);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
