/* Private. A vector of VECTOR_BYTES bytes and its masks, from the compilers' own vector types: + - * / and comparisons
 * are operators. The header of an instruction set defines VECTOR_BYTES and NATIVE, the type of its intrinsics, and
 * includes this. */
#ifndef TG_CORE_KERNELS_SIMD_VECTOR_TYPE_H
#define TG_CORE_KERNELS_SIMD_VECTOR_TYPE_H

#include "core/kernels/simd/real.h"

enum { W = VECTOR_BYTES / (int)sizeof(S) };

typedef IN_REAL(int32_t, int64_t) I;
typedef S V __attribute__((vector_size(VECTOR_BYTES)));
typedef I M __attribute__((vector_size(VECTOR_BYTES)));
#define SIGN_BIT ((I)((uint64_t)1 << (TG_REAL - 1)))

INLINE M bits(I c) { return c - (M){0}; }
INLINE V K(S c) { return c - (V){0}; }
INLINE S lane0(V v) { return v[0]; }
INLINE V vabs(V x) { return (V)((M)x & bits(~SIGN_BIT)); }
INLINE V vcopysign(V x, V sign) { return (V)(((M)x & bits(~SIGN_BIT)) | ((M)sign & bits(SIGN_BIT))); }

/* The first m lanes, 0 <= m <= W. */
INLINE M first(int64_t m) {
    static const I number[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    M lane;
    memcpy(&lane, number, sizeof lane);
    return lane < bits((I)m);
}

#endif
