/* Nothing recurses along the graph: ten million nodes on a stack of 256 KiB. The stack is that of a thread made for the
 * purpose, which bounds it as `ulimit -s 256` bounds the main one. */
#include "helpers.h"

#include <pthread.h>
#include <stdlib.h>

static int64_t depth(void) {
    const char *fast = getenv("TG_FAST");
    return fast && *fast == '1' ? 1000000 : 10000000;
}

static void *chain(void *result) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(1), *y = x;
    int64_t n = depth();
    for (int64_t i = 0; i < n; i++) y = tg_add(y, x);
    bool ok = tg_tape_nodes() - start.nodes == n && tg_backward(y) == TG_OK &&
              tg_item(tg_grad_of(x)) == (double)(n + 1);
    ok = ok && tg_tape_rewind(start) == TG_OK && tg_tape_nodes() == start.nodes;
    *(bool *)result = ok;
    if (!ok) fprintf(stderr, "%s\n", tg_error_message());
    return NULL;
}

START_TEST(test_ten_million_nodes_on_a_small_stack) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
    pthread_t thread;
    bool ok = false;
    ck_assert_int_eq(pthread_create(&thread, &attr, chain, &ok), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    ck_assert(ok);
}
END_TEST

TCase *tcase_deep(void) {
    TCase *tc = tcase_create("deep");
    tcase_add_test(tc, test_ten_million_nodes_on_a_small_stack);
    tcase_set_timeout(tc, 240);
    tcase_set_tags(tc, "slow");
    return tc;
}
