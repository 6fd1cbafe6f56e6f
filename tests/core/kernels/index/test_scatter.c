/* Many equal indices of a scatter, in f32: their sum is that of doubles, rounded once. One list of indices for all
 * lines, or one each; such indices beside others; every axis. And permutations, put back. */
#include "tests/core/layouts.h"

#include "core/kernels/kernels.h"

TCase *tcase_scatter(void);

enum { SIZE = 7, LINES = 3 };

/* Of n elements each `every`-th has the index 2, each 5th other the index 6, the rest in turn all others. */
static int64_t index_of(int64_t j, int64_t every) {
    if (j % every == 0) return 2;
    return j % 5 == 1 ? 6 : (int64_t[]){0, 1, 3, 4, 5}[mixed((uint64_t)j) % 5];
}

static float term(int64_t j, int64_t line) {
    return 0.1f + (float)(mixed((uint64_t)(j * LINES + line)) % 97) * 1e-3f;
}

/* axis 0: [n, LINES] into [SIZE, LINES]; axis 1: transposed. `own`: line l has the indices moved on by l. */
static void check_sums(int64_t n, int64_t every, int axis, bool own, tg_dtype of_index) {
    laid x = lay_out(TG_F32, axis ? TG_SHAPE(LINES, SIZE) : TG_SHAPE(SIZE, LINES), FLAT);
    laid src = lay_out(TG_F32, axis ? TG_SHAPE(LINES, n) : TG_SHAPE(n, LINES), FLAT);
    laid index = lay_out(of_index, tg_array_shape(&src.a), own ? FLAT : axis ? ROW : COLUMN);
    double want[SIZE][LINES];
    int64_t count[SIZE][LINES] = {{0}};
    tg_array_fill(&x.a, 0.5);
    for (int p = 0; p < SIZE; p++)
        for (int l = 0; l < LINES; l++) want[p][l] = 0.5;
    for (int64_t j = 0; j < n; j++)
        for (int64_t l = 0; l < LINES; l++) {
            int64_t to = (index_of(j, every) + (own ? l : 0)) % SIZE, at = axis ? l * n + j : j * LINES + l;
            float v = term(j, l);
            memcpy(place_of(&src, at), &v, 4);
            tg_array_set(&index.a, at, (double)to);
            want[to][l] += (double)v, count[to][l]++;
        }
    ck_assert_int_eq(tg_map_scatter_add(&x.a, axis, &index.a, &src.a), TG_OK);
    for (int p = 0; p < SIZE; p++)
        for (int l = 0; l < LINES; l++) {
            double is = tg_array_get(&x.a, axis ? l * SIZE + p : p * LINES + l);
            int64_t few = own ? 512 : 64;
            /* up to `few` terms are added in f32, one rounding each; more of them in double */
            bool wide = own ? n > few : count[p][l] > few;
            double bound = (double)(wide ? 1 : few) * 0x1p-24 * want[p][l];
            REQUIRE(fabs(is - want[p][l]) <= bound,
                    "%d of %d at index %d, line %d, axis %d, own %d: %.9g, not %.9g", (int)count[p][l],
                    (int)n, p, l, axis, own, is, want[p][l]);
        }
    lay_down(&x), lay_down(&src), lay_down(&index);
}

START_TEST(sums_of_many_equal_indices) {
    static const int64_t lengths[] = {60, 130, 400, 600, 3000, 20001}, every[] = {1, 2, 7, 40};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 4; k++)
            for (int form = 0; form < 8; form++)
                check_sums(lengths[i], every[k], form & 1, form & 2, form & 4 ? TG_I32 : TG_I64);
}
END_TEST

/* Line l of n elements: j goes to place (5 j + l) mod n. */
static void check_permutation(tg_dtype dtype, int64_t n, int64_t lines, int axis, lay from, lay to) {
    tg_shape shape = axis ? TG_SHAPE(lines, n) : TG_SHAPE(n, lines);
    laid out = lay_out(dtype, shape, to), src = lay_out(dtype, shape, from),
         index = lay_out(TG_I64, shape, from);
    for (int64_t l = 0; l < lines; l++)
        for (int64_t j = 0; j < n; j++) {
            int64_t at = axis ? l * n + j : j * lines + l;
            tg_array_set(&src.a, at, (double)(j * lines + l) - 7);
            tg_array_set(&index.a, at, (double)((5 * j + l) % n));
        }
    ck_assert(tg_map_put_back(&src.a, axis, &index.a, &out.a));
    for (int64_t l = 0; l < lines; l++)
        for (int64_t j = 0; j < n; j++) {
            int64_t to_j = (5 * j + l) % n, at = axis ? l * n + to_j : to_j * lines + l;
            double is = tg_array_get(&out.a, at), want = (double)(j * lines + l) - 7;
            REQUIRE(is == want, "%d lines of %d, axis %d, layouts %d to %d: %g, not %g", (int)lines, (int)n,
                    axis, from, to, is, want);
        }
    lay_down(&out), lay_down(&src), lay_down(&index);
}

START_TEST(permutations_are_put_back) {
    static const int64_t lengths[] = {0, 1, 2, 17, 257, 40001}, lines[] = {1, 3, 18};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 3; k++)
            for (int form = 0; form < 4; form++)
                for (lay from = FLAT; from < ROW && lengths[i] < 10000 + 40000 * (form == 0); from++)
                    check_permutation(form & 1 ? TG_F64 : TG_F32, lengths[i], lines[k], form >> 1, from,
                                      (lay)(((int)from + k) % ROW));
}
END_TEST

/* Places that two elements name have their sum, those that none names 0; one outside is told. */
START_TEST(what_is_no_permutation) {
    static const double sums[] = {6, 0, 4, 0};
    static const int64_t at[] = {2, 0, 2, 0}, outside[] = {4, -1, INT64_MAX, INT64_MIN};
    laid out = lay_out(TG_F32, TG_SHAPE(4), FLAT), src = lay_out(TG_F32, TG_SHAPE(4), FLAT);
    laid index = lay_out(TG_I64, TG_SHAPE(4), FLAT);
    for (int j = 0; j < 4; j++) tg_array_set(&src.a, j, j + 1);
    memcpy(index.a.data, at, sizeof at);
    ck_assert(tg_map_put_back(&src.a, 0, &index.a, &out.a));
    for (int j = 0; j < 4; j++) ck_assert(tg_array_get(&out.a, j) == sums[j]);
    for (int k = 0; k < 4; k++) {
        ((int64_t *)index.a.data)[1] = outside[k];
        ck_assert(!tg_map_put_back(&src.a, 0, &index.a, &out.a));
    }
    lay_down(&out), lay_down(&src), lay_down(&index);
}
END_TEST

TCase *tcase_scatter(void) {
    TCase *tc = tcase_create("scatter");
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_test(tc, sums_of_many_equal_indices);
    tcase_add_test(tc, permutations_are_put_back);
    tcase_add_test(tc, what_is_no_permutation);
    return tc;
}
