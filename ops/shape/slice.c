#include "ops/shared.h"

typedef struct slice_attr {
    int64_t axis, start, stop, step;
} slice_attr;

static const tg_attr_field fields[] = {
    {"axis", TG_ATTR_INT, offsetof(slice_attr, axis)},
    {"start", TG_ATTR_INT, offsetof(slice_attr, start)},
    {"stop", TG_ATTR_INT, offsetof(slice_attr, stop)},
    {"step", TG_ATTR_INT, offsetof(slice_attr, step)},
};

static int64_t clamp(int64_t i, int64_t low, int64_t high) { return i < low ? low : i > high ? high : i; }

/* A position as Python reads it: counted from the end when negative, then clamped to [low, high]. */
static int64_t position(int64_t i, int64_t size, int64_t low, int64_t high) {
    return clamp(i < 0 ? i + size : i, low, high);
}

/* x[.., start:stop:step, ..], as a borrowed view. Positions are in [0, size] for a positive step, and in
 * [-1, size - 1] for a negative one. */
static tg_array sliced(const tg_array *x, const void *attr) {
    const slice_attr *s = attr;
    int axis = tg_attr_axis(attr, x->rank);
    int64_t size = x->shape[axis], count;
    int64_t step = clamp(s->step, -INT64_MAX, INT64_MAX);
    int64_t low = step < 0 ? -1 : 0, high = low + size;
    int64_t start = position(s->start, size, low, high);
    int64_t stop = s->stop == TG_END && step < 0 ? -1 : position(s->stop, size, low, high);
    if (step > 0)
        count = stop > start ? (stop - start - 1) / step + 1 : 0;
    else
        count = start > stop ? (start - stop - 1) / -step + 1 : 0;
    tg_array v = tg_array_part(x, axis, start, count);
    if (v.numel > 0 && count > 1) v.stride[axis] *= step;
    return v;
}

static tg_status check(const tg_call *call) {
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    if (s == TG_OK && ((const slice_attr *)call->attr)->step == 0)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "the step must not be 0: %s", tg_call_input(call, 0));
    return s;
}

/* ---- slice:  dx = g in the slice, 0 elsewhere ---- */

static tg_status slice_infer(const tg_call *call) {
    tg_status s = check(call);
    if (s != TG_OK) return s;
    tg_array view = sliced(call->in[0], call->attr);
    tg_array_share(call->out[0], &view);
    return TG_OK;
}

static void slice_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const slice_attr *s = n->attr;
    tg_tensor *zeros = tg_zeros_with(tg_dtype_of(dout[0]), tg_shape_of(n->in[0]));
    din[0] = tg_slice_scatter(zeros, dout[0], (int)s->axis, s->start, s->stop, s->step);
}

/* Adds to the adjoint so far, if there is one, so that reading a long tensor slice by slice takes linear
 * time. */
static tg_status slice_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_adjoint_or_zeros(&din[0], tg_node_in(n, 0));
    if (s != TG_OK) return s;
    tg_array part = sliced(&din[0], n->attr);
    tg_map_axpy(1, dout[0], &part);
    return TG_OK;
}

const tg_op tg_op_slice = {
    .name = "slice",
    .formula = "out = x[.., start:stop:step, ..] along axis",
    .rule = "dx = 0, but dx[.., start:stop:step, ..] = dout",
    .n_in = 1,
    .accumulates = TG_IN(0),
    TG_ATTRS(slice_attr, fields),
    .infer = slice_infer,
    .grad = slice_grad,
    .grad_kernel = slice_grad_kernel,
};

tg_tensor *tg_slice(tg_tensor *x, int axis, int64_t start, int64_t stop, int64_t step) {
    return tg_apply1(&tg_op_slice, x, &(slice_attr){axis, start, stop, step});
}

/* ---- slice_scatter:  dx = g with the slice set to 0,  dsrc = the slice of g ---- */

static tg_status scatter_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *src = call->in[1];
    tg_status s = check(call);
    if (s != TG_OK) return s;
    if (x->dtype != src->dtype) return tg_call_dtypes_differ(call, 0, 1);
    tg_array part = sliced(x, call->attr);
    char text[200];
    if (!tg_shape_equal(tg_array_shape(&part), tg_array_shape(src)))
        return tg_call_fail(call, TG_ERR_SHAPE, "the slice of %s is %s, but src is %s", tg_call_input(call, 0),
                            tg_shape_text(tg_array_shape(&part), text, sizeof text), tg_call_input(call, 1));
    return tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(x));
}

static tg_status scatter_forward(const tg_call *call) {
    tg_array_copy(call->out[0], call->in[0]);
    tg_array part = sliced(call->out[0], call->attr);
    tg_array_copy(&part, call->in[1]);
    return TG_OK;
}

static void scatter_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const slice_attr *s = n->attr;
    tg_tensor *g = dout[0];
    if (tg_needs(n, 0)) {
        tg_tensor *zeros = tg_zeros_with(tg_dtype_of(g), tg_shape_of(n->in[1]));
        din[0] = tg_slice_scatter(g, zeros, (int)s->axis, s->start, s->stop, s->step);
    }
    if (tg_needs(n, 1)) din[1] = tg_slice(g, (int)s->axis, s->start, s->stop, s->step);
}

const tg_op tg_op_slice_scatter = {
    .name = "slice_scatter",
    .formula = "out = x, but out[.., start:stop:step, ..] = src along axis",
    .rule = "dx = dout, but dx[.., start:stop:step, ..] = 0; dsrc = dout[.., start:stop:step, ..]",
    .n_in = 2,
    TG_ATTRS(slice_attr, fields),
    .infer = scatter_infer,
    .forward = scatter_forward,
    .grad = scatter_grad,
    .pure = true,
};

tg_tensor *tg_slice_scatter(tg_tensor *x, tg_tensor *src, int axis, int64_t start, int64_t stop, int64_t step) {
    return tg_apply2(&tg_op_slice_scatter, x, src, &(slice_attr){axis, start, stop, step});
}
