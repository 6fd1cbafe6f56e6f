/* Checkpoints: the same gradients from less memory, whatever f reads. */
#include "autograd/tape_private.h"
#include "helpers.h"

static tg_mark start;
static tg_tensor *w, *b;
static int runs; /* of the functions below */

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
    w = param(TG_SHAPE(3, 3));
    b = param(TG_SHAPE(3));
    runs = 0;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    expect_ok();
    tg_free(w);
    tg_free(b);
    tg_tape_rewind(start);
}

/* tanh(x w / 10 + b), where w and b are no inputs */
static tg_tensor *layer(tg_tensor *const *in, void *user) {
    (void)user;
    runs++;
    return tg_tanh(tg_add(tg_mul_scalar(tg_matmul(in[0], w), 0.1), b));
}

static tg_tensor *two_layers(tg_tensor *const *in, void *user) {
    tg_tensor *h = tg_checkpoint(layer, user, 1, in);
    return tg_checkpoint(layer, user, 1, &h);
}

static tg_tensor *input(void) {
    const double v[6] = {0.3, -0.2, 0.5, -0.7, 0.1, 0.9};
    return tg_set_requires_grad(tg_from(TG_F64, v, 2, 3), true);
}

static void expect_equal(const tg_tensor *a, const tg_tensor *b_) {
    expect_ok();
    ck_assert(tg_shape_equal(tg_shape_of(a), tg_shape_of(b_)));
    for (int64_t i = 0; i < tg_numel(a); i++) ck_assert_double_eq(tg_get(a, i), tg_get(b_, i));
}

/* The gradients of sum(f(x)^2) by x, w and b. */
static void gradients(tg_function f, bool checkpoint, tg_tensor **g) {
    tg_tensor *x = input(), *y = checkpoint ? tg_checkpoint(f, NULL, 1, &x) : f(&x, NULL);
    tg_tensor *loss = tg_sum(tg_square(y)), *in[3] = {x, w, b};
    tg_grad(1, &loss, 3, in, g);
    expect_ok();
}

static const tg_function functions[] = {layer, two_layers};

START_TEST(test_gradients_are_the_same_to_the_bit) {
    tg_tensor *plain[3], *again[3];
    gradients(functions[_i], false, plain);
    runs = 0;
    gradients(functions[_i], true, again);
    ck_assert_int_eq(runs,
                     _i ? 6 : 2); /* nested: each of two layers at first, at the outer and at the inner one */
    for (int i = 0; i < 3; i++) expect_equal(again[i], plain[i]);
}
END_TEST

START_TEST(test_backward_reaches_what_is_no_input) {
    tg_tensor *plain[3], *x = input();
    gradients(layer, false, plain);
    ck_assert_int_eq(tg_backward(tg_sum(tg_square(tg_checkpoint(layer, NULL, 1, &x)))), TG_OK);
    expect_equal(tg_grad_of(x), plain[0]);
    expect_equal(tg_grad_of(w), plain[1]);
    expect_equal(tg_grad_of(b), plain[2]);
}
END_TEST

static tg_tensor *checkpointed(tg_tensor *const *in, void *user) {
    return tg_checkpoint(*(tg_function *)user, NULL, 1, in);
}

START_TEST(test_second_order) {
    tg_gradcheck_report r;
    tg_tensor *x = input();
    tg_function f = functions[_i];
    ck_assert_msg(tg_gradcheck(checkpointed, &f, 1, &x, &r, .order = 2), "%s", r.message);
    ck_assert_int_gt(r.compared, 0);
}
END_TEST

/* c = x^2 is recorded outside and read inside: dL/dx flows through c once. */
static tg_tensor *outer;
static tg_tensor *times_outer(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], outer);
}

START_TEST(test_results_read_from_outside) {
    tg_tensor *x = leaf(3), *g, *second;
    outer = tg_square(x);
    tg_tensor *y = tg_checkpoint(times_outer, NULL, 1, &x); /* x^3 */
    tg_grad(1, &y, 1, &x, &g, .create_graph = true);
    expect_value(g, 27);
    tg_grad(1, &g, 1, &x, &second);
    expect_value(second, 18);
}
END_TEST

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], in[1]);
}

START_TEST(test_an_input_given_twice) {
    tg_tensor *x = leaf(3), *both[2] = {x, x}, *y = tg_checkpoint(product, NULL, 2, both), *g;
    tg_grad(1, &y, 1, &x, &g);
    expect_value(g, 6);
}
END_TEST

static tg_tensor *identity(tg_tensor *const *in, void *user) {
    (void)user;
    return in[0];
}

START_TEST(test_identity) {
    tg_tensor *x = leaf(3), *y = tg_square(tg_checkpoint(identity, NULL, 1, &x)), *g;
    tg_grad(1, &y, 1, &x, &g);
    expect_value(g, 6);
}
END_TEST

static tg_tensor *tall(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *x = in[0];
    for (int i = 0; i < 20; i++) x = tg_tanh(x);
    return x;
}

/* ---- to the bit: contributions are added in the order of the plain call ---- */

static tg_tensor *shared;
/* p twice inside, once by a product that adds to the adjoint so far, and the input too */
static tg_tensor *uses_twice(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *h = tg_tanh(tg_matmul(in[0], shared));
    return tg_add(tg_matmul(h, shared), tg_mul(in[0], tg_slice(shared, 0, 0, 1, 1)));
}
static tg_tensor *returns_its_input(tg_tensor *const *in, void *user) {
    (void)user;
    tg_mul(in[0], shared);
    return in[0];
}
static tg_tensor *nested(tg_tensor *const *in, void *user) {
    tg_tensor *h = tg_checkpoint(uses_twice, user, 1, in), *sum = tg_add(h, tg_matmul(h, shared));
    return tg_checkpoint(uses_twice, user, 1, &sum);
}

enum { BITS = 7 };
/* Before, between and after two parts p and x are used as well. g: by x and by p. */
static void outside_and_inside(tg_function f, bool checkpoint, bool record, tg_tensor *x, tg_tensor **g) {
    tg_tensor *h = tg_mul(tg_matmul(x, shared), tg_add_scalar(x, 0.3));
    for (int part = 0; part < 2; part++) {
        h = checkpoint ? tg_checkpoint(f, NULL, 1, &h) : f(&h, NULL);
        h = tg_add(tg_matmul(tg_tanh(h), shared), tg_mul(h, x));
    }
    tg_tensor *loss = tg_sum(tg_mul(tg_square(h), tg_sum(shared)));
    tg_grad(1, &loss, 2, ((tg_tensor *[]){x, shared}), g, .create_graph = record);
}

START_TEST(test_the_order_of_contributions) {
    static const tg_function fs[] = {uses_twice, nested, returns_its_input, tall};
    tg_seed(5);
    for (int dtype = TG_F32; dtype <= TG_F64; dtype++)
        for (int i = 0; i < 4; i++)
            for (int record = 0; record < 2; record++) {
                tg_mark mark = tg_tape_mark();
                tg_tensor *x = tg_set_requires_grad(tg_normal((tg_dtype)dtype, 0, 0.6, BITS, BITS), true),
                          *plain[2], *again[2];
                shared = tg_param(tg_normal((tg_dtype)dtype, 0, 0.6, BITS, BITS));
                outside_and_inside(fs[i], false, record, x, plain);
                outside_and_inside(fs[i], true, record, x, again);
                expect_equal(again[0], plain[0]);
                expect_equal(again[1], plain[1]);
                tg_free(shared);
                tg_tape_rewind(mark);
            }
}
END_TEST

/* An input that f does not use has no gradient from there, as in the plain call. */
static tg_tensor *of_second(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_square(in[1]);
}

START_TEST(test_an_input_without_use) {
    tg_tensor *x = leaf(3), *h = tg_exp(x), *z = leaf(2), *both[2] = {h, z}, *g[2];
    tg_tensor *y = tg_checkpoint(of_second, NULL, 2, both);
    ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, z}), g, .retain = true), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "input 0");
    ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, z}), g, .retain = true, .allow_unused = true),
                     TG_OK);
    expect_value(g[0], 0);
    expect_value(g[1], 4);
    ck_assert_int_eq(tg_backward(tg_add(y, h)), TG_OK);
    ck_assert_double_eq(tg_item(tg_grad_of(x)), tg_item(h));
    expect_value(tg_grad_of(z), 4);
}
END_TEST

/* More inputs than an op's bit sets have bits, and one of the last is changed. */
enum { MANY = 40 };
static tg_tensor *sum_of_squares(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *sum = in[0];
    for (int i = 0; i < MANY; i++) sum = tg_add(sum, tg_square(in[i]));
    return sum;
}

START_TEST(test_many_inputs_and_a_change_in_place) {
    tg_tensor *x[MANY], *g[MANY];
    for (int i = 0; i < MANY; i++) x[i] = leaf(i);
    tg_tensor *y = tg_checkpoint(sum_of_squares, NULL, MANY, x);
    tg_grad(1, &y, MANY, x, g, .retain = true);
    for (int i = 0; i < MANY; i++) expect_value(g[i], 2 * i + (i == 0));
    bool was = tg_set_grad_enabled(false);
    tg_fill_(x[MANY - 1], 7);
    tg_set_grad_enabled(was);
    ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "checkpoint", "fill_");
}
END_TEST

static tg_tensor *with_dropout(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_dropout(in[0], 0.5, true);
}

START_TEST(test_random_numbers_come_again) {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F64, 1000), true), *g;
    tg_seed(3);
    tg_tensor *y = tg_checkpoint(with_dropout, NULL, 1, &x), *sum = tg_sum(y);
    uint64_t next = tg_default_rng()->next;
    tg_grad(1, &sum, 1, &x, &g);
    expect_equal(g, y); /* the mask, times 2 */
    ck_assert_uint_eq(tg_default_rng()->next, next);
}
END_TEST

START_TEST(test_keeps_the_result_alone) {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F64, 1000), true);
    size_t before = tg_memory_now().live_buffer_bytes;
    tg_tensor *y = tg_checkpoint(tall, NULL, 1, &x);
    ck_assert_uint_le(tg_memory_now().live_buffer_bytes - before, 2 * 8000);
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
}
END_TEST

START_TEST(test_without_gradients_it_is_a_call) {
    tg_tensor *x = tg_scalar(TG_F64, 2), *both[2] = {x, x};
    expect_value(tg_checkpoint(product, NULL, 2, both), 4);
    bool was = tg_set_grad_enabled(false);
    tg_tensor *y = input(), *z = tg_checkpoint(layer, NULL, 1, &y);
    tg_set_grad_enabled(was);
    ck_assert(!tg_requires_grad(z));
    ck_assert_int_eq(tg_tape_nodes(), start.nodes);
}
END_TEST

START_TEST(test_the_tape_names_f) {
    tg_tensor *x = input();
    tg_checkpoint(layer, NULL, 1, &x);
    char text[400] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    ck_assert_ptr_nonnull(file);
    tg_tape_print(file, start);
    fclose(file);
    ck_assert_msg(strstr(text, "checkpoint(") && strstr(text, "f=layer"), "%s", text);
}
END_TEST

static tg_tensor *fails(tg_tensor *const *in, void *user) {
    return runs++ == *(int *)user ? tg_matmul(in[0], in[0]) : tg_square(in[0]);
}

START_TEST(test_errors) {
    tg_tensor *x = input();
    ck_assert(tg_is_poison(tg_checkpoint(NULL, NULL, 1, &x)));
    expect_error(TG_ERR_ARGUMENT, "checkpoint", "function");
    ck_assert(tg_is_poison(tg_checkpoint(layer, NULL, 1, ((tg_tensor *[]){NULL}))));
    expect_error(TG_ERR_ARGUMENT, "checkpoint", "NULL");
    int64_t tensors = tg_tape_tensors();
    int when = 0; /* at first, then when it runs again */
    ck_assert(tg_is_poison(tg_checkpoint(fails, &when, 1, &x)));
    expect_error(TG_ERR_SHAPE, "matmul", "test_checkpoint.c");
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    when = runs + 1;
    tg_tensor *y = tg_checkpoint(fails, &when, 1, &x);
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "matmul");
    ck_assert(!tg_has_grad(x));
}
END_TEST

/* Inside a plan the random numbers are kept as a tensor, and that goes, too. */
static tg_tensor *fails_in_a_plan(tg_tensor *const *in, void *user) {
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    size_t bytes = tg_memory_now().live_buffer_bytes;
    ck_assert(tg_is_poison(tg_checkpoint(fails, user, 1, in)));
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, bytes);
    return tg_poison();
}

START_TEST(test_errors_in_a_plan) {
    tg_tensor *x = input();
    tg_plan *plan = tg_plan_new(fails_in_a_plan, &_i);
    ck_assert(tg_is_poison(tg_plan_run(plan, x)));
    expect_error(TG_ERR_SHAPE, "matmul", "test_checkpoint.c");
    tg_plan_free(plan);
}
END_TEST

/* The n-th allocation fails, for every n until none does. */
START_TEST(test_any_allocation_can_fail) {
    for (int64_t n = 1;; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = input();
        tg_arena_mark scratch = tg_arena_get_mark(&mark.tape->scratch);
        tg_memory_fail_at(n);
        tg_status s = tg_backward(tg_sum(two_layers(&x, NULL)));
        tg_memory_fail_at(-1);
        tg_arena_mark now = tg_arena_get_mark(&mark.tape->scratch);
        ck_assert_msg(memcmp(&now, &scratch, sizeof now) == 0, "allocation %d fails: scratch memory is left",
                      (int)n);
        ck_assert(s == TG_OK || s == TG_ERR_MEMORY);
        ck_assert_int_eq(tg_has_grad(w), s == TG_OK);
        tg_error_clear();
        tg_tape_rewind(mark);
        if (s == TG_OK) break;
        ck_assert_int_lt(n, 1000);
    }
}
END_TEST

TCase *tcase_checkpoint(void) {
    TCase *tc = tcase_create("checkpoint");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_gradients_are_the_same_to_the_bit, 0, 2);
    tcase_add_test(tc, test_backward_reaches_what_is_no_input);
    tcase_add_loop_test(tc, test_second_order, 0, 2);
    tcase_add_test(tc, test_results_read_from_outside);
    tcase_add_test(tc, test_an_input_given_twice);
    tcase_add_test(tc, test_identity);
    tcase_add_test(tc, test_the_order_of_contributions);
    tcase_add_test(tc, test_an_input_without_use);
    tcase_add_test(tc, test_many_inputs_and_a_change_in_place);
    tcase_add_test(tc, test_random_numbers_come_again);
    tcase_add_test(tc, test_keeps_the_result_alone);
    tcase_add_test(tc, test_without_gradients_it_is_a_call);
    tcase_add_test(tc, test_the_tape_names_f);
    tcase_add_test(tc, test_errors);
    tcase_add_loop_test(tc, test_errors_in_a_plan, 0, 1);
    tcase_add_test(tc, test_any_allocation_can_fail);
    return tc;
}
