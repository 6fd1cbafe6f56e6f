/* One loop over several strided arrays: axes are sorted and merged, and runs cut into pieces that threads share. */
#include "core/iterate.h"

#include "core/parallel.h"

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

void tg_iterate(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    if (a[0]->numel == 0) return;
    loop l = {.operands = operands};
    merge_axes(&l, a);
    lengthen_run(&l);
    int last = l.rank - 1;
    int64_t block = TG_BLOCK / cost > 0 ? TG_BLOCK / cost : 1, pieces = 1;
    task t = {.run = run, .arg = arg, .grid = {.operands = operands, .rank = l.rank}, .n = l.shape[last]};
    t.unit = t.n < block ? t.n : block;
    for (int d = 0; d < l.rank; d++) {
        t.grid.shape[d] = d < last ? l.shape[d] : (t.n + t.unit - 1) / t.unit;
        pieces *= t.grid.shape[d];
    }
    for (int k = 0; k < operands; k++) {
        int64_t size = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
        t.first.each[k] = a[k]->data;
        t.step.each[k] = l.stride[k][last];
        for (int d = 0; d < l.rank; d++) t.grid.bytes[k][d] = l.stride[k][d] * size * (d < last ? 1 : t.unit);
    }
    tg_parallel_for(pieces, block / t.unit, run_pieces, &t);
}
