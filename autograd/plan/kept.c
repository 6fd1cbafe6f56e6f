/* Whose a buffer is that a view shares: kept tensors by their buffers, looked up as often as a step has parameters. */
#include "autograd/plan/record.h"

#include <stdlib.h>
#include <string.h>

static int by_buffer(const void *a, const void *b) {
    const tg_kept *x = a, *y = b;
    if (x->buffer != y->buffer) return (uintptr_t)x->buffer < (uintptr_t)y->buffer ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* All that are alive now; of two over one buffer the older chunk's goes first. */
static bool list_all(tg_kept_list *l) {
    int64_t most = tg_slots_alive(NULL, 0) + 64;
    size_t bytes = (size_t)most * sizeof(tg_slot *);
    const tg_slot **slot = tg_sys_alloc(bytes);
    if (!slot) return false;
    int64_t n = tg_slots_alive(slot, most);
    bool fits = n <= l->cap || tg_grow((void **)(void *)&l->kept, &l->cap, 0, n, sizeof *l->kept);
    l->n = 0;
    for (int64_t i = 0; fits && i < n && i < most; i++)
        if (slot[i]->kept && slot[i]->a.buffer) l->kept[l->n++] = (tg_kept){slot[i]->a.buffer, slot[i], i};
    tg_sys_free(slot, bytes);
    if (l->n > 1) qsort(l->kept, (size_t)l->n, sizeof *l->kept, by_buffer);
    return fits;
}

static const tg_slot *look_up(const tg_kept_list *l, const tg_buffer *b) {
    int64_t low = 0, high = l->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if ((uintptr_t)l->kept[middle].buffer < (uintptr_t)b)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < l->n && l->kept[low].buffer == b; low++) {
        const tg_slot *s = l->kept[low].slot;
        if (s->kept && s->a.buffer == b && tg_slot_is_alive(s)) return s;
    }
    return NULL;
}

bool tg_kept_find(tg_kept_list *l, const tg_buffer *b, const tg_slot **found) {
    if ((*found = look_up(l, b))) return true;
    if (!list_all(l)) return false; /* since then others may have been kept */
    *found = look_up(l, b);
    return true;
}

void tg_kept_free(tg_kept_list *l) {
    tg_sys_free(l->kept, (size_t)l->cap * sizeof *l->kept);
    *l = (tg_kept_list){0};
}
