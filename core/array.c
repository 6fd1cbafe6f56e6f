/* Arrays: layout, storage, views. */
#include "core/array.h"

#include "core/alloc.h"

#include <string.h>

/* `who` is the function of core/array.h; a function above it may put its own name there (tg_error_by). */
static bool given(const void *p, const char *who) {
    if (!p) tg_fail_below(TG_ERR_ARGUMENT, "%s: the array is NULL", who);
    return p;
}

__attribute__((cold, noinline)) static void fail_array(const tg_array *a, const char *who) {
    if (!given(a, who)) return;
    tg_fail_below(TG_ERR_ARGUMENT,
                  "%s: the array is malformed: it says rank %d, dtype number %d and %lld elements", who,
                  a->rank, a->dtype, (long long)a->numel);
}

/* Whether axes and dtype may be read. Nothing else is checked here, as every op passes through. */
static inline bool readable(const tg_array *a, const char *who) {
    bool is = a && a->rank <= TG_MAX_RANK && a->dtype < TG_DTYPES;
    if (!is) fail_array(a, who);
    return is;
}

/* The bytes [low, high), counted from the first element, that hold all elements: none where there are no elements. */
typedef struct extent {
    int64_t low, high;
} extent;

/* Whether sizes, numel and strides agree and span no more memory than there can be. (The product of an axis's stride and
 * size then does not overflow either.) */
static bool is_countable(const tg_array *a, extent *e) {
    const int64_t most = INT64_MAX / 2;
    if (a->rank > TG_MAX_RANK || a->dtype >= TG_DTYPES) return false;
    int64_t item = (int64_t)tg_dtype_size((tg_dtype)a->dtype), n = 1;
    bool empty = false, far = false;
    *e = (extent){0, item};
    for (int i = 0; i < a->rank; i++) {
        int64_t size = a->shape[i], span, *end = a->stride[i] < 0 ? &e->low : &e->high;
        empty |= size == 0;
        if (size < 0 || (size > 0 && __builtin_mul_overflow(n, size, &n))) return false;
        far |= __builtin_mul_overflow(size - 1, item, &span) ||
               __builtin_mul_overflow(a->stride[i], span, &span) || __builtin_add_overflow(*end, span, end);
    }
    if (empty) *e = (extent){0, 0};
    return a->numel == (empty ? 0 : n) &&
           (empty || (n <= most / item && !far && -most < e->low && e->high < most));
}

/* Whether the elements lie in row-major order from the start of the buffer on, as layout and alloc make most arrays. */
static bool is_as_made(const tg_array *a) {
    int64_t n = 1, item = a->dtype == TG_F64 || a->dtype == TG_I64 ? 8 : 4;
    if (a->rank > TG_MAX_RANK || a->dtype >= TG_DTYPES) return false;
    for (int i = a->rank - 1; i >= 0; i--)
        if (a->stride[i] != n || a->shape[i] < 1 || __builtin_mul_overflow(n, a->shape[i], &n)) return false;
    if (n != a->numel || n > PTRDIFF_MAX / item) return false;
    return !a->data ||
           (a->buffer && a->data == tg_buffer_data(a->buffer) && (size_t)(n * item) <= a->buffer->asked);
}

bool tg_array_is_sound_with_axes(const tg_array *a) {
    extent e;
    if (is_as_made(a)) return true;
    if (!is_countable(a, &e)) return false;
    if (a->numel == 0 || !a->data || !a->buffer) return true;
    size_t bytes;
    int64_t at = (int64_t)((uintptr_t)a->data - (uintptr_t)tg_buffer_start(a->buffer, &bytes)),
            size = (int64_t)bytes;
    return at >= 0 && at <= size && at + e.low >= 0 && e.high <= size - at;
}

/* Every op calls this several times. Compilers turn a loop over the axes into a string copy, which takes longer. */
tg_shape tg_array_shape(const tg_array *a) {
    if (!readable(a, "tg_array_shape")) return TG_SCALAR;
#define SIZE(i) (i < a->rank ? a->shape[i] : 0)
    return (tg_shape){a->rank, {SIZE(0), SIZE(1), SIZE(2), SIZE(3), SIZE(4), SIZE(5), SIZE(6), SIZE(7)}};
#undef SIZE
}

/* ---- storage ---- */

tg_status tg_fail_layout(const char *who, tg_dtype dtype, const tg_shape *shape) {
    char text[200];
    if ((unsigned)dtype >= TG_DTYPES)
        return tg_fail_below(TG_ERR_DTYPE, "%s: no dtype has the number %d", who, (int)dtype);
    if (shape->rank < 0 || shape->rank > TG_MAX_RANK)
        return tg_fail_below(TG_ERR_SHAPE, "%s: a tensor has 0 to %d axes, not %d", who, TG_MAX_RANK,
                             shape->rank);
    tg_shape_text(*shape, text, sizeof text);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            return tg_fail_below(TG_ERR_SHAPE, "%s: the shape %s has a negative size", who, text);
    if (tg_shape_numel(*shape) < 0)
        return tg_fail_below(TG_ERR_SHAPE, "%s: the shape %s has more elements than can be counted", who, text);
    return tg_fail_below(TG_ERR_MEMORY, "%s: out of memory: %s %s has more bytes than can be counted", who,
                         text, tg_dtype_name(dtype));
}

static tg_status fail_layout(tg_array *a, tg_dtype dtype, const tg_shape *shape) {
    *a = (tg_array){0};
    return tg_fail_layout("tg_array_layout", dtype, shape);
}

/* Row-major: stride[i] is the product of the sizes behind i, with zero sizes counted as 1 (as in tg_shape_numel).
 * Returns the number of elements; -1 when a size is negative or that product overflows. */
static inline int64_t set_shape(tg_array *a, int rank, const int64_t *dim) {
    int64_t stride = 1;
    bool empty = false;
    a->rank = (uint8_t)rank;
    for (int i = rank - 1; i >= 0; i--) {
        int64_t n = dim[i];
        a->shape[i] = n;
        a->stride[i] = stride;
        empty |= n == 0;
        if (n < 0 || (n > 0 && __builtin_mul_overflow(stride, n, &stride))) return -1;
    }
    return empty ? 0 : stride;
}

/* Every op passes through, so there is one pass over the sizes and no copy of the shape. */
static inline tg_status layout(tg_array *a, tg_dtype dtype, const tg_shape *shape, size_t *bytes) {
    if ((unsigned)dtype >= TG_DTYPES || (unsigned)shape->rank > TG_MAX_RANK)
        return fail_layout(a, dtype, shape);
    int64_t numel = set_shape(a, shape->rank, shape->dim);
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

__attribute__((noinline)) static tg_status layout_otherwise(tg_array *a, tg_dtype dtype, const tg_array *like) {
    if (!readable(like, "tg_array_layout_like")) return tg_error_status();
    return tg_array_layout(a, dtype, tg_array_shape(like));
}

/* Every op passes through here too, so the usual case is a copy. tg_array_layout does the others: another dtype, a size of
 * 0, and a malformed shape. */
tg_status tg_array_layout_like(tg_array *a, tg_dtype dtype, const tg_array *like) {
    if (!given(a, "tg_array_layout_like") || !given(like, "tg_array_layout_like")) return tg_error_status();
    int64_t stride = 1, sizes = 0;
    bool usual = dtype == (tg_dtype)like->dtype && like->rank <= TG_MAX_RANK;
    for (int i = like->rank - 1; usual && i >= 0; i--) {
        sizes |= a->shape[i] = like->shape[i];
        a->stride[i] = stride;
        usual = !__builtin_mul_overflow(stride, like->shape[i], &stride);
    }
    if (!usual || sizes < 0 || stride < 1) return layout_otherwise(a, dtype, like);
    a->data = a->buffer = NULL;
    a->numel = stride;
    a->dtype = like->dtype;
    a->rank = like->rank;
    return (unsigned)dtype < TG_DTYPES ? TG_OK : layout_otherwise(a, dtype, like);
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
    if (!given(a, "tg_array_alloc_like") || !readable(like, "tg_array_alloc_like")) return tg_error_status();
    size_t bytes;
    tg_status s = tg_array_layout_like(a, (tg_dtype)like->dtype, like);
    if (s != TG_OK) return s;
    if (__builtin_mul_overflow((size_t)a->numel, tg_dtype_size((tg_dtype)a->dtype), &bytes)) bytes = SIZE_MAX;
    return allocate(a, bytes);
}

/* Does *dst = *v with a reference of its own; dst may be the array that v is a view of. */
static void assign(tg_array *dst, const tg_array *v) {
    tg_array value = *v;
    tg_buffer_ref(value.buffer);
    tg_array_drop(dst);
    *dst = value;
}

/* As assign, but copies only the axes there are: this runs several times for every op. */
void tg_array_share(tg_array *dst, const tg_array *src) {
    if (!given(dst, "tg_array_share") || !given(src, "tg_array_share")) return;
    if (src->rank > TG_MAX_RANK) {
        fail_array(src, "tg_array_share");
        return;
    }
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
    if (!readable(a, "tg_array_is_contiguous")) return false;
    if (a->numel == 0) return true;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (a->stride[i] != stride || __builtin_mul_overflow(stride, a->shape[i], &stride)) return false;
    }
    return true;
}

/* No element is visited twice when, with axes in order of |stride|, each steps over all that the smaller ones
 * reach: |stride_k| > sum over i < k of |stride_i| (size_i - 1). Sufficient, and necessary for views of
 * contiguous arrays. */
static bool visits_once_by_strides(const tg_array *a) {
    int64_t reach = 0, below = -1;
    extent whole;
    if (tg_array_is_contiguous(a)) return true;
    if (!is_countable(a, &whole)) return false;
    for (int left = a->rank; left > 0; left--) {
        int64_t step = INT64_MAX, size = 1;
        int found = 0;
        for (int i = 0; i < a->rank; i++) { /* the next larger stride, and how many axes have it */
            int64_t s = a->shape[i] == 1 ? 0 : a->stride[i] < 0 ? -a->stride[i] : a->stride[i];
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

static inline bool visits_once(const tg_array *a) { return a->numel <= 1 || visits_once_by_strides(a); }

bool tg_array_visits_once(const tg_array *a) { return readable(a, "tg_array_visits_once") && visits_once(a); }

bool tg_array_is_exclusive(const tg_array *a) {
    return readable(a, "tg_array_is_exclusive") && a->buffer && tg_buffer_refs(a->buffer) == 1 &&
           visits_once(a);
}

/* ---- views ---- */

tg_status tg_array_broadcast(tg_array *out, const tg_array *a, tg_shape shape) {
    if (!given(out, "tg_array_broadcast") || !readable(a, "tg_array_broadcast")) return tg_error_status();
    tg_shape both, from = tg_array_shape(a);
    if (tg_shape_numel(shape) < 0) return tg_fail_layout("tg_array_broadcast", (tg_dtype)a->dtype, &shape);
    if (!tg_shape_broadcast(from, shape, &both) || !tg_shape_equal(both, shape)) {
        char text[200], to[200];
        return tg_fail_below(TG_ERR_SHAPE, "tg_array_broadcast: the shape %s does not broadcast to %s",
                             tg_shape_text(from, text, sizeof text), tg_shape_text(shape, to, sizeof to));
    }
    /* A copy of any array, this one included, must have a size that can be counted. */
    size_t bytes;
    if (!tg_size_mul((size_t)tg_shape_numel(shape), tg_dtype_size((tg_dtype)a->dtype), &bytes) ||
        bytes > PTRDIFF_MAX)
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

/* Leaves out the axes of size 1 and merges neighbours that step as one axis. Returns how many axes remain. */
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

static bool can_reshape(const tg_array *out, const tg_array *a, const tg_shape *shape) {
    char text[200];
    if (!given(out, "tg_array_reshape") || !given(a, "tg_array_reshape")) return false;
    if (!tg_array_is_sound(a)) return fail_array(a, "tg_array_reshape"), false;
    if (tg_shape_numel(*shape) == a->numel) return true;
    tg_fail_below(TG_ERR_SHAPE, "tg_array_reshape: an array of %lld elements cannot take the shape %s",
                  (long long)a->numel, tg_shape_text(*shape, text, sizeof text));
    return false;
}

/* Every merged axis must be cut into whole new axes, from the last backwards. */
bool tg_array_reshape(tg_array *out, const tg_array *a, tg_shape shape) {
    if (!can_reshape(out, a, &shape)) return false;
    tg_array v = *a;
    set_shape(&v, shape.rank, shape.dim);
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
