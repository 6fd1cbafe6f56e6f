/* Private. The tape's insides, and what surrounds each function that the library calls. */
#ifndef TG_AUTOGRAD_TAPE_PRIVATE_H
#define TG_AUTOGRAD_TAPE_PRIVATE_H

#include "autograd/tape.h"
#include "core/slot.h"
#include "core/thread.h"

#define TG_MAX_OPEN 256 /* how many nested calls of tg_callback_begin a tape knows one by one */

struct tg_tape {
    tg_region region; /* its tensors */
    tg_arena arena;   /* its nodes and nothing else, so that its position follows from n_nodes */
    tg_arena scratch; /* tables of the walks under way; nested walks nest here too */
    tg_node ***chunk; /* of TG_CHUNK_NODES nodes each, by id */
    int64_t n_nodes, n_chunks, cap_chunks;
    uint64_t serial;
    tg_thread_end end;          /* what ends a thread's own tape with the thread */
    uint64_t callback;          /* the number of the callback that runs; 0: none */
    uint64_t callbacks;         /* how many callbacks there were */
    int64_t depth;              /* how many of those that run began with tg_callback_begin */
    uint64_t open[TG_MAX_OPEN]; /* the numbers of these */
    const void *thread; /* the thread that has the tape, NULL: none; under TG_LOCK_TAPES, as is `next` */
    tg_tape *next;      /* the next in the list of all tapes */
};

#define TG_CHUNK_NODES 512

/* Where the tape has node `id`, of those there is a chunk for. */
static inline tg_node **tg_node_place(const tg_tape *tape, int64_t id) {
    uint64_t u = (uint64_t)id;
    return &tape->chunk[u / TG_CHUNK_NODES][u % TG_CHUNK_NODES];
}
static inline tg_node *tg_node_at(const tg_tape *tape, int64_t id) { return *tg_node_place(tape, id); }

/* The current tape of this thread, made at the first call; NULL with TG_ERR_MEMORY raised. */
static inline tg_tape *tg_tape_get(void);
extern _Thread_local TG_HOT tg_tape *tg_tape_now; /* the same, NULL before the first call */
tg_tape *tg_tape_first(void);
static inline tg_tape *tg_tape_get(void) { return tg_tape_now ? tg_tape_now : tg_tape_first(); }

extern _Thread_local TG_HOT bool tg_grad_off; /* recording is on by default, so zero means on */

/* Whether this is a tape of that serial which this thread may use. The pointer is looked up before it is followed. */
bool tg_tape_is_ours(const tg_tape *tape, uint64_t serial);

/* Whether tg_tape_mark gave the mark, and nobody filled it in. */
bool tg_mark_is_genuine(const tg_mark *m);

/* Whether the current tape, which it belongs to, was rewound past it. */
bool tg_mark_is_rewound(const tg_mark *m);

/* Whether the field has a name and a type, and lies within its struct. */
bool tg_attr_field_is_sound(const tg_attr_field *f, size_t size);

/* Six digits, and "nan" whatever its sign. */
void tg_print_number(FILE *file, double v);

/* Ends the tensors and nodes from these positions on. */
void tg_tape_cut(tg_tape *tape, int64_t tensors, int64_t nodes);

/* ---- callbacks: see tg_callback in autograd/tape.h. Every op calls enter and leave, which keep the recording mode as it
 * is; marks compare the number of the callback. ---- */

typedef struct tg_callback_outer { /* what ran before */
    uint64_t callback;
    int64_t depth;
} tg_callback_outer;

static inline tg_callback_outer tg_callback_enter(tg_tape *tape) {
    tg_callback_outer outer = {tape->callback, tape->depth};
    tape->callback = ++tape->callbacks;
    return outer;
}

tg_status tg_callback_failed(tg_tape *tape, tg_status status, const char *who);
void tg_tape_put_back(tg_tape *tape); /* makes it current */

/* The slot of a loss whose graph is walked to look on: one number, made by a recorded op of the current tape, that requires a gradient. NULL
 * with the error raised in the name of `who`. */
tg_slot *tg_slot_of_loss(const tg_tensor *loss, const char *who);

/* The slot of the tensor that a callback returned; NULL with the error raised in the name of `who`. */
tg_slot *tg_callback_result(const tg_tensor *y, const char *who);

/* To be called after each function of the user's: the status that its return stands for. */
static inline tg_status tg_callback_check(tg_tape *tape, tg_status status, const char *who) {
    return status == TG_OK && tg_tape_now == tape ? TG_OK : tg_callback_failed(tape, status, who);
}

static inline tg_status tg_callback_leave(tg_tape *tape, tg_callback_outer outer, tg_status status,
                                          const char *who) {
    tape->callback = outer.callback;
    tape->depth = outer.depth;
    return tg_callback_check(tape, status, who);
}

#endif
