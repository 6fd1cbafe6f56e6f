/* Models that PyTorch saved (tests/golden/make_models.py): the state_dict goes straight in, and the output, the gradients of
 * the input and of all parameters, and the buffers are those of PyTorch, in f64; so are the losses of 20 steps of training, and
 * what comes of them. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>

/* A row leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

typedef struct golden_model {
    const char *name;
    tg_tensor *(*net)(tg_model *m, tg_tensor *x);
    const tg_rename *names;
    bool training;
    double adam, sgd; /* the rate of the training, where there is one */
} golden_model;

static tg_tensor *mlp(tg_model *m, tg_tensor *x) {
    return tg_nn_linear(m, "out", tg_tanh(tg_nn_linear(m, "fc1", x, 6)), 3);
}

static tg_tensor *cnn(tg_model *m, tg_tensor *x) {
    x = tg_nn_conv2d(m, "conv1", x, 4, .kernel = {3, 3}, .padding = {1, 1}, .no_bias = true);
    x = tg_max_pool2d(tg_relu(tg_nn_batch_norm(m, "bn1", x)), .kernel = {2, 2});
    x = tg_nn_batch_norm(m, "bn2", tg_nn_conv2d(m, "conv2", x, 3, .kernel = {3, 3}, .stride = {2, 2}));
    return tg_nn_linear(m, "fc", tg_flatten(x, 1, -1), 2);
}

static tg_tensor *lstm(tg_model *m, tg_tensor *x) {
    return tg_nn_linear(m, "out", tg_nn_lstm(m, "rnn", x, 5), 2);
}

static tg_tensor *gpt(tg_model *m, tg_tensor *x) {
    tg_tensor *h = tg_nn_layer_norm(m, "ln_1", x);
    x = tg_add(x, tg_nn_multihead_attention(m, "attn", h, 2, .causal = true));
    h = tg_gelu(tg_nn_linear(m, "mlp.0", tg_nn_layer_norm(m, "ln_2", x), 32));
    return tg_add(x, tg_nn_linear(m, "mlp.2", h, 8));
}

/* y and the last states of a network over sequences of these lengths, sample by sample. */
static tg_tensor *lengths(void) { return tg_from(TG_I64, ((const int64_t[]){4, 1, 3}), 3); }
static tg_tensor *by_sample(tg_tensor *states) { return tg_flatten(tg_transpose(states, 0, 1), 1, -1); }

static tg_tensor *lstm_lengths(tg_model *m, tg_tensor *x) {
    tg_tensor *h, *c,
        *y = tg_nn_lstm(m, "rnn", x, 5, .layers = 2, .bidirectional = true, .lengths = lengths(), .h_n = &h,
                        .c_n = &c);
    return tg_concat(1, tg_flatten(y, 1, -1), by_sample(h), by_sample(c));
}

static tg_tensor *gru_lengths(tg_model *m, tg_tensor *x) {
    tg_tensor *h,
        *y = tg_nn_gru(m, "rnn", x, 5, .layers = 2, .bidirectional = true, .lengths = lengths(), .h_n = &h);
    return tg_concat(1, tg_flatten(y, 1, -1), by_sample(h));
}

static tg_tensor *rnn_lengths(tg_model *m, tg_tensor *x) {
    tg_tensor *h, *y = tg_nn_rnn(m, "rnn", x, 5, .layers = 2, .bidirectional = true, .lengths = lengths(),
                                 .h_n = &h, .relu = true);
    return tg_concat(1, tg_flatten(y, 1, -1), by_sample(h));
}

static tg_tensor *encoder(tg_model *m, tg_tensor *x) {
    return tg_nn_transformer_block(m, "layer", x, 2, .post_norm = true, .mlp = 12, .activation = tg_relu,
                                   .lengths = tg_from(TG_I64, ((const int64_t[]){4, 3}), 2));
}

static tg_tensor *encoder_norm_first(tg_model *m, tg_tensor *x) {
    static const bool padding[2][5] = {{0, 0, 0, 0, 1}, {0, 0, 0, 1, 1}};
    return tg_nn_transformer_block(m, "layer", x, 2, .mlp = 12,
                                   .key_padding_mask = tg_from(TG_BOOL, padding, 2, 5));
}

static tg_tensor *decoder(tg_model *m, tg_tensor *x) {
    tg_tensor *memory = tg_mul_scalar(tg_concat(1, tg_flip(x, 1), tg_narrow(x, 1, 0, 2)), 0.5);
    return tg_nn_transformer_block(m, "layer", x, 2, .mlp = 12, .activation = tg_relu, .causal = true,
                                   .memory = memory);
}

static tg_tensor *cross(tg_model *m, tg_tensor *x) {
    tg_tensor *y = tg_narrow(tg_flip(x, 1), 1, 1, 4);
    return tg_nn_multihead_attention(m, "attn", x, 2, .key = tg_narrow(y, 2, 0, 6),
                                     .value = tg_narrow(y, 2, 2, 4));
}

static tg_tensor *grouped(tg_model *m, tg_tensor *x) {
    return tg_nn_multihead_attention(m, "attn", x, 4, .kv_heads = 2, .causal = true);
}

static tg_tensor *llama(tg_model *m, tg_tensor *x) {
    return tg_nn_transformer_block(m, "block", x, 4, .kv_heads = 2, .causal = true, .rotary = true,
                                   .rotary_base = 500, .separate = true, .rms_norm = true, .gated = true,
                                   .mlp = 10, .no_bias = true);
}

static const golden_model models[] = {
    {"mlp", mlp, (const tg_rename[]){{"0.", "fc1."}, {"2.", "out."}, {0}}, false, .adam = 0.05},
    {"cnn", cnn,
     (const tg_rename[]){{"0.", "conv1."}, {"1.", "bn1."}, {"4.", "conv2."}, {"5.", "bn2."}, {"7.", "fc."}, {0}},
     true, .sgd = 0.05},
    {"lstm", lstm, NULL, false, .adam = 0.05},
    {"gpt", gpt, NULL, false, .sgd = 0.05},
    {"lstm_lengths", lstm_lengths, NULL, false},
    {"gru_lengths", gru_lengths, NULL, false},
    {"rnn_lengths", rnn_lengths, NULL, false},
    {"encoder", encoder, NULL, false},
    {"encoder_norm_first", encoder_norm_first, NULL, false},
    {"decoder", decoder, NULL, false},
    {"cross", cross, NULL, false},
    {"grouped", grouped, (const tg_rename[]){{"", "attn."}, {0}}, false},
    {"llama", llama, (const tg_rename[]){{"", "block."}, {0}}, false},
};
enum { TRAINED = 4, STEPS = 20 };

static void path_of(char path[1024], const char *name, const char *end) {
    const char *root = getenv("TG_SOURCE_ROOT");
    snprintf(path, 1024, "%s/tests/golden/models/%s%s.safetensors", root ? root : ".", name, end);
}

/* |is - want| <= tolerance max |want|, over all elements, or 1e-14: the gradient of a bias in front of a batch_norm is 0 but for
 * rounding. */
static void expect_within(double tolerance, const tg_tensor *is, const tg_safetensors *set, const char *mode,
                          const char *part, const char *name) {
    char key[200];
    snprintf(key, sizeof key, "%s.%s%s", mode, part, name);
    tg_tensor *want = tg_safetensors_get(set, key);
    expect_ok();
    double most = 0;
    ck_assert_msg(tg_shape_equal(tg_shape_of(is), tg_shape_of(want)), "%s", key);
    for (int64_t i = 0; i < tg_numel(want); i++) most = fmax(most, fabs(tg_get(want, i)));
    for (int64_t i = 0; i < tg_numel(want); i++)
        ck_assert_msg(fabs(tg_get(is, i) - tg_get(want, i)) <= fmax(tolerance * most, 1e-14),
                      "%s[%d]: %.17g instead of %.17g", key, (int)i, tg_get(is, i), tg_get(want, i));
}

static void expect_like(const tg_tensor *is, const tg_safetensors *set, const char *mode, const char *part,
                        const char *name) {
    expect_within(1e-10, is, set, mode, part, name);
}

/* What PyTorch calls a tensor of ours. */
static const char *name_there(const golden_model *g, const char *name) {
    static char text[200];
    for (const tg_rename *r = g->names; r && r->file; r++)
        if (strncmp(name, r->model, strlen(r->model)) == 0) {
            snprintf(text, sizeof text, "%s%s", r->file, name + strlen(r->model));
            return text;
        }
    return name;
}

static void check(const golden_model *g, tg_model *m, const tg_safetensors *set, const char *mode) {
    char key[200];
    snprintf(key, sizeof key, "%s.x", mode);
    tg_tensor *x = tg_set_requires_grad(tg_safetensors_get(set, key), true);
    snprintf(key, sizeof key, "%s.g", mode);
    tg_model_set_training(m, strcmp(mode, "train") == 0);
    tg_tensor *y = g->net(m, x);
    expect_like(y, set, mode, "y", "");
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul(y, tg_safetensors_get(set, key)))), TG_OK);
    expect_like(tg_grad_of(x), set, mode, "dx", "");
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_tensor *p = tg_model_at(m, i);
        expect_like(tg_grad_of(p), set, mode, "grad.", name_there(g, tg_name(p)));
    }
    for (int i = 0; i < tg_model_buffer_count(m); i++) {
        tg_tensor *b = tg_model_buffer_at(m, i);
        expect_like(b, set, mode, "buffer.", name_there(g, tg_name(b)));
    }
    tg_model_zero_grad(m);
}

/* Before the first call of the layers, and after it. */
START_TEST(goes_straight_in) {
    const golden_model *g = &models[_i];
    char file[1024], cases[1024];
    path_of(file, g->name, ""), path_of(cases, g->name, "_case");
    for (int after = 0; after < 2; after++) {
        tg_safetensors *set = tg_safetensors_open(cases);
        tg_model *m = tg_model_new(1);
        if (after) {
            g->net(m, tg_safetensors_get(set, "eval.x"));
            expect_ok();
        }
        ck_assert_msg(tg_model_load(m, file, .names = g->names) == TG_OK, "%s", tg_error_message());
        int n = tg_model_count(m) + tg_model_buffer_count(m);
        if (g->training) check(g, m, set, "train");
        check(g, m, set, "eval");
        ck_assert_int_eq(tg_model_count(m) + tg_model_buffer_count(m), n);
        ck_assert_int_eq(tg_model_buffer_count(m), g->training ? 6 : 0);
        tg_model_free(m);
        tg_safetensors_free(set);
        expect_ok();
    }
}
END_TEST

/* The steps' rounding grows from one to the next; a bias in front of a norm stays where it was but for that. */
START_TEST(trains_as_in_pytorch) {
    const golden_model *g = &models[_i];
    char file[1024], cases[1024];
    path_of(file, g->name, ""), path_of(cases, g->name, "_training");
    tg_safetensors *set = tg_safetensors_open(cases);
    tg_model *m = tg_model_new(1);
    ck_assert_msg(tg_model_load(m, file, .names = g->names) == TG_OK, "%s", tg_error_message());
    tg_tensor *x = tg_safetensors_get(set, "x"), *target = tg_safetensors_get(set, "target"),
              *want = tg_safetensors_get(set, "losses");
    tg_optim *optim = g->adam > 0 ? tg_adam(m, g->adam) : tg_sgd(m, g->sgd, .momentum = 0.9);
    for (int step = 0; step < STEPS; step++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *loss = tg_mse_loss(g->net(m, x), target);
        ck_assert_msg(tg_backward(loss) == TG_OK, "%s", tg_error_message());
        expect_close(tg_item(loss), tg_get(want, step), 1e-8 * fmin(1, fabs(tg_get(want, step))));
        ck_assert_int_eq(tg_optim_step(optim), TG_OK);
        tg_tape_rewind(mark);
    }
    for (int i = 0; i < tg_model_count(m); i++)
        expect_within(1e-8, tg_model_at(m, i), set, "final", "", name_there(g, tg_name(tg_model_at(m, i))));
    for (int i = 0; i < tg_model_buffer_count(m); i++)
        expect_within(1e-8, tg_model_buffer_at(m, i), set, "final", "",
                      name_there(g, tg_name(tg_model_buffer_at(m, i))));
    tg_optim_free(optim);
    tg_model_free(m);
    tg_safetensors_free(set);
    expect_ok();
}
END_TEST

TCase *tcase_model_torch(void) {
    TCase *t = tcase_create("model_torch");
    tcase_add_loop_test(t, goes_straight_in, 0, COUNT(models));
    tcase_add_loop_test(t, trains_as_in_pytorch, 0, TRAINED);
    return t;
}
