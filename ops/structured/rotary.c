/* Rotary position embedding. A rotation is linear and its transpose turns the other way, which is its gradient. */
#include "ops/structured/rotary.h"

#include "core/parallel.h"
#include "ops/shared.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 16384 /* elements worth a thread */ };

typedef struct rotary_attr {
    int64_t offset;
    double base;
    bool interleaved, inverse;
} rotary_attr;

static const tg_attr_field fields[] = {
    {"offset", TG_ATTR_INT, offsetof(rotary_attr, offset)},
    {"base", TG_ATTR_REAL, offsetof(rotary_attr, base)},
    {"interleaved", TG_ATTR_BOOL, offsetof(rotary_attr, interleaved)},
    {"inverse", TG_ATTR_BOOL, offsetof(rotary_attr, inverse)},
};

/* Rows of d elements of stride 1; row s of `table` [t, d] has the cosines of step s, then the sines. */
typedef struct rotation {
    const tg_array *x, *table, *y;
    int64_t t, d;
    const rotary_attr *attr;
} rotation;

/* ---- shape rule ---- */

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    double base = ((const rotary_attr *)call->attr)->base;
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (x->rank < 2 || x->shape[x->rank - 1] % 2)
        return tg_call_fail(call, TG_ERR_SHAPE, "needs the shape [.., t, d] with an even d, was given %s",
                            tg_call_input(call, 0));
    if (!(base > 0) || !isfinite(base))
        return tg_call_fail(call, TG_ERR_ARGUMENT, "the base must be finite and positive, but is %g: %s",
                            base, tg_call_input(call, 0));
    return tg_infer_same(call);
}

/* ---- forward ---- */

static double position(const rotation *r, int64_t s) { return (double)r->attr->offset + (double)s; }

static void angles_of_steps(void *context, int64_t begin, int64_t end) {
    const rotation *r = context;
    int64_t half = r->d / 2;
    for (int64_t s = begin; s < end; s++)
        for (int64_t i = 0; i < half; i++) {
            double p = position(r, s) * pow(r->attr->base, -2 * (double)i / (double)r->d);
            tg_array_set(r->table, s * r->d + i, cos(p));
            tg_array_set(r->table, s * r->d + half + i, r->attr->inverse ? -sin(p) : sin(p));
        }
}

/* y of the pairs (i step, i step + apart) of x. */
#define TURN(type) \
    static void turn_##type(int64_t half, int64_t step, int64_t apart, const type *x, const type *table, \
                            type *y) { \
        for (int64_t i = 0; i < half; i++) { \
            type a = x[i * step], b = x[i * step + apart], c = table[i], s = table[half + i]; \
            y[i * step] = a * c - b * s; \
            y[i * step + apart] = b * c + a * s; \
        } \
    }
TURN(float)
TURN(double)

/* Where row number `row` of x begins, in elements. */
static int64_t start_of(const tg_array *x, int64_t row) {
    int64_t at = 0;
    for (int i = x->rank - 2; i >= 0; i--) at += row % x->shape[i] * x->stride[i], row /= x->shape[i];
    return at;
}

/* At position 0 nothing turns, and 0 times an infinite neighbour would be NaN. */
static void turn_rows(void *context, int64_t begin, int64_t end) {
    const rotation *r = context;
    size_t size = tg_dtype_size((tg_dtype)r->x->dtype), row = (size_t)r->d * size;
    int64_t step = r->attr->interleaved ? 2 : 1, apart = r->attr->interleaved ? 1 : r->d / 2;
    for (int64_t i = begin; i < end; i++) {
        const char *x = (const char *)r->x->data + start_of(r->x, i) * (int64_t)size;
        const char *table = (const char *)r->table->data + (size_t)(i % r->t) * row;
        char *y = (char *)r->y->data + (size_t)i * row;
        if (position(r, i % r->t) == 0)
            memcpy(y, x, row);
        else if (r->x->dtype == TG_F32)
            turn_float(r->d / 2, step, apart, (const float *)x, (const float *)table, (float *)y);
        else
            turn_double(r->d / 2, step, apart, (const double *)x, (const double *)table, (double *)y);
    }
}

static tg_status forward(const tg_call *call) {
    const tg_array *x = call->in[0];
    rotation r = {.x = x, .y = call->out[0], .attr = call->attr};
    tg_array own = {0}, table = {0};
    if (x->numel == 0) return TG_OK;
    r.t = x->shape[x->rank - 2], r.d = x->shape[x->rank - 1];
    tg_status s = tg_array_alloc(&table, (tg_dtype)x->dtype, TG_SHAPE(r.t, r.d));
    if (s == TG_OK && x->stride[x->rank - 1] != 1) s = tg_array_contiguous(&own, x), r.x = &own;
    r.table = &table;
    if (s == TG_OK) {
        tg_parallel_for(r.t, GRAIN / 16 / r.d + 1, angles_of_steps, &r);
        tg_parallel_for(x->numel / r.d, GRAIN / r.d + 1, turn_rows, &r);
    }
    tg_array_drop(&own), tg_array_drop(&table);
    return s;
}

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    rotary_attr a = *(const rotary_attr *)n->attr;
    a.inverse = !a.inverse;
    din[0] = tg_apply1(&tg_op_rotary, dout[0], &a);
}

const tg_op tg_op_rotary = {
    .name = "rotary",
    .formula =
        "out_a, out_b = x_a cos(t) - x_b sin(t), x_b cos(t) + x_a sin(t) for the pairs (a, b) of x at step s; t = (offset + s) * base^(-2 * i / d) for pair i of a row of d, with inverse -t",
    .rule = "dx = rotary(dout) with -t in place of t",
    .n_in = 1,
    TG_ATTRS(rotary_attr, fields),
    .infer = infer,
    .forward = forward,
    .grad = grad,
};

tg_tensor *tg_rotary_with(tg_tensor *x, tg_rotary_opts o) {
    rotary_attr a = {o.offset, tg_option(o.base, 10000), o.interleaved, false};
    return tg_apply1(&tg_op_rotary, x, &a);
}
