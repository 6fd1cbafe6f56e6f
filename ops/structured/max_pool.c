/* The largest element of each window. */
#include "core/kernels/conv/max_pool.h"
#include "ops/structured/windows.h"

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    const tg_window_attr *a = call->attr;
    tg_window w[2];
    tg_status s = tg_call_float(call, 0);
    if (s == TG_OK && x->rank != 4)
        s = tg_call_fail(call, TG_ERR_SHAPE, "needs four axes, was given %s", tg_call_input(call, 0));
    if (s == TG_OK) s = tg_window_infer(call, x->shape + 2, a->size.dim, w);
    for (int i = 0; s == TG_OK && i < 2; i++)
        if (w[i].padding > w[i].kernel / 2 || (w[i].padding > 0 && w[i].dilation > w[i].in))
            s = tg_call_fail(call, TG_ERR_ARGUMENT, "padding %lld leaves windows of %lld empty: %s",
                             (long long)w[i].padding, (long long)w[i].kernel, tg_call_input(call, 0));
    if (s != TG_OK) return s;
    tg_shape shape = TG_SHAPE(x->shape[0], x->shape[1], w[0].out, w[1].out);
    s = tg_out(call, 0, (tg_dtype)x->dtype, shape);
    return s == TG_OK ? tg_out(call, 1, TG_I64, shape) : s;
}

static tg_status forward(const tg_call *call) {
    const tg_window_attr *a = call->attr;
    const tg_array *x = call->in[0];
    tg_window w[2];
    tg_window_of(a, x->shape + 2, a->size.dim, w);
    tg_array dense = {0};
    tg_status s = tg_array_contiguous(&dense, x);
    if (s != TG_OK) return s;
    tg_max_pool(w, &dense, call->out[0], call->out[1]);
    tg_array_drop(&dense);
    return TG_OK;
}

/* ---- gradient:  dx[.., index[.., i, j]] += g[.., i, j] ---- */

/* Checks the positions, an output that the user may have changed. */
static tg_status check_positions(const tg_node *n) {
    const tg_array *index = tg_node_out(n, 1), *x = tg_node_in(n, 0);
    char text[2][160];
    bool negative;
    int64_t bad = tg_first_outside(index, x->shape[2] * x->shape[3], &negative);
    for (int64_t i = 0; bad < 0 && negative && i < index->numel; i++)
        if (tg_integer_at(index, i) < 0) bad = i;
    if (bad < 0) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: index %lld at element %lld of %s is outside axes 2 and 3 of %s",
                   n->op->name, (long long)tg_integer_at(index, bad), (long long)bad,
                   tg_describe(n->out[1], text[0], sizeof *text), tg_describe(n->in[0], text[1], sizeof *text));
}

static tg_shape flat(tg_shape s) { return TG_SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]); }

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (check_positions(n) != TG_OK) return;
    tg_shape shape = tg_shape_of(n->in[0]), windows = flat(tg_shape_of(dout[0]));
    tg_tensor *zeros = tg_zeros_with(tg_dtype_of(dout[0]), flat(shape));
    tg_tensor *index = tg_reshape_with(n->out[1], windows), *g = tg_reshape_with(dout[0], windows);
    din[0] = tg_reshape_with(tg_scatter_add(zeros, 2, index, g), shape);
}

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    const tg_window_attr *a = n->attr;
    tg_window w[2];
    tg_window_of(a, x->shape + 2, a->size.dim, w);
    tg_array g = {0};
    tg_status s = tg_array_contiguous(&g, dout[0]);
    if (s == TG_OK) s = tg_array_alloc_like(&din[0], x);
    if (s == TG_OK && !tg_max_pool_grad(w, &g, tg_node_out(n, 1), &din[0])) s = check_positions(n);
    tg_array_drop(&g);
    return s;
}

const tg_op tg_op_max_pool2d = {
    .name = "max_pool2d",
    .formula = "out, index = largest element of x in each window, and its position in the plane",
    .rule = "dx[.., i] = sum of dout over the windows whose index is i",
    .kink = "all to the first of the elements that tie",
    .n_in = 1,
    .n_out = 2,
    .save = TG_OUT(1),
    TG_WINDOW_ATTRS,
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
};

tg_tensor *tg_max_pool2d_with(tg_tensor *x, tg_max_pool2d_opts o) {
    tg_tensor *out[TG_MAX_OUT];
    tg_shape kernel = tg_pair(o.kernel), stride = tg_pair(o.stride);
    for (int i = 0; i < 2; i++) stride.dim[i] = stride.dim[i] ? stride.dim[i] : kernel.dim[i];
    tg_window_attr a = tg_window_options(stride.dim, o.padding, o.dilation, 1);
    a.size = kernel;
    tg_apply_multi(&tg_op_max_pool2d, &x, 1, &a, out);
    if (o.index) *o.index = out[1];
    return out[0];
}
