/* Functions of one tensor, element by element: rows of one table. Values and first derivatives on plain arrays are
 * kernels (core/kernels/unary.def); the derivative below is the same one, made of ops.
 */
#include "ops/ops.h"

static tg_status map(const tg_call *call, tg_unary f) {
    tg_map_unary(f, call->in[0], call->out[0], (const double[2]){0, 0});
    return TG_OK;
}

static tg_status map_grad(const tg_node *n, const tg_array *g, tg_array *din, tg_unary f) {
    const tg_array *x = n->op->save & TG_IN(0) ? tg_node_in(n, 0) : NULL;
    const tg_array *y = n->op->save & TG_OUT(0) ? tg_node_out(n, 0) : NULL;
    tg_status s = tg_array_alloc(din, (tg_dtype)g->dtype, tg_array_shape(g));
    if (s == TG_OK) tg_map_unary_grad(f, g, x, y, din, (const double[2]){0, 0});
    return s;
}

static tg_tensor *zeros_like(tg_tensor *t) { return (tg_zeros)(tg_dtype_of(t), tg_shape_of(t)); }
static tg_tensor *zero_or_less(tg_tensor *t) { return tg_le(t, tg_scalar(tg_dtype_of(t), 0)); }

/* name, kernel, what the derivative reads, formula, kink, derivative times g (of x = in 0, y = out) */
#define ROWS(ROW) \
    ROW(exp, EXP, TG_OUT(0), "e^x", NULL, tg_mul(g, y)) \
    ROW(log, LOG, TG_IN(0), "log x", NULL, tg_div(g, x)) \
    ROW(sqrt, SQRT, TG_OUT(0), "sqrt(x)", NULL, tg_div(g, tg_mul_scalar(y, 2))) \
    ROW(square, SQUARE, TG_IN(0), "x^2", NULL, tg_mul(g, tg_mul_scalar(x, 2))) \
    ROW(abs, ABS, TG_IN(0), "|x|", "0 at 0", tg_mul(g, tg_sign(x))) \
    ROW(tanh, TANH, TG_OUT(0), "tanh x", NULL, tg_mul(g, tg_affine(tg_square(y), -1, 1))) \
    ROW(sigmoid, SIGMOID, TG_OUT(0), "1 / (1 + e^-x)", NULL, tg_mul(g, tg_mul(y, tg_affine(y, -1, 1)))) \
    ROW(relu, RELU, TG_OUT(0), "max(x, 0)", "0 at 0", tg_masked_fill(g, zero_or_less(y), 0)) \
    ROW(softplus, SOFTPLUS, TG_IN(0), "log(1 + e^x)", NULL, tg_mul(g, tg_sigmoid(x))) \
    ROW(logsigmoid, LOGSIGMOID, TG_IN(0), "-log(1 + e^-x)", NULL, tg_mul(g, tg_sigmoid(tg_neg(x)))) \
    ROW(sign, SIGN, 0, "-1, 0 or 1 as x < 0, x = 0, x > 0", "0 at 0", zeros_like(g))

#define DEFINE(NAME, KERNEL, SAVES, FORMULA, KINK, DERIVATIVE) \
    static tg_status NAME##_forward(const tg_call *call) { return map(call, TG_UNARY_##KERNEL); } \
    static void NAME##_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) { \
        tg_tensor *g = dout[0], *x = n->in[0], *y = n->out[0]; \
        (void)x, (void)y; \
        din[0] = DERIVATIVE; \
    } \
    static tg_status NAME##_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) { \
        return map_grad(n, dout[0], din, TG_UNARY_##KERNEL); \
    } \
    const tg_op tg_op_##NAME = { \
        .name = #NAME, \
        .formula = "out = " FORMULA, \
        .kink = KINK, \
        .n_in = 1, \
        .save = SAVES, \
        .infer = tg_infer_same, \
        .forward = NAME##_forward, \
        .grad = NAME##_grad, \
        .grad_kernel = NAME##_grad_kernel, \
    }; \
    tg_tensor *(tg_##NAME)(tg_tensor * x) { return tg_apply1(&tg_op_##NAME, x, NULL); }

ROWS(DEFINE)
