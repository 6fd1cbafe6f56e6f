/* Private. Part of core/kernels/simd/libm.h: the digamma function of vectors of f32, half of the lanes at a time in f64, since it
 * has a zero where its terms cancel. The formulas are those of tg_scalar_digamma; what is not positive and finite goes there.
 */
#ifndef TG_CORE_KERNELS_SIMD_DIGAMMA_F32_H
#define TG_CORE_KERNELS_SIMD_DIGAMMA_F32_H

typedef double D __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t L __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t U __attribute__((vector_size(VECTOR_BYTES)));
typedef float half_v __attribute__((vector_size(VECTOR_BYTES / 2)));

INLINE D each_d(double c) { return c - (D){0}; }
INLINE D where_set(L m, D v) { return (D)(m & (L)v); } /* 0 elsewhere */

/* log y for y >= 1. y = 2^k m with m in [sqrt(1/2), sqrt 2), and log m = 2 atanh(s) with s = (m - 1) / (m + 1), by the
 * polynomial of FreeBSD's libm: 2^-58. */
INLINE D log_of_half(D y) {
    static const double c[7] = {0.6666666666666735,  0.3999999999940942, 0.2857142874366239,
                                0.22222198432149784, 0.1818357216161805, 0.15313837699209373,
                                0.14798198605116586};
    L k = (L)((U)((L)y - INT64_C(0x3fe6a09e667f3bcd)) >> 52);
    D m = (D)((L)y - (k << 52)), n = (D)(k | INT64_C(0x4330000000000000)) - 0x1p52;
    D s = (m - 1) / (m + 1), q = s * s, p = each_d(c[6]);
    UNROLL(8)
    for (int i = 5; i >= 0; i--) p = p * q + c[i];
    return n * 0.6931471803691238 + ((s + s) + (s * (q * p) + n * 1.9082149292705877e-10));
}

/* 1/x + 1/(x + 1) + .. + 1/(x + 7), the first with the last, and so on: with u = x (x + 7) the pairs are
 * (2x + 7) / u, .. / (u + 6), .. / (u + 10), .. / (u + 12). */
INLINE D eight_reciprocals(D x) {
    D u = x * (x + 7), outer = u * (u + 12), inner = (u + 6) * (u + 10);
    D top = (u + u + 12) * inner + (u + u + 16) * outer;
    return (x + x + 7) * top / (outer * inner);
}

/* psi(x) = psi(x + 8) - that, and from 8 on log y - 1/(2y) - sum B_2k / (2k y^2k). */
INLINE D digamma_of_half(D x) {
    static const double b[9] = {1.0 / 12,       -1.0 / 120, 1.0 / 252,      -1.0 / 240,     1.0 / 132,
                                -691.0 / 32760, 1.0 / 12,   -3617.0 / 8160, 43867.0 / 14364};
    L low = x < 8;
    D sum = where_set(low, eight_reciprocals(where_set(low, x) + where_set(~low, each_d(8))));
    D y = x + where_set(low, each_d(8)), r = 1 / y, t = r * r, p = each_d(b[8]);
    UNROLL(8)
    for (int i = 7; i >= 0; i--) p = p * t + b[i];
    return ((log_of_half(y) - 0.5 * r) - t * p) - sum;
}

LANEWISE_1(digamma_beyond, tg_scalar_digamma)
INLINE V vdigamma(V x) {
    M within = both(x > K(0), x <= K(0x1.fffffep127f));
    V y = select(within, x, K(1));
    half_v h[2];
    memcpy(h, &y, sizeof y);
    UNROLL(2)
    for (int i = 0; i < 2; i++)
        h[i] = __builtin_convertvector(digamma_of_half(__builtin_convertvector(h[i], D)), half_v);
    memcpy(&y, h, sizeof y);
    if (__builtin_expect(any(~within), 0)) y = select(within, y, digamma_beyond(x));
    return y;
}

#endif
