/* Calls of the elementwise functions. */
#include "tests/ops/harness.h"

/* A call is no composition unless it says so. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return expression; \
    }
#define UNARY(name) CALL(name, tg_##name(in[0]))
#define BINARY(name) CALL(name, tg_##name(in[0], in[1]))
#define TERNARY(name) CALL(name, tg_##name(in[0], in[1], in[2]))

#define BINARIES(DO) \
    DO(add) DO(sub) DO(mul) DO(div) DO(eq) DO(ne) DO(lt) DO(le) DO(gt) DO(ge) \
    DO(pow) DO(maximum) DO(minimum) DO(fmod) DO(remainder) DO(atan2) DO(hypot) DO(xlogy) DO(logaddexp) \
    DO(half_square_over) DO(copysign) DO(logical_and) DO(logical_or) DO(logical_xor)

/* tests/meson.build lists the functions of one tensor from the headers. */
#define DO(name) UNARY(name)
#include "tests/unaries.def"
#undef DO
BINARIES(BINARY)
UNARY(neg)
TERNARY(where)
TERNARY(lerp)
CALL(affine, tg_affine(in[0], a->v[0], a->v[1]))                   /* scale, shift */
CALL(add_scalar, tg_add_scalar(in[0], a->v[0]))
CALL(mul_scalar, tg_mul_scalar(in[0], a->v[0]))
CALL(masked_fill, tg_masked_fill(in[0], in[1], a->v[0]))           /* value */
CALL(sinc_derivative, tg_sinc_derivative(in[0], (int64_t)a->v[0])) /* order */
CALL(polygamma, tg_polygamma((int64_t)a->v[0], in[0]))             /* order */
CALL(clamp, tg_clamp(in[0], a->v[0], a->v[1]))                     /* lo, hi */
CALL(nan_to_num, tg_nan_to_num(in[0], a->v[0], a->v[1], a->v[2]))  /* nan, posinf, neginf */
CALL(leaky_relu, tg_leaky_relu(in[0], a->v[0]))                    /* slope */
CALL(elu, tg_elu(in[0], a->v[0]))                                  /* alpha */
CALL(celu, tg_celu(in[0], a->v[0]))                                /* alpha */
CALL(softplus_beta, tg_softplus_beta(in[0], a->v[0], a->v[1]))     /* beta, threshold */
CALL(hardtanh, tg_hardtanh(in[0], a->v[0], a->v[1]))               /* lo, hi */
CALL(pow_scalar, tg_pow_scalar(in[0], a->v[0]))                    /* exponent */
CALL(sigmoid_derivative, tg_sigmoid_derivative(in[0], (int64_t)a->v[0])) /* order */
CALL(gaussian_derivative, tg_gaussian_derivative(in[0], a->v[0], (int64_t)a->v[1])) /* scale, order */
CALL(addcmul, tg_addcmul(in[0], in[1], in[2], a->v[0]))            /* value */
CALL(glu, tg_glu(in[0], (int)a->v[0]))                              /* axis */
CALL(prelu, tg_prelu(in[0], in[1]))
CALL(addcdiv, tg_addcdiv(in[0], in[1], in[2], a->v[0]))            /* value */

#define SELF(name) {#name, #name, call_##name},
static const call calls[] = {
#define DO(name) SELF(name)
#include "tests/unaries.def"
#undef DO
    BINARIES(SELF) SELF(affine) SELF(where) SELF(masked_fill)
    SELF(polygamma) SELF(clamp) SELF(nan_to_num) SELF(leaky_relu) SELF(elu) SELF(celu) SELF(softplus_beta)
    SELF(hardtanh) SELF(pow_scalar)
    {"neg", "affine", call_neg},
    {"add_scalar", "affine", call_add_scalar},
    {"mul_scalar", "affine", call_mul_scalar},
    {"sinc_derivative", "sinc", call_sinc_derivative},
    {"lerp", "lerp", call_lerp},
    {"sigmoid_derivative", "sigmoid_derivative", call_sigmoid_derivative},
    {"gaussian_derivative", "gaussian_derivative", call_gaussian_derivative},
    {"addcmul", "mul", call_addcmul, .composed = true},
    {"addcdiv", "div", call_addcdiv, .composed = true},
    {"glu", "mul", call_glu, .composed = true},
    {"prelu", "where", call_prelu, .composed = true},
};

extern const call_table calls_elementwise;
const call_table calls_elementwise = {calls, COUNT(calls)};
