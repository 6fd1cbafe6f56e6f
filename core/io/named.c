/* Named arrays and texts, and handles of the sets that hold them. */
#include "core/io/named.h"
#include "core/io/text.h"
#include "core/slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- strings ---- */

char *tg_text_copy(const char *text, size_t n) {
    char *copy = tg_sys_alloc(n + 1);
    if (!copy) {
        tg_fail_memory(n + 1);
        return NULL;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

void tg_text_free(char *text) {
    if (text) tg_sys_free(text, strlen(text) + 1);
}

bool tg_text_is_utf8(const char *text) {
    uint32_t code;
    while (*text) {
        const int n = tg_utf8_decode(text, INT64_MAX, &code); /* a NUL continues no character */
        if (n == 0) return false;
        text += n;
    }
    return true;
}

tg_status tg_name_check(const char *name, const char *what, const char *who) {
    if (!name) return tg_fail(TG_ERR_ARGUMENT, "%s: the %s is NULL", who, what);
    if (strnlen(name, TG_NAME + 1) > TG_NAME)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the %s has more than %d bytes: \"%.100s..\"", who, what, TG_NAME,
                       name);
    if (!tg_text_is_utf8(name))
        return tg_fail(TG_ERR_ARGUMENT, "%s: the %s is not UTF-8: \"%.100s\"", who, what, name);
    return TG_OK;
}

/* ---- lists ---- */

/* The place of `name`, or the one where it would be. */
static int64_t place_of(const tg_named_list *list, const char *name, bool *found) {
    int64_t low = 0, high = list->n;
    *found = false;
    while (low < high && !*found) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(list->at[middle].name, name);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *found ? high : low;
}

tg_named *tg_named_find(const tg_named_list *list, const char *name) {
    bool found;
    const int64_t i = place_of(list, name, &found);
    return found ? &list->at[i] : NULL;
}

void tg_named_drop(tg_named *e) {
    tg_text_free(e->name);
    tg_text_free(e->text);
    tg_array_drop(&e->a);
}

static tg_status insert(tg_named_list *list, int64_t i, const tg_named *e) {
    if (list->n == TG_NAMED_MOST)
        return tg_fail_below(TG_ERR_ARGUMENT, "insert: a set has at most %d tensors, and as many texts",
                             TG_NAMED_MOST);
    if (!tg_grow((void **)&list->at, &list->cap, list->n, list->n + 1, sizeof *list->at))
        return tg_fail_memory((size_t)(list->n + 1) * sizeof *list->at);
    memmove(&list->at[i + 1], &list->at[i], (size_t)(list->n - i) * sizeof *list->at);
    list->at[i] = *e;
    list->n++;
    return TG_OK;
}

tg_status tg_named_append(tg_named_list *list, const tg_named *e) { return insert(list, list->n, e); }

static int by_name(const void *a, const void *b) {
    return strcmp(((const tg_named *)a)->name, ((const tg_named *)b)->name);
}

void tg_named_sort(tg_named_list *list) {
    if (list->n > 0) qsort(list->at, (size_t)list->n, sizeof *list->at, by_name);
}

tg_status tg_named_put(tg_named_list *list, const tg_named *e) {
    bool found;
    const int64_t i = place_of(list, e->name, &found);
    if (!found) return insert(list, i, e);
    tg_named_drop(&list->at[i]);
    list->at[i] = *e;
    return TG_OK;
}

void tg_named_list_drop(tg_named_list *list) {
    for (int64_t i = 0; i < list->n; i++) tg_named_drop(&list->at[i]);
    tg_sys_free(list->at, (size_t)list->cap * sizeof *list->at);
}

const char *tg_named_at(const tg_named_list *list, int64_t i, const char *what, const char *who) {
    if (i >= 0 && i < list->n) return list->at[i].name;
    tg_fail(TG_ERR_ARGUMENT, "%s: there is no %s number %" PRId64 " among %" PRId64, who, what, i, list->n);
    return NULL;
}

/* ---- handles ---- */

void *tg_set_of(const void *handle, const char *kind, size_t size, const char *who) {
    const tg_slot *s = tg_slot_peek(handle);
    const char *const *set =
        s && s->kept && s->a.dtype == TG_U8 && s->a.numel == (int64_t)size ? s->a.data : NULL;
    if (set && *set == kind) return s->a.data;
    tg_fail(TG_ERR_ARGUMENT, "%s: the %s %s", who, kind,
            !handle ? "is NULL"
            : s     ? "is the handle of something else"
                    : "was freed");
    return NULL;
}

void *tg_set_new(const char *kind, size_t size, const char *who, void **handle) {
    tg_array a = {0};
    tg_slot *s = NULL;
    if (tg_array_alloc(&a, TG_U8, TG_SHAPE((int64_t)size)) == TG_OK) s = tg_slot_new_kept(who);
    if (!s) {
        tg_array_drop(&a);
        tg_error_by(who, TG_OK);
        return NULL;
    }
    memset(a.data, 0, size);
    *(const char **)a.data = kind;
    tg_buffer_share(a.buffer);
    s->a = a;
    *handle = tg_handle(s);
    return a.data;
}

void tg_set_end(void *handle) { tg_slot_kill(tg_slot_peek(handle)); }
