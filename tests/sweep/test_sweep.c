/* Every case for every instruction set that was built and that the machine has; functions that are wrong on purpose. */
#include "tests/sweep/sweep.h"

#include "core/kernels/simd/table.h"

#include <math.h>
#include <string.h>

static const golden *case_of(const char *name, tg_dtype d) {
    for (int i = 0; i < sweep_cases(); i++)
        if (strcmp(sweep_case(i)->call, name) == 0 && sweep_case(i)->dtype == d) return sweep_case(i);
    return NULL;
}

static void fail_if_wrong(const golden *g, const char *isa, const tally_of by[N_ORDERS]) {
    static const char *const names[N_ORDERS] = {"value", "gradient", "recorded gradient", "second derivative"};
    char name[80];
    report_name(g, name, sizeof name);
    for (int o = 0; o < N_ORDERS; o++)
        ck_assert_msg(
            by[o].wrong == 0,
            "%s %s %s: %s: %lld of %lld wrong; the worst at %.17g: %.17g, exact %.17g, %.3g ulp (%.3g are "
            "allowed); all of them: test_sweep --failures %s",
            name, tg_dtype_name(g->dtype), isa, names[o], (long long)by[o].wrong, (long long)by[o].compared,
            by[o].at[0], by[o].got, by[o].want, by[o].worst, bound_of(g, (order)o), isa);
}

START_TEST(right_at_every_point) {
    const golden *g = sweep_case(_i);
    const call *c = find_call(g->call);
    ck_assert_msg(c != NULL, "%s: no such call", g->call);
    if (!chosen(op_of(c))) return;
    for (int s = 0; tg_kernel_isas[s]; s++) {
        if (!tg_kernels_use(tg_kernel_isas[s])) continue;
        computed v = evaluate(g, c->fn);
        compare(g, &v, report_of(_i, s), NULL, tg_kernel_isas[s]);
        computed_free(&v);
        fail_if_wrong(g, tg_kernel_isas[s], report_of(_i, s));
    }
}
END_TEST

/* ---- nothing is left out ---- */

static bool is_swept(const tg_op *op) {
    for (int i = 0; i < sweep_cases(); i++) {
        const call *c = find_call(sweep_case(i)->call);
        if (c && op_of(c) == op) return true;
    }
    return false;
}

/* What is elementwise, a reduction, a norm or a softmax, and has a gradient, has cases. */
START_TEST(every_op_is_swept) {
    static const char swept[] =
        " arithmetic reduce argmax softmax cross_entropy math polygamma activation binary "
        "layer_norm aggregate scan ";
    int n;
    const tg_op_entry *e = &tg_op_table(&n)[_i];
    char file[40];
    snprintf(file, sizeof file, " %s ", e->file);
    if (!strstr(swept, file) || !has_gradient(e->op)) return;
    ck_assert_msg(is_swept(e->op),
                  "%s has no numbers in tests/golden/sweep.golden.gz: add it to tests/golden/sweep_*.py",
                  e->op->name);
}
END_TEST

/* ---- what must be noticed ---- */

/* A thousandth of a percent off in one place. */
static tg_tensor *off_by_little(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_mul_scalar(tg_exp(in[0]), 1 + 1e-6);
}
/* Overflows on the way: e^x (1 - e^-2x) / 2 for sinh. */
static tg_tensor *overflows(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_mul_scalar(tg_sub(tg_exp(in[0]), tg_exp(tg_neg(in[0]))), 0.5);
}
/* The root of the square for |x|. */
static tg_tensor *underflows(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_sqrt(tg_square(in[0]));
}
/* y = exp(x) with slopes of one's own: a value that is right with a gradient that is not. */
static tg_status exp_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) tg_array_set(c->out[0], i, exp(tg_array_get(c->in[0], i)));
    return TG_OK;
}
static void small_slip(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul_scalar(tg_mul(dout[0], n->out[0]), 1.0001);
}
static void lost_history(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_detach(n->out[0]));
}
static tg_status wrong_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *y = tg_node_out(n, 0);
    tg_status s = tg_array_alloc(&din[0], (tg_dtype)y->dtype, tg_array_shape(y));
    for (int64_t i = 0; s == TG_OK && i < y->numel; i++)
        tg_array_set(&din[0], i, tg_array_get(dout[0], i) * (tg_array_get(y, i) + 1 - 1));
    return s;
}
static void right_rule(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], n->out[0]);
}

#define PLANTED(label, ...) \
    static const tg_op label##_op = {.name = #label, \
                                     .n_in = 1, \
                                     .save = TG_OUT(0), \
                                     .infer = tg_infer_same, \
                                     .forward = exp_forward, \
                                     __VA_ARGS__}; \
    static tg_tensor *label##_call(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return tg_apply(&label##_op, in, 1, NULL); \
    }
PLANTED(planted_slip, .grad = small_slip)
PLANTED(planted_detached, .grad = lost_history)
PLANTED(planted_kernel, .grad = right_rule, .grad_kernel = wrong_kernel)

/* Which order first shows that `fn` is not `call`. */
static const struct planted {
    const char *call;
    call_fn fn;
    order shows;
} planted[] = {
    {"exp", off_by_little, O_VALUE},       {"sinh", overflows, O_VALUE},
    {"abs", underflows, O_VALUE},          {"exp", planted_slip_call, O_FIRST},
    {"exp", planted_kernel_call, O_FIRST}, {"exp", planted_detached_call, O_SECOND},
};

START_TEST(what_is_wrong_is_noticed) {
    const struct planted *p = &planted[_i];
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
        const golden *g = case_of(p->call, d);
        ck_assert_ptr_nonnull(g);
        tally_of by[N_ORDERS] = {{0}};
        computed v = evaluate(g, p->fn);
        compare(g, &v, by, NULL, "");
        computed_free(&v);
        for (int o = 0; o < (int)p->shows; o++)
            ck_assert_msg(by[o].wrong == 0 || o == O_RECORDED, "planted %d, %s: order %d shows it already",
                          _i, tg_dtype_name(d), o);
        ck_assert_msg(by[p->shows].wrong > 0, "planted %d in %s, %s: not noticed", _i, p->call,
                      tg_dtype_name(d));
    }
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_sweep(void) {
    TCase *t = tcase_create("sweep");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, clear, clear);
    int ops;
    tg_op_table(&ops);
    tcase_add_loop_test(t, right_at_every_point, 0, sweep_cases());
    tcase_add_loop_test(t, every_op_is_swept, 0, ops);
    tcase_add_loop_test(t, what_is_wrong_is_noticed, 0, COUNT(planted));
    return t;
}
