/* Layers: a layer is a function of (model, name, input, size, options). Each takes initialisers (ops/nn/layers/init.h) of its weight,
 * init, and its bias, init_bias; left out, they start as torch.nn's do. Convolutions are in ops/nn/layers/conv.h, layers of
 * sequences in ops/nn/layers/recurrent.h. */
#ifndef TG_OPS_NN_LAYERS_H
#define TG_OPS_NN_LAYERS_H

#include "ops/index/embedding.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_nn_linear_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool no_bias;
    tg_init init, init_bias; /* of the weight and of the bias; both start uniform in +-1 / sqrt(in) */
} tg_nn_linear_opts;

/* y = x W^T + b, for x [.., in], W = name.weight [out, in], b = name.bias [out]; y is [.., out] (torch.nn.Linear).
 * Parameters are f32 or f64, as x. An input size other than the first time is TG_ERR_SHAPE.
 *     h = tg_relu(tg_nn_linear(m, "fc1", x, 256)); */
TG_API tg_tensor *tg_nn_linear_with(tg_model *model, const char *name, tg_tensor *x, int64_t out,
                                    tg_nn_linear_opts opts);

/* Layer normalisation over the last axis of x [.., size] (torch.nn.LayerNorm(size)), with name.weight and
 * name.bias [size], which start as ones and zeros:
 *     y = (x - mean) / sqrt(variance + eps) * weight + bias
 *     x = tg_add(x, tg_nn_linear(m, "b0.mlp", tg_nn_layer_norm(m, "b0.norm", x), 128)); */
typedef struct tg_nn_layer_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool no_bias;
    double eps; /* default 1e-5 */
    tg_init init, init_bias;
} tg_nn_layer_norm_opts;
TG_API tg_tensor *tg_nn_layer_norm_with(tg_model *model, const char *name, tg_tensor *x,
                                        tg_nn_layer_norm_opts opts);

/* Layer normalisation without mean and bias (torch.nn.RMSNorm(size)):  y = x / sqrt(mean(x^2) + eps) * weight. */
typedef struct tg_nn_rms_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double eps;                   /* default: the machine epsilon of the dtype */
    tg_init init;
} tg_nn_rms_norm_opts;
TG_API tg_tensor *tg_nn_rms_norm_with(tg_model *model, const char *name, tg_tensor *x,
                                      tg_nn_rms_norm_opts opts);

/* Normalisation of x [images, channels, ..] by channel (torch.nn.BatchNorm1d, 2d and 3d): tg_batch_norm with name.weight and
 * name.bias [channels], which start as ones and zeros. In training (tg_model_set_training) it uses the mean and variance of
 * the batch and keeps running ones in the buffers name.running_mean and name.running_var [channels], and the number of
 * batches in name.num_batches_tracked, an i64; in evaluation it uses the running ones.
 *     x = tg_relu(tg_nn_batch_norm(m, "bn1", tg_nn_conv2d(m, "conv1", x, 16, .kernel = {3, 3}))); */
typedef struct tg_nn_batch_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool no_affine;               /* without weight and bias */
    double momentum;              /* default 0.1, TG_ZERO for 0 */
    double eps;                   /* default 1e-5 */
    tg_init init, init_bias;
} tg_nn_batch_norm_opts;
TG_API tg_tensor *tg_nn_batch_norm_with(tg_model *model, const char *name, tg_tensor *x,
                                        tg_nn_batch_norm_opts opts);

/* Normalisation of each image over each of `groups` equal groups of channels of x [images, channels, ..]
 * (torch.nn.GroupNorm(groups, channels)): tg_group_norm with name.weight and name.bias [channels], which start as ones and
 * zeros. Groups that do not divide the channels are TG_ERR_SHAPE.
 *     x = tg_relu(tg_nn_group_norm(m, "norm", x, 8)); */
typedef struct tg_nn_group_norm_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool no_affine;               /* without weight and bias */
    double eps;                   /* default 1e-5 */
    tg_init init, init_bias;
} tg_nn_group_norm_opts;
TG_API tg_tensor *tg_nn_group_norm_with(tg_model *model, const char *name, tg_tensor *x, int64_t groups,
                                        tg_nn_group_norm_opts opts);

/* tg_prelu with name.weight, one number, or one a channel of x [images, channels, ..] (torch.nn.PReLU(), PReLU(channels)). */
typedef struct tg_nn_prelu_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool by_channel;
    tg_init init; /* default tg_init_constant(0.25) */
} tg_nn_prelu_opts;
TG_API tg_tensor *tg_nn_prelu_with(tg_model *model, const char *name, tg_tensor *x, tg_nn_prelu_opts opts);

/* The rows of name.weight [number, size] that index (i64 or i32, any shape) names: [.., size]
 * (torch.nn.Embedding(number, size); as there the weight starts standard normal). It is f32, or f64 if
 * asked for. An index outside [-number, number) is TG_ERR_ARGUMENT.
 *     x = tg_add(tg_nn_embedding(m, "token", tokens, 96, 128), tg_nn_embedding(m, "place", tg_arange(TG_I64, 0, t, 1), 512, 128)); */
typedef struct tg_nn_embedding_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool f64;
    tg_init init; /* default standard normal */
} tg_nn_embedding_opts;
TG_API tg_tensor *tg_nn_embedding_with(tg_model *model, const char *name, tg_tensor *index, int64_t number,
                                       int64_t size, tg_nn_embedding_opts opts);

/* tg_dropout (ops/index/embedding.h) with probability p while the model is in training (tg_model_set_training), and x itself
 * in evaluation. It has no parameters. With by_channel whole channels are dropped (torch.nn.Dropout1d, 2d and 3d), and the
 * random numbers come from `rng` where it is given.
 *     x = tg_nn_dropout(m, tg_relu(tg_nn_linear(m, "fc1", x, 256)), 0.5); */
typedef tg_dropout_opts tg_nn_dropout_opts;
TG_API tg_tensor *tg_nn_dropout_with(tg_model *model, tg_tensor *x, double p, tg_nn_dropout_opts opts);

#ifdef __cplusplus
}
#endif

#endif
