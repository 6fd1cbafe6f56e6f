/* In-place changes: what they compute, what they refuse, and that a refusal changes nothing. */
#include "tests/ops/harness.h"

#include <math.h>
#include <string.h>

static tg_tensor *vector(tg_dtype dtype, double a, double b, double c) {
    tg_tensor *x = tg_zeros(dtype, 3);
    const double v[3] = {a, b, c};
    for (int i = 0; i < 3; i++) tg_array_set(tg_array_of(x), i, v[i]);
    return x;
}

static void expect(const tg_tensor *x, double a, double b, double c) {
    const double v[3] = {a, b, c};
    double rtol = tg_dtype_of(x) == TG_F32 ? 1e-6 : 1e-14;
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    for (int i = 0; i < 3; i++) ck_assert(close_to(tg_get(x, i), v[i], rtol, 0));
}

/* Raised with these words; then cleared. */
static void refuse(tg_status status, tg_status want, const char *who, const char *says) {
    ck_assert_int_eq(status, want);
    ck_assert_msg(strstr(tg_error_message(), who) && strstr(tg_error_message(), says), "%s", tg_error_message());
    tg_error_clear();
}

START_TEST(arithmetic) {
    tg_dtype f = (tg_dtype)_i;
    tg_tensor *x = vector(f, 1, 2, 3);
    tg_add_(x, vector(f, 10, 20, 30), 0.5);
    expect(x, 6, 12, 18);
    tg_mul_(x, tg_scalar(f, 2)); /* broadcast */
    expect(x, 12, 24, 36);
    tg_add_(x, x, 1); /* itself */
    expect(x, 24, 48, 72);
    tg_copy_(x, vector(TG_I32, 7, 8, 9)); /* converted */
    expect(x, 7, 8, 9);
    tg_fill_(tg_slice(x, 0, 0, 2, 1), -1); /* a view changes what it shows */
    expect(x, -1, -1, 9);
    tg_zero_(x);
    expect(x, 0, 0, 0);
}
END_TEST

/* Reading elements that are being written: the other half, reversed. */
START_TEST(overlap) {
    tg_tensor *x = vector(TG_F64, 1, 2, 3);
    tg_copy_(x, tg_slice(x, 0, TG_END, TG_END, -1));
    expect(x, 3, 2, 1);
}
END_TEST

/* p = 1, 2, 3; g = 0.5, 0, -1; decay 0.1: d = 0.6, 0.2, -0.7 */
START_TEST(sgd) {
    tg_dtype f = (tg_dtype)_i;
    tg_tensor *p = vector(f, 1, 2, 3), *g = vector(f, 0.5, 0, -1), *v = vector(f, 1, -1, 0);
    tg_sgd_(p, NULL, g, .lr = 0.5, .weight_decay = 0.1);
    expect(p, 1 - 0.3, 2 - 0.1, 3 + 0.35);
    p = vector(f, 1, 2, 3);
    tg_sgd_(p, v, g, .lr = 0.5, .weight_decay = 0.1, .momentum = 0.25);
    expect(v, 0.85, -0.05, -0.7);
    expect(p, 1 - 0.425, 2 + 0.025, 3 + 0.35);
    p = vector(f, 1, 2, 3), v = vector(f, 1, -1, 0);
    tg_sgd_(p, v, g, .lr = 0.5, .weight_decay = 0.1, .momentum = 0.25, .nesterov = true);
    expect(p, 1 - 0.5 * (0.6 + 0.25 * 0.85), 2 - 0.5 * (0.2 - 0.25 * 0.05), 3 + 0.5 * (0.7 + 0.25 * 0.7));
}
END_TEST

static double adam_by_hand(double p, double m, double v, double g, double decay, bool decoupled, int t) {
    double d = decoupled ? g : g + decay * p;
    m = 0.9 * m + 0.1 * d;
    v = 0.99 * v + 0.01 * d * d;
    double step = 0.5 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.99, t))) + 1e-3);
    return (decoupled ? p * (1 - 0.5 * decay) : p) - step;
}

START_TEST(adam) {
    for (int decoupled = 0; decoupled < 2; decoupled++)
        for (int t = 1; t < 4; t++) {
            tg_dtype f = (tg_dtype)_i;
            tg_tensor *p = vector(f, 1, 2, -3), *g = vector(f, 0.5, 0, -1);
            tg_tensor *m = vector(f, 0.1, -0.2, 0), *v = vector(f, 0.3, 0.01, 1);
            tg_adam_(p, m, v, g, .lr = 0.5, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.1,
                     .decoupled = decoupled, .t = t);
            expect(p, adam_by_hand(1, 0.1, 0.3, 0.5, 0.1, decoupled, t),
                   adam_by_hand(2, -0.2, 0.01, 0, 0.1, decoupled, t),
                   adam_by_hand(-3, 0, 1, -1, 0.1, decoupled, t));
        }
}
END_TEST

START_TEST(what_requires_a_gradient_is_refused) {
    tg_tensor *leaf = tg_set_requires_grad(vector(TG_F64, 1, 2, 3), true), *result = tg_square(leaf);
    refuse(tg_zero_(leaf), TG_ERR_TAPE, "zero_", "recording is on");
    refuse(tg_zero_(result), TG_ERR_TAPE, "zero_", "square");
    refuse(tg_sgd_(leaf, NULL, leaf, .lr = 1), TG_ERR_TAPE, "sgd_", "recording is on");
    expect(leaf, 1, 2, 3);
    bool was = tg_set_grad_enabled(false);
    tg_fill_(leaf, 5);
    tg_set_grad_enabled(was);
    expect(leaf, 5, 5, 5);
    ck_assert_int_eq(tg_backward(tg_sum(result)), TG_ERR_TAPE); /* square saved it */
    refuse(tg_error_status(), TG_ERR_TAPE, "square", "fill_");
}
END_TEST

START_TEST(bad_input) {
    tg_tensor *x = vector(TG_F64, 1, 2, 3), *f32 = vector(TG_F32, 1, 2, 3), *i32 = vector(TG_I32, 1, 2, 3);
    tg_tensor *two = tg_zeros(TG_F64, 2), *rows = tg_zeros(TG_F64, 2, 3);
    refuse(tg_add_(x, rows, 1), TG_ERR_SHAPE, "add_", "[2, 3]");
    refuse(tg_copy_(x, two), TG_ERR_SHAPE, "copy_", "[2]");
    refuse(tg_mul_(x, f32), TG_ERR_DTYPE, "mul_", "f32");
    refuse(tg_add_(i32, i32, 1), TG_ERR_DTYPE, "add_", "i32");
    refuse(tg_zero_(NULL), TG_ERR_ARGUMENT, "zero_", "NULL");
    refuse(tg_fill_(tg_expand(tg_scalar(TG_F64, 1), 3), 2), TG_ERR_ARGUMENT, "fill_", "several places");
    refuse(tg_sgd_(x, two, x, .lr = 1), TG_ERR_SHAPE, "sgd_", "[2]");
    refuse(tg_sgd_(x, NULL, f32, .lr = 1), TG_ERR_DTYPE, "sgd_", "f32");
    refuse(tg_sgd_(i32, NULL, i32, .lr = 1), TG_ERR_DTYPE, "sgd_", "i32");
    refuse(tg_adam_(x, x, rows, x, .t = 1), TG_ERR_SHAPE, "adam_", "[2, 3]");
    refuse(tg_adam_(x, x, x, two, .t = 1), TG_ERR_SHAPE, "adam_", "[2]");
    expect(x, 1, 2, 3);
}
END_TEST

/* A change that was refused holds nothing: what was given to it is freed with its handles. */
START_TEST(refused_operands_are_freed) {
    tg_tensor *x = vector(TG_F64, 1, 2, 3);
    for (int f = 0; f < 4; f++)
        for (int of = 0; of < 4; of++) {
            size_t live = tg_memory_get_stats().live_buffer_bytes;
            tg_mark mark = tg_tape_mark();
            tg_tensor *y = of == 0   ? tg_zeros(TG_F32, 3)
                           : of == 1 ? tg_zeros(TG_I32, 3)
                           : of == 2 ? tg_zeros(TG_F64, 2, 3)
                                     : tg_zeros(TG_F64, 2);
            if (f == 0) tg_add_(x, y, 1);
            if (f == 1) tg_mul_(x, y);
            if (f == 2) tg_sgd_(x, NULL, y, .lr = 1);
            if (f == 3) tg_sgd_(x, y, x, .lr = 1, .momentum = 0.5);
            ck_assert_int_ne(tg_error_status(), TG_OK);
            tg_error_clear();
            tg_tape_rewind(mark);
            ck_assert_uint_eq(tg_memory_get_stats().live_buffer_bytes, live);
        }
    expect(x, 1, 2, 3);
}
END_TEST

/* Overlapping memory, in every pair of places, and beside it none. */
START_TEST(steps_want_separate_tensors) {
    tg_tensor *all = tg_zeros(TG_F64, 12), *part[4];
    for (int i = 0; i < 4; i++) part[i] = tg_slice(all, 0, 3 * i, 3 * i + 3, 1);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            if (i == j) continue;
            tg_tensor *t[4] = {part[0], part[1], part[2], part[3]};
            t[i] = j % 2 ? part[j] : tg_slice(all, 0, 3 * j + 2, j ? 3 * j - 1 : TG_END, j ? -1 : 4); /* backwards, wide */
            refuse(tg_adam_(t[0], t[1], t[2], t[3], .lr = 1, .t = 1), TG_ERR_ARGUMENT, "adam_", "share memory");
            if (i == 2 || j == 2) continue;
            refuse(tg_sgd_(t[0], t[1], t[3], .lr = 1, .momentum = 0.5), TG_ERR_ARGUMENT, "sgd_", "share memory");
        }
    refuse(tg_sgd_(part[0], NULL, part[0], .lr = 1), TG_ERR_ARGUMENT, "sgd_", "share memory");
    for (int i = 0; i < 12; i++) ck_assert_double_eq(tg_get(all, i), 0);
    tg_fill_(part[3], 1);
    tg_sgd_(part[0], part[1], part[3], .lr = 2, .momentum = 0.5);
    tg_adam_(part[2], part[1], part[0], part[3], .lr = 1, .beta1 = 0.9, .beta2 = 0.9, .t = 1);
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

START_TEST(steps_check_their_numbers) {
    static const double odd[] = {-0.1, NAN, INFINITY, -INFINITY};
    tg_tensor *x[4];
    for (int i = 0; i < 4; i++) x[i] = vector(TG_F64, 1, 2, 3);
    for (int i = 0; i < COUNT(odd); i++) {
        double v = odd[i];
        refuse(tg_sgd_(x[0], x[1], x[3], .lr = v), TG_ERR_ARGUMENT, "sgd_", "lr");
        refuse(tg_sgd_(x[0], x[1], x[3], .lr = 1, .momentum = v), TG_ERR_ARGUMENT, "sgd_", "momentum");
        refuse(tg_sgd_(x[0], x[1], x[3], .lr = 1, .weight_decay = v), TG_ERR_ARGUMENT, "sgd_", "weight_decay");
        refuse(tg_adam_(x[0], x[1], x[2], x[3], .lr = v, .t = 1), TG_ERR_ARGUMENT, "adam_", "lr");
        refuse(tg_adam_(x[0], x[1], x[2], x[3], .beta1 = v, .t = 1), TG_ERR_ARGUMENT, "adam_", "beta1");
        refuse(tg_adam_(x[0], x[1], x[2], x[3], .beta2 = v, .t = 1), TG_ERR_ARGUMENT, "adam_", "beta2");
        refuse(tg_adam_(x[0], x[1], x[2], x[3], .eps = v, .t = 1), TG_ERR_ARGUMENT, "adam_", "eps");
        refuse(tg_adam_(x[0], x[1], x[2], x[3], .weight_decay = v, .t = 1), TG_ERR_ARGUMENT, "adam_", "weight_decay");
    }
    refuse(tg_adam_(x[0], x[1], x[2], x[3], .beta1 = 1, .t = 1), TG_ERR_ARGUMENT, "adam_", "beta1");
    refuse(tg_adam_(x[0], x[1], x[2], x[3], .beta2 = 1, .t = 1), TG_ERR_ARGUMENT, "adam_", "beta2");
    refuse(tg_adam_(x[0], x[1], x[2], x[3], .lr = 1), TG_ERR_ARGUMENT, "adam_", "count from 1");
    refuse(tg_sgd_(x[0], NULL, x[3], .lr = 1, .momentum = 0.5), TG_ERR_ARGUMENT, "sgd_", "velocity");
    refuse(tg_sgd_(x[0], NULL, x[3], .lr = 1, .nesterov = true), TG_ERR_ARGUMENT, "sgd_", "velocity");
    for (int i = 0; i < 4; i++) expect(x[i], 1, 2, 3);
}
END_TEST

/* Every state that a step changes has a new version: what saved it refuses, and names the step. */
START_TEST(steps_raise_all_versions) {
    for (int which = 0; which < 5; which++) {
        tg_tensor *t[4], *leaf = tg_set_requires_grad(vector(TG_F64, 1, 2, 3), true);
        for (int i = 0; i < 4; i++) t[i] = vector(TG_F64, 1, 2, 3);
        tg_tensor *loss = tg_sum(tg_mul(leaf, t[which < 3 ? which : which - 3]));
        if (which < 3)
            tg_adam_(t[0], t[1], t[2], t[3], .lr = 0.1, .beta1 = 0.9, .beta2 = 0.9, .eps = 1, .t = 1);
        else
            tg_sgd_(t[0], t[1], t[3], .lr = 0.1, .momentum = 0.9);
        refuse(tg_backward(loss), TG_ERR_TAPE, "mul", which < 3 ? "adam_" : "sgd_");
    }
}
END_TEST

/* A thousand steps with gradients of changing sign against the recurrence in long double. */
START_TEST(adam_after_a_thousand_steps) {
    tg_dtype f = (tg_dtype)_i;
    const long double b1 = 0.9L, b2 = 0.999L;
    long double p = 1, m = 0, v = 0;
    tg_tensor *x = vector(f, 1, 1, 1), *first = tg_zeros(f, 3), *second = tg_zeros(f, 3), *g = tg_zeros(f, 3);
    for (int t = 1; t <= 1000; t++) {
        double d = t % 7 - 2.5;
        tg_fill_(g, d);
        tg_adam_(x, first, second, g, .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .t = t);
        m = b1 * m + (1 - b1) * d, v = b2 * v + (1 - b2) * d * d;
        p -= 1e-2L * (m / (1 - powl(b1, t))) / (sqrtl(v / (1 - powl(b2, t))) + 1e-8L);
    }
    ck_assert_int_eq(tg_error_status(), TG_OK);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol(tg_get(x, i), (double)p, f == TG_F64 ? 1e-12 : 1e-4);
}
END_TEST

/* An array of the user's own has no buffer, and so no version. */
START_TEST(borrowed_memory_is_refused) {
    double own[3] = {1, 2, 3};
    tg_array a = {.data = own, .numel = 3, .dtype = TG_F64, .rank = 1, .shape = {3}, .stride = {1}};
    tg_tensor *x = tg_from_array(&a);
    if (tg_error_status() == TG_OK) {
        refuse(tg_fill_(x, 7), TG_ERR_ARGUMENT, "fill_", "memory");
        refuse(tg_add_(x, tg_scalar(TG_F64, 1), 1), TG_ERR_ARGUMENT, "add_", "memory");
    }
    for (int i = 0; i < 3; i++) ck_assert_double_eq(own[i], i + 1);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_inplace(void) {
    TCase *t = tcase_create("inplace");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, arithmetic, TG_F32, TG_F64 + 1);
    tcase_add_test(t, overlap);
    tcase_add_loop_test(t, sgd, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, adam, TG_F32, TG_F64 + 1);
    tcase_add_test(t, what_requires_a_gradient_is_refused);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, refused_operands_are_freed);
    tcase_add_test(t, steps_want_separate_tensors);
    tcase_add_test(t, steps_check_their_numbers);
    tcase_add_test(t, steps_raise_all_versions);
    tcase_add_loop_test(t, adam_after_a_thousand_steps, TG_F32, TG_F64 + 1);
    tcase_add_test(t, borrowed_memory_is_refused);
    return t;
}
