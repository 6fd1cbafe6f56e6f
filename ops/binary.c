/* Functions of two tensors: rows of a table. Values are kernels (core/kernels/binary.def). */
#include "ops/unary.h"

#include <math.h>

static tg_status map(const tg_call *call, tg_binary f) {
    tg_map_spread(f, call->in[0], call->in[1], call->out[0]);
    return TG_OK;
}

/* f32, f64, i32 and i64. */
static tg_status numbers_infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = dtype == TG_I32 || dtype == TG_I64 ? TG_OK : tg_call_float(call, 0);
    return s == TG_OK ? tg_infer_pair(call) : s;
}

/* f32 and f64. */
static tg_status floats_infer(const tg_call *call) {
    tg_status s = tg_call_float(call, 0);
    return s == TG_OK ? numbers_infer(call) : s;
}

/* ---- derivatives. Where a formula has no limit, the operand is replaced by one where it is 0: a choice made
 * afterwards would leave inf * 0 in the next derivative. ---- */

/* g where a is ahead, half of it where the two tie (NaN ties with nothing and is never behind) */
static tg_tensor *share(tg_tensor *g, tg_tensor *a, tg_tensor *b, tg_tensor *behind) {
    tg_tensor *halved = tg_where(tg_eq(a, b), tg_mul_scalar(g, 0.5), g);
    return tg_masked_fill(halved, behind, 0);
}

/* b a^(b-1), 0 for b = 0 */
static tg_tensor *pow_by_base(tg_tensor *a, tg_tensor *b) {
    tg_tensor *flat = tg_logical_and(tg_eq(b, number(b, 0)), tg_eq(a, number(a, 0)));
    return tg_mul(b, tg_pow(tg_where(flat, number(a, 1), a), tg_affine(b, 1, -1)));
}

/* a^b log a, 0 for a = 0 and b >= 0 */
static tg_tensor *pow_by_exponent(tg_tensor *a, tg_tensor *b, tg_tensor *y) {
    tg_tensor *flat = tg_logical_and(tg_eq(a, number(a, 0)), tg_ge(b, number(b, 0)));
    return tg_mul(y, tg_log(tg_where(flat, number(a, 1), a)));
}

/* g a / (a^2 + b^2) */
static tg_tensor *over_square(tg_tensor *g, tg_tensor *a, tg_tensor *b) {
    return tg_div(tg_mul(g, a), tg_add(tg_square(a), tg_square(b)));
}

/* a / y, 0 for y = 0 */
static tg_tensor *direction(tg_tensor *a, tg_tensor *y) {
    return tg_div(a, tg_where(tg_eq(y, number(y, 0)), number(y, 1), y));
}

/* b, 1 where a = 0 and b <= 0 */
static tg_tensor *xlogy_argument(tg_tensor *a, tg_tensor *b) {
    tg_tensor *flat = tg_logical_and(tg_eq(a, number(a, 0)), tg_le(b, number(b, 0)));
    return tg_where(flat, number(b, 1), b);
}

/* e^a / (e^a + e^b) = sigmoid(a - b); 0 for equal infinities, whose difference alone is NaN */
static tg_tensor *logaddexp_share(tg_tensor *a, tg_tensor *b) {
    tg_tensor *tie = tg_logical_and(tg_eq(a, b), tg_logical_not(tg_isfinite(a))), *zero = number(a, 0);
    tg_tensor *difference = tg_sub(tg_where(tie, zero, a), tg_where(tie, zero, b));
    return tg_masked_fill(tg_sigmoid(difference), tie, 0);
}

#define NUMBERS numbers_infer
#define FLOATS floats_infer
#define IN_1 TG_IN(0)
#define IN_2 (TG_IN(0) | TG_IN(1))
#define OUT TG_OUT(0)

/* name, kernel, inputs, saves, formula, kink, derivatives times g by a and by b */
#define ROWS(ROW) \
    ROW(pow, POW, FLOATS, IN_2 | OUT, "a^b", "0 by a at b = 0, 0 by b at a = 0 <= b", \
        tg_mul(g, pow_by_base(a, b)), tg_mul(g, pow_by_exponent(a, b, y))) \
    ROW(maximum, MAXIMUM, NUMBERS, IN_2, "max(a, b)", "1/2 each where equal", share(g, a, b, tg_lt(a, b)), \
        share(g, a, b, tg_gt(a, b))) \
    ROW(minimum, MINIMUM, NUMBERS, IN_2, "min(a, b)", "1/2 each where equal", share(g, a, b, tg_gt(a, b)), \
        share(g, a, b, tg_lt(a, b))) \
    ROW(fmod, FMOD, FLOATS, IN_2, "a - b trunc(a/b)", "1 and -a/b at the jumps", g, \
        tg_neg(tg_mul(g, tg_trunc(tg_div(a, b))))) \
    ROW(remainder, REMAINDER, FLOATS, IN_2, "a - b floor(a/b)", "1 and -a/b at the jumps", g, \
        tg_neg(tg_mul(g, tg_floor(tg_div(a, b))))) \
    ROW(atan2, ATAN2, FLOATS, IN_2, "the angle of (x = b, y = a)", NULL, over_square(g, b, a), \
        tg_neg(over_square(g, a, b))) \
    ROW(hypot, HYPOT, FLOATS, IN_2 | OUT, "sqrt(a^2 + b^2)", "0 at (0, 0)", tg_mul(g, direction(a, y)), \
        tg_mul(g, direction(b, y))) \
    ROW(xlogy, XLOGY, FLOATS, IN_2, "a log b", "0 where a = 0 and b <= 0", \
        tg_mul(g, tg_log(xlogy_argument(a, b))), tg_mul(g, tg_div(a, xlogy_argument(a, b)))) \
    ROW(logaddexp, LOGADDEXP, FLOATS, IN_2, "log(e^a + e^b)", "0 at equal infinities", \
        tg_mul(g, logaddexp_share(a, b)), tg_mul(g, logaddexp_share(b, a))) \
    ROW(copysign, COPYSIGN, FLOATS, IN_1 | OUT, "|a| with the sign of b", "0 by a at a = 0, 0 by b", \
        tg_mul(g, tg_mul(tg_sign(a), tg_sign(y))), zeros_like(g))

#define DEFINE(NAME, KERNEL, INFER, SAVES, FORMULA, KINK, BY_A, BY_B) \
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
        .kink = KINK, \
        .n_in = 2, \
        .elementwise = true, \
        .save = SAVES, \
        .infer = INFER, \
        .forward = NAME##_forward, \
        .grad = NAME##_grad, \
    }; \
    tg_tensor *(tg_##NAME)(tg_tensor * a, tg_tensor * b) { return tg_apply2(&tg_op_##NAME, a, b, NULL); }

ROWS(DEFINE)

/* ---- out = x^exponent ---- */

static const tg_attr_field pow_scalar_fields[] = {{"exponent", TG_ATTR_REAL, FIRST_PARAMETER}};

static tg_tensor *pow_scalar_side(tg_tensor *g, tg_tensor *x, double exponent) {
    if (exponent == 0) return zeros_like(g);
    return tg_mul(g, tg_mul_scalar(tg_pow_scalar(x, exponent - 1), exponent));
}

UNARY_OP_WITH(pow_scalar, POW_SCALAR, "x^exponent", NULL, tg_infer_same, pow_scalar_side(g, x, p[0]))

tg_tensor *(tg_pow_scalar)(tg_tensor *x, double exponent) {
    return tg_apply1(&tg_op_pow_scalar, x, &(tg_parameters){{exponent, 0}});
}

/* ---- compositions ---- */

/* x + step, which nobody else needs */
static tg_tensor *add_step(tg_tensor *x, tg_tensor *step) {
    tg_tensor *y = tg_add(x, step);
    tg_release(step);
    return y;
}

/* x + value * product */
static tg_tensor *add_scaled(tg_tensor *x, tg_tensor *product, double value) {
    if (value == 1) return add_step(x, product);
    tg_tensor *scaled = tg_mul_scalar(product, value);
    tg_release(product);
    return add_step(x, scaled);
}

tg_tensor *(tg_lerp)(tg_tensor *a, tg_tensor *b, tg_tensor *weight) {
    TG_COMPOSED("lerp");
    tg_tensor *difference = tg_sub(b, a), *step = tg_mul(weight, difference);
    tg_release(difference);
    return add_step(a, step);
}

tg_tensor *(tg_addcmul)(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcmul");
    return add_scaled(x, tg_mul(a, b), value);
}

tg_tensor *(tg_addcdiv)(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcdiv");
    return add_scaled(x, tg_div(a, b), value);
}
