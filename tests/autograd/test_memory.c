/* A steady step calls malloc not once; any allocation can fail and nothing changes. */
#include "core/alloc.h"
#include "helpers.h"

static tg_mark start;
static tg_tensor *w, *b;

static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
    w = param(TG_SHAPE(5, 4));
    b = param(TG_SHAPE(4));
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    expect_ok();
    tg_free(w);
    tg_free(b);
    tg_tape_rewind(start);
}

static tg_status work(bool twice) {
    tg_tensor *x = tg_full(TG_F64, 0.1, 3, 5), *h = tg_tanh(tg_add(tg_matmul(x, w), b)), *g[2];
    tg_tensor *loss = tg_mean(tg_mul(tg_log_softmax(h, -1), tg_slice(h, 1, 0, 1, 1)));
    if (!twice) return tg_backward(loss);
    tg_grad(1, &loss, 2, ((tg_tensor *[]){w, b}), g, .create_graph = true);
    return tg_backward(tg_add(tg_sum(tg_square(g[0])), tg_sum(tg_square(g[1]))));
}

static tg_status step(bool twice) {
    tg_mark m = tg_tape_mark();
    tg_status s = work(twice);
    tg_tape_rewind(m);
    return s;
}

START_TEST(test_steady_step_makes_no_malloc) {
    bool twice = _i == 1;
    for (int i = 0; i < 5; i++) ck_assert_int_eq(step(twice), TG_OK);
    uint64_t mallocs = tg_memory_now().mallocs;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(step(twice), TG_OK);
        tg_zero_grad(w);
        tg_zero_grad(b);
    }
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs);
}
END_TEST

/* The tensor, its number and its node, of an op that saves nothing and of one that saves both inputs, whether there are few
 * on the tape or many. */
static void check_bytes_a_node(tg_tensor *(*op)(tg_tensor *, tg_tensor *), int n) {
    tg_tensor *p = tg_param(tg_scalar(TG_F32, 1)), *x = p;
    size_t before = tg_memory_now().system_bytes;
    for (int i = 0; i < n; i++) x = op(x, p);
    size_t taken = tg_memory_now().system_bytes - before;
    ck_assert_int_eq(tg_tape_nodes() - start.nodes, n);
#ifndef TG_HAVE_ASAN /* which gives each number a block of its own */
    ck_assert_msg(taken <= 350 * (size_t)n, "%.1f bytes a node", (double)taken / n);
#endif
    ck_assert_uint_ge(before + taken, 300 * (size_t)n); /* of which tests before may have left a part */
    tg_free(p);
}

START_TEST(test_a_scalar_node_takes_350_bytes) {
    check_bytes_a_node(_i % 2 ? tg_mul : tg_add, _i < 2 ? 100000 : 1000000);
}
END_TEST

START_TEST(test_nothing_stays_behind) {
    step(false), step(true);
    tg_zero_grad(w), tg_zero_grad(b);
    size_t live = tg_memory_now().live_buffer_bytes;
    for (int i = 0; i < 10; i++) step(i % 2);
    tg_zero_grad(w), tg_zero_grad(b);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}
END_TEST

/* Two lines that make tensors, a view of one, and a kept tensor. */
START_TEST(test_live_bytes_by_line) {
    tg_memory_site all[64];
    int64_t before = tg_memory_sites(all, 0);
    int line = __LINE__ + 2;
    tg_tensor *two[2];
    for (int i = 0; i < 2; i++) two[i] = tg_zeros(TG_F32, 1 << 20);
    tg_tensor *view = tg_reshape(two[0], 1 << 10, 1 << 10), *kept = tg_keep(tg_full(TG_F64, 1, 1 << 18));
    int64_t n = tg_memory_sites(all, 64);
    ck_assert_int_eq(n, before + 2);
    ck_assert_str_eq(all[0].op, "zeros");
    ck_assert_int_eq(all[0].line, line);
    ck_assert_ptr_nonnull(strstr(all[0].file, "test_memory.c"));
    ck_assert_uint_ge(all[0].bytes, 2u << 22);
    ck_assert_int_eq(all[0].tensors, 2);
    ck_assert_str_eq(all[1].op, "full");
    ck_assert_int_eq(all[1].line, line + 1);
    char text[4000] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    tg_memory_print(file);
    fclose(file);
    ck_assert_msg(strstr(text, "in 2 by zeros   (test_memory.c:"), "%s", text);
    ck_assert(tg_is_alive(view));
    tg_free(kept);
}
END_TEST

START_TEST(test_live_bytes_without_memory) {
    tg_memory_site one;
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_memory_sites(&one, 1), -1);
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "out of memory");
}
END_TEST

/* The n-th allocation fails, for every n until one step passes untouched: the error is there, gradients are what they
 * were, and the step works afterwards. */
START_TEST(test_any_allocation_can_fail) {
    bool twice = _i == 1;
    ck_assert_int_eq(step(false), TG_OK);
    double before[20], after[20];
    tg_mark m = tg_tape_mark();
    tg_copy_out(tg_grad_of(w), before, sizeof before);
    tg_tape_rewind(m);
    size_t live = tg_memory_now().live_buffer_bytes;
    int failures = 0;
    for (int n = 1;; n++) {
        tg_memory_fail_at(n);
        tg_status s = step(twice);
        tg_memory_fail_at(-1);
        if (s == TG_OK) break;
        failures++;
        ck_assert_int_eq(s, TG_ERR_MEMORY);
        ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
        tg_error_clear();
        m = tg_tape_mark();
        tg_copy_out(tg_grad_of(w), after, sizeof after);
        tg_tape_rewind(m);
        ck_assert_mem_eq(before, after, sizeof before);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        ck_assert_int_lt(n, 10000);
    }
    ck_assert_int_gt(failures, 10);
    expect_ok();
}
END_TEST

/* A walk that memory ran out in is tried again: when it retained, with the same gradients; else as far as it had consumed
 * nothing, or with an error, and never with other gradients. */
START_TEST(test_a_failed_walk_again) {
    bool retain = _i == 1;
    double want[20], is[20];
    int again = 0, refused = 0;
    for (int n = 0;; n++) {
        tg_mark m = tg_tape_mark();
        tg_tensor *x = tg_full(TG_F64, 0.1, 3, 5), *h = tg_tanh(tg_add(tg_matmul(x, w), b));
        tg_tensor *loss = tg_mean(tg_mul(tg_log_softmax(h, -1), tg_slice(h, 1, 0, 1, 1)));
        tg_memory_fail_at(n > 0 ? n : -1);
        tg_status s = tg_backward(loss, .retain = retain);
        tg_memory_fail_at(-1);
        bool failed = s != TG_OK;
        if (failed) {
            ck_assert(s == TG_ERR_MEMORY && !tg_has_grad(w) && !tg_has_grad(b));
            tg_error_clear();
            s = tg_backward(loss, .retain = retain);
        }
        ck_assert(s == TG_OK || (failed && !retain));
        if (s == TG_OK) tg_copy_out(tg_grad_of(w), n ? is : want, sizeof is);
        if (s == TG_OK && n) ck_assert_mem_eq(is, want, sizeof is);
        if (s != TG_OK) expect_error(TG_ERR_TAPE, "walked before", "retain");
        again += failed && s == TG_OK, refused += s != TG_OK;
        tg_zero_grad(w), tg_zero_grad(b);
        tg_tape_rewind(m);
        if (n && !failed) break;
        ck_assert_int_lt(n, 10000);
    }
    ck_assert(again > 0 && (refused > 0) == !retain);
}
END_TEST

TCase *tcase_memory(void) {
    TCase *tc = tcase_create("memory");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_steady_step_makes_no_malloc, 0, 2);
    tcase_add_loop_test(tc, test_a_scalar_node_takes_350_bytes, 0, 4);
    tcase_add_test(tc, test_nothing_stays_behind);
    tcase_add_test(tc, test_live_bytes_by_line);
    tcase_add_test(tc, test_live_bytes_without_memory);
    tcase_add_loop_test(tc, test_any_allocation_can_fail, 0, 2);
    tcase_add_loop_test(tc, test_a_failed_walk_again, 0, 2);
    tcase_set_timeout(tc, 60);
    return tc;
}
