/* Attention: out = P v, P = softmax(S), S = scale q k^T + mask. The second output is the logsumexp of the rows
 * of S, from which the backward pass has P again. */
#include "core/kernels/attention/attention.h"
#include "ops/shared.h"

#include <math.h>

typedef struct attention_attr {
    bool causal;
    double scale;
} attention_attr;

static const tg_attr_field fields[] = {
    {"causal", TG_ATTR_BOOL, offsetof(attention_attr, causal)},
    {"scale", TG_ATTR_REAL, offsetof(attention_attr, scale)},
};

enum { Q, K, V, MASK, INPUTS };

/* ---- shape rule ---- */

static int64_t size_of(const tg_array *x, int back) { return x->shape[x->rank - back]; }

static tg_status check_input(const tg_call *call, int i) {
    const tg_array *x = call->in[i];
    tg_status s = tg_call_float(call, i);
    if (s != TG_OK) return s;
    if (x->dtype != call->in[Q]->dtype) return tg_call_dtypes_differ(call, Q, i);
    if (x->rank < 2)
        return tg_call_fail(call, TG_ERR_SHAPE, "%c needs the shape [.., length, size], was given %s",
                            "qkv"[i], tg_call_input(call, i));
    return TG_OK;
}

static tg_status check_sizes(const tg_call *call) {
    const tg_array *q = call->in[Q], *k = call->in[K], *v = call->in[V];
    if (size_of(q, 1) != size_of(k, 1))
        return tg_call_fail(call, TG_ERR_SHAPE, "inner sizes differ: q %s and k %s", tg_call_input(call, Q),
                            tg_call_input(call, K));
    if (size_of(k, 2) != size_of(v, 2))
        return tg_call_fail(call, TG_ERR_SHAPE, "lengths differ: k %s and v %s", tg_call_input(call, K),
                            tg_call_input(call, V));
    return TG_OK;
}

/* The shape of scores, [.., l, s]. */
static tg_status score_shape(const tg_call *call, tg_shape *out) {
    *out = TG_SCALAR;
    for (int i = 0; i < MASK; i++) {
        tg_shape lead = tg_array_shape(call->in[i]);
        lead.rank -= 2;
        if (!tg_shape_broadcast(*out, lead, out))
            return tg_call_fail(call, TG_ERR_SHAPE, "leading axes do not broadcast: q %s, k %s and v %s",
                                tg_call_input(call, Q), tg_call_input(call, K), tg_call_input(call, V));
    }
    out->dim[out->rank++] = size_of(call->in[Q], 2);
    out->dim[out->rank++] = size_of(call->in[K], 2);
    return TG_OK;
}

static tg_status check_mask(const tg_call *call, tg_shape score) {
    const tg_array *mask = call->in[MASK];
    if (!mask) return TG_OK;
    if (mask->dtype != TG_BOOL && mask->dtype != call->in[Q]->dtype)
        return tg_call_fail(call, TG_ERR_DTYPE, "the mask must be bool or have the dtype of q: mask %s, q %s",
                            tg_call_input(call, MASK), tg_call_input(call, Q));
    tg_shape both;
    if (!tg_shape_broadcast(score, tg_array_shape(mask), &both) || !tg_shape_equal(both, score)) {
        char text[80];
        return tg_call_fail(call, TG_ERR_SHAPE, "the mask %s does not broadcast to the scores %s",
                            tg_call_input(call, MASK), tg_shape_text(score, text, sizeof text));
    }
    return TG_OK;
}

static tg_status infer(const tg_call *call) {
    tg_status s = TG_OK;
    tg_shape shape;
    for (int i = 0; s == TG_OK && i < MASK; i++) s = check_input(call, i);
    if (s == TG_OK) s = check_sizes(call);
    double scale = ((const attention_attr *)call->attr)->scale;
    if (s == TG_OK && !isfinite(scale) && size_of(call->in[Q], 1) > 0)
        s = tg_call_fail(call, TG_ERR_ARGUMENT, "the scale must be finite, but is %g: q %s", scale,
                         tg_call_input(call, Q));
    if (s == TG_OK) s = score_shape(call, &shape);
    if (s == TG_OK) s = check_mask(call, shape);
    if (s != TG_OK) return s;
    tg_dtype dtype = (tg_dtype)call->in[Q]->dtype;
    shape.dim[shape.rank - 1] = size_of(call->in[V], 1);
    s = tg_out(call, 0, dtype, shape);
    shape.rank--;
    return s == TG_OK ? tg_out(call, 1, dtype, shape) : s;
}

/* ---- forward ---- */

/* *out becomes `a` itself, or a copy of it, whose last axis has stride 1. */
static tg_status with_rows(tg_array *out, const tg_array *a) {
    int last = a->rank - 1;
    if (a->shape[last] > 1 && a->stride[last] != 1) return tg_array_contiguous(out, a);
    tg_array_share(out, a);
    return TG_OK;
}

/* Fills *a from in = {q, k, v, mask}. own receives the first three with rows of stride 1; the caller drops it. */
static tg_status problem_of(tg_attention *a, const tg_array *const *in, const tg_array *out,
                            const tg_array *lse, const attention_attr *attr, tg_array own[3]) {
    tg_status s = TG_OK;
    for (int i = 0; s == TG_OK && i < 3; i++) s = with_rows(&own[i], in[i]);
    *a = (tg_attention){&own[Q], &own[K], &own[V], in[MASK], out, lse, attr->causal, attr->scale};
    return s;
}

static tg_status forward(const tg_call *call) {
    tg_attention a;
    tg_array own[3] = {{0}};
    tg_status s = problem_of(&a, call->in, call->out[0], call->out[1], call->attr, own);
    if (s == TG_OK) s = tg_attention_forward(&a);
    for (int i = 0; i < 3; i++) tg_array_drop(&own[i]);
    return s;
}

/* ---- gradient: with g = dL/d(out), h = dL/d(logsumexp) and dS = P (g v^T - sum(g v^T P) + h),
 *      dq = scale dS k,  dk = scale dS^T q,  dv = P^T g,  dmask = dS. As in ops/loss/softmax.c the g v^T of a P near 1 is taken
 *      from all of its query's ---- */

static tg_tensor *turned(tg_tensor *t) { return tg_transpose(t, -1, -2); }

/* A bool mask [l, s] that is set where the key comes after the query. */
static tg_tensor *later_keys(int64_t l, int64_t s) {
    tg_tensor *mask = tg_zeros_with(TG_BOOL, TG_SHAPE(l, s));
    uint8_t *v = tg_is_poison(mask) ? NULL : tg_array_of(mask)->data;
    for (int64_t i = 0; v && i < l; i++)
        for (int64_t j = i + 1; j < s; j++) v[i * s + j] = 1;
    return mask;
}

/* P from scaled queries. softmax makes NaN of a row of -inf: its elements become 0, and pass nothing on. (With
 * causal alone there is no such row.) */
static tg_tensor *weights(const tg_node *n, tg_tensor *q) {
    tg_tensor *k = n->in[K], *mask = n->in[MASK], *score = tg_matmul(q, turned(k));
    if (((const attention_attr *)n->attr)->causal)
        score = tg_masked_fill(score, later_keys(tg_size(q, -2), tg_size(k, -2)), -INFINITY);
    if (!mask) return tg_softmax(score, -1);
    score = tg_dtype_of(mask) == TG_BOOL ? tg_masked_fill(score, tg_logical_not(mask), -INFINITY)
                                         : tg_add(score, mask);
    tg_tensor *hidden = tg_eq(score, tg_scalar(tg_dtype_of(score), -INFINITY));
    return tg_masked_fill(tg_softmax(tg_masked_fill(score, hidden, -INFINITY), -1), hidden, 0);
}

/* dp less, in each row, its element where p is largest, if some p are above 1/2. */
static tg_tensor *less_dominant(tg_tensor *dp, tg_tensor *p) {
    tg_tensor *top = tg_dominant(p, -1, 0.5);
    if (!top || !tg_is_alive(dp)) return dp;
    tg_shape shape = tg_shape_of(dp);
    shape.dim[shape.rank - 1] = 1;
    return tg_sub(dp, tg_gather(dp, -1, tg_expand_with(top, shape)));
}

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    double scale = ((const attention_attr *)n->attr)->scale;
    tg_tensor *q = tg_mul_scalar(n->in[Q], scale), *p = weights(n, q), *g = dout[0], *out = n->out[0];
    if (!g) g = tg_zeros_with(tg_dtype_of(q), tg_shape_of(out));
    if (tg_needs(n, V)) din[V] = tg_matmul(turned(p), g);
    tg_tensor *dp = tg_matmul(g, turned(n->in[V]));
    tg_tensor *slope = less_dominant(dp, p);
    slope =
        tg_sub(slope, tg_sum_with(tg_mul(slope, p), (tg_reduce_opts){.axes = TG_SHAPE(-1), .keepdim = true}));
    if (dout[1]) slope = tg_add(slope, tg_unsqueeze(dout[1], -1));
    tg_tensor *ds = tg_mul(p, slope);
    if (tg_needs(n, Q)) din[Q] = tg_mul_scalar(tg_matmul(ds, n->in[K]), scale);
    if (tg_needs(n, K)) din[K] = tg_matmul(turned(ds), q);
    if (n->in[MASK] && tg_needs(n, MASK)) din[MASK] = ds;
}

/* Allocates the gradients that are needed, all with the leading axes of out. */
static tg_status prepare(const tg_node *n, tg_attention_gradient *d, tg_array *din) {
    const tg_array *out = tg_node_out(n, 0), *q = tg_node_in(n, Q), *k = tg_node_in(n, K);
    const int64_t l = size_of(q, 2), s = size_of(k, 2), e = size_of(q, 1), width = size_of(out, 1);
    const int64_t sizes[INPUTS][2] = {{l, e}, {s, e}, {s, width}, {l, s}};
    const tg_array **to[INPUTS] = {&d->dq, &d->dk, &d->dv, &d->dmask};
    for (int i = 0; i < INPUTS; i++) {
        if (!n->in[i] || !tg_needs(n, i)) continue;
        tg_shape shape = tg_array_shape(out);
        for (int j = 0; j < 2; j++) shape.dim[shape.rank - 2 + j] = sizes[i][j];
        tg_status status = tg_array_alloc(&din[i], (tg_dtype)out->dtype, shape);
        if (status != TG_OK) return status;
        *to[i] = &din[i];
    }
    return TG_OK;
}

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *in[INPUTS] = {tg_node_in(n, Q), tg_node_in(n, K), tg_node_in(n, V),
                                  n->in[MASK] ? tg_node_in(n, MASK) : NULL};
    const tg_array *out = tg_node_out(n, 0);
    int64_t zero;
    tg_array none = tg_borrow_number(0, out, &zero), g = {0}, own[3] = {{0}};
    tg_attention a;
    tg_attention_gradient d = {.g = &g, .dlse = dout[1]};
    tg_status s = problem_of(&a, in, out, tg_node_out(n, 1), n->attr, own);
    if (s == TG_OK) s = with_rows(&g, dout[0] ? dout[0] : &none);
    if (s == TG_OK) s = prepare(n, &d, din);
    if (s == TG_OK) s = tg_attention_backward(&a, &d);
    for (int i = 0; i < 3; i++) tg_array_drop(&own[i]);
    tg_array_drop(&g);
    return s;
}

/* Each product is of all queries and keys, masked or not: q k^T and P v; backward q k^T again, dP, and one for each gradient. */
static double flops(const tg_call *call, unsigned needed) {
    const double scores = (double)call->out[1]->numel * (double)size_of(call->in[K], 2);
    const double by_q = 2 * scores * (double)size_of(call->in[Q], 1);
    const double by_v = 2 * scores * (double)size_of(call->in[V], 1);
    if (!needed) return by_q + by_v;
    return by_q * (1 + tg_products(needed, TG_IN(Q) | TG_IN(K))) + by_v * (1 + tg_products(needed, TG_IN(V)));
}

const tg_op tg_op_scaled_dot_product_attention = {
    .name = "scaled_dot_product_attention",
    .formula =
        "out, logsumexp = softmax(scale * q k^T + mask) v, log(sum(e^(scale * q k^T + mask))), of each query; with causal the keys after it are masked, and a query that sees no key gets 0",
    .rule =
        "p = softmax(scale * q k^T + mask); s = p * (dout v^T - sum(p * (dout v^T)) + dlogsumexp); dq = scale * s k; dk = scale * s^T q; dv = p^T dout; dmask = s",
    .n_in = INPUTS,
    .n_out = 2,
    .save = TG_IN(Q) | TG_IN(K) | TG_IN(V) | TG_IN(MASK) | TG_OUT(0) | TG_OUT(1),
    .optional = TG_IN(MASK),
    TG_ATTRS(attention_attr, fields),
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
    .flops = flops,
};

tg_tensor *tg_scaled_dot_product_attention_with(tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                                tg_scaled_dot_product_attention_opts o) {
    tg_tensor *in[INPUTS] = {q, k, v, o.mask}, *out[2];
    bool sized = tg_is_alive(q) && tg_rank(q) > 0;
    attention_attr attr = {o.causal, tg_option(o.scale, sized ? 1 / sqrt((double)tg_size(q, -1)) : 0)};
    tg_apply_multi(&tg_op_scaled_dot_product_attention, in, INPUTS, &attr, out);
    if (o.logsumexp)
        *o.logsumexp = out[1];
    else if (!tg_is_poison(out[1]))
        tg_drop_elements(out[1]);
    return out[0];
}
