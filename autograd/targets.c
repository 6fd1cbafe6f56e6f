/* The targets of a walk, by slot: open addressing with linear probing. */
#include "autograd/walk.h"

/* Fibonacci hashing of the slot's address. The table always has an empty place. */
static tg_target *probe(tg_target *table, int64_t cap, const tg_slot *slot) {
    uint64_t h = ((uintptr_t)slot >> 6) * UINT64_C(0x9E3779B97F4A7C15);
    for (int64_t i = (int64_t)(h >> 32) & (cap - 1);; i = (i + 1) & (cap - 1))
        if (!table[i].slot || table[i].slot == slot) return &table[i];
}

static bool grow(tg_walk *w) {
    int64_t cap = 2 * w->cap_targets;
    tg_target *table = tg_walk_scratch(w, (size_t)cap, sizeof *table);
    if (!table) return false;
    for (int64_t i = 0; i < w->cap_targets; i++)
        if (w->target[i].slot) *probe(table, cap, w->target[i].slot) = w->target[i];
    w->target = table;
    w->cap_targets = cap;
    return true;
}

tg_target *tg_walk_find_target(const tg_walk *w, const tg_slot *slot) {
    tg_target *t = probe(w->target, w->cap_targets, slot);
    return t->slot ? t : NULL;
}

tg_target *tg_walk_add_target(tg_walk *w, tg_slot *slot) {
    tg_target *t = probe(w->target, w->cap_targets, slot);
    if (t->slot) return t;
    if (4 * (w->n_targets + 1) > 3 * w->cap_targets) {
        if (!grow(w)) return NULL;
        t = probe(w->target, w->cap_targets, slot);
    }
    t->slot = slot;
    t->handle = tg_handle(slot);
    t->number = w->n_targets++;
    if (tg_slot_hooks(slot) && w->mode.floor == 0 && tg_walk_leaf(w, slot)) w->hooked = true;
    return t;
}

tg_slot *tg_target_slot(const tg_target *t) {
    tg_slot *s = tg_slot_peek(t->handle);
    return s ? s : tg_slot_of(t->handle, "backward, at the end of its walk");
}
