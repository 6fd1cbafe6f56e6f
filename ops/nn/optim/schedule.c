#include "ops/nn/optim/schedule.h"

#include "autograd/composed.h"
#include "core/memory.h"
#include "core/work.h"
#include "ops/nn/optim/lr_private.h"
#include "ops/nn/optim/optim_private.h"
#include "ops/nn/model/object.h"
#include "ops/nn/optim/schedule_private.h"

#include <math.h>
#include <string.h>

/* The object behind a handle tg_schedule *. */
typedef struct schedule {
    tg_optim *optim;
    const char *momentum; /* the hyperparameter that a one_cycle moves; NULL: none does */
    tg_schedule_state now;
    bool running; /* a formula is being asked */
    int n;
    tg_lr lr[];
} schedule;

static const char kind[] = "schedule";

static schedule *schedule_of(const tg_schedule *s, const char *who) { return tg_object_of(s, kind, who); }

/* The same for a schedule that is to be changed, which none of its formulas may be running for. */
static schedule *idle_schedule_of(const tg_schedule *handle, const char *who) {
    schedule *s = schedule_of(handle, who);
    if (!s || !s->running) return s;
    tg_fail(TG_ERR_ARGUMENT, "%s: the schedule cannot be used while a formula of it is running", who);
    return NULL;
}

/* ---- the rate of a step ---- */

/* What a step asks for and gets. */
typedef struct point {
    tg_schedule_state state; /* with `step`, and what a plateau makes of the metric */
    const double *metric;    /* NULL: none is given, and none is wanted where `look` */
    bool look;               /* the rate alone is asked for, not a step */
    bool begin;              /* the schedule begins: each group's rate of now is its base */
    double rate, momentum;   /* NaN: the momentum is left alone */
} point;

/* The formulas lr[*first .. end - 1], which are in charge at a step, and where they began. */
static int find(const schedule *s, int64_t step, int *first, int64_t *start) {
    *first = 0, *start = 0;
    for (;;) {
        const tg_lr *l = &s->lr[*first];
        int end = *first + 1;
        while (end < s->n && s->lr[end].chained) end++;
        if (end == s->n || step - *start < l->length) return end;
        *first = end, *start += l->length;
    }
}

static tg_status observe(const tg_lr *l, point *p, int64_t t) {
    if (p->look || t == 0) return TG_OK;
    if (!p->metric)
        return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_step: %s needs a metric: call tg_schedule_step_metric",
                       l->name);
    l->kind->observe(l, *p->metric, &p->state);
    return TG_OK;
}

/* Fills in rate and momentum. */
static tg_status evaluate(const schedule *s, point *p) {
    int first;
    int64_t start;
    int end = find(s, p->state.step, &first, &start);
    int64_t t = p->state.step - start;
    p->rate = p->state.base, p->momentum = NAN;
    for (int i = first; i < end; i++) {
        const tg_lr *l = &s->lr[i];
        if (l->kind->observe && observe(l, p, t) != TG_OK) return tg_error_status();
        p->rate = l->kind->rate(l, p->rate, t, &p->state);
        if (l->kind->momentum) p->momentum = l->kind->momentum(l, t);
        if (tg_error_status() != TG_OK) return tg_error_status();
        if (!(p->rate >= 0 && p->rate < INFINITY))
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_schedule_step: %s gives the learning rate %g at its step %lld, outside [0, inf)",
                           l->name, p->rate, (long long)t);
    }
    return TG_OK;
}

/* The optimiser, which a formula of the user's own may have freed. */
static tg_optim_object *optim_of(const schedule *s) {
    return tg_optim_object_of(s->optim, "tg_schedule_step");
}

/* The rate of each group that has its own, of the state that p has come to. */
static tg_status evaluate_groups(const schedule *s, const point *p) {
    const tg_optim_object *o = optim_of(s);
    for (int i = 0; o && i < o->groups; i++) {
        if (!o->group[i].own) continue;
        point of_group = {.state = p->state, .look = true};
        of_group.state.base = p->begin ? o->group[i].lr : o->group[i].base;
        if (evaluate(s, &of_group) != TG_OK) break;
        o = optim_of(s);
        if (o && i < o->groups) o->group[i].next = of_group.rate;
    }
    return tg_error_status();
}

static void commit_groups(const point *p, tg_optim_object *o) {
    for (int i = 0; i < o->groups; i++) {
        tg_optim_group *g = &o->group[i];
        if (!g->own) continue;
        if (p->begin) g->base = g->lr;
        g->lr = g->next;
    }
}

/* Gives the optimiser the rates of a state, which then is the schedule's: all or none. */
static tg_status move(schedule *s, point *p) {
    s->running = true;
    tg_status status = evaluate(s, p);
    if (status == TG_OK) status = evaluate_groups(s, p);
    s->running = false;
    if (status == TG_OK && !isnan(p->momentum)) status = tg_optim_set(s->optim, s->momentum, p->momentum);
    if (status == TG_OK)
        status = tg_optim_set_lr(s->optim, p->rate); /* does not fail where the momentum was taken */
    if (status != TG_OK) return status;
    commit_groups(p, optim_of(s));
    s->now = p->state;
    return TG_OK;
}

/* ---- a schedule from formulas ---- */

static tg_status check(int n, const tg_lr *lr) {
    int plateaus = 0;
    if (n < 1 || !lr) return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_new: there is no list of %d formulas", n);
    for (int i = 0, first = 0; i < n; i++) {
        if (!lr[i].kind) return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_new: formula %d was made by nobody", i);
        if (!i && lr->chained)
            return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_new: %s is chained, and no formula is before it",
                           lr->name);
        plateaus += lr[i].kind->observe != NULL;
        if (lr[i].chained) continue;
        if (i && !lr[first].length)
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_schedule_new: %s has no end, but %s follows it: it needs a .length",
                           lr[first].name, lr[i].name);
        first = i;
    }
    return plateaus < 2 ? TG_OK
                        : tg_fail(TG_ERR_ARGUMENT,
                                  "tg_schedule_new: a schedule has one plateau at most, and not %d", plateaus);
}

/* The hyperparameter that one of the formulas moves beside the rate. */
static tg_status find_momentum(schedule *s) {
    const tg_optim_rule *r = tg_optim_rule_of(s->optim);
    for (int i = 0; r && i < s->n; i++) {
        const tg_lr *l = &s->lr[i];
        if (!l->kind->momentum || l->fixed_momentum) continue;
        s->momentum = tg_hyper_find(r->hypers, r->n_hypers, "momentum") ? "momentum"
                      : tg_hyper_find(r->hypers, r->n_hypers, "beta1")  ? "beta1"
                                                                        : NULL;
        if (!s->momentum)
            return tg_fail(
                TG_ERR_ARGUMENT,
                "tg_schedule_new: rule %s has neither momentum nor beta1, which %s moves unless .fixed_momentum is true",
                r->name, l->name);
    }
    return tg_error_status();
}

tg_schedule *tg_schedule_new_with(tg_optim *optim, int n, const tg_lr *lr) {
    static const char who[] = "tg_schedule_new";
    TG_NAMED(who);
    if (tg_error_status() != TG_OK) return NULL;
    double base = tg_optim_lr(optim);
    if (tg_error_status() != TG_OK || check(n, lr) != TG_OK) return NULL;
    tg_schedule *handle = tg_object_new(sizeof(schedule) + (size_t)n * sizeof *lr, kind, who);
    if (!handle) return NULL;
    schedule *s = schedule_of(handle, who);
    s->optim = optim, s->n = n;
    point start = {.state = {.base = base, .best = INFINITY}, .begin = true};
    for (int i = 0; i < n; i++) {
        s->lr[i] = lr[i];
        if (lr[i].kind->observe && lr[i].maximize) start.state.best = -INFINITY;
    }
    if (find_momentum(s) == TG_OK && move(s, &start) == TG_OK) return handle;
    tg_object_free(handle);
    return NULL;
}

void tg_schedule_free(tg_schedule *handle) {
    TG_NAMED("tg_schedule_free");
    if (handle && idle_schedule_of(handle, "tg_schedule_free")) tg_object_free(handle);
}

static tg_status step(tg_schedule *handle, const double *metric, const char *who) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(who)) return tg_error_status();
    schedule *s = idle_schedule_of(handle, who);
    if (!s) return tg_error_status();
    point next = {.state = s->now, .metric = metric};
    next.state.step++;
    return move(s, &next);
}

tg_status tg_schedule_step(tg_schedule *handle) {
    TG_NAMED("tg_schedule_step");
    return step(handle, NULL, "tg_schedule_step");
}

tg_status tg_schedule_step_metric(tg_schedule *handle, double metric) {
    TG_NAMED("tg_schedule_step_metric");
    return step(handle, &metric, "tg_schedule_step_metric");
}

double tg_schedule_at(const tg_schedule *handle, int64_t at) {
    static const char who[] = "tg_schedule_at";
    TG_NAMED(who);
    if (tg_error_status() != TG_OK) return NAN;
    schedule *s = idle_schedule_of(handle, who);
    if (!s) return NAN;
    if (at < 0) {
        tg_fail(TG_ERR_ARGUMENT, "%s: step %lld is negative", who, (long long)at);
        return NAN;
    }
    point p = {.state = s->now, .look = true};
    p.state.step = at;
    s->running = true;
    tg_status status = evaluate(s, &p);
    s->running = false;
    return status == TG_OK ? p.rate : NAN;
}

void tg_schedule_print(FILE *file, const tg_schedule *handle) {
    static const char who[] = "tg_schedule_print";
    const schedule *s = schedule_of(handle, who);
    if (s && !file) tg_fail(TG_ERR_ARGUMENT, "%s: the file is NULL", who);
    if (!s || !file) return;
    for (int i = 0; i < s->n; i++) {
        if (i) fputs(s->lr[i].chained ? " * " : ", ", file);
        tg_lr_print(file, &s->lr[i]);
    }
    fputs("\n", file);
}

/* ---- state ---- */

tg_status tg_schedule_get_state(const tg_schedule *handle, tg_schedule_state *out) {
    TG_NAMED("tg_schedule_get_state");
    const schedule *s = schedule_of(handle, "tg_schedule_get_state");
    if (!s) return tg_error_status();
    if (!out) return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_get_state: the place for the state is NULL");
    *out = s->now;
    return TG_OK;
}

static bool is_valid(const tg_schedule_state *in) {
    const int64_t count[] = {in->step, in->reductions, in->bad, in->cooldown};
    for (int i = 0; i < 4; i++)
        if (count[i] < 0 || count[i] > INT64_C(1) << 53) return false;
    return in->base >= 0 && in->base < INFINITY && !isnan(in->best);
}

static tg_status check_state(const tg_schedule_state *in) {
    if (is_valid(in)) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT,
                   "tg_schedule_set_state: a number is out of range: step %lld, base %g, best %g, "
                   "reductions %lld, bad %lld, cooldown %lld",
                   (long long)in->step, in->base, in->best, (long long)in->reductions, (long long)in->bad,
                   (long long)in->cooldown);
}

tg_status tg_schedule_set_state(tg_schedule *handle, const tg_schedule_state *in) {
    TG_NAMED("tg_schedule_set_state");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_schedule_set_state")) return tg_error_status();
    schedule *s = idle_schedule_of(handle, "tg_schedule_set_state");
    if (!s) return tg_error_status();
    if (!in) return tg_fail(TG_ERR_ARGUMENT, "tg_schedule_set_state: the state is NULL");
    if (check_state(in) != TG_OK) return tg_error_status();
    point p = {.state = *in, .look = true};
    return move(s, &p);
}

/* ---- state in a file ---- */

/* "linear, cosine * step", in memory of *size bytes that tg_dealloc frees; NULL with the error raised. */
static char *kind_text(const schedule *s, const char *who, size_t *size) {
    *size = (size_t)s->n * (TG_MAX_LR_NAME + sizeof " * ");
    char *text = tg_alloc(*size);
    if (!text) tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the names of %d formulas", who, s->n);
    for (int i = 0, used = 0; text && i < s->n; i++)
        used += snprintf(text + used, *size - (size_t)used, "%s%s",
                         !i                 ? ""
                         : s->lr[i].chained ? " * "
                                            : ", ",
                         s->lr[i].name);
    return text;
}

static schedule *schedule_for(const tg_schedule *handle, const tg_optim *optim, const char *who) {
    schedule *s = idle_schedule_of(handle, who);
    if (!s || s->optim == optim) return s;
    tg_fail(TG_ERR_ARGUMENT, "%s: the schedule is not one of the training's optimiser", who);
    return NULL;
}

tg_status tg_schedule_put(const tg_schedule *handle, const tg_optim *optim, tg_safetensors *set) {
    const schedule *s = schedule_for(handle, optim, "tg_training_save");
    size_t size;
    char *text = s ? kind_text(s, "tg_training_save", &size) : NULL;
    if (!text) return tg_error_status();
    tg_safetensors_put_text(set, "schedule/kind", text);
    tg_dealloc(text, size);
    tg_state_put_integers(set, "schedule/step", 1, &s->now.step);
    tg_state_put_integers(set, "schedule/reductions", 1, &s->now.reductions);
    tg_state_put_integers(set, "schedule/bad", 1, &s->now.bad);
    tg_state_put_integers(set, "schedule/cooldown", 1, &s->now.cooldown);
    tg_state_put_real(set, "schedule/base", s->now.base);
    return tg_state_put_real(set, "schedule/best", s->now.best);
}

static tg_status check_kind(const schedule *s, const tg_state_file *f) {
    const char *was = tg_safetensors_text(f->set, "schedule/kind");
    if (!was) return tg_fail(TG_ERR_ARGUMENT, "%s: %s has no schedule", f->who, f->path);
    size_t size;
    char *text = kind_text(s, f->who, &size);
    if (!text) return tg_error_status();
    if (strcmp(was, text) != 0)
        tg_fail(TG_ERR_ARGUMENT, "%s: %s has the schedule \"%.200s\", and the training \"%.200s\"", f->who,
                f->path, was, text);
    tg_dealloc(text, size);
    return tg_error_status();
}

tg_status tg_schedule_change_prepare(tg_schedule_change *c, tg_schedule *handle, const tg_optim *optim,
                                     const tg_state_file *f) {
    schedule *s = schedule_for(handle, optim, f->who);
    if (!s || check_kind(s, f) != TG_OK) return tg_error_status();
    tg_schedule_state *in = &c->state;
    tg_state_get_integers(f, "schedule/step", 1, &in->step);
    tg_state_get_integers(f, "schedule/reductions", 1, &in->reductions);
    tg_state_get_integers(f, "schedule/bad", 1, &in->bad);
    tg_state_get_integers(f, "schedule/cooldown", 1, &in->cooldown);
    tg_state_get_real(f, "schedule/base", &in->base);
    tg_state_get_real(f, "schedule/best", &in->best);
    if (tg_error_status() == TG_OK && !is_valid(in))
        tg_fail(TG_ERR_FORMAT, "%s: %s: a number of the schedule is out of range", f->who, f->path);
    c->place = &s->now;
    return tg_error_status();
}

void tg_schedule_change_commit(tg_schedule_change *c) {
    if (c->place) *c->place = c->state;
}
