/* Private. What the layers share. */
#ifndef TG_OPS_NN_PARTS_H
#define TG_OPS_NN_PARTS_H

#include "ops/nn/model.h"

#define TG_NAME_SIZE 256

/* "<name>.<part>" in buf; false, with an error that names the layer raised, when it does not fit or there is no
 * name. */
bool tg_join_name(char buf[TG_NAME_SIZE], const char *layer, const char *name, const char *part);

/* The parameter name.part, or the poison tensor. */
tg_tensor *tg_layer_param(tg_model *model, const char *layer, const char *name, const char *part, tg_dtype dtype,
                          tg_shape shape, tg_init_fn init, const void *user);

/* Whether x is a float tensor of `rank` axes (at least 1, for 0) and every size is positive; else an error is
 * raised that says "layer: needs `form`". */
bool tg_check_layer(const char *layer, tg_tensor *x, int rank, const char *form, int64_t size);

/* x W^T + b, for x [.., in], W [out, in] and b [out] or NULL. Further leading axes become one for the product, so
 * that it is one GEMM, and its gradient too. */
tg_tensor *tg_rows_times(tg_tensor *x, tg_tensor *w, tg_tensor *b);

/* A layer that gives y leaves, when that is poison, neither parameters nor tensors behind. */
typedef struct tg_layer_start {
    tg_model *model;
    int had;
    tg_mark mark;
} tg_layer_start;
tg_layer_start tg_layer_begin(tg_model *model);
tg_tensor *tg_layer_end(tg_layer_start start, tg_tensor *y);

#endif
