/* Pools along one axis: those of images of height 1. */
#include "ops/shared.h"

/* Whether x is [images, channels, length], and the kernel is given; raises the error otherwise. */
static bool check(const char *who, tg_tensor *x, int64_t kernel) {
    const tg_array *a = tg_operand(x, who, TG_ONLY);
    if (a && a->rank != 3)
        tg_fail_operand(TG_ERR_SHAPE, who, x, "needs [images, channels, length]");
    else if (a && kernel < 1)
        tg_fail_operand(TG_ERR_ARGUMENT, who, x, "the kernel is %lld, and must be given", (long long)kernel);
    else
        return a;
    return false;
}

tg_tensor *tg_max_pool1d_with(tg_tensor *x, tg_max_pool1d_opts o) {
    TG_COMPOSED("max_pool1d");
    if (o.index) *o.index = tg_poison();
    if (!check("max_pool1d", x, o.kernel)) return tg_poison();
    tg_tensor *index = NULL;
    tg_tensor *y = tg_max_pool2d_with(tg_unsqueeze(x, 2),
                                      (tg_max_pool2d_opts){.kernel = {1, o.kernel},
                                                           .stride = {1, o.stride ? o.stride : o.kernel},
                                                           .padding = {0, o.padding},
                                                           .dilation = {1, o.dilation},
                                                           .index = o.index ? &index : NULL});
    if (o.index) *o.index = tg_squeeze(index, 2);
    return tg_squeeze(y, 2);
}

tg_tensor *tg_avg_pool1d_with(tg_tensor *x, tg_avg_pool1d_opts o) {
    TG_COMPOSED("avg_pool1d");
    if (!check("avg_pool1d", x, o.kernel)) return tg_poison();
    tg_tensor *y = tg_avg_pool2d_with(tg_unsqueeze(x, 2),
                                      (tg_avg_pool2d_opts){.kernel = {1, o.kernel},
                                                           .stride = {1, o.stride ? o.stride : o.kernel},
                                                           .padding = {0, o.padding},
                                                           .exclude_padding = o.exclude_padding});
    return tg_squeeze(y, 2);
}

tg_tensor *tg_adaptive_avg_pool1d(tg_tensor *x, int64_t length) {
    TG_COMPOSED("adaptive_avg_pool1d");
    if (!check("adaptive_avg_pool1d", x, 1)) return tg_poison();
    return tg_squeeze(tg_adaptive_avg_pool2d(tg_unsqueeze(x, 2), 1, length), 2);
}
