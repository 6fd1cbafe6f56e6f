/* Buffers and the cache each thread keeps of unused ones, by size class.
 *
 * Class 0 holds up to 64 bytes; above, each power of two is followed by four steps up to the next:
 * 80 96 112 128, 160 192 224 256, ... so at most a fifth of a buffer is unused.
 */
#include "core/alloc.h"
#include "core/thread.h"

#include <stddef.h>
#include <string.h>

#define SMALLEST 64
#define CLASSES (1 + 4 * 42) /* up to 2^48 bytes; tg_sys_alloc grants less */

/* What a thread has: free buffers by class, and its share of the counters. The share is added to the process'
 * only when it has grown large, as one atomic addition costs more than the rest of taking a buffer. Only the
 * owner writes `live` and `high` (but for tg_memory_reset_peak); others read them for the statistics. */
typedef struct cache {
    tg_buffer *free[CLASSES];
    _Atomic int64_t live, high; /* bytes since the last flush, and the most they were since */
    struct cache *next, **link;
    tg_thread_end end;
} cache;

#define SHARE_MAX (64 << 10)

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

static void flush(cache *c) {
    int64_t share = get(&c->live);
    int64_t before = atomic_fetch_add(&total.live, share);
    raise_peak(before + get(&c->high));
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

tg_memory_stats tg_memory_get_stats(void) {
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
        *bytes = SMALLEST;
        return 0;
    }
    int k = 63 - __builtin_clzll(size - 1); /* 2^k < size <= 2^(k+1), k >= 6 */
    size_t step = (size - 1) >> (k - 2);    /* 4 to 7 */
    *bytes = (step + 1) << (k - 2);
    return 4 * (k - 6) + (int)step - 3;
}

/* With the header, and what kernels overrun. */
static size_t block_size(size_t usable) { return usable + TG_ALIGN + 64; }

static void give_back(tg_buffer *b) { tg_sys_free(b, block_size(b->size)); }

static void trim(cache *c) {
    for (int i = 0; i < CLASSES; i++)
        for (tg_buffer *b; (b = c->free[i]);) {
            c->free[i] = b->next_free;
            TG_SHOW(tg_buffer_data(b), b->size + 64);
            give_back(b);
        }
}

static void close_cache(tg_thread_end *end) {
    cache *c = (cache *)(void *)((char *)end - offsetof(cache, end));
    trim(c);
    flush(c);
    tg_lock(TG_LOCK_CACHES);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    tg_unlock(TG_LOCK_CACHES);
    tg_sys_free(c, sizeof *c);
    mine = NULL;
    closed = true;
}

/* NULL: this thread does without. */
static cache *open_cache(void) {
    if (mine || closed || tg_injecting) return mine;
    cache *c = tg_sys_alloc(sizeof *c);
    if (!c) return NULL;
    memset(c, 0, sizeof *c);
    c->end.run = close_cache;
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
    if (mine) trim(mine);
}

/* ---- buffers ---- */

static tg_buffer *start(tg_buffer *b) {
    atomic_init(&b->refs, 1);
    b->shared = false;
    b->version = 0;
    b->changed_by = NULL;
    return b;
}

/* From the system. What the cache holds may be what is missing, so it is given up before giving in. */
static tg_buffer *obtain(int class, size_t usable) {
    cache *c = open_cache();
    tg_buffer *b = tg_sys_alloc(block_size(usable));
    if (!b && c && !tg_injecting) {
        trim(c);
        b = tg_sys_alloc(block_size(usable));
    }
    if (!b) return NULL;
    b->size = usable;
    b->size_class = class;
    if (c)
        count(c, (int64_t)usable);
    else
        count_uncached((int64_t)usable);
    return start(b);
}

tg_buffer *tg_buffer_new(size_t size) {
    if (size > SIZE_MAX >> 17) return NULL;
    size_t usable;
    int class = class_of(size, &usable);
    cache *c = mine;
    tg_buffer *b = c && !tg_injecting ? c->free[class] : NULL;
    if (!b) return obtain(class, usable);
    c->free[class] = b->next_free;
    TG_SHOW(tg_buffer_data(b), usable + 64);
    count(c, (int64_t)usable);
    return start(b);
}

void tg_buffer_free(tg_buffer *b) {
    cache *c = mine ? mine : open_cache();
    if (!c || tg_injecting) {
        if (c)
            count(c, -(int64_t)b->size);
        else
            count_uncached(-(int64_t)b->size);
        give_back(b);
        return;
    }
    count(c, -(int64_t)b->size);
    TG_HIDE(tg_buffer_data(b), b->size + 64);
    b->next_free = c->free[b->size_class];
    c->free[b->size_class] = b;
}
