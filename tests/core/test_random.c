/* Statistical tests use fixed seeds, so they pass or fail for good; their bounds are the 0.1 % points of the
 * statistics' distributions. */
#include "ops/tapegrad.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/slot.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TCase *tcase_random(void);

static int64_t tensors_before;

static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
    tg_seed(0);
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_region_rewind(tg_region_current(), tensors_before);
}

/* The "philox4x32 10" lines of Random123's kat_vectors: counter, key, output. */
static const struct known {
    uint32_t counter[4], key[2], out[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(known_answers) {
    uint32_t out[4];
    tg_philox(known[_i].counter, known[_i].key, out);
    ck_assert_mem_eq(out, known[_i].out, sizeof out);
}
END_TEST

/* Block 0 of seed 0 is the first known answer; the words are joined low first. */
START_TEST(stream_layout) {
    tg_rng rng = {0};
    ck_assert_uint_eq(tg_rng_bits(&rng), UINT64_C(0xe169c58d6627e8d5));
    ck_assert_uint_eq(rng.next, 1);
    rng = (tg_rng){UINT64_MAX, UINT64_MAX};
    const uint32_t counter[4] = {0xffffffff, 0xffffffff, 0, 0};
    uint32_t out[4];
    tg_philox(counter, known[1].key, out);
    ck_assert_uint_eq(tg_rng_bits(&rng), (uint64_t)out[1] << 32 | out[0]);
    ck_assert_uint_eq(rng.next, 0);
    const float *x = tg_data(tg_uniform(TG_F32, 0, 1, 4));
    for (int i = 0; i < 4; i++) ck_assert(x[i] == (float)(known[0].out[i] >> 8) * 0x1p-24f);
}
END_TEST

START_TEST(streams_differ) {
    tg_rng a = {1, 0}, b = {2, 0}, c = {1, 0}, high = {UINT64_C(1) << 32 | 1, 0};
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t v = tg_rng_bits(&a);
        ck_assert_uint_eq(v, tg_rng_bits(&c));
        equal += v == tg_rng_bits(&b);
        equal += v == tg_rng_bits(&high);
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(default_stream) {
    tg_seed(7);
    tg_rng copy = {7, 0};
    ck_assert_uint_eq(tg_rng_bits(NULL), tg_rng_bits(&copy));
    ck_assert(tg_rng_uniform(tg_default_rng()) == tg_rng_uniform(&copy));
    ck_assert(tg_rng_normal(NULL) == tg_rng_normal(&copy));
    ck_assert_uint_eq(tg_rng_below(NULL, 1000), tg_rng_below(&copy, 1000));
    ck_assert_uint_eq(tg_default_rng()->next, 4);
    tg_seed(7);
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

/* ---- distributions ---- */

enum { SAMPLES = 20000 };

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_cdf(double x) { return x; }
static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/* Kolmogorov-Smirnov: sqrt(n) * sup |F_n - F| exceeds 1.95 with probability 0.001. */
static void check_distribution(double *x, int n, double (*cdf)(double)) {
    qsort(x, (size_t)n, sizeof *x, ascending);
    double most = 0;
    for (int i = 0; i < n; i++) {
        const double f = cdf(x[i]);
        most = fmax(most, fmax(f - (double)i / n, (double)(i + 1) / n - f));
    }
    ck_assert_double_lt(most * sqrt(n), 1.95);
}

/* The sums of (x - mean)^k for k = 1, 2, 4 stay within 3.3 deviations of what the distribution gives; the
 * central moments m2, m4, m8 tell those deviations. */
static void check_moments(const double *x, int n, double mean, double m2, double m4, double m8) {
    double s1 = 0, s2 = 0, s4 = 0, serial = 0;
    for (int i = 0; i < n; i++) {
        const double d = x[i] - mean;
        s1 += d;
        s2 += d * d;
        s4 += d * d * d * d;
        if (i > 0) serial += d * (x[i - 1] - mean);
    }
    ck_assert_double_lt(fabs(s1 / n), 3.3 * sqrt(m2 / n));
    ck_assert_double_lt(fabs(s2 / n - m2), 3.3 * sqrt((m4 - m2 * m2) / n));
    ck_assert_double_lt(fabs(s4 / n - m4), 3.3 * sqrt((m8 - m4 * m4) / n));
    ck_assert_double_lt(fabs(serial / n), 3.3 * m2 / sqrt(n));
}

typedef enum source { ONE_BY_ONE, AS_F32, AS_F64, SOURCES } source;

static void sample(double *x, source from, bool normal) {
    if (from == ONE_BY_ONE) {
        tg_rng rng = {42, 0};
        for (int i = 0; i < SAMPLES; i++) x[i] = normal ? tg_rng_normal(&rng) : tg_rng_uniform(&rng);
        ck_assert_uint_eq(rng.next, SAMPLES);
        return;
    }
    tg_seed(42);
    const tg_dtype dtype = from == AS_F32 ? TG_F32 : TG_F64;
    const tg_tensor *t = normal ? tg_normal(dtype, 0, 1, SAMPLES) : tg_uniform(dtype, 0, 1, SAMPLES);
    const tg_array *a = tg_array_of(t);
    ck_assert_ptr_nonnull(a);
    for (int i = 0; i < SAMPLES; i++) x[i] = tg_array_get(a, i);
}

START_TEST(uniform_distribution) {
    static double x[SAMPLES];
    sample(x, (source)_i, false);
    for (int i = 0; i < SAMPLES; i++) ck_assert(x[i] >= 0 && x[i] < 1);
    check_moments(x, SAMPLES, 0.5, 1.0 / 12, 1.0 / 80, 1.0 / 2304); /* E (x - 1/2)^k = 2^-k / (k + 1) */
    check_distribution(x, SAMPLES, uniform_cdf);
}
END_TEST

START_TEST(normal_distribution) {
    static double x[SAMPLES];
    sample(x, (source)_i, true);
    check_moments(x, SAMPLES, 0, 1, 3, 105);
    check_distribution(x, SAMPLES, normal_cdf);
}
END_TEST

/* One value from three bins when 2^64 is split unevenly: the modulo method would put half into the first. */
START_TEST(below_is_unbiased) {
    const uint64_t third = UINT64_C(1) << 62;
    tg_rng rng = {3, 0};
    int count[3] = {0};
    for (int i = 0; i < SAMPLES; i++) {
        const uint64_t v = tg_rng_below(&rng, 3 * third);
        ck_assert_uint_lt(v, 3 * third);
        count[v / third]++;
    }
    double chi2 = 0;
    for (int k = 0; k < 3; k++) chi2 += pow(count[k] - SAMPLES / 3.0, 2) / (SAMPLES / 3.0);
    ck_assert_double_lt(chi2, 13.82);     /* 2 degrees of freedom */
    ck_assert_uint_gt(rng.next, SAMPLES); /* a quarter of the draws is refused */
}
END_TEST

START_TEST(below_small) {
    tg_rng rng = {5, 0};
    ck_assert_uint_eq(tg_rng_below(&rng, 0), 0);
    ck_assert_uint_eq(rng.next, 0);
    ck_assert_uint_eq(tg_rng_below(&rng, 1), 0);
    int count[10] = {0};
    for (int i = 0; i < SAMPLES; i++) {
        const uint64_t v = tg_rng_below(&rng, 10);
        ck_assert_uint_lt(v, 10);
        count[v]++;
    }
    double chi2 = 0;
    for (int k = 0; k < 10; k++) chi2 += pow(count[k] - SAMPLES / 10.0, 2) / (SAMPLES / 10.0);
    ck_assert_double_lt(chi2, 27.88); /* 9 degrees of freedom */
}
END_TEST

/* For n = 2^k the value is the upper k bits of the 64. */
START_TEST(below_power_of_two) {
    for (int k = 1; k < 64; k++) {
        tg_rng a = {9, (uint64_t)k}, b = a;
        ck_assert_uint_eq(tg_rng_below(&a, UINT64_C(1) << k), tg_rng_bits(&b) >> (64 - k));
    }
}
END_TEST

/* For any n, floor(x n / 2^64) of the last 64 bits drawn. */
START_TEST(below_is_the_upper_half) {
    __extension__ typedef unsigned __int128 wide;
    tg_rng sizes = {13, 0}, a = {14, 0};
    for (int i = 0; i < 10000; i++) {
        const uint64_t n = tg_rng_bits(&sizes) >> (i % 64) | 1, v = tg_rng_below(&a, n);
        tg_rng last = {14, a.next - 1};
        ck_assert_uint_eq(v, (uint64_t)((wide)tg_rng_bits(&last) * n >> 64));
    }
}
END_TEST

/* All 24 orders of four values are equally likely. */
START_TEST(shuffle_is_uniform) {
    tg_rng rng = {11, 0};
    int count[256] = {0};
    for (int i = 0; i < 24000; i++) {
        int64_t v[4] = {0, 1, 2, 3};
        tg_rng_shuffle(&rng, v, 4);
        count[v[0] | v[1] << 2 | v[2] << 4 | v[3] << 6]++;
    }
    int orders = 0;
    double chi2 = 0;
    for (int k = 0; k < 256; k++) {
        if (count[k] == 0) continue;
        orders++;
        chi2 += pow(count[k] - 1000, 2) / 1000;
    }
    ck_assert_int_eq(orders, 24);
    ck_assert_double_lt(chi2, 49.73); /* 23 degrees of freedom */
}
END_TEST

START_TEST(shuffle_short) {
    tg_rng rng = {0};
    int64_t v = 5;
    tg_rng_shuffle(&rng, &v, 1);
    tg_rng_shuffle(&rng, NULL, 0);
    ck_assert_int_eq(v, 5);
    ck_assert_uint_eq(rng.next, 0);
}
END_TEST

/* ---- tensors ---- */

static tg_tensor *draw(int kind, int64_t n) {
    switch (kind) {
    case 0:
        return tg_uniform(TG_F32, -1, 1, n);
    case 1:
        return tg_uniform(TG_F64, -1, 1, n);
    case 2:
        return tg_normal(TG_F32, 2, 3, n);
    default:
        return tg_normal(TG_F64, 2, 3, n);
    }
}

/* Every length: the elements are a prefix of a longer draw, and the stream advances by whole blocks. */
START_TEST(lengths) {
    const int per_block = _i % 2 == 0 ? 4 : 2;
    const size_t size = _i % 2 == 0 ? 4 : 8;
    const void *all = tg_data(draw(_i, 40));
    for (int64_t n = 0; n <= 40; n++) {
        tg_seed(0);
        const tg_tensor *t = draw(_i, n);
        ck_assert_int_eq(tg_numel(t), n);
        ck_assert_uint_eq(tg_default_rng()->next, (uint64_t)((n + per_block - 1) / per_block));
        if (n > 0) ck_assert_mem_eq(tg_data(t), all, (size_t)n * size);
    }
}
END_TEST

/* Two draws in a row equal one of both lengths: no block is used twice or left out. */
START_TEST(draws_continue) {
    const size_t size = _i % 2 == 0 ? 4 : 8;
    const char *all = tg_data(draw(_i, 100));
    tg_seed(0);
    const void *first = tg_data(draw(_i, 36)), *second = tg_data(draw(_i, 64));
    ck_assert_mem_eq(first, all, 36 * size);
    ck_assert_mem_eq(second, all + 36 * size, 64 * size);
}
END_TEST

START_TEST(thread_count_does_not_matter) {
    enum { N = 50001 }; /* several tasks and an incomplete block */
    const size_t bytes = N * (size_t)(_i % 2 == 0 ? 4 : 8);
    const int was = tg_set_num_threads(1);
    const void *one = tg_data(draw(_i, N));
    for (int threads = 2; threads <= 5; threads++) {
        tg_set_num_threads(threads);
        tg_seed(0);
        ck_assert_mem_eq(tg_data(draw(_i, N)), one, bytes);
    }
    tg_set_num_threads(was);
}
END_TEST

START_TEST(mean_and_deviation) {
    const double *z = tg_data(tg_normal(TG_F64, 0, 1, 10));
    tg_seed(0);
    const double *x = tg_data(tg_normal(TG_F64, -3, 0.5, 10));
    for (int i = 0; i < 10; i++) ck_assert(x[i] == -3 + 0.5 * z[i]);
    const double *constant = tg_data(tg_normal(TG_F64, 4, 0, 3));
    for (int i = 0; i < 3; i++) ck_assert(constant[i] == 4);
}
END_TEST

/* With high one step above low, half of the unrounded values are nearer to high. */
START_TEST(bounds) {
    const float high32 = nextafterf(1, 2);
    const float *x = tg_data(tg_uniform(TG_F32, 1, high32, 1000));
    for (int i = 0; i < 1000; i++) ck_assert(x[i] == 1);
    const double *y = tg_data(tg_uniform(TG_F64, 1, nextafter(1, 2), 1000));
    for (int i = 0; i < 1000; i++) ck_assert(y[i] == 1);
    const float *e = tg_data(tg_uniform(TG_F32, 2.5, 2.5, 5));
    for (int i = 0; i < 5; i++) ck_assert(e[i] == 2.5f);
    const float *w = tg_data(tg_uniform(TG_F32, 0.1, 0.3, 1000));
    for (int i = 0; i < 1000; i++) ck_assert(w[i] >= 0.1f && w[i] < 0.3f);
}
END_TEST

START_TEST(shapes) {
    const tg_tensor *t = tg_uniform(TG_F32, 0, 1, 2, 3, 4);
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(2, 3, 4)));
    ck_assert_int_eq(tg_dtype_of(t), TG_F32);
    ck_assert_int_eq(tg_numel(tg_normal_with(TG_F64, 0, 1, TG_SCALAR)), 1);
    ck_assert_int_eq(tg_numel(tg_uniform(TG_F64, 0, 1, 2, 0)), 0);
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

/* rand and randn are uniform in [0, 1) and standard normal, and the like of t has t's shape and dtype. */
START_TEST(standard_draws) {
    const tg_dtype dtypes[] = {TG_F32, TG_F64};
    for (int k = 0; k < 2; k++) {
        tg_tensor *x[6], *t = tg_zeros(dtypes[k], 3, 5);
        for (int i = 0; i < 6; i++) {
            tg_seed(7);
            x[i] = i == 0   ? tg_uniform(dtypes[k], 0, 1, 3, 5)
                   : i == 1 ? tg_rand(dtypes[k], 3, 5)
                   : i == 2 ? tg_rand_like(t)
                   : i == 3 ? tg_normal(dtypes[k], 0, 1, 3, 5)
                   : i == 4 ? tg_randn(dtypes[k], 3, 5)
                            : tg_randn_like(t);
            ck_assert(tg_dtype_of(x[i]) == dtypes[k] && tg_shape_equal(tg_shape_of(x[i]), TG_SHAPE(3, 5)));
        }
        for (int64_t j = 0; j < 15; j++) {
            ck_assert(tg_get(x[0], j) == tg_get(x[1], j) && tg_get(x[0], j) == tg_get(x[2], j));
            ck_assert(tg_get(x[3], j) == tg_get(x[4], j) && tg_get(x[3], j) == tg_get(x[5], j));
            ck_assert(tg_get(x[0], j) != tg_get(x[3], j) && tg_get(x[0], j) >= 0 && tg_get(x[0], j) < 1);
        }
    }
    ck_assert_int_eq(tg_rank(tg_randn(TG_F64)), 0);
    ck_assert_int_eq(tg_error_status(), TG_OK);
    tg_tensor *whole = tg_zeros(TG_I32, 2);
    tg_tensor *(*const like[])(const tg_tensor *) = {tg_rand_like, tg_randn_like};
    const char *const says[] = {"rand_like: random numbers are f32 or f64, not i32",
                                "randn_like: random numbers are f32 or f64, not i32"};
    for (int i = 0; i < 2; i++) {
        ck_assert(tg_is_poison(like[i](whole)));
        ck_assert_int_eq(tg_error_status(), TG_ERR_DTYPE);
        ck_assert_ptr_nonnull(strstr(tg_error_message(), says[i]));
        tg_error_clear();
    }
    ck_assert(tg_is_poison(tg_rand(TG_U8, 2)));
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "rand: random numbers are f32 or f64, not u8"));
}
END_TEST

static const struct bad {
    tg_dtype dtype;
    double a, b;
    int64_t size;
    bool normal;
    tg_status status;
    const char *says;
} bad[] = {
    {TG_I32, 0, 1, 2, false, TG_ERR_DTYPE, "uniform: random numbers are f32 or f64, not i32"},
    {TG_BOOL, 0, 1, 2, true, TG_ERR_DTYPE, "normal: random numbers are f32 or f64, not bool"},
    {TG_F32, 0, 1, -2, false, TG_ERR_SHAPE, "[-2]"},
    {TG_F32, 0, 1, INT64_MAX, true, TG_ERR_MEMORY, ""},
    {TG_F32, 1, 0, 2, false, TG_ERR_ARGUMENT, "[1, 0)"},
    {TG_F32, NAN, 0, 2, false, TG_ERR_ARGUMENT, "uniform"},
    {TG_F64, 0, INFINITY, 2, false, TG_ERR_ARGUMENT, "[0, inf)"},
    {TG_F32, 0, 1e300, 2, false, TG_ERR_ARGUMENT, "[0, inf)"},
    {TG_F64, -1e308, 1e308, 2, false, TG_ERR_ARGUMENT, "[-1e+308, 1e+308)"},
    {TG_F32, 0, -1, 2, true, TG_ERR_ARGUMENT, "the deviation -1 "},
    {TG_F64, 0, NAN, 2, true, TG_ERR_ARGUMENT, "deviation"},
    {TG_F64, INFINITY, 1, 2, true, TG_ERR_ARGUMENT, "the mean inf "},
};

START_TEST(bad_arguments) {
    const struct bad *b = &bad[_i];
    const tg_tensor *t =
        b->normal ? tg_normal(b->dtype, b->a, b->b, b->size) : tg_uniform(b->dtype, b->a, b->b, b->size);
    ck_assert(tg_is_poison(t));
    ck_assert_int_eq(tg_error_status(), b->status);
    ck_assert_msg(strstr(tg_error_message(), b->says) != NULL, "%s", tg_error_message());
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "test_random.c"));
    ck_assert_uint_eq(tg_default_rng()->next, 0);
}
END_TEST

/* Every allocation in turn fails: poison, TG_ERR_MEMORY, and the stream stays where it was. */
START_TEST(no_memory) {
    int failures = 0;
    for (int64_t n = 1;; n++) {
        tg_seed(0);
        tg_memory_fail_at(n);
        const tg_tensor *t = draw(_i, 1000);
        tg_memory_fail_at(-1);
        if (!tg_is_poison(t)) break;
        failures++;
        ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
        ck_assert_uint_eq(tg_default_rng()->next, 0);
        tg_error_clear();
    }
    ck_assert_int_ge(failures, 1);
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

TCase *tcase_random(void) {
    TCase *tc = tcase_create("random");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, known_answers, 0, sizeof known / sizeof known[0]);
    tcase_add_test(tc, stream_layout);
    tcase_add_test(tc, streams_differ);
    tcase_add_test(tc, default_stream);
    tcase_add_loop_test(tc, uniform_distribution, 0, SOURCES);
    tcase_add_loop_test(tc, normal_distribution, 0, SOURCES);
    tcase_add_test(tc, below_is_unbiased);
    tcase_add_test(tc, below_small);
    tcase_add_test(tc, below_power_of_two);
    tcase_add_test(tc, below_is_the_upper_half);
    tcase_add_test(tc, shuffle_is_uniform);
    tcase_add_test(tc, shuffle_short);
    tcase_add_loop_test(tc, lengths, 0, 4);
    tcase_add_loop_test(tc, draws_continue, 0, 4);
    tcase_add_loop_test(tc, thread_count_does_not_matter, 0, 4);
    tcase_add_test(tc, mean_and_deviation);
    tcase_add_test(tc, bounds);
    tcase_add_test(tc, shapes);
    tcase_add_test(tc, standard_draws);
    tcase_add_loop_test(tc, bad_arguments, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(tc, no_memory, 0, 4);
    return tc;
}
