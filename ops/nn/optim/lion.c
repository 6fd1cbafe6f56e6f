#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {"beta1", TG_ATTR_REAL, offsetof(tg_lion_opts, beta1), .standard = 0.9, .below = 1},
    {"beta2", TG_ATTR_REAL, offsetof(tg_lion_opts, beta2), .standard = 0.99, .below = 1},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_lion_opts, weight_decay)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_lion_opts, maximize)},
};

static const tg_optim_moment moments[] = {{.name = "exp_avg"}};

static void step(const tg_optim_call *call) {
    const tg_lion_opts *o = call->opts;
    tg_lion_step c = {.lr = call->lr,
                      .sign = o->maximize ? -1 : 1,
                      .b1 = o->beta1,
                      .c1 = 1 - o->beta1,
                      .b2 = o->beta2,
                      .c2 = 1 - o->beta2,
                      .keep = 1 - call->lr * o->weight_decay};
    tg_update_lion(&c, call->grad, call->moment[0], call->param);
}

static const tg_optim_rule rule = {
    .name = "lion",
    .formula = "p *= 1 - lr weight_decay; p -= lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(tg_lion_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_lion_with(tg_model *model, double lr, tg_lion_opts opts) {
    TG_NAMED("tg_lion");
    return tg_optim_new(model, &rule, lr, &opts);
}
