/* Initial values of weights. A weight has shape [out, in] or [out, in, kernel...]; fan_in = in * kernel is the number
 * of inputs of one output, and fan_out = out * kernel. Gains and bounds follow torch.nn.init. */
#ifndef TG_OPS_NN_INIT_H
#define TG_OPS_NN_INIT_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All are of type tg_init_fn and fill f32 or f64 (TG_ERR_DTYPE); `user`, which a layer passes on from its option init_user,
 * is unused where not mentioned. */
TG_API tg_status tg_init_zeros(tg_tensor *w, tg_rng *rng, const void *user);
TG_API tg_status tg_init_ones(tg_tensor *w, tg_rng *rng, const void *user);

/* He et al., "Delving deep into rectifiers" (2015), for relu: uniform in +-sqrt(6 / fan_in), or normal
 * with deviation sqrt(2 / fan_in). */
TG_API tg_status tg_init_kaiming_uniform(tg_tensor *w, tg_rng *rng, const void *user);
TG_API tg_status tg_init_kaiming_normal(tg_tensor *w, tg_rng *rng, const void *user);

/* Glorot and Bengio (2010), for tanh and sigmoid: uniform in +-sqrt(6 / (fan_in + fan_out)), or normal
 * with deviation sqrt(2 / (fan_in + fan_out)). */
TG_API tg_status tg_init_xavier_uniform(tg_tensor *w, tg_rng *rng, const void *user);
TG_API tg_status tg_init_xavier_normal(tg_tensor *w, tg_rng *rng, const void *user);

/* Uniform in [-bound, bound), where `user` points to the bound, a double that is finite and not negative. */
TG_API tg_status tg_init_uniform(tg_tensor *w, tg_rng *rng, const void *user);

#ifdef __cplusplus
}
#endif
#endif
