/* Private. What the vectors of x86 have in common. The header of an instruction set defines X86(f), its intrinsic f for
 * the real type, and ROUND, the one that rounds. */
#ifndef TG_CORE_KERNELS_SIMD_X86_H
#define TG_CORE_KERNELS_SIMD_X86_H

#include "core/kernels/simd/vector_type.h"

#define VECTOR_REGISTER "v"

INLINE V vsqrt(V x) { return (V)X86(sqrt)((NATIVE)x); }
INLINE V vfma(V a, V b, V c) { return (V)X86(fmadd)((NATIVE)a, (NATIVE)b, (NATIVE)c); }
INLINE V vfloor(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
INLINE V vceil(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
INLINE V vtrunc(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
INLINE V vrint(V x) { return (V)ROUND((NATIVE)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* The instructions give their second operand where one of the two is NaN, and of equal ones. */
INLINE V vlarger(V a, V b) { return (V)X86(max)((NATIVE)a, (NATIVE)b); }
INLINE V vsmaller(V a, V b) { return (V)X86(min)((NATIVE)a, (NATIVE)b); }
INLINE V at_most(V x, S c) { return vsmaller(K(c), x); }
INLINE V at_least(V x, S c) { return vlarger(K(c), x); }

#endif
