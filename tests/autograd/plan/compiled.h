/* What the tests of compiled plans share. Whoever includes this defines _XOPEN_SOURCE as 700 before (tests/cache_folder.h). */
#ifndef TESTS_AUTOGRAD_PLAN_COMPILED_H
#define TESTS_AUTOGRAD_PLAN_COMPILED_H

#include "tests/autograd/helpers.h"
#include "tests/cache_folder.h"

#include <pthread.h>

static inline tg_tensor *copy(const tg_tensor *t) {
    return tg_set_requires_grad(tg_contiguous(tg_mul_scalar(tg_detach((tg_tensor *)(uintptr_t)t), 1)), true);
}

/* To the bit; one NaN is as good as another. */
static inline void expect_same(const tg_tensor *a, const tg_tensor *b) {
    ck_assert_int_eq(tg_numel(a), tg_numel(b));
    for (int64_t i = 0; i < tg_numel(a); i++) {
        double v = tg_get(a, i), w = tg_get(b, i);
        ck_assert_msg(memcmp(&v, &w, sizeof v) == 0 || (v != v && w != w), "element %d: %.17g and %.17g",
                      (int)i, v, w);
    }
}

/* Runs of a shared plan, each held to the eager step, on inputs of n elements: here, and then by several threads at once. */
typedef struct sharing {
    tg_plan *plan;
    tg_step *step;
    int64_t n;
} sharing;

static inline void *run_shared(void *of) {
    const sharing *s = of;
    for (int i = 0; i < 20; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2] = {tg_randn(TG_F32, s->n), tg_randn(TG_F32, s->n)};
        expect_same(tg_plan_run_with(s->plan, 2, in), s->step(in, NULL));
        tg_tape_rewind(before);
    }
    return NULL;
}

static inline void share(tg_plan *plan, tg_step *step, int64_t n) {
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    sharing s = {plan, step, n};
    run_shared(&s);
    for (int i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_create(&thread[i], NULL, run_shared, &s), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}

#endif
