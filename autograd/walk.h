/* Private. The walk over the tape in reverse, shared by tg_backward and tg_grad.
 *
 * The adjoint of a tensor t is dL/dt. The tape's order is a topological one, so the walk is a loop from the highest node
 * down: when it reaches a node, every use of its outputs has been passed and their adjoints are complete. The node's rule
 * then gives a contribution to the adjoint of each input, where it is accumulated. The adjoints of a node's outputs hang
 * off a table by node id (walk.c). The tensors whose gradient leaves the walk are its targets: the leaves that tg_backward
 * meets, or what tg_grad was asked for. A target has its adjoint in a hash table by slot (targets.c).
 *
 * Two modes. Values: adjoints are plain arrays, every rule runs in a nested scope of the tape that is rewound after it,
 * and first contributions are moved, not added to zeros. Recorded (create_graph): adjoints are tensors, and rules,
 * summing down and accumulating are themselves ops on the tape.
 */
#ifndef TG_AUTOGRAD_WALK_H
#define TG_AUTOGRAD_WALK_H

#include "autograd/apply.h"
#include "autograd/backward.h"

typedef struct tg_adjoint {  /* dL/dt so far; both empty: no contribution yet */
    tg_array value;          /* values mode */
    tg_tensor *handle;       /* recorded mode */
    struct tg_adjoint *next; /* in the list of those to be used again */
    bool finite;             /* a leaf's: whoever wrote the value last saw that it is finite */
} tg_adjoint;

typedef struct tg_target { /* a tensor whose gradient leaves the walk */
    tg_slot *slot;         /* NULL: an empty place of the hash table */
    tg_tensor *handle; /* the tensor's: a rule or hook may free it, and the slot then belongs to another */
    tg_adjoint adjoint;
    int64_t number;  /* how many targets there were before it */
    tg_tensor *kept; /* tg_backward's: made ready to become the tensor's gradient; NULL: it has one already */
    int64_t last_reader; /* a leaf's: the lowest node on path that reads it; 0 where that is not known (hook.c) */
    bool complete;       /* a leaf's: its hooks have run */
} tg_target;

typedef struct tg_walk_mode {
    bool record, retain;
    bool all_leaves; /* backward: every leaf on path becomes a target; otherwise the targets are given */
    bool again;      /* over a graph that may have been walked, to look on alone: hooks are not run */
    bool sparse; /* where no gradient reaches an element of an elementwise op, none leaves it: 0 * inf is 0 */
    int64_t floor; /* results of nodes below this id count as leaves; above 0 in the walk of a part of the tape */
} tg_walk_mode;

typedef struct tg_walk tg_walk;

/* Accumulates g, which it takes over, in the adjoint a of s, which is input i of the node. */
typedef tg_status tg_hear(tg_walk *w, const tg_node *node, int i, const tg_slot *s, tg_adjoint *a, tg_array *g);

struct tg_walk {
    tg_tape *tape;
    tg_walk_mode mode;
    int64_t low, high; /* node ids [low, high] */
    tg_adjoint **adjoint; /* [high - low + 1]: those of a node's n_out outputs, NULL while there is no contribution */
    bool *on_path;     /* given targets: whether node low + i depends on one; NULL when all leaves are */
    tg_adjoint *free;  /* a list of structs to be used again */
    tg_target *target; /* hash table, n_targets of cap_targets (a power of two) in use */
    int64_t n_targets, cap_targets;
    bool hooked;        /* a leaf among the targets has hooks */
    bool readers_known; /* the last readers of such leaves have been looked for */
    tg_arena_mark scratch;
    struct tg_look *look; /* what was seen during the step at hand (core/kernels/look.h); NULL: nobody looks */
    tg_hear *hear; /* takes each contribution in place of the walk, where `look` is there; NULL: the walk does */
    void *hearer; /* for hear */
};

/* Walks nest by checkpoints inside checkpoints, and by hooks and rules that walk: one that walks back to itself would
 * do so until the stack is full. */
#define TG_MAX_WALKS 100
extern _Thread_local TG_HOT int tg_walks; /* that this thread is in the middle of, one inside the other */

/* Prepares a walk from `out` (n tensors; those that require no gradient are left out) in the given mode. On failure
 * nothing needs undoing. */
tg_status tg_walk_begin(tg_walk *w, int n, tg_slot *const *out, tg_walk_mode mode);

/* Adds a seed to the adjoint of `out`. The seed is only read. */
tg_status tg_walk_seed(tg_walk *w, tg_slot *out, tg_slot *seed);

/* Runs the loop; afterwards the adjoints of the targets are their gradients. */
tg_status tg_walk_run(tg_walk *w);

/* One step of it: the rule of a node whose outputs have these adjoints, which the caller drops. */
tg_status tg_step_plain(tg_walk *w, tg_node *node, tg_adjoint *adjoints);

/* Drops all that the walk holds. */
void tg_walk_end(tg_walk *w);

/* n zeroed elements that live as long as the walk; NULL with the error raised. */
void *tg_walk_scratch(tg_walk *w, size_t n, size_t size);

/* The rules that run on this thread, the innermost first, and the walks that call them. */
typedef struct tg_rule_call {
    const tg_node *node;
    const tg_walk *walk;
    const struct tg_rule_call *outer;
} tg_rule_call;
extern _Thread_local TG_HOT const tg_rule_call *tg_rule_running; /* NULL: none */

/* Whether s is a leaf of this walk. */
static inline bool tg_walk_leaf(const tg_walk *w, const tg_slot *s) {
    return !s->node || s->node->id < w->low;
}

/* ---- targets ---- */

/* find: NULL where the slot is no target. add: finds it, or makes it one; NULL with the error raised. Adding moves the
 * others. */
tg_target *tg_walk_find_target(const tg_walk *w, const tg_slot *slot);
tg_target *tg_walk_add_target(tg_walk *w, tg_slot *slot);

/* The slot of a target, which must still be alive; NULL with the error raised. */
tg_slot *tg_target_slot(const tg_target *t);

/* ---- adjoints ---- */

/* That of s, to be changed, made when absent; NULL: nobody asks for it (or no memory, with the error raised). find: only if there is
 * one already, and it may be empty. */
tg_adjoint *tg_walk_adjoint(tg_walk *w, tg_slot *s);
tg_adjoint *tg_walk_find_adjoint(const tg_walk *w, const tg_slot *s);

static inline bool tg_adjoint_is_empty(const tg_adjoint *a) { return !a->handle && !a->value.data; }
void tg_adjoint_drop(tg_adjoint *a);

/* a += g, taking g over. The first contribution is moved; memory that something else can see is never written. */
tg_status tg_adjoint_accumulate(tg_adjoint *a, tg_array *g);
tg_status tg_adjoint_add(tg_adjoint *a, tg_array *g); /* to one that is not empty */

/* ---- looked.c: the adjoints of leaves, looked at while they are written, for the finite check ---- */

/* Where w->look is there: what is to be noted while the node's grad_kernel runs, or NULL. */
struct tg_look *tg_look_of(const tg_walk *w, const tg_node *node);

/* a += g as tg_adjoint_accumulate, where a is that of s and g the contribution of the node's rule to its input i, which the rule
 * left at `made`. Sets a->finite if it was seen. */
tg_status tg_adjoint_accumulate_looked(tg_walk *w, const tg_node *node, int i, const tg_slot *s,
                                       tg_adjoint *a, tg_array *g, const void *made);

/* The two ops a recorded walk needs itself. Autograd includes no op: the table is defined in ops/registry.c. */
typedef struct tg_walk_ops {
    tg_tensor *(*add)(tg_tensor *a, tg_tensor *b);
    tg_tensor *(*sum_to)(tg_tensor *x, tg_shape shape);
} tg_walk_ops;
extern const tg_walk_ops tg_walk_ops_table;

/* ---- nodes ---- */

/* Input i of a node, if the walk w asks for its gradient (w NULL: if any would), else NULL; NULL, too, where a rule has
 * freed it. */
static inline tg_slot *tg_walk_needed(const tg_walk *w, const tg_node *node, int i) {
    tg_slot *s = tg_slot_peek(node->in[i]);
    if (!s || !s->requires_grad || (i < 16 && node->op->no_grad & TG_IN(i))) return NULL;
    if (!w || w->mode.all_leaves || tg_walk_find_target(w, s)) return s;
    return !tg_walk_leaf(w, s) && w->on_path[s->node->id - w->low] ? s : NULL;
}

/* For an op that adds to what is there: *din begins as the adjoint of input i, if nothing else sees that memory. */
void tg_contribution_begin(tg_walk *w, const tg_node *node, int i, tg_array *din);

/* For an op whose rule may write over dout: of its inputs the last needed one whose bit is set begins as dout, where nobody else has
 * that array or is to see it afterwards: a sparse walk compares the two, whoever watches may print it, and a plan lays out memory
 * itself. */
void tg_contribution_give_over(const tg_walk *w, const tg_node *node, const tg_array *dout, tg_array *din);

/* What the rule of a node returned for its input i, which is s, is checked and, where it came in the broadcast shape,
 * summed down to the shape of s. recorded: the tensor to go on with; NULL with the error raised. */
tg_status tg_contribution_fit(const tg_node *node, int i, const tg_slot *s, tg_array *g);
tg_tensor *tg_contribution_fit_recorded(const tg_node *node, int i, const tg_slot *s, tg_tensor *g);

/* For a sparse walk, before that: where dout is 0 and the gradient g of an elementwise op's input is not a number, which
 * is 0 times infinity, it becomes 0. */
tg_status tg_contribution_drop_unreached(const tg_node *node, int i, const tg_array *dout, tg_array *g);

/* The rule of a node that has a walk of its own in place of a rule: a checkpoint (autograd/checkpoint.c). As tg_no_grad,
 * it marks such a node and is not called. */
void tg_walks_itself(const tg_node *node, tg_tensor *const *dout, tg_tensor **din);
tg_status tg_checkpoint_walk(tg_walk *w, const tg_node *node, tg_adjoint *adjoints);

/* Lets the hooks of s see, and replace, its adjoint. */
tg_status tg_hooks_run(const tg_walk *w, tg_slot *s, tg_adjoint *a);

/* The same for the leaves whose adjoints are complete now that the walk has passed `node`, and at its end for all others. */
tg_status tg_hooks_of_leaves(tg_walk *w, const tg_node *node);
tg_status tg_hooks_of_other_leaves(tg_walk *w);

/* ---- tg_grad for another function ---- */

typedef struct tg_grad_caller {
    const char *who; /* in whose name errors are raised */
    bool sparse;     /* in a sparse walk */
    bool checked;    /* by the finite check (autograd/blame/nonfinite.h) */
    bool *unused;    /* when not NULL: set for each input that the outputs do not depend on */
} tg_grad_caller;
tg_status tg_grad_for(tg_grad_caller caller, int n_out, tg_tensor *const *out, int n_in, tg_tensor *const *in,
                      tg_tensor **grads, tg_grad_opts opts);

#endif
