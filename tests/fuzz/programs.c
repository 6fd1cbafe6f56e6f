/* Random programs.
 *
 *     programs [COUNT [SEED]]
 *
 * COUNT programs (1,000; with TG_FAST=1 100), number i with the seed SEED + i; every 64th is large. A finding prints the line that runs
 * its program again. */
#define _POSIX_C_SOURCE 200809L
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
    printf("\n  replay: programs 1 %" PRIu64 "\n", seed);
    fflush(stdout);
}

void count_step(const char *name) {
    n_steps++;
    for (int i = 0; i < n_met; i++)
        if (strcmp(met[i], name) == 0) return;
    if (n_met < COUNT(met)) snprintf(met[n_met++], sizeof met[0], "%s", name);
}

/* ---- a crash says which program it was ---- */

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction before[COUNT(signals)]; /* a sanitizer's, which prints where it was */

static void crashed(void) {
    char text[80];
    int n =
        snprintf(text, sizeof text, "FINDING: ends the process\n  replay: programs 1 %" PRIu64 "\n", seed);
    if (write(STDOUT_FILENO, text, (size_t)n) < 0) _exit(2);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    crashed();
    for (int i = 0; i < COUNT(signals); i++)
        if (signals[i] == number && before[i].sa_flags & SA_SIGINFO)
            before[i].sa_sigaction(number, info, context);
    _exit(1);
}

#ifdef TG_HAVE_ASAN
void __asan_on_error(void);
void __asan_on_error(void) { crashed(); }
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "halt_on_error=1:abort_on_error=1:print_stacktrace=1"; }
#endif

static void watch(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = on_signal;
    for (int i = 0; i < COUNT(signals); i++) sigaction(signals[i], &action, &before[i]);
}

/* ---- the harness of the op suite asserts through Check, which is not running (the linker's --wrap) ---- */

void __wrap__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line) { (void)file, (void)line; }

int main(int argc, char **argv) {
    int64_t count = argc > 1            ? strtoll(argv[1], NULL, 10)
                    : getenv("TG_FAST") ? 100
                                        : 1000,
            smooth = 0, large = 0;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    watch();
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
