/* The suite of the sweep. usage: test_sweep [--table [ISA] | --failures [ISA]]
 * --table prints the largest errors as docs/performance-tables.md has them; --failures each number that is out of its bound. */
#include "tests/sweep/sweep.h"

#include "core/kernels/simd/table.h"

#include <stdlib.h>
#include <string.h>

/* Runs all cases outside of Check, for one instruction set or all. */
static int run_all(const char *isa, FILE *failures) {
    for (int s = 0; tg_kernel_isas[s]; s++) {
        if ((isa && strcmp(isa, tg_kernel_isas[s]) != 0) || !tg_kernels_use(tg_kernel_isas[s])) continue;
        for (int i = 0; i < sweep_cases(); i++) {
            const golden *g = sweep_case(i);
            const call *c = find_call(g->call);
            sweep_require(c != NULL, g->call, "no such call");
            computed v = evaluate(g, c->fn);
            compare(g, &v, report_of(i, s), failures, tg_kernel_isas[s]);
            computed_free(&v);
        }
    }
    return EXIT_SUCCESS;
}

static int print_table(const char *isa) {
    run_all(isa, NULL);
    report_table(stdout, isa);
    return EXIT_SUCCESS;
}

static int run_suite(void) {
    Suite *suite = suite_create("sweep");
    suite_add_tcase(suite, tcase_sweep());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    printf("Largest errors, in units in the last place, of all instruction sets: numbers, f32, f64\n");
    report_print(stdout);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (!reads_compressed()) return printf("no zlib: nothing to sweep\n"), EXIT_SUCCESS;
    if (!sweep_open() || !report_open()) {
        fprintf(stderr, "tests/golden/sweep.golden.gz is not readable: run from the root of the sources\n");
        return EXIT_FAILURE;
    }
    const char *what = argc > 1 ? argv[1] : "", *isa = argc > 2 ? argv[2] : NULL;
    int status = strcmp(what, "--failures") == 0 ? run_all(isa, stdout)
                 : strcmp(what, "--table") == 0  ? print_table(isa ? isa : tg_isa())
                                                 : run_suite();
    sweep_close();
    return status;
}
