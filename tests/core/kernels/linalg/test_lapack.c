/* Factorisations, by LAPACK and by the loops that stand in for it, against the products they must give. */
#include "core/kernels/linalg/lapack.h"
#include "core/parallel.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_lapack(void);

#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

static int threads;
static int64_t lapack_from;
static void setup(void) {
    threads = tg_set_num_threads(1);
    lapack_from = tg_lapack_from;
}
static void teardown(void) {
    tg_lapack_from = lapack_from;
    tg_set_num_threads(threads);
}

static double number(int64_t i) { return (double)((i * 7919 + 13) % 1009 - 504) / 512; }

static tg_array fresh(tg_dtype dtype, tg_shape shape) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, dtype, shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) tg_array_set(&a, i, dtype == TG_I32 ? 0 : number(i));
    return a;
}

static tg_array copy_of(const tg_array *a) {
    tg_array c = fresh((tg_dtype)a->dtype, tg_array_shape(a));
    tg_array_copy(&c, a);
    return c;
}

static void add_diagonal(const tg_array *a, double v) {
    int64_t n = a->shape[a->rank - 1];
    for (int64_t i = 0; i < a->numel; i++)
        if (i % n == i / n % n) tg_array_set(a, i, tg_array_get(a, i) + v);
}

/* Of a row-major batch. */
static double at(const tg_array *a, int64_t matrix, int64_t i, int64_t j) {
    int64_t rows = a->shape[a->rank - 2], columns = a->shape[a->rank - 1];
    int64_t place = (matrix * rows + i) * columns + j;
    return a->dtype == TG_F64 ? ((double *)a->data)[place] : (double)((float *)a->data)[place];
}

static double epsilon(const tg_array *a) { return a->dtype == TG_F32 ? 0x1p-23 : 0x1p-52; }

static const int64_t sizes[] = {1, 2, 3, 8, 17, 33, 70, 150};
enum { SIZES = sizeof sizes / sizeof *sizes, BATCH = 3 };

/* L L^T = S in the triangle that was read, and the other one is as it was. */
static void check_cholesky(tg_dtype dtype, int64_t n, bool upper) {
    tg_array a = fresh(dtype, TG_SHAPE(BATCH, n, n));
    add_diagonal(&a, (double)n);
    tg_array l = copy_of(&a);
    ck_assert_int_eq(tg_cholesky_factor(&l, upper), -1);
    for (int64_t m = 0; m < BATCH; m++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                bool read = upper ? j >= i : j <= i;
                long double sum = 0;
                for (int64_t k = 0; k <= (i < j ? i : j); k++)
                    sum += upper ? (long double)at(&l, m, k, i) * at(&l, m, k, j)
                                 : (long double)at(&l, m, i, k) * at(&l, m, j, k);
                double want = at(&a, m, i, j), got = read ? (double)sum : at(&l, m, i, j);
                REQUIRE(read ? fabs(got - want) <= 4 * (double)n * epsilon(&a) * (double)n : got == want,
                        "n %d, upper %d: (%d, %d) is %.17g, not %.17g", (int)n, upper, (int)i, (int)j, got,
                        want);
            }
    tg_array_drop(&a), tg_array_drop(&l);
}

/* A X = B or A^T X = B, for the X that the factors give. */
static void check_lu(tg_dtype dtype, int64_t n, int64_t k, bool transpose) {
    tg_array a = fresh(dtype, TG_SHAPE(BATCH, n, n)), b = fresh(dtype, TG_SHAPE(BATCH, n, k));
    add_diagonal(&a, 0.75);
    tg_array lu = copy_of(&a), x = copy_of(&b), pivot = fresh(TG_I32, TG_SHAPE(BATCH, n, 1));
    ck_assert_int_eq(tg_lu_factor(&lu, &pivot), -1);
    for (int64_t i = 0; i < lu.numel; i++) { /* partial pivoting bounds U */
        bool in_u = i % n > i / n % n;
        REQUIRE(!in_u || fabs(tg_array_get(&lu, i)) <= 1, "n %d: element %d of U", (int)n, (int)i);
    }
    tg_lu_solve(&lu, &pivot, transpose, &x);
    for (int64_t m = 0; m < BATCH; m++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k; j++) {
                long double sum = -(long double)at(&b, m, i, j), size = 0;
                for (int64_t l = 0; l < n; l++) {
                    long double v =
                        (long double)at(&a, m, transpose ? l : i, transpose ? i : l) * at(&x, m, l, j);
                    sum += v, size += fabsl(v);
                }
                for (int64_t l = 0; l < n; l++) size += fabsl((long double)at(&x, m, l, j));
                REQUIRE(fabsl(sum) <= 8 * (long double)n * epsilon(&a) * size,
                        "n %d: residual (%d, %d) is %.3Lg of %.3Lg", (int)n, (int)i, (int)j, sum, size);
            }
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&lu), tg_array_drop(&x), tg_array_drop(&pivot);
}

START_TEST(factors_give_the_matrix_back) {
    for (int own = 0; own < 2; own++)
        for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
            tg_lapack_from = own ? INT64_MAX : 0;
            check_cholesky(f, sizes[_i], false);
            check_cholesky(f, sizes[_i], true);
            check_lu(f, sizes[_i], 1, false);
            check_lu(f, sizes[_i], 5, false);
            check_lu(f, sizes[_i], 5, true);
        }
}
END_TEST

/* The same choice of pivots, and factors that differ by rounding only. */
START_TEST(loops_and_lapack_agree) {
    int64_t n = sizes[_i];
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        tg_array a = fresh(f, TG_SHAPE(n, n)), p = fresh(TG_I32, TG_SHAPE(n, 1)), q = copy_of(&p);
        add_diagonal(&a, 0.75);
        tg_array b = copy_of(&a);
        tg_lapack_from = 0;
        tg_lu_factor(&a, &p);
        tg_lapack_from = INT64_MAX;
        tg_lu_factor(&b, &q);
        for (int64_t i = 0; i < n; i++) ck_assert_int_eq((int)tg_array_get(&p, i), (int)tg_array_get(&q, i));
        for (int64_t i = 0; i < a.numel; i++)
            REQUIRE(fabs(tg_array_get(&a, i) - tg_array_get(&b, i)) <= 200 * (double)n * epsilon(&a),
                    "n %d, element %d: %.9g and %.9g", (int)n, (int)i, tg_array_get(&a, i),
                    tg_array_get(&b, i));
        tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&p), tg_array_drop(&q);
    }
}
END_TEST

/* Of matrices that fail the first is named; the others are done. */
START_TEST(the_first_failure_is_named) {
    for (int own = 0; own < 2; own++)
        for (int n = 1; n <= 4; n++) {
            tg_lapack_from = own ? INT64_MAX : 0;
            tg_set_num_threads(1 + n % 2);
            tg_array a = fresh(TG_F64, TG_SHAPE(9, n, n)), pivot = fresh(TG_I32, TG_SHAPE(9, n, 1));
            tg_array_fill(&a, 0);
            add_diagonal(&a, 4);
            tg_array l = copy_of(&a);
            tg_array_set(&a, (5 * n + n - 1) * n + n - 1, 0);
            tg_array_set(&l, (7 * n + n - 1) * n + n - 1, NAN);
            tg_array_set(&l, (3 * n + n - 1) * n + n - 1, -1);
            ck_assert_int_eq(tg_lu_factor(&a, &pivot), 5);
            ck_assert_int_eq(tg_cholesky_factor(&l, false), 3);
            tg_array_set(&l, 3 * n * n, NAN);
            ck_assert_int_eq(tg_cholesky_factor(&l, true), 3);
            ck_assert(at(&l, 8, 0, 0) > 1 && at(&a, 8, 0, 0) == 4);
            tg_array_drop(&a), tg_array_drop(&l), tg_array_drop(&pivot);
        }
}
END_TEST

/* NaN and infinities go to the loops: exchanges stay inside the matrix. */
START_TEST(pivots_of_nan) {
    for (int64_t i = 0; i < 9; i++) {
        tg_array a = fresh(TG_F64, TG_SHAPE(3, 3)), pivot = fresh(TG_I32, TG_SHAPE(3, 1));
        tg_array_set(&a, i, i % 2 ? NAN : INFINITY);
        if (i == 8) tg_array_fill(&a, NAN);
        tg_lapack_from = 0;
        tg_lu_factor(&a, &pivot);
        for (int64_t k = 0; k < 3; k++) {
            double p = tg_array_get(&pivot, k);
            ck_assert(p >= (double)k && p < 3);
        }
        tg_array_drop(&a), tg_array_drop(&pivot);
    }
}
END_TEST

/* All eight kinds of triangle, for several columns and for one; one for a whole batch by stride 0; what is outside is not read. */
START_TEST(triangles) {
    int64_t n = 7, k = _i < 8 ? 3 : 1;
    tg_triangle t = {_i & 1, _i >> 1 & 1, _i >> 2 & 1};
    tg_array a = fresh(TG_F64, TG_SHAPE(n, n)), b = fresh(TG_F64, TG_SHAPE(BATCH, n, k)), x = copy_of(&b),
             every = a;
    add_diagonal(&a, 2);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            if ((t.upper ? j < i : j > i) || (t.unit && i == j)) tg_array_set(&a, i * n + j, NAN);
    every.rank = 3, every.numel = BATCH * n * n;
    memcpy(every.shape, (int64_t[]){BATCH, n, n}, 3 * sizeof(int64_t));
    memcpy(every.stride, (int64_t[]){0, n, 1}, 3 * sizeof(int64_t));
    tg_solve_triangle(&every, t, &x);
    for (int64_t m = 0; m < BATCH; m++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k; j++) {
                double sum = 0;
                for (int64_t l = 0; l < n; l++) {
                    int64_t row = t.transpose ? l : i, column = t.transpose ? i : l;
                    double v = t.unit && row == column ? 1 : at(&a, 0, row, column);
                    if (t.upper ? column >= row : column <= row) sum += v * at(&x, m, l, j);
                }
                ck_assert_double_eq_tol(sum, at(&b, m, i, j), 1e-13);
            }
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&x);
}
END_TEST

/* Bit for bit, in a batch that is shared among threads. */
START_TEST(any_number_of_threads) {
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        tg_array a = fresh(f, TG_SHAPE(40, 33, 33)), b = fresh(f, TG_SHAPE(40, 33, 9)), want[2] = {{0}, {0}};
        add_diagonal(&a, 40);
        for (int n = 1; n <= 4; n++) {
            tg_array lu = copy_of(&a), l = copy_of(&a), x = copy_of(&b),
                     pivot = fresh(TG_I32, TG_SHAPE(40, 33, 1));
            tg_set_num_threads(n);
            tg_lu_factor(&lu, &pivot);
            tg_lu_solve(&lu, &pivot, false, &x);
            tg_cholesky_factor(&l, false);
            if (n == 1) want[0] = copy_of(&x), want[1] = copy_of(&l);
            size_t size = tg_dtype_size(f);
            ck_assert_mem_eq(x.data, want[0].data, (size_t)x.numel * size);
            ck_assert_mem_eq(l.data, want[1].data, (size_t)l.numel * size);
            tg_array_drop(&lu), tg_array_drop(&l), tg_array_drop(&x), tg_array_drop(&pivot);
        }
        tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&want[0]), tg_array_drop(&want[1]);
    }
}
END_TEST

TCase *tcase_lapack(void) {
    TCase *t = tcase_create("lapack");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, factors_give_the_matrix_back, 0, SIZES);
    tcase_add_loop_test(t, loops_and_lapack_agree, 0, SIZES);
    tcase_add_test(t, the_first_failure_is_named);
    tcase_add_test(t, pivots_of_nan);
    tcase_add_loop_test(t, triangles, 0, 16);
    tcase_add_test(t, any_number_of_threads);
    return t;
}
