/* Scaled dot-product attention as one op. */
#ifndef TG_OPS_STRUCTURED_ATTENTION_H
#define TG_OPS_STRUCTURED_ATTENTION_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out = softmax(scale q k^T + mask) v, for q [.., l, e], k [.., s, e], v [.., s, d], f32 or f64; out is [.., l, d]. Leading
 * axes broadcast as in tg_matmul. The mask broadcasts to [.., l, s]: a bool one says which pairs take part; one of q's
 * dtype is added, and may require a gradient. With causal, query i sees the keys 0..i. A query that sees no key, since all
 * its scores are -inf, gets 0 and passes no gradient on. A key that is masked out has weight 0 in products: an infinite or
 * NaN v of it makes the result NaN, and an infinite or NaN k the gradient of q. All this is as in PyTorch.
 *
 * Neither pass holds an [l, s] matrix: both work on tiles, and the backward pass recomputes the scores and normalises
 * them by the logsumexp of each query. Only a walk that is recorded, and the gradient of an added mask, hold one. Where
 * one key has nearly all of a query's probability, the gradient of its score is computed from the other keys. Where
 * leading axes broadcast, gradients take the broadcast shape before they are summed. q, k and v may be views of any
 * strides; those whose last axis has stride 1 are not copied.
 *
 * Errors: TG_ERR_SHAPE, TG_ERR_DTYPE, TG_ERR_MEMORY. */
typedef struct tg_scaled_dot_product_attention_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *mask;
    bool causal;
    double scale;          /* default 1 / sqrt(e); TG_ZERO for 0. Not finite: TG_ERR_ARGUMENT */
    tg_tensor **logsumexp; /* where not NULL: receives log sum e^score of each query, [.., l], differentiable */
} tg_scaled_dot_product_attention_opts;
TG_API tg_tensor *tg_scaled_dot_product_attention_with(tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                                       tg_scaled_dot_product_attention_opts opts);

#ifdef __cplusplus
}
#endif

#endif
