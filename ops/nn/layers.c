#include "ops/nn/layers.h"

#include "ops/arithmetic.h"
#include "ops/matmul.h"
#include "ops/nn/init.h"
#include "ops/view.h"

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

/* x W^T. Further leading axes become one for the product, so that it is one GEMM, and its gradient too. */
static tg_tensor *times_transposed(tg_tensor *x, tg_tensor *w) {
    tg_tensor *wt = (tg_transpose)(w, 0, 1);
    tg_shape shape = tg_shape_of(x), lead = shape;
    if (shape.rank <= 2) return (tg_matmul)(x, wt);
    lead.rank--;
    tg_shape rows = TG_SHAPE(tg_shape_numel(lead), shape.dim[lead.rank]);
    shape.dim[lead.rank] = tg_size(w, 0);
    return (tg_reshape)((tg_matmul)((tg_reshape)(x, rows), wt), shape);
}

static tg_tensor *dense(tg_model *model, const char *name, tg_tensor *x, int64_t out, tg_dense_opts opts) {
    char weight[NAME_SIZE], bias[NAME_SIZE];
    if (!join(weight, name, "weight") || !join(bias, name, "bias")) return tg_poison();
    tg_dtype dtype = tg_dtype_of(x);
    tg_init_fn init = opts.init ? opts.init : tg_init_kaiming_uniform;
    tg_tensor *w = (tg_model_param)(model, weight, dtype, TG_SHAPE(out, tg_size(x, -1)), init, NULL);
    if (opts.no_bias) return times_transposed(x, w);
    tg_tensor *b = (tg_model_param)(model, bias, dtype, TG_SHAPE(out), NULL, NULL);
    if (tg_is_poison(w) || tg_is_poison(b)) return tg_poison();
    tg_tensor *product = times_transposed(x, w), *y = (tg_add)(product, b);
    if (!tg_is_poison(product)) tg_release(product); /* no gradient reads it */
    return y;
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
