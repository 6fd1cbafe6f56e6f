/* Calls of the reductions: reduce, argmax, aggregate, scan, multilinear, and the compositions of ops/reduce/variance.h. */
#include "tests/ops/harness.h"

#include "ops/reduce/multilinear.h"

/* A call is no composition unless it says so. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static tg_shape axes(const arguments *a, int from) {
    tg_shape s = {0, {0}};
    for (int i = from; i < a->n && s.rank < TG_MAX_RANK; i++) s.dim[s.rank++] = (int64_t)a->v[i];
    return s;
}

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }
/* keepdim, axes */
#define OVER(name) CALL(name, tg_##name(in[0], .keepdim = a->v[0] != 0, .axes = axes(a, 1)))

OVER(sum)
OVER(mean)
OVER(amax)
OVER(amin)
OVER(prod)
OVER(logsumexp)
OVER(all)
OVER(any)
OVER(count_nonzero)
CALL(sum_to, tg_sum_to(in[0], axes(a, 0)))
CALL(max, tg_max(in[0], (int)a->v[1], .keepdim = a->v[0] != 0)) /* keepdim, axis */
CALL(min, tg_min(in[0], (int)a->v[1], .keepdim = a->v[0] != 0))
CALL(argmax, tg_argmax(in[0], (int)a->v[0]))
CALL(argmin, tg_argmin(in[0], (int)a->v[0]))

/* axis, reverse, exclusive */
CALL(cumsum, tg_cumsum(in[0], (int)a->v[0], .reverse = a->v[1] != 0, .exclusive = a->v[2] != 0))
CALL(cumprod, tg_cumprod(in[0], (int)a->v[0], .reverse = a->v[1] != 0, .exclusive = a->v[2] != 0))
CALL(linear_scan, tg_linear_scan(in[0], in[1], (int)a->v[0], a->v[1] != 0)) /* axis, reverse */

/* The same of the n first inputs. */
static tg_scan_attr scan_of(const arguments *a) {
    return (tg_scan_attr){(int64_t)a->v[0], a->v[1] != 0, a->v[2] != 0};
}
#define DERIVATIVE(name, n, op) CALL(name, tg_##op(in, n, (tg_scan_attr[]){scan_of(a)}))
DERIVATIVE(cumprod_along, 2, cumprod_along)
DERIVATIVE(cumprod_along_two, 3, cumprod_along)
DERIVATIVE(cumprod_adjoint, 2, cumprod_adjoint)
DERIVATIVE(cumprod_adjoint_along, 3, cumprod_adjoint)

/* correction (0: 1, negative: biased), keepdim, axes; p in place of the correction */
#define SPREAD(name) \
    CALL(name, tg_##name(in[0], .biased = a->v[0] < 0, .correction = a->v[0], .keepdim = a->v[1] != 0, \
                         .axes = axes(a, 2)))
SPREAD(var)
SPREAD(std)
CALL(norm, tg_norm(in[0], .p = a->v[0], .keepdim = a->v[1] != 0, .axes = axes(a, 2)))

CALL(normalize, tg_normalize(in[0], (int)a->v[0], .p = a->v[1], .eps = a->v[2])) /* axis, p, eps */

/* The index outputs of tg_max and tg_min. */
static tg_tensor *call_max_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_tensor *value = tg_max(in[0], (int)a->v[1], .keepdim = a->v[0] != 0, .index = &index);
    return index ? index : value;
}

static tg_tensor *call_min_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_tensor *value = tg_min(in[0], (int)a->v[1], .keepdim = a->v[0] != 0, .index = &index);
    return index ? index : value;
}

#define SELF(name) \
    { #name, #name, call_##name }
static const call calls[] = {
    SELF(sum),
    SELF(mean),
    SELF(sum_to),
    SELF(amax),
    SELF(max),
    SELF(argmax),
    {"max_index", "max", call_max_index},
    SELF(amin),
    SELF(min),
    SELF(argmin),
    {"min_index", "min", call_min_index},
    SELF(prod),
    SELF(logsumexp),
    SELF(all),
    SELF(any),
    SELF(cumsum),
    SELF(cumprod),
    SELF(linear_scan),
    SELF(cumprod_along),
    {"cumprod_along_two", "cumprod_along", call_cumprod_along_two},
    SELF(cumprod_adjoint),
    {"cumprod_adjoint_along", "cumprod_adjoint", call_cumprod_adjoint_along},
    {"count_nonzero", "sum", call_count_nonzero, .composed = true},
    {"var", "mean", call_var, .composed = true},
    {"std", "mean", call_std, .composed = true},
    SELF(norm),
    {"norm_largest", "amax", call_norm, .composed = true},
    {"norm_smallest", "amin", call_norm, .composed = true},
    {"normalize", "div", call_normalize, .composed = true},
};

extern const call_table calls_reduce;
const call_table calls_reduce = {calls, COUNT(calls)};
