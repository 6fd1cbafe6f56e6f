/* Rearranging one tensor, by compositions of views and concat; ops/shape/join.h declares them. */
#include "ops/shared.h"

/* Drops the elements of an intermediate, which may be the user's x itself. */
static void release_unless(tg_tensor *t, const tg_tensor *x) {
    if (t != x) tg_drop_elements(t);
}

/* ---- tile, repeat ---- */

/* x repeated along one axis:  [outer, n, inner] -> [outer, times, n, inner] -> [outer, times * n, inner] */
static tg_tensor *tile_axis(tg_tensor *x, int axis, int64_t times) {
    tg_shape shape = tg_shape_of(x), wide = {4, {1, 1, shape.dim[axis], 1}};
    for (int i = 0; i < shape.rank; i++)
        if (i != axis) wide.dim[i < axis ? 0 : 3] *= shape.dim[i];
    tg_tensor *one = tg_reshape_with(x, wide);
    wide.dim[1] = times;
    tg_tensor *many = tg_expand_with(one, wide);
    shape.dim[axis] *= times;
    tg_tensor *out = tg_reshape_with(many, shape);
    tg_drop_elements(one);
    tg_drop_elements(many);
    return out;
}

static tg_tensor *tile(const char *who, tg_tensor *x, const tg_array *a, tg_shape times) {
    tg_shape full = {times.rank > a->rank ? times.rank : a->rank, {0}}, from = full;
    int64_t by[TG_MAX_RANK];
    for (int i = 0; i < full.rank; i++) {
        int of_x = i - (full.rank - a->rank), of_times = i - (full.rank - times.rank);
        from.dim[i] = of_x >= 0 ? a->shape[of_x] : 1;
        by[i] = of_times >= 0 ? times.dim[of_times] : 1;
        if (by[i] < 0)
            return tg_fail_operand(TG_ERR_ARGUMENT, who, x, "nothing can be repeated %lld times",
                                   (long long)by[i]);
        if (from.dim[i] > 0 && by[i] > INT64_MAX / from.dim[i])
            return tg_fail_operand(TG_ERR_SHAPE, who, x,
                                   "an axis repeated %lld times has a size that no int64 holds",
                                   (long long)by[i]);
        full.dim[i] = from.dim[i] * by[i];
    }
    if (tg_shape_numel(full) < 0)
        return tg_fail_operand(TG_ERR_SHAPE, who, x, "the result has more elements than can be counted");
    tg_tensor *out = tg_reshape_with(x, from);
    for (int i = full.rank - 1; i >= 0; i--) {
        if (by[i] == 1) continue;
        tg_tensor *was = out;
        out = tile_axis(was, i, by[i]);
        release_unless(was, x);
    }
    return out;
}

tg_tensor *tg_tile_with(tg_tensor *x, tg_shape times) {
    TG_COMPOSED("tile");
    const tg_array *a = tg_operand(x, "tile", TG_ONLY);
    if (!a) return tg_poison();
    if (times.rank < 0 || times.rank > TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_ARGUMENT, "tile", x,
                               "%d axes are to be repeated, but a tensor has 0 to %d axes", times.rank,
                               TG_MAX_RANK);
    return tile("tile", x, a, times);
}

tg_tensor *tg_repeat_with(tg_tensor *x, tg_shape times) {
    TG_COMPOSED("repeat");
    const tg_array *a = tg_operand(x, "repeat", TG_ONLY);
    if (!a) return tg_poison();
    if (times.rank < a->rank || times.rank > TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_ARGUMENT, "repeat", x,
                               "each axis needs its own number of times, but %d are given for "
                               "%d axes (tg_tile takes fewer)",
                               times.rank, a->rank);
    return tile("repeat", x, a, times);
}

/* ---- flip ---- */

tg_tensor *tg_flip_with(tg_tensor *x, tg_shape axes) {
    TG_COMPOSED("flip");
    const tg_array *a = tg_operand(x, "flip", TG_ONLY);
    if (!a) return tg_poison();
    int rank = a->rank, at;
    unsigned set = 0;
    if (axes.rank < 0 || axes.rank > TG_MAX_RANK)
        return tg_fail_operand(TG_ERR_ARGUMENT, "flip", x, "%d axes are named, but a tensor has 0 to %d axes",
                               axes.rank, TG_MAX_RANK);
    for (int i = 0; i < axes.rank; i++) {
        if (!tg_operand_along(x, "flip", axes.dim[i], &at)) return tg_poison();
        if (set >> at & 1)
            return tg_fail_operand(TG_ERR_ARGUMENT, "flip", x, "axis %lld is named twice",
                                   (long long)axes.dim[i]);
        set |= 1u << at;
    }
    set = tg_axis_set(axes, rank);
    tg_tensor *out = x;
    for (int i = 0; i < rank; i++) {
        if (!(set >> i & 1)) continue;
        tg_tensor *was = out;
        out = tg_slice(was, i, TG_END, TG_END, -1);
        release_unless(was, x);
    }
    return rank == 0 ? tg_reshape_with(x, TG_SCALAR) : out;
}

/* ---- roll:  out = x[-shift:], x[:-shift] ---- */

tg_tensor *tg_roll(tg_tensor *x, int64_t shift, int axis) {
    TG_COMPOSED("roll");
    int at;
    const tg_array *a = tg_operand_along(x, "roll", axis, &at);
    if (!a) return tg_poison();
    int64_t n = a->shape[at] > 0 ? a->shape[at] : 1, by = shift % n;
    int64_t cut = by > 0 ? n - by : -by;
    tg_tensor *part[2] = {tg_slice(x, at, cut, TG_END, 1), tg_slice(x, at, 0, cut, 1)};
    tg_tensor *out = tg_concat_with(at, 2, part);
    tg_drop_elements(part[0]);
    tg_drop_elements(part[1]);
    return out;
}
