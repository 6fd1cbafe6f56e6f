/* Scopes, the kind of a layer, copies, averages, and the table of a model. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>

static tg_tensor *block(tg_model *m, tg_tensor *x) {
    return tg_add(x, tg_nn_linear(m, "fc", tg_nn_layer_norm(m, "norm", x), 3));
}

START_TEST(a_scope_is_the_model_under_a_prefix) {
    tg_model *m = tg_model_new(1), *same = tg_model_new(1);
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_randn(TG_F64, 2, 3), *y = x;
    for (int i = 0; i < 2; i++) x = block(tg_nn_scope(m, "block%d", i), x);
    tg_tensor *one = tg_add(y, tg_nn_linear(same, "block0.fc", tg_nn_layer_norm(same, "block0.norm", y), 3));
    tg_tensor *two =
        tg_add(one, tg_nn_linear(same, "block1.fc", tg_nn_layer_norm(same, "block1.norm", one), 3));
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 8);
    for (int i = 0; i < 8; i++) ck_assert_str_eq(tg_name(tg_model_at(m, i)), tg_name(tg_model_at(same, i)));
    for (int i = 0; i < 6; i++) ck_assert(tg_get(x, i) == tg_get(two, i));
    tg_model *first = tg_nn_scope(m, "block0"), *deep = tg_nn_scope(tg_nn_scope(m, "a"), "b");
    ck_assert_ptr_eq(first, tg_nn_scope(m, "block%d", 0));
    ck_assert_ptr_eq(deep, tg_nn_scope(m, "a.b"));
    ck_assert_ptr_eq(tg_model_find(first, "fc.weight"), tg_model_find(m, "block0.fc.weight"));
    ck_assert_ptr_eq(tg_model_at(first, 7), tg_model_at(m, 7));
    tg_model_set_training(m, false);
    ck_assert(!tg_model_training(first));
    expect_ok();
    tg_tape_rewind(mark);
    tg_model_free(m);
    tg_model_free(same);
    tg_nn_scope(first, "x");
    expect_error(TG_ERR_ARGUMENT, "the model was freed");
}
END_TEST

START_TEST(what_means_the_whole_model_refuses_a_scope) {
    tg_model *m = tg_model_new(1), *s = tg_nn_scope(m, "a"), *other = tg_model_new(1);
    tg_model_param(s, "w", TG_F32, TG_SHAPE(2), tg_init_zeros());
    expect_ok();
    tg_model_free(s);
    expect_error(TG_ERR_ARGUMENT, "tg_model_free", "its scope a");
    tg_model_copy(s);
    expect_error(TG_ERR_ARGUMENT, "tg_model_copy", "its scope a");
    tg_model_average(other, s, 0.5);
    expect_error(TG_ERR_ARGUMENT, "tg_model_average", "its scope a");
    tg_model_print(stdout, s);
    expect_error(TG_ERR_ARGUMENT, "tg_model_print", "its scope a");
    tg_model_set_training(s, false);
    expect_error(TG_ERR_ARGUMENT, "tg_model_set_training", "its scope a");
    tg_sgd(s, 1);
    expect_error(TG_ERR_ARGUMENT, "tg_sgd", "its scope a");
    tg_model_save(s, "/dev/null");
    expect_error(TG_ERR_ARGUMENT, "its scope a");
    tg_training_save(&(tg_training){.model = s}, "/dev/null");
    expect_error(TG_ERR_ARGUMENT, "its scope a");
    ck_assert_int_eq(tg_model_count(m), 1);
    tg_model_free(m);
    tg_model_free(other);
}
END_TEST

START_TEST(a_scope_needs_a_name_of_a_length) {
    char longest[256] = {0}, name[300] = {0};
    memset(longest, 'x', 255);
    memset(name, 'y', 299);
    tg_model *m = tg_model_new(1);
    tg_nn_scope(m, NULL);
    expect_error(TG_ERR_ARGUMENT, "nn_scope", "NULL");
    tg_nn_scope(m, "%s", "");
    expect_error(TG_ERR_ARGUMENT, "nn_scope", "needs a name", "test_scope.c");
    tg_model *deep = tg_nn_scope(m, "%s", longest);
    ck_assert_ptr_ne(deep, NULL);
    tg_nn_scope(m, "%sx", longest);
    expect_error(TG_ERR_ARGUMENT, "nn_scope", "longer than 255");
    tg_nn_scope(deep, "x");
    expect_error(TG_ERR_ARGUMENT, "nn_scope", "longer than 255");
    tg_model_param(deep, name, TG_F32, TG_SHAPE(1), tg_init_zeros());
    expect_ok();
    ck_assert_int_eq(strlen(tg_name(tg_model_at(m, 0))) <= 256 + 299, 1);
    tg_nn_scope(NULL, "x");
    expect_error(TG_ERR_ARGUMENT, "nn_scope", "NULL");
    tg_model_free(m);
}
END_TEST

START_TEST(one_name_is_one_kind_of_layer) {
    tg_model *m = tg_model_new(1);
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_ones(TG_F32, 2, 4), *steps = tg_ones(TG_F32, 2, 3, 4);
    tg_nn_layer_norm(m, "n", x);
    expect_ok();
    tg_nn_rms_norm(m, "n", x); /* a weight of the same shape */
    expect_error(TG_ERR_ARGUMENT, "nn_rms_norm", "n is the name of a layer of another kind, nn_layer_norm",
                 "n.weight");
    tg_nn_gru(m, "n", steps, 4); /* no tensor of the same name */
    expect_error(TG_ERR_ARGUMENT, "nn_gru", "nn_layer_norm");
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_nn_layer_norm(m, "n", x);
    tg_nn_linear(m, "n.fc", x, 4);                   /* a layer whose name begins with it */
    tg_nn_rms_norm(tg_nn_scope(m, "other"), "n", x); /* and the same name elsewhere */
    expect_ok();
    tg_nn_linear(m, "lone", tg_ones(TG_F32, 2, 3, 4, 5), -1);
    tg_error_clear();
    tg_nn_layer_norm(m, "lone", x); /* a layer that failed has no kind */
    expect_ok();
    ck_assert_ptr_eq(tg_model_param(m, "n.weight", TG_F32, TG_SHAPE(4), tg_init_zeros()), tg_model_at(m, 0));
    expect_ok();
    tg_tape_rewind(mark);
    tg_model_free(m);
}
END_TEST

/* ---- copies and averages ---- */

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    return tg_nn_linear(m, "out", tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc", x, 5)), 2);
}

static tg_model *trained(uint64_t seed) {
    tg_model *m = tg_model_new(seed);
    tg_optim *sgd = tg_sgd(m, 0.1);
    tg_mark mark = tg_tape_mark();
    tg_backward(tg_mean(tg_square(net(m, tg_randn(TG_F32, 6, 3)))));
    tg_optim_step(sgd);
    tg_tape_rewind(mark);
    tg_optim_free(sgd);
    return m;
}

static void expect_same(const tg_model *a, const tg_model *b) {
    ck_assert_int_eq(tg_model_count(a), tg_model_count(b));
    ck_assert_int_eq(tg_model_buffer_count(a), tg_model_buffer_count(b));
    for (int k = 0; k < tg_model_count(a) + tg_model_buffer_count(a); k++) {
        const int n = tg_model_count(a);
        tg_tensor *t = k < n ? tg_model_at(a, k) : tg_model_buffer_at(a, k - n),
                  *u = k < n ? tg_model_at(b, k) : tg_model_buffer_at(b, k - n);
        size_t size;
        void *x = bytes_of(t, &size), *y = bytes_of(u, &size);
        ck_assert_str_eq(tg_name(t), tg_name(u));
        ck_assert_mem_eq(x, y, size);
        ck_assert(t != u && tg_requires_grad(t) == tg_requires_grad(u) && tg_dtype_of(t) == tg_dtype_of(u));
        free(x), free(y);
    }
    expect_ok();
}

START_TEST(a_copy_is_equal_and_apart) {
    tg_model *m = trained(1);
    tg_set_requires_grad(tg_model_find(m, "fc.bias"), false);
    tg_model_set_training(m, false);
    tg_model *copy = tg_model_copy(m);
    expect_same(m, copy);
    ck_assert(!tg_model_training(copy) && !tg_has_grad(tg_model_at(copy, 0)));
    tg_set_grad_enabled(false);
    tg_fill_(tg_model_at(m, 0), 7);
    tg_set_grad_enabled(true);
    ck_assert(tg_get(tg_model_at(copy, 0), 0) != 7);
    tg_model_free(m);
    tg_mark mark = tg_tape_mark();
    net(copy, tg_ones(TG_F32, 1, 3)); /* finds everything under its names */
    expect_ok();
    ck_assert_int_eq(tg_model_count(copy), 6);
    tg_nn_layer_norm(copy, "fc", tg_ones(TG_F32, 1, 3));
    expect_error(TG_ERR_ARGUMENT, "nn_linear"); /* the kinds are copied too */
    tg_tape_rewind(mark);
    tg_model_free(copy);
}
END_TEST

START_TEST(an_average_moves_by_its_formula) {
    tg_model *m = trained(1), *average = tg_model_new(9);
    ck_assert_int_eq(tg_model_average(average, m, 0.9), TG_OK); /* an empty one becomes a copy */
    expect_same(m, average);
    tg_model *other = trained(2);
    double was[15];
    for (int i = 0; i < 15; i++) was[i] = tg_get(tg_model_at(average, 0), i);
    ck_assert_int_eq(tg_model_average(average, other, 0.75), TG_OK);
    for (int i = 0; i < 15; i++)
        expect_close(tg_get(tg_model_at(average, 0), i),
                     0.75 * was[i] + 0.25 * tg_get(tg_model_at(other, 0), i), 1e-7);
    for (int i = 0; i < 5; i++)
        ck_assert(tg_get(tg_model_find(average, "bn.running_mean"), i) ==
                  tg_get(tg_model_find(other, "bn.running_mean"), i));
    ck_assert_int_eq(tg_model_average(average, other, 0), TG_OK);
    expect_same(other, average);
    ck_assert_int_eq(tg_model_average(average, m, 1), TG_OK);
    ck_assert(tg_get(tg_model_at(average, 0), 0) == tg_get(tg_model_at(other, 0), 0));
    tg_model_free(m), tg_model_free(average), tg_model_free(other);
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing) {
    tg_model *m = trained(1), *average = tg_model_copy(m), *kept = tg_model_copy(m);
    tg_model_param(average, "more", TG_F32, TG_SHAPE(2), tg_init_zeros());
    tg_model_param(kept, "more", TG_F32, TG_SHAPE(2), tg_init_zeros());
    tg_set_grad_enabled(false);
    tg_fill_(tg_model_at(m, 0), 7);
    tg_set_grad_enabled(true);
    tg_model_average(average, m, 0.5);
    expect_error(TG_ERR_SHAPE, "the model has no more");
    tg_model_param(m, "more", TG_F32, TG_SHAPE(3), tg_init_zeros());
    tg_model_average(average, m, 0.5);
    expect_error(TG_ERR_SHAPE, "more", "[2]", "[3]");
    tg_model_average(average, m, NAN);
    expect_error(TG_ERR_ARGUMENT, "decay is nan");
    tg_model_average(average, m, 1.5);
    expect_error(TG_ERR_ARGUMENT, "decay is 1.5");
    expect_same(average, kept);
    tg_model_free(m), tg_model_free(average), tg_model_free(kept);
}
END_TEST

START_TEST(every_allocation_of_copies_and_scopes_can_fail) {
    tg_model *m = trained(1), *empty = tg_model_new(1);
    for (int64_t n = 0;; n++) {
        tg_memory_fail_at(n);
        tg_model *copy = tg_model_copy(m);
        tg_status s = tg_error_status();
        tg_memory_fail_at(-1);
        tg_error_clear();
        ck_assert(!copy == (s == TG_ERR_MEMORY));
        tg_model_free(copy);
        if (s == TG_OK) break;
    }
    for (int64_t n = 0;; n++) {
        tg_memory_fail_at(n);
        tg_status s = tg_model_average(empty, m, 0.5);
        tg_memory_fail_at(-1);
        tg_error_clear();
        if (s == TG_OK) break;
        ck_assert_int_eq(s, TG_ERR_MEMORY);
        ck_assert_int_eq(tg_model_count(empty) + tg_model_buffer_count(empty), 0);
    }
    for (int64_t n = 0;; n++) {
        tg_memory_fail_at(n);
        tg_model *s = tg_nn_scope(m, "s");
        tg_memory_fail_at(-1);
        if (s) break;
        expect_error(TG_ERR_MEMORY, "nn_scope");
    }
    expect_ok();
    tg_model_free(m), tg_model_free(empty);
}
END_TEST

START_TEST(the_table_of_a_model) {
    tg_model *m = trained(1);
    tg_set_requires_grad(tg_model_find(m, "fc.bias"), false);
    char text[2000] = {0};
    FILE *file = tmpfile();
    tg_model_print(file, m);
    rewind(file);
    ck_assert_int_gt((int)fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    ck_assert_str_eq(text,
                     "layer  kind        numbers  bytes  tensors\n"
                     "fc     linear           20     80  weight [5, 3], bias [5] frozen\n"
                     "bn     batch_norm       21     88  weight [5], bias [5], running_mean [5] buffer, "
                     "running_var [5] buffer, num_batches_tracked [] buffer\n"
                     "out    linear           12     48  weight [2, 5], bias [2]\n"
                     "all                     53    216  42 in parameters, 5 of them frozen; 11 in buffers\n");
    tg_model_print(NULL, m);
    expect_error(TG_ERR_ARGUMENT, "the file is NULL");
    tg_model_free(m);
}
END_TEST

TCase *tcase_scope(void) {
    TCase *c = tcase_create("scope");
    tcase_add_test(c, a_scope_is_the_model_under_a_prefix);
    tcase_add_test(c, what_means_the_whole_model_refuses_a_scope);
    tcase_add_test(c, a_scope_needs_a_name_of_a_length);
    tcase_add_test(c, one_name_is_one_kind_of_layer);
    tcase_add_test(c, a_copy_is_equal_and_apart);
    tcase_add_test(c, an_average_moves_by_its_formula);
    tcase_add_test(c, what_does_not_fit_changes_nothing);
    tcase_add_test(c, every_allocation_of_copies_and_scopes_can_fail);
    tcase_add_test(c, the_table_of_a_model);
    return c;
}
