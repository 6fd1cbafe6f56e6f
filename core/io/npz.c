/* Sets of arrays: finding them by name, and putting them in. */
#include "core/io/npz_private.h"
#include "core/slot.h"
#include "core/work.h"

#include <string.h>

static const char kind[] = "set of arrays";

static tg_npz_set *set_of(const tg_npz *handle, const char *who) {
    return tg_set_of(handle, kind, sizeof(tg_npz_set), who);
}

const char *tg_npz_name_fault(const char *name) {
    if (!name[0]) return "is empty";
    if (strchr(name, '\\')) return "has a backslash";
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += part != name;
        const size_t n = strcspn(part, "/");
        if (n == 0) return "has an empty part";
        if (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))) return "leads to another folder";
    }
    return NULL;
}

static tg_status check_name(const char *name, const char *who) {
    const tg_status status = tg_name_check(name, "name", who);
    const char *fault = status == TG_OK ? tg_npz_name_fault(name) : NULL;
    return fault ? tg_fail(TG_ERR_ARGUMENT, "%s: the name %s: \"%.100s\"", who, fault, name) : status;
}

/* ---- a set ---- */

static void drop(tg_npz_set *set) {
    set->kind = NULL;
    tg_named_list_drop(&set->arrays);
    tg_npz_close(set);
    if (!set->open) return;
    char *path = (char *)(uintptr_t)set->file.path; /* the set's own */
    tg_reader_close(&set->file);
    tg_text_free(path);
}

tg_npz *tg_npz_new(void) {
    void *handle = NULL;
    if (tg_error_status() == TG_OK) tg_set_new(kind, sizeof(tg_npz_set), "npz_new", &handle);
    return handle;
}

static tg_status open_file(tg_npz_set *set, const char *path, const char *who) {
    char *copy = tg_text_copy(path, strlen(path));
    if (!copy) return tg_error_status();
    const tg_status status = tg_reader_open(&set->file, who, copy, TG_NEVER_GZIP);
    set->open = status == TG_OK;
    if (!set->open) tg_text_free(copy);
    return set->open ? tg_npz_read(set) : status;
}

tg_npz *tg_npz_open(const char *path) {
    static const char who[] = "npz_open";
    void *handle;
    if (tg_error_status() != TG_OK) return NULL;
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
        return NULL;
    }
    tg_npz_set *set = tg_set_new(kind, sizeof *set, who, &handle);
    if (!set || open_file(set, path, who) == TG_OK) return set ? handle : NULL;
    tg_error_by(who, TG_OK);
    drop(set);
    tg_set_end(handle);
    return NULL;
}

void tg_npz_free(tg_npz *set) {
    tg_npz_set *s = set ? set_of(set, "npz_free") : NULL;
    if (!s) return;
    drop(s);
    tg_set_end(set);
}

/* ---- asking ---- */

int64_t tg_npz_count(const tg_npz *set) {
    const tg_npz_set *s = set_of(set, "npz_count");
    return s ? s->arrays.n : 0;
}

const char *tg_npz_name(const tg_npz *set, int64_t i) {
    const tg_npz_set *s = set_of(set, "npz_name");
    return s ? tg_named_at(&s->arrays, i, "array", "npz_name") : NULL;
}

bool tg_npz_has(const tg_npz *set, const char *name) {
    const tg_npz_set *s = set_of(set, "npz_has");
    return s && check_name(name, "npz_has") == TG_OK && tg_named_find(&s->arrays, name);
}

/* The array of this name; NULL with an error raised where there is none. */
static const tg_named *array_of(const tg_npz_set *s, const char *name, const char *who) {
    if (!s || check_name(name, who) != TG_OK) return NULL;
    const tg_named *e = tg_named_find(&s->arrays, name);
    if (!e)
        tg_fail(TG_ERR_ARGUMENT, "%s: there is no array \"%.100s\"%s%s", who, name, s->open ? ": " : "",
                s->open ? s->file.path : "");
    return e;
}

tg_dtype tg_npz_dtype(const tg_npz *set, const char *name) {
    const tg_named *e = array_of(set_of(set, "npz_dtype"), name, "npz_dtype");
    return e ? (tg_dtype)e->a.dtype : TG_F32;
}

tg_shape tg_npz_shape(const tg_npz *set, const char *name) {
    const tg_named *e = array_of(set_of(set, "npz_shape"), name, "npz_shape");
    return e ? tg_array_shape(&e->a) : TG_SCALAR;
}

tg_tensor *tg_npz_get(const tg_npz *set, const char *name) {
    static const char who[] = "npz_get";
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_npz_set *s = set_of(set, who);
    const tg_named *e = array_of(s, name, who);
    if (!e) return tg_poison();
    tg_array a = {0};
    s->file.who = who;
    if (e->offset == 0) tg_array_share(&a, &e->a);
    if (e->offset == 0 || tg_npz_read_array(s, e, &a) == TG_OK) return tg_elements_tensor(who, &a);
    tg_array_drop(&a);
    tg_error_by(who, TG_OK);
    return tg_poison();
}

/* ---- putting in, and saving ---- */

tg_status tg_npz_put(tg_npz *set, const char *name, const tg_tensor *t) {
    static const char who[] = "npz_put";
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_npz_set *s = set_of(set, who);
    if (!s || check_name(name, who) != TG_OK) return tg_error_status();
    const tg_slot *slot = tg_slot_with_data(t, who);
    if (!slot || !tg_may_read(&slot->a, "tg_npz_put")) return tg_error_status();
    tg_named e = {.name = tg_text_copy(name, strlen(name))};
    if (!e.name) return tg_error_by(who, TG_OK);
    tg_buffer_share(slot->a.buffer); /* the set may go to another thread */
    tg_array_share(&e.a, &slot->a);
    if (tg_named_put(&s->arrays, &e) == TG_OK) return TG_OK;
    tg_named_drop(&e);
    return tg_error_by(who, TG_OK);
}

tg_status tg_npz_save_with(const tg_npz *set, const char *path, tg_npz_save_opts opts) {
    static const char who[] = "npz_save";
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_npz_set *s = set_of(set, who);
    if (!s) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
    s->file.who = who;
    return tg_npz_write(s, path, opts.compress) == TG_OK ? TG_OK : tg_error_by(who, TG_OK);
}
