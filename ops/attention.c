#include "ops/attention.h"

#include "autograd/tape.h"
#include "ops/ops.h"

#include <math.h>

static tg_tensor *fail(tg_status status, const char *what, const tg_tensor *t) {
    char text[160];
    tg_fail(status, "%s: %s", what, tg_describe(t, text, sizeof text));
    return tg_poison();
}

static void release(tg_tensor *t) {
    if (!tg_is_poison(t)) tg_release(t);
}

/* The elements of a fresh tensor; NULL when it could not be made. */
static void *fresh(tg_tensor *t) { return tg_is_poison(t) ? NULL : tg_array_of(t)->data; }

/* ---- attention ---- */

/* [l, s], set where a key comes after the query: s > l. */
static tg_tensor *later_keys(int64_t l, int64_t s) {
    tg_tensor *mask = tg_zeros(TG_BOOL, l, s);
    uint8_t *v = fresh(mask);
    for (int64_t i = 0; v && i < l; i++)
        for (int64_t j = i + 1; j < s; j++) v[i * s + j] = 1;
    return mask;
}

static tg_tensor *logical_not(tg_tensor *mask) {
    return tg_eq(mask, (tg_zeros)(tg_dtype_of(mask), TG_SCALAR));
}

/* Elements where `hidden` is set become `value`; the argument is given up. */
static tg_tensor *hide(tg_tensor *x, tg_tensor *hidden, double value) {
    tg_tensor *y = tg_masked_fill(x, hidden, value);
    release(x);
    return y;
}

static bool check_attention(tg_tensor *q, tg_tensor *k, tg_tensor *v) {
    static const char *const names[3] = {"scaled_dot_product_attention: q needs [.., length, size]",
                                         "scaled_dot_product_attention: k needs [.., length, size]",
                                         "scaled_dot_product_attention: v needs [.., length, size]"};
    tg_tensor *all[3] = {q, k, v};
    for (int i = 0; i < 3; i++) {
        int rank = tg_rank(all[i]); /* reports a handle that is not valid */
        if (!tg_is_alive(all[i])) return false;
        if (rank < 2) return fail(TG_ERR_SHAPE, names[i], all[i]), false;
    }
    return true;
}

tg_tensor *(tg_scaled_dot_product_attention)(tg_tensor *q, tg_tensor *k, tg_tensor *v, tg_attention_opts o) {
    if (!check_attention(q, k, v)) return tg_poison();
    double scale = o.scale != 0 ? o.scale : 1 / sqrt((double)tg_size(q, -1));
    tg_tensor *score = tg_matmul(tg_mul_scalar(q, scale), tg_transpose(k, -1, -2)), *hidden = NULL;
    if (o.mask && tg_dtype_of(o.mask) == TG_BOOL) {
        hidden = logical_not(o.mask);
        score = hide(score, hidden, -INFINITY);
    } else if (o.mask) {
        tg_tensor *sum = tg_add(score, o.mask);
        release(score);
        score = sum;
    }
    if (o.causal) score = hide(score, later_keys(tg_size(q, -2), tg_size(k, -2)), -INFINITY);
    tg_tensor *p = tg_softmax(score, -1);
    release(score);
    /* A row hidden altogether is NaN after softmax; its elements are hidden again, here and on the way
     * back. */
    if (hidden) p = hide(p, hidden, 0);
    tg_tensor *y = tg_matmul(p, v);
    release(p);
    return y;
}

/* ---- embedding ---- */

/* [n, 1] for the n indices, set where one is the padding. */
static tg_tensor *padded(const tg_tensor *index, int64_t padding, int64_t size) {
    const tg_array *a = tg_array_of(index);
    if (!a) return tg_poison();
    tg_tensor *mask = tg_zeros(TG_BOOL, a->numel, 1);
    uint8_t *v = fresh(mask);
    for (int64_t i = 0; v && i < a->numel; i++) {
        double at = tg_array_get(a, i);
        v[i] = (at < 0 ? at + (double)size : at) == (double)padding;
    }
    return mask;
}

tg_tensor *(tg_embedding)(tg_tensor *weight, tg_tensor *index, tg_embedding_opts o) {
    int rank = tg_rank(weight);
    if (!tg_is_alive(weight)) return tg_poison();
    if (rank != 2) return fail(TG_ERR_SHAPE, "embedding: the weight needs [number, size]", weight);
    tg_shape shape = tg_shape_of(index);
    if (!tg_is_alive(index)) return tg_poison();
    if (shape.rank == TG_MAX_RANK) return fail(TG_ERR_SHAPE, "embedding: too many axes", index);
    int64_t size = tg_size(weight, 0),
            padding = o.padding_index < 0 ? o.padding_index + size : o.padding_index;
    if (o.padding && (padding < 0 || padding >= size))
        return fail(TG_ERR_ARGUMENT, "embedding: the padding index is outside the weight", weight);
    tg_tensor *rows = tg_index_select(weight, 0, tg_reshape(index, tg_numel(index)));
    if (o.padding && tg_requires_grad(rows)) {
        tg_tensor *kept = tg_where(padded(index, padding, size), tg_detach(rows), rows);
        release(rows);
        rows = kept;
    }
    shape.dim[shape.rank++] = tg_size(weight, 1);
    return (tg_reshape)(rows, shape);
}

/* ---- dropout ---- */

tg_tensor *(tg_dropout)(tg_tensor *x, double p, bool training) {
    int rank = tg_rank(x);
    (void)rank;
    if (!tg_is_alive(x)) return tg_poison();
    if (!tg_dtype_is_float(tg_dtype_of(x))) return fail(TG_ERR_DTYPE, "dropout: takes f32 or f64", x);
    if (!(p >= 0 && p <= 1)) {
        tg_fail(TG_ERR_ARGUMENT, "dropout: the probability %g is outside [0, 1]", p);
        return tg_poison();
    }
    if (!training || p == 0) return x;
    tg_dtype dtype = tg_dtype_of(x);
    tg_tensor *u = (tg_rand)(dtype, 0, 1, tg_shape_of(x)), *keep = tg_ge(u, tg_scalar(dtype, p));
    release(u);
    tg_tensor *kept = tg_to(keep, dtype), *mask = tg_mul_scalar(kept, p < 1 ? 1 / (1 - p) : 0);
    release(keep), release(kept);
    tg_tensor *y = tg_mul(x, mask);
    release(mask);
    return y;
}
