#include "ops/shared.h"

typedef struct pad_attr {
    tg_shape before, after; /* one number for each axis */
    double value;
} pad_attr;

static const tg_attr_field fields[] = {
    {"before", TG_ATTR_DIMS, offsetof(pad_attr, before)},
    {"after", TG_ATTR_DIMS, offsetof(pad_attr, after)},
    {"value", TG_ATTR_REAL, offsetof(pad_attr, value)},
};

/* ---- pad:  dx = g padded by the negative numbers, so that what was added is cut off, and what was cut
 * off gets 0 ---- */

#define LARGEST (INT64_C(1) << 60)

static tg_status pad_infer(const tg_call *call) {
    const pad_attr *p = call->attr;
    const tg_array *x = call->in[0];
    tg_shape shape = tg_array_shape(x);
    for (int i = 0; i < shape.rank; i++) {
        int64_t b = p->before.dim[i], a = p->after.dim[i];
        bool fits = b > -LARGEST && b < LARGEST && a > -LARGEST && a < LARGEST && shape.dim[i] < LARGEST;
        if (fits) shape.dim[i] += a + b;
        if (!fits || shape.dim[i] < 0)
            return tg_call_fail(call, TG_ERR_SHAPE,
                                "axis %d cannot be padded by %lld before and %lld after: %s", i, (long long)b,
                                (long long)a, tg_call_input(call, 0));
    }
    return tg_out(call, 0, (tg_dtype)x->dtype, shape);
}

/* The part of `a` that remains when sign * before and sign * after, where positive, are cut off along each
 * axis; a borrowed view. */
static tg_array inner(const tg_array *a, const tg_shape *before, const tg_shape *after, int sign) {
    tg_array v = *a;
    int64_t size = (int64_t)tg_dtype_size((tg_dtype)a->dtype);
    for (int i = 0; i < a->rank; i++) {
        int64_t b = sign * before->dim[i], e = sign * after->dim[i];
        b = b > 0 ? b : 0, e = e > 0 ? e : 0;
        v.shape[i] = a->shape[i] > b + e ? a->shape[i] - b - e : 0;
        if (v.shape[i] > 0) v.data = (char *)v.data + b * a->stride[i] * size;
    }
    v.numel = tg_shape_numel(tg_array_shape(&v));
    return v;
}

/* (The ranks that p itself has say nothing: of x's axes alone the numbers were checked.) */
static bool only_adds(const pad_attr *p, int rank) {
    for (int i = 0; i < rank; i++)
        if (p->before.dim[i] < 0 || p->after.dim[i] < 0) return false;
    return true;
}

/* out becomes x with `value` around it; for sign -1 the numbers of p are negated. */
static void place(const pad_attr *p, int sign, const tg_array *x, const tg_array *out, double value) {
    tg_array to = inner(out, &p->before, &p->after, sign), from = inner(x, &p->before, &p->after, -sign);
    if (to.numel < out->numel) tg_array_fill(out, value);
    if (to.numel > 0 && from.numel > 0) tg_array_copy(&to, &from);
}

static tg_status pad_forward(const tg_call *call) {
    const pad_attr *p = call->attr;
    place(p, 1, call->in[0], call->out[0], p->value);
    return TG_OK;
}

static void pad_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const pad_attr *p = n->attr;
    pad_attr back = {p->before, p->after, 0};
    for (int i = 0; i < tg_rank(dout[0]); i++) back.before.dim[i] *= -1, back.after.dim[i] *= -1;
    din[0] = tg_apply1(&tg_op_pad, dout[0], &back);
}

/* The gradient is a view of g where nothing was cut off. */
static tg_status pad_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const pad_attr *p = n->attr;
    if (only_adds(p, dout[0]->rank)) {
        tg_array view = inner(dout[0], &p->before, &p->after, 1);
        tg_array_share(&din[0], &view);
        return TG_OK;
    }
    const tg_array *x = tg_node_in(n, 0);
    tg_status s = tg_array_alloc_like(&din[0], x);
    if (s == TG_OK) place(p, -1, dout[0], &din[0], 0);
    return s;
}

const tg_op tg_op_pad = {
    .name = "pad",
    .formula = "out = x with before and after places of value added at the ends of each axis",
    .rule = "dx = dout without the places that were added, and 0 where before or after, being negative, cut off",
    .n_in = 1,
    TG_ATTRS(pad_attr, fields),
    .infer = pad_infer,
    .forward = pad_forward,
    .grad = pad_grad,
    .grad_kernel = pad_grad_kernel,
    .pure = true,
};

/* ---- reflect, replicate: index_select along each padded axis ---- */

static int64_t clamp(int64_t i, int64_t size) { return i < 0 ? 0 : i >= size ? size - 1 : i; }
static int64_t mirror(int64_t i, int64_t size) { return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i; }

/* The index in the axis of each element of the padded axis. */
static tg_tensor *sources(int64_t size, int64_t before, int64_t after, bool reflect) {
    int64_t n = before + size + after;
    tg_tensor *index = tg_zeros_with(TG_I64, TG_SHAPE(n));
    if (tg_is_poison(index)) return index;
    int64_t *at = tg_array_of(index)->data;
    for (int64_t i = 0; i < n; i++) at[i] = reflect ? mirror(i - before, size) : clamp(i - before, size);
    return index;
}

static tg_tensor *pad_by_index(tg_tensor *x, tg_shape shape, const pad_attr *p, bool reflect) {
    tg_tensor *out = x;
    for (int i = 0; i < shape.rank; i++) {
        int64_t b = p->before.dim[i], a = p->after.dim[i], size = shape.dim[i];
        int64_t most = reflect ? size - 1 : size > 0 ? LARGEST - size : 0;
        if (b == 0 && a == 0) continue;
        if (b < 0 || a < 0)
            return tg_fail_operand(TG_ERR_ARGUMENT, "pad", x, "axis %d can be cut only in constant mode", i);
        if (b > most || a > most)
            return tg_fail_operand(TG_ERR_SHAPE, "pad", x,
                                   "axis %d of size %lld has too few elements for padding by %lld and %lld",
                                   i, (long long)size, (long long)b, (long long)a);
    }
    for (int i = 0; i < shape.rank; i++) {
        if (p->before.dim[i] == 0 && p->after.dim[i] == 0) continue;
        tg_tensor *was = out, *index = sources(shape.dim[i], p->before.dim[i], p->after.dim[i], reflect);
        out = tg_index_select(was, i, index);
        if (was != x) tg_drop_elements(was);
    }
    return out == x ? tg_reshape_with(x, shape) : out;
}

/* The list aligned at the last of `rank` axes, with 0 for the others. */
static tg_shape aligned(tg_shape list, int rank) {
    tg_shape out = {rank, {0}};
    for (int i = 0; i < list.rank; i++) out.dim[rank - list.rank + i] = list.dim[i];
    return out;
}

tg_tensor *tg_pad_with(tg_tensor *x, tg_pad_opts opts) {
    TG_COMPOSED("pad");
    const tg_array *from = tg_operand(x, "pad", TG_ONLY);
    if (!from) return tg_poison();
    tg_shape shape = tg_array_shape(from);
    if (opts.before.rank < 0 || opts.after.rank < 0 || opts.before.rank > shape.rank ||
        opts.after.rank > shape.rank)
        return tg_fail_operand(TG_ERR_ARGUMENT, "pad", x,
                               "rank %d is fewer axes than the %d before and %d after that are padded",
                               shape.rank, opts.before.rank, opts.after.rank);
    pad_attr p = {aligned(opts.before, shape.rank), aligned(opts.after, shape.rank), opts.value};
    switch (opts.mode) {
    case TG_PAD_CONSTANT:
        return tg_apply1(&tg_op_pad, x, &p);
    case TG_PAD_REFLECT:
    case TG_PAD_REPLICATE:
        return pad_by_index(x, shape, &p, opts.mode == TG_PAD_REFLECT);
    }
    return tg_fail_operand(TG_ERR_ARGUMENT, "pad", x, "there is no mode of the number %d", (int)opts.mode);
}
