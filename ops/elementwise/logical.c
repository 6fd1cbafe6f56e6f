#include "ops/shared.h"

#include <math.h>

static tg_status like_input(const tg_call *call) {
    return tg_out(call, 0, TG_BOOL, tg_array_shape(call->in[0]));
}

static tg_status pair_infer(const tg_call *call) {
    tg_shape shape;
    if (!tg_shape_broadcast(tg_array_shape(call->in[0]), tg_array_shape(call->in[1]), &shape))
        return tg_call_fail(call, TG_ERR_SHAPE, "shapes do not broadcast: %s and %s", tg_call_input(call, 0),
                            tg_call_input(call, 1));
    return tg_out(call, 0, TG_BOOL, shape);
}

/* out = f(x, v) */
static void compare_number(tg_compare f, const tg_array *x, double v, const tg_array *out) {
    int64_t storage;
    tg_array number = tg_borrow_number(v, x, &storage);
    tg_map_compare(f, x, &number, out);
}

/* out becomes out and b, out or b, or exactly one of the two. Both are bool, contiguous and of one shape. */
typedef enum joint { BOTH, EITHER, ONE } joint;

static void join(joint f, const tg_array *out, const tg_array *b) {
    unsigned char *p = out->data;
    const unsigned char *q = b->data;
    for (int64_t i = 0; i < out->numel; i++)
        p[i] = (unsigned char)(f == BOTH ? p[i] & q[i] : f == EITHER ? p[i] | q[i] : p[i] ^ q[i]);
}

static tg_status pair(const tg_call *call, joint f) {
    const tg_array *out = call->out[0];
    tg_array a = tg_borrow_broadcast(call->in[0], out), b = tg_borrow_broadcast(call->in[1], out);
    tg_array truth = {0};
    tg_status s = tg_array_alloc(&truth, TG_BOOL, tg_array_shape(out));
    if (s != TG_OK) return s;
    compare_number(TG_NE, &a, 0, out);
    compare_number(TG_NE, &b, 0, &truth);
    join(f, out, &truth);
    tg_array_drop(&truth);
    return TG_OK;
}

static tg_status logical_and_forward(const tg_call *call) { return pair(call, BOTH); }
static tg_status logical_or_forward(const tg_call *call) { return pair(call, EITHER); }
static tg_status logical_xor_forward(const tg_call *call) { return pair(call, ONE); }

static tg_status logical_not_forward(const tg_call *call) {
    compare_number(TG_EQ, call->in[0], 0, call->out[0]);
    return TG_OK;
}

static tg_status isnan_forward(const tg_call *call) {
    tg_map_compare(TG_NE, call->in[0], call->in[0], call->out[0]);
    return TG_OK;
}

/* -inf < x < inf, false for NaN */
static tg_status isfinite_forward(const tg_call *call) {
    const tg_array *x = call->in[0], *out = call->out[0];
    tg_array low = {0};
    if (!tg_dtype_is_float((tg_dtype)x->dtype)) {
        tg_map_compare(TG_EQ, x, x, out);
        return TG_OK;
    }
    tg_status s = tg_array_alloc(&low, TG_BOOL, tg_array_shape(out));
    if (s != TG_OK) return s;
    compare_number(TG_LT, x, INFINITY, out);
    compare_number(TG_GT, x, -INFINITY, &low);
    join(BOTH, out, &low);
    tg_array_drop(&low);
    return TG_OK;
}

#define TRUTH_1(NAME, FORMULA) \
    const tg_op tg_op_##NAME = { \
        .name = #NAME, \
        .formula = "out = " FORMULA, \
        .n_in = 1, \
        .infer = like_input, \
        .forward = NAME##_forward, \
        .grad = TG_NO_GRAD, \
    };

#define TRUTH_2(NAME, FORMULA) \
    const tg_op tg_op_##NAME = { \
        .name = #NAME, \
        .formula = "out = " FORMULA, \
        .n_in = 2, \
        .infer = pair_infer, \
        .forward = NAME##_forward, \
        .grad = TG_NO_GRAD, \
    };

TRUTH_1(logical_not, "x == 0")
TRUTH_1(isnan, "x != x")
TRUTH_1(isfinite, "-inf < x < inf")
TRUTH_2(logical_and, "a != 0 and b != 0")
TRUTH_2(logical_or, "a != 0 or b != 0")
TRUTH_2(logical_xor, "(a != 0) != (b != 0)")

tg_tensor *tg_logical_not(tg_tensor *x) { return tg_apply1(&tg_op_logical_not, x, NULL); }
tg_tensor *tg_isnan(tg_tensor *x) { return tg_apply1(&tg_op_isnan, x, NULL); }
tg_tensor *tg_isfinite(tg_tensor *x) { return tg_apply1(&tg_op_isfinite, x, NULL); }
tg_tensor *tg_logical_and(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_logical_and, a, b, NULL); }
tg_tensor *tg_logical_or(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_logical_or, a, b, NULL); }
tg_tensor *tg_logical_xor(tg_tensor *a, tg_tensor *b) { return tg_apply2(&tg_op_logical_xor, a, b, NULL); }
