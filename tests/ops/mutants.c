/* The checker, checked: wrong gradients planted in copies of the ops.
 *
 * A row runs once; every node that the op under test recorded gives its inputs and attributes. The op is
 * then applied to copies of these inputs through a copy of its struct whose gradient is wrong, inside a
 * gradient check that must fail. The unchanged copy must pass, or a failure would prove nothing. */
#include "tests/ops/harness.h"

#include <math.h>
#include <string.h>

typedef struct mutant mutant;

/* Changes din[m->input]; false: the mutation cannot be here. */
typedef bool (*mutation_fn)(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din);

typedef struct mutation {
    const char *name;
    mutation_fn fn;
    int order; /* of the check that must catch it */
} mutation;

struct mutant {
    tg_op op; /* first, so that a node's op leads here */
    const tg_op *original;
    const mutation *how; /* NULL: unchanged */
    int input;
    bool planted;
};

static bool sign_flipped(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    din[m->input] = tg_neg(din[m->input]);
    return true;
}

static bool zeroed(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    din[m->input] = tg_mul_scalar(din[m->input], 0);
    return true;
}

static bool times_1_03(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    din[m->input] = tg_mul_scalar(din[m->input], 1.03);
    return true;
}

/* The gradients of this input and the next one of the same shape, swapped. */
static bool swapped(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)dout;
    for (int j = m->input + 1; j < node->n_in; j++) {
        if (!tg_needs(node, j) || !tg_shape_equal(tg_shape_of(node->in[j]), tg_shape_of(node->in[m->input])))
            continue;
        tg_tensor *mine = din[m->input];
        din[m->input] = din[j];
        din[j] = mine;
        return true;
    }
    return false;
}

/* All elements in reverse order: every index wrong. */
static bool reversed(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    tg_tensor *g = din[m->input];
    for (int k = 0; k < tg_rank(g); k++) g = tg_slice(g, k, TG_END, TG_END, -1);
    din[m->input] = g;
    return tg_numel(g) > 1;
}

/* The elements in column order. */
static bool transposed(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    tg_tensor *g = din[m->input];
    int r = tg_rank(g);
    if (r < 2 || tg_size(g, r - 1) < 2 || tg_size(g, r - 2) < 2) return false;
    din[m->input] = (tg_reshape)(tg_transpose(g, r - 1, r - 2), tg_shape_of(g));
    return true;
}

/* The chain rule forgotten: as if dL/d(out) were one. */
static bool ignores_dout(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *ones[TG_MAX_OUT] = {NULL}, *other[16] = {NULL};
    if (node->n_in > 16) return false;
    for (int o = 0; o < node->n_out; o++)
        if (dout[o]) ones[o] = (tg_ones)(tg_dtype_of(dout[o]), tg_shape_of(dout[o]));
    m->original->grad(node, ones, other);
    din[m->input] = other[m->input];
    return true;
}

/* Right to first order, but without history. */
static bool detached(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout;
    din[m->input] = tg_detach(din[m->input]);
    return true;
}

static const mutation mutations[] = {
    {"sign flipped", sign_flipped, 1}, {"zero", zeroed, 1},       {"times 1.03", times_1_03, 1},
    {"swapped", swapped, 1},           {"reversed", reversed, 1}, {"transposed", transposed, 1},
    {"ignores dout", ignores_dout, 1}, {"detached", detached, 2},
};

/* Rules that ask the node for its op's attributes see the copy, which has the same. */
static void mutant_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    mutant *m = (mutant *)(uintptr_t)node->op;
    m->original->grad(node, dout, din);
    if (m->how && din[m->input]) m->planted |= m->how->fn(m, node, dout, din);
}

/* The fused form, with the same mutations made on tensors that hold its results. */
static tg_status mutant_kernel(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    mutant *m = (mutant *)(uintptr_t)node->op;
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
    bool absent[16]; /* inputs left out: the gradient check gets the others */
} subject;

static tg_tensor *apply_mutant(tg_tensor *const *in, void *user) {
    subject *s = user;
    tg_tensor *all[16];
    for (int i = 0; i < s->n_in; i++) all[i] = s->absent[i] ? NULL : *in++;
    tg_tensor *y = tg_apply(&s->m.op, all, s->n_in, s->attr);
    if (tg_dtype_of(y) == TG_F32) y = tg_to(y, TG_F64);
    return s->curved ? tg_add(y, tg_mul_scalar(tg_mul(y, y), 0.5)) : y;
}

/* Copies of a node's inputs, as leaves; NULL where one was left out. Returns how many take a gradient. */
static int copy_inputs(const tg_node *node, tg_tensor **in) {
    int n = 0;
    for (int i = 0; i < node->n_in; i++) {
        in[i] = NULL;
        if (!node->in[i]) continue;
        in[i] = (tg_zeros)(tg_dtype_of(node->in[i]), tg_shape_of(node->in[i]));
        tg_array_copy(tg_array_of(in[i]), tg_array_of(node->in[i]));
        if (!tg_requires_grad(node->in[i])) continue;
        tg_set_requires_grad(in[i], true);
        n++;
    }
    return n;
}

static bool passes(subject *s, tg_tensor *const *in, int n, const sample *row, int order,
                   tg_gradcheck_report *r) {
    s->curved = order == 2;
    s->m.planted = false;
    return tg_gradcheck(apply_mutant, s, n, in, r, .order = order, .eps = row->eps, .seed = 7);
}

/* What was found out about one mutant over all rows and nodes. */
typedef enum fate { NOT_PLANTED, ESCAPED, CAUGHT } fate;

static fate try_in_node(const tg_node *node, const sample *row, const mutation *how, int input, bool kernel) {
    tg_gradcheck_report r;
    tg_tensor *in[16];
    mutant right = {.op = *node->op, .original = node->op, .input = input};
    right.op.grad = mutant_grad;
    right.op.grad_kernel = kernel ? mutant_kernel : NULL;
    right.op.accumulates = 0;
    subject s = {right, node->attr, node->n_in, false, {false}};
    if (node->n_in > 16 || copy_inputs(node, in) == 0 || !in[input] || !tg_requires_grad(in[input]))
        return NOT_PLANTED;
    if (tg_dtype_of(in[input]) != TG_F64) return NOT_PLANTED; /* the second half of to_and_back */
    int n = 0;
    for (int i = 0; i < node->n_in; i++) {
        s.absent[i] = !in[i];
        if (in[i]) in[n++] = in[i];
    }
    ck_assert_msg(passes(&s, in, n, row, how->order, &r), "%s: the unchanged copy fails: %s",
                  row->call, r.message);
    s.m.how = how;
    bool ok = passes(&s, in, n, row, how->order, &r);
    return !s.m.planted ? NOT_PLANTED : ok ? ESCAPED : CAUGHT;
}

/* The nodes of the op that a trial records. */
static fate try_in_trial(const trial *t, const mutation *how, int input, bool kernel) {
    fate best = NOT_PLANTED;
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf[MAX_IN];
    int64_t first = tg_tape_nodes(); /* below it lies what other tests have left */
    trial_leaves(t, TG_F64, true, leaf);
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
    static const kind kinds[] = {K_PLAIN, K_STRIDED};
    fate best = NOT_PLANTED;
    for (int i = 0; i < n_samples() && best != CAUGHT; i++) {
        trial t;
        for (int k = 0; k < COUNT(kinds) && best != CAUGHT; k++) {
            if (!trial_make(&t, sample_at(i), kinds[k], 0) || t.op != op || t.call->composed) continue;
            fate f = try_in_trial(&t, how, input, kernel);
            if (f > best) best = f;
        }
    }
    return best;
}

static const char *equivalent_why(const tg_op *op, const char *name, int input) {
    const family *const *all;
    int n = families(&all);
    for (int f = 0; f < n; f++)
        for (int i = 0; i < all[f]->n_equal; i++) {
            const equivalent *e = &all[f]->equal[i];
            if (strcmp(e->op, op->name) == 0 && strcmp(e->mutation, name) == 0 &&
                (e->input < 0 || e->input == input))
                return e->why;
        }
    return NULL;
}

static void check_mutant(const tg_op *op, const mutation *how, int input, bool kernel) {
    fate f = try_everywhere(op, how, input, kernel);
    const char *form = kernel ? "grad_kernel" : "grad", *why = equivalent_why(op, how->name, input);
    if (f == NOT_PLANTED) {
        /* there is always a gradient to make zero: none of the rows records the op with one for this input */
        ck_assert_msg(how->fn != zeroed || op->no_grad & TG_IN(input), "%s: no row exercises %s of input %d",
                      op->name, form, input);
        return;
    }
    ck_assert_msg(!(why && f == CAUGHT),
                  "%s: %s of input %d, %s, is listed as equivalent (%s), but is caught", op->name, form,
                  input, how->name, why);
    count_up(why ? T_EQUIVALENT : T_PLANTED, 1);
    if (why) return;
    ck_assert_msg(f == CAUGHT, "%s: %s of input %d, %s, escaped", op->name, form, input, how->name);
    count_up(T_CAUGHT, 1);
}

void check_mutants(const tg_op *op) {
    int inputs = op->n_in == TG_VARIADIC ? 2 : op->n_in;
    for (int k = 0; k < COUNT(mutations); k++)
        for (int i = 0; i < inputs; i++) {
            check_mutant(op, &mutations[k], i, false);
            if (op->grad_kernel && mutations[k].order == 1) check_mutant(op, &mutations[k], i, true);
        }
}
