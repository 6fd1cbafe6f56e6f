/* Where the first number that is not finite came from.
 *
 *     int64_t step = tg_tape_nodes();
 *     tg_tensor *loss = ..;
 *     char text[512];
 *     if (tg_find_nonfinite(step, text, sizeof text)) puts(text);
 *
 *     the first NaN is made by #3 log(#2 [64] f32) -> [64] f32   train.c:41
 */
#ifndef TG_OPS_NN_TRAIN_NONFINITE_H
#define TG_OPS_NN_TRAIN_NONFINITE_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether all elements are finite, as those of integers and bools are. False, with an error, for a bad handle. */
TG_API bool tg_is_finite(const tg_tensor *t);

/* Looks through the nodes of the current tape from number `node` on, in the order in which they were recorded, for the first
 * result that has a NaN, and, where none has one, for the first that has an infinity. Writes a sentence of at most n bytes
 * with the final NUL, which says: the node as tg_tape_print does; which of its inputs have a NaN already although no node
 * made them, as data do; and where an infinity came from that became a NaN. False when all results are finite: `text` is
 * empty then. To be called before tg_backward, which gives elements up: nodes whose elements are gone are left out.
 * Infinities that are meant, as in masks of attention, hide others of their kind, but no NaN. TG_ERR_ARGUMENT for a `text`
 * that is NULL. */
TG_API bool tg_find_nonfinite(int64_t node, char *text, size_t n);

/* The same for gradients, where all results are finite: walks back from `loss`, one number, and writes which gradient is the
 * first on the way that is not finite, and the op whose rule made it. False when all are finite, and on failure, with the error
 * of tg_backward, which it calls: parameters get gradients, those that they had being forgotten, and the graph is used up.
 * `node` is as above. */
TG_API bool tg_find_nonfinite_grad(tg_tensor *loss, int64_t node, char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
