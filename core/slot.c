/* Slots: where they come from, what makes a handle valid, and what is said about one that is not. */
#include "core/slot.h"
#include "core/thread.h"
#include "core/work.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- chunks of slots: they are never given back, so that a stale handle always points at a readable slot ---- */

typedef struct chunk {
    struct chunk *next;      /* the next of all, from `chunks` on */
    struct chunk *next_free; /* the next of those that no region has, from `free_chunks` on */
    tg_slot slot[TG_CHUNK_SLOTS];
} chunk;

static chunk *chunks, *free_chunks; /* under TG_LOCK_CHUNKS */

static chunk *chunk_obtain(void) {
    chunk *c = tg_sys_alloc(sizeof *c);
    if (!c) return NULL;
    if ((uintptr_t)(c + 1) >> TG_HANDLE_BITS) { /* no room for the generation */
        tg_sys_free(c, sizeof *c);
        return NULL;
    }
    memset(c, 0, sizeof *c);
    for (int i = 0; i < TG_CHUNK_SLOTS; i++) c->slot[i].generation = 1;
    c->next = chunks;
    chunks = c;
    return c;
}

static tg_slot *chunk_take(void) {
    tg_lock(TG_LOCK_CHUNKS);
    chunk *c = free_chunks;
    if (c)
        free_chunks = c->next_free;
    else
        c = chunk_obtain();
    tg_unlock(TG_LOCK_CHUNKS);
    return c ? c->slot : NULL;
}

static void chunk_give_back(tg_slot *first) {
    chunk *c = (chunk *)(void *)((char *)first - offsetof(chunk, slot));
    tg_lock(TG_LOCK_CHUNKS);
    c->next_free = free_chunks;
    free_chunks = c;
    tg_unlock(TG_LOCK_CHUNKS);
}

/* ---- life and death ---- */

static tg_slot *slot_start(tg_slot *s, const char *op, bool kept) {
    if (s->kept != kept)
        s->kept = kept; /* written once: a kept slot stays one, and other threads may be reading */
    s->requires_grad = s->released = s->retain_grad = false;
    s->cut = TG_CUT_NOWHERE;
    s->pins = 0;
    s->a.data = s->a.buffer = NULL;
    s->a.numel = 0;
    s->a.dtype = s->a.rank = 0;
    s->node = NULL;
    s->grad = NULL;
    s->extras = NULL;
    const tg_maker *was = tg_slot_maker(s); /* most often the same op, as the steps of a program are alike */
    s->before = s->maker;
    s->maker = was->op == op ? was->unplaced : tg_maker_number(op, NULL, 0);
    atomic_store_explicit(&s->tag, (uint16_t)atomic_load_explicit(&s->generation, memory_order_relaxed),
                          memory_order_relaxed);
    return s;
}

static uint64_t next_generation(uint64_t g) { return (uint16_t)(g + 1) ? g + 1 : g + 2; }

static void kept_put(tg_slot *s);

tg_extras *tg_slot_extras(tg_slot *s) {
    if (s->extras) return s->extras;
    if (!(s->extras = tg_sys_alloc(sizeof *s->extras))) return tg_fail_memory(sizeof *s->extras), NULL;
    return *s->extras = (tg_extras){0}, s->extras;
}

void tg_slot_drop_hooks(tg_slot *s) {
    for (tg_hooked *h; (h = tg_slot_hooks(s));) {
        s->extras->hooks = h->next;
        tg_sys_free(h, sizeof *h);
    }
}

/* Frees what few tensors have. A gradient has no gradient stored in it, so the calls nest once. */
static void drop_extras(tg_slot *s) {
    const char *name = tg_slot_name(s);
    if (name) tg_sys_free((void *)(uintptr_t)name, strlen(name) + 1);
    tg_slot_drop_hooks(s);
    tg_sys_free(s->extras, sizeof *s->extras);
    s->extras = NULL;
    tg_slot *grad = tg_slot_peek(s->grad);
    s->grad = NULL;
    if (grad) tg_slot_kill(grad);
}

_Thread_local TG_HOT uint64_t tg_kept_deaths;

void tg_slot_kill(tg_slot *s) {
    uint64_t generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    atomic_store_explicit(&s->tag, 0, memory_order_relaxed);
    atomic_store_explicit(&s->generation, next_generation(generation), memory_order_relaxed);
    tg_buffer_unref(s->a.buffer);
    s->a.data = s->a.buffer = NULL;
    if (s->grad || s->extras) drop_extras(s);
    if (!s->kept) return;
    tg_kept_deaths++;
    kept_put(s);
}

/* ---- regions ---- */

_Thread_local TG_HOT tg_region *tg_current_region;

tg_region *tg_region_current(void) {
    if (tg_current_region) return tg_current_region;
    tg_region *r = tg_region_make ? tg_region_make() : NULL;
    if (!r) tg_fail(TG_ERR_MEMORY, "out of memory: this thread's tape could not be made");
    return r;
}

static bool region_grow(tg_region *r) {
    void *table = r->chunk;
    if (!tg_grow(&table, &r->cap_chunks, r->n_chunks, r->n_chunks + 1, sizeof *r->chunk)) return false;
    r->chunk = table;
    tg_slot *first = chunk_take();
    if (!first) return false;
    r->chunk[r->n_chunks++] = first;
    tg_recent_missed(&r->recent);
    return true;
}

tg_slot *tg_slot_at(const tg_region *r, int64_t i) {
    uint64_t u = (uint64_t)i;
    return &r->chunk[u / TG_CHUNK_SLOTS][u % TG_CHUNK_SLOTS];
}

tg_slot *tg_slot_new(const char *op) {
    tg_region *r = tg_region_current();
    if (!r) return NULL;
    if (r->count == r->n_chunks * TG_CHUNK_SLOTS && !region_grow(r)) {
        tg_fail_memory(sizeof(chunk));
        return NULL;
    }
    return slot_start(tg_slot_at(r, r->count++), op, false);
}

/* Puts the chunks that `count` positions do not need on the list of free ones; they cannot go back to the system. */
static void trim_region(tg_region *r, int64_t count) {
    int64_t needed = (count + TG_CHUNK_SLOTS - 1) / TG_CHUNK_SLOTS;
    r->recent.gave |= r->n_chunks > needed;
    while (r->n_chunks > needed) chunk_give_back(r->chunk[--r->n_chunks]);
}

/* Kills the youngest first, so that the cache hands buffers out again in the order of a step like the last. */
void tg_region_rewind(tg_region *r, int64_t count) {
    tg_recent_need(&r->recent, r->count);
    while (r->count > count) tg_slot_kill(tg_slot_at(r, --r->count));
    if (r->stamped > r->count) r->stamped = r->count;
    if (!tg_recent_event(&r->recent)) return;
    trim_region(r, tg_recent_most(&r->recent));
    tg_recent_turn(&r->recent);
}

void tg_region_free(tg_region *r) {
    tg_region_rewind(r, 0);
    trim_region(r, 0);
    tg_sys_free(r->chunk, (size_t)r->cap_chunks * sizeof *r->chunk);
    *r = (tg_region){0};
    if (tg_current_region == r) tg_current_region = NULL;
}

/* ---- kept slots: a queue of free ones, linked through `node`; the longest unused goes first, so that a
 * generation comes back late ---- */

static tg_slot *kept_first, *kept_last; /* under TG_LOCK_KEPT */

static void kept_append(tg_slot *s) {
    s->node = NULL;
    if (kept_first)
        kept_last->node = (struct tg_node *)(void *)s;
    else
        kept_first = s;
    kept_last = s;
}

static void kept_put(tg_slot *s) {
    tg_lock(TG_LOCK_KEPT);
    kept_append(s);
    tg_unlock(TG_LOCK_KEPT);
}

static tg_slot *kept_take(void) {
    tg_lock(TG_LOCK_KEPT);
    if (!kept_first) {
        tg_slot *slot = chunk_take();
        for (int i = 0; slot && i < TG_CHUNK_SLOTS; i++) kept_append(&slot[i]);
    }
    tg_slot *s = kept_first;
    if (s) kept_first = (tg_slot *)(void *)s->node;
    tg_unlock(TG_LOCK_KEPT);
    return s;
}

static _Thread_local TG_HOT tg_slot *kept_made; /* the last one that this thread made since it called tg_at */

tg_slot *tg_slot_new_kept(const char *op) {
    tg_slot *s = kept_take();
    if (s) return kept_made = slot_start(s, op, true);
    tg_fail_memory(sizeof(chunk));
    return NULL;
}

int64_t tg_slots_alive(const tg_slot **slot, int64_t most) {
    int64_t n = tg_current_region ? tg_current_region->count : 0;
    for (int64_t i = 0; i < n && i < most; i++) slot[i] = tg_slot_at(tg_current_region, i);
    tg_lock(TG_LOCK_CHUNKS);
    for (const chunk *c = chunks; c; c = c->next)
        for (int i = 0; i < TG_CHUNK_SLOTS; i++) {
            const tg_slot *s = &c->slot[i];
            if (!s->kept || !tg_slot_is_alive(s)) continue;
            if (n < most) slot[n] = s;
            n++;
        }
    tg_unlock(TG_LOCK_CHUNKS);
    return n;
}

/* ---- handles ---- */

static tg_slot poison = {.generation = 1, .tag = 1, .kept = true, .poison = true};

tg_tensor *tg_poison(void) { return tg_handle(&poison); }

/* Who made the tensor of generation g, as long as the slot remembers; NULL after that. */
static const tg_maker *maker_of_dead(const tg_slot *s, uint16_t g) {
    uint16_t once = (uint16_t)next_generation(g), twice = (uint16_t)next_generation(once),
             now = (uint16_t)s->generation;
    if (tg_slot_is_alive(s)) return now == once ? tg_maker_of(s->before) : NULL;
    return now == once ? tg_slot_maker(s) : now == twice ? tg_maker_of(s->before) : NULL;
}

static void fail_stale(const tg_tensor *t, const char *who, const char *input) {
    const tg_slot *s = (const tg_slot *)((uintptr_t)t & TG_HANDLE_MASK);
    const tg_maker *m = maker_of_dead(s, (uint16_t)((uintptr_t)t >> TG_HANDLE_BITS));
    const char *end = s->kept ? "has since been freed" : "the tape has since been rewound past it";
    if (!m) {
        tg_fail(TG_ERR_LIFETIME, "%s: %s was made in an earlier step, and %s", who, input, end);
        return;
    }
    char site[128] = "";
    if (m->file) snprintf(site, sizeof site, " (%.100s:%d)", tg_base_name(m->file), m->line);
    tg_fail(TG_ERR_LIFETIME, "%s: %s was made by %s%s, and %s", who, input, m->op, site, end);
}

/* An argument of `who`, as tg_slot_of_argument names it, is no tensor. Returns NULL. */
__attribute__((cold, noinline)) static tg_slot *fail_argument(const tg_tensor *t, const char *who,
                                                              const char *what, int i) {
    const tg_slot *s = tg_slot_peek(t);
    char input[100] = "the input";
    if (tg_error_is_of(who)) snprintf(input, sizeof input, i < 0 ? "%s" : "%s %d", what, i);
    if (s) {
        if (tg_error_status() == TG_OK)
            tg_fail(TG_ERR_LIFETIME, "%s: %s is the result of a failed op", who, input);
    } else if ((uintptr_t)t >> TG_HANDLE_BITS == 0) {
        tg_fail(TG_ERR_ARGUMENT, t ? "%s: %s is a pointer that is no tensor" : "%s: %s is NULL", who, input);
    } else {
        fail_stale(t, who, input);
    }
    return NULL;
}

tg_slot *tg_slot_of_argument(const tg_tensor *t, const char *who, const char *what, int i) {
    tg_slot *s = tg_slot_peek(t);
    return s && !s->poison ? s : fail_argument(t, who, what, i);
}

_Thread_local TG_HOT bool tg_reading_saved;

tg_slot *tg_slot_with_data(const tg_tensor *t, const char *who) {
    tg_slot *s = tg_slot_of(t, who);
    if (!s || (s->a.data && (!s->released || tg_reading_saved))) return s;
    char text[192], site[128] = "";
    const tg_maker *m = tg_slot_maker(s);
    if (m->file) snprintf(site, sizeof site, " (%.100s:%d)", tg_base_name(m->file), m->line);
    tg_fail(TG_ERR_LIFETIME, "%s: the elements of %s, made by %s%s, were dropped by tg_drop_elements", who,
            tg_describe(t, text, sizeof text), m->op, site);
    return NULL;
}

void tg_slot_pin(tg_slot *s) {
    if (!s->kept) s->pins++;
}

void tg_slot_unpin(tg_slot *s) {
    if (s->kept || s->pins == 0) return;
    if (--s->pins == 0 && s->released) tg_array_drop(&s->a);
}

/* ---- call sites ---- */

__attribute__((noinline)) static void stamp_anew(tg_slot *s, const char *file, int line) {
    const tg_maker *m = tg_slot_maker(s);
    if (!m->file) s->maker = tg_maker_number(m->op, file, line);
}

/* The tensor that had the slot before was most often made there too. */
static inline void stamp(tg_slot *s, const char *file, int line) {
    const tg_maker *was = tg_maker_of(s->before);
    if (was->unplaced == s->maker && was->file == file && was->line == line)
        s->maker = s->before;
    else
        stamp_anew(s, file, line);
}

/* All that the call made gets its place: a composed op makes several tensors. A kept tensor that the call only
 * returned is not written to, as other threads may be reading it. */
tg_tensor *tg_at(tg_tensor *t, const char *file, int line) {
    tg_region *r = tg_current_region;
    if (r && r->stamped < r->count) {
        for (int64_t i = r->stamped; i < r->count; i++) stamp(tg_slot_at(r, i), file, line);
        r->stamped = r->count;
    }
    if (tg_error_unstamped) tg_error_stamp(file, line);
    tg_work_place(file, line);
    if (kept_made && tg_slot_peek(t) == kept_made) stamp(kept_made, file, line);
    kept_made = NULL;
    return t;
}
