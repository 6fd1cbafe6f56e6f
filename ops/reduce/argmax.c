/* The largest or smallest element along one axis, and its position; ops/reduce/reduce.h declares them. */
#include "ops/shared.h"

typedef struct along_attr {
    int64_t axis;
    bool keepdim;
} along_attr;

static const tg_attr_field along_axis[] = {
    {"axis", TG_ATTR_INT, offsetof(along_attr, axis)},
    {"keepdim", TG_ATTR_BOOL, offsetof(along_attr, keepdim)},
};

static bool is_largest(const tg_call *call) { return call->op == &tg_op_max || call->op == &tg_op_argmax; }

/* The shape of values and positions. */
static tg_status along_infer(const tg_call *call, tg_shape *shape) {
    const along_attr *attr = call->attr;
    const tg_array *x = call->in[0];
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK) s = tg_call_float(call, 0);
    if (s == TG_OK && x->shape[axis] == 0)
        s = tg_call_fail(call, TG_ERR_SHAPE, "axis %d is empty and has no %s element: %s", axis,
                         is_largest(call) ? "largest" : "smallest", tg_call_input(call, 0));
    *shape = (tg_shape){0};
    for (int i = 0; s == TG_OK && i < x->rank; i++)
        if (i != axis || attr->keepdim) shape->dim[shape->rank++] = i == axis ? 1 : x->shape[i];
    return s;
}

/* ---- max, min:  dx[.., index, ..] = g, else 0 ---- */

static tg_status extreme_infer(const tg_call *call) {
    tg_shape shape;
    tg_status s = along_infer(call, &shape);
    if (s == TG_OK) s = tg_out(call, 0, (tg_dtype)call->in[0]->dtype, shape);
    return s == TG_OK ? tg_out(call, 1, TG_I64, shape) : s;
}

static tg_status extreme_forward(const tg_call *call) {
    const tg_array *x = call->in[0];
    int axis = tg_attr_axis(call->attr, x->rank);
    tg_shape shape = tg_shape_kept(tg_array_shape(x), 1u << axis);
    tg_array out = tg_borrow_reshape(call->out[0], shape), index = tg_borrow_reshape(call->out[1], shape);
    tg_arg_extreme(is_largest(call), x, axis, &index);
    tg_map_gather(x, axis, &index, &out);
    return TG_OK;
}

static void extreme_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *x = tg_node_in(n, 0);
    int axis = tg_attr_axis(n->attr, x->rank);
    tg_shape shape = tg_shape_kept(tg_array_shape(x), 1u << axis);
    tg_tensor *zeros = tg_zeros_with((tg_dtype)x->dtype, tg_array_shape(x));
    din[0] = tg_scatter_add(zeros, axis, tg_reshape_with(n->out[1], shape), tg_reshape_with(dout[0], shape));
}

const tg_op tg_op_max = {
    .name = "max",
    .formula = "out, index = max(x), and its position; along axis",
    .rule = "dx = dout where first(x = out), else 0",
    .kink = "all to the first of the elements that tie",
    .n_in = 1,
    .n_out = 2,
    .save = TG_OUT(1),
    TG_ATTRS(along_attr, along_axis),
    .infer = extreme_infer,
    .forward = extreme_forward,
    .grad = extreme_grad,
};

const tg_op tg_op_min = {
    .name = "min",
    .formula = "out, index = min(x), and its position; along axis",
    .rule = "dx = dout where first(x = out), else 0",
    .kink = "all to the first of the elements that tie",
    .n_in = 1,
    .n_out = 2,
    .save = TG_OUT(1),
    TG_ATTRS(along_attr, along_axis),
    .infer = extreme_infer,
    .forward = extreme_forward,
    .grad = extreme_grad,
};

static tg_tensor *apply_extreme(const tg_op *op, tg_tensor *x, int axis, tg_max_opts opts) {
    tg_tensor *out[2];
    tg_apply_multi(op, &x, 1, &(along_attr){axis, opts.keepdim}, out);
    if (opts.index) *opts.index = out[1];
    return out[0];
}

tg_tensor *tg_max_with(tg_tensor *x, int axis, tg_max_opts opts) {
    return apply_extreme(&tg_op_max, x, axis, opts);
}
tg_tensor *tg_min_with(tg_tensor *x, int axis, tg_min_opts opts) {
    return apply_extreme(&tg_op_min, x, axis, opts);
}

/* ---- argmax, argmin ---- */

static tg_status position_infer(const tg_call *call) {
    tg_shape shape;
    tg_status s = along_infer(call, &shape);
    return s == TG_OK ? tg_out(call, 0, TG_I64, shape) : s;
}

static tg_status position_forward(const tg_call *call) {
    const tg_array *x = call->in[0];
    int axis = tg_attr_axis(call->attr, x->rank);
    tg_array index = tg_borrow_reshape(call->out[0], tg_shape_kept(tg_array_shape(x), 1u << axis));
    tg_arg_extreme(is_largest(call), x, axis, &index);
    return TG_OK;
}

const tg_op tg_op_argmax = {
    .name = "argmax",
    .formula = "out = position of the first largest element of x along axis",
    .n_in = 1,
    TG_ATTRS(along_attr, along_axis),
    .infer = position_infer,
    .forward = position_forward,
    .grad = TG_NO_GRAD,
};

tg_tensor *tg_argmax(tg_tensor *x, int axis) {
    return tg_apply1(&tg_op_argmax, x, &(along_attr){axis, false});
}

const tg_op tg_op_argmin = {
    .name = "argmin",
    .formula = "out = position of the first smallest element of x along axis",
    .n_in = 1,
    TG_ATTRS(along_attr, along_axis),
    .infer = position_infer,
    .forward = position_forward,
    .grad = TG_NO_GRAD,
};

tg_tensor *tg_argmin(tg_tensor *x, int axis) {
    return tg_apply1(&tg_op_argmin, x, &(along_attr){axis, false});
}
