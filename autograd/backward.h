/* Gradients: the walk over the tape in reverse. */
#ifndef TG_AUTOGRAD_BACKWARD_H
#define TG_AUTOGRAD_BACKWARD_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_backward_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *seed; /* dL/d(out), of out's shape and dtype; needed unless out has one element (then 1) */
    bool retain;     /* keep what the nodes saved, so that the same graph can be walked again */
} tg_backward_opts;

/* Adds dL/dt to the gradient of every leaf t that requires one and that L was computed from.
 *     tg_backward(loss)     tg_backward(y, .seed = dy, .retain = true)
 * Gradients accumulate until tg_zero_grad, so micro-batches are several calls. All or nothing: on any error the
 * gradients are what they were. Errors: TG_ERR_SHAPE (out has many elements and no seed; a seed of another
 * shape), TG_ERR_TAPE (out has no history; the graph was walked before without retain; a saved tensor was
 * changed in place since, naming both ops), TG_ERR_LIFETIME, TG_ERR_MEMORY, or the pending error.
 * A walk gives up what the nodes saved as it passes them, which holds the peak of memory down. So one that fails, for
 * want of memory or by a rule or hook, has consumed the part of the graph that it had passed: tried again it is
 * TG_ERR_TAPE, and the forward pass has to be repeated. With .retain = true nothing is given up, and it may be tried
 * again. */
TG_API tg_status tg_backward_with(tg_tensor *out, tg_backward_opts opts);

/* The accumulated gradient of t: a tensor on the current tape that shares the elements. The poison tensor and
 * TG_ERR_ARGUMENT when there is none yet; tg_has_grad asks without an error. */
TG_API tg_tensor *tg_grad_of(const tg_tensor *t);
TG_API bool tg_has_grad(const tg_tensor *t);

/* Forgets the gradient of t; the next backward starts anew. */
TG_API tg_status tg_zero_grad(tg_tensor *t);

/* A program as a function: one tensor, made of n others with recorded ops. */
typedef tg_tensor *(*tg_function)(tg_tensor *const *in, void *user);

typedef struct tg_grad_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *const *seeds; /* one for each output; NULL, or a NULL in it, where the output has one element */
    bool retain;             /* as in tg_backward_opts; create_graph implies it */
    bool create_graph;       /* record the walk itself, so that the gradients can be differentiated again */
    bool allow_unused; /* an input that the outputs do not depend on gets zeros instead of an error, and the outputs
                              * may have no history at all */
} tg_grad_opts;

/* grads[i] = sum over outputs o of (dL_o/d in[i])^T seed_o, for each i; the results belong to the current tape.
 * Inputs may be leaves or intermediate results. No tensor's own gradient is read or written, which makes it the
 * function for threads that share parameters.
 *     tg_tensor *g[2];
 *     tg_grad(1, &loss, 2, (tg_tensor *[]){w, b}, g, .create_graph = true);
 * Errors as tg_backward, and TG_ERR_TAPE for an unused input. On error every grads[i] is the poison tensor. */
TG_API tg_status tg_grad_with(int n_out, tg_tensor *const *out, int n_in, tg_tensor *const *in,
                              tg_tensor **grads, tg_grad_opts opts);

/* A hook sees dL/dt once a walk has completed it, before the walk goes on to the nodes below: for a result, when the walk
 * reaches the node that made it; for a leaf, when it has passed the lowest of the nodes on its way that read the leaf, a
 * checkpoint being one node. So the last layer's parameters come first, and those that one node completes in the order of
 * its inputs. (A leaf that no node reads, because the walk began at it, comes at the end.) Gradients are stored or
 * returned when the whole walk is done.
 * The hook returns the gradient, or another tensor of that shape and dtype to take its place, or NULL for "as it is"; it
 * must not change its argument in place. In a recorded walk what it computes is recorded too.
 *     static tg_tensor *clipped(tg_tensor *grad, void *user) { return tg_clamp(grad, -1, 1); }
 *     tg_register_hook(h, clipped, NULL);
 * A tensor may have several; each is given what the one registered before it returned. They go with the tensor, with
 * tg_remove_hooks, or one by one with tg_remove_hook, the first that was registered with this function and user, if it
 * is there; a hook may call both ("run once"): those removed run no more, and one registered by a hook waits for the next
 * walk. Errors: TG_ERR_TAPE when t requires no gradient; a hook that fails fails the walk. What a hook may do to
 * the tape: tg_callback, autograd/tape.h. As torch.Tensor.register_hook. */
typedef tg_tensor *(*tg_hook)(tg_tensor *grad, void *user);
TG_API tg_status tg_register_hook(tg_tensor *t, tg_hook hook, void *user);
TG_API tg_status tg_remove_hook(tg_tensor *t, tg_hook hook, void *user);
/* Whether this is the hook of t that was registered last, and sees what comes of all the others. */
TG_API bool tg_hook_is_last(const tg_tensor *t, tg_hook hook, const void *user);
TG_API tg_status tg_remove_hooks(tg_tensor *t);

#ifdef __cplusplus
}
#endif

#endif
