/* The table of all built-in ops, made from ops/ops.def. */
#ifndef TG_OPS_REGISTRY_H
#define TG_OPS_REGISTRY_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_op_entry {
    const tg_op *op;
    const char *room, *file; /* the op is defined in ops/<room>/<file>.c */
} tg_op_entry;

/* All ops in the order of ops.def; *count becomes their number. TG_ERR_ARGUMENT when count is NULL. */
TG_API const tg_op_entry *tg_op_table(int *count);

/* The op of that name, or NULL when there is none; a NULL name is TG_ERR_ARGUMENT. */
TG_API const tg_op *tg_op_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
