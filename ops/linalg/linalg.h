/* Linear algebra on square matrices [.., n, n] of f32 or f64: the last two axes are the matrix, those before them a batch.
 * Names and meaning are those of torch.linalg unless said otherwise. Matrices of size 0 are allowed. A matrix that is not
 * square is TG_ERR_SHAPE. A matrix that a function cannot work on is TG_ERR_ARGUMENT, and the error names its number,
 * counted over the batch in row-major order from 0.
 *
 * All have derivatives of every order. Those of tg_cholesky, tg_solve, tg_triangular_solve and tg_inverse go through
 * products of the result with gradients. Where a matrix mixes scales these can overflow, to infinity or NaN, though the
 * derivative itself does not; a second derivative is more prone to it than a first. The work is done by LAPACK where the
 * CBLAS library brings it (OpenBLAS does) and by plain loops elsewhere. Results do not depend on the number of threads: a
 * batch is shared among them, and a single matrix runs on one.
 */
#ifndef TG_OPS_LINALG_LINALG_H
#define TG_OPS_LINALG_LINALG_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- factorisation ---- */

/* The lower triangular L with positive diagonal and a = L L^T; the other triangle is 0. With .upper it is the
 * transpose U, a = U^T U. `a` must be symmetric and positive definite. Of a matrix that is not symmetric the
 * symmetric part (a + a^T) / 2 is factored, where PyTorch reads one triangle, so that value and gradient agree: the
 * gradient of both libraries is symmetric. A matrix that is not positive definite, or has a NaN, is TG_ERR_ARGUMENT.
 *     tg_tensor *l = tg_cholesky(covariance);     log det is 2 * sum(log(diagonal(l))) */
typedef struct tg_cholesky_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool upper;
} tg_cholesky_opts;
TG_API tg_tensor *tg_cholesky_with(tg_tensor *a, tg_cholesky_opts opts);

/* ---- systems ---- */

/* The X with a X = b. `b` is a matrix [.., n, k], whose columns are right-hand sides, or a vector [n], or vectors
 * [.., n] of the shape of `a` without its last axis; X has the same form. The axes before those broadcast. (So
 * with a [2, 2, 2], b [2, 2] is two vectors, while [1, 2, 2] is one matrix for both, as in PyTorch.) A
 * singular matrix, one with an exact 0 among its pivots, is TG_ERR_ARGUMENT; one that is nearly so gives
 * large numbers with large errors. The factors of `a` stay on the tape, for the gradient. */
TG_API tg_tensor *tg_solve(tg_tensor *a, tg_tensor *b);

/* The X with T X = b, where T is the lower triangle of `a`, diagonal included; the elements above it are neither
 * read nor given a gradient. .upper takes the upper triangle; .transpose solves T^T X = b;
 * .unit_diagonal takes ones for the diagonal. (torch.linalg.solve_triangular, with `transpose` added.) The
 * shapes of b are those of tg_solve. A 0 on the diagonal is no error: it gives infinities and NaN. */
typedef struct tg_triangular_solve_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool upper, transpose, unit_diagonal;
} tg_triangular_solve_opts;
TG_API tg_tensor *tg_triangular_solve_with(tg_tensor *a, tg_tensor *b, tg_triangular_solve_opts opts);

/* The inverse, as tg_solve with the identity matrix would give it, but its gradient is two products and needs no factors.
 * For a system, tg_solve is faster and more accurate. A singular matrix is TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_inverse(tg_tensor *a);

/* ---- determinants ---- */

/* The determinant, [.., n, n] to [..]; of size 0 it is 1. It overflows early, and tg_slogdet gives its logarithm.
 * Its gradient is tg_cofactor(a), which a singular matrix has as well (PyTorch gives 0), and which is right
 * where the determinant itself leaves the range. */
TG_API tg_tensor *tg_det(tg_tensor *a);

/* The matrix of cofactors, det(a) a^-T, also where `a` has no inverse: the transpose of the adjugate. At rank
 * n - 2 or less it is 0. NaN anywhere makes all of it NaN. (PyTorch has it only as part of the gradient of det.)
 * At n = 2 its derivative, and so the second one of tg_det, is exact whatever `a` holds. At other n it needs the inverse: of
 * a singular matrix it is TG_ERR_ARGUMENT, and of one whose inverse or cofactors leave the range, such as
 * diag(1e-200, 1, 1e200), it may be infinite or NaN; balance such a matrix first. */
TG_API tg_tensor *tg_cofactor(tg_tensor *a);

/* log |det|, [.., n, n] to [..]; *sign, when not NULL, receives the sign of det, -1, 0 or 1, which has no gradient (both are
 * outputs of torch.linalg.slogdet). A singular matrix has sign 0 and logarithm -inf; the gradient there is
 * TG_ERR_ARGUMENT.
 *     tg_slogdet(a, .sign = &sign) */
typedef struct tg_slogdet_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor **sign;
} tg_slogdet_opts;
TG_API tg_tensor *tg_slogdet_with(tg_tensor *a, tg_slogdet_opts opts);

#ifdef __cplusplus
}
#endif

#endif
