/* Operands that are broadcast in rows: the bits of the same op on operands that are written out, for rows of all lengths, however
 * many threads share them. */
#include "tests/ops/harness.h"

#include <math.h>
#include <string.h>

/* Of m rows of n: each element its own, the same row each time, a number a row, one number. */
enum { ALL, ROW, COLUMN, NUMBER, FORMS };

static tg_tensor *operand(int form, tg_dtype dtype, int64_t m, int64_t n) {
    const int64_t rows = form == ALL || form == COLUMN ? m : 1, cols = form == ALL || form == ROW ? n : 1;
    tg_tensor *x = tg_randn(dtype, rows, cols);
    if (tg_numel(x) > 3 && dtype == TG_F32)
        memcpy(tg_data_mut(x), (const float[]){NAN, INFINITY, -0.0f}, sizeof(float[3]));
    return x;
}

static tg_tensor *written_out(tg_tensor *x, int64_t m, int64_t n) {
    return tg_contiguous(tg_expand(x, m, n));
}

/* To the bit; one NaN is as good as another. */
static void expect_bits(const tg_tensor *a, const tg_tensor *b, const char *what, const int64_t *size) {
    ck_assert_int_eq(tg_numel(a), tg_numel(b));
    for (int64_t i = 0; i < tg_numel(a); i++) {
        const double x = tg_get(a, i), y = tg_get(b, i);
        ck_assert_msg((x != x && y != y) || memcmp(&x, &y, sizeof x) == 0,
                      "%s, %d rows of %d, element %d: %.17g and %.17g", what, (int)size[0], (int)size[1], (int)i, x, y);
    }
}

static void compare(tg_dtype dtype, int64_t m, int64_t n) {
    for (int i = 0; i < FORMS * FORMS; i++) {
        const tg_mark before = tg_tape_mark();
        const int64_t size[] = {m, n};
        tg_tensor *a = operand(i / FORMS, dtype, m, n), *b = operand(i % FORMS, dtype, m, n);
        tg_tensor *x = written_out(a, m, n), *y = written_out(b, m, n), *w = tg_randn(dtype, m, n);
        expect_bits(tg_expand(tg_add(a, b), m, n), tg_add(x, y), "add", size);
        expect_bits(tg_expand(tg_hypot(a, b), m, n), tg_hypot(x, y), "hypot", size);
        expect_bits(tg_where(tg_gt(a, b), w, a), tg_where(tg_gt(x, y), w, x), "where", size);
        expect_bits(tg_mul(tg_exp(tg_expand(a, m, n)), w), tg_mul(tg_exp(x), w), "exp", size);
        ck_assert_int_eq(tg_error_status(), TG_OK);
        tg_tape_rewind(before);
    }
}

START_TEST(rows_have_the_bits_of_what_is_written_out) {
    static const int64_t cols[] = {2, 3, 5, 8, 16, 17, 64, 100, 128, 129, 511, 512, 513};
    static const int64_t rows[] = {3, 4, 33, 700};
    tg_set_num_threads(_i % 3 + 1);
    for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            if (rows[k] * cols[i] <= (fast_mode() ? 1 << 10 : 1 << 15)) compare(_i < 3 ? TG_F32 : TG_F64, rows[k], cols[i]);
    tg_set_num_threads(1);
}
END_TEST

/* Gradients of operands in rows, which are sums, next to those of operands that are written out. */
START_TEST(gradients_of_rows_are_sums) {
    tg_tensor *x = tg_randn(TG_F64, 90, 7), *row = tg_set_requires_grad(tg_randn(TG_F64, 7), true),
              *column = tg_set_requires_grad(tg_randn(TG_F64, 90, 1), true);
    tg_tensor *wide = tg_set_requires_grad(tg_contiguous(tg_expand(tg_detach(row), 90, 7)), true);
    tg_backward(tg_sum(tg_tanh(tg_add(tg_mul(x, row), column))));
    tg_backward(tg_sum(tg_tanh(tg_add(tg_mul(x, wide), tg_detach(column)))));
    for (int k = 0; k < 7; k++) {
        double sum = 0;
        for (int i = 0; i < 90; i++) sum += tg_get(tg_grad_of(wide), 7 * i + k);
        ck_assert_double_eq_tol(tg_get(tg_grad_of(row), k), sum, 1e-12);
    }
}
END_TEST

TCase *tcase_rows(void) {
    TCase *t = tcase_create("rows");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, rows_have_the_bits_of_what_is_written_out, 0, 6);
    tcase_add_test(t, gradients_of_rows_are_sums);
    return t;
}
