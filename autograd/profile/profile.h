/* Profiles: where the time of a program goes, by op and by line.
 *
 *     tg_profile *p = tg_profile_begin(0);
 *     for (int i = 0; i < 20; i++) train_one_step(...);      // eager, or through a plan
 *     tg_profile_end(p);
 *     tg_profile_print(stdout, p);                            // two tables: by op, by line of the program
 *     tg_profile_save_trace(p, "step.json");                  // for chrome://tracing and ui.perfetto.dev
 *     tg_profile_free(p);
 *
 * From tg_profile_begin to tg_profile_end everything that this thread has the library do on elements is an event: each op's forward,
 * each gradient rule of a walk, what changes tensors in place, random numbers, steps of optimisers, and, where a plan is
 * replayed, each call or group of calls in its list. What other threads call is not measured; the threads that share the work of one op
 * are in that op's time. Events nest: the ops of which a gradient rule is made run inside of that rule, rules inside of "backward", and the
 * time of an event in the tables is what it spent itself, without what ran inside, so that shares add up to 100 %. What is
 * left is the program's own time, the row "outside of ops". A measured event costs about 0.1 us, of which most is in the
 * time of what is around it; without a profile nothing is measured and no clock is asked.
 *
 * Lines are those of the calls in the program (ops/calls.h): of a gradient rule, where the op that it is of was called. What the library does
 * by itself is at the line of the call that it is in, or, where that calls functions of the program (tg_fit), at that of the
 * next call in these.
 *
 * Bytes are those that have to be moved at least: each array that is read or written counts once (an axis of stride 0 as one
 * element), what is both twice, and a view is free. Of elementwise calls that a plan has fused, what stays in the first-level cache does
 * not count. What the step of an optimiser finds by itself counts as far as it calls core/update.h.
 *
 * Flops are what the op says (tg_op.flops, autograd/op.h): of products two for each multiplication and addition, also where a
 * faster way computes the same; of elementwise ops, functions included, one for each element of the result, and in a gradient one for each element of
 * each gradient. Of all others nothing is known, and "-" is printed. */
#ifndef TG_AUTOGRAD_PROFILE_PROFILE_H
#define TG_AUTOGRAD_PROFILE_PROFILE_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_profile tg_profile;

/* Begins to measure this thread. `events` is how many are kept for the trace, of 40 bytes each: 0 for 1,048,576, below 0 for
 * none; tables count all. NULL with the error raised: TG_ERR_ARGUMENT where one is under way on this thread; TG_ERR_TAPE
 * inside the step of a plan that is being recorded; TG_ERR_MEMORY. */
TG_API tg_profile *tg_profile_begin(int64_t events);

/* Ends it; now it can be looked at, by any thread. What is under way (where a hook or an op of your own calls this) is left out. A thread
 * that ends has ended its profile. TG_ERR_ARGUMENT: it has ended already, or measures another thread, or is no profile. */
TG_API tg_status tg_profile_end(tg_profile *p);

/* Frees it, and ends it first where it still measures this thread. NULL is ignored. TG_ERR_ARGUMENT: it measures another thread, or
 * is no profile. */
TG_API void tg_profile_free(tg_profile *p);

typedef enum tg_phase {
    TG_PHASE_FORWARD,  /* all that is no other */
    TG_PHASE_BACKWARD, /* inside of a walk */
    TG_PHASE_UPDATE /* what finds parameters and their gradients by itself: optimisers, clipping, clearing */
} tg_phase;

/* What one line of the program had one op do in one phase. */
typedef struct tg_profile_row {
    const char *op; /* "matmul", or of calls that a plan runs together "fused 3: mul, add, tanh"; as long as the profile */
    const char *file; /* NULL: not known; as long as the profile */
    int line, last;   /* the same but for such calls: the least and the largest of theirs in `file` */
    tg_phase phase;
    bool rule;           /* the op's gradient rule, and not the op */
    bool replayed;       /* by a plan */
    int calls;           /* that a plan runs together; 0: it is one */
    int64_t count;       /* events */
    double seconds;      /* without what ran inside of them */
    double within;       /* with it */
    double bytes, flops; /* 0: not known, or none */
} tg_profile_row;

/* Writes the `most` rows with the most time to row[0 ..], the longest first, and returns how many rows there are. -1 with the error raised:
 * TG_ERR_ARGUMENT for an array that is NULL or a profile that has not ended, TG_ERR_MEMORY. */
TG_API int64_t tg_profile_rows(const tg_profile *p, tg_profile_row *row, int64_t most);

typedef struct tg_profile_stats {
    double seconds;  /* from begin to end */
    double measured; /* of these, inside of events */
    int64_t events;  /* in the rows */
    int64_t dropped; /* of these, not in the trace: there was no room, or no memory */
    int64_t lost;    /* not in the rows either: there was no memory for a row */
} tg_profile_stats;
TG_API tg_profile_stats tg_profile_stats_of(const tg_profile *p);

typedef enum tg_profile_table { TG_PROFILE_BOTH, TG_PROFILE_BY_OP, TG_PROFILE_BY_LINE } tg_profile_table;

typedef struct tg_profile_print_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_profile_table table;
    int rows; /* printed of each table, the rest being one row "others"; 0: 30 */
} tg_profile_print_opts;

/* Prints it as tables, the longest first. docs/profiling.md shows one. TG_ERR_ARGUMENT, TG_ERR_MEMORY. */
TG_API void tg_profile_print_with(FILE *file, const tg_profile *p, tg_profile_print_opts opts);

/* Writes the events as a file of Chrome's trace-event format, which chrome://tracing, ui.perfetto.dev and Firefox's profiler open; in a
 * name that ends in ".gz", compressed. All of it or nothing is written. Each event has name, phase, place, bytes and flops.
 * Texts that are no UTF-8 are made so by U+FFFD.
 * TG_ERR_ARGUMENT for a profile that has not ended; TG_ERR_IO for a file that cannot be written. */
TG_API tg_status tg_profile_save_trace(const tg_profile *p, const char *path);

#ifdef __cplusplus
}
#endif

#endif
