/* Checks of values: f32 against f64, NaN and infinities in every lane. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>

bool close_to(double a, double b, double rtol, double atol) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b)) return a == b;
    return fabs(a - b) <= rtol * fabs(b) + atol;
}

void fail_if_error(const trial *t, const char *doing) {
    if (tg_error_status() != TG_OK) ck_abort_msg("%s: %s: %s", t->name, doing, tg_error_message());
}

/* Two tensors of one shape, element by element. Returns how many. */
static int64_t compare(const trial *t, const tg_tensor *a, const tg_tensor *b, double rtol, double atol) {
    char sa[80], sb[80];
    ck_assert_msg(tg_shape_equal(tg_shape_of(a), tg_shape_of(b)), "%s: f32 gives shape %s, f64 %s", t->name,
                  tg_shape_text(tg_shape_of(a), sa, sizeof sa), tg_shape_text(tg_shape_of(b), sb, sizeof sb));
    int64_t n = tg_numel(a);
    for (int64_t k = 0; k < n; k++) {
        double x = tg_get(a, k), y = tg_get(b, k);
        if (!close_to(x, y, rtol, atol))
            ck_abort_msg("%s: element %lld: f32 %.9g, f64 %.17g", t->name, (long long)k, x, y);
    }
    return n;
}

static double f32_rtol(const trial *t) { return t->row->f32_rtol > 0 ? t->row->f32_rtol : 2e-6; }

/* Rounding in a sum is relative to its terms, not to the result: rows of such ops state f32_atol for a domain
 * of magnitude one, and it grows with the domain. Elementwise results may only underflow. */
static double f32_atol(const trial *t) {
    double magnitude = 1;
    for (int i = 0; i < t->n_in; i++) {
        if (t->row->in[i].dtype != TG_F32) continue;
        double m = fmax(fabs(t->lo[i]), fabs(t->hi[i]));
        if (m > 1) magnitude *= m;
    }
    return t->row->f32_atol > 0 ? t->row->f32_atol * magnitude : 1e-37;
}

/* Floats keep their type through an op; to is the exception. */
static void check_types(const trial *t, const tg_tensor *y32, const tg_tensor *y64) {
    tg_dtype a = tg_dtype_of(y32), b = tg_dtype_of(y64);
    bool one_output_type = a == b && (!tg_dtype_is_float(b) || t->call->fn == find_call("to")->fn);
    bool follows = a == TG_F32 && b == TG_F64;
    ck_assert_msg(one_output_type || follows, "%s: gives %s from f32 and %s from f64", t->name,
                  tg_dtype_name(a), tg_dtype_name(b));
}

/* Counts the numbers once, the trial for each dtype among the inputs. */
static void cover_inputs(const trial *t, int64_t numbers) {
    bool met[TG_DTYPES] = {false};
    for (int i = 0; i < t->n_in; i++) met[t->row->in[i].dtype] = true;
    met[TG_F64] = met[TG_F32];
    for (int d = 0; d < TG_DTYPES; d++) {
        if (!met[d]) continue;
        cover_dtype(t->op, (tg_dtype)d);
        cover(t->op, (tg_dtype)d, t->kind, C_VALUE, numbers);
        numbers = 0;
    }
}

void check_value(const trial *t) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf32[MAX_IN], *leaf64[MAX_IN];
    trial_leaves(t, TG_F32, false, leaf32);
    trial_leaves(t, TG_F64, false, leaf64);
    tg_tensor *y32 = trial_run(t, leaf32), *y64 = trial_run(t, leaf64);
    fail_if_error(t, "value");
    check_types(t, y32, y64);
    ck_assert_msg(!tg_requires_grad(y64), "%s: requires a gradient, though no input does", t->name);
    cover_inputs(t, compare(t, y32, y64, f32_rtol(t), f32_atol(t)));
    tg_tape_rewind(mark);
}

/* The gradients of p . f in float type f; leaves without gradient are left out. Returns how many. */
static int gradients(const trial *t, tg_dtype f, tg_tensor **g) {
    tg_tensor *leaf[MAX_IN], *x[MAX_IN];
    int n = 0;
    trial_leaves(t, f, true, leaf);
    for (int l = 0; l < t->n_leaves; l++)
        if (tg_requires_grad(leaf[l])) x[n++] = leaf[l];
    tg_tensor *y = trial_run(t, leaf);
    fail_if_error(t, "value");
    if (!tg_requires_grad(y)) return 0;
    tg_tensor *p = signed_seed(y, tg_dtype_of(y), t->seed);
    tg_grad(1, &y, n, x, g, .seeds = &p, .allow_unused = true);
    fail_if_error(t, "gradient");
    return n;
}

void check_f32_gradient(const trial *t) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *g32[MAX_IN], *g64[MAX_IN];
    int n = gradients(t, TG_F32, g32), m = gradients(t, TG_F64, g64);
    ck_assert_int_eq(n, m);
    /* the same sums as in the value, plus those of broadcasting, over at most a few hundred elements */
    double atol = fmax(f32_atol(t), 1e-5), rtol = fmax(f32_rtol(t), 1e-5);
    for (int i = 0; i < n; i++) {
        double largest = 1;
        for (int64_t k = 0; k < tg_numel(g64[i]); k++) largest = fmax(largest, fabs(tg_get(g64[i], k)));
        cover(t->op, TG_F32, t->kind, C_F32_GRAD, compare(t, g32[i], g64[i], rtol, atol * largest));
    }
    tg_tape_rewind(mark);
}

/* ---- NaN and infinities ---- */

static bool differs(double a, double b) { return !(a == b || (isnan(a) && isnan(b))); }

/* Whether out[k] depends on the element that was replaced: it does when +-1e6 there changes it. */
static void dependence(const trial *t, tg_tensor **leaf, int l, int64_t e, const tg_tensor *y, bool *depends) {
    const tg_array *x = tg_array_of(leaf[l]);
    double was = tg_array_get(x, e);
    for (int sign = -1; sign <= 1; sign += 2) {
        tg_array_set(x, e, sign * 1e6);
        tg_tensor *z = trial_run(t, leaf);
        for (int64_t k = 0; k < tg_numel(y); k++) depends[k] |= differs(tg_get(y, k), tg_get(z, k));
    }
    tg_array_set(x, e, was);
}

/* NaN in element e of leaf l must reach exactly the outputs that depend on it, if they are floats. */
static void nan_in_lane(const trial *t, tg_dtype f, tg_tensor **leaf, int l, int64_t e) {
    const tg_array *x = tg_array_of(leaf[l]);
    double was = tg_array_get(x, e);
    tg_tensor *y = trial_run(t, leaf);
    int64_t n = tg_numel(y);
    bool *depends = calloc((size_t)n + 1, 1);
    ck_assert_ptr_nonnull(depends);
    dependence(t, leaf, l, e, y, depends);
    tg_array_set(x, e, NAN);
    tg_tensor *z = trial_run(t, leaf);
    tg_array_set(x, e, was);
    fail_if_error(t, "NaN");
    for (int64_t k = 0; k < n; k++)
        if (isnan(tg_get(z, k)) != (depends[k] && tg_dtype_is_float(tg_dtype_of(y))))
            ck_abort_msg("%s: %s NaN at %lld of input %d: output %lld is %g, but %s on it", t->name,
                         tg_dtype_name(f), (long long)e, t->input_of[l], (long long)k, tg_get(z, k),
                         depends[k] ? "depends" : "does not depend");
    free(depends);
    cover(t->op, f, K_NAN, C_VALUE, n);
}

void check_nan(const trial *t) {
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *leaf[MAX_IN];
        trial_leaves(t, f, false, leaf);
        for (int l = 0; l < t->n_leaves; l++)
            for (int64_t e = 0; t->row->in[t->input_of[l]].dtype == TG_F32 && e < tg_numel(leaf[l]); e++) {
                tg_mark lane = tg_tape_mark();
                nan_in_lane(t, f, leaf, l, e);
                tg_tape_rewind(lane);
            }
        tg_tape_rewind(mark);
    }
}

/* f32 and f64 agree on what an infinity does, in kind and in place. */
void check_inf(const trial *t) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *a[MAX_IN], *b[MAX_IN];
    trial_leaves(t, TG_F32, false, a);
    trial_leaves(t, TG_F64, false, b);
    for (int l = 0; l < t->n_leaves; l++)
        for (int64_t e = 0; t->row->in[t->input_of[l]].dtype == TG_F32 && e < 2 * tg_numel(a[l]); e++) {
            tg_mark lane = tg_tape_mark();
            double was = tg_get(a[l], e / 2), inf = e % 2 ? INFINITY : -INFINITY;
            tg_array_set(tg_array_of(a[l]), e / 2, inf);
            tg_array_set(tg_array_of(b[l]), e / 2, inf);
            tg_tensor *y32 = trial_run(t, a), *y64 = trial_run(t, b);
            fail_if_error(t, "infinity");
            cover_inputs(t, compare(t, y32, y64, f32_rtol(t), f32_atol(t)));
            tg_array_set(tg_array_of(a[l]), e / 2, was);
            tg_array_set(tg_array_of(b[l]), e / 2, was);
            tg_tape_rewind(lane);
        }
    tg_tape_rewind(mark);
}
