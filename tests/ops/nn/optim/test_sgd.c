/* SGD by its formula. */
#include "tests/ops/nn/lone.h"

static const double p0[] = {1, 2, 3}, v0[] = {1, -1, 0}, g[] = {0.5, 0, -1};

/* decay 0.1: d = 0.6, 0.2, -0.7 */
START_TEST(one_step) {
    double tolerance = _i == TG_F32 ? 1e-6 : 1e-14;
    lone l = lone_new((tg_dtype)_i, 3, p0);
    tg_optim *o = tg_sgd(l.model, 0.5, .weight_decay = 0.1);
    lone_step(l, o, g);
    expect_elements(l.p, (double[]){1 - 0.3, 2 - 0.1, 3 + 0.35}, tolerance);
    ck_assert_ptr_null(lone_moment(o, 0));
    tg_optim_free(o);

    set_numbers(l.p, p0);
    o = tg_sgd(l.model, 0.5, .weight_decay = 0.1, .momentum = 0.25);
    lone_state(l, o, 1, v0, NULL);
    lone_step(l, o, g);
    expect_elements(lone_moment(o, 0), (double[]){0.85, -0.05, -0.7}, tolerance);
    expect_elements(l.p, (double[]){1 - 0.425, 2 + 0.025, 3 + 0.35}, tolerance);

    set_numbers(l.p, p0);
    lone_state(l, o, 1, v0, NULL);
    ck_assert_int_eq(tg_optim_set(o, "nesterov", 1), TG_OK);
    lone_step(l, o, g);
    const double want[] = {1 - 0.5 * (0.6 + 0.25 * 0.85), 2 - 0.5 * (0.2 - 0.25 * 0.05),
                           3 + 0.5 * (0.7 + 0.25 * 0.7)};
    expect_elements(l.p, want, tolerance);
    lone_end(l, o);
}
END_TEST

/* Sixty steps, with and without each option, in double by the formula. */
START_TEST(sixty_steps) {
    enum { N = 11, STEPS = 60 };
    tg_dtype dtype = (tg_dtype)(_i % 2);
    bool with = _i & 8, nesterov = with && _i & 2;
    double decay = _i & 4 ? 0.02 : 0, p[N], v[N] = {0}, d[N], tolerance = dtype ? 1e-12 : 1e-5;
    for (int i = 0; i < N; i++) p[i] = i - 5;
    lone l = lone_new(dtype, N, p);
    tg_optim *o =
        tg_sgd(l.model, 0.05, .momentum = with ? 0.9 : 0, .weight_decay = decay, .nesterov = nesterov);
    for (int64_t t = 1; t <= STEPS; t++) {
        for (int i = 0; i < N; i++) d[i] = dtype ? gradient_at(t, i) : (float)gradient_at(t, i);
        lone_step(l, o, d);
        for (int i = 0; i < N; i++) {
            d[i] += decay * p[i];
            v[i] = 0.9 * v[i] + d[i];
            p[i] -= 0.05 * (!with ? d[i] : nesterov ? d[i] + 0.9 * v[i] : v[i]);
        }
        expect_elements(l.p, p, tolerance);
    }
    lone_end(l, o);
}
END_TEST

/* A momentum that is turned on later starts from zero, as at the first step; turned off, it is not read. */
START_TEST(momentum_comes_and_goes) {
    lone l = lone_new(TG_F64, 3, p0);
    tg_optim *o = tg_sgd(l.model, 0.5);
    lone_step(l, o, g);
    ck_assert_ptr_null(lone_moment(o, 0));
    ck_assert_int_eq(tg_optim_set(o, "momentum", 0.5), TG_OK);
    lone_step(l, o, g);
    expect_elements(lone_moment(o, 0), g, 0);
    lone_step(l, o, g);
    expect_elements(lone_moment(o, 0), (double[]){0.75, 0, -1.5}, 0);
    expect_elements(l.p, (double[]){1 - 0.5 * (0.5 + 0.5 + 0.75), 2, 3 + 0.5 * (1 + 1 + 1.5)}, 1e-15);
    ck_assert_int_eq(tg_optim_set(o, "momentum", 0), TG_OK);
    lone_step(l, o, g);
    expect_elements(l.p, (double[]){1 - 0.5 * (1.75 + 0.5), 2, 3 + 0.5 * (3.5 + 1)}, 1e-15);
    lone_end(l, o);
}
END_TEST

START_TEST(nesterov_needs_a_momentum) {
    lone l = lone_new(TG_F64, 3, p0);
    ck_assert_ptr_null(tg_sgd(l.model, 0.5, .nesterov = true));
    expect_error(TG_ERR_ARGUMENT, "tg_sgd: nesterov needs a momentum");
    tg_optim *o = tg_sgd(l.model, 0.5);
    ck_assert_int_eq(tg_optim_set(o, "nesterov", 1), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_set: nesterov needs a momentum");
    ck_assert(tg_optim_get(o, "nesterov") == 0);
    ck_assert_int_eq(tg_optim_set(o, "momentum", 0.9), TG_OK);
    ck_assert_int_eq(tg_optim_set(o, "nesterov", 1), TG_OK);
    ck_assert_int_eq(tg_optim_set(o, "momentum", 0), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "nesterov");
    ck_assert(tg_optim_get(o, "momentum") == 0.9);
    lone_end(l, o);
}
END_TEST

TCase *tcase_sgd(void);
TCase *tcase_sgd(void) {
    TCase *t = tcase_create("sgd");
    tcase_add_loop_test(t, one_step, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, sixty_steps, 0, 16);
    tcase_add_test(t, momentum_comes_and_goes);
    tcase_add_test(t, nesterov_needs_a_momentum);
    return t;
}
