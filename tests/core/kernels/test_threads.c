/* Products, convolution, pooling and attention at several shapes each, at 1, 3 and 4 threads and under the reference:
 * where scratch memory is shared out among threads, where the last of them has less to do than the others, and where the
 * division follows their number. Factors are small whole numbers, so that sums are exact in any order and all is compared
 * to the bit; attention is compared to its definition.
 */
#include "core/kernels/attention/attention.h"
#include "core/kernels/conv/conv.h"
#include "core/kernels/gemm/gemm.h"
#include "core/kernels/conv/max_pool.h"
#include "core/kernels/simd/table.h"
#include "tests/core/layouts.h"

TCase *tcase_kernel_threads(void);

static double real_at(const laid *l, int64_t i) {
    float f;
    double d;
    if (l->a.dtype == TG_F32) return memcpy(&f, place_of(l, i), 4), (double)f;
    return memcpy(&d, place_of(l, i), 8), d;
}

static void put_real(const laid *l, char *to, double real) {
    float narrow = (float)real;
    if (l->a.dtype == TG_F32)
        memcpy(to, &narrow, 4);
    else
        memcpy(to, &real, 8);
}

/* Whole numbers from -3 to 3. */
static void fill_wholes(const laid *l, int salt) {
    for (int64_t i = 0; i < l->a.numel; i++)
        put_real(l, place_of(l, i), (double)(mixed((uint64_t)(l->at[i] * 5 + salt)) % 7) - 3);
}

/* image = these numbers where the elements lie. */
static void expect_reals(laid *l, const double *want) {
    memcpy(l->image, l->whole.data, l->bytes);
    for (int64_t i = 0; i < l->a.numel; i++) put_real(l, l->image + (size_t)l->at[i] * l->size, want[i]);
}

/* ---- products ---- */

/* [batch, m, k] x [batch, k, n]: of a batch of one there is none. Unit sizes of the tiles, a little more, and very uneven. */
static const int64_t products[][4] = {
    {1, 97, 33, 130},  {1, 700, 18, 520},  {1, 18, 700, 520}, {1, 333, 331, 65}, {3, 65, 130, 33},
    {1, 2, 3000, 300}, {1, 3000, 2, 300},  {7, 33, 17, 65},   {1, 1, 513, 700},  {1, 513, 1, 700},
    {2, 1, 90, 700},   {1, 85, 1025, 513}, {5, 200, 3, 9},    {1, 1100, 40, 33}, {1, 600, 530, 9}};
enum { PRODUCTS = sizeof products / sizeof *products };

static void expect_product(const laid *a, const laid *b, const laid *c, const laid *bias, double alpha,
                           double beta, const int64_t z[4], double *want) {
    for (int64_t i = 0; i < z[0] * z[1] * z[2]; i++)
        want[i] = beta * (beta != 0 ? real_at(c, i) : 0) + (bias ? real_at(bias, i % z[2]) : 0);
    double *row = malloc((size_t)(z[2] * z[3]) * sizeof *row);
    for (int64_t batch = 0; batch < z[0]; batch++) {
        for (int64_t i = 0; i < z[2] * z[3]; i++) row[i] = real_at(b, batch * z[2] * z[3] + i);
        for (int64_t i = 0; i < z[1]; i++)
            for (int64_t l = 0; l < z[3]; l++) {
                double v = alpha * real_at(a, (batch * z[1] + i) * z[3] + l);
                double *to = want + (batch * z[1] + i) * z[2];
                const double *from = row + l * z[2];
                for (int64_t j = 0; j < z[2]; j++) to[j] += v * from[j];
            }
    }
    free(row);
}

static void check_product(tg_dtype dtype, const int64_t z[4], const lay how[3], double alpha, double beta,
                          bool biased) {
    bool batch = z[0] > 1;
    laid a = lay_out(dtype, batch ? TG_SHAPE(z[0], z[1], z[3]) : TG_SHAPE(z[1], z[3]), how[0]);
    laid b = lay_out(dtype, batch ? TG_SHAPE(z[0], z[3], z[2]) : TG_SHAPE(z[3], z[2]), how[1]);
    laid c = lay_out(dtype, batch ? TG_SHAPE(z[0], z[1], z[2]) : TG_SHAPE(z[1], z[2]), how[2]),
         bias = lay_out(dtype, TG_SHAPE(z[2]), biased && z[2] % 2 ? GAPS : FLAT);
    double *want = malloc((size_t)c.a.numel * sizeof *want);
    char *before = malloc(c.bytes);
    fill_wholes(&a, 1), fill_wholes(&b, 2), fill_wholes(&c, 3), fill_wholes(&bias, 4);
    if (beta == 0)
        for (int64_t i = 0; i < c.a.numel; i++) put_real(&c, place_of(&c, i), (double)NAN);
    memcpy(before, c.whole.data, c.bytes);
    expect_product(&a, &b, &c, biased ? &bias : NULL, alpha, beta, z, want);
    expect_reals(&c, want);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        tg_set_num_threads(t);
        spoil_cache();
        memcpy(c.whole.data, before, c.bytes);
        tg_status s = biased ? tg_gemm_bias(&a.a, &b.a, &bias.a, &c.a) : tg_gemm(alpha, &a.a, &b.a, beta, &c.a);
        ck_assert_int_eq(s, TG_OK);
        REQUIRE(first_wrong(&c) < 0,
                "%s f%d product %d: [%d, %d, %d], %s %s, alpha %g, beta %g, bias %d: place %d, %d threads",
                tg_isa(), dtype ? 64 : 32, (int)z[0], (int)z[1], (int)z[2], (int)z[3], lay_name(how[0]),
                lay_name(how[1]), alpha, beta, biased, (int)first_wrong(&c), t);
    }
    free(want), free(before);
    lay_down(&a), lay_down(&b), lay_down(&c), lay_down(&bias);
}

static void products_of(int i) {
    static const lay how[][3] = {{FLAT, FLAT, FLAT},       {TURNED, FLAT, FLAT}, {FLAT, TURNED, FLAT},
                                 {ROTATED, ROTATED, FLAT}, {GAPS, COLUMN, FLAT}, {FLAT, BACK, FLAT},
                                 {ROW, FLAT, FLAT}};
    for (int k = fast() ? i % 2 : 0; k < 7; k += fast() ? 2 : 1) {
        tg_dtype dtype = (tg_dtype)((i + (fast() ? k / 2 : k)) % 2);
        check_product(dtype, products[i], how[k], 1, k % 2, false);
        if (products[i][0] == 1 && k < 4) check_product(dtype, products[i], how[k], 1, 0, true);
        if (k == i % 7) check_product(dtype, products[i], how[k], -2, 3, false);
        if (k == (i + 3) % 7) check_product(dtype, products[i], how[k], 1, 2, false);
        if (k == (i + 5) % 7) check_product(dtype, products[i], how[k], 0.5, 1, false);
    }
}

/* ---- products of three batch axes: repeated, with gaps, by BLAS in pieces ---- */

enum { AXES = 5 };

/* [2, 3, 2, rows, cols] of whole numbers; the batch axes of `repeated` have stride 0. Forms: plain, transposed, columns
 * with gaps, rows that overlap, batches with gaps. */
static tg_array batch_of(tg_dtype dtype, int64_t rows, int64_t cols, int repeated, int form, int salt) {
    tg_array x = {0};
    const int64_t shape[AXES] = {2, 3, 2, rows, cols};
    int64_t step = form == 1 ? 1 : form == 2 ? 2 * cols : form == 3 && cols > 1 ? cols - 1 : cols;
    int64_t across = form == 1 ? rows : form == 2 ? 2 : 1, all = 2 * rows * cols + 3;
    ck_assert_int_eq(tg_array_alloc(&x, dtype, TG_SHAPE(2, 3, 2, all)), TG_OK);
    for (int64_t i = 0; i < x.numel; i++) {
        double whole = (double)(mixed((uint64_t)(i * 5 + salt)) % 7) - 3;
        if (dtype == TG_F64)
            ((double *)x.data)[i] = whole;
        else
            ((float *)x.data)[i] = (float)whole;
    }
    x.rank = AXES, x.numel = 12 * rows * cols;
    x.stride[3] = step, x.stride[4] = across;
    if (form < 4)
        x.stride[2] = rows * cols * (form == 2 ? 2 : 1), x.stride[1] = 2 * x.stride[2],
        x.stride[0] = 3 * x.stride[1];
    for (int d = 0; d < AXES; d++) {
        x.shape[d] = shape[d];
        if (d < 3 && repeated >> d & 1) x.stride[d] = 0;
    }
    return x;
}

static int64_t place_at(const tg_array *x, const int64_t at[AXES]) {
    int64_t i = 0;
    for (int d = 0; d < AXES; d++) i += at[d] * x->stride[d];
    return i;
}

static double number_at(const tg_array *x, int64_t i) {
    return x->dtype == TG_F64 ? ((double *)x->data)[i] : (double)((float *)x->data)[i];
}

static void check_batches(tg_dtype dtype, const int64_t z[3], int which, double alpha, double beta) {
    uint64_t h = mixed((uint64_t)which); /* repeated axes, forms, gaps in C */
    int form = h >> 20 & 1 ? 4 : 0, of_a = (int)(h >> 8) & 1 ? 0 : (int)(h >> 9 & 255) % 5;
    tg_array a = batch_of(dtype, z[0], z[2], (int)h & 7 & (int)(h >> 3), of_a, 1);
    tg_array b = batch_of(dtype, z[2], z[1], (int)(h >> 24) & 7, (int)(h >> 28 & 255) % 5, 2);
    tg_array c = batch_of(dtype, z[0], z[1], 0, form, 3), before = batch_of(dtype, z[0], z[1], 0, form, 3);
    ck_assert_int_eq(tg_gemm(alpha, &a, &b, beta, &c), TG_OK);
    int64_t at[AXES];
    for (int64_t i = 0; i < c.numel; i++) {
        int64_t rest = i;
        for (int d = AXES - 1; d >= 0; d--) at[d] = rest % c.shape[d], rest /= c.shape[d];
        double want = beta * number_at(&before, place_at(&before, at)), is = number_at(&c, place_at(&c, at));
        int64_t row[AXES] = {at[0], at[1], at[2], at[3], 0}, col[AXES] = {at[0], at[1], at[2], 0, at[4]};
        int64_t from = place_at(&a, row), to = place_at(&b, col);
        for (int64_t k = 0; k < z[2]; k++, from += a.stride[4], to += b.stride[3])
            want += alpha * number_at(&a, from) * number_at(&b, to);
        REQUIRE(is == want, "%s f%d, [%d, %d, %d], case %d, alpha %g, beta %g, most %d: place %d", tg_isa(),
                dtype ? 64 : 32, (int)z[0], (int)z[1], (int)z[2], which, alpha, beta, (int)tg_gemm_int_max,
                (int)i);
    }
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c), tg_array_drop(&before);
}

START_TEST(products_of_batches) {
    static const int64_t sizes[][3] = {{5, 4, 7},   {33, 18, 40}, {3, 5, 1500}, {1, 9, 70},
                                       {12, 1, 65}, {17, 33, 1},  {6, 2, 2}};
    static const double factors[][2] = {{1, 0}, {-1, 1}, {1, 2}, {2, 0}, {0.5, -1}};
    int64_t most = tg_gemm_int_max;
    if (_i >= 2 && !tg_kernels_use("ref")) return;
    for (int s = 0; s < 7; s++)
        for (int which = fast() ? s % 3 : 0; which < 100; which += s == 1 || s == 2 ? 5 : fast() ? 3 : 1) {
            tg_gemm_int_max = _i % 2 ? 20 + which % 3 * 25 : most;
            check_batches((tg_dtype)((which + s) % 2), sizes[s], which, factors[which % 5][0],
                          factors[which % 5][1]);
            check_batches((tg_dtype)((which + s + 1) % 2), sizes[s], which, factors[(which + s) % 5][0],
                          factors[(which + s) % 5][1]);
        }
    tg_gemm_int_max = most;
}
END_TEST

START_TEST(matrix_products) { products_of(_i); }
END_TEST

START_TEST(matrix_products_of_the_reference) {
    if (tg_kernels_use("ref")) products_of(_i);
}
END_TEST

/* ---- convolution ---- */

typedef struct form {
    int64_t images, groups, channels, filters, in[2], kernel[2], stride[2], padding[2], dilation[2];
} form;
static const form forms[] = {
    {1, 1, 3, 17, {40, 41}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {1, 1, 40, 70, {14, 15}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {1, 1, 8, 3, {64, 65}, {5, 5}, {1, 1}, {2, 2}, {1, 1}},
    {5, 1, 4, 33, {17, 19}, {3, 2}, {2, 1}, {1, 0}, {1, 1}},
    {2, 3, 4, 6, {25, 26}, {3, 3}, {2, 2}, {1, 1}, {1, 2}},
    {9, 1, 6, 8, {13, 12}, {3, 3}, {1, 1}, {0, 0}, {1, 1}},
    {1, 4, 2, 5, {30, 70}, {4, 3}, {3, 2}, {2, 1}, {2, 1}},
    {3, 1, 1, 1, {90, 91}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {17, 1, 3, 9, {9, 9}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {9, 1, 6, 18, {33, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {1, 1, 16, 16, {33, 340}, {1, 3}, {1, 1}, {0, 1}, {1, 1}},
    {0, 2, 3, 5, {9, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {1, 5, 1, 3, {6, 11}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    /* 15, 16, 17, 31, 32, 33, 34, 49 products for each output, about a run of 16 */
    {2, 1, 5, 17, {9, 10}, {3, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 4, 9, {9, 10}, {2, 2}, {1, 1}, {1, 0}, {1, 1}},
    {2, 1, 17, 5, {5, 7}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 31, 8, {5, 7}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 8, 16, {6, 9}, {2, 2}, {1, 1}, {0, 1}, {1, 1}},
    {2, 1, 11, 17, {7, 9}, {1, 3}, {1, 1}, {0, 1}, {1, 1}},
    {2, 2, 17, 7, {5, 8}, {2, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 1, 1, 9, {20, 19}, {7, 7}, {1, 1}, {3, 3}, {1, 1}},
    {7, 24, 1, 1, {31, 33}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {5, 18, 2, 3, {30, 23}, {3, 2}, {2, 2}, {1, 0}, {1, 1}},
};
enum { FORMS = sizeof forms / sizeof *forms };

static tg_window window(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    return (tg_window){in,     kernel,  (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1,
                       stride, padding, dilation};
}

typedef struct planes {
    laid x, w, y, bias;
    double *dx, *dw, *out; /* what the three products give */
} planes;

static void expect_conv(const tg_conv *c, planes *p) {
    const tg_window *v = c->window;
    int64_t filters = c->groups * c->filters, kernel = v[0].kernel * v[1].kernel, out = v[0].out * v[1].out;
    double *x = malloc((size_t)p->x.a.numel * 8), *w = malloc((size_t)p->w.a.numel * 8);
    for (int64_t i = 0; i < p->x.a.numel; i++) x[i] = real_at(&p->x, i), p->dx[i] = 0;
    for (int64_t i = 0; i < p->w.a.numel; i++) w[i] = real_at(&p->w, i), p->dw[i] = 0;
    for (int64_t y = 0; y < p->y.a.numel; y++) {
        int64_t image = y / out / filters, filter = y / out % filters;
        double g = real_at(&p->y, y), sum = 0;
        for (int64_t t = 0; t < c->channels * kernel; t++) {
            int64_t r =
                y % out / v[1].out * v[0].stride - v[0].padding + t % kernel / v[1].kernel * v[0].dilation;
            int64_t s = y % v[1].out * v[1].stride - v[1].padding + t % v[1].kernel * v[1].dilation;
            if (r < 0 || r >= v[0].in || s < 0 || s >= v[1].in) continue;
            int64_t plane = (image * c->groups + filter / c->filters) * c->channels + t / kernel;
            int64_t at = (plane * v[0].in + r) * v[1].in + s, by = filter * c->channels * kernel + t;
            sum += x[at] * w[by], p->dx[at] += w[by] * g, p->dw[by] += x[at] * g;
        }
        p->out[y] = sum;
    }
    free(x), free(w);
}

static void is_exactly(const char *what, const laid *is, const double *want, int t) {
    for (int64_t i = 0; i < is->a.numel; i++)
        REQUIRE(real_at(is, i) == want[i], "%s %s f%d: %g at %d, not %g, %d threads", tg_isa(), what,
                is->a.dtype ? 64 : 32, real_at(is, i), (int)i, want[i], t);
}

static tg_conv conv_as(const form *f) {
    tg_conv c = {f->images, f->groups, f->channels, f->filters, {{0}}};
    for (int k = 0; k < 2; k++)
        c.window[k] = window(f->in[k], f->kernel[k], f->stride[k], f->padding[k], f->dilation[k]);
    return c;
}

static void conv_of(const form *f, tg_dtype dtype) {
    tg_conv c = conv_as(f);
    tg_shape sx = TG_SHAPE(f->images, f->groups * f->channels, f->in[0], f->in[1]);
    tg_shape sw = TG_SHAPE(f->groups * f->filters, f->channels, f->kernel[0], f->kernel[1]);
    tg_shape sy = TG_SHAPE(f->images, f->groups * f->filters, c.window[0].out, c.window[1].out);
    planes p = {lay_out(dtype, sx, FLAT),
                lay_out(dtype, sw, FLAT),
                lay_out(dtype, sy, FLAT),
                lay_out(dtype, TG_SHAPE(sw.dim[0]), FLAT),
                NULL,
                NULL,
                NULL};
    laid x = lay_out(dtype, sx, FLAT), w = lay_out(dtype, sw, FLAT), y = lay_out(dtype, sy, FLAT);
    p.dx = malloc((size_t)x.a.numel * 8), p.dw = malloc((size_t)w.a.numel * 8),
    p.out = malloc((size_t)y.a.numel * 8);
    fill_wholes(&p.x, 1), fill_wholes(&p.w, 2), fill_wholes(&p.y, 3), fill_wholes(&p.bias, 4);
    expect_conv(&c, &p);
    int64_t plane = c.window[0].out * c.window[1].out;
    double *added = malloc((size_t)w.a.numel * 8);
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        tg_set_num_threads(t);
        spoil_cache();
        ck_assert_int_eq(tg_conv_input(&c, &p.y.a, &p.w.a, &x.a), TG_OK);
        is_exactly("input", &x, p.dx, t);
        ck_assert_int_eq(tg_conv_weight(&c, &p.x.a, &p.y.a, &w.a, false), TG_OK);
        is_exactly("weight", &w, p.dw, t);
        fill_wholes(&w, 5);
        for (int64_t i = 0; i < w.a.numel; i++) added[i] = real_at(&w, i) + p.dw[i];
        ck_assert_int_eq(tg_conv_weight(&c, &p.x.a, &p.y.a, &w.a, true), TG_OK);
        is_exactly("weight, added", &w, added, t);
        ck_assert_int_eq(tg_conv_forward(&c, &p.x.a, &p.w.a, &p.bias.a, &y.a), TG_OK);
        for (int64_t i = 0; i < y.a.numel; i++) {
            double want = p.out[i] + real_at(&p.bias, i / plane % sy.dim[1]);
            REQUIRE(real_at(&y, i) == want, "%s forward: %g at %d, not %g, %d threads", tg_isa(),
                    real_at(&y, i), (int)i, want, t);
        }
    }
    free(p.dx), free(p.dw), free(p.out), free(added);
    lay_down(&p.x), lay_down(&p.w), lay_down(&p.y), lay_down(&p.bias), lay_down(&x), lay_down(&w), lay_down(&y);
}

START_TEST(convolutions) {
    for (int dtype = 0; dtype < 2; dtype++) conv_of(&forms[_i], (tg_dtype)dtype);
    if (!(fast() && _i % 2) && tg_kernels_use("ref")) conv_of(&forms[_i], (tg_dtype)(_i % 2));
}
END_TEST

/* ---- numbers whose sums depend on the order: the same bits at any number of threads ---- */

/* Multiples of 1/4093, which no sum of them is to the bit. */
static laid fractions(tg_dtype dtype, tg_shape shape, int salt) {
    laid l = lay_out(dtype, shape, FLAT);
    for (int64_t i = 0; i < l.a.numel; i++)
        put_real(&l, place_of(&l, i), (double)(mixed((uint64_t)(i * 5 + salt)) % 8191) / 4093 - 1);
    return l;
}

typedef struct results {
    laid *of[3];
    char *first[3];
} results;

static void same_bits(const char *what, int number, results *r, int t) {
    for (int i = 0; i < 3 && r->of[i]; i++) {
        if (t == 1) r->first[i] = memcpy(malloc(r->of[i]->bytes), r->of[i]->whole.data, r->of[i]->bytes);
        REQUIRE(memcmp(r->first[i], r->of[i]->whole.data, r->of[i]->bytes) == 0,
                "%s: %s %d: result %d has other bits at %d threads", tg_isa(), what, number, i, t);
        if (t == 5) free(r->first[i]);
    }
}

static void bits_of_conv(int number, tg_dtype dtype) {
    const form *f = &forms[number];
    tg_conv c = conv_as(f);
    tg_shape of_x = TG_SHAPE(f->images, f->groups * f->channels, f->in[0], f->in[1]);
    tg_shape of_w = TG_SHAPE(f->groups * f->filters, f->channels, f->kernel[0], f->kernel[1]);
    tg_shape of_y = TG_SHAPE(f->images, of_w.dim[0], c.window[0].out, c.window[1].out);
    laid x = fractions(dtype, of_x, 1), w = fractions(dtype, of_w, 2), g = fractions(dtype, of_y, 3);
    laid dx = lay_out(dtype, of_x, FLAT), dw = lay_out(dtype, of_w, FLAT), y = lay_out(dtype, of_y, FLAT);
    results r = {{&dx, &dw, &y}, {NULL}};
    for (int t = 1; t <= 5; t++) {
        tg_set_num_threads(t);
        ck_assert_int_eq(tg_conv_input(&c, &g.a, &w.a, &dx.a), TG_OK);
        ck_assert_int_eq(tg_conv_weight(&c, &x.a, &g.a, &dw.a, false), TG_OK);
        ck_assert_int_eq(tg_conv_forward(&c, &x.a, &w.a, NULL, &y.a), TG_OK);
        same_bits("convolution", number, &r, t);
    }
    lay_down(&x), lay_down(&w), lay_down(&g), lay_down(&dx), lay_down(&dw), lay_down(&y);
}

static void bits_of_product(int number, tg_dtype dtype) {
    const int64_t *z = products[number];
    laid a = fractions(dtype, TG_SHAPE(z[0], z[1], z[3]), 1),
         b = fractions(dtype, TG_SHAPE(z[0], z[3], z[2]), 2);
    laid c = lay_out(dtype, TG_SHAPE(z[0], z[1], z[2]), FLAT);
    results r = {{&c}, {NULL}};
    for (int t = 1; t <= 5; t++) {
        tg_set_num_threads(t);
        ck_assert_int_eq(tg_gemm(1, &a.a, &b.a, 0, &c.a), TG_OK);
        same_bits("product", number, &r, t);
    }
    lay_down(&a), lay_down(&b), lay_down(&c);
}

START_TEST(same_bits_at_any_number_of_threads) {
    for (int k = 0; k < (fast() ? 1 : 2); k++)
        if (_i < FORMS)
            bits_of_conv(_i, (tg_dtype)((_i + k) % 2));
        else
            bits_of_product(_i - FORMS, (tg_dtype)((_i + k) % 2));
}
END_TEST

/* ---- pooling ---- */

START_TEST(pools) {
    static const struct {
        int64_t planes, kernel, stride, padding, dilation, in[2];
    } some[] = {{1, 2, 2, 0, 1, {301, 223}}, {77, 2, 2, 0, 1, {31, 17}}, {5, 3, 2, 1, 1, {90, 91}},
                {1, 3, 1, 1, 2, {200, 70}},  {600, 2, 2, 0, 1, {5, 9}},  {33, 3, 3, 1, 1, {40, 8}},
                {3, 2, 2, 0, 1, {2, 2049}}};
    for (int k = 0; k < 4; k++) {
        tg_dtype dtype = (tg_dtype)(k % 2);
        const tg_window w[2] = {
            window(some[_i].in[0], some[_i].kernel, some[_i].stride, some[_i].padding, some[_i].dilation),
            window(some[_i].in[1], some[_i].kernel, some[_i].stride, some[_i].padding, some[_i].dilation)};
        int64_t n = some[_i].planes, in = w[0].in * w[1].in, out = w[0].out * w[1].out;
        laid x = lay_out(dtype, TG_SHAPE(n, w[0].in, w[1].in), FLAT),
             y = lay_out(dtype, TG_SHAPE(n, w[0].out, w[1].out), FLAT),
             g = lay_out(dtype, TG_SHAPE(n, w[0].out, w[1].out), FLAT);
        laid index = lay_out(TG_I64, TG_SHAPE(n, w[0].out, w[1].out), FLAT),
             dx = lay_out(dtype, TG_SHAPE(n, w[0].in, w[1].in), FLAT);
        double *want = calloc((size_t)x.a.numel, sizeof *want);
        fill_wholes(&x, 1), fill_wholes(&g, 2); /* seven numbers: ties in nearly every window */
        for (int64_t i = 0; k / 2 && i < x.a.numel; i += 11) put_real(&x, place_of(&x, i), (double)NAN);
        memcpy(index.image, index.whole.data, index.bytes), memcpy(y.image, y.whole.data, y.bytes);
        for (int64_t i = 0; i < y.a.numel; i++) {
            int64_t best = -1, first = i / out * in;
            for (int64_t at = 0; at < w[0].kernel * w[1].kernel; at++) {
                int64_t r = i % out / w[1].out * w[0].stride - w[0].padding + at / w[1].kernel * w[0].dilation;
                int64_t s = i % w[1].out * w[1].stride - w[1].padding + at % w[1].kernel * w[1].dilation;
                if (r < 0 || r >= w[0].in || s < 0 || s >= w[1].in) continue;
                double v = real_at(&x, first + r * w[1].in + s),
                       most = best < 0 ? 0 : real_at(&x, first + best);
                if (best < 0 || v > most || (isnan(v) && !isnan(most))) best = r * w[1].in + s;
            }
            memcpy(index.image + (size_t)index.at[i] * 8, &best, 8);
            memcpy(y.image + (size_t)y.at[i] * y.size, place_of(&x, first + best), y.size);
            want[first + best] += real_at(&g, i);
        }
        for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
            tg_set_num_threads(t);
            tg_max_pool(w, &x.a, &y.a, &index.a);
            REQUIRE(first_wrong(&index) < 0 && first_wrong(&y) < 0, "pool %d f%d: place %d, %d threads", _i,
                    dtype ? 64 : 32, (int)first_wrong(&index), t);
            memset(dx.whole.data, 0xff, dx.bytes);
            tg_max_pool_grad(w, &g.a, &index.a, &dx.a);
            is_exactly("pool gradient", &dx, want, t);
        }
        free(want);
        lay_down(&x), lay_down(&y), lay_down(&g), lay_down(&index), lay_down(&dx);
    }
}
END_TEST

/* ---- attention ---- */

/* [b, h, l, e], keys and values for one head that all share, or for each; the layouts keep rows of stride 1. */
typedef struct scene {
    int64_t b, h, l, s, e, d;
    int kinds; /* bit 0: one head of keys for all, 1: causal, 2: bool mask, 3: added mask */
} scene;
static const scene scenes[] = {
    {1, 1, 70, 257, 5, 9, 2},  {2, 3, 33, 70, 16, 17, 1 | 8}, {1, 5, 129, 65, 8, 8, 2 | 4},
    {3, 2, 32, 129, 70, 3, 8}, {1, 2, 97, 97, 67, 33, 2},     {1, 7, 40, 200, 3, 66, 1 | 2},
    {2, 2, 1, 321, 9, 4, 4},   {1, 1, 200, 3, 4, 5, 2 | 8},   {1, 3, 65, 66, 33, 8, 0},
    {1, 2, 34, 300, 5, 6, 0},  {2, 1, 40, 515, 3, 4, 1},      {1, 2, 34, 34, 5, 6, 2},
    {1, 1, 66, 70, 4, 4, 2},   {1, 2, 70, 34, 3, 5, 2},       {2, 1, 2, 5, 4, 3, 2},
    {2, 4, 65, 260, 48, 50, 0}}; /* the last: work enough for seven threads */
enum { SCENES = sizeof scenes / sizeof *scenes };

/* Numbers of a little less than one, which all types hold. */
static void fill_small(const laid *l, int salt) {
    for (int64_t i = 0; i < l->a.numel; i++)
        put_real(l, place_of(l, i), (double)(mixed((uint64_t)(l->at[i] * 5 + salt)) % 257) / 256 - 0.5);
}

typedef struct stage {
    const scene *c;
    laid q, k, v, mask, g, dlse, out, lse, dq, dk, dv, dmask;
    double *want[6]; /* out, lse, dq, dk, dv, dmask */
} stage;

static void expect_query(const stage *p, int64_t head, int64_t i) {
    const scene *c = p->c;
    int64_t kv = c->kinds & 1 ? head / c->h : head;
    double *score = calloc((size_t)c->s, 8), *dp = calloc((size_t)c->s, 8), most = -INFINITY, sum = 0,
           mean = 0, scale = 0.5;
    for (int64_t j = 0; j < c->s; j++) {
        for (int64_t n = 0; n < c->e; n++)
            score[j] += scale * real_at(&p->q, (head * c->l + i) * c->e + n) *
                        real_at(&p->k, (kv * c->s + j) * c->e + n);
        if (c->kinds & 8) score[j] += real_at(&p->mask, i * c->s + j);
        if ((c->kinds & 2 && j > i) || (c->kinds & 4 && !*(char *)place_of(&p->mask, i * c->s + j)))
            score[j] = -INFINITY;
        most = fmax(most, score[j]);
    }
    for (int64_t j = 0; j < c->s; j++) sum += score[j] = most == -INFINITY ? 0 : exp(score[j] - most);
    p->want[1][head * c->l + i] = most + log(sum);
    for (int64_t j = 0; j < c->s; j++) {
        score[j] = sum > 0 ? score[j] / sum : 0;
        for (int64_t n = 0; n < c->d; n++) {
            double v = real_at(&p->v, (kv * c->s + j) * c->d + n),
                   g = real_at(&p->g, (head * c->l + i) * c->d + n);
            p->want[0][(head * c->l + i) * c->d + n] += score[j] * v;
            p->want[4][(head * c->s + j) * c->d + n] += score[j] * g;
            dp[j] += g * v;
        }
        mean += score[j] * dp[j];
    }
    for (int64_t j = 0; j < c->s; j++) {
        double ds = score[j] * (dp[j] - mean + real_at(&p->dlse, head * c->l + i));
        p->want[5][(head * c->l + i) * c->s + j] = ds;
        for (int64_t n = 0; n < c->e; n++) {
            p->want[2][(head * c->l + i) * c->e + n] += scale * ds * real_at(&p->k, (kv * c->s + j) * c->e + n);
            p->want[3][(head * c->s + j) * c->e + n] +=
                scale * ds * real_at(&p->q, (head * c->l + i) * c->e + n);
        }
    }
    free(score), free(dp);
}

static void is_near(const char *what, int number, const laid *is, const double *want, int t) {
    double tolerance = is->a.dtype == TG_F32 ? 2e-5 : 1e-13;
    for (int64_t i = 0; i < is->a.numel; i++)
        REQUIRE(real_at(is, i) == want[i] ||
                    fabs(real_at(is, i) - want[i]) <= tolerance * fmax(1, fabs(want[i])),
                "%s attention %d f%d %s: %.9g at %d, not %.9g, %d threads", tg_isa(), number,
                is->a.dtype ? 64 : 32, what, real_at(is, i), (int)i, want[i], t);
}

static void attention_of(int number, tg_dtype f, lay masked) {
    const scene *c = &scenes[number];
    int64_t heads = c->kinds & 1 ? 1 : c->h;
    stage p = {.c = c};
    p.q = lay_out(f, TG_SHAPE(c->b, c->h, c->l, c->e), FLAT),
    p.k = lay_out(f, TG_SHAPE(c->b, heads, c->s, c->e), FLAT),
    p.v = lay_out(f, TG_SHAPE(c->b, heads, c->s, c->d), FLAT);
    p.mask = lay_out(c->kinds & 4 ? TG_BOOL : f, TG_SHAPE(c->l, c->s), masked),
    p.g = lay_out(f, TG_SHAPE(c->b, c->h, c->l, c->d), FLAT),
    p.dlse = lay_out(f, TG_SHAPE(c->b, c->h, c->l), masked);
    laid *const to[6] = {&p.out, &p.lse, &p.dq, &p.dk, &p.dv, &p.dmask};
    const tg_shape shape[6] = {TG_SHAPE(c->b, c->h, c->l, c->d), TG_SHAPE(c->b, c->h, c->l),
                               TG_SHAPE(c->b, c->h, c->l, c->e), TG_SHAPE(c->b, c->h, c->s, c->e),
                               TG_SHAPE(c->b, c->h, c->s, c->d), TG_SHAPE(c->b, c->h, c->l, c->s)};
    for (int i = 0; i < 6; i++)
        *to[i] = lay_out(f, shape[i], FLAT), p.want[i] = calloc((size_t)to[i]->a.numel, 8);
    fill_small(&p.q, 1), fill_small(&p.k, 2), fill_small(&p.v, 3), fill_small(&p.g, 4), fill_small(&p.dlse, 5);
    if (c->kinds & 4)
        for (int64_t i = 0; i < p.mask.a.numel; i++)
            *(char *)place_of(&p.mask, i) = mixed((uint64_t)p.mask.at[i]) % 3 != 0 && i / c->s % 9 != 4;
    else
        fill_small(&p.mask, 6);
    for (int64_t head = 0; head < c->b * c->h; head++)
        for (int64_t i = 0; i < c->l; i++) expect_query(&p, head, i);
    tg_attention a = {&p.q.a,   &p.k.a,   &p.v.a,       c->kinds & 12 ? &p.mask.a : NULL,
                      &p.out.a, &p.lse.a, c->kinds & 2, 0.5};
    tg_attention_gradient d = {&p.g.a, &p.dlse.a, &p.dq.a, &p.dk.a, &p.dv.a, &p.dmask.a};
    char *first[6] = {NULL};
    for (int t = 1; t <= 7; t = t == 1 ? 3 : t == 3 ? 4 : t + 3) {
        tg_set_num_threads(t);
        spoil_cache();
        for (int i = 0; i < 6; i++) memset(to[i]->whole.data, 0xff, to[i]->bytes);
        ck_assert_int_eq(tg_attention_forward(&a), TG_OK);
        ck_assert_int_eq(tg_attention_backward(&a, &d), TG_OK);
        for (int i = 0; i < 6; i++) {
            static const char *const name[6] = {"out", "lse", "dq", "dk", "dv", "dmask"};
            is_near(name[i], number, to[i], p.want[i], t);
            if (t == 1) first[i] = memcpy(malloc(to[i]->bytes), to[i]->whole.data, to[i]->bytes);
            REQUIRE(memcmp(first[i], to[i]->whole.data, to[i]->bytes) == 0,
                    "attention %d: %s differs at %d threads", number, name[i], t);
        }
    }
    for (int i = 0; i < 6; i++) free(first[i]), free(p.want[i]), lay_down(to[i]);
    lay_down(&p.q), lay_down(&p.k), lay_down(&p.v), lay_down(&p.mask), lay_down(&p.g), lay_down(&p.dlse);
}

START_TEST(attention_by_heads_and_blocks) {
    static const lay masks[] = {FLAT, TURNED, GAPS, ROW, COLUMN, BACK};
    for (int k = fast() ? 2 - _i % 2 : 0; k < 3; k++)
        attention_of(_i, (tg_dtype)(k % 2), masks[(_i + 2 * k) % 6]);
    if (!(fast() && _i % 2) && tg_kernels_use("ref")) attention_of(_i, TG_F64, masks[_i % 6]);
}
END_TEST

TCase *tcase_kernel_threads(void) {
    TCase *tc = tcase_create("kernel_threads");
    tcase_set_tags(tc, "table");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_loop_test(tc, matrix_products, 0, PRODUCTS);
    tcase_add_loop_test(tc, products_of_batches, 0, 4);
    tcase_add_loop_test(tc, matrix_products_of_the_reference, 0, PRODUCTS);
    tcase_add_loop_test(tc, convolutions, 0, FORMS);
    tcase_add_loop_test(tc, same_bits_at_any_number_of_threads, 0, FORMS + PRODUCTS);
    tcase_add_loop_test(tc, pools, 0, 7);
    tcase_add_loop_test(tc, attention_by_heads_and_blocks, 0, SCENES);
    return tc;
}
