/* The list of workloads, and the smallest of them. */
#include "bench.h"

const workload workloads[] = {
#define WORKLOAD(name, kind) {#name, name##_make, kind##_step, kind##_end},
#include "workloads.def"
#undef WORKLOAD
};
const int n_workloads = sizeof workloads / sizeof *workloads;

/* ---- chain1000: a thousand scalar additions and back ---- */

void *chain1000_make(void) { return tg_param(tg_scalar(TG_F32, 1)); }

void chain_step(void *state) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = state, *y = x;
    tg_zero_grad(x);
    for (int i = 0; i < 1000; i++) y = tg_add(y, x);
    tg_backward(y);
    tg_tape_rewind(m);
}

void chain_end(void *state) { tg_free(state); }

/* ---- xor: 2-8-1 with tanh, full batch, SGD 0.1 ---- */

static tg_tensor *xor_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_tanh(tg_dense(m, "hidden", x, 8, .init = tg_init_xavier_uniform));
    return tg_binary_cross_entropy_with_logits(tg_dense(m, "out", h, 1), y);
}

void *xor_make(void) {
    const float x[] = {0, 0, 0, 1, 1, 0, 1, 1}, y[] = {0, 1, 1, 0};
    training *t = training_make(tg_from(TG_F32, x, 4, 2), tg_from(TG_F32, y, 4, 1), xor_loss);
    if (t) t->optim = tg_sgd(t->model, 0.1);
    return t;
}

/* ---- mlp: 784-256-128-10 with relu, cross-entropy, Adam 1e-3 ---- */

static tg_tensor *mlp_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    x = tg_relu(tg_dense(m, "fc1", x, 256));
    x = tg_relu(tg_dense(m, "fc2", x, 128));
    return tg_cross_entropy(tg_dense(m, "out", x, 10), y);
}

static void *mlp_make(int64_t batch) {
    training *t = training_make(tg_randn(TG_F32, 0, 1, batch, 784), random_classes(batch, 10), mlp_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

void *mlp_b64_make(void) { return mlp_make(64); }
void *mlp_b1024_make(void) { return mlp_make(1024); }
