#include "ops/nn/layers/transformer.h"

#include "autograd/composed.h"
#include "ops/elementwise/activation.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/nn/layers/attention_private.h"
#include "ops/nn/layers/layer.h"
#include "ops/nn/layers/layers.h"

static const char layer[] = "nn_transformer_block";

typedef struct block {
    tg_model *model;
    const char *name;
    tg_nn_transformer_block_opts o;
    int64_t heads, size;
    tg_kv_append *append;
} block;

typedef tg_tensor *part_fn(const block *b, tg_tensor *x);

/* Calls a layer `f` of the block by its part of the name. */
#define PART(b, part, f, ...) \
    char full[TG_LAYER_NAME]; \
    if (!tg_layer_name(full, layer, (b)->name, part)) return tg_poison(); \
    return f((b)->model, full, __VA_ARGS__)

static tg_tensor *norm(const block *b, const char *part, tg_tensor *x) {
    double eps = tg_option(b->o.eps, 1e-5);
    if (b->o.rms_norm) {
        PART(b, part, tg_nn_rms_norm_with, x, (tg_nn_rms_norm_opts){.eps = eps});
    }
    PART(b, part, tg_nn_layer_norm_with, x, (tg_nn_layer_norm_opts){.eps = eps, .no_bias = b->o.no_bias});
}

static tg_tensor *linear(const block *b, const char *part, tg_tensor *x, int64_t out) {
    PART(b, part, tg_nn_linear_with, x, out, (tg_nn_linear_opts){.no_bias = b->o.no_bias});
}

/* ---- the parts ---- */

static tg_tensor *attention(const block *b, tg_tensor *x) {
    const tg_nn_transformer_block_opts *o = &b->o;
    tg_nn_multihead_attention_opts opts = {.mask = o->mask,
                                           .key_padding_mask = o->key_padding_mask,
                                           .lengths = o->lengths,
                                           .cache = o->cache,
                                           .kv_heads = o->kv_heads,
                                           .causal = o->causal,
                                           .no_bias = o->no_bias,
                                           .separate = o->separate,
                                           .rotary = o->rotary,
                                           .rotary_interleaved = o->rotary_interleaved,
                                           .rotary_offset = o->rotary_offset,
                                           .rotary_base = o->rotary_base,
                                           .dropout = o->dropout};
    PART(b, "self_attn", tg_attention_begin, x, b->heads, opts, b->append);
}

static tg_tensor *cross(const block *b, tg_tensor *x) {
    const tg_nn_transformer_block_opts *o = &b->o;
    tg_nn_multihead_attention_opts opts = {.key = o->memory,
                                           .key_padding_mask = o->memory_padding_mask,
                                           .lengths = o->memory_lengths,
                                           .kv_heads = o->kv_heads,
                                           .no_bias = o->no_bias,
                                           .separate = o->separate,
                                           .dropout = o->dropout};
    PART(b, "multihead_attn", tg_nn_multihead_attention_with, x, b->heads, opts);
}

static tg_tensor *mlp(const block *b, tg_tensor *x) {
    tg_activation_fn activation = b->o.activation ? b->o.activation : b->o.gated ? tg_silu : tg_gelu;
    tg_tensor *h = linear(b, "linear1", x, b->o.mlp);
    if (tg_is_poison(h)) return h;
    tg_callback c = tg_callback_begin();
    h = activation(h);
    tg_callback_end(c, tg_is_alive(h) ? TG_OK : TG_ERR_ARGUMENT, "nn_transformer_block: the activation");
    if (tg_error_status() != TG_OK) return tg_poison();
    if (b->o.gated) h = tg_mul(h, linear(b, "linear3", x, b->o.mlp));
    if (b->o.dropout != 0) h = tg_nn_dropout_with(b->model, h, b->o.dropout, (tg_nn_dropout_opts){0});
    return linear(b, "linear2", h, b->size);
}

/* ---- the block ---- */

/* x and what a part makes of it, with the norm in front or behind. What the part made is read by gradients alone. */
static tg_tensor *beside(const block *b, tg_tensor *x, part_fn *part, const char *norm_name) {
    tg_tensor *y = part(b, b->o.post_norm ? x : norm(b, norm_name, x));
    if (b->o.dropout != 0) y = tg_nn_dropout_with(b->model, y, b->o.dropout, (tg_nn_dropout_opts){0});
    if (tg_is_poison(y)) return y;
    tg_tensor *sum = tg_add(x, y);
    if (!tg_is_poison(sum)) tg_drop_elements(y);
    return b->o.post_norm ? norm(b, norm_name, sum) : sum;
}

static tg_tensor *run(const block *b, tg_tensor *x) {
    const tg_tensor *memory = b->o.memory;
    x = beside(b, x, attention, "norm1");
    if (memory) x = beside(b, x, cross, "norm2");
    return beside(b, x, mlp, memory ? "norm3" : "norm2");
}

tg_tensor *tg_nn_transformer_block_with(tg_model *model, const char *name, tg_tensor *x, int64_t heads,
                                        tg_nn_transformer_block_opts o) {
    TG_NAMED(layer);
    tg_kv_append append = {0};
    block b = {model, name, o, heads, 0, &append};
    if (!tg_layer_check(layer, x, 3, "[n, t, size]", heads)) return tg_poison();
    b.size = tg_size(x, 2);
    if (b.o.mlp == 0 && b.size <= INT64_MAX / 4) b.o.mlp = 4 * b.size;
    if (b.o.mlp < 1) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the width of the mlp, %lld, must be positive", layer, (long long)b.o.mlp);
        return tg_poison();
    }
    tg_layer_start start = tg_layer_begin(model);
    tg_tensor *y = run(&b, x);
    return tg_layer_end(start, tg_kv_append_end(&append, !tg_is_poison(y)) == TG_OK ? y : tg_poison());
}
