/* What a loader costs a training step: 784-256-128-10 with Adam, 64 samples, on one thread, with a batch that stays and with
 * batches shuffled from 4096 images.
 * usage: bench_loader [ROUNDS]
 * The ways take turns, 50 steps each. Printed are the medians of the microseconds of processor time that a step takes of
 * the calling thread, which other programs on the machine do not disturb, of all threads, and of the ratio of the former to
 * that of the batch that stays in the same round. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS = 50, WAYS = 4, MOST = 1000 };
static const int prefetch[WAYS] = {-1, 0, 2, 4}; /* -1: no loader */

static tg_tensor *loss_of(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_relu(tg_nn_linear(m, "fc1", x, 256));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 128));
    return tg_cross_entropy(tg_nn_linear(m, "out", x, 10), y);
}

typedef struct way {
    tg_model *model;
    tg_optim *adam;
    tg_loader *loader; /* NULL: none */
    tg_tensor *batch[2];
    double caller[MOST], all[MOST], ratio[MOST];
} way;

static void step(const way *w) {
    tg_tensor *batch[2] = {w->batch[0], w->batch[1]};
    tg_mark mark = tg_tape_mark();
    if (w->loader)
        while (!tg_loader_next(w->loader, batch) && tg_error_status() == TG_OK) continue;
    tg_backward(loss_of(w->model, batch[0], batch[1]));
    tg_optim_step(w->adam);
    tg_tape_rewind(mark);
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void measure(way *w, int round) {
    const double caller = now(CLOCK_THREAD_CPUTIME_ID), all = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < STEPS; i++) step(w);
    w->caller[round] = (now(CLOCK_THREAD_CPUTIME_ID) - caller) / STEPS;
    w->all[round] = (now(CLOCK_PROCESS_CPUTIME_ID) - all) / STEPS;
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, ascending);
    return v[n / 2];
}

static void make(way *w, int ahead, tg_tensor *const data[2]) {
    w->model = tg_model_new(0);
    w->adam = tg_adam(w->model, 1e-3);
    for (int i = 0; i < 2; i++) w->batch[i] = tg_keep(tg_slice(data[i], 0, 0, 64, 1));
    if (ahead >= 0) w->loader = tg_loader_new(2, data, .batch = 64, .shuffle = true, .prefetch = ahead);
}

static void end(way *w) {
    tg_loader_free(w->loader);
    tg_optim_free(w->adam);
    tg_model_free(w->model);
    for (int i = 0; i < 2; i++) tg_free(w->batch[i]);
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 60;
    if (rounds < 1 || rounds > MOST) return fprintf(stderr, "usage: %s [ROUNDS]\n", argv[0]), 2;
    static way ways[WAYS];
    tg_tensor *const data[2] = {tg_normal(TG_F32, 0, 1, 4096, 784), random_classes(TG_SHAPE(4096), 10)};
    tg_set_num_threads(1);
    for (int k = 0; k < WAYS; k++) make(&ways[k], prefetch[k], data);
    for (int k = 0; k < WAYS; k++) measure(&ways[k], 0); /* to warm up */
    for (int r = 0; r < rounds; r++)
        for (int k = 0; k < WAYS; k++) {
            measure(&ways[k], r);
            ways[k].ratio[r] = ways[k].caller[r] / ways[0].caller[r];
        }
    for (int k = 0; k < WAYS; k++) {
        way *w = &ways[k];
        const double ratio = median(w->ratio, rounds);
        printf("prefetch %2d\t%.1f\t%.1f\t%.4f\n", prefetch[k], median(w->caller, rounds),
               median(w->all, rounds), ratio);
        end(w);
    }
    if (tg_error_status() != TG_OK) fprintf(stderr, "%s\n", tg_error_message());
    return tg_error_status() != TG_OK;
}
