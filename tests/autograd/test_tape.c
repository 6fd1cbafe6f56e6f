#include "helpers.h"

#include <stdlib.h>

START_TEST(test_mark_and_rewind) {
    tg_mark start = tg_tape_mark();
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    tg_tensor *x = leaf(3), *y = tg_mul(x, x);
    ck_assert_int_eq(tg_tape_tensors(), tensors + 2);
    ck_assert_int_eq(tg_tape_nodes(), nodes + 1);
    ck_assert(tg_is_alive(y));
    ck_assert_int_eq(tg_tape_rewind(start), TG_OK);
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    ck_assert(!tg_is_alive(x) && !tg_is_alive(y));
}
END_TEST

START_TEST(test_use_after_rewind_names_maker_and_line) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(3);
    int line = __LINE__ + 1;
    tg_tensor *y = tg_mul(x, x);
    tg_tape_rewind(start);
    char place[64];
    snprintf(place, sizeof place, "test_tape.c:%d", line);
    tg_tensor *bad = tg_add(y, y);
    ck_assert(tg_is_poison(bad));
    expect_error(TG_ERR_LIFETIME, "add", "mul", place);
    /* the slot is taken again: the old handle still fails, and still says what it was */
    tg_tensor *a = tg_scalar(TG_F64, 1), *b = tg_scalar(TG_F64, 2);
    ck_assert(tg_is_alive(a) && tg_is_alive(b));
    ck_assert(tg_is_poison(tg_exp(y)));
    expect_error(TG_ERR_LIFETIME, "exp", "mul", place);
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_marks_are_checked) {
    tg_mark outer = tg_tape_mark();
    leaf(1);
    tg_mark inner = tg_tape_mark();
    leaf(2);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
    ck_assert_int_eq(tg_tape_rewind(inner), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "already rewound", "test_tape.c");
    leaf(3), leaf(4), leaf(5); /* as many as before, but others */
    ck_assert_int_eq(tg_tape_rewind(inner), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "already rewound");
    tg_tape *other = tg_tape_new(), *mine = tg_tape_use(other);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "another tape");
    tg_tape_use(mine);
    tg_tape_free(other);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
}
END_TEST

START_TEST(test_explicit_tapes) {
    tg_tape *other = tg_tape_new(), *mine = tg_tape_use(other);
    tg_tensor *x = leaf(2), *y = tg_square(x);
    ck_assert_ptr_eq(tg_tape_current(), other);
    tg_tape_use(mine);
    tg_tensor *a = leaf(1), *b = tg_add(a, a);
    ck_assert(tg_is_poison(tg_add(y, b))); /* a history cannot span two tapes */
    expect_error(TG_ERR_TAPE, "add", "another tape");
    ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "another tape");
    expect_value(tg_add(tg_detach(y), b), 6);
    tg_tape_use(other);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_value(tg_grad_of(x), 4);
    tg_tape_free(other);
    ck_assert_ptr_eq(tg_tape_current(), mine);
    ck_assert(!tg_is_alive(x) && !tg_is_alive(y));
    ck_assert(tg_is_poison(tg_exp(y)));
    expect_error(TG_ERR_LIFETIME, "exp");
    tg_tape_free(mine); /* not allowed: the thread's own */
    expect_error(TG_ERR_ARGUMENT, "own tape");
}
END_TEST

START_TEST(test_kept_outlives_rewind) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = param(TG_SHAPE(2, 2)), *k = tg_keep(tg_scalar(TG_F64, 7));
    tg_tape_rewind(start);
    ck_assert(tg_is_alive(w) && tg_requires_grad(w));
    ck_assert(tg_get(w, 3) == 4);
    expect_value(k, 7);
    tg_free(w);
    tg_free(k);
    ck_assert(!tg_is_alive(w));
    tg_exp(w);
    expect_error(TG_ERR_LIFETIME, "exp", "freed");
    tg_free(k);
    expect_error(TG_ERR_LIFETIME, "free");
}
END_TEST

START_TEST(test_freed_parameter_in_a_graph) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = param(TG_SHAPE(2)), *loss = tg_sum(tg_square(w));
    tg_free(w);
    ck_assert_int_eq(tg_backward(loss), TG_ERR_LIFETIME);
    expect_error(TG_ERR_LIFETIME, "square", "freed");
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_release) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(3), *sum = tg_add(x, x), *saved = tg_square(x), *y = tg_mul(saved, sum);
    tg_tensor *unsaved = tg_add_scalar(y, 1), *z = tg_mul_scalar(unsaved, 2);
    size_t live = tg_memory_get_stats().live_buffer_bytes;
    tg_release(unsaved);
    ck_assert_uint_lt(tg_memory_get_stats().live_buffer_bytes, live);
    tg_release(saved); /* mul saved it: its elements stay for the gradient, but not for the user */
    tg_exp(saved);
    expect_error(TG_ERR_LIFETIME, "released", "square");
    ck_assert_int_eq(tg_rank(unsaved), 0);
    ck_assert_int_eq(tg_backward(z), TG_OK);
    expect_value(tg_grad_of(x), 2 * 6 * 9);
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_recording_modes) {
    tg_tensor *x = leaf(2), *c = tg_scalar(TG_F64, 5);
    ck_assert(!tg_requires_grad(tg_mul(c, c)));
    ck_assert(tg_requires_grad(tg_mul(x, c)));
    ck_assert(tg_set_grad_enabled(false));
    ck_assert(!tg_grad_enabled());
    tg_tensor *y = tg_mul(x, c);
    ck_assert(!tg_set_grad_enabled(true));
    ck_assert(!tg_requires_grad(y) && tg_node_of(y) == NULL);
    tg_tensor *d = tg_detach(tg_mul(x, c));
    ck_assert(!tg_requires_grad(d));
    expect_value(d, 10);
    tg_tensor *z = tg_mul(x, c);
    ck_assert(tg_is_poison(tg_set_requires_grad(z, false)));
    expect_error(TG_ERR_TAPE, "result of mul", "tg_detach");
    ck_assert(tg_is_poison(tg_set_requires_grad(tg_scalar(TG_I64, 1), true)));
    expect_error(TG_ERR_DTYPE, "i64");
    ck_assert(tg_is_poison(tg_param(tg_scalar(TG_I64, 1))));
    expect_error(TG_ERR_DTYPE, "i64");
}
END_TEST

START_TEST(test_printed_tape) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = tg_set_name(param(TG_SHAPE(3, 2)), "w");
    tg_tensor *x = tg_set_name(tg_ones(TG_F64, 4, 3), "x");
    tg_sum(tg_tanh(tg_matmul(x, w)), .axes = TG_SHAPE(0));
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    tg_tape_print(file, start);
    fclose(file);
    const char *words[] = {"#0 matmul(x [4, 3] f64, w [3, 2] f64) -> [4, 2] f64   test_tape.c:", "#1 tanh(#0 [4, 2])",
                           "#2 sum(#1 [4, 2], axes=[0], keepdim=false) -> [2] f64"};
    for (size_t i = 0; i < 3; i++) ck_assert_msg(strstr(text, words[i]), "no \"%s\" in:\n%s", words[i], text);
    free(text);
    ck_assert_ptr_null(tg_tape_node(99));
    ck_assert_ptr_null(tg_tape_node(-1));
    tg_tape_rewind(start);
    tg_free(w);
}
END_TEST

static tg_mark before;

static void setup(void) {
    tg_error_clear();
    before = tg_tape_mark();
}

/* Without forks the next test goes on with this tape. */
static void teardown(void) {
    expect_ok();
    tg_set_grad_enabled(true);
    tg_tape_rewind(before);
}

TCase *tcase_tape(void) {
    TCase *tc = tcase_create("tape");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_mark_and_rewind);
    tcase_add_test(tc, test_use_after_rewind_names_maker_and_line);
    tcase_add_test(tc, test_marks_are_checked);
    tcase_add_test(tc, test_explicit_tapes);
    tcase_add_test(tc, test_kept_outlives_rewind);
    tcase_add_test(tc, test_freed_parameter_in_a_graph);
    tcase_add_test(tc, test_release);
    tcase_add_test(tc, test_recording_modes);
    tcase_add_test(tc, test_printed_tape);
    return tc;
}
