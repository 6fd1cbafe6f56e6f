/* What rows cannot say of batch_norm: its running statistics, and that each channel is a row of layer_norm. */
#include "tests/ops/harness.h"

#include <math.h>

/* Of the batch 1, 3 | 2, 6: means 2 and 4, variances with n - 1 2 and 8. */
START_TEST(batch_norm_moves_the_running_statistics) {
    const double values[4] = {1, 2, 3, 6};
    tg_tensor *x = tg_from(TG_F64, values, 2, 2);
    tg_tensor *mean = tg_zeros(TG_F64, 2), *var = tg_ones(TG_F64, 2);
    tg_set_requires_grad(x, true);
    tg_batch_norm(x, .running_mean = mean, .running_var = var, .training = true, .momentum = 0.25);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert_double_eq_tol(tg_get(mean, 0), 0.5, 1e-15);
    ck_assert_double_eq_tol(tg_get(mean, 1), 1, 1e-15);
    ck_assert_double_eq_tol(tg_get(var, 0), 0.75 + 0.25 * 2, 1e-15);
    ck_assert_double_eq_tol(tg_get(var, 1), 0.75 + 0.25 * 8, 1e-15);
    ck_assert(!tg_requires_grad(mean));
    tg_tensor *y = tg_batch_norm(x, .running_mean = mean, .running_var = var, .eps = 0.25);
    ck_assert_double_eq_tol(tg_get(y, 3), (6 - 1) / sqrt(0.75 + 0.25 * 8 + 0.25), 1e-14);
    ck_assert_double_eq_tol(tg_get(mean, 1), 1, 1e-15);
}
END_TEST

/* Few numbers, many images, many places, and both; the last of the first image is `large`, so that it has nearly all squares. */
static tg_tensor *batch(int form, double large) {
    static const tg_shape shapes[4] = {{2, {8, 3}}, {2, {400, 3}}, {4, {40, 3, 8, 8}}, {4, {100, 3, 2, 2}}};
    tg_tensor *x = tg_uniform_with(TG_F64, -1, 1, shapes[form]);
    double *v = tg_data_mut(x);
    if (large != 0) v[tg_numel(x) / tg_size(x, 0) - 1] = large;
    return tg_set_requires_grad(x, true);
}

static tg_tensor *channels_first(tg_tensor *t) {
    return tg_reshape(tg_transpose(t, 0, 1), 3, tg_numel(t) / 3);
}

static void same_numbers(tg_tensor *a, tg_tensor *b) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    a = tg_reshape(a, -1), b = tg_reshape(b, -1);
    for (int64_t i = 0; i < tg_numel(a); i++)
        ck_assert_msg(fabs(tg_get(a, i) - tg_get(b, i)) <= 1e-9 * fabs(tg_get(b, i)), "[%d] %.17g, %.17g",
                      (int)i, tg_get(a, i), tg_get(b, i));
}

/* Each channel is a row of layer_norm; with and without a dominant element, of either sign. */
START_TEST(batch_norm_is_layer_norm_of_channels) {
    tg_tensor *x = batch(_i / 3, (_i % 3 - 1) * 1e6), *w = tg_uniform_with(TG_F64, 1, 2, tg_shape_of(x));
    tg_tensor *mean = tg_zeros(TG_F64, 3), *var = tg_zeros(TG_F64, 3), *dx[2];
    tg_tensor *y = tg_batch_norm(x, .training = true, .momentum = 1, .running_mean = mean, .running_var = var);
    tg_tensor *rows = channels_first(x), *z = tg_layer_norm(rows);
    tg_tensor *loss[2] = {tg_sum(tg_mul(y, w)), tg_sum(tg_mul(z, channels_first(w)))};
    for (int i = 0; i < 2; i++) ck_assert_int_eq(tg_grad(1, &loss[i], 1, &x, &dx[i]), TG_OK);
    same_numbers(channels_first(y), z);
    same_numbers(dx[0], dx[1]);
    same_numbers(mean, tg_mean(rows, .axes = TG_SHAPE(1)));
    same_numbers(var, tg_var(rows, .axes = TG_SHAPE(1)));
}
END_TEST

/* A batch too large to go by rows: 200 times the rows (-1, 1000), (0, 1001), (1, 1003), with eps = 22/9. The second
 * channel's mean is no f32 number, and its rounding is a part of the deviations. */
START_TEST(batch_norm_of_many_knows_its_mean) {
    const double want[] = {-0.5669467095138409, -2.0 / 3, 0, -1.0 / 6, 0.5669467095138409, 5.0 / 6};
    tg_tensor *rows =
        tg_to(tg_from(TG_F64, ((const double[]){-1, 1000, 0, 1001, 1, 1003}), 1, 3, 2), _i ? TG_F64 : TG_F32);
    tg_tensor *x = tg_reshape(tg_expand(rows, 200, 3, 2), 600, 2),
              *y = tg_batch_norm(x, .training = true, .eps = 22.0 / 9);
    for (int64_t i = 0; i < 1200; i++) ck_assert_double_eq_tol(tg_get(y, i), want[i % 6], _i ? 1e-13 : 1e-6);
}
END_TEST

/* The same batch times powers of two, also where its squares leave the dtype or are none of it: mean and variance are exact. */
START_TEST(running_statistics_at_every_scale) {
    static const int exponents[2][5] = {{-50, -20, 20, 33, 60}, {-500, -260, 90, 260, 500}};
    const double values[4] = {1, 2, 3, 6};
    tg_dtype f = _i ? TG_F64 : TG_F32;
    for (int k = 0; k < 5; k++) {
        double unit = ldexp(1, exponents[_i][k]);
        tg_tensor *x = tg_mul_scalar(tg_to(tg_from(TG_F64, values, 2, 2), f), unit);
        tg_tensor *mean = tg_zeros(f, 2), *var = tg_zeros(f, 2);
        tg_batch_norm(x, .running_mean = mean, .running_var = var, .training = true, .momentum = 0.25);
        ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
        for (int c = 0; c < 2; c++) {
            ck_assert_double_eq(tg_get(mean, c), 0.25 * (c ? 4 : 2) * unit);
            ck_assert_double_eq(tg_get(var, c), 0.25 * (c ? 8 : 2) * unit * unit);
        }
    }
}
END_TEST

/* After a failure both running values are what they were. */
START_TEST(batch_norm_fails_whole) {
    tg_tensor *x = batch(_i, 0);
    for (int64_t n = 1;; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *mean = tg_zeros(TG_F64, 3), *var = tg_ones(TG_F64, 3);
        tg_memory_fail_at(n);
        tg_tensor *y = tg_batch_norm(x, .running_mean = mean, .running_var = var, .training = true);
        tg_memory_fail_at(-1);
        bool failed = tg_is_poison(y);
        ck_assert_int_eq(tg_error_status(), failed ? TG_ERR_MEMORY : TG_OK);
        ck_assert_int_eq(tg_get(mean, 0) == 0, failed);
        ck_assert_int_eq(tg_get(var, 0) == 1, failed);
        tg_error_clear();
        tg_tape_rewind(mark);
        if (!failed) break;
        ck_assert_int_lt(n, 1000);
    }
}
END_TEST

static void clear(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

TCase *tcase_batch_norm(void) {
    TCase *t = tcase_create("batch_norm");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, batch_norm_moves_the_running_statistics);
    tcase_add_loop_test(t, batch_norm_is_layer_norm_of_channels, 0, 12);
    tcase_add_loop_test(t, batch_norm_of_many_knows_its_mean, 0, 2);
    tcase_add_loop_test(t, batch_norm_fails_whole, 0, 4);
    tcase_add_loop_test(t, running_statistics_at_every_scale, 0, 2);
    return t;
}
