/* Element types, shapes, broadcasting, and arithmetic on sizes that notices overflow. */
#include "core/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t size;
} dtypes[TG_DTYPES] = {
    [TG_F32] = {"f32", 4}, [TG_F64] = {"f64", 8}, [TG_I32] = {"i32", 4},
    [TG_I64] = {"i64", 8}, [TG_U8] = {"u8", 1},   [TG_BOOL] = {"bool", 1},
};

static bool known(tg_dtype dtype) { return (unsigned)dtype < TG_DTYPES; }

size_t tg_dtype_size(tg_dtype dtype) { return known(dtype) ? dtypes[dtype].size : 0; }
const char *tg_dtype_name(tg_dtype dtype) { return known(dtype) ? dtypes[dtype].name : "unknown dtype"; }

/* Zero sizes are left out of the overflow check's product but not of the result, so that the strides of every
 * accepted shape fit as well. */
int64_t tg_shape_numel(tg_shape shape) {
    if (shape.rank < 0 || shape.rank > TG_MAX_RANK) return -1;
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) return -1;
        if (shape.dim[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(n, shape.dim[i], &n))
            return -1;
    }
    return empty ? 0 : n;
}

static bool has_axes(const tg_shape *s) { return s->rank >= 0 && s->rank <= TG_MAX_RANK; }

bool tg_shape_equal(tg_shape a, tg_shape b) {
    if (a.rank != b.rank || !has_axes(&a)) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

bool tg_shape_broadcast(tg_shape a, tg_shape b, tg_shape *out) {
    if (!has_axes(&a) || !has_axes(&b) || !out) return false;
    tg_shape both = a.rank > b.rank ? a : b;
    for (int i = 1; i <= both.rank; i++) { /* the i-th axis from the end */
        int64_t m = i <= a.rank ? a.dim[a.rank - i] : 1;
        int64_t n = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (m != n && m != 1 && n != 1) return false;
        both.dim[both.rank - i] = m == 1 ? n : m;
    }
    *out = both;
    return true;
}

char *tg_shape_text(tg_shape shape, char *buf, size_t n) {
    char text[TG_MAX_RANK * 22 + 3] = "["; /* an int64 has at most 20 characters */
    size_t used = 1;
    for (int i = 0; i < shape.rank && i < TG_MAX_RANK; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64, i ? ", " : "", shape.dim[i]);
    snprintf(text + used, sizeof text - used, "]");
    if (n && buf) snprintf(buf, n, "%s", text);
    return buf;
}

tg_shape tg_shape_position(tg_shape shape, int64_t i) {
    tg_shape at = {.rank = shape.rank};
    int k = shape.rank < TG_MAX_RANK ? shape.rank : TG_MAX_RANK;
    while (k > 0)
        if (shape.dim[--k] > 0) at.dim[k] = i % shape.dim[k], i /= shape.dim[k];
    return at;
}

int tg_axis(int axis, int rank) {
    if (rank < 0 || axis < -rank || axis >= rank) return -1;
    return axis < 0 ? axis + rank : axis;
}

bool tg_size_mul(size_t a, size_t b, size_t *out) { return out && !__builtin_mul_overflow(a, b, out); }
bool tg_size_add(size_t a, size_t b, size_t *out) { return out && !__builtin_add_overflow(a, b, out); }

bool tg_size_pad(size_t a, size_t to, size_t *out) {
    if (!tg_size_add(a, to - 1, out)) return false;
    *out &= ~(to - 1);
    return true;
}
