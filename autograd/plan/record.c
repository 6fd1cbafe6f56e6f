/* The recorder: what a run of the step does becomes calls. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* ---- calls ---- */

static tg_recorder *self(tg_listener *l) { return (tg_recorder *)(void *)l; }

static const void *copy_data(tg_recorder *r, const void *data, size_t size) {
    if (size == 0) return NULL;
    void *p = tg_arena_alloc(&r->rec->arena, size);
    if (!p) r->lost = true;
    return p ? memcpy(p, data, size) : NULL;
}

static void compare(tg_recorder *r) {
    const int64_t at = r->rec->n_calls;
    char text[160];
    const char *what = at < r->before.n_calls ? tg_call_difference(&r->rec->call[at], &r->form, r->data, text)
                                              : "the run before had ended where it is called";
    if (what) tg_recorder_differs(r, -1, what);
}

/* A call begins, of the form and with the data that the recorder was given. made: a tensor that knows its place in the program;
 * NULL: none. */
static bool begin_call(tg_recorder *r, tg_tensor *made) {
    const int64_t at = r->rec->n_calls;
    if (!TG_ROOM(r, call, n_calls, cap_calls, 1) || !TG_ROOM_IN(r, r->made, at, r->cap_made, 1)) return false;
    r->call = (tg_plan_call){.operand = r->rec->n_operands, .kind = r->form.kind, .backward = tg_walks > 0};
    r->made[at] = made;
    if (r->compares) compare(r);
    return !r->lost;
}

/* Where the run before had the same call nothing is left to note, but for the gradient to which one adds, which may be another. */
static tg_status end_call(tg_recorder *r, bool of_kernels) {
    tg_recorder_take_maps(r, of_kernels);
    if (tg_error_pending != TG_OK || r->lost) return tg_error_pending;
    tg_plan_call *to = &r->rec->call[r->rec->n_calls];
    if (r->compares && (to->lowered != r->call.lowered || to->maps != r->call.maps))
        tg_recorder_differs_in_kernels(r);
    r->rec->n_calls++;
    if (r->compares && r->call.kind != TG_CALL_STORE) return TG_OK;
    if (r->compares) r->call.file = to->file, r->call.line = to->line;
    r->call.of = tg_recorder_form(r, &r->calls, &r->form, sizeof r->form);
    r->call.data = copy_data(r, r->data, r->form.size);
    *to = r->call;
    return TG_OK;
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
    r->form = (tg_call_form){.kind = TG_CALL_WORK,
                             .name = w->name,
                             .run = w->run,
                             .n = w->n,
                             .size = (unsigned)w->size,
                             .makes = (uint16_t)w->makes,
                             .changes = (uint16_t)w->changes,
                             .outside = w->outside,
                             .stream = w->stream};
    r->data = w->data;
    if (!begin_call(r, NULL)) return;
    for (int i = 0; i < w->n; i++) {
        tg_use how = w->makes >> i & 1 ? TG_USE_MAKE : w->changes >> i & 1 ? TG_USE_CHANGE : TG_USE_READ;
        if (tg_recorder_operand(r, a[i], NULL, how, w->name) != TG_OK) return;
    }
    end_call(r, w->of_kernels);
}

static void decided(tg_listener *l, const tg_decision *d, const tg_array *const *a, bool yes) {
    tg_recorder *r = self(l);
    if (r->inside) return;
    r->form = (tg_call_form){.kind = TG_CALL_DECISION,
                             .name = d->name,
                             .decide = d->decide,
                             .n = d->n,
                             .size = (unsigned)d->size,
                             .yes = yes};
    r->data = d->data;
    if (!begin_call(r, NULL)) return;
    for (int i = 0; i < d->n; i++)
        if (tg_recorder_operand(r, a[i], NULL, TG_USE_READ, d->name) != TG_OK) return;
    end_call(r, false);
}

static void relied(tg_listener *l, const char *name, int64_t (*ask)(const void *of), const void *of,
                   int64_t answer) {
    tg_recorder *r = self(l);
    tg_recording *rec = r->rec;
    if (r->inside) return;
    for (int64_t i = 0; i < rec->n_reliances; i++)
        if (rec->reliance[i].ask == ask && rec->reliance[i].of == of) return;
    if (!TG_ROOM(r, reliance, n_reliances, cap_reliances, 1)) return;
    tg_reliance *to = &rec->reliance[rec->n_reliances++];
    if (r->compares && (rec->n_reliances > r->before.n_reliances || to->of != of || to->answer != answer))
        tg_recorder_differs(r, -1, name);
    *to = (tg_reliance){name, ask, of, answer};
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
    r->form = (tg_call_form){.kind = TG_CALL_FORWARD,
                             .name = op->name,
                             .op = op,
                             .n_in = call->n_in,
                             .n_out = (uint8_t)call->n_out,
                             .n = call->n_in + call->n_out,
                             .size = (unsigned)op->attr_size};
    r->data = call->attr;
    if (!begin_call(r, tg_handle(out[0]))) return tg_error_pending;
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

/* Before the kernel: which arrays hold an adjoint already. */
void tg_recorder_begun(tg_recorder *r, const tg_node *node, const tg_array *din) {
    if (r->inside > 1) return;
    r->begun = 0;
    for (int i = 0; i < node->n_in && i < 16; i++) r->begun |= (unsigned)(din[i].data != NULL) << i;
}

tg_status tg_recorder_derived(tg_recorder *r, const tg_walk *w, const tg_node *node,
                              const tg_array *const *dout, const tg_array *din) {
    const tg_op *op = node->op;
    if (r->inside || r->lost) return TG_OK;
    r->form = (tg_call_form){.kind = TG_CALL_GRADIENT,
                             .name = op->name,
                             .op = op,
                             .n_in = node->n_in,
                             .n_out = node->n_out,
                             .n = 2 * (node->n_in + node->n_out),
                             .saved = node->saved,
                             .size = (unsigned)op->attr_size};
    r->data = node->attr;
    if (!begin_call(r, node->out[0]) || node_operands(r, node) != TG_OK) return tg_error_pending;
    for (int o = 0; o < node->n_out; o++)
        if (tg_recorder_operand(r, dout[o], NULL, TG_USE_READ, op->name) != TG_OK) return tg_error_pending;
    r->in_call = true;
    for (int i = 0; i < node->n_in && tg_error_pending == TG_OK && !r->lost; i++) {
        bool needed = tg_walk_needed(w, node, i) != NULL, begun = i < 16 && r->begun >> i & 1;
        tg_recorder_gradient(r, needed ? &din[i] : NULL, needed, begun, op->name);
    }
    r->in_call = false;
    return end_call(r, op->of_kernels);
}

tg_status tg_recorder_stored(const tg_slot *s, const tg_array *g) {
    tg_recorder *r = tg_recorder_now();
    if (!r) return TG_OK;
    tg_call_form c = {.kind = TG_CALL_STORE,
                      .name = "backward",
                      .n = 1,
                      .input = tg_recorder_input(r, s),
                      .grad = s->grad,
                      .added_to = -1};
    if (c.input < 0 && s->kept) c.target = tg_handle(s);
    if (c.input < 0 && !c.target) return TG_OK; /* a leaf of the step's own, which ends with it */
    const int found = tg_recorder_find(r, g);
    const bool shown = found >= 0 && r->rec->memory[found].shown;
    r->form = c, r->data = NULL;
    if (!begin_call(r, NULL) || tg_recorder_operand(r, g, NULL, TG_USE_READ, "backward") != TG_OK || r->lost)
        return tg_error_pending;
    const int memory = r->rec->operand[r->rec->n_operands - 1].memory;
    if (memory >= 0) {
        tg_memory *m = &r->rec->memory[memory];
        m->stored++, m->given = m->given || !s->grad, m->shown = shown;
    }
    return end_call(r, false);
}

/* ---- a run ---- */

static void add_inputs(tg_recorder *r, int n, tg_tensor *const *in) {
    tg_recording *rec = r->rec;
    if (n && !rec->input && !(rec->input = tg_sys_alloc((size_t)n * sizeof *rec->input))) {
        r->lost = true;
        return;
    }
    rec->n_in = n;
    for (int i = 0; i < n && !r->lost; i++) {
        const tg_slot *s = tg_slot_peek(in[i]);
        if (!r->compares) rec->input[i] = tg_recorder_operand_of(r, &s->a, TG_WITHOUT_MEMORY);
        tg_recorder_add_input(r, i, s);
    }
}

void tg_recorder_begin(tg_recorder *r, tg_recording *rec, int n, tg_tensor *const *in, bool shared) {
    *r = (tg_recorder){.listener = {working, worked, decided, relied, may_read, may_write, may_do, may_point,
                                    kept, tg_recorder_mapped, tg_recorder_placed},
                       .rec = rec,
                       .in = in,
                       .shared = shared,
                       .births = tg_buffer_births};
    if (rec->whole)
        r->before = *rec, r->compares = true;
    else
        tg_recording_free(rec);
    rec->grad = !tg_grad_off, rec->fit = true;
    rec->n_calls = rec->n_operands = rec->n_memories = rec->n_maps = rec->n_reliances = 0;
    add_inputs(r, n, in);
    tg_listening = &r->listener;
}

/* Gradients that were added to and that calls use besides. */
static void note_added(tg_recorder *r) {
    for (int64_t i = 0; i < r->rec->n_calls; i++) {
        tg_plan_call *c = &r->rec->call[i];
        const tg_slot *grad = c->kind == TG_CALL_STORE ? tg_slot_peek(c->of->grad) : NULL;
        if (!grad || (c->of->added_to = tg_recorder_find(r, &grad->a)) < 0) continue;
        r->rec->memory[c->of->added_to].written = true;
    }
}

/* Whether the run has ended where the one before did. */
static void compare_ends(tg_recorder *r) {
    const tg_recording *now = r->rec, *before = &r->before;
    if (now->n_calls != before->n_calls)
        tg_recorder_differs(r, -1, "it comes earlier than in the run before");
    else if (now->n_reliances != before->n_reliances)
        tg_recorder_differs(r, -1, "the models used differ");
    else if (now->n_memories != before->n_memories || !tg_same_operand(&now->result, &before->result))
        tg_recorder_differs(r, -1, "it is another tensor than in the run before");
}

static bool finish(tg_recorder *r, const tg_slot *result) {
    tg_recording *rec = r->rec;
    if (r->lost || tg_error_pending != TG_OK || !result) return false;
    const int m = tg_recorder_use(r, &result->a, result, TG_USE_READ, "tg_plan_run");
    if (r->lost || tg_error_pending != TG_OK) return false;
    rec->result = tg_recorder_operand_of(r, &result->a, m);
    if (r->compares) compare_ends(r);
    note_added(r);
    tg_recorder_note_places(r);
    return !r->lost;
}

/* Where nothing has differed the lists still hold what the run before has left. */
static void go_back(tg_recorder *r) {
    tg_recording *rec = r->rec;
    const tg_recording *to = &r->before;
    rec->n_calls = to->n_calls, rec->n_operands = to->n_operands, rec->n_memories = to->n_memories;
    rec->n_maps = to->n_maps, rec->n_reliances = to->n_reliances, rec->result = to->result, rec->fit = to->fit;
}

bool tg_recorder_end(tg_recorder *r, const tg_slot *result) {
    tg_listening = NULL;
    const bool whole = finish(r, result);
    if (!whole && r->compares)
        go_back(r);
    else if (!whole)
        tg_recording_free(r->rec);
    tg_kept_free(&r->kept);
    tg_sys_free(r->young, (size_t)r->cap_young * sizeof *r->young);
    tg_sys_free(r->old, (size_t)r->cap_old * sizeof *r->old);
    tg_forms_free(&r->calls), tg_forms_free(&r->kernels);
    tg_sys_free(r->made, (size_t)r->cap_made * sizeof *r->made);
    return whole;
}
