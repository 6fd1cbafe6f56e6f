/* The tables of a walk: cells by node, goals by slot. */
#include "autograd/walk.h"

#include <string.h>

_Thread_local TG_HOT tg_walk *tg_walk_innermost;

void *tg_walk_scratch(tg_walk *w, size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&w->tape->scratch, bytes) : NULL;
    if (p) return memset(p, 0, bytes);
    tg_fail_memory(n * size);
    return NULL;
}

tg_status tg_walk_begin(tg_walk *w, int n, tg_slot *const *out, tg_walk_mode mode) {
    *w = (tg_walk){.tape = tg_tape_get(), .mode = mode, .low = INT64_MAX, .high = -1};
    if (!w->tape) return tg_error_status();
    w->scratch = tg_arena_get_mark(&w->tape->scratch);
    w->outer = tg_walk_innermost;
    w->depth = w->outer ? w->outer->depth + 1 : 0;
    if (w->depth >= TG_MAX_WALKS)
        return tg_fail(TG_ERR_TAPE, "backward: %d walks are nested: does a hook or a gradient rule walk back to itself?",
                       TG_MAX_WALKS);
    for (int i = 0; i < n; i++) {
        const tg_node *node = out[i] ? out[i]->node : NULL;
        if (!node || node->id < mode.floor) continue;
        if (node->first < w->low) w->low = node->first;
        if (node->id > w->high) w->high = node->id;
    }
    if (w->low < mode.floor) w->low = mode.floor;
    size_t nodes = (size_t)(w->high - w->low + 1);
    w->cap_goals = 16;
    w->goal = tg_walk_scratch(w, (size_t)w->cap_goals, sizeof *w->goal);
    if (w->high >= 0) w->cell = tg_walk_scratch(w, nodes, sizeof *w->cell);
    if (w->high >= 0 && !mode.collect) w->useful = tg_walk_scratch(w, nodes, sizeof *w->useful);
    bool complete = w->goal && (w->high < 0 || (w->cell && (mode.collect || w->useful)));
    if (complete)
        tg_walk_innermost = w;
    else
        tg_arena_rewind(&w->tape->scratch, w->scratch);
    return complete ? TG_OK : tg_error_status();
}

void tg_walk_drop(tg_cell *c) {
    tg_array_drop(&c->value);
    c->handle = NULL;
}

void tg_walk_end(tg_walk *w) {
    for (int64_t i = w->high - w->low; w->cell && i >= 0; i--)
        for (int o = 0; w->cell[i] && o < w->tape->node[w->low + i]->n_out; o++) tg_walk_drop(&w->cell[i][o]);
    for (int64_t i = 0; i < w->cap_goals; i++)
        if (w->goal[i].slot) tg_walk_drop(&w->goal[i].cell);
    tg_arena_rewind(&w->tape->scratch, w->scratch);
    tg_walk_innermost = w->outer;
}

/* Fibonacci hashing of the slot's address, linear probing. */
static tg_goal *probe(tg_goal *table, int64_t cap, const tg_slot *slot) {
    uint64_t h = ((uintptr_t)slot >> 6) * UINT64_C(0x9E3779B97F4A7C15);
    for (int64_t i = (int64_t)(h >> 32) & (cap - 1);; i = (i + 1) & (cap - 1))
        if (!table[i].slot || table[i].slot == slot) return &table[i];
}

static bool grow_goals(tg_walk *w) {
    int64_t cap = 2 * w->cap_goals;
    tg_goal *table = tg_walk_scratch(w, (size_t)cap, sizeof *table);
    if (!table) return false;
    for (int64_t i = 0; i < w->cap_goals; i++)
        if (w->goal[i].slot) *probe(table, cap, w->goal[i].slot) = w->goal[i];
    w->goal = table;
    w->cap_goals = cap;
    return true;
}

tg_goal *tg_walk_goal(tg_walk *w, tg_slot *slot, bool make) {
    tg_goal *g = probe(w->goal, w->cap_goals, slot);
    if (g->slot) return g;
    if (!make) return NULL;
    if (4 * (w->n_goals + 1) > 3 * w->cap_goals) {
        if (!grow_goals(w)) return NULL;
        g = probe(w->goal, w->cap_goals, slot);
    }
    g->slot = slot;
    g->handle = tg_handle(slot);
    w->n_goals++;
    return g;
}

tg_slot *tg_goal_slot(const tg_goal *g) {
    tg_slot *s = tg_slot_peek(g->handle);
    return s ? s : tg_slot_of(g->handle, "backward, at the end of its walk");
}

/* The cells of a node's outputs, made at the first contribution. Single cells are recycled: a walk of any length
 * needs as many as are open at once. */
static tg_cell *cells_of(tg_walk *w, const tg_node *node) {
    tg_cell **c = &w->cell[node->id - w->low];
    if (*c) return *c;
    if (node->n_out == 1 && w->free) {
        *c = w->free;
        w->free = (*c)->next;
    } else {
        *c = tg_walk_scratch(w, (size_t)node->n_out, sizeof **c);
    }
    return *c;
}

tg_cell *tg_walk_cell_now(tg_walk *w, tg_slot *s) {
    if (tg_walk_leaf(w, s)) {
        tg_goal *g = tg_walk_goal(w, s, false);
        return g ? &g->cell : NULL;
    }
    tg_cell *c = w->cell[s->node->id - w->low];
    return c ? c + tg_output_index(s) : NULL;
}

tg_cell *tg_walk_cell(tg_walk *w, tg_slot *s) {
    if (!tg_walk_leaf(w, s)) {
        tg_cell *c = cells_of(w, s->node);
        return c && s->node->n_out > 1 ? c + tg_output_index(s) : c;
    }
    tg_goal *g = tg_walk_goal(w, s, w->mode.collect);
    return g ? &g->cell : NULL;
}
