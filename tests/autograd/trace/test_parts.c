/* What a trace says where parts cannot be walked any more, what is saved and let go, slopes, sources, and how large it is. */
#include "tests/autograd/trace/read.h"

#include <time.h>

static const char *text_in(const json_t *o, const char *name) {
    return json_string_value(json_object_get(o, name));
}

/* The step of the walk at the n-th node. */
static json_t *step_of(const json_t *root, int64_t node) {
    const json_t *steps = json_object_get(root, "backward");
    for (size_t k = 0; k < json_array_size(steps); k++)
        if (number_in(json_array_get(steps, k), "node") == node) return json_array_get(steps, k);
    return NULL;
}

static void expect_part_missing(tg_mark m) {
    json_t *root = traced(m, (tg_trace_opts){0});
    const json_t *exp = item(root, "nodes", 1), *x = item(root, "tensors", tensor_named(root, "x"));
    const json_t *y = item(root, "tensors", tensor_named(root, "y"));
    ck_assert_str_eq(text_in(item(root, "ops", number_in(exp, "op")), "name"), "exp");
    ck_assert_msg(strstr(text_in(exp, "why"), "exp"), "%s", text_in(exp, "why"));
    ck_assert(step_of(root, 1));
    ck_assert_str_eq(text_in(step_of(root, 1), "why"), text_in(exp, "why"));
    ck_assert_int_eq((int)json_array_size(json_object_get(step_of(root, 1), "in")), 0);
    ck_assert(strstr(text_in(item(root, "nodes", 0), "why"), "not complete"));
    ck_assert(!step_of(root, 0));
    ck_assert_int_eq(number_in(x, "grad"), -1);
    ck_assert(strstr(text_in(x, "why"), "not complete"));
    ck_assert_int_ge(number_in(y, "grad"), 0); /* which is not behind it */
    ck_assert(json_is_null(json_object_get(y, "why")));
    ck_assert(json_is_null(json_object_get(root, "orders")));
    json_decref(root);
}

/* exp saves its output. */
static tg_tensor *with_exp(tg_tensor **saved) {
    tg_tensor *x = tg_set_name(leaf(0.5), "x"), *y = tg_set_name(leaf(2), "y");
    *saved = tg_exp(tg_sin(x));
    return tg_add(*saved, tg_square(y));
}

START_TEST(changed_in_place) {
    tg_tensor *saved;
    tg_mark m = tg_tape_mark();
    with_exp(&saved);
    tg_set_grad_enabled(false);
    *(double *)tg_data_mut(saved) = 3;
    tg_set_grad_enabled(true);
    expect_part_missing(m);
}
END_TEST

START_TEST(dropped_after_backward) {
    tg_tensor *saved;
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = with_exp(&saved);
    tg_drop_elements(saved);
    json_t *root = traced(m, (tg_trace_opts){0}); /* the node still has them */
    ck_assert_int_ge(number_in(item(root, "tensors", tensor_named(root, "x")), "grad"), 0);
    json_decref(root);
    ck_assert_int_eq(tg_backward(loss), TG_OK);
    expect_part_missing(m);
}
END_TEST

static void fail_rule(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)node, (void)dout, (void)din;
    tg_fail(TG_ERR_ARGUMENT, "exp of mine: it does not want to");
}
static tg_status infer(const tg_call *call) { return tg_infer_same(call); }
static tg_status forward(const tg_call *call) { return tg_array_copy(call->out[0], call->in[0]), TG_OK; }

START_TEST(rule_that_fails) {
    static const tg_op op = {.name = "exp", .n_in = 1, .infer = infer, .forward = forward, .grad = fail_rule};
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_set_name(leaf(0.5), "x"), *h = tg_sin(x), *y = tg_set_name(leaf(2), "y");
    tg_tensor *e = tg_apply(&op, &h, 1, NULL);
    tg_add(e, tg_square(y));
    expect_part_missing(m);
}
END_TEST

START_TEST(parameters_that_were_updated) {
    tg_tensor *w = tg_param(tg_scalar(TG_F64, 3));
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = tg_mul(tg_mul(w, w), leaf(2));
    ck_assert_int_eq(tg_backward(loss), TG_OK);
    *(double *)tg_data_mut(w) = 5;
    json_t *root = traced(m, (tg_trace_opts){.loss = loss});
    ck_assert(strstr(text_in(item(root, "nodes", 0), "why"), "changed in place"));
    json_decref(root);
    tg_free(w);
    root = traced(m, (tg_trace_opts){.loss = loss}); /* and freed */
    ck_assert(json_is_string(json_object_get(item(root, "nodes", 0), "why")));
    json_decref(root);
}
END_TEST

START_TEST(what_leads_nowhere) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = leaf(2);
    tg_sin(x);
    tg_mul(x, x);
    tg_cos(x);
    json_t *root = traced(m, (tg_trace_opts){.loss = tg_tape_node(m.nodes + 1)->out[0]});
    for (int i = 0; i < 3; i += 2)
        ck_assert_str_eq(text_in(item(root, "nodes", i), "why"), "the loss does not depend on it");
    ck_assert(json_is_null(json_object_get(item(root, "nodes", 1), "why")));
    json_decref(root);
}
END_TEST

/* Each saved tensor is let go once, by the last step that reads it. */
START_TEST(saved_and_released) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_randn(TG_F32, 3, 3), *w = tg_set_requires_grad(tg_randn(TG_F32, 3, 3), true);
    tg_tensor *h = tg_tanh(tg_matmul(x, w));
    tg_mean(tg_mul(tg_exp(h), h));
    json_t *root = traced(m, (tg_trace_opts){0});
    int released[32] = {0}, saved[32] = {0};
    const json_t *steps = json_object_get(root, "backward");
    for (size_t k = 0; k < json_array_size(steps); k++) {
        const json_t *s = json_array_get(steps, k), *n = item(root, "nodes", number_in(s, "node")), *list;
        list = json_object_get(n, "saved");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const int64_t t = json_integer_value(json_array_get(list, i));
            ck_assert_int_eq(released[t], 0);
            saved[t]++;
        }
        list = json_object_get(s, "released");
        for (size_t i = 0; i < json_array_size(list); i++)
            released[json_integer_value(json_array_get(list, i))]++;
    }
    int any = 0;
    for (int64_t t = 0; t < 32 && t < (int64_t)json_array_size(json_object_get(root, "tensors")); t++) {
        const bool parameter = strcmp(text_in(item(root, "tensors", t), "role"), "parameter") == 0;
        ck_assert_int_eq(released[t], saved[t] > 0 && !parameter);
        any += released[t];
    }
    ck_assert_int_gt(any, 2);
    json_decref(root);
}
END_TEST

/* Slopes times what comes in are contributions. */
START_TEST(slopes) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_set_requires_grad(tg_randn(TG_F64, 8), true),
              *y = tg_set_requires_grad(tg_randn(TG_F64, 8), true);
    tg_sum(tg_mul(tg_relu(tg_sin(x)), tg_pow(tg_exp(y), tg_mul(x, x))));
    json_t *root = traced(m, (tg_trace_opts){0});
    const json_t *steps = json_object_get(root, "backward");
    int n = 0;
    for (size_t k = 0; k < json_array_size(steps); k++) {
        const json_t *in = json_object_get(json_array_get(steps, k), "in");
        const int64_t dout =
            json_integer_value(json_array_get(json_object_get(json_array_get(steps, k), "dout"), 0));
        for (size_t i = 0; i < json_array_size(in); i++) {
            const json_t *p = json_array_get(in, i);
            const int64_t slope = number_in(p, "slope");
            for (int j = 0; slope >= 0 && j < 8; j++, n++) {
                const double by = element(root, number_in(p, "contribution"), j),
                             should = element(root, dout, j) * element(root, slope, j);
                ck_assert_double_le(fabs(by - should), 1e-14 * (1 + fabs(by)));
            }
        }
    }
    ck_assert_int_eq(n, 9 * 8);
    json_decref(root);
}
END_TEST

/* The lines of this file that made nodes are there, by their numbers and their text. */
START_TEST(sources) {
    tg_mark m = tg_tape_mark();
    const int line = __LINE__ + 1;
    tg_tensor *x = leaf(1), *h = tg_sin(x);
    tg_cos(h);
    const char *root_folder = getenv("TG_SOURCE_ROOT");
    char folder[600];
    snprintf(folder, sizeof folder, "%s/tests/autograd/trace", root_folder ? root_folder : ".");
    json_t *root = traced(m, (tg_trace_opts){.sources = folder});
    const json_t *n = item(root, "nodes", 0), *s = item(root, "sources", number_in(n, "file"));
    ck_assert_int_eq(number_in(n, "line"), line);
    ck_assert_str_eq(text_in(s, "file"), "test_parts.c");
    ck_assert_str_eq(text_in(root, "title"), "test_parts.c");
    if (root_folder) {
        const json_t *lines = json_object_get(s, "lines");
        ck_assert(json_is_true(json_object_get(s, "found")));
        for (size_t i = 0; i < json_array_size(lines); i++)
            if (json_integer_value(json_array_get(json_array_get(lines, i), 0)) == line)
                ck_assert(
                    strstr(json_string_value(json_array_get(json_array_get(lines, i), 1)), "*h = tg_sin(x)"));
        ck_assert_int_gt((int)json_array_size(lines), 3);
    }
    json_decref(root);
    root = traced(m, (tg_trace_opts){.sources = "/no/such/folder"});
    ck_assert(json_is_false(json_object_get(item(root, "sources", 0), "found")) ||
              *text_in(item(root, "sources", 0), "path") == '/');
    json_decref(root);
}
END_TEST

/* Of the largest numbers that there are, sums are none. */
START_TEST(summary_of_extremes) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_full(TG_F64, 1.5e308, 5000), "x");
    double *v = tg_data_mut(x);
    for (int i = 0; i < 2500; i++) v[i] = -1.5e308;
    v[4999] = NAN, v[4998] = INFINITY, v[4997] = 0;
    tg_sum(tg_mul(tg_set_requires_grad(x, true), tg_scalar(TG_F64, 1e-300)));
    json_t *root = traced(m, (tg_trace_opts){0});
    const json_t *s = item(root, "values", number_in(item(root, "tensors", tensor_named(root, "x")), "value"));
    ck_assert(real_of(json_object_get(s, "min")) == -1.5e308 && real_of(json_object_get(s, "max")) == 1.5e308);
    ck_assert_double_lt(fabs(real_of(json_object_get(s, "mean"))), 1e306);
    ck_assert_double_lt(fabs(real_of(json_object_get(s, "std")) - 1.5e308), 1e306);
    ck_assert_int_eq(number_in(s, "nan") + 10 * number_in(s, "inf") + 100 * number_in(s, "zero"), 111);
    const json_t *h = json_object_get(s, "hist");
    ck_assert_int_eq(json_integer_value(json_array_get(h, 0)), 2500);
    ck_assert_int_eq(json_integer_value(json_array_get(h, 15)), 2497);
    json_decref(root);
}
END_TEST

/* ---- names ---- */

static void expect_names(const json_t *root, const char *op, const char *in, const char *out) {
    const json_t *ops = json_object_get(root, "ops");
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *o = json_array_get(ops, i);
        char text[2][64] = {"", ""};
        if (strcmp(text_in(o, "name"), op) != 0) continue;
        for (int k = 0; k < 2; k++) {
            const json_t *list = json_object_get(o, k ? "out" : "in");
            for (size_t j = 0; j < json_array_size(list); j++) {
                const char *name = json_string_value(json_array_get(list, j));
                strcat(strcat(text[k], j ? " " : ""), name ? name : "-");
            }
        }
        ck_assert_str_eq(text[0], in);
        ck_assert_str_eq(text[1], out);
        ck_assert(json_is_string(json_object_get(o, "rule")) && json_is_string(json_object_get(o, "formula")));
        return;
    }
    ck_abort_msg("no op %s", op);
}

START_TEST(names_of_inputs) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_set_requires_grad(tg_randn(TG_F32, 4, 4), true), *index;
    tg_tensor *h = tg_linear(x, x, .bias = tg_select(x, 0, 0));
    h = tg_where(tg_gt(x, h), tg_mul(h, x), tg_sort(x, 1, .index = &index));
    tg_mean(tg_softmax(tg_gather(tg_div(h, x), 1, index), 1));
    json_t *root = traced(m, (tg_trace_opts){0});
    expect_names(root, "mul", "a b", "out");
    expect_names(root, "div", "a b", "out");
    expect_names(root, "linear", "x w bias", "out");
    expect_names(root, "softmax", "x", "out");
    expect_names(root, "gather", "x -", "out");
    expect_names(root, "where", "- a b", "out");
    json_decref(root);
}
END_TEST

/* ---- how large, and how long it takes ---- */

static tg_tensor *gpt(tg_model *m, int blocks, int64_t n, int64_t t, int64_t size) {
    tg_tensor *x = tg_zeros(TG_I64, n, t), *h = tg_nn_embedding(m, "token", x, 30, size);
    for (int i = 0; i < blocks; i++) {
        char name[32];
        snprintf(name, sizeof name, "blocks.%d", i);
        h = tg_nn_transformer_block(m, name, h, 4, .causal = true, .dropout = 0.1);
    }
    tg_tensor *z = tg_nn_linear(m, "out", tg_nn_layer_norm(m, "norm", h), 30);
    return tg_cross_entropy(tg_transpose(z, 1, 2), x);
}

static size_t size_of(tg_mark m, double *seconds) {
    struct timespec a, b;
    size_t n;
    clock_gettime(CLOCK_MONOTONIC, &a);
    ck_assert_msg(tg_trace_html(trace_path("t.html"), m) == TG_OK, "%s", tg_error_message());
    clock_gettime(CLOCK_MONOTONIC, &b);
    *seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    free(read_all(trace_path("t.html"), &n));
    return n;
}

START_TEST(size_of_large_graphs) {
    static const int blocks[] = {3, 12, 130}, most[] = {1000, 2000, 5000}; /* kB */
    tg_model *model = tg_model_new(1);
    tg_mark m = tg_tape_mark();
    double seconds;
    gpt(model, blocks[_i], 4, 16, 32);
    expect_ok();
    const size_t n = size_of(m, &seconds);
    ck_assert_msg(n < (size_t)most[_i] * 1000, "%zu bytes of %lld nodes", n, (long long)tg_tape_nodes());
    ck_assert_msg(seconds < 60, "%g s", seconds);
    tg_model_free(model);
}
END_TEST

/* About fifty nodes, of tensors that are written whole and of larger ones. */
START_TEST(size_of_a_small_graph) {
    tg_model *model = tg_model_new(1);
    tg_mark m = tg_tape_mark();
    double seconds;
    tg_tensor *h = tg_randn(TG_F32, _i ? 16 : 4, 8);
    for (int i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof name, "fc%d", i);
        h = tg_add(tg_tanh(tg_nn_linear(model, name, h, 8)), h);
    }
    tg_mean(tg_square(h));
    ck_assert_int_eq(tg_tape_nodes() - m.nodes, 50);
    const size_t n = size_of(m, &seconds);
    ck_assert_msg(n < 200000, "%zu bytes", n);
    tg_model_free(model);
}
END_TEST

TCase *tcase_trace_parts(void);
TCase *tcase_trace_parts(void) {
    TCase *t = tcase_create("trace parts");
    tcase_add_checked_fixture(t, trace_setup, trace_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, changed_in_place);
    tcase_add_test(t, dropped_after_backward);
    tcase_add_test(t, rule_that_fails);
    tcase_add_test(t, parameters_that_were_updated);
    tcase_add_test(t, what_leads_nowhere);
    tcase_add_test(t, saved_and_released);
    tcase_add_test(t, slopes);
    tcase_add_test(t, sources);
    tcase_add_test(t, summary_of_extremes);
    tcase_add_test(t, names_of_inputs);
    tcase_add_loop_test(t, size_of_large_graphs, 0, 3);
    tcase_add_loop_test(t, size_of_a_small_graph, 0, 2);
    return t;
}
