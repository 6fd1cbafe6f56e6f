/* Private. The part of core/kernels/simd/kernel_set.c that multiplies a long matrix and a vector. A lane adds TG_DOT_TERMS products at
 * most before it goes to a sum in double. */
#ifndef TG_CORE_KERNELS_GEMM_GEMV_H
#define TG_CORE_KERNELS_GEMM_GEMV_H

#include "core/kernels/reduce/softmax.h"

enum { PAIR = 2 * W };

/* sum[i] of `rows` rows, which y is read once for. */
INLINE void dot_rows(const int rows, const tg_dots *d, int64_t i, double *sum) {
    const S *x = (const S *)d->x + i * d->x_row, *y = d->y;
    int64_t l = 0;
    for (int r = 0; r < rows; r++) sum[r] = 0;
    while (l + PAIR <= d->n) {
        int64_t end = d->n - l < TG_DOT_TERMS * PAIR ? d->n : l + TG_DOT_TERMS * PAIR;
        V acc[4][2];
        UNROLL(4)
        for (int r = 0; r < rows; r++) acc[r][0] = acc[r][1] = K(0);
        for (; l + PAIR <= end; l += PAIR) {
            V y0 = vload(y + l), y1 = vload(y + l + W);
            UNROLL(4)
            for (int r = 0; r < rows; r++) {
                acc[r][0] = vfma(vload(x + r * d->x_row + l), y0, acc[r][0]);
                acc[r][1] = vfma(vload(x + r * d->x_row + l + W), y1, acc[r][1]);
            }
        }
        UNROLL(4)
        for (int r = 0; r < rows; r++) sum[r] += (double)across(acc[r][0] + acc[r][1], op_sum);
    }
    for (; l < d->n; l++)
        for (int r = 0; r < rows; r++) sum[r] += (double)x[r * d->x_row + l] * (double)y[l];
}

static void row_dots(const tg_dots *d, int64_t outputs, double *sum) {
    int64_t i = 0;
    for (; i + 4 <= outputs; i += 4) dot_rows(4, d, i, sum + i);
    for (; i < outputs; i++) dot_rows(1, d, i, sum + i);
}

/* `vectors` vectors of columns from column j on; m in the last of them. */
INLINE void dot_columns(const int vectors, const tg_dots *d, int64_t j, int64_t m, double *sum) {
    const S *x = (const S *)d->x + j, *y = d->y;
    V acc[8];
    S part[8 * W];
    UNROLL(8)
    for (int k = 0; k < vectors; k++) acc[k] = K(0);
    for (int64_t l = 0; l < d->n; l++, x += d->x_row, y += d->y_step) {
        UNROLL(8)
        for (int k = 0; k < vectors; k++)
            acc[k] = vfma(k + 1 < vectors ? vload(x + k * W) : load(x, k * W, m), K(*y), acc[k]);
    }
    UNROLL(8)
    for (int k = 0; k < vectors; k++) vstore(part + k * W, acc[k]);
    for (int64_t i = 0; i < (vectors - 1) * W + m; i++) sum[j + i] += (double)part[i];
}

static void column_dots(const tg_dots *d, int64_t outputs, double *sum) {
    int64_t j = 0;
    for (; j + 8 * W <= outputs; j += 8 * W) dot_columns(8, d, j, W, sum);
    for (; j + 4 * W <= outputs; j += 4 * W) dot_columns(4, d, j, W, sum);
    for (; j < outputs; j += W) dot_columns(1, d, j, lanes_left(outputs - j), sum);
}

#endif
