/* core/kernels/gemm/prepacked.h against plain loops in double, with every instruction set that was built and runs here. The
 * numbers are small and whole: their products and sums are exact, so that results are compared to the bit. */
#include "core/kernels/gemm/prepacked.h"
#include "core/kernels/simd/table.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <string.h>

TCase *tcase_prepacked(void);

enum { ROWS = 37, MOST = 67, GAP = 5, WIDE = MOST + 16 + GAP };

static double whole(int64_t i, int salt) { return (double)((i * 7919 + salt * 104729) % 13 - 6); }
static void set(tg_dtype dtype, void *p, int64_t i, double v) {
    if (dtype == TG_F64)
        ((double *)p)[i] = v;
    else
        ((float *)p)[i] = (float)v;
}
static double get(tg_dtype dtype, const void *p, int64_t i) {
    return dtype == TG_F64 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}

static void check_product(const char *isa, tg_dtype dtype, int64_t rows, int64_t k, int64_t n,
                          bool transposed, bool add) {
    static double a[ROWS * WIDE], c[(ROWS + 1) * WIDE], was[(ROWS + 1) * WIDE];
    tg_array w = {0};
    tg_prepacked p = {0};
    ck_assert_int_eq(tg_array_alloc(&w, dtype, transposed ? TG_SHAPE(n, k) : TG_SHAPE(k, n)), TG_OK);
    for (int64_t i = 0; i < w.numel; i++) set(dtype, w.data, i, whole(i, 1));
    for (int64_t i = 0; i < ROWS * WIDE; i++) set(dtype, a, i, whole(i, 2));
    for (int64_t i = 0; i < (ROWS + 1) * WIDE; i++) set(dtype, c, i, whole(i, 3));
    memcpy(was, c, sizeof c);
    ck_assert_int_eq(tg_prepack(&p, &w, transposed), TG_OK);
    ck_assert(p.padded >= n && p.padded < n + 16);
    tg_prepacked_product(&p, rows, a, k + GAP, add, c, WIDE);
    for (int64_t i = 0; i < (ROWS + 1) * WIDE; i++) {
        bool inside = i / WIDE < rows && i % WIDE < p.padded;
        double want = inside && !add ? 0 : get(dtype, was, i);
        for (int64_t r = 0; inside && i % WIDE < n && r < k; r++)
            want += get(dtype, a, i / WIDE * (k + GAP) + r) *
                    get(dtype, w.data, transposed ? i % WIDE * k + r : r * n + i % WIDE);
        ck_assert_msg(get(dtype, c, i) == want, "%s f%d [%d, %d] [%d, %d]: %g at %d, not %g", isa,
                      dtype == TG_F64 ? 64 : 32, (int)rows, (int)k, (int)k, (int)n, get(dtype, c, i), (int)i,
                      want);
    }
    tg_prepacked_drop(&p);
    tg_array_drop(&w);
}

START_TEST(products_with_panels) {
    static const int64_t rows[] = {0, 1, 3, 15, 16, 17, 33, ROWS}, sizes[] = {0, 1, 5, 16, 31, 32, 33, MOST};
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int v = 0; v < 8; v++)
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 64; j++)
                check_product(tg_kernel_isas[_i], v % 2 ? TG_F64 : TG_F32, rows[i], sizes[j % 8],
                              sizes[j / 8], v & 2, v & 4);
}
END_TEST

static void choose_again(void) { tg_kernels_choose(); }

TCase *tcase_prepacked(void) {
    TCase *t = tcase_create("prepacked");
    tcase_add_checked_fixture(t, NULL, choose_again);
    tcase_add_loop_test(t, products_with_panels, 0, isa_count());
    return t;
}
