/* The op at fault: each node that the input's gradient flows through is checked alone, at the inputs that it really has. */
#include "autograd/check/check.h"
#include "autograd/functional.h"

#include <stdlib.h>
#include <string.h>

/* A node applied again: the inputs that take a gradient are leaves of the check, all others are as they were. */
typedef struct alone {
    const tg_node *node;
    tg_tensor **in;   /* of the node, NULL where one was left out */
    int *at;          /* the places of the leaves among them */
    tg_tensor **leaf; /* copies */
    int n_leaf, output;
} alone;

static tg_tensor *apply_again(tg_tensor *const *in, void *user) {
    alone *a = user;
    tg_tensor *out[TG_MAX_OUT];
    for (int i = 0; i < a->n_leaf; i++) a->in[a->at[i]] = in[i];
    if (tg_apply_multi(a->node->op, a->in, a->node->n_in, a->node->attr, out) != TG_OK) return tg_poison();
    return out[a->output];
}

/* Whether what the node was given is still there, unchanged since. */
static bool is_intact(const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
        if (node->in[i] && (!s || s->released || !s->a.data)) return false;
    }
    return node->op->forward || node->op->infer;
}

/* A copy that lies in memory as the original does, for a kernel may be wrong for its strides alone. Of an array whose elements
 * lie far apart, or are repeated, it is contiguous. */
static tg_tensor *copy_laid_out(const tg_array *a) {
    int64_t before = 0, behind = 0; /* elements beside the one at the origin */
    for (int k = 0; k < a->rank && a->numel > 0; k++) {
        int64_t reach = (a->shape[k] - 1) * a->stride[k];
        *(reach < 0 ? &before : &behind) += reach < 0 ? -reach : reach;
    }
    bool alike = a->numel > 0 && tg_array_visits_once(a) && (before + behind) / 64 < a->numel;
    tg_tensor *copy = tg_zeros_with(TG_F64, alike ? TG_SHAPE(before + 1 + behind) : tg_array_shape(a));
    if (tg_is_poison(copy)) return copy;
    tg_array *to = &tg_slot_peek(copy)->a;
    if (alike) {
        to->data = (double *)to->data + before, to->numel = a->numel, to->rank = a->rank;
        memcpy(to->shape, a->shape, sizeof to->shape), memcpy(to->stride, a->stride, sizeof to->stride);
    }
    tg_array_copy(to, a);
    return copy;
}

static bool set_up(alone *a, const tg_node *node) {
    size_t n = (size_t)node->n_in;
    *a = (alone){.node = node};
    a->in = tg_subject_memory(n, sizeof *a->in);
    a->at = tg_subject_memory(n, sizeof *a->at);
    a->leaf = tg_subject_memory(n, sizeof *a->leaf);
    for (int i = 0; tg_error_status() == TG_OK && i < node->n_in; i++) {
        const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
        a->in[i] = node->in[i];
        if (!s || !s->requires_grad || s->a.dtype != TG_F64 || (i < 16 && node->op->no_grad & TG_IN(i))) {
            if (s && s->requires_grad) a->in[i] = tg_detach(node->in[i]);
            continue;
        }
        tg_tensor *copy = copy_laid_out(&s->a);
        if (tg_is_poison(copy)) break;
        a->at[a->n_leaf] = i;
        a->leaf[a->n_leaf++] = tg_set_requires_grad(copy, true);
    }
    return tg_error_status() == TG_OK && a->n_leaf > 0;
}

/* ---- what is wrong with it ---- */

static double product_with(tg_tensor *const *a, tg_tensor *const *b, int n, double *size) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < tg_numel(a[i]); k++) {
            double term = tg_get(a[i], k) * tg_get(b[i], k);
            sum += term;
            *size += term < 0 ? -term : term;
        }
    return sum;
}

/* J^T u comes from a walk that is not recorded, J v from differentiating a recorded one: <u, J v> = <J^T u, v>. */
static bool is_adjoint(tg_subject *s, alone *a) {
    tg_tensor *y, *jv, **v = tg_subject_memory((size_t)a->n_leaf, sizeof *v),
                       **ju = tg_subject_memory((size_t)a->n_leaf, sizeof *ju);
    for (int i = 0; v && i < a->n_leaf; i++) v[i] = tg_subject_random(s, tg_shape_of(a->leaf[i]));
    if (!ju || tg_jvp_with(apply_again, a, a->n_leaf, a->leaf, v, &y, &jv,
                           (tg_jvp_opts){.allow_unused = true}) != TG_OK)
        return true;
    tg_tensor *u = tg_subject_random(s, tg_shape_of(y));
    if (tg_vjp_with(apply_again, a, a->n_leaf, a->leaf, u, NULL, ju, (tg_vjp_opts){.allow_unused = true}) !=
        TG_OK)
        return true;
    double size = 0, left = product_with(&u, &jv, 1, &size), right = product_with(ju, v, a->n_leaf, &size);
    double apart = left - right;
    return (apart < 0 ? -apart : apart) <= 1e-9 * size;
}

static void blame(tg_check *c, alone *a, int order) {
    tg_gradcheck_report *r = c->r;
    const tg_node *node = a->node;
    char *line = NULL;
    size_t size = 0;
    snprintf(r->op, sizeof r->op, "%s", node->op->name);
    FILE *file = open_memstream(&line, &size);
    if (file) {
        tg_tape_print_node(file, node->id);
        fclose(file);
    }
    snprintf(r->place, sizeof r->place, "%.*s", line ? (int)strcspn(line, "\n") : 0, line ? line : "");
    free(line);
    if (!r->place[0]) snprintf(r->place, sizeof r->place, "%s", node->op->name);
    r->fault = order > 1 ? TG_FAULT_SECOND : is_adjoint(&c->s, a) ? TG_FAULT_RULE : TG_FAULT_TRANSPOSE;
}

/* ---- each node ---- */

/* Whether output o goes on: into another node, or as the result y. Of an op's further outputs some are only for its own rule. */
static bool goes_on(const tg_node *node, int o, const tg_tensor *y) {
    if (node->n_out == 1 || node->out[o] == y) return true;
    for (int64_t i = node->id + 1; i < tg_tape_nodes(); i++)
        for (int k = 0; k < tg_tape_node(i)->n_in; k++)
            if (tg_tape_node(i)->in[k] == node->out[o]) return true;
    return false;
}

/* The order at which the node alone is wrong; 0: it is right, as far as can be told. */
static int wrong_order(tg_check *c, alone *a, const tg_tensor *y) {
    tg_gradcheck_report r;
    const tg_node *node = a->node;
    for (a->output = 0; a->output < node->n_out; a->output++) {
        const tg_slot *s = tg_slot_peek(node->out[a->output]);
        if (!s || s->a.dtype != TG_F64 || !s->requires_grad || !goes_on(node, a->output, y)) continue;
        tg_gradcheck_with(apply_again, a, a->n_leaf, a->leaf, &r,
                          (tg_gradcheck_opts){.directions = 2,
                                              .order = c->r->order,
                                              .seed = c->opts.seed + 1,
                                              .allow_zero = true,
                                              .allow_empty = true,
                                              .no_search = true});
        if (r.verdict == TG_WRONG) return r.order;
        tg_gradcheck_with(apply_again, a, a->n_leaf, a->leaf, &r,
                          (tg_gradcheck_opts){.samples = 8,
                                              .order = c->r->order,
                                              .seed = c->opts.seed + 2,
                                              .allow_zero = true,
                                              .allow_empty = true,
                                              .no_search = true});
        if (r.verdict == TG_WRONG) return r.order;
    }
    return 0;
}

static bool is_at_fault(tg_check *c, const tg_node *node, const tg_tensor *y) {
    tg_mark mark = tg_tape_mark();
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    alone a;
    int order = 0;
    if (!node->op->has_state && node->op->grad != tg_no_grad && is_intact(node) && set_up(&a, node)) {
        order = wrong_order(c, &a, y);
        if (a.output == node->n_out) a.output = 0;
        if (order > 0) blame(c, &a, order);
    }
    tg_error_clear();
    tg_tape_rewind(mark);
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    return order > 0;
}

/* f is run once more, recorded, and its nodes are looked at in the order in which they were made, those that the input leads
 * to: of a fault that spreads the first is the cause. */
void tg_check_locate(tg_check *c) {
    tg_mark mark = tg_tape_mark();
    tg_callback inside = tg_callback_begin();
    tg_tensor *y = c->s.f(c->s.in, c->s.user);
    bool ran = tg_callback_end(inside, tg_error_status(), c->s.who) == TG_OK && tg_slot_peek(y);
    int64_t end = tg_tape_nodes(), from = mark.nodes;
    size_t n = ran && end > from ? (size_t)(end - from) : 0;
    bool *reached = n ? tg_subject_memory(n, sizeof *reached) : NULL;
    const tg_tensor *x = c->s.in[c->r->input];
    for (int64_t i = from; reached && i < end; i++) {
        const tg_node *node = tg_tape_node(i);
        bool here = false;
        for (int k = 0; k < node->n_in && !here; k++) {
            const tg_slot *s = node->in[k] ? tg_slot_peek(node->in[k]) : NULL;
            here = s && (node->in[k] == x || (s->node && s->node->id >= from && reached[s->node->id - from]));
        }
        reached[i - from] = here;
        if (here && is_at_fault(c, node, y)) break;
    }
    tg_error_clear();
    tg_tape_rewind(mark);
}
