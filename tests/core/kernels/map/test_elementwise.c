/* Every loop over the elements of arrays, at sizes around the pieces that it is cut in, in every layout, with operands of
 * different element size, at 1, 3 and 4 threads, against plain loops. What is a matter of rounding is taken from the same
 * kernel, a few elements at a time, so that all comparisons are to the bit; memory between the elements must stay as it
 * was.
 */
#include "core/kernels/simd/table.h"
#include "core/update.h"
#include "tests/core/kernels/isas.h"
#include "tests/core/layouts.h"

TCase *tcase_elementwise(void);

/* TG_BLOCK and a quarter of it, a little less and more; runs along axes of all lengths; more axes than four. */
static const tg_shape shapes[] = {
    {1, {32769}},
    {1, {98305}},
    {6, {2, 3, 2, 3, 3, 911}},
    {8, {2, 1, 5, 3, 2, 3, 4, 47}},
    {2, {3, 10923}},
    {2, {10923, 3}},
    {5, {3, 3, 2, 2, 917}},
    {6, {4, 3, 2, 5, 7, 41}},
    {1, {32767}},
    {1, {32768}},
    {1, {100000}},
    {6, {2, 5, 10, 10, 10, 10}},
    {2, {2, 16385}},
    {3, {7, 31, 151}},
    {4, {2, 4, 1025, 4}},
    {1, {8193}},
    {2, {257, 129}},
    {7, {2, 2, 2, 2, 2, 2, 513}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, FEW_SHAPES = 6, MOST = 100000 };

/* Of the output, then of the inputs. */
static const lay layouts[][4] = {
    {FLAT, FLAT, FLAT, FLAT},      {FLAT, GAPS, FLAT, GAPS},
    {FLAT, TURNED, FLAT, ROTATED}, {FLAT, ROW, COLUMN, FLAT},
    {FLAT, ONE, FLAT, ONE},        {FLAT, FLAT, ONE, ROW},
    {FLAT, BACK, ROTATED, COLUMN}, {GAPS, TURNED, BACK, ONE},
    {TURNED, FLAT, TURNED, GAPS},  {ROTATED, ROTATED, ROTATED, ROTATED},
    {BACK, BACK, BACK, BACK},      {FLAT, ONE, ONE, FLAT},
    {FLAT, COLUMN, ROW, TURNED},   {GAPS, GAPS, GAPS, GAPS},
    {FLAT, FLAT, FLAT, ONE},       {FLAT, FLAT, ONE, ONE},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

/* ---- numbers ---- */

/* Element i of an operand: reals in (0, 2), now and then equal ones, signed zeros and NaN; integers of all sizes. */
static void number(tg_dtype dtype, int64_t i, int salt, void *to) {
    uint64_t h = mixed((uint64_t)i * 7 + (uint64_t)salt * 1000003);
    double real = h % 61 == 0 ? -0.0 : h % 61 == 1 ? 0.0 : h % 61 < 9 ? 0.5 : (double)(h % 4093 + 1) / 2048;
    if (h % 4091 == 5) real = (double)NAN;
    float narrow = (float)real;
    int64_t wide = (int64_t)(h << 8) >> (h % 7 * 8 + 3);
    int32_t word = (int32_t)wide;
    uint8_t byte = dtype == TG_BOOL ? h >> 9 & 1 : (uint8_t)(h >> 9);
    const void *from[] = {[TG_F32] = &narrow, [TG_F64] = &real, [TG_I32] = &word,
                          [TG_I64] = &wide,   [TG_U8] = &byte,  [TG_BOOL] = &byte};
    static const size_t size[] = {
        [TG_F32] = 4, [TG_F64] = 8, [TG_I32] = 4, [TG_I64] = 8, [TG_U8] = 1, [TG_BOOL] = 1};
    copy_element(to, from[dtype], size[dtype]);
}

/* ---- jobs ---- */

/* One function on arrays: operand 0 and the next `outputs - 1` are changed, the others read. `expect` does the same to n
 * elements that lie one after the other. */
typedef struct job {
    const char *name;
    int operands, outputs, which;
    tg_dtype dtype[4];
    void (*apply)(const struct job *j, const tg_array *const a[]);
    void (*expect)(const struct job *j, int64_t n, char *const p[]);
} job;

static const double parameters[2] = {0.75, 1.5};

/* The kernel's run a few elements at a time. */
static void in_parts(const job *j, int64_t n, char *const p[], tg_run *run, const void *arg, int operands) {
    static const tg_strides ones = {{1, 1, 1, 1}};
    for (int64_t i = 0, m; i < n; i += m) {
        tg_operands q;
        m = n - i < 13 ? n - i : 13;
        for (int k = 0; k < operands; k++) q.each[k] = p[k] + (size_t)i * tg_dtype_size(j->dtype[k]);
        run(m, &q, &ones, arg);
    }
}

static void apply_unary(const job *j, const tg_array *const a[]) {
    tg_map_unary((tg_unary)j->which, a[1], a[0], parameters);
}
static void expect_unary(const job *j, int64_t n, char *const p[]) {
    in_parts(j, n, p, tg_kernels_for((int)j->dtype[0])->unary[j->which], parameters, 2);
}

static void apply_slope(const job *j, const tg_array *const a[]) {
    tg_map_unary_grad((tg_unary)j->which, a[1], a[2], a[3], a[0], parameters);
}
static void expect_slope(const job *j, int64_t n, char *const p[]) {
    in_parts(j, n, p, tg_kernels_for((int)j->dtype[0])->unary_grad[j->which], parameters, 4);
}

static void apply_binary(const job *j, const tg_array *const a[]) {
    tg_map_binary((tg_binary)j->which, a[1], a[2], a[0]);
}
static void expect_binary(const job *j, int64_t n, char *const p[]) {
    in_parts(j, n, p, tg_kernels_for((int)j->dtype[0])->binary[j->which], NULL, 3);
}

#define WHOLE_BINARY(T, U) \
    for (int64_t i = 0; i < n; i++) { \
        T a = ((const T *)(void *)p[1])[i], b = ((const T *)(void *)p[2])[i], *out = (T *)(void *)p[0] + i; \
        switch ((tg_binary)j->which) { \
        case TG_BINARY_ADD: \
            *out = (T)((U)a + (U)b); \
            break; \
        case TG_BINARY_SUB: \
            *out = (T)((U)a - (U)b); \
            break; \
        case TG_BINARY_MUL: \
            *out = (T)((U)a * (U)b); \
            break; \
        case TG_BINARY_DIV: \
            *out = b == 0 ? 0 : b == -1 ? (T)(0 - (U)a) : (T)(a / b); \
            break; \
        case TG_BINARY_MAXIMUM: \
            *out = a > b ? a : b; \
            break; \
        default: \
            *out = a < b ? a : b; \
        } \
    }
static void expect_whole_binary(const job *j, int64_t n, char *const p[]) {
    if (j->dtype[0] == TG_I32) {
        WHOLE_BINARY(int32_t, uint32_t)
    } else {
        WHOLE_BINARY(int64_t, uint64_t)
    }
}

static void apply_compare(const job *j, const tg_array *const a[]) {
    tg_map_compare((tg_compare)j->which, a[1], a[2], a[0]);
}
#define ALL_COMPARISONS(T) \
    for (int64_t i = 0; i < n; i++) { \
        T a = ((const T *)(const void *)p[1])[i], b = ((const T *)(const void *)p[2])[i]; \
        p[0][i] = (char)(j->which == TG_EQ   ? a == b \
                         : j->which == TG_NE ? a != b \
                         : j->which == TG_LT ? a < b \
                         : j->which == TG_LE ? a <= b \
                         : j->which == TG_GT ? a > b \
                                             : a >= b); \
    }
static void expect_compare(const job *j, int64_t n, char *const p[]) {
    switch (j->dtype[1]) {
    case TG_F32:
        ALL_COMPARISONS(float) break;
    case TG_F64:
        ALL_COMPARISONS(double) break;
    case TG_I32:
        ALL_COMPARISONS(int32_t) break;
    case TG_I64:
        ALL_COMPARISONS(int64_t) break;
    default:
        ALL_COMPARISONS(uint8_t)
    }
}

static void apply_where(const job *j, const tg_array *const a[]) {
    (void)j, tg_map_where(a[1], a[2], a[3], a[0]);
}
static void expect_where(const job *j, int64_t n, char *const p[]) {
    size_t size = tg_dtype_size(j->dtype[0]);
    for (int64_t i = 0; i < n; i++)
        memcpy(p[0] + (size_t)i * size, p[p[1][i] ? 2 : 3] + (size_t)i * size, size);
}

static void apply_affine(const job *j, const tg_array *const a[]) {
    tg_map_affine(a[1], j->which ? -3 : 0.75, j->which ? 0x1p33 + 5 : 0.3, a[0]);
}
static void expect_affine(const job *j, int64_t n, char *const p[]) {
    if (!j->which) {
        in_parts(j, n, p, tg_kernels_for((int)j->dtype[0])->affine, (const double[]){0.75, 0.3}, 2);
        return;
    }
    uint64_t shift = (UINT64_C(1) << 33) + 5;
    for (int64_t i = 0; i < n; i++)
        if (j->dtype[0] == TG_I32)
            ((uint32_t *)(void *)p[0])[i] = ((uint32_t *)(void *)p[1])[i] * (uint32_t)-3 + (uint32_t)shift;
        else
            ((uint64_t *)(void *)p[0])[i] = ((uint64_t *)(void *)p[1])[i] * (uint64_t)-3 + shift;
}

static void apply_axpy(const job *j, const tg_array *const a[]) { (void)j, tg_map_axpy(-0.7, a[1], a[0]); }
static void expect_axpy(const job *j, int64_t n, char *const p[]) {
    for (int64_t i = 0; i < n; i++)
        if (j->dtype[0] == TG_F32)
            ((float *)(void *)p[0])[i] = ((float *)(void *)p[0])[i] + (float)-0.7 * ((float *)(void *)p[1])[i];
        else
            ((double *)(void *)p[0])[i] = ((double *)(void *)p[0])[i] + -0.7 * ((double *)(void *)p[1])[i];
}

/* Parameter, states, gradient: 2, 3 or 4 operands. */
static const tg_sgd_step sgd = {
    .lr = 0.1, .decay = 0.01, .momentum = 0.9, .take = 1, .of_d = 0.25, .of_v = 0.75};
static const tg_adam_step adam = {.decay = 0.01,
                                  .b1 = 0.9,
                                  .c1 = 0.1,
                                  .b2 = 0.99,
                                  .c2 = 0.01,
                                  .keep = 0.999,
                                  .step = 0.002,
                                  .root = 1.5,
                                  .eps = 1e-8};
static void apply_update(const job *j, const tg_array *const a[]) {
    if (j->operands == 2) tg_update_sgd(&sgd, a[1], a[0]);
    if (j->operands == 3) tg_update_momentum(&sgd, a[2], a[1], a[0]);
    if (j->operands == 4) tg_update_adam(&adam, a[3], a[1], a[2], a[0]);
}
static void expect_update(const job *j, int64_t n, char *const p[]) {
    const tg_kernel_set *set = tg_kernels_for((int)j->dtype[0]);
    tg_run *const run[] = {set->sgd, set->momentum, set->adam};
    in_parts(j, n, p, run[j->operands - 2], j->operands == 4 ? (const void *)&adam : (const void *)&sgd,
             j->operands);
}

/* ---- conversion ---- */

static double real_of(tg_dtype dtype, const char *p) {
    float f;
    double d;
    if (dtype == TG_F32) return memcpy(&f, p, 4), (double)f;
    return memcpy(&d, p, 8), d;
}

static int64_t whole_of(tg_dtype dtype, const char *p) {
    int32_t w;
    int64_t v;
    if (dtype == TG_I32) return memcpy(&w, p, 4), w;
    if (dtype == TG_I64) return memcpy(&v, p, 8), v;
    return *(const unsigned char *)p;
}

/* The lowest number of a type, and the first that is beyond it on either side. */
static void convert_one(tg_dtype to, char *out, tg_dtype from, const char *in) {
    static const double low[] = {[TG_I32] = -0x1p31, [TG_I64] = -0x1p63, [TG_U8] = 0},
                        high[] = {[TG_I32] = 0x1p31, [TG_I64] = 0x1p63, [TG_U8] = 256};
    bool real = from == TG_F32 || from == TG_F64;
    double d = real ? real_of(from, in) : 0;
    int64_t v = real ? 0 : whole_of(from, in);
    if (to == from) {
        memcpy(out, in, tg_dtype_size(to));
    } else if (to == TG_BOOL) {
        *out = real ? d != 0 : v != 0;
    } else if (to == TG_F32) {
        float f = real ? (float)d : (float)v;
        memcpy(out, &f, 4);
    } else if (to == TG_F64) {
        if (!real) d = (double)v;
        memcpy(out, &d, 8);
    } else {
        if (real) v = trunc(d) >= low[to] && d < high[to] ? (int64_t)d : (int64_t)low[to];
        if (!real && to == TG_I32 && (v < INT32_MIN || v > INT32_MAX)) v = INT32_MIN;
        if (!real && to == TG_U8 && (v < 0 || v > 255)) v = 0;
        memcpy(out, &v, tg_dtype_size(to));
    }
}
static void apply_copy(const job *j, const tg_array *const a[]) { (void)j, tg_array_copy(a[0], a[1]); }
static void expect_copy(const job *j, int64_t n, char *const p[]) {
    size_t to = tg_dtype_size(j->dtype[0]), from = tg_dtype_size(j->dtype[1]);
    for (int64_t i = 0; i < n; i++)
        convert_one(j->dtype[0], p[0] + (size_t)i * to, j->dtype[1], p[1] + (size_t)i * from);
}

/* ---- one job in one layout ---- */

static char dense[4][MOST * 8];

static void check(const job *j, tg_shape shape, const lay how[4]) {
    laid l[4];
    char *p[4], *before[4];
    const tg_array *a[4];
    int64_t n = tg_shape_numel(shape);
    for (int k = 0; k < j->operands; k++) {
        l[k] = lay_out(j->dtype[k], shape, k < j->outputs && repeats(how[k]) ? FLAT : how[k]);
        for (int64_t i = 0; i < n; i++) number(j->dtype[k], l[k].at[i], k, place_of(&l[k], i));
        a[k] = &l[k].a, p[k] = dense[k];
        gather_dense(&l[k], p[k]);
        before[k] = malloc(l[k].bytes);
        memcpy(before[k], l[k].whole.data, l[k].bytes);
    }
    j->expect(j, n, p);
    for (int k = 0; k < j->operands; k++) expect_dense(&l[k], p[k]);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        for (int k = 0; k < j->outputs; k++) memcpy(l[k].whole.data, before[k], l[k].bytes);
        tg_set_num_threads(t);
        j->apply(j, a);
        for (int k = 0; k < j->operands; k++) {
            int64_t wrong = first_wrong(&l[k]);
            REQUIRE(wrong < 0,
                    "%s %s number %d, %s: [%d .. %d] of rank %d, operand %d %s (then %s): place %d of %d, %d "
                    "threads",
                    tg_isa(), j->name, j->which, tg_dtype_name(j->dtype[k]), (int)shape.dim[0],
                    (int)shape.dim[shape.rank - 1], shape.rank, k, lay_name(how[k]), lay_name(how[1]),
                    (int)wrong, (int)l[k].whole.numel, t);
        }
    }
    for (int k = 0; k < j->operands; k++) {
        free(before[k]);
        lay_down(&l[k]);
    }
}

/* One of the kind in all shapes, each with a third of the layouts, and small in all of them. */
static void check_everywhere(job j) {
    for (int s = 0; s < (fast() ? FEW_SHAPES : SHAPES); s++)
        for (int i = s % 3; i < LAYOUTS; i += 3) check(&j, shapes[s], layouts[i]);
    for (int i = 0; i < LAYOUTS; i++)
        check(&j, (tg_shape){6, {2, 3, 2, 3, 3, 7}}, layouts[i]), check(&j, (tg_shape){2, {31, 7}}, layouts[i]);
}

/* All others flat, with gaps, and repeated, just past one piece: of cheap loops the long one. */
static void check_some(job j) {
    bool dear = j.apply == apply_unary || j.apply == apply_slope;
    check(&j, dear ? (tg_shape){1, {8193}} : (tg_shape){1, {32769}}, layouts[0]);
    check(&j, (tg_shape){2, {3, 2731}}, layouts[1]);
    check(&j, (tg_shape){6, {2, 3, 2, 3, 3, 77}}, layouts[3]);
}

START_TEST(all_shapes_and_layouts) {
    static const job jobs[] = {
        {"unary", 2, 1, TG_UNARY_SQRT, {TG_F32, TG_F32}, apply_unary, expect_unary},
        {"slope", 4, 1, TG_UNARY_TANH, {TG_F64, TG_F64, TG_F64, TG_F64}, apply_slope, expect_slope},
        {"slope", 4, 1, TG_UNARY_SOFTPLUS, {TG_F32, TG_F32, TG_F32, TG_F32}, apply_slope, expect_slope},
        {"binary", 3, 1, TG_BINARY_SUB, {TG_F32, TG_F32, TG_F32}, apply_binary, expect_binary},
        {"binary", 3, 1, TG_BINARY_DIV, {TG_F64, TG_F64, TG_F64}, apply_binary, expect_binary},
        {"binary", 3, 1, TG_BINARY_MUL, {TG_I64, TG_I64, TG_I64}, apply_binary, expect_whole_binary},
        {"compare", 3, 1, TG_LT, {TG_BOOL, TG_F64, TG_F64}, apply_compare, expect_compare},
        {"compare", 3, 1, TG_GE, {TG_BOOL, TG_F32, TG_F32}, apply_compare, expect_compare},
        {"compare", 3, 1, TG_LE, {TG_BOOL, TG_I64, TG_I64}, apply_compare, expect_compare},
        {"where", 4, 1, 0, {TG_F32, TG_BOOL, TG_F32, TG_F32}, apply_where, expect_where},
        {"where", 4, 1, 0, {TG_I64, TG_U8, TG_I64, TG_I64}, apply_where, expect_where},
        {"where", 4, 1, 0, {TG_U8, TG_BOOL, TG_U8, TG_U8}, apply_where, expect_where},
        {"affine", 2, 1, 0, {TG_F64, TG_F64}, apply_affine, expect_affine},
        {"axpy", 2, 1, 0, {TG_F32, TG_F32}, apply_axpy, expect_axpy},
        {"adam", 4, 3, 0, {TG_F32, TG_F32, TG_F32, TG_F32}, apply_update, expect_update},
        {"momentum", 3, 2, 0, {TG_F64, TG_F64, TG_F64}, apply_update, expect_update},
        {"copy", 2, 1, 0, {TG_F64, TG_F32}, apply_copy, expect_copy},
        {"copy", 2, 1, 0, {TG_F32, TG_I64}, apply_copy, expect_copy},
        {"copy", 2, 1, 0, {TG_U8, TG_I64}, apply_copy, expect_copy},
        {"copy", 2, 1, 0, {TG_F64, TG_BOOL}, apply_copy, expect_copy},
        {"copy", 2, 1, 0, {TG_I32, TG_I32}, apply_copy, expect_copy},
    };
    enum { JOBS = sizeof jobs / sizeof *jobs };
    if (_i < JOBS) check_everywhere(jobs[_i]);
}
END_TEST

START_TEST(all_slots) {
    for (int real = 0; real < 2; real++) {
        tg_dtype t = (tg_dtype)real;
        for (int u = 0; u < TG_UNARY_COUNT; u++) {
            if (u == TG_UNARY_POW_SCALAR) continue; /* below: it may become another function */
            check_some((job){"unary", 2, 1, u, {t, t}, apply_unary, expect_unary});
            check_some((job){"slope", 4, 1, u, {t, t, t, t}, apply_slope, expect_slope});
        }
        for (int b = 0; b < TG_BINARY_COUNT; b++)
            check_some((job){"binary", 3, 1, b, {t, t, t}, apply_binary, expect_binary});
        check_some((job){"affine", 2, 1, 0, {t, t}, apply_affine, expect_affine});
        check_some((job){"axpy", 2, 1, 0, {t, t}, apply_axpy, expect_axpy});
        for (int operands = 2; operands <= 4; operands++)
            check_some((job){"update", operands, operands - 1, 0, {t, t, t, t}, apply_update, expect_update});
    }
    for (tg_dtype t = TG_I32; t <= TG_I64; t++) {
        for (int b = 0; b <= TG_BINARY_MINIMUM; b++)
            check_some((job){"binary", 3, 1, b, {t, t, t}, apply_binary, expect_whole_binary});
        check_some((job){"affine", 2, 1, 1, {t, t}, apply_affine, expect_affine});
    }
    for (tg_dtype t = TG_F32; t <= TG_BOOL; t++) {
        for (int c = 0; c < 6; c++)
            check_some((job){"compare", 3, 1, c, {TG_BOOL, t, t}, apply_compare, expect_compare});
        check_some((job){"where", 4, 1, 0, {t, TG_BOOL, t, t}, apply_where, expect_where});
        for (tg_dtype from = TG_F32; from <= TG_BOOL; from++)
            check_some((job){"copy", 2, 1, 0, {t, from}, apply_copy, expect_copy});
    }
}
END_TEST

/* The same under the plain C reference, where nothing is a vector. */
START_TEST(reference_slots) {
    if (!tg_kernels_use("ref")) return;
    for (tg_dtype t = TG_F32; t <= TG_F64; t++) {
        check_some((job){"binary", 3, 1, TG_BINARY_MAXIMUM, {t, t, t}, apply_binary, expect_binary});
        check_some((job){"compare", 3, 1, TG_EQ, {TG_BOOL, t, t}, apply_compare, expect_compare});
        check_some((job){"where", 4, 1, 0, {t, TG_BOOL, t, t}, apply_where, expect_where});
        check_some((job){"update", 4, 3, 0, {t, t, t, t}, apply_update, expect_update});
        check_some((job){"slope", 4, 1, TG_UNARY_RELU, {t, t, t, t}, apply_slope, expect_slope});
    }
}
END_TEST

/* What is exact is the same to the bit under every instruction set, signs of zeros included. */
START_TEST(exact_functions_agree) {
    static const int unary[] = {TG_UNARY_NEG,      TG_UNARY_ABS,   TG_UNARY_RELU,  TG_UNARY_FLOOR,
                                TG_UNARY_CEIL,     TG_UNARY_ROUND, TG_UNARY_TRUNC, TG_UNARY_CLAMP,
                                TG_UNARY_HARDTANH, TG_UNARY_SIGN};
    static const int binary[] = {TG_BINARY_ADD,     TG_BINARY_SUB,     TG_BINARY_MUL,     TG_BINARY_DIV,
                                 TG_BINARY_MAXIMUM, TG_BINARY_MINIMUM, TG_BINARY_COPYSIGN};
    static const double values[] = {0.0,  -0.0,  1,        -1,        0.5,      -2.5,      3,
                                    1e30, -1e30, INFINITY, -INFINITY, 0x1p-149, -0x1p-149, NAN};
    static const tg_strides ones = {{1, 1, 1, 1}};
    enum { N = sizeof values / sizeof *values };
    for (int i = 0; i < isa_count(); i++)
        for (int dtype = 0; dtype < 2 && tg_kernels_of_isa(tg_kernel_isas[i]); dtype++) {
            const tg_kernel_set *is = tg_kernels_of_isa(tg_kernel_isas[i])->real[dtype],
                                *ref = tg_kernels_of_isa("ref")->real[dtype];
            double store[4][N * N];
            char *x = (char *)store[0], *y = (char *)store[1], *a = (char *)store[2], *b = (char *)store[3];
            size_t size = dtype ? 8 : 4;
            for (int k = 0; k < N * N; k++)
                if (dtype)
                    store[0][k] = values[k % N], store[1][k] = values[k / N];
                else
                    ((float *)(void *)x)[k] = (float)values[k % N],
                                    ((float *)(void *)y)[k] = (float)values[k / N];
            for (size_t f = 0; f < sizeof unary / sizeof *unary + sizeof binary / sizeof *binary; f++) {
                bool one = f < sizeof unary / sizeof *unary;
                int which = one ? unary[f] : binary[f - sizeof unary / sizeof *unary];
                const tg_operands p = {{a, x, y, NULL}}, q = {{b, x, y, NULL}};
                (one ? is->unary : is->binary)[which](N * N, &p, &ones, parameters);
                (one ? ref->unary : ref->binary)[which](N * N, &q, &ones, parameters);
                for (int k = 0; k < N * N; k++)
                    REQUIRE(memcmp(a + (size_t)k * size, b + (size_t)k * size, size) == 0 ||
                                (is_nan((tg_dtype)dtype, a + (size_t)k * size) &&
                                 is_nan((tg_dtype)dtype, b + (size_t)k * size)),
                            "%s f%d: function %d of %g and %g", tg_kernel_isas[i], dtype ? 64 : 32, which,
                            values[k % N], values[k / N]);
            }
        }
}
END_TEST

/* Powers: those that have a function of their own, and those next to them, against pow. */
START_TEST(powers) {
    static const double p[] = {-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4};
    tg_array x = {0}, g = {0}, y = {0}, d = {0};
    tg_array *const all[] = {&x, &g, &y, &d};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(tg_array_alloc(all[i], TG_F64, TG_SHAPE(37)), TG_OK);
    for (int i = 0; i < 37; i++) tg_array_set(&x, i, 0.25 + i / 8.0), tg_array_set(&g, i, 1 + i % 3);
    for (size_t k = 0; k < sizeof p / sizeof *p; k++) {
        tg_map_unary(TG_UNARY_POW_SCALAR, &x, &y, (const double[]){p[k], 0});
        tg_map_unary_grad(TG_UNARY_POW_SCALAR, &g, &x, &y, &d, (const double[]){p[k], 0});
        for (int i = 0; i < 37; i++) {
            double v = tg_array_get(&x, i),
                   slope = p[k] == 0 ? 0 : tg_array_get(&g, i) * p[k] * pow(v, p[k] - 1);
            REQUIRE(fabs(tg_array_get(&y, i) - pow(v, p[k])) <= 4e-16 * 4 * pow(v, p[k]), "%g^%g", v, p[k]);
            REQUIRE(fabs(tg_array_get(&d, i) - slope) <= 4e-15 * fabs(slope), "d %g^%g", v, p[k]);
        }
    }
    for (int i = 0; i < 4; i++) tg_array_drop(all[i]);
}
END_TEST

/* The ends of the integer types, from each side and by each way. */
START_TEST(ends_of_the_integers) {
    static const double reals[] = {-0x1p63,       -0x1.0000000000001p63,
                                   0x1p63,        0x1.fffffffffffffp62,
                                   0x1p62,        -2147483648.0,
                                   -2147483648.9, -2147483649.0,
                                   2147483647.0,  2147483647.9,
                                   2147483648.0,  255,
                                   255.5,         256,
                                   -0.5,          -1,
                                   0.25,          -0.0,
                                   NAN,           INFINITY,
                                   -INFINITY,     0x1p53};
    static const int64_t wholes[] = {INT64_MIN,
                                     INT64_MAX,
                                     INT32_MIN,
                                     INT32_MAX,
                                     (int64_t)INT32_MIN - 1,
                                     (int64_t)INT32_MAX + 1,
                                     255,
                                     256,
                                     -1,
                                     0,
                                     INT64_C(1) << 32,
                                     (INT64_C(1) << 53) + 1,
                                     -(INT64_C(1) << 41) - 3,
                                     INT64_C(1) << 62};
    enum { R = sizeof reals / sizeof *reals, N = sizeof wholes / sizeof *wholes };
    for (tg_dtype to = TG_F32; to <= TG_BOOL; to++)
        for (int n = 1; n <= 2; n++) {
            tg_array from = {0}, out = {0};
            char want[16];
            for (int i = 0; i < R + N; i++) {
                tg_dtype dtype = i < R ? TG_F64 : TG_I64;
                const char *in = i < R ? (const char *)&reals[i] : (const char *)&wholes[i - R];
                ck_assert_int_eq(tg_array_alloc(&from, dtype, TG_SHAPE(n)), TG_OK);
                ck_assert_int_eq(tg_array_alloc(&out, to, TG_SHAPE(n)), TG_OK);
                for (int k = 0; k < n; k++) memcpy((char *)from.data + 8 * k, in, 8);
                tg_array_copy(&out, &from);
                convert_one(to, want, dtype, in);
                size_t size = tg_dtype_size(to);
                REQUIRE(memcmp((char *)out.data + (size_t)(n - 1) * size, want, size) == 0 || is_nan(to, want),
                        "case %d to %s", i, tg_dtype_name(to));
                if (i < R) {
                    tg_array_fill(&out, reals[i]);
                    REQUIRE(memcmp((char *)out.data + (size_t)(n - 1) * size, want, size) == 0 ||
                                is_nan(to, want),
                            "fill %g as %s", reals[i], tg_dtype_name(to));
                }
                tg_array_drop(&from), tg_array_drop(&out);
            }
        }
}
END_TEST

/* Integers at both ends of each type, in all pairs. */
START_TEST(pairs_of_ends) {
    static const int64_t ends[] = {INT64_MIN,
                                   INT64_MIN + 1,
                                   INT64_MAX,
                                   INT32_MIN,
                                   INT32_MAX,
                                   -1,
                                   0,
                                   1,
                                   2,
                                   -2,
                                   127,
                                   128,
                                   -128,
                                   255,
                                   INT64_C(1) << 32,
                                   (INT64_C(1) << 53) + 1,
                                   INT64_C(0x7fffffff00000000)};
    enum { N = sizeof ends / sizeof *ends, PAIRS = N * N };
    for (tg_dtype dtype = TG_I32; dtype <= TG_U8; dtype++) {
        tg_array x = {0}, y = {0}, out = {0}, is = {0};
        char want[8 * PAIRS], *p[] = {want, NULL, NULL};
        size_t size = tg_dtype_size(dtype);
        ck_assert_int_eq(tg_array_alloc(&x, dtype, TG_SHAPE(PAIRS)), TG_OK);
        ck_assert_int_eq(tg_array_alloc(&y, dtype, TG_SHAPE(PAIRS)), TG_OK);
        ck_assert_int_eq(tg_array_alloc(&out, dtype, TG_SHAPE(PAIRS)), TG_OK);
        ck_assert_int_eq(tg_array_alloc(&is, TG_BOOL, TG_SHAPE(PAIRS)), TG_OK);
        p[1] = x.data, p[2] = y.data;
        for (int i = 0; i < PAIRS; i++) { /* the lower bytes */
            memcpy(p[1] + (size_t)i * size, &ends[i / N], size);
            memcpy(p[2] + (size_t)i * size, &ends[i % N], size);
        }
        for (int f = TG_BINARY_ADD; f <= TG_BINARY_MINIMUM && dtype != TG_U8; f++) {
            job j = {.which = f, .dtype = {dtype, dtype, dtype}};
            tg_map_binary((tg_binary)f, &x, &y, &out);
            expect_whole_binary(&j, PAIRS, p);
            REQUIRE(memcmp(out.data, want, size * PAIRS) == 0, "binary %d of %s", f, tg_dtype_name(dtype));
        }
        for (int f = TG_EQ; f <= TG_GE; f++) {
            job j = {.which = f, .dtype = {TG_BOOL, dtype, dtype}};
            tg_map_compare((tg_compare)f, &x, &y, &is);
            expect_compare(&j, PAIRS, p);
            REQUIRE(memcmp(is.data, want, PAIRS) == 0, "comparison %d of %s", f, tg_dtype_name(dtype));
        }
        if (dtype != TG_U8) {
            job j = {.which = 1, .dtype = {dtype, dtype}};
            apply_affine(&j, (const tg_array *[]){&out, &x});
            expect_affine(&j, PAIRS, p);
            REQUIRE(memcmp(out.data, want, size * PAIRS) == 0, "affine of %s", tg_dtype_name(dtype));
        }
        tg_array_drop(&x), tg_array_drop(&y), tg_array_drop(&out), tg_array_drop(&is);
    }
}
END_TEST

TCase *tcase_elementwise(void) {
    TCase *tc = tcase_create("elementwise");
    tcase_set_tags(tc, "table");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_loop_test(tc, all_shapes_and_layouts, 0, 21);
    tcase_add_test(tc, all_slots);
    tcase_add_test(tc, reference_slots);
    tcase_add_test(tc, exact_functions_agree);
    tcase_add_test(tc, powers);
    tcase_add_test(tc, ends_of_the_integers);
    tcase_add_test(tc, pairs_of_ends);
    return tc;
}
