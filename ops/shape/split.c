/* Compositions of slice and reshape. */
#include "core/slot.h"
#include "ops/shared.h"

static tg_tensor *fail_number(const char *who, const tg_tensor *x, const char *what, int64_t number) {
    char text[160];
    tg_fail(TG_ERR_ARGUMENT, "%s: %s %s %lld", who, tg_describe(x, text, sizeof text), what,
            (long long)number);
    return tg_poison();
}

/* x's array with *at the axis, or NULL with the error raised. */
static const tg_array *along(const tg_tensor *x, const char *who, int axis, int *at) {
    const tg_slot *slot = tg_slot_of(x, who);
    if (!slot || slot->poison) return NULL;
    *at = tg_axis(axis, slot->a.rank);
    if (*at >= 0) return &slot->a;
    fail_number(who, x, "has no axis", axis);
    return NULL;
}

tg_tensor *tg_flatten(tg_tensor *x, int first, int last) {
    TG_NAMED("flatten");
    const tg_slot *slot = tg_slot_of(x, "flatten");
    if (!slot || slot->poison) return tg_poison();
    tg_shape from = tg_array_shape(&slot->a), to = {0};
    if (from.rank == 0) from = (tg_shape){1, {1}};
    int a = tg_axis(first, from.rank), b = tg_axis(last, from.rank);
    if (a < 0 || b < 0) return fail_number("flatten", x, "has no axis", a < 0 ? first : last);
    if (a > b) return fail_number("flatten", x, "has that first axis behind axis", last);
    for (int i = 0; i < from.rank; i++) {
        if (i > a && i <= b)
            to.dim[to.rank - 1] *= from.dim[i];
        else
            to.dim[to.rank++] = from.dim[i];
    }
    return tg_reshape_with(x, to);
}

tg_tensor *tg_select(tg_tensor *x, int axis, int64_t index) {
    TG_COMPOSED("select");
    int at = 0;
    const tg_array *a = along(x, "select", axis, &at);
    if (!a) return tg_poison();
    int64_t size = a->shape[at], i = index < 0 ? index + size : index;
    if (i < 0 || i >= size) return fail_number("select", x, "has along that axis no index", index);
    tg_tensor *one = tg_slice(x, at, i, i + 1, 1), *out = tg_squeeze(one, at);
    tg_drop_elements(one);
    return out;
}

tg_tensor *tg_narrow(tg_tensor *x, int axis, int64_t start, int64_t length) {
    TG_NAMED("narrow");
    int at = 0;
    const tg_array *a = along(x, "narrow", axis, &at);
    if (!a) return tg_poison();
    int64_t size = a->shape[at], from = start < 0 ? start + size : start;
    if (from < 0 || from > size) return fail_number("narrow", x, "has along that axis no start", start);
    if (length < 0 || length > size - from)
        return fail_number("narrow", x, "does not hold from there a length of", length);
    return tg_slice(x, at, from, from + length, 1);
}

/* ---- several pieces ---- */

/* Whether there is what n pieces are put into, and the array `sizes` if that is wanted. */
static bool has_arrays(const char *who, int n, const void *sizes, const void *out) {
    if (n >= 0 && (n == 0 || (sizes && out))) return true;
    if (n < 0)
        tg_fail(TG_ERR_ARGUMENT, "%s: cannot be cut into %d pieces", who, n);
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: the array of %s is NULL", who, out ? "sizes" : "pieces");
    return false;
}

static void poison_all(int n, tg_tensor **out) {
    for (int i = 0; i < n; i++) out[i] = tg_poison();
}

static tg_status cut(tg_tensor *x, int axis, int n, const int64_t *sizes, tg_tensor **out) {
    int64_t from = 0;
    for (int i = 0; i < n; i++) {
        out[i] = tg_slice(x, axis, from, from + sizes[i], 1);
        if (tg_is_poison(out[i])) return tg_error_status();
        from += sizes[i];
    }
    return TG_OK;
}

tg_status tg_split(tg_tensor *x, int axis, int n, const int64_t *sizes, tg_tensor **out) {
    TG_COMPOSED("split");
    int at = 0;
    if (out) poison_all(n, out);
    if (!has_arrays("split", n, sizes, out)) return tg_error_status();
    const tg_array *a = along(x, "split", axis, &at);
    if (!a) return tg_error_status();
    int64_t left = a->shape[at];
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 0 || sizes[i] > left) {
            fail_number("split", x, "has along that axis no room for a piece of", sizes[i]);
            return TG_ERR_ARGUMENT;
        }
        left -= sizes[i];
    }
    if (left > 0) {
        fail_number("split", x, "is longer along that axis than the pieces, by", left);
        return TG_ERR_ARGUMENT;
    }
    tg_status s = cut(x, at, n, sizes, out);
    if (s != TG_OK) poison_all(n, out);
    return s;
}

int tg_chunk(tg_tensor *x, int axis, int n, tg_tensor **out) {
    TG_COMPOSED("chunk");
    int at = 0;
    if (out) poison_all(n, out);
    if (!has_arrays("chunk", n, out, out)) return 0;
    const tg_array *a = along(x, "chunk", axis, &at);
    if (!a) return 0;
    if (n < 1) {
        fail_number("chunk", x, "cannot be cut into a number of pieces of", n);
        return 0;
    }
    int64_t size = a->shape[at], each = size / n + (size % n != 0);
    int pieces = each > 0 ? (int)((size - 1) / each + 1) : n; /* of an empty axis: n empty pieces */
    for (int i = 0; i < pieces; i++) {
        int64_t from = i * each;
        out[i] = tg_slice(x, at, from, each < size - from ? from + each : size, 1);
        if (!tg_is_poison(out[i])) continue;
        poison_all(n, out);
        return 0;
    }
    return pieces;
}
