/* Arrays: layout, views, copies with conversion. Strided results are checked against sums over indices. */
#include "core/alloc.h"
#include "core/parallel.h"
#include "tests/core/helpers.h"

#include <math.h>
#include <stdlib.h>

TCase *tcase_array(void);

static size_t live_before;

static void setup(void) {
    tg_error_clear();
    live_before = tg_memory_now().live_buffer_bytes;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
}

/* ---- layout ---- */

START_TEST(row_major_layout) {
    tg_array a;
    ck_assert_int_eq(tg_array_layout(&a, TG_F64, TG_SHAPE(2, 3, 4)), TG_OK);
    ck_assert(a.data == NULL && a.buffer == NULL && a.numel == 24 && a.dtype == TG_F64 && a.rank == 3);
    ck_assert_int_eq(a.stride[0] * 10000 + a.stride[1] * 100 + a.stride[2], 120401);
    ck_assert(tg_array_is_contiguous(&a));
    ck_assert(tg_shape_equal(tg_array_shape(&a), TG_SHAPE(2, 3, 4)));
    ck_assert_int_eq(tg_array_layout(&a, TG_I32, TG_SCALAR), TG_OK);
    ck_assert(a.numel == 1 && a.rank == 0 && tg_array_is_contiguous(&a));
    ck_assert_int_eq(tg_array_layout(&a, TG_I32, TG_SHAPE(5, 0, 7)), TG_OK);
    ck_assert(a.numel == 0 && a.stride[0] == 7 && a.stride[1] == 7 && a.stride[2] == 1);
    ck_assert_int_eq(tg_array_layout(&a, TG_BOOL, TG_SHAPE(1, 2, 1, 2, 1, 2, 1, 2)), TG_OK);
    ck_assert(a.numel == 16 && a.rank == 8 && a.stride[0] == 16 && a.stride[7] == 1);
}
END_TEST

static const struct {
    tg_dtype dtype;
    tg_shape shape;
    tg_status status;
    const char *words;
} bad_layouts[] = {
    {(tg_dtype)6, {1, {2}}, TG_ERR_DTYPE, "number 6"},
    {(tg_dtype)-1, {1, {2}}, TG_ERR_DTYPE, "number -1"},
    {TG_U8, {2, {3, -1}}, TG_ERR_SHAPE, "[3, -1] has a negative size"},
    {TG_U8, {2, {0, -1}}, TG_ERR_SHAPE, "[0, -1]"},
    {TG_U8, {2, {-1, 0}}, TG_ERR_SHAPE, "[-1, 0]"},
    {TG_U8, {9, {0}}, TG_ERR_SHAPE, "0 to 8 axes, not 9"},
    {TG_U8, {-1, {0}}, TG_ERR_SHAPE, "0 to 8 axes, not -1"},
    {TG_U8, {2, {INT64_MAX, 2}}, TG_ERR_SHAPE, "[9223372036854775807, 2]"},
    {TG_U8, {3, {INT64_MAX, 0, 2}}, TG_ERR_SHAPE, "more elements than can be counted"},
    {TG_F64, {1, {INT64_MAX / 8 + 1}}, TG_ERR_MEMORY, "[1152921504606846976] f64"},
    {TG_F64, {1, {INT64_MAX}}, TG_ERR_MEMORY, "f64"},
    {TG_F32, {2, {INT64_MAX / 2, 1}}, TG_ERR_MEMORY, "f32"},
};

START_TEST(impossible_layouts) {
    tg_array a;
    memset(&a, 0xff, sizeof a);
    ck_assert_int_eq(tg_array_layout(&a, bad_layouts[_i].dtype, bad_layouts[_i].shape), bad_layouts[_i].status);
    ck_assert(a.data == NULL && a.buffer == NULL);
    expect_error(bad_layouts[_i].status, bad_layouts[_i].words);
    ck_assert_int_eq(tg_array_alloc(&a, bad_layouts[_i].dtype, bad_layouts[_i].shape), bad_layouts[_i].status);
    ck_assert(a.data == NULL && a.buffer == NULL);
    expect_error(bad_layouts[_i].status, bad_layouts[_i].words);
}
END_TEST

START_TEST(storage) {
    tg_array a, b = {0};
    ck_assert_int_eq(tg_array_alloc(&a, TG_F32, TG_SHAPE(3, 4)), TG_OK);
    ck_assert(a.data && (uintptr_t)a.data % TG_ALIGN == 0);
    ck_assert(tg_array_is_exclusive(&a));
    tg_array_share(&b, &a);
    ck_assert(b.data == a.data && !tg_array_is_exclusive(&a) && !tg_array_is_exclusive(&b));
    tg_array_share(&b, &a); /* lets go of what it held */
    tg_array_share(&b, &b);
    tg_array_drop(&b);
    ck_assert(b.data == NULL && b.rank == 2 && b.shape[1] == 4 && tg_array_is_exclusive(&a));
    tg_array_drop(&b);
    tg_array_drop(&a);
    ck_assert_int_eq(tg_array_alloc(&a, TG_F32, TG_SHAPE(3, 0)), TG_OK);
    ck_assert_ptr_nonnull(a.data);
    tg_array_drop(&a);
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_array_alloc(&a, TG_F32, TG_SHAPE(30)), TG_ERR_MEMORY);
    ck_assert(a.data == NULL && a.buffer == NULL);
    expect_error(TG_ERR_MEMORY, "120 bytes");
}
END_TEST

/* ---- views ---- */

/* i32 elements 0, 1, 2 ... in row-major order. */
static tg_array counting(tg_shape shape) {
    tg_array a;
    ck_assert_int_eq(tg_array_alloc(&a, TG_I32, shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) ((int32_t *)a.data)[i] = (int32_t)i;
    return a;
}

/* Turns axis i around. */
static void flip(tg_array *a, int i) {
    if (a->shape[i] > 0) a->data = (int32_t *)a->data + (a->shape[i] - 1) * a->stride[i];
    a->stride[i] = -a->stride[i];
}

/* Every second element of axis i. */
static void skip(tg_array *a, int i) {
    a->numel = a->shape[i] ? a->numel / a->shape[i] * ((a->shape[i] + 1) / 2) : 0;
    a->shape[i] = (a->shape[i] + 1) / 2;
    a->stride[i] *= 2;
}

static void expect_elements(const tg_array *a, int64_t n, const int *want) {
    ck_assert_int_eq(a->numel, n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(tg_array_get(a, i) == want[i], "element %d is %g, not %d", (int)i, tg_array_get(a, i),
                      want[i]);
}

START_TEST(permuting) {
    tg_array a = counting(TG_SHAPE(2, 3)), v = {0};
    tg_array_permute(&v, &a, (int[]){1, 0});
    ck_assert(tg_shape_equal(tg_array_shape(&v), TG_SHAPE(3, 2)));
    expect_elements(&v, 6, (int[]){0, 3, 1, 4, 2, 5});
    ck_assert(!tg_array_is_contiguous(&v) && v.data == a.data);
    tg_array_permute(&v, &v, (int[]){1, 0}); /* in place */
    expect_elements(&v, 6, (int[]){0, 1, 2, 3, 4, 5});
    ck_assert(tg_array_is_contiguous(&v));
    tg_array_drop(&v);
    ck_assert(tg_array_is_exclusive(&a));
    tg_array_drop(&a);
}
END_TEST

START_TEST(broadcasting) {
    tg_array a = counting(TG_SHAPE(3, 1)), v = {0};
    ck_assert_int_eq(tg_array_broadcast(&v, &a, TG_SHAPE(2, 3, 2)), TG_OK);
    expect_elements(&v, 12, (int[]){0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
    ck_assert(!tg_array_is_contiguous(&v) && !tg_array_is_exclusive(&v));
    ck_assert_int_eq(tg_array_broadcast(&v, &a, TG_SHAPE(3, 1)), TG_OK);
    ck_assert(tg_array_is_contiguous(&v));
    ck_assert_int_eq(tg_array_broadcast(&v, &a, TG_SHAPE(3, 0)), TG_OK);
    ck_assert_int_eq(v.numel, 0);
    static const struct {
        tg_shape shape;
        tg_status status;
        const char *says;
    } bad[] = {
        {{2, {2, 1}}, TG_ERR_SHAPE, "[3, 1] does not broadcast to [2, 1]"},
        {{1, {3}}, TG_ERR_SHAPE, "[3, 1] does not broadcast to [3]"},
        {{0, {0}}, TG_ERR_SHAPE, "[3, 1] does not broadcast to []"},
        {{2, {1, 1}}, TG_ERR_SHAPE, "[3, 1] does not broadcast to [1, 1]"},
        {{2, {3, -1}}, TG_ERR_SHAPE, "the shape [3, -1] has a negative size"},
        {{9, {1}}, TG_ERR_SHAPE, "0 to 8 axes, not 9"},
        {{3, {INT64_MAX, 3, 4}},
         TG_ERR_SHAPE,
         "[9223372036854775807, 3, 4] has more elements than can be counted"},
        {{2, {3, INT64_MAX / 4}},
         TG_ERR_MEMORY,
         "[3, 2305843009213693951] i32 has more bytes than can be counted"},
    };
    for (int i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(tg_array_broadcast(&v, &a, bad[i].shape), bad[i].status);
        expect_error(bad[i].status, bad[i].says);
        ck_assert_int_eq(v.shape[1], 0); /* left alone */
    }
    ck_assert_int_eq(tg_array_broadcast(&a, &a, TG_SHAPE(3, 2)), TG_OK); /* in place */
    expect_elements(&a, 6, (int[]){0, 0, 1, 1, 2, 2});
    tg_array_drop(&v);
    ck_assert(!tg_array_is_exclusive(&a));
    tg_array_drop(&a);
}
END_TEST

/* Whether some strides show the elements of `a` as `shape`: they would have to be the distances from element 0. */
static bool can_reshape(const tg_array *a, tg_shape shape) {
    int64_t stride[TG_MAX_RANK], step = 1;
    for (int k = shape.rank - 1; k >= 0; step *= shape.dim[k], k--)
        stride[k] = shape.dim[k] > 1 ? (int64_t)tg_array_get(a, step) - (int64_t)tg_array_get(a, 0) : 0;
    for (int64_t i = 0; i < a->numel; i++) {
        int64_t at = (int64_t)tg_array_get(a, 0), left = i;
        for (int k = shape.rank - 1; k >= 0; left /= shape.dim[k], k--) at += left % shape.dim[k] * stride[k];
        if (at != (int64_t)tg_array_get(a, i)) return false;
    }
    return true;
}

static const tg_shape forms[] = {
    {1, {24}},       {2, {2, 12}},      {2, {12, 2}},      {2, {4, 6}},          {2, {6, 4}},
    {2, {3, 8}},     {3, {2, 3, 4}},    {3, {4, 3, 2}},    {3, {3, 2, 4}},       {4, {1, 24, 1, 1}},
    {3, {2, 1, 12}}, {4, {2, 2, 3, 2}}, {4, {3, 2, 2, 2}}, {5, {2, 1, 3, 1, 4}},
};

/* Every form of 24 elements, transposed, turned around or not, as every other form. Elements are their own
 * addresses, so can_reshape tells the truth from them. */
START_TEST(reshaping) {
    for (int variant = 0; variant < 8; variant++) {
        tg_array a = counting(forms[_i]);
        int order[TG_MAX_RANK];
        for (int k = 0; k < a.rank; k++) order[k] = variant & 1 ? a.rank - 1 - k : k;
        tg_array_permute(&a, &a, order);
        if (variant & 2) flip(&a, 0);
        if (variant & 4) flip(&a, a.rank - 1);
        for (int f = 0; f < COUNT(forms); f++) {
            tg_array v = {0};
            bool can = tg_array_reshape(&v, &a, forms[f]);
            ck_assert_msg(can == can_reshape(&a, forms[f]), "form %d as %d, variant %d", _i, f, variant);
            if (!can) continue;
            ck_assert(tg_shape_equal(tg_array_shape(&v), forms[f]));
            for (int64_t i = 0; i < 24; i++) ck_assert(tg_array_get(&v, i) == tg_array_get(&a, i));
            tg_array_drop(&v);
        }
        tg_array_drop(&a);
    }
}
END_TEST

START_TEST(reshaping_corners) {
    tg_array a = counting(TG_SCALAR), v = {0};
    ck_assert(tg_array_reshape(&v, &a, TG_SHAPE(1, 1)) && v.rank == 2 && tg_array_get(&v, 0) == 0);
    ck_assert_int_eq(tg_array_broadcast(&a, &a, TG_SHAPE(4, 5)), TG_OK); /* one element 20 times */
    ck_assert(tg_array_reshape(&v, &a, TG_SHAPE(10, 2)) && v.stride[0] == 0 && v.stride[1] == 0);
    tg_array_drop(&a);
    a = counting(TG_SHAPE(3, 0, 2));
    tg_array_permute(&a, &a, (int[]){2, 1, 0});
    ck_assert(tg_array_reshape(&v, &a, TG_SHAPE(0, 7)) && v.numel == 0 && v.shape[1] == 7);
    ck_assert(tg_array_reshape(&v, &v, TG_SHAPE(0)) && v.rank == 1);
    tg_array_drop(&a);
    tg_array_drop(&v);
}
END_TEST

static const struct {
    tg_shape shape;
    int64_t stride[3];
    bool once;
} strides[] = {
    {TG_SCALAR, {0}, true},
    {{1, {3}}, {1}, true},
    {{1, {3}}, {0}, false},
    {{1, {1}}, {0}, true},
    {{1, {3}}, {-2}, true},
    {{2, {3, 4}}, {4, 1}, true},
    {{2, {3, 4}}, {1, 3}, true},
    {{2, {3, 4}}, {3, 1}, false}, /* overlapping windows */
    {{2, {3, 4}}, {0, 1}, false},
    {{2, {3, 4}}, {1, 1}, false},
    {{2, {3, 4}}, {-4, 1}, true},
    {{2, {3, 4}}, {-1, 1}, false},
    {{3, {2, 3, 2}}, {2, 4, 1}, true},
    {{3, {2, 3, 2}}, {2, 3, 1}, false},
    {{3, {2, 1, 2}}, {2, 0, 1}, true},
    {{3, {2, 2, 2}}, {2, 2, 1}, false},
    {{2, {0, 4}}, {0, 0}, true},
};

START_TEST(exclusive_strides) {
    tg_array a = counting(TG_SHAPE(100)), v = a;
    v.rank = (uint8_t)strides[_i].shape.rank;
    v.numel = tg_shape_numel(strides[_i].shape);
    memcpy(v.shape, strides[_i].shape.dim, sizeof v.shape);
    memcpy(v.stride, strides[_i].stride, sizeof strides[_i].stride);
    ck_assert_int_eq(tg_array_is_exclusive(&v), strides[_i].once);
    v.buffer = NULL;
    ck_assert(!tg_array_is_exclusive(&v));
    tg_array_drop(&a);
}
END_TEST

/* ---- conversion ---- */

#define LOW32 (-2147483648.0)
#define LOW64 (-0x1p63)

/* A value, and what it is in each dtype. */
static const struct {
    double value, f32, i32, i64, u8, truth;
} conversions[] = {
    {0, 0, 0, 0, 0, 0},
    {-0.0, -0.0, 0, 0, 0, 0},
    {1, 1, 1, 1, 1, 1},
    {-1, -1, -1, -1, 0, 1},
    {2.7, 2.7f, 2, 2, 2, 1},
    {-2.7, -2.7f, -2, -2, 0, 1},
    {-0.5, -0.5, 0, 0, 0, 1},
    {0.1, 0.1f, 0, 0, 0, 1},
    {255, 255, 255, 255, 255, 1},
    {255.9, 255.9f, 255, 255, 255, 1},
    {256, 256, 256, 256, 0, 1},
    {16777217, 16777216, 16777217, 16777217, 0, 1},
    {2147483647, 2147483648.0, 2147483647, 2147483647, 0, 1},
    {2147483647.5, 2147483648.0, 2147483647, 2147483647, 0, 1},
    {2147483648.0, 2147483648.0, LOW32, 2147483648.0, 0, 1},
    {LOW32, LOW32, LOW32, LOW32, 0, 1},
    {-2147483648.9, LOW32, LOW32, LOW32, 0, 1},
    {-2147483649.0, LOW32, LOW32, -2147483649.0, 0, 1},
    {0x1p63, 0x1p63, LOW32, LOW64, 0, 1},
    {LOW64, LOW64, LOW32, LOW64, 0, 1},
    {0x1.fffffffffffffp62, 0x1p63, LOW32, 0x1.fffffffffffffp62, 0, 1},
    {1e300, INFINITY, LOW32, LOW64, 0, 1},
    {-1e300, -INFINITY, LOW32, LOW64, 0, 1},
    {INFINITY, INFINITY, LOW32, LOW64, 0, 1},
    {-INFINITY, -INFINITY, LOW32, LOW64, 0, 1},
    {NAN, NAN, LOW32, LOW64, 0, 1},
};
#define VALUES COUNT(conversions)

static double converted(int i, tg_dtype to) {
    const double in[] = {
        [TG_F32] = conversions[i].f32, [TG_F64] = conversions[i].value, [TG_I32] = conversions[i].i32,
        [TG_I64] = conversions[i].i64, [TG_U8] = conversions[i].u8,     [TG_BOOL] = conversions[i].truth};
    return in[to];
}

static bool same(double a, double b) { return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b); }

/* Row of the table whose value is x; -1: none. */
static int row_of(double x) {
    for (int i = 0; i < VALUES; i++)
        if (conversions[i].value == x || (isnan(x) && isnan(conversions[i].value))) return i;
    return -1;
}

/* All values of dtype `from` in the table, converted to dtype `to`: as a run and with strides. */
START_TEST(conversion) {
    tg_dtype from = (tg_dtype)(_i / TG_DTYPES), to = (tg_dtype)(_i % TG_DTYPES);
    tg_array src, dst, src2, dst2;
    int checked = 0;
    ck_assert_int_eq(tg_array_alloc(&src, from, TG_SHAPE(2 * VALUES)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&dst, to, TG_SHAPE(3 * VALUES)), TG_OK);
    for (int i = 0; i < 2 * VALUES; i++) tg_array_set(&src, i, converted(i % VALUES, from));
    for (int strided = 0; strided < 2; strided++) {
        src2 = src, dst2 = dst;
        src2.shape[0] = dst2.shape[0] = src2.numel = dst2.numel = VALUES;
        src2.stride[0] = strided ? 2 : 1, dst2.stride[0] = strided ? 3 : 1;
        tg_array_copy(&dst2, &src2);
        for (int i = 0; i < VALUES; i++) {
            double x = converted(strided ? 2 * i % VALUES : i, from),
                   y = tg_array_get(&dst, strided ? 3 * i : i);
            int row = row_of(x);
            if (row < 0) continue;
            checked++;
            double want = converted(row, to);
            if (!tg_dtype_is_float(from)) want += 0.0; /* integers have no -0 */
            if (x == 0 && !signbit(x)) want = 0;
            ck_assert_msg(same(y, want) || same(y, -want), "%s %.17g to %s: %.17g, not %.17g",
                          tg_dtype_name(from), x, tg_dtype_name(to), y, want);
            if (x != 0) ck_assert(same(y, want));
        }
    }
    ck_assert_int_ge(checked, VALUES / 2);
    tg_array_drop(&src);
    tg_array_drop(&dst);
}
END_TEST

START_TEST(conversion_of_zeros_keeps_the_sign) {
    double minus = -0.0;
    float single = 0;
    tg_array d = {.data = &minus, .numel = 1, .dtype = TG_F64},
             f = {.data = &single, .numel = 1, .dtype = TG_F32};
    tg_array_copy(&f, &d);
    ck_assert(single == 0 && signbit(single));
    minus = 1;
    tg_array_copy(&d, &f);
    ck_assert(minus == 0 && signbit(minus));
}
END_TEST

START_TEST(large_integers_stay_exact) {
    int64_t from[] = {INT64_MAX, INT64_MIN, INT64_C(9007199254740993), 5}, to[4] = {0};
    tg_array a, b;
    tg_array_layout(&a, TG_I64, TG_SHAPE(2, 2));
    b = a, a.data = from, b.data = to;
    tg_array_copy(&b, &a);
    ck_assert_int_eq(memcmp(from, to, sizeof to), 0);
    a.stride[0] = 1, a.stride[1] = 2; /* transposed */
    tg_array_copy(&b, &a);
    ck_assert(to[0] == from[0] && to[1] == from[2] && to[2] == from[1] && to[3] == from[3]);
}
END_TEST

/* ---- strided copies ---- */

static unsigned random_state;
static int below(int n) {
    random_state = random_state * 1664525u + 1013904223u;
    return (int)(random_state >> 10) % n;
}

/* A random view of fresh elements that has this shape: axes permuted, turned around, spread out and, for
 * sources, repeated. */
static tg_array random_view(tg_shape shape, tg_dtype dtype, bool source) {
    int order[TG_MAX_RANK];
    tg_shape stored = shape;
    for (int i = 0; i < shape.rank; i++) {
        int j = below(i + 1);
        order[i] = order[j], order[j] = i;
    }
    bool spread = below(3) == 0;
    for (int i = 0; i < shape.rank; i++) stored.dim[i] = shape.dim[order[i]];
    if (spread && shape.rank) stored.dim[shape.rank - 1] *= 2;
    bool repeat[TG_MAX_RANK] = {0};
    for (int i = 0; i < shape.rank - 1; i++)
        if (source && below(5) == 0 && stored.dim[i] > 0) repeat[i] = true, stored.dim[i] = 1;
    tg_array a;
    ck_assert_int_eq(tg_array_alloc(&a, dtype, stored), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) tg_array_set(&a, i, below(200));
    int back[TG_MAX_RANK];
    for (int i = 0; i < shape.rank; i++) back[order[i]] = i;
    tg_array_permute(&a, &a, back);
    for (int i = 0; i < shape.rank; i++) {
        if (repeat[back[i]]) a.stride[i] = 0;
        if (spread && back[i] == shape.rank - 1) a.stride[i] *= 2;
        a.shape[i] = shape.dim[i];
        if (below(4) == 0 && shape.dim[i] > 0) {
            a.data = (char *)a.data + (shape.dim[i] - 1) * a.stride[i] * (int64_t)tg_dtype_size(dtype);
            a.stride[i] = -a.stride[i];
        }
    }
    a.numel = tg_shape_numel(shape);
    return a;
}

static void check_copy(tg_shape shape, tg_dtype from, tg_dtype to) {
    tg_array src = random_view(shape, from, true), dst = random_view(shape, to, false);
    tg_array_copy(&dst, &src);
    for (int64_t i = 0; i < src.numel; i++) {
        double x = tg_array_get(&src, i), y = tg_array_get(&dst, i);
        double want = to == TG_BOOL && from != TG_BOOL ? x != 0 : x;
        if (y != want) /* no assertion an element: each costs a write */
            ck_abort_msg("element %d: %g from %g", (int)i, y, x);
    }
    tg_array_drop(&src);
    tg_array_drop(&dst);
}

START_TEST(strided_copies) {
    random_state = (unsigned)_i;
    for (int round = 0; round < 60; round++) {
        tg_shape shape = {below(TG_MAX_RANK + 1), {0}};
        for (int i = 0; i < shape.rank; i++)
            shape.dim[i] = below(40) ? 1 + below(shape.rank < 4 ? 21 : 3) : 0;
        check_copy(shape, (tg_dtype)(_i / TG_DTYPES), (tg_dtype)(_i % TG_DTYPES));
    }
}
END_TEST

static const tg_shape large[] = {
    {1, {100003}}, {2, {300, 350}}, {2, {2, 70000}}, {2, {70000, 2}}, {3, {20, 70, 90}}, {4, {3, 40, 11, 64}},
};

START_TEST(large_copies_at_any_number_of_threads) {
    int before = tg_num_threads();
    for (int threads = 1; threads <= 3; threads++) {
        tg_set_num_threads(threads);
        random_state = (unsigned)_i + 100;
        for (int round = 0; round < 4; round++) check_copy(large[_i], TG_F32, round & 1 ? TG_F32 : TG_I64);
    }
    tg_set_num_threads(before);
}
END_TEST

START_TEST(nothing_else_is_written) {
    tg_array a = counting(TG_SHAPE(4, 6)), v = a, one = counting(TG_SHAPE(2, 3));
    skip(&v, 0), skip(&v, 1);
    tg_array_fill(&v, 100);
    tg_array_fill(&one, 7);
    flip(&v, 1);
    for (int64_t i = 0; i < 24; i++)
        ck_assert_int_eq((int)tg_array_get(&a, i), i / 6 % 2 == 0 && i % 2 == 0 ? 100 : (int)i);
    tg_array_copy(&v, &one);
    for (int64_t i = 0; i < 24; i++)
        ck_assert_int_eq((int)tg_array_get(&a, i), i / 6 % 2 == 0 && i % 2 == 0 ? 7 : (int)i);
    tg_array_drop(&a);
    tg_array_drop(&one);
}
END_TEST

START_TEST(filling) {
    for (int dtype = 0; dtype < TG_DTYPES; dtype++) {
        static const tg_shape shape[] = {TG_SCALAR, {1, {1000}}, {2, {0, 3}}, {2, {33, 7}}};
        for (int s = 0; s < COUNT(shape); s++) {
            tg_array a;
            ck_assert_int_eq(tg_array_alloc(&a, (tg_dtype)dtype, shape[s]), TG_OK);
            tg_array_fill(&a, 3);
            for (int64_t i = 0; i < a.numel; i++)
                ck_assert(tg_array_get(&a, i) == (dtype == TG_BOOL ? 1 : 3));
            tg_array_drop(&a);
        }
    }
    tg_array a = counting(TG_SHAPE(3)), r = {0};
    tg_array_fill(&a, NAN);
    ck_assert(tg_array_get(&a, 1) == INT32_MIN);
    ck_assert_int_eq(tg_array_broadcast(&r, &a, TG_SHAPE(5, 3)), TG_OK);
    tg_array_fill(&r, 9); /* every element several times */
    ck_assert(tg_array_get(&a, 0) == 9 && tg_array_get(&a, 2) == 9);
    tg_array_drop(&a);
    tg_array_drop(&r);
}
END_TEST

/* An optional input of an op may be NULL. */
START_TEST(null_arrays_are_errors) {
    tg_array a = {0}, *none = NULL;
    tg_array_shape(none);
    expect_error(TG_ERR_ARGUMENT, "tg_array_shape: the array is NULL");
    ck_assert(!tg_array_is_contiguous(none) && !tg_array_is_exclusive(none));
    expect_error(TG_ERR_ARGUMENT, "tg_array_is_contiguous");
    ck_assert_int_eq(tg_array_layout(none, TG_F32, TG_SHAPE(2)), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_layout");
    ck_assert_int_eq(tg_array_layout_like(&a, TG_F32, none), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_layout_like");
    ck_assert_int_eq(tg_array_alloc(none, TG_F32, TG_SHAPE(2)), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_alloc");
    ck_assert_int_eq(tg_array_alloc_like(&a, none), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_alloc_like");
    ck_assert_int_eq(tg_array_broadcast(&a, none, TG_SHAPE(2)), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_broadcast");
    ck_assert_int_eq(tg_array_contiguous(&a, none), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_contiguous");
    tg_array_share(&a, none), tg_array_fill(none, 1), tg_array_drop(none);
    expect_error(TG_ERR_ARGUMENT, "tg_array_share");
    tg_array bare, odd = counting(TG_SHAPE(2));
    ck_assert_int_eq(tg_array_layout(&bare, TG_F64, TG_SHAPE(2, 3)), TG_OK);
    tg_array_fill(&bare, 1);
    expect_error(TG_ERR_ARGUMENT, "tg_array_fill");
    ck_assert_int_eq(tg_array_layout(&bare, TG_F64, TG_SCALAR), TG_OK);
    tg_array_fill(&bare, 1);
    expect_error(TG_ERR_ARGUMENT, "tg_array_fill");
    odd.dtype = 255;
    tg_array_fill(&odd, 1);
    expect_error(TG_ERR_ARGUMENT, "tg_array_fill");
    tg_array_drop(&odd);
    tg_array_layout(&bare, TG_I32, TG_SHAPE(4, 0));
    tg_array_fill(&bare, 1); /* of no elements, none are needed */
    expect_ok();
}
END_TEST

/* Fields such as no array has, of one of 2 by 3 f32 numbers in a buffer that has room for 16. */
typedef struct wrong_field {
    enum { RANK, DTYPE, NUMEL, SIZE, STRIDE, LAST_STRIDE, DATA } field;
    int64_t value;
} wrong_field;

static const wrong_field wrong_fields[] = {
    {RANK, 9},           {RANK, 255},
    {RANK, 1},           {DTYPE, TG_DTYPES},
    {DTYPE, 255},        {NUMEL, 7},
    {NUMEL, -1},         {NUMEL, INT64_MIN},
    {SIZE, -2},          {SIZE, 0},
    {SIZE, INT64_MAX},   {SIZE, INT64_MIN},
    {STRIDE, 14},        {STRIDE, -1},
    {STRIDE, 1 << 30},   {STRIDE, INT64_MAX},
    {STRIDE, INT64_MIN}, {STRIDE, INT64_MAX / 4},
    {LAST_STRIDE, -2},   {LAST_STRIDE, INT64_MIN},
    {DATA, 0},
};

static tg_array with_wrong_field(const tg_array *a, const wrong_field *w) {
    tg_array v = *a;
    switch (w->field) {
    case RANK:
        v.rank = (uint8_t)w->value;
        break;
    case DTYPE:
        v.dtype = (uint8_t)w->value;
        break;
    case NUMEL:
        v.numel = w->value;
        break;
    case SIZE:
        v.shape[0] = w->value;
        break;
    case STRIDE:
        v.stride[0] = w->value;
        break;
    case LAST_STRIDE:
        v.stride[1] = w->value;
        break;
    case DATA:
        v.data = NULL;
        break;
    }
    return v;
}

/* Elements are not touched, and what is looked at is only what there can be: under the sanitizers, nothing else. */
START_TEST(wrong_fields_are_errors) {
    tg_array a = counting(TG_SHAPE(2, 3)), out = {0}, v = with_wrong_field(&a, &wrong_fields[_i]);
    bool elements_alone = wrong_fields[_i].field >= STRIDE;
    ck_assert_int_eq(tg_array_contiguous(&out, &v), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_array_contiguous");
    tg_array_fill(&v, 9);
    expect_error(TG_ERR_ARGUMENT, "tg_array_fill");
    expect_elements(&a, 6, (int[]){0, 1, 2, 3, 4, 5});
    if (!elements_alone) {
        ck_assert(!tg_array_reshape(&out, &v, TG_SHAPE(6)));
        expect_error(TG_ERR_ARGUMENT, "tg_array_reshape: the array is malformed: it says rank");
    }
    tg_array_is_contiguous(&v), tg_array_visits_once(&v), tg_array_is_exclusive(&v), tg_array_shape(&v);
    tg_array_share(&out, &v), tg_array_broadcast(&out, &v, TG_SHAPE(4, 2, 3)), tg_array_drop(&out);
    tg_error_clear();
    tg_array_layout_like(&out, TG_F32, &v), tg_array_layout_like(&out, TG_F64, &v);
    tg_error_clear();
    bool made = tg_array_alloc_like(&out, &v) == TG_OK;
    ck_assert(made == (tg_error_status() == TG_OK) && (made || !elements_alone) &&
              (!made || tg_array_is_sound(&out)));
    tg_error_clear();
    tg_array_drop(&out);
    tg_array_drop(&a);
}
END_TEST

/* Sizes beside a 0 need not fit memory, only an integer. */
START_TEST(nothing_is_an_array_too) {
    const tg_shape empty[] = {TG_SHAPE(0, INT64_MAX), TG_SHAPE(INT64_MAX, 0),
                              TG_SHAPE(2, 0, INT64_C(1) << 61), TG_SHAPE(0)};
    for (int i = 0; i < COUNT(empty); i++)
        for (int dtype = 0; dtype < TG_DTYPES; dtype++) {
            tg_array a, out = {0};
            ck_assert_int_eq(tg_array_alloc(&a, (tg_dtype)dtype, empty[i]), TG_OK);
            tg_array_fill(&a, 1);
            ck_assert(tg_array_is_sound(&a) && tg_array_contiguous(&out, &a) == TG_OK);
            tg_array_drop(&a), tg_array_drop(&out);
            ck_assert_int_eq(tg_array_alloc_like(&out, &a), TG_OK);
            tg_array_drop(&out);
        }
    expect_ok();
}
END_TEST

START_TEST(reshaping_to_another_number) {
    tg_array a = counting(TG_SHAPE(2, 3)), out = {0};
    const tg_shape wrong[] = {TG_SHAPE(5),      TG_SHAPE(7), TG_SCALAR, TG_SHAPE(0),
                              TG_SHAPE(-2, -3), {9, {6}},    {-1, {0}}};
    for (int turned = 0; turned < 2; turned++) {
        for (int i = 0; i < COUNT(wrong); i++) {
            ck_assert(!tg_array_reshape(&out, &a, wrong[i]));
            expect_error(TG_ERR_SHAPE, "tg_array_reshape: an array of 6 elements cannot take the shape [");
        }
        tg_array_permute(&a, &a, (int[]){1, 0});
    }
    ck_assert(!tg_array_reshape(NULL, &a, TG_SHAPE(6)) && !tg_array_reshape(&out, NULL, TG_SHAPE(6)));
    expect_error(TG_ERR_ARGUMENT, "tg_array_reshape: the array is NULL");
    tg_array_drop(&a);
}
END_TEST

START_TEST(made_contiguous) {
    tg_array a = counting(TG_SHAPE(3, 4)), c = {0};
    ck_assert_int_eq(tg_array_contiguous(&c, &a), TG_OK);
    ck_assert_ptr_eq(c.data, a.data);
    tg_array_permute(&a, &a, (int[]){1, 0});
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_array_contiguous(&c, &a), TG_ERR_MEMORY);
    expect_error(TG_ERR_MEMORY, "48 bytes");
    ck_assert_ptr_eq(c.data, a.data); /* left alone */
    tg_memory_fail_at(-1);
    ck_assert_int_eq(tg_array_contiguous(&c, &a), TG_OK);
    ck_assert(c.data != a.data && tg_array_is_contiguous(&c) && tg_array_is_exclusive(&c));
    for (int64_t i = 0; i < 12; i++) ck_assert(tg_array_get(&c, i) == tg_array_get(&a, i));
    ck_assert_int_eq(tg_array_contiguous(&a, &a), TG_OK); /* in place */
    expect_elements(&a, 12, (int[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    tg_array_drop(&a);
    tg_array_drop(&c);
}
END_TEST

TCase *tcase_array(void) {
    TCase *tc = tcase_create("array");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, row_major_layout);
    tcase_add_loop_test(tc, impossible_layouts, 0, COUNT(bad_layouts));
    tcase_add_test(tc, storage);
    tcase_add_test(tc, permuting);
    tcase_add_test(tc, broadcasting);
    tcase_add_loop_test(tc, reshaping, 0, COUNT(forms));
    tcase_add_test(tc, reshaping_corners);
    tcase_add_loop_test(tc, exclusive_strides, 0, COUNT(strides));
    tcase_add_loop_test(tc, wrong_fields_are_errors, 0, COUNT(wrong_fields));
    tcase_add_test(tc, nothing_is_an_array_too);
    tcase_add_test(tc, reshaping_to_another_number);
    tcase_add_loop_test(tc, conversion, 0, TG_DTYPES * TG_DTYPES);
    tcase_add_test(tc, conversion_of_zeros_keeps_the_sign);
    tcase_add_test(tc, large_integers_stay_exact);
    tcase_add_loop_test(tc, strided_copies, 0, TG_DTYPES * TG_DTYPES);
    tcase_add_loop_test(tc, large_copies_at_any_number_of_threads, 0, COUNT(large));
    tcase_add_test(tc, nothing_else_is_written);
    tcase_add_test(tc, filling);
    tcase_add_test(tc, null_arrays_are_errors);
    tcase_add_test(tc, made_contiguous);
    return tc;
}
