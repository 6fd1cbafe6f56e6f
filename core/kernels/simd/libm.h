/* Private. Part of core/kernels/simd/vector.h: v<name>, libm's function <name> lane by lane: SLEEF's 1.0-ulp forms (tanh
 * 3.5, erfc 1.5, hypot 0.5), and in vectors of f32 an e^x, an e^x - 1, an erf, a tanh, an lgamma, a digamma, and log(1 + t) for t up to 1 of our own. */
#ifndef TG_CORE_KERNELS_SIMD_LIBM_H
#define TG_CORE_KERNELS_SIMD_LIBM_H

#include "core/kernels/map/special.h"

#if TG_HAVE_SLEEF && !defined(NO_VECTORS)
#if defined(TG_COMPILED) /* by a plan, on a machine that need not have the header */
#define DECLARE(function, ...) NATIVE function(__VA_ARGS__);
#else
#include <sleef.h>
#define DECLARE(function, ...)
#endif
#define TG_USE_SLEEF 1
#else
#define TG_USE_SLEEF 0
#endif

/* Functions that the instruction set lacks: one lane at a time. */
#define LANEWISE_1(name, function) \
    INLINE V name(V x) { \
        S lane[W]; \
        vstore(lane, x); \
        for (int i = 0; i < W; i++) lane[i] = (S)function(lane[i]); \
        return vload(lane); \
    }
#define LANEWISE_2(name, function) \
    INLINE V name(V x, V y) { \
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
    DECLARE(SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA), NATIVE) \
    INLINE V v##f(V x) { return (V)SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA)((NATIVE)x); }
#define LIBM_2(f, ulp) \
    DECLARE(SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA), NATIVE, NATIVE) \
    INLINE V v##f(V x, V y) { return (V)SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA)((NATIVE)x, (NATIVE)y); }
/* The plain forms of sin, cos and tan take another path for a whole vector when one lane is large or NaN; these
 * choose lane by lane, so that an element's result does not depend on its neighbours. */
#define SLEEF_LANES_(f, type, isa) Sleef_finz_##f##type##_u10##isa
#define SLEEF_LANES(f, type, isa) SLEEF_LANES_(f, type, isa)
#define CIRCULAR(f) \
    DECLARE(SLEEF_LANES(f, SLEEF_TYPE, SLEEF_ISA), NATIVE) \
    INLINE V v##f(V x) { return (V)SLEEF_LANES(f, SLEEF_TYPE, SLEEF_ISA)((NATIVE)x); }
/* The documented range of a form ends at |x| = `most`, though the function does not: what lies beyond is libm's, lane
 * by lane. */
#define LIBM_1_WITHIN(f, ulp, most) \
    LANEWISE_1(f##_beyond, MATH(f)) \
    DECLARE(SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA), NATIVE) \
    INLINE V f##_within(V x) { return (V)SLEEF_NAME(f, SLEEF_TYPE, ulp, SLEEF_ISA)((NATIVE)x); } \
    INLINE V v##f(V x) { \
        if (__builtin_expect(any_larger(vabs(x), K((S)(most))), 0)) \
            return select(vabs(x) > K((S)(most)), f##_beyond(x), f##_within(x)); \
        return f##_within(x); /* around a call nothing stays in registers */ \
    }
#else
#define CIRCULAR(f) LANEWISE_1(v##f, MATH(f))
#define LIBM_1(f, ulp) LANEWISE_1(v##f, MATH(f))
#define LIBM_1_WITHIN(f, ulp, most) LANEWISE_1(f##_within, MATH(f)) LANEWISE_1(v##f, MATH(f))
#define LIBM_2(f, ulp) LANEWISE_2(v##f, MATH(f))
#endif

#if TG_REAL == 32 && !defined(NO_VECTORS)
#define OWN_EXP 1
#else
#define OWN_EXP 0
#endif
#if OWN_EXP
#include "core/kernels/simd/exp_f32.h"
#else
LIBM_1(exp, u10)
LIBM_1(expm1, u10)
LIBM_1(erf, u10)
LIBM_1(tanh, u35) /* twice the speed of u10 */
#endif
LIBM_1(exp2, u10)
LIBM_1(log, u10)
LIBM_1(log2, u10)
LIBM_1(log10, u10)
LIBM_1_WITHIN(log1p, u10, IN_REAL(1e38, 1e307))
CIRCULAR(sin)
CIRCULAR(cos)
CIRCULAR(tan)
LIBM_1(asin, u10)
LIBM_1(acos, u10)
LIBM_1(atan, u10)
LIBM_1_WITHIN(sinh, u10, IN_REAL(88, 709))
LIBM_1_WITHIN(cosh, u10, IN_REAL(88, 709))
LIBM_1_WITHIN(asinh, u10, IN_REAL(1e19, 1e154))
LIBM_1_WITHIN(acosh, u10, IN_REAL(1e19, 1e154))
LIBM_1(atanh, u10)
LIBM_1(erfc, u15)
LIBM_2(pow, u10)
LIBM_2(atan2, u10)
LIBM_2(hypot, u05)
LANEWISE_2(vfmod, MATH(fmod))
#if OWN_EXP
#include "core/kernels/simd/gamma_f32.h"
#else
LANEWISE_1(vlgamma, tg_scalar_lgamma)
LANEWISE_1(vdigamma, tg_scalar_digamma)
#endif
LANEWISE_1(vtrigamma, tg_scalar_trigamma)
LANEWISE_1(verfinv, tg_scalar_erfinv)

#endif
