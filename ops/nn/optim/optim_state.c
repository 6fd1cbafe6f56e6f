/* The state of an optimiser: reading and setting it, one parameter at a time. */
#include "ops/nn/optim/optim_private.h"

#include "core/work.h"
#include "ops/nn/model/model_private.h"

#include "ops/elementwise/inplace.h"

tg_status tg_optim_get_state(const tg_optim *optim, int i, tg_optim_state *out) {
    TG_NAMED("tg_optim_get_state");
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_get_state");
    const tg_tensor *p = o ? tg_model_at(o->model, i) : NULL;
    if (!o || tg_is_poison(p)) return tg_error_status();
    if (!out) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_get_state: the place for the state is NULL");
    *out = (tg_optim_state){0};
    while (i < o->count && o->at[i].param != p)
        i++; /* behind its place where one before it became a buffer */
    if (i >= o->count) return TG_OK;
    out->steps = o->at[i].steps;
    for (int k = 0; k < o->rule->n_moments; k++) out->moment[k] = o->at[i].moment[k];
    return TG_OK;
}

/* Copies `given` to moment k of s; raises the error where it does not fit. */
static tg_status take_moment(const tg_optim_object *o, const tg_optim_group *g, tg_optim_slot *s, int k,
                             const tg_tensor *given) {
    static const char who[] = "tg_optim_set_state";
    char text[160], other[160];
    const char *name = k < o->rule->n_moments ? o->rule->moments[k].name : "";
    if (!given)
        return tg_optim_kept(o, g) >> k & 1 ? tg_fail(TG_ERR_ARGUMENT, "%s: moment %s of %s is missing", who,
                                                      name, tg_describe(s->param, text, sizeof text))
                                            : TG_OK;
    if (k >= o->rule->n_moments)
        return tg_fail(TG_ERR_ARGUMENT, "%s: moment %d is given, but rule %s has only %d", who, k,
                       o->rule->name, o->rule->n_moments);
    bool alike = tg_dtype_of(given) == tg_dtype_of(s->param) &&
                 tg_shape_equal(tg_shape_of(given), tg_optim_moment_shape(o, k, tg_optim_opts(o, g), s->param));
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!alike)
        return tg_fail(TG_ERR_SHAPE, "%s: moment %s must have %s dtype of %s, was given %s", who, name,
                       o->rule->moments[k].rows ? "its number of rows, and the size and" : "the shape and",
                       tg_describe(s->param, other, sizeof other), tg_describe(given, text, sizeof text));
    s->moment[k] = tg_optim_new_moment(o, k, tg_optim_opts(o, g), s->param);
    return s->moment[k] ? tg_copy_(s->moment[k], given) : tg_error_status();
}

static const char *name_of(const tg_optim_object *o, int i) {
    const char *prefix;
    return tg_model_scope_of(o->model, &prefix, "tg_optim_set_state")->store[TG_PARAMETERS].at[i].name;
}

static tg_status set_state(tg_optim_object *o, int i, tg_tensor *p, const tg_optim_state *in) {
    const tg_optim_group *g = tg_optim_group_of(o, name_of(o, i));
    tg_optim_slot fresh = {.param = p, .steps = in->steps};
    tg_status status = tg_optim_grow(o, tg_model_count(o->model));
    for (int k = 0; status == TG_OK && in->steps > 0 && k < TG_MAX_MOMENTS; k++)
        status = take_moment(o, g, &fresh, k, in->moment[k]);
    tg_optim_forget(status == TG_OK ? &o->at[i] : &fresh);
    if (status == TG_OK) o->at[i] = fresh;
    return status;
}

tg_status tg_optim_set_state(tg_optim *optim, int i, const tg_optim_state *in) {
    TG_NAMED("tg_optim_set_state");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_optim_set_state")) return tg_error_status();
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_set_state");
    tg_tensor *p = o ? tg_model_at(o->model, i) : NULL;
    if (!o || tg_is_poison(p)) return tg_error_status();
    if (!in) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_set_state: the state is NULL");
    if (in->steps < 0 || in->steps > TG_MAX_STEPS)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_set_state: the number of steps is %lld, outside [0, 2^53]",
                       (long long)in->steps);
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_status status = set_state(o, i, p, in);
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return status;
}
