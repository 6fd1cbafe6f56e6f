/* The checks of a row at its own shapes: verdicts, the two forms of a rule, the adjoint identity, the two float types. */
#include "ops/nn/check/suite_private.h"

#include "autograd/functional.h"
#include "ops/rooms.h"

#include <math.h>
#include <string.h>

/* ---- verdicts ---- */

bool tg_trial_judge(tg_trial *t, tg_function f, tg_gradcheck_opts opts, int point, tg_gradcheck_report *r) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS];
    int n = tg_trial_inputs(t, TG_F64, point, true, in);
    if (n < 0) return false;
    opts.seed = t->seed + (uint64_t)point;
    opts.allow_zero |= t->row->allow_zero;
    tg_gradcheck_with(f, t, n, in, r, opts);
    return true;
}

void tg_trial_expect(tg_trial *t, const char *what, tg_function f, tg_gradcheck_opts opts, int point) {
    tg_gradcheck_report r;
    if (t->result->outcome != TG_CHECK_PASSED || !tg_trial_judge(t, f, opts, point, &r)) return;
    t->result->verdict = r.verdict;
    t->result->numbers += r.compared;
    if (!r.ok) tg_trial_fail(t, "%spoint %d: %s", what, point, r.message);
}

void tg_check_first(tg_trial *t) {
    for (int p = 0; p < t->points; p++) tg_trial_expect(t, "", tg_trial_run, (tg_gradcheck_opts){0}, p);
}

/* f + f^2/2: its dL/df depends on x, so that the second order sees how a rule passes it on. */
static tg_tensor *curved(tg_tensor *const *in, void *user) {
    tg_tensor *y = tg_trial_run(in, user);
    return tg_add(y, tg_mul_scalar(tg_mul(y, y), 0.5));
}

void tg_check_second(tg_trial *t) {
    int order = t->row->order == 0 ? 2 : t->row->order;
    if (order == 1) {
        tg_trial_skip(t, "the row is of order 1");
        return;
    }
    for (int p = 0; p < t->points; p++)
        tg_trial_expect(t, "f + f^2/2, ", curved, (tg_gradcheck_opts){.order = order, .no_search = true}, p);
}

/* ---- two walks ---- */

void tg_check_kernel(tg_trial *t) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *fused[TG_CHECK_MOST_TENSORS], *written[TG_CHECK_MOST_TENSORS], *y;
    int at[TG_CHECK_MOST_TENSORS], n = tg_trial_inputs(t, TG_F64, 0, true, in);
    int a = n < 0 ? -1 : tg_trial_gradients(t, n, in, false, &y, at, fused);
    int b = a < 0 ? -1 : tg_trial_gradients(t, n, in, true, &y, at, written);
    if (a == 0 && b == 0) tg_trial_skip(t, "the result requires no gradient");
    if (b >= 0 && a != b)
        tg_trial_fail(t, "called twice, the function gives a result with gradients of %d inputs, and of %d",
                      a, b);
    for (int i = 0; i < b && a == b; i++) {
        char what[96];
        snprintf(what, sizeof what,
                 "input %d, walk not recorded (grad_kernel), held to the recorded one (grad)", at[i]);
        if (!tg_trial_compare(t, what, fused[i], written[i], 1e-12)) return;
    }
}

/* ---- the adjoint identity ---- */

/* f of the inputs that take a gradient. */
typedef struct part {
    tg_trial *t;
    tg_tensor *const *in;
    int n, which[TG_CHECK_MOST_TENSORS];
} part;

static tg_tensor *partly(tg_tensor *const *x, void *user) {
    const part *p = user;
    tg_tensor *in[TG_CHECK_MOST_TENSORS];
    memcpy(in, p->in, (size_t)p->t->n * sizeof *in);
    for (int k = 0; k < p->n; k++)
        if (p->which[k] < p->t->n) in[p->which[k]] = x[k];
    return tg_trial_run(in, p->t);
}

/* Where the value is NaN there is no derivative. */
static double dot(const tg_tensor *a, const tg_tensor *b, const tg_tensor *value, double *size) {
    double sum = 0;
    for (int64_t k = 0; k < tg_numel(a); k++) {
        double term = isnan(tg_get(value, k)) ? 0 : tg_get(a, k) * tg_get(b, k);
        sum += term, *size += fabs(term);
    }
    return sum;
}

void tg_check_adjoint(tg_trial *t) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS], *x[TG_CHECK_MOST_TENSORS], *v[TG_CHECK_MOST_TENSORS];
    tg_tensor *ju[TG_CHECK_MOST_TENSORS], *jv, *y;
    part p = {.t = t, .in = in};
    int n = tg_trial_inputs(t, TG_F64, 0, true, in);
    for (int i = 0; i < n; i++) {
        if (!tg_requires_grad(in[i])) continue;
        v[p.n] = tg_trial_seed(t, in[i], 1 + (uint64_t)i);
        x[p.n] = in[i], p.which[p.n++] = i;
    }
    if (n < 0 || !tg_trial_good(t, NULL)) return;
    tg_jvp_with(partly, &p, p.n, x, v, &y, &jv, (tg_jvp_opts){.allow_unused = true});
    if (!tg_trial_good(t, "J v")) return;
    tg_tensor *u = tg_trial_seed(t, y, 0);
    tg_vjp_with(partly, &p, p.n, x, u, NULL, ju, (tg_vjp_opts){.allow_unused = true});
    if (!tg_trial_good(t, "J^T u")) return;
    double size = 0, right = 0, left = dot(u, jv, y, &size);
    for (int k = 0; k < p.n; k++) right += dot(ju[k], v[k], v[k], &size);
    if (!(fabs(left - right) <= 1e-11 * size))
        tg_trial_fail(t, "<u, J v> is %.17g by a recorded walk, and <J^T u, v> %.17g by one that is not",
                      left, right);
    t->result->numbers += 1;
}

/* ---- f32 ---- */

/* Makes tensors of f64 of those of f32, so that the two are compared as numbers. */
static bool compare_types(tg_trial *t, const char *what, tg_tensor *is, tg_tensor *should) {
    double rtol = t->row->f32_tolerance > 0 ? t->row->f32_tolerance : 1e-5;
    if (tg_dtype_of(is) != TG_F32 && tg_dtype_of(should) == TG_F64) {
        tg_trial_fail(t, "%s: from f32 inputs it is %s", what, tg_dtype_name(tg_dtype_of(is)));
        return false;
    }
    return tg_trial_compare(t, what, is, should, rtol);
}

void tg_check_f32(tg_trial *t) {
    tg_tensor *in32[TG_CHECK_MOST_TENSORS], *in64[TG_CHECK_MOST_TENSORS], *y32, *y64;
    tg_tensor *g32[TG_CHECK_MOST_TENSORS], *g64[TG_CHECK_MOST_TENSORS];
    int at[TG_CHECK_MOST_TENSORS];
    int n = tg_trial_inputs(t, TG_F32, 0, true, in32);
    if (n < 0 || tg_trial_inputs(t, TG_F64, 0, true, in64) < 0) return;
    int a = tg_trial_gradients(t, n, in32, false, &y32, at, g32);
    int b = a < 0 ? -1 : tg_trial_gradients(t, n, in64, false, &y64, at, g64);
    if (b < 0 || !compare_types(t, "the value in f32", y32, y64)) return;
    if (a != b) tg_trial_fail(t, "of %d inputs there are gradients in f64, and of %d in f32", b, a);
    for (int i = 0; i < b && a == b; i++) {
        char what[64];
        snprintf(what, sizeof what, "the gradient of input %d in f32", at[i]);
        if (!compare_types(t, what, g32[i], g64[i])) return;
    }
}
