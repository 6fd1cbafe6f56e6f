#include "tests/ops/nn/helpers.h"

typedef struct rule {
    const char *name;
    tg_init_fn fn;
    bool normal;
    double numerator; /* of bound^2 or variance */
    bool both;        /* over fan_in + fan_out instead of fan_in */
} rule;

static const rule rules[] = {
    {"kaiming_uniform", tg_init_kaiming_uniform, false, 6, false},
    {"kaiming_normal", tg_init_kaiming_normal, true, 2, false},
    {"xavier_uniform", tg_init_xavier_uniform, false, 6, true},
    {"xavier_normal", tg_init_xavier_normal, true, 2, true},
};

/* Shapes [out, in, kernel...] with their fans. */
static const struct {
    tg_shape shape;
    double in, out;
} shapes[] = {
    {{2, {300, 200}}, 200, 300},
    {{2, {50, 1000}}, 1000, 50},
    {{4, {40, 60, 3, 5}}, 900, 600},
};

/* Mean and second moment within five deviations of their sampling error; uniform draws inside the bound. */
static void check_distribution(const rule *r, const tg_tensor *w, double width) {
    double n = (double)tg_numel(w), sum = 0, squares = 0, largest = 0;
    for (int64_t i = 0; i < tg_numel(w); i++) {
        double v = tg_get(w, i);
        sum += v, squares += v * v, largest = fmax(largest, fabs(v));
    }
    double variance = r->normal ? width * width : width * width / 3;
    double of_squares =
        r->normal ? 2 * variance * variance : 4 * variance * variance / 5; /* E x^4 - (E x^2)^2 */
    ck_assert_msg(fabs(sum / n) < 5 * sqrt(variance / n), "%s: mean %g", r->name, sum / n);
    ck_assert_msg(fabs(squares / n - variance) < 5 * sqrt(of_squares / n), "%s: variance %g instead of %g",
                  r->name, squares / n, variance);
    ck_assert_msg(r->normal ? largest > 3 * width : largest <= width && largest > 0.99 * width,
                  "%s: largest %g of %g", r->name, largest, width);
}

START_TEST(widths_follow_the_fans) {
    const rule *r = &rules[_i];
    for (int k = 0; k < COUNT(shapes); k++) {
        tg_rng a = {.seed = 3}, b = {.seed = 3};
        tg_tensor *w = tg_zeros_with(TG_F64, shapes[k].shape), *w32 = tg_zeros_with(TG_F32, shapes[k].shape);
        ck_assert_int_eq(r->fn(w, &a, NULL), TG_OK);
        ck_assert_int_eq(r->fn(w32, &b, NULL), TG_OK);
        check_distribution(r, w, sqrt(r->numerator / (shapes[k].in + (r->both ? shapes[k].out : 0))));
        ck_assert_uint_eq(a.next, b.next);
        const double *v = tg_data(w);
        const float *v32 = tg_data(w32);
        int64_t n = tg_numel(w), same = 0;
        for (int64_t i = 0; i < n; i++) same += v32[i] == (float)v[i];
        ck_assert_int_eq(same, n);
    }
}
END_TEST

START_TEST(wrong_weights_are_refused) {
    const rule *r = &rules[_i];
    tg_rng rng = {0};
    ck_assert_int_eq(r->fn(tg_zeros(TG_F32, 3), &rng, NULL), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, r->name, "[3] f32");
    ck_assert_int_eq(r->fn(tg_zeros(TG_I64, 3, 2), &rng, NULL), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, r->name, "i64");
    ck_assert_int_ne(r->fn(tg_transpose(tg_zeros(TG_F32, 3, 2), 0, 1), &rng, NULL), TG_OK);
    tg_error_clear();
    ck_assert_int_ne(r->fn(NULL, &rng, NULL), TG_OK);
    tg_error_clear();
    ck_assert_int_eq(r->fn(tg_zeros(TG_F32, 0, 4), &rng, NULL), TG_OK);
    ck_assert_int_eq(r->fn(tg_zeros(TG_F32, 4, 0), &rng, NULL), TG_OK);
}
END_TEST

START_TEST(constants_and_bounds) {
    tg_rng rng = {0};
    tg_tensor *w = tg_full(TG_F32, 7, 1000);
    ck_assert_int_eq(tg_init_ones(w, &rng, NULL), TG_OK);
    for (int i = 0; i < 1000; i++) ck_assert(tg_get(w, i) == 1);
    ck_assert_int_eq(tg_init_zeros(w, &rng, NULL), TG_OK);
    for (int i = 0; i < 1000; i++) ck_assert(tg_get(w, i) == 0);
    ck_assert_uint_eq(rng.next, 0);
    ck_assert_int_eq(tg_init_uniform(w, &rng, &(double){0.25}), TG_OK);
    const rule uniform = {.name = "uniform"};
    check_distribution(&uniform, w, 0.25);

    const double wrong[] = {-1, NAN, INFINITY};
    for (int i = 0; i < COUNT(wrong); i++) {
        ck_assert_int_eq(tg_init_uniform(w, &rng, &wrong[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_init_uniform");
    }
    ck_assert_int_eq(tg_init_uniform(w, &rng, NULL), TG_ERR_ARGUMENT);
    tg_error_clear();
}
END_TEST

TCase *tcase_init(void) {
    TCase *t = tcase_create("init");
    tcase_add_loop_test(t, widths_follow_the_fans, 0, COUNT(rules));
    tcase_add_loop_test(t, wrong_weights_are_refused, 0, COUNT(rules));
    tcase_add_test(t, constants_and_bounds);
    return t;
}
