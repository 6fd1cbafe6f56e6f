#include "helpers.h"

#include <math.h>

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
    tg_tensor *in[1] = {tg_normal(TG_F64, 0, 1, 3, 4)}, *v[1] = {tg_normal(TG_F64, 0, 1, 3, 4)};
    tg_tensor *u = tg_normal(TG_F64, 0, 1, 3, 4), *jv, *ju;
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

/* ---- by name: f reaches a leaf by another way than `in` ---- */

static tg_tensor *named; /* a parameter */
static tg_tensor *cubes_by_name(tg_tensor *const *in, void *user) {
    (void)in, (void)user;
    return tg_sum(tg_mul(tg_square(named), named));
}
static tg_tensor *squares_by_name(tg_tensor *const *in, void *user) {
    (void)in, (void)user;
    return tg_square(named);
}

START_TEST(test_leaves_by_name) {
    named = param(TG_SHAPE(2)); /* 1, 2 */
    tg_tensor *out, *y, *v = vector(10, 100);
    bool was = tg_set_grad_enabled(_i == 0); /* f is recorded in any case */
    ck_assert_int_eq(tg_vjp(squares_by_name, NULL, 1, &named, v, &y, &out), TG_OK);
    expect_vector(y, 2, (double[]){1, 4});
    ck_assert(!tg_requires_grad(y));
    expect_vector(out, 2, (double[]){20, 400});
    ck_assert_int_eq(tg_jvp(squares_by_name, NULL, 1, &named, &v, &y, &out), TG_OK);
    expect_vector(y, 2, (double[]){1, 4});
    expect_vector(out, 2, (double[]){20, 400});
    ck_assert_int_eq(tg_jacobian(squares_by_name, NULL, 1, &named, &out), TG_OK);
    expect_vector(out, 4, (double[]){2, 0, 0, 4});
    expect_vector(tg_hessian(cubes_by_name, NULL, 1, &named), 4, (double[]){6, 0, 0, 12});
    ck_assert_int_eq(tg_hvp(cubes_by_name, NULL, 1, &named, &v, &out), TG_OK);
    expect_vector(out, 2, (double[]){60, 1200});
    ck_assert(tg_set_grad_enabled(was) == (_i == 0));
    ck_assert(!tg_has_grad(named) && tg_requires_grad(named));
    tg_free(named);
}
END_TEST

/* The partial derivatives of x y by two mentions of one leaf are apart, and of a result by what it was made of. */
static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], in[1]);
}

START_TEST(test_mentions_are_apart) {
    tg_tensor *x = leaf(3), *y = tg_square(x), *twice[2] = {x, x}, *both[2] = {x, y}, *g[2];
    ck_assert_int_eq(tg_jacobian(product, NULL, 2, twice, g), TG_OK);
    expect_value(g[0], 3);
    expect_value(g[1], 3);
    ck_assert_int_eq(tg_jacobian(product, NULL, 2, both, g), TG_OK);
    expect_value(g[0], 9);
    expect_value(g[1], 3);
}
END_TEST

/* ---- what f does not depend on ---- */

static tg_tensor *first(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_square(in[0]));
}
static tg_tensor *constant(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_detach(in[0]));
}

START_TEST(test_no_silent_zeros) {
    tg_function of = _i ? constant : first;
    const char *word = _i ? "depends on no input" : "input 1";
    tg_tensor *in[2] = {vector(2, 3), vector(5, 7)}, *v[2] = {vector(1, 1), vector(1, 1)}, *out[2], *y;
    tg_tensor *one = tg_scalar(TG_F64, 1);
    double g = _i ? 0 : 2;
    ck_assert_int_eq(tg_vjp(of, NULL, 2, in, one, &y, out), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_vjp", word, "allow_unused");
    ck_assert(tg_is_poison(y) && tg_is_poison(out[0]) && tg_is_poison(out[1]));
    ck_assert_int_eq(tg_vjp(of, NULL, 2, in, one, &y, out, .allow_unused = true), TG_OK);
    expect_vector(out[0], 2, (double[]){2 * g, 3 * g});
    expect_vector(out[1], 2, (double[]){0, 0});
    ck_assert_int_eq(tg_jvp(of, NULL, 2, in, v, &y, out), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_jvp", word);
    ck_assert_int_eq(tg_jvp(of, NULL, 2, in, v, &y, out, .allow_unused = true), TG_OK);
    expect_value(out[0], 5 * g);
    ck_assert_int_eq(tg_hvp(of, NULL, 2, in, v, out), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_hvp", word);
    ck_assert_int_eq(tg_hvp(of, NULL, 2, in, v, out, .allow_unused = true), TG_OK);
    expect_vector(out[0], 2, (double[]){g, g});
    ck_assert_int_eq(tg_jacobian(of, NULL, 2, in, out), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "tg_jacobian", _i ? "no history" : word);
    ck_assert_int_eq(tg_jacobian(of, NULL, 2, in, out, .allow_unused = true), TG_OK);
    expect_vector(out[1], 2, (double[]){0, 0});
    tg_tensor *h = tg_hessian(of, NULL, 2, in); /* which asks for in[0] alone */
    ck_assert_int_eq(tg_is_poison(h), _i);
    if (_i) expect_error(TG_ERR_TAPE, "tg_hessian", word);
    expect_vector(tg_hessian(of, NULL, 2, in, .allow_unused = true), 4, (double[]){g, 0, 0, g});
}
END_TEST

/* ---- functions that change the dtype ---- */

static tg_tensor *narrow(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_to(tg_square(in[0]), TG_F32);
}
static tg_tensor *widen(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_square(tg_to(in[0], TG_F64));
}

START_TEST(test_functions_that_change_the_dtype) {
    enum { N = 37 }; /* so many that elements of another size leave the buffer */
    tg_tensor *x = tg_full(_i ? TG_F32 : TG_F64, 3, N), *out, *back, *v = tg_full(_i ? TG_F32 : TG_F64, 2, N),
              *jv;
    tg_function of = _i ? widen : narrow;
    tg_dtype dtype = _i ? TG_F64 : TG_F32;
    ck_assert_int_eq(tg_jacobian(of, NULL, 1, &x, &out), TG_OK);
    ck_assert_int_eq(tg_dtype_of(out), dtype);
    for (int i = 0; i < N * N; i++) ck_assert_double_eq(tg_get(out, i), i % (N + 1) == 0 ? 6 : 0);
    ck_assert_int_eq(tg_vjp(of, NULL, 1, &x, tg_full(dtype, 5, N), NULL, &back), TG_OK);
    ck_assert(tg_dtype_of(back) == tg_dtype_of(x) && tg_get(back, N - 1) == 30);
    ck_assert_int_eq(tg_jvp(of, NULL, 1, &x, &v, NULL, &jv), TG_OK);
    ck_assert(tg_dtype_of(jv) == dtype && tg_get(jv, N - 1) == 12);
    ck_assert_int_eq(tg_vjp(of, NULL, 1, &x, tg_full(_i ? TG_F32 : TG_F64, 5, N), NULL, &back), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "tg_vjp", "seed");
    ck_assert_int_eq(tg_jvp(of, NULL, 1, &x, ((tg_tensor *[]){tg_ones(dtype, N)}), NULL, &jv), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "tg_jvp", "seed");
}
END_TEST

static tg_tensor *narrow_sum(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_mul(tg_to(tg_square(in[0]), TG_F32), tg_to(in[0], TG_F32)));
}

START_TEST(test_hessian_through_another_dtype) {
    tg_tensor *x = vector(1, 2), *h = tg_hessian(narrow_sum, NULL, 1, &x);
    expect_vector(h, 4, (double[]){6, 0, 0, 12});
    ck_assert_int_eq(tg_dtype_of(h), TG_F64);
}
END_TEST

/* ---- infinite slopes at other elements than the row's ---- */

static tg_tensor *ends; /* 2, 3, 0, 1 */
static tg_tensor *over_ends(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_div(in[0], ends);
}
static tg_tensor *scaled_root(tg_tensor *const *in,
                              void *user) { /* a function of a function: x reaches each by s */
    (void)user;
    return tg_sqrt(tg_mul(in[0], ends));
}
static tg_tensor *log_of_ends(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_exp(tg_log(tg_mul(ends, in[0])));
}
static tg_tensor *power_of_ends(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_pow_scalar(tg_mul(ends, in[0]), 0.5);
}
static tg_tensor *atanh_of_ends(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_atanh(tg_mul(tg_mul_scalar(ends, 0.25), in[0])); /* at 2: 1, 1.5, 0, 0.5 */
}
static tg_tensor *total(tg_tensor *const *in, void *user) { return tg_sum(over_ends(in, user)); }

START_TEST(test_infinite_slopes_stay_in_their_row) {
    const double v[] = {2, 3, 0, 1};
    ends = tg_from(TG_F64, v, 4);
    static const struct {
        tg_function f;
        double at, want[4]; /* NaN stands for "not a number, as the slope there is" */
    } rows[] = {{over_ends, 3, {1 / 2.0, 1 / 3.0, INFINITY, 1}},
                {scaled_root,
                 4,
                 {0.35355339059327376, 0.4330127018922193, NAN, 0.25}}, /* e / (2 sqrt(4 e)); at 0: inf * 0 */
                {log_of_ends, 5, {2, 3, NAN, 1}},                       /* at 0: 0 * inf */
                {power_of_ends, 4, {0.35355339059327376, 0.4330127018922193, NAN, 0.25}},
                {atanh_of_ends, 2, {INFINITY, -0.6, 0, 1 / 3.0}}}; /* (e/4) / (1 - (e/2)^2) */
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        tg_tensor *x = tg_scalar(TG_F64, rows[r].at), *j;
        ck_assert_int_eq(tg_jacobian(rows[r].f, NULL, 1, &x, &j), TG_OK);
        for (int i = 0; i < 4; i++) {
            double is = tg_get(j, i), want = rows[r].want[i];
            bool right = isnan(want)   ? isnan(is) || is == 0 || isinf(is)
                         : isinf(want) ? is == want
                                       : fabs(is - want) <= 1e-15;
            ck_assert_msg(right, "row %zu, element %d: %.17g, not %.17g", r, i, is, want);
        }
    }
    /* beyond elementwise ops arithmetic is arithmetic: 3 / (2, 3, 0, 1) summed has one slope, and it is infinite */
    tg_tensor *x = tg_scalar(TG_F64, 3), *j;
    ck_assert_int_eq(tg_jacobian(total, NULL, 1, &x, &j), TG_OK);
    ck_assert(tg_item(j) == INFINITY);
}
END_TEST

/* d2/dx2 of sum(a^2 sqrt(x)) by x: -a^2/4 x^(-3/2) on the diagonal, infinite at x = 0 and there alone. */
static tg_tensor *roots(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_sqrt(in[0]));
}

START_TEST(test_infinite_curvature_stays_in_its_row) {
    const double v[] = {4, 0, 1};
    tg_tensor *x = tg_from(TG_F64, v, 3), *h = tg_hessian(roots, NULL, 1, &x);
    const double want[9] = {-1 / 32.0, 0, 0, 0, -INFINITY, 0, 0, 0, -0.25};
    for (int i = 0; i < 9; i++)
        if (i != 4) ck_assert_double_eq(tg_get(h, i), want[i]);
    ck_assert(!isfinite(tg_get(h, 4)));
}
END_TEST

START_TEST(test_null_pointers) {
    tg_tensor *x = vector(1, 2), *out, *v = vector(1, 1);
    ck_assert_int_eq(tg_vjp(linear, NULL, 1, NULL, NULL, NULL, &out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_vjp");
    ck_assert_int_eq(tg_vjp(linear, NULL, 1, &x, NULL, NULL, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_vjp");
    ck_assert_int_eq(tg_jvp(linear, NULL, 1, &x, NULL, NULL, &out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_jvp");
    ck_assert_int_eq(tg_jvp(linear, NULL, -1, &x, &v, NULL, &out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_jvp");
    ck_assert_int_eq(tg_hvp(linear, NULL, 1, &x, &v, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_hvp");
    ck_assert_int_eq(tg_jacobian(linear, NULL, 0, &x, &out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_jacobian");
    ck_assert(tg_is_poison(tg_hessian(NULL, NULL, 1, &x)));
    expect_error(TG_ERR_ARGUMENT, "tg_hessian");
}
END_TEST

TCase *tcase_functional(void) {
    TCase *tc = tcase_create("functional");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, test_vjp);
    tcase_add_test(tc, test_jvp);
    tcase_add_test(tc, test_adjoint_identity);
    tcase_add_test(tc, test_jacobian);
    tcase_add_test(tc, test_hessian_and_hvp);
    tcase_add_test(tc, test_linear_has_no_curvature);
    tcase_add_loop_test(tc, test_third_derivative, 0, sizeof cubic / sizeof *cubic);
    tcase_add_test(tc, test_mixed_third_derivatives);
    tcase_add_test(tc, test_errors);
    tcase_add_loop_test(tc, test_leaves_by_name, 0, 2);
    tcase_add_test(tc, test_mentions_are_apart);
    tcase_add_loop_test(tc, test_no_silent_zeros, 0, 2);
    tcase_add_loop_test(tc, test_functions_that_change_the_dtype, 0, 2);
    tcase_add_test(tc, test_hessian_through_another_dtype);
    tcase_add_test(tc, test_infinite_slopes_stay_in_their_row);
    tcase_add_test(tc, test_infinite_curvature_stays_in_its_row);
    tcase_add_test(tc, test_null_pointers);
    return tc;
}
