/* Rules of a user's own: with no moment, one, two; refused ones; what prepare may and may not do; state out and in. */
#include "tests/ops/nn/lone.h"

#include <stdio.h>

/* ---- three rules ---- */

/* p -= lr scale sign(g) */
typedef struct sign_opts {
    double scale;
} sign_opts;
static const tg_hyper sign_hypers[] = {{"scale", TG_ATTR_REAL, offsetof(sign_opts, scale), .standard = 1}};
static void sign_step(const tg_optim_call *c) {
    const sign_opts *o = c->opts;
    for (int64_t i = 0; i < c->param->numel; i++) {
        double g = tg_array_get(c->grad, i), p = tg_array_get(c->param, i);
        tg_array_set(c->param, i, p - c->lr * o->scale * ((g > 0) - (g < 0)));
    }
}
static const tg_optim_rule sign_rule = {
    .name = "sign", .opts_size = sizeof(sign_opts), .hypers = sign_hypers, .n_hypers = 1, .step = sign_step};

/* Adagrad: s += g^2;  p -= lr g / sqrt(s) */
static const tg_optim_moment adagrad_moments[] = {{.name = "sum"}};
static void adagrad_step(const tg_optim_call *c) {
    for (int64_t i = 0; i < c->param->numel; i++) {
        double g = tg_array_get(c->grad, i), s = tg_array_get(c->moment[0], i) + g * g;
        tg_array_set(c->moment[0], i, s);
        tg_array_set(c->param, i, tg_array_get(c->param, i) - c->lr * g / sqrt(s));
    }
}
static const tg_optim_rule adagrad_rule = {
    .name = "adagrad", .moments = adagrad_moments, .n_moments = 1, .step = adagrad_step};

/* With u the unit vector along the gradients of all parameters:  m = mu m + u;  p -= lr m, the mean of the p of all steps in
 * `mean`, where asked for. */
typedef struct unit_opts {
    bool average;
    int64_t delay; /* steps before the mean begins */
    double mu;
} unit_opts;
static const tg_hyper unit_hypers[] = {
    {.name = "average", .type = TG_ATTR_BOOL, .offset = offsetof(unit_opts, average)},
    {.name = "delay", .type = TG_ATTR_INT, .offset = offsetof(unit_opts, delay)},
    {"mu", TG_ATTR_REAL, offsetof(unit_opts, mu), .standard = 0.5, .below = 1},
};
static const tg_optim_moment unit_moments[] = {{.name = "m"}, {.name = "mean", .when = "average"}};
static tg_status unit_prepare(tg_optim_call *calls, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        tg_tensor *g = tg_from_array(calls[i].grad);
        sum += tg_item(tg_sum(tg_square(g)));
    }
    for (int i = 0; i < n; i++)
        calls[i].work[0] = tg_array_of(tg_mul_scalar(tg_from_array(calls[i].grad), 1 / sqrt(sum)));
    return tg_error_status();
}
static void unit_step(const tg_optim_call *c) {
    const unit_opts *o = c->opts;
    for (int64_t i = 0; i < c->param->numel; i++) {
        double m = o->mu * tg_array_get(c->moment[0], i) + tg_array_get(c->work[0], i);
        double p = tg_array_get(c->param, i) - c->lr * m;
        tg_array_set(c->moment[0], i, m), tg_array_set(c->param, i, p);
        if (!c->moment[1] || c->t <= o->delay) continue;
        double mean = tg_array_get(c->moment[1], i);
        tg_array_set(c->moment[1], i, mean + (p - mean) / (double)(c->t - o->delay));
    }
}
static const tg_optim_rule unit_rule = {
    .name = "unit",
    .formula = "u = g / |g|; m = mu m + u; p -= lr m",
    .moments = unit_moments,
    .n_moments = 2,
    .opts_size = sizeof(unit_opts),
    .hypers = unit_hypers,
    .n_hypers = 3,
    .prepare = unit_prepare,
    .step = unit_step,
};

static const double start[] = {1, -2, 3}, g[] = {3, 0, -4};

START_TEST(without_a_moment) {
    lone l = lone_new((tg_dtype)_i, 3, start);
    tg_optim *o = tg_optim_new(l.model, &sign_rule, 0.5, &(sign_opts){.scale = 2}),
             *one = tg_optim_new(l.model, &sign_rule, 0.5, NULL);
    lone_step(l, o, g);
    expect_elements(l.p, (double[]){0, -2, 4}, 0);
    lone_step(l, one, g);
    expect_elements(l.p, (double[]){-0.5, -2, 4.5}, 0);
    ck_assert_ptr_eq(tg_optim_rule_of(o), &sign_rule);
    tg_optim_state s;
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    ck_assert(s.steps == 1 && !s.moment[0] && !s.moment[TG_MAX_MOMENTS - 1]);
    tg_optim_free(one);
    lone_end(l, o);
}
END_TEST

START_TEST(with_one_moment) {
    lone l = lone_new((tg_dtype)_i, 3, start);
    tg_optim *o = tg_optim_new(l.model, &adagrad_rule, 0.5, NULL);
    const double other[] = {4, 1, 0};
    lone_step(l, o, other);
    expect_elements(lone_moment(o, 0), (double[]){16, 1, 0}, 0);
    ck_assert(isnan(tg_get(l.p, 2))); /* 0 / sqrt(0), as the rule says */
    set_numbers(l.p, start);
    lone_step(l, o, g);
    expect_elements(lone_moment(o, 0), (double[]){25, 1, 16}, 0);
    expect_elements(l.p, (double[]){1 - 0.5 * 3 / 5, -2, 3.5}, 1e-6);
    lone_end(l, o);
}
END_TEST

/* Two parameters, whose gradients have one length. */
START_TEST(with_two_moments_and_a_preparation) {
    lone l = lone_new((tg_dtype)_i, 1, (double[]){1});
    tg_tensor *q = tg_model_param(l.model, "q", (tg_dtype)_i, TG_SHAPE(1), tg_init_ones());
    tg_optim *o = tg_optim_new(l.model, &unit_rule, 0.5, &(unit_opts){.average = true, .delay = 1});
    for (int t = 1; t <= 3; t++) {
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_sum(tg_add(tg_mul_scalar(l.p, 3), tg_mul_scalar(q, 4)))), TG_OK);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        tg_tape_rewind(mark);
    }
    /* m = u, 1.5 u, 1.75 u; p = 1 - u / 2, 1 - 1.25 u, 1 - 2.125 u */
    double tolerance = _i == TG_F32 ? 1e-6 : 1e-15;
    expect_close(tg_item(l.p), 1 - 2.125 * 0.6, tolerance),
        expect_close(tg_item(q), 1 - 2.125 * 0.8, tolerance);
    expect_close(tg_item(lone_moment(o, 0)), 1.75 * 0.6, tolerance);
    expect_close(tg_item(lone_moment(o, 1)), 1 - (1.25 + 2.125) / 2 * 0.6, tolerance);
    lone_end(l, o);
}
END_TEST

START_TEST(a_moment_only_when_asked_for) {
    lone l = lone_new(TG_F64, 3, start);
    tg_optim *o = tg_optim_new(l.model, &unit_rule, 0.5, NULL);
    lone_step(l, o, g);
    ck_assert_ptr_nonnull(lone_moment(o, 0));
    ck_assert_ptr_null(lone_moment(o, 1));
    ck_assert_int_eq(tg_optim_set(o, "average", 1), TG_OK);
    lone_step(l, o, g);
    ck_assert_ptr_nonnull(lone_moment(o, 1));
    lone_end(l, o);
}
END_TEST

/* ---- what is refused ---- */

static tg_status refuses(const void *opts) {
    (void)opts;
    return TG_ERR_ARGUMENT;
}

START_TEST(bad_rules) {
    static const tg_hyper outside[] = {{.name = "a", .type = TG_ATTR_REAL, .offset = 8}},
                          lr[] = {{.name = "lr", .type = TG_ATTR_REAL}};
    static const tg_optim_moment nameless[] = {{.name = "m"}, {.name = NULL}},
                                 odd[] = {{.name = "m", .when = "b"}};
    const struct {
        tg_optim_rule rule;
        const char *says;
    } bad[] = {
        {{.name = NULL, .step = sign_step}, "the rule has no name"},
        {{.name = "", .step = sign_step}, "the rule has no name"},
        {{.name = "mine"}, "mine has no step"},
        {{.name = "mine", .step = sign_step, .n_moments = 5, .moments = unit_moments},
         "rule mine has 5 moments, outside [0, 4]"},
        {{.name = "mine", .step = sign_step, .n_moments = -1, .moments = unit_moments},
         "rule mine has -1 moments, outside [0, 4]"},
        {{.name = "mine", .step = sign_step, .n_moments = 1}, "rule mine has no list of its 1 moments"},
        {{.name = "mine", .step = sign_step, .n_moments = 2, .moments = nameless},
         "moment 1 of rule mine has no name"},
        {{.name = "mine", .step = sign_step, .n_moments = 1, .moments = odd},
         "m is kept when b is set, a hyperparameter that rule mine does not have"},
        {{.name = "mine", .step = sign_step, .opts_size = 8, .hypers = outside, .n_hypers = 1},
         "a is no aligned field of a struct of 8 bytes"},
        {{.name = "mine", .step = sign_step, .n_hypers = 1}, "no table"},
        {{.name = "mine", .step = sign_step, .opts_size = 8, .hypers = lr, .n_hypers = 1},
         "mine lists the hyperparameter lr"},
        {{.name = "mine", .step = sign_step, .opts_size = TG_MAX_ATTR + 1},
         "mine have 65537 bytes, more than 65536"},
        {{.name = "mine", .step = sign_step, .check = refuses}, "mine refuses its options"},
    };
    tg_model *m = tg_model_new(1);
    for (int i = 0; i < COUNT(bad); i++) {
        size_t live = tg_memory_now().live_buffer_bytes;
        ck_assert_ptr_null(tg_optim_new(m, &bad[i].rule, 0.1, NULL));
        expect_error(TG_ERR_ARGUMENT, "tg_optim_new: ", bad[i].says);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_ptr_null(tg_optim_new(m, NULL, 0.1, NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_optim_new: the rule is NULL");
    ck_assert_ptr_null(tg_optim_new(NULL, &sign_rule, 0.1, NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_optim_new: ", "model", "NULL");
    ck_assert_ptr_null(tg_optim_new(m, &unit_rule, 0.1, &(unit_opts){.mu = 1}));
    expect_error(TG_ERR_ARGUMENT, "tg_optim_new: mu is 1, outside [0, 1)");
    ck_assert_ptr_null(tg_optim_new(m, &unit_rule, NAN, NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_optim_new: the learning rate is nan");
    tg_model_free(m);
}
END_TEST

START_TEST(names_of_hyperparameters) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_optim_new(m, &unit_rule, 0.25, NULL);
    ck_assert(tg_optim_get(o, "lr") == 0.25 && tg_optim_get(o, "mu") == 0.5 && tg_optim_get(o, "delay") == 0);
    ck_assert_int_eq(tg_optim_set(o, "lr", 0), TG_OK);
    ck_assert_int_eq(tg_optim_set(o, "delay", 7), TG_OK);
    ck_assert(tg_optim_lr(o) == 0 && tg_optim_get(o, "delay") == 7);
    static const char *const none[] = {"Mu", "", NULL};
    for (int i = 0; i < COUNT(none); i++) {
        ck_assert(isnan(tg_optim_get(o, none[i])));
        expect_error(TG_ERR_ARGUMENT, "tg_optim_get: rule unit has no hyperparameter",
                     none[i] ? none[i] : "NULL");
        ck_assert_int_eq(tg_optim_set(o, none[i], 1), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_optim_set: rule unit has no hyperparameter", "test_rules.c:");
    }
    ck_assert_int_eq(tg_optim_set(o, "delay", 0.5), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_set: delay is 0.5, which is not an integer");
    ck_assert_int_eq(tg_optim_set(o, "lr", -1), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_set: the learning rate is -1");
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(printed_in_one_line) {
    tg_model *m = tg_model_new(1);
    tg_optim *const o[] = {
        tg_adam(m, 1e-3),
        tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true),
        tg_optim_new(m, &unit_rule, 0.5, &(unit_opts){.delay = 12, .mu = TG_ZERO}),
        tg_optim_new(m, &adagrad_rule, 0.01, NULL),
    };
    static const char *const lines[] = {
        ("adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0, decoupled=false, amsgrad=false, "
         "maximize=false)\n"),
        "sgd(lr=0.1, momentum=0.9, dampening=0, weight_decay=0, nesterov=true, maximize=false)\n",
        "unit(lr=0.5, average=false, delay=12, mu=0)\n",
        "adagrad(lr=0.01)\n",
    };
    for (int i = 0; i < COUNT(lines); i++) {
        char text[200] = "";
        FILE *f = fmemopen(text, sizeof text, "w");
        tg_optim_print(f, o[i]);
        fclose(f);
        ck_assert_str_eq(text, lines[i]);
        tg_optim_print(NULL, o[i]);
        expect_error(TG_ERR_ARGUMENT, "tg_optim_print", "NULL");
        tg_optim_free(o[i]);
    }
    tg_optim_print(stdout, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_print", "NULL");
    tg_model_free(m);
}
END_TEST

/* ---- what prepare must not do ---- */

static tg_optim *victim;
static tg_mark mark_of_victim;
static int misdeed;
enum { MISDEEDS = 10 };
static tg_status bad_prepare(tg_optim_call *calls, int n) {
    tg_optim_state s;
    tg_tensor *p = (tg_tensor *)(uintptr_t)calls[0].handle;
    (void)n;
    switch (misdeed) {
    case 0:
        return tg_fail(TG_ERR_SHAPE, "bad: needs a matrix, was given %s", tg_describe(p, (char[99]){0}, 99));
    case 1:
        return TG_ERR_SHAPE;
    case 2:
        return (tg_status)77;
    case 3:
        tg_optim_free(victim);
        return TG_OK;
    case 4:
        return tg_optim_step(victim);
    case 5:
        return tg_optim_set(victim, "lr", 3);
    case 6:
        return tg_optim_set_state(victim, 0, &(tg_optim_state){0});
    case 7:
        return tg_tape_rewind(mark_of_victim);
    case 8:
        tg_free(p);
        return TG_OK;
    default:
        tg_optim_get_state(victim, 0, &s);
        tg_free(s.moment[0]);
        return TG_OK;
    }
}

static const struct {
    tg_status status;
    const char *says;
} outcomes[MISDEEDS] = {
    {TG_ERR_SHAPE, "bad: needs a matrix, was given p [3] f64"},
    {TG_ERR_SHAPE, "tg_optim_step: prepare: the function failed without a message"},
    {TG_ERR_ARGUMENT, "the function returned 77, which is no status"},
    {TG_ERR_ARGUMENT, "tg_optim_free: the optimiser cannot be used while a function of its rule bad is running"},
    {TG_ERR_ARGUMENT, "tg_optim_step: the optimiser cannot be used while a function of its rule bad is running"},
    {TG_ERR_ARGUMENT, "tg_optim_set: the optimiser cannot be used while a function of its rule bad is running"},
    {TG_ERR_ARGUMENT,
     "tg_optim_set_state: the optimiser cannot be used while a function of its rule bad is running"},
    {TG_ERR_TAPE, "rewind"},
    {TG_ERR_LIFETIME, "tg_optim_step: prepare has freed a parameter or a moment"},
    {TG_ERR_LIFETIME, "tg_optim_step: prepare has freed a parameter or a moment"},
};

START_TEST(preparations_that_fail) {
    tg_optim_rule bad = adagrad_rule;
    bad.name = "bad", bad.prepare = bad_prepare;
    for (int recording = 0; recording < 2; recording++) {
        lone l = lone_new(TG_F64, 3, start);
        victim = tg_optim_new(l.model, &bad, 0.5, NULL), misdeed = _i;
        mark_of_victim = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_sum(l.p)), TG_OK);
        int64_t tensors = tg_tape_tensors();
        tg_set_grad_enabled(recording);
        ck_assert_int_eq(tg_optim_step(victim), outcomes[_i].status);
        expect_error(outcomes[_i].status, outcomes[_i].says);
        ck_assert_int_eq(tg_grad_enabled(), recording);
        tg_set_grad_enabled(true);
        ck_assert_int_eq(tg_tape_tensors(), tensors);
        ck_assert(tg_optim_lr(victim) == 0.5);
        if (_i != 8) {
            expect_elements(l.p, start, 0);
            ck_assert(tg_has_grad(l.p));
            tg_optim_state s;
            ck_assert_int_eq(tg_optim_get_state(victim, 0, &s), TG_OK);
            ck_assert(s.steps == 0 && !s.moment[0]);
        }
        tg_tape_rewind(mark_of_victim);
        lone_end(l, victim);
    }
}
END_TEST

/* Inside a composition too, which goes on, the tensors of a step that failed are gone at once. */
START_TEST(failing_in_a_composition) {
    lone l = lone_new(TG_F64, 3, start);
    tg_optim *o = tg_optim_new(l.model, &unit_rule, 0.5, NULL);
    ck_assert_int_eq(tg_backward(tg_sum(l.p)), TG_OK);
    {
        TG_COMPOSED("outer");
        int64_t tensors = tg_tape_tensors();
        tg_memory_fail_from(4);
        tg_status status = tg_optim_step(o);
        tg_memory_fail_at(-1);
        ck_assert_int_eq(status, TG_ERR_MEMORY);
        ck_assert_int_eq(tg_tape_tensors(), tensors);
    }
    expect_error(TG_ERR_MEMORY, "");
    lone_end(l, o);
}
END_TEST

/* ---- versions ---- */

/* Each of the tensors that a step changes has a new version: what saved it refuses, and names the rule. */
START_TEST(steps_raise_all_versions) {
    for (int which = 0; which < 5; which++) {
        lone l = lone_new(TG_F64, 3, start);
        tg_optim *o = which < 3 ? tg_adam(l.model, 0.1) : tg_sgd(l.model, 0.1, .momentum = 0.9);
        lone_step(l, o, g);
        tg_mark mark = tg_tape_mark();
        tg_tensor *leaf = tg_set_requires_grad(tg_ones(TG_F64, 3), true);
        tg_tensor *changed = which % 3 ? lone_moment(o, which % 3 - 1) : l.p;
        tg_tensor *loss = tg_sum(tg_mul(leaf, changed)), *other = tg_sum(tg_mul(leaf, leaf));
        lone_step(l, o, g);
        ck_assert_int_eq(tg_backward(loss), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "mul", which < 3 ? "adam" : "sgd");
        ck_assert_int_eq(tg_backward(other), TG_OK);
        tg_tape_rewind(mark);
        lone_end(l, o);
    }
}
END_TEST

/* ---- state out and in ---- */

enum { RULES = 5 };
static tg_optim *optim_of(tg_model *m, int i) {
    switch (i) {
    case 0:
        return tg_sgd(m, 0.1);
    case 1:
        return tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true);
    case 2:
        return tg_adam(m, 0.1, .weight_decay = 0.1, .decoupled = true);
    case 3:
        return tg_optim_new(m, &adagrad_rule, 0.1, NULL);
    default:
        return tg_optim_new(m, &unit_rule, 0.1, &(unit_opts){.average = true});
    }
}

/* Two parameters of either dtype; the second takes part in every other step. */
static void train(tg_model *m, tg_optim *o, int from, int to) {
    for (int t = from; t < to; t++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *a = tg_model_param(m, "a", TG_F64, TG_SHAPE(3), tg_init_ones());
        tg_tensor *b = tg_model_param(m, "b", TG_F32, TG_SHAPE(2, 5), tg_init_ones());
        ck_assert_int_eq(tg_backward(tg_sum(tg_mul_scalar(tg_exp(a), 0.1 + t))), TG_OK);
        if (t % 2 == 0) ck_assert_int_eq(tg_backward(tg_sum(tg_square(b))), TG_OK);
        ck_assert_msg(tg_optim_step(o) == TG_OK, "%s", tg_error_message());
        tg_tape_rewind(mark);
    }
}

static void expect_equal_bytes(const tg_tensor *x, const tg_tensor *y) {
    size_t n, k;
    void *a = bytes_of(x, &n), *b = bytes_of(y, &k);
    ck_assert_uint_eq(n, k);
    ck_assert_mem_eq(a, b, n);
    free(a), free(b);
}

/* What hyperparameters, parameters and moments say goes on as the original does, to the bit. */
START_TEST(state_moves_to_another_optimiser) {
    tg_model *m = tg_model_new(1), *twin = tg_model_new(2);
    tg_optim *o = optim_of(m, _i), *other = optim_of(twin, _i);
    train(m, o, 0, 5), train(twin, other, 0, 1);
    const tg_optim_rule *r = tg_optim_rule_of(o);
    tg_optim_set_lr(o, 0.03), tg_optim_set_lr(other, tg_optim_lr(o));
    for (int i = 0; i < r->n_hypers; i++)
        ck_assert_int_eq(tg_optim_set(other, r->hypers[i].name, tg_optim_get(o, r->hypers[i].name)), TG_OK);
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_optim_state s, copy;
        ck_assert_int_eq(tg_optim_get_state(o, i, &s), TG_OK);
        ck_assert_int_eq(s.steps, i ? 3 : 5);
        ck_assert_int_eq(tg_optim_set_state(other, i, &s), TG_OK);
        ck_assert_int_eq(tg_optim_get_state(other, i, &copy), TG_OK);
        ck_assert_int_eq(copy.steps, s.steps);
        for (int k = 0; k < TG_MAX_MOMENTS; k++) {
            ck_assert_int_eq(!copy.moment[k], !s.moment[k]);
            if (!s.moment[k]) continue;
            ck_assert_ptr_ne(copy.moment[k], s.moment[k]);
            expect_equal_bytes(copy.moment[k], s.moment[k]);
        }
        tg_set_grad_enabled(false);
        tg_copy_(tg_model_at(twin, i), tg_model_at(m, i));
        tg_set_grad_enabled(true);
    }
    train(m, o, 5, 9), train(twin, other, 5, 9);
    for (int i = 0; i < tg_model_count(m); i++) expect_equal_bytes(tg_model_at(m, i), tg_model_at(twin, i));
    tg_optim_free(o), tg_optim_free(other), tg_model_free(m), tg_model_free(twin);
    expect_ok();
}
END_TEST

/* Steps 0 forget; what is set may be what was read. */
START_TEST(state_of_ones_own) {
    lone l = lone_new(TG_F64, 3, start);
    tg_optim *o = tg_adam(l.model, 0.5);
    tg_optim_state s;
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    ck_assert(s.steps == 0 && !s.moment[0] && !s.moment[1]);
    lone_step(l, o, g);
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    s.steps = 10;
    ck_assert_int_eq(tg_optim_set_state(o, 0, &s), TG_OK);
    ck_assert(!tg_is_alive(s.moment[0]));
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    ck_assert_int_eq(s.steps, 10);
    expect_elements(s.moment[0], (double[]){0.1 * 3, 0, 0.1 * -4}, 1e-15);
    s.steps = 0;
    ck_assert_int_eq(tg_optim_set_state(o, 0, &s), TG_OK);
    ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
    ck_assert(s.steps == 0 && !s.moment[0] && !s.moment[1]);
    set_numbers(l.p, start);
    lone_step(l, o, g);
    expect_elements(l.p, (double[]){0.5, -2, 3.5}, 1e-8);
    lone_end(l, o);
}
END_TEST

START_TEST(states_that_are_refused) {
    lone l = lone_new(TG_F64, 3, start);
    tg_optim *o = tg_adam(l.model, 0.5);
    lone_step(l, o, g);
    double was[3];
    tg_copy_out(lone_moment(o, 0), was, sizeof was);
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_ones(TG_F64, 3), *gone = tg_keep(x);
    tg_free(gone);
    const struct {
        int i;
        tg_optim_state state;
        tg_status status;
        const char *says;
    } bad[] = {
        {0, {2, {x, NULL}}, TG_ERR_ARGUMENT, "moment exp_avg_sq of p [3] f64 is missing"},
        {0, {2, {x, x, x, x}}, TG_ERR_ARGUMENT, "moment 3 is given, but rule adam has only 3"},
        {0, {2, {x, tg_ones(TG_F64, 4)}}, TG_ERR_SHAPE, "the shape and dtype of p [3] f64, was given [4] f64"},
        {0, {2, {x, tg_ones(TG_F32, 3)}}, TG_ERR_SHAPE, "the shape and dtype of p [3] f64, was given [3] f32"},
        {0, {2, {x, tg_poison()}}, TG_ERR_ARGUMENT, ""},
        {0, {2, {x, gone}}, TG_ERR_LIFETIME, ""},
        {0, {-1, {x, x}}, TG_ERR_ARGUMENT, "steps is -1, outside"},
        {1, {2, {x, x}}, TG_ERR_ARGUMENT, "1"},
        {-1, {2, {x, x}}, TG_ERR_ARGUMENT, "-1"},
    };
    for (int i = 0; i < COUNT(bad); i++) {
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_status s = tg_optim_set_state(o, bad[i].i, &bad[i].state);
        ck_assert_int_eq(s, tg_error_status());
        ck_assert_int_ne(s, TG_OK);
        if (*bad[i].says) ck_assert_int_eq(s, bad[i].status);
        expect_error(s, "tg_optim_set_state", bad[i].says);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        expect_elements(lone_moment(o, 0), was, 0);
    }
    ck_assert_int_eq(tg_optim_set_state(o, 0, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_set_state", "NULL", "test_rules.c:");
    ck_assert_int_eq(tg_optim_get_state(o, 0, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_get_state", "NULL", "test_rules.c:");
    ck_assert_int_eq(tg_optim_get_state(o, 7, &(tg_optim_state){0}), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_get_state", "7");
    tg_tape_rewind(mark);
    lone_end(l, o);
}
END_TEST

/* ---- allocation ---- */

static void run_set_state(void *context) {
    tg_optim *o = context;
    tg_optim_state s = {.steps = 3, .moment = {tg_ones(TG_F64, 3), tg_ones(TG_F64, 3)}};
    tg_optim_set_state(o, 0, &s);
}

/* The state after a failure is that before, and no byte is lost. */
START_TEST(setting_a_state_without_memory) {
    lone l = lone_new(TG_F64, 3, start);
    tg_optim *o = tg_adam(l.model, 0.5);
    int64_t most = count_allocations(run_set_state, o), failures = 0;
    tg_optim_free(o);
    for (int stepped = 0; stepped < 2; stepped++)
        for (int64_t n = 1; n <= most + 2; n++) {
            tg_mark mark = tg_tape_mark();
            o = tg_adam(l.model, 0.5);
            if (stepped) lone_step(l, o, g);
            tg_optim_state s = {.steps = 3, .moment = {tg_ones(TG_F64, 3), tg_ones(TG_F64, 3)}};
            size_t live = tg_memory_now().live_buffer_bytes;
            tg_memory_fail_at(n);
            tg_status status = tg_optim_set_state(o, 0, &s);
            tg_memory_fail_at(-1);
            if (status != TG_OK) {
                expect_error(TG_ERR_MEMORY, "");
                failures++;
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                ck_assert_int_eq(tg_optim_get_state(o, 0, &s), TG_OK);
                ck_assert(s.steps == stepped && !s.moment[0] == !stepped);
                if (stepped) expect_elements(s.moment[1], (double[]){0.001 * 9, 0, 0.001 * 16}, 1e-15);
            }
            tg_optim_free(o);
            tg_tape_rewind(mark);
        }
    ck_assert_int_ge(failures, 2);
    tg_model_free(l.model);
}
END_TEST

static void run_unit_step(void *context) { tg_optim_step(context); }

/* A rule that prepares with ops: whichever allocation fails, nothing has moved, and the step is then done as ever. */
START_TEST(a_preparation_without_memory) {
    int64_t most = 1;
    for (int64_t n = 0; n <= most + 2; n++) {
        lone l = lone_new(TG_F64, 3, start);
        tg_optim *o = tg_optim_new(l.model, &unit_rule, 0.5, NULL);
        if (n % 2) lone_step(l, o, (double[]){0, 0, 1}), set_numbers(l.p, start);
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_sum(tg_mul(l.p, numbers(TG_F64, 3, g)))), TG_OK);
        if (n == 0) {
            most = count_allocations(run_unit_step, o);
        } else {
            size_t live = tg_memory_now().live_buffer_bytes;
            tg_memory_fail_at(n);
            tg_status status = tg_optim_step(o);
            tg_memory_fail_at(-1);
            if (status != TG_OK) {
                expect_error(TG_ERR_MEMORY, "");
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                expect_elements(l.p, start, 0);
                ck_assert_int_eq(tg_optim_step(o), TG_OK);
            }
            double before = n % 2 ? 0.5 : 0; /* mu m of the step before, along the last axis */
            expect_elements(l.p, (double[]){1 - 0.3, -2, 3 + 0.4 - 0.5 * before}, 1e-15);
        }
        tg_tape_rewind(mark);
        lone_end(l, o);
    }
    ck_assert_int_ge(most, 2);
}
END_TEST

TCase *tcase_rules(void);
TCase *tcase_rules(void) {
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, without_a_moment, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, with_one_moment, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, with_two_moments_and_a_preparation, TG_F32, TG_F64 + 1);
    tcase_add_test(t, a_moment_only_when_asked_for);
    tcase_add_test(t, bad_rules);
    tcase_add_test(t, names_of_hyperparameters);
    tcase_add_test(t, printed_in_one_line);
    tcase_add_loop_test(t, preparations_that_fail, 0, MISDEEDS);
    tcase_add_test(t, failing_in_a_composition);
    tcase_add_test(t, steps_raise_all_versions);
    tcase_add_loop_test(t, state_moves_to_another_optimiser, 0, RULES);
    tcase_add_test(t, state_of_ones_own);
    tcase_add_test(t, states_that_are_refused);
    tcase_add_test(t, setting_a_state_without_memory);
    tcase_add_test(t, a_preparation_without_memory);
    return t;
}
