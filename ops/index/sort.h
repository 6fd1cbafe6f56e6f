/* Sorting along one axis, f32, f64, i32, i64, u8 and bool. NaN counts as larger than everything, as in
 * PyTorch. Elements that tie keep their order. The gradient goes back to where each value came from. */
#ifndef TG_OPS_INDEX_SORT_H
#define TG_OPS_INDEX_SORT_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The elements along `axis` in order, and in *index (when not NULL) where each stood in x, as i64.
 *     tg_sort(x, -1, .descending = true, .index = &order) */
typedef struct tg_sort_opts {
    bool descending;
    tg_tensor **index;
    char end; /* no option: ops/calls.h */
} tg_sort_opts;
TG_API tg_tensor *tg_sort_with(tg_tensor *x, int axis, tg_sort_opts opts);

/* The k largest elements along `axis`, largest first, or the k smallest, smallest first; in *index where
 * each stood, the first one of those that tie. More than there are is TG_ERR_ARGUMENT. */
typedef struct tg_topk_opts {
    bool smallest;
    tg_tensor **index;
    char end; /* no option: ops/calls.h */
} tg_topk_opts;
TG_API tg_tensor *tg_topk_with(tg_tensor *x, int64_t k, int axis, tg_topk_opts opts);

#ifdef __cplusplus
}
#endif

#endif
