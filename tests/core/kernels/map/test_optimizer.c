/* The optimisers' kernels against the reference: every instruction set, length and stride, to the bit. */
#include "core/kernels/simd/table.h"
#include "core/update.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_update(void);

enum { MOST = 812, STRIDE = 3, OPERANDS = 5 };
static double start[OPERANDS][MOST * STRIDE + 8], wide[2][OPERANDS][MOST * STRIDE + 8];
static float narrow[2][OPERANDS][MOST * STRIDE + 8];

static const tg_sgd_step sgd = {0.1, 0.01, 0.9, 0.8, 0.3, 0.7};
static const tg_adam_step adam = {0.01, 0.9, 0.1, 0.99, 0.01, 0.98, 0.2, 3, 1e-8};
static const tg_rms_step rms = {0.1, -1, 0.01, 0.9, 0.2, 3, 1e-3, 0.7};
static const tg_adadelta_step adadelta = {0.3, -1, 0.01, 0.9, 0.2, 1e-3};
static const tg_adamax_step adamax = {0.3, -1, 0.01, 0.1, 0.9, 1e-3};
static const tg_lion_step lion = {0.1, -1, 0.01, 0.9, 0.1, 0.99, 0.02, 0.98};

/* Every kernel, and what it is given. */
enum { KERNELS = 11 };
static tg_run *kernel(const tg_kernel_set *k, int i, const void **step) {
    tg_run *const run[KERNELS] = {k->sgd,    k->momentum, k->adam,     k->amsgrad, k->rms[0], k->rms[1],
                                  k->rms[2], k->rms[3],   k->adadelta, k->adamax,  k->lion};
    const void *const arg[KERNELS] = {&sgd, &sgd, &adam,     &adam,   &rms, &rms,
                                      &rms, &rms, &adadelta, &adamax, &lion};
    return *step = arg[i], run[i];
}

/* Second moments are not negative; the rest is anything. */
static void setup(void) {
    for (int k = 0; k < OPERANDS; k++)
        for (int i = 0; i < MOST * STRIDE + 8; i++)
            start[k][i] = k == 1 || k == 2 ? 0.013 * (i % 97) : 0.37 * ((i * 31 + k * 17) % 101 - 50) / 50;
}

static void reset(int which) {
    memcpy(wide[which], start, sizeof start);
    for (int k = 0; k < OPERANDS; k++)
        for (int i = 0; i < MOST * STRIDE + 8; i++) narrow[which][k][i] = (float)start[k][i];
}

static void call(tg_run *run, bool f64, int which, int64_t n, const tg_strides *s, const void *step) {
    tg_operands p;
    for (int k = 0; k < OPERANDS; k++)
        p.each[k] = f64 ? (char *)&wide[which][k][1] : (char *)&narrow[which][k][1];
    run(n, &p, s, step);
}

static void compare(int kernel, tg_run *run, tg_run *reference, bool f64, int64_t n, const tg_strides *s,
                    const void *step) {
    reset(0), reset(1);
    call(run, f64, 0, n, s, step);
    call(reference, f64, 1, n, s, step);
    int differs = f64 ? memcmp(wide[0], wide[1], sizeof *wide) : memcmp(narrow[0], narrow[1], sizeof *narrow);
    ck_assert_msg(differs == 0, "kernel %d, f%d, length %d, strides %d %d", kernel, f64 ? 64 : 32, (int)n,
                  (int)s->out, (int)s->a);
}

START_TEST(agrees_with_the_reference) {
    static const tg_strides strides[] = {{.each = {1, 1, 1, 1, 1}},
                                         {.each = {3, 1, 1, 1, 2}},
                                         {.each = {1, 2, 3, 1, 1}},
                                         {.each = {1, 1, 1, 0}},
                                         {.each = {1, 1, 1, 1, 0}}};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]), *ref = tg_kernels_of_isa("ref");
    for (int f64 = 0; k && f64 < 2; f64++) {
        const tg_kernel_set *a = k->real[f64], *b = ref->real[f64];
        const int64_t w = a->lanes;
        const int64_t lengths[] = {0, 1, w - 1, w, w + 1, 2 * w + 1, 64, MOST};
        for (int l = 0; l < 8; l++)
            for (int i = 0; i < 5 * KERNELS; i++) {
                const void *step; /* what is written has no stride of 0 */
                if (i % 5 == 3 &&
                    (a->amsgrad == kernel(a, i / 5, &step) || a->rms[3] == kernel(a, i / 5, &step)))
                    continue;
                tg_run *run = kernel(a, i / 5, &step), *reference = kernel(b, i / 5, &step);
                compare(i / 5, run, reference, f64, lengths[l], &strides[i % 5], step);
            }
    }
}
END_TEST

/* The reference itself, at one element: p = 2, m = 0.5, v = 4, g = -1. */
START_TEST(reference_is_the_formula) {
    const tg_kernel_set *k = tg_kernels_of_isa("ref")->real[TG_F64];
    const tg_strides ones = {.each = {1, 1, 1, 1, 1}};
    double p = 2, m = 0.5, v = 4, g = -1, d = -1 + 0.01 * 2;
    k->sgd(1, &(tg_operands){.out = (char *)&p, .a = (char *)&g}, &ones, &sgd);
    ck_assert_double_eq_tol(p, 2 - 0.1 * d, 1e-15);
    p = 2;
    k->momentum(1, &(tg_operands){.out = (char *)&p, .a = (char *)&m, .b = (char *)&g}, &ones, &sgd);
    ck_assert_double_eq_tol(m, 0.9 * 0.5 + 0.8 * d, 1e-15);
    ck_assert_double_eq_tol(p, 2 - 0.1 * (0.3 * d + 0.7 * m), 1e-15);
    p = 2, m = 0.5;
    k->adam(1, &(tg_operands){.each = {(char *)&p, (char *)&m, (char *)&v, (char *)&g}}, &ones, &adam);
    ck_assert_double_eq_tol(m, 0.9 * 0.5 + 0.1 * d, 1e-15);
    ck_assert_double_eq_tol(v, 0.99 * 4 + 0.01 * d * d, 1e-15);
    ck_assert_double_eq_tol(p, 0.98 * 2 - 0.2 * m / (3 * sqrt(v) + 1e-8), 1e-15);
    for (int i = 0; i < 2; i++) {
        double w = i ? 5 : 1;
        p = 2, m = 0.5, v = 4;
        k->amsgrad(1, &(tg_operands){.each = {(char *)&p, (char *)&m, (char *)&v, (char *)&w, (char *)&g}},
                   &ones, &adam);
        ck_assert_double_eq_tol(v, 0.99 * 4 + 0.01 * d * d, 1e-15);
        ck_assert_double_eq(w, i ? 5 : v);
        ck_assert_double_eq_tol(p, 0.98 * 2 - 0.2 * m / (3 * sqrt(w) + 1e-8), 1e-15);
    }
}
END_TEST

/* The others at p = 2 and g = -1, of which they take d = 1.02. */
START_TEST(root_mean_squares) {
    const tg_kernel_set *k = tg_kernels_of_isa("ref")->real[TG_F64];
    const tg_strides ones = {.each = {1, 1, 1, 1, 1}};
    const double d = 1 + 0.01 * 2;
    for (int form = 0; form < 4; form++) {
        double p = 2, v = 4, a = 0.5, b = 0.25, g = -1;
        tg_operands at = {.each = {(char *)&p, (char *)&v}};
        int n = 2;
        if (form & 1) at.each[n++] = (char *)&a;
        if (form & 2) at.each[n++] = (char *)&b;
        at.each[n] = (char *)&g;
        k->rms[form](1, &at, &ones, &rms);
        ck_assert_double_eq_tol(v, 0.9 * 4 + 0.2 * d * d + 3, 1e-15);
        ck_assert_double_eq_tol(a, form & 1 ? 0.5 + 0.2 * (d - 0.5) : 0.5, 1e-15);
        double u = d / (sqrt(form & 1 ? v - a * a : v) + 1e-3);
        ck_assert_double_eq_tol(b, form & 2 ? 0.7 * 0.25 + u : 0.25, 1e-15);
        ck_assert_double_eq_tol(p, 2 - 0.1 * (form & 2 ? b : u), 1e-15);
    }
}
END_TEST

START_TEST(other_formulas) {
    const tg_kernel_set *k = tg_kernels_of_isa("ref")->real[TG_F64];
    const tg_strides ones = {.each = {1, 1, 1, 1, 1}};
    double p = 2, v = 4, u = 0.5, g = -1, d = 1 + 0.01 * 2;
    tg_operands at = {.each = {(char *)&p, (char *)&v, (char *)&u, (char *)&g}};
    k->adadelta(1, &at, &ones, &adadelta);
    ck_assert_double_eq_tol(v, 0.9 * 4 + 0.2 * d * d, 1e-15);
    double move = d * sqrt(0.5 + 1e-3) / sqrt(v + 1e-3);
    ck_assert_double_eq_tol(u, 0.9 * 0.5 + 0.2 * move * move, 1e-15);
    ck_assert_double_eq_tol(p, 2 - 0.3 * move, 1e-15);
    for (int i = 0; i < 2; i++) {
        p = 2, v = 4, u = i ? 0.5 : 2;
        k->adamax(1, &at, &ones, &adamax);
        ck_assert_double_eq_tol(v, 4 + 0.1 * (d - 4), 1e-15);
        ck_assert_double_eq_tol(u, i ? d + 1e-3 : 0.9 * 2, 1e-15);
        ck_assert_double_eq_tol(p, 2 - 0.3 * v / u, 1e-15);
    }
    static const double before[] = {4, -4, 0}, sign[] = {1, -1, 0};
    for (int i = 0; i < 3; i++) {
        tg_lion_step c = lion;
        if (i == 2) c.decay = c.c1 = 0, g = 0;
        p = 2, v = before[i];
        k->lion(1, &(tg_operands){.each = {(char *)&p, (char *)&v, (char *)&g}}, &ones, &c);
        ck_assert_double_eq_tol(v, i == 2 ? 0 : 0.99 * before[i] + 0.02 * d, 1e-15);
        ck_assert_double_eq_tol(p, 0.98 * 2 - 0.1 * sign[i], 1e-15);
    }
    p = 2, v = NAN, g = 1;
    k->lion(1, &(tg_operands){.each = {(char *)&p, (char *)&v, (char *)&g}}, &ones, &lion);
    ck_assert(isnan(p) && isnan(v));
}
END_TEST

TCase *tcase_update(void) {
    TCase *t = tcase_create("update");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, agrees_with_the_reference, 0, isa_count());
    tcase_add_test(t, reference_is_the_formula);
    tcase_add_test(t, root_mean_squares);
    tcase_add_test(t, other_formulas);
    return t;
}
