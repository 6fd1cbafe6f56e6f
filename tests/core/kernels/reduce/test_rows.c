/* The kernels that take a whole row, in every instruction set that was built and runs here: softmax, log_softmax, the
 * normalisations and their gradients, against the formulas in long double. Lengths lie around the vector widths, and
 * beyond the block of 1024 from which on partial sums meet.
 */
#include "core/kernels/simd/table.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_kernel_rows(void);

enum { N = 2500, ROWS = 3 };

static const int64_t lengths[] = {0,  1,  2,  3,  4,  5,  7,  8,   9,    15,   16,
                                  17, 31, 32, 33, 63, 64, 65, 812, 1024, 1025, N};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Operands as the kernel sees them, one element behind each for the mark, and the same numbers in long double. */
typedef struct operand {
    double raw[ROWS * N + 1];
    long double v[ROWS * N];
} operand;
static operand x, g, w, b, y, dw, db;
static long double want[ROWS * N], want_dw[N], want_db[N];

static size_t size_of(int dtype) { return dtype == TG_F32 ? 4 : 8; }

static double get(int dtype, const void *p, int64_t i) {
    return dtype == TG_F32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

/* n numbers around `middle`, as the type rounds them. */
static void fill(int dtype, operand *o, int64_t n, double middle, int64_t stride) {
    for (int64_t i = 0; i < n; i++) {
        double v = middle + (double)(i * stride % 101) / 25 - 2;
        if (dtype == TG_F32)
            ((float *)(void *)o->raw)[i] = (float)v;
        else
            o->raw[i] = v;
        o->v[i] = (long double)get(dtype, o->raw, i);
    }
}

static void mark(operand *o) { memset(o->raw, 0x5a, sizeof o->raw); }

/* Every element within `ulp` units in the last place of 1, or of itself where it is larger; nothing written behind. */
static void check(const char *isa, const char *what, int dtype, const operand *o, const long double *wanted,
                  int64_t n, double ulp) {
    const unsigned char *behind = (const unsigned char *)o->raw + (size_t)n * size_of(dtype);
    for (int64_t i = 0; i < n; i++) {
        double got = get(dtype, o->raw, i), right = (double)wanted[i],
               unit = dtype == TG_F32 ? 0x1p-23 : 0x1p-52;
        double error = fabs(got - right) / (unit * fmax(1, fabs(right)));
        if (!(error <= ulp))
            ck_abort_msg("%s %s f%d: element %d of %d is %.17g, not %.17g (%g ulp)", isa, what,
                         dtype ? 64 : 32, (int)i, (int)n, got, right, error);
    }
    if (*behind != 0x5a)
        ck_abort_msg("%s %s f%d writes behind %d elements", isa, what, dtype ? 64 : 32, (int)n);
}

static void check_softmax(const tg_kernels *k, int dtype, int64_t n) {
    const tg_kernel_set *s = k->real[dtype];
    long double largest = -INFINITY, sum = 0, dot = 0, total = 0;
    fill(dtype, &x, n, 3, 37);
    fill(dtype, &g, n, 0.25, 53);
    for (int64_t i = 0; i < n; i++) largest = fmaxl(largest, x.v[i]);
    for (int64_t i = 0; i < n; i++) sum += expl(x.v[i] - largest);
    for (int64_t i = 0; i < n; i++) want[i] = expl(x.v[i] - largest) / sum;
    mark(&y);
    s->softmax(&(tg_softmax_row){.n = n, .x = x.raw, .y = y.raw});
    check(k->isa, "softmax", dtype, &y, want, n, 2);

    for (int64_t i = 0; i < n; i++)
        w.v[i] = (long double)get(dtype, y.raw, i), dot += g.v[i] * w.v[i], total += g.v[i];
    for (int64_t i = 0; i < n; i++) want[i] = w.v[i] * (g.v[i] - dot);
    memcpy(w.raw, y.raw, sizeof y.raw);
    mark(&y);
    s->softmax_grad(&(tg_softmax_grad_rows){.rows = 1, .n = n, .g = {g.raw}, .y = {w.raw}, .dx = {y.raw}});
    check(k->isa, "softmax gradient", dtype, &y, want, n, 4);

    for (int64_t i = 0; i < n; i++) want[i] = x.v[i] - largest - logl(sum);
    mark(&y);
    s->log_softmax(&(tg_softmax_row){.n = n, .x = x.raw, .y = y.raw});
    check(k->isa, "log_softmax", dtype, &y, want, n, 2);

    for (int64_t i = 0; i < n; i++) want[i] = g.v[i] - expl((long double)get(dtype, y.raw, i)) * total;
    memcpy(w.raw, y.raw, sizeof y.raw);
    mark(&y);
    s->log_softmax_grad(&(tg_softmax_grad_rows){.rows = 1, .n = n, .g = {g.raw}, .y = {w.raw}, .dx = {y.raw}});
    check(k->isa, "log_softmax gradient", dtype, &y, want, n, 8);
}

static void check_cross_entropy(const tg_kernels *k, int dtype, int64_t n) {
    long double largest = -INFINITY, sum = 0;
    size_t class = (size_t)(n / 2) * size_of(dtype);
    fill(dtype, &x, n, 3, 37);
    fill(dtype, &g, 1, 2.5, 1);
    for (int64_t i = 0; i < n; i++) largest = fmaxl(largest, x.v[i]);
    for (int64_t i = 0; i < n; i++) sum += expl(x.v[i] - largest);
    want[0] = largest + logl(sum) - x.v[n / 2];
    mark(&y);
    k->real[dtype]->cross_entropy(
        &(tg_cross_entropy_row){.n = n, .x = x.raw, .x_class = (char *)x.raw + class, .loss = y.raw});
    check(k->isa, "cross_entropy", dtype, &y, want, 1, 2);

    for (int64_t i = 0; i < n; i++) want[i] = g.v[0] * (expl(x.v[i] - largest) / sum - (i == n / 2));
    mark(&y);
    k->real[dtype]->cross_entropy_grad(&(tg_cross_entropy_grad_row){
        .n = n, .g = g.raw, .x = x.raw, .dx = y.raw, .dx_class = (char *)y.raw + class});
    check(k->isa, "cross_entropy gradient", dtype, &y, want, n, 2);

    memset(want, 0, sizeof want);
    memset(g.raw, 0, sizeof g.raw);
    memset(x.raw, 0xff, sizeof x.raw); /* NaN */
    mark(&y);
    k->real[dtype]->cross_entropy_grad(&(tg_cross_entropy_grad_row){
        .n = n, .g = g.raw, .x = x.raw, .dx = y.raw, .dx_class = (char *)y.raw + class});
    check(k->isa, "cross_entropy gradient of an ignored row", dtype, &y, want, n, 0);
}

START_TEST(softmax_rows) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int l = 0; k && l < LENGTHS; l++)
        for (int dtype = 0; dtype < 2; dtype++) {
            check_softmax(k, dtype, lengths[l]);
            if (lengths[l] > 0) check_cross_entropy(k, dtype, lengths[l]);
        }
}
END_TEST

/* A NaN makes the whole row NaN, wherever it stands; an infinity takes it all. */
START_TEST(softmax_nan) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int i = 0; k && i < 2 * 33; i++) {
        float row[33], out[33];
        for (int j = 0; j < 33; j++) row[j] = (float)j;
        row[i % 33] = i < 33 ? NAN : INFINITY;
        k->real[TG_F32]->softmax(&(tg_softmax_row){.n = 33, .x = row, .y = out});
        for (int j = 0; j < 33; j++)
            if (i < 33 ? !isnan(out[j]) : out[j] != (j == i % 33))
                ck_abort_msg("%s: lane %d is %g", k->isa, j, (double)out[j]);
    }
}
END_TEST

/* z, the mean and 1 / deviation of a row, as the formula has them. */
static void normalise(const tg_norm_rows *p, const long double *row, long double *z, long double *scale) {
    long double mean = 0, square = 0;
    for (int64_t i = 0; i < p->n && p->centred; i++) mean += row[i] / (long double)p->n;
    for (int64_t i = 0; i < p->n; i++) square += (row[i] - mean) * (row[i] - mean) / (long double)p->n;
    *scale = 1 / sqrtl(square + (long double)p->eps);
    for (int64_t i = 0; i < p->n; i++) z[i] = (row[i] - mean) * *scale;
}

static void check_norm(const tg_kernels *k, int dtype, tg_norm_rows p, bool affine) {
    static long double z[N];
    long double scale;
    p.x = x.raw, p.w = affine ? w.raw : NULL, p.b = affine ? b.raw : NULL, p.y = y.raw;
    for (int64_t r = 0; r < p.rows; r++) {
        normalise(&p, x.v + r * p.n, z, &scale);
        for (int64_t i = 0; i < p.n; i++) want[r * p.n + i] = affine ? z[i] * w.v[i] + b.v[i] : z[i];
    }
    mark(&y);
    k->real[dtype]->norm(&p);
    check(k->isa, p.centred ? "layer_norm" : "rms_norm", dtype, &y, want, p.rows * p.n, 8);
}

static void check_norm_grad(const tg_kernels *k, int dtype, tg_norm_rows p, bool affine) {
    static long double z[N];
    size_t row = (size_t)p.n * size_of(dtype);
    p.x = x.raw, p.g = g.raw, p.w = affine ? w.raw : NULL, p.y = y.raw, p.dw = dw.raw, p.db = db.raw;
    memset(want_dw, 0, sizeof want_dw);
    memset(want_db, 0, sizeof want_db);
    for (int64_t r = 0; r < p.rows; r++) {
        long double scale, h_mean = 0, hz_mean = 0;
        const long double *gr = g.v + r * p.n;
        normalise(&p, x.v + r * p.n, z, &scale);
        for (int64_t i = 0; i < p.n; i++) {
            long double h = affine ? gr[i] * w.v[i] : gr[i];
            h_mean += p.centred ? h / (long double)p.n : 0;
            hz_mean += h * z[i] / (long double)p.n;
            want_dw[i] += gr[i] * z[i];
            want_db[i] += gr[i];
        }
        for (int64_t i = 0; i < p.n; i++) {
            long double h = affine ? gr[i] * w.v[i] : gr[i];
            want[r * p.n + i] = (h - h_mean - z[i] * hz_mean) * scale;
        }
    }
    mark(&y), mark(&dw), mark(&db);
    memset(dw.raw, 0, row);
    memset(db.raw, 0, row);
    k->real[dtype]->norm_grad(&p);
    check(k->isa, p.centred ? "layer_norm gradient" : "rms_norm gradient", dtype, &y, want, p.rows * p.n, 16);
    check(k->isa, "dw", dtype, &dw, want_dw, p.n, 16);
    check(k->isa, "db", dtype, &db, want_db, p.n, 8);
}

START_TEST(norm_rows) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    for (int l = 0; k && l < LENGTHS; l++)
        for (int form = 0; form < 8; form++) {
            int dtype = form & 1;
            tg_norm_rows p = {.rows = ROWS, .n = lengths[l], .eps = 1e-2, .centred = form >> 1 & 1};
            fill(dtype, &x, ROWS * N, p.centred ? 5 : 0.5, 37);
            fill(dtype, &g, ROWS * N, 0.25, 53);
            fill(dtype, &w, N, 1, 11);
            fill(dtype, &b, N, 0, 17);
            check_norm(k, dtype, p, form >> 2);
            check_norm_grad(k, dtype, p, form >> 2);
        }
}
END_TEST

/* What is not wanted may be missing; rows without elements and no rows at all write nothing. */
START_TEST(norm_parts) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    if (!k) return;
    tg_norm_rows p = {.rows = 0, .n = 17, .eps = 1e-2, .centred = true};
    p.x = x.raw, p.g = g.raw, p.y = y.raw;
    fill(TG_F32, &x, N, 0, 37);
    fill(TG_F32, &g, N, 0, 53);
    mark(&y);
    k->real[TG_F32]->norm(&p);
    k->real[TG_F32]->norm_grad(&p);
    check(k->isa, "no rows", TG_F32, &y, want, 0, 0);
    p.rows = 2, p.y = NULL, p.db = db.raw;
    mark(&db);
    memset(db.raw, 0, 17 * 4);
    k->real[TG_F32]->norm_grad(&p);
    for (int i = 0; i < 17; i++) want[i] = g.v[i] + g.v[17 + i];
    check(k->isa, "db alone", TG_F32, &db, want, 17, 1);
}
END_TEST

/* Far from 0 and next to each other: the mean must be more exact than the type can hold it. */
START_TEST(norm_offset) {
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]);
    if (!k) return;
    tg_norm_rows p = {.rows = 1, .n = 300, .eps = 1e-5, .centred = true};
    for (int i = 0; i < 300; i++) {
        float v = 4096 + (float)(i * 37 % 101) / 1024;
        ((float *)(void *)x.raw)[i] = v;
        x.v[i] = (long double)v;
    }
    check_norm(k, TG_F32, p, false);
}
END_TEST

TCase *tcase_kernel_rows(void) {
    TCase *tc = tcase_create("kernel_rows");
    tcase_set_timeout(tc, 60);
    tcase_set_tags(tc, "long-double"); /* Valgrind computes long double in 64 bits */
    tcase_add_loop_test(tc, softmax_rows, 0, isa_count());
    tcase_add_loop_test(tc, softmax_nan, 0, isa_count());
    tcase_add_loop_test(tc, norm_rows, 0, isa_count());
    tcase_add_loop_test(tc, norm_parts, 0, isa_count());
    tcase_add_loop_test(tc, norm_offset, 0, isa_count());
    return tc;
}
