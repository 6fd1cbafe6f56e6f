/* Private. Attention without the matrix of scores: tiles of it, with softmax along the way (T. Dao and others,
 * FlashAttention, 2022). As in core/kernels/kernels.h callers have checked shapes and dtypes; all are f32 or f64.
 */
#ifndef TG_CORE_KERNELS_ATTENTION_ATTENTION_H
#define TG_CORE_KERNELS_ATTENTION_ATTENTION_H

#include "core/kernels/kernels.h"

/* q [.., l, e], k [.., s, e], v [.., s, d], whose last axis has stride 1; mask [.., l, s]: NULL, bool, or of
 * q's dtype. Leading axes broadcast to those of out; the mask broadcasts along all of its axes. out [.., l, d]
 * and lse [.., l] are contiguous. */
typedef struct tg_attention {
    const tg_array *q, *k, *v, *mask, *out, *lse;
    bool causal;
    double scale;
} tg_attention;

/* out = P v and lse = logsumexp(S), for P = softmax(S) and S = scale q k^T + mask, -inf where a bool mask is
 * false, and with causal where s > l. Where S is -inf throughout, out = 0 and lse = -inf. TG_ERR_MEMORY. */
tg_status tg_attention_forward(const tg_attention *a);

/* From g = dL/d(out) [.., l, d], last axis of stride 1, and dlse = dL/d(lse) or NULL, with what forward wrote:
 *     dv = P^T g,  dS = P (g v^T - sum(g out) + dlse),  dq = scale dS k,  dk = scale dS^T q,  dmask = dS
 * each unless NULL, contiguous, with the leading axes of out; nothing is added to. dS of a P above 3/4 is made of the
 * query's other P. One thread does a head from
 * its first query to its last, so that sums have one order. TG_ERR_MEMORY. */
typedef struct tg_attention_gradient {
    const tg_array *g, *dlse, *dq, *dk, *dv, *dmask;
} tg_attention_gradient;
tg_status tg_attention_backward(const tg_attention *a, const tg_attention_gradient *d);

#endif
