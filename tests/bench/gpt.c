/* gpt: a decoder of 4 blocks, 4 heads, width 128, context 128, 96 tokens; a batch of 16 sequences, cross-entropy,
 * AdamW 3e-4.
 * Floor: the products with weights, 2 in out flops a token and weight, once forward and twice back; attention's
 * two products of 2 t^2 width flops a sequence and block, likewise, of which the causal half is needed; AdamW's
 * pass. */
#include "bench.h"

#include <stdio.h>

enum { BATCH = SHARE(16), TOKENS = 96, WIDTH = 128, CONTEXT = 128, BLOCKS = 4, HEADS = 4 };

#define WEIGHTS (BLOCKS * 12.0 * WIDTH * WIDTH + (double)WIDTH * TOKENS)
#define PARAMETERS (WEIGHTS + (double)WIDTH * (TOKENS + CONTEXT + BLOCKS * 13 + 2))
#define ATTENTION (BLOCKS * 2 * 2.0 * CONTEXT * CONTEXT * WIDTH / 2)
#define FLOPS (3 * BATCH * (2.0 * CONTEXT * WEIGHTS + ATTENTION))

static tg_tensor *layer(tg_model *m, int block, const char *part, tg_tensor *x, int64_t size) {
    char name[32];
    snprintf(name, sizeof name, "b%d.%s", block, part);
    return size ? tg_nn_linear(m, name, x, size) : tg_nn_layer_norm(m, name, x);
}

/* x + y, after which y is read by gradients alone. */
static tg_tensor *plus(tg_tensor *x, tg_tensor *y) {
    tg_tensor *sum = tg_add(x, y);
    tg_drop_elements(y);
    return sum;
}

static tg_tensor *block(tg_model *m, int i, tg_tensor *x) {
    char name[32];
    snprintf(name, sizeof name, "b%d.attention", i);
    x = plus(x, tg_nn_multihead_attention(m, name, layer(m, i, "norm1", x, 0), HEADS, .causal = true));
    tg_tensor *h = tg_gelu(layer(m, i, "up", layer(m, i, "norm2", x, 0), 4 * WIDTH));
    return plus(x, layer(m, i, "down", h, WIDTH));
}

static tg_tensor *loss(tg_model *m, tg_tensor *tokens, tg_tensor *next) {
    tg_tensor *places = tg_arange(TG_I64, 0, CONTEXT, 1);
    tg_tensor *x = tg_nn_embedding(m, "token", tokens, TOKENS, WIDTH);
    x = plus(tg_nn_embedding(m, "place", places, CONTEXT, WIDTH), x);
    for (int i = 0; i < BLOCKS; i++) x = block(m, i, x);
    x = tg_nn_linear(m, "out", tg_nn_layer_norm(m, "norm", x), TOKENS, .no_bias = true);
    return tg_cross_entropy(tg_reshape(x, BATCH * CONTEXT, TOKENS), next);
}

static void *make(void) {
    tg_tensor *x = random_classes(TG_SHAPE(BATCH, CONTEXT), TOKENS);
    training *t = training_make(x, random_classes(TG_SHAPE(BATCH * CONTEXT), TOKENS), loss);
    if (t) t->optim = tg_adam(t->model, 3e-4, .weight_decay = 0.01, .decoupled = true);
    return t;
}

static const workload rows[] = {{"gpt", make, training_step, training_end, FLOPS, ADAM_BYTES(PARAMETERS)}};

extern const workload_table gpt_workloads;
WORKLOADS(gpt_workloads, rows);
