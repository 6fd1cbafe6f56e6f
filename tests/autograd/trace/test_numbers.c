/* Every number of a trace against the tape's: values, gradients against tg_grad, and contributions that are added up. */
#include "tests/autograd/trace/read.h"

/* ---- programs ---- */

static tg_tensor *values(tg_dtype dtype, int64_t r, int64_t c) {
    tg_tensor *t = tg_randn(dtype, r, c);
    return tg_set_requires_grad(t, true);
}

static tg_tensor *named(tg_tensor *t, const char *name) { return tg_set_name(t, name); }

static tg_tensor *network(tg_dtype d) {
    tg_tensor *x = tg_randn(d, 6, 5), *w = named(values(d, 4, 5), "fc1.weight"),
              *v = named(values(d, 3, 4), "fc2.weight");
    return tg_mean(tg_square(tg_linear(tg_tanh(tg_linear(x, w)), v)));
}

/* Shared, broadcast, and given twice to one op. */
static tg_tensor *shared(tg_dtype d) {
    tg_tensor *a = values(d, 3, 4), *b = values(d, 1, 4), *c = tg_mul(a, a);
    c = tg_add(tg_mul(c, b), tg_div(a, tg_add_scalar(tg_square(b), 1)));
    return tg_sum(tg_mul(c, tg_add(c, a)));
}

/* Products add to the adjoint while they compute; of one inner size that is worked off in parts. */
static tg_tensor *products(tg_dtype d) {
    tg_tensor *w = values(d, 700, 3), *x = tg_randn(d, 2, 700), *sum = tg_matmul(x, w);
    for (int i = 0; i < 4; i++) sum = tg_add(sum, tg_matmul(tg_randn(d, 2, 700), w));
    tg_tensor *h = values(d, 3, 3);
    for (int i = 0; i < 3; i++) h = tg_matmul(h, h);
    tg_tensor *deep = values(d, 3, 2);
    for (int i = 0; i < 3; i++) h = tg_add(h, tg_sum(tg_square(tg_matmul(tg_randn(d, 2000, 3), deep))));
    return tg_add(tg_sum(tg_square(sum)), tg_mean(h));
}

static tg_tensor *outputs(tg_dtype d) {
    tg_tensor *x = values(d, 3, 5), *index;
    tg_tensor *sorted = tg_sort(x, 1, .index = &index), *largest = tg_amax(x, .axes = TG_SHAPE(0));
    return tg_add(tg_sum(tg_mul(sorted, tg_gather(x, 1, index))), tg_sum(tg_square(largest)));
}

/* Both outputs of an op, one of them, and an op that is not used. */
static tg_tensor *cells(tg_dtype d) {
    tg_tensor *a = values(d, 2, 12), *c = values(d, 2, 3), *next, *other;
    tg_tensor *h = tg_lstm_cell(a, c, .cell = &next);
    tg_tensor *again = tg_lstm_cell(a, next, .cell = &other);
    tg_exp(h);
    return tg_add(tg_sum(tg_mul(h, again)), tg_mean(h));
}

static tg_tensor *views(tg_dtype d) {
    tg_tensor *x = values(d, 6, 4), *y = tg_transpose(x, 0, 1);
    tg_tensor *parts = tg_concat(0, tg_slice(y, 1, 0, 3, 1), tg_slice(y, 1, 3, 6, 1));
    return tg_sum(tg_mul(tg_reshape(parts, 24), tg_reshape(tg_expand(tg_slice(x, 0, 0, 1, 1), 6, 4), 24)));
}

/* 1,000 elements, some of them no numbers, and slopes that are none. */
static tg_tensor *numberless(tg_dtype d) {
    tg_tensor *x = values(d, 20, 50), *z = tg_set_requires_grad(tg_zeros(d, 4), true);
    return tg_add(tg_sum(tg_log(x)), tg_sum(tg_log(z)));
}

static tg_tensor *block(tg_tensor *const *in, void *user) {
    return tg_tanh(tg_linear(tg_add(in[0], in[1]), *(tg_tensor *const *)user));
}

static tg_tensor *weight; /* of the checkpoint: what it reads besides its inputs */
static tg_tensor *checkpoint(tg_dtype d) {
    tg_tensor *x = values(d, 3, 4), *y = tg_square(x);
    weight = named(values(d, 4, 4), "w");
    tg_tensor *h = tg_checkpoint(block, &weight, 2, ((tg_tensor *[]){x, y}));
    return tg_sum(tg_mul(tg_checkpoint(block, &weight, 2, ((tg_tensor *[]){h, x})), h));
}

/* A function that takes gradients of its own, in the middle of the walk that runs it again. */
static tg_tensor *scaled(tg_tensor *const *in, void *user) {
    tg_tensor *x = in[0], *sum = tg_sum(tg_square(x)), *g;
    (void)user;
    tg_grad(1, &sum, 1, &x, &g);
    return tg_mul(tg_tanh(x), g);
}
static tg_tensor *walk_inside(tg_dtype d) {
    tg_tensor *x = values(d, 3, 4);
    return tg_sum(tg_mul(tg_checkpoint(scaled, NULL, 1, &x), x));
}

/* A rule that walks for itself, on nodes of its own and on what it was given. */
static tg_status infer_cube(const tg_call *call) { return tg_infer_same(call); }
static tg_status forward_cube(const tg_call *call) {
    for (int64_t i = 0; i < call->in[0]->numel; i++) {
        const double x = tg_array_get(call->in[0], i);
        tg_array_set(call->out[0], i, x * x * x);
    }
    return TG_OK;
}
static void grad_cube(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *x = tg_set_requires_grad(tg_add_scalar(tg_detach(node->in[0]), 0), true), *g;
    bool was = tg_set_grad_enabled(true);
    tg_tensor *y = tg_mul(x, tg_square(x));
    tg_grad(1, &y, 1, &x, &g, .seeds = dout);
    tg_set_grad_enabled(was);
    din[0] = g;
}
static const tg_op cube_op = {.name = "cube",
                              .formula = "out = x^3",
                              .n_in = 1,
                              .infer = infer_cube,
                              .forward = forward_cube,
                              .grad = grad_cube,
                              .save = TG_IN(0)};
static tg_tensor *custom(tg_dtype d) {
    tg_tensor *x = values(d, 2, 3);
    return tg_sum(tg_mul(tg_apply(&cube_op, &x, 1, NULL), x));
}

static tg_tensor *attention(tg_dtype d) {
    tg_tensor *x = values(d, 4, 6), *w = values(d, 18, 6), *qkv = tg_reshape(tg_linear(x, w), 1, 4, 3, 6);
    tg_tensor *q = tg_select(qkv, 2, 0), *k = tg_select(qkv, 2, 1), *v = tg_select(qkv, 2, 2);
    tg_tensor *h = tg_scaled_dot_product_attention(q, k, v, .causal = true);
    return tg_mean(tg_square(tg_layer_norm(tg_add(tg_reshape(h, 4, 6), x))));
}

static tg_tensor *embedded(tg_dtype d) {
    tg_tensor *table = values(d, 5, 3), *i = tg_from(TG_I64, ((int64_t[]){1, 1, 4, 0, 1, 4}), 6);
    return tg_sum(tg_mul(tg_index_select(table, 0, i), tg_square(tg_index_select(table, 0, i))));
}

static tg_tensor *(*const program[])(tg_dtype) = {network, shared,    products,   outputs,
                                                  cells,   views,     numberless, checkpoint,
                                                  custom,  attention, embedded,   walk_inside};
enum { PROGRAMS = sizeof program / sizeof *program };

/* ---- what is compared ---- */

static void expect_gradient(const json_t *root, int64_t index, tg_tensor *loss, tg_tensor *t) {
    const int64_t grad = number_in(item(root, "tensors", index), "grad");
    tg_mark m = tg_tape_mark();
    tg_tensor *g;
    ck_assert_msg(tg_grad(1, &loss, 1, &t, &g, .retain = true, .allow_unused = true) == TG_OK, "%s",
                  tg_error_message());
    if (grad >= 0)
        expect_elements(root, grad, g);
    else
        for (int64_t i = 0; i < tg_numel(g); i++) ck_assert(tg_get(g, i) == 0);
    tg_tape_rewind(m);
}

/* Only nodes still see the elements. */
static bool is_dropped(const tg_tensor *t) {
    const bool is = !tg_array_of(t);
    tg_error_clear();
    return is;
}

static void expect_tensor(const json_t *root, int64_t index, tg_tensor *loss, tg_tensor *t) {
    const json_t *x = item(root, "tensors", index);
    const int64_t value = number_in(x, "value");
    ck_assert(json_is_true(json_object_get(x, "requires_grad")) == tg_requires_grad(t));
    if (value >= 0 && !is_dropped(t)) expect_elements(root, value, t);
    if (tg_requires_grad(t)) expect_gradient(root, index, loss, t);
    const tg_node *node = tg_node_of(t);
    ck_assert_int_eq(number_in(x, "node"), node ? node->id - number_in(item(root, "nodes", 0), "id") : -1);
    const json_t *why = json_object_get(x, "why");
    ck_assert(json_is_null(why) == (number_in(x, "grad") >= 0));
}

/* In the tensor's dtype, as the tape adds. */
static double add(double a, double b, bool narrow) { return narrow ? (double)((float)a + (float)b) : a + b; }

static int rounded; /* parts of which the op's kernel has rounded the sum otherwise */
static void expect_part(const json_t *root, const json_t *p, int64_t sum) {
    const int64_t before = number_in(p, "before"), after = number_in(p, "after"),
                  by = number_in(p, "contribution");
    const bool narrow =
        strcmp(json_string_value(json_object_get(item(root, "values", after), "dtype")), "f32") == 0;
    ck_assert_int_eq(before, sum);
    if (before < 0) ck_assert_int_eq(by, after);
    for (int64_t i = 0; before >= 0 && i < shown(root, after); i++) {
        const double should = add(element(root, before, i), element(root, by, i), narrow),
                     is = element(root, after, i);
        if (json_object_get(p, "rounded"))
            rounded++, ck_assert(fabs(is - should) <= (narrow ? 1e-5 : 1e-13) * (1 + fabs(is)));
        else
            ck_assert_msg(same(is, should), "%.17g + %.17g is not %.17g", element(root, before, i),
                          element(root, by, i), is);
    }
}

/* Contributions of the walk, one after the other, end with the gradient. */
static void expect_walk(const json_t *root) {
    const json_t *steps = json_object_get(root, "backward"), *tensors = json_object_get(root, "tensors");
    int64_t *sum = calloc(json_array_size(tensors), sizeof *sum), last = INT64_MAX;
    for (size_t i = 0; i < json_array_size(tensors); i++) sum[i] = -1;
    sum[number_in(root, "loss")] = number_in(json_object_get(root, "seed"), "value");
    for (size_t k = 0; k < json_array_size(steps); k++) {
        const json_t *s = json_array_get(steps, k), *in = json_object_get(s, "in"),
                     *dout = json_object_get(s, "dout");
        const json_t *node = item(root, "nodes", number_in(s, "node"));
        ck_assert_int_lt(number_in(s, "node"), last);
        last = number_in(s, "node");
        for (size_t o = 0; o < json_array_size(dout); o++) {
            const json_t *d = json_array_get(dout, o);
            const int64_t out = json_integer_value(json_array_get(json_object_get(node, "out"), o));
            ck_assert_int_eq(json_is_null(d) ? -1 : json_integer_value(d), sum[out]);
        }
        for (size_t i = 0; i < json_array_size(in); i++) {
            const json_t *p = json_array_get(in, i);
            expect_part(root, p, sum[number_in(p, "tensor")]);
            sum[number_in(p, "tensor")] = number_in(p, "after");
        }
    }
    for (size_t i = 0; i < json_array_size(tensors); i++)
        ck_assert_int_eq(number_in(json_array_get(tensors, i), "grad"), sum[i]);
    free(sum);
}

static void expect_tensors(const json_t *root, int64_t first, tg_tensor *loss) {
    const json_t *nodes = json_object_get(root, "nodes");
    ck_assert_int_eq((int64_t)json_array_size(nodes), tg_tape_nodes() - first);
    for (size_t k = 0; k < json_array_size(nodes); k++) {
        const tg_node *node = tg_tape_node(first + (int64_t)k);
        const json_t *n = json_array_get(nodes, k), *in = json_object_get(n, "in"),
                     *out = json_object_get(n, "out");
        ck_assert_int_eq(number_in(n, "id"), node->id);
        ck_assert_str_eq(json_string_value(json_object_get(item(root, "ops", number_in(n, "op")), "name")),
                         node->op->name);
        for (int i = 0; i < node->n_in; i++) {
            const int64_t x = json_integer_value(json_array_get(in, (size_t)i));
            ck_assert(node->in[i] || x == -1);
            if (node->in[i]) expect_tensor(root, x, loss, node->in[i]);
        }
        for (int o = 0; o < node->n_out; o++)
            expect_tensor(root, json_integer_value(json_array_get(out, (size_t)o)), loss, node->out[o]);
    }
}

START_TEST(numbers) {
    const tg_dtype d = _i % 2 ? TG_F64 : TG_F32;
    tg_seed(3);
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = program[_i / 2](d);
    expect_ok();
    json_t *root = traced(m, (tg_trace_opts){.loss = loss});
    const int64_t first = number_in(item(root, "nodes", 0), "id");
    rounded = 0;
    expect_walk(root);
    ck_assert((rounded > 0) == (program[_i / 2] == products || program[_i / 2] == embedded));
    expect_tensors(root, first, loss);
    json_decref(root);
}
END_TEST

/* Of a program that is traced and one that is not the gradients are the same, and the trace after tg_backward is that of before. */
START_TEST(nothing_is_changed) {
    const tg_dtype d = _i % 2 ? TG_F64 : TG_F32;
    size_t n[2];
    char *text[2];
    bool dropped = false;
    tg_tensor *g[2] = {NULL, NULL};
    for (int k = 0; k < 2; k++) {
        tg_seed(4);
        tg_mark m = tg_tape_mark();
        tg_tensor *loss = program[_i / 2](d), *leaf = tg_tape_node(m.nodes)->in[0];
        for (int i = 0; !tg_requires_grad(leaf); i++) leaf = tg_tape_node(m.nodes)->in[i];
        const uint64_t next = tg_rng_bits(tg_default_rng());
        if (k) ck_assert_int_eq(tg_trace_json(trace_path("a.json"), m), TG_OK);
        const int64_t tensors = tg_tape_tensors();
        if (k) ck_assert_int_eq(tg_trace_json(trace_path("a.json"), m, .loss = loss), TG_OK);
        ck_assert_int_eq(tg_tape_tensors(), tensors);
        ck_assert(!tg_has_grad(leaf));
        ck_assert_int_eq(tg_backward(loss), TG_OK);
        g[k] = tg_keep(tg_grad_of(leaf));
        if (k) ck_assert_int_eq(tg_trace_json(trace_path("b.json"), m, .loss = loss), TG_OK);
        for (int64_t i = m.nodes; i < tg_tape_nodes(); i++)
            for (int o = 0; o < tg_tape_node(i)->n_out; o++)
                dropped = dropped || is_dropped(tg_tape_node(i)->out[o]);
        (void)next;
        tg_tape_rewind(m);
    }
    ck_assert_int_eq(tg_numel(g[0]), tg_numel(g[1]));
    for (int64_t i = 0; i < tg_numel(g[0]); i++) ck_assert(same(tg_get(g[0], i), tg_get(g[1], i)));
    for (int k = 0; k < 2; k++) text[k] = read_all(trace_path(k ? "b.json" : "a.json"), &n[k]);
    ck_assert(dropped || strcmp(text[0], text[1]) == 0);
    for (int k = 0; k < 2; k++) free(text[k]), tg_free(g[k]);
}
END_TEST

TCase *tcase_trace_numbers(void);
TCase *tcase_trace_numbers(void) {
    TCase *t = tcase_create("trace numbers");
    tcase_add_checked_fixture(t, trace_setup, trace_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, numbers, 0, 2 * PROGRAMS);
    tcase_add_loop_test(t, nothing_is_changed, 0, 2 * PROGRAMS);
    return t;
}
