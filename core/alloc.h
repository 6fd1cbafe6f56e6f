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

/* How much of what is kept for reuse was needed recently: the most in the current window of events and in the one before.
 * What lies beyond may go back at the end of a window. When something is then missed, windows become twice as long, so
 * that a step of any length soon fits one. */
typedef struct tg_recent {
    int64_t most, before;
    uint32_t events, doubled;
    bool gave; /* whether something went back at the end of a window, and nothing has been missed since */
} tg_recent;
enum { TG_WINDOW_BITS = 14, TG_WINDOW_DOUBLED = 8 }; /* 2^14 events at first, at most 2^22 */

static inline void tg_recent_need(tg_recent *r, int64_t need) {
    if (need > r->most) r->most = need;
}
static inline int64_t tg_recent_most(const tg_recent *r) { return r->most > r->before ? r->most : r->before; }

/* Counts an event, and is true at the end of a window. */
static inline bool tg_recent_event(tg_recent *r) { return ++r->events >> (TG_WINDOW_BITS + r->doubled) != 0; }
void tg_recent_turn(tg_recent *r);   /* begins the next window */
void tg_recent_missed(tg_recent *r); /* notes that something had to be obtained anew */

/* As tg_fail, for a function that several public ones stand on. The message names this function until tg_error_by puts
 * the name of the one that the user called, `who`, in its place. `before` is the status that was pending when `who` was
 * entered: an error that was pending then keeps its text, and so does one raised by tg_fail. */
tg_status tg_fail_below(tg_status status, const char *format, ...) TG_PRINTF(2, 3);
tg_status tg_error_by(const char *who, tg_status before); /* returns the pending status */

/* Raises, as tg_fail_below does, the reason why no array has this dtype and shape. */
tg_status tg_fail_layout(const char *who, tg_dtype dtype, const tg_shape *shape);

/* Raises TG_ERR_MEMORY with the number of bytes, as tg_fail_below does. */
__attribute__((cold)) tg_status tg_fail_memory(size_t bytes);

#define TG_ALIGN 64

enum {
    TG_UNCACHED = 254, /* the class of a buffer that goes straight back when it is freed */
    TG_PLACED = 255,   /* and of one that lies in memory of a plan's, and is not freed */
};

/* Who else may hold a buffer: nobody; other threads, since a kept tensor has held it; or whoever owns the memory, which is not
 * the library's (core/blob.c). In the last two cases references are counted atomically, and the last one goes when so many
 * are left: an owner counts as one, so that nobody takes the buffer for his alone. */
typedef enum tg_sharing { TG_ALONE, TG_SHARED, TG_FOREIGN } tg_sharing;

struct tg_buffer {
    atomic_int refs;
    uint8_t shared;         /* a tg_sharing */
    bool read_only;         /* the elements may not be changed */
    uint8_t size_class;     /* of the cache, TG_UNCACHED or TG_PLACED */
    uint8_t piece;          /* of class 0: which piece of its slab it is (core/slab.h) */
    uint64_t version;       /* counts in-place changes */
    size_t asked;           /* the bytes that an array may have; what is usable follows (tg_buffer_size) */
    const char *changed_by; /* the op of the last in-place change; NULL: none, or the user through tg_data_mut */
    union {
        uint64_t serial; /* how many buffers its thread had made; an address and a serial name one buffer for ever */
        tg_buffer *next_free; /* while it is free: the next in the list */
    };
};
_Static_assert(sizeof(tg_buffer) == 40, "with one number of 8 bytes a buffer takes 48");

/* The elements follow the header, unless the memory is foreign: tg_buffer_start finds them in any case, and the bytes that
 * were asked for. They are aligned to TG_ALIGN, and to 8 in a buffer of no more than TG_FEW_BYTES, which are packed. */
#define TG_FEW_BYTES 8
static inline void *tg_buffer_data(tg_buffer *b) { return b + 1; }
void *tg_buffer_start(tg_buffer *b, size_t *size);

/* Usable bytes at its data, which are what the accounts count; 0 for foreign memory. */
size_t tg_buffer_size(const tg_buffer *b);

/* A buffer with one reference, of at least size bytes; NULL on failure. No kernel reads or writes outside of the bytes that
 * were asked for, which sanitizers watch over. */
tg_buffer *tg_buffer_new(size_t size);
void tg_buffer_free(tg_buffer *b); /* for tg_buffer_unref, when the last reference is gone */

/* How many buffers this thread has made. */
extern _Thread_local TG_HOT uint64_t tg_buffer_births;

/* Where the buffers of a kernel that runs as part of a plan lie: number `birth` of those that it asks for, if it is of
 * this size, becomes the header at `at`, with the elements behind it. */
typedef struct tg_place {
    uint64_t birth; /* from 1 on */
    size_t size;
    void *at; /* TG_ALIGN bytes for the header, and `size` */
} tg_place;
typedef struct tg_placing {
    const tg_place *place; /* in order of birth */
    int n;
    uint64_t births;
} tg_placing;
extern _Thread_local TG_HOT tg_placing *tg_placing_now; /* NULL: none */

/* A buffer with one reference over memory of somebody else's, for whose end `release` is called (core/tensor.h); NULL on
 * failure, and then it is not. Such bytes are not counted as live, and the buffer never goes to a cache. */
tg_buffer *tg_buffer_of_blob(void *data, size_t size, bool read_only, void (*release)(void *context),
                             void *context);
void tg_buffer_free_blob(tg_buffer *b); /* for tg_buffer_free */

static inline bool tg_buffer_is_foreign(const tg_buffer *b) { return b->shared == TG_FOREIGN; }

static inline int tg_buffer_refs(const tg_buffer *b) {
    return atomic_load_explicit(&b->refs, memory_order_acquire);
}

/* A locked instruction costs as much as the rest of a scalar op, and a buffer that never left its thread needs none. */
static inline void tg_buffer_ref(tg_buffer *b) {
    if (!b) return;
    if (b->shared)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&b->refs, tg_buffer_refs(b) + 1, memory_order_relaxed);
}

/* A sole owner needs no atomic write: nobody else can take a reference meanwhile. Nothing of the buffer is read after the
 * reference is gone, for then another thread may free it and use it anew. */
static inline void tg_buffer_unref(tg_buffer *b) {
    if (!b) return;
    const int refs = tg_buffer_refs(b), shared = b->shared;
    if (refs == 1)
        tg_buffer_free(b);
    else if (!shared)
        atomic_store_explicit(&b->refs, refs - 1, memory_order_relaxed);
    else if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == shared)
        tg_buffer_free(b);
}

/* To be called before a kept tensor takes the buffer. */
static inline void tg_buffer_share(tg_buffer *b) {
    if (b && !b->shared) b->shared = TG_SHARED; /* once it is set, other threads may be reading it */
}

/* An arena: bump allocation in blocks, freed together. Blocks stay for reuse, as many as were used
 * recently. */
typedef struct tg_arena_block tg_arena_block;
typedef struct tg_arena {
    tg_arena_block *first, *current;
    size_t used;      /* bytes of `current` */
    tg_recent recent; /* counts blocks; an event is a rewind */
} tg_arena;
typedef struct tg_arena_mark {
    tg_arena_block *block;
    size_t used;
} tg_arena_mark;

/* 8-byte aligned, not cleared; NULL on failure. */
void *tg_arena_alloc(tg_arena *arena, size_t size);
tg_arena_mark tg_arena_get_mark(const tg_arena *arena);
void tg_arena_rewind(tg_arena *arena, tg_arena_mark mark);
/* Rewinds to just before p was handed out. */
void tg_arena_rewind_to(tg_arena *arena, const void *p);
void tg_arena_free(tg_arena *arena);

/* ---- arrays that users fill in ---- */

/* Whether `a` is well formed: rank and dtype exist, numel is the product of the sizes, its bytes can be counted, and all
 * elements lie inside the buffer. Memory without a buffer cannot be checked, and an array without data passes, as it may be
 * allocated yet. */
bool tg_array_is_sound_with_axes(const tg_array *a);

/* Every op asks this, so the commonest case comes first: a scalar at the start of its buffer, or without one yet. */
static inline bool tg_array_is_sound(const tg_array *a) {
    const void *start = a->buffer ? tg_buffer_data(a->buffer) : NULL;
    const size_t bytes = a->dtype == TG_F64 || a->dtype == TG_I64 ? 8 : 4;
    return (a->rank == 0 && a->numel == 1 && a->dtype < TG_DTYPES && a->data == start &&
            (!start || a->buffer->asked >= bytes)) ||
           tg_array_is_sound_with_axes(a);
}

#endif
