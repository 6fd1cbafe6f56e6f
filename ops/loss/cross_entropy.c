/* Cross-entropy of logits and class numbers, a row at a time. Its oracle is the composition
 * -gather(log_softmax(x), class). */
#include "core/work.h"
#include "ops/shared.h"

/* ---- shape rule ---- */

static tg_status infer(const tg_call *call) {
    const tg_array *x = call->in[0], *classes = call->in[1];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (classes->dtype != TG_I64 && classes->dtype != TG_I32)
        return tg_call_fail(call, TG_ERR_DTYPE, "class numbers must be i64 or i32: %s", tg_call_input(call, 1));
    bool fits = x->rank > 0 && classes->rank == x->rank - 1;
    for (int i = 0; fits && i < classes->rank; i++) fits = classes->shape[i] == x->shape[i];
    if (!fits)
        return tg_call_fail(
            call, TG_ERR_SHAPE,
            "needs logits [.., classes] and a class number for each row [..], was given %s and %s",
            tg_call_input(call, 0), tg_call_input(call, 1));
    return tg_out(call, 0, (tg_dtype)x->dtype, tg_array_shape(classes));
}

/* Checks contiguous class numbers for the n classes of x. */
static tg_status check_classes(const char *op, const tg_array *dense, int64_t n, const tg_tensor *x) {
    char text[160];
    bool negative;
    int64_t row = tg_first_outside(dense, n, &negative);
    if (row < 0) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: row %lld has class %lld, which is out of range for %lld classes: %s",
                   op, (long long)row, (long long)tg_integer_at(dense, row), (long long)n,
                   tg_describe(x, text, sizeof text));
}

static int64_t row_length(const tg_array *x) { return x->shape[x->rank - 1]; }

/* ---- out = log sum e^x - x[class] ---- */

static tg_status forward(const tg_call *call) {
    tg_array x = {0}, classes = {0};
    int64_t n = row_length(call->in[0]);
    tg_status s = tg_array_contiguous(&classes, call->in[1]);
    if (s == TG_OK) s = check_classes(call->op->name, &classes, n, call->handle[0]);
    if (s == TG_OK) s = tg_array_contiguous(&x, call->in[0]);
    if (s == TG_OK) tg_map_cross_entropy(&x, n, &classes, call->out[0]);
    tg_array_drop(&x);
    tg_array_drop(&classes);
    return s;
}

/* ---- dx = g (softmax(x) - onehot(class)), and 0 where g is, whatever x holds ---- */

/* softmax(x) - onehot(class): the element of the class is less the sum of the others, since p - 1 loses the digits of a p
 * near 1. */
static tg_tensor *distance(tg_tensor *x, tg_tensor *classes) {
    tg_tensor *zeros = tg_zeros_with(tg_dtype_of(x), tg_shape_of(classes));
    tg_tensor *others = tg_scatter(tg_softmax(x, -1), -1, classes, zeros);
    return tg_scatter(others, -1, classes,
                      tg_neg(tg_sum_with(others, (tg_reduce_opts){.axes = TG_SHAPE(-1), .keepdim = true})));
}

/* A mask of the rows whose distance has a NaN and whose g is 0, so that their gradient is 0; NULL when there is none. */
static tg_tensor *rows_without_weight(tg_tensor *distance, tg_tensor *g) {
    tg_tensor *zero = tg_eq(g, tg_scalar(tg_dtype_of(g), 0));
    tg_tensor *bad = tg_logical_and(zero, tg_any_with(tg_isnan(tg_detach(distance)),
                                                      (tg_reduce_opts){.axes = TG_SHAPE(-1), .keepdim = true}));
    return tg_decide_set(tg_any_with(bad, (tg_reduce_opts){0}), "tg_item") ? bad : NULL;
}

static void grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = n->in[0], *g = tg_unsqueeze(dout[0], -1), *classes = tg_unsqueeze(n->in[1], -1);
    tg_tensor *d = distance(x, classes), *bad = rows_without_weight(d, g);
    if (bad) d = distance(tg_masked_fill(x, bad, 0), classes);
    din[0] = tg_mul(d, g);
}

static tg_status grad_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    const tg_array *in[3] = {dout[0], tg_node_in(n, 0), tg_node_in(n, 1)}, *p[3];
    tg_array dense[3] = {{0}};
    int64_t classes = row_length(in[1]);
    tg_status s = tg_array_alloc(&din[0], (tg_dtype)in[1]->dtype, tg_array_shape(in[1]));
    if (s == TG_OK) s = tg_all_contiguous(3, in, dense, p);
    if (s == TG_OK) s = check_classes(n->op->name, p[2], classes, n->in[0]);
    if (s == TG_OK) tg_map_cross_entropy_grad(p[0], p[1], classes, p[2], &din[0]);
    tg_drop_all(3, dense);
    return s;
}

const tg_op tg_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .formula = "out = log(sum(e^x)) - x[.., class], along the last axis",
    .rule = "dx = dout * (e^x / sum(e^x) - onehot(class))",
    .n_in = 2,
    .save = TG_IN(0) | TG_IN(1),
    .no_grad = TG_IN(1),
    .infer = infer,
    .forward = forward,
    .grad = grad,
    .grad_kernel = grad_kernel,
};

tg_tensor *tg_softmax_cross_entropy(tg_tensor *x, tg_tensor *class_of_row) {
    return tg_apply2(&tg_op_softmax_cross_entropy, x, class_of_row, NULL);
}
