/* The state of an optimiser in a file. */
#include "core/memory.h"
#include "ops/nn/model/object.h"
#include "ops/nn/optim/optim_private.h"

#include <math.h>
#include <string.h>

enum { KEY = 1400 };

/* ---- to a file ---- */

/* A moment that the next step would begin with is there, though it may have been asked for after the parameter's last
 * step; one that is no longer asked for waits until it is again. */
static tg_status put_moment(tg_safetensors *set, const char *key, const tg_tensor *moment, tg_dtype dtype,
                            tg_shape shape) {
    if (moment) return tg_state_put(set, key, moment);
    tg_mark before = tg_tape_mark();
    tg_status s = tg_state_put(set, key, tg_zeros_with(dtype, shape));
    tg_tape_rewind(before);
    return s;
}

static tg_status put_moments(const tg_optim *optim, tg_safetensors *set, const tg_store *params,
                             int64_t steps[]) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_training_save");
    const tg_optim_rule *rule = o->rule;
    char key[KEY];
    for (int i = 0; i < params->count; i++) {
        tg_optim_state state;
        if (tg_optim_get_state(optim, i, &state) != TG_OK) return tg_error_status();
        steps[i] = state.steps;
        const tg_tensor *p = params->at[i].tensor;
        const tg_optim_group *g = tg_optim_group_of(o, params->at[i].name);
        for (int k = 0; k < rule->n_moments; k++) {
            if (!state.steps || !(state.moment[k] || tg_optim_kept(o, g) >> k & 1)) continue;
            snprintf(key, sizeof key, "optim/%s/%s", rule->moments[k].name, params->at[i].name);
            tg_shape shape = tg_optim_moment_shape(o, k, tg_optim_opts(o, g), p);
            if (put_moment(set, key, state.moment[k], tg_dtype_of(p), shape) != TG_OK)
                return tg_error_status();
        }
    }
    return TG_OK;
}

/* Of a group the file has the pattern and the numbers that it names. */
static void put_group(tg_safetensors *set, const tg_optim_group *g, int i) {
    char key[KEY];
    snprintf(key, sizeof key, "group/%d", i);
    tg_safetensors_put_text(set, key, g->pattern);
    const struct number {
        const char *name;
        double value;
        bool there;
    } rate[] = {{"lr", g->lr, g->own}, {"base", g->base, g->own}, {"lr_factor", g->lr_factor, !g->own}};
    for (int k = 0; k < 3; k++) {
        snprintf(key, sizeof key, "group/%d/%s", i, rate[k].name);
        if (rate[k].there) tg_state_put_real(set, key, rate[k].value);
    }
    for (int k = 0; k < g->n_set; k++) {
        snprintf(key, sizeof key, "group/%d/%s", i, g->set[k]->name);
        tg_state_put_real(set, key, tg_hyper_get(g->set[k], g->opts));
    }
}

tg_status tg_optim_put(const tg_optim *optim, tg_safetensors *set, const tg_store *params) {
    const tg_optim_rule *rule = tg_optim_rule_of(optim);
    if (!rule) return tg_error_status();
    char key[KEY];
    tg_safetensors_put_text(set, "optim/rule", rule->name);
    tg_state_put_real(set, "optim/lr", tg_optim_lr(optim));
    for (int i = 0; i < rule->n_hypers; i++) {
        snprintf(key, sizeof key, "optim/%s", rule->hypers[i].name);
        tg_state_put_real(set, key, tg_optim_get(optim, rule->hypers[i].name));
    }
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_training_save");
    for (int i = 0; i < o->groups; i++) put_group(set, &o->group[i], i);
    const int n = params->count;
    size_t size = ((size_t)n + 1) * sizeof(int64_t);
    int64_t *steps = tg_alloc(size);
    if (!steps) return tg_fail(TG_ERR_MEMORY, "tg_training_save: there is no memory for %d parameters", n);
    if (put_moments(optim, set, params, steps) == TG_OK) tg_state_put_integers(set, "optim/steps", n, steps);
    tg_dealloc(steps, size);
    return tg_error_status();
}

/* ---- from a file ---- */

static tg_status read_hypers(tg_optim_object *made, const tg_state_file *f) {
    const tg_optim_rule *rule = made->rule;
    char key[KEY];
    double value = 0;
    for (int i = 0; i < rule->n_hypers; i++) {
        snprintf(key, sizeof key, "optim/%s", rule->hypers[i].name);
        if (tg_state_get_real(f, key, &value) == TG_OK) tg_hyper_set(&rule->hypers[i], made->opts, value);
    }
    return tg_error_status() == TG_OK ? tg_optim_accept(made, made->opts, &made->kept) : tg_error_status();
}

/* The group as the program has it, with the file's numbers. */
static tg_status read_group(tg_optim_object *made, const tg_state_file *f, const tg_optim_group *g, int i) {
    char key[KEY];
    snprintf(key, sizeof key, "group/%d", i);
    const char *was = tg_safetensors_text(f->set, key);
    if (!was || strcmp(was, g->pattern) != 0)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: %s has %s%.200s%s as group %d of the optimiser, and the training \"%.200s\"",
                       f->who, f->path, was ? "\"" : "", was ? was : "nothing", was ? "\"" : "", i, g->pattern);
    tg_optim_group_opts opts = {.skip = g->skip, .allow_empty = g->allow_empty};
    for (int k = 0; k < g->n_set; k++) {
        snprintf(key, sizeof key, "group/%d/%s", i, g->set[k]->name);
        opts.set[k].name = g->set[k]->name;
        if (tg_state_get_real(f, key, &opts.set[k].value) != TG_OK) return tg_error_status();
    }
    double rate = 0, base = 0;
    snprintf(key, sizeof key, "group/%d/%s", i, g->own ? "lr" : "lr_factor");
    if (tg_state_get_real(f, key, &rate) != TG_OK) return tg_error_status();
    *(g->own ? &opts.lr : &opts.lr_factor) = rate == 0 ? TG_ZERO : rate;
    snprintf(key, sizeof key, "group/%d/base", i);
    if (g->own && tg_state_get_real(f, key, &base) != TG_OK) return tg_error_status();
    if (!(base >= 0 && base < INFINITY))
        return tg_fail(TG_ERR_FORMAT, "%s: %s: %s is %g, outside [0, inf)", f->who, f->path, key, base);
    if (tg_optim_group_add(made, g->pattern, &opts) == TG_OK) made->group[i].base = base;
    return tg_error_status();
}

static tg_status read_groups(tg_optim_object *made, const tg_optim_object *o, const tg_state_file *f) {
    char key[KEY];
    for (int i = 0; i < o->groups && tg_error_status() == TG_OK; i++) read_group(made, f, &o->group[i], i);
    snprintf(key, sizeof key, "group/%d", o->groups);
    const char *more = tg_error_status() == TG_OK ? tg_safetensors_text(f->set, key) : NULL;
    return more ? tg_fail(TG_ERR_ARGUMENT,
                          "%s: %s has a group \"%.200s\" of the optimiser, and the training has not", f->who,
                          f->path, more)
                : tg_error_status();
}

static tg_status read_slot(tg_optim_object *made, const tg_state_file *f, tg_optim_slot *slot,
                           const char *name) {
    char key[KEY];
    const tg_optim_group *g = tg_optim_group_of(made, name);
    for (int k = 0; k < made->rule->n_moments && tg_error_status() == TG_OK; k++) {
        snprintf(key, sizeof key, "optim/%s/%s", made->rule->moments[k].name, name);
        if (!slot->steps || !(tg_optim_kept(made, g) >> k & 1 || tg_safetensors_has(f->set, key))) continue;
        tg_shape shape = tg_optim_moment_shape(made, k, tg_optim_opts(made, g), slot->param);
        slot->moment[k] = tg_state_get_tensor(f, key, tg_dtype_of(slot->param), shape);
    }
    return tg_error_status();
}

static tg_status read_slots(tg_optim_object *made, const tg_state_file *f, int n, tg_tensor *const param[],
                            const char *const name[], const int number[]) {
    size_t size = ((size_t)n + 1) * sizeof(int64_t);
    int64_t *steps = tg_alloc(size);
    if (!steps) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d parameters", f->who, n);
    tg_state_get_integers(f, "optim/steps", n, steps);
    for (int i = 0; i < n && tg_error_status() == TG_OK; i++) {
        tg_optim_slot *slot = &made->at[i];
        *slot = (tg_optim_slot){.param = param[i]};
        if (number[i] < 0 || number[i] >= n) /* behind the parameters stand the buffers, which have no steps */
            tg_fail(TG_ERR_FORMAT, "%s: %s: %.200s is not a parameter in the file, but is one of the model",
                    f->who, f->path, name[i]);
        else if (steps[number[i]] < 0 || steps[number[i]] > TG_MAX_STEPS)
            tg_fail(TG_ERR_FORMAT, "%s: %s: the number of steps of %.200s is %lld, outside [0, 2^53]", f->who,
                    f->path, name[i], (long long)steps[number[i]]);
        else
            slot->steps = steps[number[i]];
        read_slot(made, f, slot, name[i]);
    }
    tg_dealloc(steps, size);
    return tg_error_status();
}

tg_status tg_optim_change_prepare(tg_optim_change *c, tg_optim *optim, const tg_state_file *f, int n,
                                  tg_tensor *const param[], const char *const name[], const int number[]) {
    c->o = tg_optim_object_idle(optim, f->who);
    if (!c->o) return tg_error_status();
    const tg_optim_rule *rule = c->o->rule;
    const char *was = tg_safetensors_text(f->set, "optim/rule");
    if (!was) return tg_fail(TG_ERR_ARGUMENT, "%s: %s has no optimiser", f->who, f->path);
    if (strcmp(was, rule->name) != 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: %s was trained with %.60s, not %s", f->who, f->path, was,
                       rule->name);
    double lr = 0;
    if (tg_state_get_real(f, "optim/lr", &lr) != TG_OK) return tg_error_status();
    c->made = tg_optim_new(c->o->model, rule, lr, c->o->opts);
    tg_optim_object *made = c->made ? tg_optim_object_of(c->made, f->who) : NULL;
    if (!made || read_hypers(made, f) != TG_OK || read_groups(made, c->o, f) != TG_OK ||
        tg_optim_grow(made, n) != TG_OK)
        return tg_error_status();
    return read_slots(made, f, n, param, name, number);
}

void tg_optim_change_commit(tg_optim_change *c) {
    tg_optim_object *o = c->o, *made = tg_optim_object_of(c->made, "tg_training_load");
    const tg_optim_object old = *o;
    o->lr = made->lr, o->kept = made->kept, o->count = made->count, o->at = made->at, o->call = made->call;
    o->groups = made->groups, o->group = made->group, o->version++;
    made->count = old.count, made->at = old.at, made->call = old.call;
    made->groups = old.groups, made->group = old.group;
    if (o->rule->opts_size) memcpy(o->opts, made->opts, o->rule->opts_size);
    tg_optim_change_drop(c);
}

void tg_optim_change_drop(tg_optim_change *c) {
    if (c->made) tg_optim_free(c->made);
    c->made = NULL;
}
