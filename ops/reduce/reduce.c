#include "ops/reduce/axes.h"

#include <math.h>
#include <string.h>

const tg_attr_field tg_over_axes[2] = {
    {"axes", TG_ATTR_DIMS, offsetof(tg_reduce_opts, axes)},
    {"keepdim", TG_ATTR_BOOL, offsetof(tg_reduce_opts, keepdim)},
};

unsigned tg_axes_of(const void *attr, int rank) {
    return tg_axis_set(((const tg_reduce_opts *)attr)->axes, rank);
}

/* x's shape without the axes of the set, or with size 1 there. */
static tg_shape reduced(const tg_array *x, unsigned axes, bool keepdim) {
    tg_shape kept = tg_shape_kept(tg_array_shape(x), axes), out = {0};
    for (int i = 0; i < kept.rank; i++)
        if (keepdim || !(axes >> i & 1)) out.dim[out.rank++] = kept.dim[i];
    return out;
}

tg_status tg_infer_over(const tg_call *call, tg_dtype dtype) {
    const tg_reduce_opts *attr = call->attr;
    unsigned axes;
    tg_status s = tg_call_axes(call, attr->axes, &axes);
    return s == TG_OK ? tg_out(call, 0, dtype, reduced(call->in[0], axes, attr->keepdim)) : s;
}

/* A largest or smallest element needs elements to choose from. */
static tg_status not_empty(const tg_call *call, unsigned axes) {
    const tg_array *x = call->in[0];
    for (int i = 0; i < x->rank; i++)
        if (axes >> i & 1 && x->shape[i] == 0)
            return tg_call_fail(call, TG_ERR_SHAPE, "axis %d is empty and has no %s element: %s", i,
                                call->op == &tg_op_amin ? "smallest" : "largest", tg_call_input(call, 0));
    return TG_OK;
}

static tg_status reduce(const tg_call *call, tg_reduction f, unsigned axes) {
    const tg_array *x = call->in[0];
    tg_array out = tg_borrow_reshape(call->out[0], tg_shape_kept(tg_array_shape(x), axes));
    tg_reduce(f, x, axes, &out);
    return TG_OK;
}

tg_status tg_fold_over(const tg_call *call, tg_reduction f) {
    return reduce(call, f, tg_axes_of(call->attr, call->in[0]->rank));
}

tg_tensor *tg_kept(const tg_node *n, tg_tensor *t) {
    tg_shape x = tg_shape_of(n->in[0]);
    return tg_reshape_with(t, tg_shape_kept(x, tg_axes_of(n->attr, x.rank)));
}

/* din = g repeated along the reduced axes, without a copy. */
static tg_status repeat(const tg_array *g, const tg_array *x, unsigned axes, tg_array *din) {
    tg_shape shape = tg_array_shape(x);
    tg_array view = tg_borrow_reshape(g, tg_shape_kept(shape, axes));
    return tg_array_broadcast(din, &view, shape);
}

/* ---- sum:  dx = g, repeated ---- */

static tg_status sum_infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    return tg_infer_over(call, tg_dtype_is_float(dtype) ? dtype : TG_I64);
}

static tg_status sum_forward(const tg_call *call) { return tg_fold_over(call, TG_SUM); }

static bool sum_of_sum(const tg_call *call, const void *sum) {
    tg_array_copy(call->out[0],
                  &(tg_array){.data = (void *)(uintptr_t)sum, .numel = 1, .dtype = call->in[0]->dtype});
    return true;
}

static void sum_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_expand_with(tg_kept(n, dout[0]), tg_shape_of(n->in[0]));
}

static tg_status sum_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0);
    return repeat(dout[0], x, tg_axes_of(n->attr, x->rank), &din[0]);
}

const tg_op tg_op_sum = {
    .name = "sum",
    .formula = "out = sum(x), over axes",
    .rule = "dx = dout, repeated along axes",
    .n_in = 1,
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = sum_infer,
    .forward = sum_forward,
    .grad = sum_grad,
    .grad_kernel = sum_grad_kernel,
    .of_kernels = true,
    .of_sum = sum_of_sum,
};

tg_tensor *tg_sum_with(tg_tensor *x, tg_sum_opts opts) { return tg_apply1(&tg_op_sum, x, &opts); }

/* ---- mean:  dx = g / n, repeated, for a mean of n elements ---- */

static double count_of(const tg_array *x, unsigned axes) {
    double n = 1;
    for (int i = 0; i < x->rank; i++)
        if (axes >> i & 1) n *= (double)x->shape[i];
    return n;
}

static tg_status mean_infer(const tg_call *call) {
    tg_status s = tg_call_float(call, 0);
    return s == TG_OK ? tg_infer_over(call, (tg_dtype)call->in[0]->dtype) : s;
}

/* The sum of x / n, which is finite where the mean is, also where the sum of x has left the range of the
 * dtype. */
static tg_status mean_of_shares(const tg_call *call, unsigned axes, double count) {
    const tg_array *x = call->in[0], *out = call->out[0];
    tg_array share = {0}, sum = {0}, kept;
    int64_t storage;
    tg_status s = tg_array_alloc_like(&share, x);
    if (s == TG_OK) s = tg_array_alloc_like(&sum, out);
    if (s == TG_OK) {
        tg_array n = tg_borrow_number(count, x, &storage);
        tg_map_binary(TG_BINARY_DIV, x, &n, &share);
        kept = tg_borrow_reshape(&sum, tg_shape_kept(tg_array_shape(x), axes));
        tg_reduce(TG_SUM, &share, axes, &kept);
        for (int64_t i = 0; i < sum.numel; i++)
            if (!isfinite(tg_array_get(out, i))) tg_array_set(out, i, tg_array_get(&sum, i));
    }
    tg_array_drop(&share), tg_array_drop(&sum);
    return s;
}

/* out /= n, so that the mean of equal numbers is that number: n * (1/n) need not round to 1. */
static void divide(const tg_array *out, double count) {
    int64_t storage;
    tg_array n = tg_borrow_number(count, out, &storage);
    tg_map_binary(TG_BINARY_DIV, out, &n, out);
}

static tg_status mean_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    unsigned axes = tg_axes_of(call->attr, x->rank);
    double count = count_of(x, axes);
    reduce(call, TG_SUM, axes);
    divide(out, count);
    return x->numel > 0 && !tg_all_finite(out, false) ? mean_of_shares(call, axes, count) : TG_OK;
}

static bool mean_of_sum(const tg_call *call, const void *sum) {
    bool finite = isfinite(call->in[0]->dtype == TG_F32 ? (double)*(const float *)sum : *(const double *)sum);
    if (finite) sum_of_sum(call, sum), divide(call->out[0], (double)call->in[0]->numel);
    return finite;
}

static void mean_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_array *x = tg_node_in(n, 0);
    double share = 1 / count_of(x, tg_axes_of(n->attr, x->rank));
    din[0] = tg_expand_with(tg_kept(n, tg_mul_scalar(dout[0], share)), tg_array_shape(x));
}

static tg_status mean_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(n, 0), *g = dout[0];
    unsigned axes = tg_axes_of(n->attr, x->rank);
    tg_array scaled = {0};
    tg_status s = tg_array_alloc_like(&scaled, g);
    if (s != TG_OK) return s;
    tg_map_affine(g, 1 / count_of(x, axes), 0, &scaled);
    s = repeat(&scaled, x, axes, &din[0]);
    tg_array_drop(&scaled);
    return s;
}

const tg_op tg_op_mean = {
    .name = "mean",
    .formula = "out = sum(x) / n, over axes; n elements are summed",
    .rule = "dx = dout / n, repeated along axes",
    .n_in = 1,
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = mean_infer,
    .forward = mean_forward,
    .grad = mean_grad,
    .grad_kernel = mean_grad_kernel,
    .of_sum = mean_of_sum,
    .pure = true,
};

tg_tensor *tg_mean_with(tg_tensor *x, tg_mean_opts opts) { return tg_apply1(&tg_op_mean, x, &opts); }

/* ---- amax, amin:  dx = g / (number that tie) where x is the largest (smallest), else 0 ---- */

static tg_status extreme_infer(const tg_call *call) {
    const tg_reduce_opts *attr = call->attr;
    unsigned axes;
    tg_status s = tg_call_axes(call, attr->axes, &axes);
    if (s == TG_OK) s = not_empty(call, axes);
    return s == TG_OK ? mean_infer(call) : s;
}

static tg_status amax_forward(const tg_call *call) { return tg_fold_over(call, TG_MAX); }

/* The gradient of amax and amin. An element that does not tie gets 0 / count, which is NaN where the
 * result is NaN. */
static void extreme_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *ties = tg_eq(x, tg_kept(n, n->out[0]));
    tg_tensor *count = tg_to(ties, tg_dtype_of(x));
    count =
        tg_sum_with(count, (tg_reduce_opts){.axes = ((const tg_reduce_opts *)n->attr)->axes, .keepdim = true});
    din[0] = tg_where(ties, tg_div(tg_kept(n, dout[0]), count), tg_div(tg_scalar(tg_dtype_of(x), 0), count));
}

const tg_op tg_op_amax = {
    .name = "amax",
    .formula = "out = max(x), over axes",
    .rule = "dx = dout / sum(x = out) where x = out, else 0",
    .kink = "split evenly among the elements that tie",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = extreme_infer,
    .forward = amax_forward,
    .grad = extreme_grad,
    .pure = true,
};

tg_tensor *tg_amax_with(tg_tensor *x, tg_amax_opts opts) { return tg_apply1(&tg_op_amax, x, &opts); }

static tg_status amin_forward(const tg_call *call) { return tg_fold_over(call, TG_MIN); }

const tg_op tg_op_amin = {
    .name = "amin",
    .formula = "out = min(x), over axes",
    .rule = "dx = dout / sum(x = out) where x = out, else 0",
    .kink = "split evenly among the elements that tie",
    .n_in = 1,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(tg_reduce_opts, tg_over_axes),
    .infer = extreme_infer,
    .forward = amin_forward,
    .grad = extreme_grad,
    .pure = true,
};

tg_tensor *tg_amin_with(tg_tensor *x, tg_amin_opts opts) { return tg_apply1(&tg_op_amin, x, &opts); }

/* ---- sum_to:  dx = g, repeated ---- */

typedef struct sum_to_attr {
    tg_shape shape;
} sum_to_attr;

static const tg_attr_field sum_to_fields[] = {{"shape", TG_ATTR_DIMS, offsetof(sum_to_attr, shape)}};

static tg_status sum_to_infer(const tg_call *call) {
    tg_shape x = tg_array_shape(call->in[0]), to = ((const sum_to_attr *)call->attr)->shape, both;
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    char text[200];
    if (to.rank < 0 || to.rank > TG_MAX_RANK)
        return tg_call_fail(call, TG_ERR_SHAPE,
                            "a shape of %d axes is asked for, but a tensor has 0 to %d axes: %s", to.rank,
                            TG_MAX_RANK, tg_call_input(call, 0));
    if (tg_shape_numel(to) < 0 || !tg_shape_broadcast(to, x, &both) || !tg_shape_equal(both, x))
        return tg_call_fail(call, TG_ERR_SHAPE, "%s does not broadcast to %s",
                            tg_shape_text(to, text, sizeof text), tg_call_input(call, 0));
    return tg_out(call, 0, (tg_dtype)call->in[0]->dtype, to);
}

static tg_status sum_to_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    int extra = x->rank - out->rank;
    unsigned axes = 0;
    for (int i = 0; i < x->rank; i++)
        if (i < extra || (out->shape[i - extra] == 1 && x->shape[i] != 1)) axes |= 1u << i;
    return reduce(call, TG_SUM, axes);
}

static void sum_to_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_expand_with(dout[0], tg_shape_of(n->in[0]));
}

static tg_status sum_to_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    return tg_array_broadcast(&din[0], dout[0], tg_array_shape(tg_node_in(n, 0)));
}

const tg_op tg_op_sum_to = {
    .name = "sum_to",
    .formula = "out = sum(x), over the axes along which shape was broadcast",
    .rule = "dx = dout, repeated along these axes",
    .n_in = 1,
    TG_ATTRS(sum_to_attr, sum_to_fields),
    .infer = sum_to_infer,
    .forward = sum_to_forward,
    .grad = sum_to_grad,
    .grad_kernel = sum_to_grad_kernel,
    .of_kernels = true,
};

tg_tensor *tg_sum_to(tg_tensor *x, tg_shape shape) {
    return tg_apply1(&tg_op_sum_to, x, &(sum_to_attr){shape});
}
