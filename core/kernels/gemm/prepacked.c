#include "core/kernels/gemm/prepacked.h"

#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/simd/table.h"

/* Calls of the kernel are for so many rows: their part of A stays in the first cache while panels go by. */
enum { ROWS = 16 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

tg_status tg_prepack(tg_prepacked *p, const tg_array *w, bool transposed) {
    int64_t vector = tg_kernels_for(w->dtype)->lanes;
    *p = (tg_prepacked){(tg_dtype)w->dtype, w->shape[transposed], w->shape[!transposed], 0, {0}};
    p->padded = (p->n + vector - 1) / vector * vector;
    tg_status s = tg_array_alloc(&p->data, p->dtype, TG_SHAPE(p->k, p->padded));
    if (s != TG_OK) return s;
    int64_t row = transposed ? 1 : p->n, col = transposed ? p->k : 1;
    size_t size = tg_dtype_size(p->dtype);
    for (int64_t j = 0; j < p->n; j += 2 * vector)
        tg_gemm_pack(p->dtype, p->k, least(p->n - j, 2 * vector), least(p->padded - j, 2 * vector),
                     &(tg_gemm_operand){(const char *)w->data + (size_t)(j * col) * size, row, col},
                     (char *)p->data.data + (size_t)(j * p->k) * size);
    return TG_OK;
}

void tg_prepacked_drop(tg_prepacked *p) { tg_array_drop(&p->data); }

void tg_prepacked_product(const tg_prepacked *p, int64_t rows, const void *a, int64_t a_row, bool add,
                          void *c, int64_t c_row) {
    const tg_kernel_set *set = tg_kernels_for((int)p->dtype);
    size_t size = tg_dtype_size(p->dtype);
    for (int64_t i = 0; i < rows; i += ROWS)
        for (int64_t j = 0; j < p->padded; j += set->nr) {
            int64_t width = least(p->padded - j, set->nr);
            char *out = (char *)c + (size_t)(i * c_row + j) * size;
            set->product(&(tg_product){.m = least(rows - i, ROWS),
                                       .n = width,
                                       .k = p->k,
                                       .a = (const char *)a + (size_t)(i * a_row) * size,
                                       .a_row = a_row,
                                       .a_col = 1,
                                       .b = (const char *)p->data.data + (size_t)(j * p->k) * size,
                                       .b_row = width,
                                       .start = add ? out : NULL,
                                       .start_row = c_row,
                                       .c = out,
                                       .c_row = c_row,
                                       .alpha = 1});
        }
}
