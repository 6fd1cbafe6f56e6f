#include "ops/registry.h"

#include "autograd/walk.h"
#include "ops/shared.h"

#include <string.h>

static const tg_op_entry table[] = {
#define OP(name, room, file) {&tg_op_##name, #room, #file},
#include "ops/ops.def"
#undef OP
};

const tg_op_entry *tg_op_table(int *count) {
    if (count)
        *count = (int)(sizeof table / sizeof *table);
    else
        tg_fail(TG_ERR_ARGUMENT, "tg_op_table: the place for the number of ops is NULL");
    return table;
}

const tg_op *tg_op_find(const char *name) {
    if (!name) tg_fail(TG_ERR_ARGUMENT, "tg_op_find: the name is NULL");
    for (size_t i = 0; name && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].op->name, name) == 0) return table[i].op;
    return NULL;
}

/* The ops by which a recorded walk accumulates and sums down. */
const tg_walk_ops tg_walk_ops_table = {.add = tg_add, .sum_to = tg_sum_to};
