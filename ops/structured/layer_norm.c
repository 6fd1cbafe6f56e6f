/* layer_norm and rms_norm, by kernels on rows; the gradient is also written with ops. */
#include "ops/reduce/spread.h"

#include <float.h>
#include <math.h>

typedef struct norm_attr {
    int64_t axes;
    double eps;
} norm_attr;

static const tg_attr_field fields[] = {
    {"axes", TG_ATTR_INT, offsetof(norm_attr, axes)},
    {"eps", TG_ATTR_REAL, offsetof(norm_attr, eps)},
};

/* ---- shape rule ---- */

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    int64_t axes = ((const norm_attr *)call->attr)->axes;
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    double eps = ((const norm_attr *)call->attr)->eps;
    if (!(eps >= 0 && eps < INFINITY))
        return tg_call_fail(call, TG_ERR_ARGUMENT, "eps must be finite and not negative, but is %g: %s", eps,
                            tg_call_input(call, 0));
    if (axes < 1 || axes > x->rank)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "cannot normalise over the last %lld of %d axes: %s",
                            (long long)axes, x->rank, tg_call_input(call, 0));
    for (int i = 1; i < call->n_in; i++) {
        const tg_array *p = call->in[i];
        if (!p) continue;
        if (p->dtype != x->dtype) return tg_call_dtypes_differ(call, 0, i);
        bool fits = p->rank == axes;
        for (int j = 0; fits && j < p->rank; j++) fits = p->shape[j] == x->shape[x->rank - axes + j];
        if (!fits)
            return tg_call_fail(call, TG_ERR_SHAPE, "%s must have the shape of the last %lld axes of %s",
                                tg_call_input(call, i), (long long)axes, tg_call_input(call, 0));
    }
    return tg_infer_same(call);
}

/* ---- forward ---- */

static tg_row_norm norm_of(const tg_array *x, const void *attr, bool centred) {
    const norm_attr *a = attr;
    tg_row_norm f = {.n = 1, .eps = a->eps, .centred = centred};
    for (int i = x->rank - (int)a->axes; i < x->rank; i++) f.n *= x->shape[i];
    return f;
}

static tg_status forward(const tg_call *call, bool centred) {
    tg_row_norm f = norm_of(call->in[0], call->attr, centred);
    tg_array dense[3] = {{0}};
    const tg_array *p[3] = {NULL};
    tg_status s = tg_all_contiguous(call->n_in, call->in, dense, p);
    if (s == TG_OK) tg_map_norm(&f, p[0], p[1], p[2], call->out[0]);
    tg_drop_all(3, dense);
    return s;
}

static tg_status layer_forward(const tg_call *call) { return forward(call, true); }
static tg_status rms_forward(const tg_call *call) { return forward(call, false); }

/* ---- gradient: with z the normalised x and h = g * w,
 *      dx = (h - mean(h) - z * mean(h * z)) / deviation,  dw = g * z,  db = g ---- */

static tg_shape row_axes(const tg_node *n) {
    tg_shape axes = {(int)((const norm_attr *)n->attr)->axes, {0}};
    for (int i = 0; i < axes.rank; i++) axes.dim[i] = -1 - i;
    return axes;
}

static tg_tensor *row_mean(const tg_node *n, tg_tensor *t) {
    return tg_mean_with(t, (tg_reduce_opts){.axes = row_axes(n), .keepdim = true});
}

/* x as [rows, elements]. */
static tg_tensor *as_rows(const tg_node *n, tg_tensor *x) {
    int64_t each = norm_of(tg_node_in(n, 0), n->attr, false).n;
    return tg_is_alive(x) && each > 0 ? tg_reshape_with(x, TG_SHAPE(tg_numel(x) / each, each)) : x;
}

/* The elements of each row, less `mean` where that is given, with 0 in place of number `top`. */
static tg_tensor *others_of(tg_tensor *x, tg_tensor *top, tg_tensor *mean) {
    return tg_scatter(mean ? tg_sub(x, mean) : x, 1, top, tg_zeros_with(tg_dtype_of(x), tg_shape_of(top)));
}
static tg_tensor *sum_of_row(tg_tensor *x) {
    return tg_sum_with(x, (tg_reduce_opts){.axes = TG_SHAPE(1), .keepdim = true});
}

/* dx where an element of a row, number `top`, has nearly all of its squares: what is left of h without its parts along x
 * and along the mean is made of the others. With u and v their x and h, less their means where the row is centred, d and k
 * the x and h of that element less the same means, e = n eps, c = (n - 1) / n or 1, s = sum u^2 + c d^2 + e:
 *     dx_top = c l / deviation,  dx_i = (v - u (c k d + sum(u v)) / s - l / n) / deviation,
 *     l = (k (sum u^2 + e) - d sum(u v)) / s
 * without l / n where it is not centred. x is in units of the spread. */
static tg_tensor *with_dominant(tg_tensor *top, tg_tensor *x, tg_tensor *h, tg_tensor *e, bool centred) {
    double size = (double)tg_size(x, 1), c = centred ? (size - 1) / size : 1;
    tg_tensor *x_mean = NULL, *h_mean = NULL, *d = tg_gather(x, 1, top), *k = tg_gather(h, 1, top);
    if (centred) {
        x_mean = tg_mul_scalar(sum_of_row(others_of(x, top, NULL)), 1 / (size - 1));
        h_mean = tg_mul_scalar(sum_of_row(others_of(h, top, NULL)), 1 / (size - 1));
        d = tg_sub(d, x_mean), k = tg_sub(k, h_mean);
    }
    tg_tensor *u = others_of(x, top, x_mean), *v = others_of(h, top, h_mean), *uv = sum_of_row(tg_mul(u, v));
    tg_tensor *rest = tg_add(sum_of_row(tg_square(u)), e), *all = tg_add(rest, tg_mul_scalar(tg_square(d), c));
    tg_tensor *left = tg_div(tg_sub(tg_mul(k, rest), tg_mul(d, uv)), all);
    tg_tensor *along = tg_div(tg_add(tg_mul_scalar(tg_mul(k, d), c), uv), all),
              *dx = tg_sub(v, tg_mul(u, along));
    if (centred) dx = tg_sub(dx, tg_mul_scalar(left, 1 / size));
    return tg_scatter(dx, 1, top, tg_mul_scalar(left, c));
}

/* The index of the largest element of each row, when some have 7/8 of the share of z^2 that one element can have; else NULL. */
static tg_tensor *dominant(const tg_node *n, tg_tensor *z, double size, bool centred) {
    if (centred && size == 1) return NULL;
    tg_tensor *share = tg_mul_scalar(tg_square(as_rows(n, tg_detach(z))), 1 / size);
    return tg_dominant(share, 1, 0.875 - (centred ? 1 / size : 0));
}

static tg_tensor *column(tg_tensor *t) {
    return tg_is_alive(t) ? tg_reshape_with(t, TG_SHAPE(tg_numel(t), 1)) : t;
}

static void grad(const tg_node *n, tg_tensor *g, tg_tensor **din, bool centred) {
    tg_tensor *x = n->in[0], *w = n->in[1];
    double eps = ((const norm_attr *)n->attr)->eps;
    tg_spread s =
        tg_spread_over(x, (tg_spread_opts){row_axes(n), .keepdim = true, .about_zero = !centred, .eps = eps});
    if (!tg_is_alive(s.sum)) return;
    tg_tensor *root = tg_spread_root(&s, eps), *z = tg_div(s.d, root), *h = w ? tg_mul(g, w) : g;
    if (tg_needs(n, 1)) din[1] = tg_mul(g, z);
    if (n->n_in > 2 && tg_needs(n, 2)) din[2] = g;
    if (!tg_needs(n, 0)) return;
    tg_tensor *top = dominant(n, z, s.n, centred), *d = tg_sub(h, tg_mul(z, row_mean(n, tg_mul(h, z))));
    if (centred) d = tg_sub(d, row_mean(n, h));
    if (top) {
        tg_tensor *unit = s.scale ? tg_reciprocal(s.scale) : tg_ones_with(tg_dtype_of(x), TG_SHAPE(1));
        tg_tensor *e = column(tg_mul(tg_mul_scalar(unit, s.n * eps), unit));
        d = with_dominant(top, as_rows(n, tg_mul(x, unit)), as_rows(n, h), e, centred);
        d = tg_reshape_with(d, tg_shape_of(x));
    }
    din[0] = tg_div(d, s.scale ? tg_mul(root, s.scale) : root);
}

static void layer_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    grad(n, dout[0], din, true);
}
static void rms_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    grad(n, dout[0], din, false);
}

static tg_status grad_kernel(const tg_node *n, const tg_array *g, tg_array *din, bool centred) {
    const tg_array *in[3] = {g, tg_node_in(n, 0), n->in[1] ? tg_node_in(n, 1) : NULL}, *wanted[3] = {NULL},
                   *p[3];
    tg_row_norm f = norm_of(in[1], n->attr, centred);
    tg_array dense[3] = {{0}};
    tg_status s = tg_all_contiguous(3, in, dense, p);
    for (int i = 0; s == TG_OK && i < n->n_in; i++) {
        if (!tg_needs(n, i)) continue;
        const tg_array *a = tg_node_in(n, i);
        s = tg_array_alloc_like(&din[i], a);
        wanted[i] = &din[i];
    }
    if (s == TG_OK) s = tg_map_norm_grad(&f, p[0], p[1], p[2], wanted[0], wanted[1], wanted[2]);
    tg_drop_all(3, dense);
    return s;
}

static tg_status layer_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    return grad_kernel(n, dout[0], din, true);
}
static tg_status rms_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    return grad_kernel(n, dout[0], din, false);
}

const tg_op tg_op_layer_norm = {
    .name = "layer_norm",
    .formula = "out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, over the last axes",
    .n_in = 3,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(1) | TG_IN(2),
    TG_ATTRS(norm_attr, fields),
    .infer = infer,
    .forward = layer_forward,
    .grad = layer_grad,
    .grad_kernel = layer_grad_kernel,
};

const tg_op tg_op_rms_norm = {
    .name = "rms_norm",
    .formula = "out = x / sqrt(mean(x^2) + eps) * weight, over the last axes",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(1),
    TG_ATTRS(norm_attr, fields),
    .infer = infer,
    .forward = rms_forward,
    .grad = rms_grad,
    .grad_kernel = rms_grad_kernel,
};

tg_tensor *tg_layer_norm_with(tg_tensor *x, tg_layer_norm_opts o) {
    tg_tensor *in[3] = {x, o.weight, o.bias};
    norm_attr a = {o.axes ? o.axes : 1, tg_option(o.eps, 1e-5)};
    return tg_apply(&tg_op_layer_norm, in, 3, &a);
}

tg_tensor *tg_rms_norm_with(tg_tensor *x, tg_rms_norm_opts o) {
    if (o.bias) {
        tg_fail(TG_ERR_ARGUMENT, "rms_norm: takes no bias");
        return tg_poison();
    }
    bool f64 = tg_is_alive(x) && tg_dtype_of(x) == TG_F64;
    double eps = tg_option(o.eps, f64 ? DBL_EPSILON : (double)FLT_EPSILON);
    return tg_apply2(&tg_op_rms_norm, x, o.weight, &(norm_attr){o.axes ? o.axes : 1, eps});
}
