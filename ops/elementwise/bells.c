/* The sigmoid and the Gaussian with their derivatives of every order, of which the derivatives of most
 * activation functions are made. */
#include "ops/elementwise/order.h"
#include "ops/reduce/scaled.h"

#include <math.h>

static const tg_attr_field scale_fields[] = {{"order", TG_ATTR_INT, offsetof(tg_order, order)},
                                             {"scale", TG_ATTR_REAL, offsetof(tg_order, scale)}};
static const double none[2];

/* ---- sigmoid(scale x) ---- */

/* scale^n e^-t, where each factor alone may leave the range of a double. */
static double scaled_tail(int n, double t, double scale) {
    tg_scaled p = TG_SCALED_ONE;
    double part = exp(-t / (2 * n + 2));
    for (int i = 0; i < 2 * n + 2; i++) p = tg_scaled_times(p, part);
    for (int i = 0; i < n; i++) p = tg_scaled_times(p, scale);
    return tg_scaled_value(p);
}

/* With t = scale x and e = e^-|t|, the n-th derivative by t for t < 0 is (1 + e)^-(n+1) times the sum over
 * k of (-1)^k A(n, k) e^(k+1), where the Eulerian numbers are A(n, k) = (k + 1) A(n-1, k) + (n - k) A(n-1,
 * k-1). Even derivatives change sign with t. */
static double sigmoid_order(int n, double x, double scale) {
    double a[TG_MAX_ORDER + 1] = {1}, t = scale * x, e = exp(-fabs(t)), sum = 0;
    if (n == 0) return (t < 0 ? e : 1) / (1 + e);
    for (int m = 2; m <= n; m++)
        for (int k = m - 1; k >= 0; k--) a[k] = (k + 1) * a[k] + (k > 0 ? (m - k) * a[k - 1] : 0);
    for (int k = n - 1; k >= 0; k--) sum = sum * e + (k % 2 ? -a[k] : a[k]);
    sum *= (scale == 1 ? e : scaled_tail(n, fabs(t), scale)) / pow(1 + e, n + 1);
    return n % 2 == 0 && t > 0 ? -sum : sum;
}

static tg_status sigmoid_derivative_forward(const tg_call *call) {
    switch (tg_scale_of(call->attr) == 1 ? tg_order_of(call->attr) : -1) {
    case 0:
        tg_map_unary(TG_UNARY_SIGMOID, call->in[0], call->out[0], none);
        break;
    case 1:
        tg_map_unary(TG_UNARY_SIGMOID_SLOPE, call->in[0], call->out[0], none);
        break;
    case 2:
        tg_map_slope(call, TG_UNARY_SIGMOID_SLOPE, none);
        break;
    default:
        tg_map_order(call, sigmoid_order);
    }
    return TG_OK;
}

static void sigmoid_derivative_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] =
        tg_mul(dout[0], tg_sigmoid_derivative_of(n->in[0], tg_scale_of(n->attr), tg_order_of(n->attr) + 1));
}

const tg_op tg_op_sigmoid_derivative = {
    .name = "sigmoid_derivative",
    .formula = "out = sigmoid_derivative(order, scale, x); the derivative of this order of sigmoid(scale * x)",
    .rule = "dx = dout * sigmoid_derivative(order + 1, scale, x)",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(tg_order, scale_fields),
    .infer = tg_order_infer,
    .forward = sigmoid_derivative_forward,
    .grad = sigmoid_derivative_grad,
};

tg_tensor *tg_sigmoid_derivative_of(tg_tensor *x, double scale, int64_t order) {
    return tg_apply1(&tg_op_sigmoid_derivative, x, &(tg_order){order, scale});
}
tg_tensor *tg_sigmoid_derivative(tg_tensor *x, int64_t order) {
    return tg_sigmoid_derivative_of(x, 1, order);
}

/* ---- G(x) = e^(-s x^2) ---- */

/* G^(n) = P_n G with P_0 = 1 and P_n = -2s (x P_(n-1) + (n-1) P_(n-2)). P_n is multiplied by the root of G
 * twice, since G may underflow where the product does not. */
static double gaussian_order(int n, double x, double s) {
    double root = exp(-0.5 * s * x * x), before = 0, p = 1;
    if (root == 0) return 0;
    for (int m = 1; m <= n; m++) {
        double next = -2 * s * (x * p + (m - 1) * before);
        before = p, p = next;
    }
    return p * root * root;
}

static tg_status gaussian_derivative_forward(const tg_call *call) {
    const double s = tg_scale_of(call->attr), p[2] = {s};
    int64_t order = tg_order_of(call->attr);
    if (order > 1 || s < 0x1p-30 || s > 0x1p30) /* the kernels lose what e^(-s x^2) loses to underflow */
        tg_map_order(call, gaussian_order);
    else if (order == 1)
        tg_map_slope(call, TG_UNARY_GAUSSIAN, p);
    else
        tg_map_unary(TG_UNARY_GAUSSIAN, call->in[0], call->out[0], p);
    return TG_OK;
}

static tg_status gaussian_derivative_infer(const tg_call *call) {
    double s = tg_scale_of(call->attr);
    if (!(s > 0 && isfinite(s)))
        return tg_call_fail(call, TG_ERR_ARGUMENT, "scale %g must be positive and finite: %s", s,
                            tg_call_input(call, 0));
    return tg_order_infer(call);
}

static void gaussian_derivative_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *next = tg_gaussian_derivative(n->in[0], tg_scale_of(n->attr), tg_order_of(n->attr) + 1);
    din[0] = tg_mul(dout[0], next);
}

const tg_op tg_op_gaussian_derivative = {
    .name = "gaussian_derivative",
    .formula = "out = gaussian_derivative(order, scale, x); the derivative of this order of e^(-scale * x^2)",
    .rule = "dx = dout * gaussian_derivative(order + 1, scale, x)",
    .n_in = 1,
    .elementwise = true,
    .save = TG_IN(0),
    TG_ATTRS(tg_order, scale_fields),
    .infer = gaussian_derivative_infer,
    .forward = gaussian_derivative_forward,
    .grad = gaussian_derivative_grad,
};

tg_tensor *tg_gaussian_derivative(tg_tensor *x, double scale, int64_t order) {
    return tg_apply1(&tg_op_gaussian_derivative, x, &(tg_order){order, scale});
}
