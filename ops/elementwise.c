/* Functions of one tensor, element by element: rows of one table. Values and first derivatives on plain
 * arrays are kernels (core/kernels/unary.def); the derivative below is the same one, made of ops.
 */
#include "ops/ops.h"

/* SAVES_EXP, ...: what the kernel of the derivative reads, as bits for tg_op.save. */
enum {
#define TG_UNARY(KERNEL, READS_X, READS_Y, ...) \
    SAVES_##KERNEL = (READS_X ? TG_IN(0) : 0u) | (READS_Y ? TG_OUT(0) : 0u),
#include "core/kernels/unary.def"
#undef TG_UNARY
};

/* Of softplus: its steepness, and where it becomes x. The others take none. */
static const double parameters[2] = {1, 20};

static tg_status map(const tg_call *call, tg_unary f) {
    tg_map_unary(f, call->in[0], call->out[0], parameters);
    return TG_OK;
}

static tg_status map_grad(const tg_node *n, const tg_array *g, tg_array *din, tg_unary f) {
    const tg_array *x = n->op->save & TG_IN(0) ? tg_node_in(n, 0) : NULL;
    const tg_array *y = n->op->save & TG_OUT(0) ? tg_node_out(n, 0) : NULL;
    tg_status s = tg_array_alloc_like(din, g);
    if (s == TG_OK) tg_map_unary_grad(f, g, x, y, din, parameters);
    return s;
}

static tg_tensor *zeros_like(tg_tensor *t) { return (tg_zeros)(tg_dtype_of(t), tg_shape_of(t)); }
static tg_tensor *number(tg_tensor *like, double v) { return tg_scalar(tg_dtype_of(like), v); }

/* -t, 0 or t as x < 0, x = 0, x > 0 */
static tg_tensor *signed_by(tg_tensor *x, tg_tensor *t) {
    tg_tensor *zero = number(x, 0);
    return tg_where(tg_gt(x, zero), t, tg_where(tg_lt(x, zero), tg_neg(t), zero));
}

/* name, kernel, formula, kink, derivative times g (of x = in 0, y = out) */
#define ROWS(ROW) \
    ROW(exp, EXP, "e^x", NULL, tg_mul(g, y)) \
    ROW(log, LOG, "log x", NULL, tg_div(g, x)) \
    ROW(sqrt, SQRT, "sqrt(x)", NULL, tg_div(g, tg_add(y, y))) \
    ROW(square, SQUARE, "x^2", NULL, tg_mul(g, tg_add(x, x))) \
    ROW(abs, ABS, "|x|", "0 at 0", signed_by(x, g)) \
    ROW(tanh, TANH, "tanh x", NULL, tg_mul(g, tg_mul(tg_affine(y, -1, 1), tg_affine(y, 1, 1)))) \
    ROW(sigmoid, SIGMOID, "1 / (1 + e^-x)", NULL, tg_mul(g, tg_mul(y, tg_affine(y, -1, 1)))) \
    ROW(relu, RELU, "max(x, 0)", "0 at 0", tg_masked_fill(g, tg_le(y, number(y, 0)), 0)) \
    ROW(softplus, SOFTPLUS, "log(1 + e^x)", NULL, \
        tg_where(tg_gt(x, number(x, 20)), g, tg_mul(g, tg_sigmoid(x)))) \
    ROW(logsigmoid, LOGSIGMOID, "-log(1 + e^-x)", NULL, tg_mul(g, tg_sigmoid(tg_neg(x)))) \
    ROW(sign, SIGN, "-1, 0 or 1 as x < 0, x = 0, x > 0", "0 at 0", zeros_like(g))

#define DEFINE(NAME, KERNEL, FORMULA, KINK, DERIVATIVE) \
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
        .save = SAVES_##KERNEL, \
        .infer = tg_infer_same, \
        .forward = NAME##_forward, \
        .grad = NAME##_grad, \
        .grad_kernel = NAME##_grad_kernel, \
    }; \
    tg_tensor *(tg_##NAME)(tg_tensor * x) { return tg_apply1(&tg_op_##NAME, x, NULL); }

ROWS(DEFINE)
