/* Loops on OpenMP's team of threads, or on the calling thread alone where there is no OpenMP. */
#include "core/parallel.h"

typedef struct loop {
    void (*body)(void *context, int64_t begin, int64_t end);
    void *context;
    int64_t n, grain, last; /* block i is [i * grain, (i + 1) * grain), the last one ends at n */
} loop;

static void run_block(const loop *l, int64_t i) {
    l->body(l->context, i * l->grain, i < l->last ? (i + 1) * l->grain : l->n);
}

#ifdef _OPENMP
#include "core/float_mode.h"
#include "core/thread.h"

#include <omp.h>

enum { MOST_THREADS = 1024 };

/* The calling thread's team, as OpenMP keeps one for each. */
static _Thread_local struct {
    int wish; /* the number asked for; 0: none, and OpenMP's own default counts */
    int size; /* threads of the team, the calling one included; 0: it has not been made */
    int most; /* the most that the system gave when more were asked for; 0: it gave all */
} team;

static int between(int n, int low, int high) { return n < low ? low : n > high ? high : n; }

int tg_num_threads(void) {
    if (tg_teams_lost()) return 1;
    return between(team.wish ? team.wish : omp_get_max_threads(), 1, team.most ? team.most : MOST_THREADS);
}

int tg_set_num_threads(int n) {
    int was = tg_num_threads();
    team.wish = between(n, 1, MOST_THREADS);
    team.most = 0;
    return was;
}

int tg_threads_here(void) { return omp_in_parallel() ? 1 : tg_num_threads(); }

/* Brings the team to `threads`, or as many as there can be; returns how many. OpenMP ends the process when it cannot make
 * a thread, so those that are missing are tried first, with one to spare for what memory OpenMP needs itself. */
static int set_team(int threads) {
    int have = team.size > 1 ? team.size : 1;
    if (threads > have) {
        if (!tg_teams_begin()) return 1;
        int missing = threads - have, had = tg_threads_to_be_had(missing + 1);
        if (had <= missing) team.most = threads = have + (had > 0 ? had - 1 : 0);
    }
    return team.size = threads;
}

/* All of the team take part in every loop: OpenMP ends the threads that a smaller one would leave over, and makes them
 * anew for the next. */
static void run_on_team(const loop *l, int threads) {
    const uint64_t mode = tg_float_word();
#pragma omp parallel num_threads(threads)
    {
        const uint64_t own = tg_float_word();
        const int changed = tg_take_float_mode(mode);
#pragma omp for schedule(static) nowait
        for (int64_t i = 0; i <= l->last; i++) run_block(l, i);
        if (changed) tg_take_float_mode(own);
    }
}
#else
int tg_num_threads(void) { return 1; }
int tg_threads_here(void) { return 1; }

int tg_set_num_threads(int n) {
    (void)n;
    return 1;
}

static int set_team(int threads) { return threads; }
static void run_on_team(const loop *l, int threads) { (void)l, (void)threads; }
#endif

void tg_parallel_for(int64_t n, int64_t grain, void (*body)(void *context, int64_t begin, int64_t end),
                     void *context) {
    if (!body) tg_fail(TG_ERR_ARGUMENT, "tg_parallel_for: the body is NULL");
    if (n <= 0 || !body) return;
    if (grain < 1) grain = 1;
    const loop l = {body, context, n, grain, (n - 1) / grain};
    int threads = l.last > 0 ? tg_threads_here() : 1;
    if (threads > 1) threads = set_team(threads);
    if (threads > 1) {
        run_on_team(&l, threads);
        return;
    }
    for (int64_t i = 0; i <= l.last; i++) run_block(&l, i);
}
