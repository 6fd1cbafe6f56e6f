#include "ops/nn/state_file.h"

#include "autograd/tape.h"

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

tg_tensor *tg_state_get_like(const tg_state_file *f, const char *key, const tg_tensor *t) {
    if (tg_error_status() != TG_OK || !has(f, key, tg_dtype_of(t), tg_shape_of(t))) return NULL;
    tg_mark before = tg_tape_mark();
    tg_tensor *kept = tg_keep(tg_safetensors_get(f->set, key));
    tg_tape_rewind(before);
    return tg_is_alive(kept) ? kept : NULL;
}
