/* Diagonals and triangles of tensors of any dtype. `offset` 0 is the main diagonal; offset k > 0 lies k
 * places to the right of it, and k < 0 lies -k places below. */
#ifndef TG_OPS_SHAPE_DIAGONAL_H
#define TG_OPS_SHAPE_DIAGONAL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The diagonal of the matrices that two axes span, as a view without the two axes and with the diagonal as
 * last axis (torch.diagonal). A diagonal that lies outside the matrix is empty.
 *     tg_sum(tg_diagonal(x, 0, -2, -1))     the trace */
TG_API tg_tensor *tg_diagonal(tg_tensor *x, int64_t offset, int axis0, int axis1);

/* A copy of x in which that diagonal is src, which has the shape of the diagonal (torch.diagonal_scatter). */
TG_API tg_tensor *tg_diagonal_scatter(tg_tensor *x, tg_tensor *src, int64_t offset, int axis0, int axis1);

/* Square matrices of zeros with the last axis of x as diagonal: [.., n] becomes [.., m, m] with m = n +
 * |offset| (torch.diag_embed). */
TG_API tg_tensor *tg_diag_embed(tg_tensor *x, int64_t offset);

/* The matrix that has the vector x as diagonal, or the diagonal of the matrix x as a view (torch.diag);
 * other ranks are TG_ERR_SHAPE. */
TG_API tg_tensor *tg_diag(tg_tensor *x, int64_t offset);

/* The lower (upper) triangle of the matrices of the last two axes, with that diagonal, and 0 elsewhere. */
TG_API tg_tensor *tg_tril(tg_tensor *x, int64_t offset);
TG_API tg_tensor *tg_triu(tg_tensor *x, int64_t offset);

#ifdef __cplusplus
}
#endif

#endif
