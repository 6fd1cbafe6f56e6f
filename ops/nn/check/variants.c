/* The checks of a row at other inputs: other layouts, other shapes, no elements, NaN; and as a plan. */
#include "ops/nn/check/suite_private.h"

#include "autograd/plan/plan.h"
#include "ops/rooms.h"

#include <math.h>
#include <string.h>

/* ---- layouts ---- */

typedef enum layout { COLUMNS, GAPS, NEGATIVE, REPEATED, LAYOUTS } layout;
static const char *const layout_name[] = {"column order", "gaps", "negative strides", "stride 0"};

/* A leaf of this shape whose elements lie in another way. What is between them is NaN, or the lowest integer. */
static tg_tensor *lay_out(tg_dtype dtype, tg_shape shape, layout how) {
    tg_shape base = shape, order = {shape.rank, {0}};
    int last = shape.rank - 1;
    for (int k = 0; k < shape.rank; k++) order.dim[k] = last - k;
    if (shape.rank == 0) return tg_zeros_with(dtype, shape);
    if (how == COLUMNS) {
        for (int k = 0; k < shape.rank; k++) base.dim[k] = shape.dim[last - k];
        return tg_permute_with(tg_zeros_with(dtype, base), order);
    }
    if (how == NEGATIVE) {
        tg_tensor *x = tg_zeros_with(dtype, shape);
        for (int k = 0; k < shape.rank; k++) x = tg_slice(x, k, TG_END, TG_END, -1);
        return x;
    }
    base.dim[how == GAPS ? last : 0] = how == GAPS ? 2 * shape.dim[last] + 1 : 1;
    tg_tensor *x = tg_full_with(dtype, how == GAPS && tg_dtype_is_float(dtype) ? (double)NAN : 0, base);
    return how == GAPS ? tg_slice(x, last, 1, TG_END, 2) : tg_expand_with(x, shape);
}

/* in[i] in this layout; for REPEATED, `in` itself becomes what then repeats: its first slice along the first axis. */
static void arrange(tg_trial *t, tg_tensor *const *in, layout how, tg_tensor **out) {
    for (int i = 0; i < t->n && tg_error_status() == TG_OK; i++) {
        bool grad = tg_requires_grad(in[i]);
        out[i] = lay_out(tg_dtype_of(in[i]), t->shape[i], how);
        const tg_array *to = tg_is_poison(out[i]) ? NULL : tg_array_of(out[i]), *from = tg_array_of(in[i]);
        int64_t slice =
            to && how == REPEATED && to->rank > 0 && to->shape[0] > 0 ? to->numel / to->shape[0] : 0;
        for (int64_t k = 0; to && k < to->numel; k++) {
            double v = tg_array_get(from, slice ? k % slice : k);
            tg_array_set(slice ? from : to, k, v);
            if (slice) tg_array_set(to, k, v);
        }
        if (grad) tg_set_requires_grad(out[i], true);
    }
}

static void try_layout(tg_trial *t, layout how) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *laid[TG_CHECK_MOST_TENSORS], *y0, *y1;
    tg_tensor *g0[TG_CHECK_MOST_TENSORS], *g1[TG_CHECK_MOST_TENSORS];
    int at[TG_CHECK_MOST_TENSORS], n = tg_trial_inputs(t, TG_F64, 0, true, in);
    if (n < 0) return;
    memcpy(laid, in, (size_t)n * sizeof *in);
    arrange(t, in, how, laid);
    if (!tg_trial_good(t, layout_name[how])) return;
    int a = tg_trial_gradients(t, n, in, false, &y0, at, g0);
    int b = a < 0 ? -1 : tg_trial_gradients(t, n, laid, false, &y1, at, g1);
    char what[96];
    snprintf(what, sizeof what, "inputs with %s: the value", layout_name[how]);
    if (b < 0 || !tg_trial_compare(t, what, y1, y0, 1e-12)) return;
    for (int i = 0; i < b && a == b; i++) {
        snprintf(what, sizeof what, "inputs with %s: the gradient of input %d", layout_name[how], at[i]);
        if (!tg_trial_compare(t, what, g1[i], g0[i], 1e-12)) return;
    }
}

void tg_check_layout(tg_trial *t) {
    int axes = 0;
    for (int i = 0; i < t->n; i++) axes += t->shape[i].rank;
    if (axes == 0) tg_trial_skip(t, "every input is a scalar");
    for (int how = 0; how < LAYOUTS && t->result->outcome == TG_CHECK_PASSED; how++) {
        tg_mark mark = tg_tape_mark();
        try_layout(t, (layout)how);
        tg_tape_rewind(mark);
    }
}

/* ---- shapes ---- */

static void expect_at_shapes(tg_trial *t, const char *what) {
    tg_trial_expect(t, what, tg_trial_run, (tg_gradcheck_opts){.allow_zero = true, .no_search = true}, 0);
}

/* Input i as a scalar, without its first axis, or with size one along its first or last. */
static bool narrow(tg_shape *s, int how) {
    if (s->rank < 2) return false;
    if (how == 0) *s = (tg_shape){0, {0}};
    if (how == 1) memmove(s->dim, s->dim + 1, sizeof s->dim[0] * (size_t)--s->rank);
    if (how >= 2) s->dim[how == 2 ? 0 : s->rank - 1] = 1;
    return true;
}

static void broadcast_each(tg_trial *t) {
    static const char *const name[] = {"one input a scalar, ", "one input without its first axis, ",
                                       "one input of size 1 along the first axis, ",
                                       "the same along the last, "};
    for (int i = 0; i < t->n; i++)
        for (int how = 0; how < 4; how++) {
            tg_shape was = t->shape[i];
            if (narrow(&t->shape[i], how)) expect_at_shapes(t, name[how]);
            t->shape[i] = was;
        }
}

void tg_check_shapes(tg_trial *t) {
    char letters[26];
    if (tg_trial_letters(t, letters) == 0) {
        tg_trial_skip(t, "the shapes have no letters");
        return;
    }
    tg_trial_shapes(t, '*', 1);
    expect_at_shapes(t, "all sizes one, ");
    if (!t->row->any_shape) return;
    for (int i = 0; i < t->n; i++) t->shape[i] = (tg_shape){0, {0}};
    expect_at_shapes(t, "scalars, ");
    tg_trial_shapes(t, 0, 0);
    if (t->n > 1) broadcast_each(t);
}

/* ---- no elements ---- */

static void try_empty(tg_trial *t, char letter) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *g[TG_CHECK_MOST_TENSORS], *y;
    int at[TG_CHECK_MOST_TENSORS],
        n = tg_trial_shapes(t, letter, 0) ? tg_trial_inputs(t, TG_F64, 0, true, in) : -1;
    for (int record = 0; n >= 0 && record < 2; record++) {
        int m = tg_trial_gradients(t, n, in, record, &y, at, g);
        for (int i = 0; i < m; i++)
            if (!tg_shape_equal(tg_shape_of(g[i]), tg_shape_of(in[at[i]])))
                tg_trial_fail(t, "the gradient of input %d has another shape", at[i]);
        t->result->numbers++;
    }
    if (t->result->outcome == TG_CHECK_PASSED) return;
    char why[sizeof t->result->message];
    snprintf(why, sizeof why, "%s", t->result->message);
    snprintf(t->result->message, sizeof t->result->message, "with %c = 0: %.480s", letter, why);
}

void tg_check_empty(tg_trial *t) {
    char letters[26];
    int n = tg_trial_letters(t, letters), tried = 0;
    const char *not = t->row->nonempty ? t->row->nonempty : "";
    for (int i = 0; i < n && t->result->outcome == TG_CHECK_PASSED; i++) {
        if (strchr(not, letters[i])) continue;
        tg_mark mark = tg_tape_mark();
        try_empty(t, letters[i]);
        tg_tape_rewind(mark);
        tried++;
    }
    if (tried == 0) tg_trial_skip(t, "%s", n ? t->row->why : "the shapes have no letters");
}

/* ---- NaN ---- */

static bool differs(double a, double b) { return !(a == b || (isnan(a) && isnan(b))); }

/* What changes when element e of input i goes to an end of its domain becomes NaN when the element does. */
static void try_nan(tg_trial *t, tg_tensor *const *in, int i, int64_t e, tg_tensor *y) {
    const tg_check_input *of = &t->row->in[i];
    bool standard = of->low == 0 && of->high == 0;
    double was = tg_get(in[i], e), end[] = {standard ? -2 : of->low, standard ? 2 : of->high, NAN};
    tg_tensor *z[3];
    for (int k = 0; k < 3; k++) {
        tg_array_set(tg_array_of(in[i]), e, end[k]);
        z[k] = tg_trial_call(t, in);
        if (!z[k]) break;
    }
    tg_array_set(tg_array_of(in[i]), e, was);
    bool same = t->result->outcome == TG_CHECK_PASSED;
    for (int k = 0; k < 3 && same; k++) same = tg_shape_equal(tg_shape_of(z[k]), tg_shape_of(y));
    for (int64_t k = 0; same && k < tg_numel(y); k++) {
        bool depends = differs(tg_get(y, k), tg_get(z[0], k)) || differs(tg_get(y, k), tg_get(z[1], k));
        if (depends && !isnan(tg_get(z[2], k)))
            tg_trial_fail(
                t, "NaN at element %lld of input %d: element %lld of the result depends on it, and is %g",
                (long long)e, i, (long long)k, tg_get(z[2], k));
    }
    t->result->numbers += same ? tg_numel(y) : 0;
}

void tg_check_nan(tg_trial *t) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *y = NULL;
    int n = tg_trial_inputs(t, TG_F64, 0, false, in), tried = 0;
    if (n >= 0) y = tg_trial_call(t, in);
    if (y && !tg_dtype_is_float(tg_dtype_of(y))) tg_trial_skip(t, "the result is no float");
    for (int i = 0; y && i < t->n; i++)
        for (int64_t e = 0; tg_dtype_is_float(t->row->in[i].dtype) && e < tg_numel(in[i]); e++, tried++) {
            if (t->result->outcome != TG_CHECK_PASSED) return;
            tg_mark mark = tg_tape_mark();
            try_nan(t, in, i, e, y);
            tg_tape_rewind(mark);
        }
    if (y && tried == 0) tg_trial_skip(t, "no input is a float");
}

/* ---- plans ---- */

static tg_tensor *flat(tg_tensor *x) { return tg_reshape_with(x, TG_SHAPE(tg_numel(x))); }

/* The result and the gradients by the inputs in one row of numbers. (tg_grad, for tg_backward would leave gradients in what f
 * reaches besides.) */
static tg_tensor *with_gradients(const tg_trial *t, tg_tensor *const *in, tg_tensor *y) {
    tg_tensor *x[TG_CHECK_MOST_INPUTS], *g[1 + TG_CHECK_MOST_INPUTS], *seed = NULL;
    int n = 0;
    if (tg_error_status() != TG_OK || !tg_requires_grad(y)) return y;
    for (int i = 0; i < t->n; i++)
        if (tg_requires_grad(in[i])) x[n++] = in[i];
    seed = tg_trial_seed(t, y, 0);
    tg_grad_with(1, &y, n, x, g + 1, (tg_grad_opts){.seeds = &seed, .allow_unused = true});
    g[0] = tg_detach(y);
    for (int i = 0; i <= n && tg_error_status() == TG_OK; i++) g[i] = flat(g[i]);
    return tg_error_status() == TG_OK ? tg_concat_with(0, n + 1, g) : tg_poison();
}
static tg_tensor *step(tg_tensor *const *in, void *user) {
    return with_gradients(user, in, tg_trial_run(in, user));
}

/* Four runs, of which the third and fourth are replayed; what cannot be recorded is said, and no failure. */
void tg_check_plan(tg_trial *t) {
    enum { RUNS = 4 };
    tg_plan *plan = tg_plan_new_with(step, t, (tg_plan_new_opts){0});
    for (int run = 0; plan && run < RUNS && t->result->outcome == TG_CHECK_PASSED; run++) {
        tg_tensor *in[TG_CHECK_MOST_TENSORS], *again[TG_CHECK_MOST_TENSORS];
        int n = tg_trial_inputs(t, TG_F64, run, true, in);
        if (n < 0 || tg_trial_inputs(t, TG_F64, run, true, again) < 0) break;
        tg_tensor *y = tg_plan_run_with(plan, n, in);
        if (tg_error_status() == TG_ERR_TAPE) {
            tg_trial_skip(t, "%s", tg_error_message());
            tg_error_clear();
            break;
        }
        tg_tensor *z = tg_trial_good(t, "a plan") ? tg_trial_call(t, again) : NULL;
        if (z) z = with_gradients(t, again, z);
        if (z && tg_trial_good(t, "the walk")) tg_trial_compare(t, "value and gradients by a plan", y, z, 0);
    }
    if (plan && t->result->outcome == TG_CHECK_PASSED && tg_plan_stats_of(plan).replayed == 0)
        tg_trial_skip(t, "no run was replayed");
    tg_plan_free(plan);
    tg_trial_good(t, "a plan");
}
