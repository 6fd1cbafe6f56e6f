/* A walk that somebody watches: before a step the adjoints of the node's inputs are put aside, so that what its rule gives is
 * seen alone; and a walk that goes once more over a graph that may have been walked. */
#include "autograd/blame/blame.h"
#include "core/work.h"

#include <string.h>

_Thread_local TG_HOT tg_watcher *tg_watching;

/* Whether input i is the first of the node's inputs that is this slot. */
static bool is_first(const tg_node *node, int i) {
    for (int k = 0; k < i; k++)
        if (node->in[k] == node->in[i]) return false;
    return true;
}

static const tg_array *array_of(const tg_adjoint *a) {
    if (!a || tg_adjoint_is_empty(a)) return NULL;
    return a->handle ? tg_elements_there(a->handle) : &a->value;
}

static void put_aside(const tg_walk *w, const tg_node *node, tg_adjoint *held) {
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *s = is_first(node, i) ? tg_walk_needed(w, node, i) : NULL;
        tg_adjoint *a = s ? tg_walk_find_adjoint(w, s) : NULL;
        held[i] = (tg_adjoint){0};
        if (!a || tg_adjoint_is_empty(a)) continue;
        held[i].value = a->value, held[i].handle = a->handle;
        a->value.data = NULL, a->value.buffer = NULL, a->handle = NULL;
    }
}

/* The sum of what was there and what came; only walks of values put anything aside. */
static tg_status put_back(tg_adjoint *a, tg_adjoint *held) {
    tg_status s = a ? tg_adjoint_accumulate(a, &held->value) : tg_error_status();
    tg_adjoint_drop(held);
    return s;
}

static tg_status show(tg_watcher *o, tg_walk *w, const tg_node *node, const tg_adjoint *adjoints,
                      tg_adjoint *held) {
    const tg_array *dout[TG_MAX_OUT];
    tg_status status = TG_OK;
    for (int k = 0; k < node->n_out; k++) dout[k] = array_of(&adjoints[k]);
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *s = is_first(node, i) ? tg_walk_needed(w, node, i) : NULL;
        if (!s) continue;
        const tg_contribution c = {w, node, i, s, array_of(tg_walk_find_adjoint(w, s)), dout};
        if (status == TG_OK) status = o->contributed(o, &c);
        tg_status back =
            held && !tg_adjoint_is_empty(&held[i]) ? put_back(tg_walk_adjoint(w, s), &held[i]) : TG_OK;
        if (status == TG_OK) status = back;
    }
    return status;
}

/* The node keeps what it saved until all has been looked at. */
static tg_status step_and_show(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints,
                               tg_adjoint *held) {
    const bool retain = w->mode.retain;
    if (held) put_aside(w, node, held);
    w->mode.retain = true;
    tg_status s = tg_step_plain(w, node, adjoints);
    w->mode.retain = retain;
    if (s == TG_OK) s = show(o, w, node, adjoints, held);
    for (int i = 0; held && i < node->n_in; i++) tg_adjoint_drop(&held[i]);
    if (s == TG_OK && !retain) tg_node_unsave(node);
    return s;
}

tg_status tg_step_watched(tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    tg_watcher *o = tg_watching;
    if (o && o->step) return o->step(o, w, node, adjoints);
    if (!o || w->mode.record || !o->apart) return step_and_show(o, w, node, adjoints, NULL);
    tg_adjoint few[4], *held = few;
    size_t bytes = (size_t)node->n_in * sizeof *held;
    if (node->n_in > 4 && !(held = tg_sys_alloc(bytes))) return tg_fail_memory(bytes);
    tg_status s = step_and_show(o, w, node, adjoints, held);
    if (held != few) tg_sys_free(held, bytes);
    return s;
}

/* ---- once more ---- */

static tg_status check_there(const tg_node *node, tg_slot *s, int k) {
    (void)k;
    return tg_slot_with_data(tg_handle(s), node->op->name) ? TG_OK : tg_error_status();
}

tg_status tg_check_saved_there(const tg_node *node) { return tg_each_saved(node, node->saved, check_there); }

static tg_status seed_root(tg_walk *w, tg_slot *root, const tg_tensor *seed) {
    if (!seed) seed = tg_full_with((tg_dtype)root->a.dtype, 1, tg_array_shape(&root->a));
    tg_slot *s = tg_slot_with_data(seed, "backward");
    return s ? tg_walk_seed(w, root, s) : tg_error_status();
}

static tg_status run_again(const tg_rewalk *r, tg_walk *w, tg_array *gradient) {
    tg_status s = r->t && !tg_walk_add_target(w, r->t) ? tg_error_status() : TG_OK;
    for (int i = 0; s == TG_OK && i < r->n; i++)
        if (r->root[i]->requires_grad) s = seed_root(w, r->root[i], r->seeds ? r->seeds[i] : NULL);
    if (s == TG_OK) s = tg_walk_run(w);
    const tg_target *t = s == TG_OK && r->t ? tg_walk_find_target(w, r->t) : NULL;
    if (t && t->adjoint.value.data) tg_array_share(gradient, &t->adjoint.value);
    return s;
}

tg_status tg_walk_again(const tg_rewalk *r, tg_watcher *o, tg_array *gradient) {
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    const int64_t tensors = tape->region.count, nodes = tape->n_nodes;
    tg_walk w;
    tg_watcher *outer = tg_watching;
    const unsigned watched = tg_watched;
    const tg_walk_mode mode = {.retain = true, .again = true, .all_leaves = !r->t, .floor = r->floor};
    tg_status s = tg_walk_begin(&w, r->n, r->root, mode);
    if (s == TG_OK) {
        tg_watching = o, tg_watched |= TG_WATCH_ELEMENTS;
        s = run_again(r, &w, gradient);
        tg_watching = outer, tg_watched = watched;
        tg_walk_end(&w);
    }
    tg_tape_cut(tape, tensors, nodes);
    return s;
}
