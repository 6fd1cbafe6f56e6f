#include "ops/shared.h"

/* ---- indices ---- */

tg_status tg_call_index_dtype(const tg_call *call) {
    if (call->in[1]->dtype == TG_I64 || call->in[1]->dtype == TG_I32) return TG_OK;
    return tg_call_fail(call, TG_ERR_DTYPE, "the index must be i64 or i32: %s", tg_call_input(call, 1));
}

static tg_status fail_outside(const char *op, tg_tensor *const *in, int axis, int64_t size,
                              const tg_array *index, int64_t bad) {
    char place_text[200], x_text[160], index_text[160];
    tg_shape place = tg_array_shape(index);
    int64_t rest = bad;
    for (int i = place.rank - 1; i >= 0; i--) {
        int64_t n = place.dim[i];
        place.dim[i] = rest % n;
        rest /= n;
    }
    return tg_fail(TG_ERR_ARGUMENT,
                   "%s: index %lld is out of range for axis %d of size %lld: %s (it stands at %s of %s)", op,
                   (long long)tg_integer_at(index, bad), axis, (long long)size,
                   tg_describe(in[0], x_text, sizeof x_text),
                   tg_shape_text(place, place_text, sizeof place_text),
                   tg_describe(in[1], index_text, sizeof index_text));
}

tg_status tg_positions(const char *op, tg_tensor *const *in, const tg_array *index, int64_t size, int axis,
                       tg_array *out) {
    *out = (tg_array){0};
    tg_array dense = {0};
    tg_status s = tg_array_contiguous(&dense, index);
    if (s != TG_OK) return s;
    bool negative;
    int64_t bad = tg_first_outside(&dense, size, &negative);
    if (bad >= 0) {
        s = fail_outside(op, in, axis, size, &dense, bad);
    } else if (negative) {
        s = tg_array_alloc(out, TG_I64, tg_array_shape(index));
        for (int64_t i = 0; s == TG_OK && i < dense.numel; i++) {
            int64_t at = tg_integer_at(&dense, i);
            ((int64_t *)out->data)[i] = at < 0 ? at + size : at;
        }
    } else {
        tg_array_share(out, &dense);
    }
    tg_array_drop(&dense);
    return s;
}

tg_status tg_call_positions(const tg_call *call, int axis, tg_array *out) {
    return tg_positions(call->op->name, call->handle, call->in[1], call->in[0]->shape[axis], axis, out);
}

static tg_status node_positions(const tg_node *n, int axis, tg_array *out) {
    return tg_positions(n->op->name, n->in, tg_node_in(n, 1), tg_node_in(n, 0)->shape[axis], axis, out);
}

/* A vector of indices along `axis`, repeated to the shape of `like`; a borrowed view. */
static tg_array along(const tg_array *vector, int axis, const tg_array *like) {
    tg_array v = *like;
    v.data = vector->data, v.buffer = vector->buffer, v.dtype = vector->dtype;
    for (int i = 0; i < v.rank; i++) v.stride[i] = i == axis ? vector->stride[0] : 0;
    return v;
}

/* ---- gather:  dx[.., index[.., j, ..], ..] += g[.., j, ..] ---- */

tg_status tg_call_index_fits(const tg_call *call, int axis) {
    const tg_array *x = call->in[0], *index = call->in[1];
    bool fits = index->rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++) fits = i == axis || index->shape[i] <= x->shape[i];
    if (fits) return TG_OK;
    return tg_call_fail(
        call, TG_ERR_SHAPE,
        "the index must have the rank of what it points into, and apart from axis %d at most its sizes: "
        "index %s into %s",
        axis, tg_call_input(call, 1), tg_call_input(call, 0));
}

static tg_status index_fits(const tg_call *call) {
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK) s = tg_call_index_dtype(call);
    return s == TG_OK ? tg_call_index_fits(call, axis) : s;
}

static tg_status gather_infer(const tg_call *call) {
    tg_status s = index_fits(call);
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)call->in[0]->dtype, tg_array_shape(call->in[1])) : s;
}

static tg_status gather_forward(const tg_call *call) {
    int axis = tg_attr_axis(call->attr, call->in[0]->rank);
    tg_array at;
    tg_status s = tg_call_positions(call, axis, &at);
    if (s == TG_OK) tg_map_gather(call->in[0], axis, &at, call->out[0]);
    tg_array_drop(&at);
    return s;
}

static void gather_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *zeros = tg_zeros_with(tg_dtype_of(dout[0]), tg_shape_of(n->in[0]));
    din[0] = tg_scatter_add(zeros, tg_attr_axis(n->attr, tg_rank(dout[0])), n->in[1], dout[0]);
}

static tg_status gather_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    int axis = tg_attr_axis(n->attr, x->rank);
    tg_array at;
    tg_status s = node_positions(n, axis, &at);
    if (s == TG_OK) s = tg_adjoint_or_zeros(&din[0], x);
    if (s == TG_OK) s = tg_map_scatter_add(&din[0], axis, &at, dout[0]);
    tg_array_drop(&at);
    return s;
}

const tg_op tg_op_gather = {
    .name = "gather",
    .formula = "out[.., j, ..] = x[.., index[.., j, ..], ..] along axis",
    .rule = "dx = 0, and dx[.., index[.., j, ..], ..] += dout[.., j, ..] for each j",
    .n_in = 2,
    .save = TG_IN(1),
    .no_grad = TG_IN(1),
    .accumulates = TG_IN(0),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = gather_infer,
    .forward = gather_forward,
    .grad = gather_grad,
    .grad_kernel = gather_grad_kernel,
};

tg_tensor *tg_gather(tg_tensor *x, int axis, tg_tensor *index) {
    return tg_apply2(&tg_op_gather, x, index, &(tg_axis_attr){axis});
}

/* ---- scatter_add:  dx = g,  dsrc = g gathered at index ---- */

static tg_status scatter_add_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *index = call->in[1], *src = call->in[2];
    tg_status s = tg_call_float(call, 0);
    if (s == TG_OK) s = tg_call_same_dtype(call, 0, 2);
    if (s == TG_OK && !tg_shape_equal(tg_array_shape(index), tg_array_shape(src)))
        s = tg_call_fail(call, TG_ERR_SHAPE, "shapes differ: index %s, src %s", tg_call_input(call, 1),
                         tg_call_input(call, 2));
    if (s == TG_OK) s = index_fits(call);
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(x)) : s;
}

static tg_status scatter_add_forward(const tg_call *call) {
    int axis = tg_attr_axis(call->attr, call->in[0]->rank);
    tg_array at;
    tg_status s = tg_call_positions(call, axis, &at);
    if (s == TG_OK) {
        tg_array_copy(call->out[0], call->in[0]);
        s = tg_map_scatter_add(call->out[0], axis, &at, call->in[2]);
    }
    tg_array_drop(&at);
    return s;
}

static void scatter_add_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = dout[0];
    if (tg_needs(n, 2)) din[2] = tg_gather(dout[0], tg_attr_axis(n->attr, tg_rank(dout[0])), n->in[1]);
}

const tg_op tg_op_scatter_add = {
    .name = "scatter_add",
    .formula = "out = x, and out[.., index[.., j, ..], ..] += src[.., j, ..] along axis",
    .rule = "dx = dout; dsrc[.., j, ..] = dout[.., index[.., j, ..], ..]",
    .n_in = 3,
    .save = TG_IN(1),
    .no_grad = TG_IN(1),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = scatter_add_infer,
    .forward = scatter_add_forward,
    .grad = scatter_add_grad,
};

tg_tensor *tg_scatter_add(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src) {
    tg_tensor *in[3] = {x, index, src};
    return tg_apply(&tg_op_scatter_add, in, 3, &(tg_axis_attr){axis});
}

/* ---- index_select:  dx[.., index[j], ..] += g[.., j, ..] ---- */

static tg_status index_select_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *index = call->in[1];
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK) s = tg_call_index_dtype(call);
    if (s != TG_OK) return s;
    if (index->rank != 1)
        return tg_call_fail(call, TG_ERR_SHAPE, "the index must have rank 1: %s", tg_call_input(call, 1));
    tg_shape shape = tg_array_shape(x);
    shape.dim[axis] = index->numel;
    return tg_out(call, 0, (tg_dtype)x->dtype, shape);
}

static tg_status index_select_forward(const tg_call *call) {
    int axis = tg_attr_axis(call->attr, call->in[0]->rank);
    tg_array at;
    tg_status s = tg_call_positions(call, axis, &at);
    if (s != TG_OK) return s;
    tg_array spread = along(&at, axis, call->out[0]);
    tg_map_gather(call->in[0], axis, &spread, call->out[0]);
    tg_array_drop(&at);
    return TG_OK;
}

static void index_select_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *zeros = tg_zeros_with(tg_dtype_of(g), tg_shape_of(n->in[0]));
    tg_shape shape = tg_shape_of(g), column = shape;
    int axis = tg_attr_axis(n->attr, shape.rank);
    for (int i = 0; i < column.rank; i++)
        if (i != axis) column.dim[i] = 1;
    din[0] = tg_scatter_add(zeros, axis, tg_expand_with(tg_reshape_with(n->in[1], column), shape), g);
}

static tg_status index_select_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    int axis = tg_attr_axis(n->attr, x->rank);
    tg_array at;
    tg_status s = node_positions(n, axis, &at);
    if (s == TG_OK) s = tg_adjoint_or_zeros(&din[0], x);
    if (s == TG_OK) {
        tg_array spread = along(&at, axis, dout[0]);
        s = tg_map_scatter_add(&din[0], axis, &spread, dout[0]);
    }
    tg_array_drop(&at);
    return s;
}

const tg_op tg_op_index_select = {
    .name = "index_select",
    .formula = "out[.., j, ..] = x[.., index[j], ..] along axis",
    .rule = "dx = 0, and dx[.., index[j], ..] += dout[.., j, ..] for each j",
    .n_in = 2,
    .save = TG_IN(1),
    .no_grad = TG_IN(1),
    .accumulates = TG_IN(0),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = index_select_infer,
    .forward = index_select_forward,
    .grad = index_select_grad,
    .grad_kernel = index_select_grad_kernel,
};

tg_tensor *tg_index_select(tg_tensor *x, int axis, tg_tensor *index) {
    return tg_apply2(&tg_op_index_select, x, index, &(tg_axis_attr){axis});
}
