/* Products over long inner sizes in f32, which are summed in pieces: lengths about the first piece and their halves, shapes of
 * matrices, vectors and batches, every layout, factors, bias. Numbers are small and whole, so that all is compared to the
 * bit; how errors grow is seen with 0.1. */
#include "core/kernels/gemm/gemm.h"
#include "tests/core/layouts.h"

TCase *tcase_split_k(void);

/* batch (1: none), m, n */
static const int64_t shapes[][3] = {{1, 1, 1},   {1, 1, 9},  {1, 9, 1},    {1, 3, 5},
                                    {2, 1, 3},   {3, 2, 1},  {1, 1, 130},  {1, 67, 1},
                                    {1, 1, 127}, {1, 63, 1}, {1, 1, 2047}, {1, 1023, 1}};
static const int64_t lengths[] = {2047, 2048, 2049, 2305, 2561, 4097, 5000};
/* Of A, B and C, whose columns lie side by side; one column has gaps where A has. */
static const lay how[][3] = {{FLAT, FLAT, FLAT}, {TURNED, FLAT, FLAT}, {FLAT, TURNED, FLAT},
                             {GAPS, GAPS, FLAT}, {ROW, BACK, FLAT},    {BACK, COLUMN, FLAT},
                             {FLAT, GAPS, FLAT}, {TURNED, GAPS, FLAT}};
static const double factors[][2] = {{1, 0}, {-2, 0}, {1, 1}, {0.5, 3}, {1, -1}};
enum {
    SHAPES = sizeof shapes / sizeof *shapes,
    LENGTHS = sizeof lengths / sizeof *lengths,
    HOW = sizeof how / sizeof *how
};

static float number(const laid *l, int64_t i) {
    float f;
    memcpy(&f, place_of(l, i), 4);
    return f;
}

static laid wholes(tg_shape s, lay as, int salt) {
    laid l = lay_out(TG_F32, s, as);
    for (int64_t i = 0; i < l.a.numel; i++) {
        float f = (float)(mixed((uint64_t)(l.at[i] * 5 + salt)) % 5) - 2;
        memcpy(place_of(&l, i), &f, 4);
    }
    return l;
}

/* bias: 0 none, 1 dense, 2 with gaps; then the factors are 1 and 0. */
static void check_product(const int64_t z[3], int64_t k, const lay as[3], const double f[2], int biased) {
    bool batch = z[0] > 1;
    laid a = wholes(batch ? TG_SHAPE(z[0], z[1], k) : TG_SHAPE(z[1], k), as[0], 1);
    laid b = wholes(batch ? TG_SHAPE(z[0], k, z[2]) : TG_SHAPE(k, z[2]), as[1], 2);
    laid c = wholes(batch ? TG_SHAPE(z[0], z[1], z[2]) : TG_SHAPE(z[1], z[2]),
                    z[2] == 1 && as[0] == GAPS ? GAPS : as[2], 3);
    laid bias = wholes(TG_SHAPE(z[2]), biased == 2 ? GAPS : FLAT, 4);
    memcpy(c.image, c.whole.data, c.bytes);
    for (int64_t i = 0; i < c.a.numel; i++) {
        int64_t from = i / z[2] * k, to = i / (z[1] * z[2]) * k * z[2] + i % z[2];
        double sum = 0;
        for (int64_t l = 0; l < k; l++)
            sum += (double)number(&a, from + l) * (double)number(&b, to + l * z[2]);
        float want =
            (float)(f[0] * sum + f[1] * (double)number(&c, i) + (biased ? (double)number(&bias, i % z[2]) : 0));
        memcpy(c.image + (size_t)c.at[i] * 4, &want, 4);
        if (f[1] == 0) memset(place_of(&c, i), 0xff, 4);
    }
    char *before = memcpy(malloc(c.bytes), c.whole.data, c.bytes);
    for (int t = 1; t <= 4; t += 3) {
        tg_set_num_threads(t);
        memcpy(c.whole.data, before, c.bytes);
        ck_assert_int_eq(
            biased ? tg_gemm_bias(&a.a, &b.a, &bias.a, &c.a) : tg_gemm(f[0], &a.a, &b.a, f[1], &c.a), TG_OK);
        REQUIRE(first_wrong(&c) < 0,
                "%s [%d, %d, %d] over %d, %s %s to %s, alpha %g, beta %g, bias %d: place %d, %d threads",
                tg_isa(), (int)z[0], (int)z[1], (int)z[2], (int)k, lay_name(as[0]), lay_name(as[1]),
                lay_name(as[2]), f[0], f[1], biased, (int)first_wrong(&c), t);
    }
    free(before);
    lay_down(&a), lay_down(&b), lay_down(&c), lay_down(&bias);
}

START_TEST(products_of_long_rows) {
    const int64_t *z = shapes[_i];
    bool many = z[1] * z[2] > 1000; /* outputs: about the blocks of these alone */
    for (int i = 0; i < LENGTHS; i++)
        for (int h = 0; h < HOW; h++) {
            if ((fast() && (i + h) % 2) || (many && (h > 0 || lengths[i] != 2049))) continue;
            for (int f = 0; f < 5; f++)
                if (h == 0 || (i + h + f) % 2 == 0) check_product(z, lengths[i], how[h], factors[f], 0);
            if (z[0] == 1) check_product(z, lengths[i], how[h], factors[0], 1 + (i + h) % 2);
        }
}
END_TEST

/* n times 0.1 0.1: a running sum of pieces would be wrong by 1e-5 and more. */
START_TEST(errors_do_not_grow) {
    static const int64_t rows[][2] = {{2, 2}, {1, 3}, {3, 1}};
    for (int i = 0; i < 3; i++)
        for (int64_t n = 3000; n < 2000000; n *= 5) {
            float tenth = 0.1f;
            tg_array one = {0}, a = {0}, b = {0}, c = {0};
            ck_assert_int_eq(tg_array_alloc(&one, TG_F32, TG_SHAPE(1)), TG_OK);
            tg_array_fill(&one, (double)tenth);
            ck_assert_int_eq(tg_array_broadcast(&a, &one, TG_SHAPE(rows[i][0], n)), TG_OK);
            ck_assert_int_eq(tg_array_broadcast(&b, &one, TG_SHAPE(n, rows[i][1])), TG_OK);
            ck_assert_int_eq(tg_array_alloc(&c, TG_F32, TG_SHAPE(rows[i][0], rows[i][1])), TG_OK);
            ck_assert_int_eq(tg_gemm(1, &a, &b, 0, &c), TG_OK);
            double want = (double)tenth * (double)tenth * (double)n;
            for (int64_t k = 0; k < c.numel; k++)
                ck_assert_double_le(fabs(tg_array_get(&c, k) - want) / want, 2e-6);
            tg_array_drop(&one), tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
        }
}
END_TEST

/* Whichever allocation fails, C is as it was and nothing is left. */
START_TEST(without_memory) {
    laid a = wholes(TG_SHAPE(3, 5000), FLAT, 1), b = wholes(TG_SHAPE(5000, 4), FLAT, 2),
         c = wholes(TG_SHAPE(3, 4), FLAT, 3);
    memcpy(c.image, c.whole.data, c.bytes);
    tg_status s = TG_ERR_MEMORY;
    for (int n = 1; s != TG_OK; n++) {
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_memory_fail_at(n);
        s = tg_gemm(1, &a.a, &b.a, 1, &c.a);
        tg_memory_fail_at(-1);
        tg_error_clear();
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        ck_assert(s == TG_OK || first_wrong(&c) < 0);
        ck_assert_int_lt(n, 100);
    }
    lay_down(&a), lay_down(&b), lay_down(&c);
}
END_TEST

TCase *tcase_split_k(void) {
    TCase *tc = tcase_create("split_k");
    tcase_set_tags(tc, "table");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_loop_test(tc, products_of_long_rows, 0, SHAPES);
    tcase_add_test(tc, errors_do_not_grow);
    tcase_add_test(tc, without_memory);
    return tc;
}
