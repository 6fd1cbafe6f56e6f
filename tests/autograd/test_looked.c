/* Gradients that are looked at while they are written: wherever one element is not finite the check fails, where all are finite it
 * does not, and it changes no bit. */
#include "tests/autograd/helpers.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

enum { N = 128 * 161 + 1 }; /* of more than one block, and no whole number of vectors */

static void put(tg_tensor *t, double v, int64_t at) {
    void *p = tg_data_mut(t);
    if (tg_dtype_of(t) == TG_F32)
        ((float *)p)[at] = (float)v;
    else
        ((double *)p)[at] = v;
}

static tg_tensor *other(tg_tensor *x, tg_shape shape) { return tg_full_with(tg_dtype_of(x), 0.5, shape); }

static tg_tensor *by_exp(tg_tensor *x) { return tg_exp(x); }
static tg_tensor *by_gelu(tg_tensor *x) { return tg_gelu(x); }
static tg_tensor *by_mul(tg_tensor *x) { return tg_mul(x, other(x, tg_shape_of(x))); }
static tg_tensor *by_scalar(tg_tensor *x) { return tg_mul(x, other(x, TG_SCALAR)); }
static tg_tensor *by_sum_of_two(tg_tensor *x) { return tg_mul(x, tg_sigmoid(x)); }
static tg_tensor *by_sharing(tg_tensor *x) { return tg_add(x, other(x, tg_shape_of(x))); }
static tg_tensor *turned(tg_tensor *x) { return tg_exp(tg_transpose(x, 0, 1)); }
static tg_tensor *by_softmax(tg_tensor *x) { return tg_softmax(x, -1); }
static tg_tensor *by_log_softmax(tg_tensor *x) { return tg_log_softmax(x, -1); }
static tg_tensor *by_columns(tg_tensor *x) { return tg_softmax(x, 0); }
static tg_tensor *by_layer_norm(tg_tensor *x) { return tg_layer_norm(x); }
static tg_tensor *by_rms_norm(tg_tensor *x) { return tg_rms_norm(x); }
static tg_tensor *by_matmul(tg_tensor *x) { return tg_matmul(x, other(x, TG_SHAPE(128, 128))); }
static tg_tensor *by_linear(tg_tensor *x) { return tg_linear(x, other(x, TG_SHAPE(40, 128))); }
static tg_tensor *as_weight(tg_tensor *x) { return tg_linear(other(x, TG_SHAPE(3, 128)), x); }
static tg_tensor *by_conv(tg_tensor *x) {
    return tg_conv2d(x, other(x, TG_SHAPE(6, 7, 3, 3)), .padding = {1, 1});
}
static tg_tensor *by_channels(tg_tensor *x) {
    return tg_conv2d(x, other(x, TG_SHAPE(7, 1, 3, 3)), .padding = {1, 1}, .groups = 7);
}
static tg_tensor *by_strides(tg_tensor *x) {
    return tg_conv2d(x, other(x, TG_SHAPE(7, 1, 3, 3)), .padding = {1, 1}, .stride = {2, 2}, .groups = 7);
}

typedef enum form { LINE, ROWS, IMAGES } form;
static const struct row {
    const char *name;
    tg_tensor *(*f)(tg_tensor *x);
    form form;
} rows[] = {
    {"exp", by_exp, LINE},         {"gelu", by_gelu, LINE},           {"mul", by_mul, LINE},
    {"scalar", by_scalar, LINE},   {"two", by_sum_of_two, LINE},      {"shared", by_sharing, LINE},
    {"turned", turned, ROWS},      {"softmax", by_softmax, ROWS},     {"log", by_log_softmax, ROWS},
    {"columns", by_columns, ROWS}, {"norm", by_layer_norm, ROWS},     {"rms", by_rms_norm, ROWS},
    {"matmul", by_matmul, ROWS},   {"linear", by_linear, ROWS},       {"weight", as_weight, ROWS},
    {"conv", by_conv, IMAGES},     {"channels", by_channels, IMAGES}, {"strides", by_strides, IMAGES},
};

static int64_t times = 1; /* larger */
static tg_tensor *leaf_of(const struct row *r, tg_dtype dtype) {
    tg_shape shape = r->form == LINE   ? TG_SHAPE(times * N)
                     : r->form == ROWS ? TG_SHAPE(times * 161, 128)
                                       : TG_SHAPE(times * 46, 7, 8, 8);
    tg_seed(1);
    return tg_set_requires_grad(tg_normal_with(dtype, 0, 1, shape), true);
}

/* The status of a walk with this seed, and the gradient as it was left. */
static tg_status walk(const struct row *r, tg_dtype dtype, int64_t at, double seed, tg_finite_check check,
                      tg_tensor **x) {
    *x = leaf_of(r, dtype);
    tg_set_finite_check(check);
    tg_backward(tg_sum(*x)); /* a walk looks where the one before met a large leaf */
    tg_zero_grad(*x);
    tg_tensor *y = r->f(*x), *g = tg_ones_with(dtype, tg_shape_of(y));
    expect_ok();
    if (at >= 0) put(g, seed, at % tg_numel(y));
    tg_status s = tg_backward(y, .seed = g);
    tg_set_finite_check(TG_FINITE_OFF);
    return s;
}

static const int64_t places[] = {0, 15, 511, 512, 2047, 8191, 8192, 16383, 128 * 161 - 1, N - 1};

START_TEST(one_that_is_not) {
    const struct row *r = &rows[_i];
    const double bad[] = {INFINITY, NAN};
    for (int dtype = TG_F32; dtype <= TG_F64; dtype++)
        for (int i = 0; i < COUNT(places); i++)
            for (int k = 0; k < 2; k++) {
                tg_mark m = tg_tape_mark();
                tg_tensor *x;
                ck_assert(walk(r, (tg_dtype)dtype, places[i], bad[k], TG_FINITE_OFF, &x) == TG_OK);
                ck_assert_msg(!tg_is_finite(tg_grad_of(x)), "%s: no case", r->name);
                ck_assert_msg(walk(r, (tg_dtype)dtype, places[i], bad[k], TG_FINITE_AT_BACKWARD, &x) ==
                                  TG_ERR_ARGUMENT,
                              "%s: %g at %lld is not seen", r->name, bad[k], (long long)places[i]);
                ck_assert(!tg_has_grad(x));
                expect_error(TG_ERR_ARGUMENT, "is not finite: the first gradient that is not finite");
                tg_tape_rewind(m);
            }
}
END_TEST

START_TEST(the_same_bits) {
    const struct row *r = &rows[_i];
    for (int dtype = TG_F32; dtype <= TG_F64; dtype++) {
        tg_tensor *x[2];
        for (int check = 0; check < 2; check++)
            ck_assert_msg(walk(r, (tg_dtype)dtype, -1, 0, (tg_finite_check)check, &x[check]) == TG_OK,
                          "%s: %s", r->name, tg_error_message());
        const tg_tensor *a = tg_grad_of(x[0]), *b = tg_grad_of(x[1]);
        ck_assert(memcmp(tg_data(a), tg_data(b), (size_t)tg_numel(a) * tg_dtype_size((tg_dtype)dtype)) == 0);
    }
}
END_TEST

/* Enough for each of three threads to have a part, of which it sees whether it is finite. */
START_TEST(on_several_threads) {
    const struct row *r = &rows[_i];
    const int before = tg_num_threads();
    tg_set_num_threads(3);
    times = 16;
    for (int part = -1; part < 3; part++) {
        tg_tensor *x;
        tg_mark m = tg_tape_mark();
        const int64_t at = part < 0 ? -1 : (2 * part + 1) * times * N / 6;
        const tg_status s = walk(r, TG_F32, at, (double)NAN, TG_FINITE_AT_BACKWARD, &x);
        ck_assert_msg(s == (part < 0 ? TG_OK : TG_ERR_ARGUMENT), "%s, part %d: %d", r->name, part, (int)s);
        tg_error_clear();
        tg_tape_rewind(m);
    }
    times = 1;
    tg_set_num_threads(before);
}
END_TEST

/* A product that overflows, of two numbers that do not; and numbers whose sum does, and which do not themselves. */
START_TEST(overflow) {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, N), true);
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    tg_tensor *seed = tg_full(TG_F32, 1e38, N);
    ck_assert_int_eq(tg_backward(tg_exp(x), .seed = seed), TG_OK);
    tg_zero_grad(x);
    put(seed, 3e38, N - 1);
    ck_assert_int_eq(tg_backward(tg_exp(x), .seed = seed), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "inf at [20608], of exp(1) and the gradient 3e+38 of its result");
    /* The sum of two contributions, each finite. */
    tg_tensor *y = tg_add(tg_mul_scalar(x, 2), tg_mul_scalar(x, 1.5));
    ck_assert_int_eq(tg_backward(y, .seed = tg_full(TG_F32, 1e38, N)), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "is not finite");
    tg_set_finite_check(TG_FINITE_OFF);
}
END_TEST

static tg_tensor *replaced(tg_tensor *grad, void *user) {
    (void)user;
    return tg_affine(grad, (double)INFINITY, 0);
}
static tg_tensor *spoiled(tg_tensor *grad, void *user) {
    (void)user;
    put(grad, (double)NAN, 5);
    return NULL;
}

/* A hook of the leaf sees its gradient when it is complete, and when it has been looked at. */
START_TEST(by_a_hook) {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, N), true);
    tg_register_hook(x, _i ? spoiled : replaced, NULL);
    tg_set_finite_check(TG_FINITE_AT_BACKWARD);
    tg_backward(tg_sum(leaf_of(&rows[0], TG_F32)));
    tg_tensor *y = tg_exp(x), *g, *seed = tg_ones(TG_F32, N);
    ck_assert_int_eq(tg_backward(y, .seed = seed, .retain = true), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "a hook");
    ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .seeds = &seed), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "a hook");
    tg_set_finite_check(TG_FINITE_OFF);
}
END_TEST

TCase *tcase_looked_threads(void);
TCase *tcase_looked_threads(void) {
    TCase *t = tcase_create("looked threads");
    tcase_set_tags(t, "slow");
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, on_several_threads, 0, COUNT(rows));
    return t;
}

TCase *tcase_looked(void);
TCase *tcase_looked(void) {
    TCase *t = tcase_create("looked");
    tcase_add_checked_fixture(t, begin_test, end_test);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, one_that_is_not, 0, COUNT(rows));
    tcase_add_loop_test(t, the_same_bits, 0, COUNT(rows));
    tcase_add_test(t, overflow);
    tcase_add_loop_test(t, by_a_hook, 0, 2);
    return t;
}
