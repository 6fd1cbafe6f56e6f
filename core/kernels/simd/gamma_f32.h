/* Private. Part of core/kernels/simd/libm.h: lgamma and digamma of vectors of f32, half of the lanes at a time in f64, since
 * they have zeros where their terms cancel. What is not positive and finite goes to the functions of one double.
 */
#ifndef TG_CORE_KERNELS_SIMD_GAMMA_F32_H
#define TG_CORE_KERNELS_SIMD_GAMMA_F32_H

typedef double D __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t L __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t U __attribute__((vector_size(VECTOR_BYTES)));
typedef float half_v __attribute__((vector_size(VECTOR_BYTES / 2)));

INLINE D each_d(double c) { return c - (D){0}; }
INLINE D where_set(L m, D v) { return (D)(m & (L)v); } /* 0 elsewhere */

/* log y of a normal number y. y = 2^k m with m in [sqrt(1/2), sqrt 2), and log m = 2 atanh(s) with s = (m - 1) / (m + 1), by
 * the polynomial of FreeBSD's libm: 2^-58. Next to 1, where m - 1 is exact, it is right in relative terms. */
INLINE D log_of_half(D y) {
    static const double c[7] = {0.6666666666666735,  0.3999999999940942, 0.2857142874366239,
                                0.22222198432149784, 0.1818357216161805, 0.15313837699209373,
                                0.14798198605116586};
    const int64_t root = INT64_C(0x3fe6a09e667f3bcd), bias = 1024;
    L k = (L)((U)((L)y - root + (bias << 52)) >> 52); /* + bias */
    D m = (D)((L)y - ((k - bias) << 52)), n = (D)(k | INT64_C(0x4330000000000000)) - (0x1p52 + 1024);
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

/* log gamma(2 + z) = z (1 - gamma + sum (zeta(k) - 1) / k (-z)^(k-1)), |z| <= 1/2: 2^-32 of it. */
INLINE D lgamma_next_to_2(D z) {
    static const double c[14] = {0.42278433509846713,    0.3224670334241132,     -0.0673523010531981,
                                 0.020580808427784546,   -0.007385551028673986,  0.0028905103307415234,
                                 -0.001192753911703261,  0.0005096695247430425,  -0.00022315475845357939,
                                 9.945751278180853e-05,  -4.492623673813314e-05, 2.050721277567069e-05,
                                 -9.439488275268397e-06, 4.374866789907488e-06};
    D p = each_d(c[13]);
    UNROLL(16)
    for (int i = 12; i >= 0; i--) p = p * z + c[i];
    return z * p;
}

/* Which of the two ways of lgamma the lanes of a vector need. */
typedef struct zones {
    bool near, far;
} zones;

static const double lgamma_terms[5] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188};

/* From 8 on (y - 1/2) log y - y + log(2 pi)/2 + sum B_2k / (2k (2k - 1) y^(2k-1)); below, that of x + 8 less
 * log(x (x + 1) .. (x + 7)). Around the zeros, in [1/2, 5/2), by the series about 2, of x + 1 less log x up to 3/2. */
INLINE D lgamma_far(D x) {
    L low = x < 8;
    D in = where_set(low, x) + where_set(~low, each_d(1)), u = in * (in + 7);
    D product = (u * (u + 12)) * ((u + 6) * (u + 10));
    D y = x + where_set(low, each_d(8)), r = 1 / y, t = r * r, p = each_d(lgamma_terms[4]);
    UNROLL(4)
    for (int i = 3; i >= 0; i--) p = p * t + lgamma_terms[i];
    return ((y - 0.5) * log_of_half(y) - y) + (0.9189385332046727 + r * p) -
           where_set(low, log_of_half(product));
}
INLINE D lgamma_near(D x) {
    L upper = x >= 1.5;
    D less = where_set(~upper, log_of_half(x));
    return lgamma_next_to_2(x - 1 - where_set(upper, each_d(1))) - less;
}
/* What no lane needs is not computed. */
INLINE D lgamma_of_half(D x, zones z) {
    L near = (x >= 0.5) & (x < 2.5);
    D y = each_d(0);
    if (z.near) y = where_set(near, lgamma_near(where_set(near, x) + where_set(~near, each_d(2))));
    if (z.far) y += where_set(~near, lgamma_far(x));
    return y;
}

/* psi(x) = psi(x + 8) - that, and from 8 on log y - 1/(2y) - sum B_2k / (2k y^2k). */
INLINE D digamma_of_half(D x, zones z) {
    (void)z;
    static const double b[9] = {1.0 / 12,       -1.0 / 120, 1.0 / 252,      -1.0 / 240,     1.0 / 132,
                                -691.0 / 32760, 1.0 / 12,   -3617.0 / 8160, 43867.0 / 14364};
    L low = x < 8;
    D sum = where_set(low, eight_reciprocals(where_set(low, x) + where_set(~low, each_d(8))));
    D y = x + where_set(low, each_d(8)), r = 1 / y, t = r * r, p = each_d(b[8]);
    UNROLL(8)
    for (int i = 7; i >= 0; i--) p = p * t + b[i];
    return ((log_of_half(y) - 0.5 * r) - t * p) - sum;
}

/* f of positive finite lanes, `beyond` of the others. */
INLINE V of_positive(V x, D (*f)(D, zones), V (*beyond)(V)) {
    M within = both(x > K(0), x <= K(0x1.fffffep127f));
    V y = select(within, x, K(1));
    M near = both(y >= K(0.5f), y < K(2.5f));
    const zones z = {any(near), any(~near)};
    half_v h[2];
    memcpy(h, &y, sizeof y);
    UNROLL(2)
    for (int i = 0; i < 2; i++)
        h[i] = __builtin_convertvector(f(__builtin_convertvector(h[i], D), z), half_v);
    memcpy(&y, h, sizeof y);
    if (__builtin_expect(any(~within), 0)) y = select(within, y, beyond(x));
    return y;
}
LANEWISE_1(digamma_beyond, tg_scalar_digamma)
INLINE V vdigamma(V x) { return of_positive(x, digamma_of_half, digamma_beyond); }
LANEWISE_1(lgamma_beyond, tg_scalar_lgamma)
INLINE V vlgamma(V x) { return of_positive(x, lgamma_of_half, lgamma_beyond); }

#endif
