#include "core/update.h"
#include "ops/nn/optim/optim.h"

#include <math.h>

static const tg_hyper hypers[] = {
    {"beta1", TG_ATTR_REAL, offsetof(tg_adamax_opts, beta1), .standard = 0.9, .below = 1},
    {"beta2", TG_ATTR_REAL, offsetof(tg_adamax_opts, beta2), .standard = 0.999, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(tg_adamax_opts, eps), .standard = 1e-8},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_adamax_opts, weight_decay)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adamax_opts, maximize)},
};

static const tg_optim_moment moments[] = {{.name = "exp_avg"}, {.name = "exp_inf"}};

static void step(const tg_optim_call *call) {
    const tg_adamax_opts *o = call->opts;
    tg_adamax_step c = {.step = call->lr / (1 - pow(o->beta1, (double)call->t)),
                        .sign = o->maximize ? -1 : 1,
                        .decay = o->weight_decay,
                        .c1 = 1 - o->beta1,
                        .b2 = o->beta2,
                        .eps = o->eps};
    tg_update_adamax(&c, call->grad, call->moment[0], call->moment[1], call->param);
}

static const tg_optim_rule rule = {
    .name = "adamax",
    .formula = "m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g| + eps); p -= lr m / u",
    .moments = moments,
    .n_moments = 2,
    .opts_size = sizeof(tg_adamax_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_adamax_with(tg_model *model, double lr, tg_adamax_opts opts) {
    TG_NAMED("tg_adamax");
    return tg_optim_new(model, &rule, lr, &opts);
}
