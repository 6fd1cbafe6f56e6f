/* Private. Part of core/kernels/simd/libm.h: e^x in vectors of f32, and what is quickest made of it. SLEEF's form costs a
 * call a vector, and sums of e^x cannot keep their accumulators in registers around it; both err by less than one ulp.
 */
#ifndef TG_CORE_KERNELS_SIMD_EXP_F32_H
#define TG_CORE_KERNELS_SIMD_EXP_F32_H

/* x 2^n for whole n in [-160, 160]: in two steps, each with a power that is a normal number. */
INLINE V times_power_of_2(V x, V n) {
#if defined(SCALE_BY_POWER)
    return (V)SCALE_BY_POWER(x, n);
#else
    M whole = __builtin_convertvector(n, M), half = whole >> 1;
    return x * (V)((half + 127) << 23) * (V)((whole - half + 127) << 23);
#endif
}

/* p 2^n: an e^x that is not rounded yet. */
typedef struct power {
    V p, n;
} power;
/* t p 2^n, rounded once more even where the power alone would be subnormal. */
INLINE V times_power(V t, power e) { return times_power_of_2(t * e.p, e.n); }
INLINE V of_power(power e) { return times_power_of_2(e.p, e.n); }

/* n, the whole number next to x / log 2, and r = x + rest - n log 2, at most log(2) / 2 in magnitude. */
INLINE V reduced(V x, V rest, V *n) {
    *n = vrint(x * K(1.44269504f));
    V r = vfma(*n, K(-0x1.62e4p-1f), x);
    return vfma(*n, K(-0x1.7f7d1cp-20f), r) + rest;
}
/* (e^r - 1 - r) / r^2 of the polynomial of degree 6 that is nearest to e^r in relative terms: 2^-28. */
INLINE V exp_series(V r) {
    V p = vfma(K(0.00138144673f), r, K(0.00836878067f));
    p = vfma(p, r, K(0.0416683942f));
    p = vfma(p, r, K(0.166665201f));
    return vfma(p, r, K(0.499999934f));
}
/* e^(x + rest) for a small rest, x in [-120, 89]: 2^n e^r. */
INLINE power exp_power(V x, V rest) {
    V n, r = reduced(x, rest, &n), p = exp_series(r);
    p = vfma(p, r, K(1));
    return (power){vfma(p, r, K(1)), n};
}
INLINE V vexp(V x) {
    x = at_least(at_most(x, 89), -105); /* where e^x is infinite and 0 */
    return of_power(exp_power(x, K(-0.0f)));
}
/* e^x - 1 = 2^n ((e^r - 1) + (1 - 2^-n)), where the last term is exact as long as it matters; below -20 it is -1. */
INLINE V vexpm1(V x) {
    V n, r = reduced(at_least(at_most(x, 89), -20), K(-0.0f), &n);
    V less_one = vfma(exp_series(r) * r, r, r), one_less = K(1) - times_power_of_2(K(1), -n);
    return vcopysign(times_power_of_2(less_one + one_less, n), x);
}

/* e = e^(-2|x|) = s e^r, and 1 - e as (1 - s) - s (e^r - 1), whose first term is exact where it matters. */
INLINE V one_less_exp(V x, V *e) {
    V n, r = reduced(at_least(-vabs(x + x), -105), K(-0.0f), &n);
    V less_one = vfma(exp_series(r) * r, r, r), s = times_power_of_2(K(1), n);
    *e = vfma(s, less_one, s);
    return (K(1) - s) - s * less_one;
}
/* tanh(|x|) = (1 - e) / (1 + e), to 2.3 ulp over all of f32. */
INLINE V vtanh(V x) {
    V e, rest = one_less_exp(x, &e);
    return vcopysign(rest / (K(1) + e), x);
}

/* e^(-a x^2). The rounding error of x^2 would be one of the result, 100 times as large where it is e^-100. */
INLINE power gaussian(V x, V a, S most) {
    x = at_most(vabs(x), most); /* where it is 0, also times x^2 */
    V half = -a * x, whole = half * x;
    return exp_power(whole, vfma(half, x, -whole));
}
INLINE power bell(V x) { return gaussian(x, K(0.5f), 15.4f); }

/* Phi(-a) / bell(a), a >= 0, falls slowly from 1/2 as 1/a; its rational approximation on [0, 15] is right to 2^-27, and
 * as all its coefficients are positive, nothing cancels. */
INLINE V tail_ratio(V a) {
    V top = vfma(K(0.00415325436f), a, K(0.0408812875f));
    top = vfma(top, a, K(0.183969605f));
    top = vfma(top, a, K(0.43928405f));
    top = vfma(top, a, K(0.5f));
    V bottom = vfma(K(0.0104105532f), a, K(0.102480308f));
    bottom = vfma(bottom, a, K(0.471409932f));
    bottom = vfma(bottom, a, K(1.2055502f));
    bottom = vfma(bottom, a, K(1.67645311f));
    bottom = vfma(bottom, a, K(1));
    return top / bottom;
}

/* erf(x) = 1 - 2 Phi(-sqrt 2 |x|) loses its leading digits near 0: up to |x| = 1 it is x + x p(x^2), where p is nearest
 * to erf(x)/x - 1 in terms relative to erf, 2^-29. */
INLINE V verf(V x) {
    V t = x * x, a = at_most(vabs(x) * K(1.41421356f), 15);
    V p = vfma(K(7.8538615e-05f), t, K(-0.00080101937f));
    p = vfma(p, t, K(0.0051883277f));
    p = vfma(p, t, K(-0.026853813f));
    p = vfma(p, t, K(0.112835854f));
    p = vfma(p, t, K(-0.37612626f));
    p = vfma(p, t, K(0.12837917f));
    V far = vfma(times_power(tail_ratio(a), bell(a)), K(-2), K(1));
    return select(t < K(1), vfma(p, x, x), vcopysign(far, x));
}

/* log(1 + t), 0 <= t <= 1: t + t^2 q(t), where q is nearest to (log(1 + t) - t) / t^2 in terms relative to the logarithm, 2^-27; to
 * 1.25 ulp. */
INLINE V log1p_of_unit(V t) {
    V q = vfma(K(-0.00332817713f), t, K(0.0202498815f));
    q = vfma(q, t, K(-0.0577530499f));
    q = vfma(q, t, K(0.1068997f));
    q = vfma(q, t, K(-0.153612793f));
    q = vfma(q, t, K(0.196975845f));
    q = vfma(q, t, K(-0.249590489f));
    q = vfma(q, t, K(0.333305607f));
    q = vfma(q, t, K(-0.499999347f));
    return vfma(t * t, q, t);
}

#endif
