/* Private. A matrix product block by block, on the kernel of convolution and recurrence (tg_offset_gemm in
 * core/kernels/simd/table.h), f32 and f64. It is a tenth faster than OpenBLAS at the sizes of layers, most of all where a
 * product has few rows or few columns: docs/performance.md. */
#ifndef TG_CORE_KERNELS_GEMM_MACRO_KERNEL_H
#define TG_CORE_KERNELS_GEMM_MACRO_KERNEL_H

#include "core/array.h"

/* C = start + A B for A [m, k], B [k, n], C [m, n]. Element (i, j) is i*row + j*col elements behind the first; C and
 * start have columns next to each other, A and B have either rows or columns. start may be C itself, one row that all
 * share (its row is then 0), or NULL for zeros. */
typedef struct tg_block_matrix {
    const void *data;
    int64_t row, col;
} tg_block_matrix;
typedef struct tg_block_product {
    tg_dtype dtype;
    int64_t m, n, k;
    tg_block_matrix a, b, start;
    void *c;
    int64_t c_row;
} tg_block_product;

/* Runs on the calling thread. scratch has tg_block_scratch(dtype, n, k) elements, aligned to 64 bytes. An element of C
 * is the same to the bit whatever part of a matrix it is computed with: sums go through the same blocks of k in the
 * same order. */
void tg_block_run(const tg_block_product *p, void *scratch);
int64_t tg_block_scratch(tg_dtype dtype, int64_t n, int64_t k);

/* What rows and columns of a part of C should be multiples of, so that no kernel runs half empty. */
int64_t tg_block_unit(tg_dtype dtype, bool of_rows);

/* The columns [0, cols) of B [k, ..] as a panel [k, width], zeros behind cols; shared with core/kernels/gemm/prepacked.c. */
void tg_block_pack(tg_dtype dtype, int64_t k, int64_t cols, int64_t width, const tg_block_matrix *b,
                   void *panel);

#endif
