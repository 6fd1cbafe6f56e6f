#include "ops/nn/layers/kv_cache.h"

#include "autograd/tape.h"
#include "core/work.h"
#include "ops/elementwise/inplace.h"
#include "ops/nn/layers/attention_private.h"
#include "ops/nn/layers/layer.h"
#include "ops/nn/model/object.h"
#include "ops/shape/split.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

static const char of_cache[] = "key-value cache", of_entry[] = "layer of a key-value cache";

/* What a layer holds: room for `capacity` steps, of which the first are set. One without tensors is new. */
typedef struct entry {
    char name[TG_LAYER_NAME];
    tg_tensor *tensor[2]; /* keys and values [n, heads, capacity, size], kept */
    int64_t steps, capacity;
    void *next; /* handle of an entry */
} entry;

typedef struct cache_object {
    int64_t limit;
    void *first; /* handle of an entry */
} cache_object;

/* Steps go behind those that are there, so that each run works on other places, and on more of them: no two are one recording. */
static bool may_change_length(const char *who) {
    char text[80];
    if (!tg_listening) return true;
    snprintf(text, sizeof text, "%s: a cache whose length differs from run to run", who);
    return tg_may_do(text);
}

static cache_object *cache_of(const tg_kv_cache *cache, const char *who) {
    return tg_object_of(cache, of_cache, who);
}
static entry *entry_of(const void *handle, const char *who) {
    return handle ? tg_object_of(handle, of_entry, who) : NULL;
}

static void *find(const cache_object *c, const char *name, const char *who) {
    for (void *at = c->first; at; at = entry_of(at, who)->next)
        if (strcmp(entry_of(at, who)->name, name) == 0) return at;
    return NULL;
}

/* ---- its life ---- */

tg_kv_cache *tg_kv_cache_new(int64_t limit) {
    static const char who[] = "tg_kv_cache_new";
    if (tg_error_status() != TG_OK) return NULL;
    if (limit < 1) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the limit, %lld, must be positive", who, (long long)limit);
        return NULL;
    }
    tg_kv_cache *cache = tg_object_new(sizeof(cache_object), of_cache, who);
    if (cache) cache_of(cache, who)->limit = limit;
    return cache;
}

static void free_entry(void *handle, const char *who) {
    entry *e = entry_of(handle, who);
    for (int i = 0; i < 2; i++) tg_free(e->tensor[i]);
    tg_object_free(handle);
}

void tg_kv_cache_free(tg_kv_cache *cache) {
    static const char who[] = "tg_kv_cache_free";
    cache_object *c = cache ? cache_of(cache, who) : NULL;
    if (!c) return;
    for (void *at = c->first, *next; at; at = next) {
        next = entry_of(at, who)->next;
        free_entry(at, who);
    }
    tg_object_free(cache);
}

/* ---- its length ---- */

int64_t tg_kv_cache_length(const tg_kv_cache *cache) {
    static const char who[] = "tg_kv_cache_length";
    const cache_object *c = cache_of(cache, who);
    const entry *e = c ? entry_of(c->first, who) : NULL;
    int64_t steps = e ? e->steps : 0;
    for (; e; e = entry_of(e->next, who))
        if (e->steps < steps) steps = e->steps;
    return steps;
}

int64_t tg_kv_cache_past(const tg_kv_cache *cache, const char *name) {
    static const char who[] = "tg_kv_cache_past";
    const cache_object *c = cache_of(cache, who);
    const entry *e = c && name ? entry_of(find(c, name, who), who) : NULL;
    if (c && !name) tg_fail(TG_ERR_ARGUMENT, "%s: the name is NULL", who);
    return e ? e->steps : 0;
}

tg_status tg_kv_cache_truncate(tg_kv_cache *cache, int64_t steps) {
    static const char who[] = "tg_kv_cache_truncate";
    const cache_object *c = cache_of(cache, who);
    if (tg_error_status() != TG_OK || !may_change_length(who)) return tg_error_status();
    if (steps < 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the number of steps, %lld, is negative", who, (long long)steps);
    for (entry *e = entry_of(c->first, who); e; e = entry_of(e->next, who))
        if (e->steps > steps) e->steps = steps;
    return TG_OK;
}

/* ---- append ---- */

static const char append_name[] = "tg_kv_cache_append";

static tg_status check_pair(const tg_tensor *k, const tg_tensor *v) {
    char text[2][160];
    if (!tg_check_argument(k, append_name, "k") || !tg_check_argument(v, append_name, "v"))
        return tg_error_status();
    tg_shape a = tg_shape_of(k), b = tg_shape_of(v);
    tg_describe(k, text[0], sizeof text[0]), tg_describe(v, text[1], sizeof text[1]);
    if (tg_dtype_of(k) != tg_dtype_of(v) || !tg_dtype_is_float(tg_dtype_of(k)))
        return tg_fail(TG_ERR_DTYPE, "%s: keys and values must both be f32 or f64: k %s and v %s",
                       append_name, text[0], text[1]);
    if (a.rank != 4 || b.rank != 4 || a.dim[0] != b.dim[0] || a.dim[1] != b.dim[1] || a.dim[2] != b.dim[2])
        return tg_fail(TG_ERR_SHAPE, "%s: needs k and v [n, heads, t, size], was given k %s and v %s",
                       append_name, text[0], text[1]);
    if (tg_grad_enabled() && (tg_requires_grad(k) || tg_requires_grad(v)))
        return tg_fail(
            TG_ERR_TAPE,
            "%s: a cache keeps no history, and k %s or v %s requires a gradient: generate while recording is off "
            "(tg_set_grad_enabled)",
            append_name, text[0], text[1]);
    return TG_OK;
}

/* Whether the keys or values t go to those that the entry holds. */
static tg_status check_against(const entry *e, const tg_tensor *t, int i) {
    if (!e->steps) return TG_OK;
    tg_shape held = tg_shape_of(e->tensor[i]), more = tg_shape_of(t);
    char text[160], is[96];
    held.dim[2] = e->steps;
    tg_shape_text(held, is, sizeof is), tg_describe(t, text, sizeof text);
    if (tg_dtype_of(t) != tg_dtype_of(e->tensor[i]))
        return tg_fail(TG_ERR_DTYPE, "%s: %.40s holds %s, was given %s", append_name, e->name,
                       tg_dtype_name(tg_dtype_of(e->tensor[i])), text);
    for (int axis = 0; axis < 4; axis++)
        if (axis != 2 && held.dim[axis] != more.dim[axis])
            return tg_fail(TG_ERR_SHAPE, "%s: %.40s holds %s, was given %s", append_name, e->name, is, text);
    return TG_OK;
}

/* Room for `capacity` steps that begins with the steps held, kept; poison with the error raised. */
static tg_tensor *more_room(const entry *e, const tg_tensor *like, int i, int64_t capacity) {
    tg_shape shape = tg_shape_of(like);
    shape.dim[2] = capacity;
    tg_tensor *room = tg_zeros_with(tg_dtype_of(like), shape);
    if (e->steps && tg_is_alive(room))
        tg_copy_(tg_narrow(room, 2, 0, e->steps), tg_narrow(e->tensor[i], 2, 0, e->steps));
    return tg_error_status() == TG_OK ? tg_keep(room) : tg_poison();
}

/* Whether the tensors have room for `steps`, of the sizes and dtype of k and v. */
static bool has_room(const entry *e, tg_tensor *const kv[2], int64_t steps) {
    if (steps > e->capacity || !e->tensor[0]) return false;
    for (int i = 0; i < 2; i++) {
        tg_shape has = tg_shape_of(e->tensor[i]), want = tg_shape_of(kv[i]);
        want.dim[2] = has.dim[2];
        if (!tg_shape_equal(has, want) || tg_dtype_of(e->tensor[i]) != tg_dtype_of(kv[i])) return false;
    }
    return true;
}

/* Writes k and v behind the steps held, into room[], and makes views of all. */
static void write(const entry *e, tg_tensor *const kv[2], tg_tensor *const room[2], tg_tensor *view[2]) {
    int64_t t = tg_size(kv[0], 2);
    tg_mark before = tg_tape_mark();
    for (int i = 0; i < 2 && t > 0; i++) tg_copy_(tg_narrow(room[i], 2, e->steps, t), kv[i]);
    tg_tape_rewind(before);
    for (int i = 0; i < 2; i++) view[i] = tg_narrow(room[i], 2, 0, e->steps + t);
}

/* Allocates room where the entry has too little. */
static tg_status find_room(tg_kv_append *p, const entry *e, tg_tensor *const kv[2], int64_t limit) {
    p->steps = e->steps + tg_size(kv[0], 2), p->capacity = e->capacity;
    p->grows = !has_room(e, kv, p->steps);
    for (int i = 0; i < 2; i++) p->room[i] = p->grows ? tg_poison() : e->tensor[i];
    if (!p->grows) return TG_OK;
    tg_mark before = tg_tape_mark();
    if (p->capacity < FIRST_CAPACITY) p->capacity = FIRST_CAPACITY;
    if (p->capacity > limit) p->capacity = limit;
    while (p->capacity < p->steps) p->capacity = p->capacity < limit / 2 ? 2 * p->capacity : limit;
    for (int i = 0; i < 2; i++) p->room[i] = more_room(e, kv[i], i, p->capacity);
    tg_tape_rewind(before);
    return tg_error_status();
}

/* Finds or makes the entry. */
static tg_status find_entry(tg_kv_append *p, const cache_object *c, const char *name, int64_t t) {
    p->entry = find(c, name, append_name);
    int64_t past = p->entry ? entry_of(p->entry, append_name)->steps : 0;
    if (t > c->limit - past)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: %.40s holds %lld steps, and %lld more are above the cache's limit of %lld",
                       append_name, name, (long long)past, (long long)t, (long long)c->limit);
    if (p->entry) return TG_OK;
    p->entry = tg_object_new(sizeof(entry), of_entry, append_name);
    p->fresh = p->entry;
    if (!p->entry) return tg_error_status();
    memcpy(entry_of(p->entry, append_name)->name, name, strlen(name) + 1);
    return TG_OK;
}

tg_status tg_kv_append_begin(tg_kv_append *p, tg_kv_cache *cache, const char *name, tg_tensor *const kv[2],
                             tg_tensor *view[2]) {
    *p = (tg_kv_append){0};
    const cache_object *c = cache_of(cache, append_name);
    if (tg_error_status() != TG_OK || !may_change_length(append_name)) return tg_error_status();
    if (strlen(name) >= TG_LAYER_NAME)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the name %.40s.. is too long", append_name, name);
    tg_status s = check_pair(kv[0], kv[1]);
    if (s == TG_OK) s = find_entry(p, c, name, tg_size(kv[0], 2));
    p->cache = cache;
    const entry *e = s == TG_OK ? entry_of(p->entry, append_name) : NULL;
    for (int i = 0; i < 2 && s == TG_OK; i++) s = check_against(e, kv[i], i);
    if (s == TG_OK) s = find_room(p, e, kv, c->limit);
    if (s == TG_OK) write(e, kv, p->room, view);
    return tg_error_status();
}

tg_status tg_kv_append_end(const tg_kv_append *p, bool keep) {
    if (!p->cache) return TG_OK;
    cache_object *c = keep ? cache_of(p->cache, append_name) : NULL;
    entry *e = c ? entry_of(p->entry, append_name) : NULL;
    for (int i = 0; i < 2 && p->grows; i++) tg_free(e ? e->tensor[i] : p->room[i]);
    if (!e && p->fresh) free_entry(p->entry, append_name);
    if (!e) return tg_error_status();
    for (int i = 0; i < 2 && p->grows; i++) e->tensor[i] = p->room[i];
    e->steps = p->steps, e->capacity = p->capacity;
    if (p->fresh) e->next = c->first, c->first = p->entry;
    return TG_OK;
}

tg_status tg_kv_cache_append(tg_kv_cache *cache, const char *name, tg_tensor *k, tg_tensor *v,
                             tg_tensor **keys, tg_tensor **values) {
    TG_NAMED(append_name);
    tg_tensor *kv[2] = {k, v}, *view[2];
    tg_kv_append p;
    if (keys) *keys = tg_poison();
    if (values) *values = tg_poison();
    if (!keys || !values || !name)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the name or a result is NULL", append_name);
    tg_mark before = tg_tape_mark();
    tg_status s = tg_kv_append_begin(&p, cache, name, kv, view);
    tg_kv_append_end(&p, s == TG_OK);
    if (s != TG_OK) return tg_tape_rewind(before), s;
    *keys = view[0], *values = view[1];
    return TG_OK;
}
