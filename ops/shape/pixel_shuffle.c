/* Compositions of reshape and permute. */
#include "ops/shared.h"

/* The shape of x, whose leading axes become one in *images; false with the error raised. r is bounded so that r^2 fits. */
static bool check(const char *who, tg_tensor *x, int64_t r, tg_shape *shape, int64_t *images) {
    const tg_array *a = tg_operand(x, who, TG_ONLY);
    if (!a) return false;
    *shape = tg_array_shape(a), *images = 1;
    if (a->rank < 3)
        tg_fail_operand(TG_ERR_SHAPE, who, x, "needs [.., channels, height, width]");
    else if (r < 1 || r > INT32_MAX)
        tg_fail_operand(TG_ERR_ARGUMENT, who, x, "the factor is %lld, outside [1, %d]", (long long)r,
                        INT32_MAX);
    else {
        for (int i = 0; i < a->rank - 3; i++) *images *= shape->dim[i];
        return true;
    }
    return false;
}

tg_tensor *tg_pixel_shuffle(tg_tensor *x, int64_t r) {
    TG_COMPOSED("pixel_shuffle");
    tg_shape s;
    int64_t images;
    if (!check("pixel_shuffle", x, r, &s, &images)) return tg_poison();
    int64_t *size = s.dim + s.rank - 3, channels = size[0] / (r * r), height = size[1], width = size[2];
    if (size[0] % (r * r))
        return tg_fail_operand(TG_ERR_SHAPE, "pixel_shuffle", x, "%lld channels cannot be divided by %lld^2",
                               (long long)size[0], (long long)r);
    if (__builtin_mul_overflow(height, r, &size[1]) || __builtin_mul_overflow(width, r, &size[2]))
        return tg_fail_operand(TG_ERR_SHAPE, "pixel_shuffle", x, "the image would be too large");
    size[0] = channels;
    tg_tensor *split = tg_reshape_with(x, TG_SHAPE(images, channels, r, r, height, width));
    return tg_reshape_with(tg_permute_with(split, TG_SHAPE(0, 1, 4, 2, 5, 3)), s);
}

tg_tensor *tg_pixel_unshuffle(tg_tensor *x, int64_t r) {
    TG_COMPOSED("pixel_unshuffle");
    tg_shape s;
    int64_t images;
    if (!check("pixel_unshuffle", x, r, &s, &images)) return tg_poison();
    int64_t *size = s.dim + s.rank - 3, channels = size[0];
    if (size[1] % r || size[2] % r)
        return tg_fail_operand(TG_ERR_SHAPE, "pixel_unshuffle", x,
                               "%lld by %lld places cannot be divided by %lld", (long long)size[1],
                               (long long)size[2], (long long)r);
    if (__builtin_mul_overflow(channels, r * r, &size[0]))
        return tg_fail_operand(TG_ERR_SHAPE, "pixel_unshuffle", x, "there would be too many channels");
    size[1] /= r, size[2] /= r;
    tg_tensor *split = tg_reshape_with(x, TG_SHAPE(images, channels, size[1], r, size[2], r));
    return tg_reshape_with(tg_permute_with(split, TG_SHAPE(0, 1, 3, 5, 2, 4)), s);
}
