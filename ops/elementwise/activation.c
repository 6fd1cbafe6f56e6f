/* Activation functions: those without parameters are rows of a table, the others stand below it. */
#include "ops/elementwise/order.h"
#include "ops/elementwise/unary.h"

#include <math.h>

/* min(x, 0), whose exponential is finite also where the other branch of a choice is taken, so that second
 * derivatives have no inf * 0. */
static tg_tensor *negative_part(tg_tensor *x) { return tg_masked_fill(x, above(x, 0), 0); }

/* scale e^x. With a large scale it is the fourth power of scale^(1/4) e^(x/4), so that no power of e^x
 * underflows where its product with the scale does not. */
static tg_tensor *scaled_exp(tg_tensor *x, double scale) {
    if (fabs(scale) <= 64) return tg_mul_scalar(tg_exp(x), scale);
    tg_tensor *root = tg_mul_scalar(tg_exp(tg_mul_scalar(x, 0.25)), sqrt(sqrt(fabs(scale))));
    tg_tensor *y = tg_square(tg_square(root));
    return scale < 0 ? tg_neg(y) : y;
}

static tg_tensor *sigmoid_of(tg_tensor *v) { return tg_sigmoid_derivative(v, 0); }

/* s(beta x), where s is the sigmoid. For a large beta it is one op, since the derivatives of s may
 * underflow where their products with powers of beta do not. */
static tg_tensor *steep_sigmoid(tg_tensor *x, double beta) {
    if (fabs(beta) <= 64) return sigmoid_of(tg_mul_scalar(x, beta));
    return tg_sigmoid_derivative_of(x, beta, 0);
}

/* e^(x/width), which for a small width is s(x/width) / s(-x/width), for the same reason. */
static tg_tensor *narrow_exp(tg_tensor *x, double width) {
    double steep = 1 / width;
    if (fabs(steep) <= 64 || isinf(steep)) return tg_exp(tg_div(x, number(x, width)));
    return tg_div(steep_sigmoid(x, steep), steep_sigmoid(x, -steep));
}

/* g above 0 and scale * e^(x/width) g below, where scale or width is 1 */
static tg_tensor *exponential_side(tg_tensor *g, tg_tensor *x, double width, double scale) {
    tg_tensor *left = negative_part(x), *slope = scale == 1 ? narrow_exp(left, width) : scaled_exp(left, scale);
    return tg_where(above(x, 0), g, tg_mul(g, slope));
}

#define SELU_SCALE 1.0507009873554804934193349852946
#define SELU_ALPHA 1.6732632423543772848170429916717

/* Phi(x) + x phi(x), where -x phi(x) is the derivative of phi(x) = e^(-x^2/2) / sqrt(2 pi) */
static tg_tensor *gelu_slope(tg_tensor *x) {
    tg_tensor *cdf = tg_mul_scalar(tg_erfc(tg_mul_scalar(x, -0.70710678118654752440)), 0.5);
    return tg_sub(cdf, tg_mul_scalar(tg_gaussian_derivative(x, 0.5, 1), 0.39894228040143267794));
}

/* The derivative of y = x s(v), where s is the sigmoid, is written as s(v) + y v' s(-v), since the tail of
 * y is representable where that of s is not. Beyond the bounds it has reached its limit, so x is clamped
 * to them, and no infinity meets a zero.
 *
 * Here v = 2 sqrt(2/pi) (x + 0.044715 x^3), since (1 + tanh u) / 2 = s(2u). The derivative at x is 1 minus
 * that at -x, and is computed on the left. */
static tg_tensor *gelu_tanh_slope(tg_tensor *all) {
    const double c = 1.59576912160573071176;
    tg_tensor *right = above(all, 0), *x = tg_clamp(tg_where(right, tg_neg(all), all), -24, 0),
              *square = tg_square(x);
    tg_tensor *v = tg_mul(tg_mul_scalar(x, c), tg_affine(square, 0.044715, 1));
    tg_tensor *v_slope = tg_affine(square, c * 3 * 0.044715, c);
    tg_tensor *y_slope = tg_mul(tg_mul(tg_gelu_tanh(x), v_slope), sigmoid_of(tg_neg(v)));
    tg_tensor *left = tg_add(sigmoid_of(v), y_slope);
    return tg_where(right, tg_affine(left, -1, 1), left);
}

static tg_tensor *silu_slope(tg_tensor *all) {
    tg_tensor *x = tg_clamp(all, -1000, 1000);
    return tg_add(sigmoid_of(x), tg_mul(tg_silu(x), sigmoid_of(tg_neg(x))));
}

/* t + x t' with t = tanh(softplus(x)) and x t' = x s(x) 4 s'(2 softplus(x)). Above 0, t is 2 s(2
 * softplus(x)) - 1. */
static tg_tensor *mish_slope(tg_tensor *all) {
    tg_tensor *x = tg_clamp(all, -1000, 1000), *twice = tg_mul_scalar(tg_softplus(x), 2);
    tg_tensor *t = tg_where(above(x, 0), tg_affine(sigmoid_of(twice), 2, -1), tg_tanh(tg_softplus(x)));
    return tg_add(t, tg_mul(tg_silu(x), tg_mul_scalar(tg_sigmoid_derivative(twice, 1), 4)));
}

/* g / d^2, without the square */
static tg_tensor *over_twice(tg_tensor *g, tg_tensor *d) { return tg_div(tg_div(g, d), d); }

/* g/6 between -3 and 3 */
static tg_tensor *hardsigmoid_side(tg_tensor *g, tg_tensor *x) {
    tg_tensor *zero = number(g, 0);
    return tg_where(above(x, -3), tg_where(below(x, 3), tg_mul_scalar(g, 1.0 / 6), zero), zero);
}

/* 0 up to -3, (2x + 3)/6 g between -3 and 3, and g from 3 on */
static tg_tensor *hardswish_side(tg_tensor *g, tg_tensor *x) {
    tg_tensor *middle = tg_where(below(x, 3), tg_mul(g, tg_mul_scalar(tg_affine(x, 2, 3), 1.0 / 6)), g);
    return tg_where(tg_le(x, number(x, -3)), number(g, 0), middle);
}

/* 1 - y^2 in f32, which is 0 where y has rounded to 1, and 4 sigmoid'(2x) in f64 */
static tg_tensor *tanh_slope(tg_tensor *x, tg_tensor *y) {
    if (!is_f64(x)) return tg_affine(tg_square(y), -1, 1);
    return tg_mul_scalar(tg_sigmoid_derivative(tg_mul_scalar(x, 2), 1), 4);
}

/* y (1 - y) in f32, and sigmoid'(x) in f64, likewise */
static tg_tensor *sigmoid_slope(tg_tensor *x, tg_tensor *y) {
    return is_f64(x) ? tg_sigmoid_derivative(x, 1) : tg_mul(y, tg_affine(y, -1, 1));
}

#define FROM_Y "; in f32 the derivative is made of out: off by 1e-7 at most, by 1e-5 of itself from |x| = "

/* name, kernel, formula, rule, kink, derivative times g (of x = in 0, y = out) */
#define ROWS(ROW) \
    ROW(relu, RELU, "max(x, 0)", "dx = dout where x > 0, else 0", "0 at 0", \
        tg_masked_fill(g, tg_le(y, number(y, 0)), 0)) \
    ROW(tanh, TANH, "tanh(x)" FROM_Y "3 on", "dx = dout * (1 - out^2)", NULL, tg_mul(g, tanh_slope(x, y))) \
    ROW(sigmoid, SIGMOID, "1 / (1 + e^-x)" FROM_Y "5 on", "dx = dout * out * (1 - out)", NULL, \
        tg_mul(g, sigmoid_slope(x, y))) \
    ROW(softplus, SOFTPLUS, "log(1 + e^x)", "dx = dout / (1 + e^-x)", NULL, \
        tg_mul(g, tg_sigmoid_derivative(x, 0))) \
    ROW(logsigmoid, LOGSIGMOID, "-log(1 + e^-x)", "dx = dout / (1 + e^x)", NULL, \
        tg_mul(g, tg_sigmoid_derivative(tg_neg(x), 0))) \
    ROW(selu, SELU, "1.0507009873554805 * x where x > 0, else 1.7580993408473769 * (e^x - 1)", \
        "dx = dout * 1.0507009873554805 where x > 0, else dout * 1.7580993408473769 * e^x", \
        "that of the left at 0", exponential_side(tg_mul_scalar(g, SELU_SCALE), x, 1, SELU_ALPHA)) \
    ROW(gelu, GELU, "x * (1 + erf(x / sqrt(2))) / 2", \
        "dx = dout * ((1 + erf(x / sqrt(2))) / 2 + x * e^(-x^2 / 2) / sqrt(2 * pi))", NULL, \
        tg_mul(g, gelu_slope(x))) \
    ROW(gelu_tanh, GELU_TANH, "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2", \
        "t = tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)); dx = dout * (1 + t + x * (1 - t^2) * sqrt(2 / pi) * (1 + 0.134145 * x^2)) / 2", \
        NULL, tg_mul(g, gelu_tanh_slope(x))) \
    ROW(silu, SILU, "x * sigmoid(x)", "dx = dout * (sigmoid(x) + out * (1 - sigmoid(x)))", NULL, \
        tg_mul(g, silu_slope(x))) \
    ROW(mish, MISH, "x * tanh(log(1 + e^x))", \
        "t = tanh(log(1 + e^x)); dx = dout * (t + x * (1 - t^2) * sigmoid(x))", NULL, \
        tg_mul(g, mish_slope(x))) \
    ROW(softsign, SOFTSIGN, "x / (1 + |x|)", "dx = dout / (1 + |x|)^2", NULL, \
        over_twice(g, tg_affine(tg_abs(x), 1, 1))) \
    ROW(hardsigmoid, HARDSIGMOID, "min(max(x + 3, 0), 6) / 6", "dx = dout / 6 where -3 < x < 3, else 0", \
        "0 at -3 and 3", hardsigmoid_side(g, x)) \
    ROW(hardswish, HARDSWISH, "x * min(max(x + 3, 0), 6) / 6", \
        "dx = 0 where x <= -3, dout * (2 * x + 3) / 6 where x < 3, else dout", "0 at -3, 1 at 3", \
        hardswish_side(g, x))

tg_tensor *tg_relu(tg_tensor *x) { return tg_apply1(&tg_op_relu, x, NULL); }
tg_tensor *tg_tanh(tg_tensor *x) { return tg_apply1(&tg_op_tanh, x, NULL); }
tg_tensor *tg_sigmoid(tg_tensor *x) { return tg_apply1(&tg_op_sigmoid, x, NULL); }
tg_tensor *tg_softplus(tg_tensor *x) { return tg_apply1(&tg_op_softplus, x, NULL); }
tg_tensor *tg_logsigmoid(tg_tensor *x) { return tg_apply1(&tg_op_logsigmoid, x, NULL); }
tg_tensor *tg_selu(tg_tensor *x) { return tg_apply1(&tg_op_selu, x, NULL); }
tg_tensor *tg_gelu(tg_tensor *x) { return tg_apply1(&tg_op_gelu, x, NULL); }
tg_tensor *tg_gelu_tanh(tg_tensor *x) { return tg_apply1(&tg_op_gelu_tanh, x, NULL); }
tg_tensor *tg_silu(tg_tensor *x) { return tg_apply1(&tg_op_silu, x, NULL); }
tg_tensor *tg_mish(tg_tensor *x) { return tg_apply1(&tg_op_mish, x, NULL); }
tg_tensor *tg_softsign(tg_tensor *x) { return tg_apply1(&tg_op_softsign, x, NULL); }
tg_tensor *tg_hardsigmoid(tg_tensor *x) { return tg_apply1(&tg_op_hardsigmoid, x, NULL); }
tg_tensor *tg_hardswish(tg_tensor *x) { return tg_apply1(&tg_op_hardswish, x, NULL); }

ROWS(UNARY_OP)

/* ---- with parameters ---- */

static const tg_attr_field leaky_relu_fields[] = {{"slope", TG_ATTR_REAL, FIRST_PARAMETER}};
static const tg_attr_field elu_fields[] = {{"alpha", TG_ATTR_REAL, FIRST_PARAMETER}};
static const tg_attr_field celu_fields[] = {{"alpha", TG_ATTR_REAL, FIRST_PARAMETER}};
static const tg_attr_field softplus_beta_fields[] = {{"beta", TG_ATTR_REAL, FIRST_PARAMETER},
                                                     {"threshold", TG_ATTR_REAL, SECOND_PARAMETER}};
static const tg_attr_field hardtanh_fields[] = {{"lo", TG_ATTR_REAL, FIRST_PARAMETER},
                                                {"hi", TG_ATTR_REAL, SECOND_PARAMETER}};

/* The first parameter is a divisor. */
static tg_status divisor_infer(const tg_call *call) {
    if (parameters_of(call->attr)[0] == 0)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "%s must not be 0: %s", call->op->attrs[0].name,
                            tg_call_input(call, 0));
    return tg_infer_same(call);
}

static tg_status bounds_infer(const tg_call *call) {
    const double *p = parameters_of(call->attr);
    if (!(p[0] < p[1]))
        return tg_call_fail(call, TG_ERR_ARGUMENT, "lo %g must be less than hi %g: %s", p[0], p[1],
                            tg_call_input(call, 0));
    return tg_infer_same(call);
}

/* g between the bounds */
static tg_tensor *hardtanh_side(tg_tensor *g, tg_tensor *x, double lo, double hi) {
    return tg_masked_fill(tg_masked_fill(g, tg_le(x, number(x, lo)), 0), tg_ge(x, number(x, hi)), 0);
}

static tg_tensor *softplus_side(tg_tensor *g, tg_tensor *x, double beta, double threshold) {
    tg_tensor *steep = tg_mul_scalar(x, beta);
    return tg_where(above(steep, threshold), g, tg_mul(g, steep_sigmoid(x, beta)));
}

UNARY_OP_WITH(leaky_relu, LEAKY_RELU, "x where x > 0, else slope * x",
              "dx = dout where x > 0, else dout * slope", "slope at 0", tg_infer_same,
              tg_where(above(x, 0), g, tg_mul_scalar(g, p[0])))
UNARY_OP_WITH(elu, ELU, "x where x > 0, else alpha * (e^x - 1)",
              "dx = dout where x > 0, else dout * alpha * e^x", "alpha at 0", tg_infer_same,
              exponential_side(g, x, 1, p[0]))
UNARY_OP_WITH(celu, CELU, "x where x > 0, else alpha * (e^(x / alpha) - 1)",
              "dx = dout where x > 0, else dout * e^(x / alpha)", NULL, divisor_infer,
              exponential_side(g, x, p[0], 1))
UNARY_OP_WITH(softplus_beta, SOFTPLUS, "x where beta * x > threshold, else log(1 + e^(beta * x)) / beta",
              "dx = dout where beta * x > threshold, else dout / (1 + e^(-beta * x))", NULL, divisor_infer,
              softplus_side(g, x, p[0], p[1]))
UNARY_OP_WITH(hardtanh, HARDTANH, "min(max(x, lo), hi)", "dx = dout where lo < x < hi, else 0",
              "0 at the bounds", bounds_infer, hardtanh_side(g, x, p[0], p[1]))

/* clang-format off */
#define PARAMETERS(...) &(tg_parameters){{__VA_ARGS__}}
/* clang-format on */

tg_tensor *tg_leaky_relu(tg_tensor *x, double slope) {
    return tg_apply1(&tg_op_leaky_relu, x, PARAMETERS(slope));
}
tg_tensor *tg_elu(tg_tensor *x, double alpha) { return tg_apply1(&tg_op_elu, x, PARAMETERS(alpha)); }
/* A divisor that f32 would round to 0 becomes the least number of f32. */
static double divisor_in(const tg_tensor *x, double v) {
    bool lost = v != 0 && fabs(v) < 0x1p-149 && tg_is_alive(x) && tg_dtype_of(x) == TG_F32;
    return lost ? copysign(0x1p-149, v) : v;
}
tg_tensor *tg_celu(tg_tensor *x, double alpha) {
    return tg_apply1(&tg_op_celu, x, PARAMETERS(divisor_in(x, alpha)));
}
tg_tensor *tg_softplus_beta(tg_tensor *x, double beta, double threshold) {
    if (threshold > 1000) threshold = 1000; /* from there on it is x; beta x may overflow */
    return tg_apply1(&tg_op_softplus_beta, x, PARAMETERS(divisor_in(x, beta), threshold));
}
tg_tensor *tg_hardtanh(tg_tensor *x, double lo, double hi) {
    return tg_apply1(&tg_op_hardtanh, x, PARAMETERS(lo, hi));
}
