/* Progress on stderr: a bar that redraws itself on a terminal; elsewhere one plain line every ten seconds. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

typedef struct progress {
    const char *label; /* "epoch  3/10" */
    int64_t total;
    bool terminal;
    double start, last; /* seconds: of the beginning, and of the last time something was drawn */
} progress;

static inline double progress_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline progress progress_begin(const char *label, int64_t total) {
    double now = progress_clock();
    return (progress){label, total, isatty(STDERR_FILENO), now, now};
}

static inline double progress_seconds(const progress *p) { return progress_clock() - p->start; }

/* `done` of the total, in images; cheap enough to call at every step. */
static inline void progress_show(progress *p, int64_t done, double loss) {
    double now = progress_clock();
    if (now - p->last < (p->terminal ? 0.1 : 10)) return;
    p->last = now;
    double rate = (double)done / (now - p->start), percent = 100.0 * (double)done / (double)p->total;
    if (!p->terminal) {
        fprintf(stderr, "%s  %3.0f%%  loss %.4f  %7.0f img/s\n", p->label, percent, loss, rate);
        return;
    }
    char bar[31] = "";
    int filled = (int)(30 * done / p->total);
    for (int i = 0; i < 30; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    fprintf(stderr, "\r%s [%s] %3.0f%%  loss %.4f  %7.0f img/s", p->label, bar, percent, loss, rate);
}

/* Clears the bar, so that a result line can take its place. */
static inline void progress_end(const progress *p) {
    if (p->terminal) fprintf(stderr, "\r\033[K");
}

#endif
