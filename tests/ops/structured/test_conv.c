/* Convolution at 1 to 4 threads. */
#include "tests/ops/harness.h"

#include <string.h>

/* Blocks, and shares of images in the sum of a weight's gradient, do not depend on the threads: every bit is
 * the same at 1 to 4 of them. 37 images make 13 shares, 20 x 20 places two blocks, 40 filters two panels. */
START_TEST(convolution_is_the_same_on_any_threads) {
    tg_dtype f = _i ? TG_F64 : TG_F32;
    tg_tensor *x = tg_uniform(f, -1, 1, 37, 3, 20, 20), *w = tg_uniform(f, -1, 1, 40, 3, 3, 3);
    tg_tensor *in[3] = {x, w, tg_uniform(f, -1, 1, 40)}, *all[4][4];
    int was = tg_set_num_threads(1);
    for (int i = 0; i < 3; i++) tg_set_requires_grad(in[i], true);
    for (int i = 0; i < 4; i++) {
        tg_set_num_threads(i + 1);
        tg_tensor *y = tg_conv2d(x, w, .bias = in[2], .padding = {1, 1});
        tg_tensor *loss = tg_sum(tg_square(tg_max_pool2d(y, .kernel = {2, 2})));
        all[i][0] = y;
        ck_assert_int_eq(tg_grad(1, &loss, 3, in, all[i] + 1), TG_OK);
    }
    tg_set_num_threads(was);
    for (int i = 1; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            size_t size = (size_t)tg_numel(all[0][k]) * tg_dtype_size(f);
            ck_assert_int_eq(memcmp(tg_data(all[0][k]), tg_data(all[i][k]), size), 0);
        }
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_conv(void) {
    TCase *t = tcase_create("conv");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, convolution_is_the_same_on_any_threads, 0, 2);
    return t;
}
