/* When the hooks of leaves run: after the lowest node on path that reads the leaf, and before the nodes below it. */
#include "helpers.h"

/* What hooks have seen, in order: their letter and the gradient's number. */
static struct {
    char who[128];
    double grad[128];
    int n;
} seen;

static void note(char who, tg_tensor *grad) {
    ck_assert_int_lt(seen.n, 127);
    seen.grad[seen.n] = tg_get(grad, 0);
    seen.who[seen.n++] = who;
    seen.who[seen.n] = '\0';
}

static tg_tensor *look(tg_tensor *grad, void *user) {
    note(*(char *)user, grad);
    return grad;
}

static void watch(tg_tensor *t, const char *letter) {
    ck_assert_int_eq(tg_register_hook(t, look, (void *)letter), TG_OK);
}

static void setup(void) {
    begin_test();
    seen.n = 0, seen.who[0] = '\0';
}

/* Walks from y: 0 tg_backward, 1 tg_grad, 2 tg_grad recorded; the gradients of the n leaves. */
enum { BACKWARD, VALUES, RECORDED, WALKS };
static void walk(int how, tg_tensor *y, int n, tg_tensor *const *leaf, double *grad) {
    tg_tensor *g[8];
    tg_status s = how == BACKWARD
                      ? tg_backward(y, .retain = true)
                      : tg_grad(1, &y, n, leaf, g, .retain = true, .create_graph = how == RECORDED);
    ck_assert_msg(s == TG_OK, "%s", tg_error_message());
    for (int i = 0; i < n; i++) {
        grad[i] = tg_item(how == BACKWARD ? tg_grad_of(leaf[i]) : g[i]);
        if (how == BACKWARD) tg_zero_grad(leaf[i]);
    }
}

#define expect_seen(letters, ...) expect_seen_at(__LINE__, letters, (const double[]){__VA_ARGS__})
static void expect_seen_at(int line, const char *letters, const double *grads) {
    ck_assert_msg(strcmp(seen.who, letters) == 0, "line %d: %s instead of %s", line, seen.who, letters);
    for (int i = 0; i < seen.n; i++)
        ck_assert_msg(seen.grad[i] == grads[i], "line %d: %c saw %g, not %g", line, letters[i], seen.grad[i],
                      grads[i]);
}

/* A chain of layers: h = x a, y = h b, z = y c at (2, 3, 5, 7). Each leaf comes before the layer below is walked. */
START_TEST(test_before_the_nodes_below) {
    tg_tensor *x = leaf(2), *a = leaf(3), *b = leaf(5), *c = leaf(7), *h = tg_mul(x, a), *y = tg_mul(h, b),
              *z = tg_mul(y, c);
    watch(x, "x"), watch(a, "a"), watch(b, "b"), watch(c, "c"), watch(h, "h"), watch(y, "y"), watch(z, "z");
    double g[4];
    walk(_i, z, 4, (tg_tensor *[]){a, b, c, x}, g);
    expect_seen("zcybhxa", 1, 30, 7, 42, 35, 105, 70);
    ck_assert(g[0] == 70 && g[1] == 42 && g[2] == 30 && g[3] == 105);
}
END_TEST

/* Uses at the beginning, in the middle and at the end are one gradient, complete at the first. Of the leaves of one node
 * the first input comes first: y = ((w a) w + b) w = a w^3 + b w at (2, 3, 5). */
START_TEST(test_several_uses) {
    tg_tensor *w = leaf(2), *a = leaf(3), *b = leaf(5), *h = tg_mul(w, a), *k = tg_add(tg_mul(h, w), b),
              *y = tg_mul(k, w);
    watch(a, "a"), watch(w, "w"), watch(b, "b"), watch(h, "h"), watch(k, "k");
    double g[3];
    walk(_i, y, 3, (tg_tensor *[]){a, b, w}, g);
    expect_seen("kbhwa", 2, 2, 4, 3 * 3 * 4 + 5, 8);
    ck_assert(g[0] == 8 && g[1] == 2 && g[2] == 41);
}
END_TEST

/* One node that reads a leaf twice gives its gradient once. */
START_TEST(test_twice_in_one_node) {
    tg_tensor *w = leaf(3), *x = leaf(2), *h = tg_square(x), *y = tg_mul(tg_mul(w, w), h);
    watch(w, "w"), watch(h, "h"), watch(x, "x");
    double g[2];
    walk(_i, y, 2, (tg_tensor *[]){w, x}, g);
    expect_seen("whx", 24, 9, 36);
}
END_TEST

/* Nodes that the walk does not come to are not waited for: below, between and above those on path. */
START_TEST(test_readers_off_path) {
    tg_tensor *w = leaf(3), *x = leaf(2), *below = tg_mul(w, x), *h = tg_square(x), *y = tg_mul(h, w);
    tg_tensor *above = tg_mul(tg_mul(y, w), below);
    watch(w, "w"), watch(h, "h"), watch(below, "b"), watch(above, "o");
    double g[2];
    walk(_i, y, 2, (tg_tensor *[]){w, x}, g);
    expect_seen("wh", 4, 3);
    ck_assert(g[0] == 4 && g[1] == 12);
}
END_TEST

/* Where x alone is asked for, the node of w is passed by, and so are its hooks. */
START_TEST(test_only_what_is_asked_for) {
    tg_tensor *w = leaf(3), *x = leaf(2), *k = tg_square(w), *y = tg_mul(tg_square(x), k);
    watch(w, "w"), watch(k, "k"), watch(x, "x");
    double g;
    walk(VALUES + _i, y, 1, &x, &g);
    expect_seen("x", 36);
    ck_assert(g == 36);
}
END_TEST

static tg_tensor *fail_here(tg_tensor *grad, void *user) {
    note('f', grad);
    (void)user;
    return tg_matmul(grad, grad);
}

/* A leaf's hook that fails ends the walk there: nothing is stored, and what lies below was not walked. */
START_TEST(test_a_hook_that_fails) {
    tg_tensor *p = param(TG_SHAPE(1)), *a = leaf(3), *b = leaf(5), *h = tg_mul(tg_sum(p), a),
              *y = tg_mul(h, b), *g;
    tg_register_hook(b, fail_here, NULL), watch(p, "p"), watch(h, "h"), watch(a, "a");
    tg_status s = _i == BACKWARD ? tg_backward(y) : tg_grad(1, &y, 1, &b, &g, .create_graph = _i == RECORDED);
    ck_assert_int_eq(s, TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "matmul");
    expect_seen("f", 3);
    ck_assert(!tg_has_grad(p) && !tg_has_grad(b) && !tg_has_grad(a));
    ck_assert(!tg_node_of(h)->walked && tg_node_of(y)->walked == (_i != RECORDED));
    tg_remove_hooks(b);
    ck_assert_int_eq(tg_backward(y), _i == RECORDED ? TG_OK : TG_ERR_TAPE);
    tg_error_clear();
    tg_free(p);
}
END_TEST

static tg_tensor *ten_times(tg_tensor *grad, void *user) {
    (void)user;
    return tg_mul_scalar(grad, 10);
}

/* What a leaf's hook returns is stored, and does not reach the nodes below. */
START_TEST(test_what_it_returns_is_the_gradient) {
    tg_tensor *x = leaf(2), *w = leaf(3), *h = tg_square(x), *y = tg_mul(h, w);
    tg_register_hook(w, ten_times, NULL), watch(w, "w"), watch(h, "h");
    double g[2];
    walk(_i, y, 2, (tg_tensor *[]){w, x}, g);
    expect_seen("wh", 40, 3);
    ck_assert(g[0] == 40 && g[1] == 12);
}
END_TEST

/* y = x^2 w^3 at (2, 3). Recorded, dy/dw = 10 * 3 x^2 w^2; walked again, the hook sees 60 x^2 w and makes 600 x^2 w of it;
 * x, which the gradient depends on as well, gets 60 x w^2. */
START_TEST(test_second_order) {
    tg_tensor *x = leaf(2), *w = leaf(3), *y = tg_mul(tg_square(x), tg_mul(tg_square(w), w)), *g, *h[2];
    watch(w, "w"), tg_register_hook(w, ten_times, NULL);
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .create_graph = true), TG_OK);
    expect_value(g, 10 * 3 * 4 * 9);
    ck_assert_int_eq(tg_grad(1, &g, 2, (tg_tensor *[]){w, x}, h), TG_OK);
    expect_seen("ww", 3 * 4 * 9, 60 * 4 * 3);
    expect_value(h[0], 600 * 4 * 3);
    expect_value(h[1], 60 * 2 * 9);
}
END_TEST

/* Walked three times, the graph runs its hooks three times, and gradients add up as ever. */
START_TEST(test_retained) {
    tg_tensor *x = leaf(2), *w = leaf(3), *h = tg_square(x), *y = tg_mul(h, w);
    watch(w, "w"), watch(h, "h");
    for (int i = 0; i < 3; i++) ck_assert_int_eq(tg_backward(y, .retain = i < 2), TG_OK);
    expect_seen("whwhwh", 4, 3, 4, 3, 4, 3);
    expect_value(tg_grad_of(w), 12);
    expect_value(tg_grad_of(x), 36);
}
END_TEST

/* A walk may begin at a leaf, alone or with a result made of it. */
START_TEST(test_outputs_that_are_leaves) {
    tg_tensor *w = leaf(3), *u = leaf(2), *y = tg_square(w), *g[2], *seeds[3] = {leaf(5), leaf(7), NULL};
    watch(w, "w"), watch(u, "u"), watch(y, "y");
    ck_assert_int_eq(tg_backward(u), TG_OK);
    expect_seen("u", 1);
    seen.n = 0;
    ck_assert_int_eq(
        tg_grad(3, (tg_tensor *[]){w, u, y}, 2, (tg_tensor *[]){w, u}, g, .seeds = seeds, .create_graph = _i),
        TG_OK);
    expect_seen("ywu", 1, 5 + 6, 7);
    expect_value(g[0], 11);
    expect_value(g[1], 7);
}
END_TEST

static tg_tensor *times_user(tg_tensor *const *in, void *user) {
    return tg_mul(tg_square(in[0]), (tg_tensor *)user);
}

/* A checkpoint is one node, also for leaves that it reads by another way than its inputs: y = (h^2 w) w, h = x a. */
START_TEST(test_checkpoints) {
    tg_tensor *x = leaf(2), *a = leaf(3), *w = leaf(5), *h = tg_mul(x, a),
              *y = tg_mul(tg_checkpoint(times_user, w, 1, &h), w);
    watch(w, "w"), watch(h, "h"), watch(a, "a");
    double g[3];
    walk(_i, y, 3, (tg_tensor *[]){w, a, x}, g);
    expect_seen("wha", 2 * 36 * 5, 2 * 6 * 25, 2 * 6 * 25 * 2);
    ck_assert(g[0] == 360 && g[1] == 600 && g[2] == 900);
}
END_TEST

static int runs;
static tg_tensor *forgets_an_input(tg_tensor *const *in, void *user) {
    (void)user;
    return runs++ ? tg_square(in[0]) : tg_add(tg_square(in[0]), tg_mul_scalar(in[1], 0));
}

/* The checkpoint makes nothing of k = v^2 when it runs again, so the walk passes k's node by: v is complete there. */
START_TEST(test_a_node_that_is_passed_by) {
    tg_tensor *x = leaf(2), *v = leaf(3), *h = tg_square(x), *k = tg_square(v);
    tg_tensor *y = tg_mul(tg_checkpoint(forgets_an_input, NULL, 2, (tg_tensor *[]){h, k}), v);
    watch(v, "v"), watch(k, "k"), watch(h, "h");
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_seen("vh", 16, 24);
    expect_value(tg_grad_of(v), 16);
    expect_value(tg_grad_of(x), 96);
}
END_TEST

static tg_tensor *watch_another(tg_tensor *grad, void *user) {
    watch(user, "n");
    return grad;
}
static tg_tensor *forget_another(tg_tensor *grad, void *user) {
    tg_remove_hooks(user);
    return grad;
}

/* Hooks that come and go while the walk is under way, on a leaf that it has not come to and on one that it has. */
START_TEST(test_hooks_that_change_hooks) {
    tg_tensor *x = leaf(2), *a = leaf(3), *b = leaf(5), *h = tg_mul(x, a), *y = tg_mul(h, b);
    double g[3];
    tg_register_hook(b, watch_another, a), watch(h, "h");
    walk(_i, y, 3, (tg_tensor *[]){a, b, x}, g);
    expect_seen("hn", 5, 10);
    seen.n = 0, tg_remove_hooks(b), tg_register_hook(b, forget_another, a);
    walk(_i, y, 3, (tg_tensor *[]){a, b, x}, g);
    expect_seen("h", 5);
    seen.n = 0, tg_remove_hooks(b), watch(b, "b"), tg_remove_hooks(h), tg_register_hook(h, watch_another, b);
    walk(_i, y, 3, (tg_tensor *[]){a, b, x}, g);
    expect_seen("b", 6); /* b is complete: its second hook waits for the next walk */
    ck_assert(g[0] == 10 && g[1] == 6 && g[2] == 15);
}
END_TEST

static tg_tensor *step_in_place(tg_tensor *grad, void *user) {
    tg_copy_(user, tg_sub(user, tg_mul_scalar(grad, 0.5)));
    return grad;
}

/* A leaf may be changed once it is complete, which nothing below reads; and not one that something below still does. */
START_TEST(test_a_step_while_the_walk_goes_on) {
    tg_tensor *a = leaf(3), *b = leaf(5), *x = leaf(2), *y = tg_mul(tg_mul(x, a), b);
    tg_register_hook(b, step_in_place, _i ? a : b);
    tg_status s = tg_backward(y);
    ck_assert_int_eq(s, _i ? TG_ERR_TAPE : TG_OK);
    if (_i) expect_error(TG_ERR_TAPE, "changed in place");
    if (!_i) expect_value(b, 5 - 0.5 * 6), expect_value(tg_grad_of(a), 10), expect_value(tg_grad_of(x), 15);
    ck_assert_int_eq(tg_has_grad(a), !_i);
}
END_TEST

static tg_tensor *free_another(tg_tensor *grad, void *user) {
    tg_free(user);
    return grad;
}

/* Of a leaf freed by another's hook, whether the walk has passed its readers or not, the walk says so. */
START_TEST(test_a_leaf_that_is_freed) {
    tg_tensor *p = param(TG_SHAPE(1)), *b = leaf(5), *x = leaf(2), *k = tg_square(b), *sum = tg_sum(p);
    tg_tensor *y = _i ? tg_mul(k, sum) : tg_mul(tg_sum(tg_mul(p, x)), b);
    tg_register_hook(b, free_another, p), watch(p, "p");
    ck_assert_int_eq(tg_backward(y), TG_ERR_LIFETIME);
    expect_error(TG_ERR_LIFETIME, "freed");
    ck_assert(!tg_has_grad(b) && !tg_has_grad(x));
    ck_assert_str_eq(seen.who, _i ? "p" : "");
}
END_TEST

/* Leaf k of n is read by node k and, every third one, once more at the end: more than the table of targets begins with. */
START_TEST(test_many_leaves) {
    enum { MOST = 60 };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    int n = 1 + _i % MOST, how = _i / MOST;
    tg_tensor *w[MOST], *y = leaf(1), *g[MOST];
    for (int k = 0; k < n; k++) watch(w[k] = leaf(1), &letters[k]), y = tg_mul(y, w[k]);
    for (int k = 0; k < n; k += 3) y = tg_mul(y, w[k]);
    if (how == BACKWARD) ck_assert_int_eq(tg_backward(y), TG_OK);
    if (how != BACKWARD) ck_assert_int_eq(tg_grad(1, &y, n, w, g, .create_graph = how == RECORDED), TG_OK);
    ck_assert_int_eq(seen.n, n);
    for (int k = 0; k < n; k++) {
        ck_assert_int_eq(seen.who[n - 1 - k], letters[k]);
        ck_assert(seen.grad[n - 1 - k] == (k % 3 ? 1 : 2));
    }
}
END_TEST

/* ---- against the nodes of the tape ---- */

enum { LEAVES = 6, NODES = 14 };
typedef struct graph {
    tg_tensor *leaf[LEAVES], *result[NODES];
    unsigned random;
} graph;

static int draw(graph *r, int n) {
    r->random = r->random * 1664525u + 1013904223u;
    return (int)((r->random >> 16) % (unsigned)n);
}

static void make(graph *r) {
    static const char letters[] = "abcdefABCDEFGHIJKLMN"; /* leaves, then results */
    for (int k = 0; k < LEAVES; k++) watch(r->leaf[k] = leaf(1 + k / 8.0), &letters[k]);
    for (int k = 0; k < NODES; k++) {
        int i = draw(r, LEAVES + k), j = draw(r, LEAVES + k);
        tg_tensor *a = i < LEAVES ? r->leaf[i] : r->result[i - LEAVES],
                  *b = j < LEAVES ? r->leaf[j] : r->result[j - LEAVES];
        r->result[k] = draw(r, 2) ? tg_mul(a, b) : tg_sub(a, b);
        watch(r->result[k], &letters[LEAVES + k]);
    }
    ck_assert_int_eq(tg_tape_nodes(), NODES);
}

static int leaf_number(const graph *r, const tg_tensor *t) {
    int k = 0;
    while (k < LEAVES && r->leaf[k] != t) k++;
    return k < LEAVES ? k : -1;
}

/* What hooks should see, from node `out` on, if those leaves are asked for: each node on path, and behind it the leaves
 * that no lower node on path reads. */
static void expect_order(const graph *r, int out, unsigned asked, char *order) {
    bool leads[NODES] = {false}, reached[NODES] = {false};
    int lowest[LEAVES];
    for (int id = 0; id < NODES; id++)
        for (int i = 0; i < 2; i++) {
            const tg_tensor *t = tg_tape_node(id)->in[i];
            int k = leaf_number(r, t);
            leads[id] = leads[id] || (k < 0 ? leads[tg_node_of(t)->id] : asked >> k & 1);
        }
    reached[out] = true;
    for (int id = out; id >= 0; id--)
        for (int i = 0; i < 2 && reached[id]; i++) {
            const tg_tensor *t = tg_tape_node(id)->in[i];
            int k = leaf_number(r, t);
            if (k >= 0)
                lowest[k] = id;
            else if (leads[tg_node_of(t)->id])
                reached[tg_node_of(t)->id] = true;
        }
    for (int id = out; id >= 0; id--)
        for (int i = -1; i < 2 && reached[id]; i++) {
            int k = i < 0 ? -1 : leaf_number(r, tg_tape_node(id)->in[i]);
            if (i < 0) *order++ = (char)('A' + id);
            if (k >= 0 && asked >> k & 1 && lowest[k] == id) *order++ = (char)('a' + k), lowest[k] = -1;
        }
    *order = '\0';
}

static void gradients(const graph *r, int how, int out, unsigned asked, double *grad) {
    tg_tensor *in[LEAVES], *g[LEAVES], *y = r->result[out];
    int n = 0;
    for (int k = 0; k < LEAVES; k++)
        if (asked >> k & 1) in[n++] = r->leaf[k];
    tg_status s = how == BACKWARD ? tg_backward(y, .retain = true)
                                  : tg_grad(1, &y, n, in, g, .retain = true, .create_graph = how == RECORDED,
                                            .allow_unused = true);
    ck_assert_int_eq(s, TG_OK);
    for (int i = 0; i < n; i++) {
        grad[i] = how == BACKWARD ? tg_has_grad(in[i]) ? tg_item(tg_grad_of(in[i])) : 0 : tg_item(g[i]);
        if (how == BACKWARD) tg_zero_grad(in[i]);
    }
}

START_TEST(test_random_graphs) {
    graph r = {.random = (unsigned)_i};
    make(&r);
    for (int out = 0; out < NODES; out++)
        for (int how = 0; how < WALKS; how++) {
            tg_mark mark = tg_tape_mark();
            unsigned asked = how == BACKWARD ? (1u << LEAVES) - 1 : 1 + (unsigned)draw(&r, (1 << LEAVES) - 1);
            char order[LEAVES + NODES + 1];
            double hooked[LEAVES], plain[LEAVES];
            expect_order(&r, out, asked, order);
            seen.n = 0, seen.who[0] = '\0';
            gradients(&r, how, out, asked, hooked);
            ck_assert_msg(strcmp(seen.who, order) == 0, "from %d, walk %d: %s instead of %s", out, how,
                          seen.who, order);
            for (int k = 0; k < LEAVES; k++) tg_remove_hooks(r.leaf[k]);
            gradients(&r, how, out, asked, plain);
            for (int k = 0, n = 0; k < LEAVES; k++)
                if (asked >> k & 1) {
                    ck_assert(hooked[n] == plain[n]);
                    n++;
                }
            tg_tape_rewind(mark);
            static const char letters[] = "abcdef";
            for (int k = 0; k < LEAVES; k++) watch(r.leaf[k], &letters[k]);
        }
}
END_TEST

TCase *tcase_leaf_hooks(void) {
    TCase *tc = tcase_create("leaf_hooks");
    tcase_add_checked_fixture(tc, setup, end_test);
    tcase_add_loop_test(tc, test_before_the_nodes_below, 0, WALKS);
    tcase_add_loop_test(tc, test_several_uses, 0, WALKS);
    tcase_add_loop_test(tc, test_twice_in_one_node, 0, WALKS);
    tcase_add_loop_test(tc, test_readers_off_path, 0, WALKS);
    tcase_add_loop_test(tc, test_only_what_is_asked_for, 0, 2);
    tcase_add_loop_test(tc, test_a_hook_that_fails, 0, WALKS);
    tcase_add_loop_test(tc, test_what_it_returns_is_the_gradient, 0, WALKS);
    tcase_add_test(tc, test_second_order);
    tcase_add_test(tc, test_retained);
    tcase_add_loop_test(tc, test_outputs_that_are_leaves, 0, 2);
    tcase_add_loop_test(tc, test_checkpoints, 0, WALKS);
    tcase_add_test(tc, test_a_node_that_is_passed_by);
    tcase_add_loop_test(tc, test_hooks_that_change_hooks, 0, WALKS);
    tcase_add_loop_test(tc, test_a_step_while_the_walk_goes_on, 0, 2);
    tcase_add_loop_test(tc, test_a_leaf_that_is_freed, 0, 2);
    tcase_add_loop_test(tc, test_many_leaves, 0, 60 * WALKS);
    tcase_add_loop_test(tc, test_random_graphs, 0, 40);
    return tc;
}
