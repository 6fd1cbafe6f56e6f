/* Private. How initialisers fill. */
#ifndef TG_OPS_NN_LAYERS_INIT_PRIVATE_H
#define TG_OPS_NN_LAYERS_INIT_PRIVATE_H

#include "ops/nn/layers/init.h"

/* Sets each element i of w, in order, to value(context, i). Errors name `who`. */
tg_status tg_init_each(tg_tensor *w, const char *who, double (*value)(void *context, int64_t i), void *context);

/* How torch.nn's linear and convolution layers start, weight [out, in, kernel..] and bias: uniform in +-1 / sqrt(fan_in). */
tg_init tg_init_by_fan_in(tg_shape weight);

#endif
