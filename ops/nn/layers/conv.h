/* Layers of convolution: functions of (model, name, input, filters, options). Their parameters are name.weight and name.bias
 * [filters], and start as torch.nn's do, uniform in +-1 / sqrt(n) with n the number of weights that torch counts as those of
 * one output: all of weight[0]. The kernel must be given, with positive sizes (TG_ERR_ARGUMENT); pairs are those of
 * ops/structured/pair.h, and all other options those of the op.
 *
 *     x = tg_relu(tg_nn_conv2d(m, "conv1", x, 16, .kernel = {5}, .padding = {2}));
 *     x = tg_nn_conv_transpose2d(m, "up", x, 8, .kernel = {2}, .stride = {2}); */
#ifndef TG_OPS_NN_LAYERS_CONV_H
#define TG_OPS_NN_LAYERS_CONV_H

#include "ops/nn/model/model.h"
#include "ops/structured/pair.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_nn_conv2d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel[2], stride[2], padding[2], dilation[2], groups;
    int64_t output_padding[2]; /* of tg_nn_conv_transpose2d only; TG_ERR_ARGUMENT elsewhere */
    bool no_bias;
    tg_init init, init_bias;
} tg_nn_conv2d_opts;
typedef tg_nn_conv2d_opts tg_nn_conv_transpose2d_opts;

typedef struct tg_nn_conv1d_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    int64_t kernel, stride, padding, dilation, groups;
    int64_t output_padding; /* of tg_nn_conv_transpose1d only; TG_ERR_ARGUMENT elsewhere */
    bool no_bias;
    tg_init init, init_bias;
} tg_nn_conv1d_opts;
typedef tg_nn_conv1d_opts tg_nn_conv_transpose1d_opts;

/* tg_conv2d of x [images, channels, height, width] with name.weight [filters, channels / groups, kernel..] (torch.nn.Conv2d),
 * and tg_conv1d of x [images, channels, length] with name.weight [filters, channels / groups, kernel] (torch.nn.Conv1d). */
TG_API tg_tensor *tg_nn_conv2d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                                    tg_nn_conv2d_opts opts);
TG_API tg_tensor *tg_nn_conv1d_with(tg_model *model, const char *name, tg_tensor *x, int64_t filters,
                                    tg_nn_conv1d_opts opts);

/* tg_conv_transpose2d and tg_conv_transpose1d of the same x, with name.weight [channels, filters / groups, kernel..]
 * (torch.nn.ConvTranspose2d and 1d); `filters` is the number of channels of the result, which `groups` must divide
 * (TG_ERR_SHAPE). */
TG_API tg_tensor *tg_nn_conv_transpose2d_with(tg_model *model, const char *name, tg_tensor *x,
                                              int64_t filters, tg_nn_conv_transpose2d_opts opts);
TG_API tg_tensor *tg_nn_conv_transpose1d_with(tg_model *model, const char *name, tg_tensor *x,
                                              int64_t filters, tg_nn_conv_transpose1d_opts opts);

#ifdef __cplusplus
}
#endif

#endif
