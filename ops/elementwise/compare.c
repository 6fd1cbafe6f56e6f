#include "ops/shared.h"

/* ---- comparisons ---- */

static tg_status compare_infer(const tg_call *call) {
    tg_shape shape;
    tg_status s = tg_call_pair(call, 0, 1, &shape);
    return s == TG_OK ? tg_out(call, 0, TG_BOOL, shape) : s;
}

static tg_status compare(const tg_call *call, tg_compare f) {
    const tg_array *out = call->out[0];
    tg_array a = tg_borrow_broadcast(call->in[0], out), b = tg_borrow_broadcast(call->in[1], out);
    tg_map_compare(f, &a, &b, out);
    return TG_OK;
}

#define COMPARISON(NAME, KERNEL, SIGN) \
    static tg_status NAME##_forward(const tg_call *call) { return compare(call, KERNEL); } \
    const tg_op tg_op_##NAME = { \
        .name = #NAME, \
        .formula = "out = a " SIGN " b", \
        .n_in = 2, \
        .of_kernels = true, \
        .infer = compare_infer, \
        .forward = NAME##_forward, \
        .grad = TG_NO_GRAD, \
    };

COMPARISON(eq, TG_EQ, "==")
COMPARISON(ne, TG_NE, "!=")
COMPARISON(lt, TG_LT, "<")
COMPARISON(le, TG_LE, "<=")
COMPARISON(gt, TG_GT, ">")
COMPARISON(ge, TG_GE, ">=")

tg_tensor *tg_eq(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_eq, a, b, NULL); }
tg_tensor *tg_ne(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_ne, a, b, NULL); }
tg_tensor *tg_lt(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_lt, a, b, NULL); }
tg_tensor *tg_le(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_le, a, b, NULL); }
tg_tensor *tg_gt(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_gt, a, b, NULL); }
tg_tensor *tg_ge(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_ge, a, b, NULL); }

/* ---- out = condition ? a : b ---- */

static tg_status check_mask(const tg_call *call, int i) {
    if (call->in[i]->dtype == TG_BOOL || call->in[i]->dtype == TG_U8) return TG_OK;
    return tg_call_fail(call, TG_ERR_DTYPE, "the mask must be bool or u8: %s", tg_call_input(call, i));
}

static tg_status where_infer(const tg_call *call) {
    tg_shape shape;
    tg_status s = check_mask(call, 0);
    if (s == TG_OK) s = tg_call_pair(call, 1, 2, &shape);
    if (s != TG_OK) return s;
    if (!tg_shape_broadcast(shape, tg_array_shape(call->in[0]), &shape))
        return tg_call_fail(call, TG_ERR_SHAPE, "shapes do not broadcast: condition %s, a %s, b %s",
                            tg_call_input(call, 0), tg_call_input(call, 1), tg_call_input(call, 2));
    return tg_out(call, 0, (tg_dtype)call->in[1]->dtype, shape);
}

static tg_status where_forward(const tg_call *call) {
    const tg_array *out = call->out[0];
    tg_array condition = tg_borrow_broadcast(call->in[0], out);
    tg_array a = tg_borrow_broadcast(call->in[1], out), b = tg_borrow_broadcast(call->in[2], out);
    tg_map_where(&condition, &a, &b, out);
    return TG_OK;
}

static void where_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *zero = tg_scalar(tg_dtype_of(dout[0]), 0);
    if (tg_needs(n, 1)) din[1] = tg_where(n->in[0], dout[0], zero);
    if (tg_needs(n, 2)) din[2] = tg_where(n->in[0], zero, dout[0]);
}

/* din = g where mask equals `chosen`, 0 elsewhere */
static tg_status masked_new(const tg_array *g, const tg_array *mask, bool chosen, tg_array *din) {
    int64_t storage;
    tg_status s = tg_array_alloc_like(din, g);
    if (s != TG_OK) return s;
    tg_array spread = tg_borrow_broadcast(mask, g), zero = tg_borrow_number(0, g, &storage);
    tg_map_where(&spread, chosen ? g : &zero, chosen ? &zero : g, din);
    return TG_OK;
}

static tg_status where_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *condition = tg_node_in(n, 0);
    tg_status s = TG_OK;
    if (tg_needs(n, 1)) s = masked_new(dout[0], condition, true, &din[1]);
    if (s == TG_OK && tg_needs(n, 2)) s = masked_new(dout[0], condition, false, &din[2]);
    return s;
}

const tg_op tg_op_where = {
    .name = "where",
    .formula = "out = a where condition, else b",
    .rule = "da = dout where condition, else 0; db = 0 where condition, else dout",
    .n_in = 3,
    .elementwise = true,
    .of_kernels = true,
    .save = TG_IN(0),
    .no_grad = TG_IN(0),
    .infer = where_infer,
    .forward = where_forward,
    .grad = where_grad,
    .grad_kernel = where_grad_kernel,
};

tg_tensor *tg_where(tg_tensor *condition, tg_tensor *a, tg_tensor *b) {
    tg_tensor *in[3] = {condition, a, b};
    return tg_apply(&tg_op_where, in, 3, NULL);
}

/* ---- out = mask ? value : x ---- */

typedef struct fill_attr {
    double value;
} fill_attr;

static const tg_attr_field fill_fields[] = {{"value", TG_ATTR_REAL, offsetof(fill_attr, value)}};

static tg_status masked_fill_infer(const tg_call *call) {
    tg_shape x = tg_array_shape(call->in[0]), shape;
    tg_status s = check_mask(call, 1);
    if (s != TG_OK) return s;
    if (!tg_shape_broadcast(x, tg_array_shape(call->in[1]), &shape) || !tg_shape_equal(x, shape))
        return tg_call_fail(call, TG_ERR_SHAPE, "the mask does not broadcast to x: mask %s, x %s",
                            tg_call_input(call, 1), tg_call_input(call, 0));
    return tg_out(call, 0, (tg_dtype)call->in[0]->dtype, shape);
}

static tg_status masked_fill_forward(const tg_call *call) {
    const tg_array *out = call->out[0];
    int64_t storage;
    tg_array value = tg_borrow_number(((const fill_attr *)call->attr)->value, out, &storage);
    tg_array mask = tg_borrow_broadcast(call->in[1], out);
    tg_map_where(&mask, &value, call->in[0], out);
    return TG_OK;
}

static void masked_fill_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_masked_fill(dout[0], n->in[1], 0);
}

static tg_status masked_fill_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    return masked_new(dout[0], tg_node_in(n, 1), false, &din[0]);
}

const tg_op tg_op_masked_fill = {
    .name = "masked_fill",
    .formula = "out = value where mask, else x",
    .rule = "dx = 0 where mask, else dout",
    .n_in = 2,
    .elementwise = true,
    .of_kernels = true,
    .save = TG_IN(1),
    .no_grad = TG_IN(1),
    TG_ATTRS(fill_attr, fill_fields),
    .infer = masked_fill_infer,
    .forward = masked_fill_forward,
    .grad = masked_fill_grad,
    .grad_kernel = masked_fill_grad_kernel,
};

tg_tensor *tg_masked_fill(tg_tensor *x, tg_tensor *mask, double value) {
    tg_tensor *in[2] = {x, mask};
    return tg_apply(&tg_op_masked_fill, in, 2, &(fill_attr){value});
}
