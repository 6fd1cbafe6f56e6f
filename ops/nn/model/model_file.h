/* Models in files. A model file is a safetensors file (core/io/safetensors.h) whose keys are the names of the model's
 * parameters and buffers, which are those of PyTorch's state_dict where layers correspond: what one writes the other reads.
 *
 *     tg_model_save(m, "net.safetensors");
 *     ..
 *     tg_model *m = tg_model_new(0);
 *     tg_model_load(m, "net.safetensors");           // before the first call of its layers, or after
 *     tg_model_load(m, "from_pytorch.safetensors",
 *                   .names = (tg_rename[]){{"features.0.", "conv1."}, {"classifier.", "fc."}, {0}});
 *
 * Two texts of a file that is saved here, "parameters" and "buffers", list the names of each in their order, a line each.
 * Where they stand, the file's other tensors are none of the model's. Without them, as in a file of PyTorch's, all tensors
 * are, and what is no float is a buffer.
 */
#ifndef TG_OPS_NN_MODEL_FILE_H
#define TG_OPS_NN_MODEL_FILE_H

#include "core/io/safetensors.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a name begins in the file, and how it does in the model. Of a table the first line that applies does; a name to which
 * none applies is the same in both. A line with `model` NULL leaves tensors of the file
 * out; where an empty model would stay empty by that, it is TG_ERR_ARGUMENT. The table ends with {0}.
 *     {{"encoder.", ""}, {"", NULL}, {0}}     // only what begins with "encoder.", without that */
typedef struct tg_rename {
    const char *file, *model;
} tg_rename;

typedef struct tg_model_save_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const tg_rename *names;       /* from the model's names to the file's; NULL: none differ */
} tg_model_save_opts;

typedef struct tg_model_load_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const tg_rename *names;       /* from the file's names to the model's; NULL: none differ */
    bool partial;                 /* loads what is in both and fits, and leaves the rest */
    bool cast;                    /* elements of another float dtype are converted to that of the model */
    FILE *report;                 /* where each difference is printed, a line each; NULL: nowhere */
} tg_model_load_opts;

/* Writes all parameters and buffers. The file appears whole or not at all (tg_safetensors_save). TG_ERR_ARGUMENT is for two
 * names that a table makes one, and for a name with a line break. */
TG_API tg_status tg_model_save_with(const tg_model *model, const char *path, tg_model_save_opts opts);

/* Gives the model the elements in the file. In a model that has no parameters and buffers yet, the file makes them, and
 * layers find them; a tensor that a layer asks for as a buffer becomes one. While there are some that no layer has asked for,
 * one that asks for what the file did not have gets TG_ERR_ARGUMENT, since names that do not fit look like this; `partial`
 * allows it. Any other model must have the same names, shapes
 * and dtypes as the file: TG_ERR_SHAPE otherwise, with everything that differs in the message (from some 4,000
 * characters on their number; `report` has all). Handles, and gradients, stay; a saved tensor of a recorded op that reads a
 * parameter counts as changed.
 *
 * Everything is loaded or nothing is. What tg_safetensors_open refuses is refused here; a file whose lists name what it does
 * not hold is TG_ERR_FORMAT. Memory is asked for once per tensor: the elements of a new parameter are read to where they
 * stay. */
TG_API tg_status tg_model_load_with(tg_model *model, const char *path, tg_model_load_opts opts);

/* The same with a set, to which texts and other tensors can be added before it is saved, or that holds them. put refers to
 * the model's elements, and copies none. */
typedef tg_model_save_opts tg_model_put_opts;
typedef tg_model_load_opts tg_model_take_opts;
TG_API tg_status tg_model_put_with(const tg_model *model, tg_safetensors *set, tg_model_put_opts opts);
TG_API tg_status tg_model_take_with(tg_model *model, const tg_safetensors *set, tg_model_take_opts opts);

#ifdef __cplusplus
}
#endif

#endif
