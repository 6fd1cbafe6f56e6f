/* Private. The plain C reference: a vector is one number. It fills every entry of the table on any machine, and the tests
 * hold the other instruction sets to it. */
#ifndef TG_CORE_KERNELS_SIMD_REF_H
#define TG_CORE_KERNELS_SIMD_REF_H

#define NO_VECTORS 1
#include "core/kernels/simd/real.h"

#define VECTOR_BYTES (TG_REAL / 8)

enum { W = 1 };

typedef S V;
typedef int M;

INLINE V K(S c) { return c; }
INLINE S lane0(V v) { return v; }
INLINE M first(int64_t m) { return m > 0; }
INLINE V select(M m, V a, V b) { return m ? a : b; }
INLINE bool any(M m) { return m; }
INLINE bool any_larger(V a, V b) { return a > b; }
INLINE V vlarger(V a, V b) { return a > b ? a : b; }
INLINE V vmax(V a, V b) { return a > b || a != a ? a : b; }
INLINE V vmin(V a, V b) { return a < b || a != a ? a : b; }
INLINE V at_most(V x, S c) { return c < x ? c : x; }
INLINE V at_least(V x, S c) { return c > x ? c : x; }
INLINE V vabs(V x) { return MATH(fabs)(x); }
INLINE V vcopysign(V x, V sign) { return MATH(copysign)(x, sign); }
INLINE V vsqrt(V x) { return MATH(sqrt)(x); }
INLINE V vfma(V a, V b, V c) { return a * b + c; }
INLINE V vfloor(V x) { return MATH(floor)(x); }
INLINE V vceil(V x) { return MATH(ceil)(x); }
INLINE V vtrunc(V x) { return MATH(trunc)(x); }
INLINE V vrint(V x) { return MATH(rint)(x); }

enum { MR_1 = 4, MR_2 = 4 };

#endif
