#include "core/span.h"

#include <time.h>

_Thread_local TG_HOT tg_stopwatch *tg_measuring;
_Thread_local TG_HOT unsigned tg_watched;

int64_t tg_span_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void tg_span_begin(tg_span *s, const char *name) {
    tg_stopwatch *w = tg_measuring;
    *s = (tg_span){.watch = w, .name = name, .took = -1};
    if (!w) return;
    const tg_span *outer = w->open;
    s->outer = w->open, s->serial = w->serial;
    if (outer)
        s->kind = outer->kind, s->file = outer->file, s->line = outer->line, s->replayed = outer->replayed;
    w->open = s;
    s->began = tg_span_now();
}

void tg_span_stop(tg_span *s) {
    if (s->watch && s->took < 0) s->took = tg_span_now() - s->began;
}

void tg_span_end(tg_span *s, bool done) {
    tg_stopwatch *w = s->watch;
    if (!w || w != tg_measuring || w->serial != s->serial) return;
    tg_span_stop(s);
    w->open = s->outer;
    if (s->outer) s->outer->inside += done ? s->took : s->inside;
    if (done) w->ended(w, s);
}

double tg_span_bytes(const tg_array *a) {
    double n = a->numel > 0 ? 1 : 0;
    for (int i = 0; i < a->rank && n > 0; i++)
        if (a->stride[i] != 0) n *= (double)a->shape[i];
    return n * (double)tg_dtype_size((tg_dtype)a->dtype);
}

void tg_span_moved(double bytes) {
    if (tg_measuring && tg_measuring->open) tg_measuring->open->bytes += bytes;
}
