/* Layers: a layer is a function of (model, name, input, size, options). */
#ifndef TG_OPS_NN_LAYERS_H
#define TG_OPS_NN_LAYERS_H

#include "ops/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_dense_opts {
    bool no_bias;
    tg_init_fn init; /* of the weight; NULL: tg_init_kaiming_uniform. The bias starts at zero. */
} tg_dense_opts;

/* y = x W^T + b, for x [.., in], W = name.weight [out, in], b = name.bias [out]; y is [.., out]. (The
 * weight lies as in torch.nn.Linear.) f32 or f64, as x. Another input size than the first time is
 * TG_ERR_SHAPE.
 *     h = tg_relu(tg_dense(m, "fc1", x, 256)); */
TG_API tg_tensor *tg_dense(tg_model *model, const char *name, tg_tensor *x, int64_t out, tg_dense_opts opts);

#ifdef __cplusplus
}
#endif

#define tg_dense(model, name, x, out, ...) \
    TG_AT((tg_dense)((model), (name), (x), (out), TG_OPTIONS(tg_dense_opts, __VA_ARGS__)))

#endif
