#include "helpers.h"

#include <math.h>

static tg_mark start;

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
}

static void teardown(void) {
    expect_ok();
    tg_tape_rewind(start);
}

static tg_tensor *vector(double a, double b) {
    double v[2] = {a, b};
    return tg_from(TG_F64, v, 2);
}

static void expect_vector(tg_tensor *t, int n, const double *want) {
    expect_ok();
    ck_assert_int_eq(tg_numel(t), n);
    for (int i = 0; i < n; i++) ck_assert_double_eq_tol(tg_get(t, i), want[i], 1e-12);
}

/* f(x, y) = [x0^2 y0, x0 x1 y1]:  J_x = [[2 x0 y0, 0], [x1 y1, x0 y1]],  J_y = [[x0^2, 0], [0, x0 x1]] */
static tg_tensor *f(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *x0 = tg_slice(in[0], 0, 0, 1, 1);
    return tg_mul(tg_mul(x0, in[1]), in[0]);
}

static double sum_of_cubes_weight;
/* scalar: w * sum(x^3) + 0 * y; the second input is not used */
static tg_tensor *cubes(tg_tensor *const *in, void *user) {
    return tg_mul_scalar(tg_sum(tg_mul(tg_square(in[0]), in[0])), *(double *)user);
}

static tg_tensor *softmax(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_softmax(in[0], -1);
}

START_TEST(test_vjp) {
    tg_tensor *in[2] = {vector(2, 3), vector(5, 7)}, *y, *out[2];
    ck_assert_int_eq(tg_vjp(f, NULL, 2, in, vector(1, 10), &y, out), TG_OK);
    expect_vector(y, 2, (double[]){20, 42});
    expect_vector(out[0], 2, (double[]){20 + 10 * 21, 10 * 14});
    expect_vector(out[1], 2, (double[]){4, 10 * 6});
    ck_assert(!tg_requires_grad(in[0]));
}
END_TEST

START_TEST(test_jvp) {
    tg_tensor *in[2] = {vector(2, 3), vector(5, 7)}, *y, *out, *v[2] = {vector(1, 10), vector(100, 1000)};
    ck_assert_int_eq(tg_jvp(f, NULL, 2, in, v, &y, &out), TG_OK);
    expect_vector(out, 2, (double[]){20 + 400, 21 + 140 + 6000});
}
END_TEST

/* <u, J v> = <J^T u, v> */
START_TEST(test_adjoint_identity) {
    tg_tensor *in[1] = {tg_randn(TG_F64, 0, 1, 3, 4)}, *v[1] = {tg_randn(TG_F64, 0, 1, 3, 4)};
    tg_tensor *u = tg_randn(TG_F64, 0, 1, 3, 4), *jv, *ju;
    ck_assert_int_eq(tg_jvp(softmax, NULL, 1, in, v, NULL, &jv), TG_OK);
    ck_assert_int_eq(tg_vjp(softmax, NULL, 1, in, u, NULL, &ju), TG_OK);
    ck_assert_double_eq_tol(tg_item(tg_sum(tg_mul(u, jv))), tg_item(tg_sum(tg_mul(ju, v[0]))), 1e-12);
}
END_TEST

START_TEST(test_jacobian) {
    tg_tensor *in[2] = {vector(2, 3), vector(5, 7)}, *out[2];
    ck_assert_int_eq(tg_jacobian(f, NULL, 2, in, out), TG_OK);
    ck_assert_int_eq(tg_rank(out[0]), 2);
    expect_vector(out[0], 4, (double[]){20, 0, 21, 14});
    expect_vector(out[1], 4, (double[]){4, 0, 0, 6});
}
END_TEST

START_TEST(test_hessian_and_hvp) {
    sum_of_cubes_weight = 2;
    tg_tensor *in[2] = {vector(2, 3), vector(5, 7)}, *v[2] = {vector(1, 10), vector(1, 1)}, *out[2];
    expect_vector(tg_hessian(cubes, &sum_of_cubes_weight, 2, in), 4, (double[]){24, 0, 0, 36});
    ck_assert_int_eq(tg_hvp(cubes, &sum_of_cubes_weight, 2, in, v, out, .allow_unused = true), TG_OK);
    expect_vector(out[0], 2, (double[]){24, 360});
    expect_vector(out[1], 2, (double[]){0, 0});
}
END_TEST

static tg_tensor *linear(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(in[0]);
}

START_TEST(test_linear_has_no_curvature) {
    tg_tensor *in[1] = {vector(2, 3)}, *out[1], *v[1] = {vector(1, 1)};
    ck_assert_int_eq(tg_hvp(linear, NULL, 1, in, v, out), TG_OK);
    expect_vector(out[0], 2, (double[]){0, 0});
    expect_vector(tg_hessian(linear, NULL, 1, in), 4, (double[]){0, 0, 0, 0});
}
END_TEST

/* ---- third derivatives, against closed forms ---- */

static tg_tensor *wave(tg_tensor *x) { return tg_mul(tg_sin(x), tg_exp(tg_mul_scalar(x, 2))); }
static tg_tensor *fifth(tg_tensor *x) { return tg_mul(tg_square(tg_square(x)), x); }
static tg_tensor *tanh_of(tg_tensor *x) { return tg_tanh(x); }
static tg_tensor *power(tg_tensor *x) { return tg_pow_scalar(x, 5); }
static tg_tensor *quotient(tg_tensor *x) { return tg_div(x, tg_add_scalar(tg_square(x), 1)); }

/* sin x e^(2x) is the imaginary part of e^((2 + i) x), and (2 + i)^3 = 2 + 11 i. */
static double wave_3(double x) { return exp(2 * x) * (2 * sin(x) + 11 * cos(x)); }
static double fifth_3(double x) { return 60 * x * x; }
/* t' = 1 - t^2, t'' = -2 t t', t''' = (6 t^2 - 2) t' */
static double tanh_3(double x) {
    double t = tanh(x);
    return (6 * t * t - 2) * (1 - t * t);
}
/* x / (1 + x^2) is the real part of 1 / (x + i), whose third derivative is -6 / (x + i)^4. */
static double quotient_3(double x) {
    double q = 1 + x * x;
    return -6 * (x * x * x * x - 6 * x * x + 1) / (q * q * q * q);
}

static const struct {
    tg_tensor *(*f)(tg_tensor *x);
    double (*third)(double x);
} cubic[] = {{wave, wave_3}, {fifth, fifth_3}, {power, fifth_3}, {tanh_of, tanh_3}, {quotient, quotient_3}};

/* d(sum y)/dx, differentiable again. Elementwise functions: the derivative at each element. */
static tg_tensor *differentiate(tg_tensor *y, tg_tensor *x) {
    tg_tensor *sum = tg_sum(y), *g = NULL;
    ck_assert_msg(tg_grad(1, &sum, 1, &x, &g, .create_graph = true) == TG_OK, "%s", tg_error_message());
    return g;
}

START_TEST(test_third_derivative) {
    const double at[] = {-1.25, -0.5, 0, 0.75, 1.5};
    tg_tensor *x = tg_set_requires_grad(tg_from(TG_F64, at, 5), true), *y = cubic[_i].f(x);
    for (int order = 0; order < 3; order++) y = differentiate(y, x);
    for (int i = 0; i < 5; i++) {
        double want = cubic[_i].third(at[i]);
        ck_assert_double_eq_tol(tg_get(y, i), want, 1e-12 * (1 + fabs(want)));
    }
}
END_TEST

/* f = x^3 y^2 + e^(xy): the three orders of d3f / dx dx dy are equal, 12 x y + (2 y + x y^2) e^(xy). */
START_TEST(test_mixed_third_derivatives) {
    const double a = 0.75, b = -1.25, want = 12 * a * b + (2 * b + a * b * b) * exp(a * b);
    tg_tensor *v[2] = {tg_set_requires_grad(tg_scalar(TG_F64, a), true),
                       tg_set_requires_grad(tg_scalar(TG_F64, b), true)};
    static const int order[3][3] = {{0, 0, 1}, {0, 1, 0}, {1, 0, 0}};
    tg_tensor *f = tg_add(tg_mul(tg_mul(tg_square(v[0]), v[0]), tg_square(v[1])), tg_exp(tg_mul(v[0], v[1])));
    for (int i = 0; i < 3; i++) {
        tg_tensor *g = f;
        for (int k = 0; k < 3; k++) g = differentiate(g, v[order[i][k]]);
        ck_assert_double_eq_tol(tg_item(g), want, 1e-12);
    }
}
END_TEST

START_TEST(test_errors) {
    tg_tensor *in[1] = {vector(2, 3)}, *out[1];
    ck_assert_int_eq(tg_jacobian(NULL, NULL, 1, in, out), TG_ERR_ARGUMENT);
    ck_assert(tg_is_poison(out[0]));
    expect_error(TG_ERR_ARGUMENT, "function");
    tg_tensor *ints[1] = {tg_zeros(TG_I64, 2)};
    ck_assert_int_eq(tg_vjp(linear, NULL, 1, ints, NULL, NULL, out), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "i64");
    tg_tensor *high[1] = {tg_ones(TG_F64, 1, 1, 1, 1, 1)};
    ck_assert_int_eq(tg_jacobian(f, NULL, 1, ((tg_tensor *[]){NULL}), out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_jacobian(softmax, NULL, 1, high, out), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "axes");
}
END_TEST

TCase *tcase_functional(void) {
    TCase *tc = tcase_create("functional");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_vjp);
    tcase_add_test(tc, test_jvp);
    tcase_add_test(tc, test_adjoint_identity);
    tcase_add_test(tc, test_jacobian);
    tcase_add_test(tc, test_hessian_and_hvp);
    tcase_add_test(tc, test_linear_has_no_curvature);
    tcase_add_loop_test(tc, test_third_derivative, 0, sizeof cubic / sizeof *cubic);
    tcase_add_test(tc, test_mixed_third_derivatives);
    tcase_add_test(tc, test_errors);
    return tc;
}
