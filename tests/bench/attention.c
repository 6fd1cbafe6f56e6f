/* Attention: causal, forward and backward, of q, k, v [batch, heads, length, size] in one projection. */
#include "bench.h"

#include <stdlib.h>

typedef struct attention {
    tg_tensor *qkv, *seed;
} attention;

static void *attention_make(int64_t batch, int64_t heads, int64_t length, int64_t size) {
    attention *a = malloc(sizeof *a);
    if (!a) return NULL;
    a->qkv = tg_param(tg_normal(TG_F32, 0, 1, batch, length, 3, heads, size));
    a->seed = tg_keep(tg_normal(TG_F32, 0, 1, batch, heads, length, size));
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

static void *attention_gpt_make(void) { return attention_make(SHARE(16), 4, 128, 32); }
static void *attention_512_make(void) { return attention_make(BENCH_SHARE > 1 ? 1 : 4, 8, 512, 64); }

static const workload table[] = {
    {"attention_gpt", attention_gpt_make, attention_step, attention_end},
    {"attention_512", attention_512_make, attention_step, attention_end},
};

extern const workload_table attention_workloads;
WORKLOADS(attention_workloads, table);
