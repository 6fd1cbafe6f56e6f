/* A call and its gradient as a plan: recorded on two sets of numbers, replayed on a third, and held to the eager run of that
 * to the bit. */
#include "tests/ops/harness.h"

#include <string.h>

typedef struct planned {
    const trial *t;
    bool seeded; /* a gradient is asked for */
} planned;

static tg_tensor *step(tg_tensor *const *in, void *user) {
    const planned *p = user;
    tg_tensor *y = trial_run(p->t, in);
    if (p->seeded && tg_error_status() == TG_OK && tg_requires_grad(y))
        tg_backward(y, .seed = signed_seed(y, tg_dtype_of(y), 5));
    return y;
}

static size_t bytes_of(const tg_tensor *t) {
    static const size_t size[] = {
        [TG_F32] = 4, [TG_F64] = 8, [TG_I32] = 4, [TG_I64] = 8, [TG_U8] = 1, [TG_BOOL] = 1};
    return (size_t)tg_numel(t) * size[tg_dtype_of(t)];
}

/* NaN counts as NaN, whatever its bits. */
static bool same_bits(const tg_tensor *a, const tg_tensor *b) {
    if (tg_dtype_of(a) != tg_dtype_of(b) || !tg_shape_equal(tg_shape_of(a), tg_shape_of(b))) return false;
    const tg_tensor *x = tg_contiguous((tg_tensor *)(uintptr_t)a),
                    *y = tg_contiguous((tg_tensor *)(uintptr_t)b);
    if (memcmp(tg_data(x), tg_data(y), bytes_of(x)) == 0) return true;
    for (int64_t i = 0; i < tg_numel(x); i++) {
        double v = tg_get(x, i), w = tg_get(y, i);
        if (memcmp(&v, &w, sizeof v) != 0 && !(v != v && w != w)) return false;
    }
    return true;
}

static void compare(const trial *t, const char *what, const tg_tensor *plan, const tg_tensor *eager) {
    ck_assert_msg(same_bits(plan, eager), "%s: %s of the plan is not that of the eager run", t->name, what);
}

static void check_gradients(const trial *t, tg_tensor *const *plan, tg_tensor *const *eager) {
    for (int l = 0; l < t->n_leaves; l++) {
        ck_assert_msg(tg_has_grad(plan[l]) == tg_has_grad(eager[l]), "%s: a plan gives leaf %d %s gradient",
                      t->name, l, tg_has_grad(plan[l]) ? "a" : "no");
        if (tg_has_grad(plan[l])) compare(t, "a gradient", tg_grad_of(plan[l]), tg_grad_of(eager[l]));
    }
}

void check_plan(const trial *t) {
    enum { RUNS = 4 };
    for (int f = 0; f < 2; f++) {
        planned p = {t, t->op && has_gradient(t->op)};
        tg_plan *plan = tg_plan_new(step, &p);
        tg_dtype dtype = f ? TG_F64 : TG_F32;
        for (int i = 0; i < RUNS; i++) {
            trial other = *t;
            tg_tensor *leaf[MAX_IN], *again[MAX_IN];
            other.seed += (uint64_t)i;
            trial_leaves(&other, dtype, p.seeded, leaf), trial_leaves(&other, dtype, p.seeded, again);
            tg_tensor *y = tg_plan_run_with(plan, t->n_leaves, leaf), *z = step(again, &p);
            ck_assert_msg(tg_error_status() == TG_OK, "%s, run %d: %s", t->name, i, tg_error_message());
            compare(t, "the value", y, z);
            check_gradients(t, leaf, again);
        }
        count_up(T_PLANNED, 1), count_up(T_REPLAYED, tg_plan_stats_of(plan).replayed > 0);
        tg_plan_free(plan);
    }
}
