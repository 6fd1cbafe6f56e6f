/* What a recorder knows of memory: which piece an array lies in, and whose it is. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* ---- lists that grow; when there is no memory the recording is lost, and the run goes on ---- */

/* Four times as long each time: what is copied, and touched for the first time, is a third of what there is in the end. */
bool tg_recorder_grow(tg_recorder *r, void **list, int64_t *cap, int64_t used, int64_t more, size_t size) {
    if (r->lost) return false;
    if (used + more <= *cap) return true;
    const int64_t need = used + more > 4 * *cap ? used + more : 4 * *cap;
    if (!tg_grow(list, cap, used, need, size)) r->lost = true;
    return !r->lost;
}
tg_status tg_recorder_refuse(const char *who, const char *why, const tg_tensor *t) {
    char text[160];
    return tg_fail(TG_ERR_TAPE, "%s: %s%s%s", who, t ? tg_describe(t, text, sizeof text) : "", t ? " " : "",
                   why);
}

/* ---- memory, by its buffer ---- */

static bool rehash(tg_recorder *r) {
    tg_recording *rec = r->rec;
    int64_t cap = rec->cap_hash ? 2 * rec->cap_hash : 64;
    int64_t *hash = tg_sys_alloc((size_t)cap * sizeof *hash);
    if (!hash) return r->lost = true, false;
    memset(hash, -1, (size_t)cap * sizeof *hash);
    tg_sys_free(rec->hash, (size_t)rec->cap_hash * sizeof *hash);
    rec->hash = hash, rec->cap_hash = cap;
    for (int64_t i = 0; i < rec->n_memories; i++)
        *tg_recording_probe(rec, rec->memory[i].buffer, rec->memory[i].serial) = i;
    return true;
}

void tg_recorder_make_room(tg_recorder *r, const tg_recording *like) {
    tg_recording *rec = r->rec;
    if (!TG_ROOM(r, call, n_calls, cap_calls, like->n_calls + 1) ||
        !TG_ROOM(r, operand, n_operands, cap_operands, like->n_operands + 16) ||
        !TG_ROOM(r, memory, n_memories, cap_memories, like->n_memories + 1))
        return;
    if (!TG_ROOM(r, map, n_maps, cap_maps, like->n_maps + TG_CALL_MAPS)) return;
    while (rec->cap_hash < like->cap_hash && rehash(r)) continue;
}

tg_memory *tg_recorder_add_memory(tg_recorder *r, const tg_array *a, tg_memory_kind kind) {
    tg_recording *rec = r->rec;
    if (2 * (rec->n_memories + 1) > rec->cap_hash && !rehash(r)) return NULL;
    if (!TG_ROOM(r, memory, n_memories, cap_memories, 1)) return NULL;
    tg_memory *m = &rec->memory[rec->n_memories];
    *m = (tg_memory){.kind = kind,
                     .input = -1,
                     .buffer = a->buffer,
                     .serial = a->buffer ? a->buffer->serial : 0,
                     .first = rec->n_calls,
                     .last = rec->n_calls};
    if (a->buffer) m->origin = m->base = tg_buffer_start(a->buffer, &m->bytes);
    *tg_recording_probe(rec, m->buffer, m->serial) = rec->n_memories++;
    return m;
}

bool tg_recorder_is_young(const tg_recorder *r, const tg_array *a) {
    return a->buffer && !a->buffer->shared && a->buffer->serial > r->births;
}

static bool is_whole(const tg_array *a) {
    size_t bytes;
    return a->buffer && a->data == tg_buffer_start(a->buffer, &bytes) && tg_array_is_contiguous(a) &&
           (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype) == bytes;
}

/* The bytes of a constant are copied, since the buffer may be used for something else before the run ends. */
static void add_constant(tg_recorder *r, const tg_array *a) {
    tg_memory *m = tg_recorder_add_memory(r, a, TG_MEMORY_CONSTANT);
    if (!m) return;
    char *copy = tg_arena_alloc(&r->rec->arena, m->bytes + TG_ALIGN);
    if (!copy) {
        r->lost = true;
        return;
    }
    copy = (char *)(((uintptr_t)copy + TG_ALIGN - 1) / TG_ALIGN * TG_ALIGN);
    m->base = memcpy(copy, m->base, m->bytes);
}

/* Whether someone who held on to its address has changed a constant since. */
static bool is_changed(const tg_memory *m, const tg_array *a) {
    size_t bytes;
    if (m->kind != TG_MEMORY_CONSTANT || m->written) return false;
    return memcmp(m->base, tg_buffer_start(a->buffer, &bytes), m->bytes) != 0;
}

/* Whether a call that makes the array has made its buffer, too, or writes all of it. */
bool tg_recorder_made_whole(const tg_recorder *r, const tg_array *a) {
    return tg_recorder_is_young(r, a) && (is_whole(a) || (r->in_call && a->buffer->serial > r->births_inside));
}

/* Which memory the array lies in, made known where it is not. -1 with an error raised, or with the recording lost. */
int tg_recorder_memory(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who) {
    int found = tg_recorder_find_buffer(r, a->buffer);
    if (r->lost) return -1;
    const tg_tensor *t = s ? tg_handle(s) : NULL;
    if (found >= 0) {
        tg_memory *m = &r->rec->memory[found];
        if (m->kind == TG_MEMORY_INPUT && s && s->kept && t != r->in[m->input])
            tg_recorder_refuse(who, "is an input of the plan, and used as another tensor of the step too", t);
        if (how == TG_USE_READ && is_changed(m, a))
            tg_recorder_refuse(who, "elements that the step had used were changed by hand", NULL);
        if (how != TG_USE_READ) m->written = true;
        return found;
    }
    if (!(s && s->kept) && a->buffer && a->buffer->shared && !tg_kept_find(&r->kept, a->buffer, &s))
        return r->lost = true, -1;
    tg_memory *m = NULL;
    if (how == TG_USE_MAKE && tg_recorder_made_whole(r, a)) {
        m = tg_recorder_add_memory(r, a, TG_MEMORY_MADE);
    } else if (s && s->kept && a->buffer) {
        if ((m = tg_recorder_add_memory(r, a, TG_MEMORY_KEPT)))
            m->handle = tg_handle(s), m->requires_grad = s->requires_grad;
    } else if (tg_recorder_is_young(r, a)) {
        add_constant(r, a);
        m = r->lost ? NULL : &r->rec->memory[r->rec->n_memories - 1];
    } else {
        tg_recorder_refuse(
            who,
            t ? "was made outside of the step of a plan, and is neither an input nor kept (tg_keep)"
              : "a tensor was made outside of the step of a plan, and is neither an input nor kept (tg_keep)",
            t);
        return -1;
    }
    if (!m) return -1;
    m->written = how != TG_USE_READ && m->kind != TG_MEMORY_MADE;
    return (int)(r->rec->n_memories - 1);
}

/* ---- operands and calls ---- */

static tg_operand *add_operand(tg_recorder *r) {
    if (!TG_ROOM(r, operand, n_operands, cap_operands, 1)) return NULL;
    tg_operand *o = &r->rec->operand[r->rec->n_operands++];
    *o = (tg_operand){.memory = TG_ABSENT};
    return o;
}

static bool is_layout_of(const tg_array *l, const tg_array *a) {
    if (!l || l->numel != a->numel || l->dtype != a->dtype || l->rank != a->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (l->shape[i] != a->shape[i] || l->stride[i] != a->stride[i]) return false;
    return true;
}

/* The layout of the array, noted once for operands of the same that follow each other. */
static const tg_array *layout_of(tg_recorder *r, const tg_array *a) {
    const tg_array **l = &r->layout[(uint64_t)(a->numel + a->rank + a->dtype) % TG_LAYOUTS];
    if (is_layout_of(*l, a)) return *l;
    tg_array *new = tg_arena_alloc(&r->rec->arena, sizeof *new);
    if (!new) return r->lost = true, NULL;
    *new = (tg_array){.numel = a->numel, .dtype = a->dtype, .rank = a->rank};
    memcpy(new->shape, a->shape, (size_t)a->rank * sizeof *a->shape);
    memcpy(new->stride, a->stride, (size_t)a->rank * sizeof *a->stride);
    return *l = new;
}

void tg_operand_set(tg_recorder *r, tg_operand *o, const tg_array *a, int memory) {
    o->memory = memory;
    o->a = layout_of(r, a);
}

/* Adds an operand: NULL for one that is absent; without data, one of which only the layout is known. */
tg_status tg_recorder_operand(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who) {
    tg_operand *o = add_operand(r);
    if (!o || !a) return TG_OK;
    int memory = a->data ? tg_recorder_memory(r, a, s, how, who) : TG_WITHOUT_MEMORY;
    if (tg_error_pending != TG_OK) return tg_error_pending;
    if (r->lost) return TG_OK;
    tg_operand_set(r, o, a, memory);
    if (memory < 0) return TG_OK;
    tg_memory *m = &r->rec->memory[memory];
    o->at = (const char *)a->data - m->origin;
    m->last = r->rec->n_calls;
    m->shown = m->shown || m->given;
    return TG_OK;
}

void tg_recorder_layout(tg_recorder *r, const tg_array *a) {
    tg_operand *o = add_operand(r);
    if (o && a) tg_operand_set(r, o, a, TG_WITHOUT_MEMORY);
}

void tg_recording_free(tg_recording *rec) {
    tg_arena_free(&rec->arena);
    tg_sys_free(rec->call, (size_t)rec->cap_calls * sizeof *rec->call);
    tg_sys_free(rec->operand, (size_t)rec->cap_operands * sizeof *rec->operand);
    tg_sys_free(rec->memory, (size_t)rec->cap_memories * sizeof *rec->memory);
    tg_sys_free(rec->map, (size_t)rec->cap_maps * sizeof *rec->map);
    tg_sys_free(rec->reliance, (size_t)rec->cap_reliances * sizeof *rec->reliance);
    tg_sys_free(rec->hash, (size_t)rec->cap_hash * sizeof *rec->hash);
    tg_sys_free(rec->input, (size_t)rec->n_in * sizeof *rec->input);
    *rec = (tg_recording){0};
}
