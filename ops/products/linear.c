/* out = x W^T + b as one op. The leading axes of x count as rows of one matrix, so that each of the three
 * products below is one GEMM: with X [rows, in], G [rows, out], W [out, in]
 *     Y = X W^T + 1 b^T,  dX = G W,  dW = G^T X,  db = G^T 1.
 */
#include "ops/shared.h"

/* ---- shape rule ---- */

static tg_status check_dtypes(const tg_call *call) {
    for (int i = 0; i < call->n_in; i++) {
        if (!call->in[i]) continue;
        tg_status s = tg_call_float(call, i);
        if (s == TG_OK) s = tg_call_same_dtype(call, 0, i);
        if (s != TG_OK) return s;
    }
    return TG_OK;
}

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0], *w = call->in[1], *bias = call->in[2];
    tg_status s = check_dtypes(call);
    if (s != TG_OK) return s;
    if (w->rank != 2)
        return tg_call_fail(call, TG_ERR_SHAPE, "the weight must be a matrix [out, in]: %s",
                            tg_call_input(call, 1));
    if (x->rank == 0 || x->shape[x->rank - 1] != w->shape[1])
        return tg_call_fail(call, TG_ERR_SHAPE,
                            "the last axis must have the %lld inputs of the weight: %s, weight %s",
                            (long long)w->shape[1], tg_call_input(call, 0), tg_call_input(call, 1));
    if (bias && (bias->rank != 1 || bias->numel != w->shape[0]))
        return tg_call_fail(call, TG_ERR_SHAPE, "the bias must be [%lld], one number an output: %s",
                            (long long)w->shape[0], tg_call_input(call, 2));
    tg_shape out = tg_array_shape(x);
    out.dim[out.rank - 1] = w->shape[0];
    return tg_out(call, 0, (tg_dtype)x->dtype, out);
}

/* ---- matrices ---- */

/* [.., n] as [rows, n]: a view, or a copy where the strides of the leading axes allow none. */
static tg_status as_rows(tg_array *out, const tg_array *a) {
    if (a->rank != 2) return tg_array_reshaped(out, a, tg_shape_rows(tg_array_shape(a)));
    tg_array_share(out, a);
    return TG_OK;
}

/* m^T, a borrowed view. */
static tg_array transposed(const tg_array *m) {
    tg_array t = *m;
    t.shape[0] = m->shape[1], t.stride[0] = m->stride[1];
    t.shape[1] = m->shape[0], t.stride[1] = m->stride[0];
    return t;
}

/* ---- forward ---- */

static tg_status forward(const tg_call *call) {
    const tg_array *bias = call->in[2], *y = call->out[0];
    tg_array wt = transposed(call->in[1]), rows = {0}, out = {0};
    tg_status s = as_rows(&rows, call->in[0]);
    if (s == TG_OK) s = as_rows(&out, y);
    if (s == TG_OK) s = bias ? tg_gemm_bias(&rows, &wt, bias, &out) : tg_gemm(1, &rows, &wt, 0, &out);
    tg_array_drop(&rows), tg_array_drop(&out);
    return s;
}

/* ---- gradient; that of the bias is g, which the walk sums down ---- */

static tg_tensor *rows_of(tg_tensor *t) { return tg_reshape_with(t, tg_shape_rows(tg_shape_of(t))); }

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *w = n->in[1], *g = dout[0];
    if (tg_needs(n, 0)) din[0] = tg_matmul(g, w);
    if (tg_needs(n, 1)) din[1] = tg_matmul(tg_transpose(rows_of(g), 0, 1), rows_of(x));
    if (tg_needs(n, 2)) din[2] = g;
}

/* din = A B, or din += A B where din comes as the adjoint so far. It is contiguous, so that its rows are a view. */
static tg_status product(tg_array *din, const tg_array *like, const tg_array *a, const tg_array *b) {
    double beta = din->data ? 1 : 0;
    tg_array rows = {0};
    tg_status s = din->data ? TG_OK : tg_array_alloc_like(din, like);
    if (s == TG_OK) s = as_rows(&rows, din);
    if (s == TG_OK) s = tg_gemm(1, a, b, beta, &rows);
    tg_array_drop(&rows);
    return s;
}

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0), *w = tg_node_in(n, 1);
    tg_array g = {0}, rows = {0};
    tg_status s = as_rows(&g, dout[0]);
    if (s == TG_OK && tg_needs(n, 0)) s = product(&din[0], x, &g, w);
    if (s == TG_OK && tg_needs(n, 1)) {
        tg_array gt = transposed(&g);
        s = as_rows(&rows, x);
        if (s == TG_OK) s = product(&din[1], w, &gt, &rows);
    }
    if (s == TG_OK && tg_needs(n, 2)) tg_array_share(&din[2], dout[0]);
    tg_array_drop(&g), tg_array_drop(&rows);
    return s;
}

static double flops(const tg_call *call, unsigned needed) {
    return tg_products(needed, TG_IN(0) | TG_IN(1)) * 2 * (double)call->in[0]->numel *
           (double)call->in[1]->shape[0];
}

const tg_op tg_op_linear = {
    .name = "linear",
    .formula = "out = x w^T + bias; out[.., o] = bias[o] + sum over i of x[.., i] * w[o, i]",
    .rule = "dx = dout w; dw = dout^T x; dbias = dout, summed over the rows of x",
    .n_in = 3,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(2),
    .accumulates = TG_IN(0) | TG_IN(1),
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
    .pure = true,
    .looked = TG_IN(0) | TG_IN(1),
    .flops = flops,
};

tg_tensor *tg_linear_with(tg_tensor *x, tg_tensor *w, tg_linear_opts opts) {
    tg_tensor *in[3] = {x, w, opts.bias};
    return tg_apply(&tg_op_linear, in, 3, NULL);
}
