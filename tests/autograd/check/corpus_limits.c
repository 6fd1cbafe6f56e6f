/* Where a function has little precision, its values come in steps, or slopes differ: what differences alone do not tell. */
#include "tests/autograd/check/corpus.h"

#include <math.h>

static double in_64ths(double x) { return rint(64 * x) / 64; }
static double one(double x) { return (void)x, 1; }
static double half(double x) { return (void)x, 0.5; }
static double cos_in_f32(double x) { return (double)cosf((float)x); }
static double minus_sin(double x) { return -sin(x); }
static double tanh_in_f32(double x) { return (double)tanhf((float)x); }
static double tanh_slope(double x) { return 1 / (cosh(x) * cosh(x)); }
static double bent_and_curved(double x) { return fabs(x) + 1e3 * x * x; }
static double leaky(double x) { return x > 0 ? x : 0.01 * x; }
static double leaky_mean(double x) { return (void)x, 0.505; }

static double low_negated(double x) { return x < -10 ? -exp(x) : exp(x); }
static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double low_flat(double x) { return x < -10 ? 0 : logistic(x) * logistic(-x); }
static double near_kink(double x) { return fmax(x, 0.7 - 1e-9); } /* beside 0.7 */
static double zero(double x) { return (void)x, 0; }
static double tiny_flat(double x) { return x < 1e-6 ? 0 : 1 / x; }
static double inverse(double x) { return 1 / x; }
static double beside_1e10(double x) { return (double)(float)(exp(x) + 1e10); }

static tg_tensor *rms_in_f32(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_to(tg_sqrt(tg_mean(tg_square(tg_to(in[0], TG_F32)))), TG_F64);
}
static tg_tensor *renorm(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], tg_minimum(tg_scalar(TG_F64, 1), tg_reciprocal(tg_norm(in[0]))));
}

static const corpus_case cases[] = {
    /* Values that come in steps: fine differences are 0. Eleven bits leave a bar of 1.5 %. */
    {RIGHT("f16 forward (jax#7742)", TG_NOISE_LIMITED), .op = ELEMENTWISE("f16_sin", f16_sin, cos), .n = 2,
     .x = {0.7, 1.1}},
    {RIGHT("bf16 forward (pytorch#115634)", TG_NOISE_LIMITED), .op = ELEMENTWISE("bf16_sin", bf16_sin, cos),
     .n = 2, .x = {0.7, 1.1}},
    {RIGHT("RMS of 1e-18 in f32 (jax-gcm#847)", TG_CORRECT), .f = rms_in_f32, .n = 3,
     .x = {1e-18, -2e-18, 3e-18}},
    {RIGHT("values in steps of 1/64", TG_NOISE_LIMITED), .op = ELEMENTWISE("in_64ths", in_64ths, one), .n = 1,
     .x = {0.7}},
    {RIGHT("cos in f32 near its top", TG_NOISE_LIMITED), .op = ELEMENTWISE("cos32", cos_in_f32, minus_sin),
     .n = 1, .x = {1e-3}},
    {RIGHT("tanh in f32 where it saturates", TG_NOISE_LIMITED),
     .op = ELEMENTWISE("tanh32", tanh_in_f32, tanh_slope), .n = 1, .x = {8}},
    /* The mean of two slopes agrees with the central difference. */
    {RIGHT("renorm at its norm, the mean of both slopes", TG_KINK), .f = renorm, .n = 3, .x = {0, 1, 0}},
    {RIGHT("the mean of both slopes alone", TG_KINK), .op = ELEMENTWISE("leaky", leaky, leaky_mean), .n = 1,
     .x = {0}},
    {RIGHT("a kink amid curvature", TG_KINK), .op = ELEMENTWISE("bent", bent_and_curved, half), .n = 1,
     .x = {0}},
    /* Steps are relative to the point, and at 1e9 the finest is more than a period: it is looked at from closer by. */
    {RIGHT("a point that is large beside the period", TG_CORRECT), .op = ELEMENTWISE("sin_", sin, cos),
     .n = 2, .x = {1e9 + 0.3, 1e10}},
    /* Small beside what does not move, and near what is no part of the derivative. */
    {RIGHT("e^-20 beside e^20", TG_CORRECT), .op = ELEMENTWISE("exp_", exp, exp), .n = 4, .x = {-20, 20, -5, 1}},
    {WRONG("e^-20 beside e^20, negated", "exp_"), .op = ELEMENTWISE("exp_", exp, low_negated), .n = 4,
     .x = {-20, 20, -5, 1}},
    {WRONG("a saturated sigmoid with no slope", "logistic"),
     .op = ELEMENTWISE("logistic", logistic, low_flat), .n = 3, .x = {-40, 0.3, 2}},
    {RIGHT("a kink at 1e-9", TG_CORRECT), .op = ELEMENTWISE("near_kink", near_kink, one), .n = 1, .x = {0.7}},
    {WRONG("a kink at 1e-9, the other side's slope", "near_kink"),
     .op = ELEMENTWISE("near_kink", near_kink, zero), .n = 1, .x = {0.7}},
    {RIGHT("log of 1e-12 beside 1", TG_CORRECT), .op = ELEMENTWISE("log_", log, inverse), .n = 3,
     .x = {1, 1e-12, 0.5}},
    {WRONG("log of 1e-12 beside 1, with no slope", "log_"), .op = ELEMENTWISE("log_", log, tiny_flat), .n = 3,
     .x = {1, 1e-12, 0.5}},
    {RIGHT("f32 that does not move beside 1e10", TG_NOISE_LIMITED),
     .op = ELEMENTWISE("beside_1e10", beside_1e10, exp), .n = 2, .x = {0.3, 1.1}},
};
const corpus_table corpus_of_limits = {cases, sizeof cases / sizeof *cases};
