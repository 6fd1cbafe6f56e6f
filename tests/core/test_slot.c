/* Slots and handles: what a dead handle says, regions, places, kept slots, threads. */
#define _POSIX_C_SOURCE 200809L
#include "ops/tapegrad.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <pthread.h>
#include <stdio.h>

TCase *tcase_slot(void);

static int64_t tensors_before;
static size_t live_before;

static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
    live_before = tg_memory_now().live_buffer_bytes;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
}

static void rewind_all(void) { tg_region_rewind(tg_region_current(), tensors_before); }

/* A tape tensor as op `op` at train.c:line makes it. */
static tg_tensor *make(const char *op, int line) {
    tg_slot *s = tg_slot_new(op);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(tg_array_alloc(&s->a, TG_F32, TG_SHAPE(64, 10)), TG_OK);
    return tg_at(tg_handle(s), "src/train.c", line);
}

/* ---- handles ---- */

START_TEST(a_new_slot) {
    make("matmul", 1);
    rewind_all();
    tg_slot *s = tg_slot_new("relu"); /* the same one again */
    ck_assert(tg_slot_is_alive(s) && !s->kept && !s->poison && !s->requires_grad && !s->released &&
              !s->retain_grad);
    ck_assert(s->pins == 0 && !s->node && !s->grad && !s->extras && !s->a.data && !s->a.buffer &&
              s->a.numel == 0);
    ck_assert_str_eq(tg_slot_maker(s)->op, "relu");
    ck_assert_ptr_null(tg_slot_maker(s)->file);
    ck_assert_str_eq(tg_maker_of(s->before)->op, "matmul");
    ck_assert_int_eq(tg_maker_of(s->before)->line, 1);
    ck_assert_ptr_eq(tg_slot_peek(tg_handle(s)), s);
    ck_assert_ptr_eq(tg_slot_of(tg_handle(s), "add"), s);
    ck_assert_uint_eq((uintptr_t)s % 16, 0);
}
END_TEST

/* More makers than one block has, seen from two threads: each has one number, and none is taken for another. */
enum { MAKERS = 3000 };
static const char *const maker_ops[] = {"add", "mul"}, *const maker_files[] = {"a.c", "b.c"};

static void *note_makers(void *numbers) {
    uint32_t *number = numbers;
    for (int i = 0; i < MAKERS; i++)
        number[i] = tg_maker_number(maker_ops[i & 1], maker_files[i >> 1 & 1], i >> 2);
    return NULL;
}

START_TEST(makers_have_numbers) {
    static uint32_t mine[MAKERS], other[MAKERS], again[MAKERS];
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, note_makers, other), 0);
    note_makers(mine);
    pthread_join(thread, NULL);
    note_makers(again);
    for (int i = 0; i < MAKERS; i++) {
        const tg_maker *m = tg_maker_of(mine[i]);
        ck_assert(mine[i] && mine[i] == other[i] && mine[i] == again[i]);
        ck_assert(m->op == maker_ops[i & 1] && m->file == maker_files[i >> 1 & 1] && m->line == i >> 2);
        ck_assert_uint_eq(m->unplaced, tg_maker_number(m->op, NULL, 0));
        ck_assert_ptr_null(tg_maker_of(m->unplaced)->file);
    }
}
END_TEST

/* Without memory for its maker a tensor is made all the same, by an op that is not known. */
START_TEST(a_maker_without_memory) {
    tg_memory_fail_from(1);
    uint32_t number = 1;
    for (int i = 0; i < 3000 && number; i++) number = tg_maker_number("add", "train.c", i);
    tg_memory_fail_at(-1);
    ck_assert_uint_eq(number, 0);
    ck_assert_str_eq(tg_maker_of(number)->op, "an op");
    ck_assert_uint_ne(tg_maker_number("add", "train.c", 2999), 0);
}
END_TEST

START_TEST(null_and_poison) {
    ck_assert_ptr_null(tg_slot_of(NULL, "add"));
    expect_message(TG_ERR_ARGUMENT, "add: the input is NULL");
    int number = 0; /* a pointer that no function of the library has given: it is not looked behind */
    ck_assert_ptr_null(tg_slot_of((tg_tensor *)(void *)&number, "add"));
    expect_message(TG_ERR_ARGUMENT, "add: the input is a pointer that is no tensor");
    ck_assert_ptr_null(tg_slot_of_input((tg_tensor *)(void *)&number, "add", 1));
    expect_message(TG_ERR_ARGUMENT, "add: input 1 is a pointer that is no tensor");
    ck_assert_ptr_null(tg_slot_of_input(NULL, "concat", 12));
    expect_message(TG_ERR_ARGUMENT, "concat: input 12 is NULL");
    ck_assert_ptr_null(tg_slot_peek(NULL));
    tg_fail(TG_ERR_SHAPE, "matmul: no");
    ck_assert_ptr_null(tg_slot_of(tg_poison(), "add"));
    expect_message(TG_ERR_SHAPE, "matmul: no");
    ck_assert_ptr_null(tg_slot_of(tg_poison(), "add")); /* the error was cleared: it must not pass unnoticed */
    expect_message(TG_ERR_LIFETIME, "add: the input is the result of a failed op");
    ck_assert_ptr_nonnull(tg_slot_peek(tg_poison()));
    tg_at(tg_poison(), "train.c", 1);
    ck_assert_ptr_null(tg_slot_maker(tg_slot_peek(tg_poison()))->file); /* of all threads: never written */
}
END_TEST

START_TEST(handles_after_a_rewind) {
    tg_tensor *x = make("matmul", 41);
    rewind_all();
    ck_assert_ptr_null(tg_slot_peek(x));
    ck_assert_ptr_null(tg_slot_of(x, "add"));
    expect_message(
        TG_ERR_LIFETIME,
        "add: the input was made by matmul (train.c:41), and the tape has since been rewound past it");
    tg_tensor *y = make("relu", 42); /* takes the slot over */
    ck_assert_uint_eq((uintptr_t)x & TG_HANDLE_MASK, (uintptr_t)y & TG_HANDLE_MASK);
    ck_assert_ptr_null(tg_slot_of(x, "add"));
    expect_message(
        TG_ERR_LIFETIME,
        "add: the input was made by matmul (train.c:41), and the tape has since been rewound past it");
    rewind_all();
    ck_assert_ptr_null(tg_slot_of(x, "add"));
    expect_message(
        TG_ERR_LIFETIME,
        "add: the input was made by matmul (train.c:41), and the tape has since been rewound past it");
    ck_assert_ptr_null(tg_slot_of(y, "add"));
    expect_message(TG_ERR_LIFETIME,
                   "add: the input was made by relu (train.c:42), and the tape has since been rewound past it");
    make("exp", 43);
    ck_assert_ptr_null(tg_slot_of(x, "add"));
    expect_message(TG_ERR_LIFETIME,
                   "add: the input was made in an earlier step, and the tape has since been rewound past it");
    ck_assert_ptr_null(tg_slot_of(y, "add"));
    expect_message(TG_ERR_LIFETIME,
                   "add: the input was made by relu (train.c:42), and the tape has since been rewound past it");
    tg_slot *s = tg_slot_new("tanh"); /* a place was never noted */
    tg_tensor *z = tg_handle(s);
    rewind_all();
    ck_assert_ptr_null(tg_slot_of(z, "add"));
    expect_message(TG_ERR_LIFETIME,
                   "add: the input was made by tanh, and the tape has since been rewound past it");
}
END_TEST

START_TEST(generations_skip_zero) {
    tg_tensor *first = NULL;
    unsigned zeros = 0, matches = 0;
    for (int i = 0; i < 3 * UINT16_MAX; i++) {
        tg_slot *s = tg_slot_new("x");
        if (i == 0) first = tg_handle(s);
        zeros += (uint16_t)s->generation == 0;
        matches += tg_slot_peek(first) != NULL;
        rewind_all();
    }
    ck_assert_uint_eq(zeros, 0);
    ck_assert_uint_eq(matches, 3); /* its own life, and once every 65,535 */
}
END_TEST

/* ---- places ---- */

START_TEST(all_that_a_call_made_gets_its_place) {
    tg_slot *a = tg_slot_new("sub"), *b = tg_slot_new("exp"), *c = tg_slot_new("sum");
    ck_assert_ptr_eq(tg_at(tg_handle(c), "net.c", 7), tg_handle(c));
    ck_assert(tg_slot_maker(a)->line == 7 && tg_slot_maker(b)->line == 7 && tg_slot_maker(c)->line == 7);
    tg_slot *d = tg_slot_new("log");
    tg_at(tg_handle(d), "net.c", 8);
    tg_at(tg_handle(d), "net.c", 9); /* a function that returns its argument */
    tg_at(tg_handle(a), "net.c", 10);
    ck_assert(tg_slot_maker(a)->line == 7 && tg_slot_maker(d)->line == 8);
    rewind_all();
    tg_slot *e = tg_slot_new("mul"); /* `stamped` went back with the rewind */
    tg_at(tg_handle(e), "net.c", 11);
    ck_assert_int_eq(tg_slot_maker(e)->line, 11);
    ck_assert_int_eq(tg_region_current()->stamped, tg_region_current()->count);
}
END_TEST

START_TEST(base_names) {
    ck_assert_str_eq(tg_base_name("train.c"), "train.c");
    ck_assert_str_eq(tg_base_name("../src/train.c"), "train.c");
    ck_assert_str_eq(tg_base_name("src/"), "");
}
END_TEST

/* ---- regions ---- */

START_TEST(rewinding_keeps_what_is_older) {
    tg_tensor *t[1000];
    for (int i = 0; i < 1000; i++) t[i] = make("op", i);
    tg_region *r = tg_region_current();
    ck_assert_ptr_eq(tg_slot_at(r, tensors_before + 700), tg_slot_peek(t[700]));
    tg_region_rewind(r, tensors_before + 300);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(tg_slot_peek(t[i]) != NULL, i < 300);
    tg_region_rewind(r, tensors_before + 300);
    ck_assert_int_eq(r->count, tensors_before + 300);
}
END_TEST

START_TEST(steady_steps_call_no_malloc) {
    uint64_t calls = 0;
    for (int step = 0; step < 20; step++) {
        for (int i = 0; i < 600; i++) {
            tg_slot *s = tg_slot_peek(make("op", i));
            if (i % 3 == 0) tg_array_drop(&s->a);
        }
        rewind_all();
        if (step == 0) calls = tg_memory_now().mallocs;
    }
    ck_assert_uint_eq(tg_memory_now().mallocs, calls);
}
END_TEST

START_TEST(regions_share_chunks) {
    tg_region *own = tg_region_current(), r = {0};
    size_t bytes = 0;
    for (int round = 0; round < 3; round++) {
        tg_current_region = &r;
        for (int i = 0; i < 1000; i++) make("op", i);
        tg_region_free(&r);
        ck_assert(r.count == 0 && r.chunk == NULL && tg_current_region == NULL);
        if (round == 0) bytes = tg_memory_now().system_bytes;
    }
    ck_assert_uint_eq(tg_memory_now().system_bytes, bytes);
    tg_current_region = own;
}
END_TEST

/* Keeps tensors until one needs a new chunk; `data` links them. */
static tg_slot *use_up_chunks(void) {
    uint64_t calls = tg_memory_now().mallocs;
    tg_slot *held = NULL;
    while (tg_memory_now().mallocs == calls) {
        tg_slot *s = tg_slot_new_kept("hog");
        if (!s) break;
        s->a.data = held;
        held = s;
    }
    return held;
}

static void kill_all(tg_slot *held) {
    while (held) {
        tg_slot *next = held->a.data;
        tg_slot_kill(held);
        held = next;
    }
}

/* Makes as many tensors as it takes to need new chunks and a longer table; every allocation fails in turn. */
START_TEST(slots_without_memory) {
    tg_region *own = tg_region_current(), r = {0};
    int n = 1;
    for (; n < 20; n++) {
        kill_all(use_up_chunks());
        tg_current_region = &r;
        tg_memory_fail_at(n);
        int made = 0;
        for (; made < 10 * TG_CHUNK_SLOTS; made++)
            if (!tg_slot_new("op")) break;
        tg_memory_fail_at(-1);
        ck_assert_int_eq(r.count, made);
        if (made == 10 * TG_CHUNK_SLOTS) break;
        expect_error(TG_ERR_MEMORY, "out of memory");
        ck_assert_ptr_nonnull(tg_slot_new("op")); /* and now there is some */
        tg_region_free(&r);
    }
    ck_assert_int_gt(n, 10);
    tg_region_free(&r);
    tg_current_region = own;
    expect_ok();
}
END_TEST

static tg_region *no_region(void) { return NULL; }

START_TEST(no_region_is_an_error) {
    tg_region *own = tg_region_current();
    tg_region *(*make_region)(void) = tg_region_make;
    tg_current_region = NULL;
    for (int i = 0; i < 2; i++) {
        tg_region_make = i ? no_region : NULL;
        ck_assert_ptr_null(tg_slot_new("op"));
        expect_error(TG_ERR_MEMORY, "out of memory: this thread's tape could not be made");
    }
    ck_assert(tg_is_poison(tg_scalar(TG_F32, 1)));
    ck_assert_ptr_eq(tg_at(tg_poison(), "a.c", 1), tg_poison());
    tg_region_make = make_region;
    tg_current_region = own;
    tg_error_clear();
}
END_TEST

#define MANY 1000000

/* A million tensors in a thread with a small stack. */
static void *many(void *unused) {
    (void)unused;
    tg_region *r = tg_region_current();
    tg_tensor *first = NULL, *last = NULL;
    for (int i = 0; i < MANY; i++) {
        tg_slot *s = tg_slot_new("op");
        if (!s) return "no memory";
        last = tg_handle(s);
        if (i == 0) first = last;
    }
    if (!tg_slot_peek(first) || !tg_slot_peek(last) || r->count != MANY) return "not all are alive";
    tg_at(last, "net.c", 1);
    if (tg_slot_maker(tg_slot_peek(first))->line != 1) return "not all have their place";
    tg_region_rewind(r, 0);
    return tg_slot_peek(first) || tg_slot_peek(last) ? "not all are dead" : NULL;
}

START_TEST(a_million_tensors) {
    pthread_t thread;
    pthread_attr_t small;
    void *result;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    ck_assert_int_eq(pthread_create(&thread, &small, many, NULL), 0);
    pthread_join(thread, &result);
    pthread_attr_destroy(&small);
    ck_assert_msg(!result, "%s", (const char *)result);
}
END_TEST

/* ---- kept slots ---- */

START_TEST(kept_slots_die_once) {
    tg_slot *s = tg_slot_new_kept("keep");
    tg_tensor *t = tg_at(tg_handle(s), "lib/net.c", 12);
    ck_assert(tg_slot_is_alive(s) && s->kept && tg_slot_maker(s)->line == 12);
    tg_at(t, "lib/net.c", 13);
    ck_assert_int_eq(tg_slot_maker(s)->line, 12);
    tg_slot_kill(s);
    ck_assert_ptr_null(tg_slot_of(t, "add"));
    expect_message(TG_ERR_LIFETIME, "add: the input was made by keep (net.c:12), and has since been freed");
    tg_slot *again = NULL;
    int tries = 0;
    while (again != s && tries < 10000000) {
        again = tg_slot_new_kept("keep");
        tg_slot_kill(again);
        tries++;
    }
    ck_assert_int_ge(tries, TG_CHUNK_SLOTS / 2); /* all other free ones come first */
    ck_assert_ptr_eq(again, s);
    ck_assert_ptr_null(tg_slot_of(t, "add"));
    expect_message(TG_ERR_LIFETIME, "add: the input was made by keep (net.c:12), and has since been freed");
}
END_TEST

START_TEST(killing_drops_everything) {
    size_t bytes = tg_memory_now().system_bytes;
    tg_slot *s = tg_slot_new_kept("keep"), *grad = tg_slot_new_kept("backward");
    tg_tensor *t = tg_handle(s), *g = tg_handle(grad);
    bytes = tg_memory_now().system_bytes;
    ck_assert_int_eq(tg_array_alloc(&s->a, TG_F32, TG_SHAPE(100)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&grad->a, TG_F32, TG_SHAPE(100)), TG_OK);
    s->grad = g;
    tg_set_name(t, "fc1.weight");
    tg_slot_kill(s);
    ck_assert(!tg_slot_peek(t) && !tg_slot_peek(g));
    tg_memory_trim();
    ck_assert_uint_le(tg_memory_now().system_bytes, bytes + 4096); /* the cache itself at most */
}
END_TEST

START_TEST(kept_slots_without_memory) {
    tg_memory_fail_at(1);
    tg_slot *held = use_up_chunks();
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "out of memory");
    tg_slot *s = tg_slot_new_kept("keep");
    ck_assert_ptr_nonnull(s);
    tg_slot_kill(s);
    kill_all(held);
}
END_TEST

/* ---- pins ---- */

START_TEST(pins_hold_elements) {
    tg_tensor *t = make("exp", 5);
    tg_slot *s = tg_slot_peek(t);
    ck_assert_ptr_eq(tg_slot_with_data(t, "add"), s);
    tg_slot_pin(s);
    tg_slot_pin(s);
    tg_drop_elements(t);
    ck_assert_ptr_nonnull(s->a.data);
    ck_assert_ptr_null(tg_slot_with_data(t, "add"));
    expect_message(
        TG_ERR_LIFETIME,
        "add: the elements of [64, 10] f32, made by exp (train.c:5), were dropped by tg_drop_elements");
    tg_slot_unpin(s);
    ck_assert_ptr_nonnull(s->a.data);
    tg_slot_unpin(s);
    ck_assert_ptr_null(s->a.data);
    tg_slot_unpin(s); /* one too many is no harm */
    ck_assert_uint_eq(s->pins, 0);
    ck_assert_ptr_eq(tg_slot_of(t, "add"), s);
    tg_slot *kept = tg_slot_new_kept("keep");
    tg_slot_pin(kept);
    ck_assert_uint_eq(kept->pins, 0);
    tg_slot_unpin(kept);
    tg_slot_kill(kept);
}
END_TEST

/* ---- threads ---- */

static tg_tensor *parameter; /* read by all */

static void *work(void *seed) {
    for (int step = 0; step < 200; step++) {
        tg_tensor *kept[20], *temporary = NULL;
        for (int i = 0; i < 20; i++) {
            temporary = tg_full_with(TG_F64, (double)(uintptr_t)seed, TG_SHAPE(1 + step % 7, i));
            kept[i] = tg_keep(tg_scalar(TG_F64, i + (double)(uintptr_t)seed));
        }
        if (tg_get(parameter, 1) != 5) return "the parameter changed";
        tg_tensor *mine = tg_keep(parameter);
        for (int i = 0; i < 20; i++) {
            if (tg_item(kept[i]) != i + (double)(uintptr_t)seed) return "another's value";
            tg_free(kept[i]);
        }
        tg_free(mine);
        tg_region_rewind(tg_region_current(), 0);
        if (tg_error_status() != TG_OK) return tg_error_clear(), "an error";
        if (tg_is_alive(temporary) || tg_is_alive(kept[3])) return "not dead";
    }
    return NULL;
}

START_TEST(threads_do_not_meet) {
    pthread_t thread[3];
    parameter = tg_keep(tg_full_with(TG_F32, 5, TG_SHAPE(2)));
    for (uintptr_t i = 0; i < 3; i++) pthread_create(&thread[i], NULL, work, (void *)(i * 1000));
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(thread[i], &result);
        ck_assert_msg(!result, "%s", (const char *)result);
    }
    tg_free(parameter);
}
END_TEST

TCase *tcase_slot(void) {
    TCase *tc = tcase_create("slot");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_new_slot);
    tcase_add_test(tc, makers_have_numbers);
    tcase_add_test(tc, a_maker_without_memory);
    tcase_add_test(tc, null_and_poison);
    tcase_add_test(tc, handles_after_a_rewind);
    tcase_add_test(tc, generations_skip_zero);
    tcase_add_test(tc, all_that_a_call_made_gets_its_place);
    tcase_add_test(tc, base_names);
    tcase_add_test(tc, rewinding_keeps_what_is_older);
    tcase_add_test(tc, steady_steps_call_no_malloc);
    tcase_add_test(tc, regions_share_chunks);
    tcase_add_test(tc, slots_without_memory);
    tcase_add_test(tc, no_region_is_an_error);
    tcase_add_test(tc, a_million_tensors);
    tcase_add_test(tc, kept_slots_die_once);
    tcase_add_test(tc, killing_drops_everything);
    tcase_add_test(tc, kept_slots_without_memory);
    tcase_add_test(tc, pins_hold_elements);
    tcase_add_test(tc, threads_do_not_meet);
    return tc;
}
