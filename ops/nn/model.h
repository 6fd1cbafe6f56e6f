/* Models. A model is a store of named parameters; the network is a function that asks it for parameters by
 * name. The first call makes a parameter, and later calls find it. The same name is the same parameter, so
 * sharing weights needs nothing more. Layers prefix names with a dot: "fc1.weight".
 */
#ifndef TG_OPS_NN_MODEL_H
#define TG_OPS_NN_MODEL_H

#include "autograd/backward.h"
#include "core/random.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_model tg_model;

/* A model without parameters, whose initial values come from the stream of `seed`. NULL with TG_ERR_MEMORY
 * raised when there is no memory. In every function below a NULL model, and one that was freed, are TG_ERR_ARGUMENT. */
TG_API tg_model *tg_model_new(uint64_t seed);

/* Frees the parameters and their gradients. NULL is ignored; a second free is an error, and so is one while an
 * initialiser of the model runs (TG_ERR_ARGUMENT). */
TG_API void tg_model_free(tg_model *model);

/* An initialiser fills a new parameter: it is called once with the parameter, which holds zeros, its random stream and
 * `user`. ops/nn/init.h has the usual ones; NULL means zeros. */
typedef tg_status (*tg_init_fn)(tg_tensor *parameter, tg_rng *rng, const void *user);

/* The parameter `name`, made with this dtype and shape on the first call. The model owns it. A later call
 * with another dtype or shape is TG_ERR_SHAPE, naming both. The random stream of a parameter depends on
 * the model's seed and its name only, so adding a layer does not change the others' initial values. Two calls among the
 * arguments of one call make their parameters in either order (docs/evaluation-order.md). */
TG_API tg_tensor *tg_model_param(tg_model *model, const char *name, tg_dtype dtype, tg_shape shape,
                                 tg_init_fn init, const void *user);

/* The number of parameters; parameter i in the order in which they were made (tg_name gives its name); the parameter of a
 * name. A missing one is the poison tensor with TG_ERR_ARGUMENT. */
TG_API int tg_model_count(const tg_model *model);
TG_API tg_tensor *tg_model_at(const tg_model *model, int i);
TG_API tg_tensor *tg_model_find(const tg_model *model, const char *name);

/* Frees the parameters from number `count` on, as a layer that fails half-way does to leave the model as it was. Nothing
 * happens when there are not so many. */
TG_API void tg_model_truncate(tg_model *model, int count);

/* The number of elements of all parameters. */
TG_API int64_t tg_model_numel(const tg_model *model);

/* Training mode is on at first; layers that differ in evaluation (tg_nn_dropout) ask for it. Setting it returns the previous
 * mode. */
TG_API bool tg_model_set_training(tg_model *model, bool on);
TG_API bool tg_model_training(const tg_model *model);

#ifdef __cplusplus
}
#endif

#endif
