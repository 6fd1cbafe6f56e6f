/* Functions of three tensors, element by element. */
#include "autograd/composed.h"
#include "core/iterate.h"
#include "ops/unary.h"

#include <math.h>

/* ---- out = a + w (b - a) ---- */

/* Half the way, half = (b - a)/2, cannot overflow. From a while w < 1/2, not beyond the middle, and from b behind it: each
 * end is met exactly, and both parts are monotone. */
#define LERP(T, NAME) \
    static void NAME(int64_t n, char *const p[], const int64_t s[], const void *arg) { \
        T *out = (T *)(void *)p[0]; \
        const T *a = (const T *)(void *)p[1], *b = (const T *)(void *)p[2], *w = (const T *)(void *)p[3]; \
        (void)arg; \
        for (int64_t i = 0; i < n; i++) { \
            T from = a[i * s[1]], to = b[i * s[2]], t = w[i * s[3]]; \
            T half = to / 2 - from / 2, middle = to - half, near = from + (t + t) * half; \
            if (from <= to ? near > middle : near < middle) near = middle; \
            T far = to - (2 - (t + t)) * half; \
            out[i * s[0]] = t == 0 ? from : t == 1 ? to : t < (T)0.5 ? near : far; \
        } \
    }
LERP(float, lerp_f32)
LERP(double, lerp_f64)

enum { LERP_COST = 4 };

static tg_status lerp_forward(const tg_call *call) {
    const tg_array *out = call->out[0], *operand[4] = {out};
    tg_array spread[3];
    for (int i = 0; i < 3; i++) {
        spread[i] = tg_borrow_broadcast(call->in[i], out);
        operand[i + 1] = &spread[i];
    }
    tg_iterate(4, operand, LERP_COST, out->dtype == TG_F32 ? lerp_f32 : lerp_f64, NULL);
    return TG_OK;
}

static void lerp_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *g = dout[0], *a = n->in[0], *b = n->in[1], *w = n->in[2];
    if (tg_needs(n, 0)) din[0] = tg_mul(g, tg_affine(w, -1, 1));
    if (tg_needs(n, 1)) din[1] = tg_mul(g, w);
    if (tg_needs(n, 2)) din[2] = tg_mul(g, tg_sub(b, a));
}

const tg_op tg_op_lerp = {
    .name = "lerp",
    .formula = "out = a + w (b - a)",
    .n_in = 3,
    .elementwise = true,
    .save = TG_IN(0) | TG_IN(1) | TG_IN(2),
    .infer = tg_infer_broadcast,
    .forward = lerp_forward,
    .grad = lerp_grad,
};

tg_tensor *(tg_lerp)(tg_tensor *a, tg_tensor *b, tg_tensor *weight) {
    tg_tensor *in[3] = {a, b, weight};
    return (tg_apply)(&tg_op_lerp, in, 3, NULL);
}

/* ---- compositions ---- */

/* x + step, which nobody else needs */
static tg_tensor *add_step(tg_tensor *x, tg_tensor *step) {
    tg_tensor *y = tg_add(x, step);
    tg_release(step);
    return y;
}

/* `value` where `here` is true, 1 elsewhere; of x's dtype */
static tg_tensor *share_of(tg_tensor *x, double value, tg_tensor *here) {
    return tg_where(here, number(x, value), number(x, 1));
}

/* A value above 1 goes to the factor that is smaller in magnitude, one below 1 to the larger. */
tg_tensor *(tg_addcmul)(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcmul");
    if (value == 1) return add_step(x, tg_mul(a, b));
    tg_tensor *larger = tg_gt(tg_abs(a), tg_abs(b)), *of_a = fabs(value) < 1 ? larger : tg_logical_not(larger);
    tg_tensor *left = tg_mul(a, share_of(a, value, of_a));
    return add_step(x, tg_mul(left, tg_mul(b, share_of(a, value, tg_logical_not(of_a)))));
}

/* A value above 1 goes to the numerator where that is below 1, to the quotient elsewhere. */
tg_tensor *(tg_addcdiv)(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcdiv");
    if (value == 1) return add_step(x, tg_div(a, b));
    if (fabs(value) < 1) return add_step(x, tg_mul_scalar(tg_div(a, b), value));
    tg_tensor *small = below(tg_abs(a), 1), *left = tg_mul(a, share_of(a, value, small));
    return add_step(x, tg_mul(tg_div(left, b), share_of(a, value, tg_logical_not(small))));
}
