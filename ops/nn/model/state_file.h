/* Private. Numbers in a file of a training: small tensors under keys, so that they are exact and any reader has them. */
#ifndef TG_OPS_NN_STATE_FILE_H
#define TG_OPS_NN_STATE_FILE_H

#include "core/io/safetensors.h"

/* A file that is read, and what messages call it and its reader. */
typedef struct tg_state_file {
    const tg_safetensors *set;
    const char *who, *path;
} tg_state_file;

/* Puts a tensor under the key, which is no other's: TG_ERR_ARGUMENT. */
tg_status tg_state_put(tg_safetensors *set, const char *key, const tg_tensor *t);

/* The same of a scalar f64, or n numbers i64. */
tg_status tg_state_put_real(tg_safetensors *set, const char *key, double value);
tg_status tg_state_put_integers(tg_safetensors *set, const char *key, int64_t n, const int64_t *value);

/* Reads them back. TG_ERR_ARGUMENT is for a key that is not there, TG_ERR_FORMAT for another dtype or shape. */
tg_status tg_state_get_real(const tg_state_file *f, const char *key, double *value);
tg_status tg_state_get_integers(const tg_state_file *f, const char *key, int64_t n, int64_t *value);

/* The tensor of a key, kept, which must have this dtype and shape; NULL with the same errors raised. */
tg_tensor *tg_state_get_tensor(const tg_state_file *f, const char *key, tg_dtype dtype, tg_shape shape);

/* ---- damage: safetensors has no check of its own ---- */

/* The checksum of all tensors and texts: FNV-1a over words of 64 bits instead of bytes, h = (h xor word) 0x100000001b3,
 * after which h = h xor (h >> 32): a product carries upwards alone, so that two changes of the highest bit, a sign, would
 * undo one another. The words are, in the order of names, the bytes of each name, its dtype, rank and sizes, and its
 * elements, the last word of each filled up with zeros; then those of each key and text. A step can be undone, so no change
 * of one word goes unseen. */
#define TG_STATE_CHECKSUM "checksum" /* the key of its text, of 16 digits, which it leaves out */

/* Puts the text; or holds it against what there is, TG_ERR_FORMAT being for another one and for none. */
tg_status tg_state_seal(tg_safetensors *set);
tg_status tg_state_check(const tg_state_file *f);

#endif
