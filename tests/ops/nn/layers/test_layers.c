#include "tests/ops/nn/helpers.h"

/* x, W, b and the gradient of y, of sizes [rows, IN], [OUT, IN], [OUT] and [rows, OUT] */
enum { IN = 3, OUT = 2 };

static double number(int i) { return (double)((i * 7) % 11) / 4 - 1; }

static tg_tensor *numbers(tg_dtype dtype, tg_shape shape, int from) {
    tg_tensor *t = tg_zeros_with(dtype, shape);
    for (int i = 0; i < tg_numel(t); i++) tg_array_set(tg_array_of(t), i, number(from + i));
    return t;
}

static tg_status fill_numbers(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng, (void)init;
    return tg_copy_(w, numbers(tg_dtype_of(w), tg_shape_of(w), 100));
}

/* Shapes of x: [.., IN]. */
static const tg_shape inputs[] = {{1, {IN}},          {2, {1, IN}}, {2, {4, IN}},   {3, {2, 3, IN}},
                                  {4, {2, 1, 3, IN}}, {2, {0, IN}}, {3, {2, 0, IN}}};

/* All values are multiples of 1/16, so that both dtypes give them exactly. */
static void check_dense(tg_dtype dtype, tg_shape shape, bool bias) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_set_requires_grad(numbers(dtype, shape, 0), true);
    tg_tensor *y = tg_nn_linear(m, "fc", x, OUT, .no_bias = !bias, .init = {.fill = fill_numbers});
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), bias ? 2 : 1);
    tg_tensor *w = tg_model_find(m, "fc.weight"), *b = bias ? tg_model_find(m, "fc.bias") : NULL;
    if (bias) {
        for (int o = 0; o < OUT; o++) ck_assert(fabs(tg_get(b, o)) <= 1 / sqrt(IN));
        bool was = tg_set_grad_enabled(false);
        tg_copy_(b, numbers(dtype, TG_SHAPE(OUT), 50));
        tg_set_grad_enabled(was);
        y = tg_nn_linear(m, "fc", x, OUT);
    }
    shape.dim[shape.rank - 1] = OUT;
    ck_assert(tg_shape_equal(tg_shape_of(y), shape));
    ck_assert_int_eq(tg_dtype_of(y), dtype);
    tg_tensor *dy = numbers(dtype, shape, 30);
    ck_assert_msg(tg_backward(y, .seed = dy) == TG_OK, "%s", tg_error_message());

    int rows = (int)(tg_numel(x) / IN);
    double dw[OUT][IN] = {{0}}, db[OUT] = {0};
    for (int r = 0; r < rows; r++) {
        double dx[IN] = {0};
        for (int o = 0; o < OUT; o++) {
            double sum = bias ? number(50 + o) : 0, g = number(30 + r * OUT + o);
            for (int i = 0; i < IN; i++) {
                sum += number(r * IN + i) * number(100 + o * IN + i);
                dx[i] += g * number(100 + o * IN + i);
                dw[o][i] += g * number(r * IN + i);
            }
            db[o] += g;
            expect_close(tg_get(y, r * OUT + o), sum, 0);
        }
        for (int i = 0; i < IN; i++) expect_close(tg_get(tg_grad_of(x), r * IN + i), dx[i], 0);
    }
    expect_elements(tg_grad_of(w), &dw[0][0], 0);
    if (bias) expect_elements(tg_grad_of(b), db, 0);
    tg_model_free(m);
}

START_TEST(dense_is_x_wt_plus_b) {
    for (int i = 0; i < COUNT(inputs); i++)
        for (int bias = 0; bias < 2; bias++) {
            tg_mark before = tg_tape_mark();
            check_dense(_i ? TG_F64 : TG_F32, inputs[i], bias);
            tg_tape_rewind(before);
        }
}
END_TEST

/* One name twice: f(x) = fc(fc(x)); the gradient is the sum over both uses. */
START_TEST(one_name_is_one_parameter) {
    tg_model *m = tg_model_new(3);
    double v[] = {0.5, -1.5};
    tg_tensor *x = tg_from(TG_F64, v, 1, 2);
    tg_tensor *h = tg_nn_linear(m, "fc", x, 2), *y = tg_nn_linear(m, "fc", h, 2);
    ck_assert_int_eq(tg_model_count(m), 2);
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    tg_tensor *w = tg_model_find(m, "fc.weight");
    double want[4], db[2];
    for (int o = 0; o < 2; o++) {
        double through = tg_get(w, o) + tg_get(w, 2 + o); /* d sum(y) / dh[o] */
        for (int i = 0; i < 2; i++) want[2 * o + i] = tg_get(h, i) + through * v[i];
        db[o] = 1 + through;
    }
    expect_elements(tg_grad_of(w), want, 1e-15);
    expect_elements(tg_grad_of(tg_model_find(m, "fc.bias")), db, 1e-15);
    tg_model_free(m);
}
END_TEST

START_TEST(wrong_inputs_name_the_culprit) {
    tg_model *m = tg_model_new(1);
    tg_nn_linear(m, "fc1", tg_zeros(TG_F32, 2, 784), 8);
    expect_ok();
    int64_t tensors = tg_tape_tensors();
    ck_assert(tg_is_poison(tg_nn_linear(m, "fc1", tg_zeros(TG_F32, 2, 785), 8)));
    expect_error(TG_ERR_SHAPE, "fc1.weight", "[8, 784] f32", "[8, 785] f32", "test_layers.c:");
    ck_assert(tg_is_poison(tg_nn_linear(m, "fc1", tg_zeros(TG_F64, 2, 784), 8)));
    expect_error(TG_ERR_SHAPE, "fc1.weight", "f32", "f64");
    tg_nn_linear(m, "fc1", tg_zeros(TG_F32, 2, 784), 9);
    expect_error(TG_ERR_SHAPE, "fc1.weight", "[8, 784]", "[9, 784]");
    tg_nn_linear(m, "fc2", tg_scalar(TG_F32, 1), 8);
    expect_error(TG_ERR_SHAPE, "nn_linear", "[] f32");
    tg_nn_linear(m, "fc2", tg_zeros(TG_I64, 2, 4), 8);
    expect_error(TG_ERR_DTYPE, "nn_linear", "[2, 4] i64");
    tg_nn_linear(m, "fc2", tg_zeros(TG_F32, 2, 4), 0);
    expect_error(TG_ERR_ARGUMENT, "nn_linear", "0");
    tg_nn_linear(m, "", tg_zeros(TG_F32, 2, 4), 3);
    expect_error(TG_ERR_ARGUMENT, "name");
    tg_nn_linear(m, NULL, tg_zeros(TG_F32, 2, 4), 3);
    expect_error(TG_ERR_ARGUMENT, "name");
    tg_nn_linear(NULL, "fc", tg_zeros(TG_F32, 2, 4), 3);
    expect_error(TG_ERR_ARGUMENT, "model is NULL");
    tg_nn_linear(m, "fc2", NULL, 3);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_model_count(m), 2);
    ck_assert_int_eq(tg_tape_tensors(), tensors + 9); /* the inputs above, and nothing of the layer's */
    tg_model_free(m);
}
END_TEST

START_TEST(long_names_fit_or_are_refused) {
    tg_model *m = tg_model_new(1);
    char name[300];
    memset(name, 'a', sizeof name);
    name[248] = 0;
    ck_assert(tg_is_alive(tg_nn_linear(m, name, tg_zeros(TG_F32, 1, 2), 2)));
    expect_ok();
    name[248] = 'a', name[249] = 0;
    ck_assert(tg_is_poison(tg_nn_linear(m, name, tg_zeros(TG_F32, 1, 2), 2)));
    expect_error(TG_ERR_ARGUMENT, "248");
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_model_free(m);
}
END_TEST

/* The first error goes through, and no parameter is made. */
START_TEST(poison_passes_through) {
    tg_model *m = tg_model_new(1);
    tg_tensor *bad = tg_matmul(tg_zeros(TG_F32, 2, 3), tg_zeros(TG_F32, 4, 5));
    ck_assert(tg_is_poison(tg_nn_linear(m, "b", tg_relu(tg_nn_linear(m, "a", bad, 5)), 2)));
    expect_error(TG_ERR_SHAPE, "matmul", "[2, 3]", "[4, 5]");
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_model_free(m);
}
END_TEST

/* No product without the bias stays beside y. */
START_TEST(dense_keeps_its_output_alone) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, 1024, 8);
    tg_nn_linear(m, "fc", x, 256);
    size_t before = tg_memory_now().live_buffer_bytes;
    tg_nn_linear(m, "fc", x, 256);
    size_t grown = tg_memory_now().live_buffer_bytes - before, one = 1024 * 256 * sizeof(float);
    ck_assert_uint_ge(grown, one);
    ck_assert_uint_lt(grown, one + one / 2);
    expect_ok();
    tg_model_free(m);
}
END_TEST

/* ---- convolution, norm, embedding ---- */

START_TEST(conv_layer_is_conv2d) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = numbers(TG_F64, TG_SHAPE(2, 4, 6, 7), 0);
    tg_tensor *y =
        tg_nn_conv2d(m, "c", x, 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, TG_NONE}, .groups = 2);
    tg_tensor *w = tg_model_find(m, "c.weight"), *b = tg_model_find(m, "c.bias");
    expect_ok();
    ck_assert(tg_shape_equal(tg_shape_of(w), TG_SHAPE(6, 2, 3, 2)));
    ck_assert(tg_shape_equal(tg_shape_of(b), TG_SHAPE(6)));
    tg_tensor *z = tg_conv2d(x, w, .bias = b, .stride = {2, 1}, .padding = {1, TG_NONE}, .groups = 2);
    ck_assert(tg_shape_equal(tg_shape_of(y), tg_shape_of(z)));
    for (int64_t i = 0; i < tg_numel(y); i++) ck_assert_double_eq(tg_get(y, i), tg_get(z, i));
    ck_assert_int_eq(tg_backward(tg_sum(tg_square(y))), TG_OK);
    ck_assert(tg_has_grad(w) && tg_has_grad(b));
    tg_nn_conv2d(m, "square", x, 3, .kernel = {2}, .no_bias = true);
    ck_assert(tg_shape_equal(tg_shape_of(tg_model_find(m, "square.weight")), TG_SHAPE(3, 4, 2, 2)));
    ck_assert_int_eq(tg_model_count(m), 3);
    expect_ok();
    tg_nn_conv2d(m, "left out", x, 3);
    expect_error(TG_ERR_ARGUMENT,
                 "nn_conv2d: ", "the kernel must be given, with positive sizes, and is {0, 0}");
    tg_nn_conv2d(m, "flat", x, 3, .kernel = {0, 2});
    expect_error(TG_ERR_ARGUMENT, "nn_conv2d: ", "{0, 2}");
    tg_nn_conv2d(m, "negative", x, 3, .kernel = {3, -1});
    expect_error(TG_ERR_ARGUMENT, "nn_conv2d: ", "{3, -1}");
    tg_nn_conv2d(m, "big", x, 3, .kernel = {9, 9});
    expect_error(TG_ERR_SHAPE, "nn_conv2d: ", "a window of [9, 9]");
    tg_nn_conv2d(m, "flat", tg_zeros(TG_F32, 4, 4), 3);
    expect_error(TG_ERR_SHAPE, "nn_conv2d", "[4, 4]");
    tg_nn_conv2d(m, "none", x, 0);
    expect_error(TG_ERR_ARGUMENT, "nn_conv2d", "0");
    ck_assert_int_eq(tg_model_count(m), 3); /* what failed left nothing */
    tg_model_free(m);
}
END_TEST

START_TEST(layer_norm_has_parameters) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = numbers(TG_F64, TG_SHAPE(2, 3, 4), 0), *y = tg_nn_layer_norm(m, "n", x, .eps = 0.25);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_tensor *w = tg_model_find(m, "n.weight"), *b = tg_model_find(m, "n.bias");
    for (int i = 0; i < 4; i++) ck_assert(tg_get(w, i) == 1 && tg_get(b, i) == 0);
    ck_assert(tg_shape_equal(tg_shape_of(w), TG_SHAPE(4)) && tg_shape_equal(tg_shape_of(b), TG_SHAPE(4)));
    tg_tensor *want = tg_layer_norm(x, .eps = 0.25);
    for (int64_t i = 0; i < tg_numel(x); i++) expect_close(tg_get(y, i), tg_get(want, i), 0);
    ck_assert_int_eq(tg_backward(tg_sum(tg_nn_layer_norm(m, "n", x))), TG_OK);
    ck_assert(tg_has_grad(w) && tg_has_grad(b));
    tg_nn_rms_norm(m, "r", x);
    tg_nn_layer_norm(m, "nb", x, .no_bias = true);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 4);
    ck_assert_str_eq(tg_name(tg_model_at(m, 2)), "r.weight");
    tg_nn_layer_norm(m, "n", numbers(TG_F64, TG_SHAPE(2, 5), 0));
    expect_error(TG_ERR_SHAPE, "n.weight", "[5]", "[4]");
    tg_nn_layer_norm(m, "s", tg_scalar(TG_F32, 1));
    expect_error(TG_ERR_SHAPE, "nn_layer_norm", "[] f32");
    tg_nn_layer_norm(m, "", numbers(TG_F64, TG_SHAPE(2, 5), 0));
    expect_error(TG_ERR_ARGUMENT, "nn_layer_norm", "name");
    ck_assert_int_eq(tg_model_count(m), 4);
    tg_model_free(m);
}
END_TEST

START_TEST(embed_takes_rows) {
    const int64_t at[4] = {2, 0, -1, 2};
    tg_model *m = tg_model_new(1);
    tg_tensor *index = tg_from(TG_I64, at, 2, 2),
              *y = tg_nn_embedding(m, "tok", index, 3, 2, .init = {.fill = fill_numbers});
    expect_ok();
    ck_assert(tg_shape_equal(tg_shape_of(y), TG_SHAPE(2, 2, 2)));
    const double want[8] = {number(104), number(105), number(100), number(101),
                            number(104), number(105), number(104), number(105)};
    expect_elements(y, want, 0);
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    const double counts[6] = {1, 1, 0, 0, 3, 3};
    expect_elements(tg_grad_of(tg_model_find(m, "tok.weight")), counts, 0);
    ck_assert_int_eq(tg_dtype_of(tg_nn_embedding(m, "wide", index, 50, 40, .f64 = true)), TG_F64);
    tg_tensor *w = tg_model_find(m, "wide.weight");
    double mean = 0, square = 0;
    for (int i = 0; i < 2000; i++) mean += tg_get(w, i) / 2000, square += tg_get(w, i) * tg_get(w, i) / 2000;
    ck_assert_double_lt(fabs(mean), 0.12);
    ck_assert_double_lt(fabs(square - 1), 0.2);
    tg_nn_embedding(m, "bad", index, 2, 2);
    expect_error(TG_ERR_ARGUMENT, "2");
    tg_nn_embedding(m, "bad", index, 0, 2);
    expect_error(TG_ERR_ARGUMENT, "nn_embedding", "0");
    tg_nn_embedding(m, "bad", tg_zeros(TG_F32, 2), 3, 2);
    expect_error(TG_ERR_DTYPE, "f32");
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_model_free(m);
}
END_TEST

typedef struct layer_call {
    tg_model *model;
    tg_tensor *x;
} layer_call;

static void call_layer(void *context) {
    layer_call *c = context;
    tg_nn_linear(c->model, "fc", c->x, 4);
}

/* On a model without the layer and on one that has it, with a gradient. */
static void check_failures(bool there) {
    int64_t failures = 0;
    for (int64_t n = 1, most = 1; n <= most + 3; n++) {
        tg_mark before = tg_tape_mark();
        tg_model *m = tg_model_new(1);
        layer_call c = {m, tg_ones(TG_F32, 2, 3, 5)};
        tg_nn_linear(m, "first", tg_ones(TG_F32, 5), 2);
        if (there) ck_assert_int_eq(tg_backward(tg_sum(tg_nn_linear(m, "fc", c.x, 4))), TG_OK);
        int had = tg_model_count(m);
        if (n == 1) {
            most = count_allocations(call_layer, &c);
            tg_model_truncate(m, had, 0);
        }
        size_t size;
        tg_tensor *last = tg_model_at(m, had - 2);
        void *value = bytes_of(last, &size);
        size_t live = tg_memory_now().live_buffer_bytes;
        int64_t nodes = tg_tape_nodes();
        tg_memory_fail_at(n);
        call_layer(&c);
        tg_memory_fail_at(-1);
        if (tg_error_status() != TG_OK) {
            failures++;
            expect_error(TG_ERR_MEMORY, "");
            ck_assert_int_eq(tg_model_count(m), had);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            ck_assert_int_eq(tg_tape_nodes(), nodes);
            ck_assert_mem_eq(tg_data(last), value, size);
            ck_assert(tg_has_grad(last) == there);
            if (there) ck_assert(tg_get(tg_grad_of(last), 0) == 6);
            call_layer(&c);
        }
        expect_ok();
        ck_assert_int_eq(tg_model_count(m), 4);
        free(value);
        tg_model_free(m);
        tg_tape_rewind(before);
    }
    ck_assert_int_ge(failures, there ? 1 : 6);
}

/* The buffers of a layer, too, are made whole or not at all. */
START_TEST(every_allocation_of_batch_norm_may_fail) {
    bool failed = true;
    for (int64_t n = 1; failed; n++) {
        tg_mark before = tg_tape_mark();
        tg_model *m = tg_model_new(1);
        tg_tensor *x = tg_randn(TG_F32, 4, 3);
        tg_memory_fail_at(n);
        tg_nn_batch_norm(m, "bn", x, .no_affine = true);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        if (failed) expect_error(TG_ERR_MEMORY, "nn_batch_norm");
        ck_assert_int_eq(tg_model_buffer_count(m), failed ? 0 : 3);
        tg_model_free(m);
        tg_tape_rewind(before);
    }
}
END_TEST

START_TEST(every_allocation_may_fail) { check_failures(_i); }
END_TEST

TCase *tcase_layers(void) {
    TCase *t = tcase_create("layers");
    tcase_add_loop_test(t, dense_is_x_wt_plus_b, 0, 2);
    tcase_add_test(t, one_name_is_one_parameter);
    tcase_add_test(t, conv_layer_is_conv2d);
    tcase_add_test(t, layer_norm_has_parameters);
    tcase_add_test(t, embed_takes_rows);
    tcase_add_test(t, every_allocation_of_batch_norm_may_fail);
    tcase_add_test(t, wrong_inputs_name_the_culprit);
    tcase_add_test(t, long_names_fit_or_are_refused);
    tcase_add_test(t, poison_passes_through);
    tcase_add_test(t, dense_keeps_its_output_alone);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, 2);
    return t;
}
