/* Private. The part of core/kernels/simd/kernel_set.c that serves sliding windows: the product of convolution,
 * transposes, and max pooling by two. */
#ifndef TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H
#define TG_CORE_KERNELS_GEMM_MICRO_KERNEL_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

/* ---- products ---- */

/* The last rows of c are left to a tile of about half the rows, or of a few. */
enum { FEW = 2 };

/* What a tile made, [rows, vectors * W] one after the other, to rows of c that end within a vector. */
INLINE void store_cut(const tg_offset_gemm *g, int64_t i, int64_t rows, int vectors, const S *made) {
    const S *start = g->start;
    for (int64_t k = 0; k < rows; k++, made += vectors * W) {
        S *c = (S *)g->c + (i + k) * g->c_row;
        for (int64_t l = 0; l < g->lanes; l++)
            c[l] = (start ? start[(i + k) * g->start_row + l] : 0) + made[l];
    }
}

/* Of the rows of c from its first on. */
INLINE void fetch_rows(const S *c, int64_t c_row, int rows, int64_t left, int vectors) {
    UNROLL(16)
    for (int k = 0; k < rows; k++)
        UNROLL(2)
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + (k < left ? k : left - 1) * c_row + v * W);
}

/* Rows i .. i + rows of c, `left` of which exist: the last one stands in for the others. Lines of c are fetched while
 * the sums are made. */
INLINE void offset_tile(const tg_offset_gemm *g, int64_t i, int64_t left, int rows, int vectors) {
    const int64_t width = vectors * W;
    const S *b = g->b, *start = g->start;
    S *c = (S *)g->c + i * g->c_row, made[MR_1 * 2 * W];
    int64_t at[MR_1];
    V sum[MR_1][2], w[2];
    UNROLL(16)
    for (int k = 0; k < rows; k++) {
        at[k] = g->row[i + (k < left ? k : left - 1)];
        UNROLL(2)
        for (int v = 0; v < vectors; v++) sum[k][v] = K(0);
    }
    if (g->fetch) fetch_rows(c, g->c_row, rows, left, vectors);
    for (int64_t r = 0; r < g->sums; r++, b += g->b_row) {
        const S *x = (const S *)g->x + g->sum[r];
        UNROLL(2)
        for (int v = 0; v < vectors; v++) w[v] = vload(b + v * W);
        UNROLL(16)
        for (int k = 0; k < rows; k++) {
            V e = K(x[at[k]]);
            UNROLL(2)
            for (int v = 0; v < vectors; v++) {
                sum[k][v] = vfma(e, w[v], sum[k][v]);
                settle(&sum[k][v]);
            }
        }
    }
    bool cut = g->lanes < width;
    UNROLL(16)
    for (int k = 0; k < rows; k++) {
        if (k >= left) break;
        UNROLL(2)
        for (int v = 0; v < vectors; v++) {
            V first = start && !cut ? vload(start + (i + k) * g->start_row + v * W) : K(0);
            vstore(cut ? made + k * width + v * W : c + k * g->c_row + v * W, first + sum[k][v]);
        }
    }
    if (cut) store_cut(g, i, left < rows ? left : rows, vectors, made);
}

/* A tile that is not full costs as much as one that is. */
INLINE void offset_rows(const tg_offset_gemm *g, int tile, int half, int vectors) {
    for (int64_t i = 0, left; (left = g->rows - i) > 0;)
        if (left > 2 * half || (left > half && left <= tile)) {
            offset_tile(g, i, left, tile, vectors);
            i += tile;
        } else if (left > FEW) {
            offset_tile(g, i, left, half, vectors);
            i += half;
        } else {
            offset_tile(g, i, left, FEW, vectors);
            i += FEW;
        }
}

static void offset_gemm(const tg_offset_gemm *g) {
    if (g->lanes <= W)
        offset_rows(g, MR_1, MR_1_HALF, 1);
    else
        offset_rows(g, MR_2, MR_2_HALF, 2);
}

/* Rows i .. i + rows of c, two vectors from column j on; m0 and m1 lanes of them exist, m1 maybe none. */
INLINE void line_tile(const tg_offset_lines *g, int64_t i, int64_t j, int rows) {
    const S *w = (const S *)g->w + i, *start = g->start;
    int64_t m0 = lanes_left(g->n - j), m1 = lanes_left(g->n - j - m0);
    V sum[4][2];
    UNROLL(4)
    for (int k = 0; k < rows; k++) sum[k][0] = sum[k][1] = K(0);
    for (int64_t r = 0; r < g->sums; r++, w += g->width) {
        const S *x = (const S *)g->x + g->sum[r] + j;
        V a = load(x, 0, m0), b = m1 > 0 ? load(x, W, m1) : a;
        UNROLL(4)
        for (int k = 0; k < rows; k++) {
            sum[k][0] = vfma(K(w[k]), a, sum[k][0]);
            sum[k][1] = vfma(K(w[k]), b, sum[k][1]);
        }
    }
    UNROLL(4)
    for (int k = 0; k < rows; k++) {
        S *c = (S *)g->c + (i + k) * g->c_row + j;
        V first = K(start ? start[i + k] : 0);
        store(c, 0, m0, first + sum[k][0]);
        if (m1 > 0) store(c, W, m1, first + sum[k][1]);
    }
}

static void offset_lines(const tg_offset_lines *g) {
    for (int64_t j = 0; j < g->n; j += 2 * W) {
        int64_t i = 0;
        for (; i + 4 <= g->rows; i += 4) line_tile(g, i, j, 4);
        if (g->rows - i == 3) line_tile(g, i, j, 3);
        if (g->rows - i == 2) line_tile(g, i, j, 2);
        if (g->rows - i == 1) line_tile(g, i, j, 1);
    }
}

#endif
