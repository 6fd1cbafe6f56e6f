/* What runs at the end of a thread, stacks of all sizes, threads that were tried, and the modes of a thread. */
#define _DEFAULT_SOURCE
#include "core/alloc.h"
#include "core/float_mode.h"
#include "core/kernels/gemm/gemm.h"
#include "core/thread.h"
#include "tests/core/helpers.h"
#include "tests/core/layouts.h"

#include <fenv.h>
#include <pthread.h>
#include <stdlib.h>

TCase *tcase_thread_ends(void);

/* ---- ends ---- */

enum { DEEP = 10, MOST = 32 };

typedef struct noted {
    tg_thread_end end;
    int number, more; /* more: that many register one another when they run */
} noted;

static int ran[MOST], n_ran;
static noted later[MOST];

static void note(tg_thread_end *e) {
    noted *self = (noted *)(void *)e;
    ran[n_ran++] = self->number;
    if (self->more == 0) return;
    noted *next = &later[self->more];
    *next = (noted){{.run = note}, 100 + self->more, self->more - 1};
    ck_assert(tg_at_thread_end(&next->end));
}

typedef struct plan {
    int n, deep;
} plan;

static void *register_some(void *arg) {
    static noted some[MOST];
    const plan *p = arg;
    for (int i = 0; i < p->n; i++) {
        some[i] = (noted){{.run = note}, i, i == 0 ? p->deep : 0};
        ck_assert(tg_at_thread_end(&some[i].end));
    }
    return NULL;
}

/* All that were registered run, the last first, and those that are registered meanwhile, however many one after another. */
START_TEST(all_ends_run) {
    for (int n = 1; n <= 5; n++)
        for (int deep = 0; deep <= DEEP; deep += DEEP / 2) {
            pthread_t thread;
            plan p = {n, deep};
            n_ran = 0;
            ck_assert_int_eq(pthread_create(&thread, NULL, register_some, &p), 0);
            pthread_join(thread, NULL);
            ck_assert_int_eq(n_ran, n + deep);
            for (int i = 0; i < n; i++) ck_assert_int_eq(ran[i], n - 1 - i);
            for (int i = 0; i < deep; i++) ck_assert_int_eq(ran[n + i], 100 + deep - i);
        }
}
END_TEST

/* The library has one key, however often it is asked whether it is ready: the process has about a thousand. */
START_TEST(keys_are_few) {
    for (int i = 0; i < 3000; i++) ck_assert(tg_thread_ready());
    pthread_key_t key;
    ck_assert_int_eq(pthread_key_create(&key, NULL), 0);
    pthread_key_delete(key);
}
END_TEST

/* ---- stacks ---- */

static const struct {
    const char *size;
    bool fits; /* an address space */
} stacks[] = {{"512", true},
              {"512k", true},
              {"1M", true},
              {"1 m", true},
              {"2   M", true},
              {"1000000b", true},
              {"0", true},
              {"", true},
              {"none", true},
              {"4000000G", false},
              {"200000   G", false},
              {"18014398509481985", false},
              {"17179869185 G", false},
              {"99999999999999999999999", false}};

START_TEST(stacks_of_all_sizes) {
#if defined(__SANITIZE_THREAD__)
    return;
#endif
    setenv("OMP_STACKSIZE", stacks[_i].size, 1);
    int had = tg_threads_to_be_had(2);
    unsetenv("OMP_STACKSIZE");
    ck_assert_msg(had == (stacks[_i].fits ? 2 : 0), "%s: %d threads", stacks[_i].size, had);
}
END_TEST

START_TEST(so_many_at_once) {
#if !defined(__SANITIZE_THREAD__) && !defined(TG_HAVE_ASAN)
    if (fast()) return; /* more than Valgrind has */
    setenv("OMP_STACKSIZE", "512k", 1);
    int had = tg_threads_to_be_had(1500);
    unsetenv("OMP_STACKSIZE");
    ck_assert(had > 0 && had <= 1024);
#endif
}
END_TEST

/* ---- modes ---- */

/* A mode is taken without the flags of exceptions, which stay those of the thread, and is noticed by each of its parts. */
START_TEST(modes_without_flags) {
    if (fast()) return; /* Valgrind has no flags of exceptions */
    static const int rounding[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    uint64_t own = tg_float_word();
    for (int i = 0; i < COUNT(rounding); i++) {
        fesetround(rounding[i]);
        feclearexcept(FE_ALL_EXCEPT);
        feraiseexcept(FE_DIVBYZERO);
        uint64_t word = tg_float_word();
        tg_set_float_word(own);
        feclearexcept(FE_ALL_EXCEPT);
        feraiseexcept(FE_OVERFLOW);
        ck_assert_int_eq(tg_take_float_mode(word), rounding[i] != FE_TONEAREST);
        ck_assert_int_eq(fegetround(), rounding[i]);
        ck_assert(fetestexcept(FE_OVERFLOW) && !fetestexcept(FE_DIVBYZERO));
        ck_assert_int_eq(tg_take_float_mode(word), 0);
        tg_set_float_word(own);
    }
}
END_TEST

/* ---- BLAS ---- */

extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int n) __attribute__((weak));
extern int openblas_get_parallel(void) __attribute__((weak));

/* It has one thread while any of ours is inside, and what it had when the last has left. */
START_TEST(threads_of_blas) {
    if (!openblas_get_num_threads || !openblas_set_num_threads) return;
    if (openblas_get_parallel && openblas_get_parallel() != 1) return; /* OpenMP's number, or always one */
    int was = openblas_get_num_threads();
    for (int n = 1; n <= 2; n++)
        for (int inside = 1; inside <= 3; inside++) {
            openblas_set_num_threads(n);
            for (int i = 0; i < inside; i++)
                ck_assert_int_eq((tg_blas_begin(), openblas_get_num_threads()), 1);
            for (int i = 1; i < inside; i++)
                ck_assert_int_eq((tg_blas_end(0), openblas_get_num_threads()), 1);
            tg_blas_end(0);
            ck_assert_int_eq(openblas_get_num_threads(), n);
        }
    openblas_set_num_threads(was);
}
END_TEST

TCase *tcase_thread_ends(void) {
    TCase *tc = tcase_create("thread_ends");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, all_ends_run);
    tcase_add_test(tc, keys_are_few);
    tcase_add_loop_test(tc, stacks_of_all_sizes, 0, COUNT(stacks));
    tcase_add_test(tc, so_many_at_once);
    tcase_add_test(tc, modes_without_flags);
    tcase_add_test(tc, threads_of_blas);
    return tc;
}
