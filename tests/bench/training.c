#include "bench.h"

#include <stdlib.h>

void training_step(void *state) {
    training *t = state;
    tg_mark m = tg_tape_mark();
    tg_backward(t->loss(t->model, t->x, t->y));
    tg_optim_step(t->optim);
    tg_tape_rewind(m);
}

void training_end(void *state) {
    training *t = state;
    tg_optim_free(t->optim);
    tg_model_free(t->model);
    tg_free(t->x);
    tg_free(t->y);
    free(t);
}

training *training_make(tg_tensor *x, tg_tensor *y, loss_fn *loss) {
    training *t = malloc(sizeof *t);
    if (t) *t = (training){tg_model_new(0), NULL, tg_keep(x), tg_keep(y), loss};
    return t;
}

tg_tensor *random_classes(tg_shape shape, uint64_t classes) {
    tg_tensor *y = tg_zeros_with(TG_I64, shape);
    int64_t *v = tg_data_mut(y);
    for (int64_t i = 0, n = tg_numel(y); v && i < n; i++)
        v[i] = (int64_t)tg_rng_below(tg_default_rng(), classes);
    return y;
}
