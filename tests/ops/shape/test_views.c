/* Slices and diagonals of every start, stop, step, offset and pair of axes, the ends of int64 among them, against positions
 * counted one by one; and gradients, which are 1 at each of these; and that views share memory. */
#include "tests/ops/harness.h"

static tg_mark start;
static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
}
static void teardown(void) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(start);
}

/* 0, 1, 2 ... */
static tg_tensor *counting(tg_shape shape) {
    tg_tensor *x = tg_zeros_with(TG_F64, shape);
    for (int64_t i = 0; i < tg_numel(x); i++) tg_array_set(tg_array_of(x), i, (double)i);
    return x;
}

/* ---- slices ---- */

/* Python's rule: a negative position counts from the end; then it is clamped. */
static double position(double i, double size, double low, double high) {
    double at = i < 0 ? i + size : i;
    return at < low ? low : at > high ? high : at;
}

/* Positions of x[from:to:step] of an axis of this size, in order; how many. In double, where nothing wraps. */
static int positions(int size, int64_t from, int64_t to, int64_t step, int at[]) {
    double low = step < 0 ? -1 : 0, high = low + size, i = position((double)from, size, low, high);
    double end = step < 0 && to == TG_END ? -1 : position((double)to, size, low, high);
    int n = 0;
    for (; step > 0 ? i < end : i > end; i += (double)step) at[n++] = (int)i;
    return n;
}

START_TEST(slices) {
    static const int64_t places[] = {0,  1,  3,  5,      6,         -1,         -2,
                                     -5, -6, -7, TG_END, INT64_MAX, -INT64_MAX, INT64_MIN};
    static const int64_t steps[] = {1, 2, 3, 7, -1, -2, -3, INT64_MAX, -INT64_MAX, INT64_MIN};
    enum { P = sizeof places / sizeof *places, S = sizeof steps / sizeof *steps };
    int size = _i, at[8];
    tg_tensor *x = tg_set_requires_grad(counting(TG_SHAPE(2, size, 2)), true), *g;
    for (int k = 0; k < P * P * S; k++) {
        tg_mark mark = tg_tape_mark();
        int64_t from = places[k % P], to = places[k / P % P], step = steps[k / P / P];
        int n = positions(size, from, to, step, at);
        tg_tensor *y = tg_slice(x, 1, from, to, step);
        ck_assert_msg(tg_numel(y) == 4 * n, "%lld:%lld:%lld of %d: %d, not %d", (long long)from,
                      (long long)to, (long long)step, size, (int)tg_numel(y) / 4, n);
        for (int i = 0; i < 4 * n; i++)
            ck_assert_double_eq(tg_get(y, i), i / (2 * n) * 2 * size + at[i / 2 % n] * 2 + i % 2);
        if (k % 7 == 0 && n > 0) {
            tg_tensor *all = tg_sum(y);
            ck_assert_int_eq(tg_grad(1, &all, 1, &x, &g), TG_OK);
            for (int i = 0; i < 4 * size; i++) {
                int there = 0;
                for (int j = 0; j < n; j++) there += at[j] == i / 2 % size;
                ck_assert_double_eq(tg_get(g, i), there);
            }
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- diagonals ---- */

static void check_diagonal(tg_tensor *x, int a, int b, int offset) {
    tg_shape s = tg_shape_of(x);
    tg_tensor *y = tg_diagonal(x, offset, a, b), *all = tg_sum(y), *g;
    tg_shape out = tg_shape_of(y);
    int64_t n = out.dim[out.rank - 1], stride[TG_MAX_RANK], step = 1;
    for (int d = s.rank - 1; d >= 0; d--) stride[d] = step, step *= s.dim[d];
    int64_t rows = s.dim[a] + (offset < 0 ? offset : 0), columns = s.dim[b] - (offset > 0 ? offset : 0);
    int64_t most = rows < columns ? rows : columns;
    ck_assert_int_eq(n, most > 0 ? most : 0);
    if (n == 0) return;
    ck_assert_int_eq(tg_grad(1, &all, 1, &x, &g), TG_OK);
    for (int64_t i = 0; i < tg_numel(y); i++) {
        int64_t at = i % n * (stride[a] + stride[b]) + (offset < 0 ? -offset * stride[a] : offset * stride[b]),
                rest = i / n;
        for (int d = s.rank - 1; d >= 0; d--) {
            if (d == a || d == b) continue;
            at += rest % s.dim[d] * stride[d];
            rest /= s.dim[d];
        }
        ck_assert_msg(tg_get(y, i) == (double)at && tg_get(g, at) == 1,
                      "rank %d, axes %d and %d, offset %d: element %d", s.rank, a, b, offset, (int)i);
    }
    ck_assert_double_eq(tg_item(tg_sum(g)), (double)tg_numel(y));
}

START_TEST(diagonals) {
    static const tg_shape shapes[] = {
        {2, {3, 4}},          {3, {2, 3, 2}},          {4, {2, 3, 2, 3}},
        {5, {3, 2, 1, 3, 2}}, {6, {2, 3, 2, 2, 3, 2}}, {8, {2, 1, 2, 3, 2, 2, 1, 3}}};
    tg_shape s = shapes[_i];
    tg_tensor *x = tg_set_requires_grad(counting(s), true);
    for (int a = 0; a < s.rank; a++)
        for (int b = 0; b < s.rank; b++)
            for (int offset = -2; offset <= 2 && a != b; offset++) {
                tg_mark mark = tg_tape_mark();
                check_diagonal(x, a, b, offset);
                tg_tape_rewind(mark);
            }
}
END_TEST

/* Views see what is written to the tensor they come from, and the other way round. */
START_TEST(parts_share_memory) {
    tg_tensor *x = tg_reshape(tg_arange(TG_F64, 0, 12, 1), 3, 4), *out[3];
    tg_tensor *const views[] = {tg_select(x, 0, 1), tg_narrow(x, 0, 1, 2), tg_flip(x, 0, 1),
                                tg_diagonal(x, 0, 0, 1)};
    tg_fill_(x, 5);
    for (int i = 0; i < COUNT(views); i++)
        for (int64_t k = 0; k < tg_numel(views[i]); k++) ck_assert(tg_get(views[i], k) == 5);
    ck_assert_int_eq(tg_split(x, 1, 3, (int64_t[]){1, 1, 2}, out), TG_OK);
    ck_assert_int_eq(tg_fill_(out[1], 8), TG_OK);
    ck_assert(tg_get(x, 1) == 8 && tg_get(x, 0) == 5 && tg_get(x, 5) == 8);
}
END_TEST

TCase *tcase_views(void) {
    TCase *t = tcase_create("views");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, slices, 0, 7);
    tcase_add_loop_test(t, diagonals, 0, 6);
    tcase_add_test(t, parts_share_memory);
    return t;
}
