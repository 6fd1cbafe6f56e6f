#include "ops/shared.h"

#include <math.h>

/* Arithmetic takes f32, f64, i32 and i64. */
static tg_status numbers_only(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    if (dtype != TG_U8 && dtype != TG_BOOL) return TG_OK;
    return tg_call_fail(call, TG_ERR_DTYPE, "%s is not a dtype for arithmetic: %s (tg_to converts)",
                        tg_dtype_name(dtype), tg_call_input(call, 0));
}

static tg_status two_numbers(const tg_call *call) {
    tg_status s = tg_infer_pair(call);
    return s == TG_OK ? numbers_only(call) : s;
}

static tg_status map(const tg_call *call, tg_binary f) {
    tg_map_spread(f, call->in[0], call->in[1], call->out[0]);
    return TG_OK;
}

/* din = f(g, x), where x broadcasts to g. */
static tg_status map_new(tg_binary f, const tg_array *g, const tg_array *x, tg_array *din) {
    tg_status s = din->data ? TG_OK : tg_array_alloc_like(din, g);
    if (s != TG_OK) return s;
    tg_map_spread(f, g, x, din);
    return TG_OK;
}

/* din = scale * g */
static tg_status scale_new(double scale, const tg_array *g, tg_array *din) {
    if (scale == 1) {
        tg_array_share(din, g);
        return TG_OK;
    }
    tg_status s = din->data ? TG_OK : tg_array_alloc_like(din, g);
    if (s == TG_OK) tg_map_affine(g, scale, -0.0, din);
    return s;
}

/* ---- out = a + b ---- */

static tg_status add_forward(const tg_call *call) { return map(call, TG_BINARY_ADD); }

static void add_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = dout[0];
    if (tg_needs(n, 1)) din[1] = dout[0];
}

static tg_status add_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n; /* asking what is needed costs more than sharing */
    tg_array_share(&din[0], dout[0]);
    tg_array_share(&din[1], dout[0]);
    return TG_OK;
}

const tg_op tg_op_add = {
    .name = "add",
    .formula = "out = a + b",
    .rule = "da = dout; db = dout",
    .n_in = 2,
    .elementwise = true,
    .of_kernels = true,
    .infer = two_numbers,
    .forward = add_forward,
    .grad = add_grad,
    .grad_kernel = add_grad_kernel,
};

tg_tensor *tg_add(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_add, a, b, NULL); }

/* ---- out = a - b ---- */

static tg_status sub_forward(const tg_call *call) { return map(call, TG_BINARY_SUB); }

static void sub_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = dout[0];
    if (tg_needs(n, 1)) din[1] = tg_neg(dout[0]);
}

static tg_status sub_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    if (tg_needs(n, 0)) tg_array_share(&din[0], dout[0]);
    return tg_needs(n, 1) ? scale_new(-1, dout[0], &din[1]) : TG_OK;
}

const tg_op tg_op_sub = {
    .name = "sub",
    .formula = "out = a - b",
    .rule = "da = dout; db = -dout",
    .n_in = 2,
    .elementwise = true,
    .of_kernels = true,
    .infer = two_numbers,
    .forward = sub_forward,
    .grad = sub_grad,
    .grad_kernel = sub_grad_kernel,
};

tg_tensor *tg_sub(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_sub, a, b, NULL); }

/* ---- out = a * b ---- */

static tg_status mul_forward(const tg_call *call) { return map(call, TG_BINARY_MUL); }

static void mul_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = tg_mul(dout[0], n->in[1]);
    if (tg_needs(n, 1)) din[1] = tg_mul(dout[0], n->in[0]);
}

static tg_status mul_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = TG_OK;
    if (tg_needs(n, 0)) s = map_new(TG_BINARY_MUL, dout[0], tg_node_in(n, 1), &din[0]);
    if (s == TG_OK && tg_needs(n, 1)) s = map_new(TG_BINARY_MUL, dout[0], tg_node_in(n, 0), &din[1]);
    return s;
}

const tg_op tg_op_mul = {
    .name = "mul",
    .formula = "out = a * b",
    .rule = "da = dout * b; db = dout * a",
    .n_in = 2,
    .elementwise = true,
    .of_kernels = true,
    .over = TG_IN(0) | TG_IN(1),
    .save = TG_IN(0) | TG_IN(1),
    .infer = two_numbers,
    .forward = mul_forward,
    .grad = mul_grad,
    .grad_kernel = mul_grad_kernel,
};

tg_tensor *tg_mul(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_mul, a, b, NULL); }

/* ---- out = a / b;  da = g / b,  db = -g (out / b): 1 / b may overflow where out / b does not ---- */

static tg_status div_forward(const tg_call *call) { return map(call, TG_BINARY_DIV); }

static void div_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *b = n->in[1];
    if (tg_needs(n, 0)) din[0] = tg_div(g, b);
    if (tg_needs(n, 1)) din[1] = tg_neg(tg_mul(g, tg_div(n->out[0], b)));
}

static tg_status div_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *g = dout[0], *b = tg_node_in(n, 1);
    tg_status s = TG_OK;
    if (tg_needs(n, 0)) s = map_new(TG_BINARY_DIV, g, b, &din[0]);
    if (s != TG_OK || !tg_needs(n, 1)) return s;
    s = map_new(TG_BINARY_QUOTIENT_SLOPE, tg_node_out(n, 0), b, &din[1]);
    if (s == TG_OK) tg_map_binary(TG_BINARY_MUL, g, &din[1], &din[1]);
    return s;
}

const tg_op tg_op_div = {
    .name = "div",
    .formula = "out = a / b",
    .rule = "da = dout / b; db = -dout * out / b",
    .n_in = 2,
    .elementwise = true,
    .of_kernels = true,
    .save = TG_IN(1) | TG_OUT(0),
    .infer = two_numbers,
    .forward = div_forward,
    .grad = div_grad,
    .grad_kernel = div_grad_kernel,
};

tg_tensor *tg_div(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_div, a, b, NULL); }

/* ---- out = scale * x + shift ---- */

typedef struct affine_attr {
    double scale, shift;
} affine_attr;

static const tg_attr_field affine_fields[] = {
    {"scale", TG_ATTR_REAL, offsetof(affine_attr, scale)},
    {"shift", TG_ATTR_REAL, offsetof(affine_attr, shift)},
};

/* An integer tensor times 0.5 would be all zeros, so numbers that the dtype does not have are refused. */
static bool dtype_has(double number, tg_dtype dtype) {
    if (tg_dtype_is_float(dtype)) return true;
    double end = dtype == TG_I32 ? 0x1p31 : 0x1p63;
    return number >= -end && number < end && number == trunc(number);
}

static tg_status affine_infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    const affine_attr *attr = call->attr;
    tg_dtype dtype = (tg_dtype)x->dtype;
    tg_status s = numbers_only(call);
    if (s != TG_OK) return s;
    if (!dtype_has(attr->scale, dtype) || !dtype_has(attr->shift, dtype))
        return tg_call_fail(call, TG_ERR_DTYPE, "scale %g or shift %g is no number of %s: %s (tg_to converts)",
                            attr->scale, attr->shift, tg_dtype_name(dtype), tg_call_input(call, 0));
    return tg_out(call, 0, dtype, tg_array_shape(x));
}

static tg_status affine_forward(const tg_call *call) {
    const affine_attr *attr = call->attr;
    tg_map_affine(call->in[0], attr->scale, attr->shift, call->out[0]);
    return TG_OK;
}

static void affine_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const affine_attr *attr = n->attr;
    din[0] = attr->scale == 1 ? dout[0] : tg_mul_scalar(dout[0], attr->scale);
}

static tg_status affine_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    return scale_new(((const affine_attr *)n->attr)->scale, dout[0], &din[0]);
}

const tg_op tg_op_affine = {
    .name = "affine",
    .formula = "out = scale * x + shift",
    .rule = "dx = dout * scale",
    .n_in = 1,
    .elementwise = true,
    .of_kernels = true,
    .over = TG_IN(0),
    TG_ATTRS(affine_attr, affine_fields),
    .infer = affine_infer,
    .forward = affine_forward,
    .grad = affine_grad,
    .grad_kernel = affine_grad_kernel,
};

tg_tensor *tg_affine(tg_tensor *x, double scale, double shift) {
    return tg_apply1(&tg_op_affine, x, &(affine_attr){scale, shift});
}
tg_tensor *tg_add_scalar(tg_tensor *x, double s) {
    TG_NAMED("add_scalar");
    return tg_affine(x, 1, s);
}
/* Adding -0 changes no number, but adding 0 would turn -0 into 0. */
tg_tensor *tg_mul_scalar(tg_tensor *x, double s) {
    TG_NAMED("mul_scalar");
    return tg_affine(x, s, -0.0);
}
tg_tensor *tg_neg(tg_tensor *x) {
    TG_NAMED("neg");
    return tg_affine(x, -1, -0.0);
}
