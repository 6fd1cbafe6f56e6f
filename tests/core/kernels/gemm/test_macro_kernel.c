/* core/kernels/gemm/macro_kernel.h through tg_gemm and tg_gemm_bias, with every instruction set that was built and runs here, at
 * sizes beyond its blocks of rows, sums and columns. The numbers are small and whole: their products and sums are
 * exact, so that results are compared to the bit. */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

TCase *tcase_macro_kernel(void);

static double whole(int64_t i, int salt) { return (double)((i * 7919 + salt * 104729) % 13 - 6); }

/* [rows, cols], or its transpose in memory. Columns of a row end `gap` before the next begins. */
static tg_array matrix(tg_dtype dtype, int64_t rows, int64_t cols, bool turned, int64_t gap, int salt) {
    tg_array a = {0};
    int64_t lines = turned ? cols : rows, length = (turned ? rows : cols) + gap;
    ck_assert_int_eq(tg_array_alloc(&a, dtype, TG_SHAPE(lines, length)), TG_OK);
    for (int64_t i = 0; i < a.numel; i++)
        if (dtype == TG_F64)
            ((double *)a.data)[i] = whole(i, salt);
        else
            ((float *)a.data)[i] = (float)whole(i, salt);
    a.shape[0] = rows, a.shape[1] = cols, a.numel = rows * cols;
    a.stride[turned] = length, a.stride[!turned] = 1;
    return a;
}

static double value(const tg_array *a, int64_t i, int64_t j) {
    int64_t at = i * a->stride[0] + j * a->stride[1];
    return a->dtype == TG_F64 ? ((double *)a->data)[at] : (double)((float *)a->data)[at];
}

enum { ZEROS, ITSELF, BIAS };

/* [m, n]: what a holds, times b, added to what is there at the beginning. */
static double *expect(const tg_array *a, const tg_array *b, const tg_array *was, const tg_array *bias,
                      int start) {
    int64_t m = a->shape[0], n = b->shape[1], k = a->shape[1];
    double *want = calloc((size_t)(m * n), sizeof *want), *row = calloc((size_t)(k * n + 1), sizeof *row);
    for (int64_t i = 0; i < k * n; i++) row[i] = value(b, i / n, i % n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            want[i * n + j] = start == ITSELF ? value(was, i, j) : start == BIAS ? tg_array_get(bias, j) : 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t r = 0; r < k; r++) {
            double v = value(a, i, r);
            for (int64_t j = 0; j < n; j++) want[i * n + j] += v * row[r * n + j];
        }
    free(row);
    return want;
}

static void check(const char *isa, tg_dtype dtype, const int64_t z[3], int turned, int start) {
    int64_t m = z[0], n = z[1], k = z[2], gap = turned ? 0 : 3;
    tg_array a = matrix(dtype, m, k, turned & 1, gap, 1), b = matrix(dtype, k, n, turned & 2, gap, 2);
    tg_array c = matrix(dtype, m, n, false, gap, 3), was = matrix(dtype, m, n, false, gap, 3), bias = {0};
    ck_assert_int_eq(tg_array_alloc(&bias, dtype, TG_SHAPE(n)), TG_OK);
    for (int64_t j = 0; j < n; j++) tg_array_set(&bias, j, whole(j, 4));
    ck_assert_int_eq(start == BIAS ? tg_gemm_bias(&a, &b, &bias, &c) : tg_gemm(1, &a, &b, start == ITSELF, &c),
                     TG_OK);
    double *all_wanted = expect(&a, &b, &was, &bias, start);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n + gap; j++) {
            double want = j < n ? all_wanted[i * n + j] : value(&was, i, j);
            if (value(&c, i, j) != want)
                ck_abort_msg("%s f%d [%d, %d] [%d, %d], turned %d, start %d: %g at %d, %d, not %g", isa,
                             dtype == TG_F64 ? 64 : 32, (int)m, (int)k, (int)k, (int)n, turned, start,
                             value(&c, i, j), (int)i, (int)j, want);
        }
    free(all_wanted);
    tg_array *all[] = {&a, &b, &c, &was, &bias};
    for (int i = 0; i < 5; i++) tg_array_drop(all[i]);
}

/* Few rows, whose B is read in place, in one block and in two; more than two blocks of rows; of sums; of columns; rows of A that are 4 KiB apart,
 * and its columns; and what is too small, or a vector. */
static const int64_t sizes[][3] = {{5, 71, 40},   {84, 32, 33},   {85, 33, 64},  {30, 17, 513}, {3, 1030, 9},
                                   {90, 1057, 3}, {86, 16, 1024}, {1024, 5, 19}, {2048, 3, 7},  {2, 3, 4},
                                   {1, 700, 30},  {700, 1, 30},   {13, 48, 1},   {29, 31, 0},   {168, 70, 35},
                                   {169, 32, 20}, {128, 64, 515}};
enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(products_by_blocks) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int i = 0; i < SIZES; i++)
        for (int v = 0; v < 24; v++)
            check(tg_kernel_isas[_i], v % 2 ? TG_F64 : TG_F32, sizes[i], v / 2 % 4, v / 8);
}
END_TEST

/* Pieces, and batches that share out scratch memory. */
START_TEST(any_number_of_threads) {
    static const int64_t large[][3] = {{600, 130, 300}, {130, 600, 300}};
    for (int threads = 1; threads <= 4; threads++) {
        int was = tg_set_num_threads(threads);
        for (int v = 0; v < 8; v++) check("any", TG_F32, large[v % 2], v / 2, v % 3);
        tg_set_num_threads(was);
    }
}
END_TEST

START_TEST(batches_at_any_number_of_threads) {
    enum { BATCH = 9, N = 200 };
    tg_array a = {0}, b = {0}, first = {0};
    ck_assert_int_eq(tg_array_alloc(&a, TG_F32, TG_SHAPE(BATCH, N, N)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&b, TG_F32, TG_SHAPE(BATCH, N, N)), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) {
        tg_array_set(&a, i, 1 / (3 + whole(i, 5) / 4));
        tg_array_set(&b, i, whole(i, 6));
    }
    for (int threads = 1; threads <= 4; threads++) {
        int was = tg_set_num_threads(threads);
        tg_array c = {0};
        ck_assert_int_eq(tg_array_alloc(&c, TG_F32, TG_SHAPE(BATCH, N, N)), TG_OK);
        ck_assert_int_eq(tg_gemm(1, &a, &b, 0, &c), TG_OK);
        if (threads == 1) tg_array_share(&first, &c);
        ck_assert_msg(memcmp(c.data, first.data, (size_t)c.numel * sizeof(float)) == 0, "%d threads", threads);
        tg_array_drop(&c);
        tg_set_num_threads(was);
    }
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&first);
}
END_TEST

static void choose_again(void) { tg_kernels_choose(); }

TCase *tcase_macro_kernel(void) {
    TCase *t = tcase_create("macro_kernel");
    tcase_add_checked_fixture(t, NULL, choose_again);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, products_by_blocks, 0, isa_count());
    tcase_add_test(t, any_number_of_threads);
    tcase_add_test(t, batches_at_any_number_of_threads);
    return t;
}
