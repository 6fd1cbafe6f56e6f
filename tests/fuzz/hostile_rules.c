/* Rules of optimisers: those of the library, and a user's own with wrong fields and functions that misbehave. */
#include "tests/fuzz/hostile.h"

enum { N_RULES = 6 };
static tg_optim_rule rules[N_RULES]; /* optimisers point to them, so they change with the sequence only */

typedef struct rule_opts {
    double real;
    int64_t integer;
    bool flag;
} rule_opts;

static const tg_hyper hypers[] = {
    {"real", TG_ATTR_REAL, offsetof(rule_opts, real), .standard = 0.5, .below = 1},
    {"integer", TG_ATTR_INT, offsetof(rule_opts, integer), .standard = 2, .least = 1},
    {.name = "flag", .type = TG_ATTR_BOOL, .offset = offsetof(rule_opts, flag)},
};
static const tg_optim_moment moments[] = {{.name = "first"}, {.name = "second", .when = "flag"}};

static tg_status check(const void *opts) {
    const rule_opts *o = opts;
    return o->integer != 3 ? TG_OK
           : one_in(2)     ? TG_ERR_SHAPE
                           : tg_fail(TG_ERR_ARGUMENT, "hostile: three is refused");
}

static tg_status prepare(tg_optim_call *calls, int n) {
    for (int i = 0; i < n; i++) calls[i].work[0] = tg_array_of(tg_square(tg_from_array(calls[i].grad)));
    if (hostile_depth == 0 || !one_in(3)) return tg_error_status();
    tg_tensor *p = (tg_tensor *)(uintptr_t)calls[0].handle;
    misbehave(&p, 1);
    return one_in(4) ? TG_ERR_DTYPE : TG_OK;
}

static void step(const tg_optim_call *c) {
    for (int64_t i = 0; i < c->param->numel; i++) {
        tg_array_set(c->moment[0], i, tg_array_get(c->work[0], i));
        tg_array_set(c->param, i, tg_array_get(c->param, i) - c->lr * tg_array_get(c->grad, i));
    }
    if (c->moment[1]) tg_array_fill(c->moment[1], (double)c->t);
}

static const tg_optim_rule right = {
    .name = "hostile_rule",
    .moments = moments,
    .n_moments = 2,
    .opts_size = sizeof(rule_opts),
    .hypers = hypers,
    .n_hypers = 3,
    .check = check,
    .prepare = prepare,
    .step = step,
};

static void spoil(tg_optim_rule *r) {
    static const tg_hyper wrong[] = {{"far", TG_ATTR_INT, 4000, 0, 0, 0},
                                     {"below", TG_ATTR_REAL, SIZE_MAX - 3, 0, 0, 0},
                                     {"typeless", (tg_attr_type)77, 0, 0, 0, 0},
                                     {NULL, TG_ATTR_BOOL, 0, 0, 0, 0},
                                     {"lr", TG_ATTR_REAL, 0, 0, 0, 0}};
    switch (below(6)) {
    case 0:
        r->name = one_in(2) ? NULL : "";
        break;
    case 1:
        r->step = NULL;
        break;
    case 2:
        r->n_moments = one_in(2) ? (int)monster() : TG_MAX_MOMENTS + 1;
        if (r->n_moments > 0 && r->n_moments <= TG_MAX_MOMENTS) r->n_moments = -1;
        break;
    case 3:
        r->hypers = one_in(4) ? NULL : &wrong[below(COUNT(wrong))];
        r->n_hypers = 1;
        break;
    case 4:
        r->opts_size = one_in(2) ? SIZE_MAX : (size_t)below(sizeof(rule_opts) - 8);
        break;
    default:
        r->moments = NULL;
    }
}

void make_rules(void) {
    for (int i = 0; i < N_RULES; i++) {
        rules[i] = right;
        if (i > 1 && one_in(2)) spoil(&rules[i]);
    }
}

const tg_optim_rule *draw_tg_optim_rule_p(const char *name) {
    const tg_optim_rule *r = bad() ? NULL : &rules[below(N_RULES)];
    note(" %s=%s", name, r && r->name ? r->name : "NULL");
    return r;
}

tg_optim_state *draw_tg_optim_state_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_optim_state *s = scratch(sizeof *s);
    s->steps = draw_int64_t("steps");
    for (int k = 0; k < TG_MAX_MOMENTS; k++) s->moment[k] = one_in(2) ? NULL : draw_tg_tensor_p("moment");
    return s;
}

void end_tg_optim_rule_p(const tg_optim_rule *r) { end_bool_failed(!r, r ? "a rule" : "NULL"); }
