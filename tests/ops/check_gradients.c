/* Checks of gradients, in f64: by verdict to two orders, and of the two forms of a rule
 * against each other. */
#include "tests/ops/harness.h"

#include <math.h>
#include <string.h>

static tg_tensor *plainly(tg_tensor *const *leaf, void *user) { return trial_run(user, leaf); }

/* f + f^2/2: its dL/df depends on x, so that the second order sees how a rule passes it on. Without it the
 * second order of a linear op would compare zeros. */
static tg_tensor *curved(tg_tensor *const *leaf, void *user) {
    tg_tensor *y = trial_run(user, leaf);
    return tg_add(y, tg_mul_scalar(tg_mul(y, y), 0.5));
}

static bool differentiable(const trial *t) {
    for (int i = 0; i < t->n_in; i++)
        if (takes_gradient(t, i)) return true;
    return false;
}

static tg_gradcheck_report gradcheck(const trial *t, tg_gradcheck_fn f, int order) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf[MAX_IN];
    trial_leaves(t, TG_F64, true, leaf);
    tg_gradcheck_report r;
    trial copy = *t;
    tg_gradcheck(f, &copy, t->n_leaves, leaf, &r, .order = order, .seed = t->seed, .no_search = true,
                 .directions = t->kind == K_SIZES ? 2 : 0, .allow_empty = t->kind == K_EMPTY,
                 .allow_zero = true);
    fail_if_error(t, "gradcheck");
    tg_tape_rewind(mark);
    return r;
}

bool derivatives_agree(const trial *t, char *message, size_t size) {
    tg_gradcheck_report r = gradcheck(t, plainly, 1);
    snprintf(message, size, "%s", r.message);
    return r.ok;
}

/* Why a verdict of NOISE-LIMITED says nothing against a trial; NULL: it does. */
static const char *why_noisy(const trial *t) {
    static const struct {
        const char *op, *why;
    } row[] = {
        {"to", "it computes in f32 on the way"},
        {"remainder", "its jumps lie closer to one scalar's values than any step"},
        {"fmod", "the same"},
        {"floor", "a staircase looks like noise from afar"},
        {"ceil", "the same"},
        {"round", "the same"},
        {"trunc", "the same"},
        {"copysign", "of many elements one changes its sign in any step"},
        {"digamma", "beside a pole rounding the argument moves the value by more than the step does"},
        {"polygamma", "the same"},
    };
    if (t->kind == K_LARGE) return "tails of 1e-13 and less beside numbers of 40 and more";
    if (t->kind == K_SMALL) return "second derivatives that drown in what they are the small rest of";
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strcmp(t->op->name, row[i].op) == 0) return row[i].why;
    return NULL;
}

/* A check of the second order makes that of the first too: half of the numbers are of each. */
static void expect_agreement(const trial *t, tg_gradcheck_fn f, int order) {
    /* a rule that rounds to f32 is a staircase, wider than all steps at this magnitude */
    if (f == curved && t->kind == K_SMALL && strcmp(t->op->name, "to") == 0) order = 1;
    tg_gradcheck_report r = gradcheck(t, f, order);
    bool noisy = r.verdict == TG_NOISE_LIMITED && why_noisy(t);
    ck_assert_msg(r.ok || noisy, "%s: %s%s", t->name, f == curved ? "f + f^2/2: " : "", r.message);
    cover(t->op, TG_F64, t->kind, C_FIRST, r.compared / order);
    if (order == 2) cover(t->op, TG_F64, t->kind, C_SECOND, r.compared / 2);
}

/* In large magnitudes the square of f drowns the differences in rounding: f alone there. The sizes around
 * vector widths change loops, not formulas: once is enough. */
void check_derivatives(const trial *t) {
    if (!differentiable(t)) return;
    bool sizes = t->kind == K_SIZES;
    expect_agreement(t, plainly, sizes ? 1 : 2);
    if (t->kind != K_LARGE && !(sizes && fast_mode())) expect_agreement(t, curved, 2);
}

/* The gradients of p . f by leaf, walk recorded or not, of all together or each by a walk that asks for no other.
 * Returns how many: 0 when none is differentiable. */
static int walk(const trial *t, bool record, bool together, tg_tensor **x, tg_tensor **g) {
    tg_tensor *leaf[MAX_IN];
    int n = 0;
    trial_leaves(t, TG_F64, true, leaf);
    for (int l = 0; l < t->n_leaves; l++)
        if (tg_requires_grad(leaf[l])) x[n++] = leaf[l];
    tg_tensor *y = trial_run(t, leaf);
    fail_if_error(t, "value");
    if (n == 0) return 0;
    ck_assert_msg(tg_requires_grad(y), "%s: the result has no history", t->name);
    tg_tensor *p = signed_seed(y, tg_dtype_of(y), t->seed);
    for (int i = 0, step = together ? n : 1; i < n; i += step)
        tg_grad(1, &y, step, x + i, g + i, .seeds = &p, .create_graph = record, .retain = !together);
    fail_if_error(t, record ? "recorded walk" : "walk");
    return n;
}

static double largest(const tg_tensor *g) {
    double m = 0;
    for (int64_t k = 0; k < tg_numel(g); k++) m = fmax(m, fabs(tg_get(g, k)));
    return m;
}

/* Gradient i by a walk of this name, against that of the recorded walk. */
static void expect_gradient(const trial *t, int i, const char *name, const tg_tensor *is,
                            const tg_tensor *want) {
    double atol = 1e-12 * largest(want);
    ck_assert_msg(tg_shape_equal(tg_shape_of(is), tg_shape_of(want)), "%s: %s: gradient shape", t->name, name);
    for (int64_t k = 0; k < tg_numel(want); k++)
        if (!close_to(tg_get(is, k), tg_get(want, k), 1e-12, atol))
            ck_abort_msg("%s: gradient %d element %lld: %s %.17g, grad %.17g", t->name, i, (long long)k, name,
                         tg_get(is, k), tg_get(want, k));
}

/* A rule may leave out what nobody asks for: each gradient alone is the same. */
static void check_alone(const trial *t, bool record, int n, tg_tensor *const *want) {
    tg_tensor *x[MAX_IN], *g[MAX_IN];
    if (n < 2) return;
    walk(t, record, false, x, g);
    for (int i = 0; i < n; i++)
        expect_gradient(t, i, record ? "grad alone" : "grad_kernel alone", g[i], want[i]);
}

void check_kernel(const trial *t) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *x[MAX_IN], *fused[MAX_IN], *written[MAX_IN];
    int n = walk(t, false, true, x, fused);
    walk(t, true, true, x, written);
    for (int i = 0; i < n; i++) {
        ck_assert_msg(tg_shape_equal(tg_shape_of(written[i]), tg_shape_of(x[i])),
                      "%s: recorded: gradient shape", t->name);
        expect_gradient(t, i, "grad_kernel", fused[i], written[i]);
        cover(t->op, TG_F64, t->kind, C_KERNEL, tg_numel(x[i]));
    }
    for (int record = 0; record < 2; record++) check_alone(t, record, n, written);
    tg_tape_rewind(mark);
}

/* ---- the adjoint identity ---- */

/* The trial as a function of the leaves that take a gradient. */
typedef struct part {
    const trial *t;
    tg_tensor *leaf[MAX_IN];
    int which[MAX_IN];
    int n;
} part;

static tg_tensor *partly(tg_tensor *const *x, void *user) {
    part *p = user;
    tg_tensor *leaf[MAX_IN];
    for (int l = 0; l < p->t->n_leaves; l++) leaf[l] = p->leaf[l];
    for (int i = 0; i < p->n; i++) leaf[p->which[i]] = x[i];
    return trial_run(p->t, leaf);
}

/* sum a_k b_k, and the sum of magnitudes that its rounding is relative to. Where the value is NaN, as the mean of
 * nothing, there is no derivative. */
static double dot(const tg_tensor *a, const tg_tensor *b, const tg_tensor *value, double *magnitude) {
    double sum = 0;
    for (int64_t k = 0; k < tg_numel(a); k++) {
        if (isnan(tg_get(value, k))) continue;
        double term = tg_get(a, k) * tg_get(b, k);
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

/* J^T u comes from a walk that is not recorded, J v from differentiating a recorded one: all that the two share is
 * the value of f. */
void check_adjoint(const trial *t) {
    if (!differentiable(t)) return;
    tg_mark mark = tg_tape_mark();
    part p = {.t = t};
    tg_tensor *x[MAX_IN], *v[MAX_IN], *ju[MAX_IN], *jv, *y;
    trial_leaves(t, TG_F64, true, p.leaf);
    for (int l = 0; l < t->n_leaves; l++) {
        if (!tg_requires_grad(p.leaf[l])) continue;
        p.which[p.n] = l, x[p.n] = p.leaf[l];
        v[p.n++] = signed_seed(p.leaf[l], TG_F64, t->seed + 1 + (uint64_t)l);
    }
    tg_jvp(partly, &p, p.n, x, v, &y, &jv);
    fail_if_error(t, "J v");
    tg_tensor *u = signed_seed(y, TG_F64, t->seed);
    tg_vjp(partly, &p, p.n, x, u, NULL, ju);
    fail_if_error(t, "J^T u");
    double size = 0, right = 0, left = dot(u, jv, y, &size);
    for (int i = 0; i < p.n; i++) right += dot(ju[i], v[i], v[i], &size);
    /* beside the rounding of these sums, that of the terms which cancel in an element of J */
    double rounding = 1e-12 * size + 1e-15 * (double)(tg_numel(u) + 1);
    ck_assert_msg(close_to(left, right, 0, rounding), "%s: <u, J v> = %.17g, <J^T u, v> = %.17g", t->name,
                  left, right);
    cover(t->op, TG_F64, t->kind, C_ADJOINT, 1);
    tg_tape_rewind(mark);
}

/* Inputs or outputs without elements: gradients exist, have the input's shape, and are zero where nothing
 * flows. */
void check_empty(const trial *t) {
    check_value(t);
    if (!differentiable(t)) return;
    check_kernel(t);
    check_adjoint(t);
    check_f32_gradient(t);
    /* an empty mean is NaN; so is every difference of it, but no element is there to have a gradient */
    expect_agreement(t, plainly, 2);
}
