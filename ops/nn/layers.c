#include "ops/nn/layers.h"

#include "ops/matmul.h"
#include "ops/nn/init.h"

#include <stdio.h>

#define NAME_SIZE 256

/* "<layer>.<part>" in buf; false, with an error raised, when it does not fit or the layer has no name. */
static bool join(char buf[NAME_SIZE], const char *layer, const char *part) {
    int n = layer && *layer ? snprintf(buf, NAME_SIZE, "%s.%s", layer, part) : 0;
    if (n > 0 && n < NAME_SIZE) return true;
    tg_fail(TG_ERR_ARGUMENT,
            n ? "dense: the name is longer than %d characters" : "dense: a layer needs a name",
            NAME_SIZE - 8);
    return false;
}

static bool check_dense(tg_tensor *x, int64_t out) {
    char text[160];
    int rank = tg_rank(x); /* reports a handle that is not valid */
    if (!tg_is_alive(x)) return false;
    tg_describe(x, text, sizeof text);
    if (rank == 0)
        tg_fail(TG_ERR_SHAPE, "dense: needs an input [.., in], was given %s", text);
    else if (!tg_dtype_is_float(tg_dtype_of(x)))
        tg_fail(TG_ERR_DTYPE, "dense: takes f32 or f64, was given %s", text);
    else if (out < 1)
        tg_fail(TG_ERR_ARGUMENT, "dense: the output size %lld of %s is not positive", (long long)out, text);
    else
        return true;
    return false;
}

static tg_tensor *dense(tg_model *model, const char *name, tg_tensor *x, int64_t out, tg_dense_opts opts) {
    char weight[NAME_SIZE], bias[NAME_SIZE];
    if (!join(weight, name, "weight") || !join(bias, name, "bias")) return tg_poison();
    tg_dtype dtype = tg_dtype_of(x);
    tg_init_fn init = opts.init ? opts.init : tg_init_kaiming_uniform;
    tg_tensor *w = (tg_model_param)(model, weight, dtype, TG_SHAPE(out, tg_size(x, -1)), init, NULL);
    tg_tensor *b = opts.no_bias ? NULL : (tg_model_param)(model, bias, dtype, TG_SHAPE(out), NULL, NULL);
    return (tg_linear)(x, w, (tg_linear_opts){b});
}

tg_tensor *(tg_dense)(tg_model *model, const char *name, tg_tensor *x, int64_t out, tg_dense_opts opts) {
    if (!check_dense(x, out)) return tg_poison();
    int had = model ? tg_model_count(model) : 0;
    tg_mark before = tg_tape_mark();
    tg_tensor *y = dense(model, name, x, out, opts);
    if (tg_is_poison(y)) { /* leaves no trace */
        (tg_tape_rewind)(before);
        if (model) tg_model_truncate(model, had);
    }
    return y;
}
