/* generate: one more token of a text of 127, by a key-value cache that holds them; and generate_full, the same by a pass
 * over all 128. A decoder of 4 blocks, 4 heads, width 128, 96 tokens, one text, no gradients; only the last step goes
 * through the output layer. Tokens a second are 1e6 over the microseconds. */
#include "bench.h"

#include <stdlib.h>

enum { TOKENS = 96, WIDTH = 128, CONTEXT = 128, BLOCKS = 4, HEADS = 4 };

typedef struct generation {
    tg_model *model;
    tg_kv_cache *cache; /* NULL: without */
    tg_tensor *text;    /* [1, CONTEXT] */
} generation;

/* The scores of the token behind `tokens`, which begin at position `past`. */
static tg_tensor *next(const generation *g, tg_tensor *tokens, int64_t past) {
    static const char *const names[BLOCKS] = {"b0", "b1", "b2", "b3"};
    int64_t t = tg_size(tokens, 1);
    tg_tensor *places = tg_arange(TG_I64, (double)past, (double)(past + t), 1);
    tg_tensor *x = tg_nn_embedding(g->model, "token", tokens, TOKENS, WIDTH);
    x = tg_add(tg_nn_embedding(g->model, "place", places, CONTEXT, WIDTH), x);
    for (int i = 0; i < BLOCKS; i++)
        x = tg_nn_transformer_block(g->model, names[i], x, HEADS, .causal = true, .cache = g->cache);
    x = tg_nn_layer_norm(g->model, "norm", tg_select(x, 1, -1));
    return tg_nn_linear(g->model, "out", x, TOKENS, .no_bias = true);
}

static void *make(bool cached) {
    generation *g = malloc(sizeof *g);
    if (!g) return NULL;
    *g = (generation){tg_model_new(1), cached ? tg_kv_cache_new(CONTEXT) : NULL,
                      tg_keep(random_classes(TG_SHAPE(1, CONTEXT), TOKENS))};
    bool was = tg_set_grad_enabled(false);
    next(g, cached ? tg_narrow(g->text, 1, 0, CONTEXT - 1) : g->text, 0);
    tg_set_grad_enabled(was);
    return g;
}
static void *cached_make(void) { return make(true); }
static void *full_make(void) { return make(false); }

static void step(void *state) {
    generation *g = state;
    int64_t past = g->cache ? CONTEXT - 1 : 0;
    bool was = tg_set_grad_enabled(false);
    tg_mark m = tg_tape_mark();
    if (g->cache) tg_kv_cache_truncate(g->cache, past);
    next(g, tg_narrow(g->text, 1, past, CONTEXT - past), past);
    tg_tape_rewind(m);
    tg_set_grad_enabled(was);
}

static void end(void *state) {
    generation *g = state;
    tg_kv_cache_free(g->cache);
    tg_model_free(g->model);
    tg_free(g->text);
    free(g);
}

static const workload rows[] = {{"generate", cached_make, step, end}, {"generate_full", full_make, step, end}};

extern const workload_table generate_workloads;
WORKLOADS(generate_workloads, rows);
