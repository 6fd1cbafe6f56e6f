/* The op contract, from the side of an op of a user's own. */
#include "helpers.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* cube: out = x^3 */
static tg_status cube_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double v = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, v * v * v);
    }
    return TG_OK;
}
static void cube_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(tg_square(n->in[0]), 3));
}
static const tg_op cube = {.name = "cube",
                           .formula = "out = x^3",
                           .n_in = 1,
                           .save = TG_IN(0),
                           .infer = tg_infer_same,
                           .forward = cube_forward,
                           .grad = cube_grad};

START_TEST(test_own_op) {
    tg_tensor *x = leaf(2), *y = tg_apply(&cube, &x, 1, NULL), *g, *h;
    expect_value(y, 8);
    ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), TG_OK);
    expect_value(g, 12);
    ck_assert_int_eq(tg_grad(1, &g, 1, &x, &h), TG_OK);
    expect_value(h, 12);
    tg_tensor *z = tg_apply(&cube, &x, 1, NULL);
    ck_assert_int_eq(tg_backward(z), TG_OK);
    expect_value(tg_grad_of(x), 12);
}
END_TEST

START_TEST(test_wrong_inputs) {
    tg_tensor *i = tg_set_name(tg_zeros(TG_I64, 3), "idx"), *x = leaf(1);
    ck_assert(tg_is_poison(tg_apply(&cube, &i, 1, NULL)));
    expect_error(TG_ERR_DTYPE, "cube", "idx [3] i64", "test_op.c");
    ck_assert(tg_is_poison(tg_apply(&cube, ((tg_tensor *[]){x, x}), 2, NULL)));
    expect_error(TG_ERR_ARGUMENT, "cube", "takes 1", "given 2");
    tg_tensor *none = NULL;
    ck_assert(tg_is_poison(tg_apply(&cube, &none, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "cube", "NULL");
}
END_TEST

START_TEST(test_missing_rule_fails_when_recorded) {
    tg_op op = cube;
    op.grad = NULL;
    tg_tensor *x = tg_set_name(leaf(2), "x"), *c = tg_scalar(TG_F64, 2);
    expect_value(tg_apply(&op, &c, 1, NULL), 8);
    int64_t before = tg_tape_tensors();
    ck_assert(tg_is_poison(tg_apply(&op, &x, 1, NULL)));
    expect_error(TG_ERR_TAPE, "cube", "no gradient", "x []");
    ck_assert_int_eq(tg_tape_tensors(), before);
}
END_TEST

START_TEST(test_explicitly_without_gradient) {
    tg_op op = cube;
    op.grad = TG_NO_GRAD;
    tg_tensor *x = leaf(2), *y = tg_apply(&op, &x, 1, NULL);
    ck_assert(!tg_requires_grad(y));
    expect_value(y, 8);
}
END_TEST

static void forgetful(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, (void)dout, (void)din;
}
static void too_large(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, (void)dout;
    din[0] = tg_ones(TG_F64, 3, 5);
}
static void wrong_dtype(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n, (void)dout;
    din[0] = tg_ones(TG_F32, 2);
}
static void failing(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = tg_add(dout[0], tg_ones(TG_F64, 7));
}
static tg_status failing_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)dout;
    tg_array_alloc(&din[0], TG_F64, tg_array_shape(tg_node_in(n, 0)));
    return tg_fail(TG_ERR_ARGUMENT, "cube: cannot");
}
static tg_status forgetful_kernel(const tg_node *n, const tg_array *const *dout, tg_array *din) {
    (void)n, (void)dout, (void)din;
    return TG_OK;
}

START_TEST(test_rules_that_misbehave) {
    const struct {
        tg_grad_fn grad;
        tg_status (*kernel)(const tg_node *, const tg_array *const *, tg_array *);
        tg_status status;
        const char *word;
    } rows[] = {{forgetful, NULL, TG_ERR_TAPE, "returned nothing for input 0"},
                {too_large, NULL, TG_ERR_SHAPE, "[3, 5]"},
                {wrong_dtype, NULL, TG_ERR_SHAPE, "f32"},
                {failing, NULL, TG_ERR_SHAPE, "[7]"},
                {cube_grad, failing_kernel, TG_ERR_ARGUMENT, "cannot"},
                {cube_grad, forgetful_kernel, TG_ERR_TAPE, "returned nothing for input 0"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_op op = cube;
        op.grad = rows[i].grad;
        op.grad_kernel = rows[i].kernel;
        tg_tensor *x = param(TG_SHAPE(2)), *y = tg_sum(tg_apply(&op, &x, 1, NULL)), *g;
        ck_assert_int_eq(tg_backward(y), rows[i].status);
        expect_error(rows[i].status, rows[i].word);
        ck_assert(!tg_has_grad(x));
        y = tg_sum(tg_apply(&op, &x, 1, NULL));
        if (!rows[i].kernel) {
            ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), rows[i].status);
            expect_error(rows[i].status, rows[i].word);
        }
        tg_free(x);
    }
}
END_TEST

/* divmod-like: two outputs, out0 = a * x, out1 = x^2, with an attribute a. */
typedef struct pair_attr {
    double a;
} pair_attr;
static const tg_attr_field pair_fields[] = {{"a", TG_ATTR_REAL, offsetof(pair_attr, a)}};
static tg_status pair_infer(const tg_call *c) {
    tg_status s = tg_out(c, 0, TG_F64, tg_array_shape(c->in[0]));
    return s == TG_OK ? tg_out(c, 1, TG_F64, tg_array_shape(c->in[0])) : s;
}
static tg_status pair_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double v = tg_array_get(c->in[0], i);
        tg_array_set(c->out[0], i, ((const pair_attr *)c->attr)->a * v);
        tg_array_set(c->out[1], i, v * v);
    }
    return TG_OK;
}
static void pair_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *sum = NULL;
    if (dout[0]) sum = tg_mul_scalar(dout[0], ((const pair_attr *)n->attr)->a);
    if (dout[1]) {
        tg_tensor *two = tg_mul(dout[1], tg_mul_scalar(n->in[0], 2));
        sum = sum ? tg_add(sum, two) : two;
    }
    din[0] = sum;
}
static const tg_op pair = {.name = "pair",
                           .formula = "out0 = a x, out1 = x^2",
                           .n_in = 1,
                           .n_out = 2,
                           .save = TG_IN(0),
                           .attr_size = sizeof(pair_attr),
                           .attrs = pair_fields,
                           .n_attrs = 1,
                           .infer = pair_infer,
                           .forward = pair_forward,
                           .grad = pair_grad};

START_TEST(test_several_outputs) {
    tg_tensor *x = leaf(3), *out[2];
    pair_attr attr = {5};
    ck_assert_int_eq(tg_apply_multi(&pair, &x, 1, &attr, out), TG_OK);
    attr.a = 99; /* was copied */
    ck_assert_int_eq(tg_backward(out[1], .retain = true), TG_OK);
    expect_value(tg_grad_of(x), 6);
    ck_assert_int_eq(tg_backward(out[0], .retain = true), TG_OK);
    expect_value(tg_grad_of(x), 11);
    ck_assert_int_eq(tg_backward(tg_mul(out[0], out[1])), TG_OK); /* 5 x^3 */
    expect_value(tg_grad_of(x), 11 + 15 * 9);
}
END_TEST

/* addall: any number of inputs, of which NULL ones would be an error. */
static tg_status addall_forward(const tg_call *c) {
    for (int64_t i = 0; i < c->out[0]->numel; i++) {
        double sum = 0;
        for (int k = 0; k < c->n_in; k++) sum += tg_array_get(c->in[k], i);
        tg_array_set(c->out[0], i, sum);
    }
    return TG_OK;
}
static void addall_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < n->n_in; i++) din[i] = dout[0];
}
static const tg_op addall = {.name = "addall",
                             .formula = "out = sum in",
                             .n_in = TG_VARIADIC,
                             .infer = tg_infer_same,
                             .forward = addall_forward,
                             .grad = addall_grad};

START_TEST(test_many_inputs) {
    enum { MANY = 100 };
    tg_tensor *x[MANY];
    for (int i = 0; i < MANY; i++) x[i] = leaf(i);
    tg_tensor *y = tg_apply(&addall, x, MANY, NULL);
    expect_value(y, MANY * (MANY - 1) / 2);
    ck_assert_int_eq(tg_backward(tg_square(y)), TG_OK);
    for (int i = 0; i < MANY; i++) expect_value(tg_grad_of(x[i]), MANY * (MANY - 1));
    ck_assert(tg_is_poison(tg_apply(&addall, x, 0, NULL)));
    expect_error(TG_ERR_ARGUMENT, "addall", "at least one");
}
END_TEST

/* Attributes that an op does not have reach neither the op nor its kernels. */
static const void *given;
static tg_status note_attr(const tg_call *c) {
    given = c->attr;
    tg_array_set(c->out[0], 0, 1);
    return TG_OK;
}
static tg_tensor *exp_with_more(tg_tensor *const *in, void *user) {
    return tg_apply(tg_op_find("exp"), in, 1, user);
}

START_TEST(test_attributes_of_an_op_without) {
    static const tg_op op = {
        .name = "without", .n_in = 1, .infer = tg_infer_same, .forward = note_attr, .grad = TG_NO_GRAD};
    const double beta[2] = {7, 7};
    tg_tensor *x = leaf(2);
    char *byte = calloc(1, 1); /* a sanitizer sees that more is read */
    given = byte;
    expect_value(tg_apply(&op, &x, 1, byte), 1);
    ck_assert_ptr_null(given);
    expect_value(tg_apply(tg_op_find("softplus"), &x, 1, beta), tg_item(tg_softplus(x)));
    tg_plan *plan = tg_plan_new(exp_with_more, byte);
    for (int run = 0; run < 4; run++) expect_value(tg_plan_run(plan, x), tg_item(tg_exp(x)));
    tg_plan_free(plan);
    free(byte);
}
END_TEST

/* mul_add: out = a * b + c, c optional. */
static tg_status mul_add_forward(const tg_call *c) {
    double k = c->in[2] ? tg_array_get(c->in[2], 0) : 0;
    tg_array_set(c->out[0], 0, tg_array_get(c->in[0], 0) * tg_array_get(c->in[1], 0) + k);
    return TG_OK;
}
static void mul_add_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    if (tg_needs(n, 0)) din[0] = tg_mul(dout[0], n->in[1]);
    if (tg_needs(n, 1)) din[1] = tg_mul(dout[0], n->in[0]);
    if (n->in[2] && tg_needs(n, 2)) din[2] = dout[0];
}
static const tg_op mul_add = {.name = "mul_add",
                              .formula = "out = a b + c",
                              .n_in = 3,
                              .optional = TG_IN(2),
                              .save = TG_IN(0) | TG_IN(1),
                              .infer = tg_infer_same,
                              .forward = mul_add_forward,
                              .grad = mul_add_grad};

START_TEST(test_optional_input) {
    tg_tensor *a = leaf(2), *b = leaf(3), *c = leaf(4);
    tg_tensor *y = tg_apply(&mul_add, ((tg_tensor *[]){a, b, NULL}), 3, NULL);
    expect_value(y, 6);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_value(tg_grad_of(b), 2);
    y = tg_apply(&mul_add, ((tg_tensor *[]){a, b, c}), 3, NULL);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_value(tg_grad_of(a), 6);
    expect_value(tg_grad_of(c), 1);
}
END_TEST

/* out = a * b. While `inner` is not NULL, its rule first walks its own node for the input given there. */
static tg_tensor *inner;
static bool asked[4]; /* tg_needs(a), tg_needs(b) within the inner walk, then in the outer one */
static void walking_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *by = inner, *g;
    inner = NULL;
    if (by) tg_grad(1, n->out, 1, &by, &g, .retain = true);
    for (int i = 0; i < 2; i++) asked[by ? 2 + i : i] = tg_needs(n, i);
    mul_add_grad(n, dout, din);
}

/* What is needed is what the walk asks for that calls the rule, also after another walk of the same node within it;
 * outside of walks, what a gradient flows to. */
START_TEST(test_needs_are_the_calling_walk_s) {
    tg_op op = mul_add;
    op.grad = walking_grad;
    tg_tensor *a = leaf(2), *b = leaf(3), *y = tg_apply(&op, ((tg_tensor *[]){a, b, NULL}), 3, NULL), *g;
    const tg_node *n = tg_node_of(y);
    inner = b;
    ck_assert_int_eq(tg_grad(1, &y, 1, &a, &g, .create_graph = _i), TG_OK);
    expect_value(g, 3);
    const bool want[4] = {false, true, true, false};
    for (int i = 0; i < 4; i++) ck_assert_msg(asked[i] == want[i], "%d", i);
    ck_assert(tg_needs(n, 0) && tg_needs(n, 1));
}
END_TEST

/* ---- structs that cannot be an op ---- */

static tg_status lays_out_nothing(const tg_call *c) {
    (void)c;
    return TG_OK;
}

START_TEST(test_structs_that_are_no_op) {
    tg_tensor *x = leaf(2), *out[4] = {x, x, x, x};
    pair_attr attr = {5};
    const struct {
        tg_op op;
        const void *attr;
        const char *words[2];
    } rows[] = {
        {{.name = "wide", .n_in = 1, .n_out = 40, .infer = tg_infer_same, .forward = cube_forward},
         NULL,
         {"wide", "40"}},
        {{.name = "wide", .n_in = 1, .n_out = TG_MAX_OUT + 1, .infer = tg_infer_same, .forward = cube_forward},
         NULL,
         {"wide", "4"}},
        {{.name = "wide", .n_in = 1, .n_out = -3, .infer = tg_infer_same, .forward = cube_forward},
         NULL,
         {"wide", "-3"}},
        {{.name = "blind", .n_in = 1, .forward = cube_forward}, NULL, {"blind", "infer"}},
        {{.n_in = 1, .infer = tg_infer_same, .forward = cube_forward}, NULL, {"tg_apply", "has no name"}},
        {{.name = "idle", .n_in = 1, .infer = tg_infer_same}, NULL, {"idle", "no forward"}},
        {{.name = "bare", .n_in = 1, .infer = lays_out_nothing, .forward = cube_forward},
         NULL,
         {"bare", "layout"}},
        {{.name = "half", .n_in = 1, .n_out = 2, .infer = tg_infer_same, .forward = cube_forward},
         NULL,
         {"half", "output 1"}},
        {{.name = "huge", .n_in = 1, .infer = tg_infer_same, .forward = cube_forward, .attr_size = SIZE_MAX},
         &attr,
         {"huge", "attributes"}},
        {{.name = "huge", .n_in = 1, .infer = tg_infer_same, .forward = cube_forward, .attr_size = TG_MAX_ATTR + 1},
         &attr,
         {"huge", "attributes"}},
        {{.name = "lost", .n_in = 1, .infer = tg_infer_same, .forward = cube_forward, .attr_size = 8},
         NULL,
         {"lost", "not given"}},
        {{.name = "many", .n_in = 17, .infer = tg_infer_same, .forward = cube_forward},
         NULL,
         {"many", "takes 17"}},
    };
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tg_op op = rows[i].op;
        op.grad = cube_grad;
        ck_assert(tg_is_poison(tg_apply(&op, &x, 1, rows[i].attr)));
        expect_error(TG_ERR_ARGUMENT, rows[i].words[0], rows[i].words[1]);
        ck_assert_int_eq(tg_apply_multi(&op, &x, 1, rows[i].attr, out), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, rows[i].words[0], rows[i].words[1]);
        ck_assert(tg_is_poison(out[0]) && out[3] == x);
        ck_assert(tg_tape_tensors() == tensors && tg_tape_nodes() == nodes);
    }
    tg_tensor *seventeen[17];
    for (int i = 0; i < 17; i++) seventeen[i] = x;
    ck_assert(tg_is_poison(tg_apply(&rows[11].op, seventeen, 17, NULL)));
    expect_error(TG_ERR_ARGUMENT, "many", "at most 16");
}
END_TEST

/* ---- arrays that an op fills in as none can be ---- */

static int wrong; /* which field */
enum { WRONG_FIELDS = 9 };

static void fill_in_wrongly(tg_array *a) {
    switch (wrong) {
    case 0:
        a->rank = 200;
        break;
    case 1:
        a->rank = 2, a->shape[0] = 2, a->stride[0] = a->shape[1] = a->stride[1] = a->numel = 1;
        break;
    case 2:
        a->dtype = 77;
        break;
    case 3:
        a->numel = INT64_MAX;
        break;
    case 4:
        a->numel = -1;
        break;
    case 5:
        a->rank = 1, a->shape[0] = INT64_MIN, a->stride[0] = 1;
        break;
    case 6:
        a->rank = 1, a->shape[0] = a->numel = INT64_C(1) << 40, a->stride[0] = 1;
        break;
    case 7:
        a->rank = 1, a->shape[0] = a->numel = 100, a->stride[0] = 1;
        break;
    case 8:
        a->rank = 1, a->shape[0] = a->numel = 2, a->stride[0] = INT64_MIN;
        break;
    }
}

/* The output is a view of the input, which ends where its buffer does. */
static tg_status views_wrongly(const tg_call *c) {
    tg_array_share(c->out[0], c->in[0]);
    fill_in_wrongly(c->out[0]);
    return TG_OK;
}

static tg_status gradient_filled_in_wrongly(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    (void)node;
    tg_array_share(&din[0], dout[0]);
    fill_in_wrongly(&din[0]);
    return TG_OK;
}

/* A view whose elements are taken away keeps the input's buffer: it is refused, and gives the buffer back. */
static tg_status without_elements(const tg_call *c) {
    tg_array_share(c->out[0], c->in[0]);
    c->out[0]->data = NULL;
    return TG_OK;
}
START_TEST(test_view_without_elements) {
    size_t before = tg_memory_now().live_buffer_bytes;
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = leaf(2);
    tg_op op = cube;
    op.infer = without_elements;
    ck_assert(tg_is_poison(tg_apply(&op, &x, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "cube: its infer left output 0", "with a buffer and without elements");
    tg_tape_rewind(mark);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, before);
}
END_TEST

/* A number that is wider than the buffer that it is said to lie in. */
static tg_status widens(const tg_call *c) {
    tg_array_share(c->out[0], c->in[0]);
    c->out[0]->dtype = TG_F64;
    return TG_OK;
}
START_TEST(test_a_scalar_that_is_too_wide) {
    const tg_op op = {.name = "peek", .n_in = 1, .infer = widens, .grad = TG_NO_GRAD};
    tg_tensor *x = tg_scalar(TG_F32, 2), *y = tg_scalar(TG_F64, 3);
    ck_assert(tg_is_poison(tg_apply(&op, &x, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "peek: its infer left output 0", "malformed");
    expect_value(tg_apply(&op, &y, 1, NULL), 3);
}
END_TEST

/* The same in the step of a plan, which notes the gradient before the walk refuses it. */
static tg_tensor *walks_wrongly(tg_tensor *const *in, void *user) {
    tg_tensor *y = tg_apply(user, in, 1, NULL), *g;
    tg_grad(1, &y, 1, in, &g);
    return y;
}
START_TEST(test_gradients_filled_in_wrongly_in_a_plan) {
    wrong = _i;
    tg_op op = cube;
    op.grad_kernel = gradient_filled_in_wrongly;
    tg_plan *plan = tg_plan_new(walks_wrongly, &op);
    tg_tensor *x = leaf(2);
    ck_assert(tg_is_poison(tg_plan_run(plan, x)));
    expect_error(TG_ERR_ARGUMENT, "cube: its gradient rule", "a malformed array");
    tg_plan_free(plan);
}
END_TEST

START_TEST(test_arrays_filled_in_wrongly) {
    wrong = _i;
    tg_tensor *x = leaf(2);
    int64_t tensors = tg_tape_tensors();
    ck_assert(tg_is_poison(tg_apply(
        &(tg_op){.name = "peek", .n_in = 1, .infer = views_wrongly, .grad = TG_NO_GRAD}, &x, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "peek: its infer left output 0", "malformed");
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    tg_op op = cube;
    op.grad_kernel = gradient_filled_in_wrongly;
    ck_assert_int_eq(tg_backward(tg_apply(&op, &x, 1, NULL)), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "cube: its gradient rule", "a malformed array");
    ck_assert(!tg_is_alive(tg_grad_of(x)));
    tg_error_clear();
}
END_TEST

START_TEST(test_calls_that_are_null) {
    ck_assert_int_eq(tg_out(NULL, 0, TG_F32, TG_SCALAR), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_out: the call is NULL");
    ck_assert_int_eq(tg_call_fail(NULL, TG_ERR_SHAPE, "cannot"), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_call_fail: the call is NULL");
    ck_assert_str_eq(tg_call_input(NULL, 0), "");
    expect_error(TG_ERR_ARGUMENT, "tg_call_input: the call is NULL");
    ck_assert_int_eq(tg_infer_same(NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_infer_same: the call is NULL");
    ck_assert_int_eq(tg_infer_broadcast(NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_infer_broadcast: the call is NULL");
}
END_TEST

START_TEST(test_null_pointers) {
    tg_tensor *x = leaf(2), *out[1];
    ck_assert(tg_is_poison(tg_apply(NULL, &x, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "op is NULL");
    ck_assert(tg_is_poison(tg_apply(&cube, NULL, 1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "cube", "inputs is NULL");
    ck_assert_int_eq(tg_apply_multi(NULL, &x, 1, NULL, out), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "op is NULL");
    ck_assert_int_eq(tg_apply_multi(&cube, &x, 1, NULL, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "outputs is NULL");
    ck_assert(tg_is_poison(tg_apply(&addall, &x, -1, NULL)));
    expect_error(TG_ERR_ARGUMENT, "addall", "at least one");
}
END_TEST

/* Fields that do not lie in the struct are not read. */
START_TEST(test_printed_attributes) {
    static const tg_attr_field fields[] = {
        {"far", TG_ATTR_REAL, 4096}, {"astride", TG_ATTR_DIMS, 0},          {"typeless", (tg_attr_type)99, 0},
        {NULL, TG_ATTR_REAL, 0},     {"wraps", TG_ATTR_REAL, SIZE_MAX - 3}, {"a", TG_ATTR_REAL, 0}};
    tg_op op = pair;
    op.attrs = fields, op.n_attrs = 6;
    tg_tensor *x = leaf(3), *out[2];
    tg_mark mark = tg_tape_mark();
    ck_assert_int_eq(tg_apply_multi(&op, &x, 1, &(pair_attr){5}, out), TG_OK);
    char text[400] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    tg_tape_print(file, mark);
    op.attrs = NULL; /* and none that are not there */
    tg_tape_print(file, mark);
    fclose(file);
    ck_assert_msg(strstr(text, "pair(") && strstr(text, ", a=5)") && !strstr(text, "far") &&
                      !strstr(text, "astride") && !strstr(text, "typeless") && !strstr(text, "wraps"),
                  "%s", text);
    tg_tape_rewind(mark); /* before op goes */
}
END_TEST

/* Nor are they where two runs of a plan are compared, and the attributes are compared all the same. */
typedef struct pair_step {
    tg_op op;
    double a;
} pair_step;
static tg_tensor *apply_pair(tg_tensor *const *in, void *user) {
    const pair_step *s = user;
    tg_tensor *out[2];
    tg_apply_multi(&s->op, in, 1, &(pair_attr){s->a}, out);
    return out[0];
}

START_TEST(test_planned_attributes) {
    static const tg_attr_field fields[] = {{"far", TG_ATTR_REAL, 4096}, {"typeless", (tg_attr_type)99, 0}};
    static const tg_attr_field *const tried[] = {pair_fields, fields, NULL};
    pair_step s = {.op = pair};
    s.op.attrs = tried[_i], s.op.n_attrs = _i ? 2 : 1;
    tg_plan *plan = tg_plan_new(apply_pair, &s);
    tg_tensor *x = leaf(3);
    for (int run = 0; run < 6; run++) {
        s.a = run == 0 ? 1 : 5;
        expect_value(tg_plan_run(plan, x), 3 * s.a);
    }
    ck_assert_int_gt(tg_plan_stats_of(plan).replayed, 0);
    tg_plan_free(plan);
}
END_TEST

/* What a forward recorded before it failed goes with it, and a longer tape is found again. */
static tg_tensor *recorded;
static tg_status fails_after_recording(const tg_call *c) {
    for (int i = 0; i < 1000; i++) tg_square(recorded);
    return tg_call_fail(c, TG_ERR_ARGUMENT, "cannot");
}

START_TEST(test_a_failed_forward_takes_its_nodes_along) {
    tg_op op = cube;
    op.forward = fails_after_recording;
    tg_tensor *x = recorded = leaf(2), *y = tg_square(x);
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    size_t live = tg_memory_now().live_buffer_bytes;
    for (int i = 0; i < 3; i++) {
        ck_assert(tg_is_poison(tg_apply(&op, &x, 1, NULL)));
        expect_error(TG_ERR_ARGUMENT, "cube: cannot");
        ck_assert(tg_tape_tensors() == tensors && tg_tape_nodes() == nodes);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    tg_tensor *z = tg_square(y);
    ck_assert_int_eq(tg_backward(z), TG_OK);
    expect_value(tg_grad_of(x), 32);
}
END_TEST

/* Of a function on arrays that the user called: it names the function, and no op that fails afterwards. */
START_TEST(test_what_was_pending_is_not_renamed) {
    tg_tensor *x = leaf(2), *bad = tg_poison();
    tg_array a = {0};
    tg_array_layout(&a, TG_F32, TG_SHAPE(-3));
    char text[512];
    snprintf(text, sizeof text, "%s", tg_error_message());
    ck_assert_str_ne(text, "");
    tg_square(bad);
    tg_mul(x, bad);
    tg_apply(&cube, &bad, 1, NULL);
    tg_apply(&cube, NULL, 1, NULL);
    tg_add(x, tg_zeros_with(TG_F64, TG_SHAPE(2)));
    ck_assert_int_eq(strncmp(tg_error_message(), text, strlen(text)), 0);
    expect_error(TG_ERR_SHAPE, text);
}
END_TEST

TCase *tcase_op(void) {
    TCase *tc = tcase_create("op");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, test_own_op);
    tcase_add_test(tc, test_wrong_inputs);
    tcase_add_test(tc, test_missing_rule_fails_when_recorded);
    tcase_add_test(tc, test_explicitly_without_gradient);
    tcase_add_test(tc, test_rules_that_misbehave);
    tcase_add_test(tc, test_several_outputs);
    tcase_add_test(tc, test_many_inputs);
    tcase_add_test(tc, test_attributes_of_an_op_without);
    tcase_add_test(tc, test_optional_input);
    tcase_add_loop_test(tc, test_needs_are_the_calling_walk_s, 0, 2);
    tcase_add_test(tc, test_structs_that_are_no_op);
    tcase_add_test(tc, test_null_pointers);
    tcase_add_test(tc, test_view_without_elements);
    tcase_add_loop_test(tc, test_arrays_filled_in_wrongly, 0, WRONG_FIELDS);
    tcase_add_loop_test(tc, test_gradients_filled_in_wrongly_in_a_plan, 0, WRONG_FIELDS);
    tcase_add_test(tc, test_a_scalar_that_is_too_wide);
    tcase_add_test(tc, test_calls_that_are_null);
    tcase_add_test(tc, test_printed_attributes);
    tcase_add_loop_test(tc, test_planned_attributes, 0, 3);
    tcase_add_test(tc, test_a_failed_forward_takes_its_nodes_along);
    tcase_add_test(tc, test_what_was_pending_is_not_renamed);
    return tc;
}
