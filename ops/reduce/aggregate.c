#include "ops/reduce/aggregate.h"

#include "core/work.h"
#include "ops/reduce/axes.h"
#include "ops/reduce/multilinear.h"
#include "ops/reduce/scaled.h"

#include <float.h>
#include <math.h>

/* ---- prod:  dx = g times the product of the others ---- */

static tg_status prod_infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    return tg_infer_over(call, tg_dtype_is_float(dtype) ? dtype : TG_I64);
}

enum { SHORT = 64 };

/* Whether no partial product has left the range of the dtype: the results are normal and, in short rows,
 * no element is far from 1. (A partial product that was 0 or infinite shows in the result; one that was
 * subnormal, and lost digits, does not.) It is asked of contiguous arrays, without a branch, and is false
 * for others. */
static bool stays_in_range(const tg_array *x, const tg_array *out) {
    double least = out->dtype == TG_F64 ? DBL_MIN : (double)FLT_MIN;
    int far = 0;
    for (int64_t i = 0; i < out->numel; i++) {
        double v = fabs(tg_array_get(out, i));
        far |= !(v >= least && v < INFINITY);
    }
    if (far || !tg_array_is_contiguous(x)) return false;
    if (x->numel >= SHORT * out->numel) return true;
    const float *f = x->data;
    const double *d = x->data;
    for (int64_t i = 0; x->dtype == TG_F32 && i < x->numel; i++)
        far |= !(fabsf(f[i]) >= 0x1p-20f) | !(fabsf(f[i]) <= 0x1p20f);
    for (int64_t i = 0; x->dtype == TG_F64 && i < x->numel; i++)
        far |= !(fabs(d[i]) >= 0x1p-99) | !(fabs(d[i]) <= 0x1p99);
    return !far;
}

/* The products again, with the exponent apart. The reduced axes are put last, so that the elements of a
 * result are contiguous. */
static tg_status far_products(const tg_array *x, unsigned axes, const tg_array *out) {
    int order[TG_MAX_RANK], rank = 0;
    for (int gone = 0; gone < 2; gone++)
        for (int i = 0; i < x->rank; i++)
            if ((int)(axes >> i & 1) == gone) order[rank++] = i;
    tg_array turned = {0}, rows = {0};
    tg_array_permute(&turned, x, order);
    tg_status s = tg_array_contiguous(&rows, &turned);
    int64_t n = x->numel / out->numel;
    for (int64_t r = 0; s == TG_OK && r < out->numel; r++) {
        tg_scaled p = TG_SCALED_ONE;
        for (int64_t k = r * n; k < (r + 1) * n; k++) p = tg_scaled_times(p, tg_array_get(&rows, k));
        tg_array_set(out, r, tg_scaled_value(p));
    }
    tg_array_drop(&rows), tg_array_drop(&turned);
    return s;
}

static tg_status prod_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    tg_status s = tg_fold_over(call, TG_PROD);
    if (s != TG_OK || x->numel == 0 || !tg_dtype_is_float((tg_dtype)x->dtype) || stays_in_range(x, out))
        return s;
    return far_products(x, tg_axes_of(call->attr, x->rank), out);
}

/* How the reduced axes of a node's input become one, the last: [kept.., all of the reduced]. */
typedef struct merged {
    tg_shape order, back; /* the permutation that puts them last, and its inverse */
    tg_shape shape, rows; /* the permuted shape, and the result's */
} merged;

static merged merge_of(const tg_node *n) {
    tg_shape x = tg_shape_of(n->in[0]);
    unsigned axes = tg_axes_of(n->attr, x.rank);
    merged m = {.back = {.rank = x.rank}};
    int64_t size = 1;
    for (int gone = 0; gone < 2; gone++)
        for (int i = 0; i < x.rank; i++) {
            if ((int)(axes >> i & 1) != gone) continue;
            m.back.dim[i] = m.order.rank;
            m.order.dim[m.order.rank++] = i;
            m.shape.dim[m.shape.rank++] = x.dim[i];
            if (gone)
                size *= x.dim[i];
            else
                m.rows.dim[m.rows.rank++] = x.dim[i];
        }
    m.rows.dim[m.rows.rank++] = size;
    return m;
}

static tg_tensor *merge(const merged *m, tg_tensor *x) {
    return tg_reshape_with(tg_permute_with(x, m->order), m->rows);
}
static tg_tensor *part(const merged *m, tg_tensor *rows) {
    return tg_permute_with(tg_reshape_with(rows, m->shape), m->back);
}

/* The gradient of cumprod for an adjoint of its last element alone. Nothing is divided, so 0 is a number
 * like any other. */
static void prod_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    merged m = merge_of(n);
    tg_shape last = m.rows;
    int axis = last.rank - 1;
    if (m.rows.dim[axis] == 0) {
        din[0] = tg_zeros_like(n->in[0]);
        return;
    }
    last.dim[axis] = 1;
    tg_tensor *g =
        tg_pad_with(tg_reshape_with(dout[0], last), (tg_pad_opts){.before = TG_SHAPE(m.rows.dim[axis] - 1)});
    tg_tensor *rows =
        tg_cumprod_adjoint((tg_tensor *[]){merge(&m, n->in[0]), g}, 2, &(tg_scan_attr){.axis = -1});
    din[0] = part(&m, rows);
}

static tg_status prod_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    merged m = merge_of(n);
    tg_array turned = {0}, rows = {0}, g = {0}, out = {0};
    int order[TG_MAX_RANK], back[TG_MAX_RANK];
    for (int i = 0; i < x->rank; i++) order[i] = (int)m.order.dim[i], back[i] = (int)m.back.dim[i];
    tg_array_permute(&turned, x, order);
    tg_status s = tg_array_contiguous(&rows, &turned);
    if (s == TG_OK) s = tg_array_contiguous(&g, dout[0]);
    if (s == TG_OK) s = tg_array_alloc_like(&out, &rows);
    if (s == TG_OK) s = tg_prod_slopes(&rows, &g, m.rows.dim[m.rows.rank - 1], &out);
    if (s == TG_OK) tg_array_permute(&din[0], &out, back);
    tg_array_drop(&turned), tg_array_drop(&rows), tg_array_drop(&g), tg_array_drop(&out);
    return s;
}

const tg_op tg_op_prod = {
    .name = "prod",
    .formula = "out = prod(x), over axes",
    .rule = "dx = dout * prod_of_others(x)",
    .n_in = 1,
    .save = TG_IN(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = prod_infer,
    .forward = prod_forward,
    .grad = prod_grad,
    .grad_kernel = prod_grad_kernel,
};

tg_tensor *tg_prod_with(tg_tensor *x, tg_prod_opts opts) { return tg_apply1(&tg_op_prod, x, &opts); }

/* ---- logsumexp:  dx = g softmax(x) ---- */

static tg_status lse_infer(const tg_call *call) {
    tg_status s = tg_call_float(call, 0);
    return s == TG_OK ? tg_infer_over(call, (tg_dtype)call->in[0]->dtype) : s;
}

/* shift becomes the maximum, or 0 where that is not finite, since inf - inf would be NaN. */
static void finite_maximum(const tg_array *x, unsigned axes, const tg_array *shift) {
    tg_reduce(TG_MAX, x, axes, shift);
    for (int64_t i = 0; i < shift->numel; i++)
        if (!isfinite(tg_array_get(shift, i))) tg_array_set(shift, i, 0);
}

/* out, the sum of the terms e^(x - shift), becomes its logarithm. A sum below 2 has one term of 1, and in
 * adding it to the others their last digits are lost, which near a shift of 0 are digits of the result: it
 * is log1p of the others there. The terms are overwritten. */
static tg_status logarithm(const tg_array *terms, unsigned axes, const tg_array *shift, const tg_array *out) {
    static const double none[2] = {0, 0};
    bool near = false;
    for (int64_t i = 0; i < out->numel && !near; i++)
        near = tg_array_get(out, i) < 2 && fabs(tg_array_get(shift, i)) < 1;
    tg_array others = {0};
    tg_status s = near ? tg_array_alloc_like(&others, out) : TG_OK;
    if (s != TG_OK) return s;
    if (near) {
        for (int64_t i = 0; i < terms->numel; i++)
            if (tg_array_get(terms, i) == 1) tg_array_set(terms, i, 0);
        tg_reduce(TG_SUM, terms, axes, &others);
        for (int64_t i = 0; i < out->numel; i++)
            if (tg_array_get(out, i) >= 1 && tg_array_get(out, i) < 2)
                tg_array_set(out, i, log1p(tg_array_get(&others, i)));
            else
                tg_array_set(out, i, log(tg_array_get(out, i)));
    } else {
        tg_map_unary(TG_UNARY_LOG, out, out, none);
    }
    tg_array_drop(&others);
    return TG_OK;
}

static tg_status lse_forward(const tg_call *call) {
    static const double none[2] = {0, 0};
    const tg_array *x = call->in[0];
    unsigned axes = tg_axes_of(call->attr, x->rank);
    tg_array out = tg_borrow_reshape(call->out[0], tg_shape_kept(tg_array_shape(x), axes));
    tg_array shift = {0}, terms = {0};
    if (x->numel == 0) {
        tg_array_fill(&out, -INFINITY);
        return TG_OK;
    }
    tg_status s = tg_array_alloc(&shift, (tg_dtype)x->dtype, tg_array_shape(&out));
    if (s == TG_OK) s = tg_array_alloc_like(&terms, x);
    if (s == TG_OK) {
        finite_maximum(x, axes, &shift);
        tg_array repeated = tg_borrow_broadcast(&shift, x);
        tg_map_binary(TG_BINARY_SUB, x, &repeated, &terms);
        tg_map_unary(TG_UNARY_EXP, &terms, &terms, none);
        tg_reduce(TG_SUM, &terms, axes, &out);
        s = logarithm(&terms, axes, &shift, &out);
        if (s == TG_OK) tg_map_binary(TG_BINARY_ADD, &out, &shift, &out);
    }
    tg_array_drop(&shift);
    tg_array_drop(&terms);
    return s;
}

static bool any_nothing(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t i = 0; i < a[0]->numel; i++)
        if (tg_array_get(a[0], i) == -INFINITY) return true;
    return false;
}

/* A mask that is set where out is -inf, since the softmax of such a row is 0/0; NULL when none is. */
static tg_tensor *of_nothing(tg_tensor *out) {
    const tg_array *a = tg_is_alive(out) ? tg_array_within(out, "tg_array_of") : NULL;
    bool found = a && tg_decide(&(tg_decision){"is a row of -inf", any_nothing, 1, NULL, 0}, &a);
    return found ? tg_eq(out, tg_scalar(tg_dtype_of(out), -INFINITY)) : NULL;
}

static void lse_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *nothing = of_nothing(tg_kept(n, n->out[0]));
    if (nothing) x = tg_masked_fill(x, nothing, 0);
    merged m = merge_of(n);
    tg_tensor *share = part(&m, tg_softmax(merge(&m, x), -1));
    if (nothing) share = tg_masked_fill(share, nothing, 0);
    din[0] = tg_mul(tg_kept(n, dout[0]), share);
}

/* Where out is infinite, x - out may be NaN; e^(x - out) is taken to be 1 for each x that is +inf too,
 * else 0. */
static void infinite_shares(const tg_array *x, const tg_array *out, const tg_array *share) {
    for (int64_t i = 0; i < x->numel; i++)
        if (isinf(tg_array_get(out, i)))
            tg_array_set(share, i, tg_array_get(out, i) > 0 && tg_array_get(x, i) == INFINITY);
}

/* share becomes e^(x - out), divided by its sum where out is so large that its rounding matters. */
static tg_status shares(const tg_array *x, const tg_array *out, unsigned axes, const tg_array *share) {
    static const double none[2] = {0, 0};
    tg_array repeated = tg_borrow_broadcast(out, x), sum = {0};
    bool plain = true;
    for (int64_t i = 0; i < out->numel; i++) plain &= fabs(tg_array_get(out, i)) <= 8;
    tg_map_binary(TG_BINARY_SUB, x, &repeated, share);
    tg_map_unary(TG_UNARY_EXP, share, share, none);
    if (plain) return TG_OK;
    infinite_shares(x, &repeated, share);
    tg_status s = tg_array_alloc(&sum, (tg_dtype)x->dtype, tg_array_shape(out));
    if (s != TG_OK) return s;
    tg_reduce(TG_SUM, share, axes, &sum);
    for (int64_t i = 0; i < sum.numel; i++)
        if (tg_array_get(&sum, i) == 0) tg_array_set(&sum, i, 1);
    tg_map_spread(TG_BINARY_DIV, share, &sum, share);
    tg_array_drop(&sum);
    return TG_OK;
}

static tg_status lse_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    unsigned axes = tg_axes_of(n->attr, x->rank);
    tg_shape kept = tg_shape_kept(tg_array_shape(x), axes);
    tg_array out = tg_borrow_reshape(tg_node_out(n, 0), kept), g = tg_borrow_reshape(dout[0], kept);
    tg_status s = tg_array_alloc_like(&din[0], x);
    if (s == TG_OK && x->numel > 0) s = shares(x, &out, axes, &din[0]);
    if (s == TG_OK) tg_map_spread(TG_BINARY_MUL, &din[0], &g, &din[0]);
    return s;
}

const tg_op tg_op_logsumexp = {
    .name = "logsumexp",
    .formula = "out = log(sum(e^x)), over axes",
    .rule = "dx = dout * e^(x - out)",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = lse_infer,
    .forward = lse_forward,
    .grad = lse_grad,
    .grad_kernel = lse_grad_kernel,
};

tg_tensor *tg_logsumexp_with(tg_tensor *x, tg_logsumexp_opts opts) {
    return tg_apply1(&tg_op_logsumexp, x, &opts);
}

/* ---- all, any ---- */

static tg_status truth_infer(const tg_call *call) { return tg_infer_over(call, TG_BOOL); }
static tg_status all_forward(const tg_call *call) { return tg_fold_over(call, TG_AND); }
static tg_status any_forward(const tg_call *call) { return tg_fold_over(call, TG_OR); }

const tg_op tg_op_all = {
    .name = "all",
    .formula = "out = whether every element of x over axes is not 0",
    .n_in = 1,
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = truth_infer,
    .forward = all_forward,
    .grad = TG_NO_GRAD,
};

const tg_op tg_op_any = {
    .name = "any",
    .formula = "out = whether some element of x over axes is not 0",
    .n_in = 1,
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = truth_infer,
    .forward = any_forward,
    .grad = TG_NO_GRAD,
};

tg_tensor *tg_all_with(tg_tensor *x, tg_all_opts opts) { return tg_apply1(&tg_op_all, x, &opts); }
tg_tensor *tg_any_with(tg_tensor *x, tg_any_opts opts) { return tg_apply1(&tg_op_any, x, &opts); }

/* The sum of x != 0, as a composition. */
tg_tensor *tg_count_nonzero_with(tg_tensor *x, tg_count_nonzero_opts opts) {
    TG_COMPOSED("count_nonzero");
    tg_tensor *zero = tg_is_alive(x) ? tg_scalar(tg_dtype_of(x), 0) : x;
    tg_tensor *some = tg_ne(x, zero), *count = tg_sum_with(some, opts);
    tg_drop_temporary(some);
    return count;
}
