/* Initialisers that see a weight as a matrix: orthogonal ones and identities. */
#include "core/memory.h"
#include "ops/nn/layers/init_private.h"

#include <math.h>
#include <stdint.h>

/* Whether w has at least this many axes, and at most that many; raises the error otherwise. */
static bool has_axes(const tg_tensor *w, const char *who, int least, int most, const char *form) {
    if (!tg_check_argument(w, who, "the weight")) return false;
    if (tg_rank(w) >= least && tg_rank(w) <= most) return true;
    char text[160];
    tg_fail(TG_ERR_SHAPE, "%s: needs a weight %s, was given %s", who, form, tg_describe(w, text, sizeof text));
    return false;
}

/* ---- orthogonal ---- */

/* `count` vectors of `length` numbers, one after the other, of the matrix `rows` by `columns`: its rows, or its columns when
 * these are fewer. */
typedef struct vectors {
    double *at, gain;
    int64_t count, length, columns;
    bool are_columns;
} vectors;

/* Eight sums, so that the loop is one of vector instructions in the order that is written here. */
static double dot(const double *a, const double *b, int64_t n) {
    double sum[8] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++) rest += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7])) + rest;
}

static void subtract(double *a, double scale, const double *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) a[i] -= scale * b[i];
}

/* Modified Gram-Schmidt, each vector twice, after which it is orthogonal to the others to rounding (Giraud, Langou and
 * Rozloznik, 2005). The diagonal of R is the length of what is left, hence positive. */
static void orthonormalise(const vectors *v) {
    for (int64_t i = 0; i < v->count; i++) {
        double *a = v->at + i * v->length;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t j = 0; j < i; j++) {
                const double *q = v->at + j * v->length;
                subtract(a, dot(a, q, v->length), q, v->length);
            }
        double size = sqrt(dot(a, a, v->length));
        for (int64_t k = 0; k < v->length && size > 0; k++) a[k] /= size;
    }
}

static double element(void *context, int64_t i) {
    const vectors *v = context;
    int64_t row = i / v->columns, column = i % v->columns;
    return v->gain * (v->are_columns ? v->at[column * v->length + row] : v->at[row * v->length + column]);
}

static tg_status fill_orthogonal(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    static const char who[] = "tg_init_orthogonal";
    if (!has_axes(w, who, 2, TG_MAX_RANK, "[out, in, ...]")) return tg_error_status();
    if (!isfinite(init->number[0]))
        return tg_fail(TG_ERR_ARGUMENT, "%s: the gain %g is not finite", who, init->number[0]);
    int64_t n = tg_numel(w), rows = tg_size(w, 0);
    if (n == 0) return TG_OK;
    vectors v = {.gain = init->number[0], .columns = n / rows, .are_columns = rows > n / rows};
    v.count = v.are_columns ? v.columns : rows, v.length = n / v.count;
    size_t bytes;
    if (!tg_size_mul((size_t)n, sizeof *v.at, &bytes) || !(v.at = tg_alloc(bytes)))
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %lld numbers", who, (long long)n);
    for (int64_t i = 0; i < n; i++) v.at[i] = tg_rng_normal(rng);
    orthonormalise(&v);
    tg_status s = tg_init_each(w, who, element, &v);
    tg_dealloc(v.at, bytes);
    return s;
}

tg_init tg_init_orthogonal(double gain) { return (tg_init){.fill = fill_orthogonal, .number = {gain}}; }

/* ---- identities ---- */

/* Element i is 1 where filter and channel have one number, counted in the filter's group, and the place is the kernel's
 * centre. A matrix is a convolution of one place and one group. */
typedef struct identity {
    int64_t filters, channels, places, centre; /* filters of a group */
} identity;

static double of_identity(void *context, int64_t i) {
    const identity *d = context;
    int64_t place = i % d->places, channel = i / d->places % d->channels, filter = i / d->places / d->channels;
    return place == d->centre && filter % d->filters == channel;
}

static tg_status fill_identity(tg_tensor *w, const char *who, int64_t groups) {
    if (tg_numel(w) == 0) return TG_OK;
    identity d = {tg_size(w, 0) / groups, tg_size(w, 1), 1, 0};
    for (int axis = 2; axis < tg_rank(w); axis++)
        d.centre = d.centre * tg_size(w, axis) + tg_size(w, axis) / 2, d.places *= tg_size(w, axis);
    return tg_init_each(w, who, of_identity, &d);
}

static tg_status fill_eye(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng, (void)init;
    return has_axes(w, "tg_init_eye", 2, 2, "[out, in]") ? fill_identity(w, "tg_init_eye", 1)
                                                         : tg_error_status();
}

static tg_status fill_dirac(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    static const char who[] = "tg_init_dirac";
    (void)rng;
    if (!has_axes(w, who, 3, TG_MAX_RANK, "[out, in, kernel...]")) return tg_error_status();
    int64_t groups = (int64_t)init->number[0];
    if (groups < 1 || tg_size(w, 0) % groups)
        return tg_fail(TG_ERR_ARGUMENT, "%s: %lld filters cannot be divided among %lld groups", who,
                       (long long)tg_size(w, 0), (long long)groups);
    return fill_identity(w, who, groups);
}

tg_init tg_init_eye(void) { return (tg_init){.fill = fill_eye}; }
tg_init tg_init_dirac(int64_t groups) { return (tg_init){.fill = fill_dirac, .number = {(double)groups}}; }
