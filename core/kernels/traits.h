/* Private. What core/kernels/body.c is written in, for one real type and one instruction set; the only place
 * that knows them. The build defines TG_REAL (32 or 64) and one of TG_ISA_REF, _AVX2, _AVX512, _NEON.
 *
 *   S, V, M       the real type; a vector of W of them; a mask, one integer an element
 *   K(c)          a vector with c in every lane
 *   select(m,a,b) a where the mask is set, b elsewhere; both(m,n) and either(m,n) combine masks
 *   v<name>       libm's function <name>, lane by lane: SLEEF's 1.0-ulp forms (tanh 3.5, erfc 1.5, hypot 0.5)
 *
 * + - * / and comparisons are the compilers' own vector operators, and a scalar's for the reference (W = 1).
 */
#ifndef TG_CORE_KERNELS_TRAITS_H
#define TG_CORE_KERNELS_TRAITS_H

#include "core/kernels/special.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if TG_REAL == 32
typedef float S;
#define MATH(name) name##f
#define S_SUFFIX f32
#else
typedef double S;
#define MATH(name) name
#define S_SUFFIX f64
#endif

#if TG_HAVE_SLEEF && !defined(TG_ISA_REF)
#include <sleef.h>
#define TG_USE_SLEEF 1
#else
#define TG_USE_SLEEF 0
#endif

/* For each instruction set: BYTES of a vector, its NATIVE type, BITS (the type masks are cast to),
 * SLEEF's suffixes, and the few operations that have no operator. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

#if defined(TG_ISA_REF)
#define ISA ref
#define BYTES (TG_REAL / 8)
#elif defined(TG_ISA_AVX2)
#include <immintrin.h>
#define ISA avx2
#define SLEEF_ISA avx2
#define BYTES 32
#if TG_REAL == 32
#define NATIVE __m256
#define SLEEF_TYPE f8
#define X86(f) _mm256_##f##_ps
#else
#define NATIVE __m256d
#define SLEEF_TYPE d4
#define X86(f) _mm256_##f##_pd
#endif
#define ROUND X86(round)
#define SELECT(m, a, b) X86(blendv)((NATIVE)(b), (NATIVE)(a), (NATIVE)(m))
#define LOAD_FIRST(p, m) X86(maskload)(p, (__m256i)first(m))
#elif defined(TG_ISA_AVX512)
#include <immintrin.h>
#define ISA avx512
#define SLEEF_ISA avx512f
#define BYTES 64
#if TG_REAL == 32
#define NATIVE __m512
#define SLEEF_TYPE f16
#define X86(f) _mm512_##f##_ps
#define MASK_BITS(m) _mm512_movepi32_mask((__m512i)(m))
#else
#define NATIVE __m512d
#define SLEEF_TYPE d8
#define X86(f) _mm512_##f##_pd
#define MASK_BITS(m) _mm512_movepi64_mask((__m512i)(m))
#endif
#define ROUND X86(roundscale)
#define SELECT(m, a, b) X86(mask_blend)(MASK_BITS(m), (NATIVE)(b), (NATIVE)(a))
#define LOAD_FIRST(p, m) X86(maskz_loadu)(MASK_BITS(first(m)), p)
#elif defined(TG_ISA_NEON)
#include <arm_neon.h>
#define ISA neon
#define SLEEF_ISA advsimd
#define BYTES 16
#if TG_REAL == 32
#define NATIVE float32x4_t
#define SLEEF_TYPE f4
#define NEON(f) f##q_f32
#define SELECT(m, a, b) vbslq_f32((uint32x4_t)(m), (NATIVE)(a), (NATIVE)(b))
#else
#define NATIVE float64x2_t
#define SLEEF_TYPE d2
#define NEON(f) f##q_f64
#define SELECT(m, a, b) vbslq_f64((uint64x2_t)(m), (NATIVE)(a), (NATIVE)(b))
#endif
#endif

enum { W = BYTES / (int)sizeof(S) };

#if defined(TG_ISA_REF)
typedef S V;
typedef int M;
static inline V K(S c) { return c; }
static inline S lane0(V v) { return v; }
static inline V select(M m, V a, V b) { return m ? a : b; }
static inline V vabs(V x) { return MATH(fabs)(x); }
static inline V vcopysign(V x, V sign) { return MATH(copysign)(x, sign); }
static inline V vsqrt(V x) { return MATH(sqrt)(x); }
static inline V vfloor(V x) { return MATH(floor)(x); }
static inline V vceil(V x) { return MATH(ceil)(x); }
static inline V vtrunc(V x) { return MATH(trunc)(x); }
static inline V vrint(V x) { return MATH(rint)(x); }
#else
#if TG_REAL == 32
typedef int32_t I;
#else
typedef int64_t I;
#endif
typedef S V __attribute__((vector_size(BYTES)));
typedef I M __attribute__((vector_size(BYTES)));
#define SIGN_BIT ((I)((uint64_t)1 << (TG_REAL - 1)))
static inline M bits(I c) { return c - (M){0}; }
static inline V K(S c) { return c - (V){0}; }
static inline S lane0(V v) { return v[0]; }
static inline V select(M m, V a, V b) { return (V)SELECT(m, a, b); }
static inline V vabs(V x) { return (V)((M)x & bits(~SIGN_BIT)); }
static inline V vcopysign(V x, V sign) { return (V)(((M)x & bits(~SIGN_BIT)) | ((M)sign & bits(SIGN_BIT))); }
#if defined(TG_ISA_NEON)
static inline V vsqrt(V x) { return (V)NEON(vsqrt)((NATIVE)x); }
static inline V vfloor(V x) { return (V)NEON(vrndm)((NATIVE)x); }
static inline V vceil(V x) { return (V)NEON(vrndp)((NATIVE)x); }
static inline V vtrunc(V x) { return (V)NEON(vrnd)((NATIVE)x); }
static inline V vrint(V x) { return (V)NEON(vrndn)((NATIVE)x); }
#else
static inline V vsqrt(V x) { return (V)X86(sqrt)((NATIVE)x); }
static inline V vfloor(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
static inline V vceil(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
static inline V vtrunc(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
static inline V vrint(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#endif
#endif

static inline M both(M m, M n) { return m & n; }
static inline M either(M m, M n) { return m | n; }

static inline V vload(const S *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vstore(S *p, V v) { memcpy(p, &v, sizeof v); }

/* The first m lanes, 0 <= m <= W. */
static inline M first(int64_t m) {
#if defined(TG_ISA_REF)
    return m > 0;
#else
    static const I number[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    M lane;
    memcpy(&lane, number, sizeof lane);
    return lane < bits((I)m);
#endif
}

/* m <= W elements, s apart, to and from W elements in memory. They are not handed over as vectors: gcc
 * forgets to clear the upper halves of x86's registers when a function ends in a call with a vector
 * argument, and every SSE instruction that follows then stalls. */
static __attribute__((noinline)) void collect(const S *p, int64_t s, int64_t m, S *lane) {
    for (int64_t i = 0; i < W; i++) lane[i] = p[i < m ? i * s : 0];
}
static __attribute__((noinline)) void spread(S *p, int64_t s, int64_t m, const S *lane) {
    if (s != 1 || m == W) {
        for (int64_t i = 0; i < m; i++) p[i * s] = lane[i];
        return;
    }
    for (int h = W / 2; h > 0; h /= 2) {
        if (!(m & h)) continue;
        memcpy(p, lane, (size_t)h * sizeof(S));
        p += h, lane += h;
    }
}

/* 1 <= m <= W elements s apart. The lanes behind them repeat the first, so that they raise nothing new. */
static inline V vload_part(const S *p, int64_t s, int64_t m) {
    if (m == 1 || s == 0) return K(*p);
#if defined(LOAD_FIRST)
    if (s == 1) return select(first(m), (V)LOAD_FIRST(p, m), K(*p));
#endif
    S lane[W];
    collect(p, s, m, lane);
    return vload(lane);
}
static inline void vstore_part(S *p, int64_t s, int64_t m, V v) {
    S lane[W];
    if (m == 1) {
        *p = lane0(v);
        return;
    }
    vstore(lane, v);
    spread(p, s, m, lane);
}

/* f over all lanes, by halves: lane i with lane i + W/2, then with lane i + W/4, ... */
static inline __attribute__((always_inline)) S across(V v, V (*f)(V, V)) {
#define HALVE(...) v = f(v, __builtin_shufflevector(v, v, __VA_ARGS__))
#if BYTES * 8 / TG_REAL == 16
    HALVE(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    HALVE(4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    HALVE(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    HALVE(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif BYTES * 8 / TG_REAL == 8
    HALVE(4, 5, 6, 7, 0, 1, 2, 3);
    HALVE(2, 3, 0, 1, 6, 7, 4, 5);
    HALVE(1, 0, 3, 2, 5, 4, 7, 6);
#elif BYTES * 8 / TG_REAL == 4
    HALVE(2, 3, 0, 1);
    HALVE(1, 0, 3, 2);
#elif BYTES * 8 / TG_REAL == 2
    HALVE(1, 0);
#else
    (void)f;
#endif
#undef HALVE
    return lane0(v);
}

/* Functions that the instruction set lacks: one lane at a time. */
#define LANEWISE_1(name, function) \
    static inline V name(V x) { \
        S lane[W]; \
        vstore(lane, x); \
        for (int i = 0; i < W; i++) lane[i] = (S)function(lane[i]); \
        return vload(lane); \
    }
#define LANEWISE_2(name, function) \
    static inline V name(V x, V y) { \
        S a[W], b[W]; \
        vstore(a, x); \
        vstore(b, y); \
        for (int i = 0; i < W; i++) a[i] = (S)function(a[i], b[i]); \
        return vload(a); \
    }

#if TG_USE_SLEEF
#define SLEEF_NAME_(f, type, ulp, isa) Sleef_##f##type##_##ulp##isa
#define SLEEF_NAME(f, type, ulp, isa) SLEEF_NAME_(f, type, ulp, isa)
#define LIBM_1(f, ulp) \
    static inline V v##f(V x) { return (V)SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA)((NATIVE)x); }
#define LIBM_2(f, ulp) \
    static inline V v##f(V x, V y) { \
        return (V)SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA)((NATIVE)x, (NATIVE)y); \
    }
#else
#define LIBM_1(f, ulp) LANEWISE_1(v##f, MATH(f))
#define LIBM_2(f, ulp) LANEWISE_2(v##f, MATH(f))
#endif

LIBM_1(exp, u10)
LIBM_1(exp2, u10)
LIBM_1(expm1, u10)
LIBM_1(log, u10)
LIBM_1(log2, u10)
LIBM_1(log10, u10)
LIBM_1(log1p, u10)
LIBM_1(sin, u10)
LIBM_1(cos, u10)
LIBM_1(tan, u10)
LIBM_1(asin, u10)
LIBM_1(acos, u10)
LIBM_1(atan, u10)
LIBM_1(sinh, u10)
LIBM_1(cosh, u10)
LIBM_1(tanh, u35) /* 2.9 ulp measured over all of f32; twice the speed of u10 */
LIBM_1(asinh, u10)
LIBM_1(acosh, u10)
LIBM_1(atanh, u10)
LIBM_1(erf, u10)
LIBM_1(erfc, u15)
LIBM_2(pow, u10)
LIBM_2(atan2, u10)
LIBM_2(hypot, u05)
LANEWISE_2(vfmod, MATH(fmod))
LANEWISE_1(vlgamma, tg_lgamma)
LANEWISE_1(vdigamma, tg_digamma)
LANEWISE_1(vtrigamma, tg_trigamma)
LANEWISE_1(verfinv, tg_erfinv)

/* ---- what the rows of unary.def and binary.def are made of ---- */

/* NaN in either argument gives NaN. */
static inline V vmax(V a, V b) { return select(either(a > b, a != a), a, b); }
static inline V vmin(V a, V b) { return select(either(a < b, a != a), a, b); }

/* e^-|x| never overflows. sigmoid(x) = 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) below. */
static inline V vsigmoid(V x) {
    V e = vexp(-vabs(x));
    return select(x < K(0), e, K(1)) / (K(1) + e);
}
/* sigmoid'(x) = sigmoid(x) sigmoid(-x) = e / (1 + e)^2, e = e^-|x| */
static inline V sigmoid_slope(V x) {
    V e = vexp(-vabs(x));
    return e / ((K(1) + e) * (K(1) + e));
}
/* log(1 + e^x) */
static inline V vsoftplus(V x) { return vmax(x, K(0)) + vlog1p(vexp(-vabs(x))); }

#define PI ((S)3.14159265358979323846)
#define SELU_SCALE K((S)1.0507009873554804934193349852946)
#define SELU_ALPHA K((S)1.6732632423543772848170429916717)

static inline V normal_cdf(V x) { return K((S)0.5) * verfc(x * K((S)-0.70710678118654752440)); }
static inline V normal_density(V x) { return K((S)0.39894228040143267794) * vexp(K((S)-0.5) * (x * x)); }
/* 2u = 2 sqrt(2/pi) (x + 0.044715 x^3) */
static inline V gelu_2u(V x) { return K((S)1.59576912160573071176) * (x + K((S)0.044715) * (x * x * x)); }
static inline V gelu_2u_slope(V x) {
    return K((S)1.59576912160573071176) * (K(1) + K((S)(3 * 0.044715)) * (x * x));
}
/* tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2); its slope is (1 - tanh^2) sigmoid(x). */
static inline V mish_tanh(V x) {
    V e = vexp(x), n = e * (e + K(2));
    return select(x > K(20), K(1), n / (n + K(2)));
}
static inline V mish_tanh_slope(V x) {
    V e = vexp(x), d = e * (e + K(2)) + K(2);
    return select(x > K(20), K(0), K(4) * (d - K(1)) / (d * d) * vsigmoid(x));
}
/* d/dt sin(t)/t = (t cos t - sin t) / t^2, by its series where the two terms nearly cancel */
static inline V sinc_slope(V t) {
    V q = t * t;
    V series = K((S)(1 / 518918400.0)) - q * K((S)(1 / 93405312000.0));
    series = K((S)(1 / 3991680.0)) - q * series;
    series = K((S)(1 / 45360.0)) - q * series;
    series = K((S)(1 / 840.0)) - q * series;
    series = K((S)(1 / 30.0)) - q * series;
    series = K((S)(1 / 3.0)) - q * series;
    return select(q < K((S)0.25), -t * series, (t * vcos(t) - vsin(t)) / q);
}
/* r = fmod(a, b) moved to the side of b */
static inline V with_sign_of(V r, V b) { return select(both(r != K(0), (r < K(0)) != (b < K(0))), r + b, r); }

#endif
