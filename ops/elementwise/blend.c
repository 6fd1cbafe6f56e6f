/* Functions of three tensors, element by element. */
#include "core/iterate.h"
#include "ops/elementwise/unary.h"

#include <float.h>
#include <math.h>

/* ---- out = a + w (b - a) ---- */

/* For w < 1/2 the result is computed from a, and goes no further than the middle; else from b. So each end
 * is met exactly, and both parts are monotone. `way` is b - a, or half of it where it may overflow; not
 * always half, since that of a subnormal number is not exact. */
#define LERP(T, NAME, FABS, MOST) \
    static void NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        T *out = (T *)(void *)p->out; \
        const T *a = (const T *)(void *)p->a, *b = (const T *)(void *)p->b, *w = (const T *)(void *)p->c; \
        (void)arg; \
        for (int64_t i = 0; i < n; i++) { \
            T from = a[i * s->a], to = b[i * s->b], t = w[i * s->c]; \
            T ways = FABS(from) + FABS(to) <= MOST ? 1 : 2, part = 1 / ways; \
            T way = to * part - from * part, middle = to - way * ((T)0.5 * ways), \
              near = from + ways * t * way; \
            if (from <= to ? near > middle : near < middle) near = middle; \
            T far = to - (ways - ways * t) * way; \
            out[i * s->out] = t == 0 ? from : t == 1 ? to : t < (T)0.5 ? near : far; \
        } \
    }
LERP(float, lerp_f32, fabsf, FLT_MAX)
LERP(double, lerp_f64, fabs, DBL_MAX)

enum { LERP_COST = 4 };

static tg_status lerp_forward(const tg_call *call) {
    const tg_array *out = call->out[0], *operand[4] = {out};
    tg_array spread[3];
    for (int i = 0; i < 3; i++) {
        spread[i] = tg_borrow_broadcast(call->in[i], out);
        operand[i + 1] = &spread[i];
    }
    tg_iterate_map(4, operand, LERP_COST, out->dtype == TG_F32 ? lerp_f32 : lerp_f64, NULL);
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
    .formula = "out = a + w * (b - a)",
    .rule = "da = dout * (1 - w); db = dout * w; dw = dout * (b - a)",
    .n_in = 3,
    .elementwise = true,
    .save = TG_IN(0) | TG_IN(1) | TG_IN(2),
    .infer = tg_infer_broadcast,
    .forward = lerp_forward,
    .grad = lerp_grad,
};

tg_tensor *tg_lerp(tg_tensor *a, tg_tensor *b, tg_tensor *weight) {
    tg_tensor *in[3] = {a, b, weight};
    return tg_apply(&tg_op_lerp, in, 3, NULL);
}

/* ---- compositions ---- */

/* x + step; the elements of step are dropped. */
static tg_tensor *add_step(tg_tensor *x, tg_tensor *step) {
    tg_tensor *y = tg_add(x, step);
    tg_drop_elements(step);
    return y;
}

/* x times `value` where `here` is true */
static tg_tensor *times_share(tg_tensor *x, double value, tg_tensor *here) {
    return tg_mul(x, tg_where(here, number(x, value), number(x, 1)));
}

static bool are_tensors(const char *who, const tg_tensor *x, const tg_tensor *a, const tg_tensor *b) {
    return tg_operand(x, who, 0) && tg_operand(a, who, 1) && tg_operand(b, who, 2);
}

/* The factor of larger magnitude is multiplied by value, which rounds least; the product is, where that
 * would overflow. */
tg_tensor *tg_addcmul(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcmul");
    if (!are_tensors("addcmul", x, a, b)) return tg_poison();
    if (value == 1) return add_step(x, tg_mul(a, b));
    tg_tensor *size_a = tg_abs(a), *size_b = tg_abs(b), *of_a = tg_gt(size_a, size_b),
              *of_b = tg_logical_not(of_a);
    if (fabs(value) < 1) return add_step(x, tg_mul(times_share(a, value, of_a), times_share(b, value, of_b)));
    double most = (is_f64(x) ? DBL_MAX : (double)FLT_MAX) / fabs(value);
    tg_tensor *fits = tg_le(tg_maximum(size_a, size_b), number(x, most));
    of_a = tg_logical_and(of_a, fits), of_b = tg_logical_and(of_b, fits);
    tg_tensor *product = tg_mul(times_share(a, value, of_a), times_share(b, value, of_b));
    return add_step(x, times_share(product, value, tg_logical_not(fits)));
}

/* For a value above 1 the quotient is multiplied by it. Where the quotient is subnormal the numerator is
 * instead, unless that would round more. */
tg_tensor *tg_addcdiv(tg_tensor *x, tg_tensor *a, tg_tensor *b, double value) {
    TG_COMPOSED("addcdiv");
    if (!are_tensors("addcdiv", x, a, b)) return tg_poison();
    if (value == 1) return add_step(x, tg_div(a, b));
    if (fabs(value) < 1) return add_step(x, tg_mul_scalar(tg_div(a, b), value));
    double least = is_f64(x) ? DBL_MIN : (double)FLT_MIN;
    tg_tensor *size = tg_abs(b), *small = tg_lt(tg_abs(a), tg_mul_scalar(size, least));
    small = tg_logical_and(small, above(size, 1 / fabs(value)));
    return add_step(x, times_share(tg_div(times_share(a, value, small), b), value, tg_logical_not(small)));
}
