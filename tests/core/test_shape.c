#include "core/shape.h"
#include "tests/core/helpers.h"

#include <limits.h>

TCase *tcase_shape(void);

START_TEST(dtypes) {
    static const struct {
        size_t size;
        const char *name;
        bool is_float;
    } want[] = {{4, "f32", true},  {8, "f64", true}, {4, "i32", false},
                {8, "i64", false}, {1, "u8", false}, {1, "bool", false}};
    ck_assert_int_eq(COUNT(want), TG_DTYPES);
    for (int i = 0; i < TG_DTYPES; i++) {
        ck_assert_uint_eq(tg_dtype_size((tg_dtype)i), want[i].size);
        ck_assert_str_eq(tg_dtype_name((tg_dtype)i), want[i].name);
        ck_assert_int_eq(tg_dtype_is_float((tg_dtype)i), want[i].is_float);
    }
    ck_assert_uint_eq(tg_dtype_size((tg_dtype)TG_DTYPES), 0);
    ck_assert_str_eq(tg_dtype_name((tg_dtype)-1), "unknown dtype");
    ck_assert(!tg_dtype_is_float((tg_dtype)-1));
}
END_TEST

#define BIG INT64_C(4294967296) /* 2^32 */

static const struct {
    tg_shape shape;
    int64_t numel;
    const char *text;
} shapes[] = {
    {TG_SCALAR, 1, "[]"},
    {{1, {5}}, 5, "[5]"},
    {{2, {2, 3}}, 6, "[2, 3]"},
    {{8, {1, 2, 1, 2, 1, 2, 1, 2}}, 16, "[1, 2, 1, 2, 1, 2, 1, 2]"},
    {{3, {4, 0, 3}}, 0, "[4, 0, 3]"},
    {{1, {-1}}, -1, "[-1]"},
    {{3, {0, -2, 3}}, -1, "[0, -2, 3]"},
    {{3, {-2, -2, 3}}, -1, "[-2, -2, 3]"},
    {{1, {INT64_MAX}}, INT64_MAX, "[9223372036854775807]"},
    {{2, {BIG, BIG / 2}}, -1, "[4294967296, 2147483648]"},
    {{2, {BIG, BIG / 2 - 1}}, INT64_MAX - BIG + 1, "[4294967296, 2147483647]"},
    {{3, {BIG, BIG, BIG}}, -1, "[4294967296, 4294967296, 4294967296]"},
    {{3, {BIG, 0, BIG}}, -1, "[4294967296, 0, 4294967296]"},
    {{2, {0, INT64_MAX}}, 0, "[0, 9223372036854775807]"},
};

START_TEST(positions) {
    tg_shape s = TG_SHAPE(4, 3, 2), none = TG_SHAPE(2, 0, 3);
    for (int64_t i = 0; i < 24; i++) {
        tg_shape at = tg_shape_position(s, i);
        ck_assert(at.rank == 3 && (at.dim[0] * 3 + at.dim[1]) * 2 + at.dim[2] == i);
        ck_assert(at.dim[1] < 3 && at.dim[2] < 2);
    }
    ck_assert_int_eq(tg_shape_position(TG_SCALAR, 0).rank, 0);
    ck_assert(tg_shape_equal(tg_shape_position(none, 0), TG_SHAPE(0, 0, 0)));
    ck_assert_int_eq(tg_shape_position((tg_shape){99, {0}}, 7).rank, 99);
    ck_assert_int_eq(tg_shape_position((tg_shape){INT_MIN, {0}}, 7).rank, INT_MIN);
}
END_TEST

START_TEST(numel_and_text) {
    char text[200], small[6];
    ck_assert_int_eq(tg_shape_numel(shapes[_i].shape), shapes[_i].numel);
    ck_assert_str_eq(tg_shape_text(shapes[_i].shape, text, sizeof text), shapes[_i].text);
    tg_shape_text(shapes[_i].shape, small, sizeof small);
    ck_assert_uint_lt(strlen(small), sizeof small);
    ck_assert_int_eq(strncmp(small, shapes[_i].text, sizeof small - 1), 0);
    ck_assert_ptr_eq(tg_shape_text(shapes[_i].shape, NULL, 0), NULL);
}
END_TEST

START_TEST(bad_ranks_have_no_numel) {
    tg_shape nine = {9, {1}}, negative = {-1, {1}};
    ck_assert_int_eq(tg_shape_numel(nine), -1);
    ck_assert_int_eq(tg_shape_numel(negative), -1);
}
END_TEST

START_TEST(longest_text) {
    tg_shape s = {8, {0}};
    char text[300];
    for (int i = 0; i < 8; i++) s.dim[i] = INT64_MIN;
    ck_assert_uint_eq(strlen(tg_shape_text(s, text, sizeof text)), 8 * 20 + 7 * 2 + 2);
}
END_TEST

START_TEST(shape_macro) {
    tg_shape s = TG_SHAPE(2, 3, 4);
    ck_assert_int_eq(s.rank, 3);
    ck_assert_int_eq(s.dim[0] * 100 + s.dim[1] * 10 + s.dim[2], 234);
    ck_assert_int_eq(TG_SHAPE(1, 2, 3, 4, 5, 6, 7, 8).rank, 8);
    ck_assert(tg_shape_equal(s, TG_SHAPE(2, 3, 4)));
    ck_assert(!tg_shape_equal(s, TG_SHAPE(2, 3)));
    ck_assert(!tg_shape_equal(s, TG_SHAPE(2, 3, 5)));
    ck_assert(tg_shape_equal(TG_SCALAR, TG_SCALAR));
    s.dim[3] = 7; /* behind the rank: no part of it */
    ck_assert(tg_shape_equal(s, TG_SHAPE(2, 3, 4)));
}
END_TEST

static const struct {
    tg_shape a, b;
    bool fits;
    tg_shape both;
} broadcasts[] = {
    {TG_SCALAR, TG_SCALAR, true, TG_SCALAR},
    {TG_SCALAR, {1, {3}}, true, {1, {3}}},
    {{1, {3}}, {1, {3}}, true, {1, {3}}},
    {{1, {1}}, {1, {3}}, true, {1, {3}}},
    {{1, {2}}, {1, {3}}, false, {0}},
    {{2, {2, 1}}, {1, {3}}, true, {2, {2, 3}}},
    {{2, {2, 3}}, {1, {2}}, false, {0}},
    {{2, {3, 1}}, {2, {1, 4}}, true, {2, {3, 4}}},
    {{3, {5, 1, 7}}, {2, {6, 1}}, true, {3, {5, 6, 7}}},
    {{3, {5, 1, 7}}, {2, {6, 2}}, false, {0}},
    {{1, {0}}, {1, {1}}, true, {1, {0}}},
    {{1, {0}}, TG_SCALAR, true, {1, {0}}},
    {{1, {0}}, {1, {2}}, false, {0}},
    {{2, {0, 3}}, {2, {4, 1}}, false, {0}},
    {{2, {0, 1}}, {2, {1, 3}}, true, {2, {0, 3}}},
    {{8, {2, 1, 1, 1, 1, 1, 1, 1}}, {1, {9}}, true, {8, {2, 1, 1, 1, 1, 1, 1, 9}}},
};

START_TEST(broadcasting) {
    for (int swap = 0; swap < 2; swap++) {
        tg_shape a = swap ? broadcasts[_i].b : broadcasts[_i].a, b = swap ? broadcasts[_i].a : broadcasts[_i].b;
        tg_shape out = {2, {77, 78}};
        ck_assert_int_eq(tg_shape_broadcast(a, b, &out), broadcasts[_i].fits);
        ck_assert(tg_shape_equal(out, broadcasts[_i].fits ? broadcasts[_i].both : TG_SHAPE(77, 78)));
        if (broadcasts[_i].fits) { /* out may be an argument's own place */
            ck_assert(tg_shape_broadcast(a, b, &a));
            ck_assert(tg_shape_equal(a, broadcasts[_i].both));
        }
    }
}
END_TEST

static const struct {
    int axis, rank, want;
} axes[] = {{0, 3, 0},        {2, 3, 2},
            {3, 3, -1},       {-1, 3, 2},
            {-3, 3, 0},       {-4, 3, -1},
            {0, 0, -1},       {-1, 0, -1},
            {0, -1, -1},      {-1, -1, -1},
            {0, INT_MIN, -1}, {INT_MIN, 3, -1},
            {INT_MAX, 3, -1}, {INT_MIN, INT_MAX, -1}};

START_TEST(axis_counts_from_the_end) {
    ck_assert_int_eq(tg_axis(axes[_i].axis, axes[_i].rank), axes[_i].want);
}
END_TEST

/* Of these nothing is read, and the result stays as it was. */
START_TEST(shapes_that_are_none) {
    static const int ranks[] = {-1, 9, 1000, INT_MIN, INT_MAX};
    tg_shape pair = TG_SHAPE(2, 3), out = TG_SHAPE(7);
    for (int i = 0; i < COUNT(ranks); i++) {
        tg_shape bad = {ranks[i], {2, 3}};
        ck_assert(!tg_shape_broadcast(bad, pair, &out) && !tg_shape_broadcast(pair, bad, &out));
        ck_assert(!tg_shape_equal(bad, bad));
    }
    ck_assert(!tg_shape_broadcast(pair, pair, NULL) && tg_shape_equal(out, TG_SHAPE(7)));
    ck_assert_ptr_null(tg_shape_text(pair, NULL, 10));
}
END_TEST

START_TEST(checked_sizes) {
    size_t n, half = SIZE_MAX / 2 + 1;
    ck_assert(!tg_size_mul(1, 1, NULL) && !tg_size_add(1, 1, NULL) && !tg_size_pad(1, 64, NULL));
    ck_assert(tg_size_mul(half, 1, &n) && n == half);
    ck_assert(!tg_size_mul(half, 2, &n));
    ck_assert(tg_size_mul(0, SIZE_MAX, &n) && n == 0);
    ck_assert(tg_size_add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    ck_assert(!tg_size_add(SIZE_MAX, 1, &n));
    ck_assert(tg_size_pad(0, 64, &n) && n == 0);
    ck_assert(tg_size_pad(1, 64, &n) && n == 64);
    ck_assert(tg_size_pad(64, 64, &n) && n == 64);
    ck_assert(tg_size_pad(65, 64, &n) && n == 128);
    ck_assert(tg_size_pad(SIZE_MAX - 63, 64, &n) && n == SIZE_MAX - 63);
    ck_assert(!tg_size_pad(SIZE_MAX - 62, 64, &n));
}
END_TEST

TCase *tcase_shape(void) {
    TCase *tc = tcase_create("shape");
    tcase_add_test(tc, dtypes);
    tcase_add_loop_test(tc, numel_and_text, 0, COUNT(shapes));
    tcase_add_test(tc, positions);
    tcase_add_test(tc, bad_ranks_have_no_numel);
    tcase_add_test(tc, longest_text);
    tcase_add_test(tc, shape_macro);
    tcase_add_loop_test(tc, broadcasting, 0, COUNT(broadcasts));
    tcase_add_loop_test(tc, axis_counts_from_the_end, 0, COUNT(axes));
    tcase_add_test(tc, shapes_that_are_none);
    tcase_add_test(tc, checked_sizes);
    return tc;
}
