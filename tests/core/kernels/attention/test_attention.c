/* Attention by tiles against plain loops in double: every instruction set, sizes around vectors and tiles,
 * strided inputs, masks, and any number of threads.
 */
#include "core/kernels/attention/attention.h"
#include "core/kernels/simd/table.h"
#include "core/memory.h"
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

TCase *tcase_attention(void);

static const char *isa_was;
static int threads;
static void setup(void) {
    isa_was = tg_isa();
    threads = tg_set_num_threads(1);
}
static void teardown(void) {
    tg_kernels_use(isa_was);
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_set_num_threads(threads);
}

enum { HEADS = 2 };
typedef enum mask_kind { NO_MASK, BOOL_MASK, ADDED_MASK, MASKS } mask_kind;

/* Inputs and results of one problem; wide: the inputs in f64, contiguous; want: what plain loops give. */
enum { OUT, DQ, DK, DV, DMASK, RESULTS };
enum { Q, K, V, G, WIDE };
typedef struct problem {
    int64_t l, s, e, d;
    tg_array q, k, v, mask, g, dlse, out, lse, dq, dk, dv, dmask;
    tg_attention a;
    tg_attention_gradient grad;
    tg_array wide[WIDE], want[RESULTS], want_lse;
} problem;

static double number(int64_t i) { return (double)((i * 7919 + 13) % 1009 - 504) / 512; }

static tg_array fresh(tg_dtype dtype, tg_shape shape, int64_t from) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, dtype, shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++) tg_array_set(&a, i, number(from + i));
    return a;
}

/* [HEADS, n, c] as a view of [n, 3, HEADS, c]: heads of a packed projection. */
static tg_array packed(tg_dtype dtype, int64_t n, int64_t c, int64_t from) {
    tg_array a = fresh(dtype, TG_SHAPE(n, 3, HEADS, c), from);
    const int64_t shape[3] = {HEADS, n, c}, stride[3] = {c, 3 * HEADS * c, 1};
    memcpy(a.shape, shape, sizeof shape);
    memcpy(a.stride, stride, sizeof stride);
    a.rank = 3, a.numel = HEADS * n * c;
    return a;
}

static tg_array mask_of(mask_kind kind, tg_dtype dtype, int64_t l, int64_t s) {
    tg_array m = {0};
    if (kind == NO_MASK) return m;
    m = fresh(kind == BOOL_MASK ? TG_BOOL : dtype, TG_SHAPE(l, s), 5);
    for (int64_t i = 0; kind == BOOL_MASK && i < m.numel; i++)
        tg_array_set(&m, i, i / s % 5 != 2 && i * 31 % 7 != 0); /* every fifth query sees nothing */
    return m;
}

static problem make(tg_dtype f, int64_t l, int64_t s, int64_t e, int64_t d, mask_kind kind) {
    problem p = {.l = l, .s = s, .e = e, .d = d};
    p.q = packed(f, l, e, 0), p.k = packed(f, s, e, 100), p.v = packed(f, s, d, 200),
    p.mask = mask_of(kind, f, l, s);
    p.g = packed(f, l, d, 300), p.dlse = fresh(f, TG_SHAPE(HEADS, l), 400);
    p.out = fresh(f, TG_SHAPE(HEADS, l, d), 0), p.lse = fresh(f, TG_SHAPE(HEADS, l), 0);
    p.dq = fresh(f, TG_SHAPE(HEADS, l, e), 0), p.dk = fresh(f, TG_SHAPE(HEADS, s, e), 0);
    p.dv = fresh(f, TG_SHAPE(HEADS, s, d), 0), p.dmask = fresh(f, TG_SHAPE(HEADS, l, s), 0);
    const tg_array *like[RESULTS] = {&p.out, &p.dq, &p.dk, &p.dv, &p.dmask},
                   *narrow[WIDE] = {&p.q, &p.k, &p.v, &p.g};
    for (int i = 0; i < WIDE; i++) {
        p.wide[i] = fresh(TG_F64, tg_array_shape(narrow[i]), 0);
        tg_array_copy(&p.wide[i], narrow[i]);
    }
    for (int i = 0; i < RESULTS; i++) p.want[i] = fresh(TG_F64, tg_array_shape(like[i]), 0);
    for (int i = 0; i < RESULTS; i++) tg_array_fill(&p.want[i], 0);
    p.want_lse = fresh(TG_F64, TG_SHAPE(HEADS, l), 0);
    return p;
}

static void point(problem *p, bool causal) {
    p->a =
        (tg_attention){&p->q, &p->k, &p->v, p->mask.data ? &p->mask : NULL, &p->out, &p->lse, causal, 0.75};
    p->grad = (tg_attention_gradient){&p->g, &p->dlse, &p->dq, &p->dk, &p->dv, &p->dmask};
}

static void drop(problem *p) {
    tg_array *all[] = {&p->q,   &p->k,   &p->v,  &p->mask, &p->g,  &p->dlse,
                       &p->out, &p->lse, &p->dq, &p->dk,   &p->dv, &p->dmask};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tg_array_drop(all[i]);
    for (int i = 0; i < RESULTS; i++) tg_array_drop(&p->want[i]);
    for (int i = 0; i < WIDE; i++) tg_array_drop(&p->wide[i]);
    tg_array_drop(&p->want_lse);
}

/* Element (h, i, j) of a contiguous f64 array [HEADS, rows, cols]. */
static double *at(const tg_array *x, int64_t h, int64_t i, int64_t j) {
    return (double *)x->data + (h * x->shape[1] + i) * x->shape[2] + j;
}

static double score(const problem *p, int64_t h, int64_t i, int64_t j) {
    double sum = 0, m = p->a.mask ? tg_array_get(&p->mask, i * p->s + j) : 0;
    for (int64_t c = 0; c < p->e; c++) sum += *at(&p->wide[Q], h, i, c) * *at(&p->wide[K], h, j, c);
    if (p->a.causal && j > i) return -INFINITY;
    if (p->a.mask && p->mask.dtype == TG_BOOL) return m != 0 ? p->a.scale * sum : -INFINITY;
    return p->a.scale * sum + m;
}

/* One query by the definition. */
static void plain_row(problem *p, int64_t h, int64_t i) {
    double weight[256], dp[256], sum = 0, mean = 0; /* weight: e^score, then P */
    for (int64_t j = 0; j < p->s; j++) sum += weight[j] = exp(score(p, h, i, j));
    tg_array_set(&p->want_lse, h * p->l + i, log(sum));
    for (int64_t j = 0; j < p->s; j++) {
        weight[j] = sum > 0 ? weight[j] / sum : 0, dp[j] = 0;
        for (int64_t c = 0; c < p->d; c++) {
            *at(&p->want[OUT], h, i, c) += weight[j] * *at(&p->wide[V], h, j, c);
            *at(&p->want[DV], h, j, c) += weight[j] * *at(&p->wide[G], h, i, c);
            dp[j] += *at(&p->wide[G], h, i, c) * *at(&p->wide[V], h, j, c);
        }
        mean += weight[j] * dp[j];
    }
    for (int64_t j = 0; j < p->s; j++) {
        double ds = weight[j] * (dp[j] - mean + tg_array_get(&p->dlse, h * p->l + i));
        *at(&p->want[DMASK], h, i, j) = ds;
        for (int64_t c = 0; c < p->e; c++) {
            *at(&p->want[DQ], h, i, c) += p->a.scale * ds * *at(&p->wide[K], h, j, c);
            *at(&p->want[DK], h, j, c) += p->a.scale * ds * *at(&p->wide[Q], h, i, c);
        }
    }
}

static void compare(const char *what, const tg_array *got, const tg_array *want) {
    bool f64 = got->dtype == TG_F64;
    for (int64_t i = 0; i < got->numel; i++) {
        double a = tg_array_get(got, i), b = tg_array_get(want, i);
        REQUIRE(a == b || fabs(a - b) <= (f64 ? 1e-13 : 1e-5) * fmax(1, fabs(b)),
                "%s %s f%d: element %d is %.17g, not %.17g", tg_isa(), what, f64 ? 64 : 32, (int)i, a, b);
    }
}

static void check(tg_dtype f, int64_t l, int64_t s, int64_t e, int64_t d, mask_kind kind, bool causal) {
    static const char *const names[RESULTS] = {"out", "dq", "dk", "dv", "dmask"};
    problem p = make(f, l, s, e, d, kind);
    point(&p, causal);
    for (int64_t h = 0; h < HEADS; h++)
        for (int64_t i = 0; i < l; i++) plain_row(&p, h, i);
    ck_assert_int_eq(tg_attention_forward(&p.a), TG_OK);
    ck_assert_int_eq(tg_attention_backward(&p.a, &p.grad), TG_OK);
    const tg_array *got[RESULTS] = {&p.out, &p.dq, &p.dk, &p.dv, &p.dmask};
    for (int i = 0; i < RESULTS; i++) compare(names[i], got[i], &p.want[i]);
    compare("lse", &p.lse, &p.want_lse);
    drop(&p);
}

START_TEST(tiles_are_the_definition) {
    static const int64_t sizes[][4] = {{1, 1, 1, 1},     {1, 130, 8, 3},  {33, 64, 16, 17}, {32, 65, 7, 32},
                                       {70, 130, 33, 9}, {65, 17, 1, 40}, {31, 0, 4, 5},    {4, 3, 0, 2},
                                       {5, 6, 3, 0},     {40, 129, 4, 48}};
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int m = 0; m < MASKS; m++)
            for (int causal = 0; causal < 2; causal++)
                for (int f = TG_F32; f <= TG_F64; f++)
                    check((tg_dtype)f, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], (mask_kind)m,
                          causal);
}
END_TEST

/* What is not asked for is not written, and the rest is what it is with all of them. */
START_TEST(gradients_may_be_left_out) {
    for (int one = DQ; one <= DMASK; one++) {
        problem p = make(TG_F64, 40, 70, 5, 6, ADDED_MASK), all = make(TG_F64, 40, 70, 5, 6, ADDED_MASK);
        const tg_array *got[RESULTS] = {NULL, &p.dq, &p.dk, &p.dv, &p.dmask};
        const tg_array *full[RESULTS] = {NULL, &all.dq, &all.dk, &all.dv, &all.dmask};
        const tg_array **to[RESULTS] = {NULL, &p.grad.dq, &p.grad.dk, &p.grad.dv, &p.grad.dmask};
        point(&p, true), point(&all, true);
        for (int i = DQ; i <= DMASK; i++)
            if (i != one) *to[i] = NULL;
        ck_assert_int_eq(tg_attention_forward(&p.a), TG_OK);
        ck_assert_int_eq(tg_attention_forward(&all.a), TG_OK);
        ck_assert_int_eq(tg_attention_backward(&p.a, &p.grad), TG_OK);
        ck_assert_int_eq(tg_attention_backward(&all.a, &all.grad), TG_OK);
        for (int64_t k = 0; k < got[one]->numel; k++)
            REQUIRE(tg_array_get(got[one], k) == tg_array_get(full[one], k), "gradient %d differs at %d", one,
                    (int)k);
        for (int i = DQ; i <= DMASK; i++)
            if (i != one) ck_assert_double_eq(tg_array_get(got[i], 0), number(0));
        drop(&p), drop(&all);
    }
}
END_TEST

START_TEST(threads_change_no_bit) {
    problem p[2];
    for (int i = 0; i < 2; i++) {
        tg_set_num_threads(i ? _i : 1);
        p[i] = make(TG_F32, 200, 230, 64, 64, ADDED_MASK);
        point(&p[i], true);
        ck_assert_int_eq(tg_attention_forward(&p[i].a), TG_OK);
        ck_assert_int_eq(tg_attention_backward(&p[i].a, &p[i].grad), TG_OK);
    }
    const tg_array *a[] = {&p[0].out, &p[0].lse, &p[0].dq, &p[0].dk, &p[0].dv, &p[0].dmask};
    const tg_array *b[] = {&p[1].out, &p[1].lse, &p[1].dq, &p[1].dk, &p[1].dv, &p[1].dmask};
    for (int k = 0; k < 6; k++)
        ck_assert_msg(memcmp(a[k]->data, b[k]->data, (size_t)a[k]->numel * 4) == 0, "result %d", k);
    drop(&p[0]), drop(&p[1]);
}
END_TEST

START_TEST(no_memory_is_an_error) {
    problem p = make(TG_F32, 3, 4, 5, 6, NO_MASK);
    point(&p, false);
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_attention_forward(&p.a), TG_ERR_MEMORY);
    tg_error_clear();
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_attention_backward(&p.a, &p.grad), TG_ERR_MEMORY);
    tg_memory_fail_at(-1);
    drop(&p);
}
END_TEST

TCase *tcase_attention(void) {
    TCase *t = tcase_create("attention");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, tiles_are_the_definition, 0, isa_count());
    tcase_add_test(t, gradients_may_be_left_out);
    tcase_add_loop_test(t, threads_change_no_bit, 2, 5);
    tcase_add_test(t, no_memory_is_an_error);
    return t;
}
