#include "core/iterate.h"
#include "ops/shared.h"

#include <string.h>

/* ---- scatter:  dx = g with 0 where src stands,  dsrc[.., j, ..] = g[.., index[.., j, ..], ..] ---- */

/* The index has x's rank and, apart from the axis, at most x's sizes; src has the index's shape and x's
 * dtype. */
static tg_status scatter_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *index = call->in[1], *src = call->in[2];
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK) s = tg_call_index_dtype(call);
    if (s == TG_OK) s = tg_call_same_dtype(call, 0, 2);
    if (s == TG_OK) s = tg_call_index_fits(call, axis);
    if (s != TG_OK) return s;
    if (!tg_array_same_shape(index, src))
        return tg_call_fail(call, TG_ERR_SHAPE, "shapes differ: index %s, src %s", tg_call_input(call, 1),
                            tg_call_input(call, 2));
    return tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(x));
}

/* Walks out, index (operand a) and src (b); in out the walk stays at position 0 along the axis. */
static tg_grid grid_of(const tg_array *index, const tg_array *src, const tg_array *out, int axis) {
    const tg_array *a[3] = {out, index, src};
    tg_grid g = {.operands = 3, .rank = index->rank};
    for (int d = 0; d < g.rank; d++) {
        g.shape[d] = index->shape[d];
        for (int k = 0; k < 3; k++)
            g.bytes[k][d] =
                k == 0 && d == axis ? 0 : a[k]->stride[d] * (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
    }
    return g;
}

static tg_status scatter_forward(const tg_call *call) {
    const tg_array *src = call->in[2], *out = call->out[0];
    int axis = tg_attr_axis(call->attr, out->rank);
    tg_array at;
    tg_status s = tg_call_positions(call, axis, &at);
    if (s == TG_OK) tg_array_copy(out, call->in[0]);
    if (s == TG_OK && at.numel > 0) {
        tg_grid g = grid_of(&at, src, out, axis);
        int64_t place[TG_MAX_RANK + 1] = {0}, bytes = (int64_t)tg_dtype_size((tg_dtype)out->dtype);
        tg_operands p = {.out = out->data, .a = at.data, .b = src->data};
        for (int64_t i = 0; i < at.numel; i++, tg_grid_step(&g, place, p.each)) {
            const void *k = p.a;
            int64_t to = at.dtype == TG_I32 ? *(const int32_t *)k : *(const int64_t *)k;
            memcpy(p.out + to * out->stride[axis] * bytes, p.b, (size_t)bytes);
        }
    }
    tg_array_drop(&at);
    return s;
}

/* Which elements of src are in out: those whose number, scattered in the same way, is still there. */
static tg_tensor *survivors(const tg_node *n, int axis) {
    tg_shape shape = tg_shape_of(n->in[1]);
    tg_tensor *number = tg_zeros_with(TG_I64, shape), *none = tg_zeros_with(TG_I64, tg_shape_of(n->in[0]));
    if (tg_is_poison(number)) return number;
    int64_t *v = tg_array_of(number)->data;
    for (int64_t i = 0, count = tg_numel(number); i < count; i++) v[i] = i;
    return tg_eq(tg_gather(tg_scatter(none, axis, n->in[1], number), axis, n->in[1]), number);
}

static void scatter_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *zeros = tg_zeros_with(tg_dtype_of(g), tg_shape_of(n->in[1]));
    int axis = tg_attr_axis(n->attr, tg_rank(g));
    if (tg_needs(n, 0)) din[0] = tg_scatter(g, axis, n->in[1], zeros);
    if (tg_needs(n, 2)) din[2] = tg_where(survivors(n, axis), tg_gather(g, axis, n->in[1]), zeros);
}

const tg_op tg_op_scatter = {
    .name = "scatter",
    .formula =
        "out = x, but out[.., index[.., j, ..], ..] = src[.., j, ..] along axis; of several for one place the last",
    .rule =
        "dx = dout, but dx[.., index[.., j, ..], ..] = 0; dsrc[.., j, ..] = dout[.., index[.., j, ..], ..], but 0 where another src has taken the place",
    .n_in = 3,
    .save = TG_IN(1),
    .no_grad = TG_IN(1),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = scatter_infer,
    .forward = scatter_forward,
    .grad = scatter_grad,
};

tg_tensor *tg_scatter(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src) {
    tg_tensor *in[3] = {x, index, src};
    return tg_apply(&tg_op_scatter, in, 3, &(tg_axis_attr){axis});
}

/* ---- compositions ---- */

/* Whether x and index have one rank, and sizes that broadcast apart from the axis; *both becomes their
 * common shape, with x's size along the axis. */
static bool fit_along(const tg_array *x, const tg_array *index, int axis, tg_shape *both) {
    tg_shape rest = tg_array_shape(index);
    if (x->rank != index->rank) return false;
    rest.dim[axis] = x->shape[axis];
    return tg_shape_broadcast(tg_array_shape(x), rest, both);
}

tg_tensor *tg_take_along_dim(tg_tensor *x, tg_tensor *index, int axis) {
    TG_COMPOSED("take_along_dim");
    const tg_array *from = tg_operand(x, "take_along_dim", 0), *at = tg_operand(index, "take_along_dim", 1);
    if (!from || !at) return tg_poison();
    tg_shape both;
    int k = tg_axis(axis, from->rank);
    if (k < 0) return tg_fail_axis("take_along_dim", x, axis, from->rank);
    if (!fit_along(from, at, k, &both)) {
        char text[160];
        return tg_fail_operand(TG_ERR_SHAPE, "take_along_dim", x,
                               "apart from axis %d the sizes do not broadcast: index %s, x", axis,
                               tg_describe(index, text, sizeof text));
    }
    tg_shape rest = both;
    rest.dim[k] = at->shape[k];
    tg_tensor *wide = tg_expand_with(x, both), *places = tg_expand_with(index, rest);
    tg_tensor *out = tg_gather(wide, k, places);
    tg_drop_elements(wide);
    tg_drop_elements(places);
    return out;
}

tg_tensor *tg_one_hot(tg_tensor *index, int64_t classes) {
    TG_COMPOSED("one_hot");
    const tg_array *a = tg_operand(index, "one_hot", TG_ONLY);
    if (!a) return tg_poison();
    tg_shape shape = tg_array_shape(a);
    if (shape.rank == TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_SHAPE, "one_hot", index,
                               "a tensor of rank %d has no room for an axis of classes", TG_MAX_RANK);
    if (classes < 0)
        return tg_fail_operand(TG_ERR_ARGUMENT, "one_hot", index, "there cannot be %lld classes",
                               (long long)classes);
    shape.dim[shape.rank++] = 1;
    tg_tensor *one = tg_ones_with(TG_I64, shape), *places = tg_reshape_with(index, shape);
    shape.dim[shape.rank - 1] = classes;
    tg_tensor *zeros = tg_zeros_with(TG_I64, shape), *out = tg_scatter(zeros, -1, places, one);
    tg_drop_elements(one);
    tg_drop_elements(zeros);
    return out;
}
