/* Draws against the definition of the stream: element by element from blocks of Philox, wherever in the stream they begin,
 * of every length about a block, at several threads. */
#include "ops/tapegrad.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/slot.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_streams(void);

static int64_t tensors_before;
static int threads;
static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
    threads = tg_num_threads();
}
static void teardown(void) {
    tg_error_clear();
    tg_set_num_threads(threads);
    tg_region_rewind(tg_region_current(), tensors_before);
}

static void words_of(tg_rng at, uint64_t block, uint32_t w[4]) {
    uint64_t i = at.next + block;
    tg_philox((const uint32_t[]){(uint32_t)i, (uint32_t)(i >> 32), 0, 0},
              (const uint32_t[]){(uint32_t)at.seed, (uint32_t)(at.seed >> 32)}, w);
}

static uint64_t wide(const uint32_t w[4], int i) { return (uint64_t)w[2 * i + 1] << 32 | w[2 * i]; }

static double normal(double u, double v, int which) {
    double r = sqrt(-2 * log(u)), angle = 6.283185307179586476925 * v;
    return which ? r * sin(angle) : r * cos(angle);
}

/* Element i of a draw that begins at `at`; a and b as the functions take them. */
static double element(tg_rng at, tg_dtype dtype, bool gauss, int64_t i, double a, double b) {
    uint32_t w[4];
    int each = dtype == TG_F32 ? 4 : 2, k = (int)(i % each);
    words_of(at, (uint64_t)(i / each), w);
    if (dtype == TG_F32) {
        if (!gauss) return (float)(a + (b - a) * ((double)(w[k] >> 8) * 0x1p-24));
        return (float)(a + b * normal(((double)w[k / 2 * 2] + 1) * 0x1p-32,
                                      (double)w[k / 2 * 2 + 1] * 0x1p-32, k % 2));
    }
    if (!gauss) return a + (b - a) * ((double)(wide(w, k) >> 11) * 0x1p-53);
    return a + b * normal((double)((wide(w, 0) >> 11) + 1) * 0x1p-53, (double)(wide(w, 1) >> 11) * 0x1p-53, k);
}

static void check_draw(tg_rng at, tg_dtype dtype, bool gauss, int64_t n) {
    double a = gauss ? 0.5 : -1, b = gauss ? 2 : 3;
    *tg_default_rng() = at;
    tg_tensor *t = gauss ? tg_normal(dtype, a, b, n) : tg_uniform(dtype, a, b, n);
    const tg_array *x = &tg_slot_peek(t)->a;
    for (int64_t i = 0; i < n; i++)
        if (tg_array_get(x, i) != element(at, dtype, gauss, i, a, b))
            ck_abort_msg("f%d, normal %d: element %d of %d from block %llu of seed %llu: %.17g, not %.17g",
                         dtype ? 64 : 32, gauss, (int)i, (int)n, (unsigned long long)at.next,
                         (unsigned long long)at.seed, tg_array_get(x, i), element(at, dtype, gauss, i, a, b));
    int each = dtype == TG_F32 ? 4 : 2;
    ck_assert_uint_eq(tg_default_rng()->next, at.next + (uint64_t)((n + each - 1) / each));
}

START_TEST(every_draw) {
    static const tg_rng from[] = {{0, 0},
                                  {7, 3},
                                  {UINT64_MAX, 5},
                                  {UINT64_C(1) << 32, 0xfffffffe},
                                  {3, (UINT64_C(1) << 33) - 2},
                                  {12345678901234, UINT64_MAX - 1}};
    static const int64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 33, 8191, 8193, 20001};
    for (int f = 0; f < 6; f++)
        for (int n = 0; n < 12; n++) {
            tg_set_num_threads(1 + (f + n) % 4);
            check_draw(from[f], (tg_dtype)(_i % 2), _i / 2, lengths[n]);
            tg_region_rewind(tg_region_current(), tensors_before);
        }
}
END_TEST

/* Each order of few values comes as often as another: within five deviations of 6,000 / n!. */
START_TEST(shuffles_of_few) {
    for (int n = 2; n <= 4; n++) {
        int orders = n == 2 ? 2 : n == 3 ? 6 : 24, count[256] = {0}, seen = 0;
        tg_rng rng = {99, 0};
        for (int k = 0; k < 6000; k++) {
            int64_t v[4] = {0, 1, 2, 3};
            tg_rng_shuffle(&rng, v, n);
            count[v[0] | v[1] << 2 | (n > 2 ? v[2] << 4 : 0) | (n > 3 ? v[3] << 6 : 0)]++;
        }
        for (int i = 0; i < 256; i++) {
            if (!count[i]) continue;
            seen++;
            double mean = 6000.0 / orders;
            ck_assert_msg(fabs(count[i] - mean) < 5 * sqrt(mean), "order %x of %d: %d times", (unsigned)i, n,
                          count[i]);
        }
        ck_assert_int_eq(seen, orders);
    }
}
END_TEST

/* Intervals and deviations at the ends of what is one. */
START_TEST(ends_of_intervals) {
    static const struct {
        tg_dtype dtype;
        double a, b;
        bool uniform, normal;
    } some[] = {{TG_F32, 1.000000000001, 1, true, true}, /* one number in f32 */
                {TG_F64, 1.000000000001, 1, false, true},
                {TG_F64, 0, INFINITY, false, false},
                {TG_F32, 0, INFINITY, false, false},
                {TG_F64, 0, 0, true, true},
                {TG_F64, -1, -1, true, false},
                {TG_F64, NAN, 1, false, false},
                {TG_F64, 0, NAN, false, false},
                {TG_F64, -INFINITY, 1, false, false},
                {TG_F64, -1.7e308, 1.7e308, false, true}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        tg_rng before = *tg_default_rng();
        tg_uniform(some[i].dtype, some[i].a, some[i].b, 3);
        ck_assert_msg((tg_error_status() == TG_OK) == some[i].uniform, "rand %d: %s", (int)i,
                      tg_error_message());
        if (!some[i].uniform) ck_assert_mem_eq(&before, tg_default_rng(), sizeof before);
        tg_error_clear();
        tg_normal(some[i].dtype, some[i].a, some[i].b, 3);
        ck_assert_msg((tg_error_status() == TG_OK) == some[i].normal, "randn %d: %s", (int)i,
                      tg_error_message());
        tg_error_clear();
    }
}
END_TEST

TCase *tcase_streams(void) {
    TCase *tc = tcase_create("streams");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, every_draw, 0, 4);
    tcase_add_test(tc, shuffles_of_few);
    tcase_add_test(tc, ends_of_intervals);
    return tc;
}
