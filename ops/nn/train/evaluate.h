/* Means with their uncertainty, and the evaluation of a model.
 *
 *     static tg_tensor *accuracy(tg_model *m, tg_tensor **batch, void *user) {     // of each example, 0 or 1
 *         return tg_eq(tg_argmax(net(m, batch[0]), 1), batch[1]);
 *     }
 *     ..
 *     tg_meter right = {0};
 *     if (tg_evaluate(m, test, accuracy, NULL, &right) == TG_OK)
 *         printf("accuracy %.4f +- %.4f\n", tg_meter_mean(&right), tg_meter_error(&right));
 */
#ifndef TG_OPS_NN_TRAIN_EVALUATE_H
#define TG_OPS_NN_TRAIN_EVALUATE_H

#include "ops/nn/train/training.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The mean of what was added to it, at first {0}. Parts x_i of weights w_i are added one by one (West 1979):
 *     count = sum w_i     mean = sum w_i x_i / count     spread = sum w_i (x_i - mean)^2 */
typedef struct tg_meter {
    double count, mean, spread;
    int64_t parts;
} tg_meter;

/* Adds a mean over `count` examples, such as the loss of a batch. Nothing is added where count is not positive. */
TG_API void tg_meter_add_mean(tg_meter *meter, double mean, double count);

/* Adds the elements of t, of any dtype, each the number of one example: true counts as 1. */
TG_API tg_status tg_meter_add(tg_meter *meter, const tg_tensor *t);

/* The mean, NaN of nothing; and its standard error
 *     sqrt(spread / (parts - 1) / count),
 * the deviation that the mean would have over data sets of this size, drawn anew; NaN of fewer than two parts. With the
 * weights that tg_meter_add_mean gives, spread / (parts - 1) estimates the variance of single examples without a bias. */
TG_API double tg_meter_mean(const tg_meter *meter);
TG_API double tg_meter_error(const tg_meter *meter);

/* A function of a batch: a loss, one number, the mean over the batch; or a metric, the number of each example, [n], or one
 * number, their mean. `batch` has the tensors of the loader; an example is a place of the first axis of the first of them. */
typedef tg_tensor *(*tg_batch_fn)(tg_model *model, tg_tensor **batch, void *user);

/* Adds f over a whole epoch of the loader, wherever it is, to the meter. The model is in evaluation mode, and nothing is recorded; both are put
 * back. Elements are added one by one, and a single number as the mean of its batch. On failure (TG_ERR_ARGUMENT for a
 * NULL, TG_ERR_SHAPE for a result that is neither of them, and what the loader or f raise) the meter is what it was. */
TG_API tg_status tg_evaluate(tg_model *model, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter);

#ifdef __cplusplus
}
#endif

#endif
