#include "ops/nn/layers/conv.h"

#include "ops/nn/layers/init_private.h"
#include "ops/nn/layers/layer.h"
#include "ops/structured/conv.h"

/* A layer of either rank: of a conv1d the kernel is {1, its size}, and `rank` 3. */
typedef struct layer {
    const char *kind;
    int rank;
    bool transposed;
} layer;

static bool check(const layer *l, tg_tensor *x, int64_t filters, const tg_nn_conv2d_opts *o) {
    const char *form = l->rank == 3 ? "[images, channels, length]" : "[images, channels, height, width]";
    if (!tg_layer_check(l->kind, x, l->rank, form, filters)) return false;
    if (o->kernel[0] < 1 || o->kernel[1] < 1)
        tg_fail(TG_ERR_ARGUMENT, "%s: the kernel must be given, with positive sizes, and is {%lld, %lld}",
                l->kind, (long long)o->kernel[0], (long long)o->kernel[1]);
    else if (l->transposed && o->groups > 0 && filters % o->groups)
        tg_fail(TG_ERR_SHAPE, "%s: %lld filters cannot be divided among %lld groups", l->kind,
                (long long)filters, (long long)o->groups);
    else
        return true;
    return false;
}

/* Finds or makes *w and, unless there is none, *b. */
static void parameters(const layer *l, tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                       const tg_nn_conv2d_opts *o, tg_tensor **w, tg_tensor **b) {
    tg_dtype dtype = tg_dtype_of(x);
    int64_t channels = tg_size(x, 1), groups = o->groups > 0 ? o->groups : 1;
    tg_shape shape = {2, {l->transposed ? channels : filters, (l->transposed ? filters : channels) / groups}};
    if (l->rank == 4) shape.dim[shape.rank++] = o->kernel[0];
    shape.dim[shape.rank++] = o->kernel[1];
    tg_init init = tg_init_by_fan_in(shape);
    *w = tg_layer_param(model, l->kind, name, "weight", dtype, shape, tg_init_option(o->init, init));
    *b = o->no_bias ? NULL
                    : tg_layer_param(model, l->kind, name, "bias", dtype, TG_SHAPE(filters),
                                     tg_init_option(o->init_bias, init));
}

static tg_tensor *conv_2d(layer l, tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                          tg_nn_conv2d_opts o) {
    TG_NAMED(l.kind);
    if (o.kernel[1] == 0) o.kernel[1] = o.kernel[0];
    if (!check(&l, x, filters, &o)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_conv2d_opts opts = {.groups = o.groups};
    for (int i = 0; i < 2; i++) {
        opts.stride[i] = o.stride[i], opts.padding[i] = o.padding[i], opts.dilation[i] = o.dilation[i];
        opts.output_padding[i] = o.output_padding[i];
    }
    tg_tensor *w;
    parameters(&l, model, name, x, filters, &o, &w, &opts.bias);
    return tg_layer_end(start,
                        l.transposed ? tg_conv_transpose2d_with(x, w, opts) : tg_conv2d_with(x, w, opts));
}

static tg_tensor *conv_1d(layer l, tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                          tg_nn_conv1d_opts o) {
    TG_NAMED(l.kind);
    tg_nn_conv2d_opts same = {.kernel = {1, o.kernel},
                              .groups = o.groups,
                              .no_bias = o.no_bias,
                              .init = o.init,
                              .init_bias = o.init_bias};
    if (!check(&l, x, filters, &same)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    tg_conv1d_opts opts = {.stride = o.stride,
                           .padding = o.padding,
                           .dilation = o.dilation,
                           .groups = o.groups,
                           .output_padding = o.output_padding};
    tg_tensor *w;
    parameters(&l, model, name, x, filters, &same, &w, &opts.bias);
    return tg_layer_end(start,
                        l.transposed ? tg_conv_transpose1d_with(x, w, opts) : tg_conv1d_with(x, w, opts));
}

tg_tensor *tg_nn_conv2d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                             tg_nn_conv2d_opts opts) {
    return conv_2d((layer){"nn_conv2d", 4, false}, model, name, x, filters, opts);
}

tg_tensor *tg_nn_conv1d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                             tg_nn_conv1d_opts opts) {
    return conv_1d((layer){"nn_conv1d", 3, false}, model, name, x, filters, opts);
}

tg_tensor *tg_nn_conv_transpose2d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                                       tg_nn_conv_transpose2d_opts opts) {
    return conv_2d((layer){"nn_conv_transpose2d", 4, true}, model, name, x, filters, opts);
}

tg_tensor *tg_nn_conv_transpose1d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                                       tg_nn_conv_transpose1d_opts opts) {
    return conv_1d((layer){"nn_conv_transpose1d", 3, true}, model, name, x, filters, opts);
}
