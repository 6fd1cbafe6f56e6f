#include "bench.h"

#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9 };

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double seconds_a_step(void (*step)(void *state), void *state, double seconds) {
    for (int i = 0; i < 3; i++) step(state);
    double t = seconds_now();
    step(state);
    double one = seconds_now() - t, round[ROUNDS];
    long n = (long)(seconds / ROUNDS / (one > 1e-7 ? one : 1e-7));
    if (n < 1) n = 1;
    for (int r = 0; r < ROUNDS; r++) {
        t = seconds_now();
        for (long i = 0; i < n; i++) step(state);
        round[r] = (seconds_now() - t) / (double)n;
    }
    qsort(round, ROUNDS, sizeof *round, ascending);
    return round[ROUNDS / 2];
}
