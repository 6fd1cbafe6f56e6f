/* Transformer blocks: attention and a network of two layers, each beside a path around it. */
#ifndef TG_OPS_NN_TRANSFORMER_H
#define TG_OPS_NN_TRANSFORMER_H

#include "ops/nn/layers/kv_cache.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A function of each number of a tensor, such as tg_relu, tg_gelu and tg_silu. */
typedef tg_tensor *(*tg_activation_fn)(tg_tensor *x);

/* A block over x [n, t, size], of the same shape; `heads` as in tg_nn_multihead_attention. As GPT and LLaMA have it, with the
 * norms in front (torch.nn.TransformerEncoderLayer with norm_first):
 *     x = x + attention(norm1(x))        x = x + mlp(norm2(x))        mlp(h) = linear2(activation(linear1(h)))
 * and with post_norm behind, as there by default:
 *     x = norm1(x + attention(x))        x = norm2(x + mlp(x))
 *
 *     for (int i = 0; i < 4; i++) x = tg_nn_transformer_block(m, name[i], x, 8, .causal = true);
 *     x = tg_nn_transformer_block(m, "l0", x, 32, .causal = true, .kv_heads = 8, .rotary = true, .rotary_base = 500000,
 *                                 .rms_norm = true, .gated = true, .no_bias = true, .mlp = 14336, .cache = cache);   // LLaMA 3
 *     x = tg_nn_transformer_block(m, "encoder", x, 8, .post_norm = true, .mlp = 2048, .activation = tg_relu);  // PyTorch's
 *
 *   memory            [n, s, size], of an encoder: a decoder's block (torch.nn.TransformerDecoderLayer), which after its
 *                     attention attends to memory, x = x + cross(norm2(x), memory), and whose mlp has norm3. memory_lengths
 *                     and memory_padding_mask are those of its keys
 *   mlp               the width between linear1 and linear2; default 4 size
 *   activation        default tg_gelu, and tg_silu in a gated mlp
 *   gated             mlp(h) = linear2(activation(linear1(h)) * linear3(h)) (SwiGLU)
 *   rms_norm          tg_nn_rms_norm in place of tg_nn_layer_norm
 *   eps               of the norms; default 1e-5
 *   dropout           of the attention, behind the activation, and of what is added to x, in training
 *   no_bias           no bias anywhere
 * The others are those of tg_nn_multihead_attention. Parameters have the names of PyTorch: name.self_attn.in_proj_weight (and so
 * on), name.linear1.weight, .bias, name.linear2, name.norm1, name.norm2; name.linear3 of a gated mlp (linear1, linear2 and
 * linear3 are LLaMA's w1, w2 and w3); name.multihead_attn and name.norm3 of a decoder. A cache holds the keys and values
 * of name.self_attn. Errors are those of the layers. */
typedef struct tg_nn_transformer_block_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *mask, *key_padding_mask, *lengths;
    tg_tensor *memory, *memory_padding_mask, *memory_lengths;
    tg_kv_cache *cache;
    int64_t mlp, kv_heads;
    tg_activation_fn activation;
    bool causal, post_norm, rms_norm, gated, no_bias, separate, rotary, rotary_interleaved;
    int64_t rotary_offset;
    double rotary_base, dropout, eps;
} tg_nn_transformer_block_opts;
TG_API tg_tensor *tg_nn_transformer_block_with(tg_model *model, const char *name, tg_tensor *x, int64_t heads,
                                               tg_nn_transformer_block_opts opts);

#ifdef __cplusplus
}
#endif

#endif
