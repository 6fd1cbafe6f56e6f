/* Draws of whole numbers against their laws. Seeds are fixed, so the tests pass or fail for good; counts are within six
 * deviations of the binomial distribution. */
#include "core/memory.h"
#include "core/slot.h"
#include "ops/tapegrad.h"

#include <check.h>
#include <math.h>
#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

TCase *tcase_discrete(void);

static int64_t tensors(void) { return tg_region_current()->count; }
static void rewind_to(int64_t count) { tg_region_rewind(tg_region_current(), count); }

static int64_t tensors_before;
static void setup(void) {
    tg_error_clear();
    tensors_before = tensors();
    tg_seed(1);
}
static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    rewind_to(tensors_before);
}

static void expect_error(tg_status status, const char *text) {
    ck_assert_msg(tg_error_status() == status && strstr(tg_error_message(), text), "%s: %s", text,
                  tg_error_message());
    tg_error_clear();
}

static void expect_share(const char *what, double count, double n, double p) {
    ck_assert_msg(fabs(count - p * n) <= 6 * sqrt(n * p * (1 - p)), "%s: %g of %g instead of %g", what, count,
                  n, p * n);
}

/* ---- randint, randperm ---- */

static const struct {
    tg_dtype dtype;
    int64_t low, high;
} ranges[] = {
    {TG_I64, 0, 10},
    {TG_I64, -3, 4},
    {TG_I32, 5, 6},
    {TG_U8, 0, 256},
    {TG_U8, 250, 256},
    {TG_I32, INT32_MIN, INT32_MIN + 3},
    {TG_I32, INT32_MAX - 2, (int64_t)INT32_MAX + 1},
    {TG_I64, INT64_MIN, INT64_MIN + 3},
    {TG_I64, INT64_MAX - 3, INT64_MAX},
};

START_TEST(integers_are_uniform) {
    enum { N = 20000 };
    int64_t low = ranges[_i].low, size = ranges[_i].high - low;
    tg_tensor *t = tg_randint(ranges[_i].dtype, low, ranges[_i].high, 2, N / 2);
    ck_assert(tg_is_alive(t) && tg_dtype_of(t) == ranges[_i].dtype && tg_rank(t) == 2 && tg_numel(t) == N);
    int counts[256] = {0};
    for (int64_t i = 0; i < N; i++) {
        int64_t v = ranges[_i].dtype == TG_I64 ? ((const int64_t *)tg_data(t))[i] : (int64_t)tg_get(t, i);
        ck_assert(v >= low && v - low < size);
        counts[v - low]++;
    }
    for (int64_t k = 0; k < size; k++) expect_share("number", counts[k], N, 1 / (double)size);
}
END_TEST

START_TEST(integers_of_the_whole_range) {
    tg_tensor *t = tg_randint(TG_I64, INT64_MIN, INT64_MAX, 1000);
    const int64_t *v = tg_data(t);
    int negative = 0, small = 0;
    for (int i = 0; i < 1000; i++)
        negative += v[i]<0, small += v[i]> - (INT64_C(1) << 62) && v[i] < INT64_C(1) << 62;
    expect_share("negative", negative, 1000, 0.5);
    expect_share("small", small, 1000, 0.5);
    ck_assert(tg_numel(tg_randint(TG_U8, 0, 1, 0, 3)) == 0);
}
END_TEST

START_TEST(integers_refused) {
    const struct {
        tg_dtype dtype;
        int64_t low, high;
        tg_status status;
    } bad[] = {{TG_F32, 0, 2, TG_ERR_DTYPE},
               {TG_BOOL, 0, 2, TG_ERR_DTYPE},
               {TG_I64, 3, 3, TG_ERR_ARGUMENT},
               {TG_I64, 3, -3, TG_ERR_ARGUMENT},
               {TG_U8, -1, 3, TG_ERR_ARGUMENT},
               {TG_U8, 0, 257, TG_ERR_ARGUMENT},
               {TG_I32, 0, (int64_t)INT32_MAX + 2, TG_ERR_ARGUMENT},
               {TG_I32, (int64_t)INT32_MIN - 1, 0, TG_ERR_ARGUMENT}};
    for (int i = 0; i < COUNT(bad); i++) {
        ck_assert(tg_is_poison(tg_randint(bad[i].dtype, bad[i].low, bad[i].high, 2)));
        expect_error(bad[i].status, "randint: ");
    }
    tg_randint(TG_I64, 0, 2, -1);
    expect_error(TG_ERR_SHAPE, "randint: ");
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

/* All 24 orders of four numbers come about as often. */
START_TEST(orders_are_uniform) {
    enum { N = 24000 };
    int counts[256] = {0};
    tg_rng rng = {.seed = 6};
    for (int i = 0; i < N; i++) {
        int64_t before = tensors();
        tg_tensor *t = tg_randperm(4, .rng = &rng);
        const int64_t *v = tg_data(t);
        bool seen[4] = {0};
        for (int k = 0; k < 4; k++) seen[v[k]] = true;
        ck_assert(seen[0] && seen[1] && seen[2] && seen[3]);
        counts[v[0] * 64 + v[1] * 16 + v[2] * 4 + v[3]]++;
        rewind_to(before);
    }
    int orders = 0;
    for (int k = 0; k < 256; k++)
        if (counts[k]) expect_share("order", counts[k], N, 1 / 24.0), orders++;
    ck_assert_int_eq(orders, 24);
    ck_assert_uint_eq(tg_default_rng()->next, 0);
    ck_assert_int_eq(tg_numel(tg_randperm(0)), 0);
    ck_assert_double_eq(tg_get(tg_randperm(1), 0), 0);
    ck_assert(tg_is_poison(tg_randperm(-1)));
    expect_error(TG_ERR_ARGUMENT, "randperm: -1");
}
END_TEST

/* ---- bernoulli ---- */

START_TEST(decisions_have_their_probability) {
    enum { N = 30000 };
    const double p[] = {0, 0.1, 0.5, 0.97, 1};
    tg_dtype f = _i ? TG_F64 : TG_F32;
    tg_tensor *t = tg_zeros(f, 5, N);
    for (int64_t i = 0; i < 5 * N; i++) tg_array_set(tg_array_of(t), i, p[i / N]);
    tg_array turned = {0};
    tg_array_permute(&turned, tg_array_of(t), (const int[]){1, 0});
    tg_tensor *by_columns = tg_from_array(&turned), *y = tg_bernoulli(t), *z = tg_bernoulli(by_columns);
    ck_assert(tg_dtype_of(y) == f && tg_dtype_of(z) == f && tg_shape_equal(tg_shape_of(z), TG_SHAPE(N, 5)));
    tg_array_drop(&turned);
    for (int k = 0; k < 5; k++) {
        double ones = 0, ones_z = 0;
        for (int64_t i = 0; i < N; i++) {
            ck_assert(tg_get(y, k * N + i) == 0 || tg_get(y, k * N + i) == 1);
            ones += tg_get(y, k * N + i), ones_z += tg_get(z, i * 5 + k);
        }
        expect_share("ones", ones, N, p[k]);
        expect_share("ones by columns", ones_z, N, p[k]);
    }
    ck_assert_uint_eq(tg_default_rng()->next, 10 * N);
}
END_TEST

START_TEST(decisions_refused) {
    const double bad[] = {-0.1, 1.1, NAN, INFINITY};
    for (int i = 0; i < COUNT(bad); i++) {
        double v[] = {0.5, bad[i]};
        ck_assert(tg_is_poison(tg_bernoulli(tg_from(TG_F64, v, 2))));
        expect_error(TG_ERR_ARGUMENT, "bernoulli: element 1, ");
    }
    tg_bernoulli(tg_zeros(TG_I64, 2));
    expect_error(TG_ERR_DTYPE, "bernoulli: takes f32 or f64, was given [2] i64");
    tg_bernoulli(NULL);
    expect_error(TG_ERR_ARGUMENT, "bernoulli: ");
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

/* ---- multinomial ---- */

/* Rows of weights, of which none is on the scale of another. */
static const double weights[][5] = {
    {0.1, 0.2, 0.3, 0.4, 0},        {0, 0, 7, 0, 0}, {1e300, 3e300, 0, 1e300, 1e308},
    {1e-310, 3e-310, 0, 0, 4e-310}, {5, 1, 1, 1, 1}, {1e-300, 1, 1e300, 1e300, 0},
};

static tg_tensor *weights_of(tg_dtype f, int row, int64_t rows) {
    tg_tensor *t = tg_zeros(f, rows, 5);
    for (int64_t i = 0; i < rows * 5; i++) tg_array_set(tg_array_of(t), i, weights[row][i % 5]);
    return t;
}

static double share_of(int row, int k) {
    double sum = 0;
    for (int i = 0; i < 5; i++) sum += weights[row][i] / 1e300;
    return weights[row][k] / 1e300 / sum;
}

START_TEST(categories_with_replacement) {
    enum { N = 30000 };
    if (_i == 3) return; /* subnormal shares of 1e300: see below */
    tg_rng rng = {.seed = 9};
    tg_tensor *t = tg_multinomial(weights_of(TG_F64, _i, 2), N, .replacement = true, .rng = &rng);
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(2, N)) && tg_dtype_of(t) == TG_I64);
    for (int r = 0; r < 2; r++) {
        double counts[5] = {0};
        for (int64_t i = 0; i < N; i++) counts[(int)tg_get(t, r * N + i)]++;
        for (int k = 0; k < 5; k++) {
            expect_share("category", counts[k], N, share_of(_i, k));
            if (weights[_i][k] == 0) ck_assert(counts[k] == 0);
        }
    }
    ck_assert_uint_eq(rng.next, 2 * N);
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

START_TEST(categories_of_subnormal_weights) {
    enum { N = 30000 };
    const double share[5] = {1 / 8.0, 3 / 8.0, 0, 0, 4 / 8.0};
    double counts[2][5] = {{0}};
    tg_tensor *w = weights_of(TG_F64, 3, 1), *again = tg_multinomial(w, N, .replacement = true);
    tg_tensor *once = tg_multinomial(weights_of(TG_F64, 3, N), 1);
    for (int64_t i = 0; i < N; i++) counts[0][(int)tg_get(again, i)]++, counts[1][(int)tg_get(once, i)]++;
    for (int m = 0; m < 2; m++)
        for (int k = 0; k < 5; k++) expect_share("category", counts[m][k], N, share[k]);
}
END_TEST

/* Pairs without replacement: p_i p_j / (1 - p_i). */
START_TEST(categories_without_replacement) {
    enum { N = 40000 };
    tg_dtype f = _i ? TG_F64 : TG_F32;
    tg_tensor *t = tg_multinomial(weights_of(f, 0, N), 2);
    double counts[5][5] = {{0}};
    for (int64_t i = 0; i < N; i++) counts[(int)tg_get(t, 2 * i)][(int)tg_get(t, 2 * i + 1)]++;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            double p = weights[0][i], q = weights[0][j];
            expect_share("pair", counts[i][j], N, i == j ? 0 : p * q / (1 - p));
        }
}
END_TEST

/* All that have weight come, each once; a vector gives a vector. */
START_TEST(all_categories_once) {
    enum { K = 100 };
    tg_tensor *w = tg_zeros(TG_F32, K);
    for (int i = 0; i < K; i++) tg_array_set(tg_array_of(w), i, i % 3 ? i : 0);
    tg_tensor *t = tg_multinomial(w, K - 34);
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(K - 34)));
    int seen[K] = {0};
    for (int i = 0; i < K - 34; i++) seen[(int)tg_get(t, i)]++;
    for (int i = 0; i < K; i++) ck_assert_int_eq(seen[i], i % 3 != 0);
    tg_tensor *order = tg_multinomial(tg_ones(TG_F32, K), K);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < K; i++) seen[(int)tg_get(order, i)]++;
    for (int i = 0; i < K; i++) ck_assert_int_eq(seen[i], 1);
    ck_assert(tg_shape_equal(tg_shape_of(tg_multinomial(tg_ones(TG_F32, 0, 3), 2)), TG_SHAPE(0, 2)));
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

START_TEST(categories_refused) {
    tg_tensor *w = weights_of(TG_F64, 0, 2), *second = tg_ones(TG_F64, 2, 2);
    tg_array_set(tg_array_of(second), 3, -1);
    const struct {
        tg_tensor *w;
        int64_t n;
        bool replacement;
        tg_status status;
        const char *text;
    } bad[] = {
        {w, 0, true, TG_ERR_ARGUMENT, "multinomial: 0 numbers"},
        {w, -1, false, TG_ERR_ARGUMENT, "multinomial: -1 numbers"},
        {w, 5, false, TG_ERR_ARGUMENT, "multinomial: row 0 has 4 weights above 0, of which 5"},
        {tg_zeros(TG_F32, 3), 1, true, TG_ERR_ARGUMENT, "multinomial: row 0 has 0 weights above 0"},
        {tg_zeros(TG_F32, 2, 0), 1, true, TG_ERR_ARGUMENT, "multinomial: row 0 has 0 weights"},
        {tg_full(TG_F64, -0.1, 1, 2), 1, true, TG_ERR_ARGUMENT,
         "multinomial: weight 0 of row 0, -0.1, is negative"},
        {second, 1, true, TG_ERR_ARGUMENT, "multinomial: weight 1 of row 1, -1, is negative"},
        {tg_full(TG_F64, NAN, 2, 2), 1, true, TG_ERR_ARGUMENT, "multinomial: weight 0 of row 0"},
        {tg_full(TG_F64, INFINITY, 2, 2), 1, false, TG_ERR_ARGUMENT, "multinomial: weight 0 of row 0, inf"},
        {tg_scalar(TG_F32, 1), 1, true, TG_ERR_SHAPE,
         "multinomial: needs weights [k] or [rows, k], was given [] f32"},
        {tg_ones(TG_F32, 2, 2, 2), 1, true, TG_ERR_SHAPE, "multinomial: needs weights"},
        {tg_ones(TG_I64, 2), 1, true, TG_ERR_DTYPE, "multinomial: takes f32 or f64"},
        {NULL, 1, true, TG_ERR_ARGUMENT, "multinomial: "},
    };
    for (int i = 0; i < COUNT(bad); i++) {
        ck_assert(tg_is_poison(tg_multinomial(bad[i].w, bad[i].n, .replacement = bad[i].replacement)));
        expect_error(bad[i].status, bad[i].text);
    }
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

/* Nothing is drawn by a call that fails. */
START_TEST(every_allocation_may_fail) {
    tg_tensor *w = weights_of(TG_F64, 0, 2);
    for (int which = 0; which < 4; which++)
        for (int64_t n = 1, failed = 1; failed; n++) {
            int64_t before = tensors();
            tg_seed(1);
            tg_memory_fail_at(n);
            tg_tensor *t = which == 0   ? tg_randint(TG_I64, 0, 2, 100)
                           : which == 1 ? tg_randperm(100)
                           : which == 2 ? tg_bernoulli(w)
                                        : tg_multinomial(w, 2);
            tg_memory_fail_at(-1);
            failed = tg_is_poison(t);
            if (failed) {
                ck_assert_uint_eq(tg_default_rng()->next, 0);
                expect_error(TG_ERR_MEMORY, ": ");
            }
            rewind_to(before);
        }
}
END_TEST

TCase *tcase_discrete(void) {
    TCase *t = tcase_create("discrete");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, integers_are_uniform, 0, COUNT(ranges));
    tcase_add_test(t, integers_of_the_whole_range);
    tcase_add_test(t, integers_refused);
    tcase_add_test(t, orders_are_uniform);
    tcase_add_loop_test(t, decisions_have_their_probability, 0, 2);
    tcase_add_test(t, decisions_refused);
    tcase_add_loop_test(t, categories_with_replacement, 0, COUNT(weights));
    tcase_add_test(t, categories_of_subnormal_weights);
    tcase_add_loop_test(t, categories_without_replacement, 0, 2);
    tcase_add_test(t, all_categories_once);
    tcase_add_test(t, categories_refused);
    tcase_add_test(t, every_allocation_may_fail);
    return t;
}
