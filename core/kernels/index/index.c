/* Gather, scatter-add, and the position of an extreme. */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <stdlib.h>
#include <string.h>

/* `a` with the axis taken out. It borrows a's elements: no reference is counted. */
static tg_array without_axis(const tg_array *a, int axis) {
    tg_array r = *a;
    r.rank = 0;
    r.numel = 1;
    for (int i = 0; i < a->rank; i++) {
        if (i == axis) continue;
        r.shape[r.rank] = a->shape[i];
        r.stride[r.rank++] = a->stride[i];
        r.numel *= a->shape[i];
    }
    return r;
}
static int64_t stride_of(const tg_array *a, int axis) { return a->rank > 0 ? a->stride[axis] : 0; }
static int64_t size_of(const tg_array *a, int axis) { return a->rank > 0 ? a->shape[axis] : 1; }

typedef struct indexing {
    int dtype, index_dtype;
    int64_t size; /* bytes an element */
    int64_t step; /* of x along the axis */
    int64_t n;    /* scatter: sizes and strides along the axis */
    int64_t index_step, src_step;
    int64_t n_wide, wide_step;      /* scatter of f32: how many doubles a line has, their distance; 0: none */
    const int64_t *wide_of, *place; /* which stands for a place, and where it stands; NULL: each for its own */
} indexing;

static int64_t index_at(const indexing *t, const char *p, int64_t i) {
    return t->index_dtype == TG_I32 ? ((const int32_t *)(const void *)p)[i]
                                    : ((const int64_t *)(const void *)p)[i];
}

/* p = {out, index, x}. One index for the whole run moves a row; otherwise element by element. */
static void gather_run(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    const indexing *t = arg;
    int64_t size = t->size, row = t->step * size;
    if (s[1] == 0 && s[0] == 1 && s[2] == 1) {
        memcpy(p[0], p[2] + index_at(t, p[1], 0) * row, (size_t)(n * size));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *x = p[2] + i * s[2] * size + index_at(t, p[1], i * s[1]) * row;
        char *out = p[0] + i * s[0] * size;
        if (size == 4)
            memcpy(out, x, 4);
        else if (size == 8)
            memcpy(out, x, 8);
        else
            *out = *x;
    }
}

void tg_map_gather(const tg_array *x, int axis, const tg_array *index, const tg_array *out) {
    indexing t = {.dtype = x->dtype, .index_dtype = index->dtype, .step = stride_of(x, axis)};
    t.size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    tg_array origin = *x; /* stays at 0 along the axis */
    if (x->rank > 0) origin.stride[axis] = 0;
    tg_iterate(3, (const tg_array *[]){out, index, &origin}, 4, gather_run, &t);
}

#define ADD_AT(T, U) \
    for (int64_t i = 0; i < n; i++) { \
        T *x = (T *)(void *)q[2] + i * s[2] + index_at(t, q[1], i * s[1]) * t->step; \
        *x = (T)((U)*x + (U)((const T *)(void *)q[0])[i * s[0]]); \
    }

/* f32 where many elements meet: into the double that stands for the place, if one does. */
static void add_wide(const indexing *t, int64_t n, char *const q[], const int64_t s[]) {
    const float *src = (const float *)(void *)q[0];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = index_at(t, q[1], i * s[1]), wide = t->wide_of ? t->wide_of[at] : at;
        if (wide < 0)
            ((float *)(void *)q[2])[i * s[2] + at * t->step] += src[i * s[0]];
        else
            ((double *)(void *)q[3])[i * s[3] + wide * t->wide_step] += (double)src[i * s[0]];
    }
}

/* q = {src, index, x, wide}: n elements across the axis, or, with s[2] = 0, along it. */
static void scatter_row(const indexing *t, int64_t n, char *const q[], const int64_t s[]) {
    if (t->wide_step) {
        add_wide(t, n, q, s);
        return;
    }
    if (s[1] == 0 && s[2] != 0 && tg_dtype_is_float((tg_dtype)t->dtype)) {
        char *x = q[2] + index_at(t, q[1], 0) * t->step * t->size;
        tg_kernels_for(t->dtype)->binary[TG_BINARY_ADD](n, (char *[]){x, x, q[0]},
                                                        (int64_t[]){s[2], s[2], s[0]}, NULL);
        return;
    }
    switch (t->dtype) {
    case TG_F32:
        ADD_AT(float, float) break;
    case TG_F64:
        ADD_AT(double, double) break;
    case TG_I32:
        ADD_AT(int32_t, uint32_t) break;
    case TG_I64:
        ADD_AT(int64_t, uint64_t) break;
    default:
        ADD_AT(uint8_t, uint8_t) break;
    }
}

/* The longer steps are those of the outer loop. Equal indices of different lines meet only in an x that is the same
 * for all lines; there the axis is the outer loop whatever its steps. */
static void scatter_run(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    const indexing *t = arg;
    char *q[4] = {p[0], p[1], p[2], p[3]};
    int64_t index_size = t->index_dtype == TG_I32 ? 4 : 8, along[4] = {t->src_step, t->index_step, 0, 0};
    bool across = s[2] == 0 || llabs(t->src_step) >= llabs(s[0]);
    for (int64_t j = 0, steps = across ? t->n : n; j < steps; j++) {
        scatter_row(t, across ? n : t->n, q, across ? s : along);
        q[0] += (across ? t->src_step : s[0]) * t->size;
        q[1] += (across ? t->index_step : s[1]) * index_size;
        q[2] += (across ? 0 : s[2]) * t->size;
        q[3] += (across ? 0 : s[3]) * 8;
    }
}

/* p = {x, wide}: what the doubles have gathered goes to the places they stand for. */
static void narrow_run(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    const indexing *t = arg;
    for (int64_t k = 0; k < t->n_wide; k++) {
        int64_t at = t->place ? t->place[k] : k;
        for (int64_t i = 0; i < n; i++) {
            float *x = (float *)(void *)p[0] + i * s[0] + at * t->step;
            *x = (float)((double)*x + ((const double *)(const void *)p[1])[i * s[1] + k * t->wide_step]);
        }
    }
}

/* A running sum in f32 of more terms than FEW is not to be trusted. When lines have indices of their own, those of a
 * line are not counted, but taken for many from MANY on. */
enum { FEW = 64, MANY = 512 };

/* Whether one list of indices serves all lines. */
static bool is_shared(const tg_array *index, int axis) {
    for (int i = 0; i < index->rank; i++)
        if (i != axis && index->shape[i] > 1 && index->stride[i] != 0) return false;
    return true;
}

/* wide_of [size] becomes the number of the double that stands for a place where more than FEW meet, -1 elsewhere;
 * place, of which *n are used, its inverse. */
static tg_status find_crowded(const indexing *t, const void *index, int64_t size, tg_array *wide_of,
                              tg_array *place, int64_t *n) {
    tg_status s = tg_array_alloc(wide_of, TG_I64, TG_SHAPE(size));
    if (s == TG_OK) s = tg_array_alloc(place, TG_I64, TG_SHAPE(t->n / FEW + 1));
    if (s != TG_OK) return s;
    int64_t *count = wide_of->data;
    memset(count, 0, (size_t)size * sizeof *count);
    for (int64_t j = 0; j < t->n; j++) count[index_at(t, index, j * t->index_step)]++;
    *n = 0;
    for (int64_t i = 0; i < size; i++) {
        bool crowded = count[i] > FEW;
        count[i] = crowded ? *n : -1;
        if (crowded) ((int64_t *)place->data)[(*n)++] = i;
    }
    return TG_OK;
}

/* *wide becomes zeros for the doubles in question, or stays empty when there are none. */
static tg_status make_wide(indexing *t, const tg_array *x, int axis, const tg_array *index, tg_array *wide,
                           tg_array tables[2]) {
    bool shared = is_shared(index, axis);
    if (x->dtype != TG_F32 || t->n <= (shared ? FEW : MANY)) return TG_OK;
    tg_shape shape = tg_array_shape(x);
    t->n_wide = size_of(x, axis);
    if (shared) {
        tg_status s = find_crowded(t, index->data, t->n_wide, &tables[0], &tables[1], &t->n_wide);
        if (s != TG_OK || t->n_wide == 0) return s;
        t->wide_of = tables[0].data, t->place = tables[1].data;
    }
    if (x->rank > 0) shape.dim[axis] = t->n_wide;
    tg_status s = tg_array_alloc(wide, TG_F64, shape);
    if (s != TG_OK) return s;
    tg_array_fill(wide, 0);
    t->wide_step = x->rank > 0 ? wide->stride[axis] : 1;
    return TG_OK;
}

/* Threads share the positions across the axis, which never meet; along the axis each goes in order. */
tg_status tg_map_scatter_add(const tg_array *x, int axis, const tg_array *index, const tg_array *src) {
    if (src->numel == 0) return TG_OK;
    indexing t = {.dtype = x->dtype, .index_dtype = index->dtype, .step = stride_of(x, axis)};
    tg_array wide = {0}, tables[2] = {{0}, {0}};
    t.size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    t.n = size_of(src, axis);
    t.index_step = stride_of(index, axis);
    t.src_step = stride_of(src, axis);
    tg_status status = make_wide(&t, x, axis, index, &wide, tables);
    if (status == TG_OK) {
        tg_array s = without_axis(src, axis), i = without_axis(index, axis), o = without_axis(x, axis);
        tg_array w = without_axis(wide.data ? &wide : x, axis);
        int64_t cost = 4 * (t.n < TG_BLOCK ? t.n : TG_BLOCK);
        tg_iterate(4, (const tg_array *[]){&s, &i, &o, &w}, cost, scatter_run, &t);
        if (wide.data) tg_iterate(2, (const tg_array *[]){&o, &w}, t.n_wide, narrow_run, &t);
    }
    tg_array_drop(&wide), tg_array_drop(&tables[0]), tg_array_drop(&tables[1]);
    return status;
}

typedef struct extreme {
    bool maximum;
    int dtype;
    int64_t n, step;
} extreme;

/* NaN, the only value that differs from itself, beats everything; the first of equals stays. */
#define EXTREME(T) \
    for (int64_t i = 0; i < n; i++) { \
        const T *x = (const T *)(void *)p[1] + i * s[1]; \
        T best = x[0]; \
        int64_t at = 0; \
        for (int64_t j = 1; j < t->n && best == best; j++) { \
            T v = x[j * t->step]; \
            if ((t->maximum ? v > best : v < best) || v != v) best = v, at = j; \
        } \
        out[i * s[0]] = at; \
    }

static void extreme_run(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    const extreme *t = arg;
    int64_t *out = (int64_t *)(void *)p[0];
    switch (t->dtype) {
    case TG_F32:
        EXTREME(float) break;
    case TG_F64:
        EXTREME(double) break;
    case TG_I32:
        EXTREME(int32_t) break;
    case TG_I64:
        EXTREME(int64_t) break;
    default:
        EXTREME(uint8_t) break;
    }
}

void tg_arg_extreme(bool maximum, const tg_array *x, int axis, const tg_array *out) {
    extreme t = {maximum, x->dtype, size_of(x, axis), stride_of(x, axis)};
    tg_array o = without_axis(out, axis), a = without_axis(x, axis);
    tg_iterate(2, (const tg_array *[]){&o, &a}, t.n < TG_BLOCK ? t.n : TG_BLOCK, extreme_run, &t);
}
