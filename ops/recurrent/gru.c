/* The GRU cell, and a sequence of its steps. As in ops/recurrent/lstm.c a cell is a sequence of one step, and the gradient is
 * written in terms of the pre-activations, which are an output. ops/recurrent/gru_grad.c has it in ops. */
#include "core/parallel.h"
#include "ops/recurrent/recurrent.h"
#include "ops/recurrent/sequence.h"

typedef struct gru {
    int64_t n, t, h;
    const tg_array *a, *s, *w, *b, *h0; /* only a cell has s, only a sequence has w and b */
    const tg_array *y, *pre;            /* the outputs */
    const tg_array *dy, *dpre;          /* the gradients of the outputs; NULL: zeros */
    const tg_array *da, *ds, *dh0;      /* the gradients of the inputs; only a cell has dh0 */
    tg_recurrence recur;                /* s = h w^T forward, dh = dh z + ds w backward */
    const tg_kernel_set *kernels;
} gru;

static gru gru_of(const tg_array *h) {
    bool sequence = h->rank > 2;
    return (gru){.n = h->shape[0],
                 .t = sequence ? h->shape[1] : 1,
                 .h = h->shape[h->rank - 1],
                 .kernels = tg_kernels_for(h->dtype)};
}

/* ---- the loops over steps ---- */

static void forward_rows(void *context, int64_t begin, int64_t end) {
    gru *g = context;
    for (int64_t t = 0; t < g->t; t++) {
        bool product = g->w && (t > 0 || g->h0);
        const tg_array *s = product ? &g->recur.right : g->s;
        if (product) tg_recurrence_product(&g->recur, t ? g->y : g->h0, t - 1, false, begin, end);
        for (int64_t i = begin; i < end; i++)
            g->kernels->gru(&(tg_gru_row){g->h, tg_step_row(g->a, i, t), tg_step_row(s, i, 0),
                                          g->b ? g->b->data : NULL, tg_row_before(g->y, g->h0, i, t),
                                          tg_step_row(g->pre, i, t), tg_step_row(g->y, i, t)});
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end) {
    gru *g = context;
    for (int64_t t = g->t - 1; t >= 0; t--) {
        for (int64_t i = begin; i < end; i++) {
            void *dh = tg_step_row(g->w ? &g->recur.right : g->dh0, i, 0);
            g->kernels->gru_grad(&(tg_gru_grad_row){g->h,
                                                    tg_step_row(g->pre, i, t),
                                                    tg_row_before(g->y, g->h0, i, t),
                                                    {t < g->t - 1 ? dh : NULL, tg_step_row(g->dy, i, t)},
                                                    tg_step_row(g->dpre, i, t),
                                                    tg_step_row(g->da, i, t),
                                                    tg_step_row(g->ds, i, t),
                                                    dh});
        }
        if (g->w && (t > 0 || g->h0)) tg_recurrence_product(&g->recur, g->ds, t, true, begin, end);
    }
}

static void run(gru *g, void (*rows)(void *, int64_t, int64_t)) {
    if (g->h > 0) tg_parallel_for(g->n, tg_step_grain(g->n), rows, g);
}

/* ---- shape rules ---- */

static tg_status lay_out(const tg_call *call, tg_shape h) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = tg_out(call, 0, dtype, h);
    tg_shape pre = h;
    if (s != TG_OK) return s;
    if (h.dim[h.rank - 1] > INT64_MAX / 4)
        return tg_call_fail(call, TG_ERR_SHAPE, "the gates have more elements than can be counted: %s",
                            tg_call_input(call, 0));
    pre.dim[h.rank - 1] *= 4;
    return tg_out(call, 1, dtype, pre);
}

static tg_status cell_infer(const tg_call *call) {
    tg_shape h;
    tg_status s = tg_call_gates(call, 2, 3, &h);
    if (s == TG_OK) s = tg_call_shape(call, 1, tg_array_shape(call->in[0]));
    if (s == TG_OK) s = tg_call_shape(call, 2, h);
    return s == TG_OK ? lay_out(call, h) : s;
}

static tg_status scan_infer(const tg_call *call) {
    tg_shape h;
    tg_status s = tg_call_gates(call, 3, 3, &h);
    if (s != TG_OK) return s;
    s = tg_call_shape(call, 1, TG_SHAPE(3 * h.dim[2], h.dim[2]));
    if (s == TG_OK) s = tg_call_shape(call, 2, TG_SHAPE(3 * h.dim[2]));
    if (s == TG_OK) s = tg_call_shape(call, 3, TG_SHAPE(h.dim[0], h.dim[2]));
    return s == TG_OK ? lay_out(call, h) : s;
}

/* ---- forward ---- */

static tg_status cell_forward(const tg_call *call) {
    tg_array dense[3] = {{0}};
    const tg_array *in[3];
    tg_status s = tg_all_contiguous(3, call->in, dense, in);
    gru g = gru_of(call->out[0]);
    g.a = in[0], g.s = in[1], g.h0 = in[2], g.y = call->out[0], g.pre = call->out[1];
    if (s == TG_OK) run(&g, forward_rows);
    tg_drop_all(3, dense);
    return s;
}

static tg_status scan_forward(const tg_call *call) {
    tg_array dense[4] = {{0}};
    const tg_array *in[4];
    tg_status s = tg_all_contiguous(4, call->in, dense, in);
    gru g = gru_of(call->out[0]);
    g.a = in[0], g.w = in[1], g.b = in[2], g.h0 = in[3], g.y = call->out[0], g.pre = call->out[1];
    if (s == TG_OK) s = tg_recurrence_make(&g.recur, g.w, true, g.n);
    if (s == TG_OK) run(&g, forward_rows);
    tg_recurrence_drop(&g.recur);
    tg_drop_all(4, dense);
    return s;
}

/* ---- gradient on arrays ---- */

static tg_status cell_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *all[4] = {tg_node_in(n, 2), tg_node_out(n, 1), dout[0], dout[1]}, *p[4];
    tg_array dense[4] = {{0}};
    tg_status s = tg_all_contiguous(4, all, dense, p);
    gru g = gru_of(all[0]);
    for (int i = 0; s == TG_OK && i < 3; i++)
        s = tg_array_alloc(&din[i], (tg_dtype)all[0]->dtype, TG_SHAPE(g.n, i < 2 ? 3 * g.h : g.h));
    g.h0 = p[0], g.pre = p[1], g.dy = p[2], g.dpre = p[3];
    g.da = &din[0], g.ds = &din[1], g.dh0 = &din[2];
    if (s == TG_OK) run(&g, backward_rows);
    tg_drop_all(4, dense);
    return s;
}

/* Allocates da and ds in own, and packs w for the product. */
static tg_status prepare(gru *g, tg_array own[2]) {
    tg_dtype dtype = (tg_dtype)g->y->dtype;
    tg_status s = TG_OK;
    for (int i = 0; s == TG_OK && i < 2; i++)
        s = tg_array_alloc(&own[i], dtype, TG_SHAPE(g->n, g->t, 3 * g->h));
    g->da = &own[0], g->ds = &own[1];
    return s == TG_OK ? tg_recurrence_make(&g->recur, g->w, false, g->n) : s;
}

static tg_status scan_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    enum { N = 6 };
    const tg_array *all[N] = {tg_node_in(n, 1),  n->in[3] ? tg_node_in(n, 3) : NULL,
                              tg_node_out(n, 0), tg_node_out(n, 1),
                              dout[0],           dout[1]};
    const tg_array *p[N];
    tg_array dense[N] = {{0}}, own[2] = {{0}};
    gru g = gru_of(all[2]);
    tg_status s = tg_all_contiguous(N, all, dense, p);
    g.w = p[0], g.h0 = p[1], g.y = p[2], g.pre = p[3], g.dy = p[4], g.dpre = p[5];
    if (s == TG_OK) s = prepare(&g, own);
    if (s == TG_OK) run(&g, backward_rows);
    if (s == TG_OK && tg_needs(n, 1)) s = tg_step_weight_grad(&own[1], g.y, g.h0, &din[1]);
    if (s == TG_OK && tg_needs(n, 2)) s = tg_step_bias_grad(&own[1], &din[2]);
    if (s == TG_OK && tg_needs(n, 3)) s = tg_recurrence_first(&g.recur, g.t, g.h, &din[3]);
    if (s == TG_OK && tg_needs(n, 0)) tg_array_share(&din[0], &own[0]);
    tg_recurrence_drop(&g.recur);
    tg_drop_all(N, dense);
    tg_drop_all(2, own);
    return s;
}

/* ---- the ops ---- */

const tg_op tg_op_gru_cell = {
    .name = "gru_cell",
    .formula =
        "out, pre = (1 - z) * n + z * h, a + s of r and z, a_n + r * s_n and s_n; r, z = sigmoid(a + s) and n = tanh(a_n + r * s_n) of the three parts of a and s",
    .rule =
        "q = dout * (1 - z) * (1 - n^2) + dpre_n; u = q * s_n * r * (1 - r) + dpre_r; v = dout * (h - n) * z * (1 - z) + dpre_z; da = (u, v, q); ds = (u, v, q * r + dpre_s); dh = dout * z",
    .n_in = 3,
    .n_out = 2,
    .save = TG_IN(2) | TG_OUT(1),
    .infer = cell_infer,
    .forward = cell_forward,
    .grad = tg_gru_cell_grad,
    .grad_kernel = cell_grad_kernel,
};

/* h w^T of each step; backward da w of each, and the gradient of w. */
static double flops(const tg_call *call, unsigned needed) {
    return (needed ? 1 + tg_products(needed, TG_IN(1)) : 1) * 2 * (double)call->in[0]->numel *
           (double)call->in[1]->shape[1];
}

const tg_op tg_op_gru_scan = {
    .name = "gru_scan",
    .formula = "out, pre = h and pre of gru_cell; h = gru_cell(a[:, k], h w^T + b, h) for each step k",
    .rule =
        "da[:, k] = da of gru_cell at step k, from the last step back, with dh of step k + 1 and ds[:, k + 1] w added to dout[:, k]; dw = sum over k of ds[:, k]^T (h before step k); db = sum over k of ds[:, k]; dh = dh of gru_cell at step 0 + ds[:, 0] w",
    .n_in = 4,
    .n_out = 2,
    .save = TG_IN(1) | TG_IN(3) | TG_OUT(0) | TG_OUT(1),
    .optional = TG_IN(2) | TG_IN(3),
    .accumulates = TG_IN(1),
    .infer = scan_infer,
    .forward = scan_forward,
    .grad = tg_gru_scan_grad,
    .grad_kernel = scan_grad_kernel,
    .flops = flops,
};

/* Applies the op and returns output 0; the gates are computed only when they are asked for. */
static tg_tensor *outputs(const tg_op *op, tg_tensor *const *in, int n, tg_tensor **gates) {
    TG_COMPOSED(op->name);
    tg_tensor *out[2];
    bool ok = tg_apply_multi(op, in, n, NULL, out) == TG_OK;
    if (gates) *gates = ok ? tg_gates_of(out[1], false) : tg_poison();
    if (gates && tg_is_poison(*gates)) ok = false;
    if (ok) tg_drop_elements(out[1]);
    return ok ? out[0] : tg_poison();
}

tg_tensor *tg_gru_cell_with(tg_tensor *a, tg_tensor *s, tg_tensor *h, tg_gru_cell_opts o) {
    tg_tensor *in[3] = {a, s, h};
    return outputs(&tg_op_gru_cell, in, 3, o.gates);
}

tg_tensor *tg_gru_scan_with(tg_tensor *a, tg_tensor *w, tg_gru_scan_opts o) {
    tg_tensor *in[4] = {a, w, o.b, o.h};
    return outputs(&tg_op_gru_scan, in, 4, o.gates);
}
