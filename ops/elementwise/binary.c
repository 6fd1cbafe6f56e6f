/* Functions of two tensors, as rows of a table. Their values are computed by kernels
 * (core/kernels/map/binary.def). */
#include "ops/elementwise/unary.h"

#include <math.h>

static tg_status map(const tg_call *call, tg_binary f) {
    tg_map_spread(f, call->in[0], call->in[1], call->out[0]);
    return TG_OK;
}

/* The operands are f32, f64, i32 or i64. */
static tg_status numbers_infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = dtype == TG_I32 || dtype == TG_I64 ? TG_OK : tg_call_float(call, 0);
    return s == TG_OK ? tg_infer_pair(call) : s;
}

/* The operands are f32 or f64. */
static tg_status floats_infer(const tg_call *call) {
    tg_status s = tg_call_float(call, 0);
    return s == TG_OK ? numbers_infer(call) : s;
}

/* ---- derivatives. Where a formula has no limit, an operand is replaced beforehand by one for which it is
 * 0: a choice between results would leave inf * 0 in the next derivative. ---- */

/* g where a wins over b, and g / 2 where they are equal; NaN equals nothing and never loses. */
static tg_tensor *share(tg_tensor *g, tg_tensor *a, tg_tensor *b, tg_tensor *behind) {
    tg_tensor *halved = tg_where(tg_eq(a, b), tg_mul_scalar(g, 0.5), g);
    return tg_masked_fill(halved, behind, 0);
}

/* Where an infinite operand makes a^b 0, its derivatives of every order are 0. */
static tg_tensor *pow_ended(tg_tensor *a, tg_tensor *b, tg_tensor *y) {
    tg_tensor *finite = tg_logical_and(tg_isfinite(a), tg_isfinite(b));
    return tg_logical_and(tg_eq(y, number(y, 0)), tg_logical_not(finite));
}

/* b a^(b-1), which is 0 for b = 0. For a < 1 and b <= 1/2 it is computed as b a^b / a, since b - 1 rounds,
 * also to integers; for a > 0 as h (b h / a) with h = a^(b/2), since a^(b-1) or 1 / a alone may overflow.
 * Where a = 0 <= b, b is made a constant: the derivatives by the exponent are 0 there. */
static tg_tensor *pow_by_base(tg_tensor *a, tg_tensor *all_b, tg_tensor *y) {
    tg_tensor *zero = number(a, 0), *one = number(a, 1), *ended = pow_ended(a, all_b, y),
              *positive = tg_gt(a, zero);
    tg_tensor *at_0 = tg_logical_and(tg_eq(a, zero), tg_ge(all_b, zero));
    tg_tensor *b = tg_where(ended, zero, tg_where(at_0, tg_detach(all_b), all_b));
    tg_tensor *flat = tg_logical_and(tg_eq(b, zero), tg_logical_not(positive));
    tg_tensor *base = tg_where(tg_logical_or(flat, ended), one, a);
    tg_tensor *below_1 = tg_logical_and(tg_lt(base, one), tg_ne(base, zero));
    tg_tensor *divided = tg_logical_and(below_1, tg_le(b, number(b, 0.5))),
              *halved = tg_logical_and(divided, positive);
    tg_tensor *exponent = tg_where(divided, tg_where(halved, tg_mul_scalar(b, 0.5), b), tg_affine(b, 1, -1));
    tg_tensor *power = tg_pow(base, exponent),
              *quotient = tg_div(tg_mul(b, power), tg_where(divided, base, one));
    return tg_mul(tg_where(halved, power, one), quotient);
}

/* a^b log a, which is 0 for a = 0 and b >= 0, and NaN for a < 0. It is computed as h (h log a) with h =
 * a^(b/2), since a^b may leave the range where its derivatives, such as h (h / a), do not. */
static tg_tensor *pow_by_exponent(tg_tensor *a, tg_tensor *b, tg_tensor *y) {
    tg_tensor *zero = number(a, 0), *at_0 = tg_logical_and(tg_eq(a, zero), tg_ge(b, zero)),
              *ended = pow_ended(a, b, y);
    tg_tensor *within = tg_where(tg_lt(a, zero), number(a, NAN), a);
    tg_tensor *base = tg_where(tg_logical_or(at_0, ended), number(a, 1), within);
    tg_tensor *h = tg_pow(base, tg_mul_scalar(tg_where(ended, zero, b), 0.5));
    return tg_mul(h, tg_xlogy(h, base));
}

/* The larger of a and b in magnitude, the ratio p of the other to it, and r = 1 / sqrt(1 + p^2). What is
 * made of them does not overflow, and its derivatives do not cancel. At (0, 0) p is 0, and the larger one
 * is taken to be 1. */
typedef struct polar {
    tg_tensor *a_larger, *larger, *p, *r;
} polar;
static polar polar_of(tg_tensor *a, tg_tensor *b) {
    tg_tensor *a_larger = tg_gt(tg_abs(a), tg_abs(b)), *larger = tg_where(a_larger, a, b), *one = number(a, 1);
    tg_tensor *safe = tg_where(tg_eq(larger, number(a, 0)), one, larger),
              *p = tg_div(tg_where(a_larger, b, a), safe);
    return (polar){a_larger, safe, p, tg_reciprocal(tg_hypot(p, one))};
}

/* a / sqrt(a^2 + b^2), which is 0 at (0, 0) */
static tg_tensor *direction(tg_tensor *a, tg_tensor *b) {
    polar q = polar_of(a, b);
    return tg_mul(tg_sign(q.larger), tg_where(q.a_larger, q.r, tg_mul(q.p, q.r)));
}

/* a / (a^2 + b^2), which is 0 at (0, 0) */
static tg_tensor *over_square(tg_tensor *a, tg_tensor *b) {
    polar q = polar_of(a, b);
    tg_tensor *squared = tg_square(q.r);
    return tg_div(tg_where(q.a_larger, squared, tg_mul(q.p, squared)), q.larger);
}

/* The integer n with a - b n = r, which is constant between jumps. It is computed from r, since a / b
 * alone may round to another integer. */
static tg_tensor *quotient(tg_tensor *a, tg_tensor *b, tg_tensor *r) {
    tg_tensor *divisor = tg_detach(b);
    return tg_round(tg_sub(tg_div(tg_detach(a), divisor), tg_div(tg_detach(r), divisor)));
}

/* Where a = 0 and b <= 0, log b and a / b, and all their derivatives, are taken to be 0. */
static tg_tensor *xlogy_flat(tg_tensor *a, tg_tensor *b) {
    return tg_logical_and(tg_eq(a, number(a, 0)), tg_le(b, number(b, 0)));
}
static tg_tensor *xlogy_log(tg_tensor *a, tg_tensor *b) {
    return tg_log(tg_where(xlogy_flat(a, b), number(b, 1), b));
}
static tg_tensor *xlogy_quotient(tg_tensor *a, tg_tensor *b) {
    tg_tensor *flat = xlogy_flat(a, b);
    return tg_div(tg_where(flat, number(a, 0), a), tg_where(flat, number(b, 1), b));
}

/* e^a / (e^a + e^b) = sigmoid(a - b), which is 0 for equal infinities, whose difference is NaN. */
static tg_tensor *logaddexp_share(tg_tensor *a, tg_tensor *b) {
    tg_tensor *tie = tg_logical_and(tg_eq(a, b), tg_logical_not(tg_isfinite(a))), *zero = number(a, 0);
    tg_tensor *difference = tg_sub(tg_where(tie, zero, a), tg_where(tie, zero, b));
    return tg_masked_fill(tg_sigmoid_derivative(difference, 0), tie, 0);
}

/* -g u^2 / 2 with u = a / b. Made of a and b, a quotient would underflow where its product with a large a
 * does not. */
static tg_tensor *half_square_slope(tg_tensor *g, tg_tensor *u) {
    return tg_mul(tg_mul(tg_mul_scalar(g, -0.5), u), u);
}

/* ---- derivatives on arrays ---- */

/* *din = sign g f(a, b) */
static tg_status slope(const tg_array *g, tg_binary f, const tg_array *a, const tg_array *b, double sign,
                       tg_array *din) {
    tg_status s = tg_array_alloc_like(din, g);
    if (s != TG_OK) return s;
    tg_map_spread(f, a, b, din);
    tg_map_binary(TG_BINARY_MUL, g, din, din);
    if (sign < 0) tg_map_affine(din, -1, -0.0, din);
    return TG_OK;
}

#define GRAD_KERNEL(NAME, BY_A, A1, A2, BY_B, B1, B2, SIGN_B) \
    static tg_status NAME##_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) { \
        tg_status s = TG_OK; \
        if (tg_needs(n, 0)) s = slope(dout[0], TG_BINARY_##BY_A, A1, A2, 1, &din[0]); \
        if (s == TG_OK && tg_needs(n, 1)) s = slope(dout[0], TG_BINARY_##BY_B, B1, B2, SIGN_B, &din[1]); \
        return s; \
    }
#define A tg_node_in(n, 0)
#define B tg_node_in(n, 1)
GRAD_KERNEL(pow, POW_SLOPE, A, B, POW_LOG, tg_node_out(n, 0), A, 1)
GRAD_KERNEL(atan2, OVER_SQUARE, B, A, OVER_SQUARE, A, B, -1)
GRAD_KERNEL(hypot, DIRECTION, A, B, DIRECTION, B, A, 1)
GRAD_KERNEL(logaddexp, LOGADDEXP_SLOPE, A, B, LOGADDEXP_SLOPE, B, A, 1)
#undef A
#undef B

#define NUMBERS numbers_infer
#define FLOATS floats_infer
#define IN_1 TG_IN(0)
#define IN_2 (TG_IN(0) | TG_IN(1))
#define OUT TG_OUT(0)

/* name, kernel, inputs, saves, formula, rule, kink, kernel of the gradient, derivatives times g by a and by b */
#define ROWS(ROW) \
    ROW(pow, POW, FLOATS, IN_2 | OUT, "a^b", \
        "da = 0 where b = 0, else dout * b * a^(b - 1); db = 0 where a = 0 <= b, else dout * out * log(a)", \
        "0 by a at b = 0; 0 by b, to any order, at a = 0 <= b", pow_grad_kernel, \
        tg_mul(g, pow_by_base(a, b, y)), tg_mul(g, pow_by_exponent(a, b, y))) \
    ROW(maximum, MAXIMUM, NUMBERS, IN_2, "max(a, b)", \
        "da = dout where a > b, dout / 2 where a = b, else 0; db = dout where b > a, dout / 2 where a = b, else 0", \
        "1/2 each where equal", NULL, share(g, a, b, tg_lt(a, b)), share(g, a, b, tg_gt(a, b))) \
    ROW(minimum, MINIMUM, NUMBERS, IN_2, "min(a, b)", \
        "da = dout where a < b, dout / 2 where a = b, else 0; db = dout where b < a, dout / 2 where a = b, else 0", \
        "1/2 each where equal", NULL, share(g, a, b, tg_gt(a, b)), share(g, a, b, tg_lt(a, b))) \
    ROW(fmod, FMOD, FLOATS, IN_2 | OUT, "a - b * trunc(a / b)", "da = dout; db = -dout * trunc(a / b)", \
        "1 and -a/b at the jumps", NULL, g, tg_neg(tg_mul(g, quotient(a, b, y)))) \
    ROW(remainder, REMAINDER, FLOATS, IN_2 | OUT, "a - b * floor(a / b)", \
        "da = dout; db = -dout * floor(a / b)", "1 and -a/b at the jumps", NULL, g, \
        tg_neg(tg_mul(g, quotient(a, b, y)))) \
    ROW(atan2, ATAN2, FLOATS, IN_2, "atan2(a, b); the angle of the point (b, a)", \
        "r = a^2 + b^2; da = dout * b / r where r > 0, else 0; db = -dout * a / r where r > 0, else 0", \
        "0 at (0, 0)", atan2_grad_kernel, tg_mul(g, over_square(b, a)), tg_neg(tg_mul(g, over_square(a, b)))) \
    ROW(hypot, HYPOT, FLOATS, IN_2, "sqrt(a^2 + b^2)", \
        "da = dout * a / out where out > 0, else 0; db = dout * b / out where out > 0, else 0", \
        "0 at (0, 0)", hypot_grad_kernel, tg_mul(g, direction(a, b)), tg_mul(g, direction(b, a))) \
    ROW(xlogy, XLOGY, FLOATS, IN_2, "0 where a = 0, else a * log(b)", \
        "da = 0 where a = 0 and b <= 0, else dout * log(b); db = 0 where a = 0, else dout * a / b", \
        "0 to any order where a = 0 and b <= 0", NULL, tg_mul(g, xlogy_log(a, b)), \
        tg_mul(g, xlogy_quotient(a, b))) \
    ROW(logaddexp, LOGADDEXP, FLOATS, IN_2, "log(e^a + e^b)", \
        "da = 0 where a = b and |a| = inf, else dout / (1 + e^(b - a)); db = 0 where a = b and |a| = inf, else dout / (1 + e^(a - b))", \
        "0 at equal infinities", logaddexp_grad_kernel, tg_mul(g, logaddexp_share(a, b)), \
        tg_mul(g, logaddexp_share(b, a))) \
    ROW(half_square_over, HALF_SQUARE_OVER, FLOATS, IN_2, "a^2 / (2 * b)", \
        "da = dout * a / b; db = -dout * (a / b)^2 / 2", NULL, NULL, tg_mul(g, tg_div(a, b)), \
        half_square_slope(g, tg_div(a, b))) \
    ROW(copysign, COPYSIGN, FLOATS, IN_1 | OUT, "copysign(a, b); |a| with the sign of b", \
        "da = dout * sign(a) * sign(out); db = 0", "0 by a at a = 0, 0 by b", NULL, \
        tg_mul(g, tg_mul(tg_sign(a), tg_sign(y))), tg_zeros_like(g))

#define DEFINE(NAME, KERNEL, INFER, SAVES, FORMULA, RULE, KINK, GRAD_KERNEL, BY_A, BY_B) \
    static tg_status NAME##_forward(const tg_call *call) { return map(call, TG_BINARY_##KERNEL); } \
    static void NAME##_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) { \
        tg_tensor *g = dout[0], *a = n->in[0], *b = n->in[1], *y = n->out[0]; \
        (void)a, (void)b, (void)y; \
        if (tg_needs(n, 0)) din[0] = BY_A; \
        if (tg_needs(n, 1)) din[1] = BY_B; \
    } \
    const tg_op tg_op_##NAME = { \
        .name = #NAME, \
        .formula = "out = " FORMULA, \
        .rule = RULE, \
        .kink = KINK, \
        .n_in = 2, \
        .elementwise = true, \
        .of_kernels = true, \
        .save = SAVES, \
        .infer = INFER, \
        .forward = NAME##_forward, \
        .grad = NAME##_grad, \
        .grad_kernel = GRAD_KERNEL, \
    };

tg_tensor *tg_pow(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_pow, a, b, NULL); }
tg_tensor *tg_maximum(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_maximum, a, b, NULL); }
tg_tensor *tg_minimum(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_minimum, a, b, NULL); }
tg_tensor *tg_fmod(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_fmod, a, b, NULL); }
tg_tensor *tg_remainder(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_remainder, a, b, NULL); }
tg_tensor *tg_atan2(tg_tensor *y, tg_tensor *x) { return tg_apply2(&tg_op_atan2, y, x, NULL); }
tg_tensor *tg_hypot(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_hypot, a, b, NULL); }
tg_tensor *tg_xlogy(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_xlogy, a, b, NULL); }
tg_tensor *tg_logaddexp(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_logaddexp, a, b, NULL); }
tg_tensor *tg_half_square_over(tg_tensor *a, tg_tensor *b) {
    return tg_apply2(&tg_op_half_square_over, a, b, NULL);
}
tg_tensor *tg_copysign(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_copysign, a, b, NULL); }

ROWS(DEFINE)

/* ---- out = x^exponent ---- */

static const tg_attr_field pow_scalar_fields[] = {{"exponent", TG_ATTR_REAL, FIRST_PARAMETER}};

/* p x^(p-1). It is computed as p h h with h = |x|^((p-1)/2) where the power alone may leave the range of
 * the dtype or, to the second order, be a subnormal number whose rounding p would multiply. */
static tg_tensor *pow_scalar_slope(tg_tensor *x, double p) {
    if (fabs(p) >= 1 && fabs(p) <= 10) return tg_mul_scalar(tg_pow_scalar(x, p - 1), p);
    bool whole = floor(p) == p;
    tg_tensor *sign = whole ? tg_copysign(number(x, 1), tg_detach(x)) : NULL;
    tg_tensor *h = tg_pow_scalar(whole ? tg_mul(x, sign) : x, (p - 1) / 2),
              *slope = tg_mul(tg_mul_scalar(h, p), h);
    return fmod(p, 2) == 0 ? tg_mul(slope, sign) : slope;
}

static tg_tensor *pow_scalar_side(tg_tensor *g, tg_tensor *x, double p) {
    return p == 0 ? tg_zeros_like(g) : tg_mul(g, pow_scalar_slope(x, p));
}

UNARY_OP_WITH(pow_scalar, POW_SCALAR, "x^exponent",
              "dx = 0 where exponent = 0, else dout * exponent * x^(exponent - 1)", NULL, tg_infer_same,
              pow_scalar_side(g, x, p[0]))

tg_tensor *tg_pow_scalar(tg_tensor *x, double exponent) {
    return tg_apply1(&tg_op_pow_scalar, x, &(tg_parameters){{exponent, 0}});
}
