/* The smallest models. */
#include "bench.h"

#include <stdlib.h>

/* ---- chain1000: a thousand scalar additions and back ---- */

static void *chain_make(void) { return tg_param(tg_scalar(TG_F32, 1)); }

static void chain_step(void *state) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = state, *y = x;
    tg_zero_grad(x);
    for (int i = 0; i < 1000; i++) y = tg_add(y, x);
    tg_backward(y);
    tg_tape_rewind(m);
}

static void chain_end(void *state) { tg_free(state); }

/* ---- xor: 2-8-1 with tanh, full batch, SGD 0.1 ---- */

static tg_tensor *xor_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_tanh(tg_nn_linear(m, "hidden", x, 8, .init = tg_init_xavier_uniform(1)));
    return tg_binary_cross_entropy_with_logits(tg_nn_linear(m, "out", h, 1), y);
}

static void *xor_make(void) {
    const float x[] = {0, 0, 0, 1, 1, 0, 1, 1}, y[] = {0, 1, 1, 0};
    training *t = training_make(tg_from(TG_F32, x, 4, 2), tg_from(TG_F32, y, 4, 1), xor_loss);
    if (t) t->optim = tg_sgd(t->model, 0.1);
    return t;
}

/* ---- mlp: 784-256-128-10 with relu, cross-entropy, Adam 1e-3 ----
 * Floor: a product of 2 in out flops a sample and layer, once forward and twice back, but for the gradient of the
 * images; Adam's pass over the parameters. */

#define MLP_WEIGHTS (784.0 * 256 + 256 * 128 + 128 * 10)
#define MLP_FLOPS(batch) (2.0 * (batch) * (3 * MLP_WEIGHTS - 784 * 256))
#define MLP_BYTES ADAM_BYTES(MLP_WEIGHTS + 256 + 128 + 10)

static tg_tensor *mlp_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_relu(tg_nn_linear(m, "fc1", x, 256));
    x = tg_relu(tg_nn_linear(m, "fc2", x, 128));
    return tg_cross_entropy(tg_nn_linear(m, "out", x, 10), y);
}

static void *mlp_make(int64_t batch) {
    tg_tensor *x = tg_normal(TG_F32, 0, 1, batch, 784);
    training *t = training_make(x, random_classes(TG_SHAPE(batch), 10), mlp_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

static void *mlp_b64_make(void) { return mlp_make(SHARE(64)); }
static void *mlp_b1024_make(void) { return mlp_make(SHARE(1024)); }

/* ---- matmul_batch: [64, 128, 64] x [64, 64, 128] and the mean of its squares, in both factors ----
 * Floor, besides the products: the product is written, read for the loss, read to make its gradient, which is written, and
 * read twice; the factors are in the cache. */

typedef struct factors {
    tg_tensor *a, *b;
} factors;

static void *factors_make(void) {
    factors *f = malloc(sizeof *f);
    if (f)
        *f = (factors){tg_param(tg_normal(TG_F32, 0, 1, SHARE(64), 128, 64)),
                       tg_param(tg_normal(TG_F32, 0, 1, SHARE(64), 64, 128))};
    return f;
}

static void factors_step(void *state) {
    factors *f = state;
    tg_mark m = tg_tape_mark();
    tg_zero_grad(f->a);
    tg_zero_grad(f->b);
    tg_backward(tg_mean(tg_square(tg_matmul(f->a, f->b))));
    tg_tape_rewind(m);
}

static void factors_end(void *state) {
    factors *f = state;
    tg_free(f->a);
    tg_free(f->b);
    free(f);
}

static const workload rows[] = {
    {"chain1000", chain_make, chain_step, chain_end, 0, 0},
    {"xor", xor_make, training_step, training_end, 0, 0},
    {"mlp_b64", mlp_b64_make, training_step, training_end, MLP_FLOPS(64), MLP_BYTES},
    {"mlp_b1024", mlp_b1024_make, training_step, training_end, MLP_FLOPS(1024), MLP_BYTES},
    {"matmul_batch", factors_make, factors_step, factors_end, 3 * 2.0 * 64 * 128 * 64 * 128,
     6 * 4.0 * 64 * 128 * 128},
};

extern const workload_table small_workloads;
WORKLOADS(small_workloads, rows);
