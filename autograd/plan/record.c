/* The recorder: what a run of the step does becomes calls. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* ---- calls ---- */

static const void *copy_data(tg_recorder *r, const void *data, size_t size) {
    if (size == 0) return NULL;
    void *p = tg_arena_alloc(&r->rec->arena, size);
    if (!p) r->lost = true;
    return p ? memcpy(p, data, size) : NULL;
}

static tg_plan_call *begin_call(tg_recorder *r, tg_plan_call call) {
    if (!TG_ROOM(r, call, n_calls, cap_calls, 1)) return NULL;
    tg_plan_call *c = &r->rec->call[r->rec->n_calls];
    *c = call;
    c->operand = r->rec->n_operands, c->backward = tg_walks > 0;
    c->data = copy_data(r, call.data, call.size);
    return r->lost ? NULL : c;
}

static void take_maps(tg_recorder *r, bool of_kernels);

static tg_status end_call(tg_recorder *r, bool of_kernels) {
    take_maps(r, of_kernels);
    if (tg_error_pending == TG_OK && !r->lost) {
        tg_plan_call *c = &r->rec->call[r->rec->n_calls++];
        c->n = (int)(r->rec->n_operands - c->operand);
    }
    return tg_error_pending;
}

static tg_recorder *self(tg_listener *l) { return (tg_recorder *)(void *)l; }

/* ---- elementwise kernels ---- */

/* Operand k: where it is, for now. False where it is neither one run of elements nor, in the same rows as others, broadcast. */
static bool note_operand(tg_recorder *r, tg_plan_map *m, int k, const tg_array *a) {
    int64_t stride = tg_flat_stride(a), row = m->row;
    size_t size = tg_dtype_size((tg_dtype)a->dtype);
    if (stride < 0 && k > 0 && (m->along[k] = (uint8_t)tg_broadcast_in_rows(a, &row)) != TG_EACH) {
        if (m->row && m->row != row) return false;
        m->row = row, stride = m->along[k] == TG_SAME_ROW;
    }
    m->stride[k] = (uint8_t)stride, m->size[k] = (uint8_t)size;
    m->at[k] = (int64_t)(intptr_t)a->data, m->memory[k] = -1;
    r->buffer[r->maps][k] = a->buffer;
    if (!a->buffer) memcpy(&m->number, a->data, size);
    return stride >= 0 && (a->buffer || stride == 0 || a->numel == 1);
}

static void mapped(tg_listener *l, const tg_map_call *c) {
    tg_recorder *r = self(l);
    const int64_t n = c->a[c->folds]->numel;
    if (r->maps < 0 || (c->run && n == 0)) return;
    if (!c->run || r->maps == TG_CALL_MAPS || !TG_ROOM(r, map, n_maps, cap_maps, TG_CALL_MAPS)) {
        r->maps = -1;
        return;
    }
    tg_plan_map *m = &r->rec->map[r->rec->n_maps + r->maps];
    *m = (tg_plan_map){.run = c->run, .n = n, .cost = c->cost, .operands = c->operands};
    if (c->arg) memcpy(m->arg, c->arg, sizeof m->arg);
    bool alone = true;
    for (int k = 0; k < c->operands; k++) alone = note_operand(r, m, k, c->a[k]) && alone;
    if (c->folds) m->stride[0] = 0;
    r->maps = alone ? r->maps + 1 : -1;
}

/* Each operand becomes a place in memory that is known by now. */
static bool resolve(const tg_recorder *r, int i) {
    tg_plan_map *m = &r->rec->map[r->rec->n_maps + i];
    for (int k = 0; k < m->operands; k++) {
        const tg_buffer *b = r->buffer[i][k];
        if (!b) continue;
        int found = tg_recorder_find_buffer(r, b);
        if (found < 0) return false;
        m->memory[k] = found;
        m->at[k] -= (int64_t)(intptr_t)r->rec->memory[found].origin;
    }
    return true;
}

/* Gives the kernels that have run since the last call to the call, which says that it is made of such alone. */
static void take_maps(tg_recorder *r, bool of_kernels) {
    int n = r->maps;
    r->maps = 0;
    if (r->lost || tg_error_pending != TG_OK || !of_kernels || n < 0) return;
    tg_plan_call *c = &r->rec->call[r->rec->n_calls];
    for (int i = 0; i < n; i++)
        if (!resolve(r, i)) return;
    c->lowered = true, c->map = r->rec->n_maps, c->maps = n;
    r->rec->n_maps += n;
}

/* ---- what is heard ---- */

/* What the work reads or leaves in part is made known before it runs, since a constant that it changes would be copied too
 * late. */
static void working(tg_listener *l, const tg_work *w, const tg_array *const *a) {
    tg_recorder *r = self(l);
    if (r->inside) return;
    for (int i = 0; i < w->n && tg_error_pending == TG_OK; i++)
        if (!(w->makes >> i & 1) || !tg_recorder_made_whole(r, a[i]))
            tg_recorder_memory(r, a[i], NULL, TG_USE_READ, w->name);
    if (r->shared && tg_error_pending == TG_OK) tg_recorder_refuse_shared(r, w, a);
    if (r->twice && tg_error_pending == TG_OK) tg_recorder_refuse_twice(r, w, a);
    r->maps = 0;
}

static void worked(tg_listener *l, const tg_work *w, const tg_array *const *a) {
    tg_recorder *r = self(l);
    if (r->inside) return;
    tg_plan_call call = {.kind = TG_CALL_WORK,
                         .name = w->name,
                         .run = w->run,
                         .data = w->data,
                         .size = w->size,
                         .makes = w->makes,
                         .changes = w->changes,
                         .outside = w->outside,
                         .stream = w->stream};
    if (!begin_call(r, call)) return;
    for (int i = 0; i < w->n; i++) {
        tg_use how = w->makes >> i & 1 ? TG_USE_MAKE : w->changes >> i & 1 ? TG_USE_CHANGE : TG_USE_READ;
        if (tg_recorder_operand(r, a[i], NULL, how, w->name) != TG_OK) return;
    }
    end_call(r, w->of_kernels);
}

static void decided(tg_listener *l, const tg_decision *d, const tg_array *const *a, bool yes) {
    tg_recorder *r = self(l);
    if (r->inside) return;
    tg_plan_call call = {.kind = TG_CALL_DECISION,
                         .name = d->name,
                         .decide = d->decide,
                         .data = d->data,
                         .size = d->size,
                         .yes = yes};
    if (!begin_call(r, call)) return;
    for (int i = 0; i < d->n; i++)
        if (tg_recorder_operand(r, a[i], NULL, TG_USE_READ, d->name) != TG_OK) return;
    end_call(r, false);
}

static void relied(tg_listener *l, const char *name, int64_t (*ask)(const void *of), const void *of,
                   int64_t answer) {
    tg_recorder *r = self(l);
    if (r->inside || !TG_ROOM(r, reliance, n_reliances, cap_reliances, 1)) return;
    for (int64_t i = 0; i < r->rec->n_reliances; i++)
        if (r->rec->reliance[i].ask == ask && r->rec->reliance[i].of == of) return;
    r->rec->reliance[r->rec->n_reliances++] = (tg_reliance){name, ask, of, answer};
}

/* Constants may be read, and so may what the step has made by hand and no call has used. */
static bool may_read(tg_listener *l, const tg_array *a, const char *who) {
    tg_recorder *r = self(l);
    int found = tg_recorder_find(r, a);
    if (r->inside ||
        (found < 0 ? tg_recorder_is_young(r, a) : r->rec->memory[found].kind == TG_MEMORY_CONSTANT))
        return true;
    tg_recorder_refuse(
        who,
        "elements that were computed from inputs or parameters cannot be read inside the step of a plan, "
        "where what they decide would be frozen: read the plan's result",
        NULL);
    return false;
}

static bool may_write(tg_listener *l, const tg_array *a, const char *who) {
    tg_recorder *r = self(l);
    if (r->inside || (tg_recorder_find(r, a) < 0 && tg_recorder_is_young(r, a))) return true;
    tg_recorder_refuse(
        who, "elements that a step has used cannot be changed by hand inside the step of a plan", NULL);
    return false;
}

static bool may_do(tg_listener *l, const char *who) {
    if (self(l)->inside) return true;
    tg_recorder_refuse(who, "cannot be recorded: call it outside of the step of a plan", NULL);
    return false;
}

/* A variable of the step lies on the stack between the recorder, which whoever calls the step has there, and here. */
static bool may_point(tg_listener *l, const void *to, const char *who) {
    const char here = 0;
    uintptr_t a = (uintptr_t)&here, b = (uintptr_t)l, at = (uintptr_t)to;
    if (!to || (at < a) == (at < b)) return true;
    tg_recorder_refuse(
        who, "a variable of the step, which ends with it, cannot be a plan's stream of random numbers", NULL);
    return false;
}

static void kept(tg_listener *l) { self(l)->rec->fit = false; }

/* ---- ops and their gradients ---- */

tg_recorder *tg_recorder_now(void) {
    return tg_listening && tg_listening->worked == worked ? self(tg_listening) : NULL;
}

tg_recorder *tg_recorder_enter_listening(void) {
    tg_recorder *r = tg_recorder_now();
    if (r && r->inside++ == 0) r->births_inside = tg_buffer_births, r->maps = 0;
    return r;
}

void tg_recorder_leave(tg_recorder *r) { r->inside--; }

/* The memory of an operand that the call has made: which of the call's buffers it is. */
static void note_birth(tg_recorder *r, const tg_array *a) {
    int found = a->buffer ? tg_recorder_find(r, a) : -1;
    if (r->lost || found < 0) return;
    tg_memory *m = &r->rec->memory[found];
    if (m->kind == TG_MEMORY_MADE && m->first == r->rec->n_calls && m->serial > r->births_inside)
        m->birth = m->serial - r->births_inside;
}

static tg_status input(tg_recorder *r, const tg_slot *s, const char *who) {
    if (s && tg_slot_hooks(s))
        return tg_recorder_refuse(who, "has hooks, which a plan cannot call", tg_handle(s));
    return tg_recorder_operand(r, s ? &s->a : NULL, s, TG_USE_READ, who);
}

/* Without a forward, all outputs have to be views. */
static tg_status check_views(const tg_recorder *r, const tg_call *call) {
    for (int o = 0; o < call->n_out; o++) {
        bool view = tg_recorder_find(r, call->out[o]) >= 0;
        for (int i = 0; i < call->n_in; i++)
            view = view || (call->in[i] && call->in[i]->buffer == call->out[o]->buffer);
        if (!view)
            return tg_recorder_refuse(call->op->name,
                                      "its infer makes elements, which a plan cannot do again: a forward could",
                                      NULL);
    }
    return TG_OK;
}

tg_status tg_recorder_applied(tg_recorder *r, const tg_call *call, tg_slot *const *in, tg_slot *const *out) {
    const tg_op *op = call->op;
    if (r->inside || r->lost) return TG_OK;
    if (op->has_state)
        return tg_recorder_refuse(op->name, "keeps a state of its own, and cannot be recorded", NULL);
    if (!op->forward) return check_views(r, call);
    tg_plan_call c = {.kind = TG_CALL_FORWARD,
                      .name = op->name,
                      .op = op,
                      .n_in = call->n_in,
                      .n_out = call->n_out,
                      .data = call->attr,
                      .size = op->attr_size,
                      .made = tg_handle(out[0])};
    if (!begin_call(r, c)) return tg_error_pending;
    for (int i = 0; i < call->n_in; i++)
        if (input(r, in[i], op->name) != TG_OK) return tg_error_pending;
    r->in_call = true;
    for (int o = 0; o < call->n_out && tg_error_pending == TG_OK; o++)
        tg_recorder_operand(r, call->out[o], NULL, TG_USE_MAKE, op->name);
    r->in_call = false;
    return end_call(r, op->of_kernels);
}

static tg_status node_operands(tg_recorder *r, const tg_node *node) {
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        int o = i - node->n_in;
        const tg_slot *s = tg_slot_peek(o < 0 ? node->in[i] : node->out[o]);
        const tg_array *a = s ? &s->a : NULL;
        if (!tg_saves(node->saved, node->n_in, i))
            tg_recorder_layout(r, a);
        else if (tg_recorder_operand(r, a, s, TG_USE_READ, node->op->name) != TG_OK)
            return tg_error_pending;
    }
    return TG_OK;
}

/* din, which is NULL where nobody asked for it. */
static void gradient_operand(tg_recorder *r, const tg_array *din, bool needed, bool begun, const char *who) {
    const tg_array *a =
        din && din->data && tg_array_is_sound(din) ? din : NULL; /* else the walk refuses it next */
    if (tg_recorder_operand(r, a, NULL, begun ? TG_USE_CHANGE : TG_USE_MAKE, who) != TG_OK || r->lost) return;
    tg_operand *o = &r->rec->operand[r->rec->n_operands - 1];
    o->needed = needed, o->begun = begun && a;
    if (a) note_birth(r, a);
}

/* Before the kernel: of the arrays that hold an adjoint already it is noted that they do, behind the list of operands. */
void tg_recorder_begun(tg_recorder *r, const tg_node *node, const tg_array *din) {
    if (r->inside > 1 || !TG_ROOM(r, operand, n_operands, cap_operands, node->n_in)) return;
    for (int i = 0; i < node->n_in; i++) r->rec->operand[r->rec->n_operands + i].begun = din[i].data != NULL;
}

tg_status tg_recorder_derived(tg_recorder *r, const tg_walk *w, const tg_node *node,
                              const tg_array *const *dout, const tg_array *din) {
    const tg_op *op = node->op;
    if (r->inside || r->lost) return TG_OK;
    bool few[16] = {false};
    for (int i = 0; i < node->n_in && i < 16; i++) few[i] = r->rec->operand[r->rec->n_operands + i].begun;
    tg_plan_call c = {.kind = TG_CALL_GRADIENT,
                      .name = op->name,
                      .op = op,
                      .n_in = node->n_in,
                      .n_out = node->n_out,
                      .saved = node->saved,
                      .data = node->attr,
                      .size = op->attr_size,
                      .made = node->out[0]};
    if (!begin_call(r, c) || node_operands(r, node) != TG_OK) return tg_error_pending;
    for (int o = 0; o < node->n_out; o++)
        if (tg_recorder_operand(r, dout[o], NULL, TG_USE_READ, op->name) != TG_OK) return tg_error_pending;
    r->in_call = true;
    for (int i = 0; i < node->n_in && tg_error_pending == TG_OK && !r->lost; i++) {
        bool needed = tg_walk_needed(w, node, i) != NULL, begun = i < 16 && few[i];
        gradient_operand(r, needed ? &din[i] : NULL, needed, begun, op->name);
    }
    r->in_call = false;
    return end_call(r, op->of_kernels);
}

tg_status tg_recorder_stored(const tg_slot *s, const tg_array *g) {
    tg_recorder *r = tg_recorder_now();
    if (!r) return TG_OK;
    tg_plan_call c = {.kind = TG_CALL_STORE, .name = "backward", .input = tg_recorder_input(r, s)};
    if (c.input < 0 && s->kept) c.target = tg_handle(s);
    if (c.input < 0 && !c.target) return TG_OK; /* a leaf of the step's own, which ends with it */
    c.grad = s->grad, c.added_to = -1;
    int found = tg_recorder_find(r, g);
    bool shown = found >= 0 && r->rec->memory[found].shown;
    if (!begin_call(r, c) || tg_recorder_operand(r, g, NULL, TG_USE_READ, "backward") != TG_OK)
        return tg_error_pending;
    int memory = r->lost ? -1 : r->rec->operand[r->rec->n_operands - 1].memory;
    if (memory >= 0) {
        tg_memory *m = &r->rec->memory[memory];
        m->stored++, m->given = m->given || !s->grad, m->shown = shown;
    }
    return end_call(r, false);
}

/* ---- a run ---- */

static tg_status add_input(tg_recorder *r, int i, const tg_slot *s) {
    tg_operand *o = &r->rec->input[i];
    *o = (tg_operand){.memory = TG_WITHOUT_MEMORY};
    tg_operand_set(r, o, &s->a, i);
    tg_memory *m = tg_recorder_add_memory(r, &s->a, TG_MEMORY_INPUT);
    if (!m) return TG_OK;
    m->input = i, m->origin = m->base = s->a.data, m->requires_grad = s->requires_grad;
    return TG_OK;
}

tg_status tg_recorder_begin(tg_recorder *r, tg_recording *rec, int n, tg_tensor *const *in,
                            const tg_recording *like, bool shared) {
    *rec = (tg_recording){.grad = !tg_grad_off, .fit = true, .n_in = n};
    *r = (tg_recorder){.listener = {working, worked, decided, relied, may_read, may_write, may_do, may_point,
                                    kept, mapped, tg_recorder_placed},
                       .rec = rec,
                       .in = in,
                       .shared = shared,
                       .births = tg_buffer_births};
    rec->input = n ? tg_sys_alloc((size_t)n * sizeof *rec->input) : NULL;
    if (n && !rec->input) r->lost = true, rec->n_in = 0;
    if (like->n_calls) tg_recorder_make_room(r, like);
    for (int i = 0; i < rec->n_in; i++)
        if (add_input(r, i, tg_slot_peek(in[i])) != TG_OK) return tg_error_pending;
    tg_listening = &r->listener;
    return TG_OK;
}

/* Gradients that were added to and that calls use besides. */
static void note_added(tg_recorder *r) {
    for (int64_t i = 0; i < r->rec->n_calls; i++) {
        tg_plan_call *c = &r->rec->call[i];
        const tg_slot *grad = c->kind == TG_CALL_STORE ? tg_slot_peek(c->grad) : NULL;
        if (!grad || (c->added_to = tg_recorder_find(r, &grad->a)) < 0) continue;
        r->rec->memory[c->added_to].written = true;
    }
}

bool tg_recorder_end(tg_recorder *r, const tg_slot *result) {
    tg_recording *rec = r->rec;
    tg_listening = NULL;
    bool whole = !r->lost && tg_error_pending == TG_OK && result;
    if (whole) tg_recording_note_places(rec);
    whole =
        whole && tg_recorder_operand(r, &result->a, result, TG_USE_READ, "tg_plan_run") == TG_OK && !r->lost;
    tg_kept_free(&r->kept);
    if (!whole) return false;
    rec->result = rec->operand[--rec->n_operands];
    note_added(r);
    return true;
}
