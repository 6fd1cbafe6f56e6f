/* Places of a scatter where many elements meet, in f32: their sum is that of doubles, rounded once. One list of indices for all
 * lanes, or one each; crowded places beside others; every axis. */
#include "tests/core/layouts.h"

#include "core/kernels/kernels.h"

TCase *tcase_crowds(void);

enum { PLACES = 7, LANES = 3 };

/* Of n elements each `every`-th goes to place 2, each 5th other to place 6, the rest in turn to all others. */
static int64_t place(int64_t j, int64_t every) {
    if (j % every == 0) return 2;
    return j % 5 == 1 ? 6 : (int64_t[]){0, 1, 3, 4, 5}[mixed((uint64_t)j) % 5];
}

static float term(int64_t j, int64_t lane) {
    return 0.1f + (float)(mixed((uint64_t)(j * LANES + lane)) % 97) * 1e-3f;
}

/* axis 0: [n, LANES] into [PLACES, LANES]; axis 1: transposed. `own`: lane l has the indices moved on by l. */
static void check_crowd(int64_t n, int64_t every, int axis, bool own, tg_dtype of_index) {
    laid x = lay_out(TG_F32, axis ? TG_SHAPE(LANES, PLACES) : TG_SHAPE(PLACES, LANES), FLAT);
    laid src = lay_out(TG_F32, axis ? TG_SHAPE(LANES, n) : TG_SHAPE(n, LANES), FLAT);
    laid index = lay_out(of_index, tg_array_shape(&src.a), own ? FLAT : axis ? ROW : COLUMN);
    double want[PLACES][LANES];
    int64_t count[PLACES][LANES] = {{0}};
    tg_array_fill(&x.a, 0.5);
    for (int p = 0; p < PLACES; p++)
        for (int l = 0; l < LANES; l++) want[p][l] = 0.5;
    for (int64_t j = 0; j < n; j++)
        for (int64_t l = 0; l < LANES; l++) {
            int64_t to = (place(j, every) + (own ? l : 0)) % PLACES, at = axis ? l * n + j : j * LANES + l;
            float v = term(j, l);
            memcpy(place_of(&src, at), &v, 4);
            tg_array_set(&index.a, at, (double)to);
            want[to][l] += (double)v, count[to][l]++;
        }
    ck_assert_int_eq(tg_map_scatter_add(&x.a, axis, &index.a, &src.a), TG_OK);
    for (int p = 0; p < PLACES; p++)
        for (int l = 0; l < LANES; l++) {
            double is = tg_array_get(&x.a, axis ? l * PLACES + p : p * LANES + l);
            int64_t few = own ? 512 : 64;
            /* up to `few` terms are added in f32, one rounding each; more of them in double */
            bool wide = own ? n > few : count[p][l] > few;
            double bound = (double)(wide ? 1 : few) * 0x1p-24 * want[p][l];
            REQUIRE(fabs(is - want[p][l]) <= bound,
                    "%d of %d at place %d, lane %d, axis %d, own %d: %.9g, not %.9g", (int)count[p][l],
                    (int)n, p, l, axis, own, is, want[p][l]);
        }
    lay_down(&x), lay_down(&src), lay_down(&index);
}

START_TEST(sums_of_crowds) {
    static const int64_t lengths[] = {60, 130, 400, 600, 3000, 20001}, every[] = {1, 2, 7, 40};
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 4; k++)
            for (int form = 0; form < 8; form++)
                check_crowd(lengths[i], every[k], form & 1, form & 2, form & 4 ? TG_I32 : TG_I64);
}
END_TEST

TCase *tcase_crowds(void) {
    TCase *tc = tcase_create("crowds");
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_test(tc, sums_of_crowds);
    return tc;
}
