/* What slides windows: the table's products with offsets, transposes and pooling by two, of every instruction
 * set that was built and runs here, and the three products of convolution, against plain loops in double. */
#include "core/kernels/conv/conv.h"
#include "core/kernels/conv/max_pool.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)
#define COUNT(a) ((int64_t)(sizeof(a) / sizeof *(a)))

TCase *tcase_conv(void);

static double get(int dtype, const void *p, int64_t i) {
    return dtype == TG_F64 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}
static void set(int dtype, void *p, int64_t i, double v) {
    if (dtype == TG_F64)
        ((double *)p)[i] = v;
    else
        ((float *)p)[i] = (float)v;
}

/* Small whole numbers: their products and sums are exact in f32, so that results are compared to the bit. */
static double whole(int64_t i, int salt) { return (double)((i * 7919 + salt * 104729) % 13 - 6); }
static void fill(int dtype, void *p, int64_t n, int salt) {
    for (int64_t i = 0; i < n; i++) set(dtype, p, i, whole(i, salt));
}

/* ---- the table ---- */

enum { MOST = 64, SUMS = 40 };
enum { NO_START, SHARED_ROW, ITSELF };

static void check_offset_gemm(const tg_kernels *k, int dtype, int64_t rows, int64_t sums, int64_t lanes,
                              int start, int64_t gap) {
    static double x[MOST * 3 + SUMS * 5], b[SUMS * 35], c[(MOST + 1) * 35], bias[32], was[(MOST + 1) * 35];
    int64_t row[MOST], sum[SUMS], c_row = lanes + gap, vector = k->real[dtype]->lanes;
    int64_t b_row = (lanes + vector - 1) / vector * vector + gap;
    for (int64_t i = 0; i < rows; i++) row[i] = i * 37 % MOST * 3;
    for (int64_t r = 0; r < sums; r++) sum[r] = r * 11 % SUMS * 5;
    fill(dtype, x, COUNT(x), 1), fill(dtype, b, COUNT(b), 2), fill(dtype, bias, lanes, 3);
    fill(dtype, c, COUNT(c), 4);
    memcpy(was, c, sizeof c);
    const void *from = start == NO_START ? NULL : start == ITSELF ? (const void *)c : (const void *)bias;
    k->real[dtype]->product(&(tg_product){.m = rows,
                                          .n = lanes,
                                          .k = sums,
                                          .a = x,
                                          .a_row_at = row,
                                          .a_col_at = sum,
                                          .b = b,
                                          .b_row = b_row,
                                          .padded = true,
                                          .start = from,
                                          .start_row = start == ITSELF ? c_row : 0,
                                          .c = c,
                                          .c_row = c_row,
                                          .alpha = 1,
                                          .fetch = gap != 0});
    for (int64_t i = 0; i < (rows + 1) * c_row; i++) {
        bool inside = i < rows * c_row && i % c_row < lanes;
        double want = start == ITSELF       ? get(dtype, was, i)
                      : start == SHARED_ROW ? get(dtype, bias, i % c_row % lanes)
                                            : 0;
        for (int64_t r = 0; r < sums && inside; r++)
            want += get(dtype, x, row[i / c_row] + sum[r]) * get(dtype, b, r * b_row + i % c_row);
        if (!inside) want = get(dtype, was, i); /* between rows, and behind the last */
        REQUIRE(get(dtype, c, i) == want, "%s f%d %d rows, %d sums, %d lanes: %g at %d, not %g", k->isa,
                dtype ? 64 : 32, (int)rows, (int)sums, (int)lanes, get(dtype, c, i), (int)i, want);
    }
}

/* One vector and two, whole and cut. */
START_TEST(products_with_offsets) {
    static const int64_t rows[] = {1, 2, 3, 5, 6, 7, 8, 12, 13, 14, 15, 21, 22, 28, 31, MOST},
                         sums[] = {0, 1, 2, SUMS};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int64_t i = 0; k && i < COUNT(rows) * COUNT(sums); i++)
        for (int v = 0; v < 48; v++) {
            int64_t lanes = (v / 2 % 2 + 1) * k->real[v % 2]->lanes - v / 24;
            if (lanes > 0)
                check_offset_gemm(k, v % 2, rows[i / COUNT(sums)], sums[i % COUNT(sums)], lanes, v / 4 % 3,
                                  v / 12 % 2 * 3);
        }
}
END_TEST

static void check_offset_lines(const tg_kernels *k, int dtype, int64_t lines, int64_t sums, int64_t n,
                               bool start) {
    static double x[MOST * 2 + SUMS * 5], w[SUMS * 9], c[10 * 80], bias[9];
    int64_t sum[SUMS];
    for (int64_t r = 0; r < sums; r++) sum[r] = r * 11 % SUMS * 5;
    fill(dtype, x, COUNT(x), 1), fill(dtype, w, COUNT(w), 2), fill(dtype, bias, 9, 3),
        fill(dtype, c, COUNT(c), 4);
    k->real[dtype]->product(&(tg_product){.m = lines,
                                          .n = n,
                                          .k = sums,
                                          .a = w,
                                          .a_row = 1,
                                          .a_col = 9,
                                          .b = x,
                                          .b_row_at = sum,
                                          .start = start ? bias : NULL,
                                          .start_row = 1,
                                          .c = c,
                                          .c_row = 80,
                                          .alpha = 1});
    for (int64_t i = 0; i < COUNT(c); i++) {
        bool inside = i / 80 < lines && i % 80 < n;
        double want = !inside ? whole(i, 4) : start ? get(dtype, bias, i / 80) : 0;
        for (int64_t r = 0; r < sums && inside; r++)
            want += get(dtype, w, r * 9 + i / 80) * get(dtype, x, sum[r] + i % 80);
        REQUIRE(get(dtype, c, i) == want, "%s f%d %d lines, %d sums of %d: %g at %d, not %g", k->isa,
                dtype ? 64 : 32, (int)lines, (int)sums, (int)n, get(dtype, c, i), (int)i, want);
    }
}

START_TEST(lines_with_offsets) {
    static const int64_t sums[] = {0, 1, SUMS},
                         n[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 35, MOST, 70};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int64_t i = 0; k && i < COUNT(n) * COUNT(sums); i++)
        for (int v = 0; v < 4; v++)
            for (int64_t lines = 1; lines <= 9; lines++)
                check_offset_lines(k, v % 2, lines, sums[i % COUNT(sums)], n[i / COUNT(sums)], v / 2);
}
END_TEST

static void check_transpose(const tg_kernels *k, int dtype, int64_t rows, int64_t cols) {
    static double x[40 * 42], out[40 * 41];
    fill(dtype, x, COUNT(x), 5), fill(dtype, out, COUNT(out), 6);
    k->real[dtype]->transpose(rows, cols, x, 42, out, 41);
    for (int64_t i = 0; i < COUNT(out); i++) {
        bool inside = i / 41 < cols && i % 41 < rows;
        double want = inside ? get(dtype, x, i % 41 * 42 + i / 41) : whole(i, 6);
        REQUIRE(get(dtype, out, i) == want, "%s f%d [%d, %d]: %g at %d, not %g", k->isa, dtype ? 64 : 32,
                (int)rows, (int)cols, get(dtype, out, i), (int)i, want);
    }
}

START_TEST(transposes) {
    static const int64_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int64_t i = 0; k && i < COUNT(sizes) * COUNT(sizes); i++)
        for (int dtype = 0; dtype < 2; dtype++)
            check_transpose(k, dtype, sizes[i / COUNT(sizes)], sizes[i % COUNT(sizes)]);
}
END_TEST

enum { LONGEST = 40, APART = 45 /* of planes */ };

/* There with a table, and without; and back. What lies between and behind stays. */
static void check_interleaving(const tg_kernels *k, int dtype, int64_t n, int64_t count, bool table) {
    static double plane[16 * APART], lane[(2 * LONGEST + 1) * 16], back[16 * APART];
    int64_t at[LONGEST], w = k->real[dtype]->lanes;
    for (int64_t i = 0; i < n; i++) at[i] = table ? i * 7 % LONGEST + 1 : i;
    fill(dtype, plane, COUNT(plane), 1), fill(dtype, lane, COUNT(lane), 2), fill(dtype, back, COUNT(back), 3);
    tg_interleaving there = {n, count, APART, plane, lane, table ? at : NULL};
    k->real[dtype]->interleave(&there);
    bool written[2 * LONGEST + 1] = {false};
    for (int64_t i = 0; i < n; i++) written[at[i]] = true;
    for (int64_t i = 0; i < n * w; i++) {
        double want = i % w < count ? whole(i % w * APART + i / w, 1) : 0;
        REQUIRE(get(dtype, lane, at[i / w] * w + i % w) == want,
                "%s f%d: element %d of plane %d is %g, not %g", k->isa, dtype ? 64 : 32, (int)(i / w),
                (int)(i % w), get(dtype, lane, at[i / w] * w + i % w), want);
    }
    for (int64_t i = 0; i < (2 * LONGEST + 1) * w; i++)
        REQUIRE(written[i / w] || get(dtype, lane, i) == whole(i, 2), "%s f%d: wrote vector %d", k->isa,
                dtype ? 64 : 32, (int)(i / w));
    fill(dtype, lane, n * w, 4);
    k->real[dtype]->deinterleave(&(tg_interleaving){n, count, APART, back, lane, table ? at : NULL});
    for (int64_t i = 0; i < n * count; i++)
        set(dtype, plane, i / n * APART + at[i % n], whole(i % n * w + i / n, 4));
    for (int64_t l = 0; l < 16; l++)
        for (int64_t i = 0; i < APART; i++) {
            bool was = l >= count || i > LONGEST || !written[i];
            double want = was ? whole(l * APART + i, 3) : get(dtype, plane, l * APART + i);
            REQUIRE(get(dtype, back, l * APART + i) == want, "%s f%d, %d of %d: %g at %d of plane %d, not %g",
                    k->isa, dtype ? 64 : 32, (int)n, (int)count, get(dtype, back, l * APART + i), (int)i,
                    (int)l, want);
        }
}

START_TEST(interleaves) {
    static const int64_t n[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, LONGEST};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int64_t i = 0; k && i < COUNT(n) * 4; i++)
        for (int64_t count = 1; count <= k->real[i % 2]->lanes; count++)
            check_interleaving(k, (int)(i % 2), n[i / 4], count, i / 2 % 2);
}
END_TEST

enum { NO_BIAS, A_BIAS, ADDS };

static void check_lane_product(const tg_kernels *k, int dtype, int64_t m, int64_t n, int64_t sums, int start) {
    enum { A = 3 * 40 + 5 * SUMS };
    static double a[A * 16], b[5 * SUMS * 16], c[(40 * 5 + 1) * 16], bias[5 * 16];
    int64_t row[40], col[SUMS], w = k->real[dtype]->lanes;
    for (int64_t i = 0; i < m; i++) row[i] = i * 7 % 40 * 3;
    for (int64_t p = 0; p < sums; p++) col[p] = p * 11 % SUMS * 5;
    fill(dtype, a, COUNT(a), 1), fill(dtype, b, COUNT(b), 2), fill(dtype, c, COUNT(c), 3);
    fill(dtype, bias, COUNT(bias), 4);
    k->real[dtype]->lane_product(
        &(tg_lane_product){m, n, sums, a, b, start == A_BIAS ? bias : NULL, c, row, col, start == ADDS});
    for (int64_t i = 0; i < (m * n + 1) * w; i++) {
        int64_t v = i / w, j = v / m, r = v % m;
        double want = start == ADDS || v == m * n ? whole(i, 3)
                      : start == A_BIAS           ? whole(j * w + i % w, 4)
                                                  : 0;
        for (int64_t p = 0; p < sums && v < m * n; p++)
            want += get(dtype, a, (row[r] + col[p]) * w + i % w) * get(dtype, b, (j * sums + p) * w + i % w);
        REQUIRE(get(dtype, c, i) == want, "%s f%d [%d, %d] of %d sums: %g at %d, not %g", k->isa,
                dtype ? 64 : 32, (int)m, (int)n, (int)sums, get(dtype, c, i), (int)i, want);
    }
}

START_TEST(products_in_lanes) {
    static const int64_t sums[] = {0, 1, 2, SUMS};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int64_t m = 1; k && m <= 40; m += m < 21 ? 1 : 19)
        for (int64_t n = 1; n <= 5; n++)
            for (int i = 0; i < 24; i++) check_lane_product(k, i % 2, m, n, sums[i / 2 % 4], i / 8);
}
END_TEST

/* ---- pooling ---- */

/* The window's largest: the first that ties, or the first NaN. */
static int64_t largest(int dtype, const void *plane, int64_t width, const tg_window w[2], int64_t i, int64_t j) {
    int64_t best = -1;
    for (int64_t k = 0; k < w[0].kernel * w[1].kernel; k++) {
        int64_t y = i * w[0].stride - w[0].padding + k / w[1].kernel * w[0].dilation;
        int64_t x = j * w[1].stride - w[1].padding + k % w[1].kernel * w[1].dilation, at = y * width + x;
        if (y < 0 || y >= w[0].in || x < 0 || x >= width) continue;
        double v = get(dtype, plane, at), most = best < 0 ? -INFINITY : get(dtype, plane, best);
        if (best < 0 || v > most || (isnan(v) && !isnan(most))) best = at;
    }
    return best;
}

static tg_array made(int dtype, tg_shape shape, int salt) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, (tg_dtype)dtype, shape), TG_OK);
    if (dtype <= TG_F64) fill(dtype, a.data, a.numel, salt);
    return a;
}

static void check_pool(int dtype, const tg_window w[2], bool nan) {
    tg_array x = made(dtype, TG_SHAPE(3, w[0].in, w[1].in), 7),
             dx = made(dtype, TG_SHAPE(3, w[0].in, w[1].in), 8);
    tg_array y = made(dtype, TG_SHAPE(3, w[0].out, w[1].out), 9),
             index = made(TG_I64, TG_SHAPE(3, w[0].out, w[1].out), 0);
    tg_array want = made(dtype, TG_SHAPE(3, w[0].in, w[1].in), 8);
    for (int64_t i = 0; nan && i < x.numel; i += 5) set(dtype, x.data, i, (double)NAN);
    tg_max_pool(w, &x, &y, &index);
    tg_array_fill(&want, 0);
    for (int64_t i = 0, out = w[0].out * w[1].out, in = w[0].in * w[1].in; i < y.numel; i++) {
        int64_t first = i / out * in, size = dtype ? 8 : 4;
        int64_t at =
            largest(dtype, (char *)x.data + first * size, w[1].in, w, i % out / w[1].out, i % w[1].out);
        REQUIRE(((int64_t *)index.data)[i] == at, "%s f%d %d by %d: window %d takes %d, not %d", tg_isa(),
                dtype ? 64 : 32, (int)w[0].in, (int)w[1].in, (int)i, (int)((int64_t *)index.data)[i], (int)at);
        double got = get(dtype, y.data, i), should = get(dtype, x.data, first + at);
        REQUIRE(got == should || (isnan(got) && isnan(should)), "window %d is %g, not %g", (int)i, got, should);
        set(dtype, y.data, i, whole(i, 9));
        set(dtype, want.data, first + at, get(dtype, want.data, first + at) + whole(i, 9));
    }
    tg_max_pool_grad(w, &y, &index, &dx);
    for (int64_t i = 0; i < dx.numel; i++)
        REQUIRE(get(dtype, dx.data, i) == get(dtype, want.data, i), "%s f%d: gradient %g at %d, not %g",
                tg_isa(), dtype ? 64 : 32, get(dtype, dx.data, i), (int)i, get(dtype, want.data, i));
    tg_array_drop(&x), tg_array_drop(&dx), tg_array_drop(&y), tg_array_drop(&index), tg_array_drop(&want);
}

static tg_window window(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    return (tg_window){in,     kernel,  (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1,
                       stride, padding, dilation};
}

START_TEST(pools) {
    static const int64_t sizes[] = {2, 3, 4, 7, 15, 16, 17, 31, 32, 33, 35, 64, 66, 67};
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int64_t i = 0; i < COUNT(sizes); i++)
        for (int k = 0; k < 4; k++) {
            check_pool(k % 2, (tg_window[]){window(5, 2, 2, 0, 1), window(sizes[i], 2, 2, 0, 1)}, k / 2);
            check_pool(k % 2, (tg_window[]){window(sizes[i], 2, 2, 0, 1), window(6, 2, 2, 0, 1)}, k / 2);
            check_pool(k % 2, (tg_window[]){window(6, 2, 1, 1, 1), window(sizes[i] + 4, 3, 2, 1, 2)}, k / 2);
        }
}
END_TEST

/* ---- convolution ---- */

/* Sizes around the blocks of 336 places, the panels of two vectors and the tiles of rows; the options each
 * alone, and together. */
typedef struct row {
    int64_t images, groups, channels, filters, in[2], kernel[2], stride[2], padding[2], dilation[2];
} row;
static const row rows[] = {
    {2, 1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {3, 1, 1, 16, {28, 28}, {5, 5}, {1, 1}, {2, 2}, {1, 1}},
    {2, 1, 16, 33, {14, 14}, {5, 5}, {1, 1}, {2, 2}, {1, 1}},
    {1, 1, 3, 31, {19, 18}, {3, 3}, {1, 1}, {0, 0}, {1, 1}},
    {1, 1, 2, 17, {1, 701}, {1, 7}, {1, 1}, {0, 3}, {1, 1}},
    {2, 1, 2, 3, {2, 340}, {2, 3}, {1, 1}, {1, 0}, {1, 1}},
    {1, 1, 2, 3, {340, 2}, {3, 2}, {1, 1}, {0, 1}, {1, 1}},
    {2, 1, 5, 40, {9, 11}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 5, 4, {9, 11}, {1, 1}, {2, 3}, {0, 1}, {1, 1}},
    {3, 1, 3, 5, {23, 31}, {3, 4}, {2, 3}, {1, 2}, {1, 1}},
    {2, 1, 3, 5, {13, 17}, {3, 2}, {1, 1}, {2, 1}, {2, 3}},
    {2, 1, 3, 5, {21, 26}, {3, 3}, {2, 4}, {3, 0}, {4, 6}},
    {2, 1, 3, 5, {21, 26}, {2, 3}, {5, 3}, {0, 4}, {1, 2}},
    {2, 1, 3, 8, {20, 37}, {3, 3}, {3, 1}, {1, 2}, {2, 1}},
    {2, 1, 7, 9, {6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {2, 3, 2, 35, {10, 12}, {3, 3}, {1, 2}, {0, 1}, {1, 1}},
    {2, 6, 1, 1, {20, 21}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {2, 20, 2, 1, {5, 4}, {2, 2}, {1, 1}, {0, 1}, {1, 1}},
    {20, 1, 2, 3, {6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {40, 3, 2, 2, {5, 6}, {3, 2}, {1, 1}, {1, 1}, {1, 1}},
    {3, 10, 3, 2, {11, 12}, {3, 3}, {2, 3}, {1, 0}, {1, 1}},
    {1, 17, 1, 1, {12, 40}, {3, 5}, {1, 1}, {2, 4}, {2, 2}},
    {1, 16, 1, 2, {3, 701}, {3, 5}, {1, 1}, {1, 2}, {1, 1}},
    {2, 33, 1, 1, {40, 9}, {5, 5}, {2, 2}, {3, 2}, {1, 3}},
    {2, 16, 4, 4, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {3, 7, 8, 3, {9, 10}, {2, 2}, {1, 1}, {0, 0}, {1, 1}},
    {2, 24, 1, 1, {7, 30}, {1, 1}, {3, 2}, {0, 0}, {1, 1}},
    {2, 1, 3, 32, {12, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {2, 1, 2, 76, {9, 64}, {3, 3}, {2, 1}, {1, 1}, {1, 1}},
    {1, 3, 20, 40, {13, 16}, {2, 3}, {1, 1}, {0, 1}, {1, 1}},
    {1, 2, 2, 46, {3, 704}, {3, 1}, {1, 1}, {1, 0}, {1, 1}},
    {2, 1, 33, 28, {7, 30}, {3, 3}, {1, 1}, {1, 2}, {1, 1}},
    {2, 1, 2, 3, {4, 4}, {3, 3}, {1, 1}, {5, 4}, {1, 1}},
    {9, 1, 3, 20, {25, 31}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {8, 1, 20, 3, {25, 33}, {3, 4}, {2, 3}, {1, 2}, {1, 2}},
    {8, 1, 2, 18, {40, 21}, {3, 2}, {1, 1}, {4, 0}, {1, 1}},
    {5, 2, 9, 12, {24, 30}, {2, 3}, {1, 1}, {0, 2}, {3, 1}},
    {2, 1, 2, 3, {6, 6}, {4, 4}, {1, 1}, {0, 0}, {1, 1}},
    {0, 1, 2, 3, {6, 6}, {4, 4}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 0, 3, {6, 6}, {4, 4}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 3, 0, {6, 6}, {4, 4}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 3, 2, {0, 6}, {2, 4}, {1, 1}, {1, 0}, {1, 1}},
};

typedef struct case_arrays {
    tg_array x, w, y, bias;
} case_arrays;

/* Calls f at each product w[f, c, k, l] * x[n, c, y, x] that y[n, f, i, j] sums, with the three positions. */
typedef void visit_fn(void *to, int64_t x, int64_t w, int64_t y);
static void visit(const tg_conv *c, visit_fn *f, void *to) {
    const tg_window *v = c->window;
    int64_t filters = c->groups * c->filters, kernel = v[0].kernel * v[1].kernel, out = v[0].out * v[1].out;
    for (int64_t y = 0; y < c->images * filters * out; y++)
        for (int64_t t = 0; t < c->channels * kernel; t++) {
            int64_t image = y / out / filters, filter = y / out % filters, channel = t / kernel;
            int64_t r =
                y % out / v[1].out * v[0].stride - v[0].padding + t % kernel / v[1].kernel * v[0].dilation;
            int64_t s = y % v[1].out * v[1].stride - v[1].padding + t % v[1].kernel * v[1].dilation;
            if (r < 0 || r >= v[0].in || s < 0 || s >= v[1].in) continue;
            int64_t plane = (image * c->groups + filter / c->filters) * c->channels + channel;
            f(to, (plane * v[0].in + r) * v[1].in + s, filter * c->channels * kernel + t, y);
        }
}

typedef struct sums {
    int dtype;
    const case_arrays *of;
    double *x, *w, *y;
} sums;
static void add_products(void *to, int64_t x, int64_t w, int64_t y) {
    sums *s = to;
    double vx = get(s->dtype, s->of->x.data, x), vw = get(s->dtype, s->of->w.data, w);
    double vy = get(s->dtype, s->of->y.data, y);
    s->x[x] += vw * vy, s->w[w] += vx * vy, s->y[y] += vx * vw;
}

static void compare(const char *what, int i, int dtype, const tg_array *got, const double *want) {
    for (int64_t k = 0; k < got->numel; k++)
        REQUIRE(get(dtype, got->data, k) == want[k], "%s, row %d, f%d, %s: %g at %d, not %g", tg_isa(), i,
                dtype ? 64 : 32, what, get(dtype, got->data, k), (int)k, want[k]);
}

static void check_conv(int i, int dtype) {
    const row *r = &rows[i];
    tg_conv c = {r->images, r->groups, r->channels, r->filters, {{0}}};
    for (int k = 0; k < 2; k++)
        c.window[k] = window(r->in[k], r->kernel[k], r->stride[k], r->padding[k], r->dilation[k]);
    tg_shape sx = TG_SHAPE(r->images, r->groups * r->channels, r->in[0], r->in[1]);
    tg_shape sw = TG_SHAPE(r->groups * r->filters, r->channels, r->kernel[0], r->kernel[1]);
    tg_shape sy = TG_SHAPE(r->images, r->groups * r->filters, c.window[0].out, c.window[1].out);
    case_arrays a = {made(dtype, sx, 1), made(dtype, sw, 2), made(dtype, sy, 3),
                     made(dtype, TG_SHAPE(sw.dim[0]), 4)};
    tg_array out[3] = {made(dtype, sx, 5), made(dtype, sw, 6), made(dtype, sy, 7)};
    sums s = {dtype, &a, calloc((size_t)a.x.numel + 1, 8), calloc((size_t)a.w.numel + 1, 8),
              calloc((size_t)a.y.numel + 1, 8)};
    visit(&c, add_products, &s);
    ck_assert_int_eq(tg_conv_input(&c, &a.y, &a.w, &out[0]), TG_OK);
    compare("input", i, dtype, &out[0], s.x);
    ck_assert_int_eq(tg_conv_weight(&c, &a.x, &a.y, &out[1], false), TG_OK);
    compare("weight", i, dtype, &out[1], s.w);
    ck_assert_int_eq(tg_conv_weight(&c, &a.x, &a.y, &out[1], true), TG_OK);
    for (int64_t k = 0; k < a.w.numel; k++) s.w[k] *= 2;
    compare("weight, added", i, dtype, &out[1], s.w);
    ck_assert_int_eq(tg_conv_forward(&c, &a.x, &a.w, NULL, &out[2]), TG_OK);
    compare("forward", i, dtype, &out[2], s.y);
    ck_assert_int_eq(tg_conv_forward(&c, &a.x, &a.w, &a.bias, &out[2]), TG_OK);
    for (int64_t k = 0, plane = c.window[0].out * c.window[1].out; k < a.y.numel; k++)
        s.y[k] += get(dtype, a.bias.data, k / plane % sy.dim[1]);
    compare("forward with bias", i, dtype, &out[2], s.y);
    free(s.x), free(s.w), free(s.y);
    for (int k = 0; k < 3; k++) tg_array_drop(&out[k]);
    tg_array_drop(&a.x), tg_array_drop(&a.w), tg_array_drop(&a.y), tg_array_drop(&a.bias);
}

START_TEST(convolutions) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int i = 0; i < COUNT(rows); i++)
        for (int dtype = 0; dtype < 2; dtype++) check_conv(i, dtype);
}
END_TEST

static void choose_again(void) { tg_kernels_choose(); }

TCase *tcase_conv(void) {
    TCase *tc = tcase_create("conv");
    tcase_add_checked_fixture(tc, NULL, choose_again);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, products_with_offsets, 0, isa_count());
    tcase_add_loop_test(tc, lines_with_offsets, 0, isa_count());
    tcase_add_loop_test(tc, transposes, 0, isa_count());
    tcase_add_loop_test(tc, interleaves, 0, isa_count());
    tcase_add_loop_test(tc, products_in_lanes, 0, isa_count());
    tcase_add_loop_test(tc, pools, 0, isa_count());
    tcase_add_loop_test(tc, convolutions, 0, isa_count());
    return tc;
}
