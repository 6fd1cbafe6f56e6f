/* Key-value caches: what attention layers have seen, kept from one step of generation to the next, so that a step computes
 * the keys and values of its new tokens alone. A cache serves all layers of a model; each keeps its own keys and
 * values in it, by its name.
 *
 *     tg_kv_cache *cache = tg_kv_cache_new(1024);
 *     bool was = tg_set_grad_enabled(false);
 *     for (tg_tensor *next = prompt; more; next = sample(logits)) {          // [n, t] tokens: the prompt, then one each
 *         tg_tensor *logits = gpt(m, next, tg_kv_cache_length(cache), cache);  // layers with .causal = true, .cache = cache
 *         ..
 *     }
 *     tg_kv_cache_truncate(cache, 0);                                        // another text
 *
 * A cache keeps no history, so keys and values through which a gradient would flow are refused. One thread at a time uses it.
 */
#ifndef TG_OPS_NN_KV_CACHE_H
#define TG_OPS_NN_KV_CACHE_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_kv_cache tg_kv_cache;

/* A cache of at most `limit` steps, empty. Its memory grows with them, by doubling. NULL with TG_ERR_ARGUMENT raised for a
 * limit below 1, TG_ERR_MEMORY, or the error that is pending. */
TG_API tg_kv_cache *tg_kv_cache_new(int64_t limit);

/* Frees it. NULL is ignored; a cache that was freed is TG_ERR_ARGUMENT, here and everywhere. */
TG_API void tg_kv_cache_free(tg_kv_cache *cache);

/* The number of steps that all layers hold: the position of the next token. 0 before the first call. */
TG_API int64_t tg_kv_cache_length(const tg_kv_cache *cache);

/* Forgets all steps but the first `steps` in every layer, and none where there are fewer: 0 for another text; the
 * length before a pass that failed half-way, to try it again; fewer to go on otherwise. Memory stays. TG_ERR_ARGUMENT for
 * a negative number. What tg_kv_cache_append gave for the steps forgotten changes with the next ones. */
TG_API tg_status tg_kv_cache_truncate(tg_kv_cache *cache, int64_t steps);

/* For layers of your own: appends k [n, heads, t, size] and v [n, heads, t, size of v] to what the layer `name` holds, without
 * a copy of that, and sets *keys and *values to views of all steps so far, [n, heads, past + t, ..], on the current tape. While
 * the layer holds steps, n, heads, the sizes and the dtype stay (TG_ERR_SHAPE, TG_ERR_DTYPE). More steps than the limit are
 * TG_ERR_ARGUMENT, and keys or values that require a gradient while recording is on TG_ERR_TAPE. On failure the cache is
 * as before, and both results are poison. */
TG_API tg_status tg_kv_cache_append(tg_kv_cache *cache, const char *name, tg_tensor *k, tg_tensor *v,
                                    tg_tensor **keys, tg_tensor **values);

/* The number of steps that the layer `name` holds; 0 where it holds none. */
TG_API int64_t tg_kv_cache_past(const tg_kv_cache *cache, const char *name);

#ifdef __cplusplus
}
#endif

#endif
