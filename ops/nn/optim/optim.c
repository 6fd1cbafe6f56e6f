#include "ops/nn/optim/optim_private.h"

#include "autograd/composed.h"
#include "core/memory.h"
#include "core/work.h"
#include "ops/elementwise/inplace.h"
#include "ops/nn/model/model_private.h"
#include "ops/nn/model/object.h"
#include "ops/shape/view.h"

#include <math.h>
#include <string.h>

static const char kind[] = "optimiser";

tg_optim_object *tg_optim_object_of(const tg_optim *optim, const char *who) {
    return tg_object_of(optim, kind, who);
}

tg_optim_object *tg_optim_object_idle(tg_optim *optim, const char *who) {
    tg_optim_object *o = tg_optim_object_of(optim, who);
    if (!o || !o->running) return o;
    tg_fail(TG_ERR_ARGUMENT, "%s: the optimiser cannot be used while a function of its rule %s is running",
            who, o->rule->name);
    return NULL;
}

/* ---- hyperparameters ---- */

/* The learning rate, which every optimiser has. It stands in the optimiser, the rule's own numbers in the options. */
static const tg_hyper rate = {.name = "lr", .type = TG_ATTR_REAL};

static const tg_hyper *find(const tg_optim_object *o, const char *name) {
    if (name && strcmp(name, rate.name) == 0) return &rate;
    const tg_hyper *h = tg_hyper_find(o->rule->hypers, o->rule->n_hypers, name);
    if (!h)
        tg_fail(TG_ERR_ARGUMENT, "tg_optim_get: rule %s has no hyperparameter \"%s\"", o->rule->name,
                name ? name : "NULL");
    return h;
}

tg_status tg_optim_accept(tg_optim_object *o, const void *opts, unsigned *kept) {
    const tg_optim_rule *r = o->rule;
    o->running++;
    tg_status s = r->check ? r->check(opts) : TG_OK;
    o->running--;
    if (s != TG_OK) return tg_fail(s, "tg_optim_set: rule %s refuses its options", r->name);
    *kept = 0;
    for (int k = 0; k < r->n_moments; k++)
        if (!r->moments[k].when || tg_hyper_get(find(o, r->moments[k].when), opts) != 0) *kept |= 1u << k;
    return TG_OK;
}

static tg_status set(tg_optim_object *o, const char *name, double value) {
    const tg_hyper *h = find(o, name);
    if (!h) return tg_error_status();
    if (h == &rate && !(value >= 0 && value < INFINITY))
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_set: the learning rate is %g, outside [0, inf)", value);
    if (h == &rate) return tg_hyper_set(h, &o->lr, value);
    double was = tg_hyper_get(h, o->opts);
    if (tg_hyper_set(h, o->opts, value) != TG_OK) return tg_error_status();
    if (tg_optim_accept(o, o->opts, &o->kept) == TG_OK && tg_optim_groups_set(o, h, value) == TG_OK)
        return TG_OK;
    tg_hyper_set(h, o->opts, was);
    tg_optim_accept(o, o->opts, &o->kept);
    return tg_optim_groups_set(o, h, was), tg_error_status();
}

const tg_optim_rule *tg_optim_rule_of(const tg_optim *optim) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_rule_of");
    return o ? o->rule : NULL;
}

double tg_optim_get(const tg_optim *optim, const char *name) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_get");
    const tg_hyper *h = o ? find(o, name) : NULL;
    return h ? tg_hyper_get(h, h == &rate ? (const void *)&o->lr : o->opts) : NAN;
}

tg_status tg_optim_set(tg_optim *optim, const char *name, double value) {
    TG_NAMED("tg_optim_set");
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_set");
    return o && tg_may_do("tg_optim_set") ? set(o, name, value) : tg_error_status();
}

double tg_optim_get_of(const tg_optim *optim, const char *parameter, const char *name) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_get_of");
    if (o && !parameter) tg_fail(TG_ERR_ARGUMENT, "tg_optim_get_of: the parameter's name is NULL");
    const tg_hyper *h = o && parameter ? find(o, name) : NULL;
    if (!h) return NAN;
    const tg_optim_group *g = tg_optim_group_of(o, parameter);
    return h == &rate ? tg_optim_rate(o, g) : tg_hyper_get(h, tg_optim_opts(o, g));
}

double tg_optim_lr(const tg_optim *optim) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_lr");
    return o ? o->lr : NAN;
}

tg_status tg_optim_set_lr(tg_optim *optim, double lr) {
    TG_NAMED("tg_optim_set_lr");
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_set_lr");
    return o && tg_may_do("tg_optim_set_lr") ? set(o, rate.name, lr) : tg_error_status();
}

void tg_optim_print(FILE *file, const tg_optim *optim) {
    const tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_print");
    if (o && !file) tg_fail(TG_ERR_ARGUMENT, "tg_optim_print: the file is NULL");
    if (!o || !file) return;
    fprintf(file, "%s(", o->rule->name);
    tg_hyper_print(file, &rate, &o->lr);
    for (int i = 0; i < o->rule->n_hypers; i++) {
        fputs(", ", file);
        tg_hyper_print(file, &o->rule->hypers[i], o->opts);
    }
    fputs(")\n", file);
    tg_optim_groups_print(file, o);
}

/* ---- an optimiser from a rule ---- */

static tg_status check_moments(const tg_optim_rule *r) {
    if (r->n_moments < 0 || r->n_moments > TG_MAX_MOMENTS)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: rule %s has %d moments, outside [0, %d]", r->name,
                       r->n_moments, TG_MAX_MOMENTS);
    if (r->n_moments > 0 && !r->moments)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: rule %s has no list of its %d moments", r->name,
                       r->n_moments);
    for (int k = 0; k < r->n_moments; k++) {
        const tg_optim_moment *m = &r->moments[k];
        if (!m->name || !*m->name)
            return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: moment %d of rule %s has no name", k, r->name);
        if (m->when && !tg_hyper_find(r->hypers, r->n_hypers, m->when))
            return tg_fail(
                TG_ERR_ARGUMENT,
                "tg_optim_new: moment %s is kept when %s is set, a hyperparameter that rule %s does not have",
                m->name, m->when, r->name);
        const tg_hyper *rows = m->rows ? tg_hyper_find(r->hypers, r->n_hypers, m->rows) : NULL;
        if (m->rows && (!rows || rows->type != TG_ATTR_INT))
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_optim_new: moment %s has as many rows as %s says, which is no integer of rule %s",
                           m->name, m->rows, r->name);
    }
    return TG_OK;
}

static tg_status check_rule(const tg_optim_rule *r) {
    if (!r) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: the rule is NULL");
    if (!r->name || !*r->name) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: the rule has no name");
    if (!r->step && !r->search)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: the rule %s has no step", r->name);
    if (r->search && (r->step || r->prepare))
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: the rule %s has both a search and a step", r->name);
    if (r->opts_size > TG_MAX_ATTR)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_new: the options of rule %s have %zu bytes, more than %d",
                       r->name, r->opts_size, TG_MAX_ATTR);
    if (tg_hyper_check(r->hypers, r->n_hypers, r->opts_size) != TG_OK) return tg_error_status();
    if (tg_hyper_find(r->hypers, r->n_hypers, rate.name))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_optim_new: rule %s lists the hyperparameter lr, which every optimiser has anyway",
                       r->name);
    return check_moments(r);
}

tg_optim *tg_optim_new(tg_model *model, const tg_optim_rule *rule, double lr, const void *opts) {
    TG_NAMED("tg_optim_new");
    tg_model_object_of(model, "tg_optim_new"); /* reports a model that is not valid */
    if (tg_error_status() != TG_OK || check_rule(rule) != TG_OK) return NULL;
    tg_optim *optim = tg_object_new(sizeof(tg_optim_object) + rule->opts_size, kind, "tg_optim_new");
    if (!optim) return NULL;
    tg_optim_object *o = tg_optim_object_of(optim, "tg_optim_new");
    o->model = model, o->rule = rule, o->version = 1;
    if (opts && rule->opts_size) memcpy(o->opts, opts, rule->opts_size);
    if (set(o, rate.name, lr) == TG_OK && tg_hyper_complete(rule->hypers, rule->n_hypers, o->opts) == TG_OK &&
        tg_optim_accept(o, o->opts, &o->kept) == TG_OK)
        return optim;
    tg_object_free(optim);
    return NULL;
}

void tg_optim_forget(tg_optim_slot *s) {
    for (int k = 0; k < TG_MAX_MOMENTS; k++)
        if (s->moment[k] && tg_is_alive(s->moment[k])) tg_free(s->moment[k]);
    *s = (tg_optim_slot){0};
}

void tg_optim_free(tg_optim *optim) {
    tg_optim_object *o = optim ? tg_optim_object_idle(optim, "tg_optim_free") : NULL;
    if (!o) return;
    for (int i = 0; i < o->count; i++) tg_optim_forget(&o->at[i]);
    tg_dealloc(o->at, (size_t)o->count * TG_OPTIM_ROOM);
    tg_optim_groups_free(o);
    tg_object_free(optim);
}

tg_status tg_optim_grow(tg_optim_object *o, int n) {
    if (n <= o->count) return TG_OK;
    size_t bytes;
    tg_optim_slot *at = tg_size_mul((size_t)n, TG_OPTIM_ROOM, &bytes) ? tg_alloc(bytes) : NULL;
    if (!at)
        return tg_fail(TG_ERR_MEMORY, "tg_optim_step: there is no memory for the state of %d parameters", n);
    for (int i = 0; i < n; i++) at[i] = i < o->count ? o->at[i] : (tg_optim_slot){0};
    tg_dealloc(o->at, (size_t)o->count * TG_OPTIM_ROOM);
    o->at = at, o->count = n, o->call = (tg_optim_call *)(void *)(at + n);
    return TG_OK;
}

tg_shape tg_optim_moment_shape(const tg_optim_object *o, int k, const void *opts, const tg_tensor *p) {
    const char *rows = o->rule->moments[k].rows;
    return rows ? TG_SHAPE((int64_t)tg_hyper_get(find(o, rows), opts), tg_numel(p)) : tg_shape_of(p);
}

tg_tensor *tg_optim_new_moment(const tg_optim_object *o, int k, const void *opts, const tg_tensor *p) {
    tg_tensor *m = tg_keep(tg_zeros_with(tg_dtype_of(p), tg_optim_moment_shape(o, k, opts, p)));
    return tg_is_poison(m) ? NULL : m;
}

/* ---- a step: everything that can fail, then the updates ---- */

/* Brings the state of p, parameter i, to place i, from which a parameter that became a buffer may have moved it. */
static tg_optim_slot *slot_of(tg_optim_object *o, int i, const tg_tensor *p) {
    tg_optim_slot *s = &o->at[i];
    for (int k = i + 1; s->param != p && k < o->count; k++) {
        if (o->at[k].param != p) continue;
        const tg_optim_slot other = *s;
        *s = o->at[k], o->at[k] = other;
    }
    return s;
}

static const tg_optim_group *group_of(const tg_optim_object *o, tg_optim_slot *s, const char *name) {
    if (s->version != o->version) {
        const tg_optim_group *g = tg_optim_group_of(o, name);
        s->group = g ? (int)(g - o->group) : -1, s->version = o->version;
    }
    return s->group < 0 ? NULL : &o->group[s->group];
}

/* Finds moment k, which has the shape that the options now say, or makes it. */
static tg_status prepare_moment(const tg_optim_object *o, tg_optim_slot *s, int k, const void *opts) {
    if (!s->moment[k]) {
        s->moment[k] = tg_optim_new_moment(o, k, opts, s->param);
        s->fresh |= 1u << k;
        return tg_error_status();
    }
    if (!tg_data(s->moment[k]) || !o->rule->moments[k].rows)
        return tg_error_status(); /* reports one that was freed */
    int64_t is = tg_shape_of(s->moment[k]).dim[0], asked = tg_optim_moment_shape(o, k, opts, s->param).dim[0];
    return is == asked ? TG_OK
                       : tg_fail(TG_ERR_SHAPE, "tg_optim_step: %s is %lld, but was %lld in the steps before",
                                 o->rule->moments[k].rows, (long long)asked, (long long)is);
}

/* Makes everything that the update of p needs. A new state has steps = 0. */
static tg_status prepare(tg_optim_object *o, tg_optim_slot *s, const tg_entry *e, bool all) {
    tg_tensor *p = e->tensor;
    if (s->param != p) tg_optim_forget(s);
    s->param = p;
    if (!tg_data(p)) return tg_error_status();
    const tg_optim_group *g = group_of(o, s, e->name);
    if (!(all ? tg_requires_grad(p) : tg_has_grad(p)) || (g && g->skip)) return TG_OK;
    s->grad = all ? tg_zeros_like(p) : tg_contiguous(tg_grad_of(p));
    for (int k = 0; k < o->rule->n_moments && tg_error_status() == TG_OK; k++)
        if (tg_optim_kept(o, g) >> k & 1) prepare_moment(o, s, k, tg_optim_opts(o, g));
    return tg_error_status();
}

static void fill(const tg_optim_object *o, const tg_optim_slot *s, tg_optim_call *call) {
    const tg_optim_group *g = s->group < 0 ? NULL : &o->group[s->group];
    *call = (tg_optim_call){.rule = o->rule,
                            .opts = tg_optim_opts(o, g),
                            .lr = tg_optim_rate(o, g),
                            .t = s->steps + 1,
                            .handle = s->param};
    call->param = tg_array_of(s->param);
    call->grad = tg_array_of(s->grad);
    for (int k = 0; k < o->rule->n_moments; k++)
        if (tg_optim_kept(o, g) >> k & 1) call->moment[k] = tg_array_of(s->moment[k]);
}

tg_status tg_optim_check_whole(const tg_optim_object *o, const char *who) {
    for (int i = 0; i < o->count; i++) {
        const tg_optim_slot *s = &o->at[i];
        bool whole = !s->grad || (tg_is_alive(s->param) && tg_is_alive(s->grad));
        for (int k = 0; s->grad && k < TG_MAX_MOMENTS; k++)
            whole = whole && (!s->moment[k] || tg_is_alive(s->moment[k]));
        if (!whole) return tg_fail(TG_ERR_LIFETIME, "%s has freed a parameter or a moment", who);
    }
    return tg_error_status();
}

/* Runs the rule's own preparation, after which everything must still be alive. */
static tg_status run_prepare(tg_optim_object *o, int used) {
    static const char who[] = "tg_optim_step: prepare";
    o->running++;
    tg_callback c = tg_callback_begin();
    tg_status status = tg_callback_end(c, o->rule->prepare(o->call, used), who);
    o->running--;
    return status == TG_OK ? tg_optim_check_whole(o, who) : status;
}

void tg_optim_undo(tg_optim_object *o) {
    for (int i = 0; i < o->count; i++) {
        tg_optim_slot *s = &o->at[i];
        for (int k = 0; k < TG_MAX_MOMENTS; k++) {
            if (!(s->fresh >> k & 1)) continue;
            if (s->moment[k] && tg_is_alive(s->moment[k])) tg_free(s->moment[k]);
            s->moment[k] = NULL;
        }
        s->fresh = 0;
    }
}

int tg_optim_prepare_calls(tg_optim_object *o, bool all) {
    const char *prefix;
    const tg_model_object *m = tg_model_scope_of(o->model, &prefix, "tg_optim_step");
    const tg_store *params = m ? &m->store[TG_PARAMETERS] : NULL;
    int used = 0;
    for (int i = 0; i < o->count; i++) o->at[i].grad = NULL;
    tg_status status = params ? tg_optim_grow(o, params->count) : tg_error_status();
    for (int i = 0; status == TG_OK && i < params->count; i++) {
        status = prepare(o, slot_of(o, i, params->at[i].tensor), &params->at[i], all);
        if (status == TG_OK && o->at[i].grad) fill(o, &o->at[i], &o->call[used++]);
    }
    if (status == TG_OK && params->count) status = tg_optim_check_groups(o, params);
    if (status == TG_OK && params->count) status = tg_model_check_freezes(m, "tg_optim_step");
    if (status == TG_OK && !used)
        status = tg_fail(TG_ERR_TAPE, "tg_optim_step: no parameter has a gradient; call tg_backward first");
    if (status != TG_OK) tg_optim_undo(o);
    return used;
}

void tg_optim_touch(const tg_optim_object *o, const tg_optim_slot *s) {
    const tg_optim_group *g = s->group < 0 ? NULL : &o->group[s->group];
    for (int k = 0; k < o->rule->n_moments; k++)
        if (tg_optim_kept(o, g) >> k & 1) tg_inplace(s->moment[k], o->rule->name);
    tg_inplace(s->param, o->rule->name);
}

void tg_optim_count(tg_optim_slot *s) {
    s->steps++, s->fresh = 0;
    tg_zero_grad(s->param);
}

/* Cannot fail, since everything is alive and of one shape. */
static void update(tg_optim_object *o, tg_optim_slot *s, const tg_optim_call *call) {
    tg_optim_touch(o, s);
    o->running++;
    o->rule->step(call);
    o->running--;
    tg_optim_count(s);
}

static tg_status step(tg_optim_object *o) {
    int used = tg_optim_prepare_calls(o, false);
    if (tg_error_status() == TG_OK && o->rule->prepare) run_prepare(o, used);
    if (tg_error_status() != TG_OK) {
        tg_optim_undo(o);
        return tg_error_status();
    }
    const tg_optim_call *call = o->call;
    for (int i = 0; i < o->count; i++)
        if (o->at[i].grad) update(o, &o->at[i], call++);
    return TG_OK;
}

static tg_status step_once(tg_optim *optim) {
    TG_COMPOSED("tg_optim_step");
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_step");
    if (!o) return tg_error_status();
    if (o->rule->search)
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_optim_step: rule %s asks for the loss: call tg_optim_step_closure", o->rule->name);
    tg_mark before = tg_tape_mark();
    bool recording = tg_set_grad_enabled(false);
    tg_status status = step(o);
    tg_set_grad_enabled(recording);
    tg_tape_rewind(before);
    return status;
}

/* Told as a whole, so that nobody hears of what it does. */
static tg_status step_alone(const tg_array *const *none, const void *optim) {
    (void)none;
    tg_listener *l = tg_listen_not();
    tg_status status = step_once(*(tg_optim *const *)optim);
    tg_listen_again(l);
    return status;
}

tg_status tg_optim_step(tg_optim *optim) {
    return TG_WORK_DO(step_alone, NULL, &optim, .name = "tg_optim_step", .outside = true, .size = sizeof optim);
}
