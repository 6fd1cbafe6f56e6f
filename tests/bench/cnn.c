/* Convolutions. Floor: 2 flops a weight and place it is used at, once forward and twice back, but for the gradient of the
 * images. */
#include "bench.h"

#include <stdlib.h>

/* ---- cnn_b64: two 5x5 convolutions with relu and 2x2 max pooling, 1568-128-10, cross-entropy, Adam 1e-3, on 64 images
 * of 28 by 28 ---- */

static tg_tensor *conv_block(tg_model *m, const char *name, tg_tensor *x, int64_t filters) {
    x = tg_nn_conv2d(m, name, x, filters, .kernel = {5, 5}, .padding = {2, 2});
    return tg_max_pool2d(tg_relu(x), .kernel = {2, 2});
}

static tg_tensor *cnn_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = conv_block(m, "conv1", x, 16);
    x = conv_block(m, "conv2", x, 32);
    x = tg_relu(tg_nn_linear(m, "fc1", tg_flatten(x, 1, -1), 128));
    return tg_cross_entropy(tg_nn_linear(m, "out", x, 10), y);
}

static void *cnn_make(void) {
    tg_tensor *x = tg_normal(TG_F32, 0, 1, SHARE(64), 1, 28, 28), *y = random_classes(TG_SHAPE(SHARE(64)), 10);
    training *t = training_make(x, y, cnn_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

#define CONV1 (784.0 * 16 * 25)
#define CONV2 (196.0 * 32 * 16 * 25)
#define DENSE (1568.0 * 128 + 128 * 10)

/* ---- cnn_norm: two 3x3 convolutions of 32 filters with batch-norm and relu, 2x2 max pooling, 8192-10, cross-entropy,
 * Adam 1e-3, on 32 images of 3 x 32 x 32 ---- */

static tg_tensor *norm_block(tg_model *m, const char *conv, const char *norm, tg_tensor *x) {
    x = tg_nn_conv2d(m, conv, x, 32, .kernel = {3, 3}, .padding = {1, 1});
    return tg_relu(tg_nn_batch_norm(m, norm, x));
}

static tg_tensor *norm_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = norm_block(m, "conv1", "norm1", x);
    x = tg_max_pool2d(norm_block(m, "conv2", "norm2", x), .kernel = {2, 2});
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_flatten(x, 1, -1), 10), y);
}

static void *norm_make(void) {
    tg_tensor *x = tg_normal(TG_F32, 0, 1, SHARE(32), 3, 32, 32), *y = random_classes(TG_SHAPE(SHARE(32)), 10);
    training *t = training_make(x, y, norm_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

#define NORM_CONV(channels) (1024.0 * 32 * (channels)*9)
#define NORM_DENSE (8192.0 * 10)

/* ---- conv_*: a convolution alone, and the mean of its squares, in x and w ----
 * Floor, besides the products: x and w are read and y is written; y is read for the loss; y is read and its gradient
 * written; that is read twice, x and w once, and their gradients written. */

typedef struct convolution {
    tg_tensor *x, *w;
    tg_conv2d_opts opts;
} convolution;

static void *convolution_make(tg_tensor *x, tg_tensor *w, tg_conv2d_opts opts) {
    convolution *c = malloc(sizeof *c);
    if (c) *c = (convolution){tg_param(x), tg_param(w), opts};
    return c;
}

static void convolution_step(void *state) {
    convolution *c = state;
    tg_mark m = tg_tape_mark();
    tg_zero_grad(c->x);
    tg_zero_grad(c->w);
    tg_backward(tg_mean(tg_square(tg_conv2d_with(c->x, c->w, c->opts))));
    tg_tape_rewind(m);
}

static void convolution_end(void *state) {
    convolution *c = state;
    tg_free(c->x);
    tg_free(c->w);
    free(c);
}

/* CONV(name, groups, shape of x, shape of w, options): a function name_make. */
#define CONV(NAME, X, W, ...) \
    static void *NAME##_make(void) { \
        return convolution_make(tg_normal_with(TG_F32, 0, 1, X), tg_normal_with(TG_F32, 0, 0.1, W), \
                                (tg_conv2d_opts){__VA_ARGS__}); \
    }
CONV(depthwise, TG_SHAPE(SHARE(16), 64, 32, 32), TG_SHAPE(64, 1, 3, 3), .groups = 64, .padding = {1, 1})
CONV(depthwise_stride, TG_SHAPE(SHARE(16), 64, 32, 32), TG_SHAPE(64, 1, 3, 3), .groups = 64,
     .padding = {1, 1}, .stride = {2, 2})
CONV(depthwise_odd, TG_SHAPE(SHARE(16), 96, 27, 27), TG_SHAPE(96, 1, 5, 5), .groups = 96, .padding = {2, 2})
CONV(depthwise_small, TG_SHAPE(SHARE(64), 192, 7, 7), TG_SHAPE(192, 1, 3, 3), .groups = 192, .padding = {1, 1})
CONV(depthwise_line, TG_SHAPE(SHARE(16), 64, 1, 1024), TG_SHAPE(64, 1, 1, 3), .groups = 64, .padding = {0, 1})
CONV(depthwise_one, TG_SHAPE(1, 32, 64, 64), TG_SHAPE(32, 1, 3, 3), .groups = 32, .padding = {2, 2},
     .dilation = {2, 2})
CONV(grouped_4, TG_SHAPE(SHARE(16), 64, 32, 32), TG_SHAPE(64, 4, 3, 3), .groups = 16, .padding = {1, 1})

#define CONV_FLOPS(places, weights) (3 * 2.0 * (places) * (weights))
#define CONV_BYTES(x, y) (4 * (3.0 * (x) + 6.0 * (y)))

static const workload table[] = {
    {"cnn_b64", cnn_make, training_step, training_end, 2.0 * 64 * (2 * CONV1 + 3 * (CONV2 + DENSE)),
     ADAM_BYTES(16 * 25 + 32 * 16 * 25 + DENSE + 16 + 32 + 128 + 10)},
    {"cnn_norm", norm_make, training_step, training_end,
     2.0 * 32 * (2 * NORM_CONV(3) + 3 * (NORM_CONV(32) + NORM_DENSE)),
     ADAM_BYTES(32 * 3 * 9 + 32 * 32 * 9 + NORM_DENSE)},
    {"conv_depthwise", depthwise_make, convolution_step, convolution_end, CONV_FLOPS(1048576, 9),
     CONV_BYTES(1048576, 1048576)},
    {"conv_depthwise_stride", depthwise_stride_make, convolution_step, convolution_end, CONV_FLOPS(262144, 9),
     CONV_BYTES(1048576, 262144)},
    {"conv_depthwise_odd", depthwise_odd_make, convolution_step, convolution_end, CONV_FLOPS(1119744, 25),
     CONV_BYTES(1119744, 1119744)},
    {"conv_depthwise_small", depthwise_small_make, convolution_step, convolution_end, CONV_FLOPS(602112, 9),
     CONV_BYTES(602112, 602112)},
    {"conv_depthwise_line", depthwise_line_make, convolution_step, convolution_end, CONV_FLOPS(1048576, 3),
     CONV_BYTES(1048576, 1048576)},
    {"conv_depthwise_one", depthwise_one_make, convolution_step, convolution_end, CONV_FLOPS(131072, 9),
     CONV_BYTES(131072, 131072)},
    {"conv_grouped", grouped_4_make, convolution_step, convolution_end, CONV_FLOPS(1048576, 36),
     CONV_BYTES(1048576, 1048576)},
};

extern const workload_table cnn_workloads;
WORKLOADS(cnn_workloads, table);
