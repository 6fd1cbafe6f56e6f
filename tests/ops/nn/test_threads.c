/* A training run is the same to the bit at any number of threads: a hash of all parameters after some steps of each kind
 * of model, at sizes where loops and products are divided. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>

typedef tg_tensor *loss_fn(tg_model *m);

static tg_tensor *numbers_of(tg_shape shape) { return tg_normal_with(TG_F32, 0, 1, shape); }

static tg_tensor *classes(int64_t n, uint64_t most) {
    tg_tensor *y = tg_zeros(TG_I64, n);
    for (int64_t i = 0; i < n; i++) tg_array_set(tg_array_of(y), i, (double)tg_rng_below(NULL, most));
    return y;
}

static tg_tensor *mlp(tg_model *m) {
    tg_tensor *x = tg_relu(tg_nn_linear(m, "fc1", numbers_of(TG_SHAPE(512, 784)), 256));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 128));
    return tg_cross_entropy(tg_nn_linear(m, "out", x, 10), classes(512, 10));
}

static tg_tensor *convolution(tg_model *m, const char *name, tg_tensor *x, int64_t filters) {
    x = tg_nn_conv2d(m, name, x, filters, .kernel = {5, 5}, .padding = {2, 2});
    return tg_max_pool2d(tg_relu(x), .kernel = {2, 2});
}

static tg_tensor *cnn(tg_model *m) {
    tg_tensor *x = convolution(m, "conv1", numbers_of(TG_SHAPE(16, 1, 28, 28)), 16);
    x = tg_flatten(convolution(m, "conv2", x, 32), 1, -1);
    x = tg_nn_linear(m, "out", tg_dropout(x, 0.2, true), 10);
    return tg_cross_entropy(x, classes(16, 10));
}

static tg_tensor *gpt(tg_model *m) {
    tg_tensor *x = tg_nn_embedding(m, "token", tg_reshape(classes(4 * 96, 64), 4, 96), 64, 64);
    for (int i = 0; i < 2; i++) {
        const char *const names[2][4] = {{"n0", "a0", "u0", "d0"}, {"n1", "a1", "u1", "d1"}};
        tg_tensor *h = tg_nn_layer_norm(m, names[i][0], x);
        x = tg_add(x, tg_nn_multihead_attention(m, names[i][1], h, 4, .causal = true));
        x = tg_add(x, tg_nn_linear(m, names[i][3], tg_gelu(tg_nn_linear(m, names[i][2], x, 256)), 64));
    }
    return tg_cross_entropy(tg_reshape(tg_nn_linear(m, "out", x, 64), 4 * 96, 64), classes(4 * 96, 64));
}

static tg_tensor *lstm(tg_model *m) {
    tg_tensor *h = tg_nn_lstm(m, "lstm", numbers_of(TG_SHAPE(96, 16, 32)), 64);
    return tg_mse_loss(tg_nn_gru(m, "gru", h, 48), numbers_of(TG_SHAPE(96, 16, 48)));
}

static const struct {
    const char *name;
    loss_fn *loss;
} models[] = {{"mlp", mlp}, {"cnn", cnn}, {"gpt", gpt}, {"lstm and gru", lstm}};

/* FNV-1a over the bytes of all parameters. */
static uint64_t hash_of(const tg_model *m) {
    uint64_t h = UINT64_C(1469598103934665603);
    for (int i = 0; i < tg_model_count(m); i++) {
        const unsigned char *p = tg_data(tg_model_at(m, i));
        size_t bytes = (size_t)tg_numel(tg_model_at(m, i)) * sizeof(float);
        for (size_t k = 0; k < bytes; k++) h = (h ^ p[k]) * UINT64_C(1099511628211);
    }
    return h;
}

static uint64_t train(loss_fn *loss) {
    tg_model *m = tg_model_new(3);
    tg_optim *adam = tg_adam(m, 1e-3);
    tg_seed(5);
    for (int i = 0; i < 3; i++) {
        tg_mark step = tg_tape_mark();
        ck_assert_msg(tg_backward(loss(m)) == TG_OK && tg_optim_step(adam) == TG_OK, "%s", tg_error_message());
        tg_tape_rewind(step);
    }
    uint64_t h = hash_of(m);
    tg_optim_free(adam);
    tg_model_free(m);
    return h;
}

START_TEST(training_is_the_same_at_any_number_of_threads) {
    int was = tg_set_num_threads(1);
    uint64_t one = train(models[_i].loss);
    printf("parameters after training, %s: %016llx\n", models[_i].name, (unsigned long long)one);
    for (int n = 2; n <= 4; n++) {
        tg_set_num_threads(n);
        uint64_t many = train(models[_i].loss);
        ck_assert_msg(many == one, "%s: %d threads give %016llx", models[_i].name, n, (unsigned long long)many);
    }
    tg_set_num_threads(was);
}
END_TEST

TCase *tcase_threads(void) {
    TCase *t = tcase_create("threads");
    tcase_set_tags(t, "slow");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, training_is_the_same_at_any_number_of_threads, 0,
                        (int)(sizeof models / sizeof *models));
    return t;
}
