/* Private. What the ops on square matrices share: the shapes of A X = B, and the factors of A. */
#ifndef TG_OPS_LINALG_SYSTEMS_H
#define TG_OPS_LINALG_SYSTEMS_H

#include "core/kernels/linalg/lapack.h"
#include "ops/shared.h"

/* ---- for infer and forward; all raise the error themselves ---- */

/* Input 0 is f32 or f64, [.., n, n]. */
tg_status tg_call_square(const tg_call *call);

/* out has input 0's shape, which is [.., n, n]. */
tg_status tg_infer_square(const tg_call *call);

/* out has the shape of X in A X = B; ops/linalg/linalg.h has the rule. */
tg_status tg_infer_system(const tg_call *call);

/* "<op>: matrix 2 of covariance [5, 3, 3] f32 is singular". */
tg_status tg_call_fail_matrix(const tg_call *call, int64_t number, const char *what);

/* ---- A X = B ---- */

/* Whether B is vectors: [n], or of the shape of A without its last axis. */
bool tg_are_vectors(tg_shape a, tg_shape b);

/* `x` of the shape of X, borrowed, as matrices [.., n, k]. */
tg_array tg_as_columns(const tg_array *x, bool vectors);

/* Copies B to out and returns out as matrices: where X is to be. */
tg_array tg_copy_rhs(const tg_call *call);

/* ---- factors of A ---- */

typedef struct tg_lu {
    tg_array lu, pivot; /* [.., n, n] and [.., n, 1], i32 */
    int64_t singular;   /* number of the first singular matrix, or -1 */
} tg_lu;

tg_shape tg_pivot_shape(const tg_array *a);

/* Factors into the arrays of *f, which are there; tg_lu_of makes them, to be dropped with tg_lu_drop, and leaves them
 * empty when the status is not TG_OK. */
void tg_lu_fill(const tg_array *a, tg_lu *f);
tg_status tg_lu_of(const tg_array *a, tg_lu *f);
void tg_lu_drop(tg_lu *f);

/* X = A^-1 X or A^-T X, X contiguous [.., n, k]; its batch axes are those of A, or A's broadcast to them. */
void tg_lu_apply(const tg_lu *f, bool transpose, const tg_array *x);

/* Every matrix of x, contiguous, becomes the unit matrix. */
void tg_fill_identity(const tg_array *x);

#endif
