/* Functions that come with their derivatives of every order, because no formula in other ops keeps the
 * accuracy: sinc and digamma. The order is an attribute; the gradient takes the next one. */
#include "ops/ops.h"

#include <math.h>

enum { MAX_ORDER = 20 }; /* the series of sinc loses digits from here on */

static const double pi = 3.14159265358979323846;

typedef struct order_attr {
    int64_t order;
} order_attr;

static const tg_attr_field order_fields[] = {{"order", TG_ATTR_INT, offsetof(order_attr, order)}};

static int order_of(const void *attr) { return (int)((const order_attr *)attr)->order; }

static tg_status order_infer(const tg_call *call) {
    int64_t n = ((const order_attr *)call->attr)->order;
    if (n < 0 || n > MAX_ORDER)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "no derivative of order %lld: orders are 0 to %d, of %s",
                            (long long)n, MAX_ORDER, tg_call_input(call, 0));
    return tg_infer_same(call);
}

static void map_order(const tg_call *call, double f(int order, double x)) {
    const tg_array *out = call->out[0];
    for (int64_t i = 0; i < out->numel; i++)
        tg_array_set(out, i, f(order_of(call->attr), tg_array_get(call->in[0], i)));
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

/* sin^(m) at t */
static double turned_sine(int m, double t) {
    double v = m % 2 ? cos(t) : sin(t);
    return m % 4 >= 2 ? -v : v;
}

/* The m-th derivative of t S(t) = sin t: t S^(m) + m S^(m-1) = sin^(m) t. Going up multiplies errors
 * by m!/t^m at most, which stays small for |t| > m/2; below that the series loses little. */
static double sinc_order(int n, double x) {
    double t = pi * x, s = sin(t) / t, scale = pow(pi, n);
    if (isnan(t)) return t;
    if (fabs(t) < 1 + n / 2.0) return scale * sinc_series(n, t);
    for (int m = 1; m <= n; m++) s = (turned_sine(m, t) - m * s) / t;
    return scale * s;
}

static tg_status sinc_forward(const tg_call *call) {
    static const double none[2];
    int64_t storage;
    tg_array one = tg_borrow_number(1, call->out[0], &storage);
    if (order_of(call->attr) == 0)
        tg_map_unary(TG_UNARY_SINC, call->in[0], call->out[0], none);
    else if (order_of(call->attr) == 1)
        tg_map_unary_grad(TG_UNARY_SINC, &one, call->in[0], NULL, call->out[0], none);
    else
        map_order(call, sinc_order);
    return TG_OK;
}

static void sinc_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_sinc_derivative(n->in[0], order_of(n->attr) + 1));
}

const tg_op tg_op_sinc = {
    .name = "sinc",
    .formula = "out = sin(pi x) / (pi x), or its derivative of the given order",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(order_attr, order_fields),
    .infer = order_infer,
    .forward = sinc_forward,
    .grad = sinc_grad,
};

tg_tensor *(tg_sinc)(tg_tensor *x) { return tg_apply1(&tg_op_sinc, x, &(order_attr){0}); }
tg_tensor *(tg_sinc_derivative)(tg_tensor *x, int64_t order) {
    return tg_apply1(&tg_op_sinc, x, &(order_attr){order});
}

/* ---- polygamma: psi_n = the n-th derivative of psi = (log gamma)' ---- */

/* B_2, B_4, ... */
static const double bernoulli[] = {1.0 / 6,        -1.0 / 30, 1.0 / 42,       -1.0 / 30,        5.0 / 66,
                                   -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};

/* zeta(s, x) = sum over k >= 0 of (x + k)^-s, s >= 2, x > 0: terms up to x >= s + 10, then Euler-Maclaurin,
 * x^-s (x/(s-1) + 1/2 + sum of B_2k / (2k)! s (s+1) .. (s+2k-2) x^(1-2k)). */
static double hurwitz_zeta(int s, double x) {
    double sum = 0;
    for (; x < s + 10; x += 1) sum += pow(x, -s);
    double tail = x / (s - 1) + 0.5, factor = s / (2 * x);
    for (int k = 0; k < (int)(sizeof bernoulli / sizeof *bernoulli); k++) {
        tail += bernoulli[k] * factor;
        factor *= (s + 2.0 * k + 1) * (s + 2.0 * k + 2) / ((2.0 * k + 3) * (2.0 * k + 4) * x * x);
    }
    return sum + tail * pow(x, -s);
}

/* d^n/dx^n (pi cot(pi x)) = (-1)^n pi^(n+1) P(c), c = cot(pi x): P = c for n = 0, then (1 + c^2) P'. All
 * coefficients are positive and of one parity, so that nothing cancels. */
static double cotangent_order(int n, double x) {
    double p[MAX_ORDER + 3] = {0, 1}, c = 1 / tan(pi * (x - nearbyint(x))), sum = 0;
    for (int m = 1; m <= n; m++) {
        double q[MAX_ORDER + 3] = {0};
        for (int k = 1; k <= m; k++) q[k - 1] += k * p[k], q[k + 1] += k * p[k];
        for (int k = 0; k <= m + 1; k++) p[k] = q[k];
    }
    for (int k = n + 1; k >= 0; k--) sum = sum * c + p[k];
    return (n % 2 ? -sum : sum) * pow(pi, n + 1);
}

/* psi_n(x) = (-1)^(n+1) n! zeta(n+1, x); psi_n(x) = (-1)^n psi_n(1 - x) - (pi cot(pi x))^(n) on the left. */
static double polygamma(int n, double x) {
    if (isnan(x) || x == -INFINITY) return NAN;
    if (x <= 0 && x == floor(x)) return n % 2 ? INFINITY : NAN;
    if (x < 0) return (n % 2 ? -1 : 1) * polygamma(n, 1 - x) - cotangent_order(n, x);
    if (isinf(x)) return n % 2 ? 0.0 : -0.0;
    double v = tgamma(n + 1.0) * hurwitz_zeta(n + 1, x);
    return n % 2 ? v : -v;
}

static tg_status polygamma_forward(const tg_call *call) {
    static const double none[2];
    if (order_of(call->attr) == 0)
        tg_map_unary(TG_UNARY_DIGAMMA, call->in[0], call->out[0], none);
    else
        map_order(call, polygamma);
    return TG_OK;
}

static void polygamma_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_polygamma(order_of(n->attr) + 1, n->in[0]));
}

const tg_op tg_op_polygamma = {
    .name = "polygamma",
    .formula = "out = the derivative of digamma of the given order",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(order_attr, order_fields),
    .infer = order_infer,
    .forward = polygamma_forward,
    .grad = polygamma_grad,
};

tg_tensor *(tg_polygamma)(int64_t order, tg_tensor *x) {
    return tg_apply1(&tg_op_polygamma, x, &(order_attr){order});
}
