/* The calls of all rooms (<room>/calls.c), and what the harness asks about one. Tests ask by name, millions of times in a run:
 * calls and ops are sorted by it, once for all the processes of the tests. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECLARED(room) extern const call_table calls_##room;
#define LISTED(room) &calls_##room,
ROOMS(DECLARED)

static const call_table *const tables[] = {ROOMS(LISTED)};

typedef struct named {
    const char *name;
    const call *call;
    const tg_op *op;
    int index; /* of the op in tg_op_table */
} named;

static named *calls, *ops;
static int n_calls, n_ops;

static int by_name(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static named *list_of(int n) {
    named *list = calloc((size_t)n, sizeof *list);
    if (!list) abort();
    return list;
}

__attribute__((constructor)) static void sort_by_name(void) {
    const tg_op_entry *entry = tg_op_table(&n_ops);
    ops = list_of(n_ops);
    for (int i = 0; i < n_ops; i++)
        ops[i] = (named){.name = entry[i].op->name, .op = entry[i].op, .index = i};
    for (int t = 0; t < COUNT(tables); t++) n_calls += tables[t]->n;
    calls = list_of(n_calls);
    for (int t = 0, k = 0; t < COUNT(tables); t++)
        for (int i = 0; i < tables[t]->n; i++, k++)
            calls[k] = (named){.name = tables[t]->calls[i].name, .call = &tables[t]->calls[i]};
    qsort(ops, (size_t)n_ops, sizeof *ops, by_name);
    qsort(calls, (size_t)n_calls, sizeof *calls, by_name);
}

static const named *find(const named *list, int n, const char *name) {
    return bsearch(&(named){.name = name}, list, (size_t)n, sizeof *list, by_name);
}

const call *find_call(const char *name) {
    const named *found = find(calls, n_calls, name);
    return found ? found->call : NULL;
}

const tg_op *op_of(const call *c) {
    const named *found = find(ops, n_ops, c->op);
    return found ? found->op : NULL;
}

int op_index(const tg_op *op) {
    const named *found = find(ops, n_ops, op->name);
    return found && found->op == op ? found->index : -1;
}

bool chosen(const tg_op *op) {
    const char *list = getenv("TG_OP");
    size_t n = strlen(op->name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, op->name, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
    return !list || !*list;
}

bool has_gradient(const tg_op *op) { return op->grad && op->grad != TG_NO_GRAD; }
