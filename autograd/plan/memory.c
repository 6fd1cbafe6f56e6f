/* What a recorder knows of memory: which piece an array lies in, and whose it is. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* ---- lists that grow; when there is no memory the recording is lost, and the run goes on ---- */

/* Sixteen times as long each time: what is copied is little, and what is not used yet is not touched. */
bool tg_recorder_grow(tg_recorder *r, void **list, int64_t *cap, int64_t used, int64_t more, size_t size) {
    if (r->lost) return false;
    if (used + more <= *cap) return true;
    const int64_t longer = *cap < 1 << 20 ? 16 * *cap : 2 * *cap;
    if (!tg_grow(list, cap, used, used + more > longer ? used + more : longer, size)) r->lost = true;
    return !r->lost;
}

tg_status tg_recorder_refuse(const char *who, const char *why, const tg_tensor *t) {
    char text[160];
    return tg_fail(TG_ERR_TAPE, "%s: %s%s%s", who, t ? tg_describe(t, text, sizeof text) : "", t ? " " : "",
                   why);
}

/* ---- memory, by its buffer ---- */

int *tg_recorder_probe(const tg_recorder *r, const tg_buffer *b, uint64_t serial) {
    const uint64_t mask = (uint64_t)(r->cap_old - 1);
    for (uint64_t i = ((uintptr_t)b >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 20;; i++) {
        int *at = &r->old[i & mask];
        if (*at < 0 || (r->rec->memory[*at].buffer == b && r->rec->memory[*at].serial == serial)) return at;
    }
}

static bool rehash(tg_recorder *r) {
    const int64_t cap = r->cap_old ? 2 * r->cap_old : 64, was = r->cap_old;
    int *old = tg_sys_alloc((size_t)cap * sizeof *old), *before = r->old;
    if (!old) return r->lost = true, false;
    memset(old, -1, (size_t)cap * sizeof *old);
    r->old = old, r->cap_old = cap;
    for (int64_t i = 0; i < was; i++)
        if (before[i] >= 0)
            *tg_recorder_probe(r, r->rec->memory[before[i]].buffer, r->rec->memory[before[i]].serial) =
                before[i];
    tg_sys_free(before, (size_t)was * sizeof *before);
    return true;
}

/* Memory number n is from now on found by its buffer. */
static bool make_known(tg_recorder *r, const tg_buffer *b, int n) {
    if (!b) return true;
    const int64_t birth = (int64_t)(b->serial - r->births - 1);
    if (b->shared || b->serial <= r->births) {
        if (2 * (r->n_old + 1) > r->cap_old && !rehash(r)) return false;
        *tg_recorder_probe(r, b, b->serial) = n, r->n_old++;
        return true;
    }
    if (birth >= r->n_young) {
        if (!TG_ROOM_IN(r, r->young, r->n_young, r->cap_young, birth + 1 - r->n_young)) return false;
        while (r->n_young <= birth) r->young[r->n_young++] = -1;
    }
    r->young[birth] = n;
    return true;
}

/* The bytes of a constant are copied, since the buffer may be used for something else before the run ends. */
static bool copy_constant(tg_recorder *r, tg_memory *m) {
    char *copy = tg_arena_alloc(&r->rec->arena, m->bytes + TG_ALIGN);
    if (!copy) return r->lost = true, false;
    copy = (char *)(((uintptr_t)copy + TG_ALIGN - 1) / TG_ALIGN * TG_ALIGN);
    m->base = memcpy(copy, m->base, m->bytes);
    return true;
}

/* New memory, which the run before may have had at this place. NULL with the recording lost. */
static tg_memory *add(tg_recorder *r, tg_memory m) {
    tg_recording *rec = r->rec;
    if (!TG_ROOM(r, memory, n_memories, cap_memories, 1)) return NULL;
    tg_memory *to = &rec->memory[rec->n_memories];
    if (r->compares) {
        const char *what = rec->n_memories < r->before.n_memories ? tg_memory_difference(to, &m)
                                                                  : "it uses more memory than the run before";
        if (what) tg_recorder_differs(r, (int)rec->n_memories, what);
    }
    m.born = r->compares ? to->birth : TG_FIRST_RUN;
    if (r->compares && m.kind == TG_MEMORY_CONSTANT)
        m.base = to->base;
    else if (m.kind == TG_MEMORY_CONSTANT && !copy_constant(r, &m))
        return NULL;
    *to = m;
    if (!make_known(r, m.buffer, (int)rec->n_memories)) return NULL;
    rec->n_memories++;
    return to;
}

static tg_memory memory_of(const tg_recorder *r, const tg_array *a, tg_memory_kind kind) {
    tg_memory m = {.kind = (uint8_t)kind,
                   .input = -1,
                   .buffer = a->buffer,
                   .serial = a->buffer ? a->buffer->serial : 0,
                   .first = r->rec->n_calls,
                   .last = r->rec->n_calls};
    if (a->buffer) m.origin = m.base = tg_buffer_start(a->buffer, &m.bytes);
    return m;
}

void tg_recorder_add_input(tg_recorder *r, int input, const tg_slot *s) {
    tg_memory m = memory_of(r, &s->a, TG_MEMORY_INPUT);
    m.input = input, m.origin = m.base = s->a.data, m.requires_grad = s->requires_grad;
    add(r, m);
}

static tg_memory *add_kept(tg_recorder *r, const tg_array *a, const tg_slot *s) {
    tg_memory m = memory_of(r, a, TG_MEMORY_KEPT);
    m.handle = tg_handle(s), m.requires_grad = s->requires_grad;
    return add(r, m);
}

static bool is_whole(const tg_array *a) {
    size_t bytes;
    return a->buffer && a->data == tg_buffer_start(a->buffer, &bytes) && tg_array_is_contiguous(a) &&
           (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype) == bytes;
}

/* Whether a call that makes the array has made its buffer, too, or writes all of it. */
bool tg_recorder_made_whole(const tg_recorder *r, const tg_array *a) {
    return tg_recorder_is_young(r, a) && ((r->in_call && a->buffer->serial > r->births_inside) || is_whole(a));
}

/* Whether someone who held on to its address has changed a constant since. */
static bool is_changed(const tg_memory *m, const tg_array *a) {
    size_t bytes;
    if (m->kind != TG_MEMORY_CONSTANT || m->written) return false;
    return memcmp(m->base, tg_buffer_start(a->buffer, &bytes), m->bytes) != 0;
}

static void check_known(const tg_recorder *r, const tg_memory *m, const tg_array *a, const tg_slot *s,
                        tg_use how, const char *who) {
    const tg_tensor *t = s ? tg_handle(s) : NULL;
    if (m->kind == TG_MEMORY_INPUT && s && s->kept && t != r->in[m->input])
        tg_recorder_refuse(who, "is an input of the plan, and used as another tensor of the step too", t);
    if (how == TG_USE_READ && is_changed(m, a))
        tg_recorder_refuse(who, "elements that the step had used were changed by hand", NULL);
}

/* Which memory the array lies in, made known where it is not. -1 with an error raised, or with the recording lost. */
int tg_recorder_memory(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who) {
    const int found = tg_recorder_find_buffer(r, a->buffer);
    if (r->lost) return -1;
    if (found >= 0) {
        tg_memory *m = &r->rec->memory[found];
        if (m->kind != TG_MEMORY_MADE) check_known(r, m, a, s, how, who);
        m->written = m->written || how != TG_USE_READ;
        return found;
    }
    if (!(s && s->kept) && a->buffer && a->buffer->shared && !tg_kept_find(&r->kept, a->buffer, &s))
        return r->lost = true, -1;
    tg_memory *m = NULL;
    if (how == TG_USE_MAKE && tg_recorder_made_whole(r, a)) {
        m = add(r, memory_of(r, a, TG_MEMORY_MADE));
    } else if (s && s->kept && a->buffer) {
        m = add_kept(r, a, s);
    } else if (tg_recorder_is_young(r, a)) {
        m = add(r, memory_of(r, a, TG_MEMORY_CONSTANT));
    } else {
        tg_recorder_refuse(
            who,
            s ? "was made outside of the step of a plan, and is neither an input nor kept (tg_keep)"
              : "a tensor was made outside of the step of a plan, and is neither an input nor kept (tg_keep)",
            s ? tg_handle(s) : NULL);
    }
    if (!m) return -1;
    m->written = how != TG_USE_READ && m->kind != TG_MEMORY_MADE;
    return (int)(r->rec->n_memories - 1);
}

void tg_recording_free(tg_recording *rec) {
    tg_arena_free(&rec->arena);
    tg_sys_free(rec->call, (size_t)rec->cap_calls * sizeof *rec->call);
    tg_sys_free(rec->operand, (size_t)rec->cap_operands * sizeof *rec->operand);
    tg_sys_free(rec->memory, (size_t)rec->cap_memories * sizeof *rec->memory);
    tg_sys_free(rec->map, (size_t)rec->cap_maps * sizeof *rec->map);
    tg_sys_free(rec->reliance, (size_t)rec->cap_reliances * sizeof *rec->reliance);
    tg_sys_free(rec->input, (size_t)rec->n_in * sizeof *rec->input);
    *rec = (tg_recording){0};
}
