#include "core/slot.h"
#include "ops/shared.h"

/* ---- concat:  dx_i = the part of g that x_i became ---- */

typedef struct concat_attr {
    int64_t axis;
} concat_attr;

static const tg_attr_field fields[] = {{"axis", TG_ATTR_INT, offsetof(concat_attr, axis)}};

static int axis_of(const void *attr, int rank) { return tg_axis_of(((const concat_attr *)attr)->axis, rank); }

/* Whether input i goes behind input 0. */
static tg_status fits_first(const tg_call *call, int i, int axis) {
    const tg_array *x = call->in[0], *y = call->in[i];
    if (x->dtype != y->dtype)
        return tg_call_fail(call, TG_ERR_DTYPE, "dtypes differ: %s and %s (tg_to converts)",
                            tg_call_input(call, 0), tg_call_input(call, i));
    bool fits = x->rank == y->rank;
    for (int d = 0; fits && d < x->rank; d++) fits = d == axis || x->shape[d] == y->shape[d];
    if (fits) return TG_OK;
    return tg_call_fail(call, TG_ERR_SHAPE, "apart from axis %d the shapes must be equal: %s and %s", axis,
                        tg_call_input(call, 0), tg_call_input(call, i));
}

static tg_status concat_infer(const tg_call *call) {
    const tg_array *x = call->in[0];
    tg_shape shape = tg_array_shape(x);
    int axis;
    tg_status s = tg_call_axis(call, ((const concat_attr *)call->attr)->axis, &axis);
    for (int i = 1; s == TG_OK && i < call->n_in; i++) {
        s = fits_first(call, i, axis);
        if (s != TG_OK) return s;
        int64_t more = call->in[i]->shape[axis];
        if (more > INT64_MAX - shape.dim[axis])
            return tg_call_fail(call, TG_ERR_SHAPE, "axis %d of the result would have more elements than can be counted", axis);
        shape.dim[axis] += more;
    }
    return s == TG_OK ? tg_out(call, 0, (tg_dtype)x->dtype, shape) : s;
}

static tg_status concat_forward(const tg_call *call) {
    int axis = axis_of(call->attr, call->out[0]->rank);
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
    int axis = axis_of(n->attr, tg_rank(dout[0]));
    int64_t at = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t end = at + tg_node_in(n, i)->shape[axis];
        if (tg_needs(n, i)) din[i] = tg_slice(dout[0], axis, at, end, 1);
        at = end;
    }
}

/* Views of g: nothing is moved. */
static tg_status concat_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    int axis = axis_of(n->attr, dout[0]->rank);
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
    .n_in = TG_VARIADIC,
    TG_ATTRS(concat_attr, fields),
    .infer = concat_infer,
    .forward = concat_forward,
    .grad = concat_grad,
    .grad_kernel = concat_grad_kernel,
};

static bool has_inputs(const char *who, int n, tg_tensor *const *x) {
    if (n > 0 && x) return true;
    tg_fail(TG_ERR_ARGUMENT, n > 0 ? "%s: the array of inputs is NULL" : "%s: needs at least one input", who);
    return false;
}

tg_tensor *tg_concat_with(int axis, int n, tg_tensor *const *x) {
    if (!has_inputs("concat", n, x)) return tg_poison();
    return tg_apply(&tg_op_concat, x, n, &(concat_attr){axis});
}

/* ---- stack ---- */

#define FEW 16

static tg_tensor *fail_text(const char *who, tg_status status, const tg_tensor *x, const char *what) {
    char text[160];
    tg_fail(status, "%s: %s %s", who, tg_describe(x, text, sizeof text), what);
    return tg_poison();
}

/* Whether there are tensors, all of one shape. */
static bool can_stack(int n, tg_tensor *const *x) {
    char a[160], b[160];
    if (!has_inputs("stack", n, x)) return false;
    for (int i = 0; i < n; i++) {
        const tg_slot *slot = tg_slot_of(x[i], "stack"), *first = tg_slot_of(x[0], "stack");
        if (!slot || !first || slot->poison) return false;
        if (tg_array_same_shape(&slot->a, &first->a)) continue;
        tg_fail(TG_ERR_SHAPE, "stack: shapes differ: %s and %s", tg_describe(x[0], a, sizeof a),
                tg_describe(x[i], b, sizeof b));
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
    if (tg_axis(axis, rank) < 0 || rank > TG_MAX_RANK)
        return fail_text("stack", rank > TG_MAX_RANK ? TG_ERR_SHAPE : TG_ERR_ARGUMENT, x[0],
                         "has no place for that new axis");
    if (n <= FEW) return stack_into(axis, n, x, few);
    size_t bytes = (size_t)n * sizeof *few;
    tg_tensor **wide = tg_sys_alloc(bytes);
    if (!wide) {
        tg_fail(TG_ERR_MEMORY, "stack: no memory for %d handles", n);
        return tg_poison();
    }
    tg_tensor *out = stack_into(axis, n, x, wide);
    tg_sys_free(wide, bytes);
    return out;
}
