/* cnn_b64: two 5x5 convolutions with relu and 2x2 max pooling, 1568-128-10, cross-entropy, Adam 1e-3, on 64
 * images of 28 by 28.
 * Floor: 2 flops a weight and place it is used at, once forward and twice back, but for the gradient of the images. */
#include "bench.h"

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
    tg_tensor *x = tg_normal(TG_F32, 0, 1, 64, 1, 28, 28), *y = random_classes(TG_SHAPE(64), 10);
    training *t = training_make(x, y, cnn_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

#define CONV1 (784.0 * 16 * 25)
#define CONV2 (196.0 * 32 * 16 * 25)
#define DENSE (1568.0 * 128 + 128 * 10)

static const workload table[] = {
    {"cnn_b64", cnn_make, training_step, training_end, 2.0 * 64 * (2 * CONV1 + 3 * (CONV2 + DENSE)),
     ADAM_BYTES(16 * 25 + 32 * 16 * 25 + DENSE + 16 + 32 + 128 + 10)},
};

extern const workload_table cnn_workloads;
WORKLOADS(cnn_workloads, table);
