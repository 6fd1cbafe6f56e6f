/* Private. Attention as a part of another layer, and appending to a key-value cache in two parts: between them a layer uses what
 * is there then, and if it fails the cache is as it was. */
#ifndef TG_OPS_NN_ATTENTION_PRIVATE_H
#define TG_OPS_NN_ATTENTION_PRIVATE_H

#include "ops/nn/layers/attention.h"

/* Steps that are written, and do not count yet. */
typedef struct tg_kv_append {
    tg_kv_cache *cache; /* NULL: nothing was done */
    void *entry;        /* handle of what the layer holds, */
    bool fresh, grows;  /* which is new, and whose tensors are, and will be room[] */
    tg_tensor *room[2];
    int64_t steps, capacity;
} tg_kv_append;

/* Writes keys and values behind those held, and sets view[] to all of them; the poison tensor where it fails.
 * tg_kv_append_end makes them count or, without `keep`, undoes it; it is called in any case, and fails when the cache
 * was freed in between. */
tg_status tg_kv_append_begin(tg_kv_append *p, tg_kv_cache *cache, const char *name, tg_tensor *const kv[2],
                             tg_tensor *view[2]);
tg_status tg_kv_append_end(const tg_kv_append *p, bool keep);

/* tg_nn_multihead_attention_with, but for tg_kv_append_end, whether it fails or not. */
tg_tensor *tg_attention_begin(tg_model *model, const char *name, tg_tensor *x, int64_t heads,
                              tg_nn_multihead_attention_opts opts, tg_kv_append *append);

#endif
