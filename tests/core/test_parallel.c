#include "core/parallel.h"
#include "tests/core/helpers.h"

#include <pthread.h>
#include <stdatomic.h>

TCase *tcase_parallel(void);

#define MOST 1000

typedef struct visits {
    int64_t n, grain;
    atomic_int at[MOST], misplaced, calls;
} visits;

static void visit(void *context, int64_t begin, int64_t end) {
    visits *v = context;
    int64_t full = begin + v->grain;
    atomic_fetch_add(&v->calls, 1);
    if (begin % v->grain != 0 || begin >= end || end != (full < v->n ? full : v->n))
        atomic_fetch_add(&v->misplaced, 1);
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&v->at[i], 1);
}

static const struct {
    int64_t n, grain;
} loops[] = {{0, 1},  {-5, 1},  {1, 1},    {1, 100},    {7, 3},      {9, 3},
             {10, 3}, {100, 1}, {1000, 7}, {1000, 999}, {1000, 5000}};

START_TEST(every_block_once) {
    int before = tg_num_threads();
    for (int threads = 1; threads <= 5; threads++) {
        visits v = {.n = loops[_i].n, .grain = loops[_i].grain};
        tg_set_num_threads(threads);
        tg_parallel_for(v.n, v.grain, visit, &v);
        int64_t blocks = v.n > 0 ? (v.n + v.grain - 1) / v.grain : 0;
        ck_assert_int_eq(atomic_load(&v.calls), blocks);
        ck_assert_int_eq(atomic_load(&v.misplaced), 0);
        for (int64_t i = 0; i < MOST; i++) ck_assert_int_eq(atomic_load(&v.at[i]), i < v.n);
    }
    tg_set_num_threads(before);
}
END_TEST

static void nest(void *context, int64_t begin, int64_t end) {
    visits *v = context;
    for (int64_t i = begin; i < end; i++) {
        visits inner = {.n = 20, .grain = 3};
        tg_parallel_for(inner.n, inner.grain, visit, &inner);
        for (int j = 0; j < 20; j++)
            if (atomic_load(&inner.at[j]) != 1) atomic_fetch_add(&v->misplaced, 1);
    }
    visit(context, begin, end);
}

START_TEST(nested_loops) {
    visits v = {.n = 50, .grain = 5};
    int before = tg_set_num_threads(3);
    tg_parallel_for(v.n, v.grain, nest, &v);
    tg_set_num_threads(before);
    ck_assert_int_eq(atomic_load(&v.misplaced), 0);
    for (int i = 0; i < 50; i++) ck_assert_int_eq(atomic_load(&v.at[i]), 1);
}
END_TEST

static void *set_seven(void *result) {
    tg_set_num_threads(7);
    *(int *)result = tg_num_threads();
    return NULL;
}

START_TEST(the_number_is_of_the_thread) {
    int before = tg_num_threads(), theirs = 0;
    ck_assert_int_ge(before, 1);
    ck_assert_int_eq(tg_set_num_threads(3), before);
    bool teams = tg_num_threads() != 1; /* a library without OpenMP has one thread for good */
    ck_assert_int_eq(tg_num_threads(), teams ? 3 : 1);
    pthread_t thread;
    pthread_create(&thread, NULL, set_seven, &theirs);
    pthread_join(thread, NULL);
    ck_assert_int_eq(theirs, teams ? 7 : 1);
    ck_assert_int_eq(tg_set_num_threads(0), teams ? 3 : 1);
    ck_assert_int_eq(tg_set_num_threads(-4), 1);
    ck_assert_int_eq(tg_set_num_threads(before), 1);
}
END_TEST

TCase *tcase_parallel(void) {
    TCase *tc = tcase_create("parallel");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_block_once, 0, COUNT(loops));
    tcase_add_test(tc, nested_loops);
    tcase_add_test(tc, the_number_is_of_the_thread);
    return tc;
}
