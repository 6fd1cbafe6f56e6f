/* Parts of a tensor, as compositions of slice and reshape. */
#include "ops/shared.h"

tg_tensor *tg_flatten(tg_tensor *x, int first, int last) {
    TG_NAMED("flatten");
    const tg_array *array = tg_operand(x, "flatten", TG_ONLY);
    if (!array) return tg_poison();
    tg_shape from = array->rank ? tg_array_shape(array) : TG_SHAPE(1), to = {0};
    int a = tg_axis(first, from.rank), b = tg_axis(last, from.rank);
    if (a < 0 || b < 0) return tg_fail_axis("flatten", x, a < 0 ? first : last, from.rank);
    if (a > b)
        return tg_fail_operand(TG_ERR_ARGUMENT, "flatten", x, "the first axis, %d, comes after the last, %d",
                               first, last);
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
    const tg_array *a = tg_operand_along(x, "select", axis, &at);
    if (!a) return tg_poison();
    int64_t size = a->shape[at], i = index < 0 ? index + size : index;
    if (i < 0 || i >= size)
        return tg_fail_operand(TG_ERR_ARGUMENT, "select", x,
                               "index %lld is out of range for axis %d of size %lld", (long long)index, at,
                               (long long)size);
    tg_tensor *one = tg_slice(x, at, i, i + 1, 1), *out = tg_squeeze(one, at);
    tg_drop_elements(one);
    return out;
}

tg_tensor *tg_narrow(tg_tensor *x, int axis, int64_t start, int64_t length) {
    TG_NAMED("narrow");
    int at = 0;
    const tg_array *a = tg_operand_along(x, "narrow", axis, &at);
    if (!a) return tg_poison();
    int64_t size = a->shape[at], from = start < 0 ? start + size : start;
    if (from < 0 || from > size)
        return tg_fail_operand(TG_ERR_ARGUMENT, "narrow", x,
                               "start %lld is out of range for axis %d of size %lld", (long long)start, at,
                               (long long)size);
    if (length < 0 || length > size - from)
        return tg_fail_operand(TG_ERR_ARGUMENT, "narrow", x,
                               "a length of %lld from start %lld does not fit axis %d of size %lld",
                               (long long)length, (long long)start, at, (long long)size);
    return tg_slice(x, at, from, from + length, 1);
}

/* ---- several pieces ---- */

/* Whether n is a number of pieces, and neither array is NULL where there are any. */
static bool has_arrays(const char *who, int n, const void *sizes, const void *out) {
    if (n >= 0 && (n == 0 || (sizes && out))) return true;
    if (n < 0)
        tg_fail(TG_ERR_ARGUMENT, "%s: a tensor cannot be cut into %d pieces", who, n);
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
    const tg_array *a = tg_operand_along(x, "split", axis, &at);
    if (!a) return tg_error_status();
    int64_t left = a->shape[at];
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 0 || sizes[i] > left) {
            tg_fail_operand(TG_ERR_ARGUMENT, "split", x,
                            "piece %d of size %lld does not fit what is left of axis %d, %lld", i,
                            (long long)sizes[i], at, (long long)left);
            return TG_ERR_ARGUMENT;
        }
        left -= sizes[i];
    }
    if (left > 0) {
        tg_fail_operand(TG_ERR_ARGUMENT, "split", x,
                        "axis %d of size %lld is longer than all pieces together, by %lld", at,
                        (long long)a->shape[at], (long long)left);
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
    const tg_array *a = tg_operand_along(x, "chunk", axis, &at);
    if (!a) return 0;
    if (n < 1) {
        tg_fail_operand(TG_ERR_ARGUMENT, "chunk", x, "a tensor cannot be cut into %d pieces", n);
        return 0;
    }
    int64_t size = a->shape[at], each = size / n + (size % n != 0);
    int pieces = each > 0 ? (int)((size - 1) / each + 1) : n; /* an empty axis has n empty pieces */
    for (int i = 0; i < pieces; i++) {
        int64_t from = i * each;
        out[i] = tg_slice(x, at, from, each < size - from ? from + each : size, 1);
        if (!tg_is_poison(out[i])) continue;
        poison_all(n, out);
        return 0;
    }
    return pieces;
}
