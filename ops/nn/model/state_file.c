#include "ops/nn/model/state_file.h"

#include "autograd/tape.h"
#include "ops/shape/view.h"

#include <inttypes.h>
#include <string.h>

tg_status tg_state_put(tg_safetensors *set, const char *key, const tg_tensor *t) {
    if (tg_safetensors_has(set, key))
        return tg_fail(TG_ERR_ARGUMENT, "tg_training_save: two tensors are both named %.300s", key);
    return tg_safetensors_put(set, key, t);
}

static tg_status put(tg_safetensors *set, const char *key, tg_dtype dtype, tg_shape shape, const void *value) {
    tg_mark before = tg_tape_mark();
    tg_status s = tg_state_put(set, key, tg_from_with(dtype, value, shape));
    tg_tape_rewind(before);
    return s;
}

tg_status tg_state_put_real(tg_safetensors *set, const char *key, double value) {
    return put(set, key, TG_F64, TG_SHAPE(), &value);
}

tg_status tg_state_put_integers(tg_safetensors *set, const char *key, int64_t n, const int64_t *value) {
    return put(set, key, TG_I64, TG_SHAPE(n), value);
}

/* Whether the file has the key, with this dtype and shape. */
static bool has(const tg_state_file *f, const char *key, tg_dtype dtype, tg_shape shape) {
    if (!tg_safetensors_has(f->set, key)) {
        tg_fail(TG_ERR_ARGUMENT, "%s: %s has no %.300s", f->who, f->path, key);
        return false;
    }
    char is[128], want[128];
    tg_shape there = tg_safetensors_shape(f->set, key);
    tg_dtype stored = tg_safetensors_dtype(f->set, key);
    if (stored == dtype && tg_shape_equal(there, shape)) return true;
    tg_fail(TG_ERR_FORMAT, "%s: %s: %.300s is %s %s, not %s %s", f->who, f->path, key,
            tg_shape_text(there, is, sizeof is), tg_dtype_name(stored),
            tg_shape_text(shape, want, sizeof want), tg_dtype_name(dtype));
    return false;
}

static tg_status get(const tg_state_file *f, const char *key, tg_dtype dtype, tg_shape shape, void *value,
                     size_t size) {
    if (tg_error_status() != TG_OK || !has(f, key, dtype, shape)) return tg_error_status();
    tg_mark before = tg_tape_mark();
    tg_copy_out(tg_safetensors_get(f->set, key), value, size);
    tg_tape_rewind(before);
    return tg_error_status();
}

tg_status tg_state_get_real(const tg_state_file *f, const char *key, double *value) {
    return get(f, key, TG_F64, TG_SHAPE(), value, sizeof *value);
}

tg_status tg_state_get_integers(const tg_state_file *f, const char *key, int64_t n, int64_t *value) {
    return get(f, key, TG_I64, TG_SHAPE(n), value, (size_t)n * sizeof *value);
}

tg_tensor *tg_state_get_tensor(const tg_state_file *f, const char *key, tg_dtype dtype, tg_shape shape) {
    if (tg_error_status() != TG_OK || !has(f, key, dtype, shape)) return NULL;
    tg_mark before = tg_tape_mark();
    tg_tensor *kept = tg_keep(tg_safetensors_get(f->set, key));
    tg_tape_rewind(before);
    return tg_is_alive(kept) ? kept : NULL;
}

/* ---- damage ---- */

static uint64_t add_word(uint64_t h, uint64_t word) {
    h = (h ^ word) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static uint64_t add_bytes(uint64_t h, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    uint64_t word;
    for (; n >= sizeof word; n -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        h = add_word(h, word);
    }
    if (!n) return h;
    word = 0;
    memcpy(&word, p, n);
    return add_word(h, word);
}

static uint64_t add_text(uint64_t h, const char *text) {
    return text ? add_bytes(add_word(h, strlen(text)), text, strlen(text)) : h;
}

static uint64_t add_tensor(uint64_t h, const tg_safetensors *set, const char *name) {
    tg_mark before = tg_tape_mark();
    tg_tensor *t = tg_contiguous(tg_safetensors_get(set, name));
    tg_shape shape = tg_shape_of(t);
    h = add_word(add_word(add_text(h, name), (uint64_t)tg_dtype_of(t)), (uint64_t)shape.rank);
    for (int i = 0; i < shape.rank; i++) h = add_word(h, (uint64_t)shape.dim[i]);
    const void *data = tg_data(t);
    if (data) h = add_bytes(h, data, (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t)));
    tg_tape_rewind(before);
    return h;
}

static uint64_t checksum(const tg_safetensors *set) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    bool recording = tg_set_grad_enabled(false);
    for (int64_t i = 0; i < tg_safetensors_count(set) && tg_error_status() == TG_OK; i++)
        h = add_tensor(h, set, tg_safetensors_name(set, i));
    for (int64_t i = 0; i < tg_safetensors_text_count(set) && tg_error_status() == TG_OK; i++) {
        const char *key = tg_safetensors_key(set, i);
        if (strcmp(key, TG_STATE_CHECKSUM) != 0)
            h = add_text(add_text(h, key), tg_safetensors_text(set, key));
    }
    tg_set_grad_enabled(recording);
    return h;
}

tg_status tg_state_seal(tg_safetensors *set) {
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, checksum(set));
    return tg_safetensors_put_text(set, TG_STATE_CHECKSUM, text);
}

tg_status tg_state_check(const tg_state_file *f) {
    const char *said = tg_safetensors_text(f->set, TG_STATE_CHECKSUM);
    if (!said)
        return tg_fail(TG_ERR_FORMAT, "%s: %s has no checksum: it is no file of a training", f->who, f->path);
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, checksum(f->set));
    if (tg_error_status() == TG_OK && strcmp(text, said) != 0)
        tg_fail(TG_ERR_FORMAT, "%s: %s is damaged: its checksum is %s, and should be %.40s", f->who, f->path,
                text, said);
    return tg_error_status();
}
