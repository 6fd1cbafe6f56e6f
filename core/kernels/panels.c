#include "core/kernels/panels.h"
#include "core/kernels/table.h"

#include <string.h>

/* Calls of the kernel are for so many rows: their part of A stays in the first cache while panels go by. */
enum { ROWS = 16 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The columns [j, j + cols) of B, `width` with the zeros. */
static void pack(const tg_panels *p, const char *w, bool transposed, int64_t j, int64_t cols, int64_t width) {
    size_t size = tg_dtype_size(p->dtype);
    char *panel = (char *)p->data.data + (size_t)(j * p->k) * size;
    if (cols < width) memset(panel, 0, (size_t)(width * p->k) * size);
    if (transposed)
        tg_kernels_for((int)p->dtype)->transpose(cols, p->k, w + (size_t)(j * p->k) * size, p->k, panel, width);
    else
        for (int64_t r = 0; r < p->k; r++)
            memcpy(panel + (size_t)(r * width) * size, w + (size_t)(r * p->n + j) * size, (size_t)cols * size);
}

tg_status tg_panels_pack(tg_panels *p, const tg_array *w, bool transposed) {
    int64_t vector = tg_kernels_for(w->dtype)->lanes;
    *p = (tg_panels){(tg_dtype)w->dtype, w->shape[transposed], w->shape[!transposed], 0, {0}, {0}};
    p->padded = (p->n + vector - 1) / vector * vector;
    tg_status s = tg_array_alloc(&p->data, p->dtype, TG_SHAPE(p->k, p->padded));
    if (s == TG_OK) s = tg_array_alloc(&p->offsets, TG_I64, TG_SHAPE(p->k));
    if (s != TG_OK) return s;
    for (int64_t r = 0; r < p->k; r++) ((int64_t *)p->offsets.data)[r] = r;
    for (int64_t j = 0; j < p->n; j += 2 * vector)
        pack(p, w->data, transposed, j, least(p->n - j, 2 * vector), least(p->padded - j, 2 * vector));
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
            char *out = (char *)c + (size_t)(i * c_row + j) * size;
            set->offset_gemm(&(tg_offset_gemm){.rows = least(rows - i, ROWS),
                                               .sums = p->k,
                                               .lanes = least(p->padded - j, 2 * set->lanes),
                                               .row = row,
                                               .sum = p->offsets.data,
                                               .x = (const char *)a + (size_t)(i * a_row) * size,
                                               .b = (const char *)p->data.data + (size_t)(j * p->k) * size,
                                               .start = add ? out : NULL,
                                               .start_row = c_row,
                                               .c = out,
                                               .c_row = c_row});
        }
}
