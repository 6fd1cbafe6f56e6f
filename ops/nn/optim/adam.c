#include "core/update.h"
#include "ops/nn/optim/optim_private.h"

#include <math.h>

static const tg_hyper hypers[] = {
    {"beta1", TG_ATTR_REAL, offsetof(tg_adam_opts, beta1), .standard = 0.9, .below = 1},
    {"beta2", TG_ATTR_REAL, offsetof(tg_adam_opts, beta2), .standard = 0.999, .below = 1},
    {"eps", TG_ATTR_REAL, offsetof(tg_adam_opts, eps), .standard = 1e-8},
    {.name = "weight_decay", .type = TG_ATTR_REAL, .offset = offsetof(tg_adam_opts, weight_decay)},
    {.name = "decoupled", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adam_opts, decoupled)},
    {.name = "amsgrad", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adam_opts, amsgrad)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_adam_opts, maximize)},
};

static const tg_optim_moment moments[] = {
    {.name = "exp_avg"}, {.name = "exp_avg_sq"}, {.name = "max_exp_avg_sq", .when = "amsgrad"}};

/* The bias corrections of m and v, 1 - beta^t, are two factors of the whole pass. With maximize d = -(g - decay p). */
void tg_adam_move(const tg_optim_call *call, const tg_adam_opts *o) {
    double t = (double)call->t, sign = o->maximize ? -1 : 1;
    tg_adam_step c = {.decay = o->decoupled ? 0 : sign * o->weight_decay,
                      .b1 = o->beta1,
                      .c1 = sign * (1 - o->beta1),
                      .b2 = o->beta2,
                      .c2 = 1 - o->beta2,
                      .keep = o->decoupled ? 1 - call->lr * o->weight_decay : 1,
                      .step = call->lr / (1 - pow(o->beta1, t)),
                      .root = 1 / sqrt(1 - pow(o->beta2, t)),
                      .eps = o->eps};
    const tg_array *m = call->moment[0], *v = call->moment[1], *largest = call->moment[2];
    if (largest)
        tg_update_amsgrad(&c, call->grad, m, v, largest, call->param);
    else
        tg_update_adam(&c, call->grad, m, v, call->param);
}

static void step(const tg_optim_call *call) { tg_adam_move(call, call->opts); }

static const tg_optim_rule rule = {
    .name = "adam",
    .formula = "m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= lr m / (sqrt(v) + eps)",
    .moments = moments,
    .n_moments = 3,
    .opts_size = sizeof(tg_adam_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .step = step,
};

tg_optim *tg_adam_with(tg_model *model, double lr, tg_adam_opts opts) {
    TG_NAMED("tg_adam");
    return tg_optim_new(model, &rule, lr, &opts);
}
