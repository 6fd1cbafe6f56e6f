/* Private. What the ops on square matrices share: the shapes of A X = B, and the factors of A. */
#ifndef TG_OPS_LINALG_SYSTEMS_H
#define TG_OPS_LINALG_SYSTEMS_H

#include "core/kernels/linalg/lapack.h"
#include "ops/shared.h"

/* ---- for infer and forward; all raise the error themselves ---- */

/* Input 0 is f32 or f64, [.., n, n]. */
tg_status tg_call_square(const tg_call *call);

/* The same, and lays out output 0 like input 0. */
tg_status tg_infer_square(const tg_call *call);

/* Lays out output 0 with the shape of X in A X = B; ops/linalg/linalg.h has the rule. */
tg_status tg_infer_system(const tg_call *call);

/* Raises "<op>: matrix 2 of covariance [5, 3, 3] f32 is singular", where `what` is "singular". */
tg_status tg_call_fail_matrix(const tg_call *call, int64_t number, const char *what);

/* ---- A X = B ---- */

/* Whether B holds vectors: it is [n], or has the shape of A without its last axis. */
bool tg_are_vectors(tg_shape a, tg_shape b);

/* `x`, which has the shape of X, as matrices [.., n, k]; borrowed. */
tg_array tg_as_columns(const tg_array *x, bool vectors);

/* Copies B to output 0, where X is to be, and returns that as matrices. */
tg_array tg_copy_rhs(const tg_call *call);

/* ---- factors of A ---- */

typedef struct tg_lu {
    tg_array lu, pivot; /* [.., n, n], and [.., n, 1] of i32 */
    int64_t singular;   /* number of the first singular matrix, or -1 */
} tg_lu;

tg_shape tg_pivot_shape(const tg_array *a);

/* tg_lu_fill factors into the arrays of *f, which are allocated. tg_lu_of allocates them too, to be dropped with
 * tg_lu_drop, and leaves them empty when it fails. */
void tg_lu_fill(const tg_array *a, tg_lu *f);
tg_status tg_lu_of(const tg_array *a, tg_lu *f);
void tg_lu_drop(tg_lu *f);

/* X = A^-1 X, or A^-T X, for a contiguous X [.., n, k] to whose batch axes those of A broadcast. */
void tg_lu_apply(const tg_lu *f, bool transpose, const tg_array *x);

/* Every matrix of x, which is contiguous, becomes the identity matrix. */
void tg_fill_identity(const tg_array *x);

#endif
