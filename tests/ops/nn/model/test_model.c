#include "tests/ops/nn/helpers.h"

#include <stdio.h>

START_TEST(makes_once_and_finds) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "fc.weight", TG_F32, TG_SHAPE(3, 4), tg_init_kaiming_uniform(0));
    tg_tensor *b = tg_model_param(m, "fc.bias", TG_F64, TG_SHAPE(3), (tg_init){0});
    expect_ok();
    ck_assert_ptr_eq(tg_model_param(m, "fc.weight", TG_F32, TG_SHAPE(3, 4), tg_init_ones()), w);
    ck_assert_ptr_eq(tg_model_find(m, "fc.bias"), b);
    ck_assert_ptr_eq(tg_model_at(m, 0), w);
    ck_assert_ptr_eq(tg_model_at(m, 1), b);
    ck_assert_str_eq(tg_name(w), "fc.weight");
    ck_assert_int_eq(tg_model_count(m), 2);
    ck_assert_int_eq(tg_model_numel(m), 15);
    ck_assert(tg_requires_grad(w) && tg_requires_grad(b));
    for (int i = 0; i < 3; i++) ck_assert(tg_get(b, i) == 0);
    expect_ok();
    tg_model_free(m);
    ck_assert(!tg_is_alive(w) && !tg_is_alive(b));
}
END_TEST

START_TEST(the_name_is_the_key_even_when_renamed) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
    tg_set_name(w, "other");
    ck_assert_ptr_eq(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0}), w);
    ck_assert_int_eq(tg_model_count(m), 1);
    expect_ok();
    tg_model_free(m);
}
END_TEST

START_TEST(many_parameters_in_any_order) {
    enum { N = 1000 };
    tg_model *m = tg_model_new(1);
    tg_tensor *made[N];
    char name[32];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "layer%d.weight", i);
        made[i] = tg_model_param(m, name, TG_F32, TG_SHAPE(1), (tg_init){0});
    }
    for (int i = 0; i < N; i++) {
        int j = (i * 379) % N; /* 379 and 1000 have no common factor */
        snprintf(name, sizeof name, "layer%d.weight", j);
        ck_assert_ptr_eq(tg_model_find(m, name), made[j]);
    }
    tg_model_truncate(m, 500, 0);
    ck_assert_int_eq(tg_model_count(m), 500);
    ck_assert(!tg_is_alive(made[500]));
    ck_assert_ptr_eq(tg_model_find(m, "layer499.weight"), made[499]);
    tg_model_truncate(m, 600, 0);
    tg_model_truncate(m, -1, 0);
    ck_assert_int_eq(tg_model_count(m), 500);
    expect_ok();
    tg_model_find(m, "layer500.weight");
    expect_error(TG_ERR_ARGUMENT, "layer500.weight");
    ck_assert(tg_is_alive(tg_model_param(m, "layer500.weight", TG_F32, TG_SHAPE(7), (tg_init){0})));
    ck_assert_int_eq(tg_model_count(m), 501);
    expect_ok();
    tg_model_free(m);
}
END_TEST

START_TEST(values_depend_on_seed_and_name_only) {
    tg_model *a = tg_model_new(7), *b = tg_model_new(7), *c = tg_model_new(8);
    tg_shape s = TG_SHAPE(4, 4);
    tg_tensor *w = tg_model_param(a, "w", TG_F64, s, tg_init_kaiming_normal(0));
    tg_tensor *v = tg_model_param(b, "v", TG_F64, s, tg_init_kaiming_normal(0));
    tg_tensor *w2 = tg_model_param(b, "w", TG_F64, s, tg_init_kaiming_normal(0));
    tg_tensor *w3 = tg_model_param(c, "w", TG_F64, s, tg_init_kaiming_normal(0));
    tg_tensor *w4 = tg_model_param(c, "w32", TG_F32, s, tg_init_ones());
    expect_ok();
    ck_assert_mem_eq(tg_data(w), tg_data(w2), 16 * sizeof(double));
    for (int i = 0; i < 16; i++) {
        ck_assert(tg_get(w, i) != tg_get(v, i));
        ck_assert(tg_get(w, i) != tg_get(w3, i));
        ck_assert(tg_get(w4, i) == 1);
    }
    tg_model_free(a), tg_model_free(b), tg_model_free(c);
}
END_TEST

START_TEST(another_shape_or_dtype_is_refused) {
    tg_model *m = tg_model_new(1);
    tg_model_param(m, "fc.weight", TG_F32, TG_SHAPE(3, 4), (tg_init){0});
    ck_assert(tg_is_poison(tg_model_param(m, "fc.weight", TG_F32, TG_SHAPE(3, 5), (tg_init){0})));
    expect_error(TG_ERR_SHAPE, "fc.weight", "[3, 4] f32", "[3, 5] f32", "test_model.c:");
    ck_assert(tg_is_poison(tg_model_param(m, "fc.weight", TG_F64, TG_SHAPE(3, 4), (tg_init){0})));
    expect_error(TG_ERR_SHAPE, "fc.weight", "[3, 4] f32", "[3, 4] f64");
    tg_model_param(m, "n", TG_I64, TG_SCALAR, (tg_init){0});
    expect_error(TG_ERR_DTYPE, "n", "i64");
    tg_model_param(m, "", TG_F32, TG_SCALAR, (tg_init){0});
    expect_error(TG_ERR_ARGUMENT, "name");
    tg_model_param(m, NULL, TG_F32, TG_SCALAR, (tg_init){0});
    expect_error(TG_ERR_ARGUMENT, "name");
    tg_model_param(m, "bad", TG_F32, TG_SHAPE(-1), (tg_init){0});
    expect_error(TG_ERR_SHAPE, "-1");
    tg_model_at(m, 1);
    expect_error(TG_ERR_ARGUMENT, "parameter 1", "a model of 1");
    tg_model_at(m, -1);
    expect_error(TG_ERR_ARGUMENT, "parameter -1");
    ck_assert_int_eq(tg_model_count(m), 1);
    tg_model_free(m);
}
END_TEST

START_TEST(a_null_model_is_an_error) {
    ck_assert(tg_is_poison(tg_model_param(NULL, "w", TG_F32, TG_SCALAR, (tg_init){0})));
    expect_error(TG_ERR_ARGUMENT, "tg_model_param", "NULL");
    ck_assert_int_eq(tg_model_count(NULL), 0);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(tg_is_poison(tg_model_at(NULL, 0)));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(tg_is_poison(tg_model_find(NULL, "w")));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_model_numel(NULL), 0);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(!tg_model_training(NULL));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(!tg_model_set_training(NULL, true));
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_model_zero_grad(NULL);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_model_truncate(NULL, 0, 0);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    tg_model_free(NULL);
    expect_ok();
}
END_TEST

START_TEST(training_mode) {
    tg_model *m = tg_model_new(1);
    ck_assert(tg_model_training(m));
    ck_assert(tg_model_set_training(m, false));
    ck_assert(!tg_model_training(m));
    ck_assert(!tg_model_set_training(m, true));
    ck_assert(tg_model_training(m));
    tg_model_free(m);
}
END_TEST

static tg_status refuse(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng;
    return *(const bool *)init->user ? tg_fail(TG_ERR_IO, "no such file") : TG_ERR_IO;
}

/* Uses ops on the parameter, as a user's initialiser may. */
static tg_status with_ops(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng, (void)init;
    return tg_copy_(w, tg_mul_scalar(tg_ones_with(tg_dtype_of(w), tg_shape_of(w)), 3));
}

START_TEST(initialisers_that_fail_or_use_ops) {
    tg_model *m = tg_model_new(1);
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert(tg_is_poison(
        tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){.fill = refuse, .user = &(bool){true}})));
    expect_error(TG_ERR_IO, "no such file");
    ck_assert(tg_is_poison(
        tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){.fill = refuse, .user = &(bool){false}})));
    expect_error(TG_ERR_IO, "w");
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){.fill = with_ops});
    expect_ok();
    ck_assert(tg_get(w, 0) == 3 && tg_get(w, 1) == 3);
    ck_assert(tg_grad_enabled());
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    tg_model_free(m);
}
END_TEST

START_TEST(a_pending_error_makes_nothing) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
    tg_fail(TG_ERR_IO, "earlier");
    ck_assert(tg_is_poison(tg_model_param(m, "v", TG_F32, TG_SHAPE(2), (tg_init){0})));
    ck_assert_ptr_eq(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0}), w);
    expect_error(TG_ERR_IO, "earlier");
    ck_assert_int_eq(tg_model_count(m), 1);
    tg_model_free(m);
}
END_TEST

START_TEST(a_parameter_freed_by_mistake_is_named) {
    tg_model *m = tg_model_new(1);
    tg_free(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0}));
    ck_assert(tg_is_poison(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0})));
    expect_error(TG_ERR_LIFETIME, "w");
    tg_model_free(m);
    expect_ok();
}
END_TEST

static void ask(void *model) {
    tg_model_param(model, "new.weight", TG_F32, TG_SHAPE(5, 5), tg_init_kaiming_uniform(0));
}

/* Fifteen parameters beforehand, so that one more fills the first table and two more must grow it. */
START_TEST(every_allocation_may_fail) {
    for (int had = 0; had <= 16; had += 16) {
        int64_t failures = 0;
        for (int64_t n = 1, most = 1; n <= most + 3; n++) {
            tg_model *m = tg_model_new(1);
            char name[16];
            for (int i = 0; i < had; i++) {
                snprintf(name, sizeof name, "p%d", i);
                tg_model_param(m, name, TG_F32, TG_SHAPE(3), tg_init_ones());
            }
            if (n == 1) {
                most = count_allocations(ask, m);
                tg_model_truncate(m, had, 0);
            }
            size_t live = tg_memory_now().live_buffer_bytes;
            tg_memory_fail_at(n);
            ask(m);
            tg_memory_fail_at(-1);
            if (tg_error_status() != TG_OK) {
                expect_error(TG_ERR_MEMORY, "");
                failures++;
                ck_assert_int_eq(tg_model_count(m), had);
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                ask(m);
            }
            expect_ok();
            ck_assert_int_eq(tg_model_count(m), had + 1);
            for (int i = 0; i < had; i++) {
                snprintf(name, sizeof name, "p%d", i);
                ck_assert_ptr_eq(tg_model_find(m, name), tg_model_at(m, i));
                ck_assert(tg_get(tg_model_at(m, i), 2) == 1);
            }
            tg_model_free(m);
        }
        ck_assert_int_ge(failures, 4);
    }
    tg_memory_fail_at(1);
    ck_assert_ptr_null(tg_model_new(1));
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "tg_model_new");
}
END_TEST

TCase *tcase_model(void) {
    TCase *t = tcase_create("model");
    tcase_add_test(t, makes_once_and_finds);
    tcase_add_test(t, the_name_is_the_key_even_when_renamed);
    tcase_add_test(t, many_parameters_in_any_order);
    tcase_add_test(t, values_depend_on_seed_and_name_only);
    tcase_add_test(t, another_shape_or_dtype_is_refused);
    tcase_add_test(t, a_null_model_is_an_error);
    tcase_add_test(t, training_mode);
    tcase_add_test(t, initialisers_that_fail_or_use_ops);
    tcase_add_test(t, a_pending_error_makes_nothing);
    tcase_add_test(t, a_parameter_freed_by_mistake_is_named);
    tcase_add_test(t, every_allocation_may_fail);
    return t;
}
