/* Private. Part of core/kernels/traits.h: e^x in vectors of f32, and what is quickest made of it. SLEEF's form costs a
 * call a vector, and sums of e^x cannot keep their accumulators in registers around it; both err by less than one ulp.
 */
#ifndef TG_CORE_KERNELS_EXP_F32_H
#define TG_CORE_KERNELS_EXP_F32_H

/* x where it is NaN. */
#if defined(TG_ISA_NEON)
INLINE V at_most(V x, S c) { return (V)vminq_f32((NATIVE)x, (NATIVE)K(c)); }
INLINE V at_least(V x, S c) { return (V)vmaxq_f32((NATIVE)x, (NATIVE)K(c)); }
#else
INLINE V at_most(V x, S c) { return (V)X86(min)((NATIVE)K(c), (NATIVE)x); }
INLINE V at_least(V x, S c) { return (V)X86(max)((NATIVE)K(c), (NATIVE)x); }
#endif

/* x 2^n for whole n in [-160, 160]: in two steps, each with a power that is a normal number. */
INLINE V times_power_of_2(V x, V n) {
#if defined(TG_ISA_AVX512)
    return (V)_mm512_scalef_ps((NATIVE)x, (NATIVE)n);
#else
    M whole = __builtin_convertvector(n, M), half = whole >> 1;
    return x * (V)((half + 127) << 23) * (V)((whole - half + 127) << 23);
#endif
}

/* e^(x + rest) for a small rest, x in [-120, 89]. With n the whole number next to x / log 2 and r = x - n log 2, at
 * most log(2) / 2 in magnitude, e^x = 2^n e^r. The polynomial is the one of degree 6 that is nearest to e^r in
 * relative terms: 2^-28. */
INLINE V exp_sum(V x, V rest) {
    V n = vrint(x * K(1.44269504f));
    V r = vfma(n, K(-0x1.62e4p-1f), x);
    r = vfma(n, K(-0x1.7f7d1cp-20f), r) + rest;
    V p = vfma(K(0.00138144673f), r, K(0.00836878067f));
    p = vfma(p, r, K(0.0416683942f));
    p = vfma(p, r, K(0.166665201f));
    p = vfma(p, r, K(0.499999934f));
    p = vfma(p, r, K(1));
    p = vfma(p, r, K(1));
    return times_power_of_2(p, n);
}
INLINE V vexp(V x) {
    x = at_least(at_most(x, 89), -105); /* where e^x is infinite and 0 */
    return exp_sum(x, K(-0.0f));
}

/* e^(-x^2/2). The rounding error of x^2 would be one of the result, 50 times as large at |x| = 10. */
INLINE V bell(V x) {
    x = at_most(vabs(x), 15); /* where it is 0 */
    V half = x * K(-0.5f), power = half * x;
    return exp_sum(power, vfma(half, x, -power));
}

/* Phi(x), given e = bell(x). Phi(-a) = bell(a) P(a), where P falls slowly from 1/2 as 1/a; its rational approximation
 * on [0, 15] is right to 2^-27, and as all its coefficients are positive, nothing cancels. */
INLINE V cdf_of(V x, V e) {
    V a = at_most(vabs(x), 15);
    V top = vfma(K(0.00415325436f), a, K(0.0408812875f));
    top = vfma(top, a, K(0.183969605f));
    top = vfma(top, a, K(0.43928405f));
    top = vfma(top, a, K(0.5f));
    V bottom = vfma(K(0.0104105532f), a, K(0.102480308f));
    bottom = vfma(bottom, a, K(0.471409932f));
    bottom = vfma(bottom, a, K(1.2055502f));
    bottom = vfma(bottom, a, K(1.67645311f));
    bottom = vfma(bottom, a, K(1));
    V tail = e * top / bottom;
    return select(x > K(0), K(1) - tail, tail);
}

/* erf(x) = 1 - 2 Phi(-sqrt 2 x) loses its leading digits near 0: up to |x| = 1 it is x + x p(x^2), where p is nearest
 * to erf(x)/x - 1 in terms relative to erf, 2^-29. */
INLINE V verf(V x) {
    V t = x * x, a = vabs(x) * K(-1.41421356f);
    V p = vfma(K(7.8538615e-05f), t, K(-0.00080101937f));
    p = vfma(p, t, K(0.0051883277f));
    p = vfma(p, t, K(-0.026853813f));
    p = vfma(p, t, K(0.112835854f));
    p = vfma(p, t, K(-0.37612626f));
    p = vfma(p, t, K(0.12837917f));
    return select(t < K(1), vfma(p, x, x), vcopysign(vfma(cdf_of(a, bell(a)), K(-2), K(1)), x));
}

#endif
