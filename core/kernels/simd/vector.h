/* Private. What every kernel is written in: vectors of one real type in one instruction set. The build compiles
 * core/kernels/simd/kernel_set.c once for each with TG_ISA (avx2), TG_ISA_HEADER ("core/kernels/simd/avx2.h") and TG_REAL.
 *
 *   S, V, M       the real type; a vector of W of them, whose places are its lanes; a mask, one integer a lane
 *   K(c)          a vector with c in every lane; lane0(v) the number in the first
 *   select(m,a,b) a where the mask is set, b elsewhere; both(m,n) and either(m,n) combine masks
 *   any(m)        whether the mask is set in some lane; any_larger(a,b) the same of a > b
 *   vmax, vmin    NaN where either is NaN; of equal ones b
 *   vlarger(a,b)  the larger of two numbers, either of them where one is NaN
 *   at_most(x,c), at_least(x,c)   x bounded by a number c; x where it is NaN
 *   vfma(a,b,c)   a b + c, rounded once (by the reference twice)
 *   vabs, vcopysign, vsqrt, vfloor, vceil, vtrunc, vrint    as libm's
 *   first(m)      the mask of the first m lanes
 *
 * are what the header of an instruction set defines, most of it by way of core/kernels/simd/vector_type.h; further
 *
 *   MR_1, MR_2    rows of a register tile with one vector a row and with two (core/kernels/gemm/micro_kernel.h)
 *   SLEEF_TYPE, SLEEF_ISA              in SLEEF's names of functions
 *   LOAD_FIRST(p, m), SCALE_BY_POWER(x, n)   optional: the first m elements at p; x 2^n
 *   VECTOR_REGISTER                    optional: the letter of a vector register in inline assembly
 *
 * This header and those it includes make the rest of them, the same for every instruction set.
 */
#ifndef TG_CORE_KERNELS_SIMD_VECTOR_H
#define TG_CORE_KERNELS_SIMD_VECTOR_H

#include TG_ISA_HEADER

#include "core/kernels/simd/strided.h"

#define V_LANES (VECTOR_BYTES * 8 / TG_REAL) /* W, for the preprocessor */

INLINE M both(M m, M n) { return m & n; }
INLINE M either(M m, M n) { return m | n; }

/* v is computed here, before what is loaded below. Clang would load all that a tile multiplies before its first sum, and
 * have no registers left for the sums. */
INLINE void settle(V *v) {
#if defined(__clang__) && defined(VECTOR_REGISTER)
    __asm__ volatile("" : "+" VECTOR_REGISTER(*v) : : "memory");
#else
    (void)v;
#endif
}

/* v is loaded once: gcc would give each instruction that uses it a load of its own. */
INLINE void keep_loaded(V *v) {
#if defined(VECTOR_REGISTER)
    __asm__("" : "+" VECTOR_REGISTER(*v));
#else
    (void)v;
#endif
}

/* ---- memory ---- */

INLINE V vload(const S *p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void vstore(S *p, V v) { memcpy(p, &v, sizeof v); }

/* 1 <= m <= W elements s apart. The lanes behind them repeat the first, so that they raise nothing new. */
INLINE V vload_part(const S *p, int64_t s, int64_t m) {
    if (m == 1 || s == 0) return K(*p);
#if defined(LOAD_FIRST)
    if (s == 1) return select(first(m), (V)LOAD_FIRST(p, m), K(*p));
#endif
    S lane[W];
    for (int i = 0; i < W; i++) lane[i] = *p;
    PASTE(tg_collect_, REAL_SUFFIX)(lane, p, s, m);
    return vload(lane);
}
INLINE void vstore_part(S *p, int64_t s, int64_t m, V v) {
    S lane[W], *from = lane;
    if (m == 1) {
        *p = lane0(v);
        return;
    }
    vstore(lane, v);
    if (s != 1 || m == W) {
        PASTE(tg_spread_, REAL_SUFFIX)(p, lane, s, m);
        return;
    }
    for (int h = W / 2; h > 0; h /= 2) {
        if (!(m & h)) continue;
        memcpy(p, from, (size_t)h * sizeof(S));
        p += h, from += h;
    }
}

INLINE int64_t lanes_left(int64_t n) { return n < W ? n : W; }

/* m numbers from p[i] on. */
INLINE V load(const S *p, int64_t i, int64_t m) { return m == W ? vload(p + i) : vload_part(p + i, 1, m); }
INLINE void store(S *p, int64_t i, int64_t m, V v) {
    if (m == W)
        vstore(p + i, v);
    else
        vstore_part(p + i, 1, m, v);
}

#include "core/kernels/simd/shuffle.h"

#include "core/kernels/simd/libm.h"

#endif
