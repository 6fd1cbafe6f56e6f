/* What calls, or kernels, have in common is noted once: a table of forms by their bytes. */
#include "autograd/plan/recorder.h"

#include <string.h>

/* Forms are whole words. A short chain for each, since there is a call for each op of a program. */
static uint64_t hash_of(const char *form, size_t size) {
    uint64_t h = 0, word;
    for (const char *at = form; at < form + size; at += sizeof word)
        memcpy(&word, at, sizeof word), h = (h << 5) - h + word;
    h *= UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

static bool grow(tg_forms *f) {
    const int64_t was = f->cap, cap = was ? 4 * was : 64;
    tg_form *before = f->entry, *now = tg_sys_alloc((size_t)cap * sizeof *now);
    if (!now) return false;
    memset(now, 0, (size_t)cap * sizeof *now);
    for (int64_t i = 0; i < was; i++) {
        uint64_t k = before[i].hash;
        while (before[i].form && now[k & (uint64_t)(cap - 1)].form) k++;
        if (before[i].form) now[k & (uint64_t)(cap - 1)] = before[i];
    }
    tg_sys_free(before, (size_t)was * sizeof *before);
    f->entry = now, f->cap = cap;
    return true;
}

void *tg_recorder_form(tg_recorder *r, tg_forms *of, const void *form, size_t size) {
    if (2 * (of->n + 1) > of->cap && !grow(of)) return r->lost = true, NULL;
    const uint64_t hash = hash_of(form, size), mask = (uint64_t)(of->cap - 1);
    uint64_t i = hash;
    for (; of->entry[i & mask].form; i++) {
        const tg_form *e = &of->entry[i & mask];
        if (e->hash == hash && memcmp(e->form, form, size) == 0) return e->form;
    }
    void *new = tg_arena_alloc(&r->rec->arena, size);
    if (!new) return r->lost = true, NULL;
    of->entry[i & mask] = (tg_form){memcpy(new, form, size), hash}, of->n++;
    return new;
}

void tg_forms_free(tg_forms *f) { tg_sys_free(f->entry, (size_t)f->cap * sizeof *f->entry); }
