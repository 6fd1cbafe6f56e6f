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
    ck_assert_msg(strstr(tg_error_message(), who) && strstr(tg_error_message(), says), "%s",
                  tg_error_message());
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

START_TEST(what_requires_a_gradient_is_refused) {
    tg_tensor *leaf = tg_set_requires_grad(vector(TG_F64, 1, 2, 3), true), *result = tg_square(leaf);
    refuse(tg_zero_(leaf), TG_ERR_TAPE, "zero_", "recording is on");
    refuse(tg_zero_(result), TG_ERR_TAPE, "zero_", "square");
    ck_assert_ptr_null(tg_inplace(leaf, "own"));
    refuse(tg_error_status(), TG_ERR_TAPE, "own", "recording is on");
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
    ck_assert_ptr_null(tg_inplace(tg_expand(tg_scalar(TG_F64, 1), 3), "own"));
    refuse(tg_error_status(), TG_ERR_ARGUMENT, "own", "several places");
    ck_assert_ptr_null(tg_inplace(NULL, NULL));
    refuse(tg_error_status(), TG_ERR_ARGUMENT, "tg_inplace", "NULL");
    expect(x, 1, 2, 3);
}
END_TEST

/* A change that was refused holds nothing: what was given to it is freed with its handles. */
START_TEST(refused_operands_are_freed) {
    tg_tensor *x = vector(TG_F64, 1, 2, 3);
    for (int f = 0; f < 2; f++)
        for (int of = 0; of < 4; of++) {
            size_t live = tg_memory_now().live_buffer_bytes;
            tg_mark mark = tg_tape_mark();
            tg_tensor *y = of == 0   ? tg_zeros(TG_F32, 3)
                           : of == 1 ? tg_zeros(TG_I32, 3)
                           : of == 2 ? tg_zeros(TG_F64, 2, 3)
                                     : tg_zeros(TG_F64, 2);
            if (f == 0) tg_add_(x, y, 1);
            if (f == 1) tg_mul_(x, y);
            ck_assert_int_ne(tg_error_status(), TG_OK);
            tg_error_clear();
            tg_tape_rewind(mark);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        }
    expect(x, 1, 2, 3);
}
END_TEST

/* A change of one's own, of each dtype: its elements are there, and what saved the old ones refuses and names it. */
START_TEST(own_change) {
    tg_tensor *leaf = tg_set_requires_grad(vector(TG_F64, 1, 2, 3), true), *x = vector((tg_dtype)_i, 1, 0, 1);
    tg_tensor *loss = tg_sum(tg_mul(leaf, tg_to(x, TG_F64))); /* of f64 x itself, else a copy */
    const tg_array *a = tg_inplace(x, "own_change");
    ck_assert_ptr_eq(a, tg_array_of(x));
    for (int i = 0; i < 3; i++) tg_array_set(a, i, i);
    ck_assert(tg_get(x, 0) == 0 && tg_get(x, 1) == 1);
    if (_i == TG_F64)
        refuse(tg_backward(loss), TG_ERR_TAPE, "mul", "own_change");
    else
        ck_assert_int_eq(tg_backward(loss), TG_OK);
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
    tcase_add_test(t, what_requires_a_gradient_is_refused);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, refused_operands_are_freed);
    tcase_add_loop_test(t, own_change, TG_F32, TG_DTYPES);
    tcase_add_test(t, borrowed_memory_is_refused);
    return t;
}
