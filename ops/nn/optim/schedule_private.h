/* Private. The state of a schedule in a file of a training (ops/nn/train/training.h). */
#ifndef TG_OPS_NN_SCHEDULE_PRIVATE_H
#define TG_OPS_NN_SCHEDULE_PRIVATE_H

#include "ops/nn/optim/schedule.h"
#include "ops/nn/model/state_file.h"

/* Puts it under "schedule/..". The schedule must be of this optimiser, in both directions (TG_ERR_ARGUMENT). */
tg_status tg_schedule_put(const tg_schedule *schedule, const tg_optim *optim, tg_safetensors *set);

/* What a schedule will be. */
typedef struct tg_schedule_change {
    tg_schedule_state *place;
    tg_schedule_state state;
} tg_schedule_change;

/* Reads it from the file, and changes nothing. commit cannot fail, and does nothing where nothing was prepared. */
tg_status tg_schedule_change_prepare(tg_schedule_change *c, tg_schedule *schedule, const tg_optim *optim,
                                     const tg_state_file *f);
void tg_schedule_change_commit(tg_schedule_change *c);

#endif
