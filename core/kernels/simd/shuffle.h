/* Private. Part of core/kernels/simd/vector.h: lanes that change places, by the compilers' own shuffle of two vectors. */
#ifndef TG_CORE_KERNELS_SIMD_SHUFFLE_H
#define TG_CORE_KERNELS_SIMD_SHUFFLE_H

#if defined(NO_VECTORS)

INLINE V even_lanes(V a, V b) { return (void)b, a; }
INLINE V odd_lanes(V a, V b) { return (void)a, b; }
INLINE void vtranspose(V x[W]) { (void)x; }
INLINE S across(V v, V (*f)(V, V)) { return (void)f, v; }

#else

/* Lane l of SHUFFLE(a, b, F, h) is number F(l, h) of the lanes of a and then of b. */
#define SHUFFLE(a, b, F, h) __builtin_shufflevector(a, b, EACH_LANE(F, h))
#define LANES_2(F, h) F(0, h), F(1, h)
#define LANES_4(F, h) LANES_2(F, h), F(2, h), F(3, h)
#define LANES_8(F, h) LANES_4(F, h), F(4, h), F(5, h), F(6, h), F(7, h)
#define LANES_16(F, h) \
    LANES_8(F, h), F(8, h), F(9, h), F(10, h), F(11, h), F(12, h), F(13, h), F(14, h), F(15, h)
#if V_LANES == 16
#define EACH_LANE LANES_16
#elif V_LANES == 8
#define EACH_LANE LANES_8
#elif V_LANES == 4
#define EACH_LANE LANES_4
#else
#define EACH_LANE LANES_2
#endif

/* Of the 2 W numbers a, b: those with even places, and those with odd ones. */
#define EVEN(l, h) (2 * (l))
#define ODD(l, h) (2 * (l) + 1)
INLINE V even_lanes(V a, V b) { return SHUFFLE(a, b, EVEN, 0); }
INLINE V odd_lanes(V a, V b) { return SHUFFLE(a, b, ODD, 0); }

/* Lane j of x[i] and lane i of x[j] change places: bit h of the number of a row is exchanged with bit h of the number of
 * a lane, for one bit after the other. */
#define UPPER(l, h) ((l) & (h) ? W + (l) - (h) : (l))
#define LOWER(l, h) ((l) & (h) ? W + (l) : (l) + (h))
#define EXCHANGE(x, h) \
    UNROLL(16) for (int i = 0; i < W; i++) { \
        if (i & (h)) continue; \
        V a = x[i], b = x[(i + (h)) % W]; \
        x[i] = SHUFFLE(a, b, UPPER, h); \
        x[(i + (h)) % W] = SHUFFLE(a, b, LOWER, h); \
    }
INLINE void vtranspose(V x[W]) {
    EXCHANGE(x, 1)
#if V_LANES > 2
    EXCHANGE(x, 2)
#endif
#if V_LANES > 4
    EXCHANGE(x, 4)
#endif
#if V_LANES > 8
    EXCHANGE(x, 8)
#endif
}

/* f over all lanes, by halves: lane i with lane i + W/2, then with lane i + W/4, ... */
#define OTHER_HALF(l, h) ((l) ^ (h))
INLINE S across(V v, V (*f)(V, V)) {
#if V_LANES > 8
    v = f(v, SHUFFLE(v, v, OTHER_HALF, 8));
#endif
#if V_LANES > 4
    v = f(v, SHUFFLE(v, v, OTHER_HALF, 4));
#endif
#if V_LANES > 2
    v = f(v, SHUFFLE(v, v, OTHER_HALF, 2));
#endif
    return lane0(f(v, SHUFFLE(v, v, OTHER_HALF, 1)));
}

#endif

#endif
