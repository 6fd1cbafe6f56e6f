/* The private walk of a trace. Each rule is run as tg_backward runs it, and what it gives for each input is noted before it is added to
 * what is there, alone, although two inputs may be the same tensor. So the sums are those of tg_backward to the last bit.
 *
 * Rules that add to the adjoint by themselves (tg_op.accumulates) are run twice: first they find the memory shared, so that
 * they write their contribution elsewhere, which is noted and dropped; then as they always are.
 *
 * A rule that cannot be run breaks the adjoints of its node's inputs: they lack a contribution. Nodes whose adjoints are broken are
 * not run, and break those of their inputs in turn. */
#include "autograd/trace/model.h"
#include "autograd/blame/blame.h"
#include "core/kernels/kernels.h"
#include "core/kernels/look.h"

#include <inttypes.h>
#include <string.h>

enum { FEW = 16 }; /* inputs that tg_op.accumulates knows */

typedef enum hearing { AS_EVER, ALONE, SLOPE } hearing;

typedef struct walker {
    tg_watcher watcher; /* first */
    tg_trace *t;
    const tg_rule_call *outside; /* the rule in which all this runs */
    tg_look look;                /* never looked at */
    hearing how;
    int node;               /* in the trace, at which the walk is */
    const tg_node *running; /* whose rule runs: that, or one inside of a checkpoint */
    tg_array alone[FEW];    /* the contributions of inputs that the kernel adds to what is there */
    tg_array rounded[FEW];  /* and what they would make if they were added afterwards */
    int slope[FEW];
} walker;

/* ---- what is heard of each contribution ---- */

static tg_trace_care care_of(const tg_traced_tensor *x) {
    return x->role == TG_TRACE_PARAMETER ? TG_TRACE_MAIN : TG_TRACE_MINOR;
}

static bool differ(const tg_array *a, const tg_array *b) {
    for (int64_t i = 0; i < a->numel; i++) {
        const double x = tg_array_get(a, i), y = tg_array_get(b, i);
        if (x != y && (x == x || y == y)) return true;
    }
    return false;
}

/* Input i of the trace's node, where the contribution came from inside a checkpoint: the first that is this tensor. */
static int input_of(const walker *k, const tg_node *node, int i, int x) {
    const tg_traced_node *n = &k->t->node[k->node];
    if (node == n->node) return i;
    for (i = 0; i < n->node->n_in && k->t->index[n->in + i] != x;) i++;
    return i < n->node->n_in ? i : -1;
}

static tg_status note_slope(walker *k, int i, tg_array *g) {
    const tg_slot *out = tg_slot_peek(k->t->node[k->node].node->out[0]);
    if (i < FEW && out && tg_array_same_shape(g, &out->a))
        k->slope[i] = tg_trace_values(k->t, g, TG_TRACE_MINOR);
    tg_array_drop(g);
    return tg_error_status();
}

/* Adds g to the adjoint and notes it as a part of the step. */
static tg_status note_part(walker *k, const tg_node *node, int i, int x, tg_adjoint *a, tg_array *g) {
    tg_trace *t = k->t;
    const bool own = node == k->running && i < FEW;
    tg_array *alone = own && k->alone[i].data ? &k->alone[i] : NULL;
    const tg_trace_care care = care_of(&t->tensor[x]);
    tg_traced_part p = {
        .input = input_of(k, node, i, x), .tensor = x, .before = -1, .contribution = -1, .slope = -1};
    if (own) p.slope = k->slope[i];
    if (alone || a->value.data) p.before = t->tensor[x].grad;
    if (p.before >= 0 && (p.contribution = tg_trace_values(t, alone ? alone : g, care)) < 0) {
        tg_array_drop(g);
        return tg_error_status();
    }
    if (tg_adjoint_accumulate(a, g) != TG_OK || (p.after = tg_trace_values(t, &a->value, care)) < 0)
        return tg_error_status();
    if (p.before < 0) p.contribution = p.after;
    p.rounded = alone && differ(&k->rounded[i], &a->value);
    t->tensor[x].grad = p.after, t->tensor[x].given++;
    if (!TG_TRACE_GROW(t->part, t->cap_parts, t->n_parts)) return tg_error_status();
    t->part[t->n_parts++] = p;
    return TG_OK;
}

static tg_status hear(tg_walk *w, const tg_node *node, int i, const tg_slot *s, tg_adjoint *a, tg_array *g) {
    walker *k = w->hearer;
    const int x = tg_trace_find(k->t, tg_handle(s));
    if (k->how == SLOPE) return note_slope(k, i, g);
    if (k->how == ALONE) {
        if (i < FEW && k->rounded[i].data) tg_array_share(&k->alone[i], g);
        tg_array_drop(g);
        return TG_OK;
    }
    return x >= 0 ? note_part(k, node, i, x, a, g) : tg_adjoint_accumulate(a, g);
}

/* ---- one rule ---- */

static tg_status run_rule(walker *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints, hearing how) {
    const bool retain = w->mode.retain;
    k->how = how, k->running = node;
    if (how != AS_EVER) w->mode.retain = true; /* it is run once more */
    w->hear = hear, w->hearer = k, w->look = &k->look;
    tg_status s = tg_step_plain(w, node, adjoints);
    w->mode.retain = retain;
    w->hear = NULL, w->hearer = NULL, w->look = NULL;
    return s;
}

/* Whether the kernel will add its contribution for input i to what is there, as tg_contribution_begin has it. */
static const tg_array *added_to(tg_walk *w, const tg_node *node, int i) {
    if (!node->op->grad_kernel || !(node->op->accumulates & TG_IN(i))) return NULL;
    const tg_slot *s = tg_walk_needed(w, node, i);
    const tg_adjoint *a = s ? tg_walk_find_adjoint(w, s) : NULL;
    for (int j = 0; j < i; j++)
        if (node->in[j] == node->in[i] && node->op->accumulates & TG_IN(j)) return NULL;
    return a && a->value.data && tg_array_is_exclusive(&a->value) && tg_array_is_contiguous(&a->value)
               ? &a->value
               : NULL;
}

/* Its contributions alone, of those that it would add to what is there. */
static tg_status run_alone(walker *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    tg_array held[FEW] = {{0}};
    tg_status s = TG_OK;
    bool any = false;
    for (int i = 0; s == TG_OK && i < node->n_in && i < FEW; i++) {
        const tg_array *before = added_to(w, node, i);
        if (!before) continue;
        any = true;
        s = tg_array_alloc_like(&k->rounded[i], before);
        if (s == TG_OK) tg_array_share(&held[i], before);
    }
    if (any && s == TG_OK) s = run_rule(k, w, node, adjoints, ALONE);
    for (int i = 0; i < FEW; i++) {
        if (s == TG_OK && k->alone[i].data)
            tg_map_binary(TG_BINARY_ADD, &held[i], &k->alone[i], &k->rounded[i]);
        tg_array_drop(&held[i]);
    }
    return s;
}

/* The local derivatives of an elementwise op: its rule, given ones. */
static tg_status run_slopes(walker *k, tg_walk *w, tg_node *node) {
    const tg_op *op = node->op;
    const tg_slot *out = tg_slot_peek(node->out[0]);
    if (!op->elementwise || op->accumulates || op->has_state || node->n_out != 1 || !out ||
        out->a.numel > k->t->most || !tg_dtype_is_float((tg_dtype)out->a.dtype))
        return TG_OK;
    tg_adjoint ones = {.handle = NULL};
    tg_status s = tg_array_alloc_like(&ones.value, &out->a);
    if (s == TG_OK) {
        tg_array_fill(&ones.value, 1);
        s = run_rule(k, w, node, &ones, SLOPE);
    }
    tg_adjoint_drop(&ones);
    return s;
}

/* One inside of a checkpoint is not on the tape, and nobody asks for its slopes. */
static tg_status run_step(walker *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    for (int i = 0; i < FEW; i++) k->slope[i] = -1;
    tg_status s = node->id < k->t->end ? run_slopes(k, w, node) : TG_OK;
    if (s == TG_OK) s = run_alone(k, w, node, adjoints);
    if (s == TG_OK) s = run_rule(k, w, node, adjoints, AS_EVER);
    for (int i = 0; i < FEW; i++) tg_array_drop(&k->alone[i]), tg_array_drop(&k->rounded[i]);
    return s;
}

/* ---- steps ---- */

/* What should have come from the node `by` is not there: neither are the inputs of nodes complete that it is passed on to. */
static void break_behind(tg_trace *t, int by) {
    for (int k = by; k >= 0; k--) {
        const tg_traced_node *n = &t->node[k];
        bool broken = k == by;
        for (int o = 0; !broken && o < n->node->n_out; o++)
            broken = t->tensor[t->index[n->out + o]].broken == by;
        for (int i = 0; broken && i < n->node->n_in; i++) {
            const int x = t->index[n->in + i];
            if (x >= 0 && t->tensor[x].broken < 0 && tg_walk_needed(NULL, n->node, i))
                t->tensor[x].broken = by;
        }
    }
}

/* By which node an output is not complete, or -1. */
static int broken_by(const tg_trace *t, const tg_traced_node *n) {
    for (int o = 0; o < n->node->n_out; o++)
        if (t->tensor[t->index[n->out + o]].broken >= 0) return t->tensor[t->index[n->out + o]].broken;
    return -1;
}

static const char *say_broken(tg_trace *t, int by) {
    char text[96];
    snprintf(text, sizeof text,
             "the gradient that comes in is not complete without #%" PRId64 ", which could not be run",
             t->first + by);
    return tg_trace_copy(t, text, strlen(text));
}

/* What is left of an error that is the step's. Without memory there is no trace. */
static tg_status end_failed(tg_trace *t, tg_traced_step *step, tg_status s) {
    const char *message = tg_error_message();
    if (s == TG_ERR_MEMORY || tg_error_status() == TG_ERR_MEMORY) return tg_error_status();
    tg_traced_node *n = &t->node[step->node];
    step->why = tg_trace_copy(t, message, strlen(message));
    if (!step->why) return tg_error_status();
    tg_error_clear(); /* none was pending before */
    n->why = step->why;
    t->n_parts = step->part, step->n_parts = 0;
    break_behind(t, step->node);
    return TG_OK;
}

static tg_status take_node(walker *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    tg_trace *t = k->t;
    if (!TG_TRACE_GROW(t->step, t->cap_steps, t->n_steps)) return tg_error_status();
    k->node = tg_trace_number(t, node->id);
    tg_traced_node *n = &t->node[k->node];
    tg_traced_step *step = &t->step[t->n_steps];
    *step = (tg_traced_step){.node = k->node, .part = t->n_parts, .released = -1};
    n->step = (int)t->n_steps++;
    for (int o = 0; o < node->n_out; o++) {
        const tg_traced_tensor *x = &t->tensor[t->index[n->out + o]];
        step->dout[o] = adjoints[o].value.data && x->broken < 0 ? x->grad : -1;
    }
    const int broken = broken_by(t, n);
    if (broken >= 0) return n->why = step->why = say_broken(t, broken), tg_error_status();
    tg_status s = run_step(k, w, node, adjoints);
    step->n_parts = t->n_parts - step->part;
    return s == TG_OK ? s : end_failed(t, step, s);
}

/* Whether w is the trace's own walk, or goes on with it inside a checkpoint: a rule may walk for itself. */
static bool is_ours(const walker *k, const tg_walk *w) {
    if (tg_rule_running != k->outside && w->mode.floor == 0) return false;
    for (const tg_rule_call *c = tg_rule_running; c != k->outside; c = c->outer)
        if (c->node->op->grad != tg_walks_itself) return false;
    return !w->mode.record;
}

static tg_status take_step(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    walker *k = (walker *)(void *)o;
    if (!is_ours(k, w)) return tg_step_plain(w, node, adjoints);
    if (tg_rule_running != k->outside) return run_step(k, w, node, adjoints);
    return take_node(k, w, node, adjoints);
}

/* ---- the walk ---- */

/* The first contribution is the one that the walk starts with. */
static tg_status note_seed(tg_trace *t) {
    tg_array one = {0};
    tg_status s = tg_array_alloc_like(&one, &t->loss->a);
    if (s == TG_OK) {
        tg_array_fill(&one, 1);
        t->tensor[t->loss_tensor].grad = t->seed = tg_trace_values(t, &one, TG_TRACE_MINOR);
    }
    tg_array_drop(&one);
    return tg_error_status();
}

/* What a node has saved is let go by the last step that reads it. Parameters are their owner's. */
static tg_status note_released(tg_trace *t) {
    bool *read = tg_trace_room(t, (size_t)t->n_tensors, sizeof *read);
    for (int64_t k = t->n_steps - 1; read && k >= 0; k--) {
        const tg_traced_node *n = &t->node[t->step[k].node];
        t->step[k].released = (int)t->n_index;
        for (int i = 0; i < n->n_saved; i++) {
            const int x = t->index[n->saved + i];
            if (read[x] || t->tensor[x].role == TG_TRACE_PARAMETER) continue;
            read[x] = true;
            if (!TG_TRACE_GROW(t->index, t->cap_index, t->n_index)) return tg_error_status();
            t->index[t->n_index++] = x, t->step[k].n_released++;
        }
    }
    return tg_error_status();
}

static tg_status note_reasons(tg_trace *t) {
    for (int64_t k = 0; k < t->end - t->first; k++) {
        tg_traced_node *n = &t->node[k];
        const int broken = n->step < 0 ? broken_by(t, n) : -1;
        if (broken >= 0)
            n->why = say_broken(t, broken);
        else if (n->step < 0)
            n->why = n->leads ? "no gradient reaches it" : "the loss does not depend on it";
    }
    for (int64_t i = 0; i < t->n_tensors; i++)
        if (t->tensor[i].broken >= 0) t->tensor[i].grad = -1;
    return tg_error_status();
}

tg_status tg_trace_walk(tg_trace *t) {
    walker k = {.watcher = {.step = take_step}, .t = t, .outside = tg_rule_running};
    tg_array none = {0};
    tg_status s = note_seed(t);
    if (s == TG_OK)
        s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &t->loss, .floor = t->first}, &k.watcher, &none);
    if (s == TG_OK) s = note_released(t);
    if (s == TG_OK) s = note_reasons(t);
    return s;
}
