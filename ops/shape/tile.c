/* Rearranging one tensor: compositions of views and concat. Declared in ops/shape/join.h. */
#include "core/slot.h"
#include "ops/shared.h"

static tg_tensor *fail_number(const char *who, tg_status status, const tg_tensor *x, const char *what,
                              int64_t number) {
    char text[160];
    tg_fail(status, "%s: %s %s %lld", who, tg_describe(x, text, sizeof text), what, (long long)number);
    return tg_poison();
}

/* x's array, or NULL with the error raised. */
static const tg_array *array_of(const tg_tensor *x, const char *who) {
    const tg_slot *slot = tg_slot_of(x, who);
    return slot && !slot->poison ? &slot->a : NULL;
}

/* Lets go of an intermediate that is not the user's. */
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
            return fail_number(who, TG_ERR_ARGUMENT, x, "cannot be repeated so many times:", by[i]);
        if (from.dim[i] > 0 && by[i] > INT64_MAX / from.dim[i])
            return fail_number(who, TG_ERR_SHAPE, x, "becomes too large, repeated", by[i]);
        full.dim[i] = from.dim[i] * by[i];
    }
    if (tg_shape_numel(full) < 0)
        return fail_number(who, TG_ERR_SHAPE, x, "becomes too large, of rank", full.rank);
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
    const tg_array *a = array_of(x, "tile");
    if (!a) return tg_poison();
    if (times.rank < 0 || times.rank > TG_MAX_RANK)
        return fail_number("tile", TG_ERR_ARGUMENT, x, "has not as many axes as", times.rank);
    return tile("tile", x, a, times);
}

tg_tensor *tg_repeat_with(tg_tensor *x, tg_shape times) {
    TG_COMPOSED("repeat");
    const tg_array *a = array_of(x, "repeat");
    if (!a) return tg_poison();
    if (times.rank < a->rank || times.rank > TG_MAX_RANK)
        return fail_number("repeat", TG_ERR_ARGUMENT, x, "needs a number an axis (tg_tile does not), not",
                           times.rank);
    return tile("repeat", x, a, times);
}

/* ---- flip ---- */

tg_tensor *tg_flip_with(tg_tensor *x, tg_shape axes) {
    TG_COMPOSED("flip");
    const tg_array *a = array_of(x, "flip");
    if (!a) return tg_poison();
    int rank = a->rank;
    unsigned set = 0;
    if (axes.rank < 0 || axes.rank > TG_MAX_RANK)
        return fail_number("flip", TG_ERR_ARGUMENT, x, "has not as many axes as", axes.rank);
    for (int i = 0; i < axes.rank; i++) {
        if (axes.dim[i] < -rank || axes.dim[i] >= rank)
            return fail_number("flip", TG_ERR_ARGUMENT, x, "has no axis", axes.dim[i]);
        unsigned bit = 1u << tg_axis_of(axes.dim[i], rank);
        if (set & bit)
            return fail_number("flip", TG_ERR_ARGUMENT, x, "was given twice the axis", axes.dim[i]);
        set |= bit;
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
    const tg_array *a = array_of(x, "roll");
    if (!a) return tg_poison();
    int at = tg_axis(axis, a->rank);
    if (at < 0) return fail_number("roll", TG_ERR_ARGUMENT, x, "has no axis", axis);
    int64_t n = a->shape[at] > 0 ? a->shape[at] : 1, by = shift % n;
    int64_t cut = by > 0 ? n - by : -by;
    tg_tensor *part[2] = {tg_slice(x, at, cut, TG_END, 1), tg_slice(x, at, 0, cut, 1)};
    tg_tensor *out = tg_concat_with(at, 2, part);
    tg_drop_elements(part[0]);
    tg_drop_elements(part[1]);
    return out;
}
