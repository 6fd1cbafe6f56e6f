/* Attention, embedding, dropout and resizing: compositions of other ops. */
#ifndef TG_OPS_ATTENTION_H
#define TG_OPS_ATTENTION_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* softmax(q k^T scale + mask) v, for q [.., l, e], k [.., s, e], v [.., s, d]; the result is [.., l, d].
 * Leading axes broadcast as in tg_matmul. A bool mask that broadcasts to [.., l, s] says which pairs take
 * part; one of q's dtype is added. With causal, query i sees the keys 0..i. A query that a bool mask lets
 * see nothing gets 0. */
typedef struct tg_attention_opts {
    tg_tensor *mask;
    bool causal;
    double scale; /* default 1 / sqrt(e) */
} tg_attention_opts;
TG_API tg_tensor *tg_scaled_dot_product_attention(tg_tensor *q, tg_tensor *k, tg_tensor *v,
                                                  tg_attention_opts opts);

/* The rows of weight [n, d] that index (i64 or i32, any shape) names: [.., d]. With padding, no gradient
 * flows from the places where the index is padding_index. Both may count from the end. */
typedef struct tg_embedding_opts {
    bool padding;
    int64_t padding_index;
} tg_embedding_opts;
TG_API tg_tensor *tg_embedding(tg_tensor *weight, tg_tensor *index, tg_embedding_opts opts);

/* In training each element is 0 with probability p, and divided by 1 - p otherwise; else x itself. The
 * numbers come from this thread's default stream (core/random.h), one an element. */
TG_API tg_tensor *tg_dropout(tg_tensor *x, double p, bool training);

/* x [images, channels, height, width] resized to `size`, or by `scale` where size is left out: each place
 * of the result takes the nearest element, or the mean of the four around it, weighted by nearness. The
 * corners of the first and last *elements* coincide, or with align_corners their centres (bilinear only). */
typedef enum tg_interpolation { TG_NEAREST, TG_BILINEAR } tg_interpolation;
typedef struct tg_interpolate_opts {
    int64_t size[2];
    double scale[2];
    tg_interpolation mode;
    bool align_corners;
} tg_interpolate_opts;
TG_API tg_tensor *tg_interpolate(tg_tensor *x, tg_interpolate_opts opts);

#ifdef __cplusplus
}
#endif

#define tg_scaled_dot_product_attention(q, k, v, ...) \
    TG_AT((tg_scaled_dot_product_attention)((q), (k), (v), TG_OPTIONS(tg_attention_opts, __VA_ARGS__)))
#define tg_embedding(weight, index, ...) \
    TG_AT((tg_embedding)((weight), (index), TG_OPTIONS(tg_embedding_opts, __VA_ARGS__)))
#define tg_dropout(x, p, training) TG_AT((tg_dropout)((x), (p), (training)))
#define tg_interpolate(x, ...) TG_AT((tg_interpolate)((x), TG_OPTIONS(tg_interpolate_opts, __VA_ARGS__)))

#endif
