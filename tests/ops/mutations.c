/* The wrong gradients. Each changes what the right rule returned for one input. */
#include "tests/ops/mutants.h"

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
    din[m->input] = tg_reshape_with(tg_transpose(g, r - 1, r - 2), tg_shape_of(g));
    return true;
}

/* The chain rule forgotten: as if dL/d(out) were one. */
static bool ignores_dout(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *ones[TG_MAX_OUT] = {NULL}, *other[16] = {NULL};
    if (node->n_in > 16) return false;
    for (int o = 0; o < node->n_out; o++)
        if (dout[o]) ones[o] = tg_ones_with(tg_dtype_of(dout[o]), tg_shape_of(dout[o]));
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

/* ---- the sum over broadcast axes ---- */

/* Whether axis k of `wide` is one that `narrow`, aligned at the right, lacks or has with size one. */
static bool stretched(tg_shape narrow, tg_shape wide, int k) {
    int own = k - (wide.rank - narrow.rank);
    return wide.dim[k] > 1 && (own < 0 || narrow.dim[own] == 1);
}

/* Element 0 along the axes that `narrow` was stretched along. */
static tg_tensor *first_slice(tg_tensor *g, tg_shape narrow) {
    tg_shape wide = tg_shape_of(g);
    for (int k = 0; k < wide.rank; k++)
        if (stretched(narrow, wide, k)) g = tg_slice(g, k, 0, 1, 1);
    return tg_reshape_with(g, narrow);
}

/* g where first_slice takes it, 0 elsewhere. */
static tg_tensor *all_but_first_zero(tg_tensor *g, tg_shape narrow) {
    tg_shape wide = tg_shape_of(g);
    for (int k = 0; k < wide.rank; k++)
        if (stretched(narrow, wide, k))
            g = tg_slice_scatter(tg_zeros_with(tg_dtype_of(g), wide), tg_slice(g, k, 0, 1, 1), k, 0, 1, 1);
    return g;
}

/* One slice along the broadcast axes in place of the sum over them: of the gradient, where the rule leaves the sum
 * to the walk, or of dout, where the rule sums by itself. */
static bool not_summed(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *first[TG_MAX_OUT] = {NULL}, *wide[16] = {NULL}, *other[16] = {NULL};
    tg_shape in = tg_shape_of(node->in[m->input]), out = tg_shape_of(node->out[0]), both;
    if (node->n_in > 16) return false;
    m->original->grad(node, dout, wide);
    if (!tg_shape_equal(tg_shape_of(wide[m->input]), in)) {
        din[m->input] = first_slice(wide[m->input], in);
        return true;
    }
    if (tg_shape_equal(in, out) || !tg_shape_broadcast(in, out, &both) || !tg_shape_equal(both, out))
        return false;
    for (int o = 0; o < node->n_out; o++)
        if (dout[o]) first[o] = all_but_first_zero(dout[o], in);
    m->original->grad(node, first, other);
    din[m->input] = other[m->input];
    return true;
}

/* ---- the list ---- */

#define USUAL (KIND(K_PLAIN) | KIND(K_STRIDED))
#define BROADCAST (KIND(K_PLAIN) | KIND(K_LEFT) | KIND(K_RIGHT) | KIND(K_BOTH))

/* There is always a gradient to make zero. */
static bool always(const tg_op *op, int input) { return !(op->no_grad & TG_IN(input)); }

static bool where_broadcast(const tg_op *op, int input) {
    bool left = input == 0 && !not_applicable(op, K_LEFT);
    bool right = input == op->n_in - 1 && !not_applicable(op, K_RIGHT);
    return (left || right) && always(op, input);
}

const mutation mutations[] = {
    {"sign flipped", sign_flipped, 1, USUAL, always},
    {"zero", zeroed, 1, USUAL, always},
    {"times 1.03", times_1_03, 1, USUAL, always},
    {"swapped", swapped, 1, USUAL, NULL},
    {"reversed", reversed, 1, USUAL, NULL},
    {"transposed", transposed, 1, USUAL, NULL},
    {"ignores dout", ignores_dout, 1, USUAL, NULL},
    {"detached", detached, 2, USUAL, NULL},
    {"not summed", not_summed, 1, BROADCAST, where_broadcast},
    {"overwritten", NULL, 1, USUAL, always},
};
const int n_mutations = COUNT(mutations);
