/* Long rows and long runs, against plain loops: sorts, scans and scatters past every block; numbers beyond 2^53; gradients
 * that an op adds to in place; windows of every kind; recurrent rows at several threads. */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tg_mark start;
static int threads;
static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
    threads = tg_num_threads();
}
static void teardown(void) {
    tg_set_num_threads(threads);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(start);
}

static uint64_t mixed(uint64_t i) {
    uint64_t h = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 8;
}

static tg_tensor *wholes(tg_dtype dtype, tg_shape shape, int salt) {
    tg_tensor *x = tg_zeros_with(dtype, shape);
    for (int64_t i = 0; i < tg_numel(x); i++)
        tg_array_set(tg_array_of(x), i, (double)(mixed((uint64_t)i * 5 + (uint64_t)salt) % 7) - 3);
    return x;
}

#define NEAR(is, want, tolerance) near_at(__LINE__, is, want, tolerance)
static void near_at(int line, double is, double want, double tolerance) {
    if (!(is == want || fabs(is - want) <= tolerance * fmax(1, fabs(want))))
        ck_abort_msg("line %d: %.17g, not %.17g: %s", line, is, want, tg_error_message());
}

/* ---- sorting ---- */

typedef struct entry {
    double v;
    int64_t at;
} entry;
static bool down;
static int in_order(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int by = isnan(x->v) != isnan(y->v) ? (isnan(x->v) ? 1 : -1) : x->v < y->v ? -1 : x->v > y->v;
    if (down) by = -by;
    return by ? by : (x->at > y->at) - (x->at < y->at);
}

/* Of every length around a run and its doubles; many ties, zeros of both signs, NaN; rows side by side and apart. */
START_TEST(sorts_of_all_lengths) {
    static const int64_t lengths[] = {1,  2,  3,  8,  9,  15,  16,  17,  31,  32,   33,   47,  48,
                                      49, 63, 64, 65, 97, 128, 129, 255, 257, 1000, 1025, 5001};
    int64_t n = lengths[_i];
    entry *e = malloc((size_t)n * sizeof *e);
    for (int k = 0; k < 2 * TG_DTYPES; k++)
        for (int axis = 0; axis < 2; axis++) {
            tg_mark mark = tg_tape_mark();
            tg_dtype dtype = (tg_dtype)(k / 2);
            tg_tensor *x = axis ? tg_zeros(dtype, 3, n) : tg_zeros(dtype, n, 3), *index, *y;
            for (int64_t i = 0; i < 3 * n; i++) {
                uint64_t h = mixed((uint64_t)i);
                double v =
                    (double)(h % (i % 3 == 2 ? 100003 : 7)) - (dtype == TG_U8 || dtype == TG_BOOL ? 0 : 3);
                if (v == 0 && h % 2) v = -0.0;
                if (h % 97 == 5 && dtype <= TG_F64) v = (double)NAN;
                tg_array_set(tg_array_of(x), i, dtype == TG_U8 ? (double)(h % 256) : v);
            }
            down = k % 2;
            tg_set_num_threads(1 + k % 3);
            y = tg_sort(x, axis, .descending = down, .index = &index);
            for (int64_t row = 0; row < 3; row++) {
                for (int64_t i = 0; i < n; i++)
                    e[i] = (entry){tg_get(x, axis ? row * n + i : i * 3 + row), i};
                qsort(e, (size_t)n, sizeof *e, in_order);
                for (int64_t i = 0; i < n; i++) {
                    int64_t at = axis ? row * n + i : i * 3 + row;
                    if (tg_get(index, at) != (double)e[i].at)
                        ck_abort_msg("%s, %d of %d, axis %d: from %g, not %d", tg_dtype_name(dtype), (int)i,
                                     (int)n, axis, tg_get(index, at), (int)e[i].at);
                    NEAR(isnan(e[i].v) ? isnan(tg_get(y, at)) : tg_get(y, at), isnan(e[i].v) ? 1 : e[i].v, 0);
                }
            }
            tg_tape_rewind(mark);
        }
    free(e);
}
END_TEST

/* ---- scans ---- */

START_TEST(scans_side_by_side) {
    static const tg_shape shapes[] = {{3, {2, 40, 65}}, {3, {3, 5, 129}}, {2, {9, 700}},    {2, {7, 3000}},
                                      {3, {2, 3, 64}},  {2, {1, 5}},      {3, {5, 300, 1}}, {2, {70000, 1}},
                                      {2, {11, 1}},     {3, {2, 9, 193}}};
    tg_shape s = _i < 10   ? shapes[_i]
                 : _i < 26 ? TG_SHAPE(2, 6, 118 + _i)
                           : TG_SHAPE(102 + _i, 6); /* every rest */
    for (int form = 0; form < 16; form++) {
        tg_mark mark = tg_tape_mark();
        tg_dtype dtype = (tg_dtype)(form % 4); /* f32, f64, i32, i64 */
        bool reverse = form & 4, exclusive = form & 8;
        int axis = 1;
        int64_t n = s.dim[1], inner = s.rank > 2 ? s.dim[2] : 1;
        tg_tensor *x = tg_zeros_with(dtype, s), *sum, *product;
        for (int64_t i = 0; i < tg_numel(x); i++)
            tg_array_set(tg_array_of(x), i,
                         dtype >= TG_I32 ? (double)((int64_t)(mixed((uint64_t)i) % 2001) - 1000)
                                         : (double)(mixed((uint64_t)i) % 1000) / 999);
        tg_set_num_threads(1 + form % 3);
        sum = tg_cumsum(x, axis, .reverse = reverse, .exclusive = exclusive);
        product = tg_cumprod(dtype >= TG_I32 ? x : tg_affine(x, 0.01, 1), axis, .reverse = reverse,
                             .exclusive = exclusive);
        tg_tensor *factor = dtype >= TG_I32 ? x : tg_affine(x, 0.01, 1);
        for (int64_t line = 0; line < tg_numel(x) / (n ? n : 1); line++) {
            int64_t from = line / inner * inner * n + line % inner, whole = 0, times = 1;
            double total = 0, by = 1, unit = dtype == TG_F32 ? 0x1p-24 : 0x1p-53;
            for (int64_t k = 0; k < n; k++) {
                int64_t at = from + (reverse ? n - 1 - k : k) * inner;
                int64_t whole_before = whole, times_before = times;
                double total_before = total, by_before = by;
                if (dtype >= TG_I32) {
                    int64_t v = (int64_t)tg_get(x, at);
                    whole += v, times = (int64_t)((uint64_t)times * (uint64_t)v);
                    ck_assert_int_eq(((const int64_t *)tg_data(sum))[at], exclusive ? whole_before : whole);
                    ck_assert_int_eq(((const int64_t *)tg_data(product))[at], exclusive ? times_before : times);
                } else {
                    total += tg_get(x, at), by *= tg_get(factor, at);
                    NEAR(tg_get(sum, at), exclusive ? total_before : total,
                         unit * 2 + (dtype == TG_F64 ? 1e-12 : 1e-9));
                    NEAR(tg_get(product, at), exclusive ? by_before : by,
                         unit * 2 + (dtype == TG_F64 ? 1e-12 : 1e-9));
                }
            }
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- whole numbers beyond 2^53 ---- */

static tg_tensor *large(int64_t n, int64_t step) {
    tg_tensor *x = tg_zeros(TG_I64, n);
    int64_t *p = tg_data_mut(x);
    for (int64_t i = 0; i < n; i++)
        p[i] = (INT64_C(1) << 54) + i * step + 1 - (i % 3 == 1 ? INT64_C(1) << 55 : 0);
    return x;
}

#define WHOLES(x, want) \
    do { \
        const int64_t *is = tg_data(tg_contiguous(x)); \
        for (int64_t i = 0; is && i < tg_numel(x); i++) \
            ck_assert_msg(is[i] == (want), "line %d, element %d: %lld", __LINE__, (int)i, (long long)is[i]); \
        ck_assert_msg(is != NULL, "%s", tg_error_message()); \
    } while (0)

START_TEST(large_whole_numbers) {
    tg_tensor *a = large(40, 1), *b = large(40, 3);
    const int64_t *p = tg_data(a), *q = tg_data(b);
    WHOLES(tg_add(a, b), p[i] + q[i]);
    WHOLES(tg_sub(a, b), p[i] - q[i]);
    WHOLES(tg_mul(a, tg_affine(tg_sub(a, a), 1, 3)), p[i] * 3);
    WHOLES(tg_div(a, tg_affine(tg_sub(a, a), 1, 7)), p[i] / 7);
    WHOLES(tg_neg(a), -p[i]);
    WHOLES(tg_affine(a, 1, 0x1p40), p[i] + (INT64_C(1) << 40));
    WHOLES(tg_affine(a, -5, -0x1p62), (int64_t)((uint64_t)p[i] * (uint64_t)-5 - (UINT64_C(1) << 62)));
    WHOLES(tg_maximum(a, b), p[i] > q[i] ? p[i] : q[i]);
    WHOLES(tg_minimum(a, b), p[i] < q[i] ? p[i] : q[i]);
    WHOLES(tg_where(tg_lt(a, b), a, b), p[i] < q[i] ? p[i] : q[i]);
    WHOLES(tg_where(tg_eq(a, b), a, tg_neg(b)), p[i] == q[i] ? p[i] : -q[i]);
    WHOLES(tg_concat(0, a, b), i < 40 ? p[i] : q[i - 40]);
    WHOLES(tg_pad(a, .before = TG_SHAPE(1)), i ? p[i - 1] : 0);
    WHOLES(tg_flip_with(a, TG_SHAPE(0)), p[39 - i]);
    WHOLES(tg_index_select(a, 0, tg_to(tg_arange(TG_F64, 39, -1, -1), TG_I32)), p[39 - i]);
    WHOLES(tg_gather(a, 0, tg_to(tg_arange(TG_F64, -40, 0, 1), TG_I64)), p[i]);
    WHOLES(tg_scatter(a, 0, tg_to(tg_arange(TG_F64, 0, 40, 1), TG_I64), b), q[i]);
    WHOLES(tg_cumsum(tg_slice(a, 0, 0, 6, 1), 0), i == 0   ? p[0]
                                                  : i == 1 ? p[0] + p[1]
                                                  : i == 2 ? p[0] + p[1] + p[2]
                                                           : is[i]);
    int64_t sum = 0, product = 1;
    for (int i = 0; i < 40; i++) sum += p[i], product = (int64_t)((uint64_t)product * (uint64_t)p[i]);
    WHOLES(tg_sum(a), sum);
    WHOLES(tg_prod(a), product);
    tg_tensor *index, *sorted = tg_sort(a, 0, .index = &index);
    WHOLES(sorted, p[(int64_t)tg_get(index, i)]);
    const int64_t *s = tg_data(sorted);
    for (int i = 1; i < 40; i++) ck_assert(s[i - 1] < s[i]);
    tg_tensor *copy = tg_zeros(TG_I64, 40);
    ck_assert_int_eq(tg_copy_(copy, a), TG_OK);
    WHOLES(copy, p[i]);
    ck_assert(tg_get(tg_any(tg_sub(a, a)), 0) == 0 && tg_get(tg_all(a), 0) == 1);
    tg_tensor *upper = tg_affine(tg_sub(a, a), 1, 0x1p32); /* whose lower half is 0 */
    ck_assert(tg_get(tg_any(upper), 0) == 1 && tg_get(tg_all(tg_logical_not(upper)), 0) == 0);
    for (int i = 0; i < 40; i++)
        ck_assert(tg_get(tg_to(upper, TG_BOOL), i) == 1 && tg_get(tg_to(upper, TG_I32), i) == (double)INT32_MIN);
}
END_TEST

/* ---- indices ---- */

/* Of hundreds of equal indices the last stays, and has the gradient; in a long list one is outside, wherever it is. */
START_TEST(long_lists_of_indices) {
    enum { N = 700 };
    for (int type = 0; type < 2; type++) {
        tg_dtype dtype = type ? TG_I32 : TG_I64;
        tg_tensor *x = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(9), 1), true),
                  *src = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(N), 2), true),
                  *index = tg_zeros(dtype, N), *g[2];
        int64_t last[9];
        for (int64_t i = 0; i < N; i++) {
            int64_t at = (int64_t)(mixed((uint64_t)i) % 18) - 9;
            tg_array_set(tg_array_of(index), i, (double)at);
            last[at < 0 ? at + 9 : at] = i;
        }
        tg_tensor *y = tg_scatter(x, 0, index, src), *seed = wholes(TG_F64, TG_SHAPE(9), 3), *in[2] = {x, src};
        ck_assert_int_eq(tg_grad(1, &y, 2, in, g, .seeds = &seed), TG_OK);
        for (int k = 0; k < 9; k++) NEAR(tg_get(y, k), tg_get(src, last[k]), 0), NEAR(tg_get(g[0], k), 0, 0);
        for (int64_t i = 0; i < N; i++) {
            int64_t at = (int64_t)tg_get(index, i);
            at += at < 0 ? 9 : 0;
            NEAR(tg_get(g[1], i), last[at] == i ? tg_get(seed, at) : 0, 0);
        }
        static const int64_t places[] = {0, 1, 255, 256, 257, 511, 512, 699},
                             wrong[] = {9, -10, 100, INT32_MIN};
        for (size_t p = 0; p < sizeof places / sizeof *places; p++)
            for (int w = 0; w < 4; w++) {
                for (int64_t n = places[p] + 1; n <= N; n += N - places[p] - 1 ? N - places[p] - 1 : N) {
                    tg_tensor *few = tg_contiguous(tg_slice(index, 0, 0, n, 1)),
                              *bad = tg_add(few, tg_sub(few, few));
                    tg_array_set(tg_array_of(bad), places[p], (double)wrong[w]);
                    size_t live = tg_memory_now().live_buffer_bytes;
                    char want[64];
                    snprintf(want, sizeof want, "index %lld", (long long)wrong[w]);
                    tg_tensor *const got[] = {tg_index_select(x, 0, bad), tg_gather(x, 0, bad)};
                    for (int k = 0; k < 2; k++) ck_assert(tg_is_poison(got[k]));
                    ck_assert_msg(strstr(tg_error_message(), want), "%s", tg_error_message());
                    tg_error_clear();
                    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                }
            }
        tg_tensor *table = tg_zeros(TG_F64, 5, 4, 3), *where = tg_zeros(dtype, 5, 4, 2);
        tg_array_set(tg_array_of(where), 4 * 8 + 2 * 2 + 1, 3);
        ck_assert(tg_is_poison(tg_gather(table, 2, where)));
        ck_assert_msg(strstr(tg_error_message(), "[4, 2, 1]"), "%s", tg_error_message());
        tg_error_clear();
    }
}
END_TEST

START_TEST(many_pieces_joined) {
    for (int n = 1; n <= 40; n += n == 15 || n == 16 || n == 17 ? 1 : 7) {
        if (n > 8 && n < 15) n = 15;
        tg_tensor *x[40], *g[40];
        for (int i = 0; i < n; i++) x[i] = tg_set_requires_grad(tg_full(TG_F64, i + 1, 2), true);
        size_t bytes = 0;
        for (int round = 0; round < 3; round++) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *y = tg_stack_with(1, n, x), *seed = wholes(TG_F64, TG_SHAPE(2, n), 1);
            for (int i = 0; i < n; i++) NEAR(tg_get(y, n + i), i + 1, 0);
            ck_assert_int_eq(tg_grad(1, &y, n, x, g, .seeds = &seed), TG_OK);
            for (int i = 0; i < n; i++) NEAR(tg_get(g[i], 1), tg_get(seed, n + i), 0);
            tg_tape_rewind(mark);
            tg_memory_trim();
            if (round == 1) bytes = tg_memory_now().system_bytes;
        }
        ck_assert_uint_eq(tg_memory_now().system_bytes, bytes);
    }
}
END_TEST

/* ---- ops that add to the gradient so far ---- */

typedef struct adding_op {
    const char *name;
    tg_shape x;
    tg_tensor *(*f)(tg_tensor *x);
} adding_op;

static tg_tensor *indices(int64_t n, int64_t size) {
    tg_tensor *t = tg_zeros(TG_I64, n);
    for (int64_t i = 0; i < n; i++) tg_array_set(tg_array_of(t), i, (double)(i * 3 % size));
    return t;
}
static tg_tensor *of_left(tg_tensor *x) { return tg_matmul(x, wholes(TG_F64, TG_SHAPE(4, 5), 11)); }
static tg_tensor *of_right(tg_tensor *x) { return tg_matmul(wholes(TG_F64, TG_SHAPE(6, 3), 12), x); }
static tg_tensor *of_input(tg_tensor *x) { return tg_linear(x, wholes(TG_F64, TG_SHAPE(2, 4), 13)); }
static tg_tensor *of_weight(tg_tensor *x) { return tg_linear(wholes(TG_F64, TG_SHAPE(5, 4), 14), x); }
static tg_tensor *of_slice(tg_tensor *x) { return tg_slice(x, 1, 1, 3, 1); }
static tg_tensor *of_gather(tg_tensor *x) { return tg_gather(x, 0, tg_reshape(indices(4, 3), 1, 4)); }
static tg_tensor *of_select(tg_tensor *x) { return tg_index_select(x, 1, indices(6, 4)); }
static tg_tensor *of_diagonal(tg_tensor *x) { return tg_diagonal(x, 1, 0, 1); }
static tg_tensor *of_filter(tg_tensor *x) {
    return tg_conv2d(wholes(TG_F64, TG_SHAPE(6, 1, 5, 6), 15), tg_reshape(x, 1, 1, 3, 4));
}
static const adding_op adding_ops[] = {
    {"matmul, left", {2, {3, 4}}, of_left},    {"matmul, right", {2, {3, 4}}, of_right},
    {"linear, input", {2, {3, 4}}, of_input},  {"linear, weight", {2, {3, 4}}, of_weight},
    {"slice", {2, {3, 4}}, of_slice},          {"gather", {2, {3, 4}}, of_gather},
    {"index_select", {2, {3, 4}}, of_select},  {"diagonal", {2, {3, 4}}, of_diagonal},
    {"conv2d, weight", {2, {3, 4}}, of_filter}};
enum { N_ADDING_OPS = sizeof adding_ops / sizeof *adding_ops };

/* The other use of x, whose gradient is there first: shared with b, turned, repeated, or its own. */
static tg_tensor *other_use(int which, tg_tensor *x, tg_tensor *b) {
    if (which == 0) return tg_sum(tg_mul(tg_add(x, b), wholes(TG_F64, TG_SHAPE(3, 4), 21)));
    if (which == 1) return tg_sum(tg_mul(tg_transpose(x, 0, 1), wholes(TG_F64, TG_SHAPE(4, 3), 22)));
    if (which == 2) return tg_sum(x);
    if (which == 3) return tg_sum(tg_mul(x, b));
    return tg_sum(tg_mul(tg_sub(tg_add(x, b), tg_add(x, x)), wholes(TG_F64, TG_SHAPE(3, 4), 23)));
}

START_TEST(gradients_added_to) {
    const adding_op *l = &adding_ops[_i];
    for (int which = 0; which < 5; which++)
        for (int order = 0; order < 2; order++)
            for (int twice = 0; twice < 2; twice++) {
                tg_tensor *x = tg_set_requires_grad(wholes(TG_F64, l->x, 1), true),
                          *b = tg_set_requires_grad(wholes(TG_F64, l->x, 2), true), *in[2] = {x, b}, *g[2],
                          *one[2], *two[2];
                tg_tensor *f = l->f(x), *weight = wholes(TG_F64, tg_shape_of(f), 3),
                          *first = tg_sum(tg_mul(f, weight));
                if (twice) first = tg_add(first, tg_sum(tg_mul(l->f(x), weight)));
                tg_tensor *second = other_use(which, x, b), *late = tg_sum(tg_mul(l->f(x), weight));
                tg_tensor *y = order ? tg_add(first, second) : tg_add(second, late);
                ck_assert_int_eq(
                    tg_grad(1, order ? &first : &late, 2, in, one, .retain = true, .allow_unused = true),
                    TG_OK);
                ck_assert_int_eq(tg_grad(1, &second, 2, in, two, .retain = true, .allow_unused = true), TG_OK);
                ck_assert_int_eq(tg_grad(1, &y, 2, in, g, .retain = true, .allow_unused = true), TG_OK);
                for (int k = 0; k < 2; k++)
                    for (int64_t i = 0; i < 12; i++)
                        if (tg_get(g[k], i) != tg_get(one[k], i) + tg_get(two[k], i))
                            ck_abort_msg("%s, use %d, order %d: gradient %d is %g at %d, not %g", l->name,
                                         which, order, k, tg_get(g[k], i), (int)i,
                                         tg_get(one[k], i) + tg_get(two[k], i));
            }
}
END_TEST

/* Changes of a tensor by a view of itself that overlaps: as if the view had been copied first. */
START_TEST(changes_by_views_of_itself) {
    for (int way = 0; way < 6; way++)
        for (int op = 0; op < 3; op++) {
            tg_tensor *x = wholes(TG_F64, TG_SHAPE(4, 4), 1),
                      *was = tg_contiguous(tg_transpose(tg_transpose(x, 0, 1), 0, 1)), *view, *apart;
            was = tg_add(x, tg_zeros(TG_F64, 4, 4));
            tg_tensor *const of[2] = {x, was};
            tg_tensor *v[2];
            for (int k = 0; k < 2; k++)
                v[k] = way == 0   ? tg_transpose(of[k], 0, 1)
                       : way == 1 ? tg_flip_with(of[k], TG_SHAPE(0))
                       : way == 2 ? tg_slice(of[k], 0, 1, 2, 1)
                       : way == 3 ? tg_slice(of[k], 1, 0, 1, 1)
                       : way == 4 ? of[k]
                                  : tg_slice(of[k], 0, TG_END, TG_END, -1);
            view = v[0], apart = v[1];
            tg_tensor *want = op == 0   ? tg_add(tg_mul_scalar(was, 0), apart)
                              : op == 1 ? tg_add(was, tg_mul_scalar(apart, 2))
                                        : tg_mul(was, apart);
            ck_assert_int_eq(op == 0   ? tg_copy_(x, view)
                             : op == 1 ? tg_add_(x, view, 2)
                                       : tg_mul_(x, view),
                             TG_OK);
            for (int64_t i = 0; i < 16; i++) NEAR(tg_get(x, i), tg_get(want, i), 0);
            size_t live = tg_memory_now().live_buffer_bytes; /* what is refused leaves nothing */
            tg_tensor *narrow = tg_to(view, TG_F32), *wrong = tg_zeros(TG_F64, 3);
            live = tg_memory_now().live_buffer_bytes;
            ck_assert_int_ne(tg_add_(x, narrow, 1), TG_OK);
            tg_error_clear();
            ck_assert_int_ne(tg_mul_(x, wrong), TG_OK);
            tg_error_clear();
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        }
}
END_TEST

/* ---- windows ---- */

/* Means of windows, padding counted or not, by the loop; all sizes of an adaptive pool. */
START_TEST(means_of_windows) {
    tg_tensor *x = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(7, 2, 11, 9), 1), true), *g;
    for (int form = 0; form < 24; form++) {
        int64_t kernel = 2 + form % 3, stride = 1 + form / 3 % 2, padding = form / 6 % 2, in[2] = {11, 9};
        bool without = form / 12;
        tg_tensor *y = tg_avg_pool2d(x, .kernel = {kernel, kernel}, .stride = {stride, stride},
                                     .padding = {padding, padding}, .exclude_padding = without);
        double *dx = calloc(7 * 2 * 99, sizeof *dx);
        for (int64_t i = 0, h = tg_size(y, 2), w = tg_size(y, 3); i < tg_numel(y); i++) {
            int64_t plane = i / (h * w) * 99, top = i / w % h * stride - padding,
                    left = i % w * stride - padding, n = 0;
            double sum = 0;
            for (int64_t k = 0; k < kernel * kernel; k++) {
                int64_t r = top + k / kernel, c = left + k % kernel;
                if (r < 0 || r >= in[0] || c < 0 || c >= in[1]) continue;
                sum += tg_get(x, plane + r * 9 + c), n++;
            }
            double by = (double)(without ? n : kernel * kernel);
            NEAR(tg_get(y, i), sum / by, 1e-14);
            for (int64_t k = 0; k < kernel * kernel; k++) {
                int64_t r = top + k / kernel, c = left + k % kernel;
                if (r >= 0 && r < in[0] && c >= 0 && c < in[1]) dx[plane + r * 9 + c] += 1 / by;
            }
        }
        tg_tensor *seed = tg_ones_with(TG_F64, tg_shape_of(y));
        tg_grad(1, &y, 1, &x, &g, .seeds = &seed);
        for (int64_t i = 0; i < tg_numel(x); i++) NEAR(tg_get(g, i), dx[i], 1e-13);
        free(dx);
    }
    for (int64_t out = 1; out <= 13; out++) {
        tg_tensor *y = tg_adaptive_avg_pool2d(x, out, 10 - out > 0 ? 10 - out : 1);
        for (int64_t i = 0, h = tg_size(y, 2), w = tg_size(y, 3); i < tg_numel(y); i++) {
            int64_t r = i / w % h, c = i % w, top = r * 11 / h, bottom = ((r + 1) * 11 + h - 1) / h,
                    left = c * 9 / w, right = ((c + 1) * 9 + w - 1) / w;
            double sum = 0;
            for (int64_t a = top; a < bottom; a++)
                for (int64_t b = left; b < right; b++) sum += tg_get(x, i / (h * w) * 99 + a * 9 + b);
            NEAR(tg_get(y, i), sum / (double)((bottom - top) * (right - left)), 1e-14);
        }
    }
}
END_TEST

/* Columns of windows by the loop, in both types, of more images than one; folding them again adds up. */
START_TEST(columns_of_windows) {
    for (int form = 0; form < 36; form++) {
        tg_dtype dtype = (tg_dtype)(form % 2);
        int64_t stride = 1 + form / 2 % 3, padding = form / 6 % 2, dilation = 1 + form / 12 % 3, rows, cols,
                in[2] = {13, 17}, k[2] = {2, 3};
        tg_tensor *x = wholes(dtype, TG_SHAPE(9, 3, 13, 17), form),
                  *y = tg_unfold(x, .kernel = {2, 3}, .stride = {stride, stride + 1}, .padding = {padding, 1},
                                 .dilation = {dilation, 1});
        rows = (in[0] + 2 * padding - dilation * (k[0] - 1) - 1) / stride + 1,
        cols = (in[1] + 2 - (k[1] - 1) - 1) / (stride + 1) + 1;
        ck_assert_int_eq(tg_numel(y), 9 * 3 * 6 * rows * cols);
        double *back = calloc((size_t)tg_numel(x), sizeof *back);
        for (int64_t i = 0; i < tg_numel(y); i++) {
            int64_t place = i % (rows * cols), tap = i / (rows * cols) % 6, channel = i / (rows * cols) / 6;
            int64_t r = place / cols * stride - padding + tap / 3 * dilation,
                    c = place % cols * (stride + 1) - 1 + tap % 3;
            bool inside = r >= 0 && r < in[0] && c >= 0 && c < in[1];
            NEAR(tg_get(y, i), inside ? tg_get(x, (channel * in[0] + r) * in[1] + c) : 0, 0);
            if (inside) back[(channel * in[0] + r) * in[1] + c] += tg_get(y, i);
        }
        tg_tensor *z = tg_fold(y, 13, 17, .kernel = {2, 3}, .stride = {stride, stride + 1},
                               .padding = {padding, 1}, .dilation = {dilation, 1});
        for (int64_t i = 0; i < tg_numel(x); i++) NEAR(tg_get(z, i), back[i], 0);
        free(back);
    }
}
END_TEST

/* A convolution with bias of several images and groups is columns times filters, its gradients too. */
START_TEST(convolution_by_columns) {
    for (int form = 0; form < 8; form++) {
        int64_t images = 1 + form % 4 * 2, groups = form / 4 ? 2 : 1;
        tg_tensor *x = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(images, 4, 6, 7), 1), true),
                  *w = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(6, 4 / groups, 3, 3), 2), true),
                  *b = tg_set_requires_grad(wholes(TG_F64, TG_SHAPE(6), 3), true);
        tg_tensor *in[3] = {x, w, b}, *g[3], *h[3], *part[2],
                  *from = form % 2 ? tg_transpose(tg_contiguous(tg_transpose(x, 2, 3)), 2, 3) : x;
        tg_tensor *y = tg_conv2d(from, w, .bias = b, .padding = {1, 1}, .groups = groups);
        for (int64_t k = 0; k < groups; k++) {
            tg_tensor *columns =
                tg_unfold(tg_narrow(x, 1, k * 4 / groups, 4 / groups), .kernel = {3, 3}, .padding = {1, 1});
            part[k] =
                tg_matmul(tg_reshape(tg_narrow(w, 0, k * 6 / groups, 6 / groups), 6 / groups, -1), columns);
        }
        tg_tensor *want = tg_add(tg_reshape_with(tg_concat_with(1, (int)groups, part), tg_shape_of(y)),
                                 tg_reshape(b, 6, 1, 1));
        for (int64_t i = 0; i < tg_numel(y); i++) NEAR(tg_get(y, i), tg_get(want, i), 0);
        tg_tensor *seed = wholes(TG_F64, tg_shape_of(y), 4);
        for (int record = 0; record < 2; record++) {
            tg_grad(1, &y, 3, in, g, .seeds = &seed, .retain = true, .create_graph = record);
            tg_grad(1, &want, 3, in, h, .seeds = &seed, .retain = true);
            for (int k = 0; k < 3; k++)
                for (int64_t i = 0; i < tg_numel(g[k]); i++) NEAR(tg_get(g[k], i), tg_get(h[k], i), 1e-13);
        }
    }
}
END_TEST

/* ---- recurrent rows ---- */

/* Many rows, at several threads, with and without a state before: to the bit the same at any number of threads, and
 * what the cells give. */
START_TEST(rows_of_recurrent_cells) {
    static const int64_t sizes[] = {1, 3, 16, 17, 33, 63, 129};
    enum { T = 3, H = 5 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int form = 0; form < 4; form++) {
            tg_mark mark = tg_tape_mark();
            int64_t n = sizes[k];
            bool gru = form / 2, state = form % 2;
            int64_t gates = gru ? 3 : 4;
            tg_tensor *a =
                tg_set_requires_grad(tg_mul_scalar(wholes(TG_F64, TG_SHAPE(n, T, gates * H), 1), 0.3), true);
            a = tg_set_requires_grad(tg_detach(a), true);
            tg_tensor *w = tg_set_requires_grad(
                tg_detach(tg_mul_scalar(wholes(TG_F64, TG_SHAPE(gates * H, H), 2), 0.2)), true);
            tg_tensor *h0 = tg_set_requires_grad(
                          tg_detach(tg_mul_scalar(wholes(TG_F64, TG_SHAPE(n, H), 3), 0.1)), true),
                      *c0 = tg_set_requires_grad(
                          tg_detach(tg_mul_scalar(wholes(TG_F64, TG_SHAPE(n, H), 4), 0.4)), true);
            tg_tensor *in[4] = {a, w, h0, c0}, *first[4] = {NULL}, *g[4],
                      *seed = wholes(TG_F64, TG_SHAPE(n, T, H), 5), *y0 = NULL;
            int n_in = state ? gru ? 3 : 4 : 2;
            for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
                tg_set_num_threads(t);
                tg_tensor *y = gru ? tg_gru_scan(a, w, .h = state ? h0 : NULL)
                                   : tg_lstm_scan(a, w, .h = state ? h0 : NULL, .c = state ? c0 : NULL);
                ck_assert_int_eq(tg_grad(1, &y, n_in, in, g, .seeds = &seed), TG_OK);
                if (t == 1) y0 = y;
                for (int i = 0; i < n_in; i++) {
                    if (t == 1) first[i] = g[i];
                    for (int64_t e = 0; e < tg_numel(g[i]); e++)
                        if (tg_get(g[i], e) != tg_get(first[i], e))
                            ck_abort_msg("%d rows: gradient %d differs at %d threads", (int)n, i, t);
                }
                for (int64_t e = 0; e < tg_numel(y); e++)
                    if (tg_get(y, e) != tg_get(y0, e))
                        ck_abort_msg("%d rows differ at %d threads", (int)n, t);
            }
            tg_tensor *h = state ? h0 : tg_zeros(TG_F64, n, H), *c = state ? c0 : tg_zeros(TG_F64, n, H),
                      *all[T];
            for (int step = 0; step < T; step++) {
                tg_tensor *at = tg_select(a, 1, step), *more = tg_matmul(h, tg_transpose(w, 0, 1)), *cell;
                h = gru ? tg_gru_cell(at, more, h) : tg_lstm_cell(tg_add(at, more), c, .cell = &cell);
                if (!gru) c = cell;
                all[step] = h;
            }
            tg_tensor *want = tg_stack_with(1, T, all);
            for (int64_t e = 0; e < tg_numel(want); e++) NEAR(tg_get(y0, e), tg_get(want, e), 1e-14);
            ck_assert_int_eq(tg_grad(1, &want, n_in, in, g, .seeds = &seed), TG_OK);
            for (int i = 0; i < n_in; i++)
                for (int64_t e = 0; e < tg_numel(g[i]); e++)
                    NEAR(tg_get(first[i], e), tg_get(g[i], e), 1e-12);
            tg_tape_rewind(mark);
        }
}
END_TEST

/* ---- creation ---- */

START_TEST(both_ends_are_met) {
    for (int64_t n = 1; n < 60; n++)
        for (int k = 0; k < 4; k++) {
            double from = (double[]){0, -1, 0.1, 3}[k], to = (double[]){1, 0.7, 1e9, -0.3}[k];
            tg_tensor *x = tg_linspace(TG_F64, from, to, n);
            ck_assert(tg_get(x, 0) == from && (n == 1 || tg_get(x, n - 1) == to));
            for (int64_t i = 0; i < n; i++) {
                NEAR(tg_get(x, i), n > 1 ? from + (to - from) * (double)i / (double)(n - 1) : from, 1e-15);
                double back = tg_get(tg_linspace(TG_F64, to, from, n), n - 1 - i); /* counted from both ends */
                if (n % 2 == 0 || i != n / 2)
                    ck_assert_msg(n == 1 || tg_get(x, i) == back, "%d of %d: %.17g and %.17g", (int)i, (int)n,
                                  tg_get(x, i), back);
            }
        }
}
END_TEST

/* ---- softmax down of columns ---- */

static double column_of(int i, int j, int n) {
    if (j % 5 == 4 && (i == j % n || (j % 10 == 9 && i == (j + 1) % n))) return INFINITY;
    return j % (n + 1) == i ? 25 : (double)(mixed((uint64_t)(i * 100 + j)) % 7) / 2;
}

/* Of each lane, whichever row is the largest, and wherever one or two are infinite. */
START_TEST(softmax_of_columns) {
    static const int lanes[] = {2, 9, 33, 70}, rows[] = {1, 2, 3, 6};
    tg_dtype dtype = _i % 2 ? TG_F64 : TG_F32;
    bool is_log = _i / 2;
    double tolerance = dtype ? 1e-12 : 1e-5;
    for (int a = 0; a < 16; a++) {
        tg_mark mark = tg_tape_mark();
        int n = rows[a / 4], m = lanes[a % 4];
        tg_tensor *x = tg_zeros(dtype, n, m), *g = wholes(dtype, TG_SHAPE(n, m), 3);
        for (int i = 0; i < n * m; i++) tg_array_set(tg_array_of(x), i, column_of(i / m, i % m, n));
        tg_set_requires_grad(x, true);
        tg_tensor *y = is_log ? tg_log_softmax(x, 0) : tg_softmax(x, 0);
        ck_assert_int_eq(tg_backward(y, .seed = g), TG_OK);
        for (int j = 0; j < m; j++) {
            double largest = -INFINITY, total = 0, infinite = 0, sum = 0, p[6];
            for (int i = 0; i < n; i++)
                largest = fmax(largest, column_of(i, j, n)), infinite += isinf(column_of(i, j, n));
            for (int i = 0; i < n; i++) total += exp(column_of(i, j, n) - largest);
            for (int i = 0; i < n; i++) {
                double v = column_of(i, j, n);
                p[i] = infinite > 0 ? isinf(v) / infinite : exp(v - largest) / total;
                NEAR(tg_get(y, i * m + j),
                     is_log && infinite == 0 ? v - largest - log(total)
                     : is_log                ? log(p[i])
                                             : p[i],
                     tolerance);
                sum += tg_get(g, i * m + j) * (is_log ? 1 : p[i]);
            }
            for (int i = 0; i < n; i++) {
                double at = tg_get(g, i * m + j);
                NEAR(tg_get(tg_grad_of(x), i * m + j), is_log ? at - p[i] * sum : p[i] * (at - sum), tolerance);
            }
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

TCase *tcase_long(void) {
    TCase *t = tcase_create("long");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, sorts_of_all_lengths, 0, 25);
    tcase_add_loop_test(t, scans_side_by_side, 0, 42);
    tcase_add_test(t, large_whole_numbers);
    tcase_add_test(t, long_lists_of_indices);
    tcase_add_test(t, many_pieces_joined);
    tcase_add_loop_test(t, gradients_added_to, 0, N_ADDING_OPS);
    tcase_add_test(t, changes_by_views_of_itself);
    tcase_add_test(t, means_of_windows);
    tcase_add_test(t, columns_of_windows);
    tcase_add_test(t, convolution_by_columns);
    tcase_add_test(t, rows_of_recurrent_cells);
    tcase_add_test(t, both_ends_are_met);
    tcase_add_loop_test(t, softmax_of_columns, 0, 4);
    return t;
}
