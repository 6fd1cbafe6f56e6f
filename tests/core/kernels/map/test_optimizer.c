/* The optimisers' kernels against the reference: every instruction set, length and stride, to the bit. */
#include "core/kernels/simd/table.h"
#include "core/update.h"
#include "tests/core/kernels/isas.h"

#include <check.h>
#include <math.h>
#include <string.h>

TCase *tcase_update(void);

enum { MOST = 812, STRIDE = 3, OPERANDS = 4 };
static double start[OPERANDS][MOST * STRIDE + 8], wide[2][OPERANDS][MOST * STRIDE + 8];
static float narrow[2][OPERANDS][MOST * STRIDE + 8];

static const tg_sgd_step sgd = {0.1, 0.01, 0.9, 0.3, 0.7};
static const tg_adam_step adam = {0.01, 0.9, 0.1, 0.99, 0.01, 0.98, 0.2, 3, 1e-8};

/* Second moments are not negative; the rest is anything. */
static void setup(void) {
    for (int k = 0; k < OPERANDS; k++)
        for (int i = 0; i < MOST * STRIDE + 8; i++)
            start[k][i] = k == 2 ? 0.013 * (i % 97) : 0.37 * ((i * 31 + k * 17) % 101 - 50) / 50;
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

static void compare(tg_run *run, tg_run *reference, bool f64, int64_t n, const tg_strides *s, const void *step) {
    reset(0), reset(1);
    call(run, f64, 0, n, s, step);
    call(reference, f64, 1, n, s, step);
    int differs = f64 ? memcmp(wide[0], wide[1], sizeof *wide) : memcmp(narrow[0], narrow[1], sizeof *narrow);
    ck_assert_msg(differs == 0, "f%d, length %d, strides %d %d", f64 ? 64 : 32, (int)n, (int)s->out, (int)s->a);
}

START_TEST(agrees_with_the_reference) {
    static const tg_strides strides[] = {{{1, 1, 1, 1}}, {{3, 1, 1, 1}}, {{1, 2, 3, 1}}, {{1, 1, 1, 0}}};
    const tg_kernels *k = tg_kernels_of_isa(tg_kernel_isas[_i]), *ref = tg_kernels_of_isa("ref");
    for (int f64 = 0; k && f64 < 2; f64++) {
        const tg_kernel_set *a = k->real[f64], *b = ref->real[f64];
        const int64_t w = a->lanes;
        const int64_t lengths[] = {0, 1, w - 1, w, w + 1, 2 * w + 1, 64, MOST};
        for (int l = 0; l < 8; l++)
            for (int i = 0; i < 4; i++) {
                compare(a->sgd, b->sgd, f64, lengths[l], &strides[i], &sgd);
                compare(a->momentum, b->momentum, f64, lengths[l], &strides[i], &sgd);
                compare(a->adam, b->adam, f64, lengths[l], &strides[i], &adam);
            }
    }
}
END_TEST

/* The reference itself, at one element: p = 2, m = 0.5, v = 4, g = -1. */
START_TEST(reference_is_the_formula) {
    const tg_kernel_set *k = tg_kernels_of_isa("ref")->real[TG_F64];
    const tg_strides ones = {{1, 1, 1, 1}};
    double p = 2, m = 0.5, v = 4, g = -1, d = -1 + 0.01 * 2;
    k->sgd(1, &(tg_operands){.out = (char *)&p, .a = (char *)&g}, &ones, &sgd);
    ck_assert_double_eq_tol(p, 2 - 0.1 * d, 1e-15);
    p = 2;
    k->momentum(1, &(tg_operands){.out = (char *)&p, .a = (char *)&m, .b = (char *)&g}, &ones, &sgd);
    ck_assert_double_eq_tol(m, 0.9 * 0.5 + d, 1e-15);
    ck_assert_double_eq_tol(p, 2 - 0.1 * (0.3 * d + 0.7 * m), 1e-15);
    p = 2, m = 0.5;
    k->adam(1, &(tg_operands){{(char *)&p, (char *)&m, (char *)&v, (char *)&g}}, &ones, &adam);
    ck_assert_double_eq_tol(m, 0.9 * 0.5 + 0.1 * d, 1e-15);
    ck_assert_double_eq_tol(v, 0.99 * 4 + 0.01 * d * d, 1e-15);
    ck_assert_double_eq_tol(p, 0.98 * 2 - 0.2 * m / (3 * sqrt(v) + 1e-8), 1e-15);
}
END_TEST

TCase *tcase_update(void) {
    TCase *t = tcase_create("update");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, agrees_with_the_reference, 0, isa_count());
    tcase_add_test(t, reference_is_the_formula);
    return t;
}
