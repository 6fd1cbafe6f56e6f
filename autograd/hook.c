/* Hooks: functions of the user's that see gradients on their way. */
#include "autograd/walk.h"

#include "core/work.h"

tg_status tg_register_hook(tg_tensor *t, tg_hook hook, void *user) {
    tg_slot *s = tg_slot_of(t, "tg_register_hook");
    char text[160];
    if (!s) return tg_error_status();
    if (!tg_may_do("tg_register_hook")) return tg_error_status();
    if (!hook) return tg_fail(TG_ERR_ARGUMENT, "tg_register_hook: the hook is NULL");
    if (!s->requires_grad)
        return tg_fail(TG_ERR_TAPE, "tg_register_hook: %s requires no gradient, so a hook would never run",
                       tg_describe(t, text, sizeof text));
    tg_hooked *h = tg_slot_extras(s) ? tg_sys_alloc(sizeof *h) : NULL;
    if (!h) return tg_fail_memory(sizeof *h);
    *h = (tg_hooked){hook, user, ++s->extras->hooks_made, NULL};
    tg_hooked **last = &s->extras->hooks;
    while (*last) last = &(*last)->next;
    *last = h;
    return TG_OK;
}

tg_status tg_remove_hooks(tg_tensor *t) {
    tg_slot *s = tg_slot_of(t, "tg_remove_hooks");
    if (!s) return tg_error_status();
    if (!tg_may_do("tg_remove_hooks")) return tg_error_status();
    tg_slot_drop_hooks(s);
    return TG_OK;
}

tg_status tg_remove_hook(tg_tensor *t, tg_hook hook, void *user) {
    tg_slot *s = tg_slot_of(t, "tg_remove_hook");
    if (!s) return tg_error_status();
    if (!tg_may_do("tg_remove_hook")) return tg_error_status();
    if (!s->extras) return TG_OK;
    for (tg_hooked **at = &s->extras->hooks, *h; (h = *at); at = &h->next) {
        if (h->hook != hook || h->user != user) continue;
        *at = h->next;
        tg_sys_free(h, sizeof *h);
        break;
    }
    return TG_OK;
}

bool tg_hook_is_last(const tg_tensor *t, tg_hook hook, const void *user) {
    const tg_slot *s = tg_slot_of(t, "tg_hook_is_last");
    const tg_hooked *h = s ? tg_slot_hooks(s) : NULL;
    while (h && h->next) h = h->next;
    return h && h->hook == hook && h->user == user;
}

/* What a hook returned, if it can stand for the gradient of s. */
static tg_slot *read_result(const tg_tensor *g, const tg_slot *s) {
    tg_slot *r = tg_slot_with_data(g, "hook");
    char text[160], of[160];
    if (!r || (r->a.dtype == s->a.dtype && tg_array_same_shape(&r->a, &s->a))) return r;
    tg_fail(TG_ERR_SHAPE, "hook: the function returned %s in place of the gradient of %s",
            tg_describe(g, text, sizeof text), tg_describe(tg_handle(s), of, sizeof of));
    return NULL;
}

static tg_tensor *call(tg_hook hook, void *user, tg_tensor *g) {
    tg_callback c = tg_callback_begin();
    tg_tensor *r = hook(g, user);
    return tg_callback_end(c, tg_error_status(), "hook") == TG_OK ? r : NULL;
}

static tg_status run_on_handle(const tg_hooked *h, const tg_slot *s, tg_adjoint *a) {
    tg_tensor *g = call(h->hook, h->user, a->handle);
    if (g && read_result(g, s)) a->handle = g;
    return tg_error_status();
}

/* Runs the hook in a nested scope, with which all that it makes on the way goes. */
static tg_status run_on_value(const tg_hooked *h, const tg_slot *s, tg_adjoint *a) {
    tg_mark before = tg_tape_mark();
    tg_tensor *shown = tg_from_array(&a->value), *g = NULL;
    if (!tg_is_poison(shown)) g = call(h->hook, h->user, shown);
    tg_slot *r = g ? read_result(g, s) : NULL;
    if (r && g != shown) {
        tg_array_drop(&a->value);
        tg_array_share(&a->value, &r->a);
    }
    tg_tape_rewind(before);
    return tg_error_status();
}

/* The hook after the one of this number, which may have removed itself and others. */
static const tg_hooked *after(const tg_slot *s, int64_t number) {
    const tg_hooked *h = tg_slot_hooks(s);
    while (h && h->number <= number) h = h->next;
    return h;
}

/* Runs the hooks that there are now; those that hooks register wait for the next walk. */
tg_status tg_hooks_run(const tg_walk *w, tg_slot *s, tg_adjoint *a) {
    const tg_tensor *t = tg_handle(s);
    if (w->mode.again) return TG_OK; /* they may do anything, and have done it */
    a->finite = false;
    const int64_t last = s->extras->hooks_made;
    int64_t number = 0;
    for (const tg_hooked *h; (h = after(s, number)) && h->number <= last;) {
        number = h->number;
        tg_status status = w->mode.record ? run_on_handle(h, s, a) : run_on_value(h, s, a);
        if (status != TG_OK) return status;
        if (!tg_slot_of(t, "hook")) return tg_error_status(); /* it freed the tensor */
    }
    return TG_OK;
}

/* ---- when those of leaves run ----
 *
 * The adjoint of a leaf is complete once the walk has passed the lowest node on path that reads it. That node is looked
 * for where a leaf has hooks, and nowhere else. */

/* The walk has just passed node `from`. On path are, of the nodes below, those with an adjoint already and what they
 * depend on; `from` itself may be the last that reads a leaf. */
static tg_status find_last_readers(tg_walk *w, int64_t from) {
    bool *reached = tg_walk_scratch(w, (size_t)(from - w->low + 1), sizeof *reached);
    if (!reached) return tg_error_status();
    reached[from - w->low] = true;
    for (int64_t id = from; id >= w->low; id--) {
        const tg_node *node = tg_node_at(w->tape, id);
        if (!reached[id - w->low] && !w->adjoint[id - w->low]) continue;
        for (int i = 0; i < node->n_in; i++) {
            tg_slot *s = tg_walk_needed(w, node, i);
            if (s && !tg_walk_leaf(w, s)) reached[s->node->id - w->low] = true;
            if (!s || !tg_slot_hooks(s) || !tg_walk_leaf(w, s)) continue;
            tg_target *t = tg_walk_add_target(w, s);
            if (!t) return tg_error_status();
            t->last_reader = id;
        }
    }
    return TG_OK;
}

static tg_status run_on_leaf(tg_walk *w, tg_target *t, tg_slot *s) {
    if (!tg_slot_hooks(s) || t->complete || !tg_walk_leaf(w, s) || tg_adjoint_is_empty(&t->adjoint))
        return TG_OK;
    t->complete = true;
    return tg_hooks_run(w, s, &t->adjoint);
}

tg_status tg_hooks_of_leaves(tg_walk *w, const tg_node *node) {
    if (!w->readers_known && find_last_readers(w, node->id) != TG_OK) return tg_error_status();
    w->readers_known = true;
    tg_status status = TG_OK;
    for (int i = 0; status == TG_OK && i < node->n_in; i++) {
        tg_slot *s = tg_slot_peek(node->in[i]);
        tg_target *t = s && tg_slot_hooks(s) ? tg_walk_find_target(w, s) : NULL;
        if (t && t->last_reader == node->id) status = run_on_leaf(w, t, s);
    }
    return status;
}

/* Those that no node on path reads, because the walk began at them, and those that got their hooks while it was under
 * way. A part of a walk leaves them to the whole. */
tg_status tg_hooks_of_other_leaves(tg_walk *w) {
    for (int64_t i = 0; w->mode.floor == 0 && i < w->cap_targets; i++) {
        tg_target *t = &w->target[i];
        if (!t->slot) continue;
        tg_slot *s = tg_target_slot(t);
        if (!s || run_on_leaf(w, t, s) != TG_OK) return tg_error_status();
    }
    return TG_OK;
}
