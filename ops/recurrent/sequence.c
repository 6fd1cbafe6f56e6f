#include "ops/recurrent/sequence.h"

#include "core/alloc.h"

#include <stdio.h>
#include <string.h>

/* ---- on arrays ---- */

/* Allocates [n, width], somewhat wider so that rows lie an odd number of cache lines apart. */
static tg_status rows_apart(tg_array *out, tg_dtype dtype, int64_t n, int64_t width) {
    int64_t line = 64 / (int64_t)tg_dtype_size(dtype);
    return tg_array_alloc(out, dtype, TG_SHAPE(n, ((width + line - 1) / line | 1) * line));
}

tg_status tg_recurrence_make(tg_recurrence *r, const tg_array *w, bool transposed, int64_t n) {
    *r = (tg_recurrence){0};
    if (!w) return TG_OK;
    tg_status s = tg_prepack(&r->w, w, transposed);
    if (s == TG_OK) s = rows_apart(&r->left, (tg_dtype)w->dtype, n, r->w.k);
    if (s == TG_OK) s = rows_apart(&r->right, (tg_dtype)w->dtype, n, r->w.padded);
    return s;
}

void tg_recurrence_drop(tg_recurrence *r) {
    tg_prepacked_drop(&r->w);
    tg_array_drop(&r->left), tg_array_drop(&r->right);
}

void tg_recurrence_product(const tg_recurrence *r, const tg_array *x, int64_t t, bool add, int64_t begin,
                           int64_t end) {
    size_t bytes = (size_t)r->w.k * tg_dtype_size(r->w.dtype);
    for (int64_t i = begin; bytes > 0 && i < end; i++)
        memcpy(tg_step_row(&r->left, i, 0), tg_step_row(x, i, t), bytes);
    tg_prepacked_product(&r->w, end - begin, tg_step_row(&r->left, begin, 0), r->left.stride[0], add,
                         tg_step_row(&r->right, begin, 0), r->right.stride[0]);
}

tg_status tg_recurrence_first(const tg_recurrence *r, int64_t steps, int64_t h, tg_array *dh0) {
    tg_array last = r->right;
    tg_status s = tg_array_alloc(dh0, r->w.dtype, TG_SHAPE(last.shape[0], h));
    last.shape[1] = h, last.numel = dh0->numel;
    if (s == TG_OK && steps > 0) tg_array_copy(dh0, &last);
    if (s == TG_OK && steps == 0) tg_array_fill(dh0, 0);
    return s;
}

int64_t tg_step_grain(int64_t n) {
    int64_t quarter = (n / 4 + 15) / 16 * 16;
    return quarter < 16 ? 16 : quarter > 64 ? 64 : quarter;
}

/* All steps and rows one under the other: [n t, width]; borrowed. */
static tg_array as_matrix(const tg_array *x) {
    return tg_borrow_reshape(x, tg_shape_rows(tg_array_shape(x)));
}

static tg_status states_before(tg_array *out, const tg_array *y, const tg_array *h0) {
    tg_status s = tg_array_alloc_like(out, y);
    int64_t steps = y->shape[1];
    size_t row = (size_t)y->shape[2] * tg_dtype_size((tg_dtype)y->dtype);
    for (int64_t i = 0; s == TG_OK && y->numel > 0 && i < y->shape[0]; i++) {
        memset(tg_step_row(out, i, 0), 0, row);
        if (h0) memcpy(tg_step_row(out, i, 0), tg_step_row(h0, i, 0), row);
        if (steps > 1) memcpy(tg_step_row(out, i, 1), tg_step_row(y, i, 0), row * (size_t)(steps - 1));
    }
    return s;
}

tg_status tg_step_weight_grad(const tg_array *ds, const tg_array *y, const tg_array *h0, tg_array *dw) {
    double beta = dw->data ? 1 : 0;
    tg_array before = {0};
    tg_status s = TG_OK;
    if (!dw->data) s = tg_array_alloc(dw, (tg_dtype)y->dtype, TG_SHAPE(ds->shape[2], y->shape[2]));
    if (s == TG_OK) s = states_before(&before, y, h0);
    if (s == TG_OK) {
        tg_array left = as_matrix(ds), right = as_matrix(&before);
        tg_array_permute(&left, &left, (const int[]){1, 0});
        s = tg_gemm(1, &left, &right, beta, dw);
    }
    tg_array_drop(&before);
    return s;
}

tg_status tg_step_bias_grad(const tg_array *ds, tg_array *db) {
    tg_status s = tg_array_alloc(db, (tg_dtype)ds->dtype, TG_SHAPE(ds->shape[2]));
    if (s != TG_OK) return s;
    tg_array all = as_matrix(ds), out = tg_borrow_reshape(db, TG_SHAPE(1, ds->shape[2]));
    tg_reduce(TG_SUM, &all, 1u, &out);
    return TG_OK;
}

/* ---- shape rules ---- */

tg_status tg_call_gates(const tg_call *call, int rank, int gates, tg_shape *h) {
    const tg_array *a = call->in[0];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (a->rank != rank || a->shape[rank - 1] % gates != 0) {
        char times[16] = "";
        if (gates > 1) snprintf(times, sizeof times, "%d ", gates);
        return tg_call_fail(call, TG_ERR_SHAPE, "needs pre-activations [n, %s%sh], was given %s",
                            rank == 2 ? "" : "t, ", times, tg_call_input(call, 0));
    }
    *h = tg_array_shape(a);
    h->dim[rank - 1] /= gates;
    return TG_OK;
}

tg_status tg_call_shape(const tg_call *call, int i, tg_shape want) {
    const tg_array *x = call->in[i];
    if (!x) return TG_OK;
    if (x->dtype != call->in[0]->dtype) return tg_call_dtypes_differ(call, 0, i);
    if (tg_shape_equal(tg_array_shape(x), want)) return TG_OK;
    char text[96];
    return tg_call_fail(call, TG_ERR_SHAPE, "%s must have the shape %s to go with %s", tg_call_input(call, i),
                        tg_shape_text(want, text, sizeof text), tg_call_input(call, 0));
}

/* ---- in ops ---- */

tg_tensor *tg_at_step(tg_tensor *x, int64_t t) { return tg_squeeze(tg_slice(x, 1, t, t + 1, 1), 1); }

tg_tensor *tg_gate(tg_tensor *x, int64_t h, int k) { return tg_slice(x, -1, k * h, (k + 1) * h, 1); }

tg_tensor *tg_gate_sigmoid(tg_tensor *a) { return tg_sigmoid_derivative(a, 0); }
tg_tensor *tg_sigmoid_slope(tg_tensor *a) { return tg_sigmoid_derivative(a, 1); }

/* tanh'(a) = 4 sigmoid'(2a) */
tg_tensor *tg_tanh_slope(tg_tensor *a) {
    return tg_mul_scalar(tg_sigmoid_derivative(tg_mul_scalar(a, 2), 1), 4);
}

/* sign(a) - tanh(a) = sign(a) 2 sigmoid(-2 |a|), which keeps its digits where tanh rounds to 1. */
static tg_tensor *tanh_rest(tg_tensor *a, tg_tensor *sign) {
    return tg_mul(tg_mul_scalar(sign, 2), tg_sigmoid_derivative(tg_mul_scalar(tg_abs(a), -2), 0));
}
static tg_tensor *is_small(tg_tensor *a) { return tg_lt(tg_abs(a), tg_scalar(tg_dtype_of(a), 0.5)); }

tg_tensor *tg_gate_tanh(tg_tensor *a) {
    tg_tensor *sign = tg_sign(a);
    return tg_where(is_small(a), tg_tanh(a), tg_sub(sign, tanh_rest(a, sign)));
}
tg_tensor *tg_less_tanh(tg_tensor *h, tg_tensor *a) {
    tg_tensor *sign = tg_sign(a);
    return tg_where(is_small(a), tg_sub(h, tg_tanh(a)), tg_add(tg_sub(h, sign), tanh_rest(a, sign)));
}

tg_tensor *tg_gates_of(tg_tensor *pre, bool last) {
    int64_t h = tg_size(pre, -1) / 4;
    tg_tensor *gate[4];
    for (int k = 0; k < 4; k++) gate[k] = tg_gate(pre, h, k);
    for (int k = 0; k < (last ? 4 : 3); k++)
        gate[k] = k == 2 ? tg_gate_tanh(gate[k]) : tg_gate_sigmoid(gate[k]);
    return tg_concat_with(-1, 4, gate);
}

tg_tensor *tg_plus(tg_tensor *a, tg_tensor *b) { return a && b ? tg_add(a, b) : a ? a : b; }

tg_tensor *tg_or_zeros(tg_tensor *x, const tg_array *like, int64_t n, int64_t h) {
    return x ? x : tg_zeros_with((tg_dtype)like->dtype, TG_SHAPE(n, h));
}

tg_tensor *tg_states_before(tg_tensor *y, tg_tensor *x0) {
    tg_shape s = tg_shape_of(y);
    if (s.dim[1] == 0) return y;
    tg_tensor *first = x0 ? x0 : tg_zeros_with(tg_dtype_of(y), TG_SHAPE(s.dim[0], s.dim[2]));
    return tg_concat_with(1, 2, (tg_tensor *[]){tg_unsqueeze(first, 1), tg_slice(y, 1, 0, s.dim[1] - 1, 1)});
}

tg_tensor *tg_step_outer(tg_tensor *ds, tg_tensor *before) {
    tg_tensor *left = tg_reshape_with(ds, tg_shape_rows(tg_shape_of(ds)));
    tg_tensor *right = tg_reshape_with(before, tg_shape_rows(tg_shape_of(before)));
    return tg_matmul(tg_transpose(left, 0, 1), right);
}

tg_tensor **tg_tensors_new(const tg_node *n, int64_t t) {
    size_t bytes;
    tg_tensor **p = tg_size_mul((size_t)t, sizeof *p, &bytes) ? tg_sys_alloc(bytes) : NULL;
    if (!p)
        tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the gradients of %lld steps", n->op->name,
                (long long)t);
    return p;
}

void tg_tensors_free(tg_tensor **p, int64_t t) { tg_sys_free(p, (size_t)t * sizeof *p); }

tg_tensor *tg_stack_steps(tg_tensor **x, int64_t t) { return tg_stack_with(1, (int)t, x); }
