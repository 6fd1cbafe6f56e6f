/* Arrays: layout, storage, views. */
#include "core/array.h"

#include "core/alloc.h"

#include <string.h>

/* The name is that of a function of core/array.h, unless one above has a better one. */
static bool given(const void *p, const char *who) {
    if (!p) tg_fail_below(TG_ERR_ARGUMENT, "%s: the array is NULL", who);
    return p;
}

tg_shape tg_array_shape(const tg_array *a) {
    if (!given(a, "tg_array_shape")) return TG_SCALAR;
    tg_shape s = {a->rank, {0}};
    for (int i = 0; i < a->rank; i++) s.dim[i] = a->shape[i];
    return s;
}

/* ---- storage ---- */

tg_status tg_fail_layout(const char *who, tg_dtype dtype, const tg_shape *shape) {
    char text[200];
    if ((unsigned)dtype >= TG_DTYPES) return tg_fail_below(TG_ERR_DTYPE, "%s: no dtype has the number %d", who, (int)dtype);
    if (shape->rank < 0 || shape->rank > TG_MAX_RANK)
        return tg_fail_below(TG_ERR_SHAPE, "%s: a tensor has 0 to %d axes, not %d", who, TG_MAX_RANK, shape->rank);
    tg_shape_text(*shape, text, sizeof text);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0) return tg_fail_below(TG_ERR_SHAPE, "%s: the shape %s has a negative size", who, text);
    if (tg_shape_numel(*shape) < 0)
        return tg_fail_below(TG_ERR_SHAPE, "%s: the shape %s has more elements than can be counted", who, text);
    return tg_fail_below(TG_ERR_MEMORY, "%s: out of memory: %s %s has more bytes than can be counted", who, text,
                         tg_dtype_name(dtype));
}

static tg_status fail_layout(tg_array *a, tg_dtype dtype, const tg_shape *shape) {
    *a = (tg_array){0};
    return tg_fail_layout("tg_array_layout", dtype, shape);
}

/* Row-major: stride[i] is the product of the sizes behind i, with zero sizes counted as 1 (as in tg_shape_numel).
 * Returns that product for all axes; -1 when a size is negative or the product overflows. */
static inline int64_t set_shape(tg_array *a, const tg_shape *shape) {
    int64_t stride = 1;
    a->rank = (uint8_t)shape->rank;
    for (int i = shape->rank - 1; i >= 0; i--) {
        int64_t n = shape->dim[i];
        a->shape[i] = n;
        a->stride[i] = stride;
        if (n < 0 || (n > 0 && __builtin_mul_overflow(stride, n, &stride))) return -1;
    }
    return stride;
}

/* On every op's way: one pass over the sizes, no copies of the shape. */
static inline tg_status layout(tg_array *a, tg_dtype dtype, const tg_shape *shape, size_t *bytes) {
    if ((unsigned)dtype >= TG_DTYPES || (unsigned)shape->rank > TG_MAX_RANK)
        return fail_layout(a, dtype, shape);
    int64_t numel = set_shape(a, shape);
    for (int i = 0; i < shape->rank && numel > 0; i++)
        if (shape->dim[i] == 0) numel = 0;
    if (numel < 0 || !tg_size_mul((size_t)numel, tg_dtype_size(dtype), bytes) || *bytes > PTRDIFF_MAX)
        return fail_layout(a, dtype, shape);
    a->data = a->buffer = NULL;
    a->numel = numel;
    a->dtype = (uint8_t)dtype;
    return TG_OK;
}

tg_status tg_array_layout(tg_array *a, tg_dtype dtype, tg_shape shape) {
    size_t bytes;
    return given(a, "tg_array_layout") ? layout(a, dtype, &shape, &bytes) : tg_error_status();
}

/* The sizes are known to be sound; a wider dtype may still be too much. */
tg_status tg_array_layout_like(tg_array *a, tg_dtype dtype, const tg_array *like) {
    if (!given(a, "tg_array_layout_like") || !given(like, "tg_array_layout_like")) return tg_error_status();
    if (dtype != (tg_dtype)like->dtype) return tg_array_layout(a, dtype, tg_array_shape(like));
    int64_t stride = 1;
    for (int i = like->rank - 1; i >= 0; i--) {
        a->shape[i] = like->shape[i];
        a->stride[i] = stride;
        if (like->shape[i] > 0) stride *= like->shape[i];
    }
    a->data = a->buffer = NULL;
    a->numel = like->numel;
    a->dtype = like->dtype;
    a->rank = like->rank;
    return TG_OK;
}

static tg_status allocate(tg_array *a, size_t bytes) {
    a->buffer = tg_buffer_new(bytes);
    if (!a->buffer) return tg_fail_memory(bytes);
    a->data = tg_buffer_data(a->buffer);
    return TG_OK;
}

tg_status tg_array_alloc(tg_array *a, tg_dtype dtype, tg_shape shape) {
    size_t bytes;
    if (!given(a, "tg_array_alloc")) return tg_error_status();
    tg_status s = layout(a, dtype, &shape, &bytes);
    return s == TG_OK ? allocate(a, bytes) : s;
}

tg_status tg_array_alloc_like(tg_array *a, const tg_array *like) {
    if (!given(a, "tg_array_alloc_like") || !given(like, "tg_array_alloc_like")) return tg_error_status();
    tg_array_layout_like(a, (tg_dtype)like->dtype, like);
    return allocate(a, (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype));
}

/* *dst = v with a reference of its own; dst may be what v was taken from. */
static void assign(tg_array *dst, const tg_array *v) {
    tg_array value = *v;
    tg_buffer_ref(value.buffer);
    tg_array_drop(dst);
    *dst = value;
}

/* As assign, but copies only the axes there are: this runs several times for every op. */
void tg_array_share(tg_array *dst, const tg_array *src) {
    if (!given(dst, "tg_array_share") || !given(src, "tg_array_share")) return;
    void *data = src->data;
    tg_buffer *buffer = src->buffer;
    tg_buffer_ref(buffer);
    tg_array_drop(dst);
    dst->data = data;
    dst->buffer = buffer;
    dst->numel = src->numel;
    dst->dtype = src->dtype;
    dst->rank = src->rank;
    for (int i = 0; i < src->rank; i++) dst->shape[i] = src->shape[i], dst->stride[i] = src->stride[i];
}

void tg_array_drop(tg_array *a) {
    if (!a) return;
    tg_buffer_unref(a->buffer);
    a->data = a->buffer = NULL;
}

bool tg_array_is_contiguous(const tg_array *a) {
    int64_t stride = 1;
    if (!given(a, "tg_array_is_contiguous")) return false;
    if (a->numel == 0) return true;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (a->stride[i] != stride) return false;
        stride *= a->shape[i];
    }
    return true;
}

/* No element is visited twice when, with axes in order of |stride|, each steps over all that the smaller ones
 * reach: |stride_k| > sum over i < k of |stride_i| (size_i - 1). Sufficient, and necessary for views of
 * contiguous arrays. */
static bool visits_once(const tg_array *a) {
    int64_t reach = 0, below = -1;
    if (a->numel <= 1 || tg_array_is_contiguous(a)) return true;
    for (int left = a->rank; left > 0; left--) {
        int64_t step = INT64_MAX, size = 1;
        int found = 0;
        for (int i = 0; i < a->rank; i++) { /* the next larger stride, and how many axes have it */
            int64_t s = a->stride[i] < 0 ? -a->stride[i] : a->stride[i];
            if (a->shape[i] == 1 || s <= below || s > step) continue;
            found = s == step ? found + 1 : 1;
            step = s;
            size = a->shape[i];
        }
        if (!found) break;
        if (found > 1 || step <= reach) return false;
        reach += step * (size - 1);
        below = step;
    }
    return true;
}

bool tg_array_visits_once(const tg_array *a) { return given(a, "tg_array_visits_once") && visits_once(a); }

bool tg_array_is_exclusive(const tg_array *a) {
    return given(a, "tg_array_is_exclusive") && a->buffer && tg_buffer_refs(a->buffer) == 1 && visits_once(a);
}

/* ---- views ---- */

tg_status tg_array_broadcast(tg_array *out, const tg_array *a, tg_shape shape) {
    if (!given(out, "tg_array_broadcast") || !given(a, "tg_array_broadcast")) return tg_error_status();
    tg_shape both, from = tg_array_shape(a);
    if (tg_shape_numel(shape) < 0) return tg_fail_layout("tg_array_broadcast", (tg_dtype)a->dtype, &shape);
    if (!tg_shape_broadcast(from, shape, &both) || !tg_shape_equal(both, shape)) {
        char text[200], to[200];
        return tg_fail_below(TG_ERR_SHAPE, "tg_array_broadcast: %s does not broadcast to %s",
                             tg_shape_text(from, text, sizeof text), tg_shape_text(shape, to, sizeof to));
    }
    /* so that a copy of any array, this one too, has a size */
    size_t bytes;
    if (!tg_size_mul((size_t)tg_shape_numel(shape), tg_dtype_size((tg_dtype)a->dtype), &bytes) || bytes > PTRDIFF_MAX)
        return tg_fail_layout("tg_array_broadcast", (tg_dtype)a->dtype, &shape);
    tg_array v = *a;
    int extra = shape.rank - a->rank;
    for (int i = 0; i < shape.rank; i++)
        v.stride[i] = i < extra || (a->shape[i - extra] == 1 && shape.dim[i] != 1) ? 0 : a->stride[i - extra];
    memcpy(v.shape, shape.dim, sizeof v.shape);
    v.rank = (uint8_t)shape.rank;
    v.numel = tg_shape_numel(shape);
    assign(out, &v);
    return TG_OK;
}

void tg_array_permute(tg_array *out, const tg_array *a, const int *order) {
    tg_array v = *a;
    for (int i = 0; i < a->rank; i++) {
        v.shape[i] = a->shape[order[i]];
        v.stride[i] = a->stride[order[i]];
    }
    assign(out, &v);
}

/* The axes of `a` without those of size 1, neighbours that step as one axis merged. Returns how many. */
static int merge_axes(const tg_array *a, int64_t *size, int64_t *stride) {
    int n = 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->shape[i] == 1) continue;
        if (n && stride[n - 1] == a->stride[i] * a->shape[i]) {
            size[n - 1] *= a->shape[i];
        } else {
            size[n] = a->shape[i];
            n++;
        }
        stride[n - 1] = a->stride[i];
    }
    return n;
}

/* Every merged axis must be cut into whole new axes, from the last backwards. */
bool tg_array_reshape(tg_array *out, const tg_array *a, tg_shape shape) {
    tg_array v = *a;
    set_shape(&v, &shape);
    if (a->numel > 0 && !tg_array_is_contiguous(a)) {
        int64_t size[TG_MAX_RANK], stride[TG_MAX_RANK];
        int k = merge_axes(a, size, stride) - 1;
        int64_t left = k >= 0 ? size[k] : 1, step = k >= 0 ? stride[k] : 1;
        for (int i = shape.rank - 1; i >= 0; i--) {
            if (shape.dim[i] == 1) continue;
            if (left == 1 && k > 0) {
                left = size[--k];
                step = stride[k];
            }
            if (left % shape.dim[i] != 0) return false;
            v.stride[i] = step;
            left /= shape.dim[i];
            step *= shape.dim[i];
        }
    }
    assign(out, &v);
    return true;
}
