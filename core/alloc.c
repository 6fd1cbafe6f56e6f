/* The one allocation function, with failure injection and counters, and the arena. */
#define _DEFAULT_SOURCE /* madvise */
#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- the system ---- */

/* No address space holds more, and sanitizers report requests that are larger. */
#define SYS_MAX (SIZE_MAX >> 17)

tg_sys_counts tg_sys;

/* Allocation number `at` from now fails, and all later ones too when `on` is set. */
_Thread_local TG_HOT bool tg_injecting;
static _Thread_local struct {
    int64_t at;
    bool on;
} injection;

static void inject(int64_t n, bool on) {
    tg_injecting = n > 0;
    injection.at = n;
    injection.on = on;
}

void tg_memory_fail_at(int64_t n) { inject(n, false); }
void tg_memory_fail_from(int64_t n) { inject(n, true); }

static bool injected_failure(void) {
    if (injection.at > 1) {
        injection.at--;
        return false;
    }
    bool fails = injection.at == 1;
    if (!injection.on) injection.at = 0;
    return fails;
}

/* Long buffers start on a huge page and ask for more of them: a loop over several such buffers misses fewer address
 * translations. The kernel may say no. */
#define HUGE_PAGE ((size_t)2 << 20)

static void *aligned(size_t alignment, size_t size, size_t padded) {
    void *p = aligned_alloc(alignment, padded);
#ifdef MADV_HUGEPAGE
    if (p && alignment == HUGE_PAGE) madvise(p, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
    (void)size;
#endif
    return p;
}

static void *obtain(size_t alignment, size_t size) {
    if (tg_injecting && injected_failure()) return NULL;
    size_t padded; /* aligned_alloc takes multiples of the alignment */
    if (size > SYS_MAX || !tg_size_pad(size ? size : 1, alignment, &padded)) return NULL;
    void *p = aligned(alignment, size, padded);
    if (!p) return NULL;
    atomic_fetch_add_explicit(&tg_sys.mallocs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tg_sys.bytes, size, memory_order_relaxed);
    return p;
}

void *tg_sys_alloc(size_t size) { return obtain(size < HUGE_PAGE ? TG_ALIGN : HUGE_PAGE, size); }

void tg_sys_free(void *p, size_t size) {
    if (!p) return;
    atomic_fetch_add_explicit(&tg_sys.frees, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&tg_sys.bytes, size, memory_order_relaxed);
    free(p);
}

bool tg_grow(void **p, int64_t *cap, int64_t used, int64_t need, size_t element) {
    if (need <= *cap) return true;
    int64_t to = *cap > 0 ? *cap : 8;
    while (to < need)
        if (__builtin_mul_overflow(to, 2, &to)) return false;
    size_t bytes;
    if (!tg_size_mul((size_t)to, element, &bytes)) return false;
    void *q = obtain(TG_ALIGN, bytes); /* of what is not used yet nothing is touched */
    if (!q) return false;
    if (used > 0) memcpy(q, *p, (size_t)used * element);
    tg_sys_free(*p, (size_t)*cap * element);
    *p = q;
    *cap = to;
    return true;
}

/* ---- what was needed recently ---- */

void tg_recent_turn(tg_recent *r) {
    r->before = r->most;
    r->most = 0;
    r->events = 0;
}

void tg_recent_missed(tg_recent *r) {
    if (r->gave && r->doubled < TG_WINDOW_DOUBLED) r->doubled++;
    r->gave = false;
}

/* ---- the arena ---- */

#define ARENA_LEAST \
    ((size_t)16 << 10) /* usable bytes of a block: a sixteenth of what there is, within these bounds */
#define ARENA_MOST ((size_t)1 << 20)

struct tg_arena_block {
    tg_arena_block *next;
    size_t size;    /* usable bytes, which start one alignment unit after the block */
    size_t total;   /* those of this block and all before it */
    int64_t number; /* from 1 */
};

static char *arena_data(tg_arena_block *b) { return (char *)b + TG_ALIGN; }

/* Appends a block of at least `need` usable bytes after `last`, the end of the list (NULL: the list is empty). */
static tg_arena_block *arena_append(tg_arena *arena, tg_arena_block *last, size_t need) {
    size_t total = last ? last->total : 0, size = total / 16 / TG_ALIGN * TG_ALIGN, bytes;
    if (size < ARENA_LEAST) size = ARENA_LEAST;
    if (size > ARENA_MOST) size = ARENA_MOST;
    if (size < need) size = need;
    if (!tg_size_add(size, TG_ALIGN, &bytes)) return NULL;
    tg_arena_block *b = tg_sys_alloc(bytes);
    if (!b) return NULL;
    *b = (tg_arena_block){NULL, size, total + size, last ? last->number + 1 : 1};
    TG_HIDE(arena_data(b), size);
    *(last ? &last->next : &arena->first) = b;
    tg_recent_missed(&arena->recent);
    return b;
}

/* Moves on to a block that holds `need` bytes; the ones passed over stay empty until a rewind. */
static bool arena_advance(tg_arena *arena, size_t need) {
    tg_arena_block *last = arena->current, *b = last ? last->next : arena->first;
    while (b && b->size < need) {
        last = b;
        b = b->next;
    }
    if (!b) b = arena_append(arena, last, need);
    if (!b) return false;
    arena->current = b;
    arena->used = 0;
    return true;
}

void *tg_arena_alloc(tg_arena *arena, size_t size) {
    if (size > SIZE_MAX - 7) return NULL;
    size_t need = (size + 7) & ~(size_t)7;
    bool fits = arena->current && need <= arena->current->size - arena->used;
    if (!fits && !arena_advance(arena, need)) return NULL;
    char *p = arena_data(arena->current) + arena->used;
    arena->used += need;
    TG_SHOW(p, size);
    return p;
}

tg_arena_mark tg_arena_get_mark(const tg_arena *arena) {
    return (tg_arena_mark){arena->current, arena->used};
}

/* Hides what was handed out since the mark, and no more: rewinds of a large arena are frequent. */
static void arena_hide(const tg_arena *arena, tg_arena_mark mark) {
#ifdef TG_HAVE_ASAN
    tg_arena_block *b = mark.block ? mark.block : arena->first;
    size_t from = mark.used;
    for (; arena->current && b != arena->current; b = b->next, from = 0)
        TG_HIDE(arena_data(b) + from, b->size - from);
    if (arena->current) TG_HIDE(arena_data(b) + from, arena->used - from);
#else
    (void)arena, (void)mark;
#endif
}

/* Frees the list that starts at *link. */
static void free_blocks(tg_arena_block **link) {
    for (tg_arena_block *b = *link, *next; b; b = next) {
        next = b->next;
        TG_SHOW(arena_data(b), b->size);
        tg_sys_free(b, b->size + TG_ALIGN);
    }
    *link = NULL;
}

/* Between rewinds an arena only grows: what is current before one is the furthest since the last. */
void tg_arena_rewind(tg_arena *arena, tg_arena_mark mark) {
    tg_recent *recent = &arena->recent;
    arena_hide(arena, mark);
    if (arena->current) tg_recent_need(recent, arena->current->number);
    arena->current = mark.block;
    arena->used = mark.used;
    if (!tg_recent_event(recent)) return;
    tg_arena_block **link = &arena->first;
    while (*link && (*link)->number <= tg_recent_most(recent)) link = &(*link)->next;
    recent->gave = *link != NULL || recent->gave;
    free_blocks(link);
    tg_recent_turn(recent);
}

static bool block_has(tg_arena_block *b, const char *p) {
    return p >= arena_data(b) && p < arena_data(b) + b->size;
}

void tg_arena_rewind_to(tg_arena *arena, const void *p) {
    tg_arena_block *b = arena->current;
    if (!block_has(b, p))
        for (b = arena->first; !block_has(b, p);) b = b->next;
    tg_arena_rewind(arena, (tg_arena_mark){b, (size_t)((const char *)p - arena_data(b))});
}

void tg_arena_free(tg_arena *arena) {
    free_blocks(&arena->first);
    *arena = (tg_arena){0};
}
