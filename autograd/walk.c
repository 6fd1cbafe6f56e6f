/* The walk: a loop over the nodes in reverse, their rules, and the adjoints these contribute to. */
#include "autograd/walk.h"
#include "autograd/blame/blame.h"
#include "autograd/plan/record.h"
#include "autograd/profile/cost.h"
#include "core/kernels/look.h"
#include "core/work.h"

#include <string.h>

_Thread_local TG_HOT int tg_walks;

void *tg_walk_scratch(tg_walk *w, size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&w->tape->scratch, bytes) : NULL;
    if (p) return memset(p, 0, bytes);
    tg_fail_memory(n * size);
    return NULL;
}

/* ---- begin and end ---- */

static tg_status make_tables(tg_walk *w) {
    size_t nodes = (size_t)(w->high - w->low + 1);
    w->cap_targets = 16;
    if (!(w->target = tg_walk_scratch(w, (size_t)w->cap_targets, sizeof *w->target)))
        return tg_error_status();
    if (w->high < 0) return TG_OK;
    if (!(w->adjoint = tg_walk_scratch(w, nodes, sizeof *w->adjoint))) return tg_error_status();
    if (!w->mode.all_leaves && !(w->on_path = tg_walk_scratch(w, nodes, sizeof *w->on_path)))
        return tg_error_status();
    return TG_OK;
}

tg_status tg_walk_begin(tg_walk *w, int n, tg_slot *const *out, tg_walk_mode mode) {
    *w = (tg_walk){.tape = tg_tape_get(), .mode = mode, .low = INT64_MAX, .high = -1};
    if (!w->tape) return tg_error_status();
    if (tg_walks >= TG_MAX_WALKS)
        return tg_fail(TG_ERR_TAPE,
                       "backward: %d walks are nested: does a hook or a gradient rule walk back to itself?",
                       TG_MAX_WALKS);
    for (int i = 0; i < n; i++) {
        const tg_node *node = out[i]->requires_grad ? out[i]->node : NULL;
        if (!node || node->id < mode.floor) continue;
        if (node->first < w->low) w->low = node->first;
        if (node->id > w->high) w->high = node->id;
    }
    if (w->low < mode.floor) w->low = mode.floor;
    w->scratch = tg_arena_get_mark(&w->tape->scratch);
    tg_status s = make_tables(w);
    if (s == TG_OK)
        tg_walks++;
    else
        tg_arena_rewind(&w->tape->scratch, w->scratch);
    return s;
}

void tg_walk_end(tg_walk *w) {
    for (int64_t i = w->high - w->low; w->adjoint && i >= 0; i--)
        for (int o = 0; w->adjoint[i] && o < tg_node_at(w->tape, w->low + i)->n_out; o++)
            tg_adjoint_drop(&w->adjoint[i][o]);
    for (int64_t i = 0; i < w->cap_targets; i++)
        if (w->target[i].slot) tg_adjoint_drop(&w->target[i].adjoint);
    tg_arena_rewind(&w->tape->scratch, w->scratch);
    tg_walks--;
}

/* ---- adjoints ---- */

void tg_adjoint_drop(tg_adjoint *a) {
    tg_array_drop(&a->value);
    a->handle = NULL;
}

/* Those of a node's outputs, made at the first contribution. Single ones are used again: a walk of any length needs as
 * many as are open at once. */
static tg_adjoint *adjoints_of(tg_walk *w, const tg_node *node) {
    tg_adjoint **a = &w->adjoint[node->id - w->low];
    if (*a) return *a;
    if (node->n_out == 1 && w->free) {
        *a = w->free;
        w->free = (*a)->next;
    } else {
        *a = tg_walk_scratch(w, (size_t)node->n_out, sizeof **a);
    }
    return *a;
}

static void drop_adjoints(tg_walk *w, const tg_node *node, tg_adjoint *adjoints) {
    for (int o = 0; o < node->n_out; o++) tg_adjoint_drop(&adjoints[o]);
    w->adjoint[node->id - w->low] = NULL;
    if (node->n_out != 1) return;
    adjoints->next = w->free;
    w->free = adjoints;
}

tg_adjoint *tg_walk_find_adjoint(const tg_walk *w, const tg_slot *s) {
    if (tg_walk_leaf(w, s)) {
        tg_target *t = tg_walk_find_target(w, s);
        return t ? &t->adjoint : NULL;
    }
    tg_adjoint *a = w->adjoint[s->node->id - w->low];
    return a ? a + tg_output_index(s) : NULL;
}

tg_adjoint *tg_walk_adjoint(tg_walk *w, tg_slot *s) {
    if (!tg_walk_leaf(w, s)) {
        tg_adjoint *a = adjoints_of(w, s->node);
        return a && s->node->n_out > 1 ? a + tg_output_index(s) : a;
    }
    tg_target *t = w->mode.all_leaves ? tg_walk_add_target(w, s) : tg_walk_find_target(w, s);
    if (!t) return NULL;
    t->adjoint.finite = false;
    return &t->adjoint;
}

/* ---- accumulating ---- */

static inline tg_status accumulate(tg_adjoint *a, tg_array *g) {
    if (a->value.data) return tg_adjoint_add(a, g);
    a->value = *g;
    g->data = NULL, g->buffer = NULL;
    return TG_OK;
}

tg_status tg_adjoint_accumulate(tg_adjoint *a, tg_array *g) { return accumulate(a, g); }

static void accumulate_recorded(tg_adjoint *a, tg_tensor *g) {
    a->handle = a->handle ? tg_walk_ops_table.add(a->handle, g) : g;
}

tg_status tg_walk_seed(tg_walk *w, tg_slot *out, tg_slot *seed) {
    tg_adjoint *a = tg_walk_adjoint(w, out);
    if (!a) return tg_error_status();
    if (w->mode.record) {
        accumulate_recorded(a, tg_handle(seed));
        return tg_error_status();
    }
    tg_array g = {0};
    tg_array_share(&g, &seed->a);
    return accumulate(a, &g);
}

/* Both are one number, and nothing is left to be asked. */
static inline bool is_number_like(const tg_array *g, const tg_array *like) {
    return g->rank == 0 && like->rank == 0 && g->numel == 1 && g->dtype == like->dtype && g->buffer &&
           g->data == tg_buffer_data(g->buffer);
}

/* Takes over the contribution g to input i, which is s. */
static tg_status contribute(tg_walk *w, const tg_node *node, int i, tg_slot *s, tg_array *g) {
    const void *made = g->data;
    bool fit = is_number_like(g, &s->a) || tg_contribution_fit(node, i, s, g) == TG_OK;
    tg_adjoint *a = fit ? tg_walk_adjoint(w, s) : NULL;
    if (a) return w->look ? tg_adjoint_accumulate_looked(w, node, i, s, a, g, made) : accumulate(a, g);
    tg_array_drop(g);
    return tg_error_status();
}

static tg_status contribute_recorded(tg_walk *w, const tg_node *node, int i, tg_slot *s, tg_tensor *g) {
    g = tg_contribution_fit_recorded(node, i, s, g);
    tg_adjoint *a = g ? tg_walk_adjoint(w, s) : NULL;
    if (a) accumulate_recorded(a, g);
    return tg_error_status();
}

/* ---- the rule of one node ---- */

/* What one call of a rule needs by input: on the stack for few, in the scratch arena for many. */
#define FEW 8

static tg_status fail_missing(const tg_node *node, int i) {
    return tg_fail(TG_ERR_TAPE, "%s: its gradient rule returned nothing for input %d", node->op->name, i);
}

static tg_status step_kernel(tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    const tg_array *dout[TG_MAX_OUT];
    tg_array few[FEW], *din = few;
    if (node->n_in > FEW && !(din = tg_walk_scratch(w, (size_t)node->n_in, sizeof *din)))
        return tg_error_status();
    for (int o = 0; o < node->n_out; o++) dout[o] = adjoints[o].value.data ? &adjoints[o].value : NULL;
    for (int i = 0; i < node->n_in; i++) {
        din[i].data = NULL, din[i].buffer = NULL;
        if (i < 16 && node->op->accumulates & TG_IN(i)) tg_contribution_begin(w, node, i, &din[i]);
    }
    if (node->op->over) tg_contribution_give_over(w, node, dout[0], din);
    tg_recorder *recorder = tg_recorder_enter();
    if (recorder) tg_recorder_begun(recorder, node, din);
    tg_look *outer = tg_looking, *look = w->look ? tg_look_of(w, node) : NULL;
    if (__builtin_expect(outer != look, 0)) tg_looking = look;
    tg_status s = tg_callback_check(w->tape, node->op->grad_kernel(node, dout, din), node->op->name);
    if (__builtin_expect(outer != look, 0)) tg_looking = outer;
    if (recorder) {
        tg_recorder_leave(recorder);
        if (s == TG_OK) s = tg_recorder_derived(recorder, w, node, dout, din);
    }
    for (int i = 0; s == TG_OK && w->mode.sparse && i < node->n_in; i++)
        s = tg_contribution_drop_unreached(node, i, dout[0], &din[i]);
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *in = s == TG_OK ? tg_walk_needed(w, node, i) : NULL;
        if (in && !din[i].data) s = fail_missing(node, i);
        if (in && din[i].data)
            s = contribute(w, node, i, in, &din[i]);
        else
            tg_array_drop(&din[i]);
    }
    return s;
}

static void call_named(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    TG_NAMED(node->op->name);
    node->op->grad(node, dout, din);
}

/* Runs the rule made of ops; din receives its results. */
static tg_status call_rule(tg_walk *w, const tg_node *node, tg_tensor *const *dout, tg_tensor ***din) {
    if (node->n_in > FEW && !(*din = tg_walk_scratch(w, (size_t)node->n_in, sizeof **din)))
        return tg_error_status();
    memset(*din, 0, (size_t)node->n_in * sizeof **din);
    tg_callback rule = tg_callback_begin();
    call_named(node, dout, *din);
    return tg_callback_end(rule, tg_error_status(), node->op->name);
}

/* din, of the rule's scope, is the contribution to input i, which is s. */
static tg_status contribute_tensor(tg_walk *w, const tg_node *node, int i, tg_slot *s, const tg_tensor *din,
                                   const tg_array *dout) {
    const tg_slot *g = tg_slot_with_data(din, node->op->name);
    if (!g) return tg_error_status();
    tg_array value = {0};
    tg_array_share(&value, &g->a);
    if (!w->mode.sparse || tg_contribution_drop_unreached(node, i, dout, &value) == TG_OK)
        return contribute(w, node, i, s, &value);
    tg_array_drop(&value);
    return tg_error_status();
}

static tg_status step_values(tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    tg_tensor *dout[TG_MAX_OUT], *few[FEW], **din = few;
    tg_mark before = tg_tape_mark();
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < node->n_out; o++) {
        dout[o] = NULL;
        if (!adjoints[o].value.data) continue;
        dout[o] = tg_from_array(&adjoints[o].value);
        s = tg_error_status();
    }
    if (s == TG_OK) s = call_rule(w, node, dout, &din);
    for (int i = 0; s == TG_OK && i < node->n_in; i++) {
        tg_slot *in = tg_walk_needed(w, node, i);
        if (in)
            s = din[i] ? contribute_tensor(w, node, i, in, din[i], &adjoints[0].value) : fail_missing(node, i);
    }
    tg_tape_rewind(before);
    return s;
}

static tg_status step_recorded(tg_walk *w, const tg_node *node, const tg_adjoint *adjoints) {
    tg_tensor *dout[TG_MAX_OUT], *few[FEW], **din = few;
    for (int o = 0; o < node->n_out; o++) dout[o] = adjoints[o].handle;
    tg_status s = call_rule(w, node, dout, &din);
    for (int i = 0; s == TG_OK && i < node->n_in; i++) {
        tg_slot *in = tg_walk_needed(w, node, i);
        if (in) s = din[i] ? contribute_recorded(w, node, i, in, din[i]) : fail_missing(node, i);
    }
    return s;
}

/* ---- the loop ---- */

static void mark_on_path(tg_walk *w) {
    for (int64_t id = w->low; id <= w->high; id++) {
        const tg_node *node = tg_node_at(w->tape, id);
        bool on_path = false;
        for (int i = 0; !on_path && i < node->n_in; i++) on_path = node->in[i] && tg_walk_needed(w, node, i);
        w->on_path[id - w->low] = on_path;
    }
}

/* The adjoints of a node's outputs are complete here: hooks see them, and those that are targets themselves share them. */
static tg_status complete_outputs(tg_walk *w, const tg_node *node, tg_adjoint *adjoints) {
    for (int o = 0; o < node->n_out; o++) {
        tg_slot *s = tg_slot_peek(node->out[o]);
        if (!s || tg_adjoint_is_empty(&adjoints[o])) continue;
        if (tg_slot_hooks(s) && tg_hooks_run(w, s, &adjoints[o]) != TG_OK) return tg_error_status();
        if (w->mode.all_leaves && !s->retain_grad) continue;
        tg_target *t = w->mode.all_leaves ? tg_walk_add_target(w, s) : tg_walk_find_target(w, s);
        if (!t && tg_error_status() != TG_OK) return tg_error_status();
        if (!t) continue;
        t->adjoint.handle = adjoints[o].handle;
        if (!w->mode.record) tg_array_share(&t->adjoint.value, &adjoints[o].value);
    }
    return TG_OK;
}

static tg_status check_version(const tg_node *node, tg_slot *s, int k) {
    if (!s->a.buffer || (uint32_t)s->a.buffer->version == tg_node_versions(node)[k]) return TG_OK;
    char text[160];
    tg_describe(tg_handle(s), text, sizeof text);
    return tg_fail(
        TG_ERR_TAPE,
        "backward: %s needs the elements of %s (made by %s) as they were, but they have since been changed "
        "in place by %s",
        node->op->name, text, tg_slot_maker(s)->op,
        s->a.buffer->changed_by ? s->a.buffer->changed_by : "the user");
}

/* A node that was walked: a walk that goes again may find what it saved all the same. */
__attribute__((cold, noinline)) static tg_status check_walked(const tg_walk *w, const tg_node *node) {
    if (w->mode.again) return tg_check_saved_there(node);
    return tg_fail(TG_ERR_TAPE,
                   "backward: the graph of %s was walked before and what it saved is gone (.retain keeps it)",
                   node->op->name);
}

/* Rules may rely on it: what the node refers to is there, and what it saved is as it was. */
static tg_status check_node(const tg_walk *w, const tg_node *node) {
    if (node->walked && check_walked(w, node) != TG_OK) return tg_error_status();
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] && !tg_slot_peek(node->in[i]) &&
            !tg_slot_of_input(node->in[i], node->op->name, node->n_in > 1 ? i : -1))
            return tg_error_status();
    return node->saved ? tg_each_saved(node, node->saved, check_version) : TG_OK;
}

_Thread_local TG_HOT const tg_rule_call *tg_rule_running;

/* The rule may ask which walk this is (tg_needs); a walk may be nested in another's rule for the same node. */
tg_status tg_step_plain(tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    const tg_rule_call call = {node, w, tg_rule_running};
    tg_status s = check_node(w, node);
    if (s != TG_OK) return s;
    tg_rule_running = &call;
    if (w->look) w->look->n = 0;
    if (node->op->grad_kernel && !w->mode.record)
        s = step_kernel(w, node, adjoints);
    else if (node->op->grad == tg_walks_itself)
        s = tg_checkpoint_walk(w, node, adjoints);
    else
        s = w->mode.record ? step_recorded(w, node, adjoints) : step_values(w, node, adjoints);
    tg_rule_running = call.outer;
    if (s == TG_OK && !w->mode.retain) tg_node_unsave(node);
    return s;
}

__attribute__((cold, noinline)) static tg_status step_watched(tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    tg_span span = {.watch = NULL};
    if (tg_measuring) tg_span_begin_rule(&span, w, node, adjoints);
    tg_status s = (tg_watched & TG_WATCH_ELEMENTS ? tg_step_watched : tg_step_plain)(w, node, adjoints);
    tg_span_end(&span, s == TG_OK);
    return s;
}

static inline tg_status step(tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    return __builtin_expect(tg_watched == 0, 1) ? tg_step_plain(w, node, adjoints)
                                                : step_watched(w, node, adjoints);
}

/* The node's outputs have their adjoints, and its inputs receive theirs. */
static tg_status pass(tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    tg_status s = complete_outputs(w, node, adjoints);
    if (s == TG_OK && (!w->on_path || w->on_path[node->id - w->low])) s = step(w, node, adjoints);
    drop_adjoints(w, node, adjoints);
    return s;
}

static tg_status run(tg_walk *w) {
    tg_callback_outer outer = tg_callback_enter(w->tape);
    bool was_off = tg_grad_off, was_reading = tg_reading_saved;
    tg_grad_off = !w->mode.record;
    tg_reading_saved = true;
    if (w->on_path) mark_on_path(w);
    tg_status s = TG_OK;
    for (int64_t id = w->high; s == TG_OK && id >= w->low && w->adjoint; id--) {
        tg_adjoint *adjoints = w->adjoint[id - w->low];
        if (adjoints) s = pass(w, tg_node_at(w->tape, id), adjoints);
        if (s == TG_OK && w->hooked) s = tg_hooks_of_leaves(w, tg_node_at(w->tape, id));
    }
    if (s == TG_OK) s = tg_hooks_of_other_leaves(w);
    if (s == TG_OK) s = tg_error_status(); /* raised by a kernel or hook that said it was fine */
    tg_grad_off = was_off;
    tg_reading_saved = was_reading;
    return tg_callback_leave(w->tape, outer, s, "backward");
}

tg_status tg_walk_run(tg_walk *w) {
    if (__builtin_expect(tg_measuring == NULL, 1)) return run(w);
    tg_span span;
    tg_span_begin(&span, "backward");
    span.kind = TG_SPAN_BACKWARD;
    tg_status s = run(w);
    tg_span_end(&span, s == TG_OK);
    return s;
}
