/* Softmax and cross-entropy as one op: the primitive under tg_cross_entropy (ops/nn/losses/loss.h), which adds weights, ignored
 * rows and reductions. */
#ifndef TG_OPS_LOSS_CROSS_ENTROPY_H
#define TG_OPS_LOSS_CROSS_ENTROPY_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[..] = log sum e^x[.., :] - x[.., class[..]], which is -log softmax(x)[class], for x [.., classes] of f32 or f64
 * and class [..] of i64 or i32. Nothing of x's size is kept beside x itself: the gradient, softmax(x) less 1 at the class,
 * is computed from x again. A negative class counts from the end; one outside [-classes, classes) is TG_ERR_ARGUMENT. A row
 * of all -inf gives NaN, as in PyTorch. */
TG_API tg_tensor *tg_softmax_cross_entropy(tg_tensor *x, tg_tensor *class_of_row);

#ifdef __cplusplus
}
#endif

#endif
