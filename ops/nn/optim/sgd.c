#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {.name = "momentum", .type = TG_ATTR_REAL, .offset = offsetof(tg_sgd_opts, momentum)},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_sgd_opts, weight_decay)},
    {.name = "nesterov", .type = TG_ATTR_BOOL, .offset = offsetof(tg_sgd_opts, nesterov)},
};

static const tg_optim_moment moments[] = {{"momentum_buffer", .when = "momentum"}};

static tg_status check(const void *opts) {
    const tg_sgd_opts *o = opts;
    return o->nesterov && o->momentum == 0 ? tg_fail(TG_ERR_ARGUMENT, "tg_sgd: nesterov needs a momentum")
                                           : TG_OK;
}

static void step(const tg_optim_call *call) {
    const tg_sgd_opts *o = call->opts;
    tg_sgd_step c = {.lr = call->lr,
                     .decay = o->weight_decay,
                     .momentum = o->momentum,
                     .take = 1,
                     .of_d = o->nesterov ? 1 : 0,
                     .of_v = o->nesterov ? o->momentum : 1};
    if (call->moment[0])
        tg_update_momentum(&c, call->grad, call->moment[0], call->param);
    else
        tg_update_sgd(&c, call->grad, call->param);
}

static const tg_optim_rule rule = {
    .name = "sgd",
    .formula = "v = momentum v + g; p -= lr v",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(tg_sgd_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .check = check,
    .step = step,
};

tg_optim *tg_sgd_with(tg_model *model, double lr, tg_sgd_opts opts) {
    TG_NAMED("tg_sgd");
    return tg_optim_new(model, &rule, lr, &opts);
}
