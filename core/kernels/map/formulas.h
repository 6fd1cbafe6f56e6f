/* Private. What the rows of core/kernels/map/unary.def and binary.def are made of, in the terms of core/kernels/simd/vector.h.
 *
 * A tail such as x e^x is representable where e^x alone is not: a `power` is an e^x that is multiplied before it is
 * rounded. Arguments are bounded where the result has reached its limit, so that no infinity meets a zero.
 */
#ifndef TG_CORE_KERNELS_MAP_FORMULAS_H
#define TG_CORE_KERNELS_MAP_FORMULAS_H

#include "core/kernels/simd/vector.h"

#include <float.h>

/* a b - p, exactly, where p is the rounded product. */
INLINE V product_rest(V a, V b, V p) {
#if defined(NO_VECTORS)
    return MATH(fma)(a, b, -p);
#else
    return vfma(a, b, -p);
#endif
}

#define NOTHING K((S)-0.0) /* which compilers add in no time: x + 0 is another x where it is -0 */

#if !OWN_EXP
/* p times e^-SHIFT or 1. */
typedef struct power {
    V p, n;
} power;
#define SHIFT IN_REAL(32, 64)
#define POWER_OF_SHIFT K((S)IN_REAL(1.2664165549094176e-14, 1.6038108905486378e-28))
INLINE V times_power(V t, power e) { return t * e.p * e.n; }
INLINE V of_power(power e) { return e.p * e.n; }
/* e^(x + rest) for a small rest, x at least -120 in f32. x + SHIFT is exact. */
INLINE power exp_power(V x, V rest) {
    M low = x < K(IN_REAL(-80, -700));
    V e = vexp(select(low, x + K(SHIFT), x));
    return (power){e + e * rest, select(low, POWER_OF_SHIFT, K(1))};
}
/* e^(-a x^2), x at most `most` */
INLINE power gaussian(V x, V a, S most) {
    x = at_most(vabs(x), most);
    return exp_power(-a * x * x, NOTHING);
}
INLINE power bell(V x) { return gaussian(x, K((S)0.5), IN_REAL(15, 39)); }
#endif

INLINE V bounded(V x, S most) { return at_least(at_most(x, most), -most); }
/* Where e^(-a x^2) is 0, also times a x^2, for a up to 2^30. */
INLINE S gaussian_end(V a) { return lane0(vsqrt(K(IN_REAL(118, 760)) / a)); }

#define PI ((S)3.14159265358979323846)
#define ROOT_HALF ((S)0.70710678118654752440)
#define ROOT_HALF_REST K((S)IN_REAL(1.210161710447897e-08, -4.833646656726457e-17)) /* what S cuts off */
#define BELL_AT_0 K((S)0.39894228040143267794)                                      /* 1/sqrt(2 pi) */
#define SELU_SCALE K((S)1.0507009873554804934193349852946)
#define SELU_ALPHA K((S)1.6732632423543772848170429916717)

/* ---- sigmoid(x) = 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) below: e^-|x| never overflows ---- */

INLINE V vsigmoid(V x) {
    V e = vexp(-vabs(x));
    return select(x < K(0), e, K(1)) / (K(1) + e);
}
/* sigmoid'(x) = sigmoid(x) sigmoid(-x) = e / (1 + e)^2 */
INLINE V sigmoid_slope(V x) {
    V e = vexp(-vabs(x)), r = K(1) / (K(1) + e);
    return e * r * r;
}
/* sigmoid''(x) = -sigmoid'(x) tanh(x/2), where tanh(|x|/2) = (1 - e) / (1 + e) */
INLINE V sigmoid_curvature(V x) {
    V e = vexp(-vabs(x)), r = K(1) / (K(1) + e);
    return e * r * r * -vcopysign(vexpm1(-vabs(x)) * r, x);
}
/* tanh'(x) = 4 sigmoid'(2x) */
INLINE V tanh_slope(V x) { return K(4) * sigmoid_slope(x + x); }
/* y = sigmoid(x) or tanh(x), what |y| lacks to 1, and dy/dx: of e^-|x|, for y may have rounded to 1. */
typedef struct curve {
    V y, rest, slope;
} curve;
INLINE curve sigmoid_curve(V x) {
    V e = vexp(-vabs(x)), r = K(1) / (K(1) + e);
    M left = x < K(0);
    return (curve){select(left, e, K(1)) * r, select(left, K(1), e) * r, e * r * r};
}
INLINE curve tanh_curve(V x) {
#if OWN_EXP
    V e, rest = one_less_exp(x, &e), q = K(1) / (K(1) + e), y = rest * q;
#else
    V e = vexp(-vabs(x + x)), q = K(1) / (K(1) + e), y = vtanh(x);
#endif
    return (curve){vcopysign(y, x), (e + e) * q, K(4) * e * q * q};
}
/* h - t.y, of which the digits may be those of t.rest */
INLINE V less_tanh(V h, curve t) {
    V one = vcopysign(K(1), t.y), rest = vcopysign(t.rest, t.y);
    return select(t.rest < K((S)0.5), (h - one) + rest, h - t.y);
}
#if !OWN_EXP
INLINE V log1p_of_unit(V t) { return log1p_within(t); }
#endif
/* log(1 + e^x) */
INLINE V vsoftplus(V x) { return vmax(x, K(0)) + log1p_of_unit(vexp(-vabs(x))); }
/* log(1 + e^(beta x)) / beta, which for a small beta may be representable where e^(beta x) is not. */
INLINE V softplus_beta(V x, V beta) {
    V t = x * beta, y = vsoftplus(t) / beta;
    if (__builtin_expect(any_larger(K((S)0x1p-6), vabs(beta)), 0)) {
        V q = vexp(t * K((S)0.25));
        y = select(t < K(IN_REAL(-80, -700)), q / beta * q * q * q, y);
    }
    return y;
}

/* y = x sigmoid(v), where v has the sign of x: max(x, 0) - a sigmoid(-|v|), a = |x|, e = e^-|v|; and dy/dx, which is s on
 * the left and 1 - s on the right, s = sigmoid(-|v|) (1 - t sigmoid(|v|)), t = a dv/dx. */
INLINE V gated(V x, V a, power e) { return at_least(x, (S)-0.0) - times_power(a / (K(1) + of_power(e)), e); }
INLINE V gated_slope(V x, V t, power e) {
    V r = K(1) / (K(1) + of_power(e)), s = times_power(r * (K(1) - t * r), e);
    return select(x > K(0), K(1) - s, s);
}
INLINE V silu_bounded(V x) { return at_most(vabs(x), IN_REAL(120, 800)); }
INLINE V vsilu(V x) {
    V a = silu_bounded(x);
    return gated(x, a, exp_power(-a, NOTHING));
}
INLINE V silu_slope(V x) {
    V a = silu_bounded(x);
    return gated_slope(x, a, exp_power(-a, NOTHING));
}

/* x (1 + tanh u) / 2 = x sigmoid(2u). e^(2u) multiplies the rounding errors of 2u by 2u, which is 100 in the tail: they
 * are carried along, in `rest`. */
#define GELU_C 1.59576912160573071176                               /* 2 sqrt(2/pi) */
#define GELU_CK 0.0713548162726002488                               /* C K, K = 0.044715 */
#define GELU_C_TOP K((S)IN_REAL(0x1.98848p+0f, 0x1.9884533d436p+0)) /* C with room for w - C to be exact */
#define GELU_C_REST K((S)IN_REAL(-2.66794495e-06, 1.7885919910836427e-14))
#define GELU_CK_REST K((S)IN_REAL(2.39883247e-09, -6.175149918155315e-19))
INLINE power gelu_tanh_power(V a) { /* e^-2u, 2u = a w, w = C + C K a^2 */
    V square = a * a, w = vfma(K((S)GELU_CK), square, GELU_C_TOP);
    V rest = vfma(GELU_CK_REST, square, GELU_C_REST);
    rest = vfma(K((S)GELU_CK), product_rest(a, a, square), rest);
    rest += product_rest(K((S)GELU_CK), square, w - GELU_C_TOP);
    V v = a * w;
    return exp_power(-v, -vfma(a, rest, product_rest(a, w, v)));
}
INLINE V gelu_tanh_bounded(V x) { return at_most(vabs(x), IN_REAL((S)11.2, 23)); }
INLINE V vgelu_tanh(V x) {
    V a = gelu_tanh_bounded(x);
    return gated(x, a, gelu_tanh_power(a));
}
INLINE V gelu_tanh_slope(V x) {
    V a = gelu_tanh_bounded(x), v_slope = K((S)GELU_C) + K((S)(3 * GELU_CK)) * (a * a);
    return gated_slope(x, a * v_slope, gelu_tanh_power(a));
}

/* x tanh(log(1 + e^x)): the tanh is e f / d with f = e + 2, d = e f + 2, and 1 from END on. Its slope is
 * 4 e (1 + e) / d^2. */
#define MISH_END IN_REAL(20, 40)
INLINE V mish_bounded(V x) { return at_least(at_most(x, MISH_END), IN_REAL(-120, -800)); }
INLINE V vmish(V x) {
    V z = mish_bounded(x);
    power e = exp_power(z, NOTHING);
    V f = of_power(e) + K(2);
    return select(x > K(MISH_END), x, times_power(z * f, e) / (of_power(e) * f + K(2)));
}
INLINE V mish_slope(V x) {
    V z = mish_bounded(x);
    power e = exp_power(z, NOTHING);
    V one = of_power(e), f = one + K(2), d = one * f + K(2);
    V sum = (f * d + K(4) * z * (K(1) + one)) / (d * d);
    return select(x > K(MISH_END), K(1), times_power(sum, e));
}

/* ---- the normal distribution: Phi(-a) for a >= 0, then x Phi(x) = max(x, 0) - a Phi(-a), a = |x| ---- */

#if OWN_EXP
INLINE V vgelu(V x) {
    V a = at_most(vabs(x), 15);
    return at_least(x, -0.0f) - times_power(a * tail_ratio(a), bell(a));
}
INLINE V gelu_slope(V x) {
    V a = at_most(vabs(x), 15), s = times_power(tail_ratio(a) - BELL_AT_0 * a, bell(a));
    return select(x > K(0), K(1) - s, s);
}
#else
/* erfc(t) / 2, t = a / sqrt 2, and the rounding error of t times the logarithmic slope, -(t + sqrt(t^2 + 4/pi)) to a few
 * percent. */
INLINE V normal_tail(V a) {
    V t = a * K(ROOT_HALF), rest = product_rest(a, K(ROOT_HALF), t) + a * ROOT_HALF_REST;
    return K((S)0.5) * verfc(t) * (K(1) - rest * (t + vsqrt(t * t + K((S)1.2732395447351628))));
}
/* a Phi(-a) for an a so large that Phi(-a) may be subnormal: phi(a) (1 - 1/a^2 + 1*3/a^4 - 1*3*5/a^6 + ..) */
INLINE V far_tail(V a) {
    V square = a * a, q = K(1) / square, series = K(1) - K(13) * q;
    series = K(1) - K(11) * q * series;
    series = K(1) - K(9) * q * series;
    series = K(1) - K(7) * q * series;
    series = K(1) - K(5) * q * series;
    series = K(1) - K(3) * q * series;
    series = K(1) - q * series;
    const V half = K((S)-0.5);
    return times_power(BELL_AT_0 * series, exp_power(half * square, half * product_rest(a, a, square)));
}
INLINE V vgelu(V x) {
    V a = at_most(vabs(x), IN_REAL(15, 39)), far = K(IN_REAL((S)12.5, 37)), tail = a * normal_tail(a);
    if (__builtin_expect(any_larger(a, far), 0)) tail = select(a > far, far_tail(a), tail);
    return at_least(x, (S)-0.0) - tail;
}
INLINE V gelu_slope(V x) {
    V a = at_most(vabs(x), 39), s = normal_tail(a) - times_power(BELL_AT_0 * a, bell(a));
    return select(x > K(0), K(1) - s, s);
}
#endif

/* ---- others ---- */

/* 1 / (1 + x^2) = s^2 / (s^2 + (s x)^2), where s = 2^-64 (f64: 2^-512) keeps the square of a large x in range. */
INLINE V square_scale(V x) {
    return select(vabs(x) > K(IN_REAL(0x1p60f, 0x1p500)), K(IN_REAL(0x1p-64f, 0x1p-512)), K(1));
}
INLINE V atan_slope(V x) {
    V s = square_scale(x), t = s * x;
    return s * s / (s * s + t * t);
}
INLINE V asinh_slope(V x) {
    V s = square_scale(x), t = s * x;
    return s / vsqrt(s * s + t * t);
}
/* c e^x for a number c; where c is large it may be representable where e^x is not. */
INLINE V times_exp(V c, V x) {
    if (__builtin_expect(any_larger(vabs(c), K(64)), 0)) {
        V q = vexp(x * K((S)0.25)), far = c * q * q * q * q;
        return select(x < K(IN_REAL(-80, -700)), far, c * vexp(x));
    }
    return c * vexp(x);
}
/* alpha (e^(x/alpha) - 1), which is x where x/alpha underflows. */
INLINE V celu_below(V x, V alpha) {
    V t = x / alpha;
    return select(vabs(t) < K(IN_REAL(0x1p-30f, 0x1p-60)), x, alpha * vexpm1(t));
}
/* Slopes made of y, and of x in the lanes where y does not tell: 2^x may overflow where its slope does not (x - 1 is
 * exact), and e^x - 1 near -1 has lost the digits of e^x. */
INLINE V exp2_grad(V g, V x, V y) {
    const S log_2 = (S)0.69314718055994530942;
    V dx = g * y * K(log_2);
    const V most = K(IN_REAL(FLT_MAX, DBL_MAX) / 4); /* where g y may overflow, and g y log 2 does not */
    if (__builtin_expect(any_larger(y, most), 0))
        dx = select(y > most, g * (K(2 * log_2) * vexp2(x - K(1))), dx);
    return dx;
}
INLINE V expm1_slope(V x, V y) {
    const V least = K((S)0x1p-5);
    V slope = y + K(1);
    if (__builtin_expect(any_larger(least, slope), 0)) slope = select(least > slope, vexp(x), slope);
    return slope;
}
/* 1 / (1 + |x|)^2 */
INLINE V softsign_grad(V g, V x) {
    const V most = K(IN_REAL(0x1p60f, 0x1p500));
    V root = K(1) + vabs(x), dx = g / (root * root);
    if (__builtin_expect(any_larger(root, most), 0)) dx = select(root > most, g / root / root, dx);
    return dx;
}

/* sin(pi x) and cos(pi x) / cos, with x less the nearest whole number n, and (-1)^n: exact, where pi x is not. */
INLINE V fraction(V x, V *sign) {
    V n = vrint(x), half = n * K((S)0.5);
    *sign = select(half == vrint(half), K(1), K(-1));
    return select(vabs(x) == K((S)INFINITY), K(0), x - n);
}
/* sin(pi x) / (pi x), 1 at 0 */
INLINE V vsinc(V x) {
    V sign, f = fraction(x, &sign);
    return select(x == K(0), K(1), sign * vsin(K(PI) * f) / (K(PI) * x));
}
/* (cos(pi x) - sinc(x)) / x, by its series where the two terms nearly cancel: with t = pi x and q = t^2,
 * d/dt sin(t)/t = -t (1/3 - q/30 + q^2/840 - ..). cos(pi f) = sin(pi (1/2 - |f|)). */
INLINE V sinc_slope(V x) {
    V sign, f = fraction(x, &sign), t = K(PI) * x, q = t * t;
    V series = K((S)(1 / 518918400.0)) - q * K((S)(1 / 93405312000.0));
    series = K((S)(1 / 3991680.0)) - q * series;
    series = K((S)(1 / 45360.0)) - q * series;
    series = K((S)(1 / 840.0)) - q * series;
    series = K((S)(1 / 30.0)) - q * series;
    series = K((S)(1 / 3.0)) - q * series;
    V cosine = sign * vsin(K(PI) * (K((S)0.5) - vabs(f)));
    return select(q < K((S)0.25), K(-PI) * t * series, (cosine - vsinc(x)) / x);
}
#if TG_REAL == 32
#include "core/kernels/map/half_powers.h"
#endif

/* x^p for one number p. */
INLINE V vpow_scalar(V x, V p) {
#if TG_REAL == 32
    if (is_half_power(lane0(p))) return scaled_half_power(x, lane0(p), 1);
#endif
    return vpow(x, p);
}
/* p x^(p-1), as p h h of h = |x|^((p-1)/2) where x^(p-1) alone leaves the normal numbers. */
INLINE V pow_scalar_slope(V x, V p) {
#if TG_REAL == 32
    if (lane0(p) != 0 && is_half_power(lane0(p) - 1)) return scaled_half_power(x, lane0(p) - 1, lane0(p));
#endif
    V raised = vpow(x, p - K(1)), slope = p * raised, size = vabs(raised);
    M ended = either(size<K(IN_REAL(FLT_MIN, DBL_MIN)), size> K(IN_REAL(FLT_MAX, DBL_MAX)));
    ended = both(ended, x != K(0));
    if (__builtin_expect(any(ended), 0)) {
        V h = vpow(vabs(x), (p - K(1)) * K((S)0.5));
        slope = select(ended, vcopysign(p * h * h, slope), slope);
    }
    return select(p == K(0), K(0), slope);
}
/* The slopes of y = a^b. By a: b a^(b-1), 0 for b = 0 and where an infinite b makes the power 0; as b a^b / a where
 * a^(b-1) may be the larger, or be defined where a^b is not. By b: y log a, 0 for a = 0 unless y is infinite, and where
 * an infinite a makes y 0. */
INLINE V pow_slope(V a, V b) {
    M by_quotient = both(both(a < K(1), a != K(0)), b <= K((S)0.5));
    V raised = vpow(a, select(by_quotient, b, b - K(1))), slope = b * raised / select(by_quotient, a, K(1));
    M flat = either(b == K(0), both(raised == K(0), vabs(b) == K((S)INFINITY)));
    return select(both(flat, a == a), K(0), slope);
}
INLINE V pow_log(V y, V a) {
    M at_0 = both(a == K(0), y - y == K(0)), at_end = both(a == K((S)INFINITY), y == K(0));
    return select(either(at_0, at_end), K(0), y * vlog(a));
}

/* a / sqrt(a^2 + b^2) and a / (a^2 + b^2), 0 at (0, 0), by the larger of the two in magnitude and the other's ratio to
 * it, so that no square overflows. */
INLINE V polar(V a, V b, V *larger, V *root, M *a_larger) {
    V u = vabs(a), v = vabs(b);
    *a_larger = u > v;
    *larger = select(*a_larger, u, v);
    V p = select(*a_larger, v, u) / select(*larger == K(0), K(1), *larger);
    *root = vsqrt(K(1) + p * p);
    return p;
}
INLINE V direction_with_care(V a, V b) {
    M a_larger;
    V larger, root, p = polar(a, b, &larger, &root, &a_larger);
    return vcopysign(select(a_larger, K(1), p) / root, a);
}
INLINE V over_square_with_care(V a, V b) {
    M a_larger;
    V larger, root, p = polar(a, b, &larger, &root, &a_larger);
    V top = select(a_larger, K(1), p) / (root * root);
    return vcopysign(top / select(larger == K(0), K(1), larger), a);
}
/* a^2 + b^2, and where it is so small or so large that it needs care. */
INLINE V sum_of_squares(V a, V b, M *unsafe) {
    const V least = K(IN_REAL(0x1p-60f, 0x1p-500)), most = K(IN_REAL(0x1p60f, 0x1p500));
    V square = a * a + b * b;
    *unsafe = either(square<least, square> most);
    return square;
}
INLINE V direction(V a, V b) {
    M unsafe;
    V v = a / vsqrt(sum_of_squares(a, b, &unsafe));
    if (__builtin_expect(any(unsafe), 0)) v = select(unsafe, direction_with_care(a, b), v);
    return v;
}
INLINE V over_square(V a, V b) {
    M unsafe;
    V v = a / sum_of_squares(a, b, &unsafe);
    if (__builtin_expect(any(unsafe), 0)) v = select(unsafe, over_square_with_care(a, b), v);
    return v;
}
/* e^a / (e^a + e^b), 0 for equal infinities, whose difference is NaN. */
INLINE V logaddexp_slope(V a, V b) { return select(both(a == b, a - a != K(0)), K(0), vsigmoid(a - b)); }
/* a^2 / (2 b) as a (a / b / 2); where a / b alone is too large, a is no larger than 1, and a^2 does not underflow. */
INLINE V half_square_over(V a, V b) {
    const V half = K((S)0.5);
    V u = a / b;
    M tiny = both(vabs(a) < K(1), b != K(0));
    return select(both(vabs(u) == K((S)INFINITY), tiny), a * a * half / b, a * (u * half));
}
/* r = fmod(a, b) moved to the side of b; a zero has the sign of b too. */
INLINE V with_sign_of(V r, V b) {
    return select(r == K(0), vcopysign(r, b), select((r < K(0)) != (b < K(0)), r + b, r));
}

#endif
