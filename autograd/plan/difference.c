/* Whether two recordings are one: the same calls on the same memory, in the same order. */
#include "autograd/plan/record.h"

#include <stdio.h>
#include <string.h>

/* The caller's: a text of the thread's own would take room that a host which loads the library may not have. */
static _Thread_local TG_HOT char *text;

static const char *differs(const tg_plan_call *c, const char *what) {
    snprintf(text, TG_DIFFERENCE, "%s%s%.100s%s%d: %.120s", c->name, c->file ? " at " : "",
             c->file ? tg_base_name(c->file) : "", c->file ? ":" : "", c->file ? c->line : 0, what);
    if (!c->file) snprintf(text, TG_DIFFERENCE, "%s: %.120s", c->name, what);
    return text;
}

static bool same_layout(const tg_operand *a, const tg_operand *b) {
    if (a->memory == TG_ABSENT || b->memory == TG_ABSENT) return a->memory == b->memory;
    if (a->a->dtype != b->a->dtype || !tg_array_same_shape(a->a, b->a)) return false;
    for (int i = 0; i < a->a->rank; i++)
        if (a->a->stride[i] != b->a->stride[i]) return false;
    return true;
}

static bool same_operand(const tg_operand *a, const tg_operand *b) {
    return same_layout(a, b) && a->memory == b->memory && a->at == b->at && a->needed == b->needed &&
           a->begun == b->begun;
}

static bool same_field(const tg_attr_field *f, const char *a, const char *b) {
    static const size_t bytes[] = {sizeof(int64_t),  sizeof(double), sizeof(bool), 0,
                                   sizeof(tg_dtype), sizeof(char *)};
    a += f->offset, b += f->offset;
    if (f->type != TG_ATTR_DIMS) return memcmp(a, b, bytes[f->type]) == 0;
    return tg_shape_equal(*(const tg_shape *)(const void *)a, *(const tg_shape *)(const void *)b);
}

/* Whether the op says what its attributes consist of. */
static bool has_fields(const tg_op *op, size_t size) {
    bool sound = op->attrs && op->n_attrs > 0;
    for (int i = 0; sound && i < op->n_attrs; i++) sound = tg_attr_field_is_sound(&op->attrs[i], size);
    return sound;
}

/* Fields are compared one by one, since what lies between them is anything. */
static const char *attribute(const tg_plan_call *a, const tg_plan_call *b) {
    if (a->size != b->size) return "its data";
    if (a->op && has_fields(a->op, a->size)) {
        for (int i = 0; i < a->op->n_attrs; i++)
            if (!same_field(&a->op->attrs[i], a->data, b->data)) return a->op->attrs[i].name;
        return NULL;
    }
    return a->size && memcmp(a->data, b->data, a->size) != 0 ? "its data" : NULL;
}

static const char *call(const tg_recording *x, const tg_recording *y, const tg_plan_call *a,
                        const tg_plan_call *b) {
    char what[160];
    if (a->kind != b->kind || a->op != b->op || a->run != b->run || strcmp(a->name, b->name) != 0) {
        snprintf(what, sizeof what, "the run before called %.80s in its place", a->name);
        return differs(b, what);
    }
    if (a->n_in != b->n_in || a->n != b->n || a->saved != b->saved)
        return differs(b, "the number of its operands differs");
    const char *of = attribute(a, b);
    if (of) {
        snprintf(what, sizeof what, "%.80s differs from the run before", of);
        return differs(b, what);
    }
    if (a->yes != b->yes) return differs(b, "what the numbers decided differs from the run before");
    if (a->target != b->target || a->input != b->input) return differs(b, "the gradient of another tensor");
    for (int i = 0; i < a->n; i++) {
        const tg_operand *o = &x->operand[a->operand + i], *p = &y->operand[b->operand + i];
        if (same_operand(o, p)) continue;
        snprintf(what, sizeof what, "operand %d %s", i,
                 same_layout(o, p) ? "is another tensor than in the run before"
                                   : "has another shape than in the run before");
        return differs(b, what);
    }
    return NULL;
}

/* The first call that has an operand in memory i, for a message. */
static const tg_plan_call *user_of(const tg_recording *r, int64_t memory) {
    static const tg_plan_call nobody = {.name = "the result"};
    for (int64_t c = 0; c < r->n_calls; c++)
        for (int i = 0; i < r->call[c].n; i++)
            if (r->operand[r->call[c].operand + i].memory == memory) return &r->call[c];
    return &nobody;
}

static const char *memory(const tg_recording *y, const tg_memory *a, const tg_memory *b, int64_t i) {
    bool same = a->kind == b->kind && a->bytes == b->bytes && a->input == b->input && a->handle == b->handle &&
                a->requires_grad == b->requires_grad && (a->kind != TG_MEMORY_KEPT || a->base == b->base);
    if (!same) return differs(user_of(y, i), "it works on other memory than in the run before");
    if (a->kind == TG_MEMORY_CONSTANT && memcmp(a->base, b->base, a->bytes) != 0)
        return differs(user_of(y, i),
                       "numbers that the step made itself differ from the run before: give them as an input");
    return NULL;
}

static void forget_births(const tg_recording *a, tg_recording *b) {
    for (int64_t i = 0; i < b->n_memories; i++)
        if (a->memory[i].birth != b->memory[i].birth) b->memory[i].birth = 0;
}

const char *tg_recording_difference(const tg_recording *a, tg_recording *b, char why[TG_DIFFERENCE]) {
    text = why;
    const char *found = NULL;
    for (int64_t i = 0; i < a->n_calls && i < b->n_calls && !found; i++)
        found = call(a, b, &a->call[i], &b->call[i]);
    if (!found && a->n_calls != b->n_calls) found = "the numbers of calls differ";
    if (!found && a->n_memories != b->n_memories) found = "the numbers of tensors differ";
    for (int64_t i = 0; i < a->n_memories && !found; i++) found = memory(b, &a->memory[i], &b->memory[i], i);
    if (!found && !same_operand(&a->result, &b->result)) found = "the result is another tensor";
    if (!found && a->n_reliances != b->n_reliances) found = "the models used differ";
    for (int64_t i = 0; i < a->n_reliances && !found; i++)
        if (a->reliance[i].of != b->reliance[i].of || a->reliance[i].answer != b->reliance[i].answer)
            found = a->reliance[i].name;
    if (!found) forget_births(a, b);
    return found;
}
