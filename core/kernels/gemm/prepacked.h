/* Private. A matrix that is the right factor of many products with few rows: packed once, f32 and f64. */
#ifndef TG_CORE_KERNELS_GEMM_PREPACKED_H
#define TG_CORE_KERNELS_GEMM_PREPACKED_H

#include "core/array.h"

/* Panels are two vectors wide, the last one maybe one; in the lanes behind column n there are zeros. */
typedef struct tg_prepacked {
    tg_dtype dtype;
    int64_t k, n, padded; /* padded: n rounded up to whole vectors */
    tg_array data;        /* the panels one after the other, each [k, width] */
} tg_prepacked;

/* Of w [k, n], or with `transposed` of w^T for w [n, k]; w is contiguous. The caller drops what was made, after a
 * failure too. */
tg_status tg_prepack(tg_prepacked *p, const tg_array *w, bool transposed);
void tg_prepacked_drop(tg_prepacked *p);

/* C = A B, or with `add` C += A B, for A [rows, k] and the packed B. Rows of A and C are a_row and c_row elements
 * apart; those of C have `padded` elements, of which zeros are computed for the columns behind n. A row of C is
 * the same to the bit whatever rows it is computed with. */
void tg_prepacked_product(const tg_prepacked *p, int64_t rows, const void *a, int64_t a_row, bool add,
                          void *c, int64_t c_row);

#endif
