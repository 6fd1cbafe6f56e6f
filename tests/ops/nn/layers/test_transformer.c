/* Transformer blocks; model/test_model_torch.c has their numbers. */
#include "tests/ops/nn/helpers.h"

enum { N = 2, T = 5, SIZE = 8 };

static void expect_same(const tg_tensor *is, const tg_tensor *want, double tolerance) {
    expect_ok();
    ck_assert(tg_shape_equal(tg_shape_of(is), tg_shape_of(want)));
    for (int64_t i = 0; i < tg_numel(want); i++) expect_close(tg_get(is, i), tg_get(want, i), tolerance);
}

START_TEST(parameters_are_those_of_pytorch) {
    static const char *const names[] = {"b.norm1.weight",
                                        "b.norm1.bias",
                                        "b.self_attn.in_proj_weight",
                                        "b.self_attn.in_proj_bias",
                                        "b.self_attn.out_proj.weight",
                                        "b.self_attn.out_proj.bias",
                                        "b.norm2.weight",
                                        "b.norm2.bias",
                                        "b.linear1.weight",
                                        "b.linear1.bias",
                                        "b.linear2.weight",
                                        "b.linear2.bias"};
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_normal(TG_F32, 0, 1, N, T, SIZE);
    ck_assert(tg_shape_equal(tg_shape_of(tg_nn_transformer_block(m, "b", x, 2)), TG_SHAPE(N, T, SIZE)));
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), COUNT(names));
    for (int i = 0; i < COUNT(names); i++) ck_assert_str_eq(tg_name(tg_model_at(m, i)), names[i]);
    ck_assert(tg_shape_equal(tg_shape_of(tg_model_find(m, "b.linear1.weight")), TG_SHAPE(4 * SIZE, SIZE)));
    tg_nn_transformer_block(m, "c", x, 2, .gated = true, .no_bias = true, .rms_norm = true, .mlp = 3,
                            .memory = tg_ones(TG_F32, N, 2, SIZE));
    ck_assert_int_eq(tg_model_count(m), COUNT(names) + 10);
    ck_assert(tg_shape_equal(tg_shape_of(tg_model_find(m, "c.linear3.weight")), TG_SHAPE(3, SIZE)));
    ck_assert(tg_is_alive(tg_model_find(m, "c.multihead_attn.out_proj.weight")));
    ck_assert(tg_is_alive(tg_model_find(m, "c.norm3.weight")));
    expect_ok();
    tg_model_free(m);
}
END_TEST

/* All that is added is dropped, in training alone. */
START_TEST(dropout_leaves_the_path_around) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, SIZE), *plain = tg_nn_transformer_block(m, "b", x, 2);
    expect_same(tg_nn_transformer_block(m, "b", x, 2, .dropout = 1), x, 0);
    tg_model_set_training(m, false);
    expect_same(tg_nn_transformer_block(m, "b", x, 2, .dropout = 1), plain, 0);
    tg_model_free(m);
}
END_TEST

static tg_tensor *two_blocks(tg_model *m, tg_tensor *x, tg_kv_cache *cache) {
    x = tg_nn_transformer_block(m, "b0", x, 4, .causal = true, .rotary = true, .kv_heads = 2, .gated = true,
                                .cache = cache);
    return tg_nn_transformer_block(m, "b1", x, 4, .causal = true, .rotary = true, .post_norm = true,
                                   .cache = cache);
}

START_TEST(generation_is_one_pass) {
    tg_model *m = tg_model_new(2);
    tg_kv_cache *cache = tg_kv_cache_new(T);
    tg_tensor *x = tg_normal(TG_F64, 0, 1, N, T, SIZE), *want = two_blocks(m, x, NULL);
    bool was = tg_set_grad_enabled(false);
    expect_same(two_blocks(m, tg_narrow(x, 1, 0, 2), cache), tg_narrow(want, 1, 0, 2), 1e-12);
    for (int64_t t = 2; t < T; t++) {
        ck_assert_int_eq(tg_kv_cache_length(cache), t);
        expect_same(two_blocks(m, tg_narrow(x, 1, t, 1), cache), tg_narrow(want, 1, t, 1), 1e-12);
    }
    tg_set_grad_enabled(was);
    tg_kv_cache_free(cache);
    tg_model_free(m);
}
END_TEST

static tg_kv_cache *freed;
static tg_tensor *fails(tg_tensor *x) { return (void)x, NULL; }
static tg_tensor *widens(tg_tensor *x) { return tg_concat(-1, x, x); }
static tg_tensor *frees_the_cache(tg_tensor *x) {
    tg_kv_cache_free(freed);
    return tg_relu(x);
}

START_TEST(wrong_options_leave_no_trace) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, N, T, SIZE);
    tg_nn_transformer_block(m, "b", x, 3);
    expect_error(TG_ERR_SHAPE, "nn_transformer_block: ", "3 heads", "test_transformer.c:");
    tg_nn_transformer_block(m, "b", tg_zeros(TG_F32, T, SIZE), 2);
    expect_error(TG_ERR_SHAPE, "nn_transformer_block: ", "[n, t, size]", "[5, 8]");
    tg_nn_transformer_block(m, "b", x, 2, .mlp = -1);
    expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: ", "-1");
    tg_nn_transformer_block(m, "b", x, 2, .dropout = 2);
    expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: ", "dropout");
    tg_nn_transformer_block(m, "", x, 2);
    expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: ", "name");
    tg_nn_transformer_block(m, "b", x, 2, .memory = tg_zeros(TG_F32, N + 1, T, SIZE));
    expect_error(TG_ERR_SHAPE, "nn_transformer_block: ", "[3, 5, 8]");
    tg_nn_transformer_block(m, "b", x, 2, .activation = fails);
    expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: the activation");
    tg_nn_transformer_block(NULL, "b", x, 2);
    expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: ", "NULL");
    ck_assert_int_eq(tg_model_count(m), 0);
    ck_assert(tg_is_alive(tg_nn_transformer_block(m, "b", x, 2, .activation = widens))); /* linear2 follows */
    ck_assert_int_eq(tg_size(tg_model_find(m, "b.linear2.weight"), 1), 8 * SIZE);
    bool was = tg_set_grad_enabled(false);
    for (int grown = 0; grown < 2; grown++) {
        freed = tg_kv_cache_new(64);
        for (int i = 0; i < 3 * grown; i++) two_blocks(m, x, freed);
        tg_nn_transformer_block(m, "c", x, 2, .activation = frees_the_cache, .cache = freed);
        expect_error(TG_ERR_ARGUMENT, "nn_transformer_block: ", "was freed");
    }
    tg_set_grad_enabled(was);
    expect_ok();
    tg_model_free(m);
}
END_TEST

/* Whatever fails, in front of the cache or behind it, the cache is as before. */
START_TEST(every_allocation_may_fail) {
    int failures = 0;
    bool was = tg_set_grad_enabled(_i > 0), failed = true;
    for (int64_t n = 1; failed; n++) {
        tg_mark mark = tg_tape_mark();
        tg_model *m = tg_model_new(1);
        tg_kv_cache *cache = _i ? NULL : tg_kv_cache_new(64);
        tg_tensor *x = tg_ones(TG_F32, N, 3, SIZE);
        size_t live = tg_memory_now().live_buffer_bytes;
        int64_t tensors = tg_tape_tensors();
        tg_memory_fail_at(n);
        tg_nn_transformer_block(m, "b", x, 2, .causal = true, .dropout = 0.25, .cache = cache);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        if (failed) {
            failures++;
            expect_error(TG_ERR_MEMORY, ""); /* an activation names itself */
            if (cache) ck_assert_int_eq(tg_kv_cache_length(cache), 0);
            ck_assert_int_eq(tg_model_count(m), 0);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            ck_assert_int_eq(tg_tape_tensors(), tensors);
        }
        ck_assert_int_eq(tg_model_count(m), failed ? 0 : 12);
        tg_kv_cache_free(cache);
        tg_model_free(m);
        tg_tape_rewind(mark);
        ck_assert_int_lt(n, 1000);
    }
    tg_set_grad_enabled(was);
    ck_assert_int_ge(failures, 15);
}
END_TEST

TCase *tcase_transformer(void) {
    TCase *t = tcase_create("transformer");
    tcase_add_test(t, parameters_are_those_of_pytorch);
    tcase_add_test(t, dropout_leaves_the_path_around);
    tcase_add_test(t, generation_is_one_pass);
    tcase_add_test(t, wrong_options_leave_no_trace);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 2);
    return t;
}
