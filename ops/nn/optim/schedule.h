/* Schedules: the learning rate as a function of the step.
 *
 *     tg_optim *adam = tg_adam(m, 3e-4);
 *     tg_schedule *s = tg_schedule_new(adam, tg_lr_linear(100), tg_lr_cosine(900, .eta_min = 1e-5));
 *     for (..) {
 *         ..
 *         tg_optim_step(adam);
 *         tg_schedule_step(s);
 *     }
 *     tg_schedule_free(s);
 *
 * Groups of the optimiser with a learning rate of their own (tg_optim_group) follow the same formulas from that rate on, which
 * tg_schedule_new or a later tg_optim_group has made their base, as PyTorch's param_groups do; those with a factor follow the
 * optimiser's rate. The momentum that one_cycle moves is that of all groups but those that name it.
 *
 * A schedule follows one formula after the other (ops/nn/optim/lr.h), each with steps counted from its own beginning, as
 * torch.optim.lr_scheduler.SequentialLR does. A "step" is whatever the program calls tg_schedule_step for: a batch or an
 * epoch.
 */
#ifndef TG_OPS_NN_SCHEDULE_H
#define TG_OPS_NN_SCHEDULE_H

#include "ops/nn/optim/lr.h"
#include "ops/nn/optim/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_schedule tg_schedule;

/* A schedule of n >= 1 formulas: tg_schedule_new(optim, a, b, c), or tg_schedule_new_with(optim, n, lr) for an array, which
 * is copied. The base is the optimiser's learning rate of now; the rate of step 0 takes its place at once. The optimiser
 * must outlive the schedule (a step without it is TG_ERR_ARGUMENT). NULL with the error raised: TG_ERR_ARGUMENT for a formula
 * that another follows and that has no length, a first one that is chained, a second plateau, a rate that the optimiser
 * refuses; TG_ERR_MEMORY; or the error that is pending. */
TG_API tg_schedule *tg_schedule_new_with(tg_optim *optim, int n, const tg_lr *lr);

/* Counts a step, and gives the optimiser the rate of the new one. Call it after tg_optim_step. The rate is the formula's:
 * one that was set by hand meanwhile is overwritten. TG_ERR_ARGUMENT for a plateau, which needs a metric; for a rate that is
 * negative or not finite; and past the end of a one_cycle. All or nothing: on any error step and rate are what they were. */
TG_API tg_status tg_schedule_step(tg_schedule *schedule);

/* The same, with a metric for the plateau, such as the loss of a validation. Other formulas do not look at it, nor does the
 * plateau in the step with which it begins after another. */
TG_API tg_status tg_schedule_step_metric(tg_schedule *schedule, double metric);

/* The rate at any step, as for a plot; that of a plateau after as many reductions as now. NaN with the error raised where
 * tg_schedule_step would fail. Nothing is changed. */
TG_API double tg_schedule_at(const tg_schedule *schedule, int64_t step);

/* Frees the schedule; NULL is ignored. The optimiser keeps its rate. One that was freed is TG_ERR_ARGUMENT, here and
 * everywhere; so is freeing, stepping or setting one while a function of its own formulas runs. */
TG_API void tg_schedule_free(tg_schedule *schedule);

/* Prints one line, in which a comma stands for "then" and a star for "chained".
 *     linear(steps=100, start_factor=0.333333, end_factor=1), cosine(steps=900, eta_min=1e-05)
 * TG_ERR_ARGUMENT for a file that is NULL. */
TG_API void tg_schedule_print(FILE *file, const tg_schedule *schedule);

/* All that a schedule remembers. The formulas are the program's, so that they can be changed between two runs; the rest of
 * the state is what a plateau has seen. */
typedef struct tg_schedule_state {
    int64_t step; /* steps so far */
    double base;
    double best; /* metric; infinite before the first */
    int64_t reductions, bad,
        cooldown; /* reductions that the metric asked for, steps in a row that were not better, steps of the cooldown left */
} tg_schedule_state;
TG_API tg_status tg_schedule_get_state(const tg_schedule *schedule, tg_schedule_state *state);

/* Sets all of it, and the optimiser's rate to that of the step. TG_ERR_ARGUMENT for a count that is negative or past
 * 2^53, a base that is negative or not finite, and a best that is NaN. */
TG_API tg_status tg_schedule_set_state(tg_schedule *schedule, const tg_schedule_state *state);

#ifdef __cplusplus
}
#endif

#endif
