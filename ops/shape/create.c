#include "ops/shape/create.h"

#include <math.h>

#define MOST 0x1p62 /* elements; a larger number is no int64 */

tg_tensor *tg_arange(tg_dtype dtype, double start, double stop, double step) {
    TG_NAMED("arange");
    double n = ceil((stop - start) / step);
    bool away = step > 0 ? stop < start : stop > start; /* n does not tell: ceil gives -0 for a short way back */
    if (!isfinite(start) || !isfinite(stop) || step == 0 || away || !(n >= 0 && n < MOST)) {
        tg_fail(TG_ERR_ARGUMENT, "arange: no way leads from %g to %g in steps of %g", start, stop, step);
        return tg_poison();
    }
    tg_tensor *out = tg_zeros_with(dtype, TG_SHAPE((int64_t)n));
    if (tg_is_poison(out)) return out;
    const tg_array *a = tg_array_of(out);
    for (int64_t i = 0; i < a->numel; i++) tg_array_set(a, i, start + step * (double)i);
    return out;
}

/* The first half is counted from start and the second from stop, so that both ends are exact. */
tg_tensor *tg_linspace(tg_dtype dtype, double start, double stop, int64_t n) {
    TG_NAMED("linspace");
    if (n < 0 || !isfinite(start) || !isfinite(stop)) {
        tg_fail(TG_ERR_ARGUMENT, "linspace: no %lld points lead from %g to %g", (long long)n, start, stop);
        return tg_poison();
    }
    tg_tensor *out = tg_zeros_with(dtype, TG_SHAPE(n));
    if (tg_is_poison(out)) return out;
    const tg_array *a = tg_array_of(out);
    double last = (double)(n - 1), step = n > 1 ? (stop - start) / last : 0;
    if (!isfinite(step)) step = stop / last - start / last;
    for (int64_t i = 0; i < n; i++)
        tg_array_set(a, i, i < n / 2 || n == 1 ? start + step * (double)i : stop - step * (double)(n - 1 - i));
    return out;
}

tg_tensor *tg_eye(tg_dtype dtype, int64_t rows, int64_t columns) {
    TG_NAMED("eye");
    tg_tensor *out = tg_zeros_with(dtype, TG_SHAPE(rows, columns));
    if (tg_is_poison(out)) return out;
    const tg_array *a = tg_array_of(out);
    for (int64_t i = 0; i < rows && i < columns; i++) tg_array_set(a, i * columns + i, 1);
    return out;
}
