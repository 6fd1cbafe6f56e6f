/* Steps with a closure: what it may do, what it leaves when it fails; L-BFGS. */
#include "tests/ops/nn/optim/optims.h"

#include <stdio.h>

/* Rosenbrock's function of two parameters, and what goes wrong at which call. */
typedef struct valley {
    tg_model *m;
    tg_optim *o;
    int calls, bad_call, misdeed;
    tg_dtype dtype;
} valley;

static tg_tensor *coordinate(const valley *v, const char *name, const double *start) {
    return tg_model_param(v->m, name, v->dtype, TG_SHAPE(), tg_init_constant(*start));
}

enum {
    FAIL,
    FAIL_SILENTLY,
    NO_TENSOR,
    POISON,
    VECTOR,
    NO_HISTORY,
    STEP,
    FREE,
    SET,
    FREE_PARAMETER,
    MISDEEDS
};

static tg_tensor *misbehave(valley *v, tg_tensor *loss) {
    switch (v->misdeed) {
    case FAIL:
        tg_fail(TG_ERR_IO, "valley: closed");
        return loss;
    case FAIL_SILENTLY:
        tg_fail(TG_ERR_ARGUMENT, "%s", "");
        return NULL;
    case NO_TENSOR:
        return NULL;
    case POISON:
        return tg_poison();
    case VECTOR:
        return tg_stack(0, loss, loss);
    case NO_HISTORY:
        return tg_scalar(TG_F64, 1);
    case STEP:
        tg_optim_step_closure(v->o, NULL, NULL, NULL);
        return loss;
    case FREE:
        tg_optim_free(v->o);
        return loss;
    case SET:
        tg_optim_set_lr(v->o, 2);
        return loss;
    default:
        tg_free(tg_model_at(v->m, 0));
        return loss;
    }
}

static tg_tensor *rosenbrock(void *user) {
    static const double start[] = {-1.2, 1};
    valley *v = user;
    tg_tensor *x = coordinate(v, "x", &start[0]), *y = coordinate(v, "y", &start[1]);
    tg_tensor *bend = tg_mul_scalar(tg_square(tg_sub(y, tg_square(x))), 100);
    tg_tensor *loss = tg_add(tg_square(tg_add_scalar(tg_neg(x), 1)), bend);
    return ++v->calls == v->bad_call ? misbehave(v, loss) : loss;
}

static double at(const valley *v, int i) { return tg_item(tg_model_at(v->m, i)); }

START_TEST(finds_the_minimum) {
    valley v = {.m = tg_model_new(1), .dtype = (tg_dtype)_i};
    v.o = tg_lbfgs(v.m, 1, .max_iter = 100, .tolerance_change = 1e-14, .strong_wolfe = true);
    double loss = 0;
    ck_assert_msg(tg_optim_step_closure(v.o, rosenbrock, &v, &loss) == TG_OK, "%s", tg_error_message());
    expect_close(loss, 24.2, 1e-5);
    expect_close(at(&v, 0), 1, _i == TG_F64 ? 1e-7 : 1e-3),
        expect_close(at(&v, 1), 1, _i == TG_F64 ? 1e-7 : 1e-3);
    ck_assert_int_lt(v.calls, 60);
    ck_assert(!tg_has_grad(tg_model_at(v.m, 0)));
    tg_optim_free(v.o), tg_model_free(v.m);
}
END_TEST

/* At the minimum a step evaluates once, and changes nothing. */
START_TEST(stays_at_the_minimum) {
    valley v = {.m = tg_model_new(1), .dtype = TG_F64};
    v.o = tg_lbfgs(v.m, 1, .strong_wolfe = _i);
    rosenbrock(&v);
    tg_set_grad_enabled(false);
    tg_fill_(tg_model_at(v.m, 0), 1), tg_fill_(tg_model_at(v.m, 1), 1);
    tg_set_grad_enabled(true);
    v.calls = 0;
    ck_assert_int_eq(tg_optim_step_closure(v.o, rosenbrock, &v, NULL), TG_OK);
    ck_assert_int_eq(v.calls, 1);
    ck_assert(at(&v, 0) == 1 && at(&v, 1) == 1);
    tg_optim_free(v.o), tg_model_free(v.m);
}
END_TEST

START_TEST(counts_of_losses) {
    for (int most = 1; most < 9; most++)
        for (int wolfe = 0; wolfe < 2; wolfe++) {
            valley v = {.m = tg_model_new(1), .dtype = TG_F64};
            v.o = tg_lbfgs(v.m, 0.01, .max_eval = most, .max_iter = 5, .strong_wolfe = wolfe);
            ck_assert_int_eq(tg_optim_step_closure(v.o, rosenbrock, &v, NULL), TG_OK);
            /* the first iteration evaluates, and a line search once more than it iterates, as PyTorch's do */
            ck_assert_int_le(v.calls, wolfe ? most + 1 : most == 1 ? 2 : most < 5 ? most : 5);
            tg_optim_free(v.o), tg_model_free(v.m);
        }
}
END_TEST

/* ---- failures ---- */

static const struct {
    tg_status status;
    const char *says;
} outcomes[MISDEEDS] = {
    [FAIL] = {TG_ERR_IO, "valley: closed"},
    [FAIL_SILENTLY] = {TG_ERR_ARGUMENT, ""},
    [NO_TENSOR] = {TG_ERR_ARGUMENT, "the closure returned no tensor"},
    [POISON] = {TG_ERR_ARGUMENT, "the closure returned no tensor"},
    [VECTOR] = {TG_ERR_SHAPE, "is no scalar"},
    [NO_HISTORY] = {TG_OK, ""},
    [STEP] = {TG_ERR_ARGUMENT, "cannot be used while"},
    [FREE] = {TG_ERR_ARGUMENT, "cannot be used while"},
    [SET] = {TG_ERR_ARGUMENT, "cannot be used while"},
    [FREE_PARAMETER] = {TG_ERR_LIFETIME, ""},
};

/* In the third step, at each of its calls. State and parameters are what they were, so that the step made again ends where that
 * of an undisturbed twin does. */
START_TEST(a_closure_that_fails) {
    for (int call = 1; call <= 4; call++)
        for (int wolfe = 0; wolfe < 2; wolfe++) {
            valley v[2];
            for (int i = 0; i < 2; i++) {
                v[i] = (valley){.m = tg_model_new(1), .dtype = TG_F64, .misdeed = _i};
                v[i].o = tg_lbfgs(v[i].m, 0.5, .max_iter = 4, .history_size = 5, .strong_wolfe = wolfe);
                for (int t = 0; t < 2; t++)
                    ck_assert_int_eq(tg_optim_step_closure(v[i].o, rosenbrock, &v[i], NULL), TG_OK);
                v[i].calls = 0;
            }
            const double x = at(&v[0], 0), y = at(&v[0], 1);
            double loss = 77;
            v[0].bad_call = call;
            int64_t tensors = tg_tape_tensors();
            tg_status s = tg_optim_step_closure(v[0].o, rosenbrock, &v[0], &loss);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
            if (_i == NO_HISTORY) { /* a constant: its gradient is zero */
                expect_ok();
            } else if (v[0].calls >= call) {
                ck_assert_int_eq(s, outcomes[_i].status);
                expect_error(outcomes[_i].status, outcomes[_i].says);
                ck_assert(loss == 77);
            }
            if (_i != NO_HISTORY && _i != FREE_PARAMETER && v[0].calls >= call) {
                ck_assert(at(&v[0], 0) == x && at(&v[0], 1) == y && tg_grad_enabled());
                v[0].bad_call = 0;
                for (int i = 0; i < 2; i++)
                    ck_assert_int_eq(tg_optim_step_closure(v[i].o, rosenbrock, &v[i], NULL), TG_OK);
                ck_assert(at(&v[0], 0) == at(&v[1], 0) && at(&v[0], 1) == at(&v[1], 1));
            }
            for (int i = 0; i < 2; i++) tg_optim_free(v[i].o), tg_model_free(v[i].m);
            tg_error_clear();
        }
}
END_TEST

static valley third_step(int wolfe) {
    valley v = {.m = tg_model_new(1), .dtype = TG_F32};
    v.o = tg_lbfgs(v.m, 0.5, .max_iter = 3, .history_size = 4, .strong_wolfe = wolfe);
    for (int t = 0; t < 2; t++) tg_optim_step_closure(v.o, rosenbrock, &v, NULL);
    expect_ok();
    return v;
}

static void run_step(void *v) { tg_optim_step_closure(((valley *)v)->o, rosenbrock, v, NULL); }

START_TEST(every_allocation_may_fail) {
    valley counted = third_step(_i), twin = third_step(_i);
    int64_t most = count_allocations(run_step, &counted), failures = 0;
    run_step(&twin);
    for (int64_t n = 1; n <= most + 2; n++) {
        valley v = third_step(_i);
        double x = at(&v, 0);
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_memory_fail_at(n);
        tg_status s = tg_optim_step_closure(v.o, rosenbrock, &v, NULL);
        tg_memory_fail_at(-1);
        if (s != TG_OK) {
            failures++;
            expect_error(TG_ERR_MEMORY, "");
            ck_assert(at(&v, 0) == x);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            run_step(&v);
        }
        expect_ok();
        ck_assert(at(&v, 0) == at(&twin, 0) && at(&v, 1) == at(&twin, 1));
        tg_optim_free(v.o), tg_model_free(v.m);
    }
    ck_assert_int_ge(failures, 3);
    tg_optim_free(counted.o), tg_model_free(counted.m), tg_optim_free(twin.o), tg_model_free(twin.m);
}
END_TEST

static tg_tensor *endless(void *user) {
    return tg_log(tg_sub(tg_model_param(user, "x", TG_F64, TG_SHAPE(1), tg_init_zeros()), tg_scalar(TG_F64, 0)));
}

/* sqrt of a negative number beyond 0: the line search turns back. */
static tg_tensor *walled(void *user) {
    static const double start = 0.5;
    tg_tensor *x = tg_model_param(user, "x", TG_F64, TG_SHAPE(1), tg_init_constant(start));
    return tg_sum(tg_sub(x, tg_mul_scalar(tg_log(x), 0.01)));
}

START_TEST(losses_that_are_no_numbers) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_lbfgs(m, 1);
    ck_assert_int_eq(tg_optim_step_closure(o, endless, m, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_lbfgs: before the step the loss is -inf");
    ck_assert(tg_item(tg_model_at(m, 0)) == 0);
    tg_optim_free(o), tg_model_free(m);
    m = tg_model_new(1), o = tg_lbfgs(m, 3, .strong_wolfe = true);
    ck_assert_int_eq(tg_optim_step_closure(o, walled, m, NULL), TG_OK);
    expect_close(tg_item(tg_model_at(m, 0)), 0.01, 1e-6);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

START_TEST(other_rules_and_misuse) {
    valley v = {.m = tg_model_new(1), .dtype = TG_F64}, w = {.m = tg_model_new(1), .dtype = TG_F64};
    v.o = tg_adam(v.m, 0.1), w.o = tg_adam(w.m, 0.1);
    double loss = 0;
    for (int t = 0; t < 3; t++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *l = rosenbrock(&w);
        ck_assert(tg_backward(l) == TG_OK && tg_optim_step(w.o) == TG_OK);
        ck_assert_int_eq(tg_optim_step_closure(v.o, rosenbrock, &v, &loss), TG_OK);
        ck_assert(loss == tg_item(l) && at(&v, 0) == at(&w, 0) && !tg_has_grad(tg_model_at(v.m, 1)));
        tg_tape_rewind(mark);
    }
    ck_assert_int_eq(tg_optim_step_closure(v.o, NULL, &v, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_step_closure: the closure is NULL");
    ck_assert_int_eq(tg_optim_step_closure(NULL, rosenbrock, &v, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_optim *l = tg_lbfgs(v.m, 1);
    ck_assert_int_eq(tg_optim_step(l), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_step: rule lbfgs asks for the loss: call tg_optim_step_closure");
    ck_assert_int_eq(tg_optim_step_closure(l, rosenbrock, &v, NULL), TG_OK);
    ck_assert_int_eq(tg_optim_set(l, "history_size", 7), TG_OK);
    ck_assert_int_eq(tg_optim_step_closure(l, rosenbrock, &v, NULL), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "history_size is 7, but was 100 in the steps before");
    ck_assert_ptr_null(tg_lbfgs(v.m, 1, .history_size = -1));
    expect_error(TG_ERR_ARGUMENT, "tg_lbfgs: history_size is -1");
    ck_assert_ptr_null(tg_lbfgs(v.m, 1, .max_iter = -1));
    expect_error(TG_ERR_ARGUMENT, "max_iter is -1");
    tg_optim_free(l), tg_optim_free(v.o), tg_optim_free(w.o), tg_model_free(v.m), tg_model_free(w.m);
}
END_TEST

TCase *tcase_closure(void);
TCase *tcase_closure(void) {
    TCase *t = tcase_create("closure");
    tcase_add_loop_test(t, finds_the_minimum, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, stays_at_the_minimum, 0, 2);
    tcase_add_test(t, counts_of_losses);
    tcase_add_loop_test(t, a_closure_that_fails, 0, MISDEEDS);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 2);
    tcase_add_test(t, losses_that_are_no_numbers);
    tcase_add_test(t, other_rules_and_misuse);
    return t;
}
