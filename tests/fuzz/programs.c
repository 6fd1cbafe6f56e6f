/* Random programs.
 *
 *     programs [--plan | --compile] [COUNT [SEED]]
 *
 * COUNT programs (1,000; with TG_FAST=1 100), number i with the seed SEED + i; every 64th is large. A finding prints the line
 * that runs its program again. With --plan each is run as a plan, every 256th large; with
 * --compile as one that is compiled, which takes a third of a second. */
#define _POSIX_C_SOURCE 200809L
#include "tests/fuzz/crash.h"
#include "tests/fuzz/programs.h"
#include "core/alloc.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PRINTED = 100, EVERY = 64 };

static uint64_t seed;
static const char *mode = ""; /* of the command line, for findings */
static int64_t n_findings, n_steps;
static char met[400][32]; /* names of steps */
static int n_met;

void finding(const program *p, const char *format, ...) {
    va_list args;
    if (++n_findings > MOST_PRINTED) return;
    va_start(args, format);
    printf("FINDING: %s: ", p->dtype == TG_F32 ? "f32" : "f64");
    vprintf(format, args);
    va_end(args);
    printf("\n  replay: programs %s1 %" PRIu64 "\n", mode, seed);
    fflush(stdout);
}

void count_step(const char *name) {
    n_steps++;
    for (int i = 0; i < n_met; i++)
        if (strcmp(met[i], name) == 0) return;
    if (n_met < COUNT(met)) snprintf(met[n_met++], sizeof met[0], "%s", name);
}

/* ---- a crash says which program it was ---- */

static void crashed(void) {
    char text[80];
    int n = snprintf(text, sizeof text, "FINDING: ends the process\n  replay: programs %s1 %" PRIu64 "\n",
                     mode, seed);
    if (write(STDOUT_FILENO, text, (size_t)n) < 0) _exit(2);
}

/* ---- the harness of the op suite asserts through Check, which is not running (the linker's --wrap) ---- */

void __wrap__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line) { (void)file, (void)line; }

static int check_programs(int64_t count) {
    int64_t smooth = 0, large = 0;
    for (int64_t i = 0; i < count; i++, seed++) {
        bool is_large = seed % EVERY == 0;
        large += is_large;
        smooth += check_program(seed, is_large);
    }
    printf("%" PRId64 " programs, %" PRId64 " smooth, %" PRId64 " large, %" PRId64
           " steps of %d kinds, %" PRId64 " findings\n",
           count, smooth, large, n_steps, n_met, n_findings);
    if (2 * smooth < count - large) printf("too few are smooth: differences say little\n");
    return n_findings != 0 || 2 * smooth < count - large;
}

/* Compiled, every 16th is large: what fills memory is compiled as a loop, and the rest as straight-line code. */
static int check_plans(int64_t count, bool compile) {
    const uint64_t large = compile ? 16 : 4 * EVERY;
    for (int64_t i = 0; i < count; i++, seed++) check_planned(seed, seed % large == 0, compile);
    printf("%" PRId64 " programs, %" PRId64 " steps of %d kinds, %" PRId64 " findings\n", count, n_steps,
           n_met, n_findings);
    print_planned();
    return n_findings != 0;
}

int main(int argc, char **argv) {
    bool compile = argc > 1 && strcmp(argv[1], "--compile") == 0;
    bool plan = compile || (argc > 1 && strcmp(argv[1], "--plan") == 0);
    if (plan) argv++, argc--, mode = compile ? "--compile " : "--plan ";
    int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : getenv("TG_FAST") ? 100 : 1000;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    watch_crashes();
    return plan ? check_plans(count, compile) : check_programs(count);
}
