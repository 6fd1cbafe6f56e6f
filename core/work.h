/* Private. Work on elements that no op does, in a form that can be done again.
 *
 * A plan (autograd/plan/plan.h) hears of every op from tg_apply and from the walk. What else changes elements (ops in place,
 * random numbers, sums of adjoints), reads them to decide the way (is the sum infinite?) or to refuse them (is a class out
 * of range?) is given as a function of arrays and plain data, which is called here and now, and told to the listener,
 * who may call it again with other arrays of the same layouts. What cannot be given so is asked for leave: a plan refuses.
 *
 * ops/nn, which sees public headers alone, sees this one besides: it is how a layer says what it does outside of ops.
 *
 * Whoever reads elements on the host in a function of arrays alone (an op's infer, forward or gradient kernel) does none
 * of this: the op as a whole is done again. */
#ifndef TG_CORE_WORK_H
#define TG_CORE_WORK_H

#include "core/iterate.h"
#include "core/slot.h"
#include "core/span.h"

typedef tg_status tg_work_fn(const tg_array *const *a, const void *data);
typedef bool tg_decide_fn(const tg_array *const *a, const void *data);

#define TG_WORK_ARRAYS 5 /* at most */

typedef struct tg_work {
    const char *name;      /* "add_": in whose name errors are raised; static */
    tg_work_fn *run;       /* may be called again at any later time */
    int n;                 /* arrays */
    unsigned makes;        /* bit i: all elements of array i are written, and what they were is not read */
    unsigned changes;      /* bit i: array i is read and written */
    bool of_kernels;       /* it calls elementwise kernels, and does nothing else */
    struct tg_rng *stream; /* of the caller's, which it advances; NULL: none */
    bool outside; /* it finds kept tensors and their gradients by itself, and works on those besides */
    const void *data; /* plain values that run reads, copied by a listener, who compares all bytes: no padding, and no pointers
                         to what may end before the plan */
    size_t size;
} tg_work;

typedef struct tg_decision { /* as tg_work, with a yes or no instead of an array */
    const char *name;
    tg_decide_fn *decide;
    int n;
    const void *data;
    size_t size;
} tg_decision;

typedef struct tg_map_call { /* an elementwise kernel on arrays of the shape of a[0] (core/iterate.h) */
    tg_run *run;             /* NULL: work that is no such kernel's */
    int operands;
    const tg_array *const *a;
    int64_t cost;
    const void *arg;
    bool folds; /* a[0] is one number instead, made of all elements of a[1], which are one run */
} tg_map_call;

#define TG_FOLD_MOST 1024 /* elements of such a run */

typedef struct tg_listener tg_listener;
struct tg_listener {
    void (*working)(tg_listener *l, const tg_work *w, const tg_array *const *a); /* before the work */
    void (*worked)(tg_listener *l, const tg_work *w, const tg_array *const *a);
    void (*decided)(tg_listener *l, const tg_decision *d, const tg_array *const *a, bool yes);
    /* A number that the code relied on, and how to ask for it again. */
    void (*relied)(tg_listener *l, const char *name, int64_t (*ask)(const void *of), const void *of,
                   int64_t answer);
    /* Whether elements may leave for the host, where nobody knows what they decide; raises the error otherwise. */
    bool (*may_read)(tg_listener *l, const tg_array *a, const char *who);
    /* The same for elements that are to be changed by hand. */
    bool (*may_write)(tg_listener *l, const tg_array *a, const char *who);
    /* Whether something may be done that cannot be done again from here (a tensor is kept, a rate set). */
    bool (*may_do)(tg_listener *l, const char *who);
    /* Whether work done again may use what this points to, which must not end with the step; NULL: nothing. */
    bool (*may_point)(tg_listener *l, const void *to, const char *who);
    /* A tensor was kept or freed, which a replay would not do. */
    void (*kept)(tg_listener *l);
    /* An elementwise kernel runs: the part of an op that says it is made of such alone. */
    void (*mapped)(tg_listener *l, const tg_map_call *m);
    /* The place of the call that is the last to have done something; NULL: nobody asks. */
    void (*placed)(tg_listener *l, const char *file, int line);
};

extern _Thread_local TG_HOT tg_listener *tg_listening; /* NULL: nobody listens on this thread */

/* For an op of kernels that does something else with these arrays. */
static inline void tg_work_is_no_kernel(const tg_array *out) {
    if (__builtin_expect(tg_listening != NULL, 0))
        tg_listening->mapped(tg_listening, &(tg_map_call){.operands = 1, .a = &out});
}

/* Whether nobody listens on this thread, or measures it. */
static inline bool tg_work_unheard(void) {
    return __builtin_expect(tg_listening == NULL && tg_measuring == NULL, 1);
}

/* Does the work, and tells of it when it went well. What the listener refuses is not done, or done for nothing: its error. */
tg_status tg_work_told(const tg_work *w, const tg_array *const *a); /* where somebody listens or measures */
static inline tg_status tg_work_do(const tg_work *w, const tg_array *const *a) {
    return tg_work_unheard() ? w->run(a, w->data) : tg_work_told(w, a);
}

/* What the span of such work is called, and how many bytes it moves. */
void tg_work_span(tg_span *s, const tg_work *w, const tg_array *const *a);

/* The same for what takes less time than to describe it: the tg_work, of which all but run and data follows, is made only
 * where somebody listens or measures, and run is a function that the compiler sees. */
#define TG_WORK_DO(RUN, A, DATA, ...) \
    (tg_work_unheard() ? RUN(A, DATA) \
                       : tg_work_told(&(tg_work){.run = (RUN), .data = (DATA), __VA_ARGS__}, A))

/* Copies elements between arrays of one shape, as tg_array_copy. */
tg_status tg_work_copy(const char *name, const tg_array *to, const tg_array *from);

/* A tensor that an error of a work describes: by its handle, and in words where somebody listens, since it may end before
 * the work is done again. */
typedef struct tg_described {
    const tg_tensor *of; /* NULL: text is the description */
    char text[160];
} tg_described;

void tg_describe_to(tg_described *d, const tg_tensor *t);
const char *tg_described_in(const tg_described *d, char text[160]); /* which may be used for it */

/* Before work that is told of afterwards: false, with the error raised, where it may not be done. */
static inline bool tg_work_may(const tg_work *w) {
    if (__builtin_expect(tg_listening != NULL, 0)) tg_listening->working(tg_listening, w, NULL);
    return tg_error_status() == TG_OK;
}

/* Tells of work that has gone well already, where it gave more than a status. */
static inline void tg_work_tell(const tg_work *w, const tg_array *const *a) {
    if (__builtin_expect(tg_listening != NULL, 0)) tg_listening->worked(tg_listening, w, a);
}

static inline bool tg_decide(const tg_decision *d, const tg_array *const *a) {
    bool yes = d->decide(a, d->data);
    if (__builtin_expect(tg_listening != NULL, 0)) tg_listening->decided(tg_listening, d, a, yes);
    return yes;
}

/* Whether the one element of t, of rank 0 or more, is infinite, or not 0: the commonest decisions. False, with the error
 * raised, for a bad handle. */
bool tg_decide_infinite(const tg_tensor *t, const char *who);
bool tg_decide_set(const tg_tensor *t, const char *who);

static inline void tg_rely(const char *name, int64_t (*ask)(const void *of), const void *of, int64_t answer) {
    if (__builtin_expect(tg_listening != NULL, 0)) tg_listening->relied(tg_listening, name, ask, of, answer);
}

/* The array inside t, for its layout, and for work that tells of itself; the public tg_array_of asks for leave. */
const tg_array *tg_array_within(const tg_tensor *t, const char *who);

static inline bool tg_may_read(const tg_array *a, const char *who) {
    return __builtin_expect(tg_listening == NULL, 1) || tg_listening->may_read(tg_listening, a, who);
}
static inline bool tg_may_write(const tg_array *a, const char *who) {
    return __builtin_expect(tg_listening == NULL, 1) || tg_listening->may_write(tg_listening, a, who);
}
static inline bool tg_may_do(const char *who) {
    return __builtin_expect(tg_listening == NULL, 1) || tg_listening->may_do(tg_listening, who);
}
static inline bool tg_may_point(const void *to, const char *who) {
    return __builtin_expect(tg_listening == NULL, 1) || tg_listening->may_point(tg_listening, to, who);
}

/* Notes the place of a call that has ended, for what happened in it. */
static inline void tg_work_place(const char *file, int line) {
    if (__builtin_expect(tg_measuring != NULL, 0) && tg_measuring->placeless)
        tg_measuring->placed(tg_measuring, file, line);
    if (__builtin_expect(tg_listening != NULL, 0) && tg_listening->placed)
        tg_listening->placed(tg_listening, file, line);
}

/* From here to tg_listen_again nobody listens: what is done meanwhile was told as a whole. */
static inline tg_listener *tg_listen_not(void) {
    tg_listener *l = tg_listening;
    tg_listening = NULL;
    return l;
}
static inline void tg_listen_again(tg_listener *l) { tg_listening = l; }

#endif
