/* Private. What core/kernels/body.c is written in, for one real type and one instruction set; the only place that
 * knows them. The build defines TG_REAL (32 or 64) and one of TG_ISA_REF, TG_ISA_AVX2, TG_ISA_AVX512, TG_ISA_NEON.
 *
 *   S, V, M       the real type; a vector of W of them; a mask, one integer an element
 *   K(c)          a vector with c in every lane
 *   select(m,a,b) a where the mask is set, b elsewhere; masks combine with & and |
 *   v<name>       libm's function <name>, lane by lane: SLEEF's 1.0-ulp forms (erfc 1.5, hypot 0.5)
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
#define MATH(f) f##f
#define S_SUFFIX f32
#else
typedef double S;
#define MATH(f) f
#define S_SUFFIX f64
#endif

#if TG_HAVE_SLEEF && !defined(TG_ISA_REF)
#include <sleef.h>
#define TG_USE_SLEEF 1
#else
#define TG_USE_SLEEF 0
#endif

/* For each instruction set: BYTES of a vector, its NATIVE type, BITS (the type masks are cast to), SLEEF's suffixes,
 * and the few operations that have no operator. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

#if defined(TG_ISA_REF)
#define ISA ref
#define BYTES ((int)sizeof(S))
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
#elif defined(TG_ISA_AVX512)
#include <immintrin.h>
#define ISA avx512
#define SLEEF_ISA avx512f
#define BYTES 64
#if TG_REAL == 32
#define NATIVE __m512
#define SLEEF_TYPE f16
#define X86(f) _mm512_##f##_ps
#define LANES(m) _mm512_movepi32_mask((__m512i)(m))
#else
#define NATIVE __m512d
#define SLEEF_TYPE d8
#define X86(f) _mm512_##f##_pd
#define LANES(m) _mm512_movepi64_mask((__m512i)(m))
#endif
#define ROUND X86(roundscale)
#define SELECT(m, a, b) X86(mask_blend)(LANES(m), (NATIVE)(b), (NATIVE)(a))
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
static inline V vcopysign(V x, V sign) {
    return (V)(((M)x & bits(~SIGN_BIT)) | ((M)sign & bits(SIGN_BIT)));
}
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

static inline V vload(const S *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vstore(S *p, V v) { memcpy(p, &v, sizeof v); }

/* m <= W elements s apart. The lanes behind them repeat the last element, so that they raise nothing new. */
static inline V vload_part(const S *p, int64_t s, int64_t m) {
    S lane[W];
    if (m == 1 || s == 0) return K(*p);
    for (int64_t i = 0; i < W; i++) lane[i] = p[(i < m ? i : m - 1) * s];
    return vload(lane);
}
static inline void vstore_part(S *p, int64_t s, int64_t m, V v) {
    S lane[W];
    vstore(lane, v);
    for (int64_t i = 0; i < m; i++) p[i * s] = lane[i];
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
LIBM_1(tanh, u10)
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

/* NaN in either argument gives NaN. */
static inline V vmax(V a, V b) { return select((a > b) | (a != a), a, b); }
static inline V vmin(V a, V b) { return select((a < b) | (a != a), a, b); }

/* e^-|x| never overflows. sigmoid(x) = 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) below. */
static inline V vsigmoid(V x) {
    V e = vexp(-vabs(x));
    return select(x < K(0), e, K(1)) / (K(1) + e);
}
/* log(1 + e^x). */
static inline V vsoftplus(V x) { return vmax(x, K(0)) + vlog1p(vexp(-vabs(x))); }

#endif
