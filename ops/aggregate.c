#include "ops/aggregate.h"

#include "ops/axes.h"
#include "ops/scan.h"

#include <math.h>

/* ---- prod:  dx = g times the product of the others ---- */

static tg_status prod_infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    return tg_infer_over(call, tg_dtype_is_float(dtype) ? dtype : TG_I64);
}

static tg_status prod_forward(const tg_call *call) { return tg_fold_over(call, TG_PROD); }

/* The kept axes, then the others. */
static tg_shape kept_first(unsigned axes, int rank) {
    tg_shape order = {0};
    for (int gone = 0; gone < 2; gone++)
        for (int i = 0; i < rank; i++)
            if ((int)(axes >> i & 1) == gone) order.dim[order.rank++] = i;
    return order;
}

/* [kept.., reduced..] -> [kept.., all of the reduced]: the product of the elements before each one times the
 * product of those after it. Nothing is divided, so that zeros are like any other number. */
static tg_tensor *product_of_others(tg_tensor *x, int n_reduced) {
    tg_shape shape = tg_shape_of(x), rows = shape;
    rows.rank -= n_reduced;
    int64_t n = 1;
    for (int i = rows.rank; i < shape.rank; i++) n *= shape.dim[i];
    rows.dim[rows.rank++] = n;
    x = (tg_reshape)(x, rows);
    tg_tensor *before = tg_cumprod(x, -1, .exclusive = true);
    tg_tensor *after = tg_cumprod(x, -1, .exclusive = true, .reverse = true);
    return (tg_reshape)(tg_mul(before, after), shape);
}

static void prod_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0];
    int rank = tg_rank(x), n_reduced = 0;
    unsigned axes = tg_axes_of(n->attr, rank);
    tg_shape order = kept_first(axes, rank), back = order;
    for (int i = 0; i < rank; i++) {
        back.dim[order.dim[i]] = i;
        n_reduced += (int)(axes >> i & 1);
    }
    tg_tensor *others = (tg_permute)(product_of_others((tg_permute)(x, order), n_reduced), back);
    din[0] = tg_mul(tg_kept(n, dout[0]), others);
}

const tg_op tg_op_prod = {
    .name = "prod",
    .formula = "out = product of x over axes",
    .n_in = 1,
    .save = TG_IN(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = prod_infer,
    .forward = prod_forward,
    .grad = prod_grad,
};

tg_tensor *(tg_prod)(tg_tensor *x, tg_reduce_opts opts) { return tg_apply1(&tg_op_prod, x, &opts); }

/* ---- logsumexp:  dx = g exp(x - out) ---- */

static tg_status lse_infer(const tg_call *call) {
    tg_status s = tg_call_float(call, 0);
    return s == TG_OK ? tg_infer_over(call, (tg_dtype)call->in[0]->dtype) : s;
}

/* shift = the maximum, or 0 where that is not finite: inf - inf would be NaN. */
static void finite_maximum(const tg_array *x, unsigned axes, const tg_array *shift) {
    tg_reduce(TG_MAX, x, axes, shift);
    for (int64_t i = 0; i < shift->numel; i++)
        if (!isfinite(tg_array_get(shift, i))) tg_array_set(shift, i, 0);
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
        tg_map_unary(TG_UNARY_LOG, &out, &out, none);
        tg_map_binary(TG_BINARY_ADD, &out, &shift, &out);
    }
    tg_array_drop(&shift);
    tg_array_drop(&terms);
    return s;
}

/* Where out is -inf all terms are 0, and exp(-inf - 0) says so; exp(-inf - -inf) would be NaN. */
static void lse_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *y = tg_kept(n, n->out[0]);
    tg_tensor *nothing = tg_eq(y, tg_scalar(tg_dtype_of(y), -INFINITY));
    tg_tensor *share = tg_exp(tg_sub(n->in[0], tg_masked_fill(y, nothing, 0)));
    din[0] = tg_mul(tg_kept(n, dout[0]), share);
}

const tg_op tg_op_logsumexp = {
    .name = "logsumexp",
    .formula = "out = log(sum of exp(x) over axes)",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = lse_infer,
    .forward = lse_forward,
    .grad = lse_grad,
};

tg_tensor *(tg_logsumexp)(tg_tensor *x, tg_reduce_opts opts) { return tg_apply1(&tg_op_logsumexp, x, &opts); }

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

tg_tensor *(tg_all)(tg_tensor *x, tg_reduce_opts opts) { return tg_apply1(&tg_op_all, x, &opts); }
tg_tensor *(tg_any)(tg_tensor *x, tg_reduce_opts opts) { return tg_apply1(&tg_op_any, x, &opts); }

/* A composition: the sum of x != 0. */
tg_tensor *(tg_count_nonzero)(tg_tensor *x, tg_reduce_opts opts) {
    TG_COMPOSED("count_nonzero");
    tg_tensor *zero = tg_is_alive(x) ? tg_scalar(tg_dtype_of(x), 0) : x;
    tg_tensor *some = tg_ne(x, zero), *count = (tg_sum)(some, opts);
    if (tg_is_alive(some)) tg_release(some);
    return count;
}
