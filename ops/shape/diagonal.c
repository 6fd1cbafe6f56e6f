#include "ops/shared.h"

#include <string.h>

typedef struct diagonal_attr {
    int64_t offset, axis0, axis1;
} diagonal_attr;

static const tg_attr_field fields[] = {
    {"offset", TG_ATTR_INT, offsetof(diagonal_attr, offset)},
    {"axis0", TG_ATTR_INT, offsetof(diagonal_attr, axis0)},
    {"axis1", TG_ATTR_INT, offsetof(diagonal_attr, axis1)},
};

/* The elements (i, i + offset) of the two axes, for i from max(0, -offset); a borrowed view. */
static tg_array diagonal_of(const tg_array *x, const void *attr) {
    const diagonal_attr *d = attr;
    int row = tg_axis_of(d->axis0, x->rank), column = tg_axis_of(d->axis1, x->rank);
    int64_t rows = x->shape[row] + (d->offset < 0 ? d->offset : 0);
    int64_t columns = x->shape[column] - (d->offset > 0 ? d->offset : 0);
    int64_t n = rows < columns ? rows : columns;
    tg_array v = *x;
    v.rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (i == row || i == column) continue;
        v.shape[v.rank] = x->shape[i];
        v.stride[v.rank++] = x->stride[i];
    }
    v.shape[v.rank] = n > 0 ? n : 0;
    v.stride[v.rank++] =
        n > 1 ? x->stride[row] + x->stride[column] : 1; /* of an empty x the sum of strides may overflow */
    v.numel = tg_shape_numel(tg_array_shape(&v));
    if (v.numel == 0) return v;
    int64_t first = d->offset < 0 ? -d->offset * x->stride[row] : d->offset * x->stride[column];
    v.data = (char *)v.data + first * (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    return v;
}

static tg_status check(const tg_call *call) {
    const diagonal_attr *d = call->attr;
    tg_shape axes = TG_SHAPE(d->axis0, d->axis1);
    unsigned set;
    return tg_call_axes(call, axes, &set);
}

/* ---- diagonal:  dx = g on the diagonal, 0 elsewhere ---- */

static tg_status diagonal_infer(const tg_call *call) {
    tg_status s = check(call);
    if (s != TG_OK) return s;
    tg_array view = diagonal_of(call->in[0], call->attr);
    tg_array_share(call->out[0], &view);
    return TG_OK;
}

static void diagonal_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const diagonal_attr *d = n->attr;
    tg_tensor *zeros = tg_zeros_with(tg_dtype_of(dout[0]), tg_shape_of(n->in[0]));
    din[0] = tg_diagonal_scatter(zeros, dout[0], d->offset, (int)d->axis0, (int)d->axis1);
}

/* Adds to the adjoint so far, if there is one. */
static tg_status diagonal_grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    tg_status s = tg_adjoint_or_zeros(&din[0], tg_node_in(n, 0));
    if (s != TG_OK) return s;
    tg_array part = diagonal_of(&din[0], n->attr);
    tg_map_axpy(1, dout[0], &part);
    return TG_OK;
}

const tg_op tg_op_diagonal = {
    .name = "diagonal",
    .formula = "out[.., i] = x[.., i, .., i + offset, ..] along axis0 and axis1",
    .rule = "dx = 0, but dx[.., i, .., i + offset, ..] = dout[.., i]",
    .n_in = 1,
    .accumulates = TG_IN(0),
    TG_ATTRS(diagonal_attr, fields),
    .infer = diagonal_infer,
    .grad = diagonal_grad,
    .grad_kernel = diagonal_grad_kernel,
};

tg_tensor *tg_diagonal(tg_tensor *x, int64_t offset, int axis0, int axis1) {
    return tg_apply1(&tg_op_diagonal, x, &(diagonal_attr){offset, axis0, axis1});
}

/* ---- diagonal_scatter:  dx = g with the diagonal set to 0,  dsrc = the diagonal of g ---- */

static tg_status scatter_infer(const tg_call *call) {
    const tg_array *x = call->in[0], *src = call->in[1];
    tg_status s = check(call);
    if (s != TG_OK) return s;
    if (x->dtype != src->dtype) return tg_call_dtypes_differ(call, 0, 1);
    tg_array part = diagonal_of(x, call->attr);
    char text[200];
    if (!tg_array_same_shape(&part, src))
        return tg_call_fail(call, TG_ERR_SHAPE, "the diagonal of %s is %s, but src is %s",
                            tg_call_input(call, 0), tg_shape_text(tg_array_shape(&part), text, sizeof text),
                            tg_call_input(call, 1));
    return tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(x));
}

static tg_status scatter_forward(const tg_call *call) {
    tg_array_copy(call->out[0], call->in[0]);
    tg_array part = diagonal_of(call->out[0], call->attr);
    if (part.numel > 0) tg_array_copy(&part, call->in[1]);
    return TG_OK;
}

static void scatter_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    const diagonal_attr *d = n->attr;
    tg_tensor *g = dout[0];
    int axis0 = (int)d->axis0, axis1 = (int)d->axis1;
    if (tg_needs(n, 0)) {
        tg_tensor *zeros = tg_zeros_with(tg_dtype_of(g), tg_shape_of(n->in[1]));
        din[0] = tg_diagonal_scatter(g, zeros, d->offset, axis0, axis1);
    }
    if (tg_needs(n, 1)) din[1] = tg_diagonal(g, d->offset, axis0, axis1);
}

const tg_op tg_op_diagonal_scatter = {
    .name = "diagonal_scatter",
    .formula = "out = x, but out[.., i, .., i + offset, ..] = src[.., i]",
    .rule = "dx = dout, but dx[.., i, .., i + offset, ..] = 0; dsrc[.., i] = dout[.., i, .., i + offset, ..]",
    .n_in = 2,
    TG_ATTRS(diagonal_attr, fields),
    .infer = scatter_infer,
    .forward = scatter_forward,
    .grad = scatter_grad,
    .pure = true,
};

tg_tensor *tg_diagonal_scatter(tg_tensor *x, tg_tensor *src, int64_t offset, int axis0, int axis1) {
    return tg_apply2(&tg_op_diagonal_scatter, x, src, &(diagonal_attr){offset, axis0, axis1});
}

/* ---- compositions ---- */

static tg_tensor *embed(const char *who, tg_tensor *x, const tg_array *a, int64_t offset) {
    if (a->rank == 0 || a->rank == TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_SHAPE, who, x, "the rank must be 1 to %d", TG_MAX_RANK - 1);
    tg_shape shape = tg_array_shape(a);
    int64_t n = shape.dim[shape.rank - 1], most = INT64_C(1)
                                                  << 31; /* two axes of that size are already too many */
    if (n > most || offset > most || offset < -most)
        return tg_fail_operand(TG_ERR_SHAPE, who, x,
                               "the matrix of a diagonal of size %lld at offset %lld is too large",
                               (long long)n, (long long)offset);
    n += offset < 0 ? -offset : offset;
    shape.dim[shape.rank - 1] = shape.dim[shape.rank] = n;
    shape.rank++;
    tg_tensor *zeros = tg_zeros_with((tg_dtype)a->dtype, shape);
    tg_tensor *out = tg_diagonal_scatter(zeros, x, offset, -2, -1);
    tg_drop_elements(zeros);
    return out;
}

tg_tensor *tg_diag_embed(tg_tensor *x, int64_t offset) {
    TG_COMPOSED("diag_embed");
    const tg_array *a = tg_operand(x, "diag_embed", TG_ONLY);
    return a ? embed("diag_embed", x, a, offset) : tg_poison();
}

tg_tensor *tg_diag(tg_tensor *x, int64_t offset) {
    TG_COMPOSED("diag");
    const tg_array *a = tg_operand(x, "diag", TG_ONLY);
    if (!a) return tg_poison();
    if (a->rank == 1) return embed("diag", x, a, offset);
    if (a->rank == 2) return tg_diagonal(x, offset, 0, 1);
    return tg_fail_operand(TG_ERR_SHAPE, "diag", x, "the rank must be 1 or 2");
}

/* The elements (i, j) with j > i + offset, or with j < i + offset, as a mask over the last two axes. */
static tg_tensor *outside(const tg_array *x, int64_t offset, bool above) {
    int64_t rows = x->shape[x->rank - 2], n = x->shape[x->rank - 1];
    tg_tensor *mask = tg_zeros_with(TG_BOOL, TG_SHAPE(rows, n));
    if (tg_is_poison(mask) || n == 0) return mask;
    uint8_t *row = tg_array_of(mask)->data;
    int64_t shift = offset > n ? n : offset < -rows ? -rows : offset;
    for (int64_t i = 0; i < rows; i++, row += n) {
        int64_t edge = i + shift + (above ? 1 : 0); /* the first beyond the triangle, or the first in it */
        edge = edge < 0 ? 0 : edge > n ? n : edge;
        if (above)
            memset(row + edge, 1, (size_t)(n - edge));
        else
            memset(row, 1, (size_t)edge);
    }
    return mask;
}

static tg_tensor *triangle(const char *who, tg_tensor *x, int64_t offset, bool lower) {
    const tg_array *a = tg_operand(x, who, TG_ONLY);
    if (!a) return tg_poison();
    if (a->rank < 2) return tg_fail_operand(TG_ERR_SHAPE, who, x, "the rank must be 2 or more");
    tg_tensor *mask = outside(a, offset, lower), *out = tg_masked_fill(x, mask, 0);
    tg_drop_elements(mask);
    return out;
}

tg_tensor *tg_tril(tg_tensor *x, int64_t offset) {
    TG_COMPOSED("tril");
    return triangle("tril", x, offset, true);
}
tg_tensor *tg_triu(tg_tensor *x, int64_t offset) {
    TG_COMPOSED("triu");
    return triangle("triu", x, offset, false);
}
