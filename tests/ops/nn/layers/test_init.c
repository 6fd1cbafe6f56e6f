#include "tests/ops/nn/laws.h"

/* ---- distributions ---- */

/* Moments of the normal distribution between bounds, by Simpson's rule. */
static law truncated_law(double mean, double d, double low, double high) {
    enum { N = 20000 };
    double from = fmax(low, mean - 12 * d), to = fmin(high, mean + 12 * d);
    if (low > mean) from = low, to = fmin(high, low + 50 * d * d / (low - mean));
    if (high < mean) to = high, from = fmax(low, high - 50 * d * d / (mean - high));
    double nearest = low > mean ? low : high < mean ? high : mean, sum[5] = {0}, centre = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < 5; k++) sum[k] = 0;
        for (int i = 0; i <= N; i++) {
            double x = from + (to - from) * i / N, z = (x - mean) / d, z0 = (nearest - mean) / d;
            double w = exp((z0 - z) * (z0 + z) / 2) * (i == 0 || i == N ? 1 : i % 2 ? 4 : 2), power = 1;
            for (int k = 0; k < 5; k++) sum[k] += w * power, power *= x - centre;
        }
        if (!pass) centre = sum[1] / sum[0];
    }
    return (law){low, high, centre, sum[2] / sum[0], sum[4] / sum[0]};
}

/* Shapes [out, in, kernel...] with their fans. */
static const struct {
    tg_shape shape;
    double in, out;
} shapes[] = {
    {{2, {300, 200}}, 200, 300},
    {{2, {50, 1000}}, 1000, 50},
    {{4, {40, 60, 3, 5}}, 900, 600},
};

enum { N_RULES = 14 };
static const char *const rule_names[N_RULES] = {
    "uniform",        "normal",        "trunc_normal",  "kaiming_uniform",      "kaiming_normal",
    "kaiming, slope", "kaiming, out",  "kaiming, tanh", "kaiming, selu",        "kaiming, torch.nn.Linear",
    "xavier_uniform", "xavier_normal", "xavier, gain",  "kaiming, sigmoid, out"};

/* Initialiser number i, and its law for these fans. */
static tg_init rule_of(int i, double in, double out, law *l) {
    double d;
    switch (i) {
    case 0:
        return *l = uniform_law(-0.5, 2), tg_init_uniform(-0.5, 2);
    case 1:
        return *l = normal_law(3, 0.25), tg_init_normal(3, 0.25);
    case 2:
        return *l = truncated_law(0, 0.02, -0.04, 0.03), tg_init_trunc_normal(0, 0.02, -0.04, 0.03);
    case 3:
        return d = sqrt(6 / in), *l = uniform_law(-d, d), tg_init_kaiming_uniform(0);
    case 4:
        return *l = normal_law(0, sqrt(2 / in)), tg_init_kaiming_normal(0);
    case 5:
        return *l = normal_law(0, sqrt(2 / 1.25 / in)), tg_init_kaiming_normal(0.5);
    case 6:
        return d = sqrt(6 / out), *l = uniform_law(-d, d), tg_init_kaiming_uniform(0, .mode = TG_FAN_OUT);
    case 7:
        return *l = normal_law(0, 5 / (3 * sqrt(in))), tg_init_kaiming_normal(0, .nonlinearity = TG_GAIN_TANH);
    case 8:
        return d = sqrt(27.0 / 16 / in), *l = uniform_law(-d, d),
               tg_init_kaiming_uniform(9, .nonlinearity = TG_GAIN_SELU);
    case 9:
        return d = 1 / sqrt(in) * (1 + 1e-15), *l = uniform_law(-d, d), tg_init_kaiming_uniform(sqrt(5));
    case 10:
        return d = sqrt(6 / (in + out)), *l = uniform_law(-d, d), tg_init_xavier_uniform(1);
    case 11:
        return *l = normal_law(0, sqrt(2 / (in + out))), tg_init_xavier_normal(1);
    case 12:
        return *l = normal_law(0, 3 * sqrt(2 / (in + out))), tg_init_xavier_normal(3);
    default:
        return *l = normal_law(0, 1 / sqrt(out)),
               tg_init_kaiming_normal(0, .mode = TG_FAN_OUT, .nonlinearity = TG_GAIN_SIGMOID);
    }
}

START_TEST(laws) {
    for (int k = 0; k < COUNT(shapes); k++) {
        tg_rng a = {.seed = 3}, b = {.seed = 3};
        law l;
        tg_init init = rule_of(_i, shapes[k].in, shapes[k].out, &l);
        tg_tensor *w = tg_zeros_with(TG_F64, shapes[k].shape), *w32 = tg_zeros_with(TG_F32, shapes[k].shape);
        ck_assert_int_eq(tg_init_fill(w, init, &a), TG_OK);
        ck_assert_int_eq(tg_init_fill(w32, init, &b), TG_OK);
        check_law(rule_names[_i], w, l);
        ck_assert_uint_eq(a.next, b.next);
        const double *v = tg_data(w);
        const float *v32 = tg_data(w32);
        int64_t n = tg_numel(w), same = 0;
        for (int64_t i = 0; i < n; i++) same += v32[i] == (float)v[i];
        ck_assert_int_eq(same, n);
    }
}
END_TEST

/* Mean, deviation, bounds: about the mean, wide and narrow; beside it; and far in either tail. */
static const double truncations[][4] = {
    {0, 1, -2, 2},        {0, 1, -INFINITY, INFINITY},
    {0, 1, -0.1, 0.3},    {5, 2, 4, INFINITY},
    {5, 2, 6, 6.5},       {0, 1, 0, 0.01},
    {0, 1, 2, 9},         {0, 1, -7, -2},
    {0, 1, 20, INFINITY}, {0, 1, -INFINITY, -20},
    {1, 3, 40, 41},       {0, 1, 12, 12.1},
    {0, 0, -1, 1},        {3, 0, -1, 1},
    {0, 1, 7, 7},         {0, 1e-3, -1.5e-3, 0},
    {0, 1, -0.7, 0.7},
};

START_TEST(truncated_normal) {
    const double *t = truncations[_i];
    tg_rng rng = {.seed = 8};
    tg_tensor *w = tg_zeros(TG_F64, 100000);
    ck_assert_int_eq(tg_init_fill(w, tg_init_trunc_normal(t[0], t[1], t[2], t[3]), &rng), TG_OK);
    double at = fmin(fmax(t[0], t[2]), t[3]);
    bool is_point = t[1] == 0 || t[2] == t[3];
    check_law("trunc_normal", w, is_point ? (law){at, at, at, 0, 0} : truncated_law(t[0], t[1], t[2], t[3]));
    ck_assert_uint_lt(rng.next, 6 * 100000); /* few draws are rejected */
}
END_TEST

START_TEST(tails_that_no_number_resolves) {
    const double far[] = {1e9, 1e160, 1e300, -1e9, -1e160};
    tg_rng rng = {.seed = 8};
    for (int i = 0; i < COUNT(far); i++) {
        tg_tensor *w = tg_zeros(TG_F64, 10);
        double low = far[i] > 0 ? far[i] : -INFINITY, high = far[i] > 0 ? INFINITY : far[i];
        ck_assert_int_eq(tg_init_fill(w, tg_init_trunc_normal(0, 1, low, high), &rng), TG_OK);
        for (int k = 0; k < 10; k++) ck_assert_double_eq(tg_get(w, k), far[i]);
    }
}
END_TEST

/* ---- matrices ---- */

static const tg_shape matrices[] = {{2, {5, 5}},       {2, {3, 7}},     {2, {7, 3}},
                                    {4, {4, 2, 3, 3}}, {3, {30, 2, 3}}, {2, {1, 9}},
                                    {2, {9, 1}},       {2, {64, 50}},   {2, {300, 300}}};

/* Rows, or columns where there are fewer, are orthonormal times the gain; the first is the direction of the first draws. */
START_TEST(orthogonal) {
    tg_shape s = matrices[_i];
    tg_rng rng = {.seed = 4}, same = rng;
    tg_tensor *w = tg_zeros_with(TG_F64, s);
    ck_assert_int_eq(tg_init_fill(w, tg_init_orthogonal(-2), &rng), TG_OK);
    int64_t rows = s.dim[0], columns = tg_numel(w) / rows;
    bool tall = rows > columns;
    tg_tensor *m = tg_reshape(w, rows, columns), *t = tg_transpose(m, 0, 1);
    tg_tensor *product = tall ? tg_matmul(t, m) : tg_matmul(m, t);
    int64_t count = tall ? columns : rows, length = tall ? rows : columns;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++)
            expect_close(tg_get(product, i * count + j), i == j ? 4 : 0, 1e-14);
    double draws[300], size = 0;
    for (int64_t k = 0; k < length; k++) draws[k] = tg_rng_normal(&same), size += draws[k] * draws[k];
    for (int64_t k = 0; k < length; k++)
        expect_close(tg_get(m, tall ? k * columns : k), -2 * draws[k] / sqrt(size), 1e-14);
    ck_assert_uint_eq(rng.next, (uint64_t)tg_numel(w));
    expect_ok();
}
END_TEST

/* torch.nn.init.dirac_: filter and channel of one number, at the centre kernel / 2 of each axis. */
START_TEST(identities) {
    tg_rng rng = {0};
    tg_tensor *eye = tg_full(TG_F32, 7, 3, 5);
    ck_assert_int_eq(tg_init_fill(eye, tg_init_eye(), &rng), TG_OK);
    for (int i = 0; i < 15; i++) ck_assert(tg_get(eye, i) == (i / 5 == i % 5));
    tg_tensor *w = tg_zeros(TG_F64, 6, 2, 3, 4);
    ck_assert_int_eq(tg_init_fill(w, tg_init_dirac(2), &rng), TG_OK);
    for (int f = 0; f < 6; f++)
        for (int c = 0; c < 2; c++)
            for (int p = 0; p < 12; p++)
                ck_assert(tg_get(w, (f * 2 + c) * 12 + p) == (f % 3 == c && p == 1 * 4 + 2));
    tg_tensor *x = tg_randn(TG_F64, 2, 3, 8), *one = tg_zeros(TG_F64, 3, 3, 5);
    ck_assert_int_eq(tg_init_fill(one, tg_init_dirac(1), &rng), TG_OK);
    tg_tensor *y = tg_conv1d(x, one, .padding = 2);
    for (int64_t i = 0; i < tg_numel(x); i++) ck_assert_double_eq(tg_get(y, i), tg_get(x, i));
    ck_assert_uint_eq(rng.next, 0);
    expect_ok();
}
END_TEST

/* ---- what is refused ---- */

START_TEST(wrong_weights_are_refused) {
    const tg_init by_fan[] = {tg_init_kaiming_uniform(0), tg_init_kaiming_normal(0),
                              tg_init_xavier_uniform(1),  tg_init_xavier_normal(1),
                              tg_init_orthogonal(1),      tg_init_eye()};
    const char *name[] = {"tg_init_kaiming_uniform", "tg_init_kaiming_normal", "tg_init_xavier_uniform",
                          "tg_init_xavier_normal",   "tg_init_orthogonal",     "tg_init_eye"};
    tg_init init = by_fan[_i];
    tg_rng rng = {0};
    ck_assert_int_eq(tg_init_fill(tg_zeros(TG_F32, 3), init, &rng), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, name[_i], "[3] f32");
    ck_assert_int_eq(tg_init_fill(tg_zeros(TG_I64, 3, 2), init, &rng), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, name[_i], "i64");
    ck_assert_int_ne(tg_init_fill(tg_transpose(tg_zeros(TG_F32, 3, 2), 0, 1), init, &rng), TG_OK);
    tg_error_clear();
    ck_assert_int_eq(tg_init_fill(NULL, init, &rng), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_init_fill", "NULL");
    ck_assert_int_eq(tg_init_fill(tg_zeros(TG_F32, 0, 4), init, &rng), TG_OK);
    ck_assert_int_eq(tg_init_fill(tg_zeros(TG_F32, 4, 0), init, &rng), TG_OK);
}
END_TEST

static tg_status draws_and_fails(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)init;
    tg_rng_normal(rng);
    return TG_ERR_IO;
}

START_TEST(a_failure_draws_nothing) {
    tg_rng rng = {.seed = 1, .next = 5};
    ck_assert_int_eq(tg_init_fill(tg_zeros(TG_F32, 2), (tg_init){.fill = draws_and_fails}, &rng), TG_ERR_IO);
    expect_error(TG_ERR_IO, "tg_init_fill");
    ck_assert_uint_eq(rng.next, 5);
}
END_TEST

START_TEST(wrong_numbers_are_refused) {
    const tg_init wrong[] = {
        tg_init_uniform(1, -1),
        tg_init_uniform(NAN, 1),
        tg_init_uniform(0, INFINITY),
        tg_init_uniform(-1e308, 1e308),
        tg_init_normal(0, -1),
        tg_init_normal(0, NAN),
        tg_init_normal(INFINITY, 1),
        tg_init_normal(0, INFINITY),
        tg_init_trunc_normal(0, 1, 2, 1),
        tg_init_trunc_normal(NAN, 1, 0, 1),
        tg_init_trunc_normal(0, -1, 0, 1),
        tg_init_trunc_normal(0, 1, INFINITY, INFINITY),
        tg_init_trunc_normal(0, 1, -INFINITY, -INFINITY),
        tg_init_trunc_normal(0, 1, NAN, 1),
        tg_init_xavier_normal(-1),
        tg_init_xavier_uniform(NAN),
        tg_init_kaiming_uniform(NAN),
        tg_init_orthogonal(INFINITY),
        tg_init_dirac(0),
        tg_init_dirac(3),
    };
    tg_rng rng = {0};
    tg_tensor *w = tg_full(TG_F64, 7, 4, 4, 1);
    for (int i = 0; i < COUNT(wrong); i++) {
        ck_assert_int_eq(tg_init_fill(w, wrong[i], &rng), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_init_");
        ck_assert(tg_get(w, 0) == 7 && rng.next == 0);
    }
    tg_init_fill(w, tg_init_dirac(1), &rng);
    expect_ok();
    tg_init_fill(tg_zeros(TG_F32, 4, 4), tg_init_dirac(1), &rng);
    expect_error(TG_ERR_SHAPE, "tg_init_dirac", "[out, in, kernel...]");
    tg_init_kaiming_normal(0, .mode = (tg_fan)2);
    expect_error(TG_ERR_ARGUMENT, "tg_init_kaiming_normal", "no mode 2");
    tg_init_kaiming_uniform(0, .nonlinearity = (tg_nonlinearity)6);
    expect_error(TG_ERR_ARGUMENT, "tg_init_kaiming_uniform", "no nonlinearity 6");
    ck_assert(tg_init_calculate_gain((tg_nonlinearity)-1, 0) == 0);
    expect_error(TG_ERR_ARGUMENT, "tg_init_calculate_gain");
}
END_TEST

/* torch.nn.init.calculate_gain's */
START_TEST(gains) {
    expect_close(tg_init_calculate_gain(TG_GAIN_LEAKY_RELU, 0.01), 1.4141428569978354, 1e-15);
    expect_close(tg_init_calculate_gain(TG_GAIN_LEAKY_RELU, 0), 1.4142135623730951, 1e-15);
    expect_close(tg_init_calculate_gain(TG_GAIN_RELU, 5), 1.4142135623730951, 1e-15);
    ck_assert(tg_init_calculate_gain(TG_GAIN_LINEAR, 0) == 1 && tg_init_calculate_gain(TG_GAIN_SIGMOID, 0) == 1);
    expect_close(tg_init_calculate_gain(TG_GAIN_TANH, 0), 1.6666666666666667, 1e-15);
    ck_assert(tg_init_calculate_gain(TG_GAIN_SELU, 0) == 0.75);
    ck_assert(tg_init_option((tg_init){0}, tg_init_constant(2)).number[0] == 2);
    ck_assert(tg_init_option(tg_init_constant(3), tg_init_constant(2)).number[0] == 3);
}
END_TEST

START_TEST(constants) {
    tg_rng rng = {0};
    tg_tensor *w = tg_full(TG_F32, 7, 1000);
    const tg_init init[] = {tg_init_ones(), tg_init_zeros(), tg_init_constant(-0.5), {0}};
    const double want[] = {1, 0, -0.5, 0};
    for (int k = 0; k < COUNT(init); k++) {
        ck_assert_int_eq(tg_init_fill(w, init[k], &rng), TG_OK);
        for (int i = 0; i < 1000; i++) ck_assert(tg_get(w, i) == want[k]);
    }
    ck_assert_uint_eq(rng.next, 0);
    tg_set_requires_grad(w, true);
    int64_t nodes = tg_tape_nodes();
    ck_assert_int_eq(tg_init_fill(w, tg_init_uniform(0, 1), NULL), TG_OK); /* from the thread's stream */
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    ck_assert_int_ge((int)tg_default_rng()->next, 1000);
}
END_TEST

TCase *tcase_init(void) {
    TCase *t = tcase_create("init");
    tcase_add_loop_test(t, laws, 0, N_RULES);
    tcase_add_loop_test(t, truncated_normal, 0, COUNT(truncations));
    tcase_add_test(t, tails_that_no_number_resolves);
    tcase_add_loop_test(t, orthogonal, 0, COUNT(matrices));
    tcase_add_test(t, identities);
    tcase_add_loop_test(t, wrong_weights_are_refused, 0, 6);
    tcase_add_test(t, a_failure_draws_nothing);
    tcase_add_test(t, wrong_numbers_are_refused);
    tcase_add_test(t, gains);
    tcase_add_test(t, constants);
    return t;
}
