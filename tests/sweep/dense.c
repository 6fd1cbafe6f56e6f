/* Values alone, at many more points than the sweep: f32 at every 1021st number of a function's domain, f64 at random ones,
 * half of them spread evenly and half by magnitude. The exact result is libm's in long double. For the table of
 * docs/performance-tables.md. */
#include "tests/sweep/sweep.h"

#include "core/kernels/simd/table.h"
#include "core/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 4096, RANDOM = 1 << 19, STEP = 1021 };

typedef long double exact(long double x);

static long double sigmoid(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double softplus(long double x) { return fmaxl(x, 0) + log1pl(expl(-fabsl(x))); }
static long double logsigmoid(long double x) { return -softplus(-x); }
static long double rsqrt_exact(long double x) { return 1 / sqrtl(x); }
static long double gelu(long double x) { return x * erfcl(-x * 0.70710678118654752440084436210485L) / 2; }
static long double gelu_tanh(long double x) {
    return x * sigmoid(1.59576912160573071175978423973752L * (x + 0.044715L * x * x * x));
}
static long double silu(long double x) { return x * sigmoid(x); }
static long double mish(long double x) {
    long double n = expl(x) * (expl(x) + 2);
    return x > 40 ? x : x * (n / (n + 2));
}

static const struct function {
    const char *name;
    int kernel;
    exact *f;
    double lo, hi;
} functions[] = {
    {"exp", TG_UNARY_EXP, expl, -87, 88},
    {"exp2", TG_UNARY_EXP2, exp2l, -126, 127},
    {"expm1", TG_UNARY_EXPM1, expm1l, -87, 88},
    {"log", TG_UNARY_LOG, logl, 1e-37, 1e38},
    {"log2", TG_UNARY_LOG2, log2l, 1e-37, 1e38},
    {"log10", TG_UNARY_LOG10, log10l, 1e-37, 1e38},
    {"log1p", TG_UNARY_LOG1P, log1pl, -0.9999, 1e38},
    {"sqrt", TG_UNARY_SQRT, sqrtl, 1e-37, 1e38},
    {"rsqrt", TG_UNARY_RSQRT, rsqrt_exact, 1e-37, 1e38},
    {"sin", TG_UNARY_SIN, sinl, -1e5, 1e5},
    {"cos", TG_UNARY_COS, cosl, -1e5, 1e5},
    {"tan", TG_UNARY_TAN, tanl, -1e5, 1e5},
    {"asin", TG_UNARY_ASIN, asinl, -1, 1},
    {"acos", TG_UNARY_ACOS, acosl, -1, 1},
    {"atan", TG_UNARY_ATAN, atanl, -1e38, 1e38},
    {"sinh", TG_UNARY_SINH, sinhl, -88, 88},
    {"cosh", TG_UNARY_COSH, coshl, -88, 88},
    {"tanh", TG_UNARY_TANH, tanhl, -100, 100},
    {"asinh", TG_UNARY_ASINH, asinhl, -1e18, 1e18},
    {"acosh", TG_UNARY_ACOSH, acoshl, 1, 1e18},
    {"atanh", TG_UNARY_ATANH, atanhl, -0.9999, 0.9999},
    {"erf", TG_UNARY_ERF, erfl, -10, 10},
    {"erfc", TG_UNARY_ERFC, erfcl, -10, 9},
    {"lgamma", TG_UNARY_LGAMMA, lgammal, 3, 1e30},
    {"sigmoid", TG_UNARY_SIGMOID, sigmoid, -87, 100},
    {"logsigmoid", TG_UNARY_LOGSIGMOID, logsigmoid, -100, 87},
    {"softplus", TG_UNARY_SOFTPLUS, softplus, -87, 20},
    {"gelu", TG_UNARY_GELU, gelu, -12, 100},
    {"gelu_tanh", TG_UNARY_GELU_TANH, gelu_tanh, -8, 100},
    {"silu", TG_UNARY_SILU, silu, -87, 100},
    {"mish", TG_UNARY_MISH, mish, -87, 100},
};

typedef struct worst {
    double ulp, at;
} worst;

static void widen(worst *w, double x, double got, long double right, int digits, int least) {
    int e = right == 0 ? least : ilogbl(right);
    double ulp = (double)(fabsl((long double)got - right) / ldexpl(1, (e > least ? e : least) - digits));
    if (!(ulp <= w->ulp)) *w = (worst){ulp, x};
}

/* Floats in the order of their values: number i from -0 upwards, -i downwards. */
static int32_t order_of(float x) {
    int32_t bits;
    memcpy(&bits, &x, 4);
    return bits < 0 ? -(bits & 0x7fffffff) : bits;
}
static float float_at(int32_t place) {
    uint32_t bits = place < 0 ? (uint32_t)-place | 0x80000000u : (uint32_t)place;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static const tg_strides ones = {{1, 1, 1, 1}};
static const double parameters[2] = {1, 20}; /* of softplus */

static worst over_f32(const tg_kernel_set *s, const struct function *f) {
    static float x[BATCH], y[BATCH];
    worst w = {0, 0};
    int64_t last = order_of((float)f->hi);
    for (int64_t i = order_of((float)f->lo); i <= last;) {
        int n = 0;
        for (; n < BATCH && i <= last; i += STEP) x[n++] = float_at((int32_t)i);
        s->unary[f->kernel](n, &(tg_operands){.out = (char *)y, .a = (char *)x}, &ones, parameters);
        for (int k = 0; k < n; k++) widen(&w, (double)x[k], (double)y[k], f->f((long double)x[k]), 23, -126);
    }
    return w;
}

/* Even i: anywhere in [lo, hi]. Odd ones: a random part of one of the ends, down to 2^-30 of it. */
static double random_in(const struct function *f, int i) {
    double u = tg_rng_uniform(tg_default_rng()), end = i & 2 ? f->lo : f->hi;
    double x = i & 1 ? end * exp2(-30 * u) : f->lo + (f->hi - f->lo) * u;
    return x < f->lo ? f->lo : x > f->hi ? f->hi : x;
}

static worst over_f64(const tg_kernel_set *s, const struct function *f) {
    static double x[BATCH], y[BATCH];
    worst w = {0, 0};
    for (int i = 0; i < RANDOM; i += BATCH) {
        for (int k = 0; k < BATCH; k++) x[k] = random_in(f, k);
        s->unary[f->kernel](BATCH, &(tg_operands){.out = (char *)y, .a = (char *)x}, &ones, parameters);
        for (int k = 0; k < BATCH; k++) widen(&w, x[k], y[k], f->f((long double)x[k]), 52, -1022);
    }
    return w;
}

double dense_worst(const char *name, tg_dtype d) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) != 0) continue;
        tg_seed(0);
        const tg_kernel_set *s = tg_kernels_for((int)d);
        return (d == TG_F32 ? over_f32(s, &functions[i]) : over_f64(s, &functions[i])).ulp;
    }
    return -1;
}
