/* A sequence of steps of a plain recurrent network, f = tanh or relu. As in ops/recurrent/lstm.c the gradient is written in
 * terms of the pre-activations, which are an output: with dh = dL/dh of a step,
 *     da = dh f'(pre) + what flows into pre itself,     dh of the step before = dL/dy + da w. */
#include "core/parallel.h"
#include "ops/recurrent/recurrent.h"
#include "ops/recurrent/sequence.h"

typedef struct rnn_attr {
    bool relu;
} rnn_attr;

static const tg_attr_field fields[] = {{"relu", TG_ATTR_BOOL, offsetof(rnn_attr, relu)}};

typedef struct rnn {
    int64_t n, t, h;
    bool relu;
    const tg_array *a, *h0;
    const tg_array *y, *pre;        /* the outputs */
    const tg_array *dy, *dpre, *da; /* the gradients of the outputs, NULL: zeros, and of a */
    tg_recurrence recur;            /* h w^T forward, dh = da w backward */
    const tg_kernel_set *kernels;
} rnn;

static rnn rnn_of(const tg_array *y, const void *attr) {
    return (rnn){.n = y->shape[0],
                 .t = y->shape[1],
                 .h = y->shape[2],
                 .relu = ((const rnn_attr *)attr)->relu,
                 .kernels = tg_kernels_for(y->dtype)};
}

/* ---- the loops over steps ---- */

static void forward_rows(void *context, int64_t begin, int64_t end) {
    rnn *r = context;
    for (int64_t t = 0; t < r->t; t++) {
        bool product = t > 0 || r->h0;
        if (product) tg_recurrence_product(&r->recur, t ? r->y : r->h0, t - 1, false, begin, end);
        for (int64_t i = begin; i < end; i++)
            r->kernels->rnn(&(tg_rnn_row){r->h, r->relu, tg_step_row(r->a, i, t),
                                          product ? tg_step_row(&r->recur.right, i, 0) : NULL,
                                          tg_step_row(r->pre, i, t), tg_step_row(r->y, i, t)});
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end) {
    rnn *r = context;
    for (int64_t t = r->t - 1; t >= 0; t--) {
        bool last = t == r->t - 1;
        for (int64_t i = begin; i < end; i++)
            r->kernels->rnn_grad(&(tg_rnn_grad_row){
                r->h,
                r->relu,
                tg_step_row(r->pre, i, t),
                {last ? NULL : tg_step_row(&r->recur.right, i, 0), tg_step_row(r->dy, i, t)},
                tg_step_row(r->dpre, i, t),
                tg_step_row(r->da, i, t)});
        if (t > 0 || r->h0) tg_recurrence_product(&r->recur, r->da, t, false, begin, end);
    }
}

static void run(rnn *r, void (*rows)(void *, int64_t, int64_t)) {
    if (r->h > 0) tg_parallel_for(r->n, tg_step_grain(r->n), rows, r);
}

/* ---- shape rule and forward ---- */

static tg_status infer(const tg_call *call) {
    tg_shape h;
    tg_status s = tg_call_gates(call, 3, 1, &h);
    if (s != TG_OK) return s;
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    s = tg_call_shape(call, 1, TG_SHAPE(h.dim[2], h.dim[2]));
    if (s == TG_OK) s = tg_call_shape(call, 2, TG_SHAPE(h.dim[0], h.dim[2]));
    for (int i = 0; s == TG_OK && i < 2; i++) s = tg_out(call, i, dtype, h);
    return s;
}

static tg_status forward(const tg_call *call) {
    tg_array dense[3] = {{0}};
    const tg_array *in[3];
    tg_status s = tg_all_contiguous(3, call->in, dense, in);
    rnn r = rnn_of(call->out[0], call->attr);
    r.a = in[0], r.h0 = in[2], r.y = call->out[0], r.pre = call->out[1];
    if (s == TG_OK) s = tg_recurrence_make(&r.recur, in[1], true, r.n);
    if (s == TG_OK) run(&r, forward_rows);
    tg_recurrence_drop(&r.recur);
    tg_drop_all(3, dense);
    return s;
}

/* ---- gradient on arrays ---- */

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    enum { N = 6 };
    const tg_array *all[N] = {tg_node_in(n, 1),  n->in[2] ? tg_node_in(n, 2) : NULL,
                              tg_node_out(n, 0), tg_node_out(n, 1),
                              dout[0],           dout[1]};
    const tg_array *p[N];
    tg_array dense[N] = {{0}}, da = {0};
    rnn r = rnn_of(all[2], n->attr);
    tg_status s = tg_all_contiguous(N, all, dense, p);
    r.h0 = p[1], r.y = p[2], r.pre = p[3], r.dy = p[4], r.dpre = p[5], r.da = &da;
    if (s == TG_OK) s = tg_array_alloc(&da, (tg_dtype)all[2]->dtype, tg_array_shape(all[2]));
    if (s == TG_OK) s = tg_recurrence_make(&r.recur, p[0], false, r.n);
    if (s == TG_OK) run(&r, backward_rows);
    if (s == TG_OK && tg_needs(n, 1)) s = tg_step_weight_grad(&da, r.y, r.h0, &din[1]);
    if (s == TG_OK && tg_needs(n, 2)) s = tg_recurrence_first(&r.recur, r.t, r.h, &din[2]);
    if (s == TG_OK && tg_needs(n, 0)) tg_array_share(&din[0], &da);
    tg_recurrence_drop(&r.recur);
    tg_drop_all(N, dense);
    tg_array_drop(&da);
    return s;
}

/* ---- gradient in ops ---- */

static tg_tensor *step_of(tg_tensor *x, int64_t t) { return x ? tg_at_step(x, t) : NULL; }

static tg_tensor *through(const tg_node *n, tg_tensor *pre, tg_tensor *dh) {
    if (!((const rnn_attr *)n->attr)->relu) return tg_mul(dh, tg_tanh_slope(pre));
    return tg_masked_fill(dh, tg_le(pre, tg_scalar(tg_dtype_of(pre), 0)), 0);
}

/* Sets da[] of all steps; returns dh of the first state. */
static tg_tensor *scan_steps(const tg_node *n, tg_tensor *const *dout, tg_tensor **da) {
    const tg_array *y = tg_node_out(n, 0);
    tg_tensor *dh = NULL;
    for (int64_t t = y->shape[1] - 1; t >= 0; t--) {
        dh = tg_or_zeros(tg_plus(dh, step_of(dout[0], t)), y, y->shape[0], y->shape[2]);
        da[t] = tg_plus(through(n, tg_at_step(n->out[1], t), dh), step_of(dout[1], t));
        dh = tg_matmul(da[t], n->in[1]);
    }
    return dh;
}

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t steps = y->shape[1];
    tg_tensor *dh = tg_poison(), *da = dh, **part = tg_tensors_new(n, steps);
    if (part) {
        dh = scan_steps(n, dout, part);
        da = steps ? tg_stack_steps(part, steps) : tg_zeros_with((tg_dtype)y->dtype, tg_array_shape(y));
        tg_tensors_free(part, steps);
    }
    if (tg_needs(n, 0)) din[0] = da;
    if (tg_needs(n, 1)) din[1] = tg_step_outer(da, tg_states_before(n->out[0], n->in[2]));
    if (tg_needs(n, 2)) din[2] = tg_or_zeros(dh, y, y->shape[0], y->shape[2]);
}

/* h w^T of each step; backward da w of each, and the gradient of w. */
static double flops(const tg_call *call, unsigned needed) {
    return (needed ? 1 + tg_products(needed, TG_IN(1)) : 1) * 2 * (double)call->in[0]->numel *
           (double)call->in[1]->shape[1];
}

const tg_op tg_op_rnn_scan = {
    .name = "rnn_scan",
    .formula =
        "out, pre = h and what it is a function of; h = tanh(a[:, k] + h w^T), or with relu max(a[:, k] + h w^T, 0), for each step k",
    .rule =
        "da[:, k] = (dout[:, k] + da[:, k + 1] w) * (1 - out[:, k]^2), or with relu the first factor where out[:, k] > 0, else 0, from the last step back; dw = sum over k of da[:, k]^T (h before step k); dh = da[:, 0] w",
    .kink = "relu: 0 at 0",
    .n_in = 3,
    .n_out = 2,
    .save = TG_IN(1) | TG_IN(2) | TG_OUT(0) | TG_OUT(1),
    .optional = TG_IN(2),
    .accumulates = TG_IN(1),
    TG_ATTRS(rnn_attr, fields),
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
    .flops = flops,
};

tg_tensor *tg_rnn_scan_with(tg_tensor *a, tg_tensor *w, tg_rnn_scan_opts o) {
    TG_COMPOSED("rnn_scan");
    tg_tensor *in[3] = {a, w, o.h}, *out[2];
    if (tg_apply_multi(&tg_op_rnn_scan, in, 3, &(rnn_attr){o.relu}, out) != TG_OK) return tg_poison();
    tg_drop_elements(out[1]);
    return out[0];
}
