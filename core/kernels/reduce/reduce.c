/* Reductions over any axes. The axes fall into kept and reduced ones; within each kind they are sorted by
 * stride and merged. An output is then one row (the reduced axis with the smallest stride is the
 * innermost of all), or one column of a column reduce (a kept axis is). Only outputs are shared among
 * threads.
 */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "core/work.h"

#include <string.h>

typedef struct axes {
    int rank;
    int64_t shape[TG_MAX_RANK];
    int64_t stride[2][TG_MAX_RANK]; /* of x, of out */
} axes;

static int64_t magnitude(int64_t s) { return s < 0 ? -s : s; }

/* Into its place by falling stride of x. */
static void insert_axis(axes *a, int64_t size, int64_t x_stride, int64_t out_stride) {
    int i = a->rank++;
    for (; i > 0 && magnitude(a->stride[0][i - 1]) < magnitude(x_stride); i--) {
        a->shape[i] = a->shape[i - 1];
        for (int k = 0; k < 2; k++) a->stride[k][i] = a->stride[k][i - 1];
    }
    a->shape[i] = size;
    a->stride[0][i] = x_stride;
    a->stride[1][i] = out_stride;
}

static void merge(axes *a) {
    int n = 0;
    for (int i = 1; i < a->rank; i++) {
        bool fits = true;
        for (int k = 0; k < 2; k++) fits = fits && a->stride[k][n] == a->stride[k][i] * a->shape[i];
        if (!fits) n++;
        a->shape[n] = fits ? a->shape[n] * a->shape[i] : a->shape[i];
        for (int k = 0; k < 2; k++) a->stride[k][n] = a->stride[k][i];
    }
    a->rank = a->rank > 0 ? n + 1 : 0;
}

/* The last axis taken off, or size 1 when there is none. */
typedef struct axis {
    int64_t size, stride[2];
} axis;
static axis pop(axes *a) {
    if (a->rank == 0) return (axis){1, {0, 0}};
    int i = --a->rank;
    return (axis){a->shape[i], {a->stride[0][i], a->stride[1][i]}};
}
typedef struct plan {
    const tg_array *x, *out;
    tg_reduction f;
    const tg_kernel_set *set; /* NULL: integers and truth values */
    int64_t x_size, out_size; /* bytes an element */
    axis line;                /* the innermost reduced axis */
    axis across;              /* the kept axis that a column reduce runs along; size 1: row folds */
    bool columns;
    int64_t width, strips; /* across that are folded at once, and how many times that makes */
    int64_t lines;         /* points of the grid `reduced` */
    tg_grid kept, reduced; /* the other axes; kept ends with the strips. Operands: x, out; x */
} plan;

/* ---- f32 and f64 ---- */

/* The n outputs that begin at x: the results of all lines meet in a binary counter, so that sums stay
 * pairwise. */
static void reduce_real(const plan *p, char *x, int64_t n, char *out) {
    static const tg_binary combine[TG_REAL_REDUCTIONS] = {TG_BINARY_ADD, TG_BINARY_MUL, TG_BINARY_MAXIMUM,
                                                          TG_BINARY_MINIMUM};
    enum { LEVELS = 56 };
    const tg_kernel_set *set = p->set;
    _Alignas(32) char level[LEVELS][256], part[256];
    static const tg_strides ones = {{1, 1, 1, 1}};
    int64_t index[TG_MAX_RANK + 1] = {0}, full = 0;
    for (int64_t i = 0; i < p->lines; i++) {
        if (p->columns)
            set->col[p->f](p->line.size, p->line.stride[0], n, x, p->across.stride[0], part);
        else
            set->row[p->f](p->line.size, x, p->line.stride[0], part);
        if (p->lines == 1) break;
        int l = 0;
        for (int64_t c = i; c & 1; c >>= 1, l++)
            set->binary[combine[p->f]](n, &(tg_operands){.out = part, .a = level[l], .b = part}, &ones, NULL);
        memcpy(level[l], part, (size_t)(n * p->x_size));
        full = i + 1;
        tg_grid_step(&p->reduced, index, &x);
    }
    for (int l = 0, first = 1; full; full >>= 1, l++) {
        if (!(full & 1)) continue;
        if (first)
            memcpy(part, level[l], (size_t)(n * p->x_size));
        else
            set->binary[combine[p->f]](n, &(tg_operands){.out = part, .a = level[l], .b = part}, &ones, NULL);
        first = 0;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * p->across.stride[1] * p->out_size, part + i * p->x_size, (size_t)p->out_size);
}

/* ---- integers and truth values: one output at a time, in int64 ---- */

#define REDUCE_INTEGER(T) \
    for (int64_t i = 0; i < n; i++) { \
        T v = ((const T *)x)[i * s]; \
        switch (f) { \
        case TG_SUM: \
            acc = (int64_t)((uint64_t)acc + (uint64_t)v); \
            break; \
        case TG_PROD: \
            acc = (int64_t)((uint64_t)acc * (uint64_t)v); \
            break; \
        case TG_MAX: \
            acc = acc > (int64_t)v ? acc : (int64_t)v; \
            break; \
        case TG_MIN: \
            acc = acc < (int64_t)v ? acc : (int64_t)v; \
            break; \
        case TG_AND: \
            acc = acc && v != 0; \
            break; \
        case TG_OR: \
            acc = acc || v != 0; \
            break; \
        } \
    } \
    return acc;
static int64_t reduce_i32(tg_reduction f, int64_t n, const void *x, int64_t s, int64_t acc) {
    REDUCE_INTEGER(int32_t)
}
static int64_t reduce_i64(tg_reduction f, int64_t n, const void *x, int64_t s, int64_t acc) {
    REDUCE_INTEGER(int64_t)
}
static int64_t reduce_u8(tg_reduction f, int64_t n, const void *x, int64_t s, int64_t acc) {
    REDUCE_INTEGER(uint8_t)
}

#define REDUCE_TRUTH(T) \
    for (int64_t i = 0; i < n; i++) { \
        bool v = ((const T *)x)[i * s] != 0; \
        acc = f == TG_AND ? acc && v : acc || v; \
    } \
    return acc;
static int64_t reduce_f32(tg_reduction f, int64_t n, const void *x, int64_t s, int64_t acc) {
    REDUCE_TRUTH(float)
}
static int64_t reduce_f64(tg_reduction f, int64_t n, const void *x, int64_t s, int64_t acc) {
    REDUCE_TRUTH(double)
}

static void reduce_integer(const plan *p, char *x, char *out) {
    static int64_t (*const reduce[TG_DTYPES])(tg_reduction, int64_t, const void *, int64_t, int64_t) = {
        [TG_F32] = reduce_f32, [TG_F64] = reduce_f64, [TG_I32] = reduce_i32,
        [TG_I64] = reduce_i64, [TG_U8] = reduce_u8,   [TG_BOOL] = reduce_u8};
    static const int64_t neutral[] = {
        [TG_SUM] = 0, [TG_PROD] = 1, [TG_MAX] = INT64_MIN, [TG_MIN] = INT64_MAX, [TG_AND] = 1, [TG_OR] = 0};
    int64_t acc = neutral[p->f], index[TG_MAX_RANK + 1] = {0};
    for (int64_t i = 0; i < p->lines; i++) {
        acc = reduce[p->x->dtype](p->f, p->line.size, x, p->line.stride[0], acc);
        tg_grid_step(&p->reduced, index, &x);
    }
    if (p->out_size == 8) *(int64_t *)(void *)out = acc;
    if (p->out_size == 4) *(int32_t *)(void *)out = (int32_t)acc;
    if (p->out_size == 1) *(uint8_t *)out = (uint8_t)acc;
}

/* ---- both ---- */

/* Rows [begin, end) where no more than that is to be done: one kept axis, one reduced. */
static void reduce_plain_rows(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    tg_reduce_row *reduce = p->set->row[p->f];
    const char *x = p->x->data;
    char *out = p->out->data;
    for (int64_t i = begin; i < end; i++)
        reduce(p->line.size, x + i * p->kept.bytes[0][0], p->line.stride[0], out + i * p->kept.bytes[1][0]);
}

/* Points [begin, end) of the kept grid. */
static void reduce_strips(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    int64_t index[TG_MAX_RANK + 1];
    const int64_t *strip = &index[p->kept.rank - 1];
    char *at[2] = {p->x->data, p->out->data};
    tg_grid_seek(&p->kept, begin, index, at);
    for (int64_t i = begin; i < end; i++) {
        int64_t left = p->across.size - *strip * p->width;
        if (p->set && p->lines == 1 && !p->columns)
            p->set->row[p->f](p->line.size, at[0], p->line.stride[0], at[1]);
        else if (p->set)
            reduce_real(p, at[0], left < p->width ? left : p->width, at[1]);
        else
            reduce_integer(p, at[0], at[1]);
        tg_grid_step(&p->kept, index, at);
    }
}

/* Columns when a kept axis runs closer in memory than the reduced ones, or when rows would be very short. */
static void choose_columns(plan *p, axes *kept) {
    p->across = (axis){1, {0, 0}};
    p->width = p->strips = 1;
    if (!p->set || kept->rank == 0) return;
    axis last = pop(kept);
    p->columns =
        magnitude(last.stride[0]) < magnitude(p->line.stride[0]) || (p->line.size < 6 && last.size >= 32);
    if (!p->columns) {
        kept->rank++;
        return;
    }
    p->across = last;
    p->width = TG_REDUCE_COLUMNS(p->x_size);
    p->strips = (last.size + p->width - 1) / p->width;
}

/* Returns the number of points. */
static int64_t make_grid(const plan *p, const axes *a, int operands, tg_grid *g) {
    const int64_t size[2] = {p->x_size, p->out_size};
    int64_t n = 1;
    *g = (tg_grid){.operands = operands, .rank = a->rank};
    for (int d = 0; d < a->rank; d++) {
        n *= g->shape[d] = a->shape[d];
        for (int k = 0; k < operands; k++) g->bytes[k][d] = a->stride[k][d] * size[k];
    }
    return n;
}

/* For whoever listens: the sum of a short run is one kernel, and all else is none. */
__attribute__((noinline, cold)) static void tell(tg_reduction f, const tg_array *x, const tg_array *out,
                                                 bool one_run) {
    const tg_array *const a[] = {out, x};
    bool alone = one_run && f == TG_SUM && x->numel <= TG_FOLD_MOST;
    tg_run *run = alone ? tg_kernels_for(x->dtype)->sum : NULL;
    tg_listening->mapped(tg_listening, &(tg_map_call){run, 2, a, 1, NULL, .folds = true});
}

void tg_reduce(tg_reduction f, const tg_array *x, unsigned reduce_axes, const tg_array *out) {
    if (out->numel == 0) return;
    bool real = tg_dtype_is_float((tg_dtype)x->dtype) && f < TG_REAL_REDUCTIONS;
    const tg_kernel_set *set = real ? tg_kernels_for(x->dtype) : NULL;
    int64_t step = real && out->numel == 1 ? tg_flat_stride(x) : -1;
    if (__builtin_expect(tg_listening != NULL, 0)) tell(f, x, out, x->numel > 0 && step >= 0);
    if (x->numel == 0) {
        tg_array_fill(out, f == TG_PROD || f == TG_AND ? 1 : 0);
        return;
    }
    if (step >= 0) {
        set->row[f](x->numel, x->data, step, out->data);
        return;
    }
    plan p = {.x = x, .out = out, .f = f, .set = set};
    axes kept = {0}, reduced = {0};
    p.x_size = (int64_t)tg_dtype_size((tg_dtype)x->dtype);
    p.out_size = (int64_t)tg_dtype_size((tg_dtype)out->dtype);
    for (int i = 0; i < x->rank; i++) {
        if (x->shape[i] == 1) continue;
        bool gone = reduce_axes >> i & 1; /* with stride 0 in out, which merges with everything */
        insert_axis(gone ? &reduced : &kept, x->shape[i], x->stride[i], gone ? 0 : out->stride[i]);
    }
    merge(&kept);
    merge(&reduced);
    p.line = pop(&reduced);
    choose_columns(&p, &kept);
    p.lines = make_grid(&p, &reduced, 1, &p.reduced);
    int64_t tasks = make_grid(&p, &kept, 2, &p.kept) * p.strips, work = x->numel / tasks;
    int last = p.kept.rank++;
    p.kept.shape[last] = p.strips;
    p.kept.bytes[0][last] = p.width * p.across.stride[0] * p.x_size;
    p.kept.bytes[1][last] = p.width * p.across.stride[1] * p.out_size;
    bool plain = set && !p.columns && p.lines == 1 && last == 1;
    tg_parallel_for(tasks, work < TG_BLOCK ? TG_BLOCK / work : 1, plain ? reduce_plain_rows : reduce_strips,
                    &p);
}
