/* Optimisers by name: the cases of tests/golden/optimisers.def, and those that a training file is tried with. */
#ifndef TESTS_OPS_NN_OPTIM_OPTIMS_H
#define TESTS_OPS_NN_OPTIM_OPTIMS_H

#include "tests/ops/nn/helpers.h"

#include <stdio.h>

static inline bool is_case(const char *name, const char *other) { return strcmp(name, other) == 0; }

/* Without what groups and schedules add. */
static inline tg_optim *optim_of_case(tg_model *m, const char *n) {
    if (is_case(n, "sgd")) return tg_sgd(m, 0.1);
    if (is_case(n, "sgd, decay")) return tg_sgd(m, 0.1, .weight_decay = 0.1);
    if (is_case(n, "sgd, momentum")) return tg_sgd(m, 0.1, .momentum = 0.9, .weight_decay = 0.1);
    if (is_case(n, "sgd, dampening")) return tg_sgd(m, 0.1, .momentum = 0.9, .dampening = 0.3);
    if (is_case(n, "sgd, nesterov"))
        return tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1);
    if (is_case(n, "sgd, maximize")) return tg_sgd(m, 0.01, .maximize = true, .weight_decay = 0.1);
    if (is_case(n, "sgd, maximize, momentum"))
        return tg_sgd(m, 0.01, .maximize = true, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.1);
    if (is_case(n, "sgd, maximize, nesterov"))
        return tg_sgd(m, 0.01, .maximize = true, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1);
    if (is_case(n, "adam")) return tg_adam(m, 0.05);
    if (is_case(n, "adam, options"))
        return tg_adam(m, 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = 0.1);
    if (is_case(n, "adam, amsgrad"))
        return tg_adam(m, 0.1, .amsgrad = true, .beta2 = 0.5, .weight_decay = 0.1);
    if (is_case(n, "adam, maximize")) return tg_adam(m, 0.01, .maximize = true, .weight_decay = 0.1);
    if (is_case(n, "adam, decoupled, amsgrad"))
        return tg_adam(m, 0.1, .amsgrad = true, .beta2 = 0.5, .weight_decay = 0.1, .decoupled = true);
    if (is_case(n, "adamw")) return tg_adamw(m, 0.05);
    if (is_case(n, "adamw, options"))
        return tg_adamw(m, 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = 0.1);
    if (is_case(n, "adamw, amsgrad")) return tg_adamw(m, 0.1, .amsgrad = true, .beta2 = 0.5);
    if (is_case(n, "adamw, maximize")) return tg_adamw(m, 0.01, .maximize = true);
    if (is_case(n, "adamax")) return tg_adamax(m, 0.05);
    if (is_case(n, "adamax, options"))
        return tg_adamax(m, 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = 0.1,
                         .maximize = true);
    if (is_case(n, "rmsprop")) return tg_rmsprop(m, 0.01);
    if (is_case(n, "rmsprop, options"))
        return tg_rmsprop(m, 0.01, .alpha = 0.8, .eps = 0.01, .weight_decay = 0.1);
    if (is_case(n, "rmsprop, momentum")) return tg_rmsprop(m, 0.01, .momentum = 0.9);
    if (is_case(n, "rmsprop, centered"))
        return tg_rmsprop(m, 0.01, .centered = true, .alpha = 0.9, .eps = 0.001);
    if (is_case(n, "rmsprop, both"))
        return tg_rmsprop(m, 0.01, .centered = true, .momentum = 0.7, .alpha = 0.9, .eps = 0.01,
                          .weight_decay = 0.1, .maximize = true);
    if (is_case(n, "adagrad")) return tg_adagrad(m, 0.1);
    if (is_case(n, "adagrad, options"))
        return tg_adagrad(m, 0.1, .lr_decay = 0.1, .initial_accumulator_value = 0.5, .eps = 0.01,
                          .weight_decay = 0.1);
    if (is_case(n, "adagrad, maximize")) return tg_adagrad(m, 0.01, .maximize = true, .weight_decay = 0.1);
    if (is_case(n, "adadelta")) return tg_adadelta(m, 1);
    if (is_case(n, "adadelta, options"))
        return tg_adadelta(m, 0.5, .rho = 0.8, .eps = 0.01, .weight_decay = 0.1, .maximize = true);
    if (is_case(n, "lion")) return tg_lion(m, 0.01);
    if (is_case(n, "lion, options"))
        return tg_lion(m, 0.01, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.3, .maximize = true);
    if (is_case(n, "muon")) return tg_muon(m, 0.05);
    if (is_case(n, "muon, options"))
        return tg_muon(m, 0.05, .momentum = 0.8, .plain_momentum = true, .weight_decay = 0.3, .ns_steps = 3,
                       .ns_a = 3, .ns_b = -3.5, .ns_c = 1.5);
    if (is_case(n, "muon, rms")) return tg_muon(m, 0.05, .match_rms_adamw = true);
    if (is_case(n, "lbfgs")) return tg_lbfgs(m, 0.5, .max_iter = 3);
    if (is_case(n, "lbfgs, short history")) return tg_lbfgs(m, 0.5, .max_iter = 3, .history_size = 2);
    if (is_case(n, "lbfgs, wolfe")) return tg_lbfgs(m, 1, .max_iter = 2, .strong_wolfe = true);
    if (is_case(n, "lbfgs, wolfe, options"))
        return tg_lbfgs(m, 10, .max_iter = 1, .max_eval = 4, .history_size = 3, .strong_wolfe = true);
    if (is_case(n, "lbfgs, wolfe, few losses"))
        return tg_lbfgs(m, 0.5, .max_iter = 2, .max_eval = 7, .history_size = 5, .strong_wolfe = true);
    if (is_case(n, "groups of adamw")) return tg_adamw(m, 0.05, .weight_decay = 0.1);
    if (is_case(n, "groups of sgd")) return tg_sgd(m, 0.05, .momentum = 0.9);
    if (is_case(n, "two groups")) return tg_adam(m, 0.05, .weight_decay = 0.1);
    if (is_case(n, "groups, cosine") || is_case(n, "groups, one_cycle"))
        return tg_sgd(m, 0.1, .momentum = 0.9);
    if (is_case(n, "groups, step")) return tg_adam(m, 0.1);
    if (is_case(n, "groups, plateau")) return tg_sgd(m, 0.1);
    ck_abort_msg("%s", n);
    return NULL;
}

static inline void group_of_case(tg_optim *o, const char *n) {
    bool two = is_case(n, "two groups") || strstr(n, "groups, ");
    if (is_case(n, "groups of adamw")) tg_optim_group(o, "*.bias", .set = {{"weight_decay", 0}});
    if (is_case(n, "groups of sgd")) tg_optim_group(o, "*.bias", .lr = 0.3, .set = {{"momentum", 0}});
    if (two) tg_optim_group(o, "out.*", .lr = 0.02);
    if (two) tg_optim_group(o, "*.bias", .lr = 0.2, .set = {{"weight_decay", 0}});
    if (strstr(n, "muon")) tg_optim_group(o, "*.bias", .skip = true);
    expect_ok();
}

static inline tg_schedule *schedule_of_case(tg_optim *o, const char *n) {
    if (is_case(n, "groups, cosine")) return tg_schedule_new(o, tg_lr_cosine(15, .eta_min = 0.005));
    if (is_case(n, "groups, step")) return tg_schedule_new(o, tg_lr_step(4, .gamma = 0.5));
    if (is_case(n, "groups, one_cycle")) return tg_schedule_new(o, tg_lr_one_cycle(0.1, 25));
    if (is_case(n, "groups, plateau"))
        return tg_schedule_new(o, tg_lr_plateau(0, .factor = 0.5, .eps = 0.012));
    return NULL;
}

/* ---- the network ---- */

typedef struct formula {
    int a, b, c;
} formula;

static inline tg_status fill_by(tg_tensor *t, tg_rng *rng, const tg_init *init) {
    const formula *f = init->user;
    (void)rng;
    for (int64_t i = 0; i < tg_numel(t); i++)
        tg_array_set(tg_array_of(t), i, (double)(i * f->a % f->b - f->b / 2) / f->c);
    return TG_OK;
}

static inline tg_tensor *layer_of(tg_model *m, const char *name, tg_tensor *x, int64_t in, int64_t out,
                                  const formula f[2]) {
    char full[40];
    snprintf(full, sizeof full, "%s.weight", name);
    tg_tensor *w =
        tg_model_param(m, full, TG_F64, TG_SHAPE(out, in), (tg_init){.fill = fill_by, .user = &f[0]});
    snprintf(full, sizeof full, "%s.bias", name);
    tg_tensor *b = tg_model_param(m, full, TG_F64, TG_SHAPE(out), (tg_init){.fill = fill_by, .user = &f[1]});
    return tg_add(tg_matmul(x, tg_transpose(w, 0, 1)), b);
}

static inline tg_tensor *loss_of_net(void *model) {
    static const formula hidden[] = {{7, 11, 8}, {3, 7, 8}}, out[] = {{5, 9, 8}, {2, 5, 8}},
                         data = {5, 13, 8}, target = {3, 7, 4};
    tg_tensor *x = tg_zeros(TG_F64, 6, 3), *y = tg_zeros(TG_F64, 6, 2);
    fill_by(x, NULL, &(tg_init){.user = &data}), fill_by(y, NULL, &(tg_init){.user = &target});
    tg_tensor *h = tg_tanh(layer_of(model, "hidden", x, 3, 4, hidden));
    return tg_mean(tg_square(tg_sub(layer_of(model, "out", h, 4, 2, out), y)));
}

#endif
