/* Activations with a second operand: compositions of other ops. */
#include "ops/shared.h"

tg_tensor *tg_glu(tg_tensor *x, int axis) {
    TG_COMPOSED("glu");
    int at;
    const tg_array *a = tg_operand_along(x, "glu", axis, &at);
    if (!a) return tg_poison();
    int64_t size = a->shape[at], half = size / 2;
    if (size % 2)
        return tg_fail_operand(TG_ERR_SHAPE, "glu", x, "axis %d of size %lld has no halves", axis,
                               (long long)size);
    tg_tensor *gate = tg_sigmoid(tg_narrow(x, at, half, half)), *y = tg_mul(tg_narrow(x, at, 0, half), gate);
    tg_drop_temporary(gate);
    return y;
}

/* The weight as it broadcasts to x; NULL with the error raised when it is neither one number nor one a channel. */
static tg_tensor *slopes(tg_tensor *weight, tg_tensor *x) {
    const tg_array *w = tg_operand(weight, "prelu", 1);
    if (!w) return NULL;
    if (w->rank <= 1 && w->numel == 1) return tg_reshape_with(weight, TG_SCALAR);
    if (w->rank == 1 && tg_rank(x) >= 2 && w->numel == tg_size(x, 1)) {
        tg_shape s = {tg_rank(x) - 1, {w->numel, 1, 1, 1, 1, 1, 1, 1}};
        return tg_reshape_with(weight, s);
    }
    tg_fail_operand(TG_ERR_SHAPE, "prelu", weight, "the weight must be one number, or one a channel of axis 1");
    return NULL;
}

/* Where x is positive, the product is of 0, so that no infinity of x meets a weight of 0 there. */
tg_tensor *tg_prelu(tg_tensor *x, tg_tensor *weight) {
    TG_COMPOSED("prelu");
    const tg_array *a = tg_operand(x, "prelu", 0);
    if (a && !tg_dtype_is_float((tg_dtype)a->dtype))
        return tg_fail_operand(TG_ERR_DTYPE, "prelu", x, "takes f32 or f64");
    tg_tensor *slope = a ? slopes(weight, x) : NULL;
    if (!slope) return tg_poison();
    tg_tensor *zero = tg_scalar((tg_dtype)a->dtype, 0), *positive = tg_gt(x, zero);
    tg_tensor *below = tg_masked_fill(x, positive, 0), *product = tg_mul(slope, below);
    tg_tensor *y = tg_where(positive, x, product);
    tg_drop_temporary(product), tg_drop_temporary(below), tg_drop_temporary(positive);
    return y;
}
