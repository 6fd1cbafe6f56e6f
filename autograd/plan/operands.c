/* What a recorder notes of the arrays that a call reads and writes. */
#include "autograd/plan/recorder.h"

#include <stdio.h>
#include <string.h>

static inline bool is_layout_of(const tg_array *l, const tg_array *a) {
    if (!l || l->numel != a->numel || l->dtype != a->dtype || l->rank != a->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (l->shape[i] != a->shape[i] || l->stride[i] != a->stride[i]) return false;
    return true;
}

static const tg_array *new_layout(tg_recorder *r, const tg_array *a) {
    tg_array *new = tg_arena_alloc(&r->rec->arena, sizeof *new);
    if (!new) return r->lost = true, NULL;
    *new = (tg_array){.numel = a->numel, .dtype = a->dtype, .rank = a->rank};
    memcpy(new->shape, a->shape, (size_t)a->rank * sizeof *a->shape);
    memcpy(new->stride, a->stride, (size_t)a->rank * sizeof *a->stride);
    return new;
}

/* The layout of the array, noted once for operands of the same that follow each other. */
static inline const tg_array *layout_of(tg_recorder *r, const tg_array *a) {
    const tg_array **l = &r->layout[(uint64_t)(a->numel + a->rank + a->dtype) % TG_LAYOUTS];
    if (!is_layout_of(*l, a)) *l = new_layout(r, a);
    return *l;
}

/* Where the array begins in a memory. */
static inline int64_t begin_in(const tg_recorder *r, const tg_array *a, int memory) {
    return memory >= 0 ? (const char *)a->data - r->rec->memory[memory].origin : 0;
}

tg_operand tg_recorder_operand_of(tg_recorder *r, const tg_array *a, int memory) {
    return (tg_operand){.memory = memory, .at = begin_in(r, a, memory), .a = layout_of(r, a)};
}

static void differ(tg_recorder *r, const tg_operand *was, const tg_operand *o) {
    char what[96];
    snprintf(what, sizeof what, "operand %d %s", (int)(r->rec->n_operands - r->call.operand),
             tg_same_layout(was, o) ? "is another tensor than in the run before"
                                    : "has another shape than in the run before");
    tg_recorder_differs(r, -1, what);
}

/* Adds an operand, NULL for one that is absent, which most likely is the one that the run before had at this place. */
static inline void add(tg_recorder *r, const tg_array *a, int memory, bool needed, bool begun) {
    tg_recording *rec = r->rec;
    const tg_operand *was = r->compares ? &rec->operand[rec->n_operands] : NULL;
    if (was && was->memory == memory && was->needed == needed && was->begun == begun &&
        (!a || (was->at == begin_in(r, a, memory) && is_layout_of(was->a, a)))) {
        rec->n_operands++;
        return;
    }
    tg_operand o = a ? tg_recorder_operand_of(r, a, memory) : (tg_operand){.memory = memory};
    o.needed = needed, o.begun = begun;
    if (was) differ(r, was, &o);
    if (!r->lost && TG_ROOM(r, operand, n_operands, cap_operands, 1)) rec->operand[rec->n_operands++] = o;
}

int tg_recorder_use(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who) {
    if (!a->data) return TG_WITHOUT_MEMORY;
    int memory = tg_recorder_find_buffer(r, a->buffer);
    if (memory >= 0 && r->rec->memory[memory].kind == TG_MEMORY_MADE)
        r->rec->memory[memory].written |= how != TG_USE_READ;
    else if ((memory = tg_recorder_memory(r, a, s, how, who)) < 0 || tg_error_pending != TG_OK)
        return TG_WITHOUT_MEMORY;
    tg_memory *m = &r->rec->memory[memory];
    m->shown |= m->given;
    return memory;
}

tg_status tg_recorder_operand(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who) {
    add(r, a, a ? tg_recorder_use(r, a, s, how, who) : TG_ABSENT, false, false);
    return tg_error_pending;
}

void tg_recorder_layout(tg_recorder *r, const tg_array *a) {
    add(r, a, a ? TG_WITHOUT_MEMORY : TG_ABSENT, false, false);
}

/* Which of the call's buffers it is that the call has made; where the run before has asked for them in another order, nobody
 * knows. */
static void note_birth(tg_recorder *r, int memory) {
    tg_memory *m = &r->rec->memory[memory];
    if (m->kind != TG_MEMORY_MADE || m->first != r->rec->n_calls || m->serial <= r->births_inside) return;
    const uint32_t birth = (uint32_t)(m->serial - r->births_inside);
    m->birth = m->born == TG_FIRST_RUN || m->born == birth ? birth : 0;
}

void tg_recorder_gradient(tg_recorder *r, const tg_array *din, bool needed, bool begun, const char *who) {
    const tg_array *a =
        din && din->data && tg_array_is_sound(din) ? din : NULL; /* else the walk refuses it next */
    const int memory = a ? tg_recorder_use(r, a, NULL, begun ? TG_USE_CHANGE : TG_USE_MAKE, who) : TG_ABSENT;
    add(r, a, memory, needed, begun && a);
    if (memory >= 0) note_birth(r, memory);
}
