/* What a step begins with and a failure puts back; and buffers, which each shard begins with and all shards make new.
 *
 * The new value of an element of a buffer is b + sum_s w_s (b_s - b), w_s the share of shard s of the batch's examples; of whole
 * numbers shard 0 alone counts. It travels in bucket 0, as f64. */
#include "ops/nn/dist/dist_private.h"

#include <string.h>

static size_t bytes_of(const tg_tensor *t) { return (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t)); }

size_t tg_dist_room(const tg_tensor *t) { return (bytes_of(t) + 7) / 8 * 8; }

void tg_dist_save_buffers(tg_dist_object *d) {
    char *to = d->saved;
    for (int i = 0; i < d->buffers; i++) {
        const tg_tensor *t = tg_model_buffer_at(d->model, i);
        tg_copy_out(t, to, bytes_of(t));
        to += tg_dist_room(t);
    }
}

void tg_dist_restore_buffers(tg_dist_object *d) {
    const char *from = d->saved;
    for (int i = 0; i < d->buffers; i++) {
        tg_tensor *t = tg_model_buffer_at(d->model, i);
        void *to = tg_data_mut(t);
        if (to) memcpy(to, from, bytes_of(t));
        from += tg_dist_room(t);
    }
}

static bool is_float(const tg_array *a) { return a->dtype == TG_F32 || a->dtype == TG_F64; }

/* The saved elements of a buffer as an array that borrows them. */
static tg_array saved_of(const tg_array *now, char *at) {
    tg_array was = *now;
    was.data = at;
    return was;
}

void tg_dist_note_buffers(tg_dist_object *d, double weight) {
    double *out = d->scalar + TG_DIST_BUFFERS;
    char *at = d->saved;
    for (int i = 0; i < d->buffers; i++) {
        const tg_tensor *t = tg_model_buffer_at(d->model, i);
        const tg_array *now = tg_array_of(t);
        if (!now) return;
        const tg_array was = saved_of(now, at);
        const double w = is_float(now) ? weight : d->shard == 0;
        for (int64_t k = 0; k < now->numel; k++) {
            const double a = tg_array_get(now, k), b = tg_array_get(&was, k);
            *out++ += w == 0 || a == b ? 0 : w * (a - b);
        }
        at += tg_dist_room(t);
    }
}

void tg_dist_take_buffers(tg_dist_object *d) {
    tg_bucket_copy_out(d, &d->bucket[0], 0, d->scalars, d->scalar);
    const double *change = d->scalar + TG_DIST_BUFFERS;
    tg_dist_restore_buffers(d);
    for (int i = 0; i < d->buffers; i++) {
        tg_tensor *t = tg_model_buffer_at(d->model, i);
        const tg_array *a = tg_data_mut(t) ? tg_array_of(t) : NULL;
        for (int64_t k = 0; a && k < a->numel; k++, change++)
            if (*change != 0) tg_array_set(a, k, tg_array_get(a, k) + *change);
    }
}

void tg_dist_clear_gradients(const tg_dist_object *d) {
    for (int i = 0; i < d->parameters; i++)
        if (tg_is_alive(d->ear[i].param)) tg_zero_grad(d->ear[i].param);
}
