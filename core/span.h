/* Private. Spans: how long each piece of work takes, for whoever wants to know (autograd/profile/profile.h).
 *
 * A span lies on the stack of whoever does the work, between tg_span_begin and tg_span_end, and knows the one around it. Nobody
 * calls these where tg_measuring is NULL: that is one branch at each piece of work. */
#ifndef TG_CORE_SPAN_H
#define TG_CORE_SPAN_H

#include "core/alloc.h"

typedef enum tg_span_kind { /* as tg_phase */
                            TG_SPAN_FORWARD,
                            TG_SPAN_BACKWARD,
                            TG_SPAN_UPDATE
} tg_span_kind;

typedef struct tg_span {
    struct tg_stopwatch *watch;
    struct tg_span *outer;
    uint64_t serial;  /* the watch's */
    const char *name; /* read by the watch when the span ends */
    const char *file; /* NULL: that of the span around it, or of the next call that is noted */
    int line, last;   /* last: of several calls the last line, else 0 */
    int calls;        /* run together; 0: it is one */
    uint8_t kind;
    bool rule;                   /* the gradient rule of the op `name` */
    bool replayed;               /* by a plan */
    bool whole;                  /* work inside of it is part of it, and no span of its own */
    int64_t began, took, inside; /* nanoseconds; took: -1 until it has stopped; inside: the spans inside took */
    double bytes, flops;
} tg_span;

typedef struct tg_stopwatch tg_stopwatch;
struct tg_stopwatch {
    uint64_t serial; /* another for each watch of the thread */
    tg_span *open;   /* the innermost */
    bool placeless;  /* a span has ended without a place */
    void (*ended)(tg_stopwatch *w, const tg_span *s);
    /* The place of the call whose spans have ended without one. */
    void (*placed)(tg_stopwatch *w, const char *file, int line);
};

extern _Thread_local TG_HOT tg_stopwatch *tg_measuring; /* NULL: nobody measures this thread */

/* Who wants to know of each op and each gradient rule on this thread: one branch for all where nobody does. */
enum { TG_WATCH_TIME = 1, TG_WATCH_ELEMENTS = 2 }; /* tg_measuring; autograd/blame/blame.h */
extern _Thread_local TG_HOT unsigned tg_watched;

int64_t tg_span_now(void); /* nanoseconds on a clock that only goes on */

/* Begins a span of the phase and place of the one around it; the caller sets what is otherwise before it ends. */
void tg_span_begin(tg_span *s, const char *name);

/* The same where it is not known whether somebody measures. */
static inline void tg_span_try(tg_span *s, const char *name) {
    s->watch = NULL;
    if (__builtin_expect(tg_measuring != NULL, 0)) tg_span_begin(s, name);
}

/* The work is done: the rest, up to the end, is no longer its time. */
void tg_span_stop(tg_span *s);

/* Ends it, and stops it if need be. Where it was not begun, or its watch has gone meanwhile, nothing happens; where `done` is false, it is
 * not told of. */
void tg_span_end(tg_span *s, bool done);

/* Bytes of the elements that lie apart in memory. */
double tg_span_bytes(const tg_array *a);

/* What a kernel that nobody else counts for has moved, in the span that is open. */
void tg_span_moved(double bytes);

#endif
