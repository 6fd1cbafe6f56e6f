/* The gradients of a model's parameters, checked.
 *
 *     static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) { return tg_cross_entropy(net(m, batch[0]), batch[1]); }
 *     ...
 *     tg_gradcheck_report r;
 *     if (!tg_gradcheck_model(m, loss, batch, NULL, &r, .page = stdout)) puts(r.message);
 */
#ifndef TG_OPS_NN_CHECK_MODEL_H
#define TG_OPS_NN_CHECK_MODEL_H

#include "autograd/check/gradcheck.h"
#include "ops/nn/train/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef tg_gradcheck_opts tg_gradcheck_model_opts;

/* tg_gradcheck of f(model, batch, user), a loss or any other tensor of f64, by the parameters of the model, which are f64 and
 * not frozen: each is an input of the check, in the order of the model, and is what it was to the bit afterwards. f makes the
 * parameters on its first call, as ever: it is called once for that. .samples is 64 of each parameter unless it is given, or
 * .directions are (a parameter of fewer elements is judged whole); all else is as in tg_gradcheck. The mode of the model is
 * as it is: with dropout in training f is not deterministic, and the report says so. Running statistics, buffers, are put
 * back too. False, with the reason in the report's message and no error left pending, for a NULL, for parameters of f32 and
 * for a model without parameters. `batch` is only passed on, and may be NULL. */
TG_API bool tg_gradcheck_model_with(tg_model *model, tg_batch_fn f, tg_tensor **batch, void *user,
                                    tg_gradcheck_report *report, tg_gradcheck_model_opts opts);

#ifdef __cplusplus
}
#endif

#endif
