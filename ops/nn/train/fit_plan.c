/* The loss of a batch and its gradients as a plan: recorded once and replayed, with the same bits. */
#include "ops/nn/train/fit_private.h"
#include "autograd/plan/plan.h"
#include "ops/shape/view.h"

#include <math.h>
#include <string.h>

/* in: the batch, and the number that the walk begins with, 1 over the batches of a step. */
static tg_tensor *loss_and_gradients(tg_tensor *const *in, void *user) {
    const tg_fitting *f = user;
    tg_tensor *batch[TG_LOADER_TENSORS + 1] = {NULL};
    memcpy(batch, in, (size_t)f->planned * sizeof *batch);
    tg_tensor *loss = f->loss(f->run.model, f->run.loader ? batch : NULL, f->o.user);
    if (tg_fit_check_shape(loss) != TG_OK) return loss;
    tg_tensor *seed = tg_reshape_with(tg_to(in[f->planned], tg_dtype_of(loss)), tg_shape_of(loss));
    tg_backward_with(loss, (tg_backward_opts){.seed = seed});
    return loss;
}

tg_status tg_fit_plan_begin(tg_fitting *f) {
    if (f->o.plan)
        f->plan = tg_plan_new_with(loss_and_gradients, f, (tg_plan_new_opts){.compile = f->o.compile});
    return tg_error_status();
}

void tg_fit_plan_end(tg_fitting *f) {
    tg_plan_free(f->plan);
    f->plan = NULL;
}

double tg_fit_plan_run(tg_fitting *f, tg_tensor **batch, int64_t parts) {
    tg_tensor *in[TG_LOADER_TENSORS + 1];
    f->planned = 0;
    for (int n = 0; f->run.loader && n < TG_LOADER_TENSORS && batch[n]; n++) in[f->planned++] = batch[n];
    in[f->planned] = tg_scalar(TG_F64, 1 / (double)parts);
    tg_tensor *loss = tg_plan_run_with(f->plan, f->planned + 1, in);
    return tg_error_status() == TG_OK ? tg_item(loss) : (double)NAN;
}
