/* Gather, scatter-add, the inverse of a permutation, and the position of an extreme. */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <stdatomic.h>
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
    int64_t n_acc,
        acc_step; /* scatter of f32: the accumulators of a line, which are doubles, and their distance; 0: none */
    const int64_t *acc_of,
        *index_of; /* the accumulator of an index, and the index of an accumulator; NULL: the same number */
} indexing;

static int64_t index_at(const indexing *t, const char *p, int64_t i) {
    return t->index_dtype == TG_I32 ? ((const int32_t *)(const void *)p)[i]
                                    : ((const int64_t *)(const void *)p)[i];
}

/* a is the index, and b is x at position 0 along the axis. One index for the whole run moves a row; otherwise element by element. */
static void gather_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const indexing *t = arg;
    int64_t size = t->size, row = t->step * size;
    if (s->a == 0 && s->out == 1 && s->b == 1) {
        memcpy(p->out, p->b + index_at(t, p->a, 0) * row, (size_t)(n * size));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *x = p->b + i * s->b * size + index_at(t, p->a, i * s->a) * row;
        char *out = p->out + i * s->out * size;
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

/* n elements of src that are added to x, or, where many of them meet, to accumulators. They lie across the axis, or along
 * it, and then x_step and acc_step are 0. Steps count elements. */
typedef struct addends {
    char *src, *index, *x, *acc;
    int64_t src_step, index_step, x_step, acc_step;
} addends;

#define ADD_AT(T, U) \
    for (int64_t i = 0; i < n; i++) { \
        T *x = (T *)(void *)q->x + i * q->x_step + index_at(t, q->index, i * q->index_step) * t->step; \
        *x = (T)((U)*x + (U)((const T *)(void *)q->src)[i * q->src_step]); \
    }

/* f32 where many elements meet: into the accumulator of the index, if it has one. */
static void add_to_accumulators(const indexing *t, int64_t n, const addends *q) {
    const float *src = (const float *)(void *)q->src;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = index_at(t, q->index, i * q->index_step), acc = t->acc_of ? t->acc_of[at] : at;
        if (acc < 0)
            ((float *)(void *)q->x)[i * q->x_step + at * t->step] += src[i * q->src_step];
        else
            ((double *)(void *)q->acc)[i * q->acc_step + acc * t->acc_step] += (double)src[i * q->src_step];
    }
}

static void add_elements(const indexing *t, int64_t n, const addends *q) {
    if (t->acc_step) {
        add_to_accumulators(t, n, q);
        return;
    }
    if (q->index_step == 0 && q->x_step != 0 && tg_dtype_is_float((tg_dtype)t->dtype)) {
        char *x = q->x + index_at(t, q->index, 0) * t->step * t->size;
        tg_kernels_for(t->dtype)->binary[TG_BINARY_ADD](
            n, &(tg_operands){.out = x, .a = x, .b = q->src},
            &(tg_strides){.out = q->x_step, .a = q->x_step, .b = q->src_step}, NULL);
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

/* Operands: src, which stands first so that the loop follows its axes, the index, x and the accumulators. The longer steps
 * are those of the outer loop. Equal indices of different lines meet only in an x that is the same for all lines; there
 * the axis is the outer loop whatever its steps. */
static void scatter_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const indexing *t = arg;
    addends q = {.src = p->out, .index = p->a, .x = p->b, .acc = p->c};
    int64_t index_size = t->index_dtype == TG_I32 ? 4 : 8;
    bool across = s->b == 0 || llabs(t->src_step) >= llabs(s->out);
    q.src_step = across ? s->out : t->src_step;
    q.index_step = across ? s->a : t->index_step;
    q.x_step = across ? s->b : 0;
    q.acc_step = across ? s->c : 0;
    for (int64_t j = 0, steps = across ? t->n : n; j < steps; j++) {
        add_elements(t, across ? n : t->n, &q);
        q.src += (across ? t->src_step : s->out) * t->size;
        q.index += (across ? t->index_step : s->a) * index_size;
        q.x += (across ? 0 : s->b) * t->size;
        q.acc += (across ? 0 : s->c) * 8;
    }
}

/* out is x and a the accumulators: what these hold is added to x at their indices. */
static void flush_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const indexing *t = arg;
    for (int64_t k = 0; k < t->n_acc; k++) {
        int64_t at = t->index_of ? t->index_of[k] : k;
        for (int64_t i = 0; i < n; i++) {
            float *x = (float *)(void *)p->out + i * s->out + at * t->step;
            *x = (float)((double)*x + ((const double *)(const void *)p->a)[i * s->a + k * t->acc_step]);
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

/* acc_of [size] becomes the number of the accumulator of an index that is there more than FEW times, and -1 for the
 * others; index_of, of which *n are used, its inverse. */
static tg_status count_indices(const indexing *t, const void *index, int64_t size, tg_array *acc_of,
                               tg_array *index_of, int64_t *n) {
    tg_status s = tg_array_alloc(acc_of, TG_I64, TG_SHAPE(size));
    if (s == TG_OK) s = tg_array_alloc(index_of, TG_I64, TG_SHAPE(t->n / FEW + 1));
    if (s != TG_OK) return s;
    int64_t *count = acc_of->data;
    memset(count, 0, (size_t)size * sizeof *count);
    for (int64_t j = 0; j < t->n; j++) count[index_at(t, index, j * t->index_step)]++;
    *n = 0;
    for (int64_t i = 0; i < size; i++) {
        bool frequent = count[i] > FEW;
        count[i] = frequent ? *n : -1;
        if (frequent) ((int64_t *)index_of->data)[(*n)++] = i;
    }
    return TG_OK;
}

/* *acc becomes zeros for the accumulators, or stays empty when there are to be none. */
static tg_status make_accumulators(indexing *t, const tg_array *x, int axis, const tg_array *index,
                                   tg_array *acc, tg_array tables[2]) {
    bool shared = is_shared(index, axis);
    if (x->dtype != TG_F32 || t->n <= (shared ? FEW : MANY)) return TG_OK;
    tg_shape shape = tg_array_shape(x);
    t->n_acc = size_of(x, axis);
    if (shared) {
        tg_status s = count_indices(t, index->data, t->n_acc, &tables[0], &tables[1], &t->n_acc);
        if (s != TG_OK || t->n_acc == 0) return s;
        t->acc_of = tables[0].data, t->index_of = tables[1].data;
    }
    if (x->rank > 0) shape.dim[axis] = t->n_acc;
    tg_status s = tg_array_alloc(acc, TG_F64, shape);
    if (s != TG_OK) return s;
    tg_array_fill(acc, 0);
    t->acc_step = x->rank > 0 ? acc->stride[axis] : 1;
    return TG_OK;
}

/* Threads share the positions across the axis, which never meet; along the axis each goes in order. */
tg_status tg_map_scatter_add(const tg_array *x, int axis, const tg_array *index, const tg_array *src) {
    if (src->numel == 0) return TG_OK;
    indexing t = {.dtype = x->dtype, .index_dtype = index->dtype, .step = stride_of(x, axis)};
    tg_array acc = {0}, tables[2] = {{0}, {0}};
    t.size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    t.n = size_of(src, axis);
    t.index_step = stride_of(index, axis);
    t.src_step = stride_of(src, axis);
    tg_status status = make_accumulators(&t, x, axis, index, &acc, tables);
    if (status == TG_OK) {
        tg_array s = without_axis(src, axis), i = without_axis(index, axis), o = without_axis(x, axis);
        tg_array a = without_axis(acc.data ? &acc : x, axis);
        int64_t cost = 4 * (t.n < TG_BLOCK ? t.n : TG_BLOCK);
        tg_iterate(4, (const tg_array *[]){&s, &i, &o, &a}, cost, scatter_run, &t);
        if (acc.data) tg_iterate(2, (const tg_array *[]){&o, &a}, t.n_acc, flush_run, &t);
    }
    tg_array_drop(&acc), tg_array_drop(&tables[0]), tg_array_drop(&tables[1]);
    return status;
}

/* ---- out = 0, then out[.., index[.., j, ..], ..] += src[.., j, ..] ---- */

typedef struct putting {
    int64_t n, step, src_step, index_step; /* along the axis */
    bool narrow;                           /* f32 */
    atomic_bool *outside;
} putting;

/* Two nested loops over the elements of all lines: how far each moves what it goes over. `line` is where a line begins. */
typedef struct loops {
    int64_t n[2], x[2], line[2], src[2], index[2];
} loops;

/* The axis is the inner loop, or, where the lines are neighbours, the outer one. */
static loops loops_of(const putting *t, int64_t n, const tg_strides *s) {
    int in = t->step != 1 && s->out == 1 ? 0 : 1, out = 1 - in;
    loops l;
    l.n[in] = t->n, l.x[in] = t->step, l.line[in] = 0, l.src[in] = t->src_step, l.index[in] = t->index_step;
    l.n[out] = n, l.x[out] = l.line[out] = s->out, l.src[out] = s->a, l.index[out] = s->b;
    return l;
}

/* Zeros stand where they are added to while these are still in the cache. */
#define PUT(T) \
    T *x = (T *)(void *)p->out; \
    const T *src = (const T *)(void *)p->a; \
    bool lines_inside = l.line[0] == 0; \
    for (int64_t o = 0; o < l.n[0] && lines_inside; o++) \
        for (int64_t i = 0; i < l.n[1]; i++) x[o * l.x[0] + i * l.x[1]] = 0; \
    for (int64_t o = 0; o < l.n[0]; o++) { \
        T *line = x + o * l.line[0]; \
        if (!lines_inside) \
            for (int64_t i = 0; i < l.n[1]; i++) line[i * l.x[1]] = 0; \
        for (int64_t i = 0; i < l.n[1]; i++) { \
            uint64_t at = (uint64_t)index[o * l.index[0] + i * l.index[1]]; \
            if (at < (uint64_t)t->n) \
                line[i * l.line[1] + (int64_t)at * t->step] += src[o * l.src[0] + i * l.src[1]]; \
            else \
                outside = true; \
        } \
    }
static void put_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const putting *t = arg;
    const int64_t *index = (const int64_t *)(void *)p->b;
    loops l = loops_of(t, n, s);
    bool outside = false;
    if (t->narrow) {
        PUT(float)
    } else {
        PUT(double)
    }
    if (outside) atomic_store(t->outside, true);
}

bool tg_map_put_back(const tg_array *src, int axis, const tg_array *index, const tg_array *out) {
    atomic_bool outside = false;
    putting t = {size_of(out, axis),     stride_of(out, axis), stride_of(src, axis),
                 stride_of(index, axis), out->dtype == TG_F32, &outside};
    tg_array o = without_axis(out, axis), a = without_axis(src, axis), b = without_axis(index, axis);
    if (out->numel > 0)
        tg_iterate(3, (const tg_array *[]){&o, &a, &b}, 4 * (t.n < TG_BLOCK ? t.n : TG_BLOCK), put_run, &t);
    return !atomic_load(&outside);
}

typedef struct extreme {
    bool maximum;
    int dtype;
    int64_t n, step;
} extreme;

/* NaN, the only value that differs from itself, beats everything; the first of equals stays. */
#define EXTREME(T) \
    for (int64_t i = 0; i < n; i++) { \
        const T *x = (const T *)(void *)p->a + i * s->a; \
        T best = x[0]; \
        int64_t at = 0; \
        for (int64_t j = 1; j < t->n && best == best; j++) { \
            T v = x[j * t->step]; \
            if ((t->maximum ? v > best : v < best) || v != v) best = v, at = j; \
        } \
        out[i * s->out] = at; \
    }

static void extreme_run(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    const extreme *t = arg;
    int64_t *out = (int64_t *)(void *)p->out;
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
