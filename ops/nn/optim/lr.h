/* Formulas of the learning rate: values, of which tg_schedule_new (ops/nn/optim/schedule.h) makes a schedule. Each is a closed
 * form, lr = f(base, t), where `base` is the rate that the optimiser was made with and t the number of steps since the
 * formula began, from 0. So the rate at any step is known without those before it, and rounding does not accumulate.
 *
 * Formulas, names and defaults are those of torch.optim.lr_scheduler, whose classes are named below. Where PyTorch updates
 * the rate of the step before, the closed form is the same sequence.
 *
 * All have two options:
 *     length    the number of steps after which the next formula of the schedule begins, where one follows; by default the
 *               formula's own `steps` where its first argument is that, of constant, linear, cosine and one_cycle
 *     chained   it begins with the one before it, instead of after it, and has that one's rate for its base; where both are
 *               factors of the base that is ChainedScheduler
 *
 * Of what cannot be (TG_ERR_ARGUMENT: a number out of range, a function that is NULL) the value has no kind, and
 * tg_schedule_new refuses it. A value holds no memory. */
#ifndef TG_OPS_NN_LR_H
#define TG_OPS_NN_LR_H

#include "ops/nn/optim/hyper.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TG_MAX_MILESTONES 8
#define TG_MAX_LR_NAME 31

/* A function of the user's own: a factor of the base at step t. */
typedef double (*tg_lr_fn)(int64_t t, const void *user);

/* A formula with its numbers; each kind uses the fields that are its arguments and options. */
typedef struct tg_lr {
    const struct tg_lr_kind *kind; /* the library's; NULL: none */
    char name[TG_MAX_LR_NAME + 1]; /* the kind's, or that of a function of the user's own */
    int64_t length, steps, patience, cooldown, milestones[TG_MAX_MILESTONES];
    double factor, gamma, start_factor, end_factor, eta_min;
    double max_lr, pct_start, div_factor, final_div_factor, base_momentum, max_momentum;
    double threshold, min_lr, eps;
    bool chained, linear, three_phase, fixed_momentum, maximize, absolute;
    tg_lr_fn f;
    const void *user;
} tg_lr;

/* ConstantLR: base * factor for t < steps, then base. The default of factor is 1/3. */
typedef struct tg_lr_constant_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double factor;
} tg_lr_constant_opts;
TG_API tg_lr tg_lr_constant_with(int64_t steps, tg_lr_constant_opts opts);

/* LinearLR, with which a training warms up:
 *     base * (start_factor + (end_factor - start_factor) min(t, steps) / steps).
 * The defaults are 1/3 and 1; TG_ZERO asks for 0, with which the first step has the rate 0. */
typedef struct tg_lr_linear_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double start_factor, end_factor;
} tg_lr_linear_opts;
TG_API tg_lr tg_lr_linear_with(int64_t steps, tg_lr_linear_opts opts);

/* StepLR: base * gamma^floor(t / steps). The default of gamma is 0.1. */
typedef struct tg_lr_step_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double gamma;
} tg_lr_step_opts;
TG_API tg_lr tg_lr_step_with(int64_t steps, tg_lr_step_opts opts);

/* MultiStepLR: base * gamma^(number of milestones m with m <= t), as tg_lr_multi_step(0.1, .milestones = {30, 80}).
 * They are positive and ascend, and end with the first 0. PyTorch's default of gamma is 0.1. */
typedef struct tg_lr_multi_step_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    int64_t milestones[8]; /* TG_MAX_MILESTONES */
} tg_lr_multi_step_opts;
TG_API tg_lr tg_lr_multi_step_with(double gamma, tg_lr_multi_step_opts opts);

/* ExponentialLR: base * gamma^t. */
typedef struct tg_lr_exponential_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
} tg_lr_exponential_opts;
TG_API tg_lr tg_lr_exponential_with(double gamma, tg_lr_exponential_opts opts);

/* CosineAnnealingLR (Loshchilov and Hutter 2017, without restarts):
 *     eta_min + (base - eta_min) (1 + cos(pi t / steps)) / 2.
 * Past `steps` the rate rises again, as the cosine does. */
typedef struct tg_lr_cosine_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double eta_min; /* a rate, not a factor */
} tg_lr_cosine_opts;
TG_API tg_lr tg_lr_cosine_with(int64_t steps, tg_lr_cosine_opts opts);

/* OneCycleLR (Smith and Topin 2018): the rate goes from max_lr / div_factor up to max_lr at t = pct_start steps - 1, and
 * from there to max_lr / div_factor / final_div_factor at t = steps - 1; with three_phase first back to its start, at
 * t = 2 (pct_start steps - 1). Between a and b, of which the fraction p has passed, it is b + (a - b) (1 + cos(pi p)) / 2,
 * with `linear` a + (b - a) p. The base has no part in it. Meanwhile the momentum, which is the hyperparameter "momentum" or
 * else "beta1", goes from max_momentum down to base_momentum and back (three_phase: and stays). fixed_momentum leaves it
 * alone, as must an optimiser that has neither (TG_ERR_ARGUMENT in tg_schedule_new).
 * At t = steps, when training is over, the rate stays; one step more is TG_ERR_ARGUMENT, unless another formula follows.
 * The defaults are pct_start 0.3 (at most 1), div_factor 25, final_div_factor 1e4, base_momentum 0.85, max_momentum 0.95. */
typedef struct tg_lr_one_cycle_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double pct_start, div_factor, final_div_factor, base_momentum, max_momentum;
    bool linear, three_phase, fixed_momentum;
} tg_lr_one_cycle_opts;
TG_API tg_lr tg_lr_one_cycle_with(double max_lr, int64_t steps, tg_lr_one_cycle_opts opts);

/* ReduceLROnPlateau: max(base * factor^r, min_lr) after r reductions, and base before the first. tg_schedule_step_metric
 * gives it the metric of each step. One is better than the best so far when
 *     metric < best (1 - threshold),   absolute: metric < best - threshold,
 *     maximize: metric > best (1 + threshold),   both: metric > best + threshold,
 * which a NaN never is. After more than `patience` others in a row the rate is reduced, unless by no more than eps, and then
 * the next `cooldown` steps do not count. A schedule has at most one. The defaults are factor 0.1 (less than 1), threshold
 * 1e-4, eps 1e-8, 0 for the others; PyTorch's patience is 10. */
typedef struct tg_lr_plateau_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    double factor, threshold, min_lr, eps;
    int64_t cooldown;
    bool maximize, absolute;
} tg_lr_plateau_opts;
TG_API tg_lr tg_lr_plateau_with(int64_t patience, tg_lr_plateau_opts opts);

/* LambdaLR: base * f(t, user), of a function of your own, which may be asked for any t, in any order. `user` must outlive
 * the schedule. It may compute with tensors, which end with the call. It is called `name` in messages and files, "lambda" by default. */
typedef struct tg_lr_lambda_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t length;
    bool chained;
    const char *name; /* at most TG_MAX_LR_NAME bytes */
} tg_lr_lambda_opts;
TG_API tg_lr tg_lr_lambda_with(tg_lr_fn f, const void *user, tg_lr_lambda_opts opts);

#ifdef __cplusplus
}
#endif

#endif
