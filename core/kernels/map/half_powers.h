/* Private. Part of core/kernels/map/formulas.h: x^p where 2p is an integer, of f32. It is made of products, a square root and a
 * quotient in f64, in which no power that short leaves the range, and rounded once: below 0.51 ulp, subnormal numbers too, where
 * a function for all powers has 1.0 and takes three times as long. */
#ifndef TG_CORE_KERNELS_MAP_HALF_POWERS_H
#define TG_CORE_KERNELS_MAP_HALF_POWERS_H

#define LONGEST_POWER 4

INLINE bool is_half_power(double p) {
    return p != 0 && p >= -LONGEST_POWER && p <= LONGEST_POWER && p * 2 == (double)(int)(p * 2);
}

#if defined(NO_VECTORS)
typedef double D;
INLINE D root_of_half(D x) { return sqrt(x); }
INLINE D not_below_0(D x) { return x == -(double)INFINITY ? -x : x + 0; }
#else
INLINE D root_of_half(D x) { return (D)SQRT_F64(x); }
INLINE D not_below_0(D x) {
    return where_set(x == -(double)INFINITY, -x) + where_set(x != -(double)INFINITY, x + 0);
}
#endif

/* scale x^p. A root has no sign at zero, and none at minus infinity. */
INLINE D half_power(D x, double p, double scale) {
    const double size = p < 0 ? -p : p;
    const int whole = (int)size;
    const bool root = whole != size;
    D a = root ? not_below_0(x) : x, y = root ? root_of_half(a) : a;
    for (int i = root ? 0 : 1; i < whole; i++) y = y * a;
    return p < 0 ? scale / y : scale * y;
}

INLINE V scaled_half_power(V x, S p, S scale) {
#if defined(NO_VECTORS)
    return (S)half_power(x, p, scale);
#else
    half_v h[2];
    memcpy(h, &x, sizeof x);
    UNROLL(2)
    for (int i = 0; i < 2; i++)
        h[i] = __builtin_convertvector(half_power(__builtin_convertvector(h[i], D), p, scale), half_v);
    memcpy(&x, h, sizeof x);
    return x;
#endif
}

#endif
