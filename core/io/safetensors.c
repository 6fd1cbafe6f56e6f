/* Sets of tensors and texts: finding them by name, and putting them in. */
#include "core/io/safetensors_private.h"
#include "core/slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const tg_stored_type tg_stored_types[TG_STORED] = {
    [TG_STORED_BOOL] = {"BOOL", 1, TG_BOOL}, [TG_STORED_U8] = {"U8", 1, TG_U8},
    [TG_STORED_F16] = {"F16", 2, TG_F32},    [TG_STORED_BF16] = {"BF16", 2, TG_F32},
    [TG_STORED_I32] = {"I32", 4, TG_I32},    [TG_STORED_F32] = {"F32", 4, TG_F32},
    [TG_STORED_F64] = {"F64", 8, TG_F64},    [TG_STORED_I64] = {"I64", 8, TG_I64},
};

static const int stored_as[TG_DTYPES] = {
    [TG_F32] = TG_STORED_F32, [TG_F64] = TG_STORED_F64, [TG_I32] = TG_STORED_I32,
    [TG_I64] = TG_STORED_I64, [TG_U8] = TG_STORED_U8,   [TG_BOOL] = TG_STORED_BOOL};

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

/* How many bytes the character at s has (Unicode's table 3-7 of well-formed sequences); 0: it is not one. */
static int utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    const int n = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
                  : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                  : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                : 0;
    const unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (n == 0 || s[1] < low || s[1] > high) return 0;
    for (int i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xbf) return 0;
    return n;
}

static bool is_utf8(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        const int n = utf8_length(s);
        if (n == 0) return false;
        s += n;
    }
    return true;
}

static tg_status check_name(const char *name, const char *what, const char *who) {
    if (!name) return tg_fail(TG_ERR_ARGUMENT, "%s: the %s is NULL", who, what);
    if (strnlen(name, TG_SAFETENSORS_NAME + 1) > TG_SAFETENSORS_NAME)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the %s has more than %d bytes: \"%.100s..\"", who, what,
                       TG_SAFETENSORS_NAME, name);
    if (!is_utf8(name))
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

static tg_named *find(const tg_named_list *list, const char *name) {
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
    if (list->n == TG_SAFETENSORS_ENTRIES)
        return tg_fail_below(TG_ERR_ARGUMENT, "insert: a set has at most %d tensors, and as many texts",
                             TG_SAFETENSORS_ENTRIES);
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

static tg_status put_named(tg_named_list *list, const tg_named *e) {
    bool found;
    const int64_t i = place_of(list, e->name, &found);
    if (!found) return insert(list, i, e);
    tg_named_drop(&list->at[i]);
    list->at[i] = *e;
    return TG_OK;
}

static void drop_list(tg_named_list *list) {
    for (int64_t i = 0; i < list->n; i++) tg_named_drop(&list->at[i]);
    tg_sys_free(list->at, (size_t)list->cap * sizeof *list->at);
}

void tg_set_drop(tg_set *set) {
    set->kind = NULL;
    drop_list(&set->tensors);
    drop_list(&set->texts);
    if (!set->open) return;
    char *path = (char *)(uintptr_t)set->file.path; /* the set's own */
    tg_reader_close(&set->file);
    tg_text_free(path);
}

/* ---- handles: a kept tensor's, which tells whether it is alive, with the set for elements ---- */

static const char kind[] = "set of tensors";

/* The set; NULL with TG_ERR_ARGUMENT raised for what is none. */
static tg_set *set_of(const tg_safetensors *handle, const char *who) {
    const tg_slot *s = tg_slot_peek((const tg_tensor *)handle);
    tg_set *set =
        s && s->kept && s->a.dtype == TG_U8 && s->a.numel == (int64_t)sizeof(tg_set) ? s->a.data : NULL;
    if (set && set->kind == kind) return set;
    tg_fail(TG_ERR_ARGUMENT, "%s: the %s %s", who, kind,
            !handle ? "is NULL"
            : s     ? "is the handle of something else"
                    : "was freed");
    return NULL;
}

static tg_slot *new_set(const char *who) {
    tg_array a = {0};
    tg_slot *s = NULL;
    if (tg_array_alloc(&a, TG_U8, TG_SHAPE(sizeof(tg_set))) == TG_OK) s = tg_slot_new_kept(who);
    if (!s) {
        tg_array_drop(&a);
        tg_error_by(who, TG_OK);
        return NULL;
    }
    memset(a.data, 0, sizeof(tg_set));
    ((tg_set *)a.data)->kind = kind;
    tg_buffer_share(a.buffer);
    s->a = a;
    return s;
}

tg_safetensors *tg_safetensors_new(void) {
    if (tg_error_status() != TG_OK) return NULL;
    const tg_slot *s = new_set("safetensors_new");
    return s ? (tg_safetensors *)tg_handle(s) : NULL;
}

static tg_status open_file(tg_set *set, const char *path, const char *who) {
    char *copy = tg_text_copy(path, strlen(path));
    if (!copy) return tg_error_status();
    const tg_status status = tg_reader_open(&set->file, who, copy, TG_NEVER_GZIP);
    set->open = status == TG_OK;
    if (!set->open) tg_text_free(copy);
    return set->open ? tg_set_read(set) : status;
}

tg_safetensors *tg_safetensors_open(const char *path) {
    static const char who[] = "safetensors_open";
    if (tg_error_status() != TG_OK) return NULL;
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
        return NULL;
    }
    tg_slot *s = new_set(who);
    if (!s) return NULL;
    tg_set *set = s->a.data;
    if (open_file(set, path, who) == TG_OK) return (tg_safetensors *)tg_handle(s);
    tg_error_by(who, TG_OK);
    tg_set_drop(set);
    tg_slot_kill(s);
    return NULL;
}

void tg_safetensors_free(tg_safetensors *set) {
    tg_set *s = set ? set_of(set, "safetensors_free") : NULL;
    if (!s) return;
    tg_set_drop(s);
    tg_slot_kill(tg_slot_peek((tg_tensor *)set));
}

/* ---- asking ---- */

static const char *name_at(const tg_named_list *list, int64_t i, const char *what, const char *who) {
    if (i >= 0 && i < list->n) return list->at[i].name;
    tg_fail(TG_ERR_ARGUMENT, "%s: there is no %s number %" PRId64 " among %" PRId64, who, what, i, list->n);
    return NULL;
}

int64_t tg_safetensors_count(const tg_safetensors *set) {
    const tg_set *s = set_of(set, "safetensors_count");
    return s ? s->tensors.n : 0;
}

const char *tg_safetensors_name(const tg_safetensors *set, int64_t i) {
    const tg_set *s = set_of(set, "safetensors_name");
    return s ? name_at(&s->tensors, i, "tensor", "safetensors_name") : NULL;
}

int64_t tg_safetensors_text_count(const tg_safetensors *set) {
    const tg_set *s = set_of(set, "safetensors_text_count");
    return s ? s->texts.n : 0;
}

const char *tg_safetensors_key(const tg_safetensors *set, int64_t i) {
    const tg_set *s = set_of(set, "safetensors_key");
    return s ? name_at(&s->texts, i, "text", "safetensors_key") : NULL;
}

bool tg_safetensors_has(const tg_safetensors *set, const char *name) {
    const tg_set *s = set_of(set, "safetensors_has");
    return s && check_name(name, "name", "safetensors_has") == TG_OK && find(&s->tensors, name);
}

const char *tg_safetensors_text(const tg_safetensors *set, const char *key) {
    const tg_set *s = set_of(set, "safetensors_text");
    const tg_named *e = s && check_name(key, "key", "safetensors_text") == TG_OK ? find(&s->texts, key) : NULL;
    return e ? e->text : NULL;
}

/* The tensor of this name; NULL with an error raised where there is none. */
static const tg_named *tensor_of(const tg_set *s, const char *name, const char *who) {
    if (!s || check_name(name, "name", who) != TG_OK) return NULL;
    const tg_named *e = find(&s->tensors, name);
    if (!e)
        tg_fail(TG_ERR_ARGUMENT, "%s: there is no tensor \"%.100s\"%s%s", who, name, s->open ? ": " : "",
                s->open ? s->file.path : "");
    return e;
}

tg_dtype tg_safetensors_dtype(const tg_safetensors *set, const char *name) {
    const tg_named *e = tensor_of(set_of(set, "safetensors_dtype"), name, "safetensors_dtype");
    return e ? (tg_dtype)e->a.dtype : TG_F32;
}

tg_shape tg_safetensors_shape(const tg_safetensors *set, const char *name) {
    const tg_named *e = tensor_of(set_of(set, "safetensors_shape"), name, "safetensors_shape");
    return e ? tg_array_shape(&e->a) : TG_SCALAR;
}

/* The elements from number `start` on along axis 0, n of them; of a scalar all. */
static tg_tensor *get(tg_set *s, const tg_named *e, int64_t start, int64_t n, const char *who) {
    tg_array a = {0};
    tg_status status = TG_OK;
    if (e->offset == 0) {
        const tg_array part = e->a.rank == 0 ? e->a : tg_array_part(&e->a, 0, start, n);
        tg_array_share(&a, &part);
    } else {
        tg_shape shape = tg_array_shape(&e->a);
        if (shape.rank > 0) shape.dim[0] = n;
        status = tg_array_alloc(&a, (tg_dtype)e->a.dtype, shape);
        s->file.who = who;
        if (status == TG_OK) status = tg_set_read_elements(s, e, n > 0 ? start * (a.numel / n) : 0, &a);
    }
    if (status == TG_OK) return tg_elements_tensor(who, &a);
    tg_array_drop(&a);
    tg_error_by(who, TG_OK);
    return tg_poison();
}

tg_tensor *tg_safetensors_get(const tg_safetensors *set, const char *name) {
    static const char who[] = "safetensors_get";
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_set *s = set_of(set, who);
    const tg_named *e = tensor_of(s, name, who);
    return e ? get(s, e, 0, e->a.rank > 0 ? e->a.shape[0] : 1, who) : tg_poison();
}

tg_tensor *tg_safetensors_map(const tg_safetensors *set, const char *name) {
    static const char who[] = "safetensors_map";
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_set *s = set_of(set, who);
    const tg_named *e = tensor_of(s, name, who);
    if (!e) return tg_poison();
    if (e->offset == 0) return get(s, e, 0, e->a.rank > 0 ? e->a.shape[0] : 1, who);
    tg_array a = e->a;
    s->file.who = who;
    if (tg_set_map_elements(s, e, &a) == TG_OK) return tg_elements_tensor(who, &a);
    tg_error_by(who, TG_OK);
    return tg_poison();
}

tg_tensor *tg_safetensors_get_rows(const tg_safetensors *set, const char *name, int64_t start, int64_t n) {
    static const char who[] = "safetensors_get_rows";
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_set *s = set_of(set, who);
    const tg_named *e = tensor_of(s, name, who);
    if (!e) return tg_poison();
    if (e->a.rank > 0 && start >= 0 && n >= 0 && start <= e->a.shape[0] && n <= e->a.shape[0] - start)
        return get(s, e, start, n, who);
    char text[200];
    tg_fail(TG_ERR_ARGUMENT, "%s: %" PRId64 " rows from number %" PRId64 " on are not in \"%.100s\" %s", who,
            n, start, name, tg_shape_text(tg_array_shape(&e->a), text, sizeof text));
    return tg_poison();
}

/* ---- putting in ---- */

static tg_status put(tg_safetensors *set, const char *name, const tg_tensor *t, int stored, const char *who) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_set *s = set_of(set, who);
    if (!s || check_name(name, "name", who) != TG_OK) return tg_error_status();
    if (strcmp(name, TG_SAFETENSORS_METADATA) == 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: no tensor may be called \"%s\", which is the name of the texts",
                       who, name);
    const tg_slot *slot = tg_slot_with_data(t, who);
    if (!slot) return tg_error_status();
    char text[160];
    const bool half = stored != TG_STORED;
    if (half && slot->a.dtype != TG_F32)
        return tg_fail(TG_ERR_DTYPE, "%s: only f32 is saved as F16 or BF16, and this is %s", who,
                       tg_describe(t, text, sizeof text));
    tg_named e = {.name = tg_text_copy(name, strlen(name)), .stored = half ? stored : stored_as[slot->a.dtype]};
    if (!e.name) return tg_error_by(who, TG_OK);
    tg_buffer_share(slot->a.buffer); /* the set may go to another thread */
    tg_array_share(&e.a, &slot->a);
    if (put_named(&s->tensors, &e) == TG_OK) return TG_OK;
    tg_named_drop(&e);
    return tg_error_by(who, TG_OK);
}

tg_status tg_safetensors_put(tg_safetensors *set, const char *name, const tg_tensor *t) {
    return put(set, name, t, TG_STORED, "safetensors_put");
}

tg_status tg_safetensors_put_half(tg_safetensors *set, const char *name, const tg_tensor *t, tg_half half) {
    static const char who[] = "safetensors_put_half";
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (half != TG_HALF_F16 && half != TG_HALF_BF16)
        return tg_fail(TG_ERR_ARGUMENT, "%s: half is neither TG_HALF_F16 nor TG_HALF_BF16", who);
    return put(set, name, t, half == TG_HALF_F16 ? TG_STORED_F16 : TG_STORED_BF16, who);
}

tg_status tg_safetensors_put_text(tg_safetensors *set, const char *key, const char *text) {
    static const char who[] = "safetensors_put_text";
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_set *s = set_of(set, who);
    if (!s || check_name(key, "key", who) != TG_OK) return tg_error_status();
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "%s: the text is NULL", who);
    if (!is_utf8(text)) return tg_fail(TG_ERR_ARGUMENT, "%s: the text of \"%.100s\" is not UTF-8", who, key);
    tg_named e = {.name = tg_text_copy(key, strlen(key)), .text = tg_text_copy(text, strlen(text))};
    if (e.name && e.text && put_named(&s->texts, &e) == TG_OK) return TG_OK;
    tg_named_drop(&e);
    return tg_error_by(who, TG_OK);
}

tg_status tg_safetensors_save(const tg_safetensors *set, const char *path) {
    static const char who[] = "safetensors_save";
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_set *s = set_of(set, who);
    if (!s) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
    s->file.who = who;
    return tg_set_write(s, path) == TG_OK ? TG_OK : tg_error_by(who, TG_OK);
}
