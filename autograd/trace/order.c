/* The same graph walked in a wrong order: depth first, without sorting.
 *
 *     visit(node) { for each input: grad(input) += rule(node, grad of its output as it is now)
 *                   for each input that a node made: visit(that node) }
 *
 * An adjoint that is read before all of its contributions have come lacks some; and where two paths meet a rule is run once for each,
 * with contributions that were passed on before. The rules are the tape's own, run within the first step of a private walk, whose
 * adjoints serve as grad().
 *
 * Until the first deviation each contribution is right, so that it is found by counting: at the first node whose adjoint has not
 * as many as in the right order, or that was run before. */
#include "autograd/trace/model.h"
#include "autograd/blame/blame.h"
#include "core/kernels/look.h"

enum { NODES = 200, NUMBERS = 200000, RUNS = 4000, TWICE = 16 };

/* Steps that are listed, in a small graph with all sums; in others until some behind the first deviation, around which sums are. */
enum { LISTED = 40, BEFORE = 4, BEHIND = 8 };

typedef struct visit {
    tg_node *node;
    int next; /* the input to be looked at */
    bool run; /* its rule has */
} visit;

typedef struct walker {
    tg_watcher watcher; /* first */
    tg_trace *t;
    tg_look look; /* never looked at */
    bool done;
    bool valued;      /* the step at hand is listed with its sums */
    int *last;        /* by tensor: its adjoint as it was listed last */
    visit *stack;     /* no deeper than there are nodes */
    tg_adjoint *root; /* those of the loss's node */
} walker;

/* ---- the first deviation: counted, without a rule ---- */

typedef struct counting {
    const tg_trace *t;
    int64_t *count;   /* by tensor: contributions so far */
    int *runs;        /* by node */
    int *node, *next; /* a stack: nodes, and the input of each that is to be looked at */
} counting;

/* The contributions of the node's rule. Why the right order would not run it now; NULL: it would. */
static const char *count_run(const counting *c, const tg_traced_node *n) {
    bool lacks = false;
    const tg_traced_step *s = n->step < 0 ? NULL : &c->t->step[n->step];
    for (int i = 0; i < n->node->n_out; i++) {
        const int x = c->t->index[n->out + i];
        lacks = lacks || c->count[x] != c->t->tensor[x].given;
    }
    for (int64_t i = 0; s && i < s->n_parts; i++) c->count[c->t->part[s->part + i].tensor]++;
    return c->runs[n - c->t->node]++ > 0 ? "again" : lacks ? "incomplete" : NULL;
}

/* The node behind the next input that has come to have a gradient, or -1. */
static int next_behind(const counting *c, int node, int *next) {
    const tg_traced_node *n = &c->t->node[node];
    while (*next < n->node->n_in) {
        const int i = (*next)++, x = c->t->index[n->in + i];
        if (x >= 0 && c->t->tensor[x].node >= 0 && c->count[x] > 0 && tg_walk_needed(NULL, n->node, i))
            return c->t->tensor[x].node;
    }
    return -1;
}

static tg_status find_first(tg_trace *t) {
    const size_t nodes = (size_t)(t->end - t->first);
    counting c = {.t = t, .count = tg_trace_room(t, (size_t)t->n_tensors, sizeof *c.count)};
    c.runs = tg_trace_room(t, nodes, sizeof *c.runs);
    c.node = tg_trace_room(t, nodes + 1, sizeof *c.node);
    c.next = tg_trace_room(t, nodes + 1, sizeof *c.next);
    if (!c.count || !c.runs || !c.node || !c.next) return tg_error_status();
    int depth = 1;
    c.node[0] = t->tensor[t->loss_tensor].node;
    t->orders.reason = count_run(&c, &t->node[c.node[0]]);
    int64_t run = 1;
    while (depth > 0 && !t->orders.reason && run < RUNS) {
        const int behind = next_behind(&c, c.node[depth - 1], &c.next[depth - 1]);
        if (behind < 0) {
            depth--;
            continue;
        }
        t->orders.reason = count_run(&c, &t->node[behind]);
        c.node[depth] = behind, c.next[depth++] = 0, run++;
    }
    t->orders.first = t->orders.reason ? run - 1 : -1;
    return TG_OK;
}

/* ---- one rule ---- */

static tg_status note(walker *k, int x, const tg_array *sum) {
    tg_traced_orders *o = &k->t->orders;
    if (!TG_TRACE_GROW(o->part, o->cap_parts, o->n_parts)) return tg_error_status();
    if ((k->last[x] = tg_trace_values(k->t, sum, TG_TRACE_BRIEF)) < 0) return tg_error_status();
    o->part[o->n_parts++] = (tg_wrong_part){x, k->last[x]};
    o->step[o->n_steps - 1].n_parts++;
    return TG_OK;
}

static tg_status hear(tg_walk *w, const tg_node *node, int i, const tg_slot *s, tg_adjoint *a, tg_array *g) {
    walker *k = w->hearer;
    const int x = tg_trace_find(k->t, tg_handle(s));
    tg_status status = tg_adjoint_accumulate(a, g);
    (void)node, (void)i;
    if (x < 0 || status != TG_OK) return status;
    return k->valued ? note(k, x, &a->value) : TG_OK;
}

static tg_status begin_step(walker *k, const tg_traced_node *n, const tg_adjoint *adjoints) {
    tg_traced_orders *o = &k->t->orders;
    const bool small = k->t->end - k->t->first <= TG_TRACE_FEW;
    const int64_t run = o->runs++, end = small ? LISTED : o->first + BEHIND;
    k->valued = run < end && (small || run >= o->first - BEFORE);
    if (run >= end) return TG_OK;
    if (!TG_TRACE_GROW(o->step, o->cap_steps, o->n_steps)) return tg_error_status();
    const int x = k->t->index[n->out];
    tg_wrong_step step = {.node = (int)(n - k->t->node), .dout = -1, .part = o->n_parts};
    if (k->valued && adjoints[0].value.data) {
        if (k->last[x] < 0) k->last[x] = tg_trace_values(k->t, &adjoints[0].value, TG_TRACE_BRIEF);
        if ((step.dout = k->last[x]) < 0) return tg_error_status();
    }
    o->step[o->n_steps++] = step;
    return TG_OK;
}

static tg_status run(walker *k, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    const tg_traced_node *n = &k->t->node[tg_trace_number(k->t, node->id)];
    tg_traced_orders *o = &k->t->orders;
    if (o->runs == RUNS) return o->cut = true, TG_OK;
    tg_status s = begin_step(k, n, adjoints);
    if (s != TG_OK) return s;
    w->hear = hear, w->hearer = k, w->look = &k->look;
    s = tg_step_plain(w, node, adjoints);
    w->hear = NULL, w->hearer = NULL, w->look = NULL;
    return s;
}

/* ---- the walk ---- */

static tg_adjoint *adjoints_of(const walker *k, const tg_walk *w, const tg_node *node) {
    return node == k->t->loss->node ? k->root : w->adjoint[node->id - w->low];
}

/* The node that made the next input to which a gradient goes, or NULL. */
static tg_node *next_maker(const tg_walk *w, visit *v) {
    while (v->next < v->node->n_in) {
        const tg_slot *s = tg_walk_needed(w, v->node, v->next++);
        if (s && !tg_walk_leaf(w, s)) return s->node;
    }
    return NULL;
}

static tg_status walk(walker *k, tg_walk *w) {
    int depth = 0;
    tg_status s = TG_OK;
    k->stack[depth++] = (visit){.node = k->t->loss->node};
    while (s == TG_OK && depth > 0 && !k->t->orders.cut) {
        visit *v = &k->stack[depth - 1];
        tg_adjoint *adjoints = adjoints_of(k, w, v->node);
        if (!adjoints) { /* nothing has come */
            depth--;
            continue;
        }
        if (!v->run) s = run(k, w, v->node, adjoints), v->run = true;
        tg_node *maker = s == TG_OK ? next_maker(w, v) : NULL;
        if (maker)
            k->stack[depth++] = (visit){.node = maker};
        else
            depth--;
    }
    return s;
}

static tg_status note_leaves(walker *k, const tg_walk *w) {
    tg_trace *t = k->t;
    for (int x = 0; x < t->n_tensors; x++) {
        const tg_slot *s = tg_slot_peek(t->tensor[x].handle);
        const tg_target *leaf = s && t->tensor[x].role == TG_TRACE_PARAMETER ? tg_walk_find_target(w, s) : NULL;
        if (t->orders.cut || !leaf || !leaf->adjoint.value.data) continue;
        t->orders.leaf[x] = tg_trace_values(t, &leaf->adjoint.value, TG_TRACE_BRIEF);
        if (t->orders.leaf[x] < 0) return tg_error_status();
    }
    return TG_OK;
}

/* All of it is done at the first step, and at others nothing is. Walks inside of that are not ours. */
static tg_status take_step(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints) {
    walker *k = (walker *)(void *)o;
    if (k->root && !k->done) return tg_step_plain(w, node, adjoints);
    if (k->done) return w->mode.again ? TG_OK : tg_step_plain(w, node, adjoints);
    k->root = adjoints;
    tg_status s = walk(k, w);
    if (s == TG_OK) s = note_leaves(k, w);
    k->done = true;
    return s;
}

/* ---- whether, and what for ---- */

/* Each rule can be run, and there are not too many numbers. */
static bool is_small(const tg_trace *t) {
    int64_t numbers = 0;
    if (t->end - t->first > NODES) return false;
    for (int64_t i = 0; i < t->n_tensors; i++)
        numbers += t->tensor[i].value >= 0 ? t->value[t->tensor[i].value].n : 0;
    for (int64_t i = 0; i < t->n_steps; i++)
        if (t->step[i].why) return false;
    return numbers <= NUMBERS;
}

static bool make_tables(walker *k) {
    tg_trace *t = k->t;
    const size_t tensors = (size_t)t->n_tensors, nodes = (size_t)(t->end - t->first);
    k->last = tg_trace_room(t, tensors, sizeof *k->last);
    t->orders.leaf = tg_trace_room(t, tensors, sizeof *t->orders.leaf);
    k->stack = tg_trace_room(t, nodes + 1, sizeof *k->stack);
    if (!k->last || !t->orders.leaf || !k->stack) return false;
    for (size_t i = 0; i < tensors; i++) k->last[i] = t->orders.leaf[i] = -1;
    return true;
}

tg_status tg_trace_orders(tg_trace *t) {
    walker k = {.watcher = {.step = take_step}, .t = t};
    tg_array none = {0};
    t->orders.first = -1;
    for (int64_t x = 0; t->detail == 0 && x < t->n_tensors; x++)
        if (t->tensor[x].role == TG_TRACE_PARAMETER && t->tensor[x].grad >= 0 &&
            t->value[t->tensor[x].grad].n <= TWICE)
            t->tensor[x].twice = tg_trace_twice(t, t->tensor[x].grad);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!is_small(t)) return TG_OK;
    if (find_first(t) != TG_OK || !make_tables(&k)) return tg_error_status();
    tg_status s = tg_walk_again(&(tg_rewalk){.n = 1, .root = &t->loss, .floor = t->first}, &k.watcher, &none);
    if (s != TG_OK && s != TG_ERR_MEMORY) { /* a rule that does not like to be run out of order: nothing is shown */
        tg_error_clear();
        return TG_OK;
    }
    t->orders.made = s == TG_OK;
    return s;
}
