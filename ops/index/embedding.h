/* Rows of a table by index, and dropout. Both are compositions of other ops. */
#ifndef TG_OPS_INDEX_EMBEDDING_H
#define TG_OPS_INDEX_EMBEDDING_H

#include "autograd/op.h"
#include "core/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of weight [n, d] that index (i64 or i32, of any shape [..]) names: [.., d]. With `padding`, no
 * gradient flows from where the index is padding_index. Both may be negative and then count from the end. */
typedef struct tg_embedding_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool padding;
    int64_t padding_index;
} tg_embedding_opts;
TG_API tg_tensor *tg_embedding_with(tg_tensor *weight, tg_tensor *index, tg_embedding_opts opts);

/* In training, each element becomes 0 with probability p in [0, 1] (TG_ERR_ARGUMENT otherwise) and is
 * divided by 1 - p if not; else the result is x itself. With by_channel this happens to whole channels of
 * x [images, channels, ..] (torch.nn.functional.dropout1d, dropout2d, dropout3d). One random number an element, or a
 * channel, is drawn from the stream `rng` (core/random.h), NULL being this thread's default one; two such calls among the
 * arguments of one call draw in either order (docs/evaluation-order.md). tg_checkpoint puts back the default stream for its
 * second run; a function that draws from another must begin it anew each time. */
typedef struct tg_dropout_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_rng *rng;
    bool by_channel;
} tg_dropout_opts;
TG_API tg_tensor *tg_dropout_with(tg_tensor *x, double p, bool training, tg_dropout_opts opts);

#ifdef __cplusplus
}
#endif

#endif
