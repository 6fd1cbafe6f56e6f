/* Matrix products against the triple loop in long double: every layout of A and B, batches, accumulation,
 * empty sizes, the split for BLAS's int, and any number of threads.
 */
#include "core/kernels/gemm/gemm.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert_msg writes to a file at every call, which is slow once an element. */
#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

TCase *tcase_gemm(void);
TCase *tcase_gemm_threads(void);

static int threads;
static void setup(void) { threads = tg_set_num_threads(1); }
static void teardown(void) {
    tg_gemm_int_max = INT32_MAX;
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_set_num_threads(threads);
}

static double number(int64_t i) { return (double)((i * 7919 + 13) % 1009 - 504) / 256; }

static tg_array fresh(tg_dtype dtype, tg_shape shape) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, dtype, shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) tg_array_set(&a, i, number(i));
    return a;
}

/* How a matrix [rows, cols] with leading axes lies in memory. */
enum layout {
    PLAIN,
    TRANSPOSED,
    PADDED,
    PADDED_TRANSPOSED,
    STRIDED,
    BACKWARDS,
    REPEATED_ROW,
    REPEATED_COLUMN,
    LAYOUTS
};

static tg_array laid_out(tg_dtype dtype, tg_shape s, enum layout how) {
    int i = s.rank - 2, j = s.rank - 1;
    tg_shape t = s;
    bool turn = how == TRANSPOSED || how == PADDED_TRANSPOSED;
    if (turn) t.dim[i] = s.dim[j], t.dim[j] = s.dim[i];
    if (how == PADDED || how == PADDED_TRANSPOSED) t.dim[j] += 3;
    if (how == STRIDED) t.dim[j] *= 2, t.dim[i] *= 2;
    tg_array a = fresh(dtype, t);
    for (int d = 0; d < s.rank; d++) a.shape[d] = s.dim[d];
    a.numel = tg_shape_numel(s);
    if (turn) {
        int64_t r = a.stride[i];
        a.stride[i] = a.stride[j], a.stride[j] = r;
    }
    if (how == STRIDED) a.stride[i] *= 2, a.stride[j] *= 2;
    if (how == BACKWARDS && s.dim[j] > 0) {
        a.data = (char *)a.data + (s.dim[j] - 1) * (int64_t)tg_dtype_size(dtype);
        a.stride[j] = -1;
    }
    if (how == REPEATED_ROW) a.stride[i] = 0;
    if (how == REPEATED_COLUMN) a.stride[j] = 0;
    return a;
}

/* Its elements in row-major order. */
static double *dense(const tg_array *a) {
    double *all = malloc(((size_t)a->numel + 1) * sizeof *all);
    for (int64_t i = 0; i < a->numel; i++) all[i] = tg_array_get(a, i);
    return all;
}

/* Checks C = alpha A B + beta C0 where the error of a sum of k products is bounded by k eps sum |a b|. */
static void check_gemm(double alpha, const tg_array *a, const tg_array *b, double beta, const tg_array *c) {
    tg_array before = {0};
    ck_assert_int_eq(tg_array_alloc(&before, (tg_dtype)c->dtype, tg_array_shape(c)), TG_OK);
    tg_array_copy(&before, c);
    ck_assert_int_eq(tg_gemm(alpha, a, b, beta, c), TG_OK);
    int64_t m = c->shape[c->rank - 2], n = c->shape[c->rank - 1], k = a->shape[a->rank - 1];
    double eps = c->dtype == TG_F32 ? 0x1p-24 : 0x1p-53, *x = dense(a), *y = dense(b);
    for (int64_t i = 0; i < c->numel; i++) {
        int64_t batch = i / (m * n), row = i / n % m, col = i % n;
        long double sum = 0, size = 0;
        for (int64_t l = 0; l < k; l++) {
            long double v = (long double)x[(batch * m + row) * k + l] * y[(batch * k + l) * n + col];
            sum += v, size += fabsl(v);
        }
        long double old = beta == 0 ? 0 : beta * (long double)tg_array_get(&before, i),
                    want = alpha * sum + old;
        double most = (double)(k + 3) * eps * (double)(fabs(alpha) * size + fabsl(old));
        REQUIRE(fabs(tg_array_get(c, i) - (double)want) <= most,
                "[%d, %d] x [%d, %d], element %d: %.9g, not %.9Lg", (int)m, (int)k, (int)k, (int)n, (int)i,
                tg_array_get(c, i), want);
    }
    free(x), free(y);
    tg_array_drop(&before);
}

static const int64_t sizes[][3] = {{1, 1, 1},    {3, 4, 5},   {8, 8, 8},   {9, 8, 8},
                                   {1, 40, 30},  {40, 1, 30}, {1, 1, 700}, {33, 17, 1},
                                   {31, 33, 65}, {70, 64, 3}, {2, 300, 4}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void check_layouts(tg_dtype dtype, const int64_t *z) {
    for (int la = 0; la < LAYOUTS; la++)
        for (int lb = 0; lb < LAYOUTS; lb++) {
            tg_array a = laid_out(dtype, TG_SHAPE(z[0], z[2]), (enum layout)la);
            tg_array b = laid_out(dtype, TG_SHAPE(z[2], z[1]), (enum layout)lb);
            tg_array c = laid_out(dtype, TG_SHAPE(z[0], z[1]), lb % 2 ? PADDED : PLAIN);
            if (la % 2) tg_array_fill(&c, (double)NAN);
            check_gemm(la % 2 ? 1 : -0.5, &a, &b, la % 2 ? 0 : 2, &c);
            tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
        }
}

START_TEST(layouts) {
    for (int i = 0; i < SIZES; i++) check_layouts((tg_dtype)_i, sizes[i]);
}
END_TEST

/* With BLAS's int at 20, leading dimensions and inner sizes beyond it take the other ways. */
START_TEST(sizes_beyond_int) {
    tg_gemm_int_max = 20;
    for (int i = 0; i < SIZES; i++) check_layouts((tg_dtype)_i, sizes[i]);
}
END_TEST

/* Batches [2, 3]: each of A, B with both axes, one, or none of its own; rows of A that go on evenly, or
 * not. */
START_TEST(batches) {
    for (int who = 0; who < 16; who++)
        for (int i = 0; i < SIZES; i++) {
            const int64_t *z = sizes[i];
            tg_shape sa = TG_SHAPE(who & 1 ? 2 : 1, who & 2 ? 3 : 1, z[0], z[2]);
            tg_shape sb = TG_SHAPE(who & 4 ? 2 : 1, who & 8 ? 3 : 1, z[2], z[1]);
            tg_array a = laid_out(TG_F32, sa, i % 3 ? PLAIN : TRANSPOSED), b = fresh(TG_F32, sb), c;
            tg_array va = {0}, vb = {0};
            c = fresh(TG_F32, TG_SHAPE(2, 3, z[0], z[1]));
            ck_assert_int_eq(tg_array_broadcast(&va, &a, TG_SHAPE(2, 3, z[0], z[2])), TG_OK);
            ck_assert_int_eq(tg_array_broadcast(&vb, &b, TG_SHAPE(2, 3, z[2], z[1])), TG_OK);
            check_gemm(1, &va, &vb, who % 2, &c);
            tg_array *all[] = {&a, &b, &c, &va, &vb};
            for (int k = 0; k < 5; k++) tg_array_drop(all[k]);
        }
}
END_TEST

START_TEST(empty_sizes) {
    static const int64_t none[][3] = {{0, 5, 4}, {5, 0, 4}, {5, 4, 0}, {0, 0, 0}, {60, 60, 0}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        for (int beta = 0; beta < 3; beta++) {
            const int64_t *z = none[i];
            tg_array a = fresh(TG_F64, TG_SHAPE(2, z[0], z[2])), b = fresh(TG_F64, TG_SHAPE(2, z[2], z[1]));
            tg_array c = fresh(TG_F64, TG_SHAPE(2, z[0], z[1]));
            check_gemm(1, &a, &b, beta, &c);
            tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
        }
}
END_TEST

/* NaN and infinity go through, also against zeros; by the direct loop, by gemv and by gemm. */
START_TEST(nan_goes_through) {
    static const int64_t z[][3] = {{2, 3, 4}, {1, 50, 60}, {50, 1, 60}, {40, 40, 40}};
    for (int i = 0; i < 4; i++) {
        tg_array a = fresh(TG_F32, TG_SHAPE(z[i][0], z[i][2])), b = fresh(TG_F32, TG_SHAPE(z[i][2], z[i][1]));
        tg_array c = fresh(TG_F32, TG_SHAPE(z[i][0], z[i][1]));
        tg_array_fill(&b, 0);
        tg_array_set(&a, 1, i % 2 ? (double)INFINITY : (double)NAN);
        ck_assert_int_eq(tg_gemm(1, &a, &b, 0, &c), TG_OK);
        for (int64_t k = 0; k < c.numel; k++) ck_assert_int_eq(isnan(tg_array_get(&c, k)) != 0, k < z[i][1]);
        tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
    }
}
END_TEST

/* Those of the operands, and the scratch memory where the kernels take some. */
START_TEST(allocation_that_fails) {
    tg_status s = TG_ERR_MEMORY;
    int n = 0;
    while (s != TG_OK) {
        tg_array a = laid_out(TG_F32, TG_SHAPE(40, 50), STRIDED),
                 b = laid_out(TG_F32, TG_SHAPE(50, 40), BACKWARDS);
        tg_array c = fresh(TG_F32, TG_SHAPE(40, 40));
        tg_memory_fail_at(++n);
        s = tg_gemm(1, &a, &b, 0, &c);
        tg_memory_fail_at(-1);
        tg_error_clear();
        ck_assert(s == TG_OK || s == TG_ERR_MEMORY);
        for (int64_t i = 0; s != TG_OK && i < c.numel; i++)
            ck_assert_double_eq(tg_array_get(&c, i), (float)number(i));
        tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
    }
    ck_assert_int_ge(n, 3);
}
END_TEST

/* C = A B + C at 1 to 4 threads. */
static void check_threads(tg_dtype dtype, const int64_t *z, int turned) {
    tg_array a = laid_out(dtype, TG_SHAPE(z[0], z[2]), turned % 2 ? TRANSPOSED : PLAIN);
    tg_array b = laid_out(dtype, TG_SHAPE(z[2], z[1]), turned / 2 ? TRANSPOSED : PLAIN), first = {0};
    for (int n = 1; n <= 4; n++) {
        tg_array c = fresh(dtype, TG_SHAPE(z[0], z[1]));
        tg_set_num_threads(n);
        ck_assert_int_eq(tg_gemm(1, &a, &b, 1, &c), TG_OK);
        if (n == 1) tg_array_share(&first, &c);
        REQUIRE(memcmp(c.data, first.data, (size_t)c.numel * tg_dtype_size(dtype)) == 0,
                "[%d, %d, %d], %d turned: %d threads", (int)z[0], (int)z[1], (int)z[2], turned, n);
        tg_array_drop(&c);
    }
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&first);
}

START_TEST(threads_change_nothing) {
    static const int64_t z[][3] = {
        {700, 300, 257}, {64, 256, 784}, {1, 3000, 1500}, {3000, 1, 1500}, {130, 1100, 513}};
    for (int i = 0; i < 5; i++)
        for (int t = 0; t < 4; t++) check_threads((tg_dtype)_i, z[i], t);
}
END_TEST

/* Sizes of any remainder, around the size from which a product is divided. */
START_TEST(threads_change_nothing_at_odd_sizes) {
    tg_rng rng = {.seed = 11};
    for (int i = 0; i < 40; i++) {
        int64_t z[3];
        for (int k = 0; k < 3; k++) z[k] = 65 + (int64_t)tg_rng_below(&rng, 500);
        check_threads((tg_dtype)_i, z, i % 4);
    }
}
END_TEST

TCase *tcase_gemm(void) {
    TCase *tc = tcase_create("gemm");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, layouts, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(tc, sizes_beyond_int, TG_F32, TG_F64 + 1);
    tcase_add_test(tc, batches);
    tcase_add_test(tc, empty_sizes);
    tcase_add_test(tc, nan_goes_through);
    tcase_add_test(tc, allocation_that_fails);
    return tc;
}

TCase *tcase_gemm_threads(void) {
    TCase *tc = tcase_create("gemm threads");
    tcase_set_tags(tc, "slow");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, threads_change_nothing, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(tc, threads_change_nothing_at_odd_sizes, TG_F32, TG_F64 + 1);
    return tc;
}
