/* Plans. A step does the same in most runs, so that it is recorded and replayed; in some it fails, ends what it should not,
 * or calls the library back: its own plan, too. */
#include "tests/fuzz/hostile.h"

#include <string.h>

enum { N_PLANS = 4, MOST_INPUTS = 3, LARGE = 2100 };

typedef struct task {
    int64_t kind[3];
    int n;
    bool backward, changes; /* its first input in place */
} task;

static tg_plan *plans[N_PLANS], *dead_plans[N_PLANS];
static task *tasks[N_PLANS]; /* until the end of the sequence */

static tg_tensor *step(tg_tensor *const *in, void *user) {
    const task *t = user;
    if (hostile_depth && (bad() || one_in(12))) return disturb(), misbehave(in, t->n);
    if (hostile_depth && one_in(12)) call_back();
    tg_tensor *y = t->n ? in[0] : tg_arange(TG_F32, 0, 5, 1);
    for (int i = 0; i < 3; i++) {
        tg_tensor *both[2] = {y, t->n ? in[t->n - 1] : y};
        y = good_result(both, 1 + (t->n > 1), t->kind[i]);
    }
    if (t->changes && t->n) tg_fill_(in[0], 0.5);
    if (t->backward && tg_requires_grad(y)) disturb(), tg_backward(tg_sum_with(y, (tg_reduce_opts){0}));
    return y;
}

static task *draw_task(void) {
    task *t = scratch(sizeof *t);
    *t = (task){.n = (int)below(MOST_INPUTS), .backward = one_in(2), .changes = one_in(6)};
    for (int i = 0; i < 3; i++) t->kind[i] = 1 + below(6);
    return t;
}

/* None, one that was freed, or an object of another kind. */
static tg_plan *bad_plan(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_plan *)(void *)draw_tg_model_p("model") : dead_plans[below(N_PLANS)];
}

tg_plan *draw_tg_plan_p(const char *name) {
    bool wrong = bad();
    tg_plan *p = wrong ? bad_plan() : plans[below(N_PLANS)];
    note(" %s=%s", name, !p ? "NULL" : wrong ? "no plan" : "a plan");
    return p;
}

/* One that runs stays, and is freed once more at the end. */
static void free_plan(int i) {
    if (!plans[i]) return;
    tg_plan *p = plans[i];
    tg_plan_free(p);
    if (tg_error_status() != TG_OK) return;
    dead_plans[below(N_PLANS)] = p;
    plans[i] = NULL;
}

void own_tg_plan_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_plan_free(bad_plan());
    else if (!FRAME->pending)
        free_plan((int)below(N_PLANS));
    end_void();
}

static void add_plan(tg_plan *p, task *t) {
    int i = (int)below(N_PLANS);
    free_plan(i);
    if (plans[i]) { /* it runs */
        tg_error_clear();
        tg_plan_free(p);
        return;
    }
    plans[i] = p, tasks[i] = t;
}

void own_tg_plan_new_with(void) {
    bool none = bad();
    task *t = draw_task();
    tg_plan_new_opts o = {.recordings = bad() ? draw_int("recordings") : (int)below(4), .shared = one_in(3)};
    call_begin();
    tg_plan *p = tg_plan_new_with(none ? NULL : step, t, o);
    end_bool_failed(!p, p ? "a plan" : "NULL");
    if (p) add_plan(p, t);
}

/* Most runs are given what the step takes, of one shape, so that it is replayed; every sixth is large. */
static tg_tensor *draw_input(void) {
    if (bad() || one_in(6)) return draw_tg_tensor_p("in");
    tg_tensor *x = tg_rand(TG_F32, one_in(6) ? LARGE : 6);
    return one_in(2) ? tg_set_requires_grad(x, true) : x;
}

static void run_once(int i, bool wrong) {
    tg_tensor *in[MOST_INPUTS] = {NULL};
    int n = wrong ? draw_int("n") : tasks[i] ? tasks[i]->n : 0;
    for (int k = 0; k < MOST_INPUTS; k++) in[k] = draw_input();
    if (n < 0 || n > MOST_INPUTS || (tasks[i] && n < tasks[i]->n)) n = tasks[i] ? tasks[i]->n : 0;
    tg_plan *p = wrong ? draw_tg_plan_p("plan") : plans[i];
    if (wrong) n = MOST_INPUTS;
    call_begin();
    end_tg_tensor_p(tg_plan_run_with(p, n, wrong && one_in(6) ? NULL : in));
}

void own_tg_plan_run_with(void) {
    int i = (int)below(N_PLANS);
    for (int64_t times = 1 + below(8); times > 0; times--) {
        FRAME->disturbed = false;
        run_once(i, bad());
    }
}

void make_plans(void) {
    memset(plans, 0, sizeof plans), memset(tasks, 0, sizeof tasks);
    for (int i = 0; i < N_PLANS; i++) tasks[i] = draw_task(), plans[i] = tg_plan_new(step, tasks[i]);
}

void free_plans(void) {
    for (int i = 0; i < N_PLANS; i++) free_plan(i);
    memset(dead_plans, 0, sizeof dead_plans);
}
