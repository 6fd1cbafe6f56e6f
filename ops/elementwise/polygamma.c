/* sinc and digamma, with their derivatives of every order. */
#include "core/kernels/map/special.h"
#include "ops/elementwise/order.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static const tg_attr_field order_fields[] = {{"order", TG_ATTR_INT, offsetof(tg_order, order)}};

tg_status tg_order_infer(const tg_call *call) {
    int64_t n = ((const tg_order *)call->attr)->order;
    if (n < 0 || n > TG_MAX_ORDER)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "order %lld is out of range, 0 to %d: %s", (long long)n,
                            TG_MAX_ORDER, tg_call_input(call, 0));
    return tg_infer_same(call);
}

void tg_map_order(const tg_call *call, double f(int order, double x, double scale)) {
    const tg_array *out = call->out[0];
    int n = tg_order_of(call->attr);
    double scale = tg_scale_of(call->attr);
    for (int64_t i = 0; i < out->numel; i++) tg_array_set(out, i, f(n, tg_array_get(call->in[0], i), scale));
}

void tg_map_slope(const tg_call *call, tg_unary f, const double p[2]) {
    int64_t storage;
    tg_array one = tg_borrow_number(1, call->out[0], &storage);
    tg_map_unary_grad(f, &one, call->in[0], NULL, call->out[0], p);
}

/* ---- sinc(x) = S(pi x), S(t) = sin t / t ---- */

/* S^(n)(t) = sum over 2k >= n of (-1)^k t^(2k-n) / ((2k+1) (2k-n)!) */
static double sinc_series(int n, double t) {
    int k = (n + 1) / 2;
    double power = 2 * k == n ? 1 : t; /* t^(2k-n) / (2k-n)! with the sign */
    if (k % 2) power = -power;
    double sum = 0, term = 1;
    for (; fabs(term) > 1e-18 * fabs(sum) && power != 0; k++) {
        double m = 2.0 * k - n;
        term = power / (2 * k + 1);
        sum += term;
        power *= -t * t / ((m + 1) * (m + 2));
    }
    return sum;
}

/* sin^(m) at pi x */
static double turned_sine(int m, double x) {
    double v = m % 2 ? tg_scalar_cospi(x) : tg_scalar_sinpi(x);
    return m % 4 >= 2 ? -v : v;
}

/* The m-th derivative of x sinc(x) = sin(pi x) / pi is x sinc^(m) + m sinc^(m-1) = pi^(m-1) sin^(m)(pi x).
 * Solving it for one m after the other multiplies errors by at most m!/(pi x)^m, which stays small for pi
 * |x| > m/2; below that the series loses little. */
static double sinc_order(int n, double x, double scale) {
    (void)scale;
    double s = tg_scalar_sinpi(x) / (pi * x), power = 1;
    if (isnan(x)) return x;
    if (isinf(x)) return 0;
    if (fabs(pi * x) < 1 + n / 2.0) return pow(pi, n) * sinc_series(n, pi * x);
    for (int m = 1; m <= n; m++, power *= pi) s = (power * turned_sine(m, x) - m * s) / x;
    return s;
}

static tg_status sinc_forward(const tg_call *call) {
    static const double none[2];
    if (tg_order_of(call->attr) == 0)
        tg_map_unary(TG_UNARY_SINC, call->in[0], call->out[0], none);
    else if (tg_order_of(call->attr) == 1)
        tg_map_slope(call, TG_UNARY_SINC, none);
    else
        tg_map_order(call, sinc_order);
    return TG_OK;
}

static void sinc_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_sinc_derivative(n->in[0], tg_order_of(n->attr) + 1));
}

const tg_op tg_op_sinc = {
    .name = "sinc",
    .formula = "out = sinc(order, x); the derivative of this order of sin(pi * x) / (pi * x)",
    .rule = "dx = dout * sinc(order + 1, x)",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(tg_order, order_fields),
    .infer = tg_order_infer,
    .forward = sinc_forward,
    .grad = sinc_grad,
};

tg_tensor *tg_sinc(tg_tensor *x) { return tg_apply1(&tg_op_sinc, x, &(tg_order){.order = 0}); }
tg_tensor *tg_sinc_derivative(tg_tensor *x, int64_t order) {
    return tg_apply1(&tg_op_sinc, x, &(tg_order){.order = order});
}

/* ---- polygamma: psi_n = the n-th derivative of psi = (log gamma)' ---- */

/* B_2, B_4, ... */
static const double bernoulli[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,     5.0 / 66,
                                   -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};

/* scale * zeta(s, x), where zeta is the sum over k >= 0 of (x + k)^-s for s >= 2 and x > 0. Terms are
 * added until x >= s + 10; the rest is x^(1-s) (1/(s-1) + 1/(2x) + sum of B_2k / (2k)! s (s+1) .. (s+2k-2)
 * x^(-2k)) (Euler-Maclaurin). The power is multiplied as two halves, since it may underflow where its
 * product with scale does not. */
static double hurwitz_zeta(int s, double x, double scale) {
    double sum = 0;
    for (; x < s + 10; x += 1) sum += pow(x, -s);
    double tail = 1.0 / (s - 1) + 0.5 / x, factor = s / (2 * x) / x, half = pow(x, 0.5 * (1 - s));
    for (int k = 0; k < (int)(sizeof bernoulli / sizeof *bernoulli); k++) {
        tail += bernoulli[k] * factor;
        factor *= (s + 2.0 * k + 1) * (s + 2.0 * k + 2) / ((2.0 * k + 3) * (2.0 * k + 4) * x * x);
    }
    return scale * sum + scale * tail * half * half;
}

/* d^n/dx^n (pi cot(pi x)) = (-1)^n pi^(n+1) P(c) with c = cot(pi x), where P = c for n = 0, and (1 + c^2)
 * P' for the next n. All coefficients are positive and of one parity, so nothing cancels. */
static double cotangent_order(int n, double x) {
    double p[TG_MAX_ORDER + 3] = {0, 1}, c = tg_scalar_cospi(x) / tg_scalar_sinpi(x);
    for (int m = 1; m <= n; m++) {
        double q[TG_MAX_ORDER + 3] = {0};
        for (int k = 1; k <= m; k++) q[k - 1] += k * p[k], q[k + 1] += k * p[k];
        for (int k = 0; k <= m + 1; k++) p[k] = q[k];
    }
    double sum = p[n + 1];
    for (int k = n; k >= 0; k--) sum = sum * c + p[k];
    return (n % 2 ? -sum : sum) * pow(pi, n + 1);
}

/* psi_n(x) = (-1)^(n+1) n! zeta(n+1, x) for x > 0, and (-1)^n psi_n(1 - x) - (pi cot(pi x))^(n) for x < 0. */
static double polygamma(int n, double x, double scale) {
    if (isnan(x) || x == -INFINITY) return NAN;
    if (x <= 0 && x == floor(x)) return n % 2 ? INFINITY : NAN;
    if (x < 0) return (n % 2 ? -1 : 1) * polygamma(n, 1 - x, scale) - cotangent_order(n, x);
    if (isinf(x)) return n % 2 ? 0.0 : -0.0;
    return hurwitz_zeta(n + 1, x, n % 2 ? tgamma(n + 1.0) : -tgamma(n + 1.0));
}

static tg_status polygamma_forward(const tg_call *call) {
    static const double none[2];
    if (tg_order_of(call->attr) == 0)
        tg_map_unary(TG_UNARY_DIGAMMA, call->in[0], call->out[0], none);
    else
        tg_map_order(call, polygamma);
    return TG_OK;
}

static void polygamma_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_polygamma(tg_order_of(n->attr) + 1, n->in[0]));
}

const tg_op tg_op_polygamma = {
    .name = "polygamma",
    .formula = "out = polygamma(order, x); the derivative of this order of digamma(x)",
    .rule = "dx = dout * polygamma(order + 1, x)",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(tg_order, order_fields),
    .infer = tg_order_infer,
    .forward = polygamma_forward,
    .grad = polygamma_grad,
};

tg_tensor *tg_polygamma(int64_t order, tg_tensor *x) {
    return tg_apply1(&tg_op_polygamma, x, &(tg_order){.order = order});
}
