/* Mathematical functions of one tensor: those without parameters are rows of a table, the others stand
 * below it. */
#include "ops/elementwise/unary.h"

#include <float.h>
#include <math.h>

#define LN2 0.69314718055994530942
#define LN10 2.30258509299404568402
#define TWO_OVER_ROOT_PI 1.12837916709551257390
#define HALF_ROOT_PI 0.88622692545275801365

static tg_tensor *one_less(tg_tensor *x) { return tg_affine(x, -1, 1); }
static tg_tensor *one_more(tg_tensor *x) { return tg_affine(x, 1, 1); }

/* 1 - x^2 without cancellation: as (1 - x) (1 + x) for |x| >= 1/2, since the square would cancel, and as
 * the square below, since the derivative of the product would. At |x| = 1 it is the square too, as the
 * product has a factor 0 there. */
static tg_tensor *one_less_square(tg_tensor *x) {
    tg_tensor *near_0 = one_less(tg_square(x)), *near_1 = tg_mul(one_less(x), one_more(x));
    tg_tensor *is_1 = tg_eq(tg_abs(x), number(x, 1));
    return tg_where(tg_logical_or(below(tg_abs(x), 0.5), is_1), near_0, near_1);
}

/* sqrt(1 + x^2), without overflow */
static tg_tensor *root_of_one_more_square(tg_tensor *x) { return tg_hypot(x, number(x, 1)); }

/* log 2 2^x, which from 1 on, where x - 1 is exact, is 2 log 2 2^(x-1), since that overflows later. */
static tg_tensor *exp2_slope(tg_tensor *x) {
    tg_tensor *high = above(x, 1), *one = tg_where(high, number(x, 1), number(x, 0));
    return tg_mul(tg_where(high, number(x, 2 * LN2), number(x, LN2)), tg_exp2(tg_sub(x, one)));
}

/* 1 / sqrt(x^2 - 1), likewise without overflow; it is 0 at infinity. */
static tg_tensor *acosh_slope(tg_tensor *x) {
    tg_tensor *is_1 = tg_eq(x, number(x, 1)), *is_infinite = tg_eq(x, number(x, INFINITY));
    tg_tensor *finite = tg_where(is_infinite, number(x, 2), x), *at_1 = tg_where(is_1, finite, number(x, 1));
    tg_tensor *off_1 = tg_where(is_1, number(x, 2), finite);
    tg_tensor *product = tg_mul(tg_sqrt(tg_affine(off_1, 1, -1)), tg_sqrt(one_more(off_1)));
    tg_tensor *root = tg_where(is_1, tg_sqrt(tg_affine(tg_square(at_1), 1, -1)), product);
    return tg_masked_fill(tg_reciprocal(root), is_infinite, 0);
}

/* erf'(x) = 2/sqrt(pi) e^-x^2, times g */
static tg_tensor *times_bell(tg_tensor *g, tg_tensor *x, double scale) {
    return tg_mul(g, tg_mul_scalar(tg_gaussian_derivative(x, 1, 0), scale));
}

/* -t where x < 0, 0 where x = 0, and t where x > 0 */
static tg_tensor *signed_by(tg_tensor *x, tg_tensor *t) {
    tg_tensor *zero = number(x, 0);
    return tg_where(tg_gt(x, zero), t, tg_where(tg_lt(x, zero), tg_neg(t), zero));
}

#define STEP "0 at the jumps"

/* name, kernel, formula, rule, kink, derivative times g (of x = in 0, y = out) */
#define ROWS(ROW) \
    ROW(exp, EXP, "e^x", "dx = dout * out", NULL, tg_mul(g, y)) \
    ROW(log, LOG, "log(x)", "dx = dout / x", NULL, tg_div(g, x)) \
    ROW(sqrt, SQRT, "sqrt(x)", "dx = dout / (2 * out)", NULL, tg_div(g, tg_add(y, y))) \
    ROW(square, SQUARE, "x^2", "dx = dout * 2 * x", NULL, tg_mul(g, tg_add(x, x))) \
    ROW(abs, ABS, "|x|", "dx = dout * sign(x)", "0 at 0", signed_by(x, g)) \
    ROW(sign, SIGN, "1 where x > 0, -1 where x < 0, else x", "dx = 0", "0 at 0", tg_zeros_like(g)) \
    ROW(rsqrt, RSQRT, "1 / sqrt(x)", "dx = -dout * out^3 / 2", NULL, \
        tg_mul(tg_mul(tg_mul(tg_mul_scalar(g, -0.5), y), y), y)) \
    ROW(reciprocal, RECIPROCAL, "1 / x", "dx = -dout * out^2", NULL, tg_neg(tg_mul(tg_mul(g, y), y))) \
    ROW(exp2, EXP2, "2^x", "dx = dout * out * log(2)", NULL, tg_mul(g, exp2_slope(x))) \
    ROW(expm1, EXPM1, "e^x - 1", "dx = dout * e^x", NULL, tg_mul(g, tg_exp(x))) \
    ROW(log2, LOG2, "log(x) / log(2)", "dx = dout / (x * log(2))", NULL, tg_div(tg_mul_scalar(g, 1 / LN2), x)) \
    ROW(log10, LOG10, "log(x) / log(10)", "dx = dout / (x * log(10))", NULL, \
        tg_div(tg_mul_scalar(g, 1 / LN10), x)) \
    ROW(log1p, LOG1P, "log(1 + x)", "dx = dout / (1 + x)", NULL, tg_div(g, one_more(x))) \
    ROW(sin, SIN, "sin(x)", "dx = dout * cos(x)", NULL, tg_mul(g, tg_cos(x))) \
    ROW(cos, COS, "cos(x)", "dx = -dout * sin(x)", NULL, tg_neg(tg_mul(g, tg_sin(x)))) \
    ROW(tan, TAN, "tan(x)", "dx = dout * (1 + out^2)", NULL, tg_mul(g, one_more(tg_square(y)))) \
    ROW(asin, ASIN, "asin(x)", "dx = dout / sqrt(1 - x^2)", NULL, tg_div(g, tg_sqrt(one_less_square(x)))) \
    ROW(acos, ACOS, "acos(x)", "dx = -dout / sqrt(1 - x^2)", NULL, \
        tg_neg(tg_div(g, tg_sqrt(one_less_square(x))))) \
    ROW(atan, ATAN, "atan(x)", "dx = dout / (1 + x^2)", NULL, \
        tg_mul(g, tg_square(tg_reciprocal(root_of_one_more_square(x))))) \
    ROW(sinh, SINH, "sinh(x)", "dx = dout * cosh(x)", NULL, tg_mul(g, tg_cosh(x))) \
    ROW(cosh, COSH, "cosh(x)", "dx = dout * sinh(x)", NULL, tg_mul(g, tg_sinh(x))) \
    ROW(asinh, ASINH, "asinh(x)", "dx = dout / sqrt(1 + x^2)", NULL, tg_div(g, root_of_one_more_square(x))) \
    ROW(acosh, ACOSH, "acosh(x)", "dx = dout / sqrt(x^2 - 1)", NULL, tg_mul(g, acosh_slope(x))) \
    ROW(atanh, ATANH, "atanh(x)", "dx = dout / (1 - x^2)", NULL, tg_div(g, one_less_square(x))) \
    ROW(erf, ERF, "erf(x)", "dx = dout * 2 * e^(-x^2) / sqrt(pi)", NULL, times_bell(g, x, TWO_OVER_ROOT_PI)) \
    ROW(erfc, ERFC, "1 - erf(x)", "dx = -dout * 2 * e^(-x^2) / sqrt(pi)", NULL, \
        times_bell(g, x, -TWO_OVER_ROOT_PI)) \
    ROW(erfinv, ERFINV, "erfinv(x); erf(out) = x", "dx = dout * sqrt(pi) * e^(out^2) / 2", NULL, \
        tg_mul(g, tg_mul_scalar(tg_exp(tg_square(y)), HALF_ROOT_PI))) \
    ROW(lgamma, LGAMMA, "log(|gamma(x)|)", "dx = dout * digamma(x)", NULL, tg_mul(g, tg_digamma(x))) \
    ROW(digamma, DIGAMMA, "digamma(x); the derivative of log(|gamma(x)|)", "dx = dout * polygamma(1, x)", \
        NULL, tg_mul(g, tg_polygamma(1, x))) \
    ROW(floor, FLOOR, "floor(x); the largest integer <= x", "dx = 0", STEP, tg_zeros_like(g)) \
    ROW(ceil, CEIL, "ceil(x); the smallest integer >= x", "dx = 0", STEP, tg_zeros_like(g)) \
    ROW(round, ROUND, "round(x); the integer nearest to x, the even one of two", "dx = 0", STEP, \
        tg_zeros_like(g)) \
    ROW(trunc, TRUNC, "trunc(x); x without its fraction", "dx = 0", STEP, tg_zeros_like(g)) \
    ROW(frac, FRAC, "x - trunc(x)", "dx = dout", "1 at the jumps", g)

tg_tensor *tg_exp(tg_tensor *x) { return tg_apply1(&tg_op_exp, x, NULL); }
tg_tensor *tg_log(tg_tensor *x) { return tg_apply1(&tg_op_log, x, NULL); }
tg_tensor *tg_sqrt(tg_tensor *x) { return tg_apply1(&tg_op_sqrt, x, NULL); }
tg_tensor *tg_square(tg_tensor *x) { return tg_apply1(&tg_op_square, x, NULL); }
tg_tensor *tg_abs(tg_tensor *x) { return tg_apply1(&tg_op_abs, x, NULL); }
tg_tensor *tg_sign(tg_tensor *x) { return tg_apply1(&tg_op_sign, x, NULL); }
tg_tensor *tg_rsqrt(tg_tensor *x) { return tg_apply1(&tg_op_rsqrt, x, NULL); }
tg_tensor *tg_reciprocal(tg_tensor *x) { return tg_apply1(&tg_op_reciprocal, x, NULL); }
tg_tensor *tg_exp2(tg_tensor *x) { return tg_apply1(&tg_op_exp2, x, NULL); }
tg_tensor *tg_expm1(tg_tensor *x) { return tg_apply1(&tg_op_expm1, x, NULL); }
tg_tensor *tg_log2(tg_tensor *x) { return tg_apply1(&tg_op_log2, x, NULL); }
tg_tensor *tg_log10(tg_tensor *x) { return tg_apply1(&tg_op_log10, x, NULL); }
tg_tensor *tg_log1p(tg_tensor *x) { return tg_apply1(&tg_op_log1p, x, NULL); }
tg_tensor *tg_sin(tg_tensor *x) { return tg_apply1(&tg_op_sin, x, NULL); }
tg_tensor *tg_cos(tg_tensor *x) { return tg_apply1(&tg_op_cos, x, NULL); }
tg_tensor *tg_tan(tg_tensor *x) { return tg_apply1(&tg_op_tan, x, NULL); }
tg_tensor *tg_asin(tg_tensor *x) { return tg_apply1(&tg_op_asin, x, NULL); }
tg_tensor *tg_acos(tg_tensor *x) { return tg_apply1(&tg_op_acos, x, NULL); }
tg_tensor *tg_atan(tg_tensor *x) { return tg_apply1(&tg_op_atan, x, NULL); }
tg_tensor *tg_sinh(tg_tensor *x) { return tg_apply1(&tg_op_sinh, x, NULL); }
tg_tensor *tg_cosh(tg_tensor *x) { return tg_apply1(&tg_op_cosh, x, NULL); }
tg_tensor *tg_asinh(tg_tensor *x) { return tg_apply1(&tg_op_asinh, x, NULL); }
tg_tensor *tg_acosh(tg_tensor *x) { return tg_apply1(&tg_op_acosh, x, NULL); }
tg_tensor *tg_atanh(tg_tensor *x) { return tg_apply1(&tg_op_atanh, x, NULL); }
tg_tensor *tg_erf(tg_tensor *x) { return tg_apply1(&tg_op_erf, x, NULL); }
tg_tensor *tg_erfc(tg_tensor *x) { return tg_apply1(&tg_op_erfc, x, NULL); }
tg_tensor *tg_erfinv(tg_tensor *x) { return tg_apply1(&tg_op_erfinv, x, NULL); }
tg_tensor *tg_lgamma(tg_tensor *x) { return tg_apply1(&tg_op_lgamma, x, NULL); }
tg_tensor *tg_digamma(tg_tensor *x) { return tg_apply1(&tg_op_digamma, x, NULL); }
tg_tensor *tg_floor(tg_tensor *x) { return tg_apply1(&tg_op_floor, x, NULL); }
tg_tensor *tg_ceil(tg_tensor *x) { return tg_apply1(&tg_op_ceil, x, NULL); }
tg_tensor *tg_round(tg_tensor *x) { return tg_apply1(&tg_op_round, x, NULL); }
tg_tensor *tg_trunc(tg_tensor *x) { return tg_apply1(&tg_op_trunc, x, NULL); }
tg_tensor *tg_frac(tg_tensor *x) { return tg_apply1(&tg_op_frac, x, NULL); }

ROWS(UNARY_OP)

/* ---- out = min(max(x, lo), hi) ---- */

static const tg_attr_field clamp_fields[] = {{"lo", TG_ATTR_REAL, FIRST_PARAMETER},
                                             {"hi", TG_ATTR_REAL, SECOND_PARAMETER}};

static tg_status clamp_infer(const tg_call *call) {
    const double *p = parameters_of(call->attr);
    if (isnan(p[0]) || isnan(p[1]))
        return tg_call_fail(call, TG_ERR_ARGUMENT, "neither lo %g nor hi %g may be NaN: %s", p[0], p[1],
                            tg_call_input(call, 0));
    return tg_infer_same(call);
}

/* g where lo <= x <= hi */
static tg_tensor *within(tg_tensor *g, tg_tensor *x, double lo, double hi) {
    tg_tensor *zero = number(g, 0);
    return tg_where(tg_ge(x, number(x, lo)), tg_where(tg_le(x, number(x, hi)), g, zero), zero);
}

UNARY_OP_WITH(clamp, CLAMP, "min(max(x, lo), hi)", "dx = dout where lo <= x <= hi, else 0", "1 at the bounds",
              clamp_infer, within(g, x, p[0], p[1]))

tg_tensor *tg_clamp(tg_tensor *x, double lo, double hi) {
    return tg_apply1(&tg_op_clamp, x, &(tg_parameters){{lo, hi}});
}

/* ---- NaN and infinities replaced ---- */

typedef struct replace_attr {
    double nan, posinf, neginf;
} replace_attr;

static const tg_attr_field replace_fields[] = {{"nan", TG_ATTR_REAL, offsetof(replace_attr, nan)},
                                               {"posinf", TG_ATTR_REAL, offsetof(replace_attr, posinf)},
                                               {"neginf", TG_ATTR_REAL, offsetof(replace_attr, neginf)}};

static double finite(double v, tg_dtype dtype) {
    return isinf(v) ? copysign(dtype == TG_F32 ? (double)FLT_MAX : DBL_MAX, v) : v;
}

static tg_status nan_to_num_forward(const tg_call *call) {
    const replace_attr *a = call->attr;
    const tg_array *out = call->out[0];
    tg_dtype dtype = (tg_dtype)out->dtype;
    double plus = finite(a->posinf, dtype), minus = finite(a->neginf, dtype);
    tg_array_copy(out, call->in[0]);
    for (int64_t i = 0; i < out->numel; i++) {
        double x = tg_array_get(out, i);
        if (!isfinite(x)) tg_array_set(out, i, isnan(x) ? a->nan : x > 0 ? plus : minus);
    }
    return TG_OK;
}

static void nan_to_num_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_masked_fill(dout[0], tg_logical_not(tg_isfinite(n->in[0])), 0);
}

const tg_op tg_op_nan_to_num = {
    .name = "nan_to_num",
    .formula = "out = x where |x| < inf, nan where x != x, posinf where x > 0, else neginf",
    .rule = "dx = dout where |x| < inf, else 0",
    .kink = "0 where something was replaced",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(replace_attr, replace_fields),
    .infer = tg_infer_same,
    .forward = nan_to_num_forward,
    .grad = nan_to_num_grad,
};

tg_tensor *tg_nan_to_num(tg_tensor *x, double nan, double posinf, double neginf) {
    return tg_apply1(&tg_op_nan_to_num, x, &(replace_attr){nan, posinf, neginf});
}
