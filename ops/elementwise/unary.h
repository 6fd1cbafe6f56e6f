/* Private. Macros that make an op of a row of a table of elementwise functions of one tensor. Value and
 * first derivative on plain arrays are kernels (core/kernels/map/unary.def) with up to two parameters,
 * which are the op's attributes; the same derivative, made of ops, serves recorded walks. */
#ifndef TG_OPS_ELEMENTWISE_UNARY_H
#define TG_OPS_ELEMENTWISE_UNARY_H

#include "ops/shared.h"

#include <math.h>

/* SAVES_EXP, SAVES_F64_EXP, ...: what the kernel of the derivative reads, as bits for tg_op.save and .save_f64. */
#define SAVES(dtype, X, Y) ((TG_USED_IN(dtype, X) ? TG_IN(0) : 0u) | (TG_USED_IN(dtype, Y) ? TG_OUT(0) : 0u))
enum {
#define TG_UNARY(KERNEL, X, Y, ...) \
    SAVES_##KERNEL = SAVES(TG_F32, X, Y), SAVES_F64_##KERNEL = SAVES(TG_F64, X, Y),
#include "core/kernels/map/unary.def"
#undef TG_UNARY
};

typedef struct tg_parameters {
    double p[2];
} tg_parameters;

#define FIRST_PARAMETER offsetof(tg_parameters, p[0])
#define SECOND_PARAMETER offsetof(tg_parameters, p[1])

/* The kernel's parameters. Of the ops without attributes softplus alone reads any: beta = 1, and no
 * threshold. */
static inline const double *parameters_of(const void *attr) {
    static const double fixed[2] = {1, INFINITY};
    return attr ? ((const tg_parameters *)attr)->p : fixed;
}

static inline tg_status unary_forward(const tg_call *call, tg_unary f) {
    tg_map_unary(f, call->in[0], call->out[0], parameters_of(call->attr));
    return TG_OK;
}

static inline tg_status unary_grad(const tg_node *n, const tg_array *g, tg_array *din, tg_unary f) {
    const tg_array *x = n->saved & TG_IN(0) ? tg_node_in(n, 0) : NULL;
    const tg_array *y = n->saved & TG_OUT(0) ? tg_node_out(n, 0) : NULL;
    tg_status s = din->data ? TG_OK : tg_array_alloc_like(din, g);
    if (s == TG_OK) tg_map_unary_grad(f, g, x, y, din, parameters_of(n->attr));
    return s;
}

static inline tg_tensor *number(tg_tensor *like, double v) { return tg_scalar(tg_dtype_of(like), v); }
static inline tg_tensor *above(tg_tensor *x, double v) { return tg_gt(x, number(x, v)); }
static inline bool is_f64(tg_tensor *x) { return tg_dtype_of(x) == TG_F64; }
static inline tg_tensor *below(tg_tensor *x, double v) { return tg_lt(x, number(x, v)); }

/* The functions of a row. DERIVATIVE is the gradient of x, written in g, the gradient of y = f(x), in x, y
 * and the parameters p. */
#define UNARY_FUNCTIONS(NAME, KERNEL, DERIVATIVE) \
    static tg_status NAME##_forward(const tg_call *call) { return unary_forward(call, TG_UNARY_##KERNEL); } \
    static void NAME##_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) { \
        tg_tensor *g = dout[0], *x = n->in[0], *y = n->out[0]; \
        const double *p = parameters_of(n->attr); \
        (void)x, (void)y, (void)p; \
        din[0] = DERIVATIVE; \
    } \
    static tg_status NAME##_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) { \
        return unary_grad(n, dout[0], din, TG_UNARY_##KERNEL); \
    }

#define UNARY_FIELDS(NAME, KERNEL, FORMULA, RULE, KINK) \
    .name = #NAME, .formula = "out = " FORMULA, .rule = RULE, .kink = KINK, .n_in = 1, .elementwise = true, \
    .of_kernels = true, .over = TG_IN(0), .save = SAVES_##KERNEL, .save_f64 = SAVES_F64_##KERNEL, \
    .forward = NAME##_forward, .grad = NAME##_grad, .grad_kernel = NAME##_grad_kernel

/* An op without attributes. Its file defines the public function. */
#define UNARY_OP(NAME, KERNEL, FORMULA, RULE, KINK, DERIVATIVE) \
    UNARY_FUNCTIONS(NAME, KERNEL, DERIVATIVE) \
    const tg_op tg_op_##NAME = {UNARY_FIELDS(NAME, KERNEL, FORMULA, RULE, KINK), .infer = tg_infer_same};

/* An op with the attributes NAME_fields, checked by INFER. */
#define UNARY_OP_WITH(NAME, KERNEL, FORMULA, RULE, KINK, INFER, DERIVATIVE) \
    UNARY_FUNCTIONS(NAME, KERNEL, DERIVATIVE) \
    const tg_op tg_op_##NAME = {UNARY_FIELDS(NAME, KERNEL, FORMULA, RULE, KINK), \
                                TG_ATTRS(tg_parameters, NAME##_fields), .infer = INFER};

#endif
