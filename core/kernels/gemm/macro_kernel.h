/* Private. The loops around the micro-kernel (the picture is in core/kernels/gemm/gemm.h), f32 and f64, on the calling
 * thread. At the sizes of layers it is a tenth faster than OpenBLAS, most of all where a product has few rows or few
 * columns: docs/performance.md. */
#ifndef TG_CORE_KERNELS_GEMM_MACRO_KERNEL_H
#define TG_CORE_KERNELS_GEMM_MACRO_KERNEL_H

#include "core/array.h"

/* C = start + A B for A [m, k], B [k, n], C [m, n]. Element (i, j) is i*row + j*col elements behind the first; C and
 * start have columns next to each other, A and B have either rows or columns. start may be C itself, one row that all
 * share (its row is then 0), or NULL for zeros. */
typedef struct tg_gemm_operand {
    const void *data;
    int64_t row, col;
} tg_gemm_operand;
typedef struct tg_gemm_product {
    tg_dtype dtype;
    int64_t m, n, k;
    tg_gemm_operand a, b, start;
    void *c;
    int64_t c_row;
} tg_gemm_product;

/* scratch has tg_macro_kernel_scratch(dtype, n, k) elements, aligned to 64 bytes. An element of C is the same to the bit
 * whatever part of a matrix it is computed with: its sum goes through the same blocks of KC terms in the same order. */
void tg_macro_kernel(const tg_gemm_product *p, void *scratch);
int64_t tg_macro_kernel_scratch(tg_dtype dtype, int64_t n, int64_t k);

/* Packs the columns [0, cols) of B [k, ..] as one panel [k, width], zeros behind cols. */
void tg_gemm_pack(tg_dtype dtype, int64_t k, int64_t cols, int64_t width, const tg_gemm_operand *b,
                  void *panel);

#endif
