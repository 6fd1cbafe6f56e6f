/* What the names in the texts of a node's op stand for. */
#include "core/slot.h"
#include "tests/ops/text/text.h"

#include <math.h>
#include <string.h>

static bool is(const tg_node *n, const char *op) { return strcmp(n->op->name, op) == 0; }

static bool is_one_of(const tg_node *n, const char *const *ops, int count) {
    for (int i = 0; i < count; i++)
        if (is(n, ops[i])) return true;
    return false;
}
#define IS_ONE_OF(n, ...) \
    is_one_of(n, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

static const void *attribute(const tg_node *n, const char *name, tg_attr_type type) {
    for (int i = 0; i < n->op->n_attrs; i++)
        if (n->op->attrs[i].type == type && strcmp(n->op->attrs[i].name, name) == 0)
            return (const char *)n->attr + n->op->attrs[i].offset;
    return NULL;
}

/* ---- what is said of matrices is computed of matrices, not of vectors; and a mask of the op's own is no value ---- */

const char *not_computed(const tg_node *n) {
    const bool *causal = attribute(n, "causal", TG_ATTR_BOOL);
    int rank = tg_rank(n->in[0]);
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && tg_slot_peek(n->in[i])->released) return "elements that a composition has dropped";
    if (causal && *causal) return "keys that the op hides itself";
    if (IS_ONE_OF(n, "matmul", "linear", "solve") && (rank < 2 || tg_rank(n->in[1]) < 2)) return "a vector";
    if (is(n, "solve") && rank != tg_rank(n->in[1])) return "vectors";
    return NULL;
}

/* ---- axes ---- */

static unsigned last(int n) { return (1u << n) - 1; }

/* Bit 0 for the last axis of x. */
static unsigned bit_of(int64_t axis, int rank) { return 1u << (axis < 0 ? -1 - axis : rank - 1 - axis); }

static unsigned broadcast_axes(tg_shape x, tg_shape out) {
    unsigned axes = 0;
    for (int k = 0; k < x.rank; k++)
        if (k >= out.rank || (out.dim[out.rank - 1 - k] == 1 && x.dim[x.rank - 1 - k] != 1)) axes |= 1u << k;
    return axes;
}

static unsigned axes_of(const tg_node *n) {
    const tg_shape x = tg_shape_of(n->in[0]), *axes = attribute(n, "axes", TG_ATTR_DIMS);
    const int64_t *axis = attribute(n, "axis", TG_ATTR_INT), *count = attribute(n, "axes", TG_ATTR_INT);
    unsigned set = 0;
    if (axis) return bit_of(*axis, x.rank);
    if (count) return last((int)*count);
    for (int i = 0; axes && i < axes->rank; i++) set |= bit_of(axes->dim[i], x.rank);
    if (axes) return axes->rank ? set : last(x.rank);
    if (is(n, "batch_norm")) return last(x.rank) & ~(1u << (x.rank - 2)); /* of each channel */
    if (is(n, "sum_to")) return broadcast_axes(x, tg_shape_of(n->out[0]));
    if (IS_ONE_OF(n, "det", "cofactor", "slogdet")) return last(2);
    return IS_ONE_OF(n, "softmax_cross_entropy", "scaled_dot_product_attention") ? last(1) : 0;
}

/* A result without the axes that x lost, with them as axes of size 1; a vector of channels as it broadcasts to x. */
static value aligned(const tg_node *n, unsigned axes, value v) {
    tg_shape x = tg_shape_of(n->in[0]), without = TG_SCALAR, with = x;
    if (is(n, "batch_norm") && v.shape.rank == 1) {
        with = TG_SHAPE(v.shape.dim[0]);
        while (with.rank < x.rank - 1) with.dim[with.rank++] = 1;
        return value_shaped(v, with);
    }
    if (is(n, "scaled_dot_product_attention") && tg_shape_equal(v.shape, tg_shape_of(n->out[1]))) {
        with = v.shape;
        with.dim[with.rank++] = 1;
        return value_shaped(v, with);
    }
    for (int i = 0; i < x.rank; i++)
        if (axes >> (x.rank - 1 - i) & 1)
            with.dim[i] = 1;
        else
            without.dim[without.rank++] = x.dim[i];
    return axes && tg_shape_equal(v.shape, without) ? value_shaped(v, with) : v;
}

/* ---- names ---- */

static void bind_attributes(scope *s, const tg_node *n) {
    for (int i = 0; i < n->op->n_attrs; i++) {
        const tg_attr_field *f = &n->op->attrs[i];
        const void *p = (const char *)n->attr + f->offset;
        if (f->type == TG_ATTR_INT) bind(s, f->name, value_scalar((real) * (const int64_t *)p));
        if (f->type == TG_ATTR_REAL) bind(s, f->name, value_scalar(*(const double *)p));
        if (f->type == TG_ATTR_BOOL) bind(s, f->name, value_scalar(*(const bool *)p));
    }
}

/* The inputs that a rule does not name, since they have no gradient. */
static const char *name_without_gradient(const tg_node *n, int i) {
    static const struct {
        const char *op, *name;
        int input;
    } row[] = {{"where", "condition", 0}, {"masked_fill", "mask", 1}, {"softmax_cross_entropy", "class", 1}};
    for (int k = 0; k < COUNT(row); k++)
        if (row[k].input == i && is(n, row[k].op)) return row[k].name;
    return NULL; /* batch_norm: it is an output too */
}

static real hidden(real visible) { return visible != 0 ? 0 : -INFINITY; }

static void bind_inputs(scope *s, const tg_node *n) {
    for (int i = 0, said = 0; i < n->n_in; i++) {
        char left[64], name[NAME] = "";
        bool without = n->op->no_grad & TG_IN(i);
        if (without && name_without_gradient(n, i)) snprintf(name, NAME, "%s", name_without_gradient(n, i));
        if (!without && gradient_said(n->op->rule, said++, left)) input_named(left, name);
        if (!name[0]) continue;
        value v = n->in[i] ? aligned(n, s->axes, value_of(tg_array_of(n->in[i])))
                           : value_scalar(strcmp(name, "weight") == 0); /* nothing is multiplied or added */
        if (n->in[i] && is(n, "scaled_dot_product_attention") && tg_dtype_of(n->in[i]) == TG_BOOL) v = value_map(hidden, v);
        bind(s, name, v);
    }
}

/* The names before the first " = " of the formula are those of the outputs. */
static void bind_outputs(scope *s, const tg_node *n, tg_tensor *const *dout) {
    const char *at = n->op->formula;
    for (int o = 0; o < n->n_out; o++) {
        char name[NAME] = "d";
        size_t length = strcspn(at, ", ");
        snprintf(name + 1, NAME - 1, "%.*s", (int)length, at);
        const tg_array *a = tg_array_of(n->out[o]);
        value v = aligned(n, s->axes, value_of(a));
        s->out[o] = v.shape;
        bind(s, name + 1, v);
        bind(s, name, dout[o] ? aligned(n, s->axes, value_of(tg_array_of(dout[o]))) : value_scalar(0));
        at += length + 2;
    }
}

/* ---- the gates of recurrent cells, which their formulas describe in words ---- */

static real plus(real a, real b) { return a + b; }
static real times(real a, real b) { return a * b; }

static void bind_lstm(scope *s, const tg_node *n) {
    static const char *const names[4] = {"i", "f", "g", "o"};
    int64_t h = tg_size(n->in[1], -1);
    for (int k = 0; k < 4; k++)
        bind(s, names[k], value_map(k == 2 ? tanhl : sigmoid_of, value_part(*bound(s, "a"), k * h, h)));
}

static void bind_gru(scope *s, const tg_node *n) {
    static const char *const parts[4] = {"dpre_r", "dpre_z", "dpre_n", "dpre_s"};
    int64_t h = tg_size(n->in[2], -1);
    value a = *bound(s, "a"), t = *bound(s, "s"), s_n = value_part(t, 2 * h, h);
    value r = value_map(sigmoid_of, value_map_2(plus, value_part(a, 0, h), value_part(t, 0, h)));
    bind(s, "r", r), bind(s, "s_n", s_n);
    bind(s, "z", value_map(sigmoid_of, value_map_2(plus, value_part(a, h, h), value_part(t, h, h))));
    bind(s, "n", value_map(tanhl, value_map_2(plus, value_part(a, 2 * h, h), value_map_2(times, r, s_n))));
    for (int k = 0; k < 4; k++) bind(s, parts[k], value_part(*bound(s, "dpre"), k * h, h));
}

void bind_node(scope *s, const tg_node *n, tg_tensor *const *dout) {
    s->axes = axes_of(n);
    bind_inputs(s, n);
    bind_outputs(s, n, dout);
    bind_attributes(s, n);
    if (is(n, "lstm_cell")) bind_lstm(s, n);
    if (is(n, "gru_cell")) bind_gru(s, n);
    double count = 1;
    tg_shape x = tg_shape_of(n->in[0]);
    for (int k = 0; k < x.rank; k++)
        if (s->axes >> k & 1) count *= (double)x.dim[x.rank - 1 - k];
    if (!bound(s, "n")) bind(s, "n", value_scalar(count));
}
