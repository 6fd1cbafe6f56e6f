/* Adam and AdamW by their formulas. */
#include "tests/ops/nn/lone.h"

static double by_hand(double p, double m, double v, double g, double decay, bool decoupled, int t) {
    double d = decoupled ? g : g + decay * p;
    m = 0.9 * m + 0.1 * d;
    v = 0.99 * v + 0.01 * d * d;
    double step = 0.5 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.99, t))) + 1e-3);
    return (decoupled ? p * (1 - 0.5 * decay) : p) - step;
}

/* Step number t from given moments. */
START_TEST(one_step) {
    static const double p0[] = {1, 2, -3}, m0[] = {0.1, -0.2, 0}, v0[] = {0.3, 0.01, 1}, g[] = {0.5, 0, -1};
    for (int decoupled = 0; decoupled < 2; decoupled++)
        for (int t = 2; t < 5; t++) {
            lone l = lone_new((tg_dtype)_i, 3, p0);
            tg_optim *o =
                tg_adam(l.model, 0.5, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.1, .decoupled = decoupled);
            lone_state(l, o, t - 1, m0, v0);
            lone_step(l, o, g);
            double want[3];
            for (int i = 0; i < 3; i++) want[i] = by_hand(p0[i], m0[i], v0[i], g[i], 0.1, decoupled, t);
            expect_elements(l.p, want, _i == TG_F32 ? 1e-6 : 1e-14);
            lone_end(l, o);
        }
}
END_TEST

/* A thousand steps with gradients of changing sign against the recurrence in long double. */
START_TEST(a_thousand_steps) {
    const long double b1 = 0.9L, b2 = 0.999L;
    long double p = 1, m = 0, v = 0;
    lone l = lone_new((tg_dtype)_i, 3, (double[]){1, 1, 1});
    tg_optim *o = tg_adam(l.model, 1e-2);
    for (int t = 1; t <= 1000; t++) {
        double d = t % 7 - 2.5;
        lone_step(l, o, (double[]){d, d, d});
        m = b1 * m + (1 - b1) * d, v = b2 * v + (1 - b2) * d * d;
        p -= 1e-2L * (m / (1 - powl(b1, t))) / (sqrtl(v / (1 - powl(b2, t))) + 1e-8L);
    }
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(tg_get(l.p, i), (double)p, _i == TG_F64 ? 1e-12 : 1e-4);
    lone_end(l, o);
}
END_TEST

/* Fifteen hundred steps, with and without each option, in double by the formula; the moments too. */
START_TEST(long_training) {
    enum { N = 11, STEPS = 1500 };
    tg_dtype dtype = (tg_dtype)(_i % 2);
    bool decoupled = _i & 2;
    double decay = _i & 4 ? 0.02 : 0, p[N], m[N] = {0}, v[N] = {0}, d[N], tolerance = dtype ? 1e-11 : 2e-4;
    for (int i = 0; i < N; i++) p[i] = i - 5;
    lone l = lone_new(dtype, N, p);
    tg_optim *o = tg_adam(l.model, 0.01, .weight_decay = decay, .decoupled = decoupled);
    for (int64_t t = 1; t <= STEPS; t++) {
        for (int i = 0; i < N; i++) d[i] = dtype ? gradient_at(t, i) : (float)gradient_at(t, i);
        lone_step(l, o, d);
        for (int i = 0; i < N; i++) {
            if (decoupled)
                p[i] *= 1 - 0.01 * decay;
            else
                d[i] += decay * p[i];
            m[i] = 0.9 * m[i] + 0.1 * d[i], v[i] = 0.999 * v[i] + 0.001 * d[i] * d[i];
            p[i] -=
                0.01 * (m[i] / (1 - pow(0.9, (double)t))) / (sqrt(v[i] / (1 - pow(0.999, (double)t))) + 1e-8);
        }
        if (t > 3 && t % 250 != 0) continue;
        expect_elements(l.p, p, tolerance * (dtype ? 1 : 0.02 * sqrt((double)t)));
        expect_elements(lone_moment(o, 0), m, tolerance);
        expect_elements(lone_moment(o, 1), v, tolerance);
    }
    lone_end(l, o);
}
END_TEST

/* Of every number where 0 stands for another, 0 itself can be asked for, at the start and later. */
START_TEST(zero_itself) {
    static const char *const names[] = {"beta1", "beta2", "eps"};
    static const double standard[] = {0.9, 0.999, 1e-8};
    lone l = lone_new(TG_F64, 1, (double[]){1});
    tg_optim *left_out = tg_adam(l.model, 0.1),
             *asked = tg_adam(l.model, 0.1, .beta1 = TG_ZERO, .beta2 = TG_ZERO, .eps = TG_ZERO);
    for (int i = 0; i < 3; i++) {
        ck_assert(tg_optim_get(left_out, names[i]) == standard[i]);
        ck_assert(tg_optim_get(asked, names[i]) == 0 && !signbit(tg_optim_get(asked, names[i])));
        ck_assert_int_eq(tg_optim_set(left_out, names[i], 0), TG_OK);
        ck_assert(tg_optim_get(left_out, names[i]) == 0);
    }
    lone_step(l, asked, (double[]){-3}); /* p -= lr sign(g) */
    expect_elements(l.p, (double[]){1.1}, 1e-15);
    tg_optim_free(left_out);
    lone_end(l, asked);
}
END_TEST

TCase *tcase_adam(void);
TCase *tcase_adam(void) {
    TCase *t = tcase_create("adam");
    tcase_add_loop_test(t, one_step, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, a_thousand_steps, TG_F32, TG_F64 + 1);
    tcase_add_loop_test(t, long_training, 0, 8);
    tcase_add_test(t, zero_itself);
    return t;
}
