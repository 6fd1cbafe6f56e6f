#include "ops/nn/model/model_private.h"
#include "core/work.h"
#include "ops/nn/model/object.h"

#include <stdio.h>
#include <string.h>

static const char kind[] = "model";

/* ---- handles ---- */

tg_model_object *tg_model_object_of(const tg_model *model, const char *who) {
    tg_model_object *m = tg_object_of(model, kind, who);
    if (!m || !*m->prefix) return m;
    tg_fail(TG_ERR_ARGUMENT, "%s: needs a model, and was given its scope %.*s", who,
            (int)strlen(m->prefix) - 1, m->prefix);
    return NULL;
}

tg_model_object *tg_model_scope_of(const tg_model *model, const char **prefix, const char *who) {
    tg_model_object *m = tg_object_of(model, kind, who);
    *prefix = m ? m->prefix : "";
    return m && *m->prefix ? tg_object_of(m->whole, kind, who) : m;
}

tg_model *tg_model_object_new(tg_model *whole, const char *prefix, const char *who) {
    const size_t size = strlen(prefix) + 1;
    tg_model *model = tg_object_new(sizeof(tg_model_object) + size, kind, who);
    tg_model_object *m = model ? tg_object_of(model, kind, who) : NULL;
    if (m) m->whole = whole ? whole : model, memcpy(m->prefix, prefix, size);
    return model;
}

tg_model *tg_model_new(uint64_t seed) {
    tg_model *model = tg_model_object_new(NULL, "", "tg_model_new");
    if (model) tg_model_object_of(model, "tg_model_new")->seed = seed;
    return model;
}

void tg_model_free(tg_model *model) {
    tg_model_object *m = model ? tg_model_object_of(model, "tg_model_free") : NULL;
    if (!m) return;
    if (m->making) {
        tg_fail(TG_ERR_ARGUMENT,
                "tg_model_free: the model cannot be freed while an initialiser of it is running");
        return;
    }
    for (int k = 0; k < TG_HOLDINGS; k++) tg_store_free(&m->store[k]);
    tg_store_free(&m->scopes);
    tg_model_freezes_free(m);
    tg_object_free(model);
}

void tg_model_truncate(tg_model *model, int parameters, int buffers) {
    const char *prefix;
    tg_model_object *m = tg_model_scope_of(model, &prefix, "tg_model_truncate");
    if (!m) return;
    tg_store_truncate(&m->store[TG_PARAMETERS], parameters);
    tg_store_truncate(&m->store[TG_BUFFERS], buffers);
}

/* ---- parameters and buffers ---- */

/* What is asked for. */
typedef struct wish {
    tg_holding holding;
    const char *who, *name;
    uint64_t hash;
    tg_dtype dtype;
    tg_shape shape;
    tg_init init;
    const char *layer; /* the kind of the layer that asks, whose name is the first `own` characters; own = 0: none does */
    size_t own;
} wish;

/* Runs the initialiser on t, which must still be alive afterwards. */
static tg_status run(const wish *w, tg_tensor *t, tg_rng *rng) {
    char who[160];
    snprintf(who, sizeof who, "%s: the initialiser of %.100s", w->who, w->name);
    tg_callback c = tg_callback_begin();
    tg_status s = tg_callback_end(c, w->init.fill(t, rng, &w->init), who);
    return s == TG_OK && !tg_is_alive(t) ? tg_fail(TG_ERR_LIFETIME, "%s has freed its tensor", who) : s;
}

/* Makes a filled tensor that the caller owns, or the poison tensor. The initialiser may use ops, which are not recorded and
 * whose tensors are rewound. */
static tg_tensor *make(const wish *w, tg_rng rng) {
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_tensor *t = tg_set_name(tg_zeros_with(w->dtype, w->shape), w->name);
    t = w->holding == TG_PARAMETERS ? tg_param(t) : tg_keep(t);
    if (tg_error_status() == TG_OK && w->init.fill) run(w, t, &rng);
    if (tg_error_status() != TG_OK) {
        if (tg_is_alive(t)) tg_free(t);
        t = tg_poison();
    }
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return t;
}

static tg_status no_memory(const wish *w) {
    return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %s", w->who, w->name);
}

/* The initialiser may have called back, and made the same tensor or used up the room. */
static tg_status insert(tg_model_object *m, const wish *w, tg_entry e) {
    for (int k = 0; k < TG_HOLDINGS; k++)
        if (tg_store_find(&m->store[k], e.name, e.hash) >= 0)
            return tg_fail(TG_ERR_ARGUMENT, "%s: the initialiser of %s has made a tensor of that name itself",
                           w->who, e.name);
    if (!tg_store_reserve(&m->store[w->holding], 1)) return no_memory(w);
    tg_store_add(&m->store[w->holding], e);
    if (w->holding == TG_PARAMETERS) tg_model_freeze_new(m, &e);
    return TG_OK;
}

static tg_tensor *add(tg_model_object *m, const wish *w) {
    tg_entry e = tg_entry_new(NULL, w->name);
    if (!e.name || !tg_store_reserve(&m->store[w->holding], 1)) {
        no_memory(w);
        tg_entry_free(&e);
        return tg_poison();
    }
    m->making++;
    e.tensor = make(w, tg_rng_derive(m->seed, w->hash, 0));
    e.asked = true;
    m->making--;
    if (!tg_is_poison(e.tensor) && insert(m, w, e) == TG_OK) return e.tensor;
    tg_entry_free(&e);
    return tg_poison();
}

static tg_tensor *check(tg_entry *e, const wish *w) {
    tg_tensor *t = e->tensor;
    if (!tg_is_alive(t)) {
        tg_fail(TG_ERR_LIFETIME, "%s: %s was freed, but belongs to the model", w->who, w->name);
        return tg_poison();
    }
    e->asked = true;
    if (tg_dtype_of(t) == w->dtype && tg_shape_equal(tg_shape_of(t), w->shape)) return t;
    char made[128], asked[128];
    tg_fail(TG_ERR_SHAPE, "%s: %s was %s as %s %s, and is now asked for as %s %s", w->who, w->name,
            e->loaded ? "loaded" : "made", tg_shape_text(tg_shape_of(t), made, sizeof made),
            tg_dtype_name(tg_dtype_of(t)), tg_shape_text(w->shape, asked, sizeof asked),
            tg_dtype_name(w->dtype));
    return tg_poison();
}

/* Entry i of the other store has the name. A file does not always say what is a parameter: until a layer asks for it, it
 * becomes what the first one takes it for. */
static tg_tensor *change_holding(tg_model_object *m, const wish *w, int i) {
    tg_store *from = &m->store[w->holding == TG_PARAMETERS ? TG_BUFFERS : TG_PARAMETERS],
             *to = &m->store[w->holding];
    if (!from->at[i].loaded || from->at[i].asked) {
        tg_fail(TG_ERR_ARGUMENT, "%s: %s is a %s of the model", w->who, w->name,
                w->holding == TG_PARAMETERS ? "buffer" : "parameter");
        return tg_poison();
    }
    tg_tensor *t = check(&from->at[i], w);
    if (tg_is_poison(t)) return t;
    if (!tg_store_reserve(to, 1)) {
        no_memory(w);
        return tg_poison();
    }
    if (w->holding == TG_BUFFERS) tg_zero_grad(t);
    tg_set_requires_grad(t, w->holding == TG_PARAMETERS);
    tg_store_add(to, tg_store_remove(from, i));
    if (w->holding == TG_PARAMETERS) tg_model_freeze_new(m, &to->at[to->count - 1]);
    return t;
}

/* ---- layers ---- */

/* Whether e, of the same name or not, is that of the layer which asks, but was asked for by one of another kind. */
static bool is_of_other(const tg_entry *e, const wish *w) {
    return *e->layer && e->own == w->own && strncmp(e->name, w->name, w->own) == 0 &&
           strncmp(e->layer, w->layer, sizeof e->layer - 1) != 0;
}

/* Whether the layer that asks is of the kind of all that have asked for a tensor of this layer before; raises the error
 * otherwise. e is the tensor's entry, NULL where there is none yet. */
static bool check_layer(const tg_model_object *m, const tg_entry *e, const wish *w) {
    const tg_entry *other = NULL;
    if (w->own == 0 || (e && *e->layer && !is_of_other(e, w))) return true;
    for (int k = 0; k < TG_HOLDINGS && !other; k++)
        for (int i = 0; i < m->store[k].count && !other; i++)
            if (is_of_other(&m->store[k].at[i], w)) other = &m->store[k].at[i];
    if (other)
        tg_fail(TG_ERR_ARGUMENT, "%s: %.*s is the name of a layer of another kind, %s, which has %s",
                w->layer, (int)w->own, w->name, other->layer, other->name);
    return !other;
}

static void note_layer(tg_entry *e, const wish *w) {
    if (w->own == 0 || *e->layer) return;
    snprintf(e->layer, sizeof e->layer, "%s", w->layer);
    e->own = w->own;
}

/* ---- asking ---- */

enum { FULL = 1024 };

/* Puts the prefix of the scope before the name. */
static bool complete(wish *w, const char *prefix, char full[FULL]) {
    if (!w->name || !*w->name) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the tensor needs a name", w->who);
        return false;
    }
    if (*prefix) {
        if (snprintf(full, FULL, "%s%s", prefix, w->name) >= FULL) {
            tg_fail(TG_ERR_ARGUMENT, "%s: the name %.40s.. in scope %.40s.. is longer than %d characters",
                    w->who, w->name, prefix, FULL - 1);
            return false;
        }
        w->name = full;
        if (w->own) w->own += strlen(prefix);
    }
    w->hash = tg_name_hash(w->name);
    return true;
}

/* Whether the tensor may be made. In a model that a whole file has made it may once layers have asked for all that the file
 * had, as a head put on a network does; before that a name that is not there is a name that does not fit. */
static bool may_add(const tg_model_object *m, const wish *w) {
    const tg_entry *idle = NULL;
    int others = -1;
    for (int k = 0; m->whole_file && k < TG_HOLDINGS; k++)
        for (int i = 0; i < m->store[k].count; i++) {
            const tg_entry *e = &m->store[k].at[i];
            if (!e->loaded || e->asked) continue;
            if (!idle) idle = e;
            others++;
        }
    if (idle)
        tg_fail(TG_ERR_ARGUMENT,
                "%s: %.200s is not in the file that made the model, which has %.200s and %d more that no layer has "
                "asked for; loading with .partial allows it",
                w->who, w->name, idle->name, others);
    return !idle;
}

static tg_tensor *ask(tg_model *model, wish w) {
    char full[FULL];
    const char *prefix;
    tg_model_object *m = tg_model_scope_of(model, &prefix, w.who);
    if (!m || !complete(&w, prefix, full)) return tg_poison();
    int i = tg_store_find(&m->store[w.holding], w.name, w.hash);
    tg_entry *found = i >= 0 ? &m->store[w.holding].at[i] : NULL;
    if (!check_layer(m, found, &w)) return tg_poison();
    if (found) {
        tg_tensor *t = check(found, &w);
        if (!tg_is_poison(t)) note_layer(found, &w);
        return t;
    }
    if (tg_error_status() != TG_OK) return tg_poison();
    if (w.holding == TG_PARAMETERS && !tg_dtype_is_float(w.dtype)) {
        tg_fail(TG_ERR_DTYPE, "%s: %s must be f32 or f64, not %s", w.who, w.name, tg_dtype_name(w.dtype));
        return tg_poison();
    }
    int other =
        tg_store_find(&m->store[w.holding == TG_PARAMETERS ? TG_BUFFERS : TG_PARAMETERS], w.name, w.hash);
    if (other < 0 && !may_add(m, &w)) return tg_poison();
    tg_listener *l = tg_listen_not(); /* a layer is made once */
    tg_tensor *t = other >= 0 ? change_holding(m, &w, other) : add(m, &w);
    tg_listen_again(l);
    if (!tg_is_poison(t)) note_layer(&m->store[w.holding].at[m->store[w.holding].count - 1], &w);
    return t;
}

tg_tensor *tg_model_ask(tg_model *model, tg_holding holding, const char *name, tg_dtype dtype, tg_shape shape,
                        tg_init init, const char *layer, size_t own) {
    const char *who = holding == TG_PARAMETERS ? "tg_model_param" : "tg_model_buffer";
    return ask(model, (wish){holding, who, name, 0, dtype, shape, init, layer, own});
}

tg_tensor *tg_model_param(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape, tg_init init) {
    TG_NAMED("tg_model_param");
    return tg_model_ask(model, TG_PARAMETERS, name, dtype, shape, init, NULL, 0);
}

tg_tensor *tg_model_buffer(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape, tg_init init) {
    TG_NAMED("tg_model_buffer");
    return tg_model_ask(model, TG_BUFFERS, name, dtype, shape, init, NULL, 0);
}

/* ---- looking at them ---- */

static int count(const tg_model *model, tg_holding holding, const char *who) {
    const char *prefix;
    const tg_model_object *m = tg_model_scope_of(model, &prefix, who);
    return m ? m->store[holding].count : 0;
}

int tg_model_count(const tg_model *model) { return count(model, TG_PARAMETERS, "tg_model_count"); }
int tg_model_buffer_count(const tg_model *model) { return count(model, TG_BUFFERS, "tg_model_buffer_count"); }

static tg_tensor *at(const tg_model *model, tg_holding holding, int i, const char *who) {
    const char *prefix;
    const tg_model_object *m = tg_model_scope_of(model, &prefix, who);
    if (!m) return tg_poison();
    const tg_store *s = &m->store[holding];
    if (i >= 0 && i < s->count) return s->at[i].tensor;
    tg_fail(TG_ERR_ARGUMENT, "%s: there is no %s %d in a model of %d", who,
            holding == TG_PARAMETERS ? "parameter" : "buffer", i, s->count);
    return tg_poison();
}

tg_tensor *tg_model_at(const tg_model *model, int i) { return at(model, TG_PARAMETERS, i, "tg_model_at"); }
tg_tensor *tg_model_buffer_at(const tg_model *model, int i) {
    return at(model, TG_BUFFERS, i, "tg_model_buffer_at");
}

tg_tensor *tg_model_find(const tg_model *model, const char *name) {
    TG_NAMED("tg_model_find");
    char full[FULL];
    const char *prefix;
    wish w = {.who = "tg_model_find", .name = name};
    const tg_model_object *m = tg_model_scope_of(model, &prefix, w.who);
    if (!m || !complete(&w, prefix, full)) return tg_poison();
    for (int k = 0; k < TG_HOLDINGS; k++) {
        int i = tg_store_find(&m->store[k], w.name, w.hash);
        if (i >= 0) return m->store[k].at[i].tensor;
    }
    tg_fail(TG_ERR_ARGUMENT, "tg_model_find: the model has no parameter or buffer %s", w.name);
    return tg_poison();
}

static int64_t numel(const tg_model *model, tg_holding holding, const char *who) {
    const char *prefix;
    const tg_model_object *m = tg_model_scope_of(model, &prefix, who);
    int64_t n = 0;
    for (int i = 0; m && i < m->store[holding].count; i++) n += tg_numel(m->store[holding].at[i].tensor);
    return n;
}

int64_t tg_model_numel(const tg_model *model) { return numel(model, TG_PARAMETERS, "tg_model_numel"); }
int64_t tg_model_buffer_numel(const tg_model *model) {
    return numel(model, TG_BUFFERS, "tg_model_buffer_numel");
}

bool tg_model_set_training(tg_model *model, bool on) {
    tg_model_object *m = tg_model_object_of(model, "tg_model_set_training");
    if (!m) return false;
    bool was = !m->evaluating;
    if (was != on && !tg_may_do("tg_model_set_training")) return was;
    m->evaluating = !on;
    return was;
}

/* Whether the model is in training now; -1 when it was freed. */
static int64_t training_of(const void *model) {
    const char *prefix;
    if (!tg_is_alive(model)) return -1;
    const tg_model_object *m = tg_object_of(model, kind, "tg_model_training");
    if (!m || !tg_is_alive((const tg_tensor *)m->whole)) return -1;
    m = tg_model_scope_of(model, &prefix, "tg_model_training");
    return m && !m->evaluating;
}

bool tg_model_training(const tg_model *model) {
    const char *prefix;
    const tg_model_object *m = tg_model_scope_of(model, &prefix, "tg_model_training");
    if (!m) return false;
    tg_rely("training mode", training_of, model, !m->evaluating);
    return !m->evaluating;
}
