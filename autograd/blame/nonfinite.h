/* Where the first number that is not finite comes from, in values and in gradients.
 *
 *     tg_set_finite_check(TG_FINITE_AT_BACKWARD);     // or TG_FINITE_CHECK=1 in the environment
 *     ..
 *     if (tg_backward(loss) != TG_OK) fprintf(stderr, "%s\n", tg_error_message());
 *
 *     tg_backward: the loss is NaN: the first NaN is made by #3 log(#2 [8, 3] f32) -> [8, 3] f32   train.c:41: log(-0.3) at [5, 2]
 *
 * docs/debugging.md shows both ways of looking, and what else can be asked (autograd/blame/why.h).
 */
#ifndef TG_AUTOGRAD_BLAME_NONFINITE_H
#define TG_AUTOGRAD_BLAME_NONFINITE_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- always on ---- */

typedef enum tg_finite_check {
    TG_FINITE_OFF,
    TG_FINITE_AT_BACKWARD, /* the loss and the gradients of each tg_backward and tg_grad */
    TG_FINITE_AT_EACH_OP   /* besides, what each op and each gradient rule makes, at once */
} tg_finite_check;

/* Has this thread look for numbers that are not finite, and returns what was looked for before. A thread begins with what
 * the environment says, TG_FINITE_CHECK=1 or =2, which are those above, or with none where it is anything else. What is found is
 * TG_ERR_ARGUMENT; the message names the culprit: op, inputs, shapes, file:line, and where the op is elementwise the
 * values that it was given and their place. TG_ERR_ARGUMENT for a `check` that is none.
 *
 * AT_BACKWARD is for every day: it costs one look at the gradients. tg_backward fails before its walk where its
 * output is one number that is not finite, and, where a gradient that it would leave is not, after the walk and before
 * anything is left: all gradients are what they were. tg_grad likewise. Then, and only then, is the culprit looked for, on
 * the tape, which has all values until it is rewound: among what the loss was made of, so that infinities and NaNs that
 * reach no loss, those of masks for example, are no error; and, for gradients, by walking the same graph again (hooks, which
 * may do anything, are not run again).
 *
 * AT_EACH_OP is for a debugger: the op that makes a NaN out of inputs that have none fails itself, in the line that is
 * running, and so does the walk at the rule that makes a NaN or an infinity of a finite gradient. An infinity is no error of an op,
 * since some are meant (a mask, log of 0); what only passes a NaN on is none either. But a NaN that is
 * made and then masked by tg_where is an error here, as is an infinite gradient that is. It costs a pass over all that is made.
 * What is changed in place is seen when it is next used, and the rules of gradients are each looked at as a whole.
 *
 * A plan (autograd/plan/plan.h) looks while it is recorded, and replays without. */
TG_API tg_finite_check tg_set_finite_check(tg_finite_check check);

/* ---- by hand ---- */

/* Whether all elements are finite, as those of integers and bools are. False, with an error, for a bad handle. */
TG_API bool tg_is_finite(const tg_tensor *t);

/* Looks through the nodes of the current tape from number `node` on, in the order in which they were recorded, for the first
 * result that has a NaN, and, where none has one, for the first that has an infinity. Writes a sentence of at most n bytes
 * with the final NUL, which says: the node as tg_tape_print does; the first such element, its place, and, of an
 * elementwise op, the values that it was made of, of others the range of each input; which of its inputs have a NaN already
 * although no node made them, as data do; and where an infinity came from that became a NaN. False when all results are
 * finite: `text` is empty then. Nodes whose elements are gone (tg_drop_elements) are left out, which is said. Infinities that
 * are meant, as in masks of attention, hide others of their kind, but no NaN. TG_ERR_ARGUMENT for a `text` that is NULL. */
TG_API bool tg_find_nonfinite(int64_t node, char *text, size_t n);

/* The same among what t was made of, going back from t through such elements alone, so that those which never reach t are
 * not blamed. False when t is finite. */
TG_API bool tg_find_nonfinite_in(const tg_tensor *t, char *text, size_t n);

/* The same for gradients: walks back from `loss`, one number, and writes which gradient is the first on the way that
 * is not finite, the op whose rule made it, and at which element, with its values; before that, where the loss is not finite
 * itself, what tg_find_nonfinite_in says of it. False when all gradients are finite, and on failure, with the error raised. No gradient is touched, hooks are not run, and the graph may be walked before and after; but what it
 * saved must still be there and unchanged (TG_ERR_LIFETIME, TG_ERR_TAPE). `node` is as above: what was recorded before it counts as
 * leaves. */
TG_API bool tg_find_nonfinite_grad(tg_tensor *loss, int64_t node, char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
