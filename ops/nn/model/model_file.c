/* Models to sets of named tensors, and back. */
#include "core/memory.h"
#include "core/work.h"
#include "ops/elementwise/inplace.h"
#include "ops/nn/model/model_private.h"
#include "ops/shape/view.h"

#include <stdarg.h>
#include <string.h>

enum { NAME_MAX_BYTES = 1024 + 1 };

static const char *const list_of[TG_HOLDINGS] = {"parameters", "buffers"};

/* ---- names ---- */

/* Writes what `name` is called on the other side; false where it is left out, and with an error raised when it is too long. */
static bool rename_to(char out[NAME_MAX_BYTES], const char *name, const tg_rename *names, bool to_file,
                      const char *who) {
    const char *to = "";
    size_t skip = 0;
    for (const tg_rename *r = names; r && r->file; r++) {
        const char *from = to_file ? r->model : r->file;
        if (!from || strncmp(name, from, strlen(from)) != 0) continue;
        if (!r->model) return false;
        to = to_file ? r->file : r->model, skip = strlen(from);
        break;
    }
    size_t front = strlen(to), back = strlen(name + skip);
    if (front + back >= NAME_MAX_BYTES || front + back == 0) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the name that %.100s is given is %s", who, name,
                front + back ? "longer than 1,024 bytes" : "empty");
        return false;
    }
    memcpy(out, to, front);
    memcpy(out + front, name + skip, back + 1);
    return true;
}

/* Adds a name, of which there is none yet. */
static tg_status add_name(tg_store *names, const char *name, const char *who) {
    if (tg_store_find(names, name, tg_name_hash(name)) >= 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: two tensors are both named %.200s", who, name);
    tg_entry e = tg_entry_new(NULL, name);
    if (!e.name || !tg_store_reserve(names, 1)) {
        tg_entry_free(&e);
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the name %.100s", who, name);
    }
    tg_store_add(names, e);
    return TG_OK;
}

static tg_status was_freed(const char *who, const char *name) {
    return tg_fail(TG_ERR_LIFETIME, "%s: %.200s was freed, but belongs to the model", who, name);
}

/* ---- a model to a set ---- */

/* Puts the names from number `from` on as a text, a line each. */
static tg_status put_list(tg_safetensors *set, const char *key, const tg_store *names, int from,
                          const char *who) {
    size_t size = 1, used = 0;
    for (int i = from; i < names->count; i++) size += strlen(names->at[i].name) + 1;
    char *text = tg_alloc(size);
    if (!text) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the list of names", who);
    for (int i = from; i < names->count; i++) {
        size_t n = strlen(names->at[i].name);
        memcpy(text + used, names->at[i].name, n);
        used += n;
        text[used++] = '\n';
    }
    text[used] = '\0';
    tg_status s = tg_safetensors_put_text(set, key, text);
    tg_dealloc(text, size);
    return s;
}

static tg_status put_store(tg_safetensors *set, const tg_store *from, const tg_rename *renames,
                           tg_store *names, const char *who) {
    char name[NAME_MAX_BYTES];
    for (int i = 0; i < from->count && tg_error_status() == TG_OK; i++) {
        const tg_entry *e = &from->at[i];
        if (!rename_to(name, e->name, renames, true, who)) continue;
        if (strchr(name, '\n'))
            return tg_fail(TG_ERR_ARGUMENT,
                           "%s: the name %.200s has a line break, which a model file cannot hold", who, name);
        if (!tg_is_alive(e->tensor)) return was_freed(who, e->name);
        if (add_name(names, name, who) == TG_OK) tg_safetensors_put(set, name, e->tensor);
    }
    return tg_error_status();
}

tg_status tg_model_put_with(const tg_model *model, tg_safetensors *set, tg_model_put_opts opts) {
    TG_NAMED("tg_model_put");
    static const char who[] = "tg_model_put";
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(who)) return tg_error_status();
    const tg_model_object *m = tg_model_object_of(model, who);
    tg_store names = {0};
    for (int k = 0; m && k < TG_HOLDINGS && tg_error_status() == TG_OK; k++) {
        int before = names.count;
        if (put_store(set, &m->store[k], opts.names, &names, who) == TG_OK)
            put_list(set, list_of[k], &names, before, who);
    }
    if (tg_error_status() == TG_OK)
        tg_safetensors_put_text(set, "format", "pt"); /* as PyTorch's tools ask for */
    tg_store_free(&names);
    return tg_error_status();
}

tg_status tg_model_save_with(const tg_model *model, const char *path, tg_model_save_opts opts) {
    TG_NAMED("tg_model_save");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_model_save")) return tg_error_status();
    tg_safetensors *set = tg_safetensors_new();
    tg_status s = set ? tg_model_put_with(model, set, opts) : tg_error_status();
    if (s == TG_OK) s = tg_safetensors_save(set, path);
    tg_safetensors_free(set);
    return s;
}

/* ---- what a set has for a model ---- */

static bool is_empty(const tg_model_object *m) {
    return m->store[TG_PARAMETERS].count == 0 && m->store[TG_BUFFERS].count == 0;
}

static tg_status add_item(tg_model_change *c, const tg_safetensors *set, const char *file, tg_holding holding) {
    char name[NAME_MAX_BYTES];
    if (holding == TG_PARAMETERS && !tg_dtype_is_float(tg_safetensors_dtype(set, file)))
        return tg_fail(TG_ERR_FORMAT, "%s: %s: the parameter %.200s is neither f32 nor f64", c->who, c->path,
                       file);
    if (!rename_to(name, file, c->opts.names, false, c->who)) {
        c->left_out++;
        return tg_error_status();
    }
    tg_model_item item = {.file = file, .holding = holding, .at = -1};
    if (add_name(&c->names, name, c->who) != TG_OK) return tg_error_status();
    const uint64_t hash = c->names.at[c->names.count - 1].hash;
    for (int k = 0; k < TG_HOLDINGS && item.at < 0; k++) {
        item.at = tg_store_find(&c->model->store[k], name, hash);
        if (item.at >= 0) item.holding = (tg_holding)k;
    }
    c->item[c->names.count - 1] = item;
    return TG_OK;
}

/* The name in the set that is the line of n bytes at `line`; NULL when there is none. */
static const char *name_of_line(const tg_safetensors *set, const char *line, size_t n) {
    int64_t low = 0, high = tg_safetensors_count(set);
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const char *name = tg_safetensors_name(set, middle);
        int order = strncmp(name, line, n);
        if (order == 0) order = name[n] != '\0';
        if (order == 0) return name;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static tg_status add_list(tg_model_change *c, const tg_safetensors *set, tg_holding holding) {
    const char *line = tg_safetensors_text(set, list_of[holding]);
    while (line && *line && tg_error_status() == TG_OK) {
        size_t n = strcspn(line, "\n");
        const char *name = name_of_line(set, line, n);
        if (!name)
            return tg_fail(TG_ERR_FORMAT, "%s: %s: the list of %s names %.*s, which the file does not hold",
                           c->who, c->path, list_of[holding], n > 200 ? 200 : (int)n, line);
        add_item(c, set, name, holding);
        line += n + (line[n] == '\n');
    }
    return tg_error_status();
}

static tg_status find_items(tg_model_change *c, const tg_safetensors *set) {
    int64_t n = tg_safetensors_count(set);
    if (tg_error_status() != TG_OK) return tg_error_status();
    c->room = (int)n; /* a set holds no more than 65,536 */
    c->item = tg_alloc((size_t)(n ? n : 1) * sizeof *c->item);
    if (!c->item) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d names", c->who, c->room);
    c->listed = tg_safetensors_text(set, list_of[TG_PARAMETERS]) != NULL;
    if (c->listed) {
        for (int k = 0; k < TG_HOLDINGS; k++)
            if (add_list(c, set, (tg_holding)k) != TG_OK) break;
        return tg_error_status();
    }
    for (int64_t i = 0; i < n && tg_error_status() == TG_OK; i++) {
        const char *name = tg_safetensors_name(set, i);
        add_item(c, set, name, tg_dtype_is_float(tg_safetensors_dtype(set, name)) ? TG_PARAMETERS : TG_BUFFERS);
    }
    return tg_error_status();
}

/* ---- what differs ---- */

typedef struct differences {
    const tg_model_change *c;
    int count, listed;
    size_t used;
    char text[3600];
} differences;

TG_PRINTF(2, 3) static void differ(differences *d, const char *format, ...) {
    char line[2400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (d->c->opts.report) fprintf(d->c->opts.report, "%s: %s\n", d->c->path, line);
    size_t n = strlen(line);
    if (d->listed == d->count && n + 2 < sizeof d->text - d->used) {
        d->used +=
            (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "%s%s", d->count ? "; " : "", line);
        d->listed++;
    }
    d->count++;
}

/* Whether the elements of the file can become those of t. */
static bool fits(differences *d, const char *name, tg_dtype dtype, tg_shape shape, const tg_tensor *t) {
    if (!tg_is_alive(t)) return was_freed(d->c->who, name) == TG_OK;
    tg_dtype want = tg_dtype_of(t);
    bool converted = d->c->opts.cast && tg_dtype_is_float(dtype) && tg_dtype_is_float(want);
    if (tg_shape_equal(shape, tg_shape_of(t)) && (dtype == want || converted)) return true;
    char in_file[128], in_model[128];
    differ(d, "%s is %s %s in the file and %s %s in the model", name,
           tg_shape_text(shape, in_file, sizeof in_file), tg_dtype_name(dtype),
           tg_shape_text(tg_shape_of(t), in_model, sizeof in_model), tg_dtype_name(want));
    return false;
}

/* Marks the items that are to be loaded by a place for their value, and finds out what differs. */
static tg_status compare(tg_model_change *c, const tg_safetensors *set, bool wanted[]) {
    differences d = {.c = c};
    bool empty = is_empty(c->model);
    int loaded = 0;
    if (empty && c->left_out && !c->names.count)
        return tg_fail(TG_ERR_ARGUMENT, "%s: %s: the table of names leaves out all %d tensors", c->who,
                       c->path, c->left_out);
    for (int i = 0; i < c->names.count; i++) {
        const tg_model_item *item = &c->item[i];
        const char *name = c->names.at[i].name;
        wanted[i] = item->at < 0 ? empty
                                 : fits(&d, name, tg_safetensors_dtype(set, item->file),
                                        tg_safetensors_shape(set, item->file),
                                        c->model->store[item->holding].at[item->at].tensor);
        if (item->at < 0 && !empty) differ(&d, "%s is not in the model", name);
        loaded += wanted[i];
    }
    for (int k = 0; k < TG_HOLDINGS; k++)
        for (int i = 0; i < c->model->store[k].count; i++) {
            const tg_entry *e = &c->model->store[k].at[i];
            if (tg_store_find(&c->names, e->name, e->hash) < 0) differ(&d, "%s is not in the file", e->name);
        }
    if (tg_error_status() != TG_OK || d.count == 0 || (c->opts.partial && loaded)) return tg_error_status();
    char more[64] = "";
    if (d.listed < d.count) snprintf(more, sizeof more, "; and %d more", d.count - d.listed);
    return tg_fail(TG_ERR_SHAPE, "%s: %s and the model differ%s: %s%s", c->who, c->path,
                   loaded ? "" : " in everything", d.text, more);
}

/* ---- reading ---- */

/* The elements of item i, as a kept tensor: what the model will have, or what is to be copied there. */
static tg_status read_item(tg_model_change *c, const tg_safetensors *set, int i) {
    tg_model_item *item = &c->item[i];
    tg_mark before = tg_tape_mark();
    tg_tensor *t = tg_safetensors_get(set, item->file);
    if (item->at < 0) {
        tg_set_name(t, c->names.at[i].name);
        t = item->holding == TG_PARAMETERS ? tg_param(t) : tg_keep(t);
    } else {
        const tg_tensor *to = c->model->store[item->holding].at[item->at].tensor;
        t = tg_keep(tg_to(t, tg_dtype_of(to)));
        tg_array_of(to); /* reports one whose elements were dropped */
    }
    item->value = tg_is_alive(t) ? t : NULL;
    tg_tape_rewind(before);
    return tg_error_status();
}

static tg_status read_items(tg_model_change *c, const tg_safetensors *set) {
    size_t size = (size_t)c->names.count + 1;
    bool *wanted = tg_alloc(size);
    if (!wanted) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d names", c->who, c->names.count);
    bool recording = tg_set_grad_enabled(false);
    compare(c, set, wanted);
    for (int i = 0; i < c->names.count && tg_error_status() == TG_OK; i++)
        if (wanted[i]) read_item(c, set, i);
    tg_set_grad_enabled(recording);
    tg_dealloc(wanted, size);
    return tg_error_status();
}

tg_status tg_model_change_prepare(tg_model_change *c, const tg_safetensors *set) {
    if (c->model->making)
        return tg_fail(TG_ERR_ARGUMENT, "%s: an initialiser of the model is running", c->who);
    if (find_items(c, set) != TG_OK || read_items(c, set) != TG_OK) return tg_error_status();
    for (int k = 0; k < TG_HOLDINGS; k++) {
        int more = 0;
        for (int i = 0; i < c->names.count; i++)
            more += c->item[i].at < 0 && c->item[i].holding == (tg_holding)k;
        if (is_empty(c->model) && !tg_store_reserve(&c->model->store[k], more))
            return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d names", c->who, more);
    }
    return TG_OK;
}

/* ---- the change ---- */

void tg_model_change_commit(tg_model_change *c) {
    bool recording = tg_set_grad_enabled(false);
    if (is_empty(c->model)) c->model->whole_file = !c->opts.partial;
    for (int i = 0; i < c->names.count; i++) {
        tg_model_item *item = &c->item[i];
        tg_store *store = &c->model->store[item->holding];
        if (!item->value) continue;
        if (item->at >= 0) {
            const tg_array *to = tg_inplace(store->at[item->at].tensor, c->who);
            if (to) tg_array_copy(to, tg_array_of(item->value));
        } else {
            tg_entry *named = &c->names.at[i];
            tg_store_add(store, (tg_entry){item->value, named->name, named->hash, .loaded = true});
            if (item->holding == TG_PARAMETERS) tg_model_freeze_new(c->model, &store->at[store->count - 1]);
            item->value = NULL, named->name = NULL;
        }
    }
    tg_set_grad_enabled(recording);
    tg_model_change_drop(c);
}

void tg_model_change_drop(tg_model_change *c) {
    for (int i = 0; i < c->names.count; i++)
        if (c->item[i].value) tg_free(c->item[i].value);
    tg_store_free(&c->names);
    if (c->item) tg_dealloc(c->item, (size_t)(c->room ? c->room : 1) * sizeof *c->item);
    c->item = NULL;
}

int tg_model_change_params(const tg_model_change *c, int most, tg_tensor *param[], const char *name[],
                           int number[]) {
    int n = 0;
    if (is_empty(c->model)) {
        for (int i = 0; i < c->names.count; i++) {
            if (c->item[i].holding != TG_PARAMETERS) continue;
            if (n < most) param[n] = c->item[i].value, name[n] = c->names.at[i].name, number[n] = i;
            n++;
        }
        return n;
    }
    const tg_store *s = &c->model->store[TG_PARAMETERS];
    for (; n < s->count && n < most; n++) {
        param[n] = s->at[n].tensor, name[n] = s->at[n].name;
        number[n] = tg_store_find(&c->names, s->at[n].name, s->at[n].hash);
    }
    return s->count;
}

static tg_status take(tg_model *model, const tg_safetensors *set, tg_model_load_opts opts, const char *who,
                      const char *path) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(who)) return tg_error_status();
    tg_model_change c = {.model = tg_model_object_of(model, who), .who = who, .path = path, .opts = opts};
    if (!c.model) return tg_error_status();
    if (tg_model_change_prepare(&c, set) == TG_OK)
        tg_model_change_commit(&c);
    else
        tg_model_change_drop(&c);
    return tg_error_status();
}

tg_status tg_model_take_with(tg_model *model, const tg_safetensors *set, tg_model_take_opts opts) {
    TG_NAMED("tg_model_take");
    return take(model, set, opts, "tg_model_take", "the set");
}

tg_status tg_model_load_with(tg_model *model, const char *path, tg_model_load_opts opts) {
    TG_NAMED("tg_model_load");
    tg_safetensors *set = tg_safetensors_open(path);
    tg_status s = set ? take(model, set, opts, "tg_model_load", path) : tg_error_status();
    tg_safetensors_free(set);
    return s;
}
