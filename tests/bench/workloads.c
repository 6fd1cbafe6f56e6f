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

/* ---- training of a model ---- */

typedef struct training {
    tg_model *model;
    tg_optim *optim;
    tg_tensor *x, *y;
    tg_tensor *(*loss)(tg_model *model, tg_tensor *x, tg_tensor *y);
} training;

static void training_step(void *state) {
    training *t = state;
    tg_mark m = tg_tape_mark();
    tg_backward(t->loss(t->model, t->x, t->y));
    tg_optim_step(t->optim);
    tg_tape_rewind(m);
}

static void training_end(void *state) {
    training *t = state;
    tg_optim_free(t->optim);
    tg_model_free(t->model);
    tg_free(t->x);
    tg_free(t->y);
    free(t);
}

static training *training_make(tg_tensor *x, tg_tensor *y, tg_tensor *(*loss)(tg_model *, tg_tensor *, tg_tensor *)) {
    training *t = malloc(sizeof *t);
    if (t) *t = (training){tg_model_new(0), NULL, tg_keep(x), tg_keep(y), loss};
    return t;
}

/* ---- xor: 2-8-1 with tanh, full batch, SGD 0.1 ---- */

static tg_tensor *xor_loss(tg_model *m, tg_tensor *x, tg_tensor *y) {
    tg_tensor *h = tg_tanh(tg_dense(m, "hidden", x, 8, .init = tg_init_xavier_uniform));
    return tg_binary_cross_entropy_with_logits(tg_dense(m, "out", h, 1), y);
}

static void *xor_make(void) {
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

static tg_tensor *random_classes(int64_t n, uint64_t classes) {
    tg_tensor *y = tg_zeros(TG_I64, n);
    int64_t *v = tg_data_mut(y);
    for (int64_t i = 0; v && i < n; i++) v[i] = (int64_t)tg_rng_below(tg_default_rng(), classes);
    return y;
}

static void *mlp_make(int64_t batch) {
    training *t = training_make(tg_randn(TG_F32, 0, 1, batch, 784), random_classes(batch, 10), mlp_loss);
    if (t) t->optim = tg_adam(t->model, 1e-3);
    return t;
}

static void *mlp_b64_make(void) { return mlp_make(64); }
static void *mlp_b1024_make(void) { return mlp_make(1024); }

/* ---- attention: causal, forward and backward, of q, k, v [batch, heads, length, size] in one projection ---- */

typedef struct attention {
    tg_tensor *qkv, *seed;
} attention;

static void *attention_make(int64_t batch, int64_t heads, int64_t length, int64_t size) {
    attention *a = malloc(sizeof *a);
    if (!a) return NULL;
    a->qkv = tg_param(tg_randn(TG_F32, 0, 1, batch, length, 3, heads, size));
    a->seed = tg_keep(tg_randn(TG_F32, 0, 1, batch, heads, length, size));
    return a;
}

static void attention_step(void *state) {
    attention *a = state;
    tg_mark m = tg_tape_mark();
    tg_tensor *parts = tg_permute(a->qkv, 2, 0, 3, 1, 4), *in[3], *g;
    for (int i = 0; i < 3; i++) in[i] = tg_squeeze(tg_slice(parts, 0, i, i + 1, 1), 0);
    tg_tensor *y = tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = true);
    tg_grad(1, &y, 1, &a->qkv, &g, .seeds = &a->seed);
    tg_tape_rewind(m);
}

static void attention_end(void *state) {
    attention *a = state;
    tg_free(a->qkv);
    tg_free(a->seed);
    free(a);
}

static void *attention_gpt_make(void) { return attention_make(16, 4, 128, 32); }
static void *attention_512_make(void) { return attention_make(4, 8, 512, 64); }

const workload workloads[] = {
    {"chain1000", chain_make, chain_step, chain_end},
    {"xor", xor_make, training_step, training_end},
    {"mlp_b64", mlp_b64_make, training_step, training_end},
    {"mlp_b1024", mlp_b1024_make, training_step, training_end},
    {"attention_gpt", attention_gpt_make, attention_step, attention_end},
    {"attention_512", attention_512_make, attention_step, attention_end},
};
const int n_workloads = sizeof workloads / sizeof *workloads;
