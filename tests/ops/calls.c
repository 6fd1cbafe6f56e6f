/* The calls of all rooms (<room>/calls.c), and what the harness asks about one. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECLARED(room) extern const call_table calls_##room;
#define LISTED(room) &calls_##room,
ROOMS(DECLARED)

const call *find_call(const char *name) {
    static const call_table *const tables[] = {ROOMS(LISTED)};
    for (int t = 0; t < COUNT(tables); t++)
        for (int i = 0; i < tables[t]->n; i++)
            if (strcmp(tables[t]->calls[i].name, name) == 0) return &tables[t]->calls[i];
    return NULL;
}

const tg_op *op_of(const call *c) { return tg_op_find(c->op); }

int op_index(const tg_op *op) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    for (int i = 0; i < n; i++)
        if (table[i].op == op) return i;
    return -1;
}

bool chosen(const tg_op *op) {
    const char *list = getenv("TG_OP");
    size_t n = strlen(op->name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, op->name, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
    return !list || !*list;
}

bool has_gradient(const tg_op *op) { return op->grad && op->grad != TG_NO_GRAD; }
