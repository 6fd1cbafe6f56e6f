#include "core/iterate.h"

#include "core/parallel.h"

static int64_t magnitude(int64_t s) { return s < 0 ? -s : s; }

/* The axes with more than one element, outermost first: by falling stride of a[0], ties in the array's order. */
static int sorted_axes(const tg_array *a, int *axis) {
    int n = 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->shape[i] == 1) continue;
        int j = n++;
        for (; j > 0 && magnitude(a->stride[axis[j - 1]]) < magnitude(a->stride[i]); j--) axis[j] = axis[j - 1];
        axis[j] = i;
    }
    return n;
}

static bool merges(const tg_loop *l, const tg_array *const a[], int axis) {
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
static void lengthen_run(tg_loop *l) {
    int last = l->rank - 1, longest = last;
    for (int i = 0; i < last; i++)
        if (l->shape[i] > l->shape[longest]) longest = i;
    if (l->shape[last] >= 8 || l->shape[longest] < 4 * l->shape[last]) return;
    swap(&l->shape[last], &l->shape[longest]);
    for (int k = 0; k < l->operands; k++) swap(&l->stride[k][last], &l->stride[k][longest]);
}

static void merge_axes(tg_loop *l, const tg_array *const a[]) {
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
    const tg_loop *loop;
    tg_run *run;
    const void *arg;
} task;

/* Pieces [begin, end): piece i is part i % units of run i / units. */
static void run_pieces(void *context, int64_t begin, int64_t end) {
    const task *t = context;
    const tg_loop *l = t->loop;
    int last = l->rank - 1;
    int64_t index[TG_MAX_RANK] = {0}, outer = begin / l->units, part = begin % l->units;
    int64_t step[TG_MAX_OPERANDS], bytes[TG_MAX_OPERANDS][TG_MAX_RANK];
    char *p[TG_MAX_OPERANDS], *q[TG_MAX_OPERANDS];
    for (int k = 0; k < l->operands; k++) {
        p[k] = l->data[k];
        step[k] = l->stride[k][last];
        for (int d = 0; d < l->rank; d++) bytes[k][d] = l->stride[k][d] * l->size[k];
    }
    for (int d = last - 1; d >= 0; d--) {
        index[d] = outer % l->shape[d];
        outer /= l->shape[d];
        for (int k = 0; k < l->operands; k++) p[k] += index[d] * bytes[k][d];
    }
    for (int64_t i = begin; i < end; i++) {
        int64_t first = part * l->unit, left = l->shape[last] - first;
        for (int k = 0; k < l->operands; k++) q[k] = p[k] + first * bytes[k][last];
        t->run(left < l->unit ? left : l->unit, q, step, t->arg);
        if (++part < l->units) continue;
        part = 0;
        tg_step(last, l->shape, index, l->operands, p, (const int64_t(*)[TG_MAX_RANK])bytes);
    }
}

void tg_iterate(int operands, const tg_array *const a[], int64_t cost, tg_run *run, const void *arg) {
    if (a[0]->numel == 0) return;
    tg_loop l = {.operands = operands};
    for (int k = 0; k < operands; k++) {
        l.data[k] = a[k]->data;
        l.size[k] = (int64_t)tg_dtype_size((tg_dtype)a[k]->dtype);
    }
    merge_axes(&l, a);
    lengthen_run(&l);
    int64_t block = TG_BLOCK / cost > 0 ? TG_BLOCK / cost : 1, n = l.shape[l.rank - 1], runs = 1;
    for (int i = 0; i < l.rank - 1; i++) runs *= l.shape[i];
    l.unit = n < block ? n : block;
    l.units = (n + l.unit - 1) / l.unit;
    task t = {&l, run, arg};
    tg_parallel_for(runs * l.units, block / l.unit, run_pieces, &t);
}
