/* Models. A model is a store of named parameters; the network is a function that asks it for parameters by
 * name. The first call makes a parameter, and later calls find it. The same name is the same parameter, so
 * sharing weights needs nothing more. Layers prefix names with a dot: "fc1.weight".
 *
 * A buffer is a named tensor that is state but no parameter, such as a running mean: it has no gradient, optimisers do not
 * touch it, and it is counted apart. ops/nn/model/model_file.h saves and loads both.
 */
#ifndef TG_OPS_NN_MODEL_H
#define TG_OPS_NN_MODEL_H

#include "autograd/backward.h"
#include "core/random.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_model tg_model;

/* A model without parameters, whose initial values come from the stream of `seed`. NULL with TG_ERR_MEMORY
 * raised when there is no memory. In every function below a NULL model, and one that was freed, are TG_ERR_ARGUMENT. */
TG_API tg_model *tg_model_new(uint64_t seed);

/* Frees the parameters, their gradients and the buffers. NULL is ignored; a second free is an error, and so is one while an
 * initialiser of the model runs (TG_ERR_ARGUMENT). */
TG_API void tg_model_free(tg_model *model);

/* An initialiser: a function, called once with the new parameter or buffer, which holds zeros, its random stream and the
 * initialiser itself, which has what the function needs. ops/nn/layers/init.h has the usual ones; {0} means zeros, and the default of
 * a layer that is given it as an option. */
typedef struct tg_init tg_init;
typedef tg_status (*tg_init_fn)(tg_tensor *tensor, tg_rng *rng, const tg_init *init);
struct tg_init {
    tg_init_fn fill;
    double number[4];
    const void *user;
};

/* The parameter `name`, made with this dtype (f32 or f64) and shape on the first call. The model owns it. A later call with
 * another dtype or shape is TG_ERR_SHAPE, naming both, and the name of a buffer is TG_ERR_ARGUMENT. The random stream of a
 * parameter depends on the model's seed and its name only, so adding a layer does not change the others' initial values.
 * Two calls among the arguments of one call make their parameters in either order (docs/evaluation-order.md). */
TG_API tg_tensor *tg_model_param(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape,
                                 tg_init init);

/* The buffer `name`, in the same way; of any dtype. */
TG_API tg_tensor *tg_model_buffer(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape,
                                  tg_init init);

/* A scope is the model under a prefix, "block3." for tg_nn_scope(m, "block%d", 3): layers, tg_model_param, tg_model_buffer and
 * tg_model_find put the prefix before the name that they are given, so that a function of a model is used again as a part of
 * a larger one. Everything else that a layer asks, a scope answers as the model; where the model as a whole is meant, to
 * optimise, save, load, copy, print or free it, a scope is TG_ERR_ARGUMENT. A scope can have scopes. It belongs to the model,
 * which gives the same one for the same text. The text must not be empty and has at most 255 characters; NULL with the error
 * raised otherwise.
 *     for (int i = 0; i < 12; i++) x = block(tg_nn_scope(m, "block%d", i), x); */
TG_API tg_model *tg_nn_scope(tg_model *model, const char *format, ...) TG_PRINTF(2, 3);

/* The number of parameters; parameter i in the order in which they were made (tg_name gives its name); the parameter or
 * buffer of a name. A missing one is the poison tensor with TG_ERR_ARGUMENT. */
TG_API int tg_model_count(const tg_model *model);
TG_API tg_tensor *tg_model_at(const tg_model *model, int i);
TG_API tg_tensor *tg_model_find(const tg_model *model, const char *name);

/* The same of buffers. */
TG_API int tg_model_buffer_count(const tg_model *model);
TG_API tg_tensor *tg_model_buffer_at(const tg_model *model, int i);

/* Frees the parameters from number `parameters` on and the buffers from number `buffers` on, as a layer that fails half-way
 * does to leave the model as it was; those that a file has made stay. Nothing happens when there are not so many. */
TG_API void tg_model_truncate(tg_model *model, int parameters, int buffers);

/* The number of elements of all parameters, and of all buffers. */
TG_API int64_t tg_model_numel(const tg_model *model);
TG_API int64_t tg_model_buffer_numel(const tg_model *model);

/* A hash of the names, dtypes, shapes and elements of all parameters, in their order: the same for two models that are equal to the
 * last bit, and for others hardly ever. 0 with the error raised. 64-bit FNV-1a of the bytes. */
TG_API uint64_t tg_model_hash(const tg_model *model);

/* Training mode is on at first; layers that differ in evaluation (tg_nn_dropout, tg_nn_batch_norm) ask for it. Setting it returns the previous
 * mode. */
TG_API bool tg_model_set_training(tg_model *model, bool on);
TG_API bool tg_model_training(const tg_model *model);

/* Freezes the parameters whose names match the pattern (tg_optim_group says what a pattern is), and those that will: they
 * require no gradient, so that a walk computes none, and optimisers pass over them. A gradient that is there is forgotten.
 *     tg_model_freeze(m, "encoder.*");
 *     tg_model_freeze(m, "encoder.norm.*", .thaw = true);
 * Of the patterns that match a parameter the last call decides. Parameters are made by the first call of a layer, so it is
 * tg_optim_step that looks: a pattern that has not matched any is TG_ERR_ARGUMENT there. Files do not hold patterns: a
 * program that goes on with a training gives them again. */
typedef struct tg_model_freeze_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool thaw;                    /* the parameters are to require a gradient */
    bool allow_empty;             /* a pattern that matches nothing is no error */
} tg_model_freeze_opts;
TG_API tg_status tg_model_freeze_with(tg_model *model, const char *pattern, tg_model_freeze_opts opts);

/* Prints a line for each layer and one for all: its name, its kind (blank until the layer has asked for what a file holds),
 * how many numbers and bytes its tensors have, and these with their shapes.
 *     layer  kind        numbers  bytes  tensors
 *     fc1    linear           24     96  weight [8, 2], bias [8]
 *     bn1    batch_norm       33    136  weight [8], bias [8], running_mean [8] buffer, running_var [8] buffer, ..
 *     all                     57    232  40 in parameters, 0 of them frozen; 17 in buffers
 * A parameter that needs no gradient is marked as frozen. TG_ERR_ARGUMENT for a file that is NULL. */
TG_API void tg_model_print(FILE *file, const tg_model *model);

/* ---- copies and averages ---- */

/* A model with the same seed and mode, and copies of the parameters and buffers, in their order and with their names; a
 * parameter that needs no gradient does not in the copy. Gradients are not copied. NULL with the error raised. */
TG_API tg_model *tg_model_copy(const tg_model *model);

/* Moves the parameters of `average` towards those of `model`, as the exponential moving average of a training does once a
 * step (Polyak and Juditsky 1992; torch.optim.swa_utils):
 *     average = decay average + (1 - decay) model,   decay in [0, 1]
 * and makes its buffers equal to the model's. What `average` lacks it gets as a copy, so that an empty model may be given.
 * What only `average` has, another shape or another dtype is TG_ERR_SHAPE, and nothing has changed. */
TG_API tg_status tg_model_average(tg_model *average, const tg_model *model, double decay);

#ifdef __cplusplus
}
#endif

#endif
