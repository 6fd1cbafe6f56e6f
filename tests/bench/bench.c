/* usage: bench THREADS [WORKLOAD ...]
 * Prints "name<TAB>microseconds per step" for each workload: the median of nine rounds of about 0.17 s. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9 };
static const double seconds = 1.5;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double microseconds(const workload *w, void *state) {
    for (int i = 0; i < 3; i++) w->step(state);
    double t = now();
    w->step(state);
    double one = now() - t, round[ROUNDS];
    long n = (long)(seconds / ROUNDS / (one > 1e-7 ? one : 1e-7));
    if (n < 1) n = 1;
    for (int r = 0; r < ROUNDS; r++) {
        t = now();
        for (long i = 0; i < n; i++) w->step(state);
        round[r] = (now() - t) / (double)n;
    }
    qsort(round, ROUNDS, sizeof *round, ascending);
    return round[ROUNDS / 2] * 1e6;
}

static bool chosen(const char *name, int n, char **names) {
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return n == 0;
}

/* Workload k of all tables, or NULL. */
static const workload *workload_at(int k) {
    static const workload *const tables[] = {model_workloads, row_workloads};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const workload *w = tables[t]; w->name; w++)
            if (k-- == 0) return w;
    return NULL;
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

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (threads < 1) {
        fprintf(stderr, "usage: %s THREADS [WORKLOAD ...]\n", argv[0]);
        return 2;
    }
    int n = argc - 2;
    char **names = argv + 2;
    if (unknown(n, names)) return 2;
    tg_set_num_threads(threads);
    tg_seed(0);
    const workload *w;
    for (int k = 0; (w = workload_at(k)); k++) {
        if (!chosen(w->name, n, names)) continue;
        void *state = w->make();
        double us = state ? microseconds(w, state) : 0;
        if (tg_error_status() != TG_OK) {
            fprintf(stderr, "%s: %s\n", w->name, tg_error_message());
            return 1;
        }
        printf("%s\t%.1f\n", w->name, us);
        fflush(stdout);
        w->end(state);
    }
    return 0;
}
