/* Rows of a table by index, and dropout: compositions of other ops. */
#ifndef TG_OPS_INDEX_EMBEDDING_H
#define TG_OPS_INDEX_EMBEDDING_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of weight [n, d] that index (i64 or i32, any shape) names: [.., d]. With padding, no gradient
 * flows from the places where the index is padding_index. Both may count from the end. */
typedef struct tg_embedding_opts {
    bool padding;
    int64_t padding_index;
    char end; /* no option: ops/calls.h */
} tg_embedding_opts;
TG_API tg_tensor *tg_embedding_with(tg_tensor *weight, tg_tensor *index, tg_embedding_opts opts);

/* In training each element is 0 with probability p, and divided by 1 - p otherwise; else x itself. The
 * numbers come from this thread's default stream (core/random.h), one an element; two such
 * calls among the arguments of one call come in either order (docs/evaluation-order.md). */
TG_API tg_tensor *tg_dropout(tg_tensor *x, double p, bool training);

#ifdef __cplusplus
}
#endif

#endif
