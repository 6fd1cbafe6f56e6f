/* Private. The rows of core/kernels/map/unary.def and binary.def as functions of vectors: what the kernels of the table, and the
 * groups that a plan compiles (autograd/plan/emit.c), are made of. */
#ifndef TG_CORE_KERNELS_MAP_EXPRESSIONS_H
#define TG_CORE_KERNELS_MAP_EXPRESSIONS_H

#include "core/kernels/map/formulas.h"

#define TG_UNARY(NAME, X, Y, VALUE, GRADIENT) \
    INLINE V value_##NAME(V x, V p0, V p1) { \
        (void)x, (void)p0, (void)p1; \
        return VALUE; \
    } \
    INLINE V gradient_##NAME(V g, V x, V y, V p0, V p1) { \
        (void)g, (void)x, (void)y, (void)p0, (void)p1; \
        return GRADIENT; \
    }
#include "core/kernels/map/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) \
    INLINE V binary_##NAME(V a, V b, V p0, V p1) { \
        (void)p0, (void)p1; \
        return VALUE; \
    }
#include "core/kernels/map/binary.def"
#undef TG_BINARY
INLINE V value_affine(V x, V scale, V shift) { return x * scale + shift; }
INLINE V value_axpy(V x, V y, V alpha, V unused) {
    (void)unused;
    return y + alpha * x;
}

/* ---- truth values, a byte each in memory: W or the m next from p[i] on ---- */

#if defined(NO_VECTORS)
INLINE M load_truth(const unsigned char *p, int64_t i, int64_t m) { return (void)m, p[i] != 0; }
INLINE void store_truth(unsigned char *p, int64_t i, int64_t m, M v) { (void)m, p[i] = v != 0; }
#else
typedef signed char truth __attribute__((vector_size(W)));
INLINE M load_truth(const unsigned char *p, int64_t i, int64_t m) {
    truth t = {0};
    memcpy(&t, p + i, (size_t)m);
    return __builtin_convertvector(t != 0, M);
}
INLINE void store_truth(unsigned char *p, int64_t i, int64_t m, M v) {
    truth t = __builtin_convertvector(v, truth) & 1;
    memcpy(p + i, &t, (size_t)m);
}
#endif

#endif
