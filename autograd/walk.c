#include "autograd/walk.h"
#include "core/kernels/kernels.h"

#include <math.h>
#include <string.h>

/* ---- adding up ---- */

/* Sums the array g, of a shape that `like` broadcasts to, down to like's shape. */
static tg_status sum_down(tg_array *g, const tg_array *like) {
    tg_shape kept = tg_array_shape(g);
    unsigned axes = 0;
    int extra = g->rank - like->rank;
    for (int i = 0; i < g->rank; i++)
        if (i < extra || (like->shape[i - extra] == 1 && g->shape[i] != 1)) axes |= 1u << i, kept.dim[i] = 1;
    tg_array sum = {0};
    tg_status s = tg_array_alloc(&sum, (tg_dtype)g->dtype, kept);
    if (s != TG_OK) return s;
    tg_reduce(TG_SUM, g, axes, &sum);
    tg_array_drop(g);
    bool viewed = tg_array_reshape(g, &sum, tg_array_shape(like));
    tg_array_drop(&sum);
    return viewed ? TG_OK : tg_fail_memory(0);
}

static tg_status add_to(tg_cell *c, tg_array *g) {
    tg_status s = TG_OK;
    if (tg_array_is_exclusive(&c->value)) {
        tg_map_axpy(1, g, &c->value);
    } else {
        tg_array sum = {0};
        s = tg_array_alloc_like(&sum, g);
        if (s == TG_OK) {
            tg_map_binary(TG_BINARY_ADD, &c->value, g, &sum);
            tg_array_drop(&c->value);
            c->value = sum;
        }
    }
    tg_array_drop(g);
    return s;
}

static inline tg_status add_value(tg_cell *c, tg_array *g) {
    if (c->value.data) return add_to(c, g);
    c->value = *g;
    g->data = NULL, g->buffer = NULL;
    return TG_OK;
}

tg_status tg_walk_add(tg_cell *c, tg_array *g) { return add_value(c, g); }

static tg_status fail_rule(const tg_node *node, int i, const tg_array *g) {
    char want[160], got[96];
    tg_describe(node->in[i], want, sizeof want);
    return tg_fail(TG_ERR_SHAPE, "%s: its gradient rule returned %s %s for input %d, which is %s", node->op->name,
                   tg_shape_text(tg_array_shape(g), got, sizeof got), tg_dtype_name((tg_dtype)g->dtype), i, want);
}

/* A kernel of a user's own may have filled in anything. */
static inline bool is_sound(const tg_node *node, int i, const tg_array *g) {
    if (tg_array_is_sound(g)) return true;
    tg_fail(TG_ERR_ARGUMENT, "%s: its gradient rule returned fields that no array has for input %d", node->op->name, i);
    return false;
}

/* Whether a gradient array is of the input's dtype and of a shape that sums down to the input's. */
static bool fits(const tg_array *g, const tg_array *like) {
    tg_shape both;
    return g->dtype == like->dtype && tg_shape_broadcast(tg_array_shape(g), tg_array_shape(like), &both) &&
           tg_shape_equal(both, tg_array_shape(g));
}

/* g, a rule's gradient of input i, which is s, in the input's shape. */
__attribute__((noinline)) static tg_status to_shape_of(const tg_node *node, int i, const tg_slot *s, tg_array *g) {
    if (!is_sound(node, i, g)) return tg_error_status();
    if (g->dtype == s->a.dtype && tg_array_same_shape(g, &s->a)) return TG_OK;
    return fits(g, &s->a) ? sum_down(g, &s->a) : fail_rule(node, i, g);
}

/* Both are one number, and nothing is left to be asked. */
static inline bool is_number_like(const tg_array *g, const tg_array *like) {
    return g->rank == 0 && like->rank == 0 && g->numel == 1 && g->dtype == like->dtype && g->buffer &&
           g->data == tg_buffer_data(g->buffer);
}

/* Takes over the contribution g to input i, which is s. */
static tg_status contribute_value(tg_walk *w, const tg_node *node, int i, tg_slot *s, tg_array *g) {
    bool fit = is_number_like(g, &s->a) || to_shape_of(node, i, s, g) == TG_OK;
    tg_cell *c = fit ? tg_walk_cell(w, s) : NULL;
    if (c) return add_value(c, g);
    tg_array_drop(g);
    return tg_error_status();
}

static tg_status contribute_handle(tg_walk *w, const tg_node *node, int i, tg_tensor *g) {
    tg_slot *s = tg_slot_of(node->in[i], node->op->name);
    tg_slot *gs = tg_slot_with_data(g, node->op->name);
    if (!s || !gs) return tg_error_status();
    if (!fits(&gs->a, &s->a)) return fail_rule(node, i, &gs->a);
    if (!tg_array_same_shape(&gs->a, &s->a)) g = tg_walk_ops_table.sum_to(g, tg_array_shape(&s->a));
    tg_cell *c = tg_walk_cell(w, s);
    if (c) c->handle = c->handle ? tg_walk_ops_table.add(c->handle, g) : g;
    return tg_error_status();
}

tg_status tg_walk_seed(tg_walk *w, tg_slot *out, tg_slot *seed) {
    tg_cell *c = tg_walk_cell(w, out);
    if (!c) return tg_error_status();
    if (w->mode.record) {
        c->handle = c->handle ? tg_walk_ops_table.add(c->handle, tg_handle(seed)) : tg_handle(seed);
        return tg_error_status();
    }
    tg_array g = {0};
    tg_array_share(&g, &seed->a);
    return tg_walk_add(c, &g);
}

/* ---- sparse walks ---- */

static double at(const tg_array *a, int64_t i) { return tg_array_get(a, i); }

/* g, the gradient of an elementwise op's input before it is summed down, has the shape of dout: where dout is 0 and g is
 * not a number, which is 0 times infinity, it becomes 0. */
static tg_status drop_unreached(const tg_node *node, int i, const tg_array *dout, tg_array *g) {
    if (g->data && !is_sound(node, i, g)) return tg_error_status();
    if (!node->op->elementwise || !g->data || !tg_array_same_shape(dout, g) || g->data == dout->data) return TG_OK;
    tg_array dense = {0};
    tg_status s = tg_array_alloc_like(&dense, g);
    if (s != TG_OK) return s;
    for (int64_t k = 0; k < g->numel; k++) tg_array_set(&dense, k, at(dout, k) == 0 && isnan(at(g, k)) ? 0 : at(g, k));
    tg_array_drop(g);
    *g = dense;
    return TG_OK;
}

/* ---- one node ---- */

/* Input i, if its gradient is asked for; NULL if not, and where a rule has freed it. */
static inline tg_slot *needed(tg_walk *w, const tg_node *node, int i) {
    tg_slot *s = tg_slot_peek(node->in[i]);
    if (!s || !s->requires_grad || (i < 16 && node->op->no_grad & TG_IN(i))) return NULL;
    if (!w || w->mode.collect || tg_walk_goal(w, s, false)) return s;
    return !tg_walk_leaf(w, s) && w->useful[s->node->id - w->low] ? s : NULL;
}

tg_slot *tg_walk_needed(tg_walk *w, const tg_node *node, int i) { return needed(w, node, i); }

static tg_status fail_missing(const tg_node *node, int i) {
    return tg_fail(TG_ERR_TAPE, "%s: its gradient rule returned nothing for input %d", node->op->name, i);
}

/* For an op that can add to what is there: hands it the cell of input i, if nothing else sees that memory. */
static void lend_cell(tg_walk *w, const tg_node *node, int i, tg_array *din) {
    if (w->mode.sparse) return; /* which looks at each contribution alone */
    tg_slot *s = tg_slot_peek(node->in[i]);
    tg_cell *c = s ? tg_walk_cell(w, s) : NULL;
    if (!c || !c->value.data || !tg_array_is_exclusive(&c->value) || !tg_array_is_contiguous(&c->value)) return;
    *din = c->value;
    c->value.data = NULL, c->value.buffer = NULL;
}

/* What one call of a rule needs by input: on the stack for few, in the scratch arena for many. */
#define FEW 8

static tg_status step_kernel(tg_walk *w, const tg_node *node, tg_cell *cells) {
    const tg_array *dout[TG_MAX_OUT];
    tg_array few[FEW], *din = few;
    if (node->n_in > FEW && !(din = tg_walk_scratch(w, (size_t)node->n_in, sizeof *din))) return tg_error_status();
    for (int o = 0; o < node->n_out; o++) dout[o] = cells[o].value.data ? &cells[o].value : NULL;
    for (int i = 0; i < node->n_in; i++) {
        din[i].data = NULL, din[i].buffer = NULL;
        if (i < 16 && node->op->accumulates & TG_IN(i) && needed(w, node, i)) lend_cell(w, node, i, &din[i]);
    }
    tg_status s = tg_callback_check(w->tape, node->op->grad_kernel(node, dout, din), node->op->name);
    for (int i = 0; s == TG_OK && w->mode.sparse && i < node->n_in; i++) s = drop_unreached(node, i, dout[0], &din[i]);
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *in = s == TG_OK ? needed(w, node, i) : NULL;
        if (in && !din[i].data) s = fail_missing(node, i);
        if (in && din[i].data)
            s = contribute_value(w, node, i, in, &din[i]);
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
    if (node->n_in > FEW && !(*din = tg_walk_scratch(w, (size_t)node->n_in, sizeof **din))) return tg_error_status();
    memset(*din, 0, (size_t)node->n_in * sizeof **din);
    tg_callback rule = tg_callback_begin();
    call_named(node, dout, *din);
    tg_status s = tg_callback_end(rule, tg_error_status(), node->op->name);
    for (int i = 0; s == TG_OK && i < node->n_in; i++)
        if (needed(w, node, i) && !(*din)[i]) s = fail_missing(node, i);
    return s;
}

static tg_status step_values(tg_walk *w, const tg_node *node, tg_cell *cells) {
    tg_tensor *dout[TG_MAX_OUT], *few[FEW], **din = few;
    tg_mark before = tg_tape_mark();
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < node->n_out; o++) {
        dout[o] = NULL;
        if (!cells[o].value.data) continue;
        dout[o] = tg_from_array(&cells[o].value);
        s = tg_error_status();
    }
    if (s == TG_OK) s = call_rule(w, node, dout, &din);
    for (int i = 0; s == TG_OK && i < node->n_in; i++) {
        tg_slot *in = needed(w, node, i);
        if (!in) continue;
        tg_slot *g = tg_slot_with_data(din[i], node->op->name);
        tg_array value = {0};
        if (g) tg_array_share(&value, &g->a);
        if (g && w->mode.sparse) s = drop_unreached(node, i, &cells[0].value, &value);
        if (g && s == TG_OK) s = contribute_value(w, node, i, in, &value);
        if (!g) s = tg_error_status();
        tg_array_drop(&value);
    }
    (tg_tape_rewind)(before);
    return s;
}

static tg_status step_recorded(tg_walk *w, const tg_node *node, tg_cell *cells) {
    tg_tensor *dout[TG_MAX_OUT], *few[FEW], **din = few;
    for (int o = 0; o < node->n_out; o++) dout[o] = cells[o].handle;
    tg_status s = call_rule(w, node, dout, &din);
    for (int i = 0; s == TG_OK && i < node->n_in; i++)
        if (needed(w, node, i)) s = contribute_handle(w, node, i, din[i]);
    return s;
}

static tg_status check_version(const tg_node *node, tg_slot *s, int k) {
    if (!s->a.buffer || s->a.buffer->version == node->version[k]) return TG_OK;
    char text[160];
    tg_describe(tg_handle(s), text, sizeof text);
    return tg_fail(TG_ERR_TAPE,
                   "backward: %s needs the elements of %s (made by %s) as they were, but they have since been changed "
                   "in place by %s",
                   node->op->name, text, s->maker.op, s->a.buffer->changed_by ? s->a.buffer->changed_by : "the user");
}

/* ---- the loop ---- */

static void mark_useful(tg_walk *w) {
    for (int64_t id = w->low; id <= w->high; id++) {
        const tg_node *node = w->tape->node[id];
        bool useful = false;
        for (int i = 0; !useful && i < node->n_in; i++) useful = node->in[i] && needed(w, node, i);
        w->useful[id - w->low] = useful;
    }
}

static bool holds(const tg_walk *w, const tg_cell *c) { return w->mode.record ? c->handle != NULL : c->value.data != NULL; }

/* The gradients of a node's outputs are complete here: copies for those that are goals themselves. */
static tg_status capture(tg_walk *w, const tg_node *node, tg_cell *cells) {
    for (int o = 0; o < node->n_out; o++) {
        tg_slot *s = tg_slot_peek(node->out[o]);
        if (!s || !holds(w, &cells[o])) continue;
        if (s->hooks && tg_hooks_run(w, s, &cells[o]) != TG_OK) return tg_error_status();
        if (w->mode.collect && !s->retain_grad) continue;
        tg_goal *g = tg_walk_goal(w, s, w->mode.collect);
        if (!g && tg_error_status() != TG_OK) return tg_error_status();
        if (!g) continue;
        g->cell.handle = cells[o].handle;
        if (!w->mode.record) tg_array_share(&g->cell.value, &cells[o].value);
    }
    return TG_OK;
}

/* Rules may rely on it: what the node refers to is there, and what it saved is as it was. */
static tg_status check_node(const tg_node *node) {
    if (node->walked)
        return tg_fail(TG_ERR_TAPE, "backward: the graph of %s was walked before and what it saved is gone (.retain keeps it)",
                       node->op->name);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] && !tg_slot_peek(node->in[i]) && !tg_slot_of(node->in[i], node->op->name))
            return tg_error_status();
    return node->saved ? tg_each_saved(node, check_version) : TG_OK;
}

/* The gradients of leaves are complete when the walk is. A part of a walk leaves them to the whole. */
static tg_status leaf_hooks(tg_walk *w) {
    for (int64_t i = 0; w->mode.floor == 0 && i < w->cap_goals; i++) {
        tg_goal *g = &w->goal[i];
        tg_slot *s = g->slot ? tg_goal_slot(g) : NULL;
        if (g->slot && !s) return tg_error_status();
        if (s && s->hooks && tg_walk_leaf(w, s) && holds(w, &g->cell) && tg_hooks_run(w, s, &g->cell) != TG_OK)
            return tg_error_status();
    }
    return TG_OK;
}

static tg_status step(tg_walk *w, tg_node *node, tg_cell *cells) {
    tg_status s = check_node(node);
    if (s != TG_OK) return s;
    if (node->op->grad_kernel && !w->mode.record)
        s = step_kernel(w, node, cells);
    else if (node->op->grad == tg_walks_itself)
        s = tg_checkpoint_walk(w, node, cells);
    else
        s = w->mode.record ? step_recorded(w, node, cells) : step_values(w, node, cells);
    if (s == TG_OK && !w->mode.retain) tg_node_unsave(node);
    return s;
}

static void recycle(tg_walk *w, const tg_node *node, tg_cell *cells) {
    for (int o = 0; o < node->n_out; o++) tg_walk_drop(&cells[o]);
    w->cell[node->id - w->low] = NULL;
    if (node->n_out != 1) return;
    cells->next = w->free;
    w->free = cells;
}

tg_status tg_walk_run(tg_walk *w) {
    tg_callback_outer outer = tg_callback_enter(w->tape);
    bool was_off = tg_grad_off, was_reading = tg_reading_saved;
    tg_grad_off = !w->mode.record;
    tg_reading_saved = true;
    if (w->useful) mark_useful(w);
    tg_status s = TG_OK;
    for (int64_t id = w->high; s == TG_OK && id >= w->low && w->cell; id--) {
        tg_cell *cells = w->cell[id - w->low];
        if (!cells) continue;
        tg_node *node = w->tape->node[id];
        s = capture(w, node, cells);
        if (s == TG_OK && (!w->useful || w->useful[id - w->low])) s = step(w, node, cells);
        recycle(w, node, cells);
    }
    if (s == TG_OK) s = leaf_hooks(w);
    if (s == TG_OK) s = tg_error_status(); /* raised by a kernel or hook that said it was fine */
    tg_grad_off = was_off;
    tg_reading_saved = was_reading;
    return tg_callback_leave(w->tape, outer, s, "backward");
}
