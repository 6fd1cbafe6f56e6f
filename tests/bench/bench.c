/* usage: bench [--floor | --memory | --finite | --record | --plan [--compile]] THREADS [WORKLOAD ...]
 * Prints "name<TAB>microseconds per step" for each workload: the median of nine rounds of about 0.17 s. With --floor a
 * third column: the microseconds that the workload's matrix products and memory traffic take at the rates measured
 * just before, 0 where the workload states neither. With --memory, instead, "name<TAB>MiB": by how much the resident
 * memory of the process is larger at its peak during making the workload and five steps than before (Linux). With --plan
 * each step is run as a plan (autograd/plan/plan.h), "-" where it cannot be recorded; with --compile its groups are compiled, and
 * a third column has the seconds that this took, 0 where there is no group. With --finite, steps with and without the finite check
 * at backward (autograd/blame/nonfinite.h) alternate: "name<TAB>microseconds without<TAB>with<TAB>ratio", each the lower
 * quartile of pieces of at least 0.2 ms. With --record, what recording and planning cost: "name<TAB>microseconds an eager step<TAB>the first
 * two runs of the first plan<TAB>of later ones, the median<TAB>three eager steps and 5 ms", the limit that was set for them. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the machine's rates, by the library's own kernels ---- */

typedef struct rates {
    double flops, bytes; /* a second */
} rates;

static void product(void *state) {
    tg_tensor **x = state;
    tg_mark m = tg_tape_mark();
    tg_matmul(x[0], x[1]);
    tg_tape_rewind(m);
}
static void sum(void *state) {
    tg_tensor **x = state;
    tg_mark m = tg_tape_mark();
    tg_add(x[0], x[1]);
    tg_tape_rewind(m);
}

/* A product of 1024 x 1024 x 1024, and a sum of arrays of 64 MiB: two are read, one is written. */
static rates measure(void) {
    tg_mark m = tg_tape_mark();
    const int64_t n = 1024, length = INT64_C(1) << 24;
    tg_tensor *a[2] = {tg_ones(TG_F32, n, n), tg_ones(TG_F32, n, n)};
    tg_tensor *b[2] = {tg_ones(TG_F32, length), tg_ones(TG_F32, length)};
    rates r = {2.0 * (double)(n * n * n) / seconds_a_step(product, a, 0.5),
               3 * 4.0 * (double)length / seconds_a_step(sum, b, 0.5)};
    tg_tape_rewind(m);
    return r;
}

/* ---- memory ---- */

/* The line "field: n kB" of /proc/self/status, in MiB; NAN where there is none. */
static double status_of(const char *field) {
    char line[128];
    double mib = NAN;
    size_t n = strlen(field);
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, n) == 0 && line[n] == ':') mib = strtod(line + n + 1, NULL) / 1024;
    if (f) fclose(f);
    return mib;
}

/* Lets the peak start anew. */
static void reset_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

static int run_memory(const workload *w) {
    reset_peak();
    double before = status_of("VmRSS");
    void *state = w->make();
    for (int i = 0; state && i < 5; i++) w->step(state);
    if (!state || tg_error_status() != TG_OK) return 1;
    printf("%s\t%.1f\n", w->name, status_of("VmHWM") - before);
    w->end(state);
    tg_memory_trim();
    return 0;
}

/* ---- the run ---- */

static bool chosen(const char *name, int n, char **names) {
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return n == 0;
}

static int unknown(int n, char **names) {
    const workload *w;
    for (int i = 0; i < n; i++) {
        int k = 0;
        while ((w = workload_at(k)) && strcmp(w->name, names[i]) != 0) k++;
        if (w) continue;
        fprintf(stderr, "bench: no workload \"%s\"; there are:", names[i]);
        for (k = 0; (w = workload_at(k)); k++) fprintf(stderr, " %s", w->name);
        fputc('\n', stderr);
        return 1;
    }
    return 0;
}

/* ---- as plans ---- */

static void replay(void *plan) {
    tg_mark m = tg_tape_mark();
    tg_plan_run_with(plan, 0, NULL);
    tg_tape_rewind(m);
}

static int run_planned(const workload *w, bool compile) {
    running r = {w, w->make()};
    tg_plan *plan = r.state ? tg_plan_new(running_step, &r, .compile = compile) : NULL;
    double us = plan ? seconds_a_step(replay, plan, 1.5) * 1e6 : 0;
    if (!plan) return 1;
    if (tg_error_status() != TG_OK)
        printf("%s\t-\t%s\n", w->name, tg_error_message());
    else if (compile)
        printf("%s\t%.1f\t%.2f\n", w->name, us, tg_plan_stats_of(plan).compile_seconds);
    else
        printf("%s\t%.1f\n", w->name, us);
    tg_error_clear();
    tg_plan_free(plan);
    w->end(r.state);
    fflush(stdout);
    return 0;
}

/* ---- recording ---- */

/* Seconds that the first two runs of a plan take. */
static double record_once(running *r) {
    tg_plan *plan = tg_plan_new(running_step, r);
    const double begin = seconds_now();
    replay(plan), replay(plan);
    const double took = seconds_now() - begin;
    tg_plan_free(plan);
    return took;
}

static int run_recorded(const workload *w) {
    enum { PLANS = 40 };
    running r = {w, w->make()};
    if (!r.state) return 1;
    const double step = seconds_a_step(w->step, r.state, 0.5), first = record_once(&r);
    const int plans = first * PLANS < 4 ? PLANS : (int)(4 / first) + 1;
    double took[PLANS];
    for (int i = 0; i < plans; i++) took[i] = record_once(&r);
    if (tg_error_status() != TG_OK) return 1;
    qsort(took, (size_t)plans, sizeof *took, ascending);
    printf("%s\t%.1f\t%.1f\t%.1f\t%.1f\n", w->name, step * 1e6, first * 1e6, took[plans / 2] * 1e6,
           3 * step * 1e6 + 5000);
    w->end(r.state);
    fflush(stdout);
    return 0;
}

/* ---- with the finite check, and without ---- */

enum { PIECES = 400 }; /* of each */

static double piece(const workload *w, void *state, int steps) {
    const double begin = seconds_now();
    for (int i = 0; i < steps; i++) w->step(state);
    return (seconds_now() - begin) / steps;
}

static int run_checked(const workload *w) {
    static double took[2][PIECES];
    void *state = w->make();
    double one = 1;
    for (int i = 0; state && i < 4; i++) one = piece(w, state, 1);
    const int steps = one < 2e-4 ? (int)(2e-4 / one) + 1 : 1,
              most = one * steps * 2 * PIECES < 6 ? PIECES : (int)(3 / (one * steps)) + 8;
    const int pieces = most < PIECES ? most : PIECES;
    for (int i = 0; state && i < 2 * pieces; i++) {
        const int on = (i + i / 2) & 1; /* off on, on off: neither is always first */
        tg_set_finite_check(on ? TG_FINITE_AT_BACKWARD : TG_FINITE_OFF);
        took[on][i / 2] = piece(w, state, steps);
    }
    tg_set_finite_check(TG_FINITE_OFF);
    if (!state || tg_error_status() != TG_OK) return 1;
    for (int on = 0; on < 2; on++) qsort(took[on], (size_t)pieces, sizeof **took, ascending);
    const double off = took[0][pieces / 4] * 1e6, on = took[1][pieces / 4] * 1e6;
    printf("%s\t%.1f\t%.1f\t%.4f\n", w->name, off, on, on / off);
    fflush(stdout);
    w->end(state);
    return 0;
}

static int run(const workload *w, const rates *machine) {
    void *state = w->make();
    double us = state ? seconds_a_step(w->step, state, 1.5) * 1e6 : 0;
    if (!state || tg_error_status() != TG_OK) {
        fprintf(stderr, "%s: %s\n", w->name, tg_error_message());
        return 1;
    }
    printf("%s\t%.1f", w->name, us);
    if (machine) printf("\t%.1f", (w->flops / machine->flops + w->bytes / machine->bytes) * 1e6);
    putchar('\n');
    fflush(stdout);
    w->end(state);
    return 0;
}

/* What is measured of a workload, by the option that asks for it. */
typedef enum way { PLAIN, FLOOR, MEMORY, FINITE, RECORD, PLAN, WAYS } way;
static const char *const option[WAYS] = {"", "--floor", "--memory", "--finite", "--record", "--plan"};

static int measure_one(way how, const workload *w, bool compile, const rates *machine) {
    switch (how) {
    case MEMORY:
        return run_memory(w);
    case FINITE:
        return run_checked(w);
    case RECORD:
        return run_recorded(w);
    case PLAN:
        return run_planned(w, compile);
    default:
        return run(w, how == FLOOR ? machine : NULL);
    }
}

int main(int argc, char **argv) {
    way how = PLAIN;
    for (int k = 1; k < WAYS; k++)
        if (argc > 1 && strcmp(argv[1], option[k]) == 0) how = (way)k;
    const bool compile = how == PLAN && argc > 2 && strcmp(argv[2], "--compile") == 0;
    const int first = 1 + (how != PLAIN) + compile, threads = argc > first ? atoi(argv[first]) : 0;
    if (threads < 1) {
        fprintf(
            stderr,
            "usage: %s [--floor | --memory | --finite | --record | --plan [--compile]] THREADS [WORKLOAD ...]\n",
            argv[0]);
        return 2;
    }
    int n = argc - first - 1;
    char **names = argv + first + 1;
    if (unknown(n, names)) return 2;
    tg_set_num_threads(threads);
    tg_seed(0);
    rates machine = {0};
    if (how == FLOOR) {
        machine = measure();
        printf("# sgemm %.1f Gflop/s, memory %.1f GB/s\n", machine.flops * 1e-9, machine.bytes * 1e-9);
    }
    const workload *w;
    for (int k = 0; (w = workload_at(k)); k++)
        if (chosen(w->name, n, names) && measure_one(how, w, compile, &machine)) return 1;
    return 0;
}
