/* One run of a program. */
#include "autograd/plan/program.h"
#include "core/kernels/kernels.h"
#include "core/random.h"

#include <string.h>

/* ---- whether it may run ---- */

bool tg_recording_fits(const tg_recording *rec, int n, tg_tensor *const *in) {
    if (rec->n_in != n || rec->grad != !tg_grad_off) return false;
    for (int i = 0; i < n; i++) {
        const tg_slot *s = tg_slot_peek(in[i]);
        const tg_array *a = rec->input[i].a;
        if (s->a.dtype != a->dtype || !tg_array_same_shape(&s->a, a) ||
            (s->requires_grad && !s->node) != rec->memory[i].requires_grad)
            return false;
        for (int k = 0; k < a->rank; k++)
            if (a->shape[k] > 1 && s->a.stride[k] != a->stride[k]) return false;
    }
    return true;
}

bool tg_call_shows_new(const tg_recording *rec, const tg_plan_call *c) {
    if (c->kind != TG_CALL_STORE || c->of->grad) return false;
    int memory = rec->operand[c->operand].memory;
    return memory >= 0 && rec->memory[memory].shown;
}

/* Where what is new then is there already, the step would use the sum. What another call does to gradients before is its own. */
static bool gradients_hold(const tg_program *p, tg_tensor *const *in) {
    for (int64_t i = 0; p->shows_new && i < p->rec.n_calls; i++) {
        const tg_plan_call *c = &p->rec.call[i];
        if (c->of->outside) return true;
        if (!tg_call_shows_new(&p->rec, c)) continue;
        const tg_slot *s = tg_slot_peek(tg_store_owner(c, in));
        if (s && tg_slot_peek(s->grad)) return false;
    }
    return true;
}

static tg_holding holding(const tg_recording *rec, const int64_t *memory, int64_t n) {
    bool as_it_was = true;
    for (int64_t i = 0; i < n; i++) {
        const tg_memory *m = &rec->memory[memory ? memory[i] : i];
        if (m->kind != TG_MEMORY_KEPT) continue;
        const tg_slot *s = tg_slot_peek(m->handle);
        if (!s || s->a.buffer != m->buffer) return TG_HOLDS_NEVER;
        as_it_was = as_it_was && s->requires_grad == m->requires_grad && !tg_slot_hooks(s);
    }
    for (int64_t i = 0; as_it_was && i < rec->n_reliances; i++)
        as_it_was = rec->reliance[i].ask(rec->reliance[i].of) == rec->reliance[i].answer;
    return as_it_was ? TG_HOLDS : TG_HOLDS_NOT;
}

tg_holding tg_recording_holding(const tg_recording *rec) { return holding(rec, NULL, rec->n_memories); }
tg_holding tg_program_holding(const tg_program *p, tg_tensor *const *in) {
    tg_holding h = holding(&p->rec, p->special, p->n_special);
    return h == TG_HOLDS && !gradients_hold(p, in) ? TG_HOLDS_NOT : h;
}

/* ---- what differs from run to run ---- */

static void drop_fresh(tg_program *p) {
    for (int64_t i = 0; i < p->n_special; i++) {
        tg_buffer_unref(p->fresh[p->special[i]]);
        p->fresh[p->special[i]] = NULL;
    }
}

static void set_input(tg_program *p, int64_t memory, const tg_array *a) {
    tg_input_place *at = &p->input[p->rec.memory[memory].input];
    if (at->base == a->data && at->buffer == a->buffer) return;
    at->base = a->data, at->buffer = a->buffer;
    tg_program_point(p, memory, at->base, at->buffer);
}

static bool prepare(tg_program *p, tg_tensor *const *in) {
    const tg_recording *rec = &p->rec;
    for (int64_t k = 0; k < p->n_special; k++) {
        int64_t i = p->special[k];
        const tg_memory *m = &rec->memory[i];
        if (m->kind == TG_MEMORY_INPUT) set_input(p, i, &tg_slot_peek(in[m->input])->a);
        if (m->kind == TG_MEMORY_CONSTANT && m->written)
            memcpy(p->memory + m->offset + TG_ALIGN, m->base, m->bytes);
        if (!m->escapes || m->adopted) continue;
        if (!(p->fresh[i] = tg_buffer_new(m->bytes))) {
            tg_fail_memory(m->bytes);
            return false;
        }
        tg_program_point(p, i, tg_buffer_data(p->fresh[i]), p->fresh[i]);
    }
    return true;
}

/* ---- undoing: what was changed before a decision ---- */

typedef struct undo {
    tg_rng random;
    char *copy;
} undo;

size_t tg_undo_bytes(const tg_recording *rec, const tg_memory *m) {
    if (!m->written || (m->kind != TG_MEMORY_KEPT && m->kind != TG_MEMORY_INPUT)) return 0;
    if (m->kind == TG_MEMORY_KEPT) return (m->bytes + 15) / 16 * 16;
    const tg_array *a = rec->input[m->input].a;
    return ((size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype) + 15) / 16 *
           16; /* so that what is behind it is aligned */
}

/* Copies what may have to be undone to `to`, or from there; returns what is behind it. */
static char *copy_memory(const tg_program *p, const tg_memory *m, char *copy, bool back) {
    size_t bytes = tg_undo_bytes(&p->rec, m);
    if (bytes == 0) return copy;
    if (m->kind == TG_MEMORY_KEPT) {
        memcpy(back ? m->base : copy, back ? copy : m->base, m->bytes);
        return copy + bytes;
    }
    tg_array there = *p->rec.input[m->input].a, here = there;
    there.data = p->input[m->input].base, here.data = copy;
    int64_t stride = 1;
    for (int i = here.rank - 1; i >= 0; stride *= here.shape[i--]) here.stride[i] = stride;
    tg_array_copy(back ? &there : &here, back ? &here : &there);
    return copy + bytes;
}

static bool save(const tg_program *p, undo *u) {
    *u = (undo){.random = *tg_default_rng()};
    if (!p->undo_bytes) return true;
    if (!(u->copy = tg_sys_alloc(p->undo_bytes))) return tg_fail_memory(p->undo_bytes), false;
    char *to = u->copy;
    for (int64_t i = 0; i < p->n_special; i++) to = copy_memory(p, &p->rec.memory[p->special[i]], to, false);
    for (int64_t i = 0; i < p->rec.n_calls; i++)
        if (p->rec.call[i].of->stream)
            to = (char *)memcpy(to, p->rec.call[i].of->stream, sizeof(tg_rng)) + sizeof(tg_rng);
    return true;
}

static void put_back(const tg_program *p, const undo *u) {
    *tg_default_rng() = u->random;
    char *from = u->copy;
    for (int64_t i = 0; from && i < p->n_special; i++)
        from = copy_memory(p, &p->rec.memory[p->special[i]], from, true);
    for (int64_t i = 0; from && i < p->rec.n_calls; i++) {
        if (!p->rec.call[i].of->stream) continue;
        memcpy(p->rec.call[i].of->stream, from, sizeof(tg_rng));
        from += sizeof(tg_rng);
    }
}

/* ---- calls ---- */

/* The gradient g, which outlives the run, stays where the kernel has made it. */
static bool adopt(tg_program *p, const tg_operand *o, tg_array *g) {
    if (o->memory < 0 || !p->rec.memory[o->memory].adopted || p->fresh[o->memory]) return false;
    if (!tg_array_is_exclusive(g) || g->data != tg_buffer_data(g->buffer)) return false;
    p->fresh[o->memory] = g->buffer;
    tg_program_point(p, o->memory, g->data, g->buffer);
    g->data = NULL, g->buffer = NULL;
    return true;
}

/* What was to be adopted and cannot be gets a buffer of its own after all. */
static tg_status take_gradient(tg_program *p, const tg_program_call *c, int i, const tg_array *expected) {
    const tg_operand *o = &c->operand[c->call->of->n_in + 2 * c->call->of->n_out + i];
    tg_array *g = &c->din[i];
    if (!g->data)
        return tg_fail(TG_ERR_TAPE, "%s: its gradient rule returned nothing for input %d", c->call->of->name,
                       i);
    if (adopt(p, o, g)) return TG_OK;
    if (p->rec.memory[o->memory].adopted && !p->fresh[o->memory]) {
        if (!(p->fresh[o->memory] = tg_buffer_new(p->rec.memory[o->memory].bytes)))
            return tg_fail_memory(p->rec.memory[o->memory].bytes);
        tg_program_point(p, o->memory, tg_buffer_data(p->fresh[o->memory]), p->fresh[o->memory]);
    }
    if (g->data != expected->data) tg_array_copy(expected, g);
    return TG_OK;
}

/* Where a kernel has not used the place that was set aside, its result is copied there. */
static tg_status take_gradients(tg_program *p, const tg_program_call *c, tg_status s) {
    const tg_array **expected = &c->array[c->call->of->n_in + 2 * c->call->of->n_out];
    for (int i = 0; i < c->call->of->n_in; i++) {
        if (s == TG_OK && expected[i]) s = take_gradient(p, c, i, expected[i]);
        tg_array_drop(&c->din[i]);
    }
    return s;
}

static tg_status run_gradient(tg_program *p, const tg_program_call *c) {
    const tg_plan_call *call = c->call;
    tg_placing placing = {c->place, c->n_places, 0};
    int first = call->of->n_in + 2 * call->of->n_out;
    for (int i = 0; i < call->of->n_in; i++) {
        c->din[i].data = NULL, c->din[i].buffer = NULL;
        if (c->operand[first + i].begun) tg_array_share(&c->din[i], &c->slot[first + i].a);
    }
    tg_placing_now = &placing;
    tg_status s = call->of->op->grad_kernel(&c->node, c->array + call->of->n_in + call->of->n_out, c->din);
    tg_placing_now = NULL;
    return take_gradients(p, c, s);
}

static tg_run_end other_way(const tg_program *p, const tg_program_call *c, const undo *u) {
    if (c - p->call < p->first_outside) {
        put_back(p, u);
        return TG_RUN_UNDONE;
    }
    tg_fail(TG_ERR_TAPE,
            "%s: the numbers ask for another way than when the plan was recorded, and parameters, gradients or inputs "
            "have been changed already, so that it cannot be taken",
            c->call->of->name);
    return TG_RUN_FAILED;
}

static tg_status run_call(tg_program *p, const tg_program_call *c, tg_tensor *const *in) {
    switch (c->call->kind) {
    case TG_CALL_FORWARD:
        return c->sum ? tg_program_run_summed(p, c) : c->call->of->op->forward(&c->forward);
    case TG_CALL_GRADIENT:
        return run_gradient(p, c);
    case TG_CALL_WORK:
        return c->call->of->run(c->array, c->call->data);
    case TG_CALL_STORE:
        return tg_program_store(p, c - p->call, in);
    case TG_CALL_DECISION:
        break;
    }
    return TG_OK;
}

static tg_run_end fail_call(const tg_program_call *c, tg_status s) {
    if (tg_error_pending == TG_OK)
        tg_fail(s, "%s: the function failed without a message (tg_fail gives one)", c->call->of->name);
    if (c->call->file) tg_error_stamp(c->call->file, c->call->line);
    return TG_RUN_FAILED;
}

static inline tg_run_end run_one(tg_program *p, const tg_program_call *c, tg_tensor *const *in, const undo *u) {
    bool decides = c->call->kind == TG_CALL_DECISION;
    if (decides && c->call->of->decide(c->array, c->call->data) != c->call->of->yes)
        return other_way(p, c, u);
    tg_status s = run_call(p, c, in);
    return s != TG_OK || tg_error_pending != TG_OK ? fail_call(c, s) : TG_RUN_DONE;
}

static inline tg_run_end run_calls(tg_program *p, const tg_part *part, tg_tensor *const *in, const undo *u) {
    tg_run_end end = TG_RUN_DONE;
    for (int64_t i = part->first; end == TG_RUN_DONE && i < part->end; i++)
        end = run_one(p, &p->call[i], in, u);
    return end;
}

static inline tg_run_end run_part(tg_program *p, const tg_part *part, tg_tensor *const *in, const undo *u) {
    if (part->kind == TG_PART_CALLS) return run_calls(p, part, in, u);
    if (part->kind == TG_PART_NUMBERS)
        tg_plan_run_numbers(p, part);
    else if (part->straight)
        part->straight((char *const *)(const void *)(p->kernel + part->first));
    else if (part->kind != TG_PART_BLOCKS)
        tg_plan_run_kernels(p, part);
    else
        tg_plan_run_blocks(p, part);
    return TG_RUN_DONE;
}

/* The same with the time of each piece. */
static tg_run_end measure_part(tg_program *p, const tg_part *part, tg_tensor *const *in, const undo *u) {
    tg_piece *pieces = tg_program_pieces(p);
    const bool calls = part->kind == TG_PART_CALLS;
    tg_run_end end = TG_RUN_DONE;
    for (int64_t i = part->call, last = calls ? part->end : i + 1; end == TG_RUN_DONE && i < last; i++) {
        tg_piece *piece = pieces ? &pieces[i] : NULL;
        tg_span s;
        tg_piece_begin(&s, piece);
        end = calls ? run_one(p, &p->call[i], in, u) : run_part(p, part, in, u);
        tg_piece_end(&s, piece, end == TG_RUN_DONE);
    }
    return end;
}

__attribute__((cold, noinline)) static tg_run_end measure_parts(tg_program *p, tg_tensor *const *in,
                                                                const undo *u) {
    tg_run_end end = TG_RUN_DONE;
    for (const tg_part *part = p->part, *last = part + p->n_parts; end == TG_RUN_DONE && part < last; part++)
        end = measure_part(p, part, in, u);
    return end;
}

static tg_run_end run_parts(tg_program *p, tg_tensor *const *in, const undo *u) {
    tg_run_end end = TG_RUN_DONE;
    if (__builtin_expect(tg_measuring != NULL, 0)) return measure_parts(p, in, u);
    for (const tg_part *part = p->part, *last = part + p->n_parts; end == TG_RUN_DONE && part < last; part++)
        end = run_part(p, part, in, u);
    return end;
}

/* ---- the whole ---- */

static void count_changes(const tg_program *p) {
    for (int64_t i = 0; i < p->n_special; i++) {
        const tg_memory *m = &p->rec.memory[p->special[i]];
        const tg_buffer *b = m->kind == TG_MEMORY_INPUT ? p->input[m->input].buffer : m->buffer;
        if (tg_undo_bytes(&p->rec, m)) ((tg_buffer *)(uintptr_t)b)->version++;
    }
}

/* Memory of the result's own, before anything is changed; none where it keeps that in which it is made. */
static bool make_result(const tg_program *p, tg_array *result) {
    return p->rec.memory[p->rec.result.memory].escapes || tg_array_alloc_like(result, p->rec.result.a) == TG_OK;
}

static void take_result(const tg_program *p, tg_array *result) {
    const tg_operand *o = &p->rec.result;
    const tg_memory *m = &p->rec.memory[o->memory];
    tg_array a = *o->a;
    char *base = m->escapes                   ? tg_buffer_data(p->fresh[o->memory])
                 : m->kind == TG_MEMORY_INPUT ? p->input[m->input].base
                                              : tg_program_base(p, m);
    a.data = base + o->at;
    if (m->escapes) {
        a.buffer = p->fresh[o->memory];
        tg_array_share(result, &a);
    } else {
        tg_array_copy(result, &a);
    }
}

tg_run_end tg_program_run(tg_program *p, tg_tensor *const *in, tg_array *result) {
    undo u = {0};
    tg_run_end end = TG_RUN_FAILED;
    if (make_result(p, result) && prepare(p, in) && (p->last_decision < 0 || save(p, &u)))
        end = run_parts(p, in, &u);
    if (end == TG_RUN_DONE)
        take_result(p, result);
    else
        tg_array_drop(result), tg_program_drop_ready(p);
    tg_sys_free(u.copy, p->undo_bytes);
    drop_fresh(p);
    count_changes(p);
    return end;
}
