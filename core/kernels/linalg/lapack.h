/* Private. Factorisations of square matrices, and the triangular systems that they lead to. Matrices are the
 * last two axes of an array [.., n, n] of f32 or f64, each contiguous; unless said otherwise the whole array
 * is. n fits an int. Batches are shared among threads, a matrix at a time, so that results do not depend on
 * the number of threads.
 */
#ifndef TG_CORE_KERNELS_LINALG_LAPACK_H
#define TG_CORE_KERNELS_LINALG_LAPACK_H

#include "core/kernels/kernels.h"

/* A = L L^T in place: the lower triangle of A becomes L, or the upper one L^T; the other triangle is neither
 * read nor written. Returns the number, counted over the batch, of the first matrix with a pivot that is not
 * positive (NaN is not), or -1 when there is none. After such a pivot the content is undefined. */
int64_t tg_cholesky_factor(const tg_array *a, bool upper);

/* A = L U P in place: L in the lower triangle with the diagonal, U above it with ones on its diagonal. P exchanges
 * the rows k and pivot[k], k = 0, 1, .. in this order: column pivot[k] held the largest element left of row k.
 * `pivot` is [.., n, 1], i32. Returns the number of the first matrix with a 0 on the diagonal of L, or -1; the
 * factors are right in any case. */
int64_t tg_lu_factor(const tg_array *a, const tg_array *pivot);

/* B becomes A^-1 B, or A^-T B, from the factors of A. B is [.., n, k], contiguous, k fits an int; lu and pivot have its
 * batch axes, with any strides. */
void tg_lu_solve(const tg_array *lu, const tg_array *pivot, bool transpose, const tg_array *b);

typedef struct tg_triangle {
    bool upper, transpose, unit; /* which triangle of A is read; A^T in place of A; ones for its diagonal */
} tg_triangle;

/* B becomes T^-1 B, T the triangle of A. A has the batch axes of B, with any strides. */
void tg_solve_triangle(const tg_array *a, tg_triangle t, const tg_array *b);

/* The least n that goes to LAPACK, in builds that have it; below it the loops are faster, and other builds have
 * nothing else. Tests turn it. */
extern int64_t tg_lapack_from;

#endif
