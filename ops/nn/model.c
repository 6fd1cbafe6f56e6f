#include "ops/nn/model.h"

#include "core/memory.h"
#include "ops/nn/object.h"

#include <stdio.h>
#include <string.h>

typedef struct entry {
    tg_tensor *tensor; /* owned */
    char *name;        /* an own copy, so that tg_set_name on the parameter does not change the key */
    uint64_t hash;     /* of the name */
} entry;

/* The object behind a handle tg_model *. */
typedef struct store {
    uint64_t seed;
    entry *at;      /* in the order they were made */
    int count, cap; /* cap is 0 or a power of two */
    int *table; /* a hash table of 2 cap places with open addressing; each holds an index into `at` plus 1, or 0 */
    bool evaluating;
    int making; /* the number of parameters whose initialiser is running */
} store;

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

static const char kind[] = "model";

static store *store_of(const tg_model *model, const char *who) { return tg_object_of(model, kind, who); }

tg_model *tg_model_new(uint64_t seed) {
    tg_model *model = tg_object_new(sizeof(store), kind, "tg_model_new");
    if (model) store_of(model, "tg_model_new")->seed = seed;
    return model;
}

/* ---- the table ---- */

static void table_put(store *m, int i) {
    uint64_t mask = 2 * (uint64_t)m->cap - 1, place = m->at[i].hash & mask;
    while (m->table[place]) place = (place + 1) & mask;
    m->table[place] = i + 1;
}

static void table_rebuild(store *m) {
    memset(m->table, 0, 2 * (size_t)m->cap * sizeof *m->table);
    for (int i = 0; i < m->count; i++) table_put(m, i);
}

/* The index of `name`, or -1. The table is at most half full, so that the search ends. */
static int table_find(const store *m, const char *name, uint64_t hash) {
    if (!m->count) return -1;
    uint64_t mask = 2 * (uint64_t)m->cap - 1;
    for (uint64_t place = hash & mask; m->table[place]; place = (place + 1) & mask) {
        int i = m->table[place] - 1;
        if (m->at[i].hash == hash && strcmp(m->at[i].name, name) == 0) return i;
    }
    return -1;
}

static void free_storage(store *m) {
    tg_dealloc(m->at, (size_t)m->cap * sizeof *m->at);
    tg_dealloc(m->table, 2 * (size_t)m->cap * sizeof *m->table);
}

/* Makes room for one more entry; false with everything as before. */
static bool reserve(store *m) {
    if (m->count < m->cap) return true;
    if (m->cap > INT32_MAX / 4) return false;
    store bigger = *m;
    bigger.cap = m->cap ? 2 * m->cap : 16;
    bigger.at = tg_alloc((size_t)bigger.cap * sizeof *m->at);
    bigger.table = tg_alloc(2 * (size_t)bigger.cap * sizeof *m->table);
    if (!bigger.at || !bigger.table) {
        free_storage(&bigger);
        return false;
    }
    if (m->count) memcpy(bigger.at, m->at, (size_t)m->count * sizeof *m->at);
    free_storage(m);
    *m = bigger;
    table_rebuild(m);
    return true;
}

static void free_from(store *m, int count) {
    for (int i = count; i < m->count; i++) {
        if (tg_is_alive(m->at[i].tensor)) tg_free(m->at[i].tensor);
        tg_dealloc(m->at[i].name, strlen(m->at[i].name) + 1);
    }
    m->count = count;
}

void tg_model_free(tg_model *model) {
    store *m = model ? store_of(model, "tg_model_free") : NULL;
    if (!m) return;
    if (m->making) {
        tg_fail(TG_ERR_ARGUMENT,
                "tg_model_free: the model cannot be freed while an initialiser of it is running");
        return;
    }
    free_from(m, 0);
    free_storage(m);
    tg_object_free(model);
}

void tg_model_truncate(tg_model *model, int count) {
    store *m = store_of(model, "tg_model_truncate");
    if (!m || count < 0 || count >= m->count) return;
    free_from(m, count);
    table_rebuild(m);
}

/* ---- parameters ---- */

/* The stream of a parameter: Philox turns (seed of the model, hash of the name) into its seed, so that
 * streams of related seeds or names have nothing in common. */
static tg_rng stream_of(uint64_t seed, uint64_t hash) {
    const uint32_t counter[4] = {(uint32_t)hash, (uint32_t)(hash >> 32), 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    tg_philox(counter, key, out);
    return (tg_rng){.seed = (uint64_t)out[1] << 32 | out[0]};
}

/* Runs the initialiser on the parameter p, which must still be alive afterwards. */
static tg_status run(tg_init_fn init, const char *name, tg_tensor *p, tg_rng *rng, const void *user) {
    char who[160];
    snprintf(who, sizeof who, "tg_model_param: the initialiser of %.100s", name);
    tg_callback c = tg_callback_begin();
    tg_status s = tg_callback_end(c, init(p, rng, user), who);
    return s == TG_OK && !tg_is_alive(p) ? tg_fail(TG_ERR_LIFETIME, "%s has freed the parameter", who) : s;
}

/* Makes a filled parameter that the caller owns, or the poison tensor. `init` may use ops, which are not recorded and whose
 * tensors are rewound. */
static tg_tensor *make(const char *name, tg_dtype dtype, tg_shape shape, tg_init_fn init, const void *user,
                       tg_rng rng) {
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_tensor *p = tg_param(tg_set_name(tg_zeros_with(dtype, shape), name));
    if (tg_error_status() == TG_OK && init) run(init, name, p, &rng, user);
    if (tg_error_status() != TG_OK) {
        if (tg_is_alive(p)) tg_free(p);
        p = tg_poison();
    }
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return p;
}

/* Makes room for one more entry and returns a copy of the name; NULL with everything as before. */
static char *prepare(store *m, const char *name) {
    size_t size = strlen(name) + 1;
    char *copy = reserve(m) ? tg_alloc(size) : NULL;
    if (copy)
        memcpy(copy, name, size);
    else
        tg_fail(TG_ERR_MEMORY, "tg_model_param: there is no memory for parameter %s", name);
    return copy;
}

/* `init` may have called back, and made the same parameter or used up the room. */
static tg_status insert(store *m, entry e) {
    if (table_find(m, e.name, e.hash) >= 0)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_model_param: the initialiser of %s has made a parameter of that name itself",
                       e.name);
    if (!reserve(m))
        return tg_fail(TG_ERR_MEMORY, "tg_model_param: there is no memory for parameter %s", e.name);
    m->at[m->count] = e;
    table_put(m, m->count++);
    return TG_OK;
}

static tg_tensor *add_parameter(store *m, const char *name, tg_dtype dtype, tg_shape shape, tg_init_fn init,
                                const void *user) {
    uint64_t hash = hash_of(name);
    char *copy = prepare(m, name);
    if (!copy) return tg_poison();
    m->making++;
    tg_tensor *p = make(copy, dtype, shape, init, user, stream_of(m->seed, hash));
    m->making--;
    if (!tg_is_poison(p) && insert(m, (entry){p, copy, hash}) == TG_OK) return p;
    if (!tg_is_poison(p)) tg_free(p);
    tg_dealloc(copy, strlen(copy) + 1);
    return tg_poison();
}

static tg_tensor *check_parameter(tg_tensor *p, const char *name, tg_dtype dtype, tg_shape shape) {
    if (!tg_is_alive(p)) {
        tg_fail(TG_ERR_LIFETIME, "tg_model_param: %s was freed, but belongs to the model", name);
        return tg_poison();
    }
    if (tg_dtype_of(p) == dtype && tg_shape_equal(tg_shape_of(p), shape)) return p;
    char made[128], asked[128];
    tg_fail(TG_ERR_SHAPE, "tg_model_param: %s was made as %s %s, and is now asked for as %s %s", name,
            tg_shape_text(tg_shape_of(p), made, sizeof made), tg_dtype_name(tg_dtype_of(p)),
            tg_shape_text(shape, asked, sizeof asked), tg_dtype_name(dtype));
    return tg_poison();
}

tg_tensor *tg_model_param(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape, tg_init_fn init,
                          const void *user) {
    TG_NAMED("tg_model_param");
    store *m = store_of(model, "tg_model_param");
    if (!m) return tg_poison();
    if (!name || !*name) {
        tg_fail(TG_ERR_ARGUMENT, "tg_model_param: a parameter needs a name");
        return tg_poison();
    }
    int i = table_find(m, name, hash_of(name));
    if (i >= 0) return check_parameter(m->at[i].tensor, name, dtype, shape);
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!tg_dtype_is_float(dtype)) {
        tg_fail(TG_ERR_DTYPE, "tg_model_param: %s cannot be %s: parameters are f32 or f64", name,
                tg_dtype_name(dtype));
        return tg_poison();
    }
    return add_parameter(m, name, dtype, shape, init, user);
}

int tg_model_count(const tg_model *model) {
    const store *m = store_of(model, "tg_model_count");
    return m ? m->count : 0;
}

tg_tensor *tg_model_at(const tg_model *model, int i) {
    const store *m = store_of(model, "tg_model_at");
    if (!m) return tg_poison();
    if (i >= 0 && i < m->count) return m->at[i].tensor;
    tg_fail(TG_ERR_ARGUMENT, "tg_model_at: there is no parameter %d in a model of %d", i, m->count);
    return tg_poison();
}

tg_tensor *tg_model_find(const tg_model *model, const char *name) {
    const store *m = store_of(model, "tg_model_find");
    if (!m) return tg_poison();
    int i = name ? table_find(m, name, hash_of(name)) : -1;
    if (i >= 0) return m->at[i].tensor;
    tg_fail(TG_ERR_ARGUMENT, "tg_model_find: the model has no parameter %s", name ? name : "NULL");
    return tg_poison();
}

int64_t tg_model_numel(const tg_model *model) {
    const store *m = store_of(model, "tg_model_numel");
    int64_t n = 0;
    for (int i = 0; m && i < m->count; i++) n += tg_numel(m->at[i].tensor);
    return n;
}

bool tg_model_set_training(tg_model *model, bool on) {
    store *m = store_of(model, "tg_model_set_training");
    if (!m) return false;
    bool was = !m->evaluating;
    m->evaluating = !on;
    return was;
}

bool tg_model_training(const tg_model *model) {
    const store *m = store_of(model, "tg_model_training");
    return m && !m->evaluating;
}
