/* Softmax and its gradient along any axis. Rows with stride 1 have a kernel. Otherwise LANES columns go
 * through together, each step being one elementwise or column kernel; the result of a step stands in the
 * output array.
 */
#include "core/kernels/table.h"
#include "core/parallel.h"

typedef enum form { SOFTMAX, SOFTMAX_GRAD, LOG_SOFTMAX, LOG_SOFTMAX_GRAD } form;

typedef struct plan {
    const tg_kernel_set *set;
    form form;
    int operands; /* a[0] is the output */
    const tg_array *a[3];
    int64_t size;             /* bytes an element */
    tg_grid grid;             /* all but the softmax axis; its last axis: the pieces of the lanes */
    int64_t n, step[3];       /* the softmax axis */
    int64_t lanes, across[3]; /* the axis across it */
    int64_t width;            /* lanes at once; 1: rows */
} plan;

static int64_t magnitude(int64_t s) { return s < 0 ? -s : s; }

/* p[k] + i rows on */
static char *row(const plan *p, char *const at[], int k, int64_t i) {
    return at[k] + i * p->step[k] * p->size;
}

/* out = f(a, b) for each of the n rows of m lanes, where b is one row of its own with stride 1. */
static void with_row(const plan *p, tg_binary f, char *const at[], int k, char *b, int64_t m) {
    for (int64_t i = 0; i < p->n; i++)
        p->set->binary[f](m, (char *[]){row(p, at, 0, i), row(p, at, k, i), b},
                          (int64_t[]){p->across[0], p->across[k], 1}, NULL);
}
static void map_rows(const plan *p, tg_unary f, char *const at[], int k, int64_t m) {
    static const double none[2];
    for (int64_t i = 0; i < p->n; i++)
        p->set->unary[f](m, (char *[]){row(p, at, 0, i), row(p, at, k, i)},
                         (int64_t[]){p->across[0], p->across[k]}, none);
}
static void fold(const plan *p, tg_reduction f, char *const at[], int k, int64_t m, void *out) {
    p->set->col[f](p->n, p->step[k], m, at[k], p->across[k], out);
}

static void columns_forward(const plan *p, char *const at[], int64_t m) {
    _Alignas(32) char largest[256], sum[256]; /* one value a lane */
    fold(p, TG_MAX, at, 1, m, largest);
    with_row(p, TG_BINARY_SUB, at, 1, largest, m);
    map_rows(p, TG_UNARY_EXP, at, 0, m);
    fold(p, TG_SUM, at, 0, m, sum);
    if (p->form == SOFTMAX) {
        with_row(p, TG_BINARY_DIV, at, 0, sum, m);
        return;
    }
    p->set->unary[TG_UNARY_LOG](m, (char *[]){sum, sum}, (int64_t[]){1, 1}, (const double[]){0, 0});
    with_row(p, TG_BINARY_SUB, at, 1, largest, m);
    with_row(p, TG_BINARY_SUB, at, 0, sum, m);
}

/* out = f(a, b), row by row. */
static void both_rows(const plan *p, tg_binary f, char *const at[], int a, int b, int64_t m) {
    for (int64_t i = 0; i < p->n; i++)
        p->set->binary[f](m, (char *[]){row(p, at, 0, i), row(p, at, a, i), row(p, at, b, i)},
                          (int64_t[]){p->across[0], p->across[a], p->across[b]}, NULL);
}

static void columns_grad(const plan *p, char *const at[], int64_t m) {
    _Alignas(32) char sum[256];
    if (p->form == SOFTMAX_GRAD) {
        both_rows(p, TG_BINARY_MUL, at, 1, 2, m);
        fold(p, TG_SUM, at, 0, m, sum);
        with_row(p, TG_BINARY_SUB, at, 1, sum, m);
        both_rows(p, TG_BINARY_MUL, at, 0, 2, m);
        return;
    }
    fold(p, TG_SUM, at, 1, m, sum);
    map_rows(p, TG_UNARY_EXP, at, 2, m);
    with_row(p, TG_BINARY_MUL, at, 0, sum, m);
    both_rows(p, TG_BINARY_SUB, at, 1, 0, m);
}

static void rows(const plan *p, char *const at[]) {
    tg_row *const f[] = {p->set->softmax, p->set->softmax_grad, p->set->log_softmax,
                         p->set->log_softmax_grad};
    f[p->form](p->n, at);
}

static void run_pieces(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    bool forward = p->form == SOFTMAX || p->form == LOG_SOFTMAX;
    int64_t index[TG_MAX_RANK + 1];
    const int64_t *piece = &index[p->grid.rank - 1];
    char *at[3];
    for (int k = 0; k < p->operands; k++) at[k] = p->a[k]->data;
    tg_grid_seek(&p->grid, begin, index, at);
    for (int64_t i = begin; i < end; i++) {
        int64_t left = p->lanes - *piece * p->width, m = left < p->width ? left : p->width;
        if (p->width == 1)
            rows(p, at);
        else if (forward)
            columns_forward(p, at, m);
        else
            columns_grad(p, at, m);
        tg_grid_step(&p->grid, index, at);
    }
}

/* Lanes run along the axis on which the output's stride is the smallest. */
static int lane_axis(const tg_array *out, int axis) {
    int best = -1;
    for (int i = 0; i < out->rank; i++)
        if (i != axis && out->shape[i] > 1 &&
            (best < 0 || magnitude(out->stride[i]) <= magnitude(out->stride[best])))
            best = i;
    return best;
}

static void add_axis(plan *p, int64_t size, const int64_t *stride) {
    int d = p->grid.rank++;
    p->grid.shape[d] = size;
    for (int k = 0; k < p->operands; k++) p->grid.bytes[k][d] = stride[k] * p->size;
}

/* Fills the grid and returns its number of points. lane_axis is -1 for rows. */
static int64_t set_grid(plan *p, int axis, int lane_axis) {
    const tg_array *out = p->a[0];
    int64_t tasks = 1, stride[3];
    for (int i = 0; i < out->rank; i++) {
        for (int k = 0; k < p->operands; k++) stride[k] = p->a[k]->stride[i];
        if (i == lane_axis) {
            p->lanes = out->shape[i];
            for (int k = 0; k < p->operands; k++) p->across[k] = stride[k];
        } else if (i != axis && out->shape[i] > 1) {
            add_axis(p, out->shape[i], stride);
            tasks *= out->shape[i];
        }
    }
    int64_t pieces = (p->lanes + p->width - 1) / p->width;
    for (int k = 0; k < p->operands; k++) stride[k] = p->width * p->across[k];
    add_axis(p, pieces, stride);
    return tasks * pieces;
}

static void run(form which, int operands, const tg_array *const a[], int axis) {
    const tg_array *out = a[0];
    if (out->numel == 0) return;
    plan p = {.set = tg_kernels_for(out->dtype), .form = which, .operands = operands, .n = 1, .lanes = 1};
    p.size = (int64_t)tg_dtype_size((tg_dtype)out->dtype);
    p.grid.operands = operands;
    bool rowwise = true;
    if (out->rank > 0) p.n = out->shape[axis];
    for (int k = 0; k < operands; k++) {
        p.a[k] = a[k];
        if (out->rank > 0) p.step[k] = a[k]->stride[axis];
        rowwise = rowwise && (p.step[k] == 1 || p.n == 1);
    }
    p.width = rowwise ? 1 : TG_FOLD_LANES(p.size);
    int64_t tasks = set_grid(&p, axis, rowwise ? -1 : lane_axis(out, axis));
    int64_t work = 8 * (out->numel / tasks); /* an element costs an exponential */
    tg_parallel_for(tasks, work < TG_BLOCK ? TG_BLOCK / work : 1, run_pieces, &p);
}

void tg_map_softmax(const tg_array *x, int axis, const tg_array *y) {
    run(SOFTMAX, 2, (const tg_array *[]){y, x}, axis);
}
void tg_map_softmax_grad(const tg_array *g, const tg_array *y, int axis, const tg_array *dx) {
    run(SOFTMAX_GRAD, 3, (const tg_array *[]){dx, g, y}, axis);
}
void tg_map_log_softmax(const tg_array *x, int axis, const tg_array *y) {
    run(LOG_SOFTMAX, 2, (const tg_array *[]){y, x}, axis);
}
void tg_map_log_softmax_grad(const tg_array *g, const tg_array *y, int axis, const tg_array *dx) {
    run(LOG_SOFTMAX_GRAD, 3, (const tg_array *[]){dx, g, y}, axis);
}
