/* Buffers, their cache, and the memory statistics. */
#define _POSIX_C_SOURCE 200809L
#include "core/alloc.h"
#include "tests/core/helpers.h"

#include <pthread.h>

TCase *tcase_buffer(void);

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

static size_t live(void) { return tg_memory_now().live_buffer_bytes; }
static size_t peak(void) { return tg_memory_now().peak_buffer_bytes; }
static size_t owned(void) { return tg_memory_now().system_bytes; }
static uint64_t mallocs(void) { return tg_memory_now().mallocs; }

static void check_size(size_t size) {
    tg_buffer *b = tg_buffer_new(size);
    ck_assert_ptr_nonnull(b);
    const size_t usable = tg_buffer_size(b);
    ck_assert_uint_ge(usable, size);
    ck_assert_msg(usable == 64 || usable == TG_FEW_BYTES || usable - size <= usable / 5, "%zu for %zu",
                  usable, size);
    ck_assert_uint_eq(usable == TG_FEW_BYTES, size <= TG_FEW_BYTES);
    ck_assert_uint_eq((uintptr_t)tg_buffer_data(b) % (usable == TG_FEW_BYTES ? 8 : TG_ALIGN), 0);
    if (size < 100000) memset(tg_buffer_data(b), 1, size);
    tg_buffer_unref(b);
    for (size_t other = usable; other > size; other -= (usable - size + 3) / 4) { /* all of a class share */
        tg_buffer *c = tg_buffer_new(other);
        ck_assert_ptr_eq(c, b);
        tg_buffer_unref(c);
    }
}

START_TEST(size_classes) {
    for (size_t n = 0; n < 3000; n++) check_size(n);
    for (size_t n = 4096; n <= (size_t)1 << 22; n *= 2)
        for (size_t near = n - 1; near <= n + 1; near++) check_size(near);
    tg_memory_trim();
}
END_TEST

/* More buffers of one number than a slab has, freed in another order than they were made in: packed, apart from each other,
 * and with the last of its pieces a slab goes back. */
enum { NUMBERS = 5000 };
START_TEST(numbers_are_packed) {
    static tg_buffer *b[NUMBERS];
    tg_buffer_unref(tg_buffer_new(1)); /* this thread has its cache */
    tg_memory_trim();
    size_t start = owned(), start_live = live();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < NUMBERS; i++) {
            ck_assert_ptr_nonnull(b[i] = tg_buffer_new(8));
            memcpy(tg_buffer_data(b[i]), &i, sizeof i);
        }
        ck_assert_uint_eq(live(), start_live + NUMBERS * TG_FEW_BYTES);
#ifndef TG_HAVE_ASAN /* where each lies alone */
        ck_assert_uint_le(owned() - start, (NUMBERS + 500) * (sizeof(tg_buffer) + TG_FEW_BYTES));
#endif
        for (int k = 0, i; k < NUMBERS; k++) {
            i = round ? k * 1009 % NUMBERS : k;
            ck_assert(b[i]->size_class == 0 && b[i]->version == 0 && tg_buffer_refs(b[i]) == 1);
            ck_assert_int_eq(*(int *)tg_buffer_data(b[i]), i);
            tg_buffer_unref(b[i]);
            if (k % 2000 != 1999) continue;
            tg_memory_trim(); /* slabs of which some pieces are in use; of one of them the free ones are had again */
            tg_buffer_unref(tg_buffer_new(8));
        }
        ck_assert_uint_eq(live(), start_live);
        tg_memory_trim();
        ck_assert_uint_eq(owned(), start);
    }
}
END_TEST

START_TEST(impossible_sizes) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 200, SIZE_MAX / 2, (size_t)1 << 60, SIZE_MAX >> 17};
    for (int i = 0; i < COUNT(sizes); i++) ck_assert_ptr_null(tg_buffer_new(sizes[i]));
    expect_ok();
}
END_TEST

/* A step of a program: 200 buffers of various sizes, of which at most 50 live at a time. */
static void step(void) {
    tg_buffer *held[50] = {0};
    for (int i = 0; i < 200; i++) {
        tg_buffer **b = &held[i * 7 % 50];
        tg_buffer_unref(*b);
        *b = tg_buffer_new((size_t)(i * i * 13 % 20000));
        ck_assert_ptr_nonnull(*b);
        memset(tg_buffer_data(*b), i, (size_t)(i * i * 13 % 20000));
    }
    for (int i = 0; i < 50; i++) tg_buffer_unref(held[i]);
}

START_TEST(steady_steps_call_no_malloc) {
    size_t before = live();
    step();
    uint64_t calls = mallocs();
    for (int i = 0; i < 100; i++) step();
    ck_assert_uint_eq(mallocs(), calls);
    ck_assert_uint_eq(live(), before);
}
END_TEST

START_TEST(references) {
    tg_buffer *b = tg_buffer_new(100);
    size_t with = live();
    ck_assert_uint_eq(b->version, 0);
    ck_assert_ptr_null(b->changed_by);
    b->version = 5;
    b->changed_by = "add_";
    tg_buffer_ref(b);
    tg_buffer_unref(b);
    ck_assert_uint_eq(live(), with);
    ck_assert_uint_eq(b->version, 5);
    tg_buffer_unref(b);
    ck_assert_uint_eq(live(), with - tg_buffer_size(b));
    tg_buffer *again = tg_buffer_new(100);
    ck_assert_ptr_eq(again, b);
    ck_assert_uint_eq(again->version, 0);
    ck_assert_ptr_null(again->changed_by);
    ck_assert_int_eq(atomic_load(&again->refs), 1);
    tg_buffer_unref(again);
    tg_buffer_ref(NULL);
    tg_buffer_unref(NULL);
}
END_TEST

START_TEST(live_and_peak) {
    static const size_t sizes[] = {64, 1024, 1 << 20}; /* each its own class's size */
    tg_memory_reset_peak();
    size_t start = live();
    ck_assert_uint_eq(peak(), start);
    for (int i = 0; i < COUNT(sizes); i++) {
        tg_memory_reset_peak();
        tg_buffer *a = tg_buffer_new(sizes[i]), *b = tg_buffer_new(sizes[i]);
        ck_assert_uint_eq(live(), start + 2 * sizes[i]);
        tg_buffer_unref(a);
        ck_assert_uint_eq(live(), start + sizes[i]);
        ck_assert_uint_eq(peak(), start + 2 * sizes[i]);
        tg_memory_reset_peak();
        ck_assert_uint_eq(peak(), start + sizes[i]);
        tg_buffer_unref(b);
        ck_assert_uint_eq(live(), start);
        ck_assert_uint_eq(peak(), start + sizes[i]);
    }
}
END_TEST

START_TEST(trim_gives_back) {
    tg_buffer_unref(tg_buffer_new(1)); /* this thread has its cache */
    tg_memory_trim();
    size_t start = owned();
    tg_buffer *b = tg_buffer_new(1 << 20);
    size_t with = owned();
    ck_assert_uint_ge(with - start, 1 << 20);
    tg_buffer_unref(b);
    ck_assert_uint_eq(owned(), with);
    tg_memory_trim();
    ck_assert_uint_eq(owned(), start);
    tg_memory_trim();
}
END_TEST

START_TEST(a_refusal_empties_the_cache_first) {
    tg_buffer_unref(tg_buffer_new(1 << 20));
    size_t with = owned();
    ck_assert_ptr_null(tg_buffer_new((SIZE_MAX >> 17) - 1)); /* more than an address space: always refused */
    ck_assert_uint_le(owned(), with - (1 << 20));
}
END_TEST

START_TEST(injection_goes_past_the_cache) {
    tg_buffer_unref(tg_buffer_new(500));
    size_t start = live();
    for (int n = 1; n <= 4; n++) {
        tg_buffer *b[4];
        tg_memory_fail_at(n);
        uint64_t before = mallocs();
        for (int i = 0; i < 4; i++) b[i] = tg_buffer_new(500);
        ck_assert_uint_eq(mallocs(), before + 3);
        for (int i = 0; i < 4; i++) ck_assert_int_eq(!b[i], i == n - 1);
        tg_memory_fail_at(-1);
        for (int i = 0; i < 4; i++) tg_buffer_unref(b[i]);
        ck_assert_uint_eq(live(), start);
    }
    tg_memory_trim();
    size_t bytes = owned();
    tg_memory_fail_at(1000);
    tg_buffer_unref(tg_buffer_new(500));
    ck_assert_uint_eq(owned(), bytes);
}
END_TEST

/* ---- two threads ---- */

static struct {
    pthread_barrier_t barrier;
    tg_buffer *given, *taken;
    size_t seen;
} shared;

static void *partner(void *unused) {
    (void)unused;
    shared.given = tg_buffer_new(3000);
    pthread_barrier_wait(&shared.barrier); /* the other looks */
    pthread_barrier_wait(&shared.barrier); /* the other takes `given` over, and has made `taken` */
    tg_buffer_unref(shared.taken);
    tg_buffer_unref(tg_buffer_new(200000));
    return NULL;
}

START_TEST(buffers_change_threads) {
    pthread_t thread;
    tg_memory_trim();
    tg_buffer_unref(tg_buffer_new(1)); /* this thread has its cache */
    tg_memory_trim();
    size_t start = owned(), start_live = live();
    pthread_barrier_init(&shared.barrier, NULL, 2);
    pthread_create(&thread, NULL, partner, NULL);
    pthread_barrier_wait(&shared.barrier);
    ck_assert_uint_eq(live(), start_live + tg_buffer_size(shared.given));
    shared.taken = tg_buffer_new(100000);
    pthread_barrier_wait(&shared.barrier);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(live(), start_live + tg_buffer_size(shared.given));
    tg_buffer_unref(shared.given);
    ck_assert_uint_eq(live(), start_live);
    tg_memory_trim();
    ck_assert_uint_eq(owned(), start); /* the thread took its cache along */
    pthread_barrier_destroy(&shared.barrier);
}
END_TEST

#define SWAPS 20000
static _Atomic(tg_buffer *) place[8];

static void *swapper(void *seed) {
    unsigned x = (unsigned)(uintptr_t)seed;
    for (int i = 0; i < SWAPS; i++) {
        x = x * 1664525u + 1013904223u;
        tg_buffer_unref(atomic_exchange(&place[x >> 16 & 7], tg_buffer_new(x >> 20 & 1023)));
    }
    return NULL;
}

START_TEST(threads_swap_buffers) {
    pthread_t thread[2];
    size_t start = live();
    for (uintptr_t i = 0; i < 2; i++) pthread_create(&thread[i], NULL, swapper, (void *)(i + 1));
    for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < 8; i++) tg_buffer_unref(atomic_exchange(&place[i], NULL));
    ck_assert_uint_eq(live(), start);
}
END_TEST

#ifdef TG_HAVE_ASAN
START_TEST(cached_memory_is_off_limits) {
    tg_buffer *b = tg_buffer_new(1000);
    char *p = tg_buffer_data(b);
    ck_assert(!__asan_address_is_poisoned(p + 999) && __asan_address_is_poisoned(p + 1000));
    tg_buffer_unref(b);
    ck_assert(__asan_address_is_poisoned(p) && __asan_address_is_poisoned(p + 999));
    b = tg_buffer_new(1000);
    ck_assert_ptr_eq(tg_buffer_data(b), p);
    ck_assert(!__asan_address_is_poisoned(p) && !__asan_address_is_poisoned(p + 999));
    ck_assert(__asan_address_is_poisoned(p + 1000));
    tg_buffer_unref(b);
}
END_TEST
#endif

TCase *tcase_buffer(void) {
    TCase *tc = tcase_create("buffer");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, teardown, teardown);
    tcase_add_test(tc, size_classes);
    tcase_add_test(tc, numbers_are_packed);
    tcase_add_test(tc, impossible_sizes);
    tcase_add_test(tc, steady_steps_call_no_malloc);
    tcase_add_test(tc, references);
    tcase_add_test(tc, live_and_peak);
    tcase_add_test(tc, trim_gives_back);
    tcase_add_test(tc, a_refusal_empties_the_cache_first);
    tcase_add_test(tc, injection_goes_past_the_cache);
    tcase_add_test(tc, buffers_change_threads);
    tcase_add_test(tc, threads_swap_buffers);
#ifdef TG_HAVE_ASAN
    tcase_add_test(tc, cached_memory_is_off_limits);
#endif
    return tc;
}
