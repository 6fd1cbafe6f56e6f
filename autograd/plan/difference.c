/* Whether a run is the one before once more: the same calls on the same memory, in the same order. */
#include "autograd/plan/recorder.h"

#include <stdio.h>
#include <string.h>

/* ---- operands ---- */

bool tg_same_layout(const tg_operand *a, const tg_operand *b) {
    if (a->memory == TG_ABSENT || b->memory == TG_ABSENT) return a->memory == b->memory;
    if (a->a == b->a) return true;
    if (a->a->dtype != b->a->dtype || !tg_array_same_shape(a->a, b->a)) return false;
    for (int i = 0; i < a->a->rank; i++)
        if (a->a->stride[i] != b->a->stride[i]) return false;
    return true;
}

bool tg_same_operand(const tg_operand *a, const tg_operand *b) {
    return a->memory == b->memory && a->at == b->at && a->needed == b->needed && a->begun == b->begun &&
           tg_same_layout(a, b);
}

/* ---- calls ---- */

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
static const char *attribute(const tg_call_form *f, const void *a, const void *b) {
    if (f->op && has_fields(f->op, f->size)) {
        for (int i = 0; i < f->op->n_attrs; i++)
            if (!same_field(&f->op->attrs[i], a, b)) return f->op->attrs[i].name;
        return NULL;
    }
    return f->size && memcmp(a, b, f->size) != 0 ? "its data" : NULL;
}

static const char *form(const tg_call_form *a, const tg_call_form *b, char text[160]) {
    if (a->kind != b->kind || a->op != b->op || a->run != b->run ||
        (a->name != b->name && strcmp(a->name, b->name) != 0)) {
        snprintf(text, 160, "the run before called %.80s in its place", a->name);
        return text;
    }
    if (a->n_in != b->n_in || a->n != b->n || a->saved != b->saved)
        return "the number of its operands differs";
    if (a->size != b->size) return "its data differs from the run before";
    if (a->makes != b->makes || a->changes != b->changes || a->outside != b->outside)
        return "what it writes differs from the run before";
    if (a->yes != b->yes) return "what the numbers decided differs from the run before";
    if (a->stream != b->stream) return "it draws from another stream than in the run before";
    return a->target != b->target || a->input != b->input ? "the gradient of another tensor" : NULL;
}

const char *tg_call_difference(const tg_plan_call *a, const tg_call_form *b, const void *data, char text[160]) {
    const char *what = form(a->of, b, text);
    const char *of = what ? NULL : attribute(b, a->data, data);
    if (of) snprintf(text, 160, "%.80s differs from the run before", of);
    return of ? text : what;
}

/* ---- memory ---- */

const char *tg_memory_difference(const tg_memory *a, const tg_memory *b) {
    bool same = a->kind == b->kind && a->bytes == b->bytes && a->input == b->input && a->handle == b->handle &&
                a->requires_grad == b->requires_grad && (a->kind != TG_MEMORY_KEPT || a->base == b->base);
    if (!same) return "it works on other memory than in the run before";
    if (a->kind == TG_MEMORY_CONSTANT && memcmp(a->base, b->base, a->bytes) != 0)
        return "numbers that the step made itself differ from the run before: give them as an input";
    return NULL;
}

/* ---- the whole run ---- */

void tg_recorder_differs(tg_recorder *r, int memory, const char *what) {
    if (!r->compares) return;
    r->compares = false;
    r->differs_at = r->placed = r->rec->n_calls, r->differs_in = memory;
    snprintf(r->what, sizeof r->what, "%s", what);
}

/* The first call that has an operand in the memory. */
static int64_t user_of(const tg_recording *r, int memory) {
    for (int64_t c = 0; c < r->n_calls; c++)
        for (int i = 0; i < r->call[c].of->n; i++)
            if (r->operand[r->call[c].operand + i].memory == memory) return c;
    return r->n_calls;
}

const char *tg_recorder_difference(const tg_recorder *r, char why[TG_DIFFERENCE]) {
    const tg_recording *rec = r->rec;
    if (r->compares) return NULL;
    const int64_t at = r->differs_in >= 0 ? user_of(rec, r->differs_in) : r->differs_at;
    const tg_plan_call *c = at < rec->n_calls ? &rec->call[at] : NULL;
    if (c && c->file)
        snprintf(why, TG_DIFFERENCE, "%s at %.100s:%d: %.150s", c->of->name, tg_base_name(c->file), c->line,
                 r->what);
    else
        snprintf(why, TG_DIFFERENCE, "%s: %.150s", c ? c->of->name : "the result", r->what);
    return why;
}
