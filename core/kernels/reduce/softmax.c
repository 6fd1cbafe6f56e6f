/* Softmax and its gradient along any axis. Rows with stride 1 have a kernel. Otherwise COLUMNS columns go
 * through together, each step being one elementwise or column kernel; the result of a step stands in the
 * output array.
 */
#include "core/kernels/look.h"
#include "core/parallel.h"

#include <math.h>

typedef enum form { SOFTMAX, SOFTMAX_GRAD, LOG_SOFTMAX, LOG_SOFTMAX_GRAD } form;

typedef struct plan {
    const tg_kernel_set *set;
    form form;
    int operands; /* a[0] is the output */
    const tg_array *a[3];
    int64_t size;               /* bytes an element */
    tg_grid grid;               /* all but the softmax axis; its last axis: the strips of the columns */
    int64_t n, step[3];         /* the softmax axis */
    int64_t columns, across[3]; /* the axis across it */
    int64_t width;              /* columns at once; 1: rows */
    tg_looker *looker;          /* of rows of a gradient, or NULL */
} plan;

static int64_t magnitude(int64_t s) { return s < 0 ? -s : s; }

/* p[k] + i rows on */
static char *row(const plan *p, char *const at[], int k, int64_t i) {
    return at[k] + i * p->step[k] * p->size;
}

/* out = f(a, b) for each of the n rows of m columns, where b is one row of its own with stride 1. */
static void with_row(const plan *p, tg_binary f, char *const at[], int k, char *b, int64_t m) {
    for (int64_t i = 0; i < p->n; i++)
        p->set->binary[f](m, &(tg_operands){.out = row(p, at, 0, i), .a = row(p, at, k, i), .b = b},
                          &(tg_strides){.out = p->across[0], .a = p->across[k], .b = 1}, NULL);
}
static void map_rows(const plan *p, tg_unary f, char *const at[], int k, int64_t m) {
    static const double none[2];
    for (int64_t i = 0; i < p->n; i++)
        p->set->unary[f](m, &(tg_operands){.out = row(p, at, 0, i), .a = row(p, at, k, i)},
                         &(tg_strides){.out = p->across[0], .a = p->across[k]}, none);
}
static void fold(const plan *p, tg_reduction f, char *const at[], int k, int64_t m, void *out) {
    p->set->col[f](p->n, p->step[k], m, at[k], p->across[k], out);
}

/* ---- columns that need care: one at a time ---- */

static double get(const plan *p, const char *base, int64_t i) {
    const void *at = base + i * p->size;
    return p->size == 4 ? *(const float *)at : *(const double *)at;
}
static void set(const plan *p, char *base, int64_t i, double v) {
    void *at = base + i * p->size;
    if (p->size == 4)
        *(float *)at = (float)v;
    else
        *(double *)at = v;
}
static double get_row(const plan *p, char *const at[], int k, int64_t i, int64_t column) {
    return get(p, row(p, at, k, i), column * p->across[k]);
}

/* The row of a column's element v. */
static int64_t row_of(const plan *p, char *const at[], int k, int64_t column, double v) {
    int64_t i = 0;
    while (i < p->n - 1 && get_row(p, at, k, i, column) != v) i++;
    return i;
}

/* Elements that are infinite share the probability. */
static void infinite_column(const plan *p, char *const at[], int64_t column) {
    double count = 0, x;
    for (int64_t i = 0; i < p->n; i++)
        x = get_row(p, at, 1, i, column), count += isnan(x) ? x : x == INFINITY;
    for (int64_t i = 0; i < p->n; i++) {
        double share = get_row(p, at, 1, i, column) == INFINITY ? 1 / count : 0 * count;
        set(p, row(p, at, 0, i), column * p->across[0], p->form == SOFTMAX ? share : log(share));
    }
}
static void infinite_columns(const plan *p, char *const at[], const char *largest, int64_t m) {
    for (int64_t j = 0; j < m; j++)
        if (get(p, largest, j) == INFINITY) infinite_column(p, at, j);
}

/* sum = its logarithm, where the rows hold e^(x - largest): with a probability above 1/2 that of 1 + the others. */
static void log_of_sums(const plan *p, char *const at[], char *sum, int64_t m) {
    for (int64_t j = 0; j < m; j++) {
        double total = get(p, sum, j), others = 0;
        for (int64_t i = 0; total < 2 && i < p->n; i++) {
            double e = get_row(p, at, 0, i, j);
            if (e != 1) others += e;
        }
        set(p, sum, j, total < 2 ? log1p(others) : log(total));
    }
}

static void columns_forward(const plan *p, char *const at[], int64_t m) {
    _Alignas(32) char largest[256], sum[256]; /* one value a column */
    fold(p, TG_MAX, at, 1, m, largest);
    with_row(p, TG_BINARY_SUB, at, 1, largest, m);
    map_rows(p, TG_UNARY_EXP, at, 0, m);
    fold(p, TG_SUM, at, 0, m, sum);
    if (p->form == SOFTMAX) {
        with_row(p, TG_BINARY_DIV, at, 0, sum, m);
    } else {
        log_of_sums(p, at, sum, m);
        with_row(p, TG_BINARY_SUB, at, 1, largest, m);
        with_row(p, TG_BINARY_SUB, at, 0, sum, m);
    }
    infinite_columns(p, at, largest, m);
}

/* out = f(a, b), row by row. */
static void both_rows(const plan *p, tg_binary f, char *const at[], int a, int b, int64_t m) {
    for (int64_t i = 0; i < p->n; i++)
        p->set->binary[f](m,
                          &(tg_operands){.out = row(p, at, 0, i), .a = row(p, at, a, i), .b = row(p, at, b, i)},
                          &(tg_strides){.out = p->across[0], .a = p->across[a], .b = p->across[b]}, NULL);
}

/* dx = y (g - sum g y), the g of a y above 1/2 taken from all of them first. */
static void columns_softmax_grad(const plan *p, char *const at[], int64_t m) {
    _Alignas(32) char sum[256], top[256];
    fold(p, TG_MAX, at, 2, m, top);
    for (int64_t j = 0; j < m; j++) {
        double y = get(p, top, j);
        set(p, top, j, y > 0.5 ? get_row(p, at, 1, row_of(p, at, 2, j, y), j) : 0);
    }
    with_row(p, TG_BINARY_SUB, at, 1, top, m);
    both_rows(p, TG_BINARY_MUL, at, 0, 2, m);
    fold(p, TG_SUM, at, 0, m, sum);
    with_row(p, TG_BINARY_SUB, at, 1, top, m);
    with_row(p, TG_BINARY_SUB, at, 0, sum, m);
    both_rows(p, TG_BINARY_MUL, at, 0, 2, m);
}

/* dx = g - e^y sum g; for an e^y above 1/2, (1 - e^y) g - e^y (sum of the other g) */
static void columns_log_softmax_grad(const plan *p, char *const at[], int64_t m) {
    _Alignas(32) char sum[256], top[256];
    fold(p, TG_SUM, at, 1, m, sum);
    map_rows(p, TG_UNARY_EXP, at, 2, m);
    with_row(p, TG_BINARY_MUL, at, 0, sum, m);
    both_rows(p, TG_BINARY_SUB, at, 1, 0, m);
    fold(p, TG_MAX, at, 2, m, top);
    for (int64_t j = 0; j < m; j++) {
        double y = get(p, top, j), others = 0;
        if (!(y > -0.69)) continue;
        int64_t k = row_of(p, at, 2, j, y);
        for (int64_t i = 0; i < p->n; i++)
            if (i != k) others += get_row(p, at, 1, i, j);
        set(p, row(p, at, 0, k), j * p->across[0], -expm1(y) * get_row(p, at, 1, k, j) - exp(y) * others);
    }
}

static void forward_row(const plan *p, char *const at[]) {
    (p->form == LOG_SOFTMAX ? p->set->log_softmax
                            : p->set->softmax)(&(tg_softmax_row){.y = at[0], .x = at[1], .n = p->n});
}

/* The next rows of the grid, at most `left`, as many at a time as the first cache has room for. Returns their number. */
static int64_t grad_rows(const plan *p, int64_t *index, char *at[], int64_t left) {
    int64_t most = p->n * p->size > 4096 ? 1 : TG_SOFTMAX_ROWS;
    bool bad = false;
    tg_softmax_grad_rows r = {.n = p->n, .rows = left < most ? left : most, .bad = p->looker ? &bad : NULL};
    for (int64_t i = 0; i < r.rows; i++, tg_grid_step(&p->grid, index, at))
        r.dx[i] = at[0], r.g[i] = at[1], r.y[i] = at[2];
    (p->form == LOG_SOFTMAX_GRAD ? p->set->log_softmax_grad : p->set->softmax_grad)(&r);
    tg_look_told(p->looker, bad);
    return r.rows;
}

static void run_rows(const plan *p, int64_t n, int64_t *index, char *at[]) {
    if (p->operands == 2)
        for (int64_t i = 0; i < n; i++, tg_grid_step(&p->grid, index, at)) forward_row(p, at);
    else
        for (int64_t i = 0; i < n;) i += grad_rows(p, index, at, n - i);
}

static void run_strips(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    int64_t index[TG_MAX_RANK + 1];
    const int64_t *strip = &index[p->grid.rank - 1];
    char *at[3];
    for (int k = 0; k < p->operands; k++) at[k] = p->a[k]->data;
    tg_grid_seek(&p->grid, begin, index, at);
    if (p->width == 1) {
        run_rows(p, end - begin, index, at);
        return;
    }
    for (int64_t i = begin; i < end; i++, tg_grid_step(&p->grid, index, at)) {
        int64_t left = p->columns - *strip * p->width, m = left < p->width ? left : p->width;
        if (p->operands == 2)
            columns_forward(p, at, m);
        else if (p->form == SOFTMAX_GRAD)
            columns_softmax_grad(p, at, m);
        else
            columns_log_softmax_grad(p, at, m);
    }
}

/* Lanes run along the axis on which the output's stride is the smallest. */
static int column_axis(const tg_array *out, int axis) {
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

/* Fills the grid and returns its number of points. column_axis is -1 for rows. */
static int64_t set_grid(plan *p, int axis, int column_axis) {
    const tg_array *out = p->a[0];
    int64_t tasks = 1, stride[3];
    for (int i = 0; i < out->rank; i++) {
        for (int k = 0; k < p->operands; k++) stride[k] = p->a[k]->stride[i];
        if (i == column_axis) {
            p->columns = out->shape[i];
            for (int k = 0; k < p->operands; k++) p->across[k] = stride[k];
        } else if (i != axis && out->shape[i] > 1) {
            add_axis(p, out->shape[i], stride);
            tasks *= out->shape[i];
        }
    }
    int64_t strips = (p->columns + p->width - 1) / p->width;
    for (int k = 0; k < p->operands; k++) stride[k] = p->width * p->across[k];
    add_axis(p, strips, stride);
    return tasks * strips;
}

static void run(form which, int operands, const tg_array *const a[], int axis) {
    const tg_array *out = a[0];
    if (out->numel == 0) return;
    plan p = {.set = tg_kernels_for(out->dtype), .form = which, .operands = operands, .n = 1, .columns = 1};
    p.size = (int64_t)tg_dtype_size((tg_dtype)out->dtype);
    p.grid.operands = operands;
    bool rowwise = true;
    if (out->rank > 0) p.n = out->shape[axis];
    for (int k = 0; k < operands; k++) {
        p.a[k] = a[k];
        if (out->rank > 0) p.step[k] = a[k]->stride[axis];
        rowwise = rowwise && (p.step[k] == 1 || p.n == 1);
    }
    p.width = rowwise ? 1 : TG_REDUCE_COLUMNS(p.size);
    tg_looker looker, *looks = tg_look_begin(&looker, out);
    p.looker = rowwise && operands == 3 ? looks : NULL;
    int64_t tasks = set_grid(&p, axis, rowwise ? -1 : column_axis(out, axis));
    int64_t work = 8 * (out->numel / tasks); /* an element costs an exponential */
    tg_parallel_for(tasks, work < TG_BLOCK ? TG_BLOCK / work : 1, run_strips, &p);
    tg_look_end(p.looker, out);
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
