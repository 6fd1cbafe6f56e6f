/* The wrong order against one that is walked here, of numbers; and a second backward. */
#include "tests/autograd/trace/read.h"

static tg_tensor *named_leaf(double v, const char *name) { return tg_set_name(leaf(v), name); }

static tg_tensor *doubled(void) {
    tg_tensor *b = tg_add(named_leaf(3, "a"), leaf(0));
    (void)b;
    tg_tensor *a = named_leaf(3, "x"), *c = tg_add(a, a);
    return tg_add(c, c);
}

/* A chain in which no path meets another. */
static tg_tensor *chain(void) {
    return tg_sum(tg_exp(tg_mul(tg_sin(named_leaf(0.5, "x")), named_leaf(2, "y"))));
}

/* One node read by two, of which one reads the other. */
static tg_tensor *skip(void) {
    tg_tensor *h = tg_sin(named_leaf(0.5, "x"));
    return tg_add(tg_mul(tg_exp(h), h), tg_cos(h));
}

/* Two ways that each run through the other's end: the last input is complete later. */
static tg_tensor *late(void) {
    tg_tensor *x = named_leaf(0.3, "x"), *u = tg_square(x), *v = tg_exp(u);
    return tg_mul(v, tg_add(tg_mul(u, v), x));
}

/* Of 15 squares in a row each doubles the number of paths. */
static tg_tensor *many_paths(void) {
    tg_tensor *h = named_leaf(1.01, "x");
    for (int i = 0; i < 15; i++) h = tg_mul(h, h);
    return h;
}

static const struct order_row {
    tg_tensor *(*f)(void);
    int64_t first;
    const char *reason;
    bool cut;
} row[] = {{doubled, 2, "again", false},
           {chain, -1, NULL, false},
           {skip, 3, "incomplete", false},
           {late, 1, "incomplete", false},
           {many_paths, 2, NULL, true}};
enum { ROWS = sizeof row / sizeof *row };

/* ---- the wrong order by hand: adjoints of numbers, by node and by leaf ---- */

typedef struct wrong {
    double node[64], leaf;
    const tg_tensor *x;
    int64_t runs, first;
    double complete[64];
} wrong;

static double slope(const tg_node *n, int i) {
    const double a = tg_get(n->in[0], 0), out = tg_get(n->out[0], 0);
    const char *op = n->op->name;
    if (strcmp(op, "mul") == 0) return tg_get(n->in[1 - i], 0);
    if (strcmp(op, "sin") == 0) return cos(a);
    if (strcmp(op, "cos") == 0) return -sin(a);
    if (strcmp(op, "exp") == 0) return out;
    if (strcmp(op, "square") == 0) return 2 * a;
    ck_assert(strcmp(op, "add") == 0 || strcmp(op, "sum") == 0);
    return 1;
}

static void visit(wrong *w, int64_t id) { /* recursion, as in the program that learners write */
    const tg_node *n = tg_tape_node(id);
    const double dout = w->node[id];
    w->runs++;
    for (int i = 0; i < n->n_in; i++) {
        const tg_node *maker = tg_node_of(n->in[i]);
        if (maker)
            w->node[maker->id] += dout * slope(n, i);
        else if (n->in[i] == w->x)
            w->leaf += dout * slope(n, i);
    }
    for (int i = 0; i < n->n_in; i++)
        if (tg_node_of(n->in[i])) visit(w, tg_node_of(n->in[i])->id);
}

static int64_t leaf_entry(const json_t *orders, int64_t tensor) {
    const json_t *leaves = json_object_get(orders, "leaves");
    for (size_t i = 0; i < json_array_size(leaves); i++)
        if (number_in(json_array_get(leaves, i), "tensor") == tensor) return (int64_t)i;
    ck_abort_msg("tensor %lld is no leaf", (long long)tensor);
    return -1;
}

START_TEST(wrong_order) {
    const struct order_row *r = &row[_i];
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = r->f();
    json_t *root = traced(m, (tg_trace_opts){.loss = loss}), *orders = json_object_get(root, "orders");
    ck_assert(json_is_object(orders));
    const int64_t x = tensor_named(root, "x");
    const json_t *entry = json_array_get(json_object_get(orders, "leaves"), (size_t)leaf_entry(orders, x));
    ck_assert_int_eq(number_in(entry, "right"), number_in(item(root, "tensors", x), "grad"));
    ck_assert(json_is_true(json_object_get(orders, "cut")) == r->cut);
    if (r->cut) {
        ck_assert_int_eq(number_in(orders, "runs"), 4000);
        ck_assert_int_eq(number_in(entry, "wrong"), -1);
        ck_assert_int_eq((int64_t)json_array_size(json_object_get(orders, "wrong")), 40);
        json_decref(root);
        return;
    }
    wrong w = {.runs = 0};
    const int64_t first = tg_node_of(loss)->id;
    for (int64_t id = m.nodes; id <= first; id++)
        for (int i = 0; i < tg_tape_node(id)->n_in; i++)
            if (strcmp(tg_name(tg_tape_node(id)->in[i]), "x") == 0) w.x = tg_tape_node(id)->in[i];
    w.node[first] = 1;
    visit(&w, first);
    ck_assert_int_eq(number_in(orders, "runs"), w.runs);
    const double is = element(root, number_in(entry, "wrong"), 0);
    ck_assert_msg(fabs(is - w.leaf) <= 1e-12 * fabs(w.leaf), "%.17g instead of %.17g", is, w.leaf);
    const bool differs = element(root, number_in(entry, "right"), 0) != is;
    ck_assert(differs == (r->first >= 0));
    ck_assert_int_eq(number_in(orders, "first"), r->first);
    const json_t *reason = json_object_get(orders, "reason");
    ck_assert(r->reason ? strcmp(json_string_value(reason), r->reason) == 0 : json_is_null(reason));
    json_decref(root);
}
END_TEST

/* Of the classic b = a + a; c = b + b it is 8, and not 4. */
START_TEST(doubled_twice) {
    tg_mark m = tg_tape_mark();
    doubled();
    json_t *root = traced(m, (tg_trace_opts){0}), *orders = json_object_get(root, "orders");
    const json_t *entry =
        json_array_get(json_object_get(orders, "leaves"), (size_t)leaf_entry(orders, tensor_named(root, "x")));
    ck_assert(element(root, number_in(entry, "right"), 0) == 4);
    ck_assert(element(root, number_in(entry, "wrong"), 0) == 8);
    json_decref(root);
}
END_TEST

START_TEST(backward_twice) {
    tg_tensor *w = tg_param(tg_randn(TG_F32, 4, 3)), *b = tg_param(tg_randn(TG_F32, 3));
    tg_set_name(w, "w"), tg_set_name(b, "b");
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = tg_mean(tg_tanh(tg_add(tg_matmul(tg_randn(TG_F32, 5, 4), w), b)));
    json_t *root = traced(m, (tg_trace_opts){0}), *twice = json_object_get(root, "twice");
    for (int k = 0; k < 2; k++) ck_assert_int_eq(tg_backward(loss, .retain = true), TG_OK);
    ck_assert_int_eq((int)json_array_size(twice), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *t = json_array_get(twice, i);
        const bool is_w = number_in(t, "tensor") == tensor_named(root, "w");
        expect_elements(root, number_in(t, "twice"), tg_grad_of(is_w ? w : b));
        ck_assert_int_eq(number_in(t, "once"),
                         number_in(item(root, "tensors", number_in(t, "tensor")), "grad"));
    }
    json_decref(root);
    tg_free(w), tg_free(b);
}
END_TEST

/* Of what is too large there are none. */
START_TEST(none_of_large_graphs) {
    tg_mark m = tg_tape_mark();
    tg_tensor *h = leaf(1);
    for (int i = 0; i < 201; i++) h = tg_sin(h);
    json_t *root = traced(m, (tg_trace_opts){0});
    ck_assert(json_is_null(json_object_get(root, "orders")));
    ck_assert_int_eq(number_in(root, "detail"), 1);
    json_decref(root);
    tg_tape_rewind(m);
    tg_sum(tg_set_requires_grad(tg_zeros(TG_F32, 500, 500), true));
    root = traced(m, (tg_trace_opts){0});
    ck_assert(json_is_null(json_object_get(root, "orders")));
    json_decref(root);
}
END_TEST

TCase *tcase_trace_orders(void);
TCase *tcase_trace_orders(void) {
    TCase *t = tcase_create("trace orders");
    tcase_add_checked_fixture(t, trace_setup, trace_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, wrong_order, 0, ROWS);
    tcase_add_test(t, doubled_twice);
    tcase_add_test(t, backward_twice);
    tcase_add_test(t, none_of_large_graphs);
    return t;
}
