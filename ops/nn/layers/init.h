/* Initial values, as torch.nn.init has them. An initialiser is a value of type tg_init (ops/nn/model/model.h) with its numbers in
 * it, which every layer takes as an option, for its weight and for its bias:
 *
 *     tg_nn_linear(m, "fc", x, 10, .init = tg_init_normal(0, 0.02), .init_bias = tg_init_constant(-4.6))
 *
 * One of your own is a function and, where it needs more, what `user` points to:
 *
 *     static tg_status ramp(tg_tensor *w, tg_rng *rng, const tg_init *init) { .. }
 *     tg_nn_linear(m, "fc", x, 10, .init = {.fill = ramp})
 *
 * What is drawn depends on the seed of the model and the name of the parameter alone, and not on the order in which layers
 * are first called. f32 gets the f64 values, rounded.
 *
 * Those below fill f32 and f64 (TG_ERR_DTYPE otherwise). Numbers that they cannot use are an error (TG_ERR_ARGUMENT) of the
 * call that fills. */
#ifndef TG_OPS_NN_LAYERS_INIT_H
#define TG_OPS_NN_LAYERS_INIT_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

TG_API tg_init tg_init_zeros(void);
TG_API tg_init tg_init_ones(void);
TG_API tg_init tg_init_constant(double value);

/* Uniform in [low, high); normal; and normal of what lies in [low, high], which must be reachable: low <= high, a deviation
 * that is not negative. Bounds of the last may be infinite; all other numbers are finite. */
TG_API tg_init tg_init_uniform(double low, double high);
TG_API tg_init tg_init_normal(double mean, double deviation);
TG_API tg_init tg_init_trunc_normal(double mean, double deviation, double low, double high);

/* What comes after the weight, which decides by how much its outputs may be scaled. */
typedef enum tg_nonlinearity {
    TG_GAIN_LEAKY_RELU,
    TG_GAIN_RELU,
    TG_GAIN_LINEAR,
    TG_GAIN_SIGMOID,
    TG_GAIN_TANH,
    TG_GAIN_SELU,
} tg_nonlinearity;

/* torch.nn.init.calculate_gain: sqrt(2 / (1 + slope^2)) for a leaky relu of this slope, which the others ignore, and for
 * those in their order sqrt(2), 1, 1, 5/3, 3/4. Another number is TG_ERR_ARGUMENT, and the result 0. */
TG_API double tg_init_calculate_gain(tg_nonlinearity nonlinearity, double slope);

/* A weight has shape [out, in, kernel...] (TG_ERR_SHAPE with fewer than two axes): fan_in = in * kernel is the number of
 * inputs of one output, and fan_out = out * kernel. One of no elements stays as it is. */
typedef enum tg_fan { TG_FAN_IN, TG_FAN_OUT } tg_fan;

/* He et al., "Delving deep into rectifiers" (2015): uniform in +-gain sqrt(3 / fan), or normal with deviation
 * gain / sqrt(fan). The gain is that of a leaky relu of the slope, 0 for relu, unless another nonlinearity is named.
 *     tg_init_kaiming_normal(0, .mode = TG_FAN_OUT) */
typedef struct tg_init_kaiming_uniform_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_fan mode;
    tg_nonlinearity nonlinearity;
} tg_init_kaiming_uniform_opts;
typedef tg_init_kaiming_uniform_opts tg_init_kaiming_normal_opts;
TG_API tg_init tg_init_kaiming_uniform_with(double slope, tg_init_kaiming_uniform_opts opts);
TG_API tg_init tg_init_kaiming_normal_with(double slope, tg_init_kaiming_normal_opts opts);

/* Glorot and Bengio (2010): uniform in +-gain sqrt(6 / (fan_in + fan_out)), or normal with deviation
 * gain sqrt(2 / (fan_in + fan_out)). The gain of both is 1 unless what follows has another. */
TG_API tg_init tg_init_xavier_uniform(double gain);
TG_API tg_init tg_init_xavier_normal(double gain);

/* Saxe et al. (2013): the weight as a matrix [out, in * kernel] is gain times one with orthonormal rows, or columns where
 * there are fewer, which is uniformly random among them: Q of a QR decomposition of normal numbers, R having a positive
 * diagonal. It is computed in f64. */
TG_API tg_init tg_init_orthogonal(double gain);

/* The identity: of a matrix [out, in] (TG_ERR_SHAPE otherwise); and of a convolution [out, in, kernel..] in each of `groups`
 * groups of filters, which must divide `out` (TG_ERR_ARGUMENT): a 1 at the centre of the kernel where filter and channel
 * have one number, so that as many channels as both have pass through. */
TG_API tg_init tg_init_eye(void);
TG_API tg_init tg_init_dirac(int64_t groups);

/* Fills w, f32 or f64, from the stream; NULL is this thread's default one. When it fails, elements of w may have
 * changed, and the stream has not. */
TG_API tg_status tg_init_fill(tg_tensor *w, tg_init init, tg_rng *rng);

/* What a layer does with its options: the initialiser that is given, or `standard` where none is. */
TG_API tg_init tg_init_option(tg_init given, tg_init standard);

#ifdef __cplusplus
}
#endif
#endif
