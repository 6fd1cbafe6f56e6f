#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {"rho", TG_ATTR_REAL, offsetof(tg_adadelta_opts, rho), .standard = 0.9, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(tg_adadelta_opts, eps), .standard = 1e-6},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_adadelta_opts, weight_decay)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adadelta_opts, maximize)},
};

static const tg_optim_moment moments[] = {{.name = "square_avg"}, {.name = "acc_delta"}};

static void step(const tg_optim_call *call) {
    const tg_adadelta_opts *o = call->opts;
    tg_adadelta_step c = {.lr = call->lr,
                          .sign = o->maximize ? -1 : 1,
                          .decay = o->weight_decay,
                          .rho = o->rho,
                          .rest = 1 - o->rho,
                          .eps = o->eps};
    tg_update_adadelta(&c, call->grad, call->moment[0], call->moment[1], call->param);
}

static const tg_optim_rule rule = {
    .name = "adadelta",
    .formula =
        "v = rho v + (1 - rho) g^2; x = g sqrt(u + eps) / sqrt(v + eps); u = rho u + (1 - rho) x^2; p -= lr x",
    .moments = moments,
    .n_moments = 2,
    .opts_size = sizeof(tg_adadelta_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_adadelta_with(tg_model *model, double lr, tg_adadelta_opts opts) {
    TG_NAMED("tg_adadelta");
    return tg_optim_new(model, &rule, lr, &opts);
}
