/* In-place changes. They change elements, not history: allowed on tensors that need no gradient, and on any
 * leaf while recording is off (tg_set_grad_enabled(false)), as optimisers do; otherwise TG_ERR_TAPE. Each
 * raises the buffer's version, so that a backward pass that needed the old values refuses and names both
 * ops. A tensor that shows one element in several places, or memory that no buffer of the library holds, is
 * TG_ERR_ARGUMENT. All return TG_OK or the error, and change nothing on error. */
#ifndef TG_OPS_ELEMENTWISE_INPLACE_H
#define TG_OPS_ELEMENTWISE_INPLACE_H

#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_status tg_copy_(tg_tensor *x, const tg_tensor *src); /* x = src, broadcast and converted */
TG_API tg_status tg_fill_(tg_tensor *x, double value);         /* x = value */
TG_API tg_status tg_zero_(tg_tensor *x);                       /* x = 0 */
TG_API tg_status tg_add_(tg_tensor *x, const tg_tensor *y, double alpha); /* x += alpha * y, y broadcast */
TG_API tg_status tg_mul_(tg_tensor *x, const tg_tensor *y);               /* x *= y, y broadcast */

/* ---- steps of optimisers, each one pass over a parameter p and its state. All tensors have p's shape and dtype (f32 or
 * f64), and none lies within the memory of another (TG_ERR_ARGUMENT). So is a number that is negative or not finite, a
 * beta of 1 or more, and a momentum without a velocity. The optimisers of ops/nn/optim.h are made of these. ---- */

/* With d = grad + weight_decay p:  p -= lr d  without a velocity (NULL), else
 *     velocity = momentum velocity + d;  p -= lr (nesterov ? d + momentum velocity : velocity).
 * As torch.optim.SGD. */
typedef struct tg_sgd_update {
    double lr, momentum, weight_decay;
    bool nesterov;
} tg_sgd_update;
TG_API tg_status tg_sgd_(tg_tensor *p, tg_tensor *velocity, const tg_tensor *grad, tg_sgd_update update);

/* Step number t = 1, 2, ... of Adam (Kingma and Ba 2015) or, when decoupled, AdamW (Loshchilov and Hutter 2019):
 *     d = grad + weight_decay p  (decoupled: grad, and p is first multiplied by 1 - lr weight_decay)
 *     m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2
 *     p -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
 * No field has a default. As torch.optim.Adam. */
typedef struct tg_adam_update {
    double lr, beta1, beta2, eps, weight_decay;
    bool decoupled;
    int64_t t;
} tg_adam_update;
TG_API tg_status tg_adam_(tg_tensor *p, tg_tensor *m, tg_tensor *v, const tg_tensor *grad, tg_adam_update update);

#ifdef __cplusplus
}
#endif

#define tg_sgd_(p, velocity, grad, ...) \
    TG_STATUS_AT((tg_sgd_)((p), (velocity), (grad), TG_OPTIONS(tg_sgd_update, __VA_ARGS__)))
#define tg_adam_(p, m, v, grad, ...) \
    TG_STATUS_AT((tg_adam_)((p), (m), (v), (grad), TG_OPTIONS(tg_adam_update, __VA_ARGS__)))
#define tg_copy_(x, src) TG_STATUS_AT((tg_copy_)((x), (src)))
#define tg_fill_(x, value) TG_STATUS_AT((tg_fill_)((x), (value)))
#define tg_zero_(x) TG_STATUS_AT((tg_zero_)(x))
#define tg_add_(x, y, alpha) TG_STATUS_AT((tg_add_)((x), (y), (alpha)))
#define tg_mul_(x, y) TG_STATUS_AT((tg_mul_)((x), (y)))

#endif
