/* Private. Tensors under names, in the order in which they came: the parameters of a model, or its buffers. */
#ifndef TG_OPS_NN_STORE_H
#define TG_OPS_NN_STORE_H

#include "core/tensor.h"

#define TG_LAYER_KIND 32

typedef struct tg_entry {
    tg_tensor *tensor; /* owned */
    char *name;        /* owned; tg_set_name on the tensor does not change the key */
    uint64_t hash;     /* of the name */
    bool loaded;       /* a file made it; no layer that fails takes it away */
    bool asked;        /* a layer has asked for it since */
    char layer[TG_LAYER_KIND]; /* the kind of layer whose it is, cut to this length; "": not of a layer, or not known yet */
    size_t own;                /* how long the name of that layer is, which `name` begins with */
} tg_entry;

typedef struct tg_store {
    tg_entry *at;
    int count, cap; /* cap is 0 or a power of two */
    int *table; /* a hash table of 2 cap places with open addressing; each holds an index into `at` plus 1, or 0 */
} tg_store;

/* An entry of the tensor, with a copy of the name; without a name where there is no memory. */
tg_entry tg_entry_new(tg_tensor *tensor, const char *name);
void tg_entry_free(tg_entry *e); /* and the tensor with it */

/* FNV-1a, 64 bits. */
uint64_t tg_name_hash(const char *name);

/* The index of a name, or -1. */
int tg_store_find(const tg_store *s, const char *name, uint64_t hash);

/* Makes room for `more` entries; false with everything as before. */
bool tg_store_reserve(tg_store *s, int more);

/* Puts e at the end, for which there is room, and takes over what it owns. */
void tg_store_add(tg_store *s, tg_entry e);

/* Takes entry i out and returns it. */
tg_entry tg_store_remove(tg_store *s, int i);

/* Frees the entries from number `count` on that no file has made. */
void tg_store_truncate(tg_store *s, int count);

/* Frees all from number `count` on. */
void tg_store_drop(tg_store *s, int count);

/* Frees all. */
void tg_store_free(tg_store *s);

#endif
