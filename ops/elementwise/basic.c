/* Functions of one tensor, element by element: rows of one table. Values and first derivatives on plain
 * arrays are kernels (core/kernels/unary.def); the derivative below is the same one, made of ops.
 */
#include "ops/elementwise/unary.h"

/* -t, 0 or t as x < 0, x = 0, x > 0 */
static tg_tensor *signed_by(tg_tensor *x, tg_tensor *t) {
    tg_tensor *zero = number(x, 0);
    return tg_where(tg_gt(x, zero), t, tg_where(tg_lt(x, zero), tg_neg(t), zero));
}

/* 4 sigmoid'(2x) of f64; 1 - y^2 of f32, which is not told from 0 where y has rounded to 1 */
static tg_tensor *tanh_slope(tg_tensor *x, tg_tensor *y) {
    if (!is_f64(x)) return tg_affine(tg_square(y), -1, 1);
    return tg_mul_scalar(tg_sigmoid_derivative(tg_mul_scalar(x, 2), 1), 4);
}

/* y (1 - y) of f32: likewise */
static tg_tensor *sigmoid_slope(tg_tensor *x, tg_tensor *y) {
    return is_f64(x) ? tg_sigmoid_derivative(x, 1) : tg_mul(y, tg_affine(y, -1, 1));
}

#define FROM_Y "; in f32 the derivative is made of out: off by 1e-7 at most, by 1e-5 of itself from |x| = "

/* name, kernel, formula, kink, derivative times g (of x = in 0, y = out) */
#define ROWS(ROW) \
    ROW(exp, EXP, "e^x", NULL, tg_mul(g, y)) \
    ROW(log, LOG, "log x", NULL, tg_div(g, x)) \
    ROW(sqrt, SQRT, "sqrt(x)", NULL, tg_div(g, tg_add(y, y))) \
    ROW(square, SQUARE, "x^2", NULL, tg_mul(g, tg_add(x, x))) \
    ROW(abs, ABS, "|x|", "0 at 0", signed_by(x, g)) \
    ROW(tanh, TANH, "tanh x" FROM_Y "3 on", NULL, tg_mul(g, tanh_slope(x, y))) \
    ROW(sigmoid, SIGMOID, "1 / (1 + e^-x)" FROM_Y "5 on", NULL, tg_mul(g, sigmoid_slope(x, y))) \
    ROW(relu, RELU, "max(x, 0)", "0 at 0", tg_masked_fill(g, tg_le(y, number(y, 0)), 0)) \
    ROW(softplus, SOFTPLUS, "log(1 + e^x)", NULL, tg_mul(g, tg_sigmoid_derivative(x, 0))) \
    ROW(logsigmoid, LOGSIGMOID, "-log(1 + e^-x)", NULL, tg_mul(g, tg_sigmoid_derivative(tg_neg(x), 0))) \
    ROW(sign, SIGN, "-1, 0 or 1 as x < 0, x = 0, x > 0", "0 at 0", zeros_like(g))

ROWS(UNARY_OP)
