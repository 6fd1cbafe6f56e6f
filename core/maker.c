/* Makers: a table that only grows, and those that were asked for last. */
#include "core/maker.h"
#include "core/alloc.h"
#include "core/thread.h"

#include <stdatomic.h>
#include <string.h>

enum { BLOCK = TG_MAKER_BLOCK, RECENT = 256 };

static tg_maker first_block[BLOCK] = {{.op = "an op"}};
tg_maker *tg_maker_block[TG_MAKER_BLOCKS] = {first_block};
static uint32_t n_makers = 1; /* this and the hash table under TG_LOCK_MAKERS */

/* Open addressing, at most half full; 0: an empty place. */
static uint32_t first_places[2 * BLOCK], *places = first_places, cap_places = 2 * BLOCK;

static inline uint64_t hash_of(const char *op, const char *file, int line) {
    uint64_t x = (uintptr_t)op + 3 * (uint64_t)(uintptr_t)file + ((uint64_t)line << 32);
    x *= UINT64_C(0x9E3779B97F4A7C15);
    return (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93) >> 32;
}

static inline bool is_maker(uint32_t number, const char *op, const char *file, int line) {
    const tg_maker *m = tg_maker_of(number);
    return m->op == op && m->file == file && m->line == line;
}

static uint32_t *probe(const char *op, const char *file, int line) {
    for (uint64_t i = hash_of(op, file, line);; i++) {
        uint32_t *at = &places[i & (cap_places - 1)];
        if (*at == 0 || is_maker(*at, op, file, line)) return at;
    }
}

/* Room for one more, in the table and in a block. */
static bool make_room(void) {
    const uint32_t b = n_makers / BLOCK;
    if (b == TG_MAKER_BLOCKS) return false;
    if (!tg_maker_block[b] && !(tg_maker_block[b] = tg_sys_alloc(BLOCK * sizeof(tg_maker)))) return false;
    if (2 * n_makers < cap_places) return true;
    uint32_t cap = 2 * cap_places, *larger = tg_sys_alloc(cap * sizeof *larger), *old = places;
    if (!larger) return false;
    memset(larger, 0, cap * sizeof *larger);
    places = larger, cap_places = cap;
    for (uint32_t i = 1; i < n_makers; i++) {
        const tg_maker *m = tg_maker_of(i);
        *probe(m->op, m->file, m->line) = i;
    }
    if (old != first_places) tg_sys_free(old, cap / 2 * sizeof *old);
    return true;
}

static uint32_t add(tg_maker m) {
    if (!make_room()) return 0;
    uint32_t number = n_makers++;
    tg_maker_block[number / BLOCK][number % BLOCK] = m;
    *probe(m.op, m.file, m.line) = number;
    return number;
}

/* One with a place comes after the one of its op without. */
__attribute__((noinline)) static uint32_t find(const char *op, const char *file, int line) {
    tg_lock(TG_LOCK_MAKERS);
    uint32_t number = *probe(op, file, line), unplaced = number ? 0 : *probe(op, NULL, 0);
    if (!number && file && !unplaced) unplaced = add((tg_maker){op, NULL, 0, n_makers});
    if (!number && (unplaced || !file)) number = add((tg_maker){op, file, line, file ? unplaced : n_makers});
    tg_unlock(TG_LOCK_MAKERS);
    return number;
}

uint32_t tg_maker_number(const char *op, const char *file, int line) {
    static _Atomic uint32_t
        recent[RECENT]; /* of all threads: memory of each thread's own is short where a program loads us */
    _Atomic uint32_t *at = &recent[hash_of(op, file, line) % RECENT];
    uint32_t number = atomic_load_explicit(at, memory_order_acquire);
    if (is_maker(number, op, file, line)) return number;
    atomic_store_explicit(at, number = find(op, file, line), memory_order_release);
    return number;
}
