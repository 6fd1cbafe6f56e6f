/* Rows of a table by index, and dropout, as compositions of other ops. */
#include "ops/index/embedding.h"

#include "autograd/tape.h"
#include "core/draw.h"
#include "core/work.h"
#include "ops/shared.h"

/* ---- embedding ---- */

typedef struct padding_of {
    double padding, size; /* of the table */
} padding_of;

static tg_status mark_padding(const tg_array *const *a, const void *data) {
    const padding_of *p = data;
    uint8_t *v = a[0]->data;
    for (int64_t i = 0; i < a[1]->numel; i++) {
        double at = tg_array_get(a[1], i);
        v[i] = (at < 0 ? at + p->size : at) == p->padding;
    }
    return TG_OK;
}

/* A mask [n, 1] of the n indices, which is set where an index is the padding. */
static tg_tensor *padded(const tg_tensor *index, int64_t padding, int64_t size) {
    const tg_array *at = tg_array_within(index, "tg_array_of");
    if (!at) return tg_poison();
    tg_tensor *mask = tg_zeros_with(TG_BOOL, TG_SHAPE(at->numel, 1));
    if (tg_is_poison(mask)) return mask;
    const tg_array *const a[] = {tg_array_within(mask, "embedding"), at};
    const padding_of p = {(double)padding, (double)size};
    TG_WORK_DO(mark_padding, a, &p, .name = "embedding", .n = 2, .makes = 1u, .size = sizeof p);
    return mask;
}

tg_tensor *tg_embedding_with(tg_tensor *weight, tg_tensor *index, tg_embedding_opts o) {
    TG_COMPOSED("embedding");
    const tg_array *w = tg_operand(weight, "embedding", 0), *at = tg_operand(index, "embedding", 1);
    if (!w || !at) return tg_poison();
    if (w->rank != 2)
        return tg_fail_operand(TG_ERR_SHAPE, "embedding", weight, "the weight must be a matrix [number, size]");
    tg_shape shape = tg_array_shape(at);
    if (shape.rank == TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_SHAPE, "embedding", index,
                               "an index of rank %d has no room for the axis of a row", TG_MAX_RANK);
    int64_t size = w->shape[0], padding = o.padding_index < 0 ? o.padding_index + size : o.padding_index;
    if (o.padding && (padding < 0 || padding >= size))
        return tg_fail_operand(TG_ERR_ARGUMENT, "embedding", weight,
                               "the padding index %lld is out of range for axis 0 of size %lld",
                               (long long)o.padding_index, (long long)size);
    tg_tensor *rows = tg_index_select(weight, 0, tg_reshape_with(index, TG_SHAPE(tg_numel(index))));
    if (o.padding && tg_requires_grad(rows)) {
        tg_tensor *kept = tg_where(padded(index, padding, size), tg_detach(rows), rows);
        tg_drop_temporary(rows);
        rows = kept;
    }
    shape.dim[shape.rank++] = tg_size(weight, 1);
    return tg_reshape_with(rows, shape);
}

/* ---- dropout ---- */

/* One number of the stream for each element of x, or for each channel, which all of its elements share. */
static tg_tensor *draw_dropped(const tg_array *x, double p, bool by_channel, tg_rng *rng) {
    tg_shape shape = tg_array_shape(x);
    for (int axis = 2; by_channel && axis < shape.rank; axis++) shape.dim[axis] = 1;
    tg_tensor *u = tg_uniform_from(rng, (tg_dtype)x->dtype, 0, 1, shape),
              *dropped = tg_lt(u, tg_scalar((tg_dtype)x->dtype, p));
    tg_drop_temporary(u);
    return dropped;
}

tg_tensor *tg_dropout_with(tg_tensor *x, double p, bool training, tg_dropout_opts o) {
    TG_COMPOSED("dropout");
    const tg_array *a = tg_operand(x, "dropout", TG_ONLY);
    if (!a) return tg_poison();
    if (!tg_dtype_is_float((tg_dtype)a->dtype))
        return tg_fail_operand(TG_ERR_DTYPE, "dropout", x, "takes f32 or f64");
    if (!(p >= 0 && p <= 1))
        return tg_fail_operand(TG_ERR_ARGUMENT, "dropout", x, "the probability %g is not in [0, 1]", p);
    if (o.by_channel && a->rank < 2)
        return tg_fail_operand(TG_ERR_SHAPE, "dropout", x, "channels are those of [images, channels, ..]");
    if (!training || p == 0) return x;
    tg_rng *rng = o.rng ? o.rng : tg_default_rng(), before = *rng;
    tg_tensor *dropped = draw_dropped(a, p, o.by_channel, o.rng);
    tg_tensor *scaled = tg_mul_scalar(x, p < 1 ? 1 / (1 - p) : 1);
    tg_tensor *y = tg_masked_fill(scaled, dropped, 0); /* not a product with 0, as x may be infinite */
    tg_drop_temporary(scaled), tg_drop_temporary(dropped);
    if (tg_is_poison(y)) *rng = before;
    return y;
}
