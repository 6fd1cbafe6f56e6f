#include "ops/reduce/scan.h"

#include "core/iterate.h"
#include "core/parallel.h"
#include "ops/reduce/multilinear.h"
#include "ops/reduce/scaled.h"

#include <string.h>

const tg_attr_field tg_scan_fields[3] = {
    {"axis", TG_ATTR_INT, offsetof(tg_scan_attr, axis)},
    {"reverse", TG_ATTR_BOOL, offsetof(tg_scan_attr, reverse)},
    {"exclusive", TG_ATTR_BOOL, offsetof(tg_scan_attr, exclusive)},
};

/* ---- the loop ---- */

enum { SCANS = 64 };

typedef struct scan scan;
typedef void scan_body(const scan *s, int64_t at, int64_t scans);

struct scan {
    const void *a, *b; /* b is NULL but for the linear scan */
    void *out;
    tg_scan_lines line;
    bool reverse, exclusive;
    scan_body *body;
};

/* Elements are of type T and the running value is of type ACC, from which VALUE makes the number. FIRST is
 * the running value at the start, and NEXT the one after element k, where `before` is the one before it. */
#define SCAN_OF(NAME, T, ACC, VALUE, FIRST, NEXT) \
    static inline void NAME##_scans(const scan *s, int64_t at, int64_t scans, int64_t apart) { \
        const T *a = s->a, *b = s->b; \
        T *out = s->out; \
        ACC acc[SCANS]; \
        int64_t step = s->reverse ? -s->line.inner : s->line.inner; \
        (void)b; \
        for (int64_t l = 0; l < scans; l++) acc[l] = FIRST; \
        if (s->reverse) at += (s->line.n - 1) * s->line.inner; \
        for (int64_t i = 0; i < s->line.n; i++, at += step) \
            for (int64_t l = 0; l < scans; l++) { \
                int64_t k = at + l * apart; \
                ACC before = acc[l]; \
                acc[l] = NEXT; \
                out[k] = (T)VALUE(s->exclusive ? before : acc[l]); \
            } \
    } \
    static void NAME(const scan *s, int64_t at, int64_t scans) { \
        if (s->line.inner > 1 || s->line.n == 1) \
            NAME##_scans(s, at, scans, 1); \
        else if (scans == TG_SCAN_ROWS) \
            NAME##_scans(s, at, TG_SCAN_ROWS, s->line.n); \
        else \
            NAME##_scans(s, at, scans, s->line.n); \
    }

#define SCAN(NAME, T, ACC, FIRST, NEXT) SCAN_OF(NAME, T, ACC, , FIRST, NEXT)

SCAN(sum_f32, float, double, 0, before + (double)a[k])
SCAN(sum_f64, double, double, 0, before + a[k])
SCAN(sum_i64, uint64_t, uint64_t, 0, before + a[k])
SCAN(prod_f32, float, double, 1, before *(double)a[k])
SCAN(prod_f64, double, double, 1, before *a[k])
SCAN(prod_i64, uint64_t, uint64_t, 1, before *a[k])
SCAN_OF(far_prod_f32, float, tg_scaled, tg_scaled_value, TG_SCALED_ONE, tg_scaled_times(before, (double)a[k]))
SCAN_OF(far_prod_f64, double, tg_scaled, tg_scaled_value, TG_SCALED_ONE, tg_scaled_times(before, a[k]))
/* The state before the first step is 0, and is not multiplied by a, which may be infinite. */
SCAN(linear_f32, float, double, 0, i == 0 ? (double)b[k] : (double)a[k] * before + (double)b[k])
SCAN(linear_f64, double, double, 0, i == 0 ? b[k] : a[k] * before + b[k])

tg_scan_lines tg_scan_divide(const tg_array *out, int axis, int64_t scans) {
    tg_scan_lines l = {.n = out->shape[axis], .inner = 1};
    for (int i = axis + 1; i < out->rank; i++) l.inner *= out->shape[i];
    bool rows = l.inner == 1;
    l.scans = rows ? out->numel / l.n : l.inner;
    l.apart = rows ? l.n : 1;
    l.most = rows ? TG_SCAN_ROWS : scans;
    l.groups = (l.scans + l.most - 1) / l.most;
    l.all = out->numel / (l.n * l.scans) * l.groups;
    return l;
}

int64_t tg_scan_group(const tg_scan_lines *l, int64_t i, int64_t *at) {
    int64_t first = i % l->groups * l->most, left = l->scans - first;
    *at = i / l->groups * l->n * l->inner + first * l->apart;
    return left < l->most ? left : l->most;
}

static void run_groups(void *context, int64_t begin, int64_t end) {
    const scan *s = context;
    for (int64_t i = begin, at; i < end; i++) {
        int64_t scans = tg_scan_group(&s->line, i, &at);
        s->body(s, at, scans);
    }
}

static void run(scan *s, const tg_scan_attr *attr, const tg_array *out) {
    if (out->numel == 0) return;
    s->line = tg_scan_divide(out, tg_attr_axis(attr, out->rank), SCANS);
    s->out = out->data;
    s->reverse = attr->reverse;
    s->exclusive = attr->exclusive;
    int64_t work = out->numel / s->line.all;
    tg_parallel_for(s->line.all, work < TG_BLOCK ? TG_BLOCK / work : 1, run_groups, s);
}

/* *to becomes x, contiguous and of `dtype`. */
static tg_status prepare(tg_array *to, const tg_array *x, tg_dtype dtype) {
    if (x->dtype == dtype) return tg_array_contiguous(to, x);
    tg_status s = tg_array_alloc(to, dtype, tg_array_shape(x));
    if (s == TG_OK) tg_array_copy(to, x);
    return s;
}

tg_status tg_scan_infer(const tg_call *call) {
    int axis;
    tg_dtype dtype = (tg_dtype)call->in[0]->dtype;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s != TG_OK) return s;
    return tg_out(call, 0, tg_dtype_is_float(dtype) ? dtype : TG_I64, tg_array_shape(call->in[0]));
}

/* Runs the body for f32, f64 or i64, and then the slower one where a running value may have left its
 * range. */
static tg_status forward(const tg_call *call, scan_body *const bodies[3], scan_body *const careful[2]) {
    const tg_array *out = call->out[0];
    tg_dtype dtype = (tg_dtype)out->dtype;
    int i = dtype == TG_F32 ? 0 : dtype == TG_F64 ? 1 : 2;
    tg_array x = {0};
    tg_status s = prepare(&x, call->in[0], dtype);
    scan work = {.a = x.data, .body = bodies[i]};
    if (s == TG_OK) run(&work, call->attr, out);
    if (s == TG_OK && careful && i < 2 && !tg_all_finite(out, true)) {
        work.body = careful[i];
        run(&work, call->attr, out);
    }
    tg_array_drop(&x);
    return s;
}

/* ---- cumsum:  dx = cumsum(g) from the other end ---- */

static tg_status cumsum_forward(const tg_call *call) {
    return forward(call, (scan_body *const[]){sum_f32, sum_f64, sum_i64}, NULL);
}

static void cumsum_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_scan_attr *s = n->attr;
    din[0] = tg_cumsum_with(dout[0], (int)s->axis,
                            (tg_scan_opts){.reverse = !s->reverse, .exclusive = s->exclusive});
}

const tg_op tg_op_cumsum = {
    .name = "cumsum",
    .formula =
        "out[i] = x[0] + .. + x[i] along axis; with exclusive without x[i], with reverse from the last on",
    .rule = "dx[i] = dout[i] + dout[i + 1] + .., with exclusive without dout[i], with reverse down to dout[0]",
    .n_in = 1,
    TG_ATTRS(tg_scan_attr, tg_scan_fields),
    .infer = tg_scan_infer,
    .forward = cumsum_forward,
    .grad = cumsum_grad,
};

tg_tensor *tg_cumsum_with(tg_tensor *x, int axis, tg_cumsum_opts opts) {
    return tg_apply1(&tg_op_cumsum, x, &(tg_scan_attr){axis, opts.reverse, opts.exclusive});
}

/* ---- cumprod: its derivatives to all orders are in ops/reduce/multilinear.c ---- */

static tg_status cumprod_forward(const tg_call *call) {
    return forward(call, (scan_body *const[]){prod_f32, prod_f64, prod_i64},
                   (scan_body *const[]){far_prod_f32, far_prod_f64});
}

static void cumprod_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_cumprod_adjoint((tg_tensor *[]){n->in[0], dout[0]}, 2, n->attr);
}

const tg_op tg_op_cumprod = {
    .name = "cumprod",
    .formula =
        "out[i] = x[0] * .. * x[i] along axis; with exclusive without x[i], with reverse from the last on",
    .rule = "dx[i] = sum over the out[j] that x[i] is in of dout[j] * (product of the others in out[j])",
    .n_in = 1,
    .save = TG_IN(0),
    TG_ATTRS(tg_scan_attr, tg_scan_fields),
    .infer = tg_scan_infer,
    .forward = cumprod_forward,
    .grad = cumprod_grad,
};

tg_tensor *tg_cumprod_with(tg_tensor *x, int axis, tg_cumprod_opts opts) {
    return tg_apply1(&tg_op_cumprod, x, &(tg_scan_attr){axis, opts.reverse, opts.exclusive});
}

/* ---- linear_scan:  db = the scan of a and g from the other end,  da = db * out ---- */

static tg_status linear_infer(const tg_call *call) {
    const tg_array *a = call->in[0], *b = call->in[1];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (a->dtype != b->dtype) return tg_call_dtypes_differ(call, 0, 1);
    if (!tg_array_same_shape(a, b))
        return tg_call_fail(call, TG_ERR_SHAPE, "shapes differ: %s and %s (tg_expand repeats)",
                            tg_call_input(call, 0), tg_call_input(call, 1));
    return tg_scan_infer(call);
}

static tg_status linear_forward(const tg_call *call) {
    tg_dtype dtype = (tg_dtype)call->out[0]->dtype;
    tg_array a = {0}, b = {0};
    tg_status s = prepare(&a, call->in[0], dtype);
    if (s == TG_OK) s = prepare(&b, call->in[1], dtype);
    scan work = {.a = a.data, .b = b.data, .body = dtype == TG_F32 ? linear_f32 : linear_f64};
    if (s == TG_OK) run(&work, call->attr, call->out[0]);
    tg_array_drop(&a);
    tg_array_drop(&b);
    return s;
}

static void linear_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const tg_scan_attr *s = n->attr;
    din[1] = tg_linear_scan(n->in[0], dout[0], (int)s->axis, !s->reverse);
    if (tg_needs(n, 0)) din[0] = tg_mul(din[1], n->out[0]);
}

const tg_op tg_op_linear_scan = {
    .name = "linear_scan",
    .formula = "out[0] = 0, out[i + 1] = a[i] * out[i] + b[i] along axis; with reverse from the last on",
    .rule = "da = db * out; db[last] = 0, db[i - 1] = a[i] * db[i] + dout[i], with reverse the other way",
    .n_in = 2,
    .save = TG_IN(0) | TG_OUT(0),
    TG_ATTRS(tg_scan_attr, tg_scan_fields),
    .infer = linear_infer,
    .forward = linear_forward,
    .grad = linear_grad,
};

tg_tensor *tg_linear_scan(tg_tensor *a, tg_tensor *b, int axis, bool reverse) {
    return tg_apply2(&tg_op_linear_scan, a, b, &(tg_scan_attr){axis, reverse, true});
}
