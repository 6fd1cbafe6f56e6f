/* Functions of one tensor, element by element: rows of one table. Values and first derivatives on plain
 * arrays are kernels (core/kernels/unary.def); the derivative below is the same one, made of ops.
 */
#include "ops/unary.h"

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

ROWS(UNARY_OP)
