/* The LSTM cell, and a sequence of its steps. A cell is a sequence of one step without a weight, so both ops share the
 * loops and the rule. Gradients are written in terms of the pre-activations, which are an output, since the slope of a gate
 * that has rounded to 1 cannot be computed from the gate. ops/recurrent/lstm_grad.c has them in ops. */
#include "core/parallel.h"
#include "ops/recurrent/recurrent.h"
#include "ops/recurrent/sequence.h"

typedef struct lstm {
    int64_t n, t, h;
    const tg_array *a, *w, *h0, *c0; /* only a sequence has w and h0 */
    const tg_array *y, *c, *pre;     /* the outputs */
    const tg_array *dy, *dc, *dpre;  /* the gradients of the outputs; NULL: zeros */
    const tg_array *da, *dc_before;  /* dL/da, and dL/dc of the cell before the step last passed */
    tg_recurrence recur;             /* h w^T forward, dh = da w backward */
    const tg_kernel_set *kernels;
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
        if (product) tg_recurrence_product(&l->recur, t ? l->y : l->h0, t - 1, false, begin, end);
        for (int64_t i = begin; i < end; i++)
            l->kernels->lstm(&(tg_lstm_row){l->h, tg_step_row(l->a, i, t),
                                            product ? tg_step_row(&l->recur.right, i, 0) : NULL,
                                            tg_row_before(l->c, l->c0, i, t), tg_step_row(l->pre, i, t),
                                            tg_step_row(l->c, i, t), tg_step_row(l->y, i, t)});
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end) {
    lstm *l = context;
    for (int64_t t = l->t - 1; t >= 0; t--) {
        bool last = t == l->t - 1;
        for (int64_t i = begin; i < end; i++) {
            void *dc = tg_step_row(l->dc_before, i, 0);
            l->kernels->lstm_grad(&(tg_lstm_grad_row){
                l->h,
                tg_step_row(l->pre, i, t),
                tg_row_before(l->c, l->c0, i, t),
                tg_step_row(l->c, i, t),
                {last ? NULL : tg_step_row(&l->recur.right, i, 0), tg_step_row(l->dy, i, t)},
                {last ? NULL : dc, tg_step_row(l->dc, i, t)},
                tg_step_row(l->dpre, i, t),
                tg_step_row(l->da, i, t),
                dc});
        }
        if (l->w && (t > 0 || l->h0)) tg_recurrence_product(&l->recur, l->da, t, false, begin, end);
    }
}

static void run(lstm *l, void (*rows)(void *, int64_t, int64_t)) {
    if (l->h > 0) tg_parallel_for(l->n, tg_step_grain(l->n), rows, l);
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
    l.a = in[0], l.c0 = in[1], l.y = call->out[0], l.c = call->out[1], l.pre = call->out[2];
    if (s == TG_OK) run(&l, forward_rows);
    tg_drop_all(2, dense);
    return s;
}

static tg_status scan_forward(const tg_call *call) {
    tg_array dense[4] = {{0}};
    const tg_array *in[4];
    tg_status s = tg_all_contiguous(4, call->in, dense, in);
    lstm l = lstm_of(call->out[0]);
    l.a = in[0], l.w = in[1], l.h0 = in[2], l.c0 = in[3];
    l.y = call->out[0], l.c = call->out[1], l.pre = call->out[2];
    if (s == TG_OK) s = tg_recurrence_make(&l.recur, l.w, true, l.n);
    if (s == TG_OK) run(&l, forward_rows);
    tg_recurrence_drop(&l.recur);
    tg_drop_all(4, dense);
    return s;
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
    l.c0 = p[0], l.c = p[1], l.pre = p[2], l.dy = p[3], l.dc = p[4], l.dpre = p[5];
    l.da = &din[0], l.dc_before = &din[1];
    if (s == TG_OK) run(&l, backward_rows);
    tg_drop_all(6, dense);
    return s;
}

/* Allocates da and dc_before in own, and packs w for the product. */
static tg_status prepare(lstm *l, tg_array own[2]) {
    tg_dtype dtype = (tg_dtype)l->y->dtype;
    tg_status s = tg_array_alloc(&own[0], dtype, TG_SHAPE(l->n, l->t, 4 * l->h));
    if (s == TG_OK) s = tg_array_alloc(&own[1], dtype, TG_SHAPE(l->n, l->h));
    if (s == TG_OK && l->t == 0) tg_array_fill(&own[1], 0);
    l->da = &own[0], l->dc_before = &own[1];
    return s == TG_OK ? tg_recurrence_make(&l->recur, l->w, false, l->n) : s;
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
    tg_array dense[N] = {{0}}, own[2] = {{0}};
    lstm l = lstm_of(all[3]);
    tg_status s = tg_all_contiguous(N, all, dense, p);
    l.w = p[0], l.h0 = p[1], l.c0 = p[2], l.y = p[3], l.c = p[4], l.pre = p[5];
    l.dy = p[6], l.dc = p[7], l.dpre = p[8];
    if (s == TG_OK) s = prepare(&l, own);
    if (s == TG_OK) run(&l, backward_rows);
    if (s == TG_OK && tg_needs(n, 1)) s = tg_step_weight_grad(&own[0], l.y, l.h0, &din[1]);
    if (s == TG_OK && tg_needs(n, 2)) s = tg_recurrence_first(&l.recur, l.t, l.h, &din[2]);
    if (s == TG_OK && tg_needs(n, 0)) tg_array_share(&din[0], &own[0]);
    if (s == TG_OK && tg_needs(n, 3)) tg_array_share(&din[3], &own[1]);
    tg_recurrence_drop(&l.recur);
    tg_drop_all(N, dense);
    tg_drop_all(2, own);
    return s;
}

/* ---- the ops ---- */

const tg_op tg_op_lstm_cell = {
    .name = "lstm_cell",
    .formula =
        "out, c', pre = o * tanh(c'), f * c + i * g, a; i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of the four parts of a",
    .rule =
        "q = dc' + dout * o * (1 - tanh(c')^2); da = (q * g * i * (1 - i), q * c * f * (1 - f), q * i * (1 - g^2), dout * tanh(c') * o * (1 - o)) + dpre; dc = q * f",
    .n_in = 2,
    .n_out = 3,
    .save = TG_IN(1) | TG_OUT(1) | TG_OUT(2),
    .infer = cell_infer,
    .forward = cell_forward,
    .grad = tg_lstm_cell_grad,
    .grad_kernel = cell_grad_kernel,
};

/* h w^T of each step; backward da w of each, and the gradient of w. */
static double flops(const tg_call *call, unsigned needed) {
    return (needed ? 1 + tg_products(needed, TG_IN(1)) : 1) * 2 * (double)call->in[0]->numel *
           (double)call->in[1]->shape[1];
}

const tg_op tg_op_lstm_scan = {
    .name = "lstm_scan",
    .formula =
        "out, c', pre = h, c and what the gates are made of; h, c = lstm_cell(a[:, k] + h w^T, c) for each step k",
    .rule =
        "da[:, k] = da of lstm_cell at step k, from the last step back, with da[:, k + 1] w added to dout[:, k] and dc of step k + 1 to dc'[:, k]; dw = sum over k of da[:, k]^T (h before step k); dh = da[:, 0] w; dc = dc of lstm_cell at step 0",
    .n_in = 4,
    .n_out = 3,
    .save = TG_IN(1) | TG_IN(2) | TG_IN(3) | TG_OUT(0) | TG_OUT(1) | TG_OUT(2),
    .optional = TG_IN(2) | TG_IN(3),
    .accumulates = TG_IN(1),
    .infer = scan_infer,
    .forward = scan_forward,
    .grad = tg_lstm_scan_grad,
    .grad_kernel = scan_grad_kernel,
    .flops = flops,
};

/* Applies the op and returns output 0. The cells are dropped unless they are asked for, and the gates computed only if so. */
static tg_tensor *outputs(const tg_op *op, tg_tensor *const *in, int n, tg_tensor **c, tg_tensor **gates) {
    TG_COMPOSED(op->name);
    tg_tensor *out[3];
    bool ok = tg_apply_multi(op, in, n, NULL, out) == TG_OK;
    if (gates) *gates = ok ? tg_gates_of(out[2], true) : tg_poison();
    if (gates && tg_is_poison(*gates)) ok = false;
    if (!ok) out[0] = out[1] = tg_poison();
    if (ok) tg_drop_elements(out[2]);
    if (ok && !c) tg_drop_elements(out[1]);
    if (c) *c = out[1];
    return out[0];
}

tg_tensor *tg_lstm_cell_with(tg_tensor *a, tg_tensor *c, tg_lstm_cell_opts o) {
    tg_tensor *in[2] = {a, c};
    return outputs(&tg_op_lstm_cell, in, 2, o.cell, o.gates);
}

tg_tensor *tg_lstm_scan_with(tg_tensor *a, tg_tensor *w, tg_lstm_scan_opts o) {
    tg_tensor *in[4] = {a, w, o.h, o.c};
    return outputs(&tg_op_lstm_scan, in, 4, o.cells, o.gates);
}
