/* Private. An evaluation of shards, each by itself. */
#ifndef TG_OPS_NN_TRAIN_EVALUATE_PRIVATE_H
#define TG_OPS_NN_TRAIN_EVALUATE_PRIVATE_H

#include "ops/nn/train/evaluate.h"

/* tg_evaluate with a meter for each shard, of which meter[0] is that of shard `first`; -1: one for all. On failure they have
 * what was added before it. */
tg_status tg_evaluate_pieces(tg_model *model, tg_loader *loader, tg_batch_fn f, void *user, tg_meter *meter,
                             int64_t first);

#endif
