/* conv2d and its two transposes. With T(x, w, g) = <g, conv2d(x, w)>, linear in each of the three,
 *     conv2d = dT/dg,  conv2d_input = dT/dx,  conv2d_weight = dT/dw,
 * so the gradients of each of the ops are the two others, to any order. core/kernels/conv/conv.h computes. */
#include "core/kernels/conv/conv.h"
#include "ops/structured/windows.h"

/* ---- shape rules ---- */

static tg_status check_pair(const tg_call *call) {
    for (int i = 0; i < 2; i++) {
        tg_status s = tg_call_float(call, i);
        if (s != TG_OK) return s;
        if (call->in[i]->rank != 4)
            return tg_call_fail(call, TG_ERR_SHAPE, "needs four axes, was given %s", tg_call_input(call, i));
    }
    return tg_call_same_dtype(call, 0, 1);
}

static tg_status check_groups(const tg_call *call, int64_t channels, int64_t filters) {
    int64_t groups = ((const tg_window_attr *)call->attr)->groups;
    bool uneven = channels % groups != 0;
    if (!uneven && filters % groups == 0) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE, "%lld %s cannot be divided among %lld groups: %s and %s",
                        (long long)(uneven ? channels : filters), uneven ? "channels" : "filters",
                        (long long)groups, tg_call_input(call, 0), tg_call_input(call, 1));
}

static tg_status check_bias(const tg_call *call, int64_t filters) {
    const tg_array *bias = call->in[2];
    if (!bias) return TG_OK;
    if (bias->dtype != call->in[0]->dtype) return tg_call_dtypes_differ(call, 0, 2);
    if (bias->rank == 1 && bias->numel == filters) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE, "the bias must be [%lld], one number a filter: %s",
                        (long long)filters, tg_call_input(call, 2));
}

static tg_status conv2d_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *w = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_window window[2];
    tg_status s = check_pair(call);
    if (s == TG_OK) s = tg_window_infer(call, x->shape + 2, w->shape + 2, window);
    if (s == TG_OK) s = check_groups(call, x->shape[1], w->shape[0]);
    if (s == TG_OK && x->shape[1] / a->groups != w->shape[1])
        s = tg_call_fail(
            call, TG_ERR_SHAPE,
            "channels differ: a group of the images has %lld, a filter takes %lld: %s and %s (groups %lld)",
            (long long)(x->shape[1] / a->groups), (long long)w->shape[1], tg_call_input(call, 0),
            tg_call_input(call, 1), (long long)a->groups);
    if (s == TG_OK) s = check_bias(call, w->shape[0]);
    if (s != TG_OK) return s;
    return tg_out(call, 0, (tg_dtype)x->dtype,
                  TG_SHAPE(x->shape[0], w->shape[0], window[0].out, window[1].out));
}

/* Checks that g has the size that a convolution of these sizes gives. */
static tg_status check_windows(const tg_call *call, const tg_array *g, const int64_t in[2],
                               const int64_t kernel[2]) {
    tg_window window[2];
    tg_status s = tg_window_infer(call, in, kernel, window);
    if (s != TG_OK || (g->shape[2] == window[0].out && g->shape[3] == window[1].out)) return s;
    return tg_call_fail(
        call, TG_ERR_SHAPE,
        "a kernel of [%lld, %lld] takes an image of %lld by %lld to %lld by %lld, which does not fit g: %s and %s",
        (long long)kernel[0], (long long)kernel[1], (long long)in[0], (long long)in[1],
        (long long)window[0].out, (long long)window[1].out, tg_call_input(call, 0), tg_call_input(call, 1));
}

static tg_status input_infer(const tg_call *call) {
    const tg_array *g = call->in[0], *w = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_status s = check_pair(call);
    if (s == TG_OK && (a->size.dim[0] < 0 || a->size.dim[1] < 0))
        s = tg_call_fail(call, TG_ERR_ARGUMENT, "the size of the result is negative, %lld by %lld: %s",
                         (long long)a->size.dim[0], (long long)a->size.dim[1], tg_call_input(call, 0));
    if (s == TG_OK) s = check_windows(call, g, a->size.dim, w->shape + 2);
    if (s == TG_OK) s = check_groups(call, 0, w->shape[0]);
    if (s == TG_OK && g->shape[1] != w->shape[0])
        s = tg_call_fail(call, TG_ERR_SHAPE, "filters differ: axis 1 of %s and axis 0 of %s",
                         tg_call_input(call, 0), tg_call_input(call, 1));
    if (s != TG_OK) return s;
    tg_shape out = TG_SHAPE(g->shape[0], w->shape[1] * a->groups, a->size.dim[0], a->size.dim[1]);
    return tg_out(call, 0, (tg_dtype)g->dtype, out);
}

static tg_status weight_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *g = call->in[1];
    const tg_window_attr *a = call->attr;
    tg_status s = check_pair(call);
    if (s == TG_OK) s = check_windows(call, g, x->shape + 2, a->size.dim);
    if (s == TG_OK) s = check_groups(call, x->shape[1], g->shape[1]);
    if (s == TG_OK && x->shape[0] != g->shape[0])
        s = tg_call_fail(call, TG_ERR_SHAPE, "images differ: axis 0 of %s and of %s", tg_call_input(call, 0),
                         tg_call_input(call, 1));
    if (s != TG_OK) return s;
    tg_shape out = TG_SHAPE(g->shape[1], x->shape[1] / a->groups, a->size.dim[0], a->size.dim[1]);
    return tg_out(call, 0, (tg_dtype)x->dtype, out);
}

/* ---- values ---- */

typedef enum direction { TO_Y, TO_X, TO_W } direction;

/* Computes the one of y, x and w that `to` says from the two others; it is contiguous. */
static tg_status run(direction to, const tg_window_attr *a, const tg_array *x, const tg_array *w,
                     const tg_array *y, const tg_array *bias, bool add) {
    tg_conv c = {
        .images = x->shape[0], .groups = a->groups, .channels = w->shape[1], .filters = w->shape[0] / a->groups};
    tg_array dense[4] = {{0}};
    const tg_array *of[4] = {x, w, y, bias}, *p[4];
    tg_status s = tg_all_contiguous(4, of, dense, p);
    tg_window_of(a, x->shape + 2, w->shape + 2, c.window);
    if (s == TG_OK)
        s = to == TO_Y   ? tg_conv_forward(&c, p[0], p[1], p[3], &dense[2])
            : to == TO_X ? tg_conv_input(&c, p[2], p[1], &dense[0])
                         : tg_conv_weight(&c, p[0], p[2], &dense[1], add);
    tg_drop_all(4, dense);
    return s;
}

static tg_status conv2d_forward(const tg_call *call) {
    return run(TO_Y, call->attr, call->in[0], call->in[1], call->out[0], call->in[2], false);
}

static tg_status input_forward(const tg_call *call) {
    return run(TO_X, call->attr, call->out[0], call->in[1], call->in[0], NULL, false);
}

static tg_status weight_forward(const tg_call *call) {
    return run(TO_W, call->attr, call->in[0], call->out[0], call->in[1], NULL, false);
}

/* ---- gradients ---- */

/* The node's attributes, with the size of the last two axes of t for `size`. */
static tg_window_attr sized(const tg_node *n, const tg_tensor *t) {
    tg_window_attr a = *(const tg_window_attr *)n->attr;
    a.size = t ? TG_SHAPE(tg_size(t, 2), tg_size(t, 3)) : TG_SCALAR;
    return a;
}

static tg_tensor *apply_conv2d(const tg_node *n, tg_tensor *x, tg_tensor *w) {
    tg_tensor *in[3] = {x, w, NULL};
    tg_window_attr a = sized(n, NULL);
    return tg_apply(&tg_op_conv2d, in, 3, &a);
}

static tg_tensor *apply_input(const tg_node *n, tg_tensor *g, tg_tensor *w, tg_tensor *like) {
    tg_window_attr a = sized(n, like);
    return tg_apply2(&tg_op_conv2d_input, g, w, &a);
}

static tg_tensor *apply_weight(const tg_node *n, tg_tensor *x, tg_tensor *g, tg_tensor *like) {
    tg_window_attr a = sized(n, like);
    return tg_apply2(&tg_op_conv2d_weight, x, g, &a);
}

static void conv2d_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *w = n->in[1], *g = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_input(n, g, w, x);
    if (tg_needs(n, 1)) din[1] = apply_weight(n, x, g, w);
    if (tg_needs(n, 2)) din[2] = tg_sum_with(g, (tg_reduce_opts){.axes = TG_SHAPE(0, 2, 3)});
}

static void input_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = n->in[0], *w = n->in[1], *dx = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_conv2d(n, dx, w);
    if (tg_needs(n, 1)) din[1] = apply_weight(n, dx, g, w);
}

static void weight_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *g = n->in[1], *dw = dout[0];
    if (tg_needs(n, 0)) din[0] = apply_input(n, g, dw, x);
    if (tg_needs(n, 1)) din[1] = apply_conv2d(n, x, dw);
}

/* The gradient of the weight may come as the adjoint so far, to which the products are added. */
static tg_status conv2d_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0), *w = tg_node_in(n, 1), *g = dout[0];
    tg_status s = TG_OK;
    if (tg_needs(n, 0)) {
        s = tg_array_alloc_like(&din[0], x);
        if (s == TG_OK) s = run(TO_X, n->attr, &din[0], w, g, NULL, false);
    }
    if (s == TG_OK && tg_needs(n, 1)) {
        bool add = din[1].data != NULL;
        if (!add) s = tg_array_alloc_like(&din[1], w);
        if (s == TG_OK) s = run(TO_W, n->attr, x, &din[1], g, NULL, add);
    }
    if (s == TG_OK && tg_needs(n, 2)) {
        s = tg_array_alloc(&din[2], (tg_dtype)g->dtype, TG_SHAPE(g->shape[1]));
        if (s != TG_OK) return s;
        tg_array kept = tg_borrow_reshape(&din[2], TG_SHAPE(1, g->shape[1], 1, 1));
        tg_reduce(TG_SUM, g, 1u << 0 | 1u << 2 | 1u << 3, &kept);
    }
    return s;
}

/* ---- flops: of y, and of the weight, as large as a filter that makes each element of y ---- */

static double flops_of(const tg_array *y, const tg_array *w) {
    return 2 * (double)y->numel * (double)w->shape[1] * (double)w->shape[2] * (double)w->shape[3];
}

static double conv2d_flops(const tg_call *c, unsigned needed) {
    return tg_products(needed, TG_IN(0) | TG_IN(1)) * flops_of(c->out[0], c->in[1]);
}

static double input_flops(const tg_call *c, unsigned needed) {
    return tg_products(needed, TG_IN(0) | TG_IN(1)) * flops_of(c->in[0], c->in[1]);
}

static double weight_flops(const tg_call *c, unsigned needed) {
    return tg_products(needed, TG_IN(0) | TG_IN(1)) * flops_of(c->in[1], c->out[0]);
}

const tg_op tg_op_conv2d = {
    .name = "conv2d",
    .formula =
        "out[n, f, i, j] = bias[f] + sum over c, k, l of w[f, c, k, l] * x[n, c, i + k, j + l]; i + k for stride * i + dilation * k - padding, j + l likewise",
    .rule =
        "dx[n, c, i + k, j + l] = sum of dout[n, f, i, j] * w[f, c, k, l]; dw[f, c, k, l] = sum over n, i, j of dout[n, f, i, j] * x[n, c, i + k, j + l]; dbias[f] = sum over n, i, j of dout[n, f, i, j]",
    .n_in = 3,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(2),
    .accumulates = TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = conv2d_infer,
    .forward = conv2d_forward,
    .grad = conv2d_grad,
    .grad_kernel = conv2d_grad_kernel,
    .pure = true,
    .looked = TG_IN(0),
    .flops = conv2d_flops,
};

const tg_op tg_op_conv2d_input = {
    .name = "conv2d_input",
    .formula = "out[n, c, i + k, j + l] = sum of w[f, c, k, l] * g[n, f, i, j]; i + k as in conv2d",
    .rule = "dg = conv2d(dout, w); dw = conv2d_weight(dout, g)",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = input_infer,
    .forward = input_forward,
    .grad = input_grad,
    .pure = true,
    .flops = input_flops,
};

const tg_op tg_op_conv2d_weight = {
    .name = "conv2d_weight",
    .formula = "out[f, c, k, l] = sum over n, i, j of g[n, f, i, j] * x[n, c, i + k, j + l]; i + k as in conv2d",
    .rule = "dx = conv2d_input(g, dout); dg = conv2d(x, dout)",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    TG_WINDOW_ATTRS,
    .infer = weight_infer,
    .forward = weight_forward,
    .grad = weight_grad,
    .pure = true,
    .flops = weight_flops,
};
