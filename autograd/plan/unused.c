/* Calls that are left out: those that have nothing to do, and those that make what nobody uses.
 *
 * A recorded walk computes gradients to differentiate them again, of which the second walk may need the history and not the
 * numbers; their sums, products and what led to these are then not computed again. What a call does besides, to memory
 * that outlives the run, to random numbers, or by refusing the numbers, it still does: only ops that say they are `pure`, or
 * made of kernels, are left out. */
#include "autograd/plan/program.h"

#include <string.h>

/* Whether a call shares the memory of its operands, and makes none. */
static bool only_shares(const tg_recording *rec, const tg_plan_call *c) {
    const bool rule = c->kind == TG_CALL_GRADIENT;
    if (!rule && !(c->kind == TG_CALL_FORWARD && c->op->pure)) return false;
    for (int i = rule ? c->n_in + 2 * c->n_out : c->n_in; i < c->n; i++) {
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
    if (c->outside || c->stream) return false;
    const bool of_op = c->kind == TG_CALL_FORWARD || c->kind == TG_CALL_GRADIENT;
    return c->lowered || (of_op && (c->op->pure || c->op->of_kernels));
}

/* f is called for each memory that the call writes, or for each that it reads; ends with the first true. Of kernels the first
 * operand is written; where they may be left to the op after all (rows), it may read all operands. */
typedef bool each_memory(bool *used, int memory);

static bool any_written(const tg_recording *rec, const tg_plan_call *c, each_memory *f, bool *used) {
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &rec->map[c->map + i];
        if (m->memory[0] >= 0 && f(used, m->memory[0])) return true;
    }
    for (int i = 0; !c->lowered && i < c->n; i++) {
        const int m = rec->operand[c->operand + i].memory;
        if (m >= 0 && tg_call_writes(c, i) && f(used, m)) return true;
    }
    return false;
}

static void each_read(const tg_recording *rec, const tg_plan_call *c, each_memory *f, bool *used) {
    bool rows = false;
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &rec->map[c->map + i];
        rows = rows || m->row;
        for (int k = 0; k < m->operands; k++)
            if (m->memory[k] >= 0) f(used, m->memory[k]);
    }
    for (int i = 0; (!c->lowered || rows) && i < c->n; i++) {
        const int m = rec->operand[c->operand + i].memory;
        if (m >= 0) f(used, m);
    }
}

static bool is_used(bool *used, int memory) { return used[memory]; }
static bool use(bool *used, int memory) { return used[memory] = true, false; }

/* From the last call to the first: a call whose result is used uses what it reads. What outlives the run is used, and so is a
 * gradient that a later call may still change. */
static void find_used(tg_recording *rec, bool *used) {
    for (int64_t i = 0; i < rec->n_memories; i++)
        used[i] = rec->memory[i].kind != TG_MEMORY_MADE || rec->memory[i].stored > 0;
    if (rec->result.memory >= 0) used[rec->result.memory] = true;
    for (int64_t i = rec->n_calls - 1; i >= 0; i--) {
        tg_plan_call *c = &rec->call[i];
        if (c->idle) continue;
        c->unused = may_go(c) && !any_written(rec, c, is_used, used);
        if (!c->unused) each_read(rec, c, use, used);
    }
}

bool tg_drop_unused(tg_recording *rec) {
    const size_t bytes = (size_t)rec->n_memories + 1;
    bool *used = tg_sys_alloc(bytes);
    if (!used) return false;
    for (int64_t i = 0; i < rec->n_calls; i++) rec->call[i].idle = is_idle(rec, &rec->call[i]);
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
