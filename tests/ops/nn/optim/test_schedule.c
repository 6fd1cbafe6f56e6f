/* Schedules, each against PyTorch's, and what else their headers promise. */
#include "ops/nn/model/state_file.h"
#include "tests/ops/nn/helpers.h"

#include <float.h>
#include <stdio.h>
#include <unistd.h>

enum { STEPS = 60 };

static const struct {
    const char *name;
    double value[STEPS]; /* after 0, 1, .. steps; only the first is given where all are equal */
} golden[] = {
#define LR(name, ...) {name, {__VA_ARGS__}},
#define MOMENTUM(name, ...) {name, {__VA_ARGS__}},
#include "tests/golden/schedules.def"
#undef LR
#undef MOMENTUM
};

/* As schedules.py. */
static double metric(int t) { return t * 7 % 11 / 8.0 + (t < 20 ? 5 - t / 4.0 : 0); }

static double inverse_root(int64_t t, const void *user) {
    return 1 / sqrt(*(const double *)user + (double)t);
}

static tg_schedule *make(tg_optim *o, const char *name) {
    static const double one = 1;
#define IF(text, ...) \
    if (strcmp(name, text) == 0) return tg_schedule_new(o, __VA_ARGS__)
    IF("constant", tg_lr_constant(5));
    IF("constant of options", tg_lr_constant(17, .factor = 0.4));
    IF("linear", tg_lr_linear(20));
    IF("linear of options", tg_lr_linear(13, .start_factor = 0.1, .end_factor = 0.7));
    IF("step", tg_lr_step(20));
    IF("step of options", tg_lr_step(7, .gamma = 0.5));
    IF("multi_step", tg_lr_multi_step(0.3, .milestones = {5, 12, 40}));
    IF("exponential", tg_lr_exponential(0.93));
    IF("cosine", tg_lr_cosine(25));
    IF("cosine of options", tg_lr_cosine(50, .eta_min = 1e-3));
    IF("one_cycle", tg_lr_one_cycle(0.7, STEPS));
    IF("one_cycle of adam", tg_lr_one_cycle(0.7, STEPS));
    IF("one_cycle, linear", tg_lr_one_cycle(0.7, 70, .linear = true, .pct_start = 0.42));
    IF("one_cycle, three phases",
       tg_lr_one_cycle(0.7, 61, .three_phase = true, .div_factor = 10, .final_div_factor = 100));
    IF("one_cycle, momentum", tg_lr_one_cycle(0.7, 75, .base_momentum = 0.6, .max_momentum = 0.8,
                                              .linear = true, .three_phase = true));
    IF("one_cycle, fixed", tg_lr_one_cycle(0.7, 64, .fixed_momentum = true));
    IF("plateau", tg_lr_plateau(10));
    IF("plateau of options", tg_lr_plateau(2, .factor = 0.5, .cooldown = 3, .min_lr = 0.01, .threshold = 0.1));
    IF("plateau, absolute", tg_lr_plateau(1, .factor = 0.6, .threshold = 0.3, .absolute = true, .eps = 0.004));
    IF("plateau, maximize", tg_lr_plateau(3, .maximize = true, .factor = 0.8, .threshold = 0.05));
    IF("plateau, both",
       tg_lr_plateau(0, .maximize = true, .absolute = true, .factor = 0.8, .threshold = 0.2, .cooldown = 5));
    IF("warm-up", tg_lr_linear(10, .start_factor = 0.01), tg_lr_cosine(30, .eta_min = 1e-3),
       tg_lr_exponential(0.9));
    IF("in turn", tg_lr_constant(4, .factor = 0.5, .length = 9), tg_lr_step(3, .length = 16),
       tg_lr_multi_step(0.7, .milestones = {2, 9}));
    IF("chained", tg_lr_constant(6, .factor = 0.1), tg_lr_exponential(0.95, .chained = true),
       tg_lr_step(11, .gamma = 0.6, .chained = true));
    IF("lambda", tg_lr_lambda(inverse_root, &one));
#undef IF
    ck_abort_msg("%s", name);
}

static tg_optim *optimiser_for(tg_model *m, const char *name) {
    return strstr(name, "adam") ? tg_adam(m, 0.1, .beta2 = 0.99) : tg_sgd(m, 0.1, .momentum = 0.9);
}

static const char *momentum_of(const char *name) { return strstr(name, "adam") ? "beta1" : "momentum"; }

static void step(tg_schedule *s, int t) {
    ck_assert_msg(tg_schedule_step_metric(s, metric(t)) == TG_OK, "%s", tg_error_message());
}

START_TEST(is_pytorchs_step_for_step) {
    const char *name = golden[2 * _i].name;
    const double *lr = golden[2 * _i].value, *momentum = golden[2 * _i + 1].value;
    tg_model *m = tg_model_new(1);
    tg_optim *o = optimiser_for(m, name);
    tg_schedule *s = make(o, name);
    expect_ok();
    for (int t = 0; t < STEPS; t++) {
        if (t) step(s, t);
        double want = momentum[1] != 0 ? momentum[t] : momentum[0];
        ck_assert_msg(fabs(tg_optim_lr(o) - lr[t]) <= 1e-12 * lr[t] + 1e-17,
                      "%s, step %d: %.17g instead of %.17g", name, t, tg_optim_lr(o), lr[t]);
        expect_close(tg_optim_get(o, momentum_of(name)), want, 1e-12);
        ck_assert(tg_schedule_at(s, t) == tg_optim_lr(o));
    }
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* From any state a schedule goes on as it did, bit for bit, whatever it and its optimiser were. */
START_TEST(goes_on_from_its_state) {
    const char *name = golden[2 * _i].name;
    tg_model *m = tg_model_new(1);
    for (int half = 1; half < STEPS; half += 7) {
        tg_optim *o = optimiser_for(m, name), *p = optimiser_for(m, name);
        tg_optim_set_lr(p, 0.3);
        tg_schedule *s = make(o, name), *r = make(p, name);
        tg_schedule_state state, again;
        for (int t = 1; t <= half; t++) step(s, t);
        step(r, 50);
        ck_assert_int_eq(tg_schedule_get_state(s, &state), TG_OK);
        ck_assert(state.step == half && state.base == 0.1);
        ck_assert_int_eq(tg_schedule_set_state(r, &state), TG_OK);
        for (int t = half; t < STEPS; t++) {
            ck_assert(tg_optim_lr(o) == tg_optim_lr(p));
            ck_assert(tg_optim_get(o, momentum_of(name)) == tg_optim_get(p, momentum_of(name)));
            tg_schedule_get_state(s, &state), tg_schedule_get_state(r, &again);
            ck_assert(state.step == again.step && state.best == again.best && state.bad == again.bad &&
                      state.reductions == again.reductions && state.cooldown == again.cooldown);
            if (t + 1 < STEPS) step(s, t + 1), step(r, t + 1);
        }
        tg_schedule_free(s), tg_schedule_free(r), tg_optim_free(o), tg_optim_free(p);
    }
    tg_model_free(m);
}
END_TEST

/* ---- in the file of a training ---- */

static void train(tg_model *m, tg_optim *o, tg_schedule *s, int from, int to) {
    for (int t = from; t < to; t++) {
        tg_mark before = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_mean(tg_square(tg_nn_linear(m, "fc", tg_ones(TG_F32, 2, 3), 2)))),
                         TG_OK);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        step(s, t + 1);
        tg_tape_rewind(before);
    }
}

static const char *file_name(void) {
    static char path[64];
    snprintf(path, sizeof path, "schedule-%ld.safetensors", (long)getpid());
    return path;
}

/* N steps, saved, loaded by another optimiser and schedule, and N more are 2N, bit for bit. */
START_TEST(goes_on_from_a_file) {
    enum { N = STEPS / 2 - 1 };
    const char *name = golden[2 * _i].name;
    tg_model *m = tg_model_new(1), *k = tg_model_new(2);
    tg_optim *o = optimiser_for(m, name), *p = optimiser_for(k, name);
    tg_optim_set_lr(p, 0.7);
    tg_schedule *s = make(o, name), *r = make(p, name);
    train(m, o, s, 0, N);
    ck_assert_int_eq(tg_training_save(&(tg_training){.model = m, .optim = o, .schedule = s}, file_name()),
                     TG_OK);
    train(m, o, s, N, 2 * N);
    ck_assert_int_eq(tg_training_load(&(tg_training){.model = k, .optim = p, .schedule = r}, file_name()),
                     TG_OK);
    train(k, p, r, N, 2 * N);
    ck_assert(tg_optim_lr(o) == tg_optim_lr(p));
    for (int i = 0; i < tg_model_count(m); i++) {
        size_t size, other;
        void *a = bytes_of(tg_model_at(m, i), &size), *b = bytes_of(tg_model_at(k, i), &other);
        ck_assert(size == other && memcmp(a, b, size) == 0);
        free(a), free(b);
    }
    remove(file_name());
    tg_schedule_free(s), tg_schedule_free(r), tg_optim_free(o), tg_optim_free(p);
    tg_model_free(m), tg_model_free(k);
}
END_TEST

/* The numbers of formulas are the program's: a longer cosine goes on from where the shorter one was. */
START_TEST(formulas_in_a_file) {
    tg_model *m = tg_model_new(1), *other = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.5), *p = tg_sgd(other, 0.5);
    tg_schedule *s = tg_schedule_new(o, tg_lr_linear(2), tg_lr_step(5, .chained = true), tg_lr_cosine(8));
    train(m, o, s, 0, 6);
    tg_training run = {.model = m, .optim = o, .schedule = s};
    ck_assert_int_eq(tg_training_save(&run, file_name()), TG_OK);
    tg_safetensors *set = tg_safetensors_open(file_name());
    ck_assert_str_eq(tg_safetensors_text(set, "schedule/kind"), "linear * step, cosine");
    ck_assert(tg_item(tg_safetensors_get(set, "schedule/step")) == 6);
    tg_schedule *longer = tg_schedule_new(o, tg_lr_linear(2), tg_lr_step(5, .chained = true), tg_lr_cosine(80));
    run.schedule = longer;
    ck_assert_int_eq(tg_training_load(&run, file_name()), TG_OK);
    ck_assert(tg_optim_lr(o) == tg_schedule_at(s, 6));
    tg_schedule_step(longer);
    expect_close(tg_optim_lr(o), 0.25 * (1 + cos(acos(-1) * 5 / 80)), 1e-15);
    run.schedule = tg_schedule_new(o, tg_lr_linear(2), tg_lr_step(5, .length = 4), tg_lr_cosine(8));
    double rate = tg_optim_lr(o);
    ck_assert_int_eq(tg_training_load(&run, file_name()), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load: ", file_name(),
                 "has the schedule \"linear * step, cosine\", and the training \"linear, step, cosine\"");
    ck_assert(tg_optim_lr(o) == rate);
    tg_schedule_free(run.schedule);
    run.schedule = s, run.optim = p, run.model = other;
    tg_training_load(&run, file_name());
    expect_error(TG_ERR_ARGUMENT, "tg_training_load: the schedule is not one of the training's optimiser");
    tg_training_save(&(tg_training){.model = m, .schedule = s}, file_name());
    expect_error(TG_ERR_ARGUMENT, "tg_training_save: the schedule is not one of the training's optimiser");
    run = (tg_training){.model = m, .optim = o, .schedule = s};
    tg_safetensors_put(set, "schedule/base", tg_scalar(TG_F64, -1));
    tg_state_seal(set), tg_safetensors_save(set, file_name());
    ck_assert_int_eq(tg_training_load(&run, file_name()), TG_ERR_FORMAT);
    expect_error(TG_ERR_FORMAT, file_name(), "a number of the schedule is out of range");
    tg_safetensors_free(set), remove(file_name());
    tg_schedule_free(s), tg_schedule_free(longer);
    tg_training_save(&run, file_name());
    expect_error(TG_ERR_ARGUMENT, "tg_training_save: the schedule was freed");
    tg_optim_free(o), tg_optim_free(p), tg_model_free(m), tg_model_free(other);
}
END_TEST

/* ---- what PyTorch has not ---- */

START_TEST(a_plateau_after_a_warm_up) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.5);
    tg_schedule *s =
        tg_schedule_new(o, tg_lr_linear(4, .start_factor = TG_ZERO), tg_lr_plateau(0, .factor = 0.5));
    static const double want[] = {0.125, 0.25, 0.375, 0.5, 0.5, 0.25, 0.25, 0.125};
    static const double loss[] = {1, 1, 1, 1, 3, 3, 2, NAN}; /* the first four are of the warm-up */
    ck_assert(tg_optim_lr(o) == 0);
    for (int t = 0; t < COUNT(want); t++) {
        ck_assert_int_eq(tg_schedule_step_metric(s, loss[t]), TG_OK);
        ck_assert_msg(tg_optim_lr(o) == want[t], "step %d: %g", t, tg_optim_lr(o));
    }
    ck_assert_int_eq(tg_schedule_step(s), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_step", "plateau needs a metric", "test_schedule.c:");
    tg_schedule_state state;
    tg_schedule_get_state(s, &state);
    ck_assert(state.step == COUNT(want) && state.reductions == 2 && state.best == 2 && tg_optim_lr(o) == 0.125);
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* A rate below min_lr stays; ones of less than eps apart count as one. */
START_TEST(a_plateau_does_not_raise_the_rate) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.5);
    tg_schedule *s = tg_schedule_new(o, tg_lr_plateau(0, .min_lr = 0.7));
    for (int t = 0; t < 5; t++) tg_schedule_step_metric(s, 1);
    ck_assert(tg_optim_lr(o) == 0.5);
    tg_schedule_free(s);
    s = tg_schedule_new(o, tg_lr_plateau(0, .factor = TG_ZERO, .eps = TG_ZERO, .threshold = TG_ZERO));
    tg_schedule_step_metric(s, 1), tg_schedule_step_metric(s, 1 - DBL_EPSILON);
    ck_assert(tg_optim_lr(o) == 0.5);
    tg_schedule_step_metric(s, 1 - DBL_EPSILON);
    ck_assert(tg_optim_lr(o) == 0);
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(one_cycle_ends) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.5);
    tg_schedule *s = tg_schedule_new(o, tg_lr_one_cycle(1, 10, .linear = true));
    for (int t = 1; t <= 10; t++) ck_assert_int_eq(tg_schedule_step(s), TG_OK);
    expect_close(tg_optim_lr(o), 1 / 25.0 / 1e4, 1e-16), expect_close(tg_optim_get(o, "beta1"), 0.95, 1e-15);
    ck_assert_int_eq(tg_schedule_step(s), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_step: ", "one_cycle ends after 10 steps");
    ck_assert(isnan(tg_schedule_at(s, 11)));
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_at: one_cycle ends");
    tg_schedule_state state;
    tg_schedule_get_state(s, &state);
    ck_assert(state.step == 10);
    tg_schedule_free(s);
    tg_optim_set_lr(o, 0.5);
    s = tg_schedule_new(o, tg_lr_one_cycle(1, 10), tg_lr_constant(3, .factor = 1));
    for (int t = 1; t <= 10; t++) tg_schedule_step(s);
    ck_assert(tg_optim_lr(o) == 0.5 && tg_optim_get(o, "beta1") == 0.95);
    tg_schedule_free(s);
    for (int steps = 1; steps < 5; steps++) /* phases of no or less than one step */
        for (int k = 0; k < 4; k++) {
            s = tg_schedule_new(
                o, tg_lr_one_cycle(1, steps, .pct_start = k ? 0.5 * k : TG_ZERO, .three_phase = true));
            if (k == 3) {
                ck_assert_ptr_null(s);
                expect_error(TG_ERR_ARGUMENT, "tg_lr_one_cycle: pct_start is 1.5");
            }
            for (int t = 1; s && t <= steps; t++) ck_assert_int_eq(tg_schedule_step(s), TG_OK);
            tg_schedule_free(s);
        }
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* The rate is the formula's, whatever was set meanwhile, and the base that of the beginning. */
START_TEST(the_formula_wins) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
    tg_schedule *s = tg_schedule_new(o, tg_lr_step(2, .gamma = 0.5));
    tg_optim_set_lr(o, 9);
    tg_schedule_step(s);
    ck_assert(tg_optim_lr(o) == 0.25 && tg_schedule_at(s, 2) == 0.125 && tg_schedule_at(s, INT64_MAX) == 0);
    tg_schedule_free(s);
    ck_assert(tg_optim_lr(o) == 0.25);
    tg_lr two[] = {tg_lr_constant(1), tg_lr_linear(2)};
    s = tg_schedule_new_with(o, 2, two);
    two[0] = two[1] = (tg_lr){0};
    ck_assert(tg_schedule_at(s, 9) == 0.25);
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(prints_one_line) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
    const double one = 1;
    tg_schedule *s = tg_schedule_new(o, tg_lr_linear(100), tg_lr_cosine(900, .eta_min = 1e-5),
                                     tg_lr_multi_step(0.5, .milestones = {3, 30}, .chained = true),
                                     tg_lr_lambda(inverse_root, &one, .name = "inverse_root"));
    char text[400] = "";
    FILE *f = tmpfile();
    tg_schedule_print(f, s);
    rewind(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    ck_assert_str_eq(text, "linear(steps=100, start_factor=0.333333, end_factor=1), "
                           "cosine(steps=900, eta_min=1e-05) * multi_step(milestones=3 30, gamma=0.5), "
                           "inverse_root()\n");
    ck_assert_int_eq(fgetc(f), EOF);
    fclose(f);
    tg_schedule_print(NULL, s);
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_print: the file is NULL");
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* ---- functions of the user's own ---- */

static tg_schedule *under_way;

static double calls_back(int64_t t, const void *user) {
    if (t == 1) tg_schedule_step(under_way);
    if (t == 2) tg_schedule_free(under_way);
    if (t == 3) tg_fail(TG_ERR_IO, "calls_back: no file");
    if (t == 4) tg_optim_free((tg_optim *)(uintptr_t)user);
    return t == 5 ? NAN : t == 6 ? -1 : t == 7 ? INFINITY : 1;
}

START_TEST(a_function_that_misbehaves) {
    static const struct {
        tg_status status;
        const char *says;
    } want[] = {{TG_ERR_ARGUMENT, "tg_schedule_step: the schedule cannot be used while a formula"},
                {TG_ERR_ARGUMENT, "tg_schedule_free: the schedule cannot be used while a formula"},
                {TG_ERR_IO, "calls_back: no file"},
                {TG_ERR_ARGUMENT, "the optimiser was freed"},
                {TG_ERR_ARGUMENT, "mine gives the learning rate nan at its step 5, outside [0, inf)"},
                {TG_ERR_ARGUMENT, "mine gives the learning rate -0.25 at its step 6"},
                {TG_ERR_ARGUMENT, "mine gives the learning rate inf at its step 7"}};
    for (int t = 1; t <= COUNT(want); t++) {
        tg_model *m = tg_model_new(1);
        tg_optim *o = tg_sgd(m, 0.25);
        under_way = tg_schedule_new(o, tg_lr_lambda(calls_back, o, .name = "mine"));
        tg_schedule_set_state(under_way, &(tg_schedule_state){.step = t == 1 ? 0 : 8, .base = 0.25});
        expect_ok();
        tg_schedule_state state = {.step = t, .base = 0.25};
        ck_assert_int_eq(tg_schedule_set_state(under_way, &state), want[t - 1].status);
        expect_error(want[t - 1].status, want[t - 1].says);
        tg_schedule_get_state(under_way, &state);
        ck_assert(state.step == (t == 1 ? 0 : 8));
        if (t != 4) ck_assert(tg_optim_lr(o) == 0.25);
        tg_schedule_free(under_way);
        if (t != 4) tg_optim_free(o);
        tg_model_free(m);
        expect_ok();
    }
}
END_TEST

static double of_tensors(int64_t t, const void *user) {
    (void)user;
    return tg_item(tg_exp(tg_scalar(TG_F64, -(double)t)));
}

START_TEST(a_function_that_computes) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
    int64_t tensors = tg_tape_tensors();
    tg_schedule *s = tg_schedule_new(o, tg_lr_lambda(of_tensors, NULL));
    ck_assert_int_eq(tg_schedule_step(s), TG_OK);
    expect_close(tg_optim_lr(o), 0.25 * exp(-1), 1e-15);
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* ---- errors ---- */

START_TEST(bad_numbers) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
#define REFUSED(call, ...) \
    do { \
        ck_assert_ptr_null(tg_schedule_new(o, call)); \
        expect_error(TG_ERR_ARGUMENT, __VA_ARGS__, "test_schedule.c:"); \
        ck_assert(tg_optim_lr(o) == 0.25); \
    } while (0)
    REFUSED(tg_lr_constant(0), "tg_lr_constant: steps is 0, outside [1, inf)");
    REFUSED(tg_lr_constant(1, .factor = -1), "factor is -1");
    REFUSED(tg_lr_constant(1, .length = -1), "tg_lr_constant: the length is -1");
    REFUSED(tg_lr_linear(-3), "tg_lr_linear: steps is -3");
    REFUSED(tg_lr_linear(3, .start_factor = NAN), "start_factor is nan");
    REFUSED(tg_lr_linear(3, .end_factor = INFINITY), "end_factor is inf");
    REFUSED(tg_lr_step(0), "tg_lr_step: steps is 0");
    REFUSED(tg_lr_step(INT64_MAX), "tg_lr_step: steps is 9.22337e+18");
    REFUSED(tg_lr_step(1, .gamma = -0.5), "gamma is -0.5");
    REFUSED(tg_lr_multi_step(-1), "tg_lr_multi_step: gamma is -1");
    REFUSED(tg_lr_multi_step(1, .milestones = {3, 3}), "tg_lr_multi_step: milestone 3 stands after 3");
    REFUSED(tg_lr_multi_step(1, .milestones = {3, 0, 5}), "milestone 5 stands after 0");
    REFUSED(tg_lr_multi_step(1, .milestones = {-3}), "milestone -3");
    REFUSED(tg_lr_exponential(NAN), "tg_lr_exponential: gamma is nan");
    REFUSED(tg_lr_cosine(0), "tg_lr_cosine: steps is 0");
    REFUSED(tg_lr_cosine(1, .eta_min = -1), "eta_min is -1");
    REFUSED(tg_lr_one_cycle(-1, 5), "tg_lr_one_cycle: max_lr is -1");
    REFUSED(tg_lr_one_cycle(1, 0), "steps is 0");
    REFUSED(tg_lr_one_cycle(1, 5, .pct_start = 2), "pct_start is 2, outside [0, 1]");
    REFUSED(tg_lr_one_cycle(1, 5, .div_factor = TG_ZERO), "div_factor is 0");
    REFUSED(tg_lr_one_cycle(1, 5, .final_div_factor = -1), "final_div_factor is -1");
    REFUSED(tg_lr_one_cycle(1, 5, .max_momentum = 1), "max_momentum is 1, outside [0, 1)");
    REFUSED(tg_lr_plateau(-1), "tg_lr_plateau: patience is -1");
    REFUSED(tg_lr_plateau(1, .factor = 1), "factor is 1, outside [0, 1)");
    REFUSED(tg_lr_plateau(1, .cooldown = -1), "cooldown is -1");
    REFUSED(tg_lr_plateau(1, .threshold = -1), "threshold is -1");
    REFUSED(tg_lr_lambda(NULL, NULL), "tg_lr_lambda: the function is NULL");
    REFUSED(tg_lr_lambda(inverse_root, NULL, .name = ""), "tg_lr_lambda: the name has 0 bytes");
    REFUSED(tg_lr_lambda(inverse_root, NULL, .name = "a_name_of_more_than_31_characters"), "33 bytes");
#undef REFUSED
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(formulas_that_do_not_fit) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
#define REFUSED(says, ...) \
    do { \
        ck_assert_ptr_null(tg_schedule_new(__VA_ARGS__)); \
        expect_error(TG_ERR_ARGUMENT, "tg_schedule_new: ", says, "test_schedule.c:"); \
        ck_assert(tg_optim_lr(o) == 0.25); \
    } while (0)
    REFUSED("exponential has no end, but cosine follows it", o, tg_lr_exponential(1), tg_lr_cosine(1));
    REFUSED("step has no end, but cosine follows it", o, tg_lr_step(1), tg_lr_constant(3, .chained = true),
            tg_lr_cosine(1));
    REFUSED("cosine is chained, and no formula is before it", o, tg_lr_cosine(3, .chained = true));
    REFUSED("one plateau at most, and not 2", o, tg_lr_plateau(3, .length = 5), tg_lr_plateau(3));
    REFUSED("formula 1 was made by nobody", o, tg_lr_cosine(3), (tg_lr){0});
    REFUSED("the optimiser is NULL", NULL, tg_lr_cosine(3));
    REFUSED("is the handle of something else", (tg_optim *)m, tg_lr_cosine(3));
#undef REFUSED
    ck_assert_ptr_null(tg_schedule_new_with(o, 0, NULL));
    expect_error(TG_ERR_ARGUMENT, "there is no list of 0 formulas");
    ck_assert_ptr_null(tg_schedule_new_with(o, 3, NULL));
    expect_error(TG_ERR_ARGUMENT, "there is no list of 3 formulas");
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

static void forget_step(const tg_optim_call *call) { (void)call; }

START_TEST(an_optimiser_without_a_momentum) {
    static const tg_optim_rule rule = {.name = "plain", .step = forget_step};
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_optim_new(m, &rule, 0.25, NULL);
    ck_assert_ptr_null(tg_schedule_new(o, tg_lr_one_cycle(1, 5)));
    expect_error(TG_ERR_ARGUMENT,
                 "tg_schedule_new: rule plain has neither momentum nor beta1, which one_cycle");
    tg_schedule *s = tg_schedule_new(o, tg_lr_one_cycle(1, 5, .fixed_momentum = true));
    expect_ok();
    tg_schedule_free(s), tg_optim_free(o);
    o = tg_sgd(m, 0.25, .momentum = 0.5, .nesterov = true); /* refuses a momentum of 0 */
    s = tg_schedule_new(o, tg_lr_one_cycle(1, 5, .base_momentum = TG_ZERO, .pct_start = 0.4));
    ck_assert_int_eq(tg_schedule_step(s), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_step: nesterov needs a momentum");
    ck_assert(tg_optim_lr(o) == tg_schedule_at(s, 0) && tg_optim_get(o, "momentum") == 0.95);
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(handles_and_states) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
    tg_schedule *s = tg_schedule_new(o, tg_lr_exponential(0.5)), *wrong[] = {NULL, (tg_schedule *)o, s};
    static const tg_schedule_state states[] = {
        {.step = -1},       {.base = -1}, {.base = NAN},    {.base = INFINITY},  {.best = NAN},
        {.reductions = -1}, {.bad = -1},  {.cooldown = -1}, {.step = INT64_MAX}, {.bad = INT64_MAX}};
    for (int i = 0; i < COUNT(states); i++) {
        ck_assert_int_eq(tg_schedule_set_state(s, &states[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_schedule_set_state: a number is out of range");
    }
    tg_schedule_set_state(s, NULL);
    expect_error(TG_ERR_ARGUMENT, "the state is NULL");
    tg_schedule_get_state(s, NULL);
    expect_error(TG_ERR_ARGUMENT, "the place for the state is NULL");
    ck_assert(isnan(tg_schedule_at(s, -1)));
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_at: step -1 is negative");
    tg_schedule_free(s), tg_schedule_free(NULL);
    expect_ok();
    for (int i = 0; i < COUNT(wrong); i++) {
        const char *says = i == 0   ? "the schedule is NULL"
                           : i == 1 ? "something else"
                                    : "the schedule was freed";
        tg_schedule_state state = {0};
        tg_schedule_step(wrong[i]), expect_error(TG_ERR_ARGUMENT, "tg_schedule_step: ", says);
        tg_schedule_step_metric(wrong[i], 1), expect_error(TG_ERR_ARGUMENT, "tg_schedule_step_metric: ", says);
        tg_schedule_at(wrong[i], 1), expect_error(TG_ERR_ARGUMENT, "tg_schedule_at: ", says);
        tg_schedule_print(stdout, wrong[i]), expect_error(TG_ERR_ARGUMENT, "tg_schedule_print: ", says);
        tg_schedule_get_state(wrong[i], &state), expect_error(TG_ERR_ARGUMENT, "tg_schedule_get_state: ", says);
        tg_schedule_set_state(wrong[i], &state), expect_error(TG_ERR_ARGUMENT, "tg_schedule_set_state: ", says);
        if (i) tg_schedule_free(wrong[i]), expect_error(TG_ERR_ARGUMENT, "tg_schedule_free: ", says);
    }
    s = tg_schedule_new(o, tg_lr_exponential(0.5));
    tg_optim_free(o);
    ck_assert_int_eq(tg_schedule_step(s), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_schedule_step: the optimiser was freed");
    tg_schedule_free(s), tg_model_free(m);
}
END_TEST

/* While an error is pending nothing moves. */
START_TEST(a_pending_error_stays) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.25);
    tg_schedule *s = tg_schedule_new(o, tg_lr_exponential(0.5));
    tg_schedule_state state, other = {.step = 3};
    tg_fail(TG_ERR_IO, "test: pending");
    ck_assert_int_eq(tg_schedule_step(s), TG_ERR_IO);
    ck_assert_int_eq(tg_schedule_set_state(s, &other), TG_ERR_IO);
    ck_assert_ptr_null(tg_schedule_new(o, tg_lr_exponential(0.5)));
    ck_assert(isnan(tg_schedule_at(s, 1)));
    ck_assert_ptr_null(tg_lr_cosine(1).kind);
    expect_error(TG_ERR_IO, "test: pending");
    tg_schedule_get_state(s, &state);
    ck_assert(state.step == 0 && tg_optim_lr(o) == 0.25);
    tg_memory_fail_at(1);
    ck_assert_ptr_null(tg_schedule_new(o, tg_lr_exponential(0.5), tg_lr_exponential(0.5, .chained = true)));
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "");
    tg_schedule_free(s), tg_optim_free(o), tg_model_free(m);
}
END_TEST

TCase *tcase_schedule(void) {
    TCase *c = tcase_create("schedule");
    tcase_add_loop_test(c, is_pytorchs_step_for_step, 0, COUNT(golden) / 2);
    tcase_add_loop_test(c, goes_on_from_its_state, 0, COUNT(golden) / 2);
    tcase_add_loop_test(c, goes_on_from_a_file, 0, COUNT(golden) / 2);
    tcase_add_test(c, formulas_in_a_file);
    tcase_add_test(c, a_plateau_after_a_warm_up);
    tcase_add_test(c, a_plateau_does_not_raise_the_rate);
    tcase_add_test(c, one_cycle_ends);
    tcase_add_test(c, the_formula_wins);
    tcase_add_test(c, prints_one_line);
    tcase_add_test(c, a_function_that_misbehaves);
    tcase_add_test(c, a_function_that_computes);
    tcase_add_test(c, bad_numbers);
    tcase_add_test(c, formulas_that_do_not_fit);
    tcase_add_test(c, an_optimiser_without_a_momentum);
    tcase_add_test(c, handles_and_states);
    tcase_add_test(c, a_pending_error_stays);
    return c;
}
