#include "ops/ops.h"

typedef struct softmax_attr {
    int64_t axis;
} softmax_attr;

static const tg_attr_field fields[] = {{"axis", TG_ATTR_INT, offsetof(softmax_attr, axis)}};

static tg_status infer(const tg_call *call) {
    int axis;
    tg_status s = tg_call_axis(call, ((const softmax_attr *)call->attr)->axis, &axis);
    return s == TG_OK ? tg_infer_same(call) : s;
}

static int axis_of(const void *attr, const tg_array *x) {
    return tg_axis_of(((const softmax_attr *)attr)->axis, x->rank);
}

/* sum of t along the node's axis, which stays with size 1 */
static tg_tensor *row_sum(const tg_node *n, tg_tensor *t) {
    return tg_sum(t, .axes = TG_SHAPE(((const softmax_attr *)n->attr)->axis), .keepdim = true);
}

/* ---- out = e^x / sum e^x;  dx = out * (g - sum(g * out)) ---- */

static tg_status softmax_forward(const tg_call *call) {
    tg_map_softmax(call->in[0], axis_of(call->attr, call->in[0]), call->out[0]);
    return TG_OK;
}

static void softmax_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *y = n->out[0];
    din[0] = tg_mul(y, tg_sub(g, row_sum(n, tg_mul(g, y))));
}

static tg_status softmax_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *y = tg_node_out(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], y);
    if (s == TG_OK) tg_map_softmax_grad(dout[0], y, axis_of(n->attr, y), &din[0]);
    return s;
}

const tg_op tg_op_softmax = {
    .name = "softmax",
    .formula = "out = e^x / sum(e^x along axis)",
    .n_in = 1,
    .save = TG_OUT(0),
    TG_ATTRS(softmax_attr, fields),
    .infer = infer,
    .forward = softmax_forward,
    .grad = softmax_grad,
    .grad_kernel = softmax_grad_kernel,
};

tg_tensor *(tg_softmax)(tg_tensor *x, int axis) {
    return tg_apply1(&tg_op_softmax, x, &(softmax_attr){axis});
}

/* ---- out = x - log sum e^x;  dx = g - e^out * sum(g) ---- */

static tg_status log_softmax_forward(const tg_call *call) {
    tg_map_log_softmax(call->in[0], axis_of(call->attr, call->in[0]), call->out[0]);
    return TG_OK;
}

static void log_softmax_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0];
    din[0] = tg_sub(g, tg_mul(tg_exp(n->out[0]), row_sum(n, g)));
}

static tg_status log_softmax_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *y = tg_node_out(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], y);
    if (s == TG_OK) tg_map_log_softmax_grad(dout[0], y, axis_of(n->attr, y), &din[0]);
    return s;
}

const tg_op tg_op_log_softmax = {
    .name = "log_softmax",
    .formula = "out = x - log(sum(e^x along axis))",
    .n_in = 1,
    .save = TG_OUT(0),
    TG_ATTRS(softmax_attr, fields),
    .infer = infer,
    .forward = log_softmax_forward,
    .grad = log_softmax_grad,
    .grad_kernel = log_softmax_grad_kernel,
};

tg_tensor *(tg_log_softmax)(tg_tensor *x, int axis) {
    return tg_apply1(&tg_op_log_softmax, x, &(softmax_attr){axis});
}
