/* The tape: where ops are recorded and where tensors that nobody owns live.
 *
 * Every thread has a tape of its own from its first op on. A training step marks it, computes, and rewinds:
 *
 *     tg_mark step = tg_tape_mark();
 *     ... forward, tg_backward, optimiser ...
 *     tg_tape_rewind(step);            // every temporary of the step is gone
 *
 * Nothing here recurses along the graph, so its depth is bounded by memory only.
 */
#ifndef TG_AUTOGRAD_TAPE_H
#define TG_AUTOGRAD_TAPE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_tape tg_tape;

/* A position on a tape. Marks nest: rewinding to one makes all later marks invalid, for ever. The fields are the
 * library's. */
typedef struct tg_mark {
    tg_tape *tape;
    uint64_t serial;   /* the tape's number, so that a mark of a freed tape is noticed */
    uint64_t callback; /* the function called by the library in which it was taken; 0: in none */
    int64_t tensors, nodes;
    uint64_t last; /* generation of the last tensor before it, so that a mark past a rewind is noticed */
    uint64_t seal; /* of the fields above, so that a mark that somebody has filled in is noticed */
} tg_mark;

TG_API tg_mark tg_tape_mark(void);

/* Ends the life of every tape tensor and node made since the mark, in one pass. TG_ERR_TAPE when the mark is not one that
 * tg_tape_mark gave, belongs to another tape, was itself rewound, or was taken outside the function that is running
 * for the library (see tg_callback); nothing is changed then. Works while an error is pending. */
TG_API tg_status tg_tape_rewind(tg_mark mark);

/* Explicit tapes, for programs that hold several at once. tg_tape_use makes `tape` current on this thread
 * (NULL: the thread's own) and returns the one it replaces. Freeing a tape ends its tensors; freeing the
 * current one makes the thread's own current. NULL on failure to allocate.
 * TG_ERR_ARGUMENT, and nothing changes, for a tape that was freed before, and for freeing a thread's own, which lives
 * as long as the thread; TG_ERR_TAPE for one that another thread is on or comes back to (its own, and one on which a
 * function runs that the library has called there), and for freeing one in the middle of a walk, an op or a function
 * over it. */
TG_API tg_tape *tg_tape_new(void);
TG_API void tg_tape_free(tg_tape *tape);
TG_API tg_tape *tg_tape_use(tg_tape *tape);
TG_API tg_tape *tg_tape_current(void);

/* How many nodes and tensors are on the current tape. */
TG_API int64_t tg_tape_nodes(void);
TG_API int64_t tg_tape_tensors(void);

/* Node i in [0, tg_tape_nodes()) of the current tape, for inspection; NULL outside. Valid until rewound. */
TG_API const tg_node *tg_tape_node(int64_t i);

/* The node that made t, or NULL for a leaf. */
TG_API const tg_node *tg_node_of(const tg_tensor *t);

typedef struct tg_tape_print_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool values;                  /* below each node the elements of its outputs, as they are now */
    bool rules;                   /* below each node the gradient that its op has, as text: op->rule */
    int most; /* of how many elements all are written; of more, the first, and the least and largest; 0: 8 */
} tg_tape_print_opts;

/* Writes the nodes from `mark` on, one a line: id, op, attributes, inputs, output, place. What has a name is called by it.
 *     #3 matmul(#2 hidden [64, 256], fc2.weight [256, 128] f32) -> logits [64, 128] f32   train.c:41
 * and with .values = true
 *          = 0.25, -1.5, 0, 3, .. of 8192, from -4.1 to 5.7, 12 NaN
 * and with .rules = true, below these,
 *          da = dout b^T; db = a^T dout
 * TG_ERR_ARGUMENT for a file that is NULL and a .most below 0, TG_ERR_TAPE for a mark that tg_tape_mark did not give, or
 * of another tape. */
TG_API void tg_tape_print_with(FILE *file, tg_mark mark, tg_tape_print_opts opts);

/* The line of node i alone; TG_ERR_ARGUMENT where the current tape has none of that number. */
TG_API void tg_tape_print_node(FILE *file, int64_t i);

/* ---- what is recorded ---- */

/* Turns recording on this thread on or off and returns the previous setting. Results made while it is off
 * require no gradient.
 *     bool was = tg_set_grad_enabled(false);  evaluate();  tg_set_grad_enabled(was); */
TG_API bool tg_set_grad_enabled(bool on);
TG_API bool tg_grad_enabled(void);

/* Whether gradients flow to t. It is set on leaves, tensors that no recorded op made, of f32 or f64; results of ops
 * inherit it. Setting it off on a result is TG_ERR_TAPE: use tg_detach. Returns t. */
TG_API tg_tensor *tg_set_requires_grad(tg_tensor *t, bool on);
TG_API bool tg_requires_grad(const tg_tensor *t);

/* A parameter: tg_keep, then requires_grad. The caller owns the result. f32 or f64 (TG_ERR_DTYPE). */
TG_API tg_tensor *tg_param(const tg_tensor *t);

/* The same elements without history: gradients stop here. On the current tape. */
TG_API tg_tensor *tg_detach(const tg_tensor *t);

/* Makes tg_backward leave the gradient of this intermediate result in it, as it does for leaves. */
TG_API tg_status tg_retain_grad(tg_tensor *t);

/* ---- functions called by the library ---- */

/* Gradient rules, hooks, forward and infer of ops, and the functions given to tg_checkpoint, tg_gradcheck, tg_jacobian
 * and their like are called in the middle of something: what calls them holds positions of the tape, nodes and handles.
 * While one runs it may do what any program may, but not take the tape away from under its caller: it rewinds to marks
 * of its own only, which end with it, does not free the tape, and leaves the tape current that was (each else is
 * TG_ERR_TAPE). Freeing a kept tensor that the caller still needs makes the call fail with TG_ERR_LIFETIME.
 *
 * A function of your own that takes functions and holds marks over their calls keeps the same peace by
 *     tg_callback c = tg_callback_begin();
 *     tg_status s = tg_callback_end(c, f(x), "fit: f");
 * The end returns the status it is given; a failure that nobody raised is raised in the name of `who`. It also puts
 * back the tape and the recording mode (tg_set_grad_enabled) that were, and the name that errors bear (TG_NAMED), which
 * inside is each function's own. What has begun inside and not ended ends with it. A second end is TG_ERR_TAPE, and so is
 * one of what never began; nothing is changed then. */
typedef struct tg_callback { /* the fields are the library's */
    tg_tape *tape;
    uint64_t serial, number, outer;
    int64_t depth;
    const char *named;
    bool recording;
} tg_callback;
TG_API tg_callback tg_callback_begin(void);
TG_API tg_status tg_callback_end(tg_callback callback, tg_status status, const char *who);

#ifdef __cplusplus
}
#endif

#endif
