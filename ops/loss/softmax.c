#include "core/work.h"
#include "ops/shared.h"

static tg_status infer(const tg_call *call) {
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    return s == TG_OK ? tg_infer_same(call) : s;
}

/* The sum of t along the node's axis, which stays with size 1. */
static tg_tensor *row_sum(const tg_node *n, tg_tensor *t) {
    return tg_sum_with(
        t, (tg_reduce_opts){.axes = TG_SHAPE(((const tg_axis_attr *)n->attr)->axis), .keepdim = true});
}

tg_tensor *tg_dominant(tg_tensor *all, int axis, double limit) {
    tg_tensor *y = tg_detach(all), *index = NULL;
    if (!tg_is_alive(y) || tg_numel(y) == 0) return NULL;
    tg_tensor *most = tg_max_with(y, axis, (tg_max_opts){.keepdim = true, .index = &index});
    tg_tensor *above = tg_any_with(tg_gt(most, tg_scalar(tg_dtype_of(y), limit)), (tg_reduce_opts){0});
    return tg_decide_set(above, "tg_item") ? index : NULL;
}

/* ---- out = e^x / sum e^x;  dx = out * (g - sum(g * out)). Since the sum of out is 1, any number may be taken from all
 *      of g: that of the largest is, whose out may be so near to 1 that g - g * out would have no digit left. ---- */

static tg_status softmax_forward(const tg_call *call) {
    tg_map_softmax(call->in[0], tg_attr_axis(call->attr, call->in[0]->rank), call->out[0]);
    return TG_OK;
}

static void softmax_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *y = n->out[0];
    int axis = (int)((const tg_axis_attr *)n->attr)->axis;
    tg_tensor *top = tg_dominant(y, axis, 0.5);
    if (top) g = tg_sub(g, tg_gather(g, axis, top));
    din[0] = tg_mul(y, tg_sub(g, row_sum(n, tg_mul(g, y))));
}

static tg_status softmax_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *y = tg_node_out(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], y);
    if (s == TG_OK) tg_map_softmax_grad(dout[0], y, tg_attr_axis(n->attr, y->rank), &din[0]);
    return s;
}

const tg_op tg_op_softmax = {
    .name = "softmax",
    .formula = "out = e^x / sum(e^x), along axis",
    .rule = "dx = out * (dout - sum(out * dout))",
    .n_in = 1,
    .save = TG_OUT(0),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = infer,
    .forward = softmax_forward,
    .grad = softmax_grad,
    .grad_kernel = softmax_grad_kernel,
    .pure = true,
    .looked = TG_IN(0),
};

tg_tensor *tg_softmax(tg_tensor *x, int axis) { return tg_apply1(&tg_op_softmax, x, &(tg_axis_attr){axis}); }

/* ---- out = x - log sum e^x;  dx = g - e^out * sum(g), which for the largest is
 *      (1 - e^out) g - e^out * (sum of the other g) ---- */

static tg_status log_softmax_forward(const tg_call *call) {
    tg_map_log_softmax(call->in[0], tg_attr_axis(call->attr, call->in[0]->rank), call->out[0]);
    return TG_OK;
}

static void log_softmax_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *y = n->out[0], *dx = tg_sub(g, tg_mul(tg_exp(y), row_sum(n, g)));
    int axis = (int)((const tg_axis_attr *)n->attr)->axis;
    tg_tensor *at = tg_dominant(y, axis, -0.69);
    din[0] = dx;
    if (!at) return;
    tg_tensor *top = tg_gather(y, axis, at), *mine = tg_gather(g, axis, at);
    tg_tensor *others = row_sum(n, tg_scatter(g, axis, at, tg_zeros_with(tg_dtype_of(g), tg_shape_of(at))));
    tg_tensor *of_top = tg_add(tg_mul(tg_expm1(top), mine), tg_mul(tg_exp(top), others));
    din[0] = tg_scatter(dx, axis, at, tg_neg(of_top));
}

static tg_status log_softmax_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *y = tg_node_out(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], y);
    if (s == TG_OK) tg_map_log_softmax_grad(dout[0], y, tg_attr_axis(n->attr, y->rank), &din[0]);
    return s;
}

const tg_op tg_op_log_softmax = {
    .name = "log_softmax",
    .formula = "out = x - log(sum(e^x)), along axis",
    .rule = "dx = dout - e^out * sum(dout)",
    .n_in = 1,
    .save = TG_OUT(0),
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = infer,
    .forward = log_softmax_forward,
    .grad = log_softmax_grad,
    .grad_kernel = log_softmax_grad_kernel,
    .pure = true,
    .looked = TG_IN(0),
};

tg_tensor *tg_log_softmax(tg_tensor *x, int axis) {
    return tg_apply1(&tg_op_log_softmax, x, &(tg_axis_attr){axis});
}
