#include "core/update.h"
#include "ops/nn/optim/optim.h"

static const tg_hyper hypers[] = {
    {.name = "momentum", .type = TG_ATTR_REAL, .offset = offsetof(tg_sgd_opts, momentum)},
    {.name = "dampening", .type = TG_ATTR_REAL, .offset = offsetof(tg_sgd_opts, dampening)},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_sgd_opts, weight_decay)},
    {.name = "nesterov", .type = TG_ATTR_BOOL, .offset = offsetof(tg_sgd_opts, nesterov)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_sgd_opts, maximize)},
};

static const tg_optim_moment moments[] = {{"momentum_buffer", .when = "momentum"}};

static tg_status check(const void *opts) {
    const tg_sgd_opts *o = opts;
    if (!o->nesterov || (o->momentum != 0 && o->dampening == 0)) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "tg_sgd: nesterov needs a momentum%s",
                   o->momentum != 0 ? " without dampening" : "");
}

/* With maximize d = -g + decay p = -(g - decay p): the loops are given -decay, and signs where they use d. */
static void step(const tg_optim_call *call) {
    const tg_sgd_opts *o = call->opts;
    double sign = o->maximize ? -1 : 1;
    tg_sgd_step c = {.lr = call->moment[0] ? call->lr : sign * call->lr,
                     .decay = sign * o->weight_decay,
                     .momentum = o->momentum,
                     .take = sign * (call->t == 1 ? 1 : 1 - o->dampening),
                     .of_d = o->nesterov ? sign : 0,
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
