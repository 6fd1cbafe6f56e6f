/* Groups: which of an optimiser's numbers hold for which parameter. */
#include "ops/nn/optim/optim_private.h"

#include "core/memory.h"
#include "core/work.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

static bool matches(const tg_optim_group *g, const char *name) { return fnmatch(g->pattern, name, 0) == 0; }

const tg_optim_group *tg_optim_group_of(const tg_optim_object *o, const char *name) {
    for (int i = o->groups - 1; i >= 0; i--)
        if (matches(&o->group[i], name)) return &o->group[i];
    return NULL;
}

double tg_optim_rate(const tg_optim_object *o, const tg_optim_group *g) {
    return !g ? o->lr : g->own ? g->lr : g->lr_factor * o->lr;
}

const void *tg_optim_opts(const tg_optim_object *o, const tg_optim_group *g) { return g ? g->opts : o->opts; }

unsigned tg_optim_kept(const tg_optim_object *o, const tg_optim_group *g) { return g ? g->kept : o->kept; }

tg_status tg_optim_check_groups(tg_optim_object *o, const tg_store *params) {
    for (int k = 0; k < o->groups; k++) {
        tg_optim_group *g = &o->group[k];
        for (int i = 0; i < params->count && !g->matched; i++) g->matched = matches(g, params->at[i].name);
        if (!g->matched && !g->allow_empty)
            return tg_fail(
                TG_ERR_ARGUMENT,
                "tg_optim_step: the pattern \"%.100s\" matches none of the model's %d parameters, of which the "
                "first is %.100s (.allow_empty says that this is meant)",
                g->pattern, params->count, params->at[0].name);
    }
    return TG_OK;
}

/* ---- making one ---- */

void tg_optim_groups_free(tg_optim_object *o) {
    for (int i = 0; i < o->groups; i++) tg_dealloc(o->group[i].opts, o->group[i].size);
    tg_dealloc(o->group, (size_t)o->groups * sizeof *o->group);
    o->group = NULL, o->groups = 0;
}

/* The options are the optimiser's, over which the group's numbers are laid; the pattern stands behind them. */
static tg_status fill(tg_optim_group *g, tg_optim_object *o, const char *pattern,
                      const tg_optim_group_opts *in) {
    size_t room = (o->rule->opts_size + 15) / 16 * 16;
    g->size = room + strlen(pattern) + 1;
    g->opts = tg_alloc(g->size);
    if (!g->opts) return tg_fail(TG_ERR_MEMORY, "tg_optim_group: there is no memory for a group");
    g->pattern = strcpy(g->opts + room, pattern);
    if (o->rule->opts_size) memcpy(g->opts, o->opts, o->rule->opts_size);
    for (int i = 0; i < TG_MAX_SETTINGS && in->set[i].name; i++) {
        const tg_hyper *h = tg_hyper_find(o->rule->hypers, o->rule->n_hypers, in->set[i].name);
        if (!h)
            return tg_fail(TG_ERR_ARGUMENT, "tg_optim_group: rule %s has no hyperparameter \"%.100s\"%s",
                           o->rule->name, in->set[i].name,
                           strcmp(in->set[i].name, "lr") == 0 ? ": the learning rate of a group is .lr" : "");
        if (tg_hyper_set(h, g->opts, in->set[i].value) != TG_OK) return tg_error_status();
        g->set[g->n_set++] = h;
    }
    return tg_optim_accept(o, g->opts, &g->kept);
}

static tg_status check_rate(const char *what, double value) {
    if (value >= 0 && value < INFINITY) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "tg_optim_group: %s is %g, outside [0, inf)", what, value);
}

static bool is_given(double option) { return option != 0 || signbit(option); }

static tg_status check(const tg_optim_object *o, const char *pattern, const tg_optim_group_opts *in) {
    if (!pattern || !*pattern) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_group: there is no pattern");
    const bool lr = is_given(in->lr), factor = is_given(in->lr_factor);
    if (lr && factor)
        return tg_fail(TG_ERR_ARGUMENT, "tg_optim_group: \"%.100s\" is given both lr and lr_factor", pattern);
    if (o->rule->search && (lr || factor || in->set[0].name))
        return tg_fail(TG_ERR_ARGUMENT,
                       "tg_optim_group: rule %s moves all parameters together: a group of it can only skip",
                       o->rule->name);
    if (check_rate("lr", tg_option(in->lr, 0)) != TG_OK) return tg_error_status();
    return check_rate("lr_factor", tg_option(in->lr_factor, 1));
}

/* Makes room for one more and returns its place, which is not counted yet; NULL with the error raised. */
static tg_optim_group *room_for_one(tg_optim_object *o) {
    tg_optim_group *more = tg_alloc(((size_t)o->groups + 1) * sizeof *more);
    if (!more) {
        tg_fail(TG_ERR_MEMORY, "tg_optim_group: there is no memory for %d groups", o->groups + 1);
        return NULL;
    }
    if (o->groups) memcpy(more, o->group, (size_t)o->groups * sizeof *more);
    tg_dealloc(o->group, (size_t)o->groups * sizeof *more);
    o->group = more;
    return &more[o->groups++];
}

tg_status tg_optim_group_add(tg_optim_object *o, const char *pattern, const tg_optim_group_opts *in) {
    if (check(o, pattern, in) != TG_OK) return tg_error_status();
    tg_optim_group g = {.own = is_given(in->lr), .skip = in->skip, .allow_empty = in->allow_empty};
    g.lr = g.base = g.next = tg_option(in->lr, 0), g.lr_factor = tg_option(in->lr_factor, 1);
    tg_optim_group *place = NULL;
    for (int i = 0; i < o->groups; i++)
        if (strcmp(o->group[i].pattern, pattern) == 0) place = &o->group[i];
    if (fill(&g, o, pattern, in) == TG_OK) {
        if (place)
            tg_dealloc(place->opts, place->size);
        else
            place = room_for_one(o);
    }
    if (tg_error_status() == TG_OK)
        *place = g, o->version++;
    else
        tg_dealloc(g.opts, g.size);
    return tg_error_status();
}

tg_status tg_optim_group_with(tg_optim *optim, const char *pattern, tg_optim_group_opts opts) {
    TG_NAMED("tg_optim_group");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_optim_group")) return tg_error_status();
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_group");
    return o ? tg_optim_group_add(o, pattern, &opts) : tg_error_status();
}

/* ---- a number of the optimiser changes ---- */

bool tg_optim_group_names(const tg_optim_group *g, const tg_hyper *h) {
    for (int i = 0; i < g->n_set; i++)
        if (g->set[i] == h) return true;
    return false;
}

tg_status tg_optim_groups_set(tg_optim_object *o, const tg_hyper *h, double value) {
    for (int i = 0; i < o->groups; i++) {
        tg_optim_group *g = &o->group[i];
        if (tg_optim_group_names(g, h)) continue;
        if (tg_hyper_set(h, g->opts, value) != TG_OK || tg_optim_accept(o, g->opts, &g->kept) != TG_OK)
            return tg_error_status();
    }
    return TG_OK;
}

void tg_optim_groups_print(FILE *file, const tg_optim_object *o) {
    for (int i = 0; i < o->groups; i++) {
        const tg_optim_group *g = &o->group[i];
        const char *comma = "";
        fprintf(file, "    %s: ", g->pattern);
        if (g->own || g->lr_factor != 1)
            fprintf(file, g->own ? "lr=%.6g" : "lr_factor=%.6g", g->own ? g->lr : g->lr_factor), comma = ", ";
        for (int k = 0; k < g->n_set; k++, comma = ", ") {
            fputs(comma, file);
            tg_hyper_print(file, g->set[k], g->opts);
        }
        fputs(g->skip ? comma : "", file);
        fputs(g->skip ? "skip\n" : "\n", file);
    }
}
