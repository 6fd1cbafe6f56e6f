#include "core/slot.h"
#include "core/work.h"
#include "ops/shared.h"

typedef struct shape_attr { /* of reshape and expand */
    tg_shape shape;
} shape_attr;

static const tg_attr_field shape_fields[] = {{"shape", TG_ATTR_DIMS, offsetof(shape_attr, shape)}};

static tg_status fail_shape(const tg_call *call, const char *why, tg_shape shape) {
    char text[200];
    return tg_call_fail(call, TG_ERR_SHAPE, "%s: %s to %s", why, tg_call_input(call, 0),
                        tg_shape_text(shape, text, sizeof text));
}

static tg_status rank_in_range(const tg_call *call, tg_shape shape) {
    if (shape.rank >= 0 && shape.rank <= TG_MAX_RANK) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE,
                        "a shape of %d axes is asked for, but a tensor has 0 to %d axes: %s", shape.rank,
                        TG_MAX_RANK, tg_call_input(call, 0));
}

/* ---- reshape:  dx = g in x's shape ---- */

/* Replaces a size of -1 by what is left over. */
static tg_status fill_in(const tg_call *call, tg_shape *shape) {
    tg_shape wanted = *shape;
    int64_t numel = call->in[0]->numel;
    int open = -1;
    for (int i = 0; i < shape->rank; i++) {
        if (wanted.dim[i] >= 0) continue;
        if (wanted.dim[i] < -1 || open >= 0)
            return fail_shape(call, "only one size can be -1, and none can be less", wanted);
        open = i;
        shape->dim[i] = 1;
    }
    int64_t known = tg_shape_numel(*shape);
    if (open >= 0 && known == 0)
        return fail_shape(call, "the size -1 cannot be inferred, since any would do", wanted);
    if (open >= 0 && known > 0) shape->dim[open] = numel / known;
    if (tg_shape_numel(*shape) != numel) return fail_shape(call, "the numbers of elements differ", wanted);
    return TG_OK;
}

static tg_status reshape_infer(const tg_call *call) {
    tg_shape shape = ((const shape_attr *)call->attr)->shape;
    tg_status s = rank_in_range(call, shape);
    if (s == TG_OK) s = fill_in(call, &shape);
    if (s != TG_OK || tg_array_reshape(call->out[0], call->in[0], shape)) return s;
    return tg_out(call, 0, (tg_dtype)call->in[0]->dtype, shape);
}

/* Copies x in row-major order where infer could not make a view: out is written as an array of x's shape. */
static tg_status reshape_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    if (out->buffer == x->buffer) return TG_OK;
    tg_array under = {0};
    tg_status s = tg_array_layout(&under, (tg_dtype)x->dtype, tg_array_shape(x));
    under.data = out->data;
    if (s == TG_OK) tg_array_copy(&under, x);
    return s;
}

static void reshape_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_reshape_with(dout[0], tg_shape_of(n->in[0]));
}

static tg_status reshape_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_shape shape = tg_array_shape(tg_node_in(n, 0));
    return tg_array_reshaped(&din[0], dout[0], shape);
}

const tg_op tg_op_reshape = {
    .name = "reshape",
    .formula = "out = the elements of x in row-major order, in another shape",
    .rule = "dx = the elements of dout in row-major order, in the shape of x",
    .n_in = 1,
    TG_ATTRS(shape_attr, shape_fields),
    .infer = reshape_infer,
    .forward = reshape_forward,
    .grad = reshape_grad,
    .grad_kernel = reshape_grad_kernel,
    .pure = true,
};

tg_tensor *tg_reshape_with(tg_tensor *x, tg_shape shape) {
    return tg_apply1(&tg_op_reshape, x, &(shape_attr){shape});
}

tg_tensor *tg_squeeze(tg_tensor *x, int axis) {
    TG_NAMED("squeeze");
    int at;
    const tg_array *a = tg_operand_along(x, "squeeze", axis, &at);
    if (!a) return tg_poison();
    if (a->shape[at] != 1)
        return tg_fail_operand(TG_ERR_SHAPE, "squeeze", x, "axis %d has size %lld, not 1", axis,
                               (long long)a->shape[at]);
    tg_shape to = {0};
    for (int i = 0; i < a->rank; i++)
        if (i != at) to.dim[to.rank++] = a->shape[i];
    return tg_reshape_with(x, to);
}

tg_tensor *tg_unsqueeze(tg_tensor *x, int axis) {
    TG_NAMED("unsqueeze");
    const tg_array *a = tg_operand(x, "unsqueeze", TG_ONLY);
    if (!a) return tg_poison();
    tg_shape to = {a->rank + 1, {0}};
    int at = tg_axis(axis, to.rank);
    if (at < 0) return tg_fail_axis("unsqueeze", x, axis, to.rank);
    if (to.rank > TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_SHAPE, "unsqueeze", x, "a tensor of rank %d has no room for a new axis",
                               a->rank);
    for (int i = 0; i < to.rank; i++) to.dim[i] = i == at ? 1 : a->shape[i - (i > at)];
    return tg_reshape_with(x, to);
}

/* ---- permute:  dx = g with the axes put back ---- */

typedef struct order_attr {
    tg_shape order;
} order_attr;

static const tg_attr_field order_fields[] = {{"order", TG_ATTR_DIMS, offsetof(order_attr, order)}};

static tg_status permute_infer(const tg_call *call) {
    tg_shape order = ((const order_attr *)call->attr)->order;
    const tg_array *x = call->in[0];
    if (order.rank != x->rank)
        return tg_call_fail(call, TG_ERR_ARGUMENT,
                            "%d axes are named, but each of the %d must be named once: %s", order.rank,
                            x->rank, tg_call_input(call, 0));
    unsigned all;
    tg_status s = tg_call_axes(call, order, &all);
    if (s != TG_OK) return s;
    int axes[TG_MAX_RANK];
    for (int i = 0; i < order.rank; i++) axes[i] = tg_axis_of(order.dim[i], x->rank);
    tg_array_permute(call->out[0], x, axes);
    return TG_OK;
}

static void inverse(const tg_node *n, int rank, int *axes) {
    const order_attr *attr = n->attr;
    for (int i = 0; i < rank; i++) axes[tg_axis_of(attr->order.dim[i], rank)] = i;
}

static void permute_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_shape back = {tg_rank(dout[0]), {0}};
    int axes[TG_MAX_RANK];
    inverse(n, back.rank, axes);
    for (int i = 0; i < back.rank; i++) back.dim[i] = axes[i];
    din[0] = tg_permute_with(dout[0], back);
}

static tg_status permute_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    int axes[TG_MAX_RANK];
    inverse(n, dout[0]->rank, axes);
    tg_array_permute(&din[0], dout[0], axes);
    return TG_OK;
}

const tg_op tg_op_permute = {
    .name = "permute",
    .formula = "out = x with its axes in another order; axis i of out = axis order[i] of x",
    .rule = "dx = dout with its axes put back, axis i where axis order[i] was",
    .n_in = 1,
    TG_ATTRS(order_attr, order_fields),
    .infer = permute_infer,
    .grad = permute_grad,
    .grad_kernel = permute_grad_kernel,
};

tg_tensor *tg_permute_with(tg_tensor *x, tg_shape order) {
    return tg_apply1(&tg_op_permute, x, &(order_attr){order});
}

tg_tensor *tg_transpose(tg_tensor *x, int axis0, int axis1) {
    TG_NAMED("transpose");
    const tg_array *from = tg_operand(x, "transpose", TG_ONLY);
    if (!from) return tg_poison();
    tg_shape order = {from->rank, {0}};
    int a = tg_axis(axis0, order.rank), b = tg_axis(axis1, order.rank);
    if (a < 0 || b < 0) return tg_fail_axis("transpose", x, a < 0 ? axis0 : axis1, order.rank);
    for (int i = 0; i < order.rank; i++) order.dim[i] = i == a ? b : i == b ? a : i;
    return tg_permute_with(x, order);
}

/* ---- expand:  dx = g; the walk sums it down ---- */

static tg_status expand_infer(const tg_call *call) {
    tg_shape shape = ((const shape_attr *)call->attr)->shape, wanted = shape, both;
    const tg_array *x = call->in[0];
    tg_status s = rank_in_range(call, shape);
    if (s != TG_OK) return s;
    int lead = shape.rank - x->rank;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] == -1 && i >= lead) shape.dim[i] = x->shape[i - lead];
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 0) return fail_shape(call, "a size cannot be negative", wanted);
    if (tg_shape_numel(shape) < 0)
        return fail_shape(call, "there are more elements than can be counted", wanted);
    if (!tg_shape_broadcast(shape, tg_array_shape(x), &both) || !tg_shape_equal(shape, both))
        return fail_shape(call, "the shapes do not broadcast", wanted);
    TG_NAMED(call->op->name);
    return tg_array_broadcast(call->out[0], x, shape);
}

static void pass_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = dout[0];
}

static tg_status pass_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n;
    tg_array_share(&din[0], dout[0]);
    return TG_OK;
}

const tg_op tg_op_expand = {
    .name = "expand",
    .formula = "out = x, repeated along new axes and axes of size 1",
    .rule = "dx = dout, summed over the axes that were repeated",
    .n_in = 1,
    TG_ATTRS(shape_attr, shape_fields),
    .infer = expand_infer,
    .grad = pass_grad,
    .grad_kernel = pass_grad_kernel,
};

tg_tensor *tg_expand_with(tg_tensor *x, tg_shape shape) {
    return tg_apply1(&tg_op_expand, x, &(shape_attr){shape});
}

tg_tensor *tg_broadcast_to_with(tg_tensor *x, tg_shape shape) {
    TG_NAMED("broadcast_to");
    return tg_expand_with(x, shape);
}

/* ---- copies: contiguous, to ---- */

static tg_status contiguous_infer(const tg_call *call) {
    return tg_out(call, 0, (tg_dtype)call->in[0]->dtype, tg_array_shape(call->in[0]));
}

static tg_status copy_forward(const tg_call *call) {
    tg_array_copy(call->out[0], call->in[0]);
    return TG_OK;
}

const tg_op tg_op_contiguous = {
    .name = "contiguous",
    .formula = "out = x, in row-major order",
    .rule = "dx = dout",
    .n_in = 1,
    .infer = contiguous_infer,
    .forward = copy_forward,
    .grad = pass_grad,
    .grad_kernel = pass_grad_kernel,
    .pure = true,
};

/* The array of x, or NULL when x is no tensor, for which the op then raises the error. */
static const tg_array *array_if_alive(const tg_tensor *x) {
    const tg_slot *s = tg_slot_peek(x);
    return s && !s->poison ? &s->a : NULL;
}

tg_tensor *tg_contiguous(tg_tensor *x) {
    const tg_array *a = array_if_alive(x);
    return a && tg_array_is_contiguous(a) ? x : tg_apply1(&tg_op_contiguous, x, NULL);
}

typedef struct to_attr {
    tg_dtype dtype;
} to_attr;

static const tg_attr_field to_fields[] = {{"dtype", TG_ATTR_DTYPE, offsetof(to_attr, dtype)}};

static tg_status to_infer(const tg_call *call) {
    tg_dtype dtype = ((const to_attr *)call->attr)->dtype;
    if ((unsigned)dtype >= TG_DTYPES)
        return tg_call_fail(call, TG_ERR_ARGUMENT, "there is no dtype of the number %d: %s", (int)dtype,
                            tg_call_input(call, 0));
    return tg_out(call, 0, dtype, tg_array_shape(call->in[0]));
}

/* Truth as 1 and 0, and what is not 0 as truth, are kernels, so that masks stay in a group; all else is a copy that converts. */
static tg_status to_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    int64_t storage[2];
    if (x->dtype == TG_BOOL && tg_dtype_is_float((tg_dtype)out->dtype)) {
        const tg_array one = tg_borrow_number(1, out, &storage[0]),
                       none = tg_borrow_number(0, out, &storage[1]);
        tg_map_where(x, &one, &none, out);
    } else if (tg_dtype_is_float((tg_dtype)x->dtype) && out->dtype == TG_BOOL) {
        const tg_array none = tg_borrow_number(0, x, &storage[0]);
        tg_map_compare(TG_NE, x, &none, out);
    } else {
        tg_work_is_no_kernel(out);
        tg_array_copy(out, x);
    }
    return TG_OK;
}

static void to_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_to(dout[0], tg_dtype_of(n->in[0]));
}

static tg_status to_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_array_alloc(&din[0], (tg_dtype)tg_node_in(n, 0)->dtype, tg_array_shape(dout[0]));
    tg_work_is_no_kernel(dout[0]);
    if (s == TG_OK) tg_array_copy(&din[0], dout[0]);
    return s;
}

const tg_op tg_op_to = {
    .name = "to",
    .formula = "out = x, converted to dtype",
    .rule = "dx = dout, converted to the dtype of x",
    .n_in = 1,
    .elementwise = true,
    TG_ATTRS(to_attr, to_fields),
    .infer = to_infer,
    .forward = to_forward,
    .grad = to_grad,
    .grad_kernel = to_grad_kernel,
    .pure = true,
    .of_kernels = true,
};

tg_tensor *tg_to(tg_tensor *x, tg_dtype dtype) {
    const tg_array *a = array_if_alive(x);
    return a && (tg_dtype)a->dtype == dtype ? x : tg_apply1(&tg_op_to, x, &(to_attr){dtype});
}
