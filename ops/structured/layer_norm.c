/* layer_norm and rms_norm, by kernels on rows; the gradient is also written with ops. */
#include "ops/structured/layer_norm.h"

#include "ops/shared.h"
#include "ops/structured/normalised.h"

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

/* ---- gradient: core/kernels/kernels.h, or with ops ops/structured/normalised.h ---- */

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din, bool centred) {
    const norm_attr *a = n->attr;
    tg_tensor *w = n->in[1], *g = dout[0], *h = w ? tg_mul(g, w) : g;
    tg_normalised r = tg_normalised_over(n->in[0], (tg_normalised_opts){(int)a->axes, a->eps, centred});
    if (!tg_is_alive(r.z)) return;
    if (tg_needs(n, 1)) din[1] = tg_mul(g, r.z);
    if (n->n_in > 2 && tg_needs(n, 2)) din[2] = g;
    if (tg_needs(n, 0)) din[0] = tg_normalised_grad(&r, h);
}

static void layer_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    grad(n, dout, din, true);
}
static void rms_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) { grad(n, dout, din, false); }

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
    .rule =
        "z = (x - mean(x)) / sqrt(var(x) + eps); h = dout * weight; dx = (h - mean(h) - z * mean(h * z)) / sqrt(var(x) + eps); dweight = dout * z; dbias = dout",
    .n_in = 3,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(1) | TG_IN(2),
    TG_ATTRS(norm_attr, fields),
    .infer = infer,
    .forward = layer_forward,
    .grad = layer_grad,
    .grad_kernel = layer_grad_kernel,
    .pure = true,
    .looked = TG_IN(0),
};

const tg_op tg_op_rms_norm = {
    .name = "rms_norm",
    .formula = "out = x / sqrt(mean(x^2) + eps) * weight, over the last axes",
    .rule =
        "z = x / sqrt(mean(x^2) + eps); h = dout * weight; dx = (h - z * mean(h * z)) / sqrt(mean(x^2) + eps); dweight = dout * z",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    .optional = TG_IN(1),
    TG_ATTRS(norm_attr, fields),
    .infer = infer,
    .forward = rms_forward,
    .grad = rms_grad,
    .grad_kernel = rms_grad_kernel,
    .pure = true,
    .looked = TG_IN(0),
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
