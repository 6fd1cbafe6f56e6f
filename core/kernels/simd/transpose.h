/* Private. Part of the kernel set: the transpose of a matrix, by squares of W x W in registers. */
#ifndef TG_CORE_KERNELS_SIMD_TRANSPOSE_H
#define TG_CORE_KERNELS_SIMD_TRANSPOSE_H

#include "core/kernels/simd/vector.h"

INLINE void transpose_square(const S *x, int64_t x_row, S *out, int64_t out_row) {
    V line[W];
    UNROLL(16)
    for (int i = 0; i < W; i++) line[i] = vload(x + i * x_row);
    vtranspose(line);
    UNROLL(16)
    for (int i = 0; i < W; i++) vstore(out + i * out_row, line[i]);
}

/* Less than a square. */
static void transpose_edge(int64_t rows, int64_t cols, const S *x, int64_t x_row, S *out, int64_t out_row) {
    S from[W * W] = {0}, to[W * W];
    for (int64_t i = 0; i < rows; i++) memcpy(from + i * W, x + i * x_row, (size_t)cols * sizeof(S));
    transpose_square(from, W, to, W);
    for (int64_t j = 0; j < cols; j++) memcpy(out + j * out_row, to + j * W, (size_t)rows * sizeof(S));
}

static void transpose(int64_t rows, int64_t cols, const void *from, int64_t x_row, void *to, int64_t out_row) {
    const S *x = from;
    S *out = to;
    for (int64_t i = 0; i < rows; i += W)
        for (int64_t j = 0; j < cols; j += W) {
            int64_t down = lanes_left(rows - i), across = lanes_left(cols - j);
            const S *corner = x + i * x_row + j;
            if (down == W && across == W)
                transpose_square(corner, x_row, out + j * out_row + i, out_row);
            else
                transpose_edge(down, across, corner, x_row, out + j * out_row + i, out_row);
        }
}

#endif
