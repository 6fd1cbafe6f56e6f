/* Vector norms. Their derivative by x, which has the shape of x, is computed by the same op. */
#include "ops/reduce/vector_norm.h"

#include "core/work.h"
#include "ops/reduce/axes.h"
#include "ops/reduce/spread.h"

#include <float.h>
#include <math.h>

typedef struct norm_attr {
    tg_reduce_opts over;
    double p;
    bool slope; /* out is the derivative by x, not the norm */
} norm_attr;

static const tg_attr_field fields[] = {
    {"axes", TG_ATTR_DIMS, offsetof(norm_attr, over.axes)},
    {"keepdim", TG_ATTR_BOOL, offsetof(norm_attr, over.keepdim)},
    {"p", TG_ATTR_REAL, offsetof(norm_attr, p)},
    {"slope", TG_ATTR_BOOL, offsetof(norm_attr, slope)},
};

static tg_status infer(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    s = tg_infer_over(call, dtype); /* raises what is wrong with the axes */
    if (s != TG_OK || !((const norm_attr *)call->attr)->slope) return s;
    return tg_out(call, 0, dtype, tg_array_shape(call->in[0]));
}

/* ---- the norm is s (sum of (|x| / s)^p)^(1/p) for any s. With the largest |x| as s, or the power of two
 * below it, by which dividing is exact, no power leaves the range of the dtype ---- */

static double scale_of(double largest, double p) {
    if (largest == 0 || !isfinite(largest)) return 1;
    return p > 32 ? largest : tg_power_below(largest); /* 2^p may be too large */
}

/* The norm is n times the scale; both have x's shape with size 1 along the axes. */
typedef struct measure {
    tg_array n, scale;
} measure;

static void drop(measure *m) { tg_array_drop(&m->n), tg_array_drop(&m->scale); }

static tg_status terms_of(const tg_array *x, unsigned axes, double p, const measure *m, tg_array *terms) {
    static const double none[2] = {0, 0};
    const double exponent[2] = {p, 0};
    tg_status s = tg_array_alloc_like(terms, x);
    if (s != TG_OK || x->numel == 0) return s;
    tg_map_unary(TG_UNARY_ABS, x, terms, none);
    tg_reduce(TG_MAX, terms, axes, &m->scale);
    for (int64_t i = 0; i < m->scale.numel; i++)
        tg_array_set(&m->scale, i, scale_of(tg_array_get(&m->scale, i), p));
    tg_map_spread(TG_BINARY_DIV, terms, &m->scale, terms);
    if (p == 2)
        tg_map_unary(TG_UNARY_SQUARE, terms, terms, none);
    else if (p != 1)
        tg_map_unary(TG_UNARY_POW_SCALAR, terms, terms, exponent);
    return TG_OK;
}

/* The caller drops *m, after an error too. */
static tg_status measure_over(const tg_array *x, unsigned axes, double p, measure *m) {
    tg_shape kept = tg_shape_kept(tg_array_shape(x), axes);
    tg_array terms = {0};
    *m = (measure){0};
    tg_status s = tg_array_alloc(&m->n, (tg_dtype)x->dtype, kept);
    if (s == TG_OK) s = tg_array_alloc(&m->scale, (tg_dtype)x->dtype, kept);
    if (s == TG_OK) s = terms_of(x, axes, p, m, &terms);
    if (s == TG_OK) tg_reduce(TG_SUM, &terms, axes, &m->n);
    for (int64_t i = 0; s == TG_OK && i < m->n.numel; i++) {
        double sum = tg_array_get(&m->n, i);
        tg_array_set(&m->n, i, p == 2 ? sqrt(sum) : pow(sum, 1 / p));
    }
    tg_array_drop(&terms);
    return s;
}

/* ---- slope = sign(x) (|x| / n)^(p-1), 0 at x = 0 ---- */

/* Where the norm is infinite, the limit for k = `infinite` elements that go to infinity alike: each of
 * them has k^(1/p-1), and for p > 1 the others have 0. */
static double slope_of(double x, double n, double scale, double p, double infinite) {
    double size = fabs(x), share = size / scale / n, v;
    if (x == 0) return 0;
    if (p == 1)
        v = isnan(x) ? x : 1;
    else if (isinf(n))
        v = isinf(x) ? pow(infinite, 1 / p - 1) : p > 1 ? 0 : INFINITY;
    else if (p == 2)
        v = share;
    else
        v = share >= 0x1p-1000 ? pow(share, p - 1) : pow(size, p - 1) / pow(scale, p - 1) / pow(n, p - 1);
    return copysign(v, x);
}

static bool all_positive(const tg_array *n) {
    for (int64_t i = 0; i < n->numel; i++)
        if (!(tg_array_get(n, i) > 0 && tg_array_get(n, i) < INFINITY)) return false;
    return true;
}

static tg_status slope_to(const tg_array *x, unsigned axes, double p, const measure *m, const tg_array *out) {
    tg_array infinite = {0};
    if (p == 2 && all_positive(&m->n)) {
        tg_map_spread(TG_BINARY_DIV, x, &m->scale, out);
        tg_map_spread(TG_BINARY_DIV, out, &m->n, out);
        return TG_OK;
    }
    tg_status s = tg_array_alloc_like(&infinite, &m->n);
    if (s == TG_OK && x->numel > 0) {
        for (int64_t i = 0; i < x->numel; i++) tg_array_set(out, i, fabs(tg_array_get(x, i)) == INFINITY);
        tg_reduce(TG_SUM, out, axes, &infinite);
        tg_array n = tg_borrow_broadcast(&m->n, x), scale = tg_borrow_broadcast(&m->scale, x);
        tg_array k = tg_borrow_broadcast(&infinite, x);
        for (int64_t i = 0; i < x->numel; i++)
            tg_array_set(out, i,
                         slope_of(tg_array_get(x, i), tg_array_get(&n, i), tg_array_get(&scale, i), p,
                                  tg_array_get(&k, i)));
    }
    tg_array_drop(&infinite);
    return s;
}

static tg_status forward(const tg_call *call) {
    const norm_attr *a = call->attr;
    const tg_array *x = call->in[0], *out = call->out[0];
    unsigned axes = tg_axes_of(a, x->rank);
    measure m;
    tg_status s = measure_over(x, axes, a->p, &m);
    if (s == TG_OK && a->slope) s = slope_to(x, axes, a->p, &m, out);
    for (int64_t i = 0; s == TG_OK && !a->slope && i < out->numel; i++) {
        double n = tg_array_get(&m.n, i);
        tg_array_set(out, i, n == 0 ? 0 : n * tg_array_get(&m.scale, i));
    }
    drop(&m);
    return s;
}

/* ---- the derivative of sum(q slope) is (p - 1) (q |x / n|^(p-2) - slope sum(q slope)) / n. The slope
 * does not change when x is scaled, so any multiple of x may be subtracted from q: the one for which q
 * becomes 0 at the largest x, where 1 - |x / n|^p would cancel. What that multiple contributes to the
 * first term is slope times a number of the row. ---- */

extern const tg_op tg_op_norm;

static tg_tensor *apply(tg_tensor *x, const norm_attr *a, bool slope) {
    norm_attr with = *a;
    with.slope = slope;
    with.over.keepdim = true;
    return tg_apply1(&tg_op_norm, x, &with);
}

static tg_tensor *sum_over(tg_tensor *t, const norm_attr *a) {
    return tg_sum_with(t, (tg_reduce_opts){.axes = a->over.axes, .keepdim = true});
}
static tg_tensor *number(const tg_tensor *like, double v) { return tg_scalar(tg_dtype_of(like), v); }

/* A mask of the largest |x| of each row where no other ties with it; that x, else 1; and its q, else 0. */
typedef struct top {
    tg_tensor *mask, *x, *q;
} top;

static top top_of(tg_tensor *q, tg_tensor *x, const norm_attr *a) {
    tg_tensor *size = tg_abs(tg_detach(x)), *zero = number(x, 0);
    tg_tensor *largest =
        tg_eq(size, tg_amax_with(size, (tg_reduce_opts){.axes = a->over.axes, .keepdim = true}));
    tg_tensor *alone = tg_eq(sum_over(largest, a), tg_scalar(TG_I64, 1));
    top t = {.mask = tg_logical_and(largest, alone)};
    t.x = tg_masked_fill(sum_over(tg_where(t.mask, x, zero), a), tg_logical_not(alone), 1);
    t.q = sum_over(tg_where(t.mask, q, zero), a);
    return t;
}

/* q |x / n|^(p-2) / n for n in units of c. For p < 2 it is q slope / x, which is in range where the power
 * is not. */
static tg_tensor *straight(tg_tensor *q, tg_tensor *x, tg_tensor *slope, tg_tensor *n, tg_tensor *c, double p) {
    if (p < 2) return tg_div(tg_mul(q, slope), x);
    if (p > 2) q = tg_mul(q, tg_pow_scalar(tg_abs(tg_div(tg_div(x, c), n)), p - 2));
    return tg_div(tg_div(q, n), c);
}

/* Whether element i of a[0], the product of a[1] and a[2], is not a normal number. */
static bool is_spoiled(const tg_array *const *a, int64_t i) {
    double least = a[0]->dtype == TG_F64 ? DBL_MIN : (double)FLT_MIN, size = fabs(tg_array_get(a[0], i));
    return !isfinite(size) || (size < least && tg_array_get(a[1], i) != 0 && tg_array_get(a[2], i) != 0);
}

static bool any_spoiled(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t i = 0; i < a[0]->numel; i++)
        if (is_spoiled(a, i)) return true;
    return false;
}

static tg_status mark_spoiled(const tg_array *const *a, const void *data) {
    (void)data;
    for (int64_t i = 0; i < a[0]->numel; i++) tg_array_set(a[0], i, is_spoiled(a + 1, i));
    return TG_OK;
}

/* A mask that is set where a product of a and b, all of one shape, is not a normal number; NULL when it is
 * nowhere set. */
static tg_tensor *spoiled(tg_tensor *product, tg_tensor *a, tg_tensor *b) {
    const tg_array *all[] = {NULL, tg_array_within(product, "tg_array_of"), tg_array_within(a, "tg_array_of"),
                             tg_array_within(b, "tg_array_of")};
    if (!all[1] || !all[2] || !all[3] ||
        !tg_decide(&(tg_decision){"is a product spoiled", any_spoiled, 3, NULL, 0}, all + 1))
        return NULL;
    tg_tensor *where = tg_zeros_with(TG_BOOL, tg_shape_of(product));
    if (!tg_is_alive(where)) return where;
    all[0] = tg_array_within(where, "tg_array_of");
    TG_WORK_DO(mark_spoiled, all, NULL, .name = "spoiled products", .n = 4, .makes = 1u);
    return where;
}

/* a b / c for a constant c; b is divided by it first where the product is spoiled. */
static tg_tensor *product_over(tg_tensor *a, tg_tensor *b, tg_tensor *c) {
    tg_tensor *product = tg_mul(a, b);
    if (!tg_is_alive(product)) return product;
    tg_tensor *early = spoiled(product, a, b), *one = number(a, 1);
    if (!early) return tg_div(product, c);
    return tg_div(tg_mul(a, tg_div(b, tg_where(early, c, one))), tg_where(early, one, c));
}

/* The gradient of the slope, in units of a constant c with which n stays in the range of the dtype. Where
 * the norm is 0 or infinite, the slope is constant. */
static tg_tensor *slope_grad(tg_tensor *g, tg_tensor *all_x, const norm_attr *a) {
    tg_tensor *q = tg_mul_scalar(g, a->p - 1);
    tg_tensor *c = tg_scale_over(all_x, a->over.axes, 0), *size = apply(tg_detach(tg_div(all_x, c)), a, false);
    tg_tensor *fixed = tg_logical_or(tg_eq(size, number(q, 0)), tg_eq(size, number(q, INFINITY)));
    tg_tensor *x = tg_masked_fill(all_x, fixed, 1), *slope = apply(x, a, true),
              *n = apply(tg_div(x, c), a, false);
    top t = top_of(q, x, a);
    tg_tensor *rest = tg_masked_fill(tg_sub(q, tg_mul(t.q, tg_div(x, t.x))), t.mask, 0);
    tg_tensor *inner = tg_div(sum_over(tg_mul(rest, slope), a), n);
    tg_tensor *moved = tg_where(t.mask, number(q, 0), tg_div(t.q, tg_div(t.x, c)));
    tg_tensor *turned = product_over(slope, tg_add(moved, inner), c);
    if (a->p != 2) fixed = tg_logical_or(fixed, tg_eq(x, number(q, 0))), x = tg_masked_fill(x, fixed, 1);
    q = tg_masked_fill(q, t.mask, 0);
    return tg_masked_fill(tg_sub(straight(q, x, slope, n, c, a->p), turned), fixed, 0);
}

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const norm_attr *a = n->attr;
    if (!a->slope)
        din[0] = tg_mul(tg_kept(n, dout[0]), apply(n->in[0], a, true));
    else if (a->p == 1)
        din[0] = tg_zeros_like(dout[0]);
    else if (tg_is_alive(dout[0]) && tg_numel(dout[0]) == 0)
        din[0] = dout[0];
    else
        din[0] = slope_grad(dout[0], n->in[0], a);
}

const tg_op tg_op_norm = {
    .name = "norm",
    .formula = "out = sum(|x|^p)^(1 / p), over axes; with slope its derivative by x",
    .rule =
        "r = sum(|x|^p)^(1 / p); dx = 0 where r = 0 or (x = 0 and p != 2), (p - 1) * (dout * |x / r|^(p - 2) - out * sum(dout * out)) / r where slope, else dout * sign(x) * |x / r|^(p - 1)",
    .kink = "0 at x = 0; at infinity the limit",
    .n_in = 1,
    .save = TG_IN(0),
    TG_ATTRS(norm_attr, fields),
    .infer = infer,
    .forward = forward,
    .grad = grad,
};

tg_tensor *tg_norm_with(tg_tensor *x, tg_norm_opts opts) {
    tg_reduce_opts over = {.axes = opts.axes, .keepdim = opts.keepdim};
    double p = opts.p == 0 ? 2 : opts.p;
    if (!(p > 0) && p != -INFINITY) {
        tg_fail(TG_ERR_ARGUMENT, "norm: p is %g, but must be more than 0, or -inf", p);
        return tg_poison();
    }
    if (isfinite(p)) return tg_apply1(&tg_op_norm, x, &(norm_attr){.over = over, .p = p});
    TG_COMPOSED("norm");
    tg_tensor *size = tg_abs(x), *out = p > 0 ? tg_amax_with(size, over) : tg_amin_with(size, over);
    tg_drop_temporary(size);
    return out;
}
