/* Arrays: layout, views, and copies that convert. */
#include "core/array.h"

#include "core/alloc.h"
#include "core/parallel.h"

#include <string.h>

tg_shape tg_array_shape(const tg_array *a) {
    tg_shape s = {a->rank, {0}};
    for (int i = 0; i < a->rank; i++) s.dim[i] = a->shape[i];
    return s;
}

bool tg_array_same_shape(const tg_array *a, const tg_array *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i]) return false;
    return true;
}

/* ---- storage ---- */

/* Why an array of this type and shape cannot be. */
static tg_status fail_layout(tg_array *a, tg_dtype dtype, const tg_shape *shape) {
    char text[200];
    *a = (tg_array){0};
    if ((unsigned)dtype >= TG_DTYPES) return tg_fail(TG_ERR_DTYPE, "no dtype has the number %d", (int)dtype);
    tg_shape_text(*shape, text, sizeof text);
    if (tg_shape_numel(*shape) >= 0)
        return tg_fail(TG_ERR_MEMORY, "out of memory: %s %s has more bytes than can be counted", text,
                       tg_dtype_name(dtype));
    return tg_fail(TG_ERR_SHAPE,
                   "no array has the shape %s: more than %d axes, a negative size or too many elements", text,
                   TG_MAX_RANK);
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
    return layout(a, dtype, &shape, &bytes);
}

/* The sizes are known to be sound; a wider dtype may still be too much. */
tg_status tg_array_layout_like(tg_array *a, tg_dtype dtype, const tg_array *like) {
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

tg_status tg_array_alloc(tg_array *a, tg_dtype dtype, tg_shape shape) {
    size_t bytes;
    tg_status s = layout(a, dtype, &shape, &bytes);
    if (s != TG_OK) return s;
    a->buffer = tg_buffer_new(bytes);
    if (!a->buffer) return tg_fail_memory(bytes);
    a->data = tg_buffer_data(a->buffer);
    return TG_OK;
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
    tg_buffer_unref(a->buffer);
    a->data = a->buffer = NULL;
}

bool tg_array_is_contiguous(const tg_array *a) {
    int64_t stride = 1;
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

bool tg_array_is_exclusive(const tg_array *a) {
    return a->buffer && tg_buffer_refs(a->buffer) == 1 && visits_once(a);
}

/* ---- views ---- */

tg_status tg_array_broadcast(tg_array *out, const tg_array *a, tg_shape shape) {
    tg_shape both, from = tg_array_shape(a);
    if (!tg_shape_broadcast(from, shape, &both) || !tg_shape_equal(both, shape) ||
        tg_shape_numel(shape) < 0) {
        char text[200], to[200];
        return tg_fail(TG_ERR_SHAPE, "broadcast: %s does not broadcast to %s",
                       tg_shape_text(from, text, sizeof text), tg_shape_text(shape, to, sizeof to));
    }
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

/* ---- conversion: one function for each pair of dtypes moves a run; strides count elements ---- */

typedef void row_fn(char *dst, const char *src, int64_t n, int64_t dst_stride, int64_t src_stride);

/* From any float through double, from any integer through int64: both hold every value of theirs. */
static inline float f32_real(double x) { return (float)x; }
static inline double f64_real(double x) { return x; }
static inline int32_t i32_real(double x) { return x > -2147483649.0 && x < 0x1p31 ? (int32_t)x : INT32_MIN; }
static inline int64_t i64_real(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
static inline uint8_t u8_real(double x) { return x > -1 && x < 256 ? (uint8_t)x : 0; }
static inline uint8_t b8_real(double x) { return x != 0; }
static inline float f32_whole(int64_t x) { return (float)x; }
static inline double f64_whole(int64_t x) { return (double)x; }
static inline int32_t i32_whole(int64_t x) {
    return x >= INT32_MIN && x <= INT32_MAX ? (int32_t)x : INT32_MIN;
}
static inline int64_t i64_whole(int64_t x) { return x; }
static inline uint8_t u8_whole(int64_t x) { return x >= 0 && x <= 255 ? (uint8_t)x : 0; }
static inline uint8_t b8_whole(int64_t x) { return x != 0; }

typedef float f32_type;
typedef double f64_type;
typedef int32_t i32_type;
typedef int64_t i64_type;
typedef uint8_t u8_type, b8_type /* bool */;

#define CONVERT_ROW(D, S, KIND) \
    static void D##_from_##S(char *dst, const char *src, int64_t n, int64_t ds, int64_t ss) { \
        D##_type *restrict d = (D##_type *)(void *)dst; \
        const S##_type *restrict s = (const S##_type *)(const void *)src; \
        if (ds == 1 && ss == 1) \
            for (int64_t i = 0; i < n; i++) d[i] = D##_##KIND(s[i]); \
        else \
            for (int64_t i = 0; i < n; i++) d[i * ds] = D##_##KIND(s[i * ss]); \
    }
#define SAME_ROW(D) \
    static void D##_from_##D(char *dst, const char *src, int64_t n, int64_t ds, int64_t ss) { \
        D##_type *restrict d = (D##_type *)(void *)dst; \
        const D##_type *restrict s = (const D##_type *)(const void *)src; \
        if (ds == 1 && ss == 1) { \
            memcpy(d, s, (size_t)n * sizeof *d); \
        } else if (ds == 1 && ss == 0) { \
            const D##_type v = *s; \
            for (int64_t i = 0; i < n; i++) d[i] = v; \
        } else { \
            for (int64_t i = 0; i < n; i++) d[i * ds] = s[i * ss]; \
        } \
    }
#define FROM_ALL(D, F32, F64, I32, I64, U8, B8) \
    F32(D, f32) F64(D, f64) I32(D, i32) I64(D, i64) U8(D, u8) B8(D, b8)
#define REAL(D, S) CONVERT_ROW(D, S, real)
#define WHOLE(D, S) CONVERT_ROW(D, S, whole)
#define SAME(D, S) SAME_ROW(D)
FROM_ALL(f32, SAME, REAL, WHOLE, WHOLE, WHOLE, WHOLE)
FROM_ALL(f64, REAL, SAME, WHOLE, WHOLE, WHOLE, WHOLE)
FROM_ALL(i32, REAL, REAL, SAME, WHOLE, WHOLE, WHOLE)
FROM_ALL(i64, REAL, REAL, WHOLE, SAME, WHOLE, WHOLE)
FROM_ALL(u8, REAL, REAL, WHOLE, WHOLE, SAME, WHOLE)
FROM_ALL(b8, REAL, REAL, WHOLE, WHOLE, WHOLE, SAME)

#define ROW_OF(D) \
    { D##_from_f32, D##_from_f64, D##_from_i32, D##_from_i64, D##_from_u8, D##_from_b8 }
static row_fn *const rows[TG_DTYPES][TG_DTYPES] = {ROW_OF(f32), ROW_OF(f64), ROW_OF(i32),
                                                   ROW_OF(i64), ROW_OF(u8),  ROW_OF(b8)};

/* ---- copies ---- */

#define BLOCK 32768 /* elements that are worth a thread */
#define TILE 16     /* columns done at once where source and target are contiguous along different axes */

/* Both arrays as nested loops, outermost first; strides in bytes but for the last axis's. */
typedef struct copy_plan {
    int rank; /* at least 2 */
    int64_t size[TG_MAX_RANK + 1], ds[TG_MAX_RANK + 1], ss[TG_MAX_RANK + 1];
    int64_t tile;
    char *dst;
    const char *src;
    row_fn *row;
    int64_t dst_item, src_item;
} copy_plan;

static void move_axis(copy_plan *p, int from, int to) {
    int64_t size = p->size[from], ds = p->ds[from], ss = p->ss[from];
    for (int i = from; i < to; i++) {
        p->size[i] = p->size[i + 1];
        p->ds[i] = p->ds[i + 1];
        p->ss[i] = p->ss[i + 1];
    }
    p->size[to] = size, p->ds[to] = ds, p->ss[to] = ss;
}

/* Axes of size 1 go, neighbours that step as one in both arrays merge. A leading axis of size 1 is added. */
static void merge_both(copy_plan *p, const tg_array *dst, const tg_array *src) {
    int n = 1;
    p->size[0] = 1, p->ds[0] = p->ss[0] = 0;
    for (int i = 0; i < dst->rank; i++) {
        if (dst->shape[i] == 1) continue;
        if (n > 1 && p->ds[n - 1] == dst->stride[i] * dst->shape[i] &&
            p->ss[n - 1] == src->stride[i] * dst->shape[i])
            p->size[n - 1] *= dst->shape[i];
        else
            p->size[n++] = dst->shape[i];
        p->ds[n - 1] = dst->stride[i];
        p->ss[n - 1] = src->stride[i];
    }
    if (n == 1) p->size[n] = 1, p->ds[n] = p->ss[n] = 1, n++;
    p->rank = n;
}

/* The target's unit stride goes innermost, the source's just outside of it. */
static void order_axes(copy_plan *p) {
    int last = p->rank - 1;
    for (int i = 1; i < last && p->ds[last] != 1; i++)
        if (p->ds[i] == 1) move_axis(p, i, last);
    p->tile = p->size[last];
    if (p->ss[last] == 0 || p->ss[last] == 1) return;
    for (int i = 1; i < last; i++)
        if (p->ss[i] == 1) {
            move_axis(p, i, last - 1);
            p->tile = TILE;
            return;
        }
}

/* Rows [begin, end) of all, a row being a run along the last axis. */
static void copy_rows(void *context, int64_t begin, int64_t end) {
    const copy_plan *p = context;
    int last = p->rank - 1;
    while (begin < end) {
        int64_t at = begin, in_block = begin % p->size[last - 1], n = p->size[last - 1] - in_block;
        if (n > end - begin) n = end - begin;
        char *d = p->dst;
        const char *s = p->src;
        for (int i = last - 1; i >= 0; at /= p->size[i], i--) {
            d += at % p->size[i] * p->ds[i];
            s += at % p->size[i] * p->ss[i];
        }
        for (int64_t c = 0; c < p->size[last]; c += p->tile) {
            int64_t m = p->size[last] - c < p->tile ? p->size[last] - c : p->tile;
            char *dc = d + c * p->ds[last] * p->dst_item;
            const char *sc = s + c * p->ss[last] * p->src_item;
            for (int64_t r = 0; r < n; r++)
                p->row(dc + r * p->ds[last - 1], sc + r * p->ss[last - 1], m, p->ds[last], p->ss[last]);
        }
        begin += n;
    }
}

static void copy_run(void *context, int64_t begin, int64_t end) {
    const copy_plan *p = context;
    p->row(p->dst + begin * p->ds[1] * p->dst_item, p->src + begin * p->ss[1] * p->src_item, end - begin,
           p->ds[1], p->ss[1]);
}

void tg_array_copy(const tg_array *dst, const tg_array *src) {
    if (dst->numel == 0) return;
    row_fn *row = rows[dst->dtype][src->dtype];
    if (dst->numel == 1) {
        row(dst->data, src->data, 1, 1, 1);
        return;
    }
    copy_plan p = {.dst = dst->data, .src = src->data, .row = row};
    p.dst_item = (int64_t)tg_dtype_size((tg_dtype)dst->dtype);
    p.src_item = (int64_t)tg_dtype_size((tg_dtype)src->dtype);
    merge_both(&p, dst, src);
    if (p.rank == 2 && p.size[0] == 1) {
        tg_parallel_for(p.size[1], BLOCK, copy_run, &p);
        return;
    }
    order_axes(&p);
    int last = p.rank - 1;
    for (int i = 0; i < last; i++) p.ds[i] *= p.dst_item, p.ss[i] *= p.src_item;
    int64_t n = p.size[last];
    tg_parallel_for(dst->numel / n, n < BLOCK ? BLOCK / n : 1, copy_rows, &p);
}

tg_status tg_array_contiguous(tg_array *out, const tg_array *a) {
    tg_array dense;
    if (tg_array_is_contiguous(a)) {
        assign(out, a);
        return TG_OK;
    }
    tg_status s = tg_array_alloc(&dense, (tg_dtype)a->dtype, tg_array_shape(a));
    if (s != TG_OK) return s;
    tg_array_copy(&dense, a);
    tg_array_drop(out);
    *out = dense;
    return TG_OK;
}

/* ---- single elements ---- */

static char *element(const tg_array *a, int64_t i) {
    int64_t at = 0;
    for (int k = a->rank - 1; k >= 0; i /= a->shape[k], k--) at += i % a->shape[k] * a->stride[k];
    return (char *)a->data + at * (int64_t)tg_dtype_size((tg_dtype)a->dtype);
}

double tg_array_get(const tg_array *a, int64_t i) {
    double x;
    rows[TG_F64][a->dtype]((char *)&x, element(a, i), 1, 1, 1);
    return x;
}

void tg_array_set(const tg_array *a, int64_t i, double value) {
    rows[a->dtype][TG_F64](element(a, i), (const char *)&value, 1, 1, 1);
}

void tg_array_fill(const tg_array *a, double value) {
    union {
        float f32;
        double f64;
        int64_t i64;
    } cell;
    if (a->numel == 1) {
        rows[a->dtype][TG_F64](a->data, (const char *)&value, 1, 1, 1);
        return;
    }
    tg_array one = *a;
    one.data = &cell;
    memset(one.stride, 0, sizeof one.stride);
    rows[a->dtype][TG_F64](one.data, (const char *)&value, 1, 1, 1);
    tg_array_copy(a, &one);
}
