/* Normalisation of each channel of each image: group_norm with as many groups as channels. */
#include "ops/shared.h"

tg_tensor *tg_instance_norm_with(tg_tensor *x, tg_instance_norm_opts opts) {
    TG_COMPOSED("instance_norm");
    const tg_array *a = tg_operand(x, "instance_norm", 0);
    if (!a) return tg_poison();
    if (a->rank < 3)
        return tg_fail_operand(TG_ERR_SHAPE, "instance_norm", x, "needs [images, channels, places, ..]");
    if ((opts.weight && !tg_check_argument(opts.weight, "instance_norm", "the weight")) ||
        (opts.bias && !tg_check_argument(opts.bias, "instance_norm", "the bias")))
        return tg_poison();
    int64_t places = 1;
    for (int i = 2; i < a->rank; i++) places *= a->shape[i];
    if (places == 1 && a->numel > 0)
        return tg_fail_operand(TG_ERR_SHAPE, "instance_norm", x, "needs more than one place a channel");
    return a->shape[1] ? tg_group_norm_with(x, a->shape[1], opts) : tg_group_norm_with(x, 1, opts);
}
