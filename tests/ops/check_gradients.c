/* Checks of gradients, in f64: against central differences to two orders, and of the two forms of a rule
 * against each other. */
#include "tests/ops/harness.h"

#include <math.h>

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

static void run_gradcheck(const trial *t, tg_gradcheck_fn f, int order, check c) {
    if (!differentiable(t)) return;
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf[MAX_IN];
    trial_leaves(t, TG_F64, true, leaf);
    tg_gradcheck_report r;
    trial copy = *t;
    tg_gradcheck(f, &copy, t->n_leaves, leaf, &r, .order = order, .seed = t->seed, .eps = t->row->eps,
                 .projections = fast_mode() || t->kind == K_SIZES ? 1 : 2);
    ck_assert_msg(r.ok, "%s: %s%s", t->name, f == curved ? "f + f^2/2: " : "", r.message);
    cover(t->op, t->kind, c, r.compared);
    fail_if_error(t, "gradcheck");
    tg_tape_rewind(mark);
}

void check_first(const trial *t) { run_gradcheck(t, plainly, 1, C_FIRST); }

/* In large magnitudes the square of f drowns the differences in rounding: f alone there. The sizes around
 * vector widths change loops, not formulas: once is enough. */
void check_second(const trial *t) {
    if (t->kind != K_SIZES) run_gradcheck(t, plainly, 2, C_SECOND);
    if (t->kind != K_LARGE) run_gradcheck(t, curved, 2, C_SECOND);
}

/* The gradients of p . f by leaf, walk recorded or not. Returns how many: 0 when none is differentiable. */
static int walk(const trial *t, bool record, tg_tensor **x, tg_tensor **g) {
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
    tg_grad(1, &y, n, x, g, .seeds = &p, .create_graph = record);
    fail_if_error(t, record ? "recorded walk" : "walk");
    return n;
}

static double largest(const tg_tensor *g) {
    double m = 0;
    for (int64_t k = 0; k < tg_numel(g); k++) m = fmax(m, fabs(tg_get(g, k)));
    return m;
}

void check_kernel(const trial *t) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *x[MAX_IN], *fused[MAX_IN], *written[MAX_IN];
    int n = walk(t, false, x, fused);
    walk(t, true, x, written);
    for (int i = 0; i < n; i++) {
        double atol = 1e-12 * largest(written[i]);
        int64_t numel = tg_numel(x[i]);
        ck_assert_msg(tg_shape_equal(tg_shape_of(fused[i]), tg_shape_of(x[i])), "%s: walk: gradient shape",
                      t->name);
        ck_assert_msg(tg_shape_equal(tg_shape_of(written[i]), tg_shape_of(x[i])),
                      "%s: recorded: gradient shape", t->name);
        for (int64_t k = 0; k < numel; k++) {
            double a = tg_get(fused[i], k), b = tg_get(written[i], k);
            if (!close_to(a, b, 1e-12, atol))
                ck_abort_msg("%s: gradient %d element %lld: grad_kernel %.17g, grad %.17g", t->name, i,
                             (long long)k, a, b);
        }
        cover(t->op, t->kind, C_KERNEL, 1 + numel);
    }
    tg_tape_rewind(mark);
}

/* Inputs or outputs without elements: gradients exist, have the input's shape, and are zero where nothing
 * flows. */
void check_empty(const trial *t) {
    check_value(t);
    if (!differentiable(t)) return;
    check_kernel(t);
    tg_mark mark = tg_tape_mark();
    tg_tensor *leaf[MAX_IN];
    trial_leaves(t, TG_F64, true, leaf);
    tg_gradcheck_report r;
    trial copy = *t;
    tg_gradcheck(plainly, &copy, t->n_leaves, leaf, &r, .order = 2, .seed = t->seed, .allow_empty = true);
    /* an empty mean is NaN; so is every difference of it, but no element is there to have a gradient */
    ck_assert_msg(r.ok, "%s: %s", t->name, r.message);
    cover(t->op, t->kind, C_FIRST, 1 + r.compared);
    cover(t->op, t->kind, C_SECOND, 1 + r.compared);
    tg_tape_rewind(mark);
}
