/* What the finite check need not read again: adjoints of leaves that were seen to be finite by whoever wrote them. Leaves alone,
 * since no other gradient leaves the walk; and large ones alone, since small ones are still in the cache at its end. */
#include "autograd/walk.h"
#include "core/kernels/look.h"

static bool is_worth_a_look(const tg_walk *w, const tg_slot *s) {
    return s && tg_walk_leaf(w, s) && s->a.numel >= TG_LOOK_LEAST;
}

/* Whether what the op's rule leaves for input i is noted by whoever writes it. */
static bool is_looked_at(const tg_op *op, int i) {
    return op->of_kernels || (i < 16 && op->looked & TG_IN(i));
}

tg_look *tg_look_of(const tg_walk *w, const tg_node *node) {
    if (w->hear) return NULL;
    for (int i = 0; i < node->n_in; i++)
        if (is_looked_at(node->op, i) && is_worth_a_look(w, tg_walk_needed(w, node, i))) return w->look;
    return NULL;
}

/* A first contribution is moved, so that the rule wrote it, unless it had to be summed down: then it lies elsewhere. To others it
 * is added here, which is looked at whatever the rule is. */
tg_status tg_adjoint_accumulate_looked(tg_walk *w, const tg_node *node, int i, const tg_slot *s,
                                       tg_adjoint *a, tg_array *g, const void *made) {
    if (w->hear) return w->hear(w, node, i, s, a, g);
    if (!is_worth_a_look(w, s)) return tg_adjoint_accumulate(a, g);
    const bool first = !a->value.data;
    const bool seen = g->data == made && is_looked_at(node->op, i) && tg_look_saw(w->look, g);
    tg_look *outer = tg_looking;
    tg_looking = w->look;
    tg_status status = tg_adjoint_accumulate(a, g);
    tg_looking = outer;
    a->finite = status == TG_OK && (first ? seen : tg_look_saw(w->look, &a->value));
    return status;
}
