/* Calls that are left out: those that have nothing to do, and those that make what nobody uses.
 *
 * A recorded walk computes gradients to differentiate them again, of which the second walk may need the history and not the
 * numbers; their sums, products and what led to these are then not computed again. What a call does besides, to memory
 * that outlives the run, to random numbers, or by refusing the numbers, it still does: only ops that say they are `pure`, or
 * made of kernels, are left out. */
#include "autograd/plan/program.h"

/* Whether a call shares the memory of its operands, and makes none. */
static bool only_shares(const tg_recording *rec, const tg_plan_call *c) {
    const bool rule = c->kind == TG_CALL_GRADIENT;
    if (!rule && !(c->kind == TG_CALL_FORWARD && c->of->op->pure)) return false;
    for (int i = rule ? c->of->n_in + 2 * c->of->n_out : c->of->n_in; i < c->of->n; i++) {
        const tg_operand *o = &rec->operand[c->operand + i];
        const tg_memory *m = o->memory >= 0 ? &rec->memory[o->memory] : NULL;
        if (o->begun || (m && m->kind == TG_MEMORY_MADE && m->first == c - rec->call)) return false;
    }
    return true;
}

static bool is_idle(const tg_recording *rec, const tg_plan_call *c) {
    return (c->lowered && c->maps == 0) || (!c->lowered && only_shares(rec, c));
}

static bool may_go(const tg_plan_call *c) {
    if (c->of->outside || c->of->stream) return false;
    const bool of_op = c->kind == TG_CALL_FORWARD || c->kind == TG_CALL_GRADIENT;
    return c->lowered || (of_op && (c->of->op->pure || c->of->op->of_kernels));
}

typedef struct users {
    bool *used; /* by memory */
    bool met;
} users;

static void meet_written(void *context, int memory, bool written) {
    users *u = context;
    u->met = u->met || (written && u->used[memory]);
}

static void use(void *context, int memory, bool written) {
    (void)written; /* it may be read as well */
    ((users *)context)->used[memory] = true;
}

/* Kernels that broadcast rows may be left to the op after all, which may read all of its operands. */
static void use_all(const tg_recording *rec, const tg_plan_call *c, users *u) {
    bool rows = false;
    for (int i = 0; i < c->maps; i++) rows = rows || rec->map[c->map + i].of->row;
    tg_each_access(rec, c, use, u);
    for (int i = 0; rows && i < c->of->n; i++) {
        const int m = rec->operand[c->operand + i].memory;
        if (m >= 0) u->used[m] = true;
    }
}

/* From the last call to the first: one that has nothing to do uses nothing, and one whose result is used uses what it reads. What
 * outlives the run is used, and so is a gradient that a later call may still change. */
static void find_used(tg_recording *rec, bool *used) {
    for (int64_t i = 0; i < rec->n_memories; i++)
        used[i] = rec->memory[i].kind != TG_MEMORY_MADE || rec->memory[i].stored > 0;
    if (rec->result.memory >= 0) used[rec->result.memory] = true;
    for (int64_t i = rec->n_calls - 1; i >= 0; i--) {
        tg_plan_call *c = &rec->call[i];
        users u = {used, false};
        if ((c->idle = is_idle(rec, c))) continue;
        tg_each_access(rec, c, meet_written, &u);
        c->unused = may_go(c) && !u.met;
        if (!c->unused) use_all(rec, c, &u);
    }
}

bool tg_drop_unused(tg_recording *rec) {
    const size_t bytes = (size_t)rec->n_memories + 1;
    bool *used = tg_sys_alloc(bytes);
    if (!used) return false;
    find_used(rec, used);
    tg_sys_free(used, bytes);
    int64_t n = 0;
    for (int64_t i = 0; i < rec->n_calls; i++) {
        rec->n_unused += rec->call[i].unused;
        if (!rec->call[i].idle && !rec->call[i].unused) rec->call[n++] = rec->call[i];
    }
    rec->n_calls = n;
    return true;
}
