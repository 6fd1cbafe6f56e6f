/* Private. What a schedule does with a formula. */
#ifndef TG_OPS_NN_LR_PRIVATE_H
#define TG_OPS_NN_LR_PRIVATE_H

#include "ops/nn/optim/schedule.h"

/* A kind of formula. Its hyperparameters are fields of tg_lr. */
typedef struct tg_lr_kind {
    const char *name;
    const tg_hyper *hypers;
    int n_hypers;
    bool has_end; /* `steps` is how long it lasts */

    /* The rate at step t of the formula; NaN with an error raised where there is none. `state` is the schedule's. */
    double (*rate)(const tg_lr *lr, double base, int64_t t, const tg_schedule_state *state);
    double (*momentum)(const tg_lr *lr, int64_t t); /* NULL: it has none; NaN: it is left alone */

    /* Changes what the state knows of metrics; NULL: the formula does not look at them. */
    void (*observe)(const tg_lr *lr, double metric, tg_schedule_state *state);
} tg_lr_kind;

/* Writes "cosine(steps=900, eta_min=1e-05)". */
void tg_lr_print(FILE *file, const tg_lr *lr);

#endif
