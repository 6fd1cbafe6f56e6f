/* Private. Neon of AArch64: vectors of 16 bytes, 32 registers. */
#ifndef TG_CORE_KERNELS_SIMD_NEON_H
#define TG_CORE_KERNELS_SIMD_NEON_H

#include "core/kernels/simd/real.h"

#include <arm_neon.h>

#define VECTOR_BYTES 16
#define SLEEF_ISA advsimd
#if TG_REAL == 32
#define NATIVE float32x4_t
#define SLEEF_TYPE f4
#define NEON(f) f##q_f32
#define MASK uint32x4_t
#else
#define NATIVE float64x2_t
#define SLEEF_TYPE d2
#define NEON(f) f##q_f64
#define MASK uint64x2_t
#endif
#define VECTOR_REGISTER "w"
#include "core/kernels/simd/vector_type.h"

INLINE V select(M m, V a, V b) { return (V)NEON(vbsl)((MASK)m, (NATIVE)a, (NATIVE)b); }
INLINE bool any(M m) { return vmaxvq_u32((uint32x4_t)m) != 0; }
INLINE bool any_larger(V a, V b) { return any(a > b); }
INLINE V vlarger(V a, V b) { return (V)NEON(vmax)((NATIVE)a, (NATIVE)b); }
INLINE V vmax(V a, V b) { return select((a > b) | (a != a), a, b); }
INLINE V vmin(V a, V b) { return select((a < b) | (a != a), a, b); }
INLINE V at_most(V x, S c) { return (V)NEON(vmin)((NATIVE)x, (NATIVE)K(c)); }
INLINE V at_least(V x, S c) { return (V)NEON(vmax)((NATIVE)x, (NATIVE)K(c)); }
#define SQRT_F64(x) vsqrtq_f64((float64x2_t)(x))
INLINE V vsqrt(V x) { return (V)NEON(vsqrt)((NATIVE)x); }
INLINE V vfma(V a, V b, V c) { return (V)NEON(vfma)((NATIVE)c, (NATIVE)a, (NATIVE)b); }
INLINE V vfloor(V x) { return (V)NEON(vrndm)((NATIVE)x); }
INLINE V vceil(V x) { return (V)NEON(vrndp)((NATIVE)x); }
INLINE V vtrunc(V x) { return (V)NEON(vrnd)((NATIVE)x); }
INLINE V vrint(V x) { return (V)NEON(vrndn)((NATIVE)x); }

/* 14 x 2 sums, 2 vectors of B and an element of A: 31 registers. */
enum { MR_1 = 14, MR_2 = 14 };

#endif
