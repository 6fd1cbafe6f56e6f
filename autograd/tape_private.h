/* Private. The tape's insides, and what the walk borrows from the ops. */
#ifndef TG_AUTOGRAD_TAPE_PRIVATE_H
#define TG_AUTOGRAD_TAPE_PRIVATE_H

#include "autograd/backward.h"
#include "core/slot.h"
#include "core/thread.h"

#define TG_MAX_OPEN 256 /* of tg_callback_begin, one inside the other, that a tape knows one by one */

struct tg_tape {
    tg_region region;  /* its tensors */
    tg_arena arena;    /* its nodes, and nothing else: where it stands follows from n_nodes */
    tg_arena scratch;  /* tables of the walks under way; nested walks nest here too */
    tg_node **node;    /* by id */
    int64_t n_nodes, cap_nodes;
    uint64_t serial;
    tg_thread_end end; /* of a thread's own */
    uint64_t callback, callbacks; /* the number of the callback that runs, 0: none; how many there were */
    int64_t depth;                /* how many of those that run began with tg_callback_begin; their numbers */
    uint64_t open[TG_MAX_OPEN];
    const void *thread;           /* that has it, NULL: none; under the lock of the list of tapes */
    tg_tape *next;                /* in that list */
};

/* The current tape of this thread, made at the first call; NULL with TG_ERR_MEMORY raised. */
static inline tg_tape *tg_tape_get(void);
extern _Thread_local TG_HOT tg_tape *tg_tape_now; /* the same, NULL before the first call */
tg_tape *tg_tape_first(void);
static inline tg_tape *tg_tape_get(void) { return tg_tape_now ? tg_tape_now : tg_tape_first(); }

extern _Thread_local TG_HOT bool tg_grad_off; /* recording is on by default, so zero means on */

/* Whether this is a tape of that serial, which this thread may use; it is not looked into before. */
bool tg_tape_is_ours(const tg_tape *tape, uint64_t serial);

/* Whether tg_tape_mark has given it, rather than somebody filled it in. */
bool tg_mark_is_genuine(const tg_mark *m);

/* Ends the tensors and nodes from these positions on. */
void tg_tape_cut(tg_tape *tape, int64_t tensors, int64_t nodes);

/* ---- callbacks: see tg_callback in autograd/tape.h. These two are on every op's way and leave the recording mode as
 * it is; marks compare the number. ---- */

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

/* The slot of the tensor that a callback returned; NULL with the error raised in the name of `who`. */
tg_slot *tg_callback_result(const tg_tensor *y, const char *who);

/* After each function that was called: the status it stands for. */
static inline tg_status tg_callback_check(tg_tape *tape, tg_status status, const char *who) {
    return status == TG_OK && tg_tape_now == tape ? TG_OK : tg_callback_failed(tape, status, who);
}

static inline tg_status tg_callback_leave(tg_tape *tape, tg_callback_outer outer, tg_status status, const char *who) {
    tape->callback = outer.callback;
    tape->depth = outer.depth;
    return tg_callback_check(tape, status, who);
}

/* Puts the application of op on the tape: outputs `out` become results that require a gradient, and what op->save
 * names is pinned. `slots` are the inputs' (NULL: left out). */
tg_status tg_record(const tg_op *op, tg_slot *const *slots, int n_in, tg_slot *const *out, int n_out, const void *attr);

static inline tg_tensor *tg_zeros_like(const tg_tensor *t) { return (tg_zeros)(tg_dtype_of(t), tg_shape_of(t)); }

/* The id of the node that made s, or -1 for a leaf. */
static inline int64_t tg_node_id(const tg_slot *s) { return s->node ? s->node->id : -1; }

/* Which output of its node s is. */
int tg_output_index(const tg_slot *s);

/* Calls fn for the slot of each saved input and output that is still alive. k counts all saved ones, in the order
 * of node->version. Stops at the first failure. */
tg_status tg_each_saved(const tg_node *node, tg_status (*fn)(const tg_node *node, tg_slot *s, int k));

/* Gives up what the node saved, once. */
void tg_node_unsave(tg_node *node);

/* The two ops a recorded walk needs itself. Autograd includes no op: the table is defined in ops/registry.c. */
typedef struct tg_walk_ops {
    tg_tensor *(*add)(tg_tensor *a, tg_tensor *b);
    tg_tensor *(*sum_to)(tg_tensor *x, tg_shape shape);
} tg_walk_ops;
extern const tg_walk_ops tg_walk_ops_table;

#endif
