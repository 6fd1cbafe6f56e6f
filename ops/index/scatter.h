/* Writing at computed positions, and reading with indices that broadcast. Indices are as in ops/index/gather.h. */
#ifndef TG_OPS_INDEX_SCATTER_H
#define TG_OPS_INDEX_SCATTER_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of x in which src[.., j, ..] stands at [.., index[.., j, ..], ..] (torch.scatter). src has
 * index's shape; x and index fit as in tg_gather. Where equal indices meet the last in row-major order
 * stays, and gets the gradient. Any dtype. */
TG_API tg_tensor *tg_scatter(tg_tensor *x, int axis, tg_tensor *index, tg_tensor *src);

/* tg_gather with x and index broadcast against each other off the axis: what tg_sort, tg_max with keepdim and
 * their like return as index fits as it is. */
TG_API tg_tensor *tg_take_along_dim(tg_tensor *x, tg_tensor *index, int axis);

/* i64 of shape [.., classes]: 1 at [.., index[..]], 0 elsewhere. No gradient. */
TG_API tg_tensor *tg_one_hot(tg_tensor *index, int64_t classes);

#ifdef __cplusplus
}
#endif

#endif
