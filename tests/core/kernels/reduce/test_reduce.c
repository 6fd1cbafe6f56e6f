/* Reductions, softmax, extremes, gather and scatter-add against plain loops, for awkward shapes, strides
 * and axes, under every instruction set, and to the bit at 1 to 4 threads.
 */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* ck_assert_msg writes to a file at every call, which is slow once an element. */
#define REQUIRE(ok, ...) \
    do { \
        if (!(ok)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

TCase *tcase_reduce(void);

static const char *in_use;
static int threads;

static void setup(void) {
    in_use = tg_isa();
    threads = tg_set_num_threads(1);
}
static void teardown(void) {
    tg_kernels_use(in_use);
    tg_set_num_threads(threads);
}

/* Numbers of mixed sign and size, the same at every call. */
static double number(int64_t i) {
    uint64_t h = (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    return ((double)(h % 20011) - 10005) / 4096;
}

static tg_array fresh(tg_dtype dtype, tg_shape shape) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, dtype, shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) tg_array_set(&a, i, number(i));
    return a;
}

/* The same elements with another order of axes in memory: the last axis is the outermost there. */
static tg_array turned(tg_dtype dtype, tg_shape shape) {
    tg_shape back = {shape.rank, {0}};
    int order[TG_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        order[i] = (i + 1) % shape.rank, back.dim[(i + 1) % shape.rank] = shape.dim[i];
    tg_array a = fresh(dtype, back), v = {0};
    tg_array_permute(&v, &a, order);
    tg_array_drop(&a);
    for (int64_t i = 0; i < v.numel; i++) tg_array_set(&v, i, number(i));
    return v;
}

static tg_shape without(tg_shape s, unsigned axes) {
    for (int i = 0; i < s.rank; i++)
        if (axes >> i & 1) s.dim[i] = 1;
    return s;
}

/* The row-major position in `small` of element i of `big`; axes of size 1 repeat. */
static int64_t project(int64_t i, tg_shape big, tg_shape small) {
    int64_t at = 0, stride = 1;
    for (int d = big.rank - 1; d >= 0; d--) {
        int64_t c = i % big.dim[d];
        i /= big.dim[d];
        if (small.dim[d] > 1) at += c * stride;
        stride *= small.dim[d];
    }
    return at;
}

static const tg_shape shapes[] = {
    {0, {0}},         {1, {1}},         {1, {7}},          {1, {1023}},       {1, {1024}},
    {1, {5000}},      {2, {1, 9}},      {2, {9, 1}},       {2, {3, 5}},       {2, {64, 10}},
    {2, {10, 64}},    {2, {100, 130}},  {2, {1025, 65}},   {2, {2000, 3}},    {3, {4, 5, 6}},
    {3, {2, 33, 65}}, {3, {65, 3, 70}}, {4, {3, 4, 5, 6}}, {4, {5, 1, 7, 1}}, {4, {2, 8, 9, 9}},
    {2, {0, 3}},      {2, {3, 0}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, MOST = 80000 };

static long double want[MOST], weight[MOST];

/* sum x and sum |x| (or the extreme) by output, in long double. */
static void expect(tg_reduction f, const tg_array *x, tg_shape out) {
    int64_t n = tg_shape_numel(out);
    for (int64_t i = 0; i < n; i++) {
        want[i] = f == TG_PROD ? 1 : f == TG_MAX ? -INFINITY : f == TG_MIN ? INFINITY : 0;
        weight[i] = 0;
    }
    tg_shape in = tg_array_shape(x);
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t at = project(i, in, out);
        long double v = tg_array_get(x, i);
        weight[at] += fabsl(v);
        if (f == TG_SUM) want[at] += v;
        if (f == TG_PROD) want[at] *= v;
        if (f == TG_MAX) want[at] = fmaxl(want[at], v);
        if (f == TG_MIN) want[at] = fminl(want[at], v);
    }
}

/* Pairwise: at most log2(n) + 32 roundings (a lane of a block takes up to 32 in a row) on the way of any
 * element. */
static double bound(tg_reduction f, tg_dtype dtype, int64_t terms, int64_t i) {
    double eps = dtype == TG_F32 ? 0x1p-24 : 0x1p-53;
    if (f == TG_SUM) return eps * (33 + log2((double)terms + 1)) * (double)weight[i];
    if (f == TG_PROD) return 2 * eps * (double)terms * fabs((double)want[i]) + 1e-38;
    return 0;
}

static void check_reduce(tg_reduction f, const tg_array *x, unsigned axes) {
    tg_shape s = without(tg_array_shape(x), axes);
    tg_array out = {0};
    ck_assert_int_eq(tg_array_alloc(&out, (tg_dtype)x->dtype, s), TG_OK);
    tg_reduce(f, x, axes, &out);
    expect(f, x, s);
    int64_t terms = out.numel ? x->numel / out.numel : 0;
    for (int64_t i = 0; i < out.numel; i++) {
        double got = tg_array_get(&out, i);
        REQUIRE(fabs(got - (double)want[i]) <= bound(f, (tg_dtype)x->dtype, terms, i) || got == (double)want[i],
                "%s reduction %d of %d elements, axes %x: out %d is %.17g, not %.17Lg", tg_isa(), (int)f,
                (int)x->numel, axes, (int)i, got, want[i]);
    }
    tg_array_drop(&out);
}

START_TEST(reductions) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int i = 0; i < SHAPES; i++)
        for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++)
            for (unsigned axes = 0; axes < 1u << shapes[i].rank; axes++)
                for (int way = 0; way < 2; way++) {
                    tg_array x = (way ? turned : fresh)(dtype, shapes[i]);
                    check_reduce(TG_SUM, &x, axes);
                    if (x.numel > 0) check_reduce(TG_MAX, &x, axes);
                    if (x.numel > 0) check_reduce(TG_MIN, &x, axes);
                    if (x.numel < 200) check_reduce(TG_PROD, &x, axes);
                    tg_array_drop(&x);
                }
}
END_TEST

/* Sums have one order whatever the width of a vector: to the bit the same under every instruction set. */
START_TEST(sums_agree) {
    for (int i = 0; i < SHAPES; i++)
        for (unsigned axes = 1; axes < 1u << shapes[i].rank; axes++) {
            tg_array x = fresh(TG_F32, shapes[i]), want_sum, got;
            want_sum = fresh(TG_F32, without(shapes[i], axes)), got = fresh(TG_F32, without(shapes[i], axes));
            tg_kernels_use("ref");
            tg_reduce(TG_SUM, &x, axes, &want_sum);
            for (int k = 0; k < isa_count(); k++) {
                if (!tg_kernels_use(tg_kernel_isas[k])) continue;
                tg_reduce(TG_SUM, &x, axes, &got);
                REQUIRE(memcmp(got.data, want_sum.data, (size_t)got.numel * 4) == 0, "%s, shape %d, axes %x",
                        tg_kernel_isas[k], i, axes);
            }
            tg_array_drop(&x), tg_array_drop(&want_sum), tg_array_drop(&got);
        }
}
END_TEST

/* 2^24 + 1 is not an f32: a plain running sum of ones stops there; and 0.1 drifts long before. */
START_TEST(sums_are_pairwise) {
    int64_t n = (1 << 24) + (1 << 22);
    tg_array one = {0}, x = {0}, out = {0};
    ck_assert_int_eq(tg_array_alloc(&one, TG_F32, TG_SHAPE(1)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&out, TG_F32, TG_SHAPE(1)), TG_OK);
    const double values[] = {1, 0.1f};
    for (int i = 0; i < 2; i++) {
        tg_array_fill(&one, values[i]);
        ck_assert_int_eq(tg_array_broadcast(&x, &one, TG_SHAPE(n)), TG_OK);
        tg_reduce(TG_SUM, &x, 1, &out);
        double exact = values[i] * (double)n;
        ck_assert_double_le(fabs(tg_array_get(&out, 0) - exact) / exact, 4e-7);
        tg_array_drop(&x);
    }
    tg_array_drop(&one);
    tg_array_drop(&out);
}
END_TEST

START_TEST(nan_in_every_place) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int n = 1; n <= 130; n += 43)
        for (int at = 0; at < n; at++)
            for (int columns = 0; columns < 2; columns++) {
                tg_array x = fresh(TG_F32, columns ? TG_SHAPE(n, 3) : TG_SHAPE(3, n)), out = {0};
                unsigned axes = columns ? 1 : 2;
                tg_array_set(&x, columns ? at * 3 + 1 : n + at, (double)NAN);
                ck_assert_int_eq(tg_array_alloc(&out, TG_F32, without(tg_array_shape(&x), axes)), TG_OK);
                for (tg_reduction f = TG_SUM; f <= TG_MIN; f++) {
                    tg_reduce(f, &x, axes, &out);
                    for (int i = 0; i < 3; i++)
                        REQUIRE(isnan(tg_array_get(&out, i)) == (i == 1), "NaN at %d of %d", at, n);
                }
                tg_array_drop(&x);
                tg_array_drop(&out);
            }
}
END_TEST

START_TEST(integers_and_truth) {
    tg_array x = fresh(TG_I32, TG_SHAPE(5, 7, 3)), sum = {0}, most = {0}, any = {0},
             b = fresh(TG_BOOL, TG_SHAPE(5, 7, 3));
    ck_assert_int_eq(tg_array_alloc(&sum, TG_I64, TG_SHAPE(5, 1, 3)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&most, TG_I32, TG_SHAPE(5, 1, 3)), TG_OK);
    ck_assert_int_eq(tg_array_alloc(&any, TG_BOOL, TG_SHAPE(5, 1, 3)), TG_OK);
    for (int64_t i = 0; i < b.numel; i++) tg_array_set(&b, i, i % 4 == 0);
    tg_reduce(TG_SUM, &x, 2, &sum);
    tg_reduce(TG_MAX, &x, 2, &most);
    for (int i = 0; i < 15; i++) {
        double total = 0, largest = -1e9;
        for (int j = 0; j < 7; j++) {
            double v = tg_array_get(&x, i / 3 * 21 + j * 3 + i % 3);
            total += v, largest = fmax(largest, v);
        }
        ck_assert_double_eq(tg_array_get(&sum, i), total);
        ck_assert_double_eq(tg_array_get(&most, i), largest);
    }
    tg_reduce(TG_SUM, &b, 2, &sum);
    for (tg_reduction f = TG_AND; f <= TG_OR; f++) {
        tg_reduce(f, &b, 2, &any);
        for (int i = 0; i < 15; i++) {
            double yes = tg_array_get(&sum, i);
            ck_assert_double_eq(tg_array_get(&any, i), f == TG_AND ? yes == 7 : yes > 0);
        }
    }
    tg_array *all[] = {&x, &sum, &most, &any, &b};
    for (int i = 0; i < 5; i++) tg_array_drop(all[i]);
}
END_TEST

/* sum over the axis of g*y, and so on, in long double: out[i] for all four forms. */
static long double softmax_at(const tg_array *x, const tg_array *g, int axis, int64_t i, int form) {
    tg_shape s = tg_array_shape(x), small = without(s, s.rank ? 1u << axis : 0);
    int64_t row = project(i, s, small);
    long double top = -INFINITY, total = 0, dot = 0, sum_g = 0;
    for (int64_t j = 0; j < x->numel; j++)
        if (project(j, s, small) == row) top = fmaxl(top, tg_array_get(x, j));
    for (int64_t j = 0; j < x->numel; j++) {
        if (project(j, s, small) != row) continue;
        long double e = expl((long double)tg_array_get(x, j) - top), v = tg_array_get(g, j);
        total += e, dot += e * v, sum_g += v;
    }
    long double y = expl((long double)tg_array_get(x, i) - top) / total, v = tg_array_get(g, i);
    return form == 0 ? y : form == 1 ? y * (v - dot / total) : form == 2 ? logl(y) : v - y * sum_g;
}

static void check_softmax(tg_dtype dtype, tg_shape s, int axis, int way) {
    tg_array x = (way ? turned : fresh)(dtype, s), g = fresh(dtype, s), y = {0}, out[4] = {{0}};
    ck_assert_int_eq(tg_array_alloc(&y, dtype, s), TG_OK);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(tg_array_alloc(&out[i], dtype, s), TG_OK);
    tg_map_softmax(&x, axis, &out[0]);
    tg_map_softmax_grad(&g, &out[0], axis, &out[1]);
    tg_map_log_softmax(&x, axis, &out[2]);
    tg_map_log_softmax_grad(&g, &out[2], axis, &out[3]);
    double eps = dtype == TG_F32 ? 0x1p-22 : 0x1p-51;
    for (int form = 0; form < 4; form++)
        for (int64_t i = 0; i < x.numel; i++) {
            double got = tg_array_get(&out[form], i), exact = (double)softmax_at(&x, &g, axis, i, form);
            REQUIRE(fabs(got - exact) <= eps * fmax(fabs(exact), form == 0 ? 0 : 8),
                    "%s form %d axis %d: %.17g, not %.17g", tg_isa(), form, axis, got, exact);
        }
    for (int i = 0; i < 4; i++) tg_array_drop(&out[i]);
    tg_array_drop(&x), tg_array_drop(&g), tg_array_drop(&y);
}

START_TEST(softmax) {
    static const tg_shape some[] = {{0, {0}},        {1, {1}},      {1, {37}},     {2, {5, 10}},
                                    {2, {10, 5}},    {2, {3, 130}}, {2, {130, 3}}, {3, {3, 17, 5}},
                                    {3, {2, 3, 70}}, {2, {0, 4}}};
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++)
            for (int axis = 0; axis < some[i].rank || axis == 0; axis++)
                for (int way = 0; way < 2; way++) check_softmax(dtype, some[i], axis, way);
}
END_TEST

/* [1000, 0] is finite, -inf counts as nothing, and a row of nothing but -inf is NaN; by rows and by
 * columns. */
START_TEST(softmax_of_extremes) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (int axis = 0; axis < 2; axis++) {
        tg_array x = fresh(TG_F32, axis ? TG_SHAPE(3, 2) : TG_SHAPE(2, 3)),
                 y = fresh(TG_F32, tg_array_shape(&x));
        static const double in[3][2] = {{1000, 0}, {-INFINITY, 3}, {-INFINITY, -INFINITY}};
        static const double plain[3][2] = {{1, 0}, {0, 1}, {NAN, NAN}};
        static const double logs[3][2] = {{0, -1000}, {-INFINITY, 0}, {NAN, NAN}};
        for (int i = 0; i < 6; i++) tg_array_set(&x, axis ? i : i % 2 * 3 + i / 2, in[i / 2][i % 2]);
        for (int form = 0; form < 2; form++) {
            (form ? tg_map_log_softmax : tg_map_softmax)(&x, axis, &y);
            for (int i = 0; i < 6; i++) {
                double got = tg_array_get(&y, axis ? i : i % 2 * 3 + i / 2),
                       w = (form ? logs : plain)[i / 2][i % 2];
                REQUIRE(got == w || (isnan(got) && isnan(w)), "axis %d form %d: %g, not %g", axis, form, got,
                        w);
            }
        }
        tg_array_drop(&x), tg_array_drop(&y);
    }
}
END_TEST

START_TEST(extremes) {
    tg_array x = fresh(TG_F32, TG_SHAPE(6, 5)), out = {0};
    const double row[5] = {1, 3, 3, -2, -2};
    for (int64_t i = 0; i < 30; i++) tg_array_set(&x, i, row[i % 5]);
    tg_array_set(&x, 12, (double)NAN), tg_array_set(&x, 13, (double)NAN);
    ck_assert_int_eq(tg_array_alloc(&out, TG_I64, TG_SHAPE(6, 1)), TG_OK);
    tg_arg_extreme(true, &x, 1, &out);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(tg_array_get(&out, i), i == 2 ? 2 : 1);
    tg_arg_extreme(false, &x, 1, &out);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(tg_array_get(&out, i), i == 2 ? 2 : 3);
    tg_array_drop(&x), tg_array_drop(&out);
}
END_TEST

/* Along each axis of [5, 4, 3], with the index repeated along the last axis or not. */
START_TEST(gather_and_scatter) {
    for (int way = 0; way < 4; way++)
        for (int axis = 0; axis < 3; axis++) {
            tg_shape s = TG_SHAPE(5, 4, 3), t = s;
            t.dim[axis] = 7;
            bool repeated = way % 2 == 1 && axis != 2;
            tg_array x = fresh(way < 2 ? TG_F32 : TG_F64, s), y = fresh((tg_dtype)x.dtype, s), index = {0},
                     i = {0};
            tg_array out = fresh((tg_dtype)x.dtype, t), sum = fresh(TG_F64, s);
            i = fresh(way < 2 ? TG_I64 : TG_I32, repeated ? TG_SHAPE(t.dim[0], t.dim[1], 1) : t);
            for (int64_t k = 0; k < i.numel; k++) tg_array_set(&i, k, (double)(k * 5 % 11 % s.dim[axis]));
            ck_assert_int_eq(tg_array_broadcast(&index, &i, t), TG_OK);
            tg_map_gather(&x, axis, &index, &out);
            tg_array_copy(&sum, &x);
            tg_array_copy(&y, &x);
            for (int64_t k = 0; k < out.numel; k++) {
                int64_t c[3] = {k / (t.dim[1] * t.dim[2]), k / t.dim[2] % t.dim[1], k % t.dim[2]};
                c[axis] = (int64_t)tg_array_get(&index, k);
                int64_t at = (c[0] * 4 + c[1]) * 3 + c[2];
                ck_assert_double_eq(tg_array_get(&out, k), tg_array_get(&x, at));
                tg_array_set(&sum, at, tg_array_get(&sum, at) + tg_array_get(&out, k));
            }
            ck_assert_int_eq(tg_map_scatter_add(&y, axis, &index, &out), TG_OK);
            for (int64_t k = 0; k < y.numel; k++)
                ck_assert_double_eq_tol(tg_array_get(&y, k), tg_array_get(&sum, k), 1e-5);
            tg_array *all[] = {&x, &y, &index, &i, &out, &sum};
            for (int k = 0; k < 6; k++) tg_array_drop(all[k]);
        }
}
END_TEST

/* Everything that splits its work, to the bit at any number of threads. */
START_TEST(threads_change_nothing) {
    tg_array x = turned(TG_F32, TG_SHAPE(300, 700)), y = fresh(TG_F32, TG_SHAPE(300, 700)), first[5] = {{0}};
    double p[2] = {0};
    for (int n = 1; n <= 4; n++) {
        tg_set_num_threads(n);
        tg_array out[5] = {fresh(TG_F32, TG_SHAPE(300, 700)), fresh(TG_F32, TG_SHAPE(300, 700)),
                           fresh(TG_F32, TG_SHAPE(300, 1)), fresh(TG_F32, TG_SHAPE(1, 700)),
                           fresh(TG_F32, TG_SHAPE(300, 700))};
        tg_map_unary(TG_UNARY_TANH, &x, &out[0], p);
        tg_map_binary(TG_BINARY_ADD, &x, &y, &out[1]);
        tg_reduce(TG_SUM, &x, 2, &out[2]);
        tg_reduce(TG_SUM, &y, 1, &out[3]);
        tg_map_softmax(&x, 1, &out[4]);
        for (int i = 0; i < 5; i++) {
            if (n > 1) ck_assert_int_eq(memcmp(out[i].data, first[i].data, (size_t)out[i].numel * 4), 0);
            if (n > 1)
                tg_array_drop(&out[i]);
            else
                first[i] = out[i];
        }
    }
    for (int i = 0; i < 5; i++) tg_array_drop(&first[i]);
    tg_array_drop(&x), tg_array_drop(&y);
}
END_TEST

TCase *tcase_reduce(void) {
    TCase *tc = tcase_create("reduce");
    tcase_set_timeout(tc, 120);
    tcase_set_tags(tc, "long-double"); /* Valgrind computes long double in 64 bits */
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, reductions, 0, isa_count());
    tcase_add_test(tc, sums_agree);
    tcase_add_test(tc, sums_are_pairwise);
    tcase_add_loop_test(tc, nan_in_every_place, 0, isa_count());
    tcase_add_test(tc, integers_and_truth);
    tcase_add_loop_test(tc, softmax, 0, isa_count());
    tcase_add_loop_test(tc, softmax_of_extremes, 0, isa_count());
    tcase_add_test(tc, extremes);
    tcase_add_test(tc, gather_and_scatter);
    tcase_add_test(tc, threads_change_nothing);
    return tc;
}
