/* Private. The part of core/kernels/simd/kernel_set.c that optimisers use: parameter and state in one pass. */
#ifndef TG_CORE_KERNELS_MAP_OPTIMIZER_H
#define TG_CORE_KERNELS_MAP_OPTIMIZER_H

#include "core/kernels/map/elementwise.h"
#include "core/update.h"

/* A parameter p and its states m and v, as far as there are any, change by the gradient g. */
typedef void update(V *p, V *m, V *v, V g, const void *step);

/* Operands: the parameter, then the states, then the gradient, which alone is not written. */
INLINE void loop_update(int64_t n, const tg_operands *p, const tg_strides *s, const void *step, int operands,
                        update *f) {
    V x[TG_MAX_OPERANDS];
    bool dense = true;
    int64_t i = 0;
    for (int k = 0; k < operands; k++) dense = dense && s->each[k] == 1;
    for (; dense && i + W <= n; i += W) {
        for (int k = 0; k < operands; k++) x[k] = vload((const S *)(void *)p->each[k] + i);
        f(&x[0], &x[1], &x[2], x[operands - 1], step);
        for (int k = 0; k < operands - 1; k++) vstore((S *)(void *)p->each[k] + i, x[k]);
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        for (int k = 0; k < operands; k++)
            x[k] = vload_part((const S *)(void *)p->each[k] + i * s->each[k], s->each[k], m);
        f(&x[0], &x[1], &x[2], x[operands - 1], step);
        for (int k = 0; k < operands - 1; k++)
            vstore_part((S *)(void *)p->each[k] + i * s->each[k], s->each[k], m, x[k]);
    }
}

INLINE void update_sgd(V *p, V *m, V *v, V g, const void *step) {
    const tg_sgd_step *c = step;
    (void)m, (void)v;
    *p -= K((S)c->lr) * (g + K((S)c->decay) * *p);
}

INLINE void update_momentum(V *p, V *m, V *v, V g, const void *step) {
    const tg_sgd_step *c = step;
    V d = g + K((S)c->decay) * *p;
    (void)v;
    *m = K((S)c->momentum) * *m + d;
    *p -= K((S)c->lr) * (K((S)c->of_d) * d + K((S)c->of_v) * *m);
}

INLINE void update_adam(V *p, V *m, V *v, V g, const void *step) {
    const tg_adam_step *c = step;
    V d = g + K((S)c->decay) * *p;
    *m = K((S)c->b1) * *m + K((S)c->c1) * d;
    *v = K((S)c->b2) * *v + K((S)c->c2) * d * d;
    *p = K((S)c->keep) * *p - K((S)c->step) * *m / (K((S)c->root) * vsqrt(*v) + K((S)c->eps));
}

static void run_sgd(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    loop_update(n, p, s, arg, 2, update_sgd);
}
static void run_momentum(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    loop_update(n, p, s, arg, 3, update_momentum);
}
static void run_adam(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    loop_update(n, p, s, arg, 4, update_adam);
}

#endif
