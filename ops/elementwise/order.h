/* Private. Functions with their derivatives of every order as one op each, because no formula made of
 * other ops is accurate enough. The order is an attribute, and the gradient is the op of the next order. */
#ifndef TG_OPS_ELEMENTWISE_ORDER_H
#define TG_OPS_ELEMENTWISE_ORDER_H

#include "ops/shared.h"

enum { TG_MAX_ORDER = 20 }; /* beyond it the series and the alternating sums lose digits */

typedef struct tg_order {
    int64_t order;
    double scale; /* of gaussian_derivative and sigmoid_derivative; the others ignore it */
} tg_order;

static inline int tg_order_of(const void *attr) { return (int)((const tg_order *)attr)->order; }
static inline double tg_scale_of(const void *attr) { return ((const tg_order *)attr)->scale; }

/* Checks that 0 <= order <= TG_MAX_ORDER, and then does what tg_infer_same does. */
tg_status tg_order_infer(const tg_call *call);

/* out = f(order, x, scale), in double */
void tg_map_order(const tg_call *call, double f(int order, double x, double scale));

/* The n-th derivative of sigmoid(scale x): scale^n tg_sigmoid_derivative(scale x, n), whose second factor
 * alone may underflow. */
tg_tensor *tg_sigmoid_derivative_of(tg_tensor *x, double scale, int64_t n);

/* out = f'(in 0), by the kernel of f's derivative with the parameters p */
void tg_map_slope(const tg_call *call, tg_unary f, const double p[2]);

#endif
