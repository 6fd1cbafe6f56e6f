/* Many tensors joined. */
#include "tests/ops/harness.h"

/* More inputs than fit the stack, each with its own gradient. */
START_TEST(many_tensors_join) {
    enum { N = 40 };
    tg_tensor *x[N], *g[N];
    for (int i = 0; i < N; i++) x[i] = tg_set_requires_grad(tg_full(TG_F64, i, 2), true);
    tg_tensor *y = tg_stack_with(1, N, x), *seed = tg_reshape(tg_arange(TG_F64, 0, 2 * N, 1), 2, N);
    ck_assert(tg_get(y, N - 1) == N - 1 && tg_get(y, N) == 0);
    for (int record = 0; record < 2; record++) {
        tg_grad(1, &y, N, x, g, .seeds = &seed, .retain = true, .create_graph = record);
        ck_assert_int_eq(tg_error_status(), TG_OK);
        for (int i = 0; i < N; i++) ck_assert(tg_get(g[i], 0) == i && tg_get(g[i], 1) == N + i);
    }
    ck_assert(tg_is_poison(tg_stack_with(0, 0, x)));
    ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_join(void) {
    TCase *t = tcase_create("join");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_test(t, many_tensors_join);
    return t;
}
