/* Arrays in every kind of layout, and what must lie in their memory afterwards: the elements, and between them what was
 * there before. For tests that hold a loop over arrays to plain loops over elements. */
#ifndef TESTS_CORE_LAYOUTS_H
#define TESTS_CORE_LAYOUTS_H

#include "core/array.h"
#include "core/kernels/simd/table.h"
#include "core/memory.h"
#include "core/parallel.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert_msg writes to a file at every call, which is slow once an element. */
#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

static inline bool fast(void) { return getenv("TG_FAST") != NULL; }

/* The fixture of a case whose tests change the number of threads and the instruction set: both are put back, and no
 * scratch array may be left. */
static struct {
    int threads;
    const char *isa;
    size_t live;
} setting;
static inline void keep_setting(void) {
    setting.threads = tg_num_threads(), setting.isa = tg_isa();
    setting.live = tg_memory_now().live_buffer_bytes;
}
static inline void restore_setting(void) {
    tg_set_num_threads(setting.threads);
    tg_kernels_use(setting.isa);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, setting.live);
}

/* Bits of i, mixed. */
static inline uint64_t mixed(uint64_t i) {
    uint64_t h = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 8;
}

/* FLAT: row-major. GAPS: two or three apart. TURNED: the first axis innermost. ROTATED: the last axis outermost. BACK: from the
 * end, with gaps where the rank is odd. ROW, COLUMN, ONE: repeated along the leading axes, the last axis, all axes. */
typedef enum lay { FLAT, GAPS, TURNED, ROTATED, BACK, ROW, COLUMN, ONE, LAYS } lay;

static inline bool repeats(lay l) { return l >= ROW; }

/* The axes of a row-major layout from the innermost outwards, as `l` has them. */
static inline int axis_at(lay l, int rank, int i) {
    if (l == TURNED) return i;
    return l == ROTATED ? (2 * rank - 2 - i) % rank : rank - 1 - i;
}

/* Storage and strides. The elements are of the storage `whole`, which has a gap at either end. */
typedef struct laid {
    tg_array a, whole;
    int64_t *at;        /* where element i lies in `whole`, in row-major order of a */
    char *image;        /* what `whole` must hold */
    size_t size, bytes; /* of an element, of whole */
} laid;

static inline void find_places(laid *l, int64_t origin) {
    int64_t index[TG_MAX_RANK] = {0}, place = origin;
    const tg_array *a = &l->a;
    for (int64_t i = 0; i < a->numel; i++) {
        l->at[i] = place;
        for (int d = a->rank - 1; d >= 0; d--) {
            place += a->stride[d];
            if (++index[d] < a->shape[d]) break;
            place -= a->stride[d] * a->shape[d];
            index[d] = 0;
        }
    }
}

static inline laid lay_out(tg_dtype dtype, tg_shape shape, lay how) {
    enum { EDGE = 3 };
    laid l = {.size = tg_dtype_size(dtype)};
    int64_t step = how == GAPS   ? 2 + shape.rank % 2
                   : how == BACK ? 1 + shape.rank % 2
                                 : 1,
            stride[TG_MAX_RANK] = {0}, reach = 0;
    for (int i = 0; i < shape.rank; i++) {
        int d = axis_at(how, shape.rank, i);
        if (how == ONE || (how == COLUMN && d == shape.rank - 1) || (how == ROW && d < shape.rank - 1))
            continue;
        stride[d] = how == BACK ? -step : step;
        reach += step * (shape.dim[d] > 0 ? shape.dim[d] - 1 : 0);
        step *= shape.dim[d] > 0 ? shape.dim[d] : 1;
    }
    ck_assert_int_eq(tg_array_alloc(&l.whole, dtype, TG_SHAPE(reach + 1 + 2 * EDGE)), TG_OK);
    l.bytes = (size_t)l.whole.numel * l.size;
    l.a = l.whole;
    l.a.rank = (uint8_t)shape.rank;
    l.a.numel = tg_shape_numel(shape);
    for (int d = 0; d < shape.rank; d++) l.a.shape[d] = shape.dim[d], l.a.stride[d] = stride[d];
    int64_t origin = EDGE + (how == BACK ? reach : 0);
    l.a.data = (char *)l.whole.data + (size_t)origin * l.size;
    l.at = malloc(((size_t)l.a.numel + 1) * sizeof *l.at);
    l.image = malloc(l.bytes);
    memset(l.whole.data, 0x5b, l.bytes);
    find_places(&l, origin);
    return l;
}

static inline void lay_down(laid *l) {
    free(l->at);
    free(l->image);
    tg_array_drop(&l->whole);
}

static inline void *place_of(const laid *l, int64_t i) {
    return (char *)l->whole.data + (size_t)l->at[i] * l->size;
}

/* Of 1, 4 or 8 bytes. */
static inline void copy_element(void *to, const void *from, size_t size) {
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, 1);
}

/* The elements, one after the other. */
static inline void gather_dense(const laid *l, char *dense) {
    for (int64_t i = 0; i < l->a.numel; i++)
        copy_element(dense + (size_t)i * l->size, place_of(l, i), l->size);
}

/* What the memory is to hold: what it holds now, but these elements. */
static inline void expect_dense(laid *l, const char *dense) {
    memcpy(l->image, l->whole.data, l->bytes);
    for (int64_t i = 0; i < l->a.numel; i++)
        copy_element(l->image + (size_t)l->at[i] * l->size, dense + (size_t)i * l->size, l->size);
}

static inline bool is_nan(tg_dtype dtype, const char *p) {
    float f;
    double d;
    if (dtype == TG_F32) return memcpy(&f, p, 4), isnan(f);
    if (dtype == TG_F64) return memcpy(&d, p, 8), isnan(d);
    return false;
}

/* The place in the storage where it is not as expected (any NaN is as good as another), or -1. */
static inline int64_t first_wrong(const laid *l) {
    if (memcmp(l->image, l->whole.data, l->bytes) == 0) return -1;
    for (int64_t i = 0; i < l->whole.numel; i++) {
        const char *is = (char *)l->whole.data + (size_t)i * l->size, *wants = l->image + (size_t)i * l->size;
        tg_dtype dtype = (tg_dtype)l->a.dtype;
        if (memcmp(is, wants, l->size) != 0 && !(is_nan(dtype, is) && is_nan(dtype, wants))) return i;
    }
    return -1;
}

static inline const char *lay_name(lay l) {
    static const char *const name[LAYS] = {"flat", "gaps", "turned", "rotated",
                                           "back", "row",  "column", "one"};
    return name[l];
}

/* Buffers that come from the cache hold NaN, so that what is not written shows. */
static inline void spoil_cache(void) {
    for (int64_t n = 16; n <= 1 << 17; n *= 2) {
        tg_array a[4];
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(tg_array_alloc(&a[i], TG_U8, TG_SHAPE(n + n / 4 * i)), TG_OK);
            memset(a[i].data, 0xff, (size_t)a[i].numel);
        }
        for (int i = 0; i < 4; i++) tg_array_drop(&a[i]);
    }
}

#endif
