/* Arrays: copies that convert, and single elements. */
#include "core/array.h"

#include "core/alloc.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <string.h>

/* ---- conversion: one function for each pair of dtypes moves a run; strides count elements ---- */

typedef void row_fn(char *dst, const char *src, int64_t n, int64_t dst_stride, int64_t src_stride);

/* Floats convert through double and integers through int64, which hold every value of theirs. */
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

#define BLOCK 32768 /* elements that are worth waking a thread for */
#define TILE \
    16 /* rows and columns done at once where source and target are contiguous along different axes */

/* Both arrays as nested loops, outermost first. Strides are in bytes, but in elements for the last axis. */
typedef struct copy_plan {
    int rank; /* at least 2 */
    int64_t size[TG_MAX_RANK + 1], ds[TG_MAX_RANK + 1], ss[TG_MAX_RANK + 1];
    int64_t tile;
    char *dst;
    const char *src;
    row_fn *row;
    tg_transpose_fn *transpose; /* where the copy is one; or NULL */
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

/* Leaves out axes of size 1, merges neighbours that step as one in both arrays, and adds a leading axis of size 1. */
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

/* Moves the axis along which the target is contiguous innermost, and that of the source just outside of it. */
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

/* Copies rows [begin, end), a row being a run along the last axis. */
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
        if (p->transpose) p->transpose(p->size[last], n, s, p->ss[last], d, p->ds[last - 1] / p->dst_item);
        for (int64_t c = 0; c < p->size[last] && !p->transpose; c += p->tile) {
            int64_t m = p->size[last] - c < p->tile ? p->size[last] - c : p->tile;
            char *dc = d + c * p->ds[last] * p->dst_item;
            const char *sc = s + c * p->ss[last] * p->src_item;
            for (int64_t r = 0; r < n; r++)
                p->row(dc + r * p->ds[last - 1], sc + r * p->ss[last - 1], m, p->ds[last], p->ss[last]);
        }
        begin += n;
    }
}

/* The kernel of the table, which moves bits: for any dtype of its size. What is narrow is not worth its squares. */
static tg_transpose_fn *transpose_of(const copy_plan *p, bool same) {
    int last = p->rank - 1;
    bool crossed = p->tile == TILE && p->ds[last] == 1 && p->ss[last - 1] == 1;
    if (!same || !crossed || p->dst_item < 4 || p->size[last] < 8 || p->size[last - 1] < 8) return NULL;
    return tg_kernels_for(p->dst_item == 4 ? TG_F32 : TG_F64)->transpose;
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
    p.transpose = transpose_of(&p, dst->dtype == src->dtype);
    int last = p.rank - 1;
    for (int i = 0; i < last; i++) p.ds[i] *= p.dst_item, p.ss[i] *= p.src_item;
    int64_t n = p.size[last], grain = n < BLOCK ? BLOCK / n : 1;
    if (p.transpose && grain % TILE) grain += TILE - grain % TILE; /* whole squares */
    tg_parallel_for(dst->numel / n, grain, copy_rows, &p);
}

tg_status tg_array_contiguous(tg_array *out, const tg_array *a) {
    tg_array dense;
    if (!out || !a) return tg_fail(TG_ERR_ARGUMENT, "tg_array_contiguous: the array is NULL");
    if (!tg_array_is_sound(a) || (a->numel > 0 && !a->data))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_array_contiguous: the array is malformed, or its elements are not allocated");
    if (tg_array_is_contiguous(a)) {
        if (out != a) tg_array_share(out, a);
        return TG_OK;
    }
    tg_status s = tg_array_alloc_like(&dense, a);
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
    if (!a || !tg_array_is_sound(a) || (a->numel > 0 && !a->data)) {
        tg_fail(TG_ERR_ARGUMENT,
                "tg_array_fill: the array is NULL or malformed, or its elements are not allocated");
        return;
    }
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
