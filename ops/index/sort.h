/* Sorting along one axis, for every dtype. NaN counts as larger than everything, as in PyTorch, and
 * elements that tie keep their order. The gradient goes back to where each value came from. */
#ifndef TG_OPS_INDEX_SORT_H
#define TG_OPS_INDEX_SORT_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The elements along `axis` in order; *index, unless NULL, becomes the i64 positions at which they stood
 * in x.
 *     tg_sort(x, -1, .descending = true, .index = &order) */
typedef struct tg_sort_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool descending;
    tg_tensor **index;
} tg_sort_opts;
TG_API tg_tensor *tg_sort_with(tg_tensor *x, int axis, tg_sort_opts opts);

/* The k largest elements along `axis`, largest first, or the k smallest, smallest first; *index is as for
 * tg_sort, and of elements that tie the first are taken. k is TG_ERR_ARGUMENT unless it is from 0 to the
 * size of the axis. */
typedef struct tg_topk_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool smallest;
    tg_tensor **index;
} tg_topk_opts;
TG_API tg_tensor *tg_topk_with(tg_tensor *x, int64_t k, int axis, tg_topk_opts opts);

#ifdef __cplusplus
}
#endif

#endif
