#include "core/alloc.h"
#include "ops/shared.h"

/* ---- concat:  dx_i = the part of g where x_i is ---- */

/* Checks that input i can follow input 0 along the axis. */
static tg_status fits_first(const tg_call *call, int i, int axis) {
    const tg_array *x = call->in[0], *y = call->in[i];
    if (x->dtype != y->dtype) return tg_call_dtypes_differ(call, 0, i);
    bool fits = x->rank == y->rank;
    for (int d = 0; fits && d < x->rank; d++) fits = d == axis || x->shape[d] == y->shape[d];
    if (fits) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE, "the shapes differ apart from axis %d: %s and %s", axis,
                        tg_call_input(call, 0), tg_call_input(call, i));
}

static tg_status concat_infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    tg_shape shape = tg_array_shape(x);
    int axis;
    tg_status s = tg_call_attr_axis(call, &axis);
    for (int i = 1; s == TG_OK && i < call->n_in; i++) {
        s = fits_first(call, i, axis);
        if (s != TG_OK) return s;
        int64_t more = call->in[i]->shape[axis];
        if (more > INT64_MAX - shape.dim[axis])
            return tg_call_fail(call, TG_ERR_SHAPE,
                                "axis %d of the result would have a size that no int64 holds", axis);
        shape.dim[axis] += more;
    }
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)x->dtype, shape) : s;
}

static tg_status concat_forward(const tg_call *call) {
    int axis = tg_attr_axis(call->attr, call->out[0]->rank);
    int64_t at = 0;
    for (int i = 0; i < call->n_in; i++) {
        int64_t n = call->in[i]->shape[axis];
        tg_array part = tg_array_part(call->out[0], axis, at, n);
        if (part.numel > 0) tg_array_copy(&part, call->in[i]);
        at += n;
    }
    return TG_OK;
}

static void concat_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    int axis = tg_attr_axis(n->attr, tg_rank(dout[0]));
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t end = at + tg_node_in(n, i)->shape[axis];
        if (tg_needs(n, i)) din[i] = tg_slice(dout[0], axis, at, end, 1);
        at = end;
    }
}

/* The gradients are views of g. */
static tg_status concat_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    int axis = tg_attr_axis(n->attr, dout[0]->rank);
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t size = tg_node_in(n, i)->shape[axis];
        tg_array part = tg_array_part(dout[0], axis, at, size);
        if (tg_needs(n, i)) tg_array_share(&din[i], &part);
        at += size;
    }
    return TG_OK;
}

const tg_op tg_op_concat = {
    .name = "concat",
    .formula = "out = x0, x1, .. one after the other along axis",
    .rule = "dx0, dx1, .. = the parts of dout along axis",
    .n_in = TG_VARIADIC,
    TG_ATTRS(tg_axis_attr, tg_axis_fields),
    .infer = concat_infer,
    .forward = concat_forward,
    .grad = concat_grad,
    .grad_kernel = concat_grad_kernel,
    .pure = true,
};

static bool has_inputs(const char *who, int n, tg_tensor *const *x) {
    if (n > 0 && x) return true;
    tg_fail(TG_ERR_ARGUMENT,
            n > 0 ? "%s: the array of inputs is NULL" : "%s: at least one input is needed, but there are %d",
            who, n);
    return false;
}

tg_tensor *tg_concat_with(int axis, int n, tg_tensor *const *x) {
    if (!has_inputs("concat", n, x)) return tg_poison();
    return tg_apply(&tg_op_concat, x, n, &(tg_axis_attr){axis});
}

/* ---- stack ---- */

#define FEW 16

/* Whether there is at least one tensor, and all have one shape. */
static bool can_stack(int n, tg_tensor *const *x) {
    char first_text[160];
    const tg_array *first = NULL;
    if (!has_inputs("stack", n, x)) return false;
    for (int i = 0; i < n; i++) {
        const tg_array *a = tg_operand(x[i], "stack", i);
        if (!a) return false;
        if (i == 0) first = a;
        if (tg_array_same_shape(a, first)) continue;
        tg_fail_operand(TG_ERR_SHAPE, "stack", x[i], "shapes differ: input 0 %s, input %d",
                        tg_describe(x[0], first_text, sizeof first_text), i);
        return false;
    }
    return true;
}

static tg_tensor *stack_into(int axis, int n, tg_tensor *const *x, tg_tensor **wide) {
    for (int i = 0; i < n; i++) wide[i] = tg_unsqueeze(x[i], axis);
    tg_tensor *out = tg_concat_with(axis, n, wide);
    for (int i = 0; i < n; i++) tg_drop_elements(wide[i]);
    return out;
}

tg_tensor *tg_stack_with(int axis, int n, tg_tensor *const *x) {
    TG_COMPOSED("stack");
    tg_tensor *few[FEW];
    if (!can_stack(n, x)) return tg_poison();
    int rank = tg_rank(x[0]) + 1;
    if (rank > TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_SHAPE, "stack", x[0], "tensors of rank %d have no room for a new axis",
                               TG_MAX_RANK);
    if (tg_axis(axis, rank) < 0) return tg_fail_axis("stack", x[0], axis, rank);
    if (n <= FEW) return stack_into(axis, n, x, few);
    size_t bytes = (size_t)n * sizeof *few;
    tg_tensor **wide = tg_sys_alloc(bytes);
    if (!wide) {
        tg_fail(TG_ERR_MEMORY, "stack: there is no memory for %d handles", n);
        return tg_poison();
    }
    tg_tensor *out = stack_into(axis, n, x, wide);
    tg_sys_free(wide, bytes);
    return out;
}
