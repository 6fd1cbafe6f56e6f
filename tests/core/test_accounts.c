/* What is held and given back: live, peak and system bytes to the byte, sizes of every class, arenas and lists that grow,
 * references counted by several threads at once, and calls that fail at each of their allocations in turn, after which
 * all is as it was: bytes, slots, the random stream.
 */
#define _POSIX_C_SOURCE 200809L
#include "ops/tapegrad.h"
#include "core/io/idx.h"
#include "core/random.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TCase *tcase_accounts(void);

static void setup(void) { tg_error_clear(); }
static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

static size_t live(void) { return tg_memory_now().live_buffer_bytes; }
static size_t peak(void) { return tg_memory_now().peak_buffer_bytes; }

/* What the system has lent, without what is only kept for reuse. */
static size_t system_bytes(void) {
    tg_memory_trim();
    return tg_memory_now().system_bytes;
}

/* ---- buffers ---- */

static void touch_ends(tg_buffer *b, size_t size) {
    unsigned char *p = tg_buffer_data(b);
    memset(p, 0xab, size < 256 ? size : 256);
    if (size > 256) memset(p + size - 256, 0xcd, 256);
}

/* Each size class and the sizes around it: as large as asked for, not too large, and taken again for no more than it has. */
START_TEST(every_size_class) {
    tg_buffer_unref(tg_buffer_new(1)); /* this thread has its cache */
    size_t start = system_bytes(), before = live();
    for (int k = 6; k < 27; k++)
        for (int quarter = 4; quarter < 8; quarter++)
            for (int off = -1; off <= 1; off++) {
                size_t size = ((size_t)quarter << (k - 2)) + (size_t)off, more = size + size / 2 + 1;
                tg_buffer *b = tg_buffer_new(size);
                ck_assert_uint_ge(tg_buffer_size(b), size);
                ck_assert_uint_le(tg_buffer_size(b), size < 64 ? 64 : size + size / 4);
                ck_assert_uint_eq(live(), before + tg_buffer_size(b));
                touch_ends(b, size);
                tg_buffer_unref(b);
                tg_buffer *c = tg_buffer_new(more); /* of another class than what was just given back */
                ck_assert_uint_ge(tg_buffer_size(c), more);
                touch_ends(c, more);
                tg_buffer *d = tg_buffer_new(size), *e = tg_buffer_new(size);
                tg_buffer_unref(d);
                d = tg_buffer_new(2 * size + 2); /* nor of the class below its own */
                ck_assert_uint_ge(tg_buffer_size(d), 2 * size + 2);
                touch_ends(d, 2 * size + 2);
                tg_buffer_unref(d);
                d = tg_buffer_new(size);
                ck_assert(d != e && tg_buffer_size(d) == tg_buffer_size(e) && tg_buffer_size(d) >= size);
                touch_ends(d, size), touch_ends(e, size);
                tg_buffer_unref(c), tg_buffer_unref(d), tg_buffer_unref(e);
                ck_assert_uint_eq(live(), before);
                if (k > 20) tg_memory_trim();
            }
    ck_assert_uint_eq(system_bytes(), start);
}
END_TEST

/* The peak is exact for small sums too, and is that of several buffers at once. */
START_TEST(peaks_to_the_byte) {
    static const size_t sizes[] = {64, 1024, 4096, 65536, 1 << 20, 5 << 20, 24 << 20};
    for (int i = 0; i < COUNT(sizes); i++)
        for (int n = 1; n <= 9; n += 4) {
            tg_buffer *b[9] = {NULL};
            tg_memory_reset_peak();
            size_t start = live();
            ck_assert_uint_eq(peak(), start);
            for (int k = 0; k < n; k++) b[k] = tg_buffer_new(sizes[i]);
            size_t high = start + (size_t)n * tg_buffer_size(b[0]);
            ck_assert_uint_eq(live(), high);
            for (int k = 0; k < n; k++) tg_buffer_unref(b[k]);
            ck_assert_uint_eq(live(), start);
            ck_assert_uint_eq(peak(), high);
            tg_buffer_unref(tg_buffer_new(64)); /* no new high */
            ck_assert_uint_eq(peak(), high);
            tg_memory_reset_peak();
            ck_assert_uint_eq(peak(), start);
        }
    tg_memory_trim();
}
END_TEST

static void *hold_and_drop(void *arg) {
    pthread_barrier_t *barrier = arg;
    tg_buffer *small[10];
    for (int i = 0; i < 10; i++) small[i] = tg_buffer_new(1000);
    pthread_barrier_wait(barrier); /* the other has looked and reset the peak */
    pthread_barrier_wait(barrier);
    for (int i = 0; i < 10; i++) tg_buffer_unref(small[i]);
    tg_buffer_unref(tg_buffer_new(3000));
    tg_buffer_unref(tg_buffer_new(40000));
    return NULL;
}

/* A thread's share is counted while it lives, and after it has ended. */
START_TEST(a_thread_s_bytes) {
    pthread_barrier_t barrier;
    pthread_t thread;
    tg_buffer_unref(tg_buffer_new(1));
    size_t start = live(), bytes = system_bytes();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, hold_and_drop, &barrier);
    pthread_barrier_wait(&barrier);
    size_t each = 1024;
    ck_assert_uint_eq(live(), start + 10 * each);
    tg_memory_reset_peak();
    ck_assert_uint_eq(peak(), start + 10 * each);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(live(), start);
    ck_assert_uint_eq(system_bytes(), bytes);
    pthread_barrier_destroy(&barrier);
}
END_TEST

static void *make_one(void *b) {
    *(tg_buffer **)b = tg_buffer_new(1000);
    return NULL;
}
static void *drop_one(void *b) {
    tg_buffer_unref(*(tg_buffer **)b);
    return NULL;
}

/* Few bytes that change threads: what is left in the share of a thread that ends is counted. */
START_TEST(small_buffers_change_threads) {
    pthread_t thread;
    tg_buffer *b = NULL, *mine = tg_buffer_new(2000);
    size_t start = live();
    for (int i = 0; i < 5; i++) {
        pthread_create(&thread, NULL, make_one, &b);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(live(), start + tg_buffer_size(b));
        tg_buffer_unref(b);
        ck_assert_uint_eq(live(), start);
    }
    size_t size = tg_buffer_size(mine);
    pthread_create(&thread, NULL, drop_one, &mine);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(live(), start - size);
}
END_TEST

/* ---- by line ---- */

/* Places in the order of their bytes; equal lines of two files are two; views count for the first that holds the elements. */
START_TEST(bytes_by_line) {
    static const struct {
        const char *op, *file;
        int line;
        int64_t floats;
        int tensors;
    } made[] = {{"zeros", "a.c", 10, 16, 1}, {"zeros", "b.c", 10, 32, 3}, {"ones", "a.c", 10, 1 << 12, 5},
                {"zeros", "a.c", 11, 64, 2}, {"zeros", NULL, 0, 48, 4},   {"ones", "dir/a.c", 12, 24, 1}};
    enum { PLACES = COUNT(made) };
    tg_region *r = tg_region_current();
    tg_region_rewind(r, 0);
    tg_memory_site site[64];
    int64_t others = tg_memory_sites(site, 64);
    for (int i = 0; i < PLACES; i++)
        for (int k = 0; k < made[i].tensors; k++) {
            tg_slot *s = tg_slot_new(made[i].op), *view = NULL;
            ck_assert_int_eq(tg_array_alloc(&s->a, TG_F32, TG_SHAPE(made[i].floats)), TG_OK);
            if (made[i].file) tg_at(tg_handle(s), made[i].file, made[i].line);
            r->stamped = r->count;
            view = tg_slot_new("view");
            tg_array_share(&view->a, &s->a);
            tg_at(tg_handle(view), "view.c", 1);
            s->maker = tg_maker_number(made[i].op, made[i].file, made[i].line);
        }
    int64_t n = tg_memory_sites(site, 64);
    ck_assert_int_eq(n - others, PLACES);
    for (int64_t i = 1; i < n; i++) ck_assert(site[i - 1].bytes >= site[i].bytes);
    for (int i = 0; i < PLACES; i++) {
        int found = 0;
        for (int64_t k = 0; k < n; k++) {
            if (strcmp(site[k].op, made[i].op) != 0 || site[k].line != made[i].line ||
                (site[k].file != NULL) != (made[i].file != NULL))
                continue;
            if (made[i].file && strcmp(site[k].file, made[i].file) != 0) continue;
            found++;
            ck_assert_int_eq(site[k].tensors, made[i].tensors);
            ck_assert_uint_eq(site[k].bytes, (size_t)made[i].floats * 4 * (size_t)made[i].tensors);
        }
        ck_assert_int_eq(found, 1);
    }
    for (int64_t k = 0; k < n; k++) ck_assert_str_ne(site[k].op, "view");
    ck_assert_int_eq(tg_memory_sites(site, 2), n);
    size_t bytes = system_bytes();
    for (int most = 0; most < 64; most += 9) tg_memory_sites(site, most);
    ck_assert_uint_eq(system_bytes(), bytes);
    tg_region_rewind(r, 0);
}
END_TEST

/* ---- references ---- */

enum { COUNTERS = 4, TIMES = 1000000 };
static struct {
    pthread_barrier_t barrier;
    tg_buffer *b;
} counted;

static void *count_up_and_down(void *unused) {
    (void)unused;
    pthread_barrier_wait(&counted.barrier);
    for (int i = 0; i < TIMES; i++) {
        tg_buffer_ref(counted.b);
        if (i % 3 == 0) tg_buffer_ref(counted.b);
        tg_buffer_unref(counted.b);
        if (i % 3 == 0) tg_buffer_unref(counted.b);
    }
    return NULL;
}

START_TEST(references_of_several_threads) {
    pthread_t thread[COUNTERS];
    pthread_barrier_init(&counted.barrier, NULL, COUNTERS);
    counted.b = tg_buffer_new(100);
    tg_buffer_share(counted.b);
    for (int i = 0; i < COUNTERS; i++) pthread_create(&thread[i], NULL, count_up_and_down, NULL);
    for (int i = 0; i < COUNTERS; i++) pthread_join(thread[i], NULL);
    ck_assert_int_eq(tg_buffer_refs(counted.b), 1);
    tg_buffer_unref(counted.b);
    pthread_barrier_destroy(&counted.barrier);
}
END_TEST

START_TEST(kept_elements_are_shared) {
    static const int64_t sizes[] = {1, 15, 1024, 100000};
    int64_t count = tg_region_current()->count;
    for (int i = 0; i < COUNT(sizes); i++) {
        tg_tensor *t = tg_zeros_with(TG_F32, TG_SHAPE(sizes[i])), *k = tg_keep(t);
        ck_assert(tg_array_of(t)->buffer->shared && tg_array_of(k)->buffer == tg_array_of(t)->buffer);
        ck_assert_int_eq(tg_buffer_refs(tg_array_of(k)->buffer), 2);
        tg_region_rewind(tg_region_current(), count);
        ck_assert_int_eq(tg_buffer_refs(tg_array_of(k)->buffer), 1);
        tg_free(k);
    }
}
END_TEST

/* ---- lists and arenas ---- */

START_TEST(lists_that_grow) {
    size_t start = system_bytes();
    int64_t cap = 0, *list = NULL;
    for (int64_t n = 0; n < 20000; n++) {
        void *p = list;
        ck_assert(tg_grow(&p, &cap, n, n + 1, sizeof *list));
        list = p;
        list[n] = n * 3;
        if ((n & (n - 1)) == 0 || n % 4999 == 0)
            for (int64_t i = 0; i <= n; i++)
                if (list[i] != i * 3) ck_abort_msg("element %d of %d", (int)i, (int)n);
    }
    tg_sys_free(list, (size_t)cap * sizeof *list);
    ck_assert_uint_eq(tg_memory_now().system_bytes, start);
    void *few = NULL; /* more at once than there is room for, when there is room to spare */
    cap = 0;
    for (int64_t used = 0, need = 5; need < 5000; used = need / 2, need *= 3)
        ck_assert(tg_grow(&few, &cap, used, need, 24) && cap >= need);
    tg_sys_free(few, (size_t)cap * 24);
    ck_assert_uint_eq(tg_memory_now().system_bytes, start);
}
END_TEST

/* Pieces of all sizes, some larger than a block, keep what was written to them; they are 16-byte aligned. */
START_TEST(pieces_of_an_arena) {
    enum { PIECES = 4000 };
    static unsigned char *at[PIECES];
    static size_t size[PIECES];
    size_t start = system_bytes();
    tg_arena arena = {0};
    for (int round = 0; round < 3; round++) {
        tg_arena_mark mark = tg_arena_get_mark(&arena);
        for (int i = 0; i < PIECES; i++) {
            size[i] = i % 500 == 499 ? (size_t)40000 + (size_t)i * 16 : (size_t)(i * 37 % 200 + 1);
            at[i] = tg_arena_alloc(&arena, size[i]);
            ck_assert(at[i] && (uintptr_t)at[i] % 8 == 0);
            memset(at[i], i & 0xff, size[i]);
        }
        for (int i = 0; i < PIECES; i++)
            for (size_t k = 0; k < size[i]; k++)
                if (at[i][k] != (i & 0xff)) ck_abort_msg("piece %d of %d bytes", i, (int)size[i]);
        tg_arena_rewind(&arena, mark);
        if (round == 1) ck_assert_ptr_nonnull(tg_arena_alloc(&arena, 700000)); /* and go on behind it */
    }
    tg_arena_rewind(&arena, (tg_arena_mark){0});
    for (size_t k = (size_t)1 << 14; k <= (size_t)1 << 19;
         k *= 2) /* pieces a little larger than the blocks there are */
        for (int d = 0; d < 8; d++) {
            unsigned char *p = tg_arena_alloc(&arena, k + 16 * (size_t)d);
            memset(p, 0x5a, k + 16 * (size_t)d);
            tg_arena_rewind(&arena, (tg_arena_mark){0});
        }
    for (int i = 0; i < PIECES; i++) ck_assert_ptr_nonnull(tg_arena_alloc(&arena, size[i]));
    uint64_t mallocs = tg_memory_now().mallocs;
    tg_arena_rewind(&arena, (tg_arena_mark){0});
    for (int i = 0; i < PIECES; i++) ck_assert_ptr_nonnull(tg_arena_alloc(&arena, size[i]));
    ck_assert_uint_le(tg_memory_now().mallocs, mallocs + 1);
    tg_arena_free(&arena);
    ck_assert_uint_eq(tg_memory_now().system_bytes, start);
    uint64_t frees = tg_memory_now().frees;
    tg_sys_free(NULL, 10);
    ck_assert_uint_eq(tg_memory_now().frees, frees);
}
END_TEST

/* ---- slots ---- */

START_TEST(a_slot_forgets_its_tensor) {
    tg_region *r = tg_region_current();
    int64_t count = r->count;
    for (int i = 0; i < 2; i++) {
        tg_slot *s = tg_slot_new("relu");
        ck_assert(!s->requires_grad && !s->released && !s->retain_grad && s->pins == 0 && !s->grad &&
                  !s->extras && !s->node);
        s->requires_grad = s->released = s->retain_grad = true;
        tg_region_rewind(r, count);
        tg_slot *k = tg_slot_new_kept("keep");
        ck_assert(!k->requires_grad && !k->released && !k->retain_grad && !k->grad && !k->extras);
        k->requires_grad = k->released = k->retain_grad = true;
        tg_slot_kill(k);
    }
}
END_TEST

/* A pinned tensor keeps its elements through tg_drop_elements until the last pin is gone, whatever its rank. */
START_TEST(pins_count) {
    static const tg_shape shapes[] = {
        {0, {0}}, {1, {50}}, {2, {5, 10}}, {3, {5, 5, 2}}, {6, {1, 2, 1, 3, 2, 5}}};
    tg_region *r = tg_region_current();
    int64_t count = r->count;
    for (int i = 0; i < COUNT(shapes); i++)
        for (int pins = 0; pins < 4; pins++) {
            size_t start = live();
            tg_tensor *t = tg_zeros_with(TG_F64, shapes[i]);
            size_t with = live();
            tg_slot *s = tg_slot_peek(t);
            for (int k = 0; k < pins; k++) tg_slot_pin(s);
            tg_drop_elements(t);
            for (int k = pins; k > 0; k--) {
                ck_assert_uint_eq(live(), with);
                ck_assert_ptr_null(tg_slot_with_data(t, "relu")); /* not for users */
                expect_error(TG_ERR_LIFETIME, "were dropped");
                tg_reading_saved = true;
                ck_assert_ptr_eq(tg_slot_with_data(t, "relu"), s);
                tg_reading_saved = false;
                tg_slot_unpin(s);
            }
            ck_assert_uint_eq(live(), start);
            tg_slot_unpin(s); /* of nothing */
            ck_assert_uint_eq(s->pins, 0);
            tg_tensor *k = tg_keep(tg_zeros_with(TG_F64, shapes[i]));
            tg_drop_elements(k); /* kept tensors stay */
            ck_assert_int_eq(tg_slot_with_data(k, "relu") != NULL, 1);
            tg_free(k);
            tg_region_rewind(r, count);
            ck_assert_uint_eq(live(), start);
        }
}
END_TEST

static tg_tensor *no_hook(tg_tensor *grad, void *user) { return (void)user, grad; }

/* Names, hooks and a gradient go with the tensor, however many. */
START_TEST(what_hangs_on_a_tensor) {
    size_t start = 0, before = 0;
    for (int round = 0; round < 3; round++) {
        if (round == 1) start = system_bytes(), before = live();
        tg_tensor *k = tg_keep(tg_zeros_with(TG_F32, TG_SHAPE(100))),
                  *g = tg_keep(tg_zeros_with(TG_F32, TG_SHAPE(100)));
        tg_slot *s = tg_slot_peek(k);
        for (int i = 0; i < 40; i++) {
            char name[64] = "";
            memset(name, 'a' + i % 26, (size_t)(i * 17 % 60));
            tg_set_name(k, name);
            ck_assert_str_eq(tg_name(k), name);
        }
        for (int i = 0; i < 5; i++) {
            tg_hooked *h = tg_sys_alloc(sizeof *h);
            *h = (tg_hooked){.hook = no_hook, .next = tg_slot_hooks(s)};
            tg_slot_extras(s)->hooks = h;
        }
        s->grad = g;
        tg_set_name(g, "its gradient");
        tg_free(k);
        ck_assert(!tg_is_alive(g));
        tg_region_rewind(tg_region_current(), 0);
    }
    ck_assert_uint_eq(live(), before);
    ck_assert_uint_eq(system_bytes(), start);
}
END_TEST

static void *many_tensors(void *unused) {
    (void)unused;
    tg_region_rewind(tg_region_current(), 0);
    for (int i = 0; i < 5 * TG_CHUNK_SLOTS + 3; i++)
        ck_assert(tg_is_alive(tg_zeros_with(TG_F32, TG_SHAPE(3))));
    return NULL;
}

/* The chunks of a thread's region are taken again by the next thread. */
START_TEST(chunks_come_back) {
    size_t bytes = 0;
    for (int round = 0; round < 6; round++) {
        pthread_t thread;
        pthread_create(&thread, NULL, many_tensors, NULL);
        pthread_join(thread, NULL);
        if (round == 2) bytes = system_bytes();
    }
    ck_assert_uint_eq(system_bytes(), bytes);
}
END_TEST

/* Every tensor alive is listed once: of the region, and kept ones in all chunks. */
START_TEST(all_that_are_alive) {
    enum { KEPT = 3 * TG_CHUNK_SLOTS };
    static tg_tensor *kept[KEPT];
    int64_t before = tg_slots_alive(NULL, 0), count = tg_region_current()->count;
    for (int i = 0; i < KEPT; i++) {
        kept[i] = tg_keep(tg_zeros_with(TG_F32, TG_SHAPE(2)));
        tg_region_rewind(tg_region_current(), count);
    }
    ck_assert_int_eq(tg_slots_alive(NULL, 0), before + KEPT);
    for (int i = 0; i < KEPT; i++) tg_free(kept[i]);
    ck_assert_int_eq(tg_slots_alive(NULL, 0), before);
}
END_TEST

/* A call that makes several tensors gives each its place, after a rewind too. */
START_TEST(places_of_all) {
    tg_region *r = tg_region_current();
    int64_t count = r->count;
    for (int back = 0; back < 3; back++) {
        for (int i = 0; i < 4; i++) tg_slot_new("part");
        tg_at(tg_handle(tg_slot_at(r, r->count - 1)), "train.c", 10);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(tg_slot_maker(tg_slot_at(r, r->count - 1 - i))->line, 10);
        tg_region_rewind(r, r->count - back);
        tg_slot *s = tg_slot_new("next");
        tg_at(tg_handle(s), "train.c", 11);
        ck_assert_int_eq(tg_slot_maker(s)->line, 11);
        tg_region_rewind(r, count);
    }
}
END_TEST

/* Changes through the user's pointer are counted whoever else has the elements, and are the user's. */
START_TEST(versions_of_shared_elements) {
    tg_region *r = tg_region_current();
    int64_t count = r->count;
    tg_tensor *t = tg_zeros_with(TG_F32, TG_SHAPE(3)), *k = tg_keep(t);
    tg_buffer *b = tg_array_of(t)->buffer;
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(b->version, i);
        b->changed_by = "add_";
        ck_assert_ptr_nonnull(tg_data_mut(i % 2 ? t : k));
        ck_assert_ptr_null(b->changed_by);
    }
    tg_free(k);
    tg_region_rewind(r, count);
}
END_TEST

/* ---- calls that fail ---- */

typedef struct call {
    const char *name;
    tg_status (*run)(void);
} call;

static char path[64];
static tg_tensor *view; /* a kept one, strided */

static tg_status status_of(const tg_tensor *t) { return tg_is_poison(t) ? tg_error_status() : TG_OK; }
static tg_status run_zeros(void) { return status_of(tg_zeros_with(TG_F64, TG_SHAPE(7, 9))); }
static tg_status run_from(void) { return status_of(tg_from_with(TG_BOOL, "0123456789ab", TG_SHAPE(12))); }
static tg_status run_rand(void) { return status_of(tg_uniform_with(TG_F32, 0, 1, TG_SHAPE(1001))); }
static tg_status run_randn(void) { return status_of(tg_normal_with(TG_F64, 0, 1, TG_SHAPE(33))); }
static tg_status run_keep(void) {
    tg_tensor *k = tg_keep(view);
    if (tg_is_poison(k)) return tg_error_status();
    ck_assert_str_eq(tg_name(k), "a view");
    ck_assert(tg_slot_peek(k)->requires_grad);
    tg_free(k);
    return TG_OK;
}
static tg_status run_name(void) { return status_of(tg_set_name(view, "a view")); }
static tg_status run_contiguous(void) {
    tg_array a = {0};
    tg_status s = tg_array_contiguous(&a, tg_array_of(view));
    tg_array_drop(&a);
    return s;
}
static tg_status run_save(void) { return tg_save_idx(view, path); }
static tg_status run_load(void) { return status_of(tg_load_idx(path)); }
static tg_status run_sites(void) {
    tg_memory_site one;
    return tg_memory_sites(&one, 1) < 0 ? tg_error_status() : TG_OK;
}

static const call calls[] = {
    {"zeros", run_zeros},   {"from", run_from},     {"uniform", run_rand},          {"normal", run_randn},
    {"keep", run_keep},     {"set_name", run_name}, {"contiguous", run_contiguous}, {"save_idx", run_save},
    {"load_idx", run_load}, {"sites", run_sites}};

START_TEST(calls_that_fail) {
    tg_region *r = tg_region_current();
    tg_region_rewind(r, 0);
    snprintf(path, sizeof path, "accounts-%ld.idx", (long)getpid());
    tg_array turned = {0};
    tg_tensor *base = tg_ones_with(TG_F32, TG_SHAPE(4, 5, 6));
    tg_array_permute(&turned, tg_array_of(base), (int[]){2, 1, 0});
    view = tg_keep(tg_from_array(&turned));
    tg_array_drop(&turned);
    tg_set_name(view, "a view");
    tg_slot_peek(view)->requires_grad = true;
    ck_assert_int_eq(tg_save_idx(view, path), TG_OK);
    for (int i = 0; i < COUNT(calls); i++) {
        tg_rng rng = *tg_default_rng();
        int64_t count = r->count;
        calls[i].run();
        *tg_default_rng() = rng;
        tg_region_rewind(r, count);
        size_t before = live();
        for (int64_t n = 1;; n++) {
            while (r->count < r->n_chunks * TG_CHUNK_SLOTS)
                tg_slot_new("filler"); /* the next slot needs a chunk */
            size_t bytes = system_bytes();
            int64_t chunks = r->n_chunks, cap = r->cap_chunks;
            count = r->count;
            tg_memory_fail_at(n);
            tg_status s = calls[i].run();
            tg_memory_fail_at(-1);
            int64_t made = r->count;
            bool moved = memcmp(&rng, tg_default_rng(), sizeof rng) != 0;
            tg_region_rewind(r, count);
            if (s == TG_OK) break;
            ck_assert_int_eq(s, TG_ERR_MEMORY);
            expect_error(TG_ERR_MEMORY, "memory");
            ck_assert_msg(live() == before, "%s: %d bytes stay behind when allocation %d fails",
                          calls[i].name, (int)(live() - before), (int)n);
            if (chunks == r->n_chunks && cap == r->cap_chunks)
                ck_assert_msg(system_bytes() == bytes, "%s: allocation %d: %ld bytes of the system",
                              calls[i].name, (int)n, (long)system_bytes() - (long)bytes);
            ck_assert_msg(!moved, "%s moves the random stream when allocation %d fails", calls[i].name, (int)n);
            ck_assert_msg(made == count, "%s leaves tensors when allocation %d fails", calls[i].name, (int)n);
            ck_assert_str_eq(tg_name(view), "a view");
            ck_assert_int_lt(n, 1000);
        }
        *tg_default_rng() = rng;
        ck_assert_uint_eq(live(), before);
        size_t bytes = 0;
        for (int k = 0; k < 3; k++) { /* nor does what succeeds keep anything */
            calls[i].run();
            tg_region_rewind(r, count);
            if (k == 0) bytes = system_bytes();
        }
        ck_assert_msg(system_bytes() == bytes, "%s keeps %ld bytes", calls[i].name,
                      (long)system_bytes() - (long)bytes);
        *tg_default_rng() = rng;
    }
    unlink(path);
    tg_free(view);
    tg_region_rewind(r, 0);
}
END_TEST

TCase *tcase_accounts(void) {
    TCase *tc = tcase_create("accounts");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_size_class);
    tcase_add_test(tc, peaks_to_the_byte);
    tcase_add_test(tc, a_thread_s_bytes);
    tcase_add_test(tc, small_buffers_change_threads);
    tcase_add_test(tc, bytes_by_line);
    tcase_add_test(tc, references_of_several_threads);
    tcase_add_test(tc, kept_elements_are_shared);
    tcase_add_test(tc, lists_that_grow);
    tcase_add_test(tc, pieces_of_an_arena);
    tcase_add_test(tc, a_slot_forgets_its_tensor);
    tcase_add_test(tc, pins_count);
    tcase_add_test(tc, what_hangs_on_a_tensor);
    tcase_add_test(tc, chunks_come_back);
    tcase_add_test(tc, all_that_are_alive);
    tcase_add_test(tc, places_of_all);
    tcase_add_test(tc, versions_of_shared_elements);
    tcase_add_test(tc, calls_that_fail);
    return tc;
}
