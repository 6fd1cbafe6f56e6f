/* What is allocated, and by which lines of the program. */
#include "core/memory.h"

#include "core/slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void *tg_alloc(size_t size) { return tg_sys_alloc(size); }

void tg_dealloc(void *p, size_t size) {
    if (p) tg_sys_free(p, size);
}

/* ---- bytes by line: a list of buffers, each of them once, becomes a list of places ---- */

typedef struct holding {
    const tg_buffer *buffer;
    int64_t order; /* the tensor's place in the order of creation */
    tg_memory_site site;
} holding;

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int by_buffer(const void *a, const void *b) {
    const holding *x = a, *y = b;
    int c = COMPARE((uintptr_t)x->buffer, (uintptr_t)y->buffer);
    return c ? c : COMPARE(x->order, y->order);
}

static int compare_places(const tg_memory_site *x, const tg_memory_site *y) {
    int c = COMPARE(x->line, y->line);
    if (c == 0) c = strcmp(x->file ? x->file : "", y->file ? y->file : "");
    return c ? c : strcmp(x->op, y->op);
}

static int by_place(const void *a, const void *b) {
    return compare_places(&((const holding *)a)->site, &((const holding *)b)->site);
}

static int by_bytes(const void *a, const void *b) {
    const holding *x = a, *y = b;
    int c = COMPARE(y->site.bytes, x->site.bytes);
    return c ? c : by_place(a, b);
}

/* Writes one holding for each tensor that has a buffer, and returns how many. */
static int64_t list_tensors(const tg_slot *const *slot, int64_t n, holding *h) {
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++) {
        const tg_buffer *b = slot[i]->a.buffer;
        const tg_maker *m = tg_slot_maker(slot[i]);
        if (b && !tg_buffer_is_foreign(b))
            h[used++] = (holding){b, i, {m->op, m->file, m->line, tg_buffer_size(b), 1}};
    }
    return used;
}

/* Keeps the first of several tensors with one buffer; returns how many holdings remain. */
static int64_t keep_first(holding *h, int64_t n) {
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++)
        if (used == 0 || h[used - 1].buffer != h[i].buffer) h[used++] = h[i];
    return used;
}

static int64_t add_up(holding *h, int64_t n) {
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++) {
        if (used == 0 || by_place(&h[used - 1], &h[i]) != 0) {
            h[used++] = h[i];
            continue;
        }
        h[used - 1].site.bytes += h[i].site.bytes;
        h[used - 1].site.tensors++;
    }
    return used;
}

int64_t tg_memory_sites(tg_memory_site *site, int64_t most) {
    if (!site && most > 0) {
        tg_fail(TG_ERR_ARGUMENT, "tg_memory_sites: the array of places is NULL");
        return -1;
    }
    tg_status before = tg_error_pending;
    int64_t n = tg_slots_alive(NULL, 0);
    size_t bytes = (size_t)n * (sizeof(holding) + sizeof(tg_slot *));
    holding *h = tg_sys_alloc(bytes);
    if (!h) {
        tg_fail_memory(bytes);
        tg_error_by("tg_memory_sites", before);
        return -1;
    }
    const tg_slot **slot = (const tg_slot **)(void *)(h + n);
    int64_t used = list_tensors(slot, tg_slots_alive(slot, n), h);
    qsort(h, (size_t)used, sizeof *h, by_buffer);
    used = keep_first(h, used);
    qsort(h, (size_t)used, sizeof *h, by_place);
    used = add_up(h, used);
    qsort(h, (size_t)used, sizeof *h, by_bytes);
    for (int64_t i = 0; i < used && i < most; i++) site[i] = h[i].site;
    tg_sys_free(h, bytes);
    return used;
}

enum { LINES = 20 };

void tg_memory_print(FILE *file) {
    tg_memory_site site[LINES];
    if (!file) {
        tg_fail(TG_ERR_ARGUMENT, "tg_memory_print: the file is NULL");
        return;
    }
    tg_memory_stats s = tg_memory_now();
    int64_t n = tg_memory_sites(site, LINES);
    fprintf(file, "%12zu bytes live, %zu at the peak\n", s.live_buffer_bytes, s.peak_buffer_bytes);
    for (int64_t i = 0; i < n && i < LINES; i++) {
        fprintf(file, "%12zu in %" PRId64 " by %s", site[i].bytes, site[i].tensors, site[i].op);
        if (site[i].file) fprintf(file, "   (%s:%d)", tg_base_name(site[i].file), site[i].line);
        fputc('\n', file);
    }
    if (n > LINES) fprintf(file, "             and %" PRId64 " more places\n", n - LINES);
}
