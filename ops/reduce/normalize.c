/* Directions of vectors: a composition of div, clamp and norm. */
#include "ops/shared.h"

#include <float.h>
#include <math.h>

tg_tensor *tg_normalize_with(tg_tensor *x, int axis, tg_normalize_opts o) {
    TG_COMPOSED("normalize");
    double eps = tg_option(o.eps, 1e-12);
    int at;
    const tg_array *a = tg_operand_along(x, "normalize", axis, &at);
    if (!a) return tg_poison();
    if (!(eps >= 0 && eps < INFINITY))
        return tg_fail_operand(TG_ERR_ARGUMENT, "normalize", x,
                               "eps must be finite and not negative, but is %g", eps);
    /* No norm is below the least normal number, of which the reciprocal is still in range. */
    double least = fmax(eps, a->dtype == TG_F64 ? DBL_MIN : (double)FLT_MIN);
    tg_tensor *norm = tg_norm_with(x, (tg_norm_opts){.axes = TG_SHAPE(at), .keepdim = true, .p = o.p});
    tg_tensor *bounded = tg_clamp(norm, least, INFINITY), *y = tg_div(x, bounded);
    tg_drop_temporary(norm), tg_drop_temporary(bounded);
    return y;
}
