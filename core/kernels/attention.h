/* Private. Attention without the matrix of scores: tiles of it, softmax along the way (Dao et al., FlashAttention, 2022).
 * As in core/kernels/kernels.h: callers have checked shapes and dtypes, and f32 or f64 throughout.
 */
#ifndef TG_CORE_KERNELS_ATTENTION_H
#define TG_CORE_KERNELS_ATTENTION_H

#include "core/kernels/kernels.h"

/* q [.., l, e], k [.., s, e], v [.., s, d], whose last axis has stride 1; mask NULL, or bool or of q's dtype,
 * [.., l, s]. Leading axes broadcast to those of out. out [.., l, d], lse [.., l], contiguous. */
typedef struct tg_attention {
    const tg_array *q, *k, *v, *mask, *out, *lse;
    bool causal;
    double scale;
} tg_attention;

/* out = P v and lse = logsumexp(S), for S = scale q k^T + mask (-inf where it hides, and with causal where s > l) and
 * P = softmax(S); where S is -inf throughout, out = 0 and lse = -inf. TG_ERR_MEMORY. */
tg_status tg_attention_forward(const tg_attention *a);

/* From g = dL/d(out) [.., l, d], last axis of stride 1, and dlse = dL/d(lse) or NULL, with what forward wrote: dq, dk, dv
 * and dmask, each unless NULL, contiguous and with the leading axes of out, and not cleared. TG_ERR_MEMORY.
 *     dv = P^T g,  dS = P (g v^T - sum(g out) + dlse),  dq = scale dS k,  dk = scale dS^T q,  dmask = dS
 * One thread has a head: what adds up does so in one order. */
typedef struct tg_attention_gradient {
    const tg_array *g, *dlse, *dq, *dk, *dv, *dmask;
} tg_attention_gradient;
tg_status tg_attention_backward(const tg_attention *a, const tg_attention_gradient *d);

#endif
