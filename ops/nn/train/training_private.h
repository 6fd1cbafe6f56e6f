/* Private. What training.c and training_keep.c share. */
#ifndef TG_OPS_NN_TRAINING_PRIVATE_H
#define TG_OPS_NN_TRAINING_PRIVATE_H

#include "ops/nn/train/training.h"

/* The key of the score with which tg_training_keep saves. */
#define TG_TRAINING_SCORE "keep/score"

/* Whether another process writes; and after writing or reading, that all are well. */
bool tg_training_reads_only(const tg_training *run);
tg_status tg_training_agree(const tg_training *run);

/* tg_training_save, with a score where it is not NULL. */
tg_status tg_training_write(const tg_training *run, const char *path, const double *score);

#endif
