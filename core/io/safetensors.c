/* Sets of tensors and texts: finding them by name, and putting them in. */
#include "core/io/safetensors_private.h"
#include "core/slot.h"
#include "core/work.h"

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

void tg_set_drop(tg_set *set) {
    set->kind = NULL;
    tg_named_list_drop(&set->tensors);
    tg_named_list_drop(&set->texts);
    if (!set->open) return;
    char *path = (char *)(uintptr_t)set->file.path; /* the set's own */
    tg_reader_close(&set->file);
    tg_text_free(path);
}

static const char kind[] = "set of tensors";

static tg_set *set_of(const tg_safetensors *handle, const char *who) {
    return tg_set_of(handle, kind, sizeof(tg_set), who);
}

tg_safetensors *tg_safetensors_new(void) {
    void *handle = NULL;
    if (tg_error_status() == TG_OK) tg_set_new(kind, sizeof(tg_set), "safetensors_new", &handle);
    return handle;
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
    void *handle;
    tg_set *set = tg_set_new(kind, sizeof *set, who, &handle);
    if (!set || open_file(set, path, who) == TG_OK) return set ? handle : NULL;
    tg_error_by(who, TG_OK);
    tg_set_drop(set);
    tg_set_end(handle);
    return NULL;
}

void tg_safetensors_free(tg_safetensors *set) {
    tg_set *s = set ? set_of(set, "safetensors_free") : NULL;
    if (!s) return;
    tg_set_drop(s);
    tg_set_end(set);
}

/* ---- asking ---- */

int64_t tg_safetensors_count(const tg_safetensors *set) {
    const tg_set *s = set_of(set, "safetensors_count");
    return s ? s->tensors.n : 0;
}

const char *tg_safetensors_name(const tg_safetensors *set, int64_t i) {
    const tg_set *s = set_of(set, "safetensors_name");
    return s ? tg_named_at(&s->tensors, i, "tensor", "safetensors_name") : NULL;
}

int64_t tg_safetensors_text_count(const tg_safetensors *set) {
    const tg_set *s = set_of(set, "safetensors_text_count");
    return s ? s->texts.n : 0;
}

const char *tg_safetensors_key(const tg_safetensors *set, int64_t i) {
    const tg_set *s = set_of(set, "safetensors_key");
    return s ? tg_named_at(&s->texts, i, "text", "safetensors_key") : NULL;
}

bool tg_safetensors_has(const tg_safetensors *set, const char *name) {
    const tg_set *s = set_of(set, "safetensors_has");
    return s && tg_name_check(name, "name", "safetensors_has") == TG_OK && tg_named_find(&s->tensors, name);
}

const char *tg_safetensors_text(const tg_safetensors *set, const char *key) {
    const tg_set *s = set_of(set, "safetensors_text");
    const tg_named *e =
        s && tg_name_check(key, "key", "safetensors_text") == TG_OK ? tg_named_find(&s->texts, key) : NULL;
    return e ? e->text : NULL;
}

/* The tensor of this name; NULL with an error raised where there is none. */
static const tg_named *tensor_of(const tg_set *s, const char *name, const char *who) {
    if (!s || tg_name_check(name, "name", who) != TG_OK) return NULL;
    const tg_named *e = tg_named_find(&s->tensors, name);
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
    if (!s || tg_name_check(name, "name", who) != TG_OK) return tg_error_status();
    if (strcmp(name, TG_SAFETENSORS_METADATA) == 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: no tensor may be called \"%s\", which is the name of the texts",
                       who, name);
    const tg_slot *slot = tg_slot_with_data(t, who);
    if (!slot || !tg_may_read(&slot->a, who)) return tg_error_status();
    char text[160];
    const bool half = stored != TG_STORED;
    if (half && slot->a.dtype != TG_F32)
        return tg_fail(TG_ERR_DTYPE, "%s: only f32 is saved as F16 or BF16, and this is %s", who,
                       tg_describe(t, text, sizeof text));
    tg_named e = {.name = tg_text_copy(name, strlen(name)), .stored = half ? stored : stored_as[slot->a.dtype]};
    if (!e.name) return tg_error_by(who, TG_OK);
    tg_buffer_share(slot->a.buffer); /* the set may go to another thread */
    tg_array_share(&e.a, &slot->a);
    if (tg_named_put(&s->tensors, &e) == TG_OK) return TG_OK;
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
    if (!s || tg_name_check(key, "key", who) != TG_OK) return tg_error_status();
    if (!text) return tg_fail(TG_ERR_ARGUMENT, "%s: the text is NULL", who);
    if (!tg_text_is_utf8(text))
        return tg_fail(TG_ERR_ARGUMENT, "%s: the text of \"%.100s\" is not UTF-8", who, key);
    tg_named e = {.name = tg_text_copy(key, strlen(key)), .text = tg_text_copy(text, strlen(text))};
    if (e.name && e.text && tg_named_put(&s->texts, &e) == TG_OK) return TG_OK;
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
