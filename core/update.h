/* One step of an optimiser in one pass over memory: a parameter p, and its moments m and v, are changed in place by the
 * gradient g. The rules of ops/nn/optim/optim.h are made of these loops, which run on several threads and in the instruction set
 * that core/kernels/simd/table.h has chosen, with the same bits in each.
 *
 * Nothing is checked: all arrays have one shape and one dtype, f32 or f64, and lie apart. With d = g + decay p:
 *     sgd        p -= lr d
 *     momentum   v = momentum v + d;  p -= lr (of_d d + of_v v)
 *     adam       m = b1 m + c1 d;  v = b2 v + c2 d^2;  p = keep p - step m / (root sqrt(v) + eps) */
#ifndef TG_CORE_UPDATE_H
#define TG_CORE_UPDATE_H

#include "core/array.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_sgd_step {
    double lr, decay, momentum, of_d, of_v;
} tg_sgd_step;
TG_API void tg_update_sgd(const tg_sgd_step *c, const tg_array *g, const tg_array *p);
TG_API void tg_update_momentum(const tg_sgd_step *c, const tg_array *g, const tg_array *v, const tg_array *p);

typedef struct tg_adam_step {
    double decay, b1, c1, b2, c2, keep, step, root, eps;
} tg_adam_step;
TG_API void tg_update_adam(const tg_adam_step *c, const tg_array *g, const tg_array *m, const tg_array *v,
                           const tg_array *p);

#ifdef __cplusplus
}
#endif
#endif
