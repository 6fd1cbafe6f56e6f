#include "bench.h"

#include <stdlib.h>

training *training_make(tg_tensor *x, tg_tensor *y,
                        tg_tensor *(*loss)(tg_model *, tg_tensor *, tg_tensor *)) {
    training *t = malloc(sizeof *t);
    if (t) *t = (training){tg_model_new(0), NULL, tg_keep(x), tg_keep(y), loss};
    return t;
}

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

tg_tensor *random_classes(int64_t n, uint64_t classes) {
    tg_tensor *y = tg_zeros(TG_I64, n);
    int64_t *v = tg_data_mut(y);
    for (int64_t i = 0; v && i < n; i++) v[i] = (int64_t)tg_rng_below(tg_default_rng(), classes);
    return y;
}
