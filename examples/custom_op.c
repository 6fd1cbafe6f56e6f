/* An op of your own, through the same contract as the built-in ones.
 *
 * Swish (Ramachandran, Zoph and Le, 2017) with a steepness beta:
 *     y = x s(beta x),        s the sigmoid
 *     dy/dx = s + beta x s (1 - s)
 *
 * The program defines it, checks its first and second derivative against finite differences, and then shows
 * that the check has teeth: a rule with a term left out fails, and so does one that is right but cannot be
 * differentiated again. It exits with 1 when the good op fails or a bad one passes.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>

/* Attributes are a plain struct, described field by field. The tape keeps a copy, and can print it. */
typedef struct swish_attr {
    double beta;
} swish_attr;

static const tg_attr_field swish_fields[] = {{"beta", TG_ATTR_REAL, offsetof(swish_attr, beta)}};

/* What the output looks like, and which inputs are refused. */
static tg_status swish_infer(const tg_call *call) {
    if (!tg_dtype_is_float((tg_dtype)call->in[0]->dtype))
        return tg_call_fail(call, TG_ERR_DTYPE, "the input must be f32 or f64, and is %s",
                            tg_call_input(call, 0));
    return tg_infer_same(call);
}

/* tg_array_get and tg_array_set take care of strides and dtypes; an op that must be fast does so itself. */
static tg_status swish_forward(const tg_call *call) {
    const swish_attr *a = call->attr;
    for (int64_t i = 0; i < call->out[0]->numel; i++) {
        double x = tg_array_get(call->in[0], i);
        tg_array_set(call->out[0], i, x / (1 + exp(-a->beta * x)));
    }
    return TG_OK;
}

/* dL/dx = dL/dy dy/dx. Written with differentiable ops, so that it has a gradient itself. */
static void swish_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    const swish_attr *a = node->attr;
    tg_tensor *x = node->in[0];
    tg_tensor *s = tg_sigmoid(tg_mul_scalar(x, a->beta));
    tg_tensor *s_slope = tg_mul(s, tg_affine(s, -1, 1)); /* s (1 - s) */
    tg_tensor *slope = tg_add(s, tg_mul_scalar(tg_mul(x, s_slope), a->beta));
    din[0] = tg_mul(dout[0], slope);
}

static const tg_op swish_op = {
    .name = "swish",
    .formula = "out = x * sigmoid(beta * x)",
    .rule = "s = sigmoid(beta * x); dx = dout * (s + beta * x * s * (1 - s))",
    .n_in = 1,
    .save = TG_IN(0), /* the gradient reads the elements of x */
    .attr_size = sizeof(swish_attr),
    .attrs = swish_fields,
    .n_attrs = 1,
    .infer = swish_infer,
    .forward = swish_forward,
    .grad = swish_grad,
};

/* The function that users call, and a macro of the same name that notes their line for messages; (tg_apply) in parentheses,
 * since the macro of that name would note this one. */
static tg_tensor *swish(tg_tensor *x, double beta) {
    return (tg_apply)(&swish_op, &x, 1, &(swish_attr){.beta = beta});
}
#define swish(x, beta) TG_AT((swish)((x), (beta)))

/* ---- two bad rules ---- */

/* Wrong: beta x s (1 - s) is missing. */
static void careless_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    const swish_attr *a = node->attr;
    din[0] = tg_mul(dout[0], tg_sigmoid(tg_mul_scalar(node->in[0], a->beta)));
}

/* The right numbers, but computed from a detached x: the second derivative comes out as zero. */
static void detached_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_node copy = *node;
    tg_tensor *x = tg_detach(node->in[0]);
    copy.in = &x;
    swish_grad(&copy, dout, din);
}

/* ---- the checks ---- */

/* What is checked: f(x) = swish(x, beta), for the op that `user` points to. */
static tg_tensor *apply_op(tg_tensor *const *in, void *user) {
    const tg_op *op = *(const tg_op **)user;
    return tg_apply(op, in, 1, &(swish_attr){.beta = 1.5});
}

/* The op amid others: x used twice, and a column broadcast. The walk accumulates; no rule has to. */
static tg_tensor *amid_others(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(swish(tg_add(in[0], in[1]), 0.5), swish(in[0], 2));
}

static bool expect(const char *what, bool passes, bool should_pass, const tg_gradcheck_report *report) {
    printf("%s: %s\n    %s\n", what, passes ? "passes" : "is caught", report->message);
    return passes == should_pass;
}

static bool check_all(void) {
    tg_tensor *x = tg_set_requires_grad(tg_normal(TG_F64, 0, 2, 3, 4), true);
    tg_tensor *column = tg_set_requires_grad(tg_normal(TG_F64, 0, 1, 3, 1), true);
    tg_set_name(x, "x");

    static tg_op careless_op, detached_op; /* static, as nodes on the tape point to their op */
    careless_op = detached_op = swish_op;
    careless_op.grad = careless_grad;
    detached_op.grad = detached_grad;
    const tg_op *good = &swish_op, *careless = &careless_op, *detached = &detached_op;

    tg_gradcheck_report r;
    bool ok, as_expected = true;
    ok = tg_gradcheck(apply_op, &good, 1, &x, &r, .order = 2);
    as_expected &= expect("swish, first and second order", ok, true, &r);
    ok = tg_gradcheck(amid_others, NULL, 2, ((tg_tensor *[]){x, column}), &r, .order = 2);
    as_expected &= expect("swish(x + column, 0.5) * swish(x, 2)", ok, true, &r);
    ok = tg_gradcheck(apply_op, &careless, 1, &x, &r);
    as_expected &= expect("a gradient with a term left out", ok, false, &r);
    ok = tg_gradcheck(apply_op, &detached, 1, &x, &r);
    as_expected &= expect("a gradient with a detach in it, first order", ok, true, &r);
    ok = tg_gradcheck(apply_op, &detached, 1, &x, &r, .order = 2);
    as_expected &= expect("the same, first and second order", ok, false, &r);
    return as_expected;
}

/* Value and derivatives at a few points. As y_i depends on x_i alone, d sum(y) / dx_i is dy_i/dx_i. */
static void print_derivatives(void) {
    tg_tensor *x = tg_set_requires_grad(tg_from(TG_F64, ((double[]){-4, -2, -1, 0, 1, 2, 4}), 7), true);
    tg_mark mark = tg_tape_mark();
    tg_tensor *y = swish(x, 1), *sum = tg_sum(y), *first, *sum_first, *second;
    printf("\nOn the tape:\n");
    tg_tape_print(stdout, mark, .rules = true);

    tg_grad(1, &sum, 1, &x, &first, .create_graph = true);
    sum_first = tg_sum(first);
    tg_grad(1, &sum_first, 1, &x, &second);
    printf("\n%8s %10s %10s %10s\n", "x", "swish", "swish'", "swish''");
    for (int64_t i = 0; i < tg_numel(x); i++)
        printf("%8.1f %10.4f %10.4f %10.4f\n", tg_get(x, i), tg_get(y, i), tg_get(first, i), tg_get(second, i));
}

int main(void) {
    tg_seed(1);
    tg_mark start = tg_tape_mark();
    bool ok = check_all();
    print_derivatives();
    if (tg_error_status() != TG_OK) {
        fprintf(stderr, "%s\n", tg_error_message());
        ok = false;
    }

    /* Bad input is refused by infer; the message names the op, the tensor and the line. */
    swish(tg_set_name(tg_from(TG_I64, ((int64_t[]){1, 2}), 2), "counts"), 1);
    printf("\nAn integer tensor: %s\n", tg_error_message());
    ok &= tg_error_status() == TG_ERR_DTYPE;
    tg_error_clear();
    tg_tape_rewind(start);
    return ok ? 0 : 1;
}
