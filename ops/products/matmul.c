/* Products of matrices and of batches of them. Inside, everything is in matrix form: vectors have their
 * added axis, A is [batch.., m, k], B [batch.., k, n], C [batch.., m, n] with equal batch axes, broadcast
 * ones with stride 0. The views are borrowed: no elements move, and transposes are swapped strides.
 */
#include "ops/shared.h"

typedef struct product {
    tg_array a, b, c;
} product;

/* ---- shape rule ---- */

static tg_shape batch_of(tg_shape s) { return s.rank > 2 ? (s.rank -= 2, s) : TG_SCALAR; }

static tg_status check(const tg_call *call) {
    const tg_array *a = call->in[0], *b = call->in[1];
    for (int i = 0; i < 2; i++) {
        tg_status s = tg_call_float(call, i);
        if (s != TG_OK) return s;
        if (call->in[i]->rank == 0)
            return tg_call_fail(call, TG_ERR_SHAPE, "a scalar has no matrix product: %s times %s",
                                tg_call_input(call, 0), tg_call_input(call, 1));
    }
    if (a->dtype != b->dtype) return tg_call_dtypes_differ(call, 0, 1);
    if (a->shape[a->rank - 1] != b->shape[b->rank > 1 ? b->rank - 2 : 0])
        return tg_call_fail(call, TG_ERR_SHAPE, "inner sizes differ: %s times %s", tg_call_input(call, 0),
                            tg_call_input(call, 1));
    return TG_OK;
}

static tg_status infer(const tg_call *call) {
    tg_status s = check(call);
    if (s != TG_OK) return s;
    const tg_array *a = call->in[0], *b = call->in[1];
    tg_shape out;
    if (!tg_shape_broadcast(batch_of(tg_array_shape(a)), batch_of(tg_array_shape(b)), &out))
        return tg_call_fail(call, TG_ERR_SHAPE, "batch axes do not broadcast: %s times %s",
                            tg_call_input(call, 0), tg_call_input(call, 1));
    if (a->rank > 1) out.dim[out.rank++] = a->shape[a->rank - 2];
    if (b->rank > 1) out.dim[out.rank++] = b->shape[b->rank - 1];
    return tg_out(call, 0, (tg_dtype)a->dtype, out);
}

/* ---- matrix form ---- */

/* Inserts an axis of size 1 before axis i. */
static void insert_axis(tg_array *v, int i) {
    for (int j = v->rank++; j > i; j--) v->shape[j] = v->shape[j - 1], v->stride[j] = v->stride[j - 1];
    v->shape[i] = 1;
    v->stride[i] = i + 1 < v->rank ? v->shape[i + 1] * v->stride[i + 1] : 1;
}

static tg_array transposed(tg_array v) {
    int r = v.rank - 2, c = v.rank - 1;
    int64_t size = v.shape[r], stride = v.stride[r];
    v.shape[r] = v.shape[c], v.stride[r] = v.stride[c];
    v.shape[c] = size, v.stride[c] = stride;
    return v;
}

/* Makes [batch.., m, n] [batch * m, n]; false when the strides do not allow it. */
static bool flatten(tg_array *v) {
    int last = v->rank - 1;
    if (last < 1) return false;
    int64_t rows = 1, stride = 0, n = v->shape[last], step = v->stride[last];
    for (int i = last - 1; i >= 0; i--) {
        if (v->shape[i] == 1) continue;
        if (rows == 1)
            stride = v->stride[i];
        else if (v->stride[i] != rows * stride)
            return false;
        rows *= v->shape[i];
    }
    v->shape[1] = n, v->stride[1] = step;
    v->shape[0] = rows, v->stride[0] = rows == 1 ? n * step : stride;
    v->rank = 2;
    return true;
}

/* The form of C = A B for arrays of the op's own shapes. When B is one matrix, all rows of A make one. */
static product matrix_form(const tg_array *a, const tg_array *b, const tg_array *c) {
    product p = {*a, *b, *c};
    if (b->rank == 1) insert_axis(&p.b, 1), insert_axis(&p.c, p.c.rank);
    if (a->rank == 1) insert_axis(&p.a, 0), insert_axis(&p.c, p.c.rank - 1);
    tg_array rows = p.a, out = p.c;
    if (p.b.rank == 2 && p.a.rank > 2 && flatten(&rows) && flatten(&out)) p.a = rows, p.c = out;
    p.a = tg_borrow_batch(&p.a, &p.c);
    p.b = tg_borrow_batch(&p.b, &p.c);
    return p;
}

/* ---- forward ---- */

static tg_status forward(const tg_call *call) {
    product p = matrix_form(call->in[0], call->in[1], call->out[0]);
    return tg_gemm(1, &p.a, &p.b, 0, &p.c);
}

/* ---- gradient:  dA = G B^T,  dB = A^T G ---- */

static tg_tensor *as_rows(tg_tensor *t) { return tg_reshape_with(t, tg_shape_rows(tg_shape_of(t))); }

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *a = n->in[0], *b = n->in[1], *g = dout[0];
    bool row = tg_rank(a) == 1, column = tg_rank(b) == 1;
    if (column) b = tg_unsqueeze(b, 1), g = tg_unsqueeze(g, -1);
    if (row) a = tg_unsqueeze(a, 0), g = tg_unsqueeze(g, -2);
    if (tg_needs(n, 0)) {
        tg_tensor *da = tg_matmul(g, tg_swap_last(b));
        din[0] = row ? tg_squeeze(da, -2) : da;
    }
    if (tg_needs(n, 1)) {
        bool shared =
            tg_rank(b) == 2 && tg_rank(a) > 2; /* one matrix for all rows: one product, not a batch to sum */
        tg_tensor *db =
            shared ? tg_matmul(tg_swap_last(as_rows(a)), as_rows(g)) : tg_matmul(tg_swap_last(a), g);
        din[1] = column ? tg_squeeze(db, -1) : db;
    }
}

/* The part of v at `first` along the batch axis i, with that axis of size 1. */
static tg_array at_batch(tg_array v, int i, int64_t first) {
    v.data = (char *)v.data + (size_t)(first * v.stride[i]) * tg_dtype_size((tg_dtype)v.dtype);
    v.numel /= v.shape[i];
    v.shape[i] = 1;
    return v;
}

/* The most products that are added up one after the other; more of them are added up in halves. */
enum { RUNNING = 16 };

static tg_status accumulate(const tg_array *a, const tg_array *b, double beta, const tg_array *c);

/* C with size 1 along batch axes where its stride is 0; borrowed. */
static tg_array without_repeats(tg_array c) {
    for (int i = 0; i < c.rank - 2; i++)
        if (c.stride[i] == 0) c.numel /= c.shape[i], c.shape[i] = 1;
    return c;
}

/* C = beta C + the products [from, from + n) along the batch axis i, where the stride of C is 0. */
static tg_status add_products(const tg_array *a, const tg_array *b, double beta, const tg_array *c, int i,
                              int64_t from, int64_t n) {
    tg_status s = TG_OK;
    for (int64_t j = from; n <= RUNNING && s == TG_OK && j < from + n; j++) {
        tg_array aj = at_batch(*a, i, j), bj = at_batch(*b, i, j), cj = at_batch(*c, i, j);
        s = accumulate(&aj, &bj, j == from ? beta : 1, &cj);
    }
    if (n <= RUNNING) return s;
    tg_array once = without_repeats(*c), rest = {0};
    s = tg_array_alloc_like(&rest, &once);
    if (s == TG_OK) {
        tg_array repeated = tg_borrow_broadcast(&rest, c);
        s = add_products(a, b, 0, &repeated, i, from + n / 2, n - n / 2);
    }
    if (s == TG_OK) s = add_products(a, b, beta, c, i, from, n / 2);
    if (s == TG_OK) tg_map_binary(TG_BINARY_ADD, &once, &rest, &once);
    tg_array_drop(&rest);
    return s;
}

/* C = A B + beta C. Along batch axes where the stride of C is 0, the products add up. */
static tg_status accumulate(const tg_array *a, const tg_array *b, double beta, const tg_array *c) {
    int i = 0;
    while (i < c->rank - 2 && (c->stride[i] != 0 || c->shape[i] == 1)) i++;
    if (i == c->rank - 2) return tg_gemm(1, a, b, beta, c);
    return add_products(a, b, beta, c, i, 0, c->shape[i]);
}

/* Allocates the gradient of x, unless it comes as the adjoint so far: *beta is then 1, else 0. */
static tg_status prepare(const tg_array *x, const tg_array *g, tg_array *din, double *beta) {
    *beta = din->data ? 1 : 0;
    tg_status s = din->data ? TG_OK : tg_array_alloc_like(din, x);
    if (s == TG_OK && *beta == 0 && g->numel == 0) tg_array_fill(din, 0); /* a sum of no products */
    return s;
}

/* din may come as the adjoint so far, so that the gradients of a weight that is used at every step add up inside GEMM. */
static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *a = tg_node_in(n, 0), *b = tg_node_in(n, 1), *g = dout[0];
    double beta;
    tg_status s = TG_OK;
    if (tg_needs(n, 0)) {
        s = prepare(a, g, &din[0], &beta);
        if (s != TG_OK) return s;
        product p = matrix_form(&din[0], b, g);
        p.b = transposed(p.b);
        if (g->numel > 0) s = accumulate(&p.c, &p.b, beta, &p.a);
    }
    if (s == TG_OK && tg_needs(n, 1)) {
        s = prepare(b, g, &din[1], &beta);
        if (s != TG_OK) return s;
        product p = matrix_form(a, &din[1], g);
        p.a = transposed(p.a);
        if (g->numel > 0) s = accumulate(&p.a, &p.c, beta, &p.b);
    }
    return s;
}

static double flops(const tg_call *call, unsigned needed) {
    const tg_array *a = call->in[0];
    return tg_products(needed, TG_IN(0) | TG_IN(1)) * 2 * (double)call->out[0]->numel *
           (double)a->shape[a->rank - 1];
}

const tg_op tg_op_matmul = {
    .name = "matmul",
    .formula = "out = a b; out[.., i, j] = sum over k of a[.., i, k] * b[.., k, j]",
    .rule = "da = dout b^T; db = a^T dout",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    .accumulates = TG_IN(0) | TG_IN(1),
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
    .pure = true,
    .looked = TG_IN(0) | TG_IN(1),
    .flops = flops,
};

tg_tensor *tg_matmul(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_matmul, a, b, NULL); }
