/* Private. Part of the kernel set: the micro-kernel, and the product that all others are made of (tg_product in
 * core/kernels/simd/table.h). core/kernels/gemm/gemm.h has the picture of the loops around it.
 *
 * A tile of C, MR rows by NR columns, stays in registers while p runs over k. For each p the NR numbers of a row of B are
 * loaded, as one or two vectors, and MR numbers of a column of A, each repeated in all lanes: MR NR multiply-adds for
 * MR + NR loads. An instruction set says how many rows fill its registers beside one vector a row (MR_1) and two (MR_2).
 */
#ifndef TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H
#define TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

enum { NR = 2 * W, TILE_ROWS = MR_1 > MR_2 ? MR_1 : MR_2 };

/* What of a tile is known when it is compiled. */
typedef struct tile_form {
    int vectors;  /* of a row: 1 or 2 */
    bool a_table; /* A by tables of offsets, not by strides */
    bool b_table; /* rows of B by a table */
    bool padded;  /* rows of B can be read in whole vectors */
    bool ahead;   /* A of the next tile is fetched */
} tile_form;

/* `left` rows of C from c on are about to be written. */
INLINE void fetch_tile(const S *c, int64_t c_row, int rows, int64_t left, int vectors) {
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        UNROLL(2)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + (r < left ? r : left - 1) * c_row + v * W);
    }
}

/* Step p of the k that fetch the rows of A from `next` on, a line each; where A lies by columns, their part of column p.
 * Behind the last rows it is those of a batch's next matrix that mostly follow. */
INLINE void fetch_ahead(const tg_product *g, uintptr_t next, int64_t p, int rows) {
    enum { SIZE = (int)sizeof(S), LINE = 64 / SIZE };
    if (g->a_col != 1) {
        __builtin_prefetch((const void *)(next + (uintptr_t)(p * g->a_col * SIZE)));
        return;
    }
    UNROLL(2)
    for (int r = 0; r < rows; r += LINE)
        __builtin_prefetch(
            (const void *)(next + (uintptr_t)(((p % LINE + r) * g->a_row + p - p % LINE) * SIZE)));
}

/* The lines that the steps from p to `end` fetch; behind the last of the fetches, one that is there. */
typedef struct line_walk {
    uintptr_t line, step;
    int64_t end;
} line_walk;
INLINE line_walk walk_lines(const tg_product *g, int s, int64_t i, int64_t p, const tile_form f) {
    if (!f.a_table || s >= g->fetches) return (line_walk){(uintptr_t)g->b, 0, g->k};
    const tg_fetch *t = &g->fetched[s];
    return (line_walk){(uintptr_t)t->at + (uintptr_t)(i * t->row), (uintptr_t)t->step,
                       t->lines < g->k - p ? p + t->lines : g->k};
}

/* The sums of a tile, [rows, width], to n < width columns of C from (i, j) on. */
APART void store_cut(const tg_product *g, int64_t i, int64_t j, int64_t rows, int64_t n, int64_t width,
                     const S *sum) {
    const S *start = g->start;
    const V alpha = K((S)g->alpha);
    for (int64_t r = i; r < i + rows; r++, sum += width)
        for (int64_t l = 0; l < n; l += W) {
            int64_t m = lanes_left(n - l);
            V first = !start        ? K(0)
                      : g->b_row_at ? K(start[r * g->start_row])
                                    : load(start + r * g->start_row, j + l, m);
            store((S *)g->c + r * g->c_row, j + l, m, vfma(alpha, vload(sum + l), first));
        }
}

/* C = start + alpha sum, for `left` rows from i on. */
INLINE void store_tile(const tg_product *g, int64_t i, int64_t j, int64_t m, int rows, V sum[TILE_ROWS][2],
                       const tile_form f) {
    const int64_t left = g->m - i, width = f.vectors * W;
    const V alpha = K((S)g->alpha);
    S *c = (S *)g->c + i * g->c_row + j;
    if (m < W) {
        S made[TILE_ROWS * NR];
        UNROLL(16)
        for (int r = 0; r < rows; r++) {
            UNROLL(2)
            for (int v = 0; v < f.vectors; v++) vstore(made + r * width + v * W, sum[r][v]);
        }
        store_cut(g, i, j, left < rows ? left : rows, width - W + m, width, made);
        return;
    }
    const S *start = g->start ? (const S *)g->start + i * g->start_row + (f.b_table ? 0 : j) : NULL;
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        if (r >= left) break;
        UNROLL(2)
        for (int v = 0; v < f.vectors; v++) {
            V first = !start ? K(0) : f.b_table ? K(*start) : vload(start + v * W);
            vstore(c + r * g->c_row + v * W, vfma(alpha, sum[r][v], first));
        }
        if (start) start += g->start_row;
    }
}

/* Term p of the sums: column p of A by row p of B. */
INLINE void add_products(const tg_product *g, const S *const a[TILE_ROWS], const S *b, int64_t p, int64_t m,
                         int rows, V sum[TILE_ROWS][2], const tile_form f) {
    int64_t col = f.a_table ? g->a_col_at[p] : p * g->a_col;
    const S *q = b + (f.b_table ? g->b_row_at[p] : p * g->b_row);
    V y[2];
    UNROLL(2)
    for (int v = 0; v < f.vectors; v++) y[v] = load(q, v * W, f.padded || v + 1 < f.vectors ? W : m);
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        V e = K(a[r][col]);
        UNROLL(2)
        for (int v = 0; v < f.vectors; v++) {
            sum[r][v] = vfma(e, y[v], sum[r][v]);
            settle(&sum[r][v]);
        }
    }
}

/* Rows i .. i + rows of C; where fewer are left, the last stands in for the others. Columns from j on; the last vector of
 * a row has m of them. */
INLINE void micro_kernel(const tg_product *g, int64_t i, int64_t j, int64_t m, int rows, const tile_form f) {
    const S *a[TILE_ROWS], *b = (const S *)g->b + j;
    int64_t left = g->m - i;
    V sum[TILE_ROWS][2];
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        int64_t row = i + (r < left ? r : left - 1);
        a[r] = (const S *)g->a + (f.a_table ? g->a_row_at[row] : row * g->a_row);
        UNROLL(2)
        for (int v = 0; v < f.vectors; v++) sum[r][v] = K(0);
    }
    if (g->fetch) fetch_tile((const S *)g->c + i * g->c_row + j, g->c_row, rows, left, f.vectors);
    const uintptr_t next = (uintptr_t)g->a + (uintptr_t)((i + rows) * g->a_row * (int64_t)sizeof(S));
    int64_t p = 0;
    for (int s = 0; s <= (f.a_table ? g->fetches : 0); s++) {
        line_walk w = walk_lines(g, s, i, p, f);
        for (; p < w.end; p++, w.line += w.step) {
            if (f.a_table) __builtin_prefetch((const void *)w.line);
            if (f.ahead) fetch_ahead(g, next, p, rows);
            add_products(g, a, b, p, m, rows, sum, f);
        }
    }
    store_tile(g, i, j, m, rows, sum, f);
}

/* One panel of at most NR columns. A tile that is not full costs as much as one that is: the last rows have smaller ones. */
INLINE void panel_product(const tg_product *g, int64_t j, int64_t m, int mr, const tile_form f) {
    int64_t i = 0, left;
    while ((left = g->m - i) > 0)
        if (left > 4 && (left > 8 || mr <= 8)) {
            micro_kernel(g, i, j, m, mr, f);
            i += mr;
        } else if (left > 4) {
            micro_kernel(g, i, j, m, 8, f);
            i += 8;
        } else if (left > 2) {
            micro_kernel(g, i, j, m, 4, f);
            i += 4;
        } else {
            micro_kernel(g, i, j, m, 2, f);
            i += 2;
        }
}

INLINE void panels_product(const tg_product *g, bool a_table, bool b_table, bool padded, bool ahead) {
    const tile_form one = {1, a_table, b_table, padded, ahead}, two = {2, a_table, b_table, padded, ahead};
    int64_t j = 0;
    for (; j + W < g->n; j += NR) panel_product(g, j, lanes_left(g->n - j - W), MR_2, two);
    if (j < g->n) panel_product(g, j, g->n - j, MR_1, one);
}

APART void product(const tg_product *g) {
    if (g->a_row_at)
        panels_product(g, true, false, true, false);
    else if (g->b_row_at)
        panels_product(g, false, true, false, false);
    else if (g->fetch_a)
        panels_product(g, false, false, true, true);
    else if (g->padded || g->n % W == 0)
        panels_product(g, false, false, true, false);
    else
        panels_product(g, false, false, false, false);
}

#endif
