#include "core/slab.h"
#include "core/thread.h"

#include <stddef.h>

typedef struct piece {
    tg_buffer buffer;
    char number[TG_FEW_BYTES];
} piece;

/* Under AddressSanitizer every piece lies alone, so that what reaches beyond it is seen. */
#ifdef TG_HAVE_ASAN
#define PIECES 1
#else
#define PIECES 256 /* of 48 bytes */
#endif

typedef struct slab {
    struct slab *next, **link; /* in the list of those that have free pieces */
    tg_buffer *free;
    int64_t n_free;
    piece piece[PIECES];
} slab;

static slab *slabs; /* those with free pieces; under TG_LOCK_SLABS */

static void enlist(slab *s) {
    s->next = slabs;
    s->link = &slabs;
    if (slabs) slabs->link = &s->next;
    slabs = s;
}

static void take_off(slab *s) {
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
}

static tg_buffer *obtain_new(void) {
    slab *s = tg_sys_alloc(sizeof *s);
    if (!s) return NULL;
    s->free = NULL;
    s->n_free = 0;
    for (int i = 0; i < PIECES; i++) {
        tg_buffer *b = &s->piece[i].buffer;
        b->shared = TG_ALONE;
        b->size_class = 0;
        b->read_only = false;
        b->piece = (uint8_t)i;
        b->next_free = i + 1 < PIECES ? &s->piece[i + 1].buffer : NULL;
    }
    return &s->piece[0].buffer;
}

tg_buffer *tg_slab_obtain(void) {
    tg_buffer *all = NULL;
    tg_lock(TG_LOCK_SLABS);
    if (slabs) {
        all = slabs->free;
        slabs->free = NULL;
        slabs->n_free = 0;
        take_off(slabs);
    }
    tg_unlock(TG_LOCK_SLABS);
    return all ? all : obtain_new();
}

void tg_slab_give_back(tg_buffer *b) {
    slab *s = (slab *)(void *)((char *)b - b->piece * sizeof(piece) - offsetof(slab, piece));
    tg_lock(TG_LOCK_SLABS);
    b->next_free = s->free;
    s->free = b;
    if (s->n_free++ == 0) enlist(s);
    const bool whole = s->n_free == PIECES;
    if (whole) take_off(s);
    tg_unlock(TG_LOCK_SLABS);
    if (whole) tg_sys_free(s, sizeof *s);
}
