/* Private. For functions that come with their derivatives of every order, because no formula in other ops keeps the
 * accuracy. The order is an attribute; the gradient takes the next one. */
#ifndef TG_OPS_ELEMENTWISE_ORDER_H
#define TG_OPS_ELEMENTWISE_ORDER_H

#include "ops/shared.h"

enum { TG_MAX_ORDER = 20 }; /* the series and the sums of alternating terms lose digits from here on */

typedef struct tg_order {
    int64_t order;
    double scale; /* of those that have one */
} tg_order;

static inline int tg_order_of(const void *attr) { return (int)((const tg_order *)attr)->order; }
static inline double tg_scale_of(const void *attr) { return ((const tg_order *)attr)->scale; }

/* 0 <= order <= TG_MAX_ORDER; the rest as tg_infer_same. */
tg_status tg_order_infer(const tg_call *call);

/* out = f(order, x, scale), in double */
void tg_map_order(const tg_call *call, double f(int order, double x, double scale));

/* The n-th derivative of sigmoid(scale x): scale^n times tg_sigmoid_derivative(scale x, n), which alone may underflow. */
tg_tensor *tg_sigmoid_derivative_of(tg_tensor *x, double scale, int64_t n);

/* out = a kernel's derivative */
void tg_map_slope(const tg_call *call, tg_unary f, const double p[2]);

#endif
