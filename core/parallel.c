/* Loops on OpenMP's team of threads, or on the calling thread alone where there is no OpenMP. */
#include "core/parallel.h"

#ifdef _OPENMP
#include <omp.h>

static _Thread_local int limit; /* 0: not set, OpenMP's own */

int tg_num_threads(void) { return limit ? limit : omp_get_max_threads(); }

int tg_set_num_threads(int n) {
    int was = tg_num_threads();
    limit = n < 1 ? 1 : n;
    return was;
}
#else
int tg_num_threads(void) { return 1; }

int tg_set_num_threads(int n) {
    (void)n;
    return 1;
}
#endif

int tg_threads_here(void) {
#ifdef _OPENMP
    if (omp_in_parallel()) return 1;
#endif
    return tg_num_threads();
}

void tg_parallel_for(int64_t n, int64_t grain, void (*body)(void *context, int64_t begin, int64_t end),
                     void *context) {
    if (n <= 0) return;
    int64_t last = (n - 1) / grain; /* block i is [i * grain, (i + 1) * grain), the last one ends at n */
#ifdef _OPENMP
    int threads = tg_threads_here();
    if (threads > last + 1) threads = (int)(last + 1);
    if (threads > 1) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t i = 0; i <= last; i++) body(context, i * grain, i < last ? (i + 1) * grain : n);
        return;
    }
#endif
    for (int64_t i = 0; i <= last; i++) body(context, i * grain, i < last ? (i + 1) * grain : n);
}
