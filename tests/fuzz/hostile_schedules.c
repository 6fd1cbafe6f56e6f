/* Formulas of learning rates, a user's own among them, and schedules. */
#include "tests/fuzz/hostile.h"

#include <math.h>

enum { N_FORMULAS = 6, N_SCHEDULES = 3 };

static tg_lr formulas[N_FORMULAS];
static tg_schedule *schedules[N_SCHEDULES], *dead_schedules[N_SCHEDULES];

/* ---- formulas ---- */

static double factor(int64_t t, const void *user) {
    (void)t, (void)user;
    if (hostile_depth == 0) return 0.5;
    if (one_in(4)) misbehave(NULL, 0);
    return bad() ? one_in(2) ? NAN : -1 : 0.5;
}

tg_lr_fn draw_tg_lr_fn(const char *name) {
    bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "function");
    return none ? NULL : factor;
}

void end_tg_lr(tg_lr lr) {
    end_bool_failed(!lr.kind, lr.kind ? lr.name : "no formula");
    if (lr.kind) formulas[below(N_FORMULAS)] = lr;
}

tg_lr *draw_tg_lr_p(const char *name) {
    note(" %s=(", name);
    if (bad()) return note("NULL)"), NULL;
    tg_lr *lr = scratch(CAPACITY * sizeof *lr);
    for (int i = 0; i < FRAME->count && i < CAPACITY; i++) {
        lr[i] = bad() ? (tg_lr){0} : formulas[below(N_FORMULAS)];
        if (i && !lr[i].length) lr[i].length = 1 + below(4);
        if (i < 16) note(" %s", lr[i].kind ? lr[i].name : "none");
    }
    note(")");
    return lr;
}

/* ---- schedules ---- */

static tg_schedule *bad_schedule(void) {
    return one_in(3)   ? NULL
           : one_in(3) ? (tg_schedule *)draw_tg_model_p("as")
                       : dead_schedules[below(N_SCHEDULES)];
}

tg_schedule *draw_tg_schedule_p(const char *name) {
    bool wrong = bad();
    tg_schedule *s = wrong ? bad_schedule() : schedules[below(N_SCHEDULES)];
    note(" %s=%s", name, !s ? "NULL" : wrong ? "no schedule" : "a schedule");
    return s;
}

/* It stays where a formula of it is running. */
static void free_schedule(int i) {
    tg_schedule *s = schedules[i];
    tg_schedule_free(s);
    if (tg_is_alive((const tg_tensor *)s)) return;
    if (s) dead_schedules[below(N_SCHEDULES)] = s;
    schedules[i] = NULL;
}

void end_tg_schedule_p(tg_schedule *s) {
    end_bool_failed(!s, s ? "a schedule" : "NULL");
    if (!s) return;
    int i = (int)below(N_SCHEDULES);
    free_schedule(i);
    if (schedules[i])
        tg_schedule_free(s);
    else
        schedules[i] = s;
}

void own_tg_schedule_free(void) {
    bool wrong = bad();
    tg_schedule *s = wrong ? bad_schedule() : NULL;
    call_begin();
    if (wrong)
        tg_schedule_free(s);
    else
        free_schedule((int)below(N_SCHEDULES));
    end_void();
}

tg_schedule_state *draw_tg_schedule_state_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_schedule_state *s = scratch(sizeof *s);
    *s = (tg_schedule_state){.step = below(40), .base = 0.1, .best = 3};
    if (bad()) s->step = draw_int64_t("step");
    if (bad()) s->base = draw_double("base");
    if (bad()) s->best = draw_double("best");
    if (bad()) s->reductions = draw_int64_t("reductions");
    if (bad()) s->bad = draw_int64_t("bad");
    if (bad()) s->cooldown = draw_int64_t("cooldown");
    return s;
}

/* ---- a sequence's own ---- */

void make_schedules(void) {
    const tg_lr some[N_FORMULAS] = {tg_lr_linear(3),         tg_lr_cosine(5),
                                    tg_lr_plateau(0),        tg_lr_one_cycle(0.1, 9, .fixed_momentum = true),
                                    tg_lr_one_cycle(0.1, 9), tg_lr_lambda(factor, NULL)};
    for (int i = 0; i < N_FORMULAS; i++) formulas[i] = some[i];
    schedules[0] = tg_schedule_new(first_optim(), some[0], some[2]);
}

void free_schedules(void) {
    for (int i = 0; i < N_SCHEDULES; i++) free_schedule(i);
}
