/* Private. What layer_norm, rms_norm and batch_norm make of x, and its gradient, with ops: differentiable to any order. */
#ifndef TG_OPS_STRUCTURED_NORMALISED_H
#define TG_OPS_STRUCTURED_NORMALISED_H

#include "ops/reduce/spread.h"

typedef struct tg_normalised_opts {
    int axes; /* the last ones */
    double eps;
    bool centred;
} tg_normalised_opts;

typedef struct tg_normalised {
    tg_normalised_opts opts;
    tg_tensor *x, *z, *root; /* z = (x - mean) / root in units of the spread's scale; poison after a failure */
    tg_spread spread;
} tg_normalised;

/* z = (x - mean) / sqrt(variance + eps), or without the mean and about zero. */
tg_normalised tg_normalised_over(tg_tensor *x, tg_normalised_opts opts);

/* With h the gradient of z:  dx = (h - mean(h) - z * mean(h * z)) / deviation, without mean(h) about zero. */
tg_tensor *tg_normalised_grad(const tg_normalised *r, tg_tensor *h);

#endif
