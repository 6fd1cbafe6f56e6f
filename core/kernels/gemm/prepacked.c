#include "core/kernels/gemm/prepacked.h"

#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/simd/table.h"

/* Calls of the kernel are for so many rows: their part of A stays in the first cache while panels go by. */
enum { ROWS = 16 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

tg_status tg_panels_pack(tg_panels *p, const tg_array *w, bool transposed) {
    int64_t vector = tg_kernels_for(w->dtype)->lanes;
    *p = (tg_panels){(tg_dtype)w->dtype, w->shape[transposed], w->shape[!transposed], 0, {0}, {0}};
    p->padded = (p->n + vector - 1) / vector * vector;
    tg_status s = tg_array_alloc(&p->data, p->dtype, TG_SHAPE(p->k, p->padded));
    if (s == TG_OK) s = tg_array_alloc(&p->offsets, TG_I64, TG_SHAPE(p->k));
    if (s != TG_OK) return s;
    for (int64_t r = 0; r < p->k; r++) ((int64_t *)p->offsets.data)[r] = r;
    int64_t row = transposed ? 1 : p->n, col = transposed ? p->k : 1;
    size_t size = tg_dtype_size(p->dtype);
    for (int64_t j = 0; j < p->n; j += 2 * vector)
        tg_block_pack(p->dtype, p->k, least(p->n - j, 2 * vector), least(p->padded - j, 2 * vector),
                      &(tg_block_matrix){(const char *)w->data + (size_t)(j * col) * size, row, col},
                      (char *)p->data.data + (size_t)(j * p->k) * size);
    return TG_OK;
}

void tg_panels_drop(tg_panels *p) {
    tg_array_drop(&p->data);
    tg_array_drop(&p->offsets);
}

void tg_panels_product(const tg_panels *p, int64_t rows, const void *a, int64_t a_row, bool add, void *c,
                       int64_t c_row) {
    const tg_kernel_set *set = tg_kernels_for((int)p->dtype);
    size_t size = tg_dtype_size(p->dtype);
    int64_t row[ROWS];
    for (int64_t i = 0; i < ROWS; i++) row[i] = i * a_row;
    for (int64_t i = 0; i < rows; i += ROWS)
        for (int64_t j = 0; j < p->padded; j += 2 * set->lanes) {
            int64_t width = least(p->padded - j, 2 * set->lanes);
            char *out = (char *)c + (size_t)(i * c_row + j) * size;
            set->offset_gemm(&(tg_offset_gemm){.rows = least(rows - i, ROWS),
                                               .sums = p->k,
                                               .lanes = width,
                                               .row = row,
                                               .sum = p->offsets.data,
                                               .x = (const char *)a + (size_t)(i * a_row) * size,
                                               .b = (const char *)p->data.data + (size_t)(j * p->k) * size,
                                               .b_row = width,
                                               .start = add ? out : NULL,
                                               .start_row = c_row,
                                               .c = out,
                                               .c_row = c_row});
        }
}
