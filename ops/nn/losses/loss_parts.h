/* Parts of losses, for one of your own:
 *
 *     tg_tensor *my_loss(tg_tensor *x, tg_tensor *target) {
 *         if (!tg_loss_pair("my_loss", x, target)) return tg_poison();
 *         return tg_loss_reduce("my_loss", tg_abs(tg_sub(x, target)), TG_REDUCTION_MEAN);
 *     }
 *
 * `op` is the name that messages give.
 */
#ifndef TG_OPS_NN_LOSS_PARTS_H
#define TG_OPS_NN_LOSS_PARTS_H

#include "ops/nn/losses/loss.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether both are alive, of one float dtype and of equal shapes; raises the error otherwise. */
TG_API bool tg_loss_pair(const char *op, const tg_tensor *x, const tg_tensor *target);

/* Whether weight, called `what` in messages, is NULL or has x's dtype and broadcasts to x's shape; raises the error
 * otherwise. */
TG_API bool tg_loss_weight(const char *op, const char *what, const tg_tensor *weight, const tg_tensor *x);

/* w x, for a weight that broadcasts to x. Where w is 0 and x infinite the product is 0, and that x gets no gradient. */
TG_API tg_tensor *tg_loss_weighed(tg_tensor *w, tg_tensor *x);

/* The reduction of x. The elements of an x that was reduced are dropped, since it is taken to be an intermediate that only
 * gradients still read. */
TG_API tg_tensor *tg_loss_reduce(const char *op, tg_tensor *x, tg_loss_reduction reduction);

/* The mean of terms that leave the range may itself stay within it. So a loss makes its terms times `share`, which is 1 at
 * first, and again as often as this is true, the share being a factor of one of their factors:
 *
 *     double share = 1;
 *     tg_tensor *out;
 *     do out = tg_mul(d, tg_loss_part(d, share));
 *     while (tg_loss_again("my_loss", &out, d, TG_REDUCTION_MEAN, &share));
 *
 * It reduces *out. True, once, where a mean of as many terms as `like` has elements is infinite: then *share is 1 / n for
 * the n that it was divided by. */
TG_API bool tg_loss_again(const char *op, tg_tensor **out, const tg_tensor *like, tg_loss_reduction reduction,
                          double *share);

/* share x: x itself where share is 1. */
TG_API tg_tensor *tg_loss_part(tg_tensor *x, double share);

/* The share by itself, for an `out` that is reduced in another way: 1 / n, or 0 where there is nothing to be done, since
 * `out` is finite, or no mean of several. */
TG_API double tg_loss_share(const char *op, const tg_tensor *out, const tg_tensor *like,
                            tg_loss_reduction reduction);

#ifdef __cplusplus
}
#endif
#endif
