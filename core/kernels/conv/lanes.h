/* Private. Part of the kernel set: W planes side by side, number l of them in lane l of every vector, and their products.
 * core/kernels/simd/table.h says what is asked for; core/kernels/conv/interleaved.c asks. */
#ifndef TG_CORE_KERNELS_CONV_LANES_H
#define TG_CORE_KERNELS_CONV_LANES_H

#include "core/kernels/simd/table.h"
#include "core/kernels/simd/vector.h"

/* W neighbours of each plane, from element i on; lanes without a plane hold zeros. */
INLINE void load_square(const tg_interleaving *p, int64_t i, V line[W]) {
    const S *x = (const S *)p->planes + i;
    UNROLL(16)
    for (int l = 0; l < W; l++) line[l] = l < p->count ? vload(x + l * p->step) : K(0);
}

INLINE void spread_square(const tg_interleaving *p, int64_t i, const V line[W]) {
    S *to = p->lanes;
    UNROLL(16)
    for (int l = 0; l < W; l++) vstore(to + (p->at ? p->at[i + l] : i + l) * W, line[l]);
}

/* The number of elements that whole squares leave. Where there are whole ones, a last one that overlaps takes them. */
INLINE int64_t first_of_last_square(const tg_interleaving *p) { return p->n < W ? p->n : p->n - W; }

/* Fewer elements than lanes. */
APART void interleave_few(const tg_interleaving *p) {
    S *to = p->lanes;
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t l = 0; l < W; l++)
            to[(p->at ? p->at[i] : i) * W + l] = l < p->count ? ((const S *)p->planes)[l * p->step + i] : 0;
}

static void interleave(const tg_interleaving *p) {
    const int64_t last = first_of_last_square(p);
    V line[W];
    if (p->n < W) {
        interleave_few(p);
        return;
    }
    for (int64_t i = 0;; i = i + W < last ? i + W : last) {
        load_square(p, i, line);
        vtranspose(line);
        spread_square(p, i, line);
        if (i == last) return;
    }
}

APART void deinterleave_few(const tg_interleaving *p, int64_t begin) {
    const S *from = p->lanes;
    for (int64_t l = 0; l < p->count; l++)
        for (int64_t i = begin; i < p->n; i++)
            ((S *)p->planes)[l * p->step + (p->at ? p->at[i] : i)] = from[i * W + l];
}

static void deinterleave(const tg_interleaving *p) {
    const int64_t last = first_of_last_square(p);
    const S *from = p->lanes;
    V line[W];
    if (p->n < W || p->at) {
        deinterleave_few(p, 0);
        return;
    }
    for (int64_t i = 0;; i = i + W < last ? i + W : last) {
        UNROLL(16)
        for (int l = 0; l < W; l++) line[l] = vload(from + (i + l) * W);
        vtranspose(line);
        S *to = (S *)p->planes + i;
        UNROLL(16)
        for (int l = 0; l < W; l++)
            if (l < p->count) vstore(to + l * p->step, line[l]);
        if (i == last) return;
    }
}

/* ---- W products at once ---- */

enum { LANE_ROWS = 9, LANE_ROWS_2 = MR_2 < LANE_ROWS ? MR_2 : LANE_ROWS };

/* Rows i .. i + rows of c, columns j .. j + width; where fewer rows are left, the last stands in for the others. */
INLINE void lane_tile(const tg_lane_product *g, int64_t i, int64_t j, int rows, int width) {
    const S *a[LANE_ROWS], *b = (const S *)g->b + j * g->k * W;
    S *c = (S *)g->c + (j * g->m + i) * W;
    const S *bias = g->bias ? (const S *)g->bias + j * W : NULL;
    const int64_t left = g->m - i;
    V sum[LANE_ROWS][2], y[2];
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        a[r] = (const S *)g->a + g->a_row_at[i + (r < left ? r : left - 1)] * W;
        UNROLL(2)
        for (int v = 0; v < width; v++) sum[r][v] = K(0);
    }
    for (int64_t p = 0; p < g->k; p++) {
        const int64_t col = g->a_col_at[p] * W;
        UNROLL(2)
        for (int v = 0; v < width; v++) y[v] = vload(b + (v * g->k + p) * W);
        UNROLL(16)
        for (int r = 0; r < rows; r++) {
            V e = vload(a[r] + col);
            if (width > 1) keep_loaded(&e);
            UNROLL(2)
            for (int v = 0; v < width; v++) {
                sum[r][v] = vfma(e, y[v], sum[r][v]);
                settle(&sum[r][v]);
            }
        }
    }
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        if (r >= left) break;
        UNROLL(2)
        for (int v = 0; v < width; v++) {
            S *to = c + (v * g->m + r) * W;
            V first = g->adds ? vload(to) : bias ? vload(bias + v * W) : K(0);
            vstore(to, first + sum[r][v]);
        }
    }
}

/* All columns of these rows: what they see of a is then in the first cache. */
INLINE void lane_rows(const tg_lane_product *g, int64_t i, int rows) {
    int64_t j = 0;
    for (; j + 1 < g->n; j += 2) lane_tile(g, i, j, rows, 2);
    if (j < g->n) lane_tile(g, i, j, rows, 1);
}

static void lane_product(const tg_lane_product *g) {
    int64_t i = 0, left = g->m;
    if (g->n == 1)
        for (; left > 6; i += LANE_ROWS, left = g->m - i) lane_tile(g, i, 0, LANE_ROWS, 1);
    else
        for (; left > LANE_ROWS_2 - 3; i += LANE_ROWS_2, left = g->m - i) lane_rows(g, i, LANE_ROWS_2);
    for (; left > 0; i += 3, left = g->m - i) lane_rows(g, i, 3);
}

#endif
