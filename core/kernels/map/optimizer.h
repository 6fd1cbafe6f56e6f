/* Private. The part of core/kernels/simd/kernel_set.c that optimisers use: parameter and state in one pass. */
#ifndef TG_CORE_KERNELS_MAP_OPTIMIZER_H
#define TG_CORE_KERNELS_MAP_OPTIMIZER_H

#include "core/kernels/map/elementwise.h"
#include "core/update.h"

/* A parameter x[0] and its states x[1], x[2] and x[3], as far as there are any, change by the gradient g. */
typedef void update(V *x, V g, const void *step);

/* Operands: the parameter, then the states, then the gradient, which alone is not written. */
INLINE void loop_update(int64_t n, const tg_operands *p, const tg_strides *s, const void *step, int operands,
                        update *f) {
    V x[TG_MAX_OPERANDS];
    bool dense = true;
    int64_t i = 0;
    for (int k = 0; k < operands; k++) dense = dense && s->each[k] == 1;
    for (; dense && i + W <= n; i += W) {
        for (int k = 0; k < operands; k++) x[k] = vload((const S *)(void *)p->each[k] + i);
        f(x, x[operands - 1], step);
        for (int k = 0; k < operands - 1; k++) vstore((S *)(void *)p->each[k] + i, x[k]);
    }
    for (; i < n; i += W) {
        int64_t m = lanes_left(n - i);
        for (int k = 0; k < operands; k++)
            x[k] = vload_part((const S *)(void *)p->each[k] + i * s->each[k], s->each[k], m);
        f(x, x[operands - 1], step);
        for (int k = 0; k < operands - 1; k++)
            vstore_part((S *)(void *)p->each[k] + i * s->each[k], s->each[k], m, x[k]);
    }
}

INLINE void update_sgd(V *x, V g, const void *step) {
    const tg_sgd_step *c = step;
    x[0] -= K((S)c->lr) * (g + K((S)c->decay) * x[0]);
}

INLINE void update_momentum(V *x, V g, const void *step) {
    const tg_sgd_step *c = step;
    V *p = &x[0], *v = &x[1], d = g + K((S)c->decay) * *p;
    *v = K((S)c->momentum) * *v + K((S)c->take) * d;
    *p -= K((S)(c->lr * c->of_d)) * d + K((S)(c->lr * c->of_v)) * *v;
}

INLINE void adam(V *x, V g, const tg_adam_step *c, bool largest) {
    V *p = &x[0], *m = &x[1], *v = &x[2], d = g + K((S)c->decay) * *p;
    *m = K((S)c->b1) * *m + K((S)c->c1) * d;
    *v = K((S)c->b2) * *v + K((S)c->c2) * d * d;
    if (largest) v = &x[3], *v = vmax(*v, x[2]);
    *p = K((S)c->keep) * *p - K((S)c->step) * *m / (K((S)c->root) * vsqrt(*v) + K((S)c->eps));
}
INLINE void update_adam(V *x, V g, const void *step) { adam(x, g, step, false); }
INLINE void update_amsgrad(V *x, V g, const void *step) { adam(x, g, step, true); }

INLINE void rms(V *x, V g, const tg_rms_step *c, bool centered, bool momentum) {
    V *p = &x[0], *v = &x[1], *a = &x[2], *b = &x[centered ? 3 : 2];
    V d = K((S)c->sign) * g + K((S)c->decay) * *p;
    *v = K((S)c->keep) * *v + K((S)c->take) * d * d + K((S)c->start);
    if (centered) *a += K((S)c->take) * (d - *a);
    V u = d / (vsqrt(centered ? *v - *a * *a : *v) + K((S)c->eps));
    if (momentum) u = *b = K((S)c->momentum) * *b + u;
    *p -= K((S)c->lr) * u;
}
INLINE void update_rms(V *x, V g, const void *step) { rms(x, g, step, false, false); }
INLINE void update_rms_centered(V *x, V g, const void *step) { rms(x, g, step, true, false); }
INLINE void update_rms_momentum(V *x, V g, const void *step) { rms(x, g, step, false, true); }
INLINE void update_rms_both(V *x, V g, const void *step) { rms(x, g, step, true, true); }

INLINE void update_adadelta(V *x, V g, const void *step) {
    const tg_adadelta_step *c = step;
    V *p = &x[0], *v = &x[1], *u = &x[2], d = K((S)c->sign) * g + K((S)c->decay) * *p;
    *v = K((S)c->rho) * *v + K((S)c->rest) * d * d;
    V move = vsqrt(*u + K((S)c->eps)) / vsqrt(*v + K((S)c->eps)) * d;
    *u = K((S)c->rho) * *u + K((S)c->rest) * move * move;
    *p -= K((S)c->lr) * move;
}

INLINE void update_adamax(V *x, V g, const void *step) {
    const tg_adamax_step *c = step;
    V *p = &x[0], *m = &x[1], *u = &x[2], d = K((S)c->sign) * g + K((S)c->decay) * *p;
    *m += K((S)c->c1) * (d - *m);
    *u = vmax(K((S)c->b2) * *u, vabs(d) + K((S)c->eps));
    *p -= K((S)c->step) * *m / *u;
}

INLINE void update_lion(V *x, V g, const void *step) {
    const tg_lion_step *c = step;
    V *p = &x[0], *m = &x[1], d = K((S)c->sign) * g + K((S)c->decay) * *p;
    V way = K((S)c->b1) * *m + K((S)c->c1) * d;
    way = select(way != way, way, select(way > K(0), K(1), select(way < K(0), K(-1), K(0))));
    *p = K((S)c->keep) * *p - K((S)c->lr) * way;
    *m = K((S)c->b2) * *m + K((S)c->c2) * d;
}

#define RUN(name, operands) \
    static void run_##name(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        loop_update(n, p, s, arg, operands, update_##name); \
    }
RUN(sgd, 2)
RUN(momentum, 3)
RUN(adam, 4)
RUN(amsgrad, 5)
RUN(rms, 3)
RUN(rms_centered, 4)
RUN(rms_momentum, 4)
RUN(rms_both, 5)
RUN(adadelta, 4)
RUN(adamax, 4)
RUN(lion, 3)
#undef RUN

#endif
