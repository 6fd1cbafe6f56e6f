/* Writing at computed positions, and reading with indices that broadcast. Indices are as in ops/index/gather.h. */
#ifndef TG_OPS_INDEX_SCATTER_H
#define TG_OPS_INDEX_SCATTER_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of x in which src[.., j, ..] stands at [.., index[.., j, ..], ..] (torch.scatter). src has
 * index's shape and x's dtype, which is any; x and index fit as in tg_gather. Of equal indices the last in
 * row-major order wins, and gets the gradient. */
TG_API tg_tensor *tg_scatter(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src);

/* tg_gather with x and index broadcast against each other apart from the axis. The indices that tg_sort,
 * and tg_max with keepdim, return fit as they are. */
TG_API tg_tensor *tg_take_along_dim(tg_tensor *x, tg_tensor *index, int axis);

/* i64 of shape [.., classes], without gradient: 1 at [.., index[..]], 0 elsewhere. */
TG_API tg_tensor *tg_one_hot(tg_tensor *index, int64_t classes);

#ifdef __cplusplus
}
#endif

#endif
