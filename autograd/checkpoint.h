/* Activation checkpointing: memory for time. A part of a program is run twice, and what it computes in between is not
 * kept from the forward pass to the backward pass (Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory
 * cost", 2016). Gradients are those of the plain call to the bit, recorded or not, whatever is used inside and outside:
 * contributions are added in the same order. (Second derivatives, which go through what was recorded again in the middle
 * of the first walk, are sums in another order.)
 */
#ifndef TG_AUTOGRAD_CHECKPOINT_H
#define TG_AUTOGRAD_CHECKPOINT_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* f(in, user), where the tape keeps the inputs and the result alone. The backward pass, when it gets there, runs f again
 * and walks back through what it records, so f must compute the same again: numbers from this thread's default stream
 * (dropout) are, `user` must still be valid, and the inputs must not have been changed in place (an error in backward).
 *     x = tg_checkpoint(block, &layer[i], 1, &x);
 * Gradients flow to the inputs and to whatever else f reads that requires one: the parameters of a model need not be
 * listed. They may be recorded (.create_graph), and checkpoints nest. `name` is what errors and the printed tape call f:
 * the macro gives the text of its first argument. The string must be static. Where nothing requires a gradient this is a
 * plain call of f. What f may do to the tape: tg_callback, autograd/tape.h. As torch.utils.checkpoint. */
TG_API tg_tensor *tg_checkpoint_with(const char *name, tg_function f, void *user, int n, tg_tensor *const *in);

#ifdef __cplusplus
}
#endif

#endif
