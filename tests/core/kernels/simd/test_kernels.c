/* Every slot of every instruction set that was built and runs here. Three properties, looped over the tables:
 *   accuracy  f32 and f64 agree with the f64 reference within the ulps that the row states;
 *   slope     the gradient column is the derivative of the value column (central differences, f64);
 *   layout    any length, alignment and strides give the bits that one contiguous run gives.
 */
#include "core/kernels/map/special.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert_msg writes to a file at every call, which is slow once an element. */
#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

TCase *tcase_kernels(void);

enum { N = 812 };

/* A domain [lo, hi], parameters, and bounds on the error of value and gradient in ulps of max(|result|,
 * scale). All functions have the first row, and those that need another have it after that. */
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct row {
    const char *name;
    double lo, hi, p[2];
    double ulp, grad_ulp, scale;
} rows[TG_UNARY_COUNT] = {
#define ROW(NAME, ...) [TG_UNARY_##NAME] = {#NAME, __VA_ARGS__}
#define TG_UNARY(NAME, ...) ROW(NAME, -4, 4, {0}, 4, 4, 1),
#include "core/kernels/map/unary.def"
#undef TG_UNARY
    ROW(NEG, -100, 100, {0}, 0, 0, 0),
    ROW(ABS, -100, 100, {0}, 0, 0, 0),
    ROW(SIGN, -2, 2, {0}, 0, 0, 0),
    ROW(SQUARE, -100, 100, {0}, 0.5, 0.5, 0),
    ROW(CUBE, -100, 100, {0}, 1.5, 2, 0), /* two roundings */
    ROW(SQRT, 0.001, 100, {0}, 0.5, 0.5, 0),
    ROW(RSQRT, 0.001, 100, {0}, 1.5, 2.5, 0),
    ROW(RECIPROCAL, -100, 100, {0}, 0.5, 1.5, 0),
    ROW(EXP, -80, 80, {0}, 1, 0.5, 0),
    ROW(EXP2, -100, 100, {0}, 1, 1.5, 0),
    ROW(EXPM1, -10, 10, {0}, 1, 2, 0), /* the slope is e^x where x is low: as ELU */
    ROW(LOG, 0.001, 100, {0}, 1, 0.5, 0),
    ROW(LOG2, 0.001, 100, {0}, 1, 2, 0),
    ROW(LOG10, 0.001, 100, {0}, 1.1, 2, 0),
    ROW(LOG1P, -0.99, 100, {0}, 1, 1.5, 0),
    ROW(SIN, -100, 100, {0}, 1, 2, 0),
    ROW(COS, -100, 100, {0}, 1, 2, 0),
    ROW(TAN, -100, 100, {0}, 1, 2, 0),
    ROW(ASIN, -0.99, 0.99, {0}, 1, 2, 0),
    ROW(ACOS, -0.99, 0.99, {0}, 1, 2, 0),
    ROW(ATAN, -100, 100, {0}, 1, 2, 0),
    ROW(SINH, -80, 80, {0}, 1, 2, 0),
    ROW(COSH, -80, 80, {0}, 1, 2, 0),
    ROW(TANH, -10, 10, {0}, 1.5, 3,
        0), /* f32: at most 2.3 of all; the slope takes twice the error of y, times g up to 2 */
    ROW(ASINH, -100, 100, {0}, 1, 2, 0),
    ROW(ACOSH, 1.01, 100, {0}, 1, 2.5, 0),
    ROW(ATANH, -0.99, 0.99, {0}, 1.1, 2, 0),
    ROW(SIGMOID, -80, 80, {0}, 2.5, 2, 0),
    ROW(LOGSIGMOID, -80, 80, {0}, 2, 3, 0),
    ROW(RELU, -10, 10, {0}, 0, 0, 0),
    ROW(LEAKY_RELU, -10, 10, {0.0625}, 1, 1, 0),
    ROW(ELU, -10, 10, {1.5}, 2, 2, 0),
    ROW(SELU, -10, 10, {0}, 3, 3, 0),
    ROW(CELU, -10, 10, {1.5}, 3, 4, 0),
    ROW(GELU, -10, 10, {0}, 1, 2, 1),
    ROW(GELU_TANH, -10, 10, {0}, 1.5, 3, 1),
    ROW(SILU, -80, 80, {0}, 3, 2, 1),
    ROW(MISH, -80, 80, {0}, 4, 2, 1),
    ROW(SOFTPLUS, -80, 80, {2, 20}, 3, 3, 0),
    ROW(SOFTSIGN, -100, 100, {0}, 1.5, 2.5, 0),
    ROW(HARDTANH, -3, 3, {-1, 2}, 0, 0, 0),
    ROW(HARDSIGMOID, -6, 6, {0}, 1.5, 0.5, 1),
    ROW(HARDSWISH, -6, 6, {0}, 2, 2, 1),
    ROW(CLAMP, -3, 3, {-1, 2}, 0, 0, 0),
    ROW(ERF, -5, 5, {0}, 1, 2, 1),
    ROW(ERFC, -5, 8, {0}, 2, 2, 1),
    ROW(ERFINV, -0.99, 0.99, {0}, 1, 4, 0),
    ROW(LGAMMA, 0.01, 50, {0}, 1, 1.5, 0),
    ROW(DIGAMMA, 0.01, 50, {0}, 1, 1.5, 0),
    ROW(SINC, -10, 10, {0}, 1, 6, 1),
    ROW(FLOOR, -100, 100, {0}, 0, 0, 0),
    ROW(CEIL, -100, 100, {0}, 0, 0, 0),
    ROW(ROUND, -100, 100, {0}, 0, 0, 0),
    ROW(TRUNC, -100, 100, {0}, 0, 0, 0),
    ROW(FRAC, -100, 100, {0}, 0, 0, 0),
    ROW(POW_SCALAR, 0.01, 50, {2.75}, 1, 3, 0),
};

/* Bounds for the functions of two arguments: a in [lo, hi], b in [lo_b, hi_b]. */
static const struct row_2 {
    const char *name;
    double lo, hi, lo_b, hi_b, ulp;
} rows_2[TG_BINARY_COUNT] = {
#define ROW_2(NAME, ...) [TG_BINARY_##NAME] = {#NAME, __VA_ARGS__}
    ROW_2(ADD, -10, 10, -10, 10, 0.5),     ROW_2(SUB, -10, 10, -10, 10, 0.5),
    ROW_2(MUL, -10, 10, -10, 10, 0.5),     ROW_2(DIV, -10, 10, 0.5, 10, 0.5),
    ROW_2(MAXIMUM, -10, 10, -10, 10, 0),   ROW_2(MINIMUM, -10, 10, -10, 10, 0),
    ROW_2(POW, 0.01, 20, -5, 5, 1),        ROW_2(FMOD, -50, 50, -7, 7, 0),
    ROW_2(REMAINDER, -50, 50, -7, 7, 1),   ROW_2(ATAN2, -10, 10, -10, 10, 1),
    ROW_2(HYPOT, -10, 10, -10, 10, 1),     ROW_2(XLOGY, -10, 10, 0.01, 10, 2),
    ROW_2(LOGADDEXP, -50, 50, -50, 50, 2), ROW_2(COPYSIGN, -10, 10, -10, 10, 0),
    ROW_2(DIRECTION, -10, 10, -10, 10, 2), ROW_2(LOGADDEXP_SLOPE, -2, 2, -2, 2, 4),
};

static size_t size_of(int dtype) { return dtype == TG_F32 ? 4 : 8; }
static double get(int dtype, const void *p, int64_t i) {
    float narrow;
    double wide;
    if (dtype == TG_F64) {
        memcpy(&wide, (const char *)p + i * 8, 8);
        return wide;
    }
    memcpy(&narrow, (const char *)p + i * 4, 4);
    return (double)narrow;
}
static void set(int dtype, void *p, int64_t i, double v) {
    float narrow = (float)v;
    if (dtype == TG_F32)
        memcpy((char *)p + i * 4, &narrow, 4);
    else
        memcpy((char *)p + i * 8, &v, 8);
}

/* n values that fill [lo, hi] evenly but out of order. */
static void fill(int dtype, void *p, int64_t n, double lo, double hi) {
    for (int64_t i = 0; i < n; i++)
        set(dtype, p, i, lo + (hi - lo) * (double)(i * 397 % n) / (double)(n - 1));
}

/* |got - want| in units of the last place of want (or of scale, if that is larger). */
static double ulps(int dtype, double got, double want, double scale) {
    if (got == want || (isnan(got) && isnan(want))) return 0;
    double least = dtype == TG_F32 ? 0x1p-126 : 0x1p-1022, size = fmax(fmax(fabs(want), scale), least);
    return fabs(got - want) / ldexp(1, ilogb(size) - (dtype == TG_F32 ? 23 : 52));
}

static const tg_strides ones = {{1, 1, 1, 1}};

typedef struct fixture {
    double x[N], y[N], g[N], out[N];     /* of the dtype under test, as raw storage */
    double wx[N], wy[N], wg[N], want[N]; /* the same numbers in f64, and the reference's results */
} fixture;
static fixture f;

static void widen(int dtype, double *to, const void *from) {
    for (int i = 0; i < N; i++) to[i] = get(dtype, from, i);
}
static double worst(int dtype, double scale) {
    double most = 0;
    for (int i = 0; i < N; i++) most = fmax(most, ulps(dtype, get(dtype, f.out, i), f.want[i], scale));
    return most;
}

/* Whose slopes are made of y, which has rounded: they are off by a part of 1. */
static bool made_of_result(int dtype, int u) {
    return dtype == TG_F32 && (u == TG_UNARY_TANH || u == TG_UNARY_SIGMOID);
}

static void check_unary(const tg_kernels *k, int dtype, int u) {
    const struct row *r = &rows[u];
    const tg_kernel_set *s = k->real[dtype], *ref = tg_kernels_of_isa("ref")->real[TG_F64];
    const double *p = r->p; /* f32 holds them exactly */
    fill(dtype, f.x, N, r->lo, r->hi);
    fill(dtype, f.g, N, 0.5, 2);
    widen(dtype, f.wx, f.x);
    widen(dtype, f.wg, f.g);
    s->unary[u](N, &(tg_operands){.out = (char *)f.y, .a = (char *)f.x}, &ones, p);
    memcpy(f.out, f.y, sizeof f.y);
    ref->unary[u](N, &(tg_operands){.out = (char *)f.want, .a = (char *)f.wx}, &ones, p);
    double most = worst(dtype, r->scale);
    REQUIRE(most <= r->ulp, "%s %s f%d: %g ulp", k->isa, r->name, dtype ? 64 : 32, most);
    widen(dtype, f.wy, f.y);
    s->unary_grad[u](N, &(tg_operands){{(char *)f.out, (char *)f.g, (char *)f.x, (char *)f.y}}, &ones, p);
    ref->unary_grad[u](N, &(tg_operands){{(char *)f.want, (char *)f.wg, (char *)f.wx, (char *)f.wy}}, &ones, p);
    most = worst(dtype, made_of_result(dtype, u) ? 1 : r->scale);
    REQUIRE(most <= r->grad_ulp, "%s %s gradient f%d: %g ulp", k->isa, r->name, dtype ? 64 : 32, most);
}

START_TEST(unary_accuracy) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int u = 0; k && u < TG_UNARY_COUNT; u++)
        for (int dtype = 0; dtype < 2; dtype++) check_unary(k, dtype, u);
}
END_TEST

START_TEST(binary_accuracy) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    const tg_kernel_set *ref = tg_kernels_of_isa("ref")->real[TG_F64];
    for (int b = 0; k && b < TG_BINARY_COUNT; b++)
        for (int dtype = 0; dtype < 2; dtype++) {
            const struct row_2 *r = &rows_2[b];
            fill(dtype, f.x, N, r->lo, r->hi);
            for (int i = 0; i < N; i++)
                set(dtype, f.y, i, r->lo_b + (r->hi_b - r->lo_b) * (double)(i * 101 % N) / (N - 1));
            widen(dtype, f.wx, f.x);
            widen(dtype, f.wy, f.y);
            k->real[dtype]->binary[b](
                N, &(tg_operands){.out = (char *)f.out, .a = (char *)f.x, .b = (char *)f.y}, &ones, NULL);
            ref->binary[b](N, &(tg_operands){.out = (char *)f.want, .a = (char *)f.wx, .b = (char *)f.wy},
                           &ones, NULL);
            double most = worst(dtype, 0);
            REQUIRE(most <= r->ulp, "%s %s f%d: %g ulp", k->isa, r->name, dtype ? 64 : 32, most);
        }
}
END_TEST

/* The gradient column against central differences of the value column, where the two one-sided
 * differences agree (no kink, no jump) and are not so steep that they mean nothing. */
START_TEST(slopes) {
    const tg_kernel_set *ref = tg_kernels_of_isa("ref")->real[TG_F64];
    for (int u = 0; u < TG_UNARY_COUNT; u++) {
        const struct row *r = &rows[u];
        int compared = 0;
        for (int i = 0; i < 200; i++) {
            double lo = fmax(r->lo, -9), hi = fmin(r->hi, 9), h = 1e-5, g = 1, d;
            double x[3] = {0, lo + (hi - lo) * (i + 0.37) / 200, 0}, y[3];
            x[0] = x[1] - h, x[2] = x[1] + h;
            ref->unary[u](3, &(tg_operands){.out = (char *)y, .a = (char *)x}, &ones, r->p);
            ref->unary_grad[u](1, &(tg_operands){{(char *)&d, (char *)&g, (char *)&x[1], (char *)&y[1]}},
                               &ones, r->p);
            double left = (y[1] - y[0]) / h, right = (y[2] - y[1]) / h, slope = (y[2] - y[0]) / (2 * h);
            if (fabs(left - right) > 1e-2 * fmax(1, fabs(slope)) || fabs(slope) > 100) continue;
            compared++;
            REQUIRE(fabs(d - slope) <= 1e-6 * fmax(1, fabs(slope)), "%s'(%g) = %.12g, differences %.12g",
                    r->name, x[1], d, slope);
        }
        REQUIRE(compared > 100, "%s: only %d points compared", r->name, compared);
    }
}
END_TEST

/* Exact values: the conventions at kinks and ends. */
static const struct point {
    tg_unary f;
    double x, p[2], y, d; /* d: the derivative; NaN stands for itself */
} points[] = {
    {TG_UNARY_RELU, 0, {0}, 0, 0},
    {TG_UNARY_RELU, -INFINITY, {0}, 0, 0},
    {TG_UNARY_ABS, 0, {0}, 0, 0},
    {TG_UNARY_SIGN, 0, {0}, 0, 0},
    {TG_UNARY_CLAMP, -1, {-1, 1}, -1, 1},
    {TG_UNARY_CLAMP, 1, {-1, 1}, 1, 1},
    {TG_UNARY_CLAMP, 2, {-1, 1}, 1, 0},
    {TG_UNARY_CLAMP, 5, {-INFINITY, INFINITY}, 5, 1},
    {TG_UNARY_CLAMP, 0, {2, 1}, 1, 0},
    {TG_UNARY_HARDTANH, -1, {-1, 1}, -1, 0},
    {TG_UNARY_HARDTANH, 1, {-1, 1}, 1, 0},
    {TG_UNARY_HARDSIGMOID, -3, {0}, 0, 0},
    {TG_UNARY_HARDSIGMOID, 3, {0}, 1, 0},
    {TG_UNARY_HARDSWISH, -3, {0}, 0, 0},
    {TG_UNARY_HARDSWISH, 3, {0}, 3, 1},
    {TG_UNARY_LEAKY_RELU, 0, {0.25}, 0, 0.25},
    {TG_UNARY_ELU, 0, {0.5}, 0, 0.5},
    {TG_UNARY_SOFTPLUS, 1000, {1, 20}, 1000, 1},
    {TG_UNARY_SOFTPLUS, 1000, {1, 5000}, 1000, 1},
    {TG_UNARY_SOFTPLUS, -1000, {1, 20}, 0, 0},
    {TG_UNARY_SIGMOID, 1000, {0}, 1, 0},
    {TG_UNARY_SIGMOID, -1000, {0}, 0, 0},
    {TG_UNARY_SIGMOID, 0, {0}, 0.5, 0.25},
    {TG_UNARY_LOGSIGMOID, 1000, {0}, 0, 0},
    {TG_UNARY_LOGSIGMOID, -1000, {0}, -1000, 1},
    {TG_UNARY_SILU, 1000, {0}, 1000, 1},
    {TG_UNARY_MISH, 1000, {0}, 1000, 1},
    {TG_UNARY_MISH, -1000, {0}, 0, 0},
    {TG_UNARY_GELU, 0, {0}, 0, 0.5},
    {TG_UNARY_GELU, 100, {0}, 100, 1},
    {TG_UNARY_TANH, 1000, {0}, 1, 0},
    {TG_UNARY_EXP, -INFINITY, {0}, 0, 0},
    {TG_UNARY_LOG, 0, {0}, -INFINITY, INFINITY},
    {TG_UNARY_SQRT, 0, {0}, 0, INFINITY},
    {TG_UNARY_SQRT, -1, {0}, NAN, NAN},
    {TG_UNARY_SINC, 0, {0}, 1, 0},
    {TG_UNARY_ROUND, 0.5, {0}, 0, 0},
    {TG_UNARY_ROUND, 1.5, {0}, 2, 0},
    {TG_UNARY_ROUND, -2.5, {0}, -2, 0},
    {TG_UNARY_FRAC, -1.25, {0}, -0.25, 1},
    {TG_UNARY_POW_SCALAR, 0, {0}, 1, 0},
    {TG_UNARY_POW_SCALAR, 0, {1}, 0, 1},
    {TG_UNARY_POW_SCALAR, 0, {2}, 0, 0},
    {TG_UNARY_POW_SCALAR, -2, {3}, -8, 12},
    {TG_UNARY_ERFINV, 1, {0}, INFINITY, INFINITY},
    {TG_UNARY_ERFINV, 0, {0}, 0, 0.88622692545275801365},
    {TG_UNARY_ERFINV, 1.5, {0}, NAN, NAN},
    {TG_UNARY_LGAMMA, 1, {0}, 0, -0.57721566490153286061},
    {TG_UNARY_DIGAMMA, -1, {0}, NAN, INFINITY},
};

static bool same(int dtype, double got, double want) {
    return dtype == TG_F32 ? ulps(dtype, got, (float)want, 1) <= 2 : ulps(dtype, got, want, 1) <= 4;
}

START_TEST(conventions) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (size_t i = 0; k && i < sizeof points / sizeof *points; i++)
        for (int dtype = 0; dtype < 2; dtype++) {
            const struct point *t = &points[i];
            char x[8], y[8], g[8], d[8];
            set(dtype, x, 0, t->x);
            set(dtype, g, 0, 1);
            k->real[dtype]->unary[t->f](1, &(tg_operands){.out = y, .a = x}, &ones, t->p);
            k->real[dtype]->unary_grad[t->f](1, &(tg_operands){{d, g, x, y}}, &ones, t->p);
            REQUIRE(same(dtype, get(dtype, y, 0), t->y), "%s %s(%g) = %.17g", k->isa, rows[t->f].name, t->x,
                    get(dtype, y, 0));
            REQUIRE(same(dtype, get(dtype, d, 0), t->d), "%s %s'(%g) = %.17g", k->isa, rows[t->f].name, t->x,
                    get(dtype, d, 0));
        }
}
END_TEST

/* In f32 lgamma and digamma are functions of vectors: all magnitudes, the numbers next to their zeros, both ends, either sign, and
 * these beside each other in one vector, against the functions of double. */
static void check_gamma(const char *isa, tg_run *run, double (*of)(double), const float *x) {
    float y[N];
    run(N, &(tg_operands){.out = (char *)y, .a = (char *)(uintptr_t)x}, &ones, rows[0].p);
    for (int i = 0; i < N; i++) {
        double exact = of((double)x[i]);
        float want = (float)exact;
        bool is = want == y[i] || (isnan(want) && isnan(y[i])) || ulps(TG_F32, (double)y[i], exact, 0) <= 1;
        REQUIRE(is, "%s: %.9g gives %.9g, not %.9g", isa, (double)x[i], (double)y[i], (double)want);
    }
}
START_TEST(gamma_everywhere) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    static const float zeros[] = {1, 2, 1.46163212f, 0.5f, 1.5f, 2.5f, 8};
    static const float ends[] = {0,          -0.0f, INFINITY, -INFINITY, NAN,     0x1p-149f, 0x1.fffffep127f,
                                 4.0849e36f, -2.5f, -1e-30f,  -3e9f,     4.09e36f};
    float x[N];
    for (int round = 0; k && round < 9; round++) {
        for (int i = 0; i < N; i++) {
            float near = zeros[round % 7];
            for (int step = 0; step < i % 40; step++) near = nextafterf(near, i & 64 ? 100 : 0);
            x[i] = round < 7    ? near
                   : round == 7 ? ldexpf(1 + (float)(i % 7) / 7, i % 276 - 149)
                   : i % 3      ? ends[i % 12]
                                : (float)(i % 29) / 2 - 4;
        }
        check_gamma(k->isa, k->real[TG_F32]->unary[TG_UNARY_DIGAMMA], tg_scalar_digamma, x);
        check_gamma(k->isa, k->real[TG_F32]->unary[TG_UNARY_LGAMMA], tg_scalar_lgamma, x);
    }
}
END_TEST

/* One run of a kernel with `operands` inputs at the given strides, from storage at a shifted address. The
 * pattern of inputs is the same whatever the strides. */
enum { ROOM = 2 * N + 40 };
static double arena[5][ROOM];
static const double numbers[2] = {0.75, 0.25};

static void start(int dtype, int64_t n, int operands, int nan_at, const tg_strides *s, tg_operands *p,
                  int shift) {
    for (int k = 0; k <= operands; k++) {
        memset(arena[k], 0x5a, sizeof arena[k]);
        int64_t step = s->each[k], origin = step < 0 ? (n > 0 ? n - 1 : 0) * -step : 0;
        p->each[k] = (char *)arena[k] + (size_t)(origin + shift) * size_of(dtype);
        for (int64_t i = 0; k > 0 && i < n; i++)
            if (step != 0 || i == 0)
                set(dtype, p->each[k], i * step,
                    i == nan_at ? (double)NAN : 0.11 * k + 0.007 * (double)(i * 31 % 101));
    }
}

/* Runs it on its own contiguous copy of the inputs, one element at a time, and compares bits. */
static void check_layout(const char *isa, const char *what, tg_run *run, int dtype, int operands, int64_t n,
                         const tg_strides *s, int shift, int nan_at) {
    tg_operands p;
    char one[TG_MAX_OPERANDS][8] = {{0}};
    size_t size = size_of(dtype);
    start(dtype, n, operands, nan_at, s, &p, shift);
    run(n, &p, s, numbers);
    for (int64_t i = 0; i < n; i++) {
        for (int k = 1; k <= operands; k++) memcpy(one[k], p.each[k] + i * s->each[k] * (int64_t)size, size);
        run(1, &(tg_operands){{one[0], one[1], one[2], one[3]}}, &ones, numbers);
        bool nan = isnan(get(dtype, one[0], 0)) && isnan(get(dtype, p.out, i * s->out));
        REQUIRE(nan || memcmp(one[0], p.out + i * s->out * (int64_t)size, size) == 0,
                "%s %s f%d: element %d of %d, strides %d %d, is %.17g, alone %.17g", isa, what, dtype ? 64 : 32,
                (int)i, (int)n, (int)s->out, (int)s->a, get(dtype, p.out, i * s->out), get(dtype, one[0], 0));
    }
    unsigned char behind = 0x5a;
    for (size_t b = 0; b < size; b++)
        REQUIRE(n == 0 || s->out < 0 ||
                    ((unsigned char *)p.out + (n - 1) * s->out * (int64_t)size)[size + b] == behind,
                "%s %s writes past the end", isa, what);
}

static void check_layouts(const char *isa, const char *what, tg_run *run, int dtype, int operands) {
    static const tg_strides strides[] = {{{1, 1, 1, 1}}, {{1, 0, 1, 1}},   {{1, 1, 0, 0}},    {{1, 2, 1, 2}},
                                         {{2, 1, 1, 0}}, {{-1, 1, -1, 1}}, {{1, -1, -1, -1}}, {{1, 0, 0, 0}}};
    const int w = isa[0] == 'r' ? 1 : (int)((isa[3] == '5' ? 64 : isa[0] == 'n' ? 16 : 32) / size_of(dtype));
    const int64_t lengths[] = {0, 1, w - 1, w, w + 1, 2 * w + 1, 64};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t i = 0; i < sizeof strides / sizeof *strides; i++)
            check_layout(isa, what, run, dtype, operands, lengths[l], &strides[i], (int)(i + l) % 3, -1);
    check_layout(isa, what, run, dtype, operands, N, &strides[0], 1, -1);
    for (int lane = 0; lane <= 2 * w; lane++)
        check_layout(isa, what, run, dtype, operands, 2 * w + 1, &strides[0], 1, lane);
}

START_TEST(unary_layout) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int u = 0; k && u < TG_UNARY_COUNT; u++)
        for (int dtype = 0; dtype < 2; dtype++) {
            check_layouts(k->isa, rows[u].name, k->real[dtype]->unary[u], dtype, 1);
            check_layouts(k->isa, rows[u].name, k->real[dtype]->unary_grad[u], dtype, 3);
        }
}
END_TEST

START_TEST(binary_layout) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int dtype = 0; k && dtype < 2; dtype++) {
        for (int b = 0; b < TG_BINARY_COUNT; b++)
            check_layouts(k->isa, rows_2[b].name, k->real[dtype]->binary[b], dtype, 2);
        check_layouts(k->isa, "affine", k->real[dtype]->affine, dtype, 1);
        check_layouts(k->isa, "axpy", k->real[dtype]->axpy, dtype, 2);
    }
}
END_TEST

/* One element that is not finite is seen wherever it is, and none beside the run; the largest numbers are finite. */
START_TEST(finite_runs) {
    enum { LONGEST = 70, AROUND = 3 };
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    static const double bad[] = {INFINITY, -INFINITY, NAN};
    for (int dtype = 0; k && dtype < 2; dtype++) {
        double room[LONGEST + 2 * AROUND];
        char *x = (char *)room + AROUND * size_of(dtype);
        for (int n = 0; n <= LONGEST; n++) {
            for (int i = 0; i < n + 2 * AROUND; i++) set(dtype, room, i, (double)NAN);
            for (int i = 0; i < n; i++)
                set(dtype, x, i, (i % 2 ? -1 : 1) * (i % 3 ? (dtype == TG_F32 ? FLT_MAX : DBL_MAX) : 0.0));
            REQUIRE(k->real[dtype]->finite(n, x), "%s: %d finite elements are not", k->isa, n);
            for (int i = 0; i < n; i++)
                for (int b = 0; b < 3; b++) {
                    const double was = get(dtype, x, i);
                    set(dtype, x, i, bad[b]);
                    REQUIRE(!k->real[dtype]->finite(n, x), "%s: %g at %d of %d is not seen", k->isa, bad[b],
                            i, n);
                    set(dtype, x, i, was);
                }
        }
    }
}
END_TEST

/* NaN comes out of every function that does not ignore its argument, in every lane. */
START_TEST(nan_stays) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int dtype = 0; k && dtype < 2; dtype++)
        for (int lane = 0; lane < 33; lane++) {
            tg_operands p;
            start(dtype, 33, 2, lane, &ones, &p, 0);
            for (int u = 0; u < TG_UNARY_COUNT; u++) {
                fill(dtype, p.a, 33, rows[u].lo, rows[u].hi);
                set(dtype, p.a, lane, (double)NAN);
                k->real[dtype]->unary[u](33, &p, &ones, rows[u].p);
                for (int i = 0; i < 33; i++)
                    REQUIRE(isnan(get(dtype, p.out, i)) == (i == lane), "%s %s: lane %d of NaN in %d gives %g",
                            k->isa, rows[u].name, i, lane, get(dtype, p.out, i));
            }
            fill(dtype, p.a, 33, 1, 2);
            fill(dtype, p.b, 33, 1, 2);
            for (int b = 0; b < TG_BINARY_COUNT; b++)
                for (int side = 1; side <= 2; side++) {
                    set(dtype, p.each[3 - side], lane, 0.5);
                    set(dtype, p.each[side], lane, (double)NAN);
                    k->real[dtype]->binary[b](33, &p, &ones, NULL);
                    REQUIRE(isnan(get(dtype, p.out, lane)) || (b == TG_BINARY_COPYSIGN && side == 2),
                            "%s %s loses NaN in lane %d", k->isa, rows_2[b].name, lane);
                }
        }
}
END_TEST

/* ---- rows of recurrent cells ---- */

enum { UNITS = 40, GATES = 4 * UNITS };
typedef struct operand {
    double data[GATES + 1]; /* of the dtype under test, and one element behind that nobody may touch */
} operand;

/* Operand k of a row: the same numbers whatever the dtype. */
static void *operand_fill(int dtype, operand *o, int k, int64_t n) {
    memset(o, 0x5a, sizeof *o);
    for (int64_t i = 0; i < n; i++)
        set(dtype, o->data, i, (float)(-2 + 0.03125 * (double)((i * 37 + k * 11) % 129)));
    return o->data;
}

enum { RECURRENT = 8, OPERANDS = 12 };

/* Row kernel `which` at n units; `holes`: what may be missing is. Returns how many outputs there are in out[]. */
static int recurrent_row(const tg_kernel_set *s, int dtype, int which, int64_t n, bool holes, operand *o,
                         operand **out) {
    void *p[OPERANDS];
    for (int k = 0; k < OPERANDS; k++) p[k] = operand_fill(dtype, &o[k], k, k < 5 ? 4 * n : n);
    const void *q[OPERANDS];
    for (int k = 0; k < OPERANDS; k++) q[k] = holes ? NULL : p[k];
    static const int outputs[RECURRENT][4] = {{3, 6, 7}, {3, 6}, {3, 6}, {3, 4, 6}, {6, 7}, {6}, {6, 7}, {6}};
    static const int counts[RECURRENT] = {3, 2, 2, 3, 2, 1, 2, 1};
    switch (which) {
    case 0:
        s->lstm(&(tg_lstm_row){n, p[0], q[1], q[5], p[3], p[6], p[7]});
        break;
    case 1:
        s->lstm_grad(&(tg_lstm_grad_row){n, p[0], q[5], p[7], {p[8], q[9]}, {q[10], q[11]}, q[1], p[3], p[6]});
        break;
    case 2:
        s->gru(&(tg_gru_row){n, p[0], q[1], q[2], q[5], p[3], p[6]});
        break;
    case 4:
    case 6:
        s->rnn(&(tg_rnn_row){n, which == 6, p[0], q[1], p[6], p[7]});
        break;
    case 5:
    case 7:
        s->rnn_grad(&(tg_rnn_grad_row){n, which == 7, p[0], {p[8], q[9]}, q[1], p[6]});
        break;
    default:
        s->gru_grad(&(tg_gru_grad_row){n, p[0], q[5], {p[8], q[9]}, q[1], p[3], p[4], p[6]});
    }
    for (int i = 0; i < counts[which]; i++) out[i] = &o[outputs[which][i]];
    return counts[which];
}

/* How many elements output `out` has: pre-activations 4 n, gradients of those of a GRU 3 n. */
static int64_t written(int which, int64_t n, const operand *out, const operand *o) {
    return out != &o[3] && out != &o[4] ? n : which == 3 ? 3 * n : 4 * n;
}

/* Every length around the vector width against the f64 reference. The sums in a gradient have terms of some 16, which
 * may cancel: their ulps count. */
START_TEST(recurrent_rows) {
    static const int64_t lengths[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, UNITS};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    const tg_kernel_set *ref = tg_kernels_of_isa("ref")->real[TG_F64];
    static operand is[OPERANDS], want[OPERANDS];
    for (int at = 0; k && at < 2 * RECURRENT * 2 * (int)(sizeof lengths / sizeof *lengths); at++) {
        int dtype = at % 2, which = at / 2 % RECURRENT, holes = at / 2 / RECURRENT % 2;
        int64_t n = lengths[at / 4 / RECURRENT];
        operand *got[4], *expect[4];
        int count = recurrent_row(k->real[dtype], dtype, which, n, holes, is, got);
        recurrent_row(ref, TG_F64, which, n, holes, want, expect);
        for (int i = 0; i < count; i++) {
            int64_t m = written(which, n, got[i], is);
            for (int64_t e = 0; e < m; e++) {
                double a = get(dtype, got[i]->data, e), b = get(TG_F64, expect[i]->data, e);
                REQUIRE(ulps(dtype, a, b, which % 2 ? 16 : 1) <= 4,
                        "%s f%d row %d, %d units, output %d: element %d is %.17g, not %.17g", k->isa,
                        dtype ? 64 : 32, which, (int)n, i, (int)e, a, b);
            }
            const unsigned char *behind = (const unsigned char *)got[i]->data + (size_t)m * size_of(dtype);
            bool filled = m < (got[i] - is < 5 ? 4 * n : n);
            REQUIRE(filled || *behind == 0x5a, "%s row %d writes past the end of output %d", k->isa, which, i);
        }
    }
}
END_TEST

/* The pre-activations may be made where `more` lies, and dc0 where dc does: each element is read before it is written. */
START_TEST(recurrent_rows_in_place) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    static operand apart[OPERANDS], same_place[OPERANDS];
    for (int dtype = 0; k && dtype < 2; dtype++) {
        const tg_kernel_set *s = k->real[dtype];
        void *p[OPERANDS], *q[OPERANDS];
        for (int i = 0; i < OPERANDS; i++) p[i] = operand_fill(dtype, &apart[i], i, 4 * 19);
        for (int i = 0; i < OPERANDS; i++) q[i] = operand_fill(dtype, &same_place[i], i, 4 * 19);
        s->lstm(&(tg_lstm_row){19, p[0], p[1], p[2], p[3], p[4], p[5]});
        s->lstm(&(tg_lstm_row){19, q[0], q[1], q[2], q[1], q[4], q[5]});
        ck_assert_mem_eq(p[3], q[1], 4 * 19 * size_of(dtype));
        s->lstm_grad(&(tg_lstm_grad_row){19, p[0], p[2], p[6], {p[7], NULL}, {p[8], NULL}, NULL, p[9], p[10]});
        s->lstm_grad(&(tg_lstm_grad_row){19, q[0], q[2], q[6], {q[7], NULL}, {q[8], NULL}, NULL, q[9], q[8]});
        ck_assert_mem_eq(p[10], q[8], 19 * size_of(dtype));
        for (int i = 0; i < OPERANDS; i++) operand_fill(dtype, &apart[i], i, 4 * 19);
        for (int i = 0; i < OPERANDS; i++) operand_fill(dtype, &same_place[i], i, 4 * 19);
        s->gru(&(tg_gru_row){19, p[0], p[1], p[2], p[6], p[3], p[5]});
        s->gru(&(tg_gru_row){19, q[0], q[1], q[2], q[6], q[1], q[5]});
        ck_assert_mem_eq(p[3], q[1], 4 * 19 * size_of(dtype));
        s->gru_grad(&(tg_gru_grad_row){19, p[0], p[6], {p[7], NULL}, NULL, p[9], p[10], p[11]});
        s->gru_grad(&(tg_gru_grad_row){19, q[0], q[6], {q[7], NULL}, NULL, q[9], q[10], q[7]});
        ck_assert_mem_eq(p[11], q[7], 19 * size_of(dtype));
        for (int i = 0; i < OPERANDS; i++) operand_fill(dtype, &apart[i], i, 4 * 19);
        for (int i = 0; i < OPERANDS; i++) operand_fill(dtype, &same_place[i], i, 4 * 19);
        s->rnn(&(tg_rnn_row){19, false, p[0], p[1], p[3], p[4]});
        s->rnn(&(tg_rnn_row){19, false, q[0], q[1], q[1], q[4]});
        ck_assert_mem_eq(p[3], q[1], 19 * size_of(dtype));
    }
}
END_TEST

/* The digits are those of mpmath. */
static const struct known {
    double (*f)(double);
    double x, y, absolute; /* the error allowed beside 4 ulp */
} known[] = {
    {tg_scalar_digamma, 1, -0.57721566490153286061, 1e-15},
    {tg_scalar_digamma, 0.5, -1.9635100260214234794, 1e-15},
    {tg_scalar_digamma, 1e-5, -100000.57719921567289, 0},
    {tg_scalar_digamma, 1.4616321449683623413, -9.2412655217294e-17, 1e-15},
    {tg_scalar_digamma, 100, 4.6001618527380874002, 0},
    {tg_scalar_digamma, -0.5, 0.03648997397857652056, 1e-15},
    {tg_scalar_trigamma, 1, 1.6449340668482264365, 0},
    {tg_scalar_trigamma, 0.5, 4.9348022005446793094, 0},
    {tg_scalar_trigamma, 25, 0.040810663257225579187, 0},
    {tg_scalar_trigamma, -0.5, 8.9348022005446793094, 0},
    {tg_scalar_erfinv, 0.5, 0.47693627620446987338, 0},
    {tg_scalar_erfinv, 0.05, 0.044340387910005496300, 0},
    {tg_scalar_erfinv, -0.99, -1.8213863677184494559, 0},
    {tg_scalar_erfinv, 1e-12, 8.8622692545275799582e-13, 0},
    {tg_scalar_lgamma, 0.5, 0.57236494292470008707, 0},
};

START_TEST(special_functions) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double got = known[i].f(known[i].x);
        REQUIRE(ulps(TG_F64, got, known[i].y, 0) <= 4 || fabs(got - known[i].y) <= known[i].absolute,
                "row %d: %.17g, not %.17g", (int)i, got, known[i].y);
    }
}
END_TEST

TCase *tcase_kernels(void) {
    TCase *tc = tcase_create("kernels");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, unary_accuracy, 0, isa_count());
    tcase_add_loop_test(tc, binary_accuracy, 0, isa_count());
    tcase_add_test(tc, slopes);
    tcase_add_loop_test(tc, conventions, 0, isa_count());
    tcase_add_loop_test(tc, gamma_everywhere, 0, isa_count());
    tcase_add_loop_test(tc, unary_layout, 0, isa_count());
    tcase_add_loop_test(tc, binary_layout, 0, isa_count());
    tcase_add_loop_test(tc, finite_runs, 0, isa_count());
    tcase_add_loop_test(tc, nan_stays, 0, isa_count());
    tcase_add_loop_test(tc, recurrent_rows, 0, isa_count());
    tcase_add_loop_test(tc, recurrent_rows_in_place, 0, isa_count());
    tcase_add_test(tc, special_functions);
    return tc;
}
