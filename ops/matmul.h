/* Matrix products. */
#ifndef TG_OPS_MATMUL_H
#define TG_OPS_MATMUL_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[.., i, j] = sum_k a[.., i, k] b[.., k, j], f32 or f64, with torch.matmul's shapes: the axes before the
 * last two broadcast; a vector a [k] counts as [1, k] and a vector b [k] as [k, 1], and the added axis is
 * dropped from the result; so vector times vector is their dot product. Rank 0 and inner sizes that differ
 * are TG_ERR_SHAPE. An inner size of 0 gives zeros. */
TG_API tg_tensor *tg_matmul(tg_tensor *a, tg_tensor *b);

#ifdef __cplusplus
}
#endif

#define tg_matmul(a, b) TG_AT((tg_matmul)((a), (b)))

#endif
