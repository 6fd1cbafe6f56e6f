/* Optimisers. A step uses the gradients that tg_backward accumulated and clears them. All or nothing: on
 * any error the parameters, their gradients and the optimiser's state are what they were.
 */
#ifndef TG_OPS_NN_OPTIM_H
#define TG_OPS_NN_OPTIM_H

#include "ops/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_optim tg_optim;

/* Of a model: every parameter it has at the time of each step, so layers that appear later are included.
 * Parameters without a gradient are skipped; a step in which none has one is TG_ERR_TAPE. The model must
 * outlive the optimiser: a step without it is TG_ERR_ARGUMENT. NULL with an error raised when an option is out of
 * range (a number negative or not finite, beta outside [0, 1)) there is no memory, or an error is pending. */

/* v = momentum * v + g (+ weight_decay * p);  p -= lr * (nesterov ? g + momentum * v : v). torch.optim.SGD.
 * nesterov needs a momentum. */
typedef struct tg_sgd_opts {
    double momentum, weight_decay;
    bool nesterov;
} tg_sgd_opts;
TG_API tg_optim *tg_sgd(tg_model *model, double lr, tg_sgd_opts opts);

/* Kingma and Ba (2015), as torch.optim.Adam: m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 * p -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps). weight_decay adds weight_decay * p to g;
 * `decoupled` subtracts lr * weight_decay * p from p instead (AdamW, Loshchilov and Hutter 2019).
 * Left out: beta1 0.9, beta2 0.999, eps 1e-8; TG_ZERO asks for 0. */
typedef struct tg_adam_opts {
    double beta1, beta2, eps, weight_decay;
    bool decoupled;
} tg_adam_opts;
TG_API tg_optim *tg_adam(tg_model *model, double lr, tg_adam_opts opts);

TG_API tg_status tg_optim_step(tg_optim *optim);

/* NULL is ignored. An optimiser that was freed is TG_ERR_ARGUMENT, here and everywhere. */
TG_API void tg_optim_free(tg_optim *optim);

/* The learning rate, for schedules. */
TG_API double tg_optim_lr(const tg_optim *optim);
TG_API tg_status tg_optim_set_lr(tg_optim *optim, double lr);

/* Clears the gradients of all parameters without using them. */
TG_API void tg_model_zero_grad(tg_model *model);

#ifdef __cplusplus
}
#endif

#define tg_sgd(model, lr, ...) ((tg_sgd)((model), (lr), TG_OPTIONS(tg_sgd_opts, __VA_ARGS__)))
#define tg_adam(model, lr, ...) ((tg_adam)((model), (lr), TG_OPTIONS(tg_adam_opts, __VA_ARGS__)))
#define tg_optim_step(optim) TG_STATUS_AT((tg_optim_step)(optim))

#endif
