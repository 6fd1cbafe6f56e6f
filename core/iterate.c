/* One loop over several strided arrays: axes are sorted and merged, and runs cut into pieces that threads share. */
#include "core/iterate.h"

#include "core/alloc.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "core/spread.h"

/* The merged loop: shape[rank - 1] is the length of a run. rank is at least 1. */
typedef struct loop {
    int operands, rank;
    int64_t shape[TG_MAX_RANK];
    int64_t stride[TG_MAX_OPERANDS][TG_MAX_RANK]; /* elements */
} loop;

static int64_t magnitude(int64_t s) { return s < 0 ? -s : s; }

/* Lists the axes with more than one element, outermost first: by falling stride of a[0], and in the array's order where
 * strides are equal. */
static int sorted_axes(const tg_array *a, int *axis) {
    int n = 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->shape[i] == 1) continue;
        int j = n++;
        for (; j > 0 && magnitude(a->stride[axis[j - 1]]) < magnitude(a->stride[i]); j--)
            axis[j] = axis[j - 1];
        axis[j] = i;
    }
    return n;
}

static bool merges(const loop *l, const tg_array *const a[], int axis) {
    for (int k = 0; k < l->operands; k++)
        if (l->stride[k][l->rank - 1] != a[k]->stride[axis] * a[0]->shape[axis]) return false;
    return true;
}

static void swap(int64_t *a, int64_t *b) {
    int64_t t = *a;
    *a = *b;
    *b = t;
}

/* A short last axis would make many short runs: the longest axis takes its place. */
static void lengthen_run(loop *l) {
    int last = l->rank - 1, longest = last;
    for (int i = 0; i < last; i++)
        if (l->shape[i] > l->shape[longest]) longest = i;
    if (l->shape[last] >= 8 || l->shape[longest] < 4 * l->shape[last]) return;
    swap(&l->shape[last], &l->shape[longest]);
    for (int k = 0; k < l->operands; k++) swap(&l->stride[k][last], &l->stride[k][longest]);
}

static void merge_axes(loop *l, const tg_array *const a[]) {
    int axis[TG_MAX_RANK];
    int n = sorted_axes(a[0], axis);
    for (int i = 0; i < n; i++) {
        int64_t size = a[0]->shape[axis[i]];
        if (l->rank > 0 && merges(l, a, axis[i]))
            l->shape[l->rank - 1] *= size;
        else
            l->shape[l->rank++] = size;
        for (int k = 0; k < l->operands; k++) l->stride[k][l->rank - 1] = a[k]->stride[axis[i]];
    }
    if (l->rank == 0) {
        l->rank = 1;
        l->shape[0] = 1;
        for (int k = 0; k < l->operands; k++) l->stride[k][0] = 0;
    }
}

/* ---- operands that lie the other way round ----
 *
 * An operand that is contiguous along another axis than the run gives one element of each cache line that the run meets. Such a
 * loop goes over tiles of both axes, and turns the operand's elements of a tile round before its rows are run. */

enum { TILE_ROWS = 16, TILE_COLS = 64, TILE_BYTES = TILE_ROWS * TILE_COLS * 8, TURNED_LEAST = 8 };

typedef struct tiles {
    tg_run *run;
    const void *arg;
    tg_grid grid; /* its last two axes: tiles of rows, and of columns */
    int64_t rows, cols;
    int64_t row[TG_MAX_OPERANDS]; /* bytes from a row to the next */
    int64_t size[TG_MAX_OPERANDS];
    tg_transpose_fn *turn[TG_MAX_OPERANDS]; /* NULL: as it lies */
    tg_operands first;
    tg_strides step;
} tiles;

static bool is_turned(const loop *l, const tg_array *const a[], int k, int axis) {
    const int64_t step = magnitude(l->stride[k][l->rank - 1]);
    return step > 1 && l->stride[k][axis] == 1 && tg_dtype_size((tg_dtype)a[k]->dtype) >= 4;
}

/* The axis along which some operand is contiguous, where both are long enough; -1: none. */
static int turned_axis(const loop *l, const tg_array *const a[]) {
    if (l->shape[l->rank - 1] < TURNED_LEAST) return -1;
    for (int axis = l->rank - 2; axis >= 0; axis--)
        for (int k = 1; k < l->operands && l->shape[axis] >= TURNED_LEAST; k++)
            if (is_turned(l, a, k, axis)) return axis;
    return -1;
}

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/* The rows of one tile, whose operands begin at p. */
static void run_tile(const tiles *t, int64_t rows, int64_t cols, char *const *p) {
    _Alignas(TG_ALIGN) char turned[TG_MAX_OPERANDS - 1][TILE_BYTES];
    tg_operands at;
    tg_strides step = t->step;
    int64_t row[TG_MAX_OPERANDS];
    for (int k = 0; k < t->grid.operands; k++) {
        at.each[k] = p[k], row[k] = t->row[k];
        if (!t->turn[k]) continue;
        t->turn[k](cols, rows, p[k], step.each[k], turned[k - 1], TILE_COLS);
        at.each[k] = turned[k - 1], row[k] = TILE_COLS * t->size[k], step.each[k] = 1;
    }
    for (int64_t r = 0; r < rows; r++) {
        t->run(cols, &at, &step, t->arg);
        for (int k = 0; k < t->grid.operands; k++) at.each[k] += row[k];
    }
}

static void run_tiles(void *context, int64_t begin, int64_t end) {
    const tiles *t = context;
    int64_t index[TG_MAX_RANK + 1];
    const int64_t *tile = &index[t->grid.rank - 2];
    char *p[TG_MAX_OPERANDS];
    for (int k = 0; k < t->grid.operands; k++) p[k] = t->first.each[k];
    tg_grid_seek(&t->grid, begin, index, p);
    for (int64_t i = begin; i < end; i++) {
        run_tile(t, min(TILE_ROWS, t->rows - tile[0] * TILE_ROWS),
                 min(TILE_COLS, t->cols - tile[1] * TILE_COLS), p);
        tg_grid_step(&t->grid, index, p);
    }
}

/* Axis d of the loop becomes the grid's next one, in steps of `unit` elements. */
static void add_axis(tg_grid *grid, const loop *l, const int64_t *size, int d, int64_t unit) {
    grid->shape[grid->rank] = (l->shape[d] + unit - 1) / unit;
    for (int k = 0; k < l->operands; k++) grid->bytes[k][grid->rank] = l->stride[k][d] * size[k] * unit;
    grid->rank++;
}

static void iterate_tiles(const loop *l, const tg_array *const a[], int axis, int64_t cost, tg_run *run,
                          const void *arg) {
    const int last = l->rank - 1;
    tiles t = {
        .run = run, .arg = arg, .rows = l->shape[axis], .cols = l->shape[last], .grid.operands = l->operands};
    int64_t pieces = 1;
    for (int k = 0; k < l->operands; k++) {
        t.size[k] = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
        t.first.each[k] = a[k]->data;
        t.step.each[k] = l->stride[k][last];
        t.row[k] = l->stride[k][axis] * t.size[k];
        if (k > 0 && is_turned(l, a, k, axis))
            t.turn[k] = tg_kernels_for(t.size[k] == 4 ? TG_F32 : TG_F64)->transpose;
    }
    for (int d = 0; d < last; d++)
        if (d != axis) add_axis(&t.grid, l, t.size, d, 1);
    add_axis(&t.grid, l, t.size, axis, TILE_ROWS);
    add_axis(&t.grid, l, t.size, last, TILE_COLS);
    for (int d = 0; d < t.grid.rank; d++) pieces *= t.grid.shape[d];
    const int64_t grain = TG_BLOCK / cost / (TILE_ROWS * TILE_COLS);
    tg_parallel_for(pieces, grain > 0 ? grain : 1, run_tiles, &t);
}

/* ---- all others ---- */

typedef struct task {
    tg_run *run;
    const void *arg;
    tg_grid grid; /* its last axis: the pieces of a run */
    int64_t n, unit;
    tg_operands first;
    tg_strides step;
} task;

static void run_pieces(void *context, int64_t begin, int64_t end) {
    const task *t = context;
    int64_t index[TG_MAX_RANK + 1];
    const int64_t *piece = &index[t->grid.rank - 1];
    tg_operands p;
    for (int k = 0; k < t->grid.operands; k++) p.each[k] = t->first.each[k];
    tg_grid_seek(&t->grid, begin, index, p.each);
    for (int64_t i = begin; i < end; i++) {
        int64_t left = t->n - *piece * t->unit;
        t->run(left < t->unit ? left : t->unit, &p, &t->step, t->arg);
        tg_grid_step(&t->grid, index, p.each);
    }
}

static void iterate_runs(const loop *l, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    const int last = l->rank - 1, operands = l->operands;
    int64_t block = TG_BLOCK / cost > 0 ? TG_BLOCK / cost : 1, pieces = 1;
    task t = {.run = run, .arg = arg, .grid = {.operands = operands, .rank = l->rank}, .n = l->shape[last]};
    t.unit = t.n < block ? t.n : block;
    for (int d = 0; d < l->rank; d++) {
        t.grid.shape[d] = d < last ? l->shape[d] : (t.n + t.unit - 1) / t.unit;
        pieces *= t.grid.shape[d];
    }
    for (int k = 0; k < operands; k++) {
        int64_t size = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
        t.first.each[k] = a[k]->data;
        t.step.each[k] = l->stride[k][last];
        for (int d = 0; d < l->rank; d++)
            t.grid.bytes[k][d] = l->stride[k][d] * size * (d < last ? 1 : t.unit);
    }
    tg_parallel_for(pieces, block / t.unit, run_pieces, &t);
}

/* ---- operands that are broadcast in short rows ---- */

typedef struct spreads {
    tg_run *run;
    const void *arg;
    int operands;
    int64_t n, block;
    tg_operands first;
    tg_strides step;   /* bytes; 0: one number for all */
    tg_strides stride; /* elements */
    bool is_spread[TG_MAX_OPERANDS];
    tg_spread spread[TG_MAX_OPERANDS];
} spreads;

static void run_spread(void *context, int64_t begin, int64_t end) {
    _Alignas(TG_ALIGN) char room[TG_MAX_OPERANDS - 1][TG_SPREAD_ROOM];
    const spreads *s = context;
    tg_operands p;
    for (int k = 1; k < s->operands; k++)
        if (s->is_spread[k]) tg_spread_begin(&s->spread[k], s->block, room[k - 1]);
    for (int64_t i = begin; i < end; i++) {
        const int64_t done = i * s->block, n = min(s->block, s->n - done);
        for (int k = 0; k < s->operands; k++)
            p.each[k] = s->is_spread[k] ? tg_spread_block(&s->spread[k], done, n, room[k - 1])
                                        : s->first.each[k] + done * s->step.each[k];
        s->run(n, &p, &s->stride, s->arg);
    }
}

/* Whether the loop is over short rows that lie one behind the other; operands other than the first may be the same row each time,
 * one number for each row, or for all. */
static bool is_in_rows(const loop *l) {
    const int64_t row = l->shape[l->rank - 1];
    if (l->rank != 2 || row > TG_SPREAD_ROW || l->shape[0] < 4) return false;
    for (int k = 0; k < l->operands; k++) {
        const int64_t outer = l->stride[k][0], inner = l->stride[k][1];
        const bool dense = inner == 1 && outer == row, same = inner == 1 && outer == 0;
        if (!dense && (k == 0 || !(same || (inner == 0 && (outer == 1 || outer == 0))))) return false;
    }
    return true;
}

static void iterate_rows(const loop *l, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    spreads s = {.run = run, .arg = arg, .operands = l->operands, .n = l->shape[0] * l->shape[1]};
    int64_t widest = 1;
    for (int k = 0; k < l->operands; k++) {
        const int64_t size = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
        const bool same = l->stride[k][1] == 1 && l->stride[k][0] == 0;
        if (size > widest) widest = size;
        s.first.each[k] = a[k]->data;
        s.is_spread[k] = same || (l->stride[k][1] == 0 && l->stride[k][0] == 1);
        s.spread[k] = (tg_spread){a[k]->data, size, l->shape[1], same};
        s.stride.each[k] = l->stride[k][1] || l->stride[k][0];
        s.step.each[k] = s.stride.each[k] * size;
    }
    s.block = min(TG_SPREAD_BLOCK / widest, s.n);
    const int64_t grain = TG_BLOCK / cost / s.block;
    tg_parallel_for((s.n + s.block - 1) / s.block, grain > 0 ? grain : 1, run_spread, &s);
}

/* ---- any ---- */

static loop loop_of(int operands, const tg_array *const a[]) {
    loop l = {.operands = operands};
    merge_axes(&l, a);
    return l;
}

void tg_iterate(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    if (a[0]->numel == 0) return;
    loop l = loop_of(operands, a);
    lengthen_run(&l);
    iterate_runs(&l, a, cost, run, arg);
}

void tg_iterate_map(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    if (a[0]->numel == 0) return;
    loop l = loop_of(operands, a);
    if (is_in_rows(&l)) {
        iterate_rows(&l, a, cost, run, arg);
        return;
    }
    lengthen_run(&l);
    const int turned = turned_axis(&l, a);
    if (turned >= 0)
        iterate_tiles(&l, a, turned, cost, run, arg);
    else
        iterate_runs(&l, a, cost, run, arg);
}
