/* Layers of convolution are the ops with parameters of PyTorch's shapes. */
#include "tests/ops/nn/helpers.h"

#include <string.h>

static void expect_equal(const char *what, const tg_tensor *a, const tg_tensor *b) {
    expect_ok();
    ck_assert_msg(tg_shape_equal(tg_shape_of(a), tg_shape_of(b)), "%s: other shapes", what);
    for (int64_t i = 0; i < tg_numel(a); i++)
        ck_assert_msg(tg_get(a, i) == tg_get(b, i), "%s: element %d", what, (int)i);
}

static void expect_shape(const tg_model *m, const char *name, tg_shape shape) {
    ck_assert_msg(tg_shape_equal(tg_shape_of(tg_model_find(m, name)), shape), "%s", name);
}

START_TEST(shapes_and_values) {
    tg_model *m = tg_model_new(1);
    tg_seed(2);
    tg_tensor *line = tg_randn(TG_F64, 2, 4, 9), *image = tg_randn(TG_F64, 2, 4, 6, 7);
#define W(name) tg_model_find(m, name ".weight")
#define B(name) tg_model_find(m, name ".bias")
    tg_tensor *y = tg_nn_conv1d(m, "c1", line, 6, .kernel = 3, .stride = 2, .padding = 1, .groups = 2);
    expect_shape(m, "c1.weight", TG_SHAPE(6, 2, 3));
    expect_equal("conv1d", y,
                 tg_conv1d(line, W("c1"), .bias = B("c1"), .stride = 2, .padding = 1, .groups = 2));
    y = tg_nn_conv_transpose1d(m, "t1", line, 6, .kernel = 3, .stride = 2, .output_padding = 1, .groups = 2);
    expect_shape(m, "t1.weight", TG_SHAPE(4, 3, 3));
    expect_shape(m, "t1.bias", TG_SHAPE(6));
    expect_equal(
        "conv_transpose1d", y,
        tg_conv_transpose1d(line, W("t1"), .bias = B("t1"), .stride = 2, .output_padding = 1, .groups = 2));
    y = tg_nn_conv_transpose2d(m, "t2", image, 6, .kernel = {3, 2}, .stride = {2}, .padding = {1, TG_NONE},
                               .output_padding = {1, TG_NONE}, .dilation = {1, 2}, .groups = 2);
    expect_shape(m, "t2.weight", TG_SHAPE(4, 3, 3, 2));
    expect_equal("conv_transpose2d", y,
                 tg_conv_transpose2d(image, W("t2"), .bias = B("t2"), .stride = {2}, .padding = {1, TG_NONE},
                                     .output_padding = {1, TG_NONE}, .dilation = {1, 2}, .groups = 2));
    ck_assert(tg_shape_equal(tg_shape_of(y), TG_SHAPE(2, 6, 12, 15)));
    y = tg_nn_conv_transpose2d(m, "alone", image, 5, .kernel = {2}, .no_bias = true);
    expect_shape(m, "alone.weight", TG_SHAPE(4, 5, 2, 2));
    expect_equal("no bias", y, tg_conv_transpose2d(image, W("alone")));
    ck_assert_int_eq(tg_model_count(m), 7);
    ck_assert_int_eq(tg_backward(tg_sum(tg_square(y))), TG_OK);
    ck_assert(tg_has_grad(W("alone")));
    tg_model_free(m);
}
END_TEST

START_TEST(wrong_calls) {
    tg_model *m = tg_model_new(1);
    tg_tensor *line = tg_ones(TG_F32, 2, 4, 9), *image = tg_ones(TG_F32, 2, 4, 6, 7);
    tg_nn_conv1d(m, "a", image, 6, .kernel = 3);
    expect_error(TG_ERR_SHAPE, "nn_conv1d: needs an input [images, channels, length]");
    tg_nn_conv1d(m, "a", line, 6);
    expect_error(TG_ERR_ARGUMENT, "nn_conv1d: the kernel must be given");
    tg_nn_conv1d(m, "a", line, 6, .kernel = 3, .output_padding = 1);
    expect_error(TG_ERR_ARGUMENT, "nn_conv1d: ", "output_padding");
    tg_nn_conv2d(m, "a", image, 6, .kernel = {3}, .output_padding = {1});
    expect_error(TG_ERR_ARGUMENT, "nn_conv2d: ", "output_padding");
    tg_nn_conv1d(m, "a", line, 6, .kernel = 3, .groups = 3);
    expect_error(TG_ERR_SHAPE, "nn_conv1d: ", "3 groups");
    tg_nn_conv_transpose1d(m, "a", line, 5, .kernel = 3, .groups = 2);
    expect_error(TG_ERR_SHAPE, "nn_conv_transpose1d: 5 filters cannot be divided among 2 groups");
    tg_nn_conv_transpose1d(m, "a", line, 6, .kernel = 3, .groups = 3);
    expect_error(TG_ERR_SHAPE, "nn_conv_transpose1d: ", "3 groups");
    tg_nn_conv_transpose2d(m, "a", image, 5, .kernel = {3}, .groups = 2, .no_bias = true);
    expect_error(TG_ERR_SHAPE, "nn_conv_transpose2d: 5 filters");
    tg_nn_conv_transpose2d(m, "a", line, 5, .kernel = {3});
    expect_error(TG_ERR_SHAPE, "nn_conv_transpose2d: needs an input [images, channels, height, width]");
    tg_nn_conv_transpose2d(m, "a", image, 0, .kernel = {3});
    expect_error(TG_ERR_ARGUMENT, "nn_conv_transpose2d: ");
    tg_nn_conv_transpose2d(m, "a", image, 2, .kernel = {2}, .groups = -1);
    expect_error(TG_ERR_ARGUMENT, "nn_conv_transpose2d: ", "groups");
    tg_nn_conv_transpose1d(m, NULL, line, 2, .kernel = 2);
    expect_error(TG_ERR_ARGUMENT, "nn_conv_transpose1d: ", "name");
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_model_free(m);
}
END_TEST

/* ---- group_norm, prelu ---- */

START_TEST(group_norm_has_parameters) {
    tg_model *m = tg_model_new(1);
    tg_seed(2);
    tg_tensor *x = tg_randn(TG_F64, 2, 6, 3);
    tg_tensor *y = tg_nn_group_norm(m, "g", x, 3, .eps = 0.25, .init = tg_init_constant(2),
                                    .init_bias = tg_init_constant(3));
    expect_shape(m, "g.weight", TG_SHAPE(6));
    expect_equal("group_norm", y, tg_group_norm(x, 3, .weight = W("g"), .bias = B("g"), .eps = 0.25));
    expect_equal("no affine", tg_nn_group_norm(m, "none", x, 2, .no_affine = true), tg_group_norm(x, 2));
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_nn_group_norm(m, "bad", x, 4);
    expect_error(TG_ERR_SHAPE, "nn_group_norm: 6 channels cannot be divided among 4 groups");
    tg_nn_group_norm(m, "bad", tg_ones(TG_F32, 4), 2);
    expect_error(TG_ERR_SHAPE, "nn_group_norm: needs an input [images, channels, ..]");
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_model_free(m);
}
END_TEST

START_TEST(prelu_has_a_weight) {
    tg_model *m = tg_model_new(1);
    tg_seed(2);
    tg_tensor *x = tg_randn(TG_F64, 2, 3, 4);
    tg_tensor *y = tg_nn_prelu(m, "one", x),
              *z = tg_nn_prelu(m, "each", x, .by_channel = true, .init = tg_init_constant(0.5));
    expect_shape(m, "one.weight", TG_SHAPE(1));
    expect_shape(m, "each.weight", TG_SHAPE(3));
    expect_equal("prelu", y, tg_leaky_relu(x, 0.25));
    expect_equal("prelu by channel", z, tg_leaky_relu(x, 0.5));
    ck_assert_int_eq(tg_backward(tg_sum(z)), TG_OK);
    ck_assert(tg_has_grad(W("each")));
    tg_nn_prelu(m, "bad", tg_ones(TG_F32, 4), .by_channel = true);
    expect_error(TG_ERR_SHAPE, "nn_prelu: needs an input [images, channels, ..]");
    tg_nn_prelu(m, "bad", tg_ones(TG_I64, 4, 2));
    expect_error(TG_ERR_DTYPE, "nn_prelu: ");
    ck_assert_int_eq(tg_model_count(m), 2);
    tg_model_free(m);
}
END_TEST

TCase *tcase_nn_conv(void) {
    TCase *t = tcase_create("layers_of_images");
    tcase_add_test(t, shapes_and_values);
    tcase_add_test(t, wrong_calls);
    tcase_add_test(t, group_norm_has_parameters);
    tcase_add_test(t, prelu_has_a_weight);
    return t;
}
