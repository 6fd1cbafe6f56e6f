/* One step of an optimiser in one pass over memory: a parameter p, and its moments m and v, are changed in place by the
 * gradient g. The rules of ops/nn/optim/optim.h are made of these loops, which run on several threads and in the instruction set
 * that core/kernels/simd/table.h has chosen, with the same bits in each.
 *
 * Nothing is checked: all arrays have one shape and one dtype, f32 or f64, and lie apart. With d = g + decay p:
 *     sgd        p -= lr d
 *     momentum   v = momentum v + take d;  p -= lr (of_d d + of_v v)
 *     adam       m = b1 m + c1 d;  v = b2 v + c2 d^2;  p = keep p - step m / (root sqrt(v) + eps)
 *     amsgrad    the same with the largest v so far, w = max(w, v), in place of v under the root
 * and with d = sign g + decay p:
 *     rms        v = keep v + take d^2 + start;  a = a + take (d - a);  u = d / (sqrt(v - a^2) + eps);
 *                b = momentum b + u;  p -= lr b;  without a as if it were 0, without b with u in its place
 *     adadelta   v = rho v + rest d^2;  x = d sqrt(u + eps) / sqrt(v + eps);  u = rho u + rest x^2;  p -= lr x
 *     adamax     m = m + c1 (d - m);  u = max(b2 u, |d| + eps);  p -= step m / u
 *     lion       p = keep p - lr s, where s is the sign (0 at 0) of b1 m + c1 d;  m = b2 m + c2 d */
#ifndef TG_CORE_UPDATE_H
#define TG_CORE_UPDATE_H

#include "core/array.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_sgd_step {
    double lr, decay, momentum, take, of_d, of_v;
} tg_sgd_step;
TG_API void tg_update_sgd(const tg_sgd_step *c, const tg_array *g, const tg_array *p);
TG_API void tg_update_momentum(const tg_sgd_step *c, const tg_array *g, const tg_array *v, const tg_array *p);

typedef struct tg_adam_step {
    double decay, b1, c1, b2, c2, keep, step, root, eps;
} tg_adam_step;
TG_API void tg_update_adam(const tg_adam_step *c, const tg_array *g, const tg_array *m, const tg_array *v,
                           const tg_array *p);
TG_API void tg_update_amsgrad(const tg_adam_step *c, const tg_array *g, const tg_array *m, const tg_array *v,
                              const tg_array *w, const tg_array *p);

typedef struct tg_rms_step {
    double lr, sign, decay, keep, take, start, eps, momentum;
} tg_rms_step;
/* a and b may be NULL. */
TG_API void tg_update_rms(const tg_rms_step *c, const tg_array *g, const tg_array *v, const tg_array *a,
                          const tg_array *b, const tg_array *p);

typedef struct tg_adadelta_step {
    double lr, sign, decay, rho, rest, eps;
} tg_adadelta_step;
TG_API void tg_update_adadelta(const tg_adadelta_step *c, const tg_array *g, const tg_array *v,
                               const tg_array *u, const tg_array *p);

typedef struct tg_adamax_step {
    double step, sign, decay, c1, b2, eps;
} tg_adamax_step;
TG_API void tg_update_adamax(const tg_adamax_step *c, const tg_array *g, const tg_array *m, const tg_array *u,
                             const tg_array *p);

typedef struct tg_lion_step {
    double lr, sign, decay, b1, c1, b2, c2, keep;
} tg_lion_step;
TG_API void tg_update_lion(const tg_lion_step *c, const tg_array *g, const tg_array *m, const tg_array *p);

#ifdef __cplusplus
}
#endif
#endif
