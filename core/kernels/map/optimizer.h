/* Private. The part of core/kernels/simd/kernel_set.c that optimisers use: parameter and state in one pass. */
#ifndef TG_CORE_KERNELS_MAP_OPTIMIZER_H
#define TG_CORE_KERNELS_MAP_OPTIMIZER_H

#include "core/kernels/map/elementwise.h"
#include "core/update.h"

/* x[0] is the parameter, the last one the gradient; all but the gradient are changed. */
typedef void update(V *x, const void *step);

INLINE void loop_update(int64_t n, char *const p[], const int64_t s[], const void *step, int operands,
                        update *f) {
    V x[4];
    bool dense = true;
    int64_t i = 0;
    for (int k = 0; k < operands; k++) dense = dense && s[k] == 1;
    for (; dense && i + W <= n; i += W) {
        for (int k = 0; k < operands; k++) x[k] = vload((const S *)(void *)p[k] + i);
        f(x, step);
        for (int k = 0; k < operands - 1; k++) vstore((S *)(void *)p[k] + i, x[k]);
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        for (int k = 0; k < operands; k++) x[k] = vload_part((const S *)(void *)p[k] + i * s[k], s[k], m);
        f(x, step);
        for (int k = 0; k < operands - 1; k++) vstore_part((S *)(void *)p[k] + i * s[k], s[k], m, x[k]);
    }
}

INLINE void update_sgd(V *x, const void *step) {
    const tg_sgd_step *c = step;
    x[0] -= K((S)c->lr) * (x[1] + K((S)c->decay) * x[0]);
}

INLINE void update_momentum(V *x, const void *step) {
    const tg_sgd_step *c = step;
    V d = x[2] + K((S)c->decay) * x[0];
    x[1] = K((S)c->momentum) * x[1] + d;
    x[0] -= K((S)c->lr) * (K((S)c->of_d) * d + K((S)c->of_v) * x[1]);
}

INLINE void update_adam(V *x, const void *step) {
    const tg_adam_step *c = step;
    V d = x[3] + K((S)c->decay) * x[0];
    x[1] = K((S)c->b1) * x[1] + K((S)c->c1) * d;
    x[2] = K((S)c->b2) * x[2] + K((S)c->c2) * d * d;
    x[0] = K((S)c->keep) * x[0] - K((S)c->step) * x[1] / (K((S)c->root) * vsqrt(x[2]) + K((S)c->eps));
}

static void run_sgd(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    loop_update(n, p, s, arg, 2, update_sgd);
}
static void run_momentum(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    loop_update(n, p, s, arg, 3, update_momentum);
}
static void run_adam(int64_t n, char *const p[], const int64_t s[], const void *arg) {
    loop_update(n, p, s, arg, 4, update_adam);
}

#endif
