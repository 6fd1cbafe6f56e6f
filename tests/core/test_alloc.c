/* The allocation function, failure injection, and the arena. */
#include "core/alloc.h"
#include "tests/core/helpers.h"

#include <pthread.h>

TCase *tcase_alloc(void);

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

START_TEST(aligned_and_counted) {
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 1 << 20};
    for (int i = 0; i < COUNT(sizes); i++) {
        tg_memory_stats before = tg_memory_now();
        char *p = tg_sys_alloc(sizes[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % TG_ALIGN, 0);
        memset(p, 1, sizes[i] ? sizes[i] : 1);
        tg_memory_stats with = tg_memory_now();
        ck_assert_uint_eq(with.mallocs, before.mallocs + 1);
        ck_assert_uint_eq(with.system_bytes, before.system_bytes + sizes[i]);
        tg_sys_free(p, sizes[i]);
        tg_memory_stats after = tg_memory_now();
        ck_assert_uint_eq(after.frees, before.frees + 1);
        ck_assert_uint_eq(after.system_bytes, before.system_bytes);
    }
    uint64_t frees = tg_memory_now().frees;
    tg_sys_free(NULL, 10);
    ck_assert_uint_eq(tg_memory_now().frees, frees);
}
END_TEST

START_TEST(impossible_sizes) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 62, SIZE_MAX / 2, (size_t)1 << 60};
    uint64_t mallocs = tg_memory_now().mallocs;
    for (int i = 0; i < COUNT(sizes); i++) ck_assert_ptr_null(tg_sys_alloc(sizes[i]));
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs);
    expect_ok();
}
END_TEST

/* Bit i: allocation i + 1 of six succeeded. */
static unsigned outcomes(void) {
    unsigned bits = 0;
    for (int i = 0; i < 6; i++) {
        void *p = tg_sys_alloc(100);
        if (p) bits |= 1u << i;
        tg_sys_free(p, 100);
    }
    return bits;
}

START_TEST(injected_failures) {
    for (int n = 1; n <= 8; n++) {
        unsigned bit = n <= 6 ? 1u << (n - 1) : 0;
        tg_memory_fail_at(n);
        ck_assert_uint_eq(outcomes(), 63u & ~bit);
        tg_memory_fail_from(n);
        ck_assert_uint_eq(outcomes(), 63u & ((1u << (n - 1)) - 1));
        ck_assert_uint_eq(outcomes(), n <= 6 ? 0 : (1u << (n - 7)) - 1);
        tg_memory_fail_from(-1);
        ck_assert_uint_eq(outcomes(), 63);
    }
    tg_memory_fail_from(1);
    tg_memory_fail_at(-1); /* either turns off both */
    ck_assert_uint_eq(outcomes(), 63);
    expect_ok();
}
END_TEST

static void *outcomes_of_thread(void *bits) {
    *(unsigned *)bits = outcomes();
    return NULL;
}

START_TEST(injection_is_of_the_thread) {
    unsigned bits = 0;
    pthread_t thread;
    tg_memory_fail_from(1);
    pthread_create(&thread, NULL, outcomes_of_thread, &bits);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(bits, 63);
    ck_assert_uint_eq(outcomes(), 0);
}
END_TEST

START_TEST(tables_grow) {
    void *p = NULL;
    int64_t cap = 0, used = 0;
    uint64_t mallocs = tg_memory_now().mallocs;
    for (; used < 1000; used++) {
        ck_assert(tg_grow(&p, &cap, used, used + 1, sizeof(int)));
        ((int *)p)[used] = (int)used;
    }
    ck_assert_uint_le(tg_memory_now().mallocs - mallocs, 10);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(((int *)p)[i], i);
    void *old = p;
    int64_t old_cap = cap;
    tg_memory_fail_at(1);
    ck_assert(!tg_grow(&p, &cap, used, cap + 1, sizeof(int)));
    ck_assert(!tg_grow(&p, &cap, used, INT64_MAX, sizeof(int)));
    ck_assert(!tg_grow(&p, &cap, used, INT64_MAX / 3, sizeof(int)));
    ck_assert(p == old && cap == old_cap);
    ck_assert_int_eq(((int *)p)[999], 999);
    tg_memory_fail_at(-1);
    ck_assert(tg_grow(&p, &cap, used, 5000, sizeof(int)));
    ck_assert_int_ge(cap, 5000);
    ck_assert_int_eq(((int *)p)[999], 999);
    tg_sys_free(p, (size_t)cap * sizeof(int));
    expect_ok();
}
END_TEST

START_TEST(memory_message) {
    ck_assert_int_eq(tg_fail_memory(1234), TG_ERR_MEMORY);
    expect_message(TG_ERR_MEMORY, "tg_alloc: out of memory: 1234 bytes could not be allocated");
}
END_TEST

/* ---- the arena ---- */

#define PIECES 3000
static size_t piece_size(int i) { return (size_t)(i * 37 % 300 + (i % 500 == 7 ? 100000 : 0)); }

/* Fills PIECES pieces and checks that none overlaps another. */
static void use(tg_arena *arena, unsigned char **piece) {
    for (int i = 0; i < PIECES; i++) {
        piece[i] = tg_arena_alloc(arena, piece_size(i));
        ck_assert_ptr_nonnull(piece[i]);
        ck_assert_uint_eq((uintptr_t)piece[i] % 8, 0);
        memset(piece[i], i & 255, piece_size(i));
    }
    for (int i = 0; i < PIECES; i++) {
        size_t same = 0;
        while (same < piece_size(i) && piece[i][same] == (i & 255)) same++;
        ck_assert_uint_eq(same, piece_size(i));
    }
}

START_TEST(arena_is_reused) {
    static unsigned char *first[PIECES], *again[PIECES];
    size_t bytes = tg_memory_now().system_bytes;
    tg_arena arena = {0};
    tg_arena_mark empty = tg_arena_get_mark(&arena);
    use(&arena, first);
    tg_arena_rewind(&arena, empty);
    uint64_t mallocs = tg_memory_now().mallocs;
    use(&arena, again);
    ck_assert_int_eq(memcmp(first, again, sizeof first), 0);
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs);
    tg_arena_free(&arena);
    ck_assert_uint_eq(tg_memory_now().system_bytes, bytes);
    tg_arena_free(&arena);
}
END_TEST

START_TEST(arena_marks_nest) {
    static unsigned char *piece[PIECES];
    tg_arena arena = {0};
    char *low = tg_arena_alloc(&arena, 40);
    memset(low, 7, 40);
    tg_arena_mark inner = tg_arena_get_mark(&arena);
    for (int round = 0; round < 3; round++) {
        use(&arena, piece);
        tg_arena_rewind(&arena, inner);
        ck_assert_int_eq(low[0] + low[39], 14);
        char *next = tg_arena_alloc(&arena, 1);
        ck_assert_ptr_eq(next, low + 40);
        tg_arena_rewind(&arena, inner);
    }
    tg_arena_free(&arena);
}
END_TEST

START_TEST(arena_without_memory) {
    tg_arena arena = {0};
    tg_memory_fail_at(1);
    ck_assert_ptr_null(tg_arena_alloc(&arena, 100));
    char *p = tg_arena_alloc(&arena, 100);
    ck_assert_ptr_nonnull(p);
    memset(p, 3, 100);
    tg_memory_fail_from(1);
    ck_assert_ptr_null(tg_arena_alloc(&arena, 1 << 20));
    ck_assert_ptr_eq(tg_arena_alloc(&arena, 16), p + 104); /* what there is goes on serving */
    tg_memory_fail_from(-1);
    ck_assert_ptr_null(tg_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(tg_arena_alloc(&arena, SIZE_MAX - 20));
    ck_assert_ptr_nonnull(tg_arena_alloc(&arena, 1 << 20));
    ck_assert_int_eq(p[99], 3);
    tg_arena_free(&arena);
    expect_ok();
}
END_TEST

#ifdef TG_HAVE_ASAN
START_TEST(rewound_memory_is_off_limits) {
    tg_arena arena = {0};
    char *low = tg_arena_alloc(&arena, 64);
    tg_arena_mark mark = tg_arena_get_mark(&arena);
    char *near = tg_arena_alloc(&arena, 64), *far = tg_arena_alloc(&arena, 100000);
    ck_assert(!__asan_address_is_poisoned(near) && !__asan_address_is_poisoned(far + 99999));
    tg_arena_rewind(&arena, mark);
    ck_assert(__asan_address_is_poisoned(near) && __asan_address_is_poisoned(far + 99999));
    ck_assert(!__asan_address_is_poisoned(low + 63));
    tg_arena_free(&arena);
}
END_TEST
#endif

TCase *tcase_alloc(void) {
    TCase *tc = tcase_create("alloc");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, teardown, teardown);
    tcase_add_test(tc, aligned_and_counted);
    tcase_add_test(tc, impossible_sizes);
    tcase_add_test(tc, injected_failures);
    tcase_add_test(tc, injection_is_of_the_thread);
    tcase_add_test(tc, tables_grow);
    tcase_add_test(tc, memory_message);
    tcase_add_test(tc, arena_is_reused);
    tcase_add_test(tc, arena_marks_nest);
    tcase_add_test(tc, arena_without_memory);
#ifdef TG_HAVE_ASAN
    tcase_add_test(tc, rewound_memory_is_off_limits);
#endif
    return tc;
}
