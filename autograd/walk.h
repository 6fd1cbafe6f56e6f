/* Private. The walk over the tape in reverse, shared by tg_backward and tg_grad.
 *
 * The tape's order is a topological one, so the walk is a loop from the highest node down: when it reaches a node,
 * every use of its outputs has been passed and their gradients are complete. What has been added up for a tensor so far
 * is its cell. A node's cells hang off a table by node id; the cells of leaves, and of tensors whose gradient the caller
 * asked for, are found by slot in a small hash table.
 *
 * Two modes. Values: gradients are plain arrays, every rule runs in a nested scope of the tape that is rewound after it,
 * and first contributions are moved, not added to zeros. Recorded (create_graph): gradients are tensors, and rules,
 * un-broadcasting and adding up are themselves ops on the tape.
 */
#ifndef TG_AUTOGRAD_WALK_H
#define TG_AUTOGRAD_WALK_H

#include "autograd/tape_private.h"

typedef struct tg_cell {
    tg_array value;         /* values mode: dL/dt so far; no data yet: no contribution */
    tg_tensor *handle;      /* recorded mode: the same, NULL: none */
    struct tg_cell *next;   /* in the free list */
} tg_cell;

typedef struct tg_goal { /* a tensor whose gradient leaves the walk */
    tg_slot *slot;       /* NULL: an empty place of the hash table */
    tg_tensor *handle;   /* of it: a rule or hook may free the tensor, and the slot then be another's */
    tg_cell cell;
} tg_goal;

typedef struct tg_walk_mode {
    bool record, retain;
    bool collect;  /* backward: every leaf reached becomes a goal; otherwise the goals are fixed */
    bool sparse;   /* where no gradient reaches an element of an elementwise op, none leaves it: 0 * inf is 0 */
    int64_t floor; /* results of nodes below this id count as leaves; above 0 in the walk of a part of the tape */
} tg_walk_mode;

typedef struct tg_walk {
    tg_tape *tape;
    tg_walk_mode mode;
    int64_t low, high; /* node ids [low, high] */
    tg_cell **cell;    /* [high - low + 1]: the n_out cells of a node, NULL while untouched */
    bool *useful;      /* fixed goals: whether node low + i depends on one; NULL when collecting */
    tg_cell *free;
    tg_goal *goal;     /* hash table, n_goals of cap_goals (a power of two) in use */
    int64_t n_goals, cap_goals;
    tg_arena_mark scratch;
    struct tg_walk *outer; /* the walk this one is nested in */
    int depth;             /* how many those are */
} tg_walk;

/* Walks nest by checkpoints inside checkpoints, and by hooks and rules that walk: one that walks back to itself would
 * do so until the stack is full. */
#define TG_MAX_WALKS 100

/* Prepares a walk from `out` (n tensors, NULL ones left out) for the given mode. On failure nothing needs undoing. */
tg_status tg_walk_begin(tg_walk *w, int n, tg_slot *const *out, tg_walk_mode mode);

/* The goal of a slot; made when absent and `make`. NULL: absent, or no memory (then an error is pending). */
tg_goal *tg_walk_goal(tg_walk *w, tg_slot *slot, bool make);

/* Where contributions to s are added up; NULL: nowhere, nobody asks for them (or no memory, with the error raised). */
tg_cell *tg_walk_cell(tg_walk *w, tg_slot *s);
tg_cell *tg_walk_cell_now(tg_walk *w, tg_slot *s); /* if there is one already; raises nothing */
void tg_walk_drop(tg_cell *c);

/* n zeroed elements that live as long as the walk; NULL with the error raised. */
void *tg_walk_scratch(tg_walk *w, size_t n, size_t size);

extern _Thread_local TG_HOT tg_walk *tg_walk_innermost; /* of this thread; NULL: none */

/* cell += g, taking g over. The first contribution is moved; memory that something else can see is never written. */
tg_status tg_walk_add(tg_cell *c, tg_array *g);

/* Adds a seed to the gradient of `out`. Records only read it. */
tg_status tg_walk_seed(tg_walk *w, tg_slot *out, tg_slot *seed);

/* The loop. Afterwards the goals hold their gradients. */
tg_status tg_walk_run(tg_walk *w);

/* Drops all that the walk holds. */
void tg_walk_end(tg_walk *w);

/* The slot of a goal, which must still be alive; NULL with the error raised. */
tg_slot *tg_goal_slot(const tg_goal *g);

/* tg_grad for another function. */
typedef struct tg_grad_caller {
    const char *who; /* in whose name errors are raised */
    bool sparse;     /* in a sparse walk */
    bool *unused;    /* when not NULL: set for each input that the outputs do not depend on */
} tg_grad_caller;
tg_status tg_grad_for(tg_grad_caller caller, int n_out, tg_tensor *const *out, int n_in, tg_tensor *const *in,
                      tg_tensor **grads, tg_grad_opts opts);

/* Input i of a node on the way of the walk w, if w asks for its gradient, else NULL. */
tg_slot *tg_walk_needed(tg_walk *w, const tg_node *node, int i);

/* The rule of a node that has a walk of its own in place of a rule: a checkpoint (autograd/checkpoint.c). As tg_no_grad,
 * it marks such a node and is not called. */
void tg_walks_itself(const tg_node *node, tg_tensor *const *dout, tg_tensor **din);
tg_status tg_checkpoint_walk(tg_walk *w, const tg_node *node, tg_cell *cells);

/* Whether s is a leaf of this walk. */
static inline bool tg_walk_leaf(const tg_walk *w, const tg_slot *s) { return !s->node || s->node->id < w->low; }

/* Lets the hooks of s see, and replace, the gradient in c. */
tg_status tg_hooks_run(const tg_walk *w, tg_slot *s, tg_cell *c);

#endif
