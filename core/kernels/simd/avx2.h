/* Private. AVX2 with FMA: vectors of 32 bytes, 16 registers. */
#ifndef TG_CORE_KERNELS_SIMD_AVX2_H
#define TG_CORE_KERNELS_SIMD_AVX2_H

#include "core/kernels/simd/real.h"

#include <immintrin.h>

#define VECTOR_BYTES 32
#define SLEEF_ISA avx2
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
#include "core/kernels/simd/x86.h"

INLINE V select(M m, V a, V b) { return (V)X86(blendv)((NATIVE)b, (NATIVE)a, (NATIVE)m); }
INLINE bool any(M m) { return X86(movemask)((NATIVE)m) != 0; }
INLINE bool any_larger(V a, V b) { return any(a > b); }
INLINE V vmax(V a, V b) { return select(a != a, a, vlarger(a, b)); }
INLINE V vmin(V a, V b) { return select(a != a, a, vsmaller(a, b)); }

#define LOAD_FIRST(p, m) X86(maskload)(p, (__m256i)first(m))
#define SQRT_F64(x) _mm256_sqrt_pd((__m256d)(x))

/* 6 x 2 sums, 2 vectors of B and an element of A: 15 registers. */
enum { MR_1 = 12, MR_2 = 6 };

#endif
