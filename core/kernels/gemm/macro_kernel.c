#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/simd/table.h"

#include <string.h>

/* ROWS of A by DEPTH are a block, which stays in the second cache while the panels of B, two vectors wide and packed,
 * go by. ROWS is a multiple of the rows of every set's kernel (14 or 6). COLS bounds what is packed at a time. */
enum { ROWS = 84, DEPTH = 512, COLS = 1024, LINE = 64, L1_SET = 4096 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

static const char *at(const tg_block_matrix *x, int64_t i, int64_t j, size_t size) {
    return (const char *)x->data + (i * x->row + j * x->col) * (int64_t)size;
}

/* Lines of memory a multiple of 4 KiB apart share one set of the first cache, which has room for 8 to 12. */
static bool crowded(int64_t step, size_t size) { return step != 0 && step * (int64_t)size % L1_SET == 0; }

/* ---- B: panels ---- */

static void copy_row(char *to, const char *from, size_t bytes) {
    for (; bytes >= LINE; bytes -= LINE, to += LINE, from += LINE) memcpy(to, from, LINE);
    if (bytes) memcpy(to, from, bytes);
}

/* Rows that a step through memory is ahead of: no hardware sees that they are next. */
enum { AHEAD = 16 };

static void pack_rows(int64_t k, size_t bytes, size_t width, const char *from, int64_t step, char *to) {
    for (int64_t r = 0; r < k; r++, from += step, to += width) {
        const char *next = from + (r + AHEAD < k ? AHEAD : 0) * step;
        for (size_t i = 0; i < bytes; i += LINE) __builtin_prefetch(next + i);
        copy_row(to, from, bytes);
    }
}

void tg_block_pack(tg_dtype dtype, int64_t k, int64_t cols, int64_t width, const tg_block_matrix *b,
                   void *panel) {
    size_t size = tg_dtype_size(dtype);
    if (cols < width) memset(panel, 0, (size_t)(width * k) * size);
    if (b->col != 1)
        tg_kernels_for((int)dtype)->transpose(cols, k, b->data, b->col, panel, width);
    else
        pack_rows(k, (size_t)cols * size, (size_t)width * size, b->data, b->row * (int64_t)size, panel);
}

/* ---- A: as it lies, or copied ---- */

/* Where A lies by columns, a kernel of few rows takes little of each line that it touches. */
static bool better_copied(const tg_block_matrix *a, const tg_kernel_set *set, size_t size) {
    return crowded(a->col == 1 ? a->row : a->col, size) ||
           (a->col != 1 && 2 * set->gemm_rows * (int64_t)size < LINE);
}

/* A block of A by rows, an odd number of lines apart. */
static tg_block_matrix copied(const tg_block_matrix *a, const tg_kernel_set *set, int64_t rows, int64_t depth,
                              size_t size, char *to) {
    int64_t step = DEPTH + LINE / (int64_t)size;
    if (a->col != 1)
        set->transpose(depth, rows, a->data, a->col, to, step);
    else
        for (int64_t i = 0; i < rows; i++)
            copy_row(to + (size_t)(i * step) * size, at(a, i, 0, size), (size_t)depth * size);
    return (tg_block_matrix){to, step, 1};
}

/* ---- the blocks ---- */

typedef struct blocks {
    const tg_block_product *p;
    const tg_kernel_set *set;
    size_t size;
    bool copies, in_place; /* A is copied; whole panels are read where B lies */
    char *panels, *copy;
    int64_t i, j, r, rows, cols, depth; /* the block at hand: C [i.., j..] += A [i.., r..] B [r.., j..] */
    int64_t row[ROWS], sum[DEPTH];      /* offsets in A, or in the copy of a block */
} blocks;

static void find_offsets(blocks *w, const tg_block_matrix *a) {
    for (int64_t i = 0; i < ROWS && i < w->p->m; i++) w->row[i] = i * a->row;
    for (int64_t r = 0; r < DEPTH && r < w->p->k; r++) w->sum[r] = r * a->col;
}

/* The n columns of B from j + col on: where they lie if they fill vectors, or else their panel. */
static tg_block_matrix panel(const blocks *w, int64_t col, int64_t n) {
    const tg_block_matrix *b = &w->p->b;
    if (w->in_place && n % w->set->lanes == 0) return (tg_block_matrix){at(b, w->r, w->j + col, w->size), b->row, 1};
    return (tg_block_matrix){w->panels + (size_t)(col * w->depth) * w->size, up(n, w->set->lanes), 1};
}

static void pack_panels(const blocks *w) {
    for (int64_t col = 0, n; col < w->cols; col += n) {
        n = least(w->cols - col, 2 * w->set->lanes);
        tg_block_matrix b = {at(&w->p->b, w->r, w->j + col, w->size), w->p->b.row, w->p->b.col};
        tg_block_matrix to = panel(w, col, n);
        if (to.data != b.data)
            tg_block_pack(w->p->dtype, w->depth, n, to.row, &b, w->panels + (size_t)(col * w->depth) * w->size);
    }
}

/* C begins at `start` with the first block of sums, and goes on from itself. */
static void block(blocks *w) {
    const tg_block_product *p = w->p;
    tg_block_matrix a = {at(&p->a, w->i, w->r, w->size), p->a.row, p->a.col};
    tg_block_matrix c = {p->c, p->c_row, 1}, from = w->r ? c : p->start;
    if (w->copies) {
        a = copied(&a, w->set, w->rows, w->depth, w->size, w->copy);
        find_offsets(w, &a);
    }
    for (int64_t col = 0, n; col < w->cols; col += n) {
        n = least(w->cols - col, 2 * w->set->lanes);
        tg_block_matrix b = panel(w, col, n);
        w->set->offset_gemm(&(tg_offset_gemm){
            .rows = w->rows,
            .sums = w->depth,
            .lanes = n,
            .row = w->row,
            .sum = w->sum,
            .x = a.data,
            .b = b.data,
            .b_row = b.row,
            .start = from.data ? at(&from, w->i, w->j + col, w->size) : NULL,
            .start_row = from.row,
            .c = (char *)p->c + (size_t)(w->i * p->c_row + w->j + col) * w->size,
            .c_row = p->c_row,
            .fetch = true,
        });
    }
}

void tg_block_run(const tg_block_product *p, void *scratch) {
    blocks w;
    w.p = p, w.set = tg_kernels_for((int)p->dtype), w.size = tg_dtype_size(p->dtype);
    w.copy = scratch, w.panels = w.copy + (size_t)(ROWS * (DEPTH + LINE)) * w.size;
    w.copies = better_copied(&p->a, w.set, w.size), w.in_place = p->b.col == 1 && p->m <= ROWS && !crowded(p->b.row, w.size);
    find_offsets(&w, &p->a);
    for (w.j = 0; w.j < p->n; w.j += COLS)
        for (w.r = 0; w.r < p->k; w.r += DEPTH) {
            w.cols = least(p->n - w.j, COLS), w.depth = least(p->k - w.r, DEPTH);
            pack_panels(&w);
            for (w.i = 0; w.i < p->m; w.i += ROWS) {
                w.rows = least(p->m - w.i, ROWS);
                block(&w);
            }
        }
}

int64_t tg_block_scratch(tg_dtype dtype, int64_t n, int64_t k) {
    return ROWS * (DEPTH + LINE) + least(k, DEPTH) * up(least(n, COLS), tg_kernels_for((int)dtype)->lanes);
}

int64_t tg_block_unit(tg_dtype dtype, bool of_rows) {
    const tg_kernel_set *set = tg_kernels_for((int)dtype);
    return of_rows ? set->gemm_rows : 2 * set->lanes;
}
