/* A crash says what ran: both programs of this folder that look for crashes include this, and define crashed(). */
#ifndef TESTS_FUZZ_CRASH_H
#define TESTS_FUZZ_CRASH_H

#include "core/alloc.h" /* TG_HAVE_ASAN */

#include <signal.h>
#include <unistd.h>

static void crashed(void);

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };
static struct sigaction crash_before[CRASH_SIGNALS]; /* a sanitizer's, which prints where it was */

static void on_crash(int number, siginfo_t *info, void *context) {
    crashed();
    for (int i = 0; i < CRASH_SIGNALS; i++)
        if (crash_signals[i] == number && crash_before[i].sa_flags & SA_SIGINFO)
            crash_before[i].sa_sigaction(number, info, context);
    _exit(1);
}

#ifdef TG_HAVE_ASAN
void __asan_on_error(void);
void __asan_on_error(void) { crashed(); }
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "halt_on_error=1:abort_on_error=1:print_stacktrace=1"; }
#endif

static void watch_crashes(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = on_crash;
    for (int i = 0; i < CRASH_SIGNALS; i++) sigaction(crash_signals[i], &action, &crash_before[i]);
}

#endif
