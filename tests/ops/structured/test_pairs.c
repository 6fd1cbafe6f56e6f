/* Pairs {height, width} in the options of the structured ops. */
#include "tests/ops/harness.h"

#include <string.h>

/* A width left out is the height; a height left out is its default. Each of these calls says more than the
 * one under it, which must be the same. */
START_TEST(a_pair_of_one_number) {
    tg_tensor *x = tg_uniform(TG_F64, -1, 1, 2, 2, 9, 8), *w = tg_uniform(TG_F64, -1, 1, 3, 2, 2, 3), *g, *c;
    g = tg_conv2d(x, w, .stride = {2, 2}, .dilation = {2, 2}, .padding = {1, 1});
    c = tg_unfold(x, .kernel = {2, 2}, .stride = {3, 3}, .dilation = {2, 2});
    tg_tensor *const pairs[][2] = {
        {g, tg_conv2d(x, w, .stride = {2}, .dilation = {2}, .padding = {1})},
        {tg_conv2d(x, w, .stride = {1, 2}), tg_conv2d(x, w, .stride = {0, 2})},
        {tg_conv2d_input(g, w, 9, 8, .stride = {2, 2}, .dilation = {2, 2}, .padding = {1, 1}),
         tg_conv2d_input(g, w, 9, 8, .stride = {2}, .dilation = {2}, .padding = {1})},
        {tg_conv2d_weight(x, g, 2, 3, .stride = {2, 2}, .dilation = {2, 2}, .padding = {1, 1}),
         tg_conv2d_weight(x, g, 2, 3, .stride = {2}, .dilation = {2}, .padding = {1})},
        {tg_conv_transpose2d(g, w, .stride = {3, 3}, .dilation = {2, 2}, .output_padding = {1, 1}),
         tg_conv_transpose2d(g, w, .stride = {3}, .dilation = {2}, .output_padding = {1})},
        {tg_max_pool2d(x, .kernel = {2, 2}), tg_max_pool2d(x, .kernel = {2})},
        {tg_max_pool2d(x, .kernel = {2, 3}, .stride = {1, 1}),
         tg_max_pool2d(x, .kernel = {2, 3}, .stride = {1})},
        {tg_max_pool2d(x, .kernel = {2, 2}, .stride = {2, 1}),
         tg_max_pool2d(x, .kernel = {2}, .stride = {0, 1})},
        {tg_max_pool2d(x, .kernel = {2, 2}, .dilation = {2, 2}, .padding = {1, 1}),
         tg_max_pool2d(x, .kernel = {2}, .dilation = {2}, .padding = {1})},
        {tg_avg_pool2d(x, .kernel = {3, 3}), tg_avg_pool2d(x, .kernel = {3})},
        {tg_avg_pool2d(x, .kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1}),
         tg_avg_pool2d(x, .kernel = {3, 2}, .stride = {2}, .padding = {1})},
        {tg_avg_pool2d_input(x, 18, 16, .kernel = {2, 2}), tg_avg_pool2d_input(x, 18, 16, .kernel = {2})},
        {c, tg_unfold(x, .kernel = {2}, .stride = {3}, .dilation = {2})},
        {tg_fold(c, 9, 8, .kernel = {2, 2}, .stride = {3, 3}, .dilation = {2, 2}),
         tg_fold(c, 9, 8, .kernel = {2}, .stride = {3}, .dilation = {2})},
        {tg_unfold(x, .kernel = {2, 3}, .padding = {2, 2}), tg_unfold(x, .kernel = {2, 3}, .padding = {2})},
        {tg_unfold(tg_pad(x, .before = TG_SHAPE(2, 0), .after = TG_SHAPE(2, 0)), .kernel = {2, 3}),
         tg_unfold(x, .kernel = {2, 3}, .padding = {2, TG_NONE})},
        {tg_conv2d(tg_pad(x, .before = TG_SHAPE(0, 2), .after = TG_SHAPE(0, 2)), w), tg_conv2d(x, w, .padding = {TG_NONE, 2})},
        {tg_conv2d(tg_pad(x, .before = TG_SHAPE(2, 0), .after = TG_SHAPE(2, 0)), w), tg_conv2d(x, w, .padding = {2, TG_NONE})},
        {tg_avg_pool2d(tg_pad(x, .before = TG_SHAPE(1, 0), .after = TG_SHAPE(1, 0)), .kernel = {2, 2}),
         tg_avg_pool2d(x, .kernel = {2}, .padding = {1, TG_NONE})},
        {tg_conv2d(x, w), tg_conv2d(x, w, .padding = {TG_NONE, TG_NONE})},
        {tg_interpolate(x, .size = {7, 7}), tg_interpolate(x, .size = {7})},
        {tg_interpolate(x, .scale = {2, 2}), tg_interpolate(x, .scale = {2})}};
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    for (int i = 0; i < COUNT(pairs); i++) {
        ck_assert_msg(tg_shape_equal(tg_shape_of(pairs[i][0]), tg_shape_of(pairs[i][1])),
                      "pair %d: other shapes", i);
        for (int64_t k = 0; k < tg_numel(pairs[i][0]); k++)
            ck_assert_msg(tg_get(pairs[i][0], k) == tg_get(pairs[i][1], k), "pair %d: element %d", i, (int)k);
    }
    tg_max_pool2d(x);
    ck_assert(strstr(tg_error_message(), "max_pool2d: the kernel's size is 0"));
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_pairs(void) {
    TCase *t = tcase_create("pairs");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, a_pair_of_one_number);
    return t;
}
