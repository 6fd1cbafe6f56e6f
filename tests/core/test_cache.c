/* What stays for reuse is what was needed recently: buffers, arenas, slots. */
#define _DEFAULT_SOURCE
#include "ops/tapegrad.h"
#include "core/alloc.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TCase *tcase_cache(void);

#define MIB ((size_t)1 << 20)

static size_t owned(void) { return tg_memory_now().system_bytes; }
static uint64_t mallocs(void) { return tg_memory_now().mallocs; }

/* Bytes of the process that lie in memory; 0 where that is not known or means nothing. */
static size_t resident(void) {
    long pages = 0;
#ifndef TG_HAVE_ASAN /* which keeps what is freed for a while */
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
    if (f) fclose(f);
#endif
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static tg_buffer *touched(size_t size) {
    tg_buffer *b = tg_buffer_new(size);
    ck_assert_ptr_nonnull(b);
    memset(tg_buffer_data(b), 1, size);
    return b;
}

/* n buffers of one size, live at once. */
static void step(int n, size_t size) {
    static tg_buffer *held[70000];
    for (int i = 0; i < n; i++) held[i] = touched(size);
    while (n > 0) tg_buffer_unref(held[--n]);
}

static void setup(void) {
    tg_buffer_unref(tg_buffer_new(1)); /* this thread has its cache */
    tg_memory_trim();
}

/* ---- buffers ---- */

static struct {
    pthread_barrier_t barrier;
    tg_tensor *given;
} hand;

enum { BATCHES = 1000 };

static void *loader(void *unused) {
    for (int i = 0; i < BATCHES; i++) {
        hand.given = tg_keep(tg_ones_with(TG_U8, TG_SHAPE((int64_t)MIB)));
        tg_region_rewind(tg_region_current(), 0);
        pthread_barrier_wait(&hand.barrier); /* the other has it */
        pthread_barrier_wait(&hand.barrier); /* and has freed it */
    }
    return unused;
}

START_TEST(made_in_one_thread_and_freed_in_another) {
    pthread_t thread;
    size_t start = owned(), memory = resident();
    ck_assert_int_eq(pthread_barrier_init(&hand.barrier, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, loader, NULL), 0);
    for (int i = 0; i < BATCHES; i++) {
        pthread_barrier_wait(&hand.barrier);
        ck_assert_int_eq(tg_numel(hand.given), MIB);
        tg_free(hand.given);
        ck_assert_uint_le(owned(), start + 4 * MIB);
        pthread_barrier_wait(&hand.barrier);
    }
    ck_assert_uint_le(resident(), memory + 32 * MIB);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&hand.barrier);
}
END_TEST

/* Sequences of another length in each step: 24 activations of each. */
START_TEST(steps_of_changing_lengths) {
    unsigned x = 1;
    size_t start = owned(), memory = resident(), largest = 24 * 200 * 4096;
    for (int i = 0; i < 1000; i++) {
        x = x * 1664525u + 1013904223u;
        step(24, (size_t)(x >> 16) % 200 * 4096 + 4096);
        ck_assert_uint_le(owned() - start, largest * 9 / 4); /* 1.75 times, in classes up to a quarter too large */
    }
    ck_assert_uint_le(resident(), memory + largest * 9 / 4 + 16 * MIB);
}
END_TEST

START_TEST(one_large_step_and_many_small_ones) {
    size_t start = owned(), memory = resident();
    step(256, MIB);
    ck_assert_uint_ge(owned(), start + 256 * MIB);
    for (int i = 0; i < 100000; i++) step(2, 1000);
    ck_assert_uint_le(owned(), start + 2 * MIB);
    ck_assert_uint_le(resident(), memory + 32 * MIB);
    step(1, 256 * MIB);
    for (int i = 0; i < 100000; i++) step(1, 4096);
    ck_assert_uint_le(owned(), start + 2 * MIB);
    ck_assert_uint_le(resident(), memory + 32 * MIB);
}
END_TEST

/* Longer than the first window, and of several classes; soon no step asks the system. */
START_TEST(long_steps_become_steady) {
    for (int i = 0; i < 20; i++) step(60000, 100), step(30, MIB), step(200, 30000);
    uint64_t calls = mallocs();
    for (int i = 0; i < 20; i++) step(60000, 100), step(30, MIB), step(200, 30000);
    ck_assert_uint_eq(mallocs(), calls);
}
END_TEST

/* Training and evaluation in turn need different buffers: neither takes the other's. */
START_TEST(two_kinds_of_steps_become_steady) {
    uint64_t calls = 0;
    for (int i = 0; i < 600; i++) {
        if (i == 10) calls = mallocs();
        step(40, i % 2 ? 300000 : 100000);
    }
    ck_assert_uint_eq(mallocs(), calls);
}
END_TEST

/* ---- arenas and regions ---- */

static void arena_step(tg_arena *a, int n) {
    tg_arena_mark mark = tg_arena_get_mark(a);
    for (int i = 0; i < n; i++) memset(tg_arena_alloc(a, 1000), 1, 1000);
    tg_arena_rewind(a, mark);
}

START_TEST(an_arena_gives_back_what_is_not_used) {
    tg_arena a = {0};
    size_t start = owned();
    arena_step(&a, 60000);
    ck_assert_uint_ge(owned(), start + 60000000);
    for (int i = 0; i < 100000; i++) arena_step(&a, 10);
    ck_assert_uint_le(owned(), start + (32 << 10));
    for (int i = 0; i < 10; i++) arena_step(&a, 3000); /* and goes on */
    uint64_t calls = mallocs();
    for (int i = 0; i < 100; i++) arena_step(&a, 3000);
    ck_assert_uint_eq(mallocs(), calls);
    tg_arena_free(&a);
    ck_assert_uint_eq(owned(), start);
}
END_TEST

/* With an outer mark that is never rewound, and inner scopes. */
START_TEST(an_arena_keeps_what_is_below_a_mark) {
    tg_arena a = {0};
    char *low = tg_arena_alloc(&a, 50000);
    memset(low, 7, 50000);
    arena_step(&a, 60000);
    for (int i = 0; i < 100000; i++) arena_step(&a, 1);
    for (int i = 0; i < 50000; i++) ck_assert_int_eq(low[i], 7);
    tg_arena_free(&a);
}
END_TEST

START_TEST(a_region_passes_slots_on) {
    tg_region *r = tg_region_current();
    int64_t many = 40 * TG_CHUNK_SLOTS;
    for (int64_t i = 0; i < many; i++) ck_assert_ptr_nonnull(tg_slot_new("x"));
    tg_tensor *stale = tg_handle(tg_slot_at(r, many - 1)), *kept = tg_handle(tg_slot_at(r, 0));
    tg_region_rewind(r, 1);
    ck_assert_int_ge(r->n_chunks, 40);
    for (int i = 0; i < 100000; i++) {
        tg_slot_new("y");
        tg_region_rewind(r, 1);
    }
    ck_assert_int_eq(r->n_chunks, 1);
    ck_assert(tg_is_alive(kept) && !tg_is_alive(stale));
    tg_numel(stale);
    expect_error(TG_ERR_LIFETIME, "the input was made by x, and the tape has since been rewound past it");
    size_t bytes = owned();
    for (int64_t i = 1; i < many; i++) ck_assert_ptr_nonnull(tg_slot_new("z"));
    ck_assert_uint_eq(owned(), bytes); /* the same ones, from those that no region has */
    tg_region_rewind(r, 0);
}
END_TEST

/* ---- which ---- */

/* Buffers of `busy` that were given back to make room for a third class, though those of `idle` were not taken from for longer;
 * -1: none of `idle` were. By a thread of its own, since what may wait follows from what was needed before. */
static void *given_back(void *larger) {
    size_t idle = larger ? 2 * MIB : MIB, busy = larger ? MIB : 2 * MIB;
    step((int)(8 * MIB / idle), idle); /* a rise of 8 MiB lets 14 wait */
    step((int)(6 * MIB / busy), busy);
    step(1, MIB + MIB / 2);
    uint64_t before = mallocs();
    step((int)(6 * MIB / busy), busy);
    int64_t wrong = (int64_t)(mallocs() - before);
    step((int)(8 * MIB / idle), idle);
    return (void *)(intptr_t)(mallocs() > before ? wrong : -1);
}

/* Of two classes the one that was not taken from for longest gives way, whichever is the larger. */
START_TEST(the_idlest_class_goes_first) {
    for (int larger = 0; larger < 2; larger++) {
        pthread_t thread;
        void *wrong;
        ck_assert_int_eq(pthread_create(&thread, NULL, given_back, larger ? &thread : NULL), 0);
        pthread_join(thread, &wrong);
        ck_assert_int_eq((intptr_t)wrong, 0);
    }
}
END_TEST

/* The buffers of a step come again in its order. */
START_TEST(a_step_finds_its_memory_again) {
    enum { N = 20 };
    const void *first[N];
    tg_region *r = tg_region_current();
    int64_t count = r->count;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            const void *data = tg_data(tg_zeros_with(TG_F32, TG_SHAPE(1000)));
            if (round == 0) first[i] = data;
            ck_assert_msg(first[i] == data, "tensor %d of round %d lies elsewhere", i, round);
        }
        tg_region_rewind(r, count);
    }
}
END_TEST

enum { THREADS = 3 };
static sem_t may_start[THREADS], has_started, may_end[THREADS];

static void *ends_when_told(void *which) {
    int me = *(int *)which;
    sem_wait(&may_start[me]);
    tg_buffer_unref(tg_buffer_new(100000));
    sem_post(&has_started);
    sem_wait(&may_end[me]);
    return NULL;
}

/* Threads' caches leave the list from its beginning, middle and end; the figures are right all the while. */
START_TEST(threads_end_in_every_order) {
    static const int orders[][THREADS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    size_t bytes = owned(), live = tg_memory_now().live_buffer_bytes;
    for (int k = 0; k < COUNT(orders); k++) {
        pthread_t thread[THREADS];
        int number[THREADS] = {0, 1, 2};
        sem_init(&has_started, 0, 0);
        for (int i = 0; i < THREADS; i++) {
            sem_init(&may_start[i], 0, 0), sem_init(&may_end[i], 0, 0);
            ck_assert_int_eq(pthread_create(&thread[i], NULL, ends_when_told, &number[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) sem_post(&may_start[i]), sem_wait(&has_started);
        for (int i = 0; i < THREADS; i++) {
            sem_post(&may_end[orders[k][i]]);
            pthread_join(thread[orders[k][i]], NULL);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        }
    }
    ck_assert_uint_eq(owned(), bytes);
}
END_TEST

TCase *tcase_cache(void) {
    TCase *tc = tcase_create("cache");
    tcase_set_timeout(tc, 120);
    tcase_set_tags(tc, "slow");
    tcase_add_checked_fixture(tc, setup, tg_memory_trim);
    tcase_add_test(tc, made_in_one_thread_and_freed_in_another);
    tcase_add_test(tc, steps_of_changing_lengths);
    tcase_add_test(tc, one_large_step_and_many_small_ones);
    tcase_add_test(tc, long_steps_become_steady);
    tcase_add_test(tc, two_kinds_of_steps_become_steady);
    tcase_add_test(tc, an_arena_gives_back_what_is_not_used);
    tcase_add_test(tc, an_arena_keeps_what_is_below_a_mark);
    tcase_add_test(tc, a_region_passes_slots_on);
    tcase_add_test(tc, the_idlest_class_goes_first);
    tcase_add_test(tc, a_step_finds_its_memory_again);
    tcase_add_test(tc, threads_end_in_every_order);
    return tc;
}
