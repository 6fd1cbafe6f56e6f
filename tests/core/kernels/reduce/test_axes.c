/* Reductions, softmax, normalisation, cross-entropy, gather, scatter and extremes in every layout, over every set of axes,
 * at sizes just past a block of each kind (1024 of a row, 32 rows, 64 lanes, 32,768 elements), with more than eight lines
 * of a sum, at 1, 3 and 4 threads. Sums are of small whole numbers, whose order does not matter, so that they are compared
 * to the bit.
 */
#include "core/kernels/simd/table.h"
#include "tests/core/layouts.h"

TCase *tcase_axes(void);

static void put(tg_dtype dtype, void *to, double real, int64_t wide) {
    float narrow = (float)real;
    int32_t word = (int32_t)wide;
    uint8_t byte = dtype == TG_BOOL ? wide != 0 : (uint8_t)wide;
    const void *from[] = {[TG_F32] = &narrow, [TG_F64] = &real, [TG_I32] = &word,
                          [TG_I64] = &wide,   [TG_U8] = &byte,  [TG_BOOL] = &byte};
    static const size_t size[] = {
        [TG_F32] = 4, [TG_F64] = 8, [TG_I32] = 4, [TG_I64] = 8, [TG_U8] = 1, [TG_BOOL] = 1};
    copy_element(to, from[dtype], size[dtype]);
}

static double real_at(const laid *l, int64_t i) {
    float f;
    double d;
    if (l->a.dtype == TG_F32) return memcpy(&f, place_of(l, i), 4), (double)f;
    return memcpy(&d, place_of(l, i), 8), d;
}

static int64_t whole_at(const laid *l, int64_t i) {
    int32_t w;
    int64_t v;
    if (l->a.dtype == TG_I32) return memcpy(&w, place_of(l, i), 4), w;
    if (l->a.dtype == TG_I64) return memcpy(&v, place_of(l, i), 8), v;
    return *(const unsigned char *)place_of(l, i);
}

static bool is_real(tg_dtype dtype) { return dtype == TG_F32 || dtype == TG_F64; }

/* ---- reductions ---- */

typedef struct fold {
    tg_reduction f;
    tg_dtype dtype;
} fold;
static const fold folds[] = {
    {TG_SUM, TG_F32}, {TG_SUM, TG_I64},  {TG_MAX, TG_F64}, {TG_SUM, TG_F64}, {TG_PROD, TG_F32},
    {TG_MIN, TG_I64}, {TG_OR, TG_F64},   {TG_SUM, TG_I32}, {TG_MIN, TG_F32}, {TG_MAX, TG_I64},
    {TG_AND, TG_F32}, {TG_PROD, TG_I64}, {TG_MAX, TG_I32}, {TG_MIN, TG_U8},  {TG_PROD, TG_F64},
    {TG_AND, TG_I32}, {TG_OR, TG_BOOL},  {TG_SUM, TG_U8},  {TG_MIN, TG_I32},
};
enum { FOLDS = sizeof folds / sizeof *folds };

/* Element i for a fold: what adds and multiplies exactly, in any order; i64 beyond 2^32, and for the extremes of one sign. */
static void fill_for(fold k, const laid *l) {
    for (int64_t i = 0; i < l->whole.numel; i++) {
        uint64_t h = mixed((uint64_t)i);
        double real = k.f == TG_SUM    ? (double)(h % 13) - 6
                      : k.f == TG_PROD ? (h % 1009 == 3 ? 2
                                          : h % 2       ? 1
                                                        : -1)
                                       : (double)(h % 100003) - 50000;
        int64_t wide = (int64_t)(h << 8) >> (h % 3 * 8);
        if (k.f == TG_PROD) wide |= 1;
        if (k.f == TG_MIN) wide = h % 97 == 5 ? wide : (wide & INT64_MAX) | INT64_C(1) << 40;
        if (k.f == TG_MAX) wide = h % 97 < 5 ? wide : -((wide & INT64_MAX) | INT64_C(1) << 40);
        if (k.f == TG_AND)
            wide = h % 499 != 7, real = h % 499 == 7 ? 0 : h % 499 == 8 ? (double)NAN : 0x1p-149;
        if (k.f == TG_OR) wide = h % 499 == 7, real = h % 499 == 7 ? -0.5 : -0.0;
        put(k.dtype, (char *)l->whole.data + (size_t)i * l->size, real, wide);
    }
}

static void fold_in(tg_reduction f, bool real, double *d, int64_t *w, double v, int64_t x) {
    if (f == TG_SUM) *d += v, *w = (int64_t)((uint64_t)*w + (uint64_t)x);
    if (f == TG_PROD) *d *= v, *w = (int64_t)((uint64_t)*w * (uint64_t)x);
    if (f == TG_MAX) *d = fmax(*d, v), *w = *w > x ? *w : x;
    if (f == TG_MIN) *d = fmin(*d, v), *w = *w < x ? *w : x;
    if (f == TG_AND) *w = *w && (real ? v != 0 : x != 0);
    if (f == TG_OR) *w = *w || (real ? v != 0 : x != 0);
}

static double *sum_real;
static int64_t *sum_whole;

static void expect_fold(fold k, const laid *x, unsigned axes, laid *out) {
    int64_t step[TG_MAX_RANK] = {0}, index[TG_MAX_RANK] = {0}, at = 0, n = out->a.numel, next = 1;
    bool real = is_real(k.dtype);
    for (int d = x->a.rank - 1; d >= 0; d--)
        if (!(axes >> d & 1)) step[d] = next, next *= x->a.shape[d];
    for (int64_t i = 0; i < n; i++) {
        sum_real[i] = k.f == TG_PROD ? 1 : k.f == TG_MAX ? -INFINITY : k.f == TG_MIN ? INFINITY : 0;
        sum_whole[i] = k.f == TG_PROD || k.f == TG_AND ? 1
                       : k.f == TG_MAX                 ? INT64_MIN
                       : k.f == TG_MIN                 ? INT64_MAX
                                                       : 0;
    }
    for (int64_t i = 0; i < x->a.numel; i++) {
        fold_in(k.f, real, &sum_real[at], &sum_whole[at], real ? real_at(x, i) : 0, real ? 0 : whole_at(x, i));
        for (int d = x->a.rank - 1; d >= 0; d--) {
            at += step[d];
            if (++index[d] < x->a.shape[d]) break;
            at -= step[d] * x->a.shape[d];
            index[d] = 0;
        }
    }
    memcpy(out->image, out->whole.data, out->bytes);
    for (int64_t i = 0; i < n; i++)
        put((tg_dtype)out->a.dtype, out->image + (size_t)out->at[i] * out->size, sum_real[i], sum_whole[i]);
}

static tg_dtype result_of(fold k) {
    if (k.f == TG_AND || k.f == TG_OR) return TG_BOOL;
    return is_real(k.dtype) || k.f == TG_MAX || k.f == TG_MIN ? k.dtype : TG_I64;
}

static void check_fold(fold k, tg_shape shape, lay how, unsigned axes, lay how_out) {
    tg_shape kept = shape;
    for (int d = 0; d < shape.rank; d++)
        if (axes >> d & 1) kept.dim[d] = 1;
    laid x = lay_out(k.dtype, shape, how), out = lay_out(result_of(k), kept, how_out);
    fill_for(k, &x);
    sum_real = malloc((size_t)out.a.numel * sizeof *sum_real),
    sum_whole = malloc((size_t)out.a.numel * sizeof *sum_whole);
    expect_fold(k, &x, axes, &out);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        tg_set_num_threads(t);
        memset(out.whole.data, 0x5b, out.bytes);
        tg_reduce(k.f, &x.a, axes, &out.a);
        int64_t wrong = first_wrong(&out);
        REQUIRE(wrong < 0, "%s fold %d of %s, [%d .. %d] of rank %d, %s to %s, axes %x: place %d, %d threads",
                tg_isa(), (int)k.f, tg_dtype_name(k.dtype), (int)shape.dim[0], (int)shape.dim[shape.rank - 1],
                shape.rank, lay_name(how), lay_name(how_out), axes, (int)wrong, t);
    }
    free(sum_real), free(sum_whole);
    lay_down(&x), lay_down(&out);
}

static const tg_shape wide[] = {
    {2, {97, 65}},    {2, {65, 97}},    {2, {1025, 33}},     {2, {33, 1025}},    {2, {3, 16385}},
    {2, {16385, 3}},  {1, {33793}},     {3, {5, 65, 129}},   {3, {129, 65, 5}},  {3, {33, 9, 129}},
    {2, {2049, 129}}, {2, {17409, 2}},  {4, {9, 7, 33, 17}}, {3, {40, 2, 1025}}, {1, {100000}},
    {2, {40, 127}},   {3, {3, 40, 63}}, {3, {7, 31, 95}},
};
enum { WIDE = sizeof wide / sizeof *wide };

/* Each set of axes in each layout with three of the folds in turn; in the fast run with one. */
START_TEST(folds_of_all_axes) {
    int turn = _i;
    tg_shape s = wide[_i];
    if (fast() && tg_shape_numel(s) > 60000) return;
    for (unsigned axes = 1; axes < 1u << s.rank; axes++)
        for (int how = 0; how < (s.rank > 1 ? (int)LAYS : BACK); how++)
            for (int k = 0; k < (fast() ? 1 : 3); k++)
                check_fold(folds[turn++ % FOLDS], s, (lay)how, axes, how % 3 == 1 ? GAPS : FLAT);
}
END_TEST

START_TEST(folds_of_high_rank) {
    static const tg_shape many[] = {
        {6, {2, 3, 4, 2, 3, 5}}, {5, {3, 2, 3, 4, 7}}, {8, {2, 1, 3, 2, 2, 3, 2, 5}}};
    tg_shape s = many[_i];
    int turn = _i;
    for (unsigned axes = 1; axes < 1u << s.rank; axes++)
        for (int k = 0; k < 4; k++, turn++)
            check_fold(folds[turn % FOLDS], s, (lay)(turn % LAYS), axes,
                       turn % 5 == 1   ? TURNED
                       : turn % 5 == 2 ? ROTATED
                                       : FLAT);
}
END_TEST

/* The reference, whose vectors have one lane, by lines and columns. */
START_TEST(folds_of_the_reference) {
    if (!tg_kernels_use("ref")) return;
    for (int k = 0; k < FOLDS; k++)
        for (unsigned axes = 1; axes < 8; axes++)
            check_fold(folds[k], (tg_shape){3, {33, 9, 65}}, (lay)((unsigned)k % LAYS), axes, FLAT);
}
END_TEST

START_TEST(folds_of_nothing) {
    static const struct {
        fold k;
        double result;
    } empty[] = {{{TG_SUM, TG_F32}, 0}, {{TG_PROD, TG_F64}, 1}, {{TG_SUM, TG_I32}, 0}, {{TG_PROD, TG_I64}, 1},
                 {{TG_PROD, TG_U8}, 1}, {{TG_AND, TG_F32}, 1},  {{TG_OR, TG_I64}, 0}};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        laid x = lay_out(empty[i].k.dtype, TG_SHAPE(3, 0), FLAT),
             out = lay_out(result_of(empty[i].k), TG_SHAPE(3, 1), FLAT);
        tg_reduce(empty[i].k.f, &x.a, 2, &out.a);
        for (int64_t j = 0; j < 3; j++)
            REQUIRE(tg_array_get(&out.a, j) == empty[i].result, "empty %d: %g", (int)i,
                    tg_array_get(&out.a, j));
        lay_down(&x), lay_down(&out);
    }
}
END_TEST

/* One element differs from all others, at the ends and around the blocks of long rows and columns. */
START_TEST(one_of_many) {
    static const int64_t lengths[] = {1, 2, 33, 65, 1025, 2049, 32769, 70001};
    int64_t n = lengths[_i];
    for (int k = 0; k < FOLDS; k++)
        for (int axis = 0; axis < 2; axis++) {
            if (axis == 0 && n > 33000) continue;
            laid x = lay_out(folds[k].dtype, axis ? TG_SHAPE(2, n) : TG_SHAPE(n, 3), k % 3 ? FLAT : GAPS);
            laid out = lay_out(result_of(folds[k]), axis ? TG_SHAPE(2, 1) : TG_SHAPE(1, 3), FLAT);
            tg_reduction f = folds[k].f;
            double same = f == TG_PROD || f == TG_AND || f == TG_MIN ? 1 : 0,
                   other = f == TG_AND || f == TG_MIN ? 0
                           : f == TG_PROD             ? 2
                                                      : 1;
            tg_array_fill(&x.a, same);
            const int64_t at[] = {0,  1,  n / 2, n - 2, n - 1, 31,    32,   33,
                                  63, 64, 1023,  1024,  1025,  32767, 32768};
            for (size_t p = 0; p < sizeof at / sizeof *at; p++) {
                if (at[p] < 0 || at[p] >= n) continue;
                int64_t place = axis ? n + at[p] : at[p] * 3 + 1;
                tg_array_set(&x.a, place, other);
                for (int t = 1; t <= 3; t += 2) {
                    tg_set_num_threads(t);
                    tg_reduce(f, &x.a, 1u << axis, &out.a);
                    for (int64_t i = 0; i < out.a.numel; i++)
                        REQUIRE(tg_array_get(&out.a, i) == (i == 1 ? other : same),
                                "fold %d of %s: %g where %d of %d differs, axis %d", (int)f,
                                tg_dtype_name(folds[k].dtype), tg_array_get(&out.a, i), (int)at[p], (int)n,
                                axis);
                }
                tg_array_set(&x.a, place, same);
            }
            lay_down(&x), lay_down(&out);
        }
}
END_TEST

/* NaN in one element only, wherever it is, of rows and columns of several blocks. */
START_TEST(one_nan) {
    for (int64_t at = 0; at < 1100; at += at < 70 ? 1 : 37)
        for (int axis = 0; axis < 2; axis++)
            for (int f = TG_SUM; f <= TG_MIN; f++) {
                laid x = lay_out((tg_dtype)(f % 2), axis ? TG_SHAPE(3, 1100) : TG_SHAPE(1100, 3),
                                 at % 2 ? FLAT : GAPS);
                laid out = lay_out((tg_dtype)(f % 2), axis ? TG_SHAPE(3, 1) : TG_SHAPE(1, 3), FLAT);
                for (int64_t i = 0; i < x.a.numel; i++) tg_array_set(&x.a, i, 1);
                tg_array_set(&x.a, axis ? 1100 + at : at * 3 + 1, (double)NAN);
                tg_reduce((tg_reduction)f, &x.a, 1u << axis, &out.a);
                for (int64_t j = 0; j < 3; j++)
                    REQUIRE(isnan(tg_array_get(&out.a, j)) == (j == 1), "NaN at %d of fold %d", (int)at, f);
                lay_down(&x), lay_down(&out);
            }
}
END_TEST

/* ---- softmax ---- */

static double sample(int64_t i, int salt) {
    return (double)(mixed((uint64_t)i * 3 + (uint64_t)salt) % 8191) / 1024 - 4;
}

static void fill_reals(const laid *l, int salt) {
    for (int64_t i = 0; i < l->a.numel; i++)
        put((tg_dtype)l->a.dtype, place_of(l, i), sample(l->at[i], salt), 0);
}

/* One line of n elements `step` apart in row-major order, from `first` on: what form 0 to 3 makes of a and b. */
static void expect_line(int form, const laid *a, const laid *b, int64_t first, int64_t n, int64_t step,
                        double *y) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, real_at(a, first + i * step));
    for (int64_t i = 0; i < n; i++) {
        double v = real_at(a, first + i * step), w = b ? real_at(b, first + i * step) : 0;
        sum += form % 2 == 0 ? exp(v - most) : form == 1 ? v * w : v;
    }
    for (int64_t i = 0; i < n; i++) {
        double v = real_at(a, first + i * step), w = b ? real_at(b, first + i * step) : 0;
        y[i] = form == 0   ? exp(v - most) / sum
               : form == 1 ? w * (v - sum)
               : form == 2 ? v - most - log(sum)
                           : v - exp(w) * sum;
    }
}

/* What the gradients are given as y: of each line its softmax, or the logarithm of that. */
static void soften(const laid *b, int axis, int form) {
    tg_array copy = {0};
    if (tg_array_alloc_like(&copy, &b->a) != TG_OK) ck_abort_msg("no memory");
    if (form == 1) tg_map_softmax(&b->a, axis, &copy);
    if (form == 3) tg_map_log_softmax(&b->a, axis, &copy);
    for (int64_t i = 0; form % 2 && i < copy.numel; i++)
        put((tg_dtype)copy.dtype, place_of(b, i), tg_array_get(&copy, i), 0);
    tg_array_drop(&copy);
}

static void apply_softmax(int form, const laid *a, const laid *b, int axis, const laid *out) {
    if (form == 0) tg_map_softmax(&a->a, axis, &out->a);
    if (form == 1) tg_map_softmax_grad(&a->a, &b->a, axis, &out->a);
    if (form == 2) tg_map_log_softmax(&a->a, axis, &out->a);
    if (form == 3) tg_map_log_softmax_grad(&a->a, &b->a, axis, &out->a);
}

static void check_softmax(int form, tg_dtype dtype, tg_shape s, int axis, const lay how[3]) {
    laid out = lay_out(dtype, s, repeats(how[0]) ? FLAT : how[0]), a = lay_out(dtype, s, how[1]),
         b = lay_out(dtype, s, how[2]);
    int64_t n = s.dim[axis], inner = 1;
    double *y = malloc((size_t)n * sizeof *y), unit = dtype == TG_F32 ? 0x1p-23 : 0x1p-52;
    char *first = malloc(out.bytes);
    for (int d = axis + 1; d < s.rank; d++) inner *= s.dim[d];
    fill_reals(&a, 1), fill_reals(&b, 2), soften(&b, axis, form);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        tg_set_num_threads(t);
        memset(out.whole.data, 0xff, out.bytes);
        apply_softmax(form, &a, &b, axis, &out);
        if (t == 1) memcpy(first, out.whole.data, out.bytes);
        REQUIRE(memcmp(first, out.whole.data, out.bytes) == 0, "softmax form %d: %d threads differ", form, t);
    }
    for (int64_t line = 0; line < a.a.numel / n; line++) {
        int64_t from = line / inner * inner * n + line % inner;
        expect_line(form, &a, form % 2 ? &b : NULL, from, n, inner, y);
        for (int64_t i = 0; i < n; i++) {
            double is = real_at(&out, from + i * inner), most = form % 2 ? 60 * sqrt((double)n) : 1;
            REQUIRE(fabs(is - y[i]) <= 8 * unit * fmax(most, fabs(y[i])),
                    "%s softmax form %d f%d of [%d .. %d], axis %d, %s: %.9g at %d of line %d, not %.9g",
                    tg_isa(), form, dtype ? 64 : 32, (int)s.dim[0], (int)s.dim[s.rank - 1], axis,
                    lay_name(how[1]), is, (int)i, (int)line, y[i]);
        }
    }
    free(y), free(first);
    lay_down(&out), lay_down(&a), lay_down(&b);
}

START_TEST(softmax_in_all_layouts) {
    static const tg_shape some[] = {
        {2, {5, 65}},   {2, {129, 9}},  {3, {3, 33, 65}}, {6, {2, 3, 2, 3, 5, 33}},
        {2, {3, 2049}}, {2, {1025, 3}}, {3, {2, 70, 1}},  {1, {9}},
        {2, {4, 193}}};
    static const lay how[][3] = {{FLAT, FLAT, FLAT}, {FLAT, TURNED, GAPS},     {FLAT, BACK, ROTATED},
                                 {GAPS, ROW, FLAT},  {TURNED, TURNED, BACK},   {FLAT, FLAT, BACK},
                                 {BACK, BACK, BACK}, {ROTATED, COLUMN, TURNED}};
    tg_shape s = some[_i];
    for (int axis = 0; axis < s.rank; axis++)
        for (size_t k = 0; k < sizeof how / sizeof *how; k++)
            for (int form = 0; form < 4; form++)
                check_softmax(form, (tg_dtype)(((size_t)form + k) % 2), s, axis, how[k]);
}
END_TEST

/* ---- normalisation ---- */

typedef struct normed {
    double *dx, *dw, *db, *y;
    double size_w; /* of the terms of dw and db */
} normed;

static void expect_norm(const tg_row_norm *f, const laid *x, const laid *g, const laid *w, const laid *b,
                        normed *o) {
    int64_t n = f->n, rows = n ? x->a.numel / n : 0;
    for (int64_t i = 0; i < n; i++) o->dw[i] = o->db[i] = 0;
    for (int64_t r = 0; r < rows; r++) {
        double mean = 0, square = 0, h_mean = 0, hz_mean = 0;
        for (int64_t i = 0; i < n && f->centred; i++) mean += real_at(x, r * n + i) / (double)n;
        for (int64_t i = 0; i < n; i++) square += pow(real_at(x, r * n + i) - mean, 2) / (double)n;
        double scale = 1 / sqrt(square + f->eps);
        for (int64_t i = 0; i < n; i++) {
            double z = (real_at(x, r * n + i) - mean) * scale, v = real_at(g, r * n + i),
                   h = w ? v * real_at(w, i) : v;
            o->y[r * n + i] = (w ? z * real_at(w, i) : z) + (b ? real_at(b, i) : 0);
            o->dw[i] += v * z, o->db[i] += v;
            h_mean += f->centred ? h / (double)n : 0, hz_mean += h * z / (double)n;
        }
        for (int64_t i = 0; i < n; i++) {
            double z = (real_at(x, r * n + i) - mean) * scale, v = real_at(g, r * n + i),
                   h = w ? v * real_at(w, i) : v;
            o->dx[r * n + i] = (h - h_mean - z * hz_mean) * scale;
        }
    }
}

static void near_all(const char *what, const laid *is, const double *want, int64_t rows, int64_t n, int t) {
    double unit = is->a.dtype == TG_F32 ? 0x1p-23 : 0x1p-52;
    for (int64_t i = 0; i < is->a.numel; i++)
        REQUIRE(fabs(real_at(is, i) - want[i]) <= 64 * unit * fmax(4 * sqrt((double)rows), fabs(want[i])),
                "%s f%d of %d rows of %d, %d threads: %.9g at %d, not %.9g", what, is->a.dtype ? 64 : 32,
                (int)rows, (int)n, t, real_at(is, i), (int)i, want[i]);
}

static void check_norm(tg_dtype dtype, int64_t rows, int64_t n, bool centred, unsigned wanted, bool weighted) {
    tg_row_norm f = {n, 0.01, centred};
    laid x = lay_out(dtype, TG_SHAPE(rows, n), FLAT), g = lay_out(dtype, TG_SHAPE(rows, n), FLAT),
         w = lay_out(dtype, TG_SHAPE(n), FLAT);
    laid b = lay_out(dtype, TG_SHAPE(n), FLAT), y = lay_out(dtype, TG_SHAPE(rows, n), FLAT);
    laid d[3] = {lay_out(dtype, TG_SHAPE(rows, n), FLAT), lay_out(dtype, TG_SHAPE(n), FLAT),
                 lay_out(dtype, TG_SHAPE(n), FLAT)};
    size_t room = (size_t)(rows * n) * sizeof(double);
    normed o = {malloc(room), malloc((size_t)n * 8), malloc((size_t)n * 8), malloc(room), 0};
    char *first[3] = {malloc(d[0].bytes), malloc(d[1].bytes), malloc(d[2].bytes)};
    fill_reals(&x, 1), fill_reals(&g, 2), fill_reals(&w, 3), fill_reals(&b, 4);
    expect_norm(&f, &x, &g, weighted ? &w : NULL, weighted ? &b : NULL, &o);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        tg_set_num_threads(t);
        spoil_cache();
        tg_map_norm(&f, &x.a, weighted ? &w.a : NULL, weighted ? &b.a : NULL, &y.a);
        near_all("norm", &y, o.y, rows, n, t);
        const tg_array *to[3];
        const double *want[3] = {o.dx, o.dw, o.db};
        for (int k = 0; k < 3; k++)
            to[k] = wanted >> k & 1 ? &d[k].a : NULL, memset(d[k].whole.data, 0xff, d[k].bytes);
        ck_assert_int_eq(tg_map_norm_grad(&f, &g.a, &x.a, weighted ? &w.a : NULL, to[0], to[1], to[2]), TG_OK);
        for (int k = 0; k < 3; k++) {
            if (to[k]) near_all(k == 0 ? "dx" : k == 1 ? "dw" : "db", &d[k], want[k], rows, n, t);
            if (t == 1) memcpy(first[k], d[k].whole.data, d[k].bytes);
            REQUIRE(memcmp(first[k], d[k].whole.data, d[k].bytes) == 0,
                    "norm: gradient %d differs at %d threads", k, t);
        }
    }
    free(o.dx), free(o.dw), free(o.db), free(o.y);
    lay_down(&x), lay_down(&g), lay_down(&w), lay_down(&b), lay_down(&y);
    for (int k = 0; k < 3; k++) free(first[k]), lay_down(&d[k]);
}

START_TEST(norms_of_many_rows) {
    static const int64_t size[][2] = {{1, 1},    {33, 7},   {65, 33},   {97, 129}, {32, 5},   {129, 17},
                                      {3, 3073}, {4, 4099}, {17, 4097}, {2, 2049}, {1, 1025}, {260, 96}};
    for (unsigned wanted = 1; wanted < 8; wanted++)
        for (int form = 0; form < 4; form++)
            if (size[_i][0] * size[_i][1] < 20000 || form == (int)wanted % 4)
                check_norm((tg_dtype)(form & 1), size[_i][0], size[_i][1], (form >> 1) != (int)(wanted & 1),
                           wanted, wanted % 3 != 0);
}
END_TEST

/* The second array of partial sums finds no room: the first is given back. */
START_TEST(norm_without_memory) {
    laid x = lay_out(TG_F32, TG_SHAPE(100, 8), FLAT), d = lay_out(TG_F32, TG_SHAPE(8), FLAT),
         e = lay_out(TG_F32, TG_SHAPE(8), FLAT);
    tg_row_norm f = {8, 0.01, true};
    fill_reals(&x, 1);
    for (int n = 1; n <= 2; n++) {
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_memory_fail_at(n);
        ck_assert_int_eq(tg_map_norm_grad(&f, &x.a, &x.a, NULL, NULL, &d.a, &e.a), TG_ERR_MEMORY);
        tg_memory_fail_at(-1);
        tg_error_clear();
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    lay_down(&x), lay_down(&d), lay_down(&e);
}
END_TEST

/* ---- cross-entropy ---- */

/* Rows enough for several threads; classes counted from either end; every seventh row has weight 0 and holds NaN. */
START_TEST(cross_entropy_of_many_rows) {
    static const int64_t size[][2] = {{1, 1}, {3, 2}, {700, 33}, {9, 1025}, {33, 257}, {5000, 5}};
    for (int form = 0; form < 4; form++) {
        tg_dtype dtype = (tg_dtype)(form % 2), index = form / 2 ? TG_I32 : TG_I64;
        int64_t rows = size[_i][0], n = size[_i][1];
        laid x = lay_out(dtype, TG_SHAPE(rows, n), FLAT), dx = lay_out(dtype, TG_SHAPE(rows, n), FLAT),
             loss = lay_out(dtype, TG_SHAPE(rows), FLAT);
        laid g = lay_out(dtype, TG_SHAPE(rows), FLAT), c = lay_out(index, TG_SHAPE(rows), FLAT);
        double unit = dtype ? 0x1p-52 : 0x1p-23;
        fill_reals(&x, 5), fill_reals(&g, 6);
        for (int64_t r = 0; r < rows; r++)
            tg_array_set(&c.a, r, (double)((int64_t)(mixed((uint64_t)r) % (uint64_t)(2 * n)) - n));
        for (int64_t r = 3; r < rows; r += 7) tg_array_set(&g.a, r, 0);
        for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
            tg_set_num_threads(t);
            memset(loss.whole.data, 0xff, loss.bytes), memset(dx.whole.data, 0xff, dx.bytes);
            tg_map_cross_entropy(&x.a, n, &c.a, &loss.a);
            tg_map_cross_entropy_grad(&g.a, &x.a, n, &c.a, &dx.a);
            for (int64_t r = 0; r < rows; r++) {
                double most = -INFINITY, sum = 0, weight = real_at(&g, r);
                int64_t class = (int64_t)tg_array_get(&c.a, r);
                class += class < 0 ? n : 0;
                for (int64_t i = 0; i < n; i++) most = fmax(most, real_at(&x, r * n + i));
                for (int64_t i = 0; i < n; i++) sum += exp(real_at(&x, r * n + i) - most);
                double want = most + log(sum) - real_at(&x, r * n + class);
                REQUIRE(fabs(real_at(&loss, r) - want) <= 16 * unit * fmax(4, want),
                        "loss %d is %.9g, not %.9g", (int)r, real_at(&loss, r), want);
                for (int64_t i = 0; i < n; i++) {
                    want = weight * (exp(real_at(&x, r * n + i) - most) / sum - (i == class));
                    REQUIRE(fabs(real_at(&dx, r * n + i) - want) <= 16 * unit * fmax(1, fabs(weight)) &&
                                (weight != 0 || real_at(&dx, r * n + i) == 0),
                            "dx %d of row %d is %.9g, not %.9g", (int)i, (int)r, real_at(&dx, r * n + i), want);
                }
            }
        }
        lay_down(&x), lay_down(&dx), lay_down(&loss), lay_down(&g), lay_down(&c);
    }
}
END_TEST

/* ---- gather, scatter, extremes ---- */

/* Element i of an array of this shape, with the coordinate along `axis` replaced: its row-major number. */
static int64_t moved(int64_t i, tg_shape from, int axis, int64_t to, tg_shape into) {
    int64_t at = 0, step = 1;
    for (int d = from.rank - 1; d >= 0; d--) {
        int64_t c = i % from.dim[d];
        i /= from.dim[d];
        at += (d == axis ? to : c) * step;
        step *= into.dim[d];
    }
    return at;
}

static const struct {
    tg_shape x;
    int axis;
    int64_t places;
} moves[] = {{{1, {300}}, 0, 9001},
             {{2, {70, 150}}, 0, 129},
             {{2, {150, 70}}, 1, 129},
             {{2, {5, 9000}}, 0, 3},
             {{2, {9000, 5}}, 1, 3},
             {{6, {2, 3, 2, 5, 3, 7}}, 3, 11},
             {{6, {2, 3, 2, 5, 3, 7}}, 5, 20},
             {{3, {3, 40, 5}}, 1, 700},
             {{3, {1, 4, 8193}}, 1, 2},
             {{1, {5}}, 0, 70001}};
enum { MOVES = sizeof moves / sizeof *moves };

START_TEST(gathers_and_scatters) {
    static const lay how[][3] = {{FLAT, FLAT, FLAT},   {FLAT, ROW, GAPS},    {GAPS, COLUMN, TURNED},
                                 {TURNED, FLAT, BACK}, {FLAT, ONE, ROTATED}, {BACK, GAPS, FLAT},
                                 {FLAT, COLUMN, FLAT}, {FLAT, COLUMN, GAPS}};
    tg_shape s = moves[_i].x, t = s;
    int axis = moves[_i].axis, turn = _i;
    t.dim[axis] = moves[_i].places;
    for (size_t k = 0; k < 2 * sizeof how / sizeof *how; k++, turn++) {
        const lay *h = how[k / 2];
        tg_dtype dtype = (tg_dtype)(turn % TG_DTYPES), real = dtype <= TG_I64 ? dtype : TG_U8;
        laid out = lay_out(dtype, t, h[0]), index = lay_out(k % 2 ? TG_I32 : TG_I64, t, h[1]),
             x = lay_out(dtype, s, h[2]);
        laid src = lay_out(real, t, h[0]), sum = lay_out(real, s, h[2]);
        for (int64_t i = 0; i < x.a.numel; i++)
            put(dtype, place_of(&x, i), sample(i, 7), (int64_t)(mixed((uint64_t)i) % 251));
        for (int64_t i = 0; i < index.a.numel; i++)
            tg_array_set(&index.a, i, (double)(mixed((uint64_t)index.at[i] + 5) % (uint64_t)s.dim[axis]));
        for (int64_t i = 0; i < src.a.numel; i++)
            put(real, place_of(&src, i), (double)(mixed((uint64_t)i) % 13) - 6,
                (int64_t)(mixed((uint64_t)i) % 100003));
        for (int64_t i = 0; i < sum.a.numel; i++) put(real, place_of(&sum, i), (double)(i % 5), i % 5);
        memcpy(out.image, out.whole.data, out.bytes), memcpy(sum.image, sum.whole.data, sum.bytes);
        int64_t *places = malloc((size_t)out.a.numel * sizeof *places);
        for (int64_t i = 0; i < out.a.numel; i++) {
            places[i] = moved(i, t, axis, (int64_t)tg_array_get(&index.a, i), s);
            memcpy(out.image + (size_t)out.at[i] * out.size, place_of(&x, places[i]), out.size);
        }
        char *was = malloc(sum.bytes);
        memcpy(was, sum.whole.data, sum.bytes);
        for (int64_t i = 0; i < src.a.numel; i++) /* reals of whole numbers: any order */
            put(real, place_of(&sum, places[i]),
                is_real(real) ? real_at(&sum, places[i]) + real_at(&src, i) : 0,
                is_real(real) ? 0
                              : (int64_t)((uint64_t)whole_at(&sum, places[i]) + (uint64_t)whole_at(&src, i)));
        memcpy(sum.image, sum.whole.data, sum.bytes);
        for (int n = 1; n <= 4; n += n == 1 ? 2 : 1) {
            tg_set_num_threads(n);
            tg_map_gather(&x.a, axis, &index.a, &out.a);
            REQUIRE(first_wrong(&out) < 0, "gather %d %s, %s from %s: place %d, %d threads", _i,
                    tg_dtype_name(dtype), lay_name(h[1]), lay_name(h[2]), (int)first_wrong(&out), n);
            memcpy(sum.whole.data, was, sum.bytes);
            ck_assert_int_eq(tg_map_scatter_add(&sum.a, axis, &index.a, &src.a), TG_OK);
            REQUIRE(first_wrong(&sum) < 0, "scatter %d %s, %s to %s: place %d, %d threads", _i,
                    tg_dtype_name(real), lay_name(h[1]), lay_name(h[2]), (int)first_wrong(&sum), n);
        }
        free(was), free(places);
        lay_down(&out), lay_down(&index), lay_down(&x), lay_down(&src), lay_down(&sum);
    }
}
END_TEST

START_TEST(extremes_of_long_axes) {
    static const tg_shape some[] = {{2, {3, 700}},    {2, {700, 3}},
                                    {3, {5, 300, 7}}, {6, {2, 3, 2, 300, 3, 2}},
                                    {2, {9000, 5}},   {1, {70000}}};
    tg_shape s = some[_i];
    for (int axis = 0; axis < s.rank; axis++)
        for (int k = 0; k < 2 * TG_DTYPES; k++) {
            tg_dtype dtype = (tg_dtype)(k / 2);
            tg_shape t = s;
            t.dim[axis] = 1;
            laid x = lay_out(dtype, s, (lay)((k + axis) % (s.rank > 1 ? ROW : TURNED))),
                 out = lay_out(TG_I64, t, k % 3 ? FLAT : GAPS);
            for (int64_t i = 0; i < x.a.numel;
                 i++) { /* many ties, NaN here and there, i64 that f64 cannot tell apart */
                uint64_t h = mixed((uint64_t)i);
                put(dtype, place_of(&x, i), h % 301 == 7 && i % 2 ? (double)NAN : (double)(h % 50),
                    (int64_t)(h % 5) + (dtype == TG_I64 ? INT64_C(1) << 54 : 0));
            }
            memcpy(out.image, out.whole.data, out.bytes);
            for (int64_t i = 0; i < out.a.numel; i++) {
                int64_t best = 0;
                for (int64_t j = 1; j < s.dim[axis]; j++) {
                    int64_t a = moved(i, t, axis, best, s), b = moved(i, t, axis, j, s);
                    if (is_real(dtype)) {
                        double v = real_at(&x, b), w = real_at(&x, a);
                        if (!isnan(w) && (isnan(v) || (k % 2 ? v > w : v < w))) best = j;
                    } else if (k % 2 ? whole_at(&x, b) > whole_at(&x, a) : whole_at(&x, b) < whole_at(&x, a)) {
                        best = j;
                    }
                }
                memcpy(out.image + (size_t)out.at[i] * 8, &best, 8);
            }
            for (int n = 1; n <= 4; n += n == 1 ? 2 : 1) {
                tg_set_num_threads(n);
                tg_arg_extreme(k % 2, &x.a, axis, &out.a);
                REQUIRE(first_wrong(&out) < 0, "extreme %d of %s along %d of %d, %d threads", k % 2,
                        tg_dtype_name(dtype), axis, _i, n);
            }
            lay_down(&x), lay_down(&out);
        }
}
END_TEST

TCase *tcase_axes(void) {
    TCase *tc = tcase_create("axes");
    tcase_set_tags(tc, "table");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_loop_test(tc, folds_of_all_axes, 0, WIDE);
    tcase_add_loop_test(tc, folds_of_high_rank, 0, 3);
    tcase_add_test(tc, folds_of_the_reference);
    tcase_add_test(tc, folds_of_nothing);
    tcase_add_loop_test(tc, one_of_many, 0, 8);
    tcase_add_test(tc, one_nan);
    tcase_add_loop_test(tc, softmax_in_all_layouts, 0, 9);
    tcase_add_loop_test(tc, norms_of_many_rows, 0, 12);
    tcase_add_test(tc, norm_without_memory);
    tcase_add_loop_test(tc, cross_entropy_of_many_rows, 0, 6);
    tcase_add_loop_test(tc, gathers_and_scatters, 0, MOVES);
    tcase_add_loop_test(tc, extremes_of_long_axes, 0, 6);
    return tc;
}
