/* Attention layers: functions of (model, name, query, heads, options). */
#ifndef TG_OPS_NN_ATTENTION_H
#define TG_OPS_NN_ATTENTION_H

#include "ops/nn/layers/kv_cache.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multi-head attention of x [n, t, size] to itself, or with `key` and `value` to others (torch.nn.MultiheadAttention(size, heads,
 * batch_first=True)): with q = x W_q^T + b_q, k = key W_k^T + b_k and v = value W_v^T + b_v cut into heads of d = size / heads,
 *     y = concat over heads of softmax(q k^T / sqrt(d) + mask) v, times W_out^T + b_out       [n, t, size]
 *
 *     x = tg_add(x, tg_nn_multihead_attention(m, "attn", h, 4, .causal = true));
 *     y = tg_nn_multihead_attention(m, "cross", x, 4, .key = memory, .lengths = lengths);
 *
 *   key, value        [n, s, size of key] and [n, s, size of value]; left out, key is x and value is key
 *   kv_heads          heads of keys and values, each for heads / kv_heads of the queries' (grouped queries; PyTorch's
 *                     scaled_dot_product_attention with enable_gqa); default `heads`
 *   causal            step i sees the steps 0..i, and with a cache all before
 *   mask              as in tg_scaled_dot_product_attention, and broadcasts to [n, heads, t, s]: a bool one is true
 *                     where a pair takes part, one of the dtype of x is added to the scores
 *   key_padding_mask  bool [n, s], true, as in PyTorch, where a key is padding that nobody sees
 *   lengths           i64 or i32 [n]: only the first lengths[i] keys of sample i are seen
 *   rotary            turns queries and keys by their positions (tg_rotary, with its base and interleaved), which begin at
 *                     rotary_offset, and with a cache behind what it holds; only of x to itself
 *   dropout           of the softmax while the model is in training, which then is computed as a whole matrix
 *   cache             puts the keys and values of x into a tg_kv_cache under `name`, and attends to all that are there: s
 *                     is their number, past ones first. Only of x to itself, and only while no gradient is recorded
 *                     (TG_ERR_TAPE). The result is that of one pass over the whole sequence
 *   no_bias           without in_proj_bias and out_proj.bias
 *   separate          three weights in place of in_proj_weight
 *   init              of in_proj_weight (of each of the three), init_bias of in_proj_bias, init_out and init_out_bias of
 *                     out_proj
 * A query that sees no key gets 0 in place of the sum of values.
 *
 * Parameters: name.in_proj_weight [size + 2 d kv_heads, size], the rows of W_q, W_k and W_v, and name.in_proj_bias likewise;
 * name.out_proj.weight [size, size] and name.out_proj.bias [size]. With `separate`, and where key or value have another
 * size than x, name.q_proj_weight [size, size], name.k_proj_weight and name.v_proj_weight [d kv_heads, size of key, of value]
 * take in_proj_weight's place, as in PyTorch. They start as in
 * PyTorch: the first by tg_init_xavier_uniform, out_proj.weight as that of tg_nn_linear, biases as 0.
 *
 * Errors: TG_ERR_SHAPE (x, key, value, a mask; heads that do not divide size, or kv_heads that do not divide heads),
 * TG_ERR_DTYPE, TG_ERR_ARGUMENT, and those of the cache. The cache is then as before. */
typedef struct tg_nn_multihead_attention_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *key, *value, *mask, *key_padding_mask, *lengths;
    tg_kv_cache *cache;
    int64_t kv_heads;
    bool causal, no_bias, separate, rotary, rotary_interleaved;
    int64_t rotary_offset;
    double rotary_base; /* default 10000 */
    double dropout;
    tg_init init, init_bias, init_out, init_out_bias;
} tg_nn_multihead_attention_opts;
TG_API tg_tensor *tg_nn_multihead_attention_with(tg_model *model, const char *name, tg_tensor *x,
                                                 int64_t heads, tg_nn_multihead_attention_opts opts);

#ifdef __cplusplus
}
#endif

#endif
