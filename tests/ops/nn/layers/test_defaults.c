/* Layers start as those of torch.nn: the law of each parameter, whatever the order of calls. */
#include "tests/ops/nn/laws.h"

#include <stdio.h>

static const int64_t some[] = {0, 1};

static void linear(tg_model *m) { tg_nn_linear(m, "linear", tg_zeros(TG_F32, 1, 400), 300); }
static void conv2d(tg_model *m) {
    tg_nn_conv2d(m, "conv2d", tg_zeros(TG_F64, 1, 40, 5, 5), 200, .kernel = {3, 5}, .groups = 4);
}
static void convs(tg_model *m) {
    tg_nn_conv1d(m, "conv1d", tg_zeros(TG_F32, 1, 40, 9), 200, .kernel = 5, .groups = 2);
    tg_nn_conv_transpose1d(m, "up1", tg_zeros(TG_F32, 1, 40, 9), 200, .kernel = 5, .groups = 2);
    tg_nn_conv_transpose2d(m, "up2", tg_zeros(TG_F64, 1, 40, 5, 5), 60, .kernel = {3, 5});
}
static void embedding(tg_model *m) { tg_nn_embedding(m, "embedding", tg_from(TG_I64, some, 2), 300, 100); }
static void attention(tg_model *m) {
    tg_nn_multihead_attention(m, "attention", tg_zeros(TG_F32, 1, 2, 96), 4);
}
static void lstm(tg_model *m) { tg_nn_lstm(m, "lstm", tg_zeros(TG_F32, 1, 2, 50), 64); }
static void gru(tg_model *m) { tg_nn_gru(m, "gru", tg_zeros(TG_F32, 1, 2, 50), 64); }
static void norms(tg_model *m) {
    tg_nn_layer_norm(m, "layer_norm", tg_zeros(TG_F32, 4, 50));
    tg_nn_rms_norm(m, "rms_norm", tg_zeros(TG_F32, 4, 50));
    tg_nn_batch_norm(m, "batch_norm", tg_zeros(TG_F32, 4, 50));
    tg_nn_group_norm(m, "group_norm", tg_zeros(TG_F32, 4, 50), 5);
    tg_nn_prelu(m, "prelu", tg_zeros(TG_F32, 4, 50));
}
static void (*const calls[])(tg_model *) = {linear, conv2d, convs, embedding, attention, lstm, gru, norms};

/* torch.nn's: the bound of a uniform law; 0 is a standard normal one; NAN a constant. */
static const struct {
    const char *name;
    double bound, constant;
} starts[] = {
    {"linear.weight", 0.05, 0}, /* 1 / sqrt(400) */
    {"linear.bias", 0.05, 0},
    {"conv2d.weight", 0.0816496580927726, 0}, /* 1 / sqrt(40 / 4 * 3 * 5) */
    {"conv2d.bias", 0.0816496580927726, 0},
    {"conv1d.weight", 0.1, 0}, /* 1 / sqrt(40 / 2 * 5) */
    {"conv1d.bias", 0.1, 0},
    {"up1.weight", 0.044721359549995794, 0}, /* of weight [40, 100, 5]: 1 / sqrt(100 * 5) */
    {"up1.bias", 0.044721359549995794, 0},
    {"up2.weight", 0.03333333333333333, 0}, /* of weight [40, 60, 3, 5]: 1 / sqrt(60 * 15) */
    {"up2.bias", 0.03333333333333333, 0},
    {"embedding.weight", 0, 0},
    {"attention.in_proj_weight", 0.125, 0}, /* sqrt(6 / (4 * 96)) */
    {"attention.in_proj_bias", NAN, 0},
    {"attention.out_proj.weight", 0.10206207261596577, 0}, /* 1 / sqrt(96) */
    {"attention.out_proj.bias", NAN, 0},
    {"lstm.weight_ih_l0", 0.125, 0}, /* 1 / sqrt(64) */
    {"lstm.weight_hh_l0", 0.125, 0},
    {"lstm.bias_ih_l0", 0.125, 0},
    {"lstm.bias_hh_l0", 0.125, 0},
    {"gru.weight_ih_l0", 0.125, 0},
    {"gru.weight_hh_l0", 0.125, 0},
    {"gru.bias_ih_l0", 0.125, 0},
    {"gru.bias_hh_l0", 0.125, 0},
    {"layer_norm.weight", NAN, 1},
    {"layer_norm.bias", NAN, 0},
    {"rms_norm.weight", NAN, 1},
    {"batch_norm.weight", NAN, 1},
    {"batch_norm.bias", NAN, 0},
    {"group_norm.weight", NAN, 1},
    {"group_norm.bias", NAN, 0},
    {"prelu.weight", NAN, 0.25},
};

/* The bound rounded up to f32, in which it is drawn. */
static law law_of(double bound) {
    if (bound == 0) return normal_law(0, 1);
    law l = uniform_law(-bound, bound);
    l.low *= 1 + 1e-7, l.high *= 1 + 1e-7;
    return l;
}

START_TEST(laws_are_torchs) {
    tg_model *m = tg_model_new(2);
    for (int i = 0; i < COUNT(calls); i++) calls[i](m);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), COUNT(starts));
    for (int i = 0; i < COUNT(starts); i++) {
        const tg_tensor *p = tg_model_find(m, starts[i].name);
        if (!isnan(starts[i].bound)) check_law(starts[i].name, p, law_of(starts[i].bound));
        for (int64_t k = 0; isnan(starts[i].bound) && k < tg_numel(p); k++)
            ck_assert_msg(tg_get(p, k) == starts[i].constant, "%s: %g", starts[i].name, tg_get(p, k));
    }
    tg_model_free(m);
}
END_TEST

/* Each parameter by its name alone: called in the opposite order, or after others. */
START_TEST(the_order_of_calls_is_free) {
    tg_model *a = tg_model_new(7), *b = tg_model_new(7);
    for (int i = 0; i < COUNT(calls); i++) calls[i](a);
    tg_nn_linear(b, "another", tg_zeros(TG_F32, 1, 3), 5);
    for (int i = COUNT(calls) - 1; i >= 0; i--) calls[i](b);
    for (int i = 0; i < tg_model_count(a); i++) {
        const tg_tensor *p = tg_model_at(a, i), *q = tg_model_find(b, tg_name(p));
        for (int64_t k = 0; k < tg_numel(p); k++) ck_assert(tg_get(p, k) == tg_get(q, k));
    }
    expect_ok();
    tg_model_free(a), tg_model_free(b);
}
END_TEST

/* Of inputs of mean 0 and variance 1, the outputs of the last layer are small against 1: log p of each class is near
 * -log(classes), and the loss above it by about half the variance of the outputs. */
START_TEST(first_loss_is_log_of_classes) {
    const int64_t classes[] = {2, 10, 100, 1000};
    tg_model *m = tg_model_new(3);
    tg_seed(5);
    tg_tensor *x = tg_randn(TG_F32, 200, 784), *y = tg_zeros(TG_I64, 200);
    for (int64_t i = 0; i < 200; i++) tg_array_set(tg_array_of(y), i, (double)(i * 7 % classes[_i]));
    tg_tensor *h = tg_relu(tg_nn_linear(m, "fc1", x, 256));
    h = tg_relu(tg_nn_linear(m, "fc2", h, 128));
    double loss = tg_item(tg_cross_entropy(tg_nn_linear(m, "out", h, classes[_i]), y));
    ck_assert_msg(fabs(loss - log((double)classes[_i])) < 0.03, "%lld classes: %g", (long long)classes[_i],
                  loss);
    expect_ok();
    tg_model_free(m);
}
END_TEST

TCase *tcase_defaults(void) {
    TCase *t = tcase_create("defaults");
    tcase_add_test(t, laws_are_torchs);
    tcase_add_test(t, the_order_of_calls_is_free);
    tcase_add_loop_test(t, first_loss_is_log_of_classes, 0, 4);
    return t;
}
