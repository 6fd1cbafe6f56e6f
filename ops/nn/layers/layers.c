#include "ops/nn/layers/layers.h"

#include "autograd/composed.h"
#include "core/work.h"
#include "ops/elementwise/activation.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/inplace.h"
#include "ops/index/embedding.h"
#include "ops/nn/layers/init_private.h"
#include "ops/nn/layers/layer.h"
#include "ops/products/matmul.h"
#include "ops/structured/batch_norm.h"
#include "ops/structured/layer_norm.h"

/* ---- linear ---- */

static tg_tensor *linear(tg_model *model, const char *name, tg_tensor *x, int64_t out, tg_nn_linear_opts opts) {
    tg_dtype dtype = tg_dtype_of(x);
    tg_shape shape = TG_SHAPE(out, tg_size(x, -1));
    tg_init init = tg_init_by_fan_in(shape);
    tg_tensor *w = tg_layer_param(model, "nn_linear", name, "weight", dtype, shape,
                                  tg_init_option(opts.init, init)),
              *b = NULL;
    if (!opts.no_bias)
        b = tg_layer_param(model, "nn_linear", name, "bias", dtype, TG_SHAPE(out),
                           tg_init_option(opts.init_bias, init));
    return tg_linear_with(x, w, (tg_linear_opts){.bias = b});
}

tg_tensor *tg_nn_linear_with(tg_model *model, const char *name, tg_tensor *x, int64_t out,
                             tg_nn_linear_opts opts) {
    TG_NAMED("nn_linear");
    if (!tg_layer_check("nn_linear", x, 0, "[.., in]", out)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, linear(model, name, x, out, opts));
}

/* ---- normalisation ---- */

/* The weight and, where init_bias is given, the bias of a normalisation over the last axis. */
static tg_layer_norm_opts norm_params(tg_model *model, const char *layer, const char *name,
                                      const tg_tensor *x, tg_init init, const tg_init *init_bias) {
    tg_dtype dtype = tg_dtype_of(x);
    tg_shape size = TG_SHAPE(tg_size(x, -1));
    tg_layer_norm_opts opts = {.weight = tg_layer_param(model, layer, name, "weight", dtype, size,
                                                        tg_init_option(init, tg_init_ones()))};
    if (init_bias) opts.bias = tg_layer_param(model, layer, name, "bias", dtype, size, *init_bias);
    return opts;
}

tg_tensor *tg_nn_layer_norm_with(tg_model *model, const char *name, tg_tensor *x, tg_nn_layer_norm_opts o) {
    TG_NAMED("nn_layer_norm");
    if (!tg_layer_check("nn_layer_norm", x, 0, "[.., size]", 1)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_layer_norm_opts opts =
        norm_params(model, "nn_layer_norm", name, x, o.init, o.no_bias ? NULL : &o.init_bias);
    opts.eps = o.eps;
    return tg_layer_end(start, tg_layer_norm_with(x, opts));
}

tg_tensor *tg_nn_rms_norm_with(tg_model *model, const char *name, tg_tensor *x, tg_nn_rms_norm_opts o) {
    TG_NAMED("nn_rms_norm");
    if (!tg_layer_check("nn_rms_norm", x, 0, "[.., size]", 1)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_layer_norm_opts opts = norm_params(model, "nn_rms_norm", name, x, o.init, NULL);
    opts.eps = o.eps;
    return tg_layer_end(start, tg_rms_norm_with(x, opts));
}

/* Whether x is [images, channels, ..]; raises the error otherwise. */
static bool has_channels(const char *layer, tg_tensor *x) {
    static const char form[] = "[images, channels, ..]";
    if (!tg_layer_check(layer, x, 0, form, 1)) return false;
    if (tg_rank(x) >= 2) return true;
    char text[160];
    tg_fail(TG_ERR_SHAPE, "%s: needs an input %s, was given %s", layer, form,
            tg_describe(x, text, sizeof text));
    return false;
}

/* The weight and bias of a normalisation by channel of x [images, channels, ..]. */
static void channel_params(tg_model *model, const char *layer, const char *name, const tg_tensor *x,
                           tg_init init, tg_init init_bias, tg_tensor **weight, tg_tensor **bias) {
    tg_dtype dtype = tg_dtype_of(x);
    tg_shape channels = TG_SHAPE(tg_size(x, 1));
    *weight =
        tg_layer_param(model, layer, name, "weight", dtype, channels, tg_init_option(init, tg_init_ones()));
    *bias = tg_layer_param(model, layer, name, "bias", dtype, channels, init_bias);
}

static tg_status count_one(const tg_array *const *a, const void *data) {
    (void)data;
    ++*(int64_t *)a[0]->data;
    return TG_OK;
}

/* One batch more in a buffer that was made for it. */
static void count_batch(tg_tensor *batches) {
    tg_listener *l = tg_listen_not();
    const tg_array *const a[] = {tg_inplace(batches, "nn_batch_norm")};
    tg_listen_again(l);
    if (a[0]) TG_WORK_DO(count_one, a, NULL, .name = "nn_batch_norm", .n = 1, .changes = 1u);
}

/* Without an error there is a model, and x is [images, channels, ..]. */
static tg_tensor *batch_norm(tg_model *model, const char *name, tg_tensor *x, tg_nn_batch_norm_opts o) {
    static const char layer[] = "nn_batch_norm";
    const tg_init zeros = {0};
    tg_dtype dtype = tg_dtype_of(x);
    tg_shape channels = TG_SHAPE(tg_size(x, 1));
    tg_batch_norm_opts opts = {.momentum = o.momentum, .eps = o.eps, .training = tg_model_training(model)};
    if (!o.no_affine) channel_params(model, layer, name, x, o.init, o.init_bias, &opts.weight, &opts.bias);
    opts.running_mean = tg_layer_buffer(model, layer, name, "running_mean", dtype, channels, zeros);
    opts.running_var = tg_layer_buffer(model, layer, name, "running_var", dtype, channels, tg_init_ones());
    tg_tensor *batches = tg_layer_buffer(model, layer, name, "num_batches_tracked", TG_I64, TG_SHAPE(), zeros);
    if (tg_is_poison(batches)) return batches;
    tg_tensor *y = tg_batch_norm_with(x, opts);
    if (opts.training && !tg_is_poison(y)) count_batch(batches);
    return y;
}

tg_tensor *tg_nn_batch_norm_with(tg_model *model, const char *name, tg_tensor *x, tg_nn_batch_norm_opts opts) {
    TG_NAMED("nn_batch_norm");
    if (!has_channels("nn_batch_norm", x)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, batch_norm(model, name, x, opts));
}

tg_tensor *tg_nn_group_norm_with(tg_model *model, const char *name, tg_tensor *x, int64_t groups,
                                 tg_nn_group_norm_opts o) {
    static const char layer[] = "nn_group_norm";
    TG_NAMED(layer);
    tg_model_training(model); /* without parameters, nothing else asks whether it is a model */
    if (tg_error_status() != TG_OK || !has_channels(layer, x)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_group_norm_opts opts = {.eps = o.eps};
    if (!o.no_affine) channel_params(model, layer, name, x, o.init, o.init_bias, &opts.weight, &opts.bias);
    return tg_layer_end(start, tg_group_norm_with(x, groups, opts));
}

/* ---- prelu ---- */

tg_tensor *tg_nn_prelu_with(tg_model *model, const char *name, tg_tensor *x, tg_nn_prelu_opts o) {
    TG_NAMED("nn_prelu");
    if (o.by_channel ? !has_channels("nn_prelu", x) : !tg_layer_check("nn_prelu", x, 0, "[..]", 1))
        return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_tensor *w = tg_layer_param(model, "nn_prelu", name, "weight", tg_dtype_of(x),
                                  TG_SHAPE(o.by_channel ? tg_size(x, 1) : 1),
                                  tg_init_option(o.init, tg_init_constant(0.25)));
    return tg_layer_end(start, tg_prelu(x, w));
}

/* ---- embedding ---- */

tg_tensor *tg_nn_embedding_with(tg_model *model, const char *name, tg_tensor *index, int64_t number,
                                int64_t size, tg_nn_embedding_opts o) {
    TG_NAMED("nn_embedding");
    if (number < 1 || size < 1) {
        tg_fail(TG_ERR_ARGUMENT,
                "nn_embedding: the number of rows, %lld, and their size, %lld, must be positive",
                (long long)number, (long long)size);
        return tg_poison();
    }
    tg_layer_start start = tg_layer_begin(model);
    tg_init init = tg_init_option(o.init, tg_init_normal(0, 1));
    tg_dtype dtype = o.f64 ? TG_F64 : TG_F32;
    tg_tensor *w = tg_layer_param(model, "nn_embedding", name, "weight", dtype, TG_SHAPE(number, size), init);
    return tg_layer_end(start, tg_is_poison(w) ? w : tg_embedding_with(w, index, (tg_embedding_opts){0}));
}

/* ---- dropout ---- */

tg_tensor *tg_nn_dropout_with(tg_model *model, tg_tensor *x, double p, tg_nn_dropout_opts opts) {
    TG_COMPOSED("nn_dropout");
    bool training = tg_model_training(model);
    return tg_error_status() == TG_OK ? tg_dropout_with(x, p, training, opts) : tg_poison();
}
