/* Sequences of hostile calls.
 *
 *     hostile [COUNT [SEED [trace] [PREFIX]]]
 *
 * COUNT calls (50,000; with TG_FAST=1 5,000) in sequences of 64, number i with the seed SEED + i. A finding prints the call and the line that
 * makes its sequence again; `trace` prints every call before it is made; with a prefix every other call is of a function whose
 * name begins so. */
#define _XOPEN_SOURCE 700
#include "tests/fuzz/crash.h"
#include "tests/fuzz/hostile.h"
#include "core/alloc.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { LENGTH = 64, SECONDS = 30, MOST_PRINTED = 200 };

hostile_frame hostile_frames[MOST_NESTED];
int hostile_depth, hostile_composed;

static uint64_t state, seed;
static int64_t calls, n_findings;
static int report_fd = STDERR_FILENO;
static bool trace;
static const char *preferred; /* a prefix of names; NULL: none */

/* ---- random numbers: not the library's, which is under test (splitmix64) ---- */

uint64_t random_bits(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t below(int64_t n) { return n > 0 ? (int64_t)(random_bits() % (uint64_t)n) : 0; }
bool one_in(unsigned n) { return below(n) == 0; }
bool bad(void) { return hostile_depth && (FRAME->garbage || (FRAME->badness && one_in(FRAME->badness))); }

/* ---- findings ---- */

static void print_calls(void) {
    for (int i = 0; i < hostile_depth; i++)
        dprintf(report_fd, "  %*s%s(%s)\n", 2 * i, "", hostile_frames[i].call->name, hostile_frames[i].text);
    dprintf(report_fd, "  replay: hostile %d %" PRIu64 " trace %s\n", LENGTH, seed, preferred ? preferred : "");
}

void finding(const char *format, ...) {
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (++n_findings > MOST_PRINTED) return;
    dprintf(report_fd, "FINDING: %s: %s\n", hostile_depth ? FRAME->call->name : "a sequence", text);
    print_calls();
}

/* A sanitizer's report, a signal, or an exit from within a call. What is printed from then on is seen. */
static void crashed(void) {
    static bool once;
    if (once) return;
    once = true;
    dprintf(report_fd, "FINDING: ends the process\n");
    print_calls();
    show_output(report_fd);
    remove_folder();
    dup2(report_fd, STDERR_FILENO);
}

static void on_exit_within(void) {
    if (hostile_depth) crashed();
}

/* Ticks of processor time, in which the number of calls should grow. */
static void on_tick(int number) {
    static int64_t at, ticks;
    ticks = at == calls && hostile_depth ? ticks + 1 : 0;
    at = calls;
    (void)number;
    if (ticks < SECONDS) return;
    dprintf(report_fd, "FINDING: takes more than %d seconds\n", SECONDS);
    print_calls();
    abort();
}

static void watch(void) {
    report_fd = dup(STDERR_FILENO);
    const struct itimerval second = {{1, 0}, {1, 0}};
    struct sigaction tick = {.sa_flags = SA_RESTART};
    tick.sa_handler = on_tick;
    sigaction(SIGPROF, &tick, NULL);
    setitimer(ITIMER_PROF, &second, NULL);
    atexit(on_exit_within);
    watch_crashes();
}

/* ---- allocations of more than MOST_BYTES fail (the linker's --wrap) ---- */

void *__real_tg_sys_alloc(size_t size);
void *__wrap_tg_sys_alloc(size_t size);
void *__wrap_tg_sys_alloc(size_t size) { return size > MOST_BYTES ? NULL : __real_tg_sys_alloc(size); }

/* ---- sequences ---- */

const hostile_call *find_hostile(const char *name) {
    for (int i = 0; i < n_hostile_calls; i++)
        if (strcmp(hostile_calls[i].name, name) == 0) return &hostile_calls[i];
    return NULL;
}

void make_call(const hostile_call *call) {
    static const unsigned badness[] = {0, 0, 12, 6, 2};
    hostile_frame *f = &hostile_frames[hostile_depth];
    memset(f, 0, offsetof(hostile_frame, message));
    f->message[0] = '\0', f->disturbed = f->working = f->garbage = false, f->count = 0, f->op = NULL,
    f->last = NULL, f->user = NULL;
    f->call = call;
    f->badness = badness[below(COUNT(badness))];
    hostile_depth++;
    calls++;
    call->make();
    hostile_depth--;
}

static void start_sequence(void) {
    tg_error_clear();
    make_ops();
    make_rules();
    make_objects();
    make_schedules();
    make_tensors();
    make_plans();
    make_profiles();
    tg_error_clear();
}

static void end_sequence(tg_mark base) {
    free_profiles();
    free_plans();
    free_schedules();
    free_objects();
    free_tensors();
    tg_error_clear();
    if (tg_tape_rewind(base) != TG_OK) finding("cannot be rewound: %s", tg_error_message());
    tg_error_clear();
    forget_scratch();
    forget_files();
}

/* Any function; every other one of those preferred, where there are any. */
static const hostile_call *next_call(void) {
    const hostile_call *c = &hostile_calls[below(n_hostile_calls)];
    if (!preferred || one_in(2)) return c;
    while (strncmp(c->name, preferred, strlen(preferred)) != 0) c = &hostile_calls[below(n_hostile_calls)];
    return c;
}

static void run_sequence(int64_t n) {
    state = seed;
    tg_mark base = tg_tape_mark();
    size_t bytes = tg_memory_now().live_buffer_bytes;
    start_sequence();
    for (int64_t i = 0; i < n; i++) {
        make_call(next_call());
        if (trace) dprintf(report_fd, "%s(%s)\n", hostile_frames[0].call->name, hostile_frames[0].text);
    }
    end_sequence(base);
    size_t now = tg_memory_now().live_buffer_bytes;
    if (now > bytes) finding("leaves %zu bytes live, before %zu", now, bytes);
}

int main(int argc, char **argv) {
    int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : getenv("TG_FAST") ? 5000 : 50000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    trace = argc > 3 && strcmp(argv[3], "trace") == 0;
    preferred = argc > 3 && !trace ? argv[3] : argc > 4 ? argv[4] : NULL;
    bool known = !preferred;
    for (int i = 0; i < n_hostile_calls && !known; i++)
        known = !strncmp(hostile_calls[i].name, preferred, strlen(preferred));
    if (!known) return dprintf(STDERR_FILENO, "no function begins with %s\n", preferred), 2;
    watch();
    if (!make_folder() || !watch_output() || !start_threads()) return 2;
    tg_set_num_threads(2);
    for (seed = first; calls < count; seed++) run_sequence(count - calls < LENGTH ? count - calls : LENGTH);
    stop_threads();
    remove_folder();
    dprintf(report_fd, "%" PRId64 " calls of %d functions, %" PRId64 " findings\n", calls, n_hostile_calls,
            n_findings);
    return n_findings != 0;
}
