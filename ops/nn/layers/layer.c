#include "ops/nn/layers/layer.h"

#include "core/work.h"
#include "ops/nn/model/model_private.h"

#include <string.h>

bool tg_layer_name(char buf[TG_LAYER_NAME], const char *layer, const char *name, const char *part) {
    if (!buf || !layer || !part) {
        tg_fail(TG_ERR_ARGUMENT, "tg_layer_name: the buffer, the layer or the part is NULL");
        return false;
    }
    size_t front = name ? strlen(name) : 0, back = strlen(part);
    if (front > 0 && front < TG_LAYER_NAME && back < TG_LAYER_NAME - 1 - front) {
        memcpy(buf, name, front);
        buf[front] = '.';
        memcpy(buf + front + 1, part, back + 1);
        return true;
    }
    if (front)
        tg_fail(TG_ERR_ARGUMENT, "%s: the name %.40s.. is longer than %d characters", layer, name,
                TG_LAYER_NAME - 2 - (int)strlen(part));
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: a layer needs a name", layer);
    return false;
}

tg_tensor *tg_layer_param(tg_model *model, const char *layer, const char *name, const char *part,
                          tg_dtype dtype, tg_shape shape, tg_init init) {
    TG_NAMED(layer);
    char full[TG_LAYER_NAME];
    if (!tg_layer_name(full, layer, name, part)) return tg_poison();
    return tg_model_ask(model, TG_PARAMETERS, full, dtype, shape, init, layer, strlen(name));
}

tg_tensor *tg_layer_buffer(tg_model *model, const char *layer, const char *name, const char *part,
                           tg_dtype dtype, tg_shape shape, tg_init init) {
    TG_NAMED(layer);
    char full[TG_LAYER_NAME];
    if (!tg_layer_name(full, layer, name, part)) return tg_poison();
    return tg_model_ask(model, TG_BUFFERS, full, dtype, shape, init, layer, strlen(name));
}

bool tg_layer_check(const char *layer, tg_tensor *x, int rank, const char *form, int64_t size) {
    TG_NAMED(layer);
    char text[160];
    if (!layer || !form) {
        tg_fail(TG_ERR_ARGUMENT, "tg_layer_check: the layer or the form is NULL");
        return false;
    }
    if (!tg_check_argument(x, layer, NULL)) return false;
    int is = tg_rank(x);
    if ((rank ? is == rank : is > 0) && tg_dtype_is_float(tg_dtype_of(x)) && size > 0) return true;
    tg_describe(x, text, sizeof text);
    if (rank ? is != rank : is == 0)
        tg_fail(TG_ERR_SHAPE, "%s: needs an input %s, was given %s", layer, form, text);
    else if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", layer, text);
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: the size %lld must be positive: input %s", layer, (long long)size, text);
    return false;
}

typedef struct length_range {
    const char *layer; /* NULL: it is called `name` */
    char name[64];
    int64_t most;
} length_range;

static tg_status check_each_length(const tg_array *const *a, const void *data) {
    const length_range *r = data;
    for (int64_t i = 0; i < a[0]->numel; i++) {
        double length = tg_array_get(a[0], i);
        if (!(length >= 0 && length <= (double)r->most))
            return tg_fail(TG_ERR_ARGUMENT, "%s: length %.0f of sample %lld is not in 0..%lld",
                           r->layer ? r->layer : r->name, length, (long long)i, (long long)r->most);
    }
    return TG_OK;
}

bool tg_layer_check_lengths(const char *layer, const tg_tensor *lengths, int64_t n, int64_t most) {
    TG_NAMED(layer);
    char is[160];
    if (!lengths) return true;
    if (!layer) {
        tg_fail(TG_ERR_ARGUMENT, "tg_layer_check_lengths: the layer is NULL");
        return false;
    }
    if (!tg_check_argument(lengths, layer, "lengths")) return false;
    tg_dtype dtype = tg_dtype_of(lengths);
    bool counts = dtype == TG_I64 || dtype == TG_I32;
    tg_describe(lengths, is, sizeof is);
    if (!counts) tg_fail(TG_ERR_DTYPE, "%s: lengths must be i64 or i32, and are %s", layer, is);
    if (counts && !tg_shape_equal(tg_shape_of(lengths), TG_SHAPE(n)))
        tg_fail(TG_ERR_SHAPE, "%s: lengths must have the shape [%lld], and are %s", layer, (long long)n, is);
    const tg_array *a = tg_error_status() == TG_OK && n > 0 ? tg_array_within(lengths, "tg_get") : NULL;
    if (!a) return tg_error_status() == TG_OK;
    length_range r = {.layer = layer, .most = most};
    if (tg_listening) r.layer = NULL, snprintf(r.name, sizeof r.name, "%s", layer);
    return TG_WORK_DO(check_each_length, &a, &r, .name = "lengths", .n = 1, .size = sizeof r) == TG_OK;
}

tg_layer_start tg_layer_begin(tg_model *model) {
    return (tg_layer_start){model, model ? tg_model_count(model) : 0,
                            model ? tg_model_buffer_count(model) : 0, tg_tape_mark(), *tg_default_rng()};
}

tg_tensor *tg_layer_end(tg_layer_start start, tg_tensor *y) {
    if (!tg_is_poison(y)) return y;
    tg_tape_rewind(start.mark);
    *tg_default_rng() = start.random;
    if (start.model) tg_model_truncate(start.model, start.parameters, start.buffers);
    return y;
}
