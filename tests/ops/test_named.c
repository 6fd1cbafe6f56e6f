/* The message of an error names the tensor that is NULL or gone: of a list, of an option, and of the arguments of functions
 * that no row calls (test_errors.c has those that rows call). */
#include "tests/ops/harness.h"

#include <string.h>

/* The message of the error of `call` says that `which` is NULL, or was made by .. */
#define NAMES(call, which) \
    do { \
        call; \
        ck_assert_msg(strstr(tg_error_message(), ": " which " "), "%s does not name %s: %s", #call, which, \
                      tg_error_message()); \
        tg_error_clear(); \
    } while (0)

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_mul(in[0], in[1]));
}

static void name_one_in_lists(tg_tensor *x, tg_tensor *no) {
    tg_tensor *y = tg_sum(tg_square(x)), *g[2];
    tg_tensor *const good[2] = {x, x}, *const wrong[2] = {x, no}, *const out[2] = {y, no};
    tg_gradcheck_report report;
    NAMES(tg_concat(0, x, no), "input 1");
    NAMES(tg_stack(0, x, x, no), "input 2");
    NAMES(tg_einsum("ij,jk", x, no), "input 1");
    NAMES(tg_grad(2, out, 1, good, g, .retain = true), "output 1");
    NAMES(tg_grad(1, &y, 2, wrong, g, .retain = true), "input 1");
    NAMES(tg_backward(no), "the output");
    NAMES(tg_vjp(product, NULL, 2, wrong, NULL, NULL, g), "input 1");
    NAMES(tg_jvp(product, NULL, 2, wrong, good, NULL, g), "input 1");
    NAMES(tg_hvp(product, NULL, 2, wrong, good, g), "input 1");
    NAMES(tg_jacobian(product, NULL, 2, wrong, g), "input 1");
    NAMES(tg_hessian(product, NULL, 2, wrong), "input 1");
    NAMES(tg_checkpoint(product, NULL, 2, wrong), "input 1");
    ck_assert(!tg_gradcheck(product, NULL, 2, wrong, &report) && strstr(report.message, ": input 1 "));
}

static void name_one_argument(tg_tensor *no) {
    tg_tensor *x = tg_ones(TG_F64, 2, 2);
    NAMES(tg_copy_(no, x), "input 0");
    NAMES(tg_copy_(x, no), "input 1");
    NAMES(tg_add_(no, x, 1), "input 0");
    NAMES(tg_add_(x, no, 1), "input 1");
    NAMES(tg_mul_(no, x), "input 0");
    NAMES(tg_mul_(x, no), "input 1");
    NAMES(tg_fill_(no, 1), "the input");
    NAMES(tg_accuracy(no, x), "input 0");
    NAMES(tg_accuracy(x, no), "input 1");
    NAMES(tg_loss_pair("mine", no, x), "input 0");
    NAMES(tg_loss_pair("mine", x, no), "input 1");
    NAMES(tg_loss_weighed(no, x), "input 0");
    NAMES(tg_loss_weighed(x, no), "input 1");
    NAMES(tg_check_argument(no, "mine", "the third"), "the third");
    NAMES(tg_check_argument(no, NULL, NULL), "the input");
}

START_TEST(one_of_several_is_named) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *gone = tg_ones(TG_F64, 2, 2);
    tg_tape_rewind(mark);
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F64, 2, 2), true);
    name_one_in_lists(x, _i ? gone : NULL);
    name_one_argument(_i ? gone : NULL);
}
END_TEST

/* NULL is an option left out, so only a handle whose tensor is gone is refused. */
START_TEST(an_option_is_named) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *gone = tg_ones(TG_F64, 2);
    tg_tape_rewind(mark);
    tg_tensor *row = tg_ones(TG_F64, 1, 2, 2), *image = tg_ones(TG_F64, 1, 2, 2, 2),
              *p = tg_full(TG_F64, 0.5, 2);
    tg_tensor *class = tg_zeros(TG_I64, 2), *scores = tg_ones(TG_F64, 2, 2);
    tg_model *m = tg_model_new(1);
    NAMES(tg_conv1d(row, tg_ones(TG_F64, 2, 2, 1), .bias = gone), "the bias");
    NAMES(tg_conv_transpose2d(image, image, .bias = gone), "input 2");
    NAMES(tg_batch_norm(image, .training = true, .running_var = gone), "running_var");
    NAMES(tg_group_norm(image, 1, .bias = gone), "the bias");
    NAMES(tg_binary_cross_entropy(p, p, .weight = gone), "weight");
    NAMES(tg_binary_cross_entropy_with_logits(p, p, .pos_weight = gone), "pos_weight");
    NAMES(tg_cross_entropy(scores, class, .weight = gone), "weight");
    NAMES(tg_nll_loss(scores, class, .weight = gone), "weight");
    NAMES(tg_nn_multihead_attention(m, "a", row, 1, .mask = gone), "the mask");
    NAMES(tg_nn_lstm(m, "l", row, 2, .h = gone), "h");
    NAMES(tg_nn_lstm(m, "l", row, 2, .c = gone), "c");
    NAMES(tg_nn_gru(m, "g", row, 2, .h = gone), "h");
    tg_model_free(m);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_named(void) {
    TCase *t = tcase_create("named");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, one_of_several_is_named, 0, 2);
    tcase_add_test(t, an_option_is_named);
    return t;
}
