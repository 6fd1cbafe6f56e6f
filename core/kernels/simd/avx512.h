/* Private. AVX-512 F, DQ, BW and VL: vectors of 64 bytes, 32 registers, masks of their own. */
#ifndef TG_CORE_KERNELS_SIMD_AVX512_H
#define TG_CORE_KERNELS_SIMD_AVX512_H

#include "core/kernels/simd/real.h"

#include <immintrin.h>

#define VECTOR_BYTES 64
#define SLEEF_ISA avx512f
#if TG_REAL == 32
#define NATIVE __m512
#define SLEEF_TYPE f16
#define X86(f) _mm512_##f##_ps
#define MASK_BITS(m) _mm512_movepi32_mask((__m512i)(m))
#define COMPARE_BITS _mm512_cmp_ps_mask
#else
#define NATIVE __m512d
#define SLEEF_TYPE d8
#define X86(f) _mm512_##f##_pd
#define MASK_BITS(m) _mm512_movepi64_mask((__m512i)(m))
#define COMPARE_BITS _mm512_cmp_pd_mask
#endif
#define ROUND X86(roundscale)
#include "core/kernels/simd/x86.h"

INLINE V select(M m, V a, V b) { return (V)X86(mask_blend)(MASK_BITS(m), (NATIVE)b, (NATIVE)a); }
INLINE bool any(M m) { return MASK_BITS(m) != 0; }
/* No vector is made of the mask. */
INLINE bool any_larger(V a, V b) { return COMPARE_BITS((NATIVE)a, (NATIVE)b, _CMP_GT_OQ) != 0; }
INLINE V a_if_nan(V a, V v) {
    return (V)X86(mask_mov)((NATIVE)v, COMPARE_BITS((NATIVE)a, (NATIVE)a, _CMP_UNORD_Q), (NATIVE)a);
}
INLINE V vmax(V a, V b) { return a_if_nan(a, vlarger(a, b)); }
INLINE V vmin(V a, V b) { return a_if_nan(a, vsmaller(a, b)); }

#define LOAD_FIRST(p, m) X86(maskz_loadu)(MASK_BITS(first(m)), p)
#define SQRT_F64(x) _mm512_sqrt_pd((__m512d)(x))
#define SCALE_BY_POWER(x, n) X86(scalef)((NATIVE)(x), (NATIVE)(n))

/* 14 x 2 sums, 2 vectors of B and an element of A: 31 registers. With one vector a row it is the pointers to rows of A that
 * are scarce: gcc 12 keeps those beyond eight or so in vector registers, which cost more than they save. */
enum { MR_1 = 8, MR_2 = 14 };

#endif
