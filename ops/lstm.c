/* The LSTM cell, and a sequence of steps. A cell is a sequence of one step without a weight: both ops share the
 * loops and the rule. Gradients are written in terms of the gates, which are outputs, so that nothing is
 * computed twice. */
#include "core/parallel.h"
#include "ops/recurrent.h"
#include "ops/steps.h"

typedef struct lstm {
    int64_t n, t, h;
    const tg_array *a, *w, *h0, *c0;            /* w and h0 of a sequence only */
    const tg_array *y, *c, *gates;              /* outputs */
    const tg_array *dy, *dc, *dgates;           /* of them; NULL: zeros */
    const tg_array *da, *dh_before, *dc_before; /* dh, dc of what goes into the step last passed */
    const tg_kernel_set *kernels;
    atomic_int status;
} lstm;

static lstm lstm_of(const tg_array *h) {
    bool sequence = h->rank > 2;
    return (lstm){.n = h->shape[0],
                  .t = sequence ? h->shape[1] : 1,
                  .h = h->shape[h->rank - 1],
                  .kernels = tg_kernels_for(h->dtype)};
}

/* ---- the loops over steps ---- */

static void forward_rows(void *context, int64_t begin, int64_t end) {
    lstm *l = context;
    for (int64_t t = 0; t < l->t; t++) {
        bool product = l->w && (t > 0 || l->h0);
        tg_status s = TG_OK;
        if (product) s = tg_step_product(t ? l->y : l->h0, t - 1, l->w, true, 0, l->gates, t, begin, end);
        if (s != TG_OK) atomic_store(&l->status, (int)s);
        for (int64_t i = begin; i < end; i++) {
            void *gates = tg_step_row(l->gates, i, t);
            l->kernels->lstm(&(tg_lstm_row){l->h, tg_step_row(l->a, i, t), product ? gates : NULL,
                                            tg_row_before(l->c, l->c0, i, t), gates, tg_step_row(l->c, i, t),
                                            tg_step_row(l->y, i, t)});
        }
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end) {
    lstm *l = context;
    for (int64_t t = l->t - 1; t >= 0; t--) {
        bool last = t == l->t - 1;
        for (int64_t i = begin; i < end; i++) {
            void *dc = tg_step_row(l->dc_before, i, 0);
            l->kernels->lstm_grad(
                &(tg_lstm_grad_row){l->h,
                                    tg_step_row(l->gates, i, t),
                                    tg_row_before(l->c, l->c0, i, t),
                                    tg_step_row(l->c, i, t),
                                    {last ? NULL : tg_step_row(l->dh_before, i, 0), tg_step_row(l->dy, i, t)},
                                    {last ? NULL : dc, tg_step_row(l->dc, i, t)},
                                    tg_step_row(l->dgates, i, t),
                                    tg_step_row(l->da, i, t),
                                    dc});
        }
        if (!l->w || (t == 0 && !l->h0)) continue;
        tg_status s = tg_step_product(l->da, t, l->w, false, 0, l->dh_before, 0, begin, end);
        if (s != TG_OK) atomic_store(&l->status, (int)s);
    }
}

static tg_status run(lstm *l, void (*rows)(void *, int64_t, int64_t)) {
    tg_parallel_for(l->n, tg_step_grain(l->n), rows, l);
    return (tg_status)atomic_load(&l->status);
}

/* ---- shape rules ---- */

static tg_status lay_out(const tg_call *call, tg_shape h) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = tg_out(call, 0, dtype, h);
    if (s == TG_OK) s = tg_out(call, 1, dtype, h);
    return s == TG_OK ? tg_out(call, 2, dtype, tg_array_shape(call->in[0])) : s;
}

static tg_status cell_infer(const tg_call *call) {
    tg_shape h;
    tg_status s = tg_call_gates(call, 2, 4, &h);
    if (s == TG_OK) s = tg_call_shape(call, 1, h);
    return s == TG_OK ? lay_out(call, h) : s;
}

static tg_status scan_infer(const tg_call *call) {
    tg_shape h;
    tg_status s = tg_call_gates(call, 3, 4, &h);
    if (s != TG_OK) return s;
    s = tg_call_shape(call, 1, TG_SHAPE(4 * h.dim[2], h.dim[2]));
    for (int i = 2; s == TG_OK && i < 4; i++) s = tg_call_shape(call, i, TG_SHAPE(h.dim[0], h.dim[2]));
    return s == TG_OK ? lay_out(call, h) : s;
}

/* ---- forward ---- */

static tg_status cell_forward(const tg_call *call) {
    tg_array dense[2] = {{0}};
    const tg_array *in[2];
    tg_status s = tg_all_contiguous(2, call->in, dense, in);
    lstm l = lstm_of(call->out[0]);
    l.a = in[0], l.c0 = in[1], l.y = call->out[0], l.c = call->out[1], l.gates = call->out[2];
    if (s == TG_OK) s = run(&l, forward_rows);
    tg_drop_all(2, dense);
    return s;
}

static tg_status scan_forward(const tg_call *call) {
    tg_array dense[4] = {{0}};
    const tg_array *in[4];
    tg_status s = tg_all_contiguous(4, call->in, dense, in);
    lstm l = lstm_of(call->out[0]);
    l.a = in[0], l.w = in[1], l.h0 = in[2], l.c0 = in[3];
    l.y = call->out[0], l.c = call->out[1], l.gates = call->out[2];
    if (s == TG_OK) s = run(&l, forward_rows);
    tg_drop_all(4, dense);
    return s;
}

/* ---- gradient in ops. With dh = dL/dh' and dc = dL/dc' + dh o (1 - tanh(c')^2):
 *      di = dc g    df = dc c    dg = dc i    do = dh tanh(c')    each plus what flows into the gate itself
 *      da_i = di i (1 - i), .., da_g = dg (1 - g^2)               and dL/dc = dc f
 * In a sequence dh is dL/dy plus da w of the step after. ---- */

static tg_tensor *slope(tg_tensor *gates, int64_t h) {
    tg_tensor *part[4];
    for (int k = 0; k < 4; k++) {
        tg_tensor *v = tg_gate(gates, h, k);
        part[k] = k == 2 ? tg_affine(tg_square(v), -1, 1) : tg_mul(v, tg_affine(v, -1, 1));
    }
    return (tg_concat)(-1, 4, part);
}

/* da of one step; *dc comes in as dL/dc', NULL for zeros, and leaves as dL/dc. */
static tg_tensor *step_grad(tg_tensor *gates, tg_tensor *c0, tg_tensor *c, tg_tensor *dh, tg_tensor **dc,
                            tg_tensor *dgates) {
    int64_t h = tg_size(c, -1);
    tg_tensor *tanh_c = tg_tanh(c),
              *through = tg_mul(tg_gate(gates, h, 3), tg_affine(tg_square(tanh_c), -1, 1));
    tg_tensor *d = tg_plus(*dc, tg_mul(dh, through));
    tg_tensor *into[4] = {tg_mul(d, tg_gate(gates, h, 2)), tg_mul(d, c0), tg_mul(d, tg_gate(gates, h, 0)),
                          tg_mul(dh, tanh_c)};
    *dc = tg_mul(d, tg_gate(gates, h, 1));
    return tg_mul(tg_plus((tg_concat)(-1, 4, into), dgates), slope(gates, h));
}

static void cell_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *c = tg_node_out(n, 1);
    tg_tensor *dh = tg_or_zeros(dout[0], c, c->shape[0], c->shape[1]);
    din[1] = dout[1];
    din[0] = step_grad(n->out[2], n->in[1], n->out[1], dh, &din[1], dout[2]);
}

static tg_tensor *step_of(tg_tensor *x, int64_t t) { return x ? tg_at_step(x, t) : NULL; }

/* da of all steps into part[]; *dh and *dc become those of the first state. */
static void scan_steps(const tg_node *n, tg_tensor *const *dout, tg_tensor **part, tg_tensor **dh,
                       tg_tensor **dc) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t rows = y->shape[0], h = y->shape[2];
    *dh = *dc = NULL;
    for (int64_t t = y->shape[1] - 1; t >= 0; t--) {
        tg_tensor *c0 = t > 0 ? tg_at_step(n->out[1], t - 1) : tg_or_zeros(n->in[3], y, rows, h);
        tg_tensor *d = tg_or_zeros(tg_plus(*dh, step_of(dout[0], t)), y, rows, h);
        *dc = tg_plus(*dc, step_of(dout[1], t));
        part[t] =
            step_grad(tg_at_step(n->out[2], t), c0, tg_at_step(n->out[1], t), d, dc, step_of(dout[2], t));
        *dh = tg_matmul(part[t], n->in[1]);
    }
}

static void scan_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *y = tg_node_out(n, 0);
    int64_t steps = y->shape[1];
    tg_tensor *dh, *dc, **part = tg_tensors_new(steps), *da = NULL;
    if (part) {
        scan_steps(n, dout, part, &dh, &dc);
        da = steps ? tg_stack_steps(part, steps)
                   : tg_zeros((tg_dtype)y->dtype, y->shape[0], 0, 4 * y->shape[2]);
        tg_tensors_free(part, steps);
    } else {
        da = dh = dc = tg_poison();
    }
    if (tg_needs(n, 0)) din[0] = da;
    if (tg_needs(n, 1)) din[1] = tg_step_outer(da, tg_states_before(n->out[0], n->in[2]));
    if (tg_needs(n, 2)) din[2] = tg_or_zeros(dh, y, y->shape[0], y->shape[2]);
    if (tg_needs(n, 3)) din[3] = tg_or_zeros(dc, y, y->shape[0], y->shape[2]);
}

/* ---- gradient on arrays ---- */

static tg_status cell_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *all[6] = {tg_node_in(n, 1), tg_node_out(n, 1), tg_node_out(n, 2),
                              dout[0],          dout[1],           dout[2]};
    const tg_array *p[6];
    tg_array dense[6] = {{0}};
    lstm l = lstm_of(all[1]);
    tg_status s = tg_all_contiguous(6, all, dense, p);
    if (s == TG_OK) s = tg_array_alloc(&din[0], (tg_dtype)all[2]->dtype, tg_array_shape(all[2]));
    if (s == TG_OK) s = tg_array_alloc(&din[1], (tg_dtype)all[1]->dtype, tg_array_shape(all[1]));
    l.c0 = p[0], l.c = p[1], l.gates = p[2], l.dy = p[3], l.dc = p[4], l.dgates = p[5];
    l.da = &din[0], l.dc_before = &din[1];
    if (s == TG_OK) s = run(&l, backward_rows);
    tg_drop_all(6, dense);
    return s;
}

/* Storage for dL/da and for dh and dc, which end as those of the first state. */
static tg_status prepare(lstm *l, tg_array own[3]) {
    tg_dtype dtype = (tg_dtype)l->y->dtype;
    tg_status s = tg_array_alloc(&own[0], dtype, TG_SHAPE(l->n, l->t, 4 * l->h));
    for (int i = 1; s == TG_OK && i < 3; i++) {
        s = tg_array_alloc(&own[i], dtype, TG_SHAPE(l->n, l->h));
        if (s == TG_OK && l->t == 0) tg_array_fill(&own[i], 0);
    }
    l->da = &own[0], l->dh_before = &own[1], l->dc_before = &own[2];
    return s;
}

static tg_status scan_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    enum { N = 9 };
    const tg_array *all[N] = {tg_node_in(n, 1),
                              n->in[2] ? tg_node_in(n, 2) : NULL,
                              n->in[3] ? tg_node_in(n, 3) : NULL,
                              tg_node_out(n, 0),
                              tg_node_out(n, 1),
                              tg_node_out(n, 2),
                              dout[0],
                              dout[1],
                              dout[2]};
    const tg_array *p[N];
    tg_array dense[N] = {{0}}, own[3] = {{0}};
    lstm l = lstm_of(all[3]);
    tg_status s = tg_all_contiguous(N, all, dense, p);
    l.w = p[0], l.h0 = p[1], l.c0 = p[2], l.y = p[3], l.c = p[4], l.gates = p[5];
    l.dy = p[6], l.dc = p[7], l.dgates = p[8];
    if (s == TG_OK) s = prepare(&l, own);
    if (s == TG_OK) s = run(&l, backward_rows);
    if (s == TG_OK && tg_needs(n, 1)) s = tg_step_weight_grad(&own[0], l.y, l.h0, &din[1]);
    for (int i = 0; s == TG_OK && i < 3; i++) {
        int input = i ? i + 1 : 0;
        if (tg_needs(n, input)) tg_array_share(&din[input], &own[i]);
    }
    tg_drop_all(N, dense);
    tg_drop_all(3, own);
    return s;
}

/* ---- the ops ---- */

const tg_op tg_op_lstm_cell = {
    .name = "lstm_cell",
    .formula = "i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of a; c' = f c + i g; h' = o tanh(c')",
    .n_in = 2,
    .n_out = 3,
    .save = TG_IN(1) | TG_OUT(1) | TG_OUT(2),
    .infer = cell_infer,
    .forward = cell_forward,
    .grad = cell_grad,
    .grad_kernel = cell_grad_kernel,
};

const tg_op tg_op_lstm_scan = {
    .name = "lstm_scan",
    .formula = "h, c = lstm_cell(a[:, k] + h w^T, c) for each step k; out[:, k] = h",
    .n_in = 4,
    .n_out = 3,
    .save = TG_IN(1) | TG_IN(2) | TG_IN(3) | TG_OUT(0) | TG_OUT(1) | TG_OUT(2),
    .optional = TG_IN(2) | TG_IN(3),
    .accumulates = TG_IN(1),
    .infer = scan_infer,
    .forward = scan_forward,
    .grad = scan_grad,
    .grad_kernel = scan_grad_kernel,
};

/* Out 0; the others are given up unless asked for. */
static tg_tensor *outputs(const tg_op *op, tg_tensor *const *in, int n, tg_tensor **c, tg_tensor **gates) {
    tg_tensor *out[3];
    if ((tg_apply_multi)(op, in, n, NULL, out) == TG_OK) {
        if (!c) tg_release(out[1]);
        if (!gates) tg_release(out[2]);
    }
    if (c) *c = out[1];
    if (gates) *gates = out[2];
    return out[0];
}

tg_tensor *(tg_lstm_cell)(tg_tensor *a, tg_tensor *c, tg_lstm_cell_opts o) {
    tg_tensor *in[2] = {a, c};
    return outputs(&tg_op_lstm_cell, in, 2, o.cell, o.gates);
}

tg_tensor *(tg_lstm_scan)(tg_tensor *a, tg_tensor *w, tg_lstm_scan_opts o) {
    tg_tensor *in[4] = {a, w, o.h, o.c};
    return outputs(&tg_op_lstm_scan, in, 4, o.cells, o.gates);
}
