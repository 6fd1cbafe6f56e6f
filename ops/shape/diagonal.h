/* Diagonals and triangles. `offset` 0 is the main diagonal, k > 0 lies k places to the right of it, k < 0
 * lies -k places below. Any dtype. */
#ifndef TG_OPS_SHAPE_DIAGONAL_H
#define TG_OPS_SHAPE_DIAGONAL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The diagonal of the matrices that two axes span: a view in which both axes go and the diagonal comes last
 * (torch.diagonal). One that lies outside the matrix is empty.
 *     tg_sum(tg_diagonal(x, 0, -2, -1))     the trace */
TG_API tg_tensor *tg_diagonal(tg_tensor *x, int64_t offset, int axis0, int axis1);

/* A copy of x in which that diagonal is src, which has the shape of the diagonal (torch.diagonal_scatter). */
TG_API tg_tensor *tg_diagonal_scatter(tg_tensor *x, tg_tensor *src, int64_t offset, int axis0, int axis1);

/* The last axis of x laid out as the diagonal of a square matrix of zeros: [.., n] becomes [.., m, m] with
 * m = n + |offset| (torch.diag_embed). */
TG_API tg_tensor *tg_diag_embed(tg_tensor *x, int64_t offset);

/* Of a vector the matrix with that diagonal, of a matrix its diagonal as a view (torch.diag); other ranks are
 * TG_ERR_SHAPE. */
TG_API tg_tensor *tg_diag(tg_tensor *x, int64_t offset);

/* The lower (upper) triangle of the last two axes, the diagonal included, 0 elsewhere. */
TG_API tg_tensor *tg_tril(tg_tensor *x, int64_t offset);
TG_API tg_tensor *tg_triu(tg_tensor *x, int64_t offset);

#ifdef __cplusplus
}
#endif

#endif
