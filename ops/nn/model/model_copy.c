#include "ops/elementwise/inplace.h"
#include "core/work.h"
#include "ops/nn/model/model_private.h"

#include <math.h>
#include <string.h>

/* A kept copy of an entry under its name, with its own layer; the tensor is NULL with the error raised. */
static tg_entry copy_entry(const tg_entry *from, tg_holding holding, const char *who) {
    if (!tg_is_alive(from->tensor)) {
        tg_fail(TG_ERR_LIFETIME, "%s: %.200s was freed, but belongs to the model", who, from->name);
        return (tg_entry){0};
    }
    tg_entry e = tg_entry_new(NULL, from->name);
    if (!e.name) {
        tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the name %.100s", who, from->name);
        return e;
    }
    const tg_mark before = tg_tape_mark();
    tg_tensor *t = tg_set_name(tg_zeros_like(from->tensor), from->name);
    const tg_array *to = tg_array_of(t), *elements = tg_array_of(from->tensor);
    if (to && elements) tg_array_copy(to, elements);
    t = tg_error_status() != TG_OK ? NULL : holding == TG_PARAMETERS ? tg_param(t) : tg_keep(t);
    tg_tape_rewind(before);
    if (!t || tg_is_poison(t)) return e;
    e.tensor = t;
    tg_set_requires_grad(e.tensor, tg_requires_grad(from->tensor));
    memcpy(e.layer, from->layer, sizeof e.layer);
    e.own = from->own, e.loaded = from->loaded, e.asked = from->asked;
    return e;
}

/* Copies the entries that `to` lacks, one after the other until one fails. */
static tg_status add_missing(tg_store *to, const tg_store *from, tg_holding holding, const char *who) {
    for (int i = 0; i < from->count && tg_error_status() == TG_OK; i++) {
        if (tg_store_find(to, from->at[i].name, from->at[i].hash) >= 0) continue;
        tg_entry e = copy_entry(&from->at[i], holding, who);
        if (e.tensor && tg_store_reserve(to, 1)) {
            tg_store_add(to, e);
            continue;
        }
        tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the copies", who);
        tg_entry_free(&e);
    }
    return tg_error_status();
}

tg_model *tg_model_copy(const tg_model *model) {
    TG_NAMED("tg_model_copy");
    static const char who[] = "tg_model_copy";
    if (tg_error_status() != TG_OK || !tg_may_do(who)) return NULL;
    const tg_model_object *from = tg_model_object_of(model, who);
    tg_model *copy = from ? tg_model_new(from->seed) : NULL;
    if (!copy) return NULL;
    tg_model_object *to = tg_model_object_of(copy, who);
    to->evaluating = from->evaluating, to->whole_file = from->whole_file;
    for (int k = 0; k < TG_HOLDINGS; k++) add_missing(&to->store[k], &from->store[k], (tg_holding)k, who);
    if (tg_error_status() == TG_OK) return copy;
    tg_model_free(copy);
    return NULL;
}

/* ---- averages ---- */

/* Whether each tensor of `to` can be moved towards the one of its name in `from`. */
static tg_status check_pairs(const tg_store *to, const tg_store *from) {
    static const char who[] = "tg_model_average";
    for (int i = 0; i < to->count; i++) {
        const tg_entry *e = &to->at[i];
        const int at = tg_store_find(from, e->name, e->hash);
        if (at < 0)
            return tg_fail(TG_ERR_SHAPE, "%s: the model has no %.200s, which the average has", who, e->name);
        const tg_tensor *source = from->at[at].tensor;
        if (!tg_is_alive(e->tensor) || !tg_is_alive(source))
            return tg_fail(TG_ERR_LIFETIME, "%s: %.200s was freed, but belongs to a model", who, e->name);
        char a[96], b[96];
        if (tg_dtype_of(e->tensor) != tg_dtype_of(source) ||
            !tg_shape_equal(tg_shape_of(e->tensor), tg_shape_of(source)))
            return tg_fail(TG_ERR_SHAPE, "%s: the average has %s, and the model %s", who,
                           tg_describe(e->tensor, a, sizeof a), tg_describe(source, b, sizeof b));
        if (!tg_inplace(e->tensor, who) || !tg_array_of(source)) return tg_error_status();
    }
    return TG_OK;
}

/* to += weight (from - to), which is exact where both are equal. Parameters are contiguous. */
static void move(const tg_array *to, const tg_array *from, double weight) {
    if (to->dtype == TG_F64) {
        double *a = to->data;
        const double *b = from->data;
        for (int64_t i = 0; i < to->numel; i++) a[i] += weight * (b[i] - a[i]);
    } else {
        float *a = to->data;
        const float *b = from->data;
        for (int64_t i = 0; i < to->numel; i++) a[i] = (float)(a[i] + weight * ((double)b[i] - a[i]));
    }
}

/* All that can fail, after which `to`, which had so many entries, has all of the model's; or it is as it was. */
static tg_status prepare(tg_model_object *to, const tg_model_object *from, const int had[]) {
    const bool recording = tg_set_grad_enabled(false);
    for (int k = 0; k < TG_HOLDINGS && tg_error_status() == TG_OK; k++)
        check_pairs(&to->store[k], &from->store[k]);
    for (int k = 0; k < TG_HOLDINGS && tg_error_status() == TG_OK; k++)
        add_missing(&to->store[k], &from->store[k], (tg_holding)k, "tg_model_average");
    for (int k = 0; k < TG_HOLDINGS && tg_error_status() != TG_OK; k++) tg_store_drop(&to->store[k], had[k]);
    tg_set_grad_enabled(recording);
    return tg_error_status();
}

static tg_status average_into(tg_model *average, const tg_model *model, double decay) {
    TG_NAMED("tg_model_average");
    static const char who[] = "tg_model_average";
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!(decay >= 0 && decay <= 1))
        return tg_fail(TG_ERR_ARGUMENT, "%s: the decay is %g, outside [0, 1]", who, decay);
    tg_model_object *to = tg_model_object_of(average, who);
    const tg_model_object *from = to ? tg_model_object_of(model, who) : NULL;
    if (!from) return tg_error_status();
    const int had[] = {to->store[TG_PARAMETERS].count, to->store[TG_BUFFERS].count};
    if (prepare(to, from, had) != TG_OK) return tg_error_status();
    for (int k = 0; k < TG_HOLDINGS; k++)
        for (int i = 0; i < had[k]; i++) {
            const tg_entry *e = &to->store[k].at[i];
            const int at = tg_store_find(&from->store[k], e->name, e->hash);
            const tg_array *target = tg_array_of(e->tensor),
                           *source = tg_array_of(from->store[k].at[at].tensor);
            k == TG_PARAMETERS ? move(target, source, 1 - decay) : tg_array_copy(target, source);
        }
    return TG_OK;
}

typedef struct averaging {
    tg_model *average;
    const tg_model *model;
    double decay;
} averaging;

/* Told as a whole, so that nobody hears of what it does. */
static tg_status average_alone(const tg_array *const *none, const void *data) {
    const averaging *a = data;
    (void)none;
    tg_listener *l = tg_listen_not();
    tg_status status = average_into(a->average, a->model, a->decay);
    tg_listen_again(l);
    return status;
}

tg_status tg_model_average(tg_model *average, const tg_model *model, double decay) {
    const averaging a = {average, model, decay};
    return TG_WORK_DO(average_alone, NULL, &a, .name = "tg_model_average", .outside = true, .size = sizeof a);
}
