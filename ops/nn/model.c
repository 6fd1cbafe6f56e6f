#include "ops/nn/model.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>

typedef struct entry {
    tg_tensor *tensor; /* owned */
    char *name;        /* own copy: tg_set_name on the parameter does not change the key */
    uint64_t hash;     /* of the name */
} entry;

struct tg_model {
    uint64_t seed;
    entry *at;      /* in the order they were made */
    int count, cap; /* cap is 0 or a power of two */
    int *table;     /* hash table of 2 cap places, open addressing: index into `at` plus 1, or 0 */
    bool evaluating;
    int making; /* parameters whose initialiser is running */
};

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

tg_model *tg_model_new(uint64_t seed) {
    tg_model *m = tg_alloc(sizeof *m);
    if (m)
        *m = (tg_model){.seed = seed};
    else
        tg_fail(TG_ERR_MEMORY, "tg_model_new: no memory");
    return m;
}

static bool check_model(const tg_model *model, const char *who) {
    if (!model) tg_fail(TG_ERR_ARGUMENT, "%s: the model is NULL", who);
    return model;
}

/* ---- the table ---- */

static void table_put(tg_model *m, int i) {
    uint64_t mask = 2 * (uint64_t)m->cap - 1, place = m->at[i].hash & mask;
    while (m->table[place]) place = (place + 1) & mask;
    m->table[place] = i + 1;
}

static void table_rebuild(tg_model *m) {
    memset(m->table, 0, 2 * (size_t)m->cap * sizeof *m->table);
    for (int i = 0; i < m->count; i++) table_put(m, i);
}

/* The index of `name`, or -1. The table is at most half full, so that the search ends. */
static int table_find(const tg_model *m, const char *name, uint64_t hash) {
    if (!m->count) return -1;
    uint64_t mask = 2 * (uint64_t)m->cap - 1;
    for (uint64_t place = hash & mask; m->table[place]; place = (place + 1) & mask) {
        int i = m->table[place] - 1;
        if (m->at[i].hash == hash && strcmp(m->at[i].name, name) == 0) return i;
    }
    return -1;
}

static void free_storage(tg_model *m) {
    tg_dealloc(m->at, (size_t)m->cap * sizeof *m->at);
    tg_dealloc(m->table, 2 * (size_t)m->cap * sizeof *m->table);
}

/* Room for one more entry, or false with everything as before. */
static bool reserve(tg_model *m) {
    if (m->count < m->cap) return true;
    if (m->cap > INT32_MAX / 4) return false;
    tg_model bigger = *m;
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

static void free_from(tg_model *m, int count) {
    for (int i = count; i < m->count; i++) {
        if (tg_is_alive(m->at[i].tensor)) tg_free(m->at[i].tensor);
        tg_dealloc(m->at[i].name, strlen(m->at[i].name) + 1);
    }
    m->count = count;
}

void tg_model_free(tg_model *model) {
    if (!model) return;
    if (model->making) {
        tg_fail(TG_ERR_ARGUMENT, "tg_model_free: an initialiser of the model is running");
        return;
    }
    free_from(model, 0);
    free_storage(model);
    tg_dealloc(model, sizeof *model);
}

void tg_model_truncate(tg_model *model, int count) {
    if (!check_model(model, "tg_model_truncate") || count < 0 || count >= model->count) return;
    free_from(model, count);
    table_rebuild(model);
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

/* The parameter is p, and still there afterwards. */
static tg_status run(tg_init_fn init, const char *name, tg_tensor *p, tg_rng *rng, const void *user) {
    char who[160];
    snprintf(who, sizeof who, "tg_model_param: the initialiser of %.100s", name);
    tg_callback c = tg_callback_begin();
    tg_status s = tg_callback_end(c, init(p, rng, user), who);
    return s == TG_OK && !tg_is_alive(p) ? tg_fail(TG_ERR_LIFETIME, "%s: freed the parameter", who) : s;
}

/* A filled parameter that the caller owns, or the poison tensor. `init` may use ops: they are not
 * recorded, and what they put on the tape is rewound. */
static tg_tensor *make(const char *name, tg_dtype dtype, tg_shape shape, tg_init_fn init, const void *user,
                       tg_rng rng) {
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_tensor *p = (tg_param)(tg_set_name((tg_zeros)(dtype, shape), name));
    if (tg_error_status() == TG_OK && init) run(init, name, p, &rng, user);
    if (tg_error_status() != TG_OK) {
        if (tg_is_alive(p)) tg_free(p);
        p = tg_poison();
    }
    tg_set_grad_enabled(recording);
    (tg_tape_rewind)(before);
    return p;
}

static tg_tensor *add_parameter(tg_model *m, const char *name, tg_dtype dtype, tg_shape shape,
                                tg_init_fn init, const void *user) {
    uint64_t hash = hash_of(name);
    size_t size = strlen(name) + 1;
    char *copy = reserve(m) ? tg_alloc(size) : NULL;
    if (!copy) {
        tg_fail(TG_ERR_MEMORY, "tg_model_param: no memory for %s", name);
        return tg_poison();
    }
    memcpy(copy, name, size);
    m->making++;
    tg_tensor *p = make(name, dtype, shape, init, user, stream_of(m->seed, hash));
    m->making--;
    /* `init` may have called back and filled the model up or made the same parameter. */
    bool again = table_find(m, name, hash) >= 0;
    if (tg_is_poison(p) || again || !reserve(m)) {
        tg_dealloc(copy, size);
        if (tg_is_poison(p)) return p;
        tg_free(p);
        tg_fail(again ? TG_ERR_ARGUMENT : TG_ERR_MEMORY, "tg_model_param: %s %s",
                again ? "the initialiser made" : "no memory for", name);
        return tg_poison();
    }
    m->at[m->count] = (entry){p, copy, hash};
    table_put(m, m->count++);
    return p;
}

static tg_tensor *check_parameter(tg_tensor *p, const char *name, tg_dtype dtype, tg_shape shape) {
    if (!tg_is_alive(p)) {
        tg_fail(TG_ERR_LIFETIME, "tg_model_param: %s was freed, but belongs to the model", name);
        return tg_poison();
    }
    if (tg_dtype_of(p) == dtype && tg_shape_equal(tg_shape_of(p), shape)) return p;
    char made[128], asked[128];
    tg_fail(TG_ERR_SHAPE, "tg_model_param: %s was made as %s %s, now asked for as %s %s", name,
            tg_shape_text(tg_shape_of(p), made, sizeof made), tg_dtype_name(tg_dtype_of(p)),
            tg_shape_text(shape, asked, sizeof asked), tg_dtype_name(dtype));
    return tg_poison();
}

tg_tensor *(tg_model_param)(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape,
                            tg_init_fn init, const void *user) {
    if (!check_model(model, "tg_model_param")) return tg_poison();
    if (!name || !*name) {
        tg_fail(TG_ERR_ARGUMENT, "tg_model_param: a parameter needs a name");
        return tg_poison();
    }
    int i = table_find(model, name, hash_of(name));
    if (i >= 0) return check_parameter(model->at[i].tensor, name, dtype, shape);
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!tg_dtype_is_float(dtype)) {
        tg_fail(TG_ERR_DTYPE, "tg_model_param: %s cannot be %s: parameters are f32 or f64", name,
                tg_dtype_name(dtype));
        return tg_poison();
    }
    return add_parameter(model, name, dtype, shape, init, user);
}

int tg_model_count(const tg_model *model) { return check_model(model, "tg_model_count") ? model->count : 0; }

tg_tensor *tg_model_at(const tg_model *model, int i) {
    if (!check_model(model, "tg_model_at")) return tg_poison();
    if (i >= 0 && i < model->count) return model->at[i].tensor;
    tg_fail(TG_ERR_ARGUMENT, "tg_model_at: number %d is outside [0, %d)", i, model->count);
    return tg_poison();
}

tg_tensor *tg_model_find(const tg_model *model, const char *name) {
    if (!check_model(model, "tg_model_find")) return tg_poison();
    int i = name ? table_find(model, name, hash_of(name)) : -1;
    if (i >= 0) return model->at[i].tensor;
    tg_fail(TG_ERR_ARGUMENT, "tg_model_find: the model has no parameter %s", name ? name : "NULL");
    return tg_poison();
}

int64_t tg_model_numel(const tg_model *model) {
    int64_t n = 0;
    if (!check_model(model, "tg_model_numel")) return 0;
    for (int i = 0; i < model->count; i++) n += tg_numel(model->at[i].tensor);
    return n;
}

bool tg_model_set_training(tg_model *model, bool on) {
    if (!check_model(model, "tg_model_set_training")) return false;
    bool was = !model->evaluating;
    model->evaluating = !on;
    return was;
}

bool tg_model_training(const tg_model *model) {
    return check_model(model, "tg_model_training") && !model->evaluating;
}
