#include "ops/nn/model/store.h"

#include "core/memory.h"

#include <string.h>

uint64_t tg_name_hash(const char *name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

tg_entry tg_entry_new(tg_tensor *tensor, const char *name) {
    size_t size = strlen(name) + 1;
    tg_entry e = {.tensor = tensor, .name = tg_alloc(size), .hash = tg_name_hash(name)};
    if (e.name) memcpy(e.name, name, size);
    return e;
}

void tg_entry_free(tg_entry *e) {
    if (tg_is_alive(e->tensor)) tg_free(e->tensor);
    if (e->name) tg_dealloc(e->name, strlen(e->name) + 1);
    *e = (tg_entry){0};
}

/* ---- the table ---- */

static void table_put(tg_store *s, int i) {
    uint64_t mask = 2 * (uint64_t)s->cap - 1, place = s->at[i].hash & mask;
    while (s->table[place]) place = (place + 1) & mask;
    s->table[place] = i + 1;
}

static void table_rebuild(tg_store *s) {
    if (!s->cap) return;
    memset(s->table, 0, 2 * (size_t)s->cap * sizeof *s->table);
    for (int i = 0; i < s->count; i++) table_put(s, i);
}

/* The table is at most half full, so that the search ends. */
int tg_store_find(const tg_store *s, const char *name, uint64_t hash) {
    if (!s->count) return -1;
    uint64_t mask = 2 * (uint64_t)s->cap - 1;
    for (uint64_t place = hash & mask; s->table[place]; place = (place + 1) & mask) {
        int i = s->table[place] - 1;
        if (s->at[i].hash == hash && strcmp(s->at[i].name, name) == 0) return i;
    }
    return -1;
}

static void free_storage(tg_store *s) {
    tg_dealloc(s->at, (size_t)s->cap * sizeof *s->at);
    tg_dealloc(s->table, 2 * (size_t)s->cap * sizeof *s->table);
}

bool tg_store_reserve(tg_store *s, int more) {
    if (more <= s->cap - s->count) return true;
    if (more > INT32_MAX / 4 - s->count) return false;
    tg_store bigger = *s;
    if (!bigger.cap) bigger.cap = 16;
    while (bigger.cap - bigger.count < more) bigger.cap *= 2;
    bigger.at = tg_alloc((size_t)bigger.cap * sizeof *s->at);
    bigger.table = tg_alloc(2 * (size_t)bigger.cap * sizeof *s->table);
    if (!bigger.at || !bigger.table) {
        free_storage(&bigger);
        return false;
    }
    if (s->count) memcpy(bigger.at, s->at, (size_t)s->count * sizeof *s->at);
    free_storage(s);
    *s = bigger;
    table_rebuild(s);
    return true;
}

/* ---- entries ---- */

void tg_store_add(tg_store *s, tg_entry e) {
    s->at[s->count] = e;
    table_put(s, s->count++);
}

tg_entry tg_store_remove(tg_store *s, int i) {
    tg_entry e = s->at[i];
    memmove(&s->at[i], &s->at[i + 1], (size_t)(s->count - i - 1) * sizeof *s->at);
    s->count--;
    table_rebuild(s);
    return e;
}

void tg_store_truncate(tg_store *s, int count) {
    if (count < 0 || count >= s->count) return;
    int kept = count;
    for (int i = count; i < s->count; i++)
        if (s->at[i].loaded)
            s->at[kept++] = s->at[i];
        else
            tg_entry_free(&s->at[i]);
    s->count = kept;
    table_rebuild(s);
}

void tg_store_drop(tg_store *s, int count) {
    for (int i = count; i < s->count; i++) tg_entry_free(&s->at[i]);
    if (count < s->count) s->count = count;
    table_rebuild(s);
}

void tg_store_free(tg_store *s) {
    for (int i = 0; i < s->count; i++) tg_entry_free(&s->at[i]);
    free_storage(s);
    *s = (tg_store){0};
}
