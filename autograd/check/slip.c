/* Two gradients compared: whether they differ, where first, and what makes one the other. */
#include "autograd/check/grading.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *tg_slip_name(tg_slip slip) {
    static const char *const name[] = {"NONE",  "ABSENT",     "FAILED", "TRANSPOSED", "NOT_SUMMED", "SUMMED",
                                       "SHAPE", "NOT_FINITE", "ZERO",   "PATH",       "SIGN",       "SLOPE",
                                       "DOUT",  "COUNT",      "FACTOR", "SOME",       "OTHER"};
    return (unsigned)slip < sizeof name / sizeof *name ? name[slip] : "none";
}

void tg_seen_drop(tg_seen *s) {
    for (int k = 0; k < TG_SEEN_PARTS; k++) tg_array_drop(&s->part[k]);
    tg_array_drop(&s->sum);
    tg_array_drop(&s->dout);
    *s = (tg_seen){.node = NULL};
}

static double at(const tg_array *a, int64_t i) { return tg_array_get(a, i); }

/* ---- numbers that are equal but for rounding ---- */

typedef struct nearness {
    double relative, absolute;
} nearness;

static nearness nearness_of(const tg_seen *right) {
    const bool single = right->sum.dtype == TG_F32;
    return (nearness){single ? 1e-4 : 1e-9, 64 * (single ? 0x1p-24 : 0x1p-53) * right->scale};
}

static bool is_near(nearness n, double given, double right) {
    if (given == right || (isnan(given) && isnan(right))) return true;
    return fabs(given - right) <= n.relative * fabs(right) + n.absolute;
}

static bool is_factor(double f, double of) { return fabs(f - of) <= 1e-3 * fabs(of); }

/* ---- where they differ ---- */

/* Notes the first element that differs, how many do, and whether their factor is one. */
static void find_first(nearness n, const tg_array *given, const tg_array *right, tg_slip_found *f) {
    f->element = -1, f->differ = 0, f->all = true, f->factor = NAN;
    for (int64_t i = 0; i < right->numel; i++) {
        const double g = at(given, i), r = at(right, i), factor = r != 0 ? g / r : NAN;
        if (is_near(n, g, r)) continue;
        if (f->differ++ == 0) f->element = i, f->given = g, f->right = r, f->factor = factor;
        if (!is_factor(factor, f->factor)) f->all = false;
    }
}

/* Whether the elements that do not differ have that factor too: they are 0. */
static bool is_uniform(nearness n, const tg_array *given, const tg_array *right, const tg_slip_found *f) {
    if (!f->all) return false;
    for (int64_t i = 0; i < right->numel; i++)
        if (!is_near(n, at(given, i), f->factor * at(right, i))) return false;
    return true;
}

/* ---- the same shape ---- */

typedef double with_fn(double given, double other);
static double itself(double given, double other) { return (void)given, other; }
static double product(double given, double other) { return given * other; }
static double sum(double given, double other) { return given + other; }

/* Whether fn(given, other) is `is` everywhere; not where that is `given` already. */
static bool all_near(nearness n, const tg_array *given, const tg_array *other, with_fn *fn, const tg_array *is) {
    if (!other->data || !tg_array_same_shape(given, other)) return false;
    for (int64_t i = 0; i < given->numel; i++)
        if (!is_near(n, fn(at(given, i), at(other, i)), at(is, i))) return false;
    return true;
}

static bool find_path(nearness n, const tg_seen *right, const tg_array *given, tg_slip_found *f) {
    for (int k = 0; right->n_parts > 1 && right->n_parts <= TG_SEEN_PARTS && k < right->n_parts; k++) {
        f->part = k;
        f->alone = all_near(n, given, &right->part[k], itself, given);
        if (f->alone || all_near(n, given, &right->part[k], sum, &right->sum)) return true;
    }
    return false;
}

static int64_t axis_of(const tg_array *a, double factor) {
    for (int k = 0; k < a->rank; k++)
        if (a->shape[k] > 1 &&
            (is_factor(factor, (double)a->shape[k]) || is_factor(factor, 1 / (double)a->shape[k])))
            return a->shape[k];
    return 0;
}

/* A size, of what the node reads and makes, that the factor is, or 1 over it. */
static int64_t find_count(const tg_seen *right, double factor) {
    int64_t n = axis_of(&right->sum, factor);
    for (int i = 0; n == 0 && right->node && i < right->node->n_in + right->node->n_out; i++) {
        const int o = i - right->node->n_in;
        const tg_slot *s = tg_slot_peek(o < 0 ? right->node->in[i] : right->node->out[o]);
        if (s) n = axis_of(&s->a, factor);
    }
    return n;
}

/* Whether element (.., i, j) of one is (.., j, i) of the other. */
static bool is_transposed(nearness n, const tg_array *given, const tg_array *right) {
    tg_shape shape = tg_array_shape(right);
    const int r = shape.rank;
    if (r < 2 || given->dtype != right->dtype) return false;
    const int64_t rows = shape.dim[r - 2], cols = shape.dim[r - 1];
    shape.dim[r - 2] = cols, shape.dim[r - 1] = rows;
    if (rows == 1 || cols == 1 || !tg_shape_equal(shape, tg_array_shape(given))) return false;
    for (int64_t i = 0; i < right->numel; i++) {
        const int64_t in = i % (rows * cols), turned = i - in + in % cols * rows + in / cols;
        if (!is_near(n, at(given, turned), at(right, i))) return false;
    }
    return true;
}

static bool is_finite(const tg_array *a, int64_t *first) {
    for (*first = 0; *first < a->numel && isfinite(at(a, *first));) ++*first;
    return *first == a->numel;
}

static bool is_zero(const tg_array *a) {
    for (int64_t i = 0; i < a->numel; i++)
        if (at(a, i) != 0) return false;
    return true;
}

static tg_slip slip_of(nearness n, const tg_seen *right, const tg_array *given, tg_slip_found *f) {
    const tg_array *r = &right->sum;
    const bool one = right->n_parts == 1, uniform = is_uniform(n, given, r, f);
    f->all = f->all && !isnan(f->factor);
    if (is_zero(given)) return TG_SLIP_ZERO;
    if (find_path(n, right, given, f)) return TG_SLIP_PATH;
    if (uniform && is_factor(f->factor, -1)) return TG_SLIP_SIGN;
    if (one && all_near(n, given, &right->dout, itself, given)) return TG_SLIP_SLOPE;
    if (one && all_near(n, given, &right->dout, product, r)) return TG_SLIP_DOUT;
    if (uniform && (f->count = find_count(right, f->factor))) return TG_SLIP_COUNT;
    if (uniform) return TG_SLIP_FACTOR;
    if (is_transposed(n, given, r)) return TG_SLIP_TRANSPOSED;
    return f->differ < r->numel ? TG_SLIP_SOME : TG_SLIP_OTHER;
}

/* ---- another shape ---- */

/* The axes of `large` along which `small` is broadcast to it; false where it is not. */
static bool broadcast_axes(const tg_array *small, const tg_array *large, unsigned *axes) {
    tg_shape both;
    *axes = 0;
    if (small->dtype != large->dtype ||
        !tg_shape_broadcast(tg_array_shape(small), tg_array_shape(large), &both) ||
        !tg_shape_equal(both, tg_array_shape(large)))
        return false;
    for (int k = 0, extra = large->rank - small->rank; k < large->rank; k++)
        if (k < extra || small->shape[k - extra] != large->shape[k]) *axes |= 1u << k;
    return true;
}

/* Whether `large`, summed, is `small`. */
static tg_status sums_to(nearness n, const tg_array *large, const tg_array *small, bool *yes) {
    const size_t bytes = (size_t)(small->numel + 1) * sizeof(double);
    double *total = tg_sys_alloc(bytes);
    if (!total) return tg_fail_memory(bytes);
    memset(total, 0, bytes);
    for (int64_t i = 0; i < large->numel; i++) total[tg_broadcast_position(small, large, i)] += at(large, i);
    *yes = true;
    for (int64_t i = 0; *yes && i < small->numel; i++) *yes = is_near(n, total[i], at(small, i));
    tg_sys_free(total, bytes);
    return TG_OK;
}

static tg_status find_shape(nearness n, const tg_seen *right, const tg_array *given, tg_slip_found *f) {
    bool yes = false;
    tg_status s = TG_OK;
    f->slip = TG_SLIP_SHAPE, f->element = -1, f->factor = NAN, f->differ = right->sum.numel;
    if (is_transposed(n, given, &right->sum)) {
        f->slip = TG_SLIP_TRANSPOSED;
    } else if (broadcast_axes(&right->sum, given, &f->axes)) {
        s = sums_to(n, given, &right->sum, &yes);
        if (yes) f->slip = TG_SLIP_NOT_SUMMED;
    } else if (broadcast_axes(given, &right->sum, &f->axes)) {
        s = sums_to(n, &right->sum, given, &yes);
        if (yes) f->slip = TG_SLIP_SUMMED;
    }
    return s;
}

/* ---- all ---- */

tg_status tg_slip_find(const tg_seen *right, const tg_array *given, tg_slip_found *f) {
    const nearness n = nearness_of(right);
    int64_t odd;
    *f = (tg_slip_found){.slip = TG_SLIP_ABSENT, .element = -1, .factor = NAN, .differ = right->sum.numel};
    if (!given) return TG_OK;
    if (!tg_array_same_shape(given, &right->sum) || given->dtype != right->sum.dtype)
        return find_shape(n, right, given, f);
    find_first(n, given, &right->sum, f);
    if (f->differ == 0)
        f->slip = TG_SLIP_NONE;
    else if (!is_finite(given, &odd) && isfinite(at(&right->sum, odd)))
        f->slip = TG_SLIP_NOT_FINITE, f->all = false, f->factor = NAN, f->element = odd,
        f->given = at(given, odd), f->right = at(&right->sum, odd);
    else
        f->slip = slip_of(n, right, given, f);
    return TG_OK;
}

/* ---- in words ---- */

static void write_axes(FILE *file, unsigned axes) {
    const char *before = axes & (axes - 1) ? "axes " : "axis ";
    for (int k = 0; k < TG_MAX_RANK; k++)
        if (axes >> k & 1) fprintf(file, "%s%d", before, k), before = ", ";
}

static void write_shapes(FILE *file, const tg_array *given, const tg_array *right) {
    char is[160], should[160];
    fprintf(file, "%s %s in place of %s %s", tg_shape_text(tg_array_shape(given), is, sizeof is),
            tg_dtype_name((tg_dtype)given->dtype), tg_shape_text(tg_array_shape(right), should, sizeof should),
            tg_dtype_name((tg_dtype)right->dtype));
}

/* "2 times", "1/4 of" */
void tg_slip_write_times(FILE *file, double factor) {
    const double over = 1 / factor;
    if (fabs(factor) < 1 && fabs(over - rint(over)) <= 1e-3 && fabs(over) < 1e6)
        fprintf(file, "%s1/%.0f of", factor < 0 ? "-" : "", fabs(over));
    else
        fprintf(file, "%.4g times", fabs(factor - rint(factor)) <= 1e-3 * fabs(factor) ? rint(factor) : factor);
}

static void write_path(FILE *file, const tg_seen *right, const tg_slip_found *f) {
    fputs(f->alone ? "is only what comes by " : "lacks what comes by ", file);
    tg_grading_write_node(file, tg_tape_node(right->reader[f->part]));
    fprintf(file, ": there are %d contributions, and they are added", right->n_parts);
}

static void write_count(FILE *file, const tg_slip_found *f) {
    fputs("is ", file);
    tg_slip_write_times(file, f->factor);
    fprintf(file, " what it should be; %" PRId64 " is the size of an axis: perhaps ", f->count);
    fputs(fabs(f->factor) < 1 ? "it is divided by that once too often" : "a division by it is missing", file);
}

/* Where the wrong elements are those of slope 0. */
static void write_some(FILE *file, const tg_seen *right, const tg_array *given, const tg_slip_found *f) {
    const bool wholly = f->all && isfinite(f->factor);
    fprintf(file, "is wrong in %" PRId64 " of %" PRId64 " elements", f->differ, right->sum.numel);
    if (wholly && f->factor == 0)
        fputs(", which are 0", file);
    else if (wholly)
        fputs(", all of which are ", file), tg_slip_write_times(file, f->factor),
            fputs(" what they should be", file);
    else if (f->right == 0 && right->dout.data && tg_array_same_shape(&right->dout, given) &&
             f->given == at(&right->dout, f->element))
        fputs(", which let through what should be stopped", file);
}

void tg_slip_write(FILE *file, const tg_seen *right, const tg_array *given, const tg_slip_found *f) {
    static const char *const plain[] = {
        [TG_SLIP_ABSENT] = "is not given",
        [TG_SLIP_TRANSPOSED] = "is transposed",
        [TG_SLIP_NOT_FINITE] = "is not finite",
        [TG_SLIP_ZERO] = "is 0 everywhere",
        [TG_SLIP_SIGN] = "has the wrong sign",
        [TG_SLIP_SLOPE] = "is what comes in there, unchanged, and not multiplied by the slope",
        [TG_SLIP_DOUT] = "is the slope alone, and not multiplied by what comes in there",
        [TG_SLIP_SHAPE] = "has the wrong shape or dtype",
        [TG_SLIP_OTHER] = "is not right",
        [TG_SLIP_NOT_SUMMED] = "is not summed over ",
        [TG_SLIP_SUMMED] = "is summed over "};
    switch (f->slip) {
    case TG_SLIP_PATH:
        write_path(file, right, f);
        break;
    case TG_SLIP_COUNT:
        write_count(file, f);
        break;
    case TG_SLIP_FACTOR:
        fputs("is ", file), tg_slip_write_times(file, f->factor), fputs(" what it should be", file);
        break;
    case TG_SLIP_SOME:
        write_some(file, right, given, f);
        break;
    default:
        if ((unsigned)f->slip < sizeof plain / sizeof *plain && plain[f->slip]) fputs(plain[f->slip], file);
    }
    if (f->slip == TG_SLIP_NOT_SUMMED || f->slip == TG_SLIP_SUMMED) write_axes(file, f->axes);
    if (f->slip == TG_SLIP_NOT_SUMMED) fputs(", along which it was broadcast", file);
    if (given && f->element < 0) fputs(": ", file), write_shapes(file, given, &right->sum);
}
