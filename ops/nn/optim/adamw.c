#include "ops/nn/optim/optim_private.h"

static const tg_hyper hypers[] = {
    {"beta1", TG_ATTR_REAL, offsetof(tg_adamw_opts, beta1), .standard = 0.9, .below = 1},
    {"beta2", TG_ATTR_REAL, offsetof(tg_adamw_opts, beta2), .standard = 0.999, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(tg_adamw_opts, eps), .standard = 1e-8},
    {"weight_decay", TG_ATTR_REAL, offsetof(tg_adamw_opts, weight_decay), .standard = 0.01},
    {.name = "amsgrad", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adamw_opts, amsgrad)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adamw_opts, maximize)},
};

static const tg_optim_moment moments[] = {
    {.name = "exp_avg"}, {.name = "exp_avg_sq"}, {.name = "max_exp_avg_sq", .when = "amsgrad"}};

static void step(const tg_optim_call *call) {
    const tg_adamw_opts *o = call->opts;
    tg_adam_move(call, &(tg_adam_opts){.beta1 = o->beta1,
                                       .beta2 = o->beta2,
                                       .eps = o->eps,
                                       .weight_decay = o->weight_decay,
                                       .decoupled = true,
                                       .amsgrad = o->amsgrad,
                                       .maximize = o->maximize});
}

static const tg_optim_rule rule = {
    .name = "adamw",
    .formula =
        "p *= 1 - lr weight_decay; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= lr m / (sqrt(v) + eps)",
    .moments = moments,
    .n_moments = 3,
    .opts_size = sizeof(tg_adamw_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_adamw_with(tg_model *model, double lr, tg_adamw_opts opts) {
    TG_NAMED("tg_adamw");
    return tg_optim_new(model, &rule, lr, &opts);
}
