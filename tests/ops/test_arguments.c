/* Arguments that are no tensors: pointers, counts, numbers and enums that no function may take on trust. */
#include "tests/ops/harness.h"
#include "ops/shared.h"
#include "tests/ops/state.h"

#include <math.h>

static tg_tensor *x, *y, *image; /* [2, 3], [2, 3], [1, 2, 4, 4], f64 */

static void setup(void) {
    tg_error_clear();
    x = tg_set_requires_grad(tg_uniform(TG_F64, 0, 1, 2, 3), true);
    y = tg_ones(TG_F64, 2, 3);
    image = tg_uniform(TG_F64, 0, 1, 1, 2, 4, 4);
}

static void teardown(void) { tg_error_clear(); }

/* The call raises this status, its message begins with `who` and says `what`, and nothing has changed. */
#define REFUSED(call, status, who, what) \
    do { \
        state before = state_of(2, (tg_tensor *[]){x, y}); \
        tg_error_clear(); \
        (void)(call); \
        const char *message = tg_error_message(); \
        ck_assert_msg(tg_error_status() == (status), "%s: %s %s", #call, tg_status_name(tg_error_status()), \
                      message); \
        ck_assert_msg(strncmp(message, who ": ", strlen(who ": ")) == 0, "%s: %s", #call, message); \
        ck_assert_msg(strstr(message, what), "%s lacks %s: %s", #call, what, message); \
        expect_state(#call, &before, 2, (tg_tensor *[]){x, y}); \
    } while (0)

START_TEST(pointers_and_counts) {
    tg_tensor *some[2] = {x, y}, *out[2], *none[2] = {x, NULL};
    const int64_t sizes[2] = {1, 1}, negative[2] = {3, -1};
    static const int counts[] = {0, -1, -2, INT32_MIN};
    for (int i = 0; i < COUNT(counts); i++) {
        REFUSED(tg_concat_with(0, counts[i], some), TG_ERR_ARGUMENT, "concat", "at least one");
        REFUSED(tg_stack_with(0, counts[i], some), TG_ERR_ARGUMENT, "stack", "at least one");
        REFUSED(tg_einsum_with("ij->i", counts[i], some), TG_ERR_ARGUMENT, "einsum", "at least one");
        REFUSED(tg_apply(&tg_op_concat, some, counts[i], &(int64_t){0}), TG_ERR_ARGUMENT, "concat",
                "at least one");
        REFUSED(tg_chunk(x, 0, counts[i], out), TG_ERR_ARGUMENT, "chunk", "pieces");
        if (counts[i]) REFUSED(tg_split(x, 0, counts[i], sizes, out), TG_ERR_ARGUMENT, "split", "pieces");
    }
    REFUSED(tg_concat_with(0, 2, NULL), TG_ERR_ARGUMENT, "concat", "NULL");
    REFUSED(tg_concat_with(0, 2, none), TG_ERR_ARGUMENT, "concat", "NULL");
    REFUSED(tg_stack_with(0, 2, NULL), TG_ERR_ARGUMENT, "stack", "NULL");
    REFUSED(tg_stack_with(0, 2, none), TG_ERR_ARGUMENT, "stack", "NULL");
    REFUSED(tg_einsum_with("ij->i", 1, NULL), TG_ERR_ARGUMENT, "einsum", "operand");
    REFUSED(tg_einsum_with(NULL, 1, some), TG_ERR_ARGUMENT, "einsum", "equation");
    REFUSED(tg_split(x, 0, 2, NULL, out), TG_ERR_ARGUMENT, "split", "sizes");
    REFUSED(tg_split(x, 0, 2, sizes, NULL), TG_ERR_ARGUMENT, "split", "pieces");
    REFUSED(tg_split(x, 0, 2, negative, out), TG_ERR_ARGUMENT, "split", "3");
    REFUSED(tg_chunk(x, 0, 2, NULL), TG_ERR_ARGUMENT, "chunk", "pieces");
    REFUSED(tg_op_find(NULL), TG_ERR_ARGUMENT, "tg_op_find", "NULL");
    REFUSED(tg_op_table(NULL), TG_ERR_ARGUMENT, "tg_op_table", "number");
}
END_TEST

START_TEST(ranks) {
    static const int odd_ranks[] = {-1, 9, 100, INT32_MIN, INT32_MAX};
    for (int i = 0; i < COUNT(odd_ranks); i++) {
        tg_shape odd = {odd_ranks[i], {0}};
        REFUSED(tg_sum_to(x, odd), TG_ERR_SHAPE, "sum_to", "axes");
        REFUSED(tg_reshape_with(x, odd), TG_ERR_SHAPE, "reshape", "axes");
        REFUSED(tg_expand_with(x, odd), TG_ERR_SHAPE, "expand", "axes");
        REFUSED(tg_broadcast_to_with(x, odd), TG_ERR_SHAPE, "broadcast_to", "axes");
        REFUSED(tg_permute_with(x, odd), TG_ERR_ARGUMENT, "permute", "axes");
        REFUSED(tg_tile_with(x, odd), TG_ERR_ARGUMENT, "tile", "axes");
        REFUSED(tg_repeat_with(x, odd), TG_ERR_ARGUMENT, "repeat", "axis");
        REFUSED(tg_flip_with(x, odd), TG_ERR_ARGUMENT, "flip", "axes");
        REFUSED(tg_sum(x, .axes = odd), TG_ERR_ARGUMENT, "sum", "axes");
        REFUSED(tg_var(x, .axes = odd), TG_ERR_ARGUMENT, "var", "axes");
        REFUSED(tg_std(x, .axes = odd), TG_ERR_ARGUMENT, "std", "axes");
        REFUSED(tg_norm(x, .axes = odd), TG_ERR_ARGUMENT, "norm", "axes");
        REFUSED(tg_norm(x, .axes = odd, .p = INFINITY), TG_ERR_ARGUMENT, "norm", "axes");
        REFUSED(tg_count_nonzero(x, .axes = odd), TG_ERR_ARGUMENT, "count_nonzero", "axes");
        REFUSED(tg_logsumexp(x, .axes = odd), TG_ERR_ARGUMENT, "logsumexp", "axes");
        REFUSED(tg_pad(x, .before = odd), TG_ERR_ARGUMENT, "pad", "axes");
        REFUSED(tg_pad(x, .after = odd, .mode = TG_PAD_REFLECT), TG_ERR_ARGUMENT, "pad", "axes");
    }
    REFUSED(tg_sum_to(x, TG_SHAPE(-2, 3)), TG_ERR_SHAPE, "sum_to", "[-2, 3]");
}
END_TEST

/* Numbers where a default stands for 0, and 0 itself can be asked for. */
START_TEST(numbers) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, -1e-3};
    tg_tensor *w = tg_ones(TG_F64, 2), *running = tg_ones(TG_F64, 2);
    for (int i = 0; i < COUNT(odd); i++) {
        double v = odd[i];
        REFUSED(tg_layer_norm(x, .eps = v), TG_ERR_ARGUMENT, "layer_norm", "eps");
        REFUSED(tg_rms_norm(x, .eps = v), TG_ERR_ARGUMENT, "rms_norm", "eps");
        REFUSED(tg_group_norm(image, 2, .weight = w, .eps = v), TG_ERR_ARGUMENT, "group_norm", "eps");
        REFUSED(tg_batch_norm(image, .training = true, .eps = v), TG_ERR_ARGUMENT, "batch_norm", "eps");
        REFUSED(tg_batch_norm(image, .training = true, .running_mean = running, .momentum = v),
                TG_ERR_ARGUMENT, "batch_norm", "momentum");
        if (i < 3) REFUSED(tg_var(x, .correction = v), TG_ERR_ARGUMENT, "var", "correction");
        if (i < 3) REFUSED(tg_std(x, .correction = v), TG_ERR_ARGUMENT, "std", "correction");
        if (i < 3)
            REFUSED(tg_scaled_dot_product_attention(x, x, x, .scale = v), TG_ERR_ARGUMENT,
                    "scaled_dot_product_attention", "scale");
        if (i < 3) REFUSED(tg_arange(TG_F64, 0, v, 1), TG_ERR_ARGUMENT, "arange", "from 0");
        if (i < 3) REFUSED(tg_linspace(TG_F64, v, 1, 3), TG_ERR_ARGUMENT, "linspace", "to 1");
        REFUSED(tg_dropout(x, v, true), TG_ERR_ARGUMENT, "dropout", "probability");
        if (v != INFINITY) REFUSED(tg_norm(x, .p = v == -INFINITY ? -1 : v), TG_ERR_ARGUMENT, "norm", "p is");
    }
    for (int i = 0; i < 2; i++) ck_assert_double_eq(tg_get(running, i), 1);
    REFUSED(tg_batch_norm(image, .training = true, .momentum = 1.5), TG_ERR_ARGUMENT, "batch_norm", "momentum");
    REFUSED(tg_arange(TG_F64, 5, 4.5, 1), TG_ERR_ARGUMENT, "arange", "from 5 to 4.5");
    REFUSED(tg_arange(TG_I32, 0, 0.25, -1), TG_ERR_ARGUMENT, "arange", "steps of -1");
    REFUSED(tg_linspace(TG_F32, 0, 1, -1), TG_ERR_ARGUMENT, "linspace", "-1");
    REFUSED(tg_eye(TG_F32, -1, 2), TG_ERR_SHAPE, "eye", "-1");
    REFUSED(tg_eye((tg_dtype)9, 1, 2), TG_ERR_DTYPE, "eye", "9");
    ck_assert_int_eq(tg_numel(tg_arange(TG_F64, 5, 5, 1)), 0);
    tg_tensor *wide = tg_linspace(TG_F64, -1.5e308, 1.5e308, 3);
    for (int i = 0; i < 3; i++) ck_assert_double_eq(tg_get(wide, i), (i - 1) * 1.5e308);
}
END_TEST

START_TEST(zero_can_be_asked_for) {
    const double v[4] = {3, -3, 3, -3}, two[2] = {1, 3};
    tg_tensor *rows = tg_from(TG_F64, v, 1, 4), *pair = tg_from(TG_F64, two, 2);
    tg_tensor *z = tg_layer_norm(rows, .eps = TG_ZERO); /* 3 / sqrt(9), to the bit */
    for (int i = 0; i < 4; i++) ck_assert_double_eq(tg_get(z, i), v[i] / 3);
    ck_assert_double_lt(tg_get(tg_layer_norm(rows, .eps = 0), 0), 1);
    z = tg_rms_norm(rows, .eps = TG_ZERO);
    for (int i = 0; i < 4; i++) ck_assert_double_eq(tg_get(z, i), v[i] / 3);
    ck_assert_double_eq(tg_item(tg_var(pair, .correction = TG_ZERO)), 1);
    ck_assert_double_eq(tg_item(tg_var(pair)), 2);
    tg_tensor *q = tg_ones(TG_F64, 1, 2), *k = tg_from(TG_F64, ((double[]){9, 9, -9, -9}), 2, 2);
    tg_tensor *values = tg_from(TG_F64, two, 2, 1);
    ck_assert_double_eq_tol(tg_item(tg_scaled_dot_product_attention(q, k, values, .scale = TG_ZERO)), 2, 1e-15);
    tg_tensor *mean = tg_zeros(TG_F64, 2), *b = tg_reshape(tg_from(TG_F64, v, 4), 2, 2);
    tg_batch_norm(b, .running_mean = mean, .training = true, .momentum = TG_ZERO);
    ck_assert_double_eq(tg_get(mean, 0), 0);
    tg_batch_norm(b, .running_mean = mean, .training = true);
    ck_assert_double_eq_tol(tg_get(mean, 0), 0.3, 1e-15);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
}
END_TEST

START_TEST(modes_and_windows) {
    for (int i = 2; i < 4; i++) {
        REFUSED(tg_interpolate(image, .size = {2, 2}, .mode = (tg_interpolation)i), TG_ERR_ARGUMENT,
                "interpolate", "mode");
        REFUSED(tg_pad(x, .before = TG_SHAPE(1), .mode = (tg_pad_mode)(i + 1)), TG_ERR_ARGUMENT, "pad", "mode");
    }
    REFUSED(tg_interpolate(image, .scale = {NAN, 1}), TG_ERR_ARGUMENT, "interpolate", "scale");
    REFUSED(tg_interpolate(image, .size = {INT64_MAX, 1}), TG_ERR_ARGUMENT, "interpolate", "size");
    REFUSED(tg_conv2d(image, image, .output_padding = {1, 0}), TG_ERR_ARGUMENT, "conv2d", "output_padding");
    REFUSED(tg_conv2d_input(image, image, 4, 4, .output_padding = {0, 1}), TG_ERR_ARGUMENT, "conv2d_input",
            "output_padding");
    REFUSED(tg_conv2d_weight(image, image, 1, 1, .output_padding = {1, 1}), TG_ERR_ARGUMENT, "conv2d_weight",
            "output_padding");
    REFUSED(tg_avg_pool2d_input(image, INT64_MIN, 4, .kernel = {1, 1}), TG_ERR_SHAPE, "avg_pool2d_input",
            "needs");
    REFUSED(tg_avg_pool2d_input(image, 4, 4, .kernel = {0, 1}), TG_ERR_ARGUMENT, "avg_pool2d_input", "kernel");
    REFUSED(tg_adaptive_avg_pool2d(image, 0, 4), TG_ERR_SHAPE, "adaptive_avg_pool2d", "0 by 4");
    REFUSED(tg_adaptive_avg_pool2d(image, INT64_MAX, 4), TG_ERR_SHAPE, "adaptive_avg_pool2d", "too many");
    tg_tensor *no_channels = tg_zeros(TG_F64, 4, 0, 2), *indices = tg_zeros(TG_I64, 2);
    REFUSED(tg_group_norm(no_channels, INT64_C(1) << 62), TG_ERR_SHAPE, "group_norm", "groups");
    REFUSED(tg_one_hot(indices, INT64_MAX), TG_ERR_SHAPE, "one_hot", "elements");
    static const int64_t far[] = {INT64_MAX, INT64_MIN, INT64_C(1) << 62};
    for (int i = 0; i < COUNT(far); i++) { /* no overflow on the way to an empty part, or an error */
        ck_assert_int_eq(tg_numel(tg_diagonal(x, far[i], 0, 1)), 0);
        ck_assert_int_eq(tg_numel(tg_roll(x, far[i], 0)), 6);
        tg_tril(x, far[i]), tg_triu(x, far[i]);
        tg_slice(x, 0, far[i], far[i], far[i]);
        ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
        REFUSED(tg_narrow(x, 0, far[i], far[i]), TG_ERR_ARGUMENT, "narrow", "start");
        REFUSED(tg_select(x, 0, far[i]), TG_ERR_ARGUMENT, "select", "index");
        REFUSED(tg_topk(x, far[i], 0), TG_ERR_ARGUMENT, "topk", "out of range for axis 0 of size 2");
        REFUSED(tg_diag_embed(x, far[i]), TG_ERR_SHAPE, "diag_embed", "large");
        REFUSED(tg_pad(x, .before = TG_SHAPE(far[i])), TG_ERR_SHAPE, "pad", "cannot be padded by");
        REFUSED(tg_unfold(image, .kernel = {1, 1}, .padding = {far[i] == TG_NONE ? -1 : far[i], TG_NONE}),
                TG_ERR_ARGUMENT, "unfold", "padding");
        REFUSED(tg_max_pool2d(image, .kernel = {far[i], 1}), TG_ERR_ARGUMENT, "max_pool2d", "stride is");
        REFUSED(tg_avg_pool2d(image, .kernel = {1, 1}, .stride = {far[i], 1}), TG_ERR_ARGUMENT, "avg_pool2d",
                "stride");
    }
}
END_TEST

/* What forward takes its gradient takes: an image without elements is all padding to unfold, and no image to pools. */
START_TEST(empty_images) {
    tg_tensor *none = tg_set_requires_grad(tg_zeros(TG_F64, 1, 2, 0, 4), true);
    tg_tensor *columns = tg_unfold(none, .kernel = {2, 2}, .padding = {1, TG_NONE});
    ck_assert(tg_shape_equal(tg_shape_of(columns), TG_SHAPE(1, 8, 3)));
    ck_assert_int_eq(tg_backward(tg_sum(columns)), TG_OK);
    ck_assert(tg_shape_equal(tg_shape_of(tg_grad_of(none)), tg_shape_of(none)));
    REFUSED(tg_avg_pool2d(none, .kernel = {2, 2}, .padding = {1, TG_NONE}), TG_ERR_SHAPE, "avg_pool2d",
            "0 by 4");
    REFUSED(tg_avg_pool2d(none, .kernel = {2, 2}, .padding = {1, 1}, .exclude_padding = true), TG_ERR_SHAPE,
            "avg_pool2d", "0 by 4");
    REFUSED(tg_adaptive_avg_pool2d(none, 1, 1), TG_ERR_SHAPE, "adaptive_avg_pool2d", "0 by 4");
    REFUSED(tg_max_pool2d(none, .kernel = {2, 2}, .padding = {1, TG_NONE}), TG_ERR_ARGUMENT, "max_pool2d",
            "padding");
}
END_TEST

/* A dropped infinity is 0, and so is its gradient; a failure gives the numbers back to the stream. */
START_TEST(dropout_of_infinities) {
    tg_tensor *all = tg_set_requires_grad(tg_full(TG_F32, INFINITY, 100), true), *g, *sum;
    tg_tensor *z = tg_dropout(all, 0.5, true);
    for (int i = 0; i < 100; i++) ck_assert(tg_get(z, i) == 0 || tg_get(z, i) == (double)INFINITY);
    sum = tg_sum(tg_dropout(all, 1, true));
    ck_assert_double_eq(tg_item(sum), 0);
    ck_assert_int_eq(tg_grad(1, &sum, 1, &all, &g), TG_OK);
    for (int i = 0; i < 100; i++) ck_assert_double_eq(tg_get(g, i), 0);
    for (int n = 1; n < 12; n++) {
        state before = state_of(1, &all);
        tg_memory_fail_at(n);
        z = tg_dropout(all, 0.5, true);
        tg_memory_fail_at(-1);
        if (tg_error_status() == TG_OK) break;
        ck_assert(tg_is_poison(z));
        expect_state("dropout", &before, 1, &all);
    }
}
END_TEST

/* What fits together, but gives a result of 2^64 elements, or of 2^62 eight bytes each. */
START_TEST(results_too_large) {
    const int64_t n = INT64_C(1) << 32;
    tg_tensor *one = tg_ones(TG_F64, 1, 1), *mask = tg_ones(TG_BOOL, 1, 1),
              *long_mask = tg_expand(mask, n, 1), *square = tg_ones(TG_F64, 1, 1, 2, 2);
    tg_tensor *row = tg_expand(one, 1, n), *column = tg_expand(one, n, 1), *less = tg_expand(one, n / 4, 1);
    tg_tensor *rows = tg_expand(square, 1, n, 2, 2), *columns = tg_expand(square, n, 1, 2, 2);
    tg_tensor *flat = tg_reshape(row, n);
    const char *many = "[4294967296, 4294967296] has more elements than can be counted";
    REFUSED(tg_add(row, column), TG_ERR_SHAPE, "add", many);
    REFUSED(tg_pow(row, column), TG_ERR_SHAPE, "pow", many);
    REFUSED(tg_maximum(column, row), TG_ERR_SHAPE, "maximum", many);
    REFUSED(tg_eq(row, column), TG_ERR_SHAPE, "eq", many);
    REFUSED(tg_logical_and(row, column), TG_ERR_SHAPE, "logical_and", many);
    REFUSED(tg_addcmul(row, column, row, 1), TG_ERR_SHAPE, "addcmul", many);
    REFUSED(tg_where(mask, row, column), TG_ERR_SHAPE, "where", many);
    REFUSED(tg_where(long_mask, one, row), TG_ERR_SHAPE, "where", many);
    REFUSED(tg_matmul(column, row), TG_ERR_SHAPE, "matmul", many);
    REFUSED(tg_outer(flat, flat), TG_ERR_SHAPE, "outer", many);
    REFUSED(tg_expand(one, n, n), TG_ERR_SHAPE, "expand", "more elements than can be counted");
    REFUSED(tg_broadcast_to(one, n, n), TG_ERR_SHAPE, "broadcast_to", "more elements than can be counted");
    many = "[4294967296, 4294967296, 2, 2] has more elements than can be counted";
    REFUSED(tg_matmul(rows, columns), TG_ERR_SHAPE, "matmul", many);
    REFUSED(tg_solve(rows, columns), TG_ERR_SHAPE, "solve", many);
    const char *bytes = "[1073741824, 4294967296] f64 has more bytes than can be counted";
    REFUSED(tg_mul(less, row), TG_ERR_MEMORY, "mul", bytes);
    REFUSED(tg_matmul(less, row), TG_ERR_MEMORY, "matmul", bytes);
    REFUSED(tg_expand(one, n / 4, n), TG_ERR_MEMORY, "expand", bytes);
}
END_TEST

/* Axes that reach the op, put together by hand, without having passed a function. */
START_TEST(axes_by_hand) {
    struct {
        tg_reduce_opts over;
        double p;
        bool slope;
    } attr = {.p = 2};
    static const tg_shape wrong[] = {{1, {2}},       {1, {-3}}, {2, {0, 1048576}},
                                     {1000, {0, 1}}, {-1, {0}}, {2, {0, 0}}};
    for (int slope = 0; slope < 2; slope++)
        for (int i = 0; i < COUNT(wrong); i++) {
            attr.over.axes = wrong[i], attr.slope = slope;
            REFUSED(tg_apply(tg_op_find("norm"), &x, 1, &attr), TG_ERR_ARGUMENT, "norm", "ax");
        }
}
END_TEST

TCase *tcase_arguments(void) {
    TCase *t = tcase_create("arguments");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, pointers_and_counts);
    tcase_add_test(t, ranks);
    tcase_add_test(t, results_too_large);
    tcase_add_test(t, numbers);
    tcase_add_test(t, axes_by_hand);
    tcase_add_test(t, zero_can_be_asked_for);
    tcase_add_test(t, modes_and_windows);
    tcase_add_test(t, empty_images);
    tcase_add_test(t, dropout_of_infinities);
    return t;
}
