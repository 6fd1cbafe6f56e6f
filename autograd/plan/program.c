/* A recording becomes a program: memory laid out, operands at their addresses, calls with all that they are given. */
#include "autograd/plan/program.h"
#include "core/random.h"

#include <stdlib.h>
#include <string.h>

void *tg_program_room(tg_program *p, int64_t n, size_t size) {
    size_t bytes;
    return tg_size_mul((size_t)n, size, &bytes) ? tg_arena_alloc(&p->arena, bytes + 1) : NULL;
}

void *tg_program_take(tg_program *p, int64_t n, size_t size) {
    void *at = tg_program_room(p, n, size);
    return at ? memset(at, 0, (size_t)n * size) : NULL;
}

/* ---- which memory outlives the run ---- */

static bool is_whole(const tg_operand *o, const tg_memory *m) {
    return o->at == 0 && (size_t)o->a->numel * tg_dtype_size((tg_dtype)o->a->dtype) == m->bytes;
}

/* A piece that the result or one gradient has whole is made in memory that it can keep. A small one is copied instead, which takes
 * less than to set all pointers to it in each run, unless the step looks at the gradient that it has stored. */
#define SMALL 1024 /* bytes */
static void find_escaping(tg_recording *rec) {
    for (int64_t i = 0; i < rec->n_calls; i++) {
        const tg_plan_call *c = &rec->call[i];
        const tg_operand *o = &rec->operand[c->operand];
        if (c->kind != TG_CALL_STORE || o->memory < 0) continue;
        tg_memory *m = &rec->memory[o->memory];
        m->escapes =
            m->kind == TG_MEMORY_MADE && m->stored == 1 && (m->bytes > SMALL || m->shown) && is_whole(o, m);
    }
    if (rec->result.memory < 0) return;
    tg_memory *m = &rec->memory[rec->result.memory];
    if (m->kind == TG_MEMORY_MADE) m->escapes = (m->bytes > SMALL && is_whole(&rec->result, m)) || m->escapes;
}

/* What a gradient kernel makes, and outlives the run, stays where the kernel put it. */
static void find_adopted(tg_recording *rec, int64_t call) {
    const tg_plan_call *c = &rec->call[call];
    const tg_operand *din = &rec->operand[c->operand + c->of->n_in + 2 * c->of->n_out];
    for (int i = 0; c->kind == TG_CALL_GRADIENT && !c->lowered && i < c->of->n_in; i++) {
        tg_memory *m = din[i].memory >= 0 ? &rec->memory[din[i].memory] : NULL;
        if (m && m->escapes && !din[i].begun && m->first == call && is_whole(&din[i], m)) m->adopted = true;
    }
}

/* ---- pointers: to where each memory lies. Those into memory that stays where it is are set once; the others, by memory, are
 * set in each run. ---- */

typedef bool each_pointer(tg_program *p, int memory, tg_patch patch);

/* The buffer over a piece of the arena says where its elements end. */
static tg_buffer *buffer_over(tg_program *p, int memory, char *base) {
    const tg_memory *m = &p->rec.memory[memory];
    if (m->kind == TG_MEMORY_KEPT) return (tg_buffer *)(uintptr_t)m->buffer;
    if (!p->buffer[memory]) p->buffer[memory] = tg_buffer_of_blob(base, m->bytes, false, NULL, NULL);
    return p->buffer[memory];
}

static inline bool set_or_count(tg_program *p, int memory, tg_patch patch) {
    char *base = p->base[memory];
    if (!base) return p->first_patch[memory + 2]++, true;
    *patch.where = base + patch.at;
    return !patch.buffer || (*patch.buffer = buffer_over(p, memory, base));
}

static inline bool note_pointer(tg_program *p, int memory, tg_patch patch) {
    if (!p->base[memory]) p->patch[p->first_patch[memory + 1]++] = patch;
    return true;
}

static inline bool each_of_operands(tg_program *p, each_pointer *f) {
    for (int64_t c = 0; c < p->rec.n_calls; c++)
        for (int64_t i = p->rec.call[c].operand, end = i + p->rec.call[c].of->n;
             !p->rec.call[c].lowered && i < end; i++) {
            tg_array *a = &p->slot[i].a;
            if (p->rec.operand[i].memory >= 0 &&
                !f(p, p->rec.operand[i].memory,
                   (tg_patch){(char **)(void *)&a->data, &a->buffer, p->rec.operand[i].at}))
                return false;
        }
    return true;
}

static inline bool each_of_kernels(tg_program *p, each_pointer *f) {
    for (int64_t i = 0; i < p->n_kernels; i++) {
        const tg_plan_map *m = p->extent[i].map;
        for (int k = 0; k < m->of->operands; k++)
            if (m->memory[k] >= 0 && !(p->extent[i].local >> k & 1) &&
                !f(p, m->memory[k], (tg_patch){&p->kernel[i].p.each[k], NULL, m->of->at[k]}))
                return false;
    }
    return true;
}

void tg_program_point(const tg_program *p, int64_t memory, char *base, const tg_buffer *buffer) {
    for (int64_t k = p->first_patch[memory]; k < p->first_patch[memory + 1]; k++) {
        *p->patch[k].where = base + p->patch[k].at;
        if (p->patch[k].buffer) *p->patch[k].buffer = (tg_buffer *)(uintptr_t)buffer;
    }
}

static bool set_pointers(tg_program *p) {
    const tg_recording *rec = &p->rec;
    p->first_patch = tg_program_take(p, rec->n_memories + 2, sizeof *p->first_patch);
    p->input = tg_program_take(p, rec->n_in, sizeof *p->input);
    p->fresh = tg_program_take(p, rec->n_memories, sizeof(tg_buffer *));
    p->buffer = tg_program_take(p, rec->n_memories, sizeof(tg_buffer *));
    p->base = tg_program_room(p, rec->n_memories, sizeof(char *));
    if (!p->first_patch || !p->input || !p->fresh || !p->buffer || !p->base) return false;
    for (int64_t m = 0; m < rec->n_memories; m++) p->base[m] = tg_program_base(p, &rec->memory[m]);
    if (!each_of_operands(p, set_or_count) || !each_of_kernels(p, set_or_count)) return false;
    for (int64_t m = 0; m < rec->n_memories; m++) p->first_patch[m + 2] += p->first_patch[m + 1];
    const int64_t patches = p->first_patch[rec->n_memories + 1];
    if (!patches) return true;
    p->patch = tg_program_room(p, patches, sizeof *p->patch);
    return p->patch && each_of_operands(p, note_pointer) && each_of_kernels(p, note_pointer);
}

char *tg_program_base(const tg_program *p, const tg_memory *m) {
    bool in_arena = (m->kind == TG_MEMORY_MADE && !m->escapes && !m->local) ||
                    (m->kind == TG_MEMORY_CONSTANT && m->written);
    if (in_arena) return p->memory + m->offset + TG_ALIGN;
    return m->kind == TG_MEMORY_KEPT || m->kind == TG_MEMORY_CONSTANT ? m->base : NULL;
}

/* ---- operands ---- */

/* The name of a kept tensor, for messages. */
static tg_extras *name_of(tg_program *p, const tg_memory *m) {
    const tg_slot *s = m->kind == TG_MEMORY_KEPT ? tg_slot_peek(m->handle) : NULL;
    const char *name = s ? tg_slot_name(s) : NULL;
    size_t n = name ? strlen(name) + 1 : 0;
    tg_extras *e = name ? tg_arena_alloc(&p->arena, sizeof *e + n) : NULL;
    if (e) *e = (tg_extras){.name = memcpy(e + 1, name, n)};
    return e;
}

static void make_slot(tg_program *p, tg_slot *s, const tg_operand *o) {
    memset(s, 0, sizeof *s);
    atomic_init(&s->generation, 1);
    atomic_init(&s->tag, (uint16_t)(o->memory != TG_ABSENT));
    s->kept = true, s->requires_grad = o->needed;
    if (o->a) s->a = *o->a;
    if (o->memory >= 0) s->extras = name_of(p, &p->rec.memory[o->memory]);
}

/* Calls that are kernels alone need none: their memory is never touched. */
static bool make_slots(tg_program *p) {
    const tg_recording *rec = &p->rec;
    p->slots_bytes = (size_t)rec->n_operands * sizeof(tg_slot) + TG_ALIGN;
    if (!(p->slots = tg_sys_alloc(p->slots_bytes))) return false;
    p->slot = p->slots;
    for (int64_t c = 0; c < rec->n_calls; c++)
        for (int64_t i = rec->call[c].operand, end = i + rec->call[c].of->n; !rec->call[c].lowered && i < end;
             i++)
            make_slot(p, &p->slot[i], &rec->operand[i]);
    return true;
}

/* ---- calls ---- */

static tg_tensor *handle_of(tg_slot *s) { return s->tag ? tg_handle(s) : NULL; }

static tg_tensor **handles(tg_program *p, tg_slot *slot, int n) {
    tg_tensor **h = tg_program_take(p, n, sizeof *h);
    for (int i = 0; h && i < n; i++) h[i] = handle_of(&slot[i]);
    return h;
}

static bool make_forward(tg_program *p, tg_program_call *c) {
    const tg_plan_call *call = c->call;
    tg_tensor **handle = handles(p, c->slot, call->of->n_in);
    c->forward = (tg_call){.op = call->of->op,
                           .n_in = call->of->n_in,
                           .n_out = call->of->n_out,
                           .in = c->array,
                           .out = (tg_array *const *)(const void *)(c->array + call->of->n_in),
                           .attr = call->data,
                           .handle = handle};
    return handle;
}

static int by_birth(const void *a, const void *b) {
    const tg_place *x = a, *y = b;
    return x->birth < y->birth ? -1 : x->birth > y->birth;
}

/* The places of the gradients that the kernel makes: those of the arena, since it asks for their buffers itself. */
static bool make_places(tg_program *p, tg_program_call *c, const tg_operand *din) {
    tg_place *place = tg_program_take(p, c->call->of->n_in, sizeof *place);
    if (!place) return false;
    for (int i = 0; i < c->call->of->n_in; i++) {
        const tg_memory *m = din[i].memory >= 0 && !din[i].begun ? &p->rec.memory[din[i].memory] : NULL;
        if (!m || !m->birth || m->kind != TG_MEMORY_MADE || m->escapes || m->first != c->call - p->rec.call)
            continue;
        place[c->n_places++] = (tg_place){m->birth, m->bytes, p->memory + m->offset};
    }
    qsort(place, (size_t)c->n_places, sizeof *place, by_birth);
    c->place = place;
    return true;
}

static bool make_gradient(tg_program *p, tg_program_call *c) {
    const tg_plan_call *call = c->call;
    int n = call->of->n_in, m = call->of->n_out;
    tg_tensor **h = handles(p, c->slot, n + m);
    c->din = tg_program_take(p, n, sizeof *c->din);
    if (!h || !c->din) return false;
    const tg_operand *din = c->operand + n + 2 * m;
    for (int i = 0; i < n; i++)
        c->slot[i].requires_grad = din[i].needed; /* what tg_needs looks at, outside of a walk */
    c->node = (tg_node){.op = call->of->op,
                        .n_in = n,
                        .n_out = (unsigned)m & 127,
                        .in = h,
                        .out = h + n,
                        .attr = call->data,
                        .saved = call->of->saved & 0xffffff};
    return make_places(p, c, din);
}

static bool make_call(tg_program *p, int64_t i) {
    tg_program_call *c = &p->call[i];
    *c = (tg_program_call){.call = &p->rec.call[i]};
    c->operand = &p->rec.operand[c->call->operand], c->slot = &p->slot[c->call->operand];
    c->array = tg_program_take(p, c->call->of->n, sizeof(tg_array *));
    if (!c->array) return false;
    for (int k = 0; k < c->call->of->n; k++) c->array[k] = c->slot[k].tag ? &c->slot[k].a : NULL;
    if (c->call->kind == TG_CALL_FORWARD) return make_forward(p, c);
    return c->call->kind != TG_CALL_GRADIENT || make_gradient(p, c);
}

static size_t undo_bytes_of(const tg_recording *rec) {
    size_t bytes = 0;
    for (int64_t i = 0; i < rec->n_memories; i++) bytes += tg_undo_bytes(rec, &rec->memory[i]);
    for (int64_t i = 0; i < rec->n_calls; i++)
        if (rec->call[i].of->stream) bytes += sizeof(tg_rng);
    return bytes;
}

/* All that copies share. */
static bool arrange(tg_program *p) {
    tg_recording *rec = &p->rec;
    find_escaping(rec);
    if (!tg_schedule(rec)) return false;
    for (int64_t i = 0; i < rec->n_calls; i++) find_adopted(rec, i);
    return tg_layout_memory(rec, &p->bytes, &p->lower_bound);
}

static bool make(tg_program *p) {
    const tg_recording *rec = &p->rec;
    if (p->bytes && !(p->memory = tg_sys_alloc(p->bytes))) return false;
    if (!make_slots(p) || !tg_program_make_parts(p) || (p->compiles && !tg_program_straighten(p)) ||
        !set_pointers(p) || !(p->call = tg_program_room(p, rec->n_calls, sizeof *p->call)))
        return false;
    p->last_decision = -1, p->first_outside = rec->n_calls;
    for (int64_t i = 0; i < rec->n_calls; i++) {
        if (!rec->call[i].lowered && !make_call(p, i)) return false;
        if (rec->call[i].kind == TG_CALL_DECISION) p->last_decision = i;
        p->shows_new = p->shows_new || tg_call_shows_new(rec, &rec->call[i]);
        if ((rec->call[i].of->outside || rec->call[i].kind == TG_CALL_STORE) && i < p->first_outside)
            p->first_outside = i;
    }
    if (!tg_program_make_sums(p)) return false;
    if (p->last_decision >= 0) p->undo_bytes = undo_bytes_of(rec);
    return true;
}

/* The memories that a run has to look at. */
static bool find_special(tg_program *p) {
    p->special = tg_program_room(p, p->rec.n_memories, sizeof *p->special);
    for (int64_t i = 0; p->special && i < p->rec.n_memories; i++)
        if (p->rec.memory[i].kind != TG_MEMORY_MADE || p->rec.memory[i].escapes) {
            const tg_memory *m = &p->rec.memory[p->special[p->n_special++] = i];
            p->changes_inputs = p->changes_inputs || (m->kind == TG_MEMORY_INPUT && m->written);
        }
    return p->special;
}

tg_program *tg_program_new(tg_recording *rec, bool compiles) {
    tg_program *p = tg_sys_alloc(sizeof *p);
    if (!p) {
        tg_recording_free(rec);
        return NULL;
    }
    *p = (tg_program){.rec = *rec, .first = p, .idle = p, .copies = 1, .compiles = compiles};
    *rec = (tg_recording){0};
    if (arrange(p) && make(p) && find_special(p)) return p;
    tg_program_free(p);
    return NULL;
}

tg_program *tg_program_copy(tg_program *first) {
    tg_program *p = tg_sys_alloc(sizeof *p);
    if (!p) return NULL;
    *p = (tg_program){.rec = first->rec,
                      .first = first,
                      .bytes = first->bytes,
                      .lower_bound = first->lower_bound,
                      .compiles = first->compiles};
    if (make(p) && find_special(p) && tg_program_share_groups(p)) return p;
    tg_program_free(p);
    return NULL;
}

void tg_program_free(tg_program *p) {
    if (!p) return;
    for (int64_t m = 0; p->buffer && m < p->rec.n_memories; m++) tg_buffer_unref(p->buffer[m]);
    for (int i = 0; i < 2; i++) tg_compiled_free(&p->compiled[i]);
    tg_arena_free(&p->arena);
    tg_sys_free(p->slots, p->slots_bytes);
    tg_sys_free(p->memory, p->bytes);
    if (p->first == p) tg_recording_free(&p->rec);
    tg_sys_free(p, sizeof *p);
}

void tg_program_count(const tg_program *p, tg_plan_stats *s) {
    s->calls = p->rec.n_calls, s->unused = p->rec.n_unused, s->fused = p->fused, s->arena = p->bytes,
    s->lower_bound = p->lower_bound;
    s->copies = p->copies, s->compile_seconds = p->compile_seconds;
    for (const tg_part *part = p->part, *last = part + p->n_parts; part < last; part++) {
        s->groups += part->kind == TG_PART_BLOCKS, s->compiled += part->group.run != NULL;
        s->straight += part->straight != NULL;
        s->sums += part->sums;
    }
}
