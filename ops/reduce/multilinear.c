#include "ops/reduce/multilinear.h"

#include "core/iterate.h"
#include "core/kernels/tasks.h"
#include "core/parallel.h"
#include "ops/reduce/scaled.h"

/* A derivative of order m of a product of elements x is the coefficient of e1 .. em in the product of (x +
 * h1 e1 + .. + hm em), where the square of each e is 0. That is a polynomial of 2^m coefficients;
 * coefficient S belongs to the product of those e whose bits are set in S. */

enum { MOST = 16, SCANS = 64 };

typedef struct job {
    const void *x, *g, *h[MOST]; /* g is NULL for the derivative along h */
    void *out;
    int order;
    tg_scan_lines line;
    bool f64, reverse, exclusive,
        only_last; /* only_last: inner is 1, and g has one number a row, for its last element */
} job;

/* ---- first gradients of what stays in range:  out[k] = (product before k) s[k] with s[k] = g[k] + x[k+1]
 * s[k+1]; when exclusive, g is that of the next element ---- */

/* Whether v is neither 0 nor so near 1 that a product of two such numbers is normal. For f32 only every
 * other product is checked, since a factor is between 2^-149 and 2^149. */
static inline int leaves(double v, double most) {
    double size = fabs(v);
    return (!(size <= most)) | ((size < 1 / most) & (size != 0));
}

#define PLAIN(NAME, T, STEP, MOST) \
    static inline bool NAME##_scans(const job *j, int64_t at, int64_t scans, int64_t apart, double *before) { \
        const T *x = j->x, *g = j->g; \
        T *out = j->out; \
        double acc[SCANS]; \
        int far = 0; \
        int64_t step = j->reverse ? -j->line.inner : j->line.inner, ahead = j->exclusive ? step : 0; \
        for (int64_t l = 0; l < scans; l++) acc[l] = 1; \
        if (j->reverse) at += (j->line.n - 1) * j->line.inner; \
        for (int64_t i = 0; i < j->line.n; i++, at += step) \
            for (int64_t l = 0; l < scans; l++) { \
                double v = (double)x[at + l * apart]; \
                before[i * scans + l] = acc[l]; \
                acc[l] *= v; \
                if (STEP == 1) far |= leaves(v, MOST); \
                if (i % STEP == 0) far |= leaves(acc[l], MOST); \
            } \
        for (int64_t l = 0; l < scans; l++) \
            acc[l] = j->only_last ? (double)g[(at - j->line.n) / j->line.n + l] : 0; \
        for (int64_t i = j->line.n - 1; i >= 0; i--) { \
            at -= step; \
            bool none = j->only_last || (j->exclusive && i == j->line.n - 1); \
            for (int64_t l = 0; l < scans; l++) { \
                int64_t k = at + l * apart; \
                double s = none ? acc[l] : (double)g[k + ahead] + acc[l]; \
                out[k] = (T)(before[i * scans + l] * s); \
                acc[l] = s * (double)x[k]; \
                if (i % STEP == 0) far |= leaves(s, MOST); \
            } \
        } \
        return !far; \
    } \
    static bool NAME(const job *j, int64_t at, int64_t scans, double *before) { \
        if (j->line.inner > 1 || j->line.n == 1) return NAME##_scans(j, at, scans, 1, before); \
        return scans == TG_SCAN_ROWS ? NAME##_scans(j, at, TG_SCAN_ROWS, j->line.n, before) \
                                     : NAME##_scans(j, at, scans, j->line.n, before); \
    }
PLAIN(plain_f32, float, 2, 0x1p350)
PLAIN(plain_f64, double, 1, 0x1p500)

/* ---- any order, any range; one scan ---- */

static double element(const job *j, const void *p, int64_t k) {
    return j->f64 ? ((const double *)p)[k] : (double)((const float *)p)[k];
}
static void set_element(const job *j, int64_t k, tg_scaled v) {
    if (j->f64)
        ((double *)j->out)[k] = tg_scaled_value(v);
    else
        ((float *)j->out)[k] = (float)tg_scaled_value(v);
}

static tg_scaled times(tg_scaled c, double v) { return tg_scaled_is_nothing(c) ? c : tg_scaled_times(c, v); }

/* Multiplies the polynomial p by that of element k. */
static void multiply(const job *j, tg_scaled *p, int64_t k) {
    double x = element(j, j->x, k), h[MOST];
    for (int i = 0; i < j->order; i++) h[i] = element(j, j->h[i], k);
    for (int s = (1 << j->order) - 1; s >= 0; s--) {
        tg_scaled v = times(p[s], x);
        for (int i = 0; i < j->order; i++)
            if ((s >> i & 1) && h[i] != 0) v = tg_scaled_sum(v, times(p[s & ~(1 << i)], h[i]));
        p[s] = v;
    }
}

static void clear(const job *j, tg_scaled *p) {
    for (int s = 0; s < 1 << j->order; s++) p[s] = TG_SCALED_NOTHING;
}

/* The coefficient of all e in p q. */
static tg_scaled top_of_product(const job *j, const tg_scaled *p, const tg_scaled *q) {
    int all = (1 << j->order) - 1;
    tg_scaled sum = TG_SCALED_NOTHING;
    for (int s = 0; s <= all; s++) sum = tg_scaled_sum(sum, tg_scaled_product(p[s], q[all & ~s]));
    return sum;
}

/* What g adds to the sum at element i. */
static double arriving(const job *j, int64_t at, int64_t i, int64_t step) {
    if (j->only_last) return i == j->line.n - 1 ? element(j, j->g, at / j->line.n) : 0;
    if (!j->exclusive) return element(j, j->g, at);
    return i == j->line.n - 1 ? 0 : element(j, j->g, at + step);
}

/* `before` has room for n + 1 polynomials: the product before each element, and a running one. */
static void with_care(const job *j, int64_t at, tg_scaled *before) {
    int64_t step = j->reverse ? -j->line.inner : j->line.inner, terms = INT64_C(1) << j->order;
    tg_scaled *p = before + j->line.n * terms;
    if (j->reverse) at += (j->line.n - 1) * j->line.inner;
    clear(j, p), p[0] = TG_SCALED_ONE;
    for (int64_t i = 0; i < j->line.n; i++, at += step) {
        for (int64_t s = 0; s < terms; s++) before[i * terms + s] = p[s];
        multiply(j, p, at);
        if (!j->g) set_element(j, at, j->exclusive ? before[i * terms + terms - 1] : p[terms - 1]);
    }
    clear(j, p);
    for (int64_t i = j->line.n - 1; j->g && i >= 0; i--) {
        at -= step;
        double g = arriving(j, at, i, step);
        if (g != 0) p[0] = tg_scaled_sum(p[0], tg_scaled_times(TG_SCALED_ONE, g));
        set_element(j, at, top_of_product(j, before + i * terms, p));
        multiply(j, p, at);
    }
}

/* ---- all scans ---- */

static void run_group(const void *context, int64_t part, char *scratch) {
    const job *j = context;
    int64_t at, scans = tg_scan_group(&j->line, part, &at);
    double *before = (double *)(void *)scratch;
    if (j->g && j->order == 0 && (j->f64 ? plain_f64 : plain_f32)(j, at, scans, before)) return;
    for (int64_t l = 0; l < scans; l++) with_care(j, at + l * j->line.apart, (tg_scaled *)(void *)scratch);
}

static tg_status run(job *j, const tg_scan_attr *attr, const tg_array *out) {
    int axis = tg_attr_axis(attr, out->rank);
    if (out->numel == 0) return TG_OK;
    int64_t n = out->shape[axis];
    j->line = tg_scan_divide(out, axis, n > 4096 ? SCANS / 4 : SCANS);
    j->out = out->data;
    j->f64 = out->dtype == TG_F64, j->reverse = attr->reverse, j->exclusive = attr->exclusive;
    int64_t together = j->line.scans < j->line.most ? j->line.scans : j->line.most, work = n * together;
    int64_t terms = (n + 1) << j->order, room = 2 * terms > work ? 2 * terms : work;
    return tg_parallel_tasks(j->line.all, work < TG_BLOCK ? TG_BLOCK / work : 1, TG_F64, room, run_group, j);
}

static tg_status forward(const tg_call *call, int first_h) {
    tg_array dense[MOST + 2] = {{0}};
    const tg_array *p[MOST + 2];
    tg_status s = tg_all_contiguous(call->n_in, call->in, dense, p);
    if (s == TG_OK) {
        job j = {.x = p[0]->data, .g = first_h == 2 ? p[1]->data : NULL, .order = call->n_in - first_h};
        for (int i = 0; i < j.order; i++) j.h[i] = p[first_h + i]->data;
        s = run(&j, call->attr, call->out[0]);
    }
    tg_drop_all(call->n_in, dense);
    return s;
}

static tg_status infer(const tg_call *call, int first_h) {
    const tg_array *x = call->in[0];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (call->n_in < first_h || call->n_in > first_h + MOST)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "%d inputs are given, but it takes %d to %d", call->n_in,
                            first_h, first_h + MOST);
    for (int i = 1; i < call->n_in; i++) {
        if (call->in[i]->dtype != x->dtype) return tg_call_dtypes_differ(call, 0, i);
        if (!tg_array_same_shape(call->in[i], x))
            return tg_call_fail(call, TG_ERR_SHAPE, "shapes differ: %s and %s (tg_expand repeats)",
                                tg_call_input(call, 0), tg_call_input(call, i));
    }
    return tg_scan_infer(call);
}

tg_status tg_prod_slopes(const tg_array *x, const tg_array *g, int64_t n, const tg_array *out) {
    job j = {.x = x->data, .g = g->data, .only_last = true};
    tg_array rows = *out;
    rows.rank = 2, rows.shape[0] = n ? out->numel / n : 0, rows.shape[1] = n;
    return run(&j, &(tg_scan_attr){.axis = -1}, &rows);
}

/* ---- the two ops ---- */

static tg_status along_infer(const tg_call *call) { return infer(call, 1); }
static tg_status along_forward(const tg_call *call) { return forward(call, 1); }
static tg_status adjoint_infer(const tg_call *call) { return infer(call, 2); }
static tg_status adjoint_forward(const tg_call *call) { return forward(call, 2); }

/* The gradient by x is the adjoint of g. That by a direction, in which the result is linear, is the
 * adjoint without it. */
static void along_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < n->n_in; i++) {
        tg_tensor *in[MOST + 2] = {n->in[0], dout[0]};
        int count = 2;
        for (int k = 1; k < n->n_in; k++)
            if (k != i) in[count++] = n->in[k];
        if (tg_needs(n, i)) din[i] = tg_cumprod_adjoint(in, count, n->attr);
    }
}

/* For an adjoint c of the result, c . (adjoint of g along h) = g . (derivative along h and c). So the
 * gradient by x has c as one more direction, that by a direction has c in its place, and that by g is the
 * derivative itself. */
static void adjoint_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < n->n_in; i++) {
        tg_tensor *in[MOST + 3];
        int count = 0;
        for (int k = 0; k < n->n_in; k++)
            if (k != i || k == 0) in[count++] = n->in[k];
        in[count++] = dout[0];
        if (tg_needs(n, i)) din[i] = (i == 1 ? tg_cumprod_along : tg_cumprod_adjoint)(in, count, n->attr);
    }
}

const tg_op tg_op_cumprod_along = {
    .name = "cumprod_along",
    .formula = "out = the derivative of cumprod(x) along h1, .., hm in turn",
    .rule = "dx = cumprod_adjoint(x, dout, h1, .., hm); dh1, .., dhm = cumprod_adjoint(x, dout, the other h)",
    .n_in = TG_VARIADIC,
    .save = TG_ALL_IN,
    TG_ATTRS(tg_scan_attr, tg_scan_fields),
    .infer = along_infer,
    .forward = along_forward,
    .grad = along_grad,
};

const tg_op tg_op_cumprod_adjoint = {
    .name = "cumprod_adjoint",
    .formula = "out = the gradient by x of g . (derivative of cumprod(x) along h1, .., hm in turn)",
    .rule =
        "dx = cumprod_adjoint(x, g, h1, .., hm, dout); dg = cumprod_along(x, h1, .., hm, dout); dh1, .., dhm = cumprod_adjoint(x, g, the other h, dout)",
    .n_in = TG_VARIADIC,
    .save = TG_ALL_IN,
    TG_ATTRS(tg_scan_attr, tg_scan_fields),
    .infer = adjoint_infer,
    .forward = adjoint_forward,
    .grad = adjoint_grad,
};

tg_tensor *tg_cumprod_along(tg_tensor *const *in, int n, const tg_scan_attr *attr) {
    return tg_apply(&tg_op_cumprod_along, in, n, attr);
}
tg_tensor *tg_cumprod_adjoint(tg_tensor *const *in, int n, const tg_scan_attr *attr) {
    return tg_apply(&tg_op_cumprod_adjoint, in, n, attr);
}
