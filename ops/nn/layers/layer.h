/* What layers are made of, for layers of your own. A layer is a function of (model, name, input, options) that asks
 * the model for its parameters and leaves nothing behind when it fails.
 *
 *     tg_tensor *scale(tg_model *m, const char *name, tg_tensor *x) {
 *         tg_layer_start start = tg_layer_begin(m);
 *         tg_tensor *w = tg_layer_param(m, "scale", name, "weight", tg_dtype_of(x), TG_SHAPE(tg_size(x, -1)),
 *                                       tg_init_ones());
 *         return tg_layer_end(start, tg_mul(x, w));
 *     } */
#ifndef TG_OPS_NN_LAYER_H
#define TG_OPS_NN_LAYER_H

#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer starts with tg_layer_begin and returns tg_layer_end of its result. When that is poison, the parameters, buffers
 * and tensors that the layer has made since are freed, and this thread's default random stream is as it was. */
typedef struct tg_layer_start {
    tg_model *model;
    int parameters, buffers; /* that the model had */
    tg_mark mark;
    tg_rng random;
} tg_layer_start;
TG_API tg_layer_start tg_layer_begin(tg_model *model);
TG_API tg_tensor *tg_layer_end(tg_layer_start start, tg_tensor *y);

/* The parameter "<name>.<part>", as by tg_model_param. Errors name `layer`, the kind of layer; a missing name, and one that
 * makes name.part longer than 255 characters, are TG_ERR_ARGUMENT; so is the name of a layer of another kind. */
TG_API tg_tensor *tg_layer_param(tg_model *model, const char *layer, const char *name, const char *part,
                                 tg_dtype dtype, tg_shape shape, tg_init init);

/* The buffer "<name>.<part>", as by tg_model_buffer, with the same errors. */
TG_API tg_tensor *tg_layer_buffer(tg_model *model, const char *layer, const char *name, const char *part,
                                  tg_dtype dtype, tg_shape shape, tg_init init);

/* Writes "<name>.<part>" to buf, of TG_LAYER_NAME characters; false with the same errors raised. */
#define TG_LAYER_NAME 256
TG_API bool tg_layer_name(char buf[TG_LAYER_NAME], const char *layer, const char *name, const char *part);

/* Whether x is f32 or f64 and has `rank` axes (0: at least one), and `size`, some size of the layer, is positive. Raises
 * TG_ERR_DTYPE, TG_ERR_SHAPE ("<layer>: needs an input <form>") or TG_ERR_ARGUMENT otherwise. */
TG_API bool tg_layer_check(const char *layer, tg_tensor *x, int rank, const char *form, int64_t size);

/* Whether `lengths`, of sequences that end before their last step, are i64 or i32 [n] and each from 0 to `most`; NULL is well.
 * Raises TG_ERR_DTYPE, TG_ERR_SHAPE or TG_ERR_ARGUMENT otherwise. */
TG_API bool tg_layer_check_lengths(const char *layer, const tg_tensor *lengths, int64_t n, int64_t most);

#ifdef __cplusplus
}
#endif
#endif
