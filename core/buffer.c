/* Buffers and the cache each thread keeps of unused ones, by size class.
 *
 * Class 0 holds one number, up to 8 bytes, and its buffers are pieces of slabs. Class 1 holds up to 64 bytes; above, each
 * power of two is followed by four steps up to the next: 80 96 112 128, 160 192 224 256, ... so at most a fifth of a buffer
 * is unused.
 */
#include "core/slab.h"
#include "core/thread.h"

#include <stddef.h>
#include <string.h>

#define SMALLEST 64          /* of those that are not pieces of slabs */
#define CLASSES (2 + 4 * 42) /* up to 2^48 bytes; tg_sys_alloc grants less */

/* What a thread has: free buffers by class, and its share of the counters. The share is added to the process'
 * only when it has grown large, as one atomic addition costs more than the rest of taking a buffer. Only the
 * owner writes `live` and `high` (but for tg_memory_reset_peak); others read them for the statistics.
 *
 * How much may wait for reuse follows from what was live recently. Let h(t) be the bytes that the thread has taken less
 * those that it has freed. A cache helps where h rises again after a fall, and then by the largest rise at most. The bound
 * is 1.75 times that rise, because a step's classes do not all reach their most at once: after steps of networks 1.0 to 1.3
 * times the rise waits. A thread that only frees what others made has no rise, and keeps next to nothing. h is sampled
 * when a share is added to the process'. */
typedef struct cache {
    tg_buffer *free[CLASSES];
    uint32_t used[CLASSES]; /* the value of `takes` when the class was last taken from */
    uint32_t takes;
    int64_t waiting, bound;     /* bytes in free[], and their upper bound */
    int64_t held, low;          /* h, and its minimum in this window */
    tg_recent rise;             /* the largest h - low; an event is a take */
    _Atomic int64_t live, high; /* bytes since the last flush, and their maximum since then */
    struct cache *next, **link;
    tg_thread_end end;
} cache;

#define SHARE_MAX (64 << 10)
#define WAITING_MIN ((int64_t)1 << 20) /* bytes that may always wait */

static _Thread_local TG_HOT cache *mine;
static _Thread_local bool closed; /* the thread is ending: no new cache */

static struct { _Atomic int64_t live, peak; /* without the threads' shares */ } total;

static cache *caches; /* of all threads; under TG_LOCK_CACHES */

/* ---- counting ---- */

static int64_t get(_Atomic int64_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }
static void set(_Atomic int64_t *p, int64_t v) { atomic_store_explicit(p, v, memory_order_relaxed); }

static void raise_peak(int64_t to) {
    int64_t peak = get(&total.peak);
    while (peak < to && !atomic_compare_exchange_weak(&total.peak, &peak, to)) continue;
}

/* The most bytes, live and waiting, that a thread may have whose largest rise is `rise`. */
static int64_t bound_of(int64_t rise) {
    int64_t bound = rise + rise / 4 * 3;
    return bound > WAITING_MIN ? bound : WAITING_MIN;
}

/* Accounts for h having been `held` at some time. */
static void note_rise(cache *c, int64_t held) {
    if (held < c->low) c->low = held;
    tg_recent_need(&c->rise, held - c->low);
    c->bound = bound_of(tg_recent_most(&c->rise));
}

static void flush(cache *c) {
    int64_t share = get(&c->live);
    int64_t before = atomic_fetch_add(&total.live, share);
    raise_peak(before + get(&c->high));
    note_rise(c, c->held + get(&c->high));
    c->held += share;
    note_rise(c, c->held);
    set(&c->live, 0);
    set(&c->high, 0);
}

static inline void count(cache *c, int64_t bytes) {
    int64_t live = get(&c->live) + bytes;
    set(&c->live, live);
    if (live > get(&c->high)) set(&c->high, live);
    if (live > SHARE_MAX || live < -SHARE_MAX) flush(c);
}

static void count_uncached(int64_t bytes) { raise_peak(atomic_fetch_add(&total.live, bytes) + bytes); }

/* All threads' bytes now, and the highest they can have been as far as each thread knows. */
static int64_t live_now(int64_t *peak) {
    int64_t live = get(&total.live), over = 0;
    tg_lock(TG_LOCK_CACHES);
    for (cache *c = caches; c; c = c->next) {
        int64_t above = get(&c->high) - get(&c->live);
        live += get(&c->live);
        if (above > over) over = above;
    }
    tg_unlock(TG_LOCK_CACHES);
    *peak = get(&total.peak) > live + over ? get(&total.peak) : live + over;
    return live;
}

tg_memory_stats tg_memory_now(void) {
    int64_t peak, live = live_now(&peak);
    return (tg_memory_stats){
        .mallocs = atomic_load(&tg_sys.mallocs),
        .frees = atomic_load(&tg_sys.frees),
        .live_buffer_bytes = live > 0 ? (size_t)live : 0,
        .peak_buffer_bytes = peak > 0 ? (size_t)peak : 0,
        .system_bytes = atomic_load(&tg_sys.bytes),
    };
}

void tg_memory_reset_peak(void) {
    int64_t peak, live = live_now(&peak);
    tg_lock(TG_LOCK_CACHES);
    for (cache *c = caches; c; c = c->next) set(&c->high, get(&c->live));
    tg_unlock(TG_LOCK_CACHES);
    set(&total.peak, live);
}

/* ---- the thread's cache ---- */

/* *bytes becomes the size that all buffers of the class have. */
static inline int class_of(size_t size, size_t *bytes) {
    if (size <= SMALLEST) {
        *bytes = size <= TG_FEW_BYTES ? TG_FEW_BYTES : SMALLEST;
        return size > TG_FEW_BYTES;
    }
    int k = 63 - __builtin_clzll(size - 1); /* 2^k < size <= 2^(k+1), k >= 6 */
    size_t step = (size - 1) >> (k - 2);    /* 4 to 7 */
    *bytes = (step + 1) << (k - 2);
    return 4 * (k - 6) + (int)step - 2;
}

static inline size_t usable_of(const tg_buffer *b) {
    size_t bytes;
    class_of(b->asked, &bytes);
    return tg_buffer_is_foreign(b) ? 0 : bytes;
}

size_t tg_buffer_size(const tg_buffer *b) { return usable_of(b); }

/* Where the system's memory begins, which the header lies at the end of the first alignment unit of, and its bytes. */
static void *block_of(tg_buffer *b) { return (char *)(b + 1) - TG_ALIGN; }
static size_t block_size(size_t usable) { return usable + TG_ALIGN; }

static void give_back(tg_buffer *b) {
    size_t usable = usable_of(b);
    TG_SHOW(tg_buffer_data(b), usable);
    if (b->size_class == 0)
        tg_slab_give_back(b);
    else
        tg_sys_free(block_of(b), block_size(usable));
}

static inline tg_buffer *pop(cache *c, int class, size_t usable) {
    tg_buffer *b = c->free[class];
    c->free[class] = b->next_free;
    c->waiting -= (int64_t)usable;
    TG_SHOW(tg_buffer_data(b), usable);
    return b;
}

static inline void push(cache *c, tg_buffer *b, size_t usable) {
    TG_HIDE(tg_buffer_data(b), usable);
    b->next_free = c->free[b->size_class];
    c->free[b->size_class] = b;
    c->waiting += (int64_t)usable;
}

/* Of the classes with free buffers, of which there is one, that which was not taken from for longest. */
static int idlest(const cache *c) {
    int found = -1;
    for (int i = 0; i < CLASSES; i++)
        if (c->free[i] && (found < 0 || c->takes - c->used[i] > c->takes - c->used[found])) found = i;
    return found;
}

/* Gives back until no more than `most` bytes wait. */
static void shrink(cache *c, int64_t most) {
    while (c->waiting > most)
        for (int i = idlest(c); c->free[i] && c->waiting > most;) give_back(pop(c, i, usable_of(c->free[i])));
}

static void turn_window(cache *c) {
    tg_recent_turn(&c->rise);
    c->low = c->held;
    note_rise(c, c->held);
    c->rise.gave |= c->waiting > c->bound;
    shrink(c, c->bound);
}

static void close_cache(tg_thread_end *end) {
    cache *c = (cache *)(void *)((char *)end - offsetof(cache, end));
    shrink(c, 0);
    flush(c);
    tg_lock(TG_LOCK_CACHES);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    tg_unlock(TG_LOCK_CACHES);
    tg_sys_free(c, sizeof *c);
    mine = NULL;
    closed = true;
}

/* This thread's cache, made at its first call. NULL, and buffers come from the system, where the thread is ending, where
 * failures are injected, and where there is no memory for a cache. */
static cache *open_cache(void) {
    if (mine || closed || tg_injecting) return mine;
    cache *c = tg_sys_alloc(sizeof *c);
    if (!c) return NULL;
    memset(c, 0, sizeof *c);
    c->end.run = close_cache;
    c->bound = WAITING_MIN;
    if (!tg_at_thread_end(&c->end)) {
        tg_sys_free(c, sizeof *c);
        return NULL;
    }
    tg_lock(TG_LOCK_CACHES);
    c->next = caches;
    c->link = &caches;
    if (caches) caches->link = &c->next;
    caches = c;
    tg_unlock(TG_LOCK_CACHES);
    return mine = c;
}

void tg_memory_trim(void) {
    if (mine) shrink(mine, 0);
}

/* ---- buffers ---- */

_Thread_local TG_HOT uint64_t tg_buffer_births;
_Thread_local TG_HOT tg_placing *tg_placing_now;

static tg_buffer *start(tg_buffer *b) {
    b->serial = ++tg_buffer_births;
    atomic_init(&b->refs, 1);
    b->shared = TG_ALONE;
    b->version = 0;
    b->changed_by = NULL;
    return b;
}

static tg_buffer *from_system(int class, size_t usable) {
    char *block = tg_sys_alloc(block_size(usable));
    if (!block) return NULL;
    tg_buffer *b = (tg_buffer *)(void *)(block + TG_ALIGN) - 1;
    b->size_class = (uint8_t) class;
    b->read_only = false;
    return b;
}

/* One of class 0, and all others that its slab has free go to the cache. */
static tg_buffer *from_slab(cache *c) {
    tg_buffer *b = tg_slab_obtain();
    for (tg_buffer *next = b ? b->next_free : NULL, *rest; (rest = next);) {
        next = rest->next_free;
        rest->asked = TG_FEW_BYTES;
        push(c, rest, TG_FEW_BYTES);
    }
    return b;
}

static tg_buffer *from_outside(cache *c, int class, size_t usable) {
    return class == 0 ? from_slab(c) : from_system(class, usable);
}

/* Gives free buffers back, so that with a new one of `bytes` the live and waiting bytes stay within the bound. */
static void make_room(cache *c, int64_t bytes) {
    int64_t rise = c->held + get(&c->live) + bytes - c->low, bound = bound_of(rise);
    if (bound < c->bound) bound = c->bound;
    if (c->waiting > bound - rise) shrink(c, bound - rise);
}

/* A buffer from the system, for a class that has no free one, which is rare. Where the system refuses, the free buffers of
 * all other classes go back to it before the second try. */
__attribute__((noinline)) static tg_buffer *obtain(cache *c, int class, size_t usable) {
    if (!c || tg_injecting) return from_system(TG_UNCACHED, usable);
    tg_recent_missed(&c->rise);
    make_room(c, (int64_t)usable);
    tg_buffer *b = from_outside(c, class, usable);
    if (b) return b;
    shrink(c, 0);
    return from_outside(c, class, usable);
}

/* The buffer in its place, where one was set aside for it. */
__attribute__((noinline)) static tg_buffer *placed(tg_placing *p, size_t size) {
    p->births++;
    while (p->n && p->place->birth < p->births) p->place++, p->n--;
    if (!p->n || p->place->birth != p->births || p->place->size != size) return NULL;
    tg_buffer *b = (tg_buffer *)(void *)((char *)p->place->at + TG_ALIGN) - 1;
    b->asked = size;
    b->size_class = TG_PLACED;
    b->read_only = false;
    return start(b);
}

tg_buffer *tg_buffer_new(size_t size) {
    if (size > SIZE_MAX >> 17) return NULL;
    if (__builtin_expect(tg_placing_now != NULL, 0)) {
        tg_buffer *b = placed(tg_placing_now, size);
        if (b) return b;
    }
    size_t usable;
    int class = class_of(size, &usable);
    cache *c = mine ? mine : open_cache();
    bool waits = c && !tg_injecting && c->free[class];
    tg_buffer *b = waits ? pop(c, class, usable) : obtain(c, class, usable);
    if (!b) return NULL;
    if (c) {
        count(c, (int64_t)usable);
        c->used[class] = ++c->takes;
        if (tg_recent_event(&c->rise)) turn_window(c);
    } else {
        count_uncached((int64_t)usable);
    }
    TG_HIDE((char *)tg_buffer_data(b) + size, usable - size);
    b->asked = size;
    return start(b);
}

__attribute__((noinline)) static void free_uncached(tg_buffer *b) {
    if (tg_buffer_is_foreign(b))
        tg_buffer_free_blob(b);
    else
        give_back(b);
}

void tg_buffer_free(tg_buffer *b) {
    if (b->size_class == TG_PLACED) return;
    cache *c = mine ? mine : open_cache();
    const size_t usable = usable_of(b);
    if (c)
        count(c, -(int64_t)usable);
    else
        count_uncached(-(int64_t)usable);
    if (!c || b->size_class == TG_UNCACHED) {
        free_uncached(b);
        return;
    }
    push(c, b, usable);
    if (c->waiting > c->bound) shrink(c, c->bound);
}
