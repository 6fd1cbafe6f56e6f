#include "tests/plans/plans.h"

int numbers_and_classes(tg_tensor **batch, tg_shape shape, uint64_t classes) {
    batch[0] = tg_randn_with(TG_F32, shape);
    batch[1] = tg_zeros(TG_I64, shape.dim[0]);
    int64_t *c = tg_data_mut(batch[1]);
    for (int64_t i = 0; i < shape.dim[0]; i++) c[i] = (int64_t)tg_rng_below(NULL, classes);
    return 2;
}

training_of example_begin(const example *e) {
    training_of t = {.example = e, .model = tg_model_new(1)};
    t.optim = e->optim ? e->optim(t.model) : tg_adam(t.model, 1e-3);
    return t;
}

tg_tensor *example_step(tg_tensor *const *in, void *training) {
    training_of *t = training;
    tg_tensor *batch[2] = {in[0], in[1]}, *loss = t->example->loss(t->model, batch, NULL);
    tg_backward(loss);
    tg_optim_step(t->optim);
    return loss;
}

void example_end(training_of *t) { tg_optim_free(t->optim), tg_model_free(t->model); }
