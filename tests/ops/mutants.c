/* The checker, checked: wrong gradients planted in copies of the ops.
 *
 * A row runs once; every node that the op under test recorded gives its inputs and attributes. The op is
 * then applied to copies of these inputs through a copy of its struct whose gradient is wrong, inside a
 * gradient check that must fail. The unchanged copy must pass, or a failure would prove nothing. */
#include "tests/ops/mutants.h"

#include <string.h>

/* Rules that ask the node for its op's attributes see the copy, which has the same. */
static void mutant_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    mutant *m = (mutant *)(uintptr_t)node->op;
    m->original->grad(node, dout, din);
    if (m->how && din[m->input]) m->planted |= m->how->fn(m, node, dout, din);
}

/* The fused form, with the same mutations made on tensors that hold its results. */
static tg_status mutant_kernel(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    mutant *m = (mutant *)(uintptr_t)node->op;
    if (m->how && !m->how->fn) {
        m->planted |= din[m->input].data != NULL;
        tg_array_drop(&din[m->input]);
        return m->original->grad_kernel(node, dout, din);
    }
    tg_status s = m->original->grad_kernel(node, dout, din);
    tg_tensor *d[TG_MAX_OUT] = {NULL}, *g[16] = {NULL};
    if (s != TG_OK || !m->how || node->n_in > 16 || !din[m->input].data) return s;
    for (int o = 0; o < node->n_out; o++)
        if (dout[o]) d[o] = tg_from_array(dout[o]);
    for (int i = 0; i < node->n_in; i++)
        if (din[i].data) g[i] = tg_from_array(&din[i]);
    m->planted |= m->how->fn(m, node, d, g);
    for (int i = 0; i < node->n_in && tg_error_status() == TG_OK; i++) {
        if (!din[i].data) continue;
        tg_array_drop(&din[i]);
        s = tg_array_alloc(&din[i], tg_dtype_of(g[i]), tg_shape_of(g[i]));
        if (s == TG_OK) tg_array_copy(&din[i], tg_array_of(g[i]));
    }
    return tg_error_status();
}

/* ---- one mutant in one node ---- */

typedef struct subject {
    mutant m;
    const void *attr;
    int n_in; /* of the node: the op may take any number */
    bool curved;
    bool twice;      /* out = f(x) + 3 f(x): the gradient of the first is added to that of the second */
    bool absent[16]; /* inputs left out: the gradient check gets the others */
} subject;

static tg_tensor *apply_mutant(tg_tensor *const *in, void *user) {
    subject *s = user;
    tg_tensor *all[16];
    for (int i = 0; i < s->n_in; i++) all[i] = s->absent[i] ? NULL : *in++;
    tg_tensor *y = tg_apply(&s->m.op, all, s->n_in, s->attr);
    if (tg_dtype_of(y) == TG_F32) y = tg_to(y, TG_F64);
    if (s->twice) y = tg_add(y, tg_mul_scalar(tg_apply(&s->m.op, all, s->n_in, s->attr), 3));
    return s->curved ? tg_add(y, tg_mul_scalar(tg_mul(y, y), 0.5)) : y;
}

/* Copies of a node's inputs, as leaves; NULL where one was left out. Returns how many take a gradient. */
static int copy_inputs(const tg_node *node, tg_tensor **in) {
    int n = 0;
    for (int i = 0; i < node->n_in; i++) {
        in[i] = NULL;
        if (!node->in[i]) continue;
        in[i] = tg_zeros_with(tg_dtype_of(node->in[i]), tg_shape_of(node->in[i]));
        tg_array_copy(tg_array_of(in[i]), tg_array_of(node->in[i]));
        if (!tg_requires_grad(node->in[i])) continue;
        tg_set_requires_grad(in[i], true);
        n++;
    }
    return n;
}

static tg_verdict verdict(subject *s, tg_tensor *const *in, int n, int order, tg_gradcheck_report *r) {
    s->curved = order == 2;
    s->m.planted = false;
    tg_gradcheck(apply_mutant, s, n, in, r, .order = order, .seed = 7, .directions = 3, .allow_zero = true,
                 .no_search = true);
    return r->verdict;
}

/* What was found out about one mutant over all rows and nodes. */
typedef enum fate { NOT_PLANTED, ESCAPED, CAUGHT } fate;

static fate try_in_node(const tg_node *node, const sample *row, const mutation *how, int input, bool kernel) {
    tg_gradcheck_report r;
    tg_tensor *in[16];
    mutant right = {.op = *node->op, .original = node->op, .input = input};
    right.op.grad = mutant_grad;
    right.op.grad_kernel = kernel ? mutant_kernel : NULL;
    if (how->fn) right.op.accumulates = 0;
    subject s = {.m = right, .attr = node->attr, .n_in = node->n_in, .twice = !how->fn};
    if (node->n_in > 16 || copy_inputs(node, in) == 0 || !in[input] || !tg_requires_grad(in[input]))
        return NOT_PLANTED;
    if (tg_dtype_of(in[input]) != TG_F64) return NOT_PLANTED; /* the second half of to_and_back */
    int n = 0;
    for (int i = 0; i < node->n_in; i++) {
        s.absent[i] = !in[i];
        if (in[i]) in[n++] = in[i];
    }
    ck_assert_msg(verdict(&s, in, n, how->order, &r) != TG_WRONG, "%s: the unchanged copy fails: %s",
                  row->call, r.message);
    s.m.how = how;
    tg_verdict found = verdict(&s, in, n, how->order, &r);
    return !s.m.planted ? NOT_PLANTED : found == TG_WRONG ? CAUGHT : ESCAPED;
}

/* The nodes of the op that a trial records. */
static fate try_in_trial(const trial *t, const mutation *how, int input, bool kernel) {
    fate best = NOT_PLANTED;
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf[MAX_IN];
    trial_leaves(t, TG_F64, true, leaf);
    int64_t first = tg_tape_nodes(); /* below it lies what other tests have left */
    trial_run(t, leaf);
    fail_if_error(t, "recording");
    int64_t n = tg_tape_nodes();
    for (int64_t i = first; i < n && best != CAUGHT; i++) {
        const tg_node *node = tg_tape_node(i);
        if (node->op != t->op || input >= node->n_in) continue;
        tg_mark inner = tg_tape_mark();
        fate f = try_in_node(node, t->row, how, input, kernel);
        if (f > best) best = f;
        tg_tape_rewind(inner);
    }
    tg_tape_rewind(mark);
    return best;
}

static fate try_everywhere(const tg_op *op, const mutation *how, int input, bool kernel) {
    fate best = NOT_PLANTED;
    for (int i = 0; i < n_samples() && best != CAUGHT; i++) {
        const call *c = find_call(sample_at(i)->call);
        if (op_of(c) != op || c->composed) continue;
        trial t;
        for (int k = 0; k < N_KINDS && best != CAUGHT; k++) {
            if (!(how->kinds & KIND(k)) || !trial_make(&t, sample_at(i), (kind)k, 0)) continue;
            fate f = try_in_trial(&t, how, input, kernel);
            if (f > best) best = f;
        }
    }
    return best;
}

/* ---- a contribution lost between the ops ---- */

static bool used_twice(const trial *t, int input) {
    bool twice = t->fan_out;
    for (int i = 0; i < t->n_in; i++) twice |= i != input && t->leaf_of[i] == t->leaf_of[input];
    return twice;
}

/* Of the two uses that a row of kind repeated makes of an input, one gives no gradient: as in a walk that overwrites
 * where it should add. */
static fate try_lost(const tg_op *op, int input) {
    fate best = NOT_PLANTED;
    char message[300];
    for (int i = 0; i < n_samples() && best != CAUGHT; i++) {
        const call *c = find_call(sample_at(i)->call);
        trial t;
        if (op_of(c) != op || c->composed || !trial_make(&t, sample_at(i), K_REPEATED, 0)) continue;
        if (input >= t.n_in || !takes_gradient(&t, input) || !used_twice(&t, input)) continue;
        ck_assert_msg(derivatives_agree(&t, message, sizeof message), "%s: %s", t.name, message);
        t.lost = 1 + input;
        best = derivatives_agree(&t, message, sizeof message) ? ESCAPED : CAUGHT;
    }
    return best;
}

/* ---- the verdict ---- */

static const char *listed(const tg_op *op, const char *name, int input) {
    const sample_set *const *all;
    int n = sample_sets(&all);
    for (int f = 0; f < n; f++)
        for (int i = 0; i < all[f]->n_equal; i++) {
            const equivalent *e = &all[f]->equal[i];
            if (strcmp(e->op, op->name) == 0 && strcmp(e->mutation, name) == 0 &&
                (e->input < 0 || e->input == input))
                return e->why;
        }
    return NULL;
}

/* Of a gradient that is zero everywhere any part is as good as the whole. */
static const char *equivalent_why(const tg_op *op, const char *name, int input) {
    const char *why = listed(op, name, input);
    bool part = strcmp(name, "not summed") == 0 || strcmp(name, "overwritten") == 0;
    return why || !part ? why : listed(op, "zero", input);
}

/* Returns whether it was planted. */
static bool judge(const tg_op *op, const char *form, const mutation *how, int input, fate f) {
    const char *why = equivalent_why(op, how->name, input);
    if (f == NOT_PLANTED) return false;
    ck_assert_msg(!(why && f == CAUGHT), "%s: %s of input %d, %s, is listed as equivalent (%s), but is caught",
                  op->name, form, input, how->name, why);
    count_up(why ? T_EQUIVALENT : T_PLANTED, 1);
    if (why) return true;
    ck_assert_msg(f == CAUGHT, "%s: %s of input %d, %s, escaped", op->name, form, input, how->name);
    count_up(T_CAUGHT, 1);
    return true;
}

static void check_mutant(const tg_op *op, const mutation *how, int input, bool kernel) {
    const char *form = kernel ? "grad_kernel" : "grad";
    bool planted = judge(op, form, how, input, try_everywhere(op, how, input, kernel));
    ck_assert_msg(planted || !how->must || !how->must(op, input), "%s: no row exercises %s of input %d, %s",
                  op->name, form, input, how->name);
}

/* The kernel, where it adds to what is there, and the walk between the ops. */
static void check_overwritten(const tg_op *op, const mutation *how, int inputs) {
    int planted = 0;
    for (int i = 0; i < inputs; i++) {
        if (op->grad_kernel && op->accumulates & TG_IN(i)) check_mutant(op, how, i, true);
        planted += judge(op, "walk", how, i, try_lost(op, i));
    }
    ck_assert_msg(planted || not_applicable(op, K_REPEATED), "%s: no row uses an input twice", op->name);
}

void check_mutants(const tg_op *op) {
    int inputs = op->n_in == TG_VARIADIC ? 2 : op->n_in;
    for (const mutation *how = mutations; how < mutations + n_mutations; how++)
        for (int i = 0; how->fn && i < inputs; i++) {
            check_mutant(op, how, i, false);
            if (op->grad_kernel && how->order == 1) check_mutant(op, how, i, true);
        }
    check_overwritten(op, &mutations[n_mutations - 1], inputs);
}
