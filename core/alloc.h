/* Private. The one allocation function, buffers and the arena. */
#ifndef TG_CORE_ALLOC_H
#define TG_CORE_ALLOC_H

#include "core/array.h"
#include "core/memory.h"

#include <stdatomic.h>

/* For the few small thread-local variables that every op reads: found at a fixed offset, without a call. */
#define TG_HOT __attribute__((tls_model("initial-exec")))

/* Under AddressSanitizer, memory that waits for reuse is off limits. */
#if defined(__SANITIZE_ADDRESS__)
#define TG_HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TG_HAVE_ASAN 1
#endif
#endif
#ifdef TG_HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define TG_HIDE(p, size) ASAN_POISON_MEMORY_REGION((p), (size))
#define TG_SHOW(p, size) ASAN_UNPOISON_MEMORY_REGION((p), (size))
#else
#define TG_HIDE(p, size) ((void)(p), (void)(size))
#define TG_SHOW(p, size) ((void)(p), (void)(size))
#endif

/* 64-byte aligned, not cleared; NULL on failure (natural or injected), without raising an error. size 0 is
 * served as 1. tg_sys_free takes the same size, and ignores NULL. */
void *tg_sys_alloc(size_t size);
void tg_sys_free(void *p, size_t size);

/* Calls that reached the system, and the bytes it has not been given back. */
typedef struct tg_sys_counts {
    _Atomic uint64_t mallocs, frees;
    atomic_size_t bytes;
} tg_sys_counts;
extern tg_sys_counts tg_sys;

/* While this thread injects failures, buffers bypass the cache. */
extern _Thread_local TG_HOT bool tg_injecting;

/* Grows *p (of `used` elements, capacity *cap) to hold at least `need` elements: doubling, contents kept. False
 * on failure, with everything as before. */
bool tg_grow(void **p, int64_t *cap, int64_t used, int64_t need, size_t element);

/* How much of what is kept for reuse was needed recently: the most in the window of events under way and in the one
 * before. What lies beyond may go back at a window's end; where it is missed, windows become twice as long, so that a
 * step of any length soon fits one. */
typedef struct tg_recent {
    int64_t most, before;
    uint32_t events, doubled;
    bool gave; /* something back at a window's end, and nothing has been missed since */
} tg_recent;
enum { TG_WINDOW_BITS = 14, TG_WINDOW_DOUBLED = 8 }; /* 2^14 events at first, at most 2^22 */

static inline void tg_recent_need(tg_recent *r, int64_t need) {
    if (need > r->most) r->most = need;
}
static inline int64_t tg_recent_most(const tg_recent *r) { return r->most > r->before ? r->most : r->before; }

/* Counts an event; true at the end of a window. */
static inline bool tg_recent_event(tg_recent *r) { return ++r->events >> (TG_WINDOW_BITS + r->doubled) != 0; }
void tg_recent_turn(tg_recent *r);   /* to the next window */
void tg_recent_missed(tg_recent *r); /* something had to be obtained anew */

/* As tg_fail, for what several functions stand on: the text names this one until tg_error_by puts the name of the one that
 * the user called in its place, which it does where the pending error is of this kind and was raised in that call: `before`
 * is what was pending when `who` was entered, and an error that was keeps its text. */
tg_status tg_fail_below(tg_status status, const char *format, ...) TG_PRINTF(2, 3);
tg_status tg_error_by(const char *who, tg_status before); /* returns the pending status */

/* Raises, in the same way, why no array has this dtype and shape. */
tg_status tg_fail_layout(const char *who, tg_dtype dtype, const tg_shape *shape);

/* TG_ERR_MEMORY with the number of bytes, from below. */
__attribute__((cold)) tg_status tg_fail_memory(size_t bytes);

#define TG_ALIGN 64

struct tg_buffer {
    atomic_int refs;
    bool shared;          /* a kept tensor has held it, so that other threads may: references are counted atomically */
    uint64_t version;     /* counts in-place changes */
    size_t size;          /* usable bytes at data */
    int32_t size_class;   /* of the cache; -1: not cached */
    tg_buffer *next_free; /* in the cache */
    const char *changed_by; /* the op of the last in-place change; NULL: none, or the user through tg_data_mut */
};

/* The elements start one alignment unit behind the header. */
static inline void *tg_buffer_data(tg_buffer *b) { return (char *)b + TG_ALIGN; }

/* A buffer with one reference, of at least size bytes plus 64 that kernels may read past; NULL on failure. */
tg_buffer *tg_buffer_new(size_t size);
void tg_buffer_free(tg_buffer *b); /* when the last reference is gone */

static inline int tg_buffer_refs(const tg_buffer *b) { return atomic_load_explicit(&b->refs, memory_order_acquire); }

/* A locked instruction costs as much as the rest of a scalar op, and what never left its thread needs none. */
static inline void tg_buffer_ref(tg_buffer *b) {
    if (!b) return;
    if (b->shared)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&b->refs, tg_buffer_refs(b) + 1, memory_order_relaxed);
}

/* A sole owner needs no atomic write: nobody else can take a reference meanwhile. */
static inline void tg_buffer_unref(tg_buffer *b) {
    if (!b) return;
    int refs = tg_buffer_refs(b);
    if (refs == 1 || (b->shared && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1))
        tg_buffer_free(b);
    else if (!b->shared)
        atomic_store_explicit(&b->refs, refs - 1, memory_order_relaxed);
}

/* Before a kept tensor gets it. */
static inline void tg_buffer_share(tg_buffer *b) {
    if (b && !b->shared) b->shared = true; /* of a kept tensor's buffer others may be reading the flag */
}

/* An arena: bump allocation in blocks that double, freed together. Blocks stay for reuse, as many as were used
 * recently. */
typedef struct tg_arena_block tg_arena_block;
typedef struct tg_arena {
    tg_arena_block *first, *current;
    size_t used;      /* of current */
    tg_recent recent; /* how many blocks; an event is a rewind */
} tg_arena;
typedef struct tg_arena_mark {
    tg_arena_block *block;
    size_t used;
} tg_arena_mark;

/* 16-byte aligned, not cleared; NULL on failure. */
void *tg_arena_alloc(tg_arena *arena, size_t size);
tg_arena_mark tg_arena_get_mark(const tg_arena *arena);
void tg_arena_rewind(tg_arena *arena, tg_arena_mark mark);
/* To where p, which the arena has handed out, was not yet. */
void tg_arena_rewind_to(tg_arena *arena, const void *p);
void tg_arena_free(tg_arena *arena);

/* ---- arrays that users fill in ---- */

/* Whether it is an array: rank and dtype are known, numel is that of the shape and countable in bytes, and all elements lie
 * in what the buffer holds. (Of memory without a buffer nobody knows.) One without data may become an array yet. */
bool tg_array_is_sound_with_axes(const tg_array *a);

/* Each op asks: a number alone, at the start of a buffer or of none yet, is told at once. */
static inline bool tg_array_is_sound(const tg_array *a) {
    const void *start = a->buffer ? tg_buffer_data(a->buffer) : NULL;
    return (a->rank == 0 && a->numel == 1 && a->dtype < TG_DTYPES && a->data == start) || tg_array_is_sound_with_axes(a);
}

#endif
