#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {.name = "lr_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_adagrad_opts, lr_decay)},
    {.name = "initial_accumulator_value",
     .type = TG_ATTR_REAL,
     .offset = offsetof(tg_adagrad_opts, initial_accumulator_value)},
    {"eps", TG_ATTR_REAL, offsetof(tg_adagrad_opts, eps), .standard = 1e-10},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_adagrad_opts, weight_decay)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adagrad_opts, maximize)},
};

static const tg_optim_moment moments[] = {{.name = "sum"}};

static void step(const tg_optim_call *call) {
    const tg_adagrad_opts *o = call->opts;
    tg_rms_step c = {.lr = call->lr / (1 + (double)(call->t - 1) * o->lr_decay),
                     .sign = o->maximize ? -1 : 1,
                     .decay = o->weight_decay,
                     .keep = 1,
                     .take = 1,
                     .start = call->t == 1 ? o->initial_accumulator_value : 0,
                     .eps = o->eps};
    tg_update_rms(&c, call->grad, call->moment[0], NULL, NULL, call->param);
}

static const tg_optim_rule rule = {
    .name = "adagrad",
    .formula = "v += g^2; p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(v) + eps)",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(tg_adagrad_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_adagrad_with(tg_model *model, double lr, tg_adagrad_opts opts) {
    TG_NAMED("tg_adagrad");
    return tg_optim_new(model, &rule, lr, &opts);
}
