#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {"alpha", TG_ATTR_REAL, offsetof(tg_rmsprop_opts, alpha), .standard = 0.99, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(tg_rmsprop_opts, eps), .standard = 1e-8},
    {.name = "momentum", .type = TG_ATTR_REAL, .offset = offsetof(tg_rmsprop_opts, momentum)},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_rmsprop_opts, weight_decay)},
    {.name = "centered", .type = TG_ATTR_BOOL, .offset = offsetof(tg_rmsprop_opts, centered)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_rmsprop_opts, maximize)},
};

static const tg_optim_moment moments[] = {
    {.name = "square_avg"}, {"momentum_buffer", .when = "momentum"}, {"grad_avg", .when = "centered"}};

static void step(const tg_optim_call *call) {
    const tg_rmsprop_opts *o = call->opts;
    tg_rms_step c = {.lr = call->lr,
                     .sign = o->maximize ? -1 : 1,
                     .decay = o->weight_decay,
                     .keep = o->alpha,
                     .take = 1 - o->alpha,
                     .eps = o->eps,
                     .momentum = o->momentum};
    tg_update_rms(&c, call->grad, call->moment[0], call->moment[2], call->moment[1], call->param);
}

static const tg_optim_rule rule = {
    .name = "rmsprop",
    .formula = "v = alpha v + (1 - alpha) g^2; p -= lr g / (sqrt(v) + eps)",
    .moments = moments,
    .n_moments = 3,
    .opts_size = sizeof(tg_rmsprop_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_rmsprop_with(tg_model *model, double lr, tg_rmsprop_opts opts) {
    TG_NAMED("tg_rmsprop");
    return tg_optim_new(model, &rule, lr, &opts);
}
