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

/* A position on a tape. Marks nest: rewinding to one makes all later marks invalid. */
typedef struct tg_mark {
    tg_tape *tape;
    uint64_t serial; /* of the tape, so that a mark of a freed tape is noticed */
    int64_t tensors, nodes;
    uint32_t last;   /* generation of the last tensor before it, so that a mark past a rewind is noticed */
    void *block;     /* where the tape's arena stood */
    size_t used;
} tg_mark;

TG_API tg_mark tg_tape_mark(void);

/* Ends the life of every tape tensor and node made since the mark, in one pass. TG_ERR_TAPE when the mark
 * belongs to another tape or was itself rewound; nothing is changed then. Works while an error is pending. */
TG_API tg_status tg_tape_rewind(tg_mark mark);

/* Explicit tapes, for programs that hold several at once. tg_tape_use makes `tape` current on this thread
 * (NULL: the thread's own) and returns the one it replaces. Freeing a tape ends its tensors; freeing the
 * current one makes the thread's own current. NULL on failure to allocate. */
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

/* Writes the nodes from `mark` on, one a line: id, op, attributes, inputs, output, place.
 *     #3 matmul(#2 [64, 256], fc2.weight [256, 128] f32) -> [64, 128] f32   train.c:41 */
TG_API void tg_tape_print(FILE *file, tg_mark mark);

/* ---- what is recorded ---- */

/* Turns recording on this thread on or off and returns the previous setting. Results made while it is off
 * require no gradient.
 *     bool was = tg_set_grad_enabled(false);  evaluate();  tg_set_grad_enabled(was); */
TG_API bool tg_set_grad_enabled(bool on);
TG_API bool tg_grad_enabled(void);

/* Whether gradients flow to t. Set on leaves (tensors no recorded op made), f32 or f64; results of ops inherit
 * it. Setting it off on a result is TG_ERR_TAPE: use tg_detach. Returns t. */
TG_API tg_tensor *tg_set_requires_grad(tg_tensor *t, bool on);
TG_API bool tg_requires_grad(const tg_tensor *t);

/* A parameter: tg_keep, then requires_grad. The caller owns the result. */
TG_API tg_tensor *tg_param(const tg_tensor *t);

/* The same elements without history: gradients stop here. On the current tape. */
TG_API tg_tensor *tg_detach(const tg_tensor *t);

/* Makes tg_backward leave the gradient of this intermediate result in it, as it does for leaves. */
TG_API tg_status tg_retain_grad(tg_tensor *t);

#ifdef __cplusplus
}
#endif

#define tg_param(t) TG_AT((tg_param)(t))
#define tg_detach(t) TG_AT((tg_detach)(t))
#define tg_set_requires_grad(t, on) TG_AT((tg_set_requires_grad)((t), (on)))
#define tg_tape_rewind(mark) TG_STATUS_AT((tg_tape_rewind)(mark))

#endif
