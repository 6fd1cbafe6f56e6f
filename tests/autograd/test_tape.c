#include "helpers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static tg_mark before;

START_TEST(test_mark_and_rewind) {
    tg_mark start = tg_tape_mark();
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    tg_tensor *x = leaf(3), *y = tg_mul(x, x);
    ck_assert_int_eq(tg_tape_tensors(), tensors + 2);
    ck_assert_int_eq(tg_tape_nodes(), nodes + 1);
    ck_assert(tg_is_alive(y));
    ck_assert_int_eq(tg_tape_rewind(start), TG_OK);
    ck_assert_int_eq(tg_tape_tensors(), tensors);
    ck_assert_int_eq(tg_tape_nodes(), nodes);
    ck_assert(!tg_is_alive(x) && !tg_is_alive(y));
}
END_TEST

START_TEST(test_use_after_rewind_names_maker_and_line) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(3);
    int line = __LINE__ + 1;
    tg_tensor *y = tg_mul(x, x);
    tg_tape_rewind(start);
    char place[64];
    snprintf(place, sizeof place, "test_tape.c:%d", line);
    tg_tensor *bad = tg_add(y, y);
    ck_assert(tg_is_poison(bad));
    expect_error(TG_ERR_LIFETIME, "add", "mul", place);
    /* the slot is taken again: the old handle still fails, and still says what it was */
    tg_tensor *a = tg_scalar(TG_F64, 1), *b = tg_scalar(TG_F64, 2);
    ck_assert(tg_is_alive(a) && tg_is_alive(b));
    ck_assert(tg_is_poison(tg_exp(y)));
    expect_error(TG_ERR_LIFETIME, "exp", "mul", place);
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_marks_are_checked) {
    tg_mark outer = tg_tape_mark();
    leaf(1);
    tg_mark inner = tg_tape_mark();
    leaf(2);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
    ck_assert_int_eq(tg_tape_rewind(inner), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "already rewound", "test_tape.c");
    leaf(3), leaf(4), leaf(5); /* as many as before, but others */
    ck_assert_int_eq(tg_tape_rewind(inner), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "already rewound");
    tg_tape *other = tg_tape_new(), *mine = tg_tape_use(other);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "another tape");
    tg_tape_use(mine);
    tg_tape_free(other);
    ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
}
END_TEST

/* A mark of the future, of before the start, with the nodes of one and the tensors of another, and so on. */
START_TEST(test_forged_marks) {
    tg_tensor *x = leaf(2);
    tg_mark genuine = tg_tape_mark();
    tg_square(x);
    tg_mark later = tg_tape_mark();
    static const int64_t shift[] = {1, -1, 1000, -1000, INT64_MAX, INT64_MIN, INT64_C(1) << 32};
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    for (int i = 0; i < 7 * 7; i++) {
        tg_mark m = genuine;
        uint64_t by = (uint64_t)shift[i / 7];
        switch (i % 7) {
        case 0:
            m.tensors = (int64_t)((uint64_t)m.tensors + by);
            break;
        case 1:
            m.nodes = (int64_t)((uint64_t)m.nodes + by);
            break;
        case 2:
            m.tensors = m.nodes = shift[i / 7];
            break;
        case 3:
            m.last += by;
            break;
        case 4:
            m.callback += by;
            break;
        case 5:
            m.serial += by;
            break;
        case 6:
            m.nodes = later.nodes, m.seal += by - 1;
            break;
        }
        ck_assert_int_eq(tg_tape_rewind(m), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "tg_tape_rewind: the mark is not one that tg_tape_mark gave");
        tg_tape_print(stderr, m);
        expect_error(TG_ERR_TAPE, "tg_tape_print: the mark is not one that tg_tape_mark gave");
    }
    ck_assert_int_eq(tg_tape_rewind((tg_mark){0}), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "the mark is not one that tg_tape_mark gave");
    ck_assert(tg_tape_tensors() == tensors && tg_tape_nodes() == nodes);
    ck_assert_int_eq(tg_tape_rewind(genuine), TG_OK);
}
END_TEST

START_TEST(test_explicit_tapes) {
    tg_tape *other = tg_tape_new(), *mine = tg_tape_use(other);
    tg_tensor *x = leaf(2), *y = tg_square(x);
    ck_assert_ptr_eq(tg_tape_current(), other);
    tg_tape_use(mine);
    tg_tensor *a = leaf(1), *b = tg_add(a, a);
    ck_assert(tg_is_poison(tg_add(y, b))); /* a history cannot span two tapes */
    expect_error(TG_ERR_TAPE, "add", "another tape");
    ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "another tape");
    expect_value(tg_add(tg_detach(y), b), 6);
    tg_tape_use(other);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    expect_value(tg_grad_of(x), 4);
    tg_tape_free(other);
    ck_assert_ptr_eq(tg_tape_current(), mine);
    ck_assert(!tg_is_alive(x) && !tg_is_alive(y));
    ck_assert(tg_is_poison(tg_exp(y)));
    expect_error(TG_ERR_LIFETIME, "exp");
    tg_tape_free(mine); /* not allowed: the thread's own */
    expect_error(TG_ERR_ARGUMENT, "own tape");
}
END_TEST

START_TEST(test_kept_outlives_rewind) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = param(TG_SHAPE(2, 2)), *k = tg_keep(tg_scalar(TG_F64, 7));
    tg_tape_rewind(start);
    ck_assert(tg_is_alive(w) && tg_requires_grad(w));
    ck_assert(tg_get(w, 3) == 4);
    expect_value(k, 7);
    tg_free(w);
    tg_free(k);
    ck_assert(!tg_is_alive(w));
    tg_exp(w);
    expect_error(TG_ERR_LIFETIME, "exp", "freed");
    tg_free(k);
    expect_error(TG_ERR_LIFETIME, "free");
}
END_TEST

START_TEST(test_freed_parameter_in_a_graph) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = param(TG_SHAPE(2)), *loss = tg_sum(tg_square(w));
    tg_free(w);
    ck_assert_int_eq(tg_backward(loss), TG_ERR_LIFETIME);
    expect_error(TG_ERR_LIFETIME, "square", "freed");
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_release) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = leaf(3), *sum = tg_add(x, x), *saved = tg_square(x), *y = tg_mul(saved, sum);
    tg_tensor *unsaved = tg_add_scalar(y, 1), *z = tg_mul_scalar(unsaved, 2);
    size_t live = tg_memory_now().live_buffer_bytes;
    tg_drop_elements(unsaved);
    ck_assert_uint_lt(tg_memory_now().live_buffer_bytes, live);
    tg_drop_elements(saved); /* mul saved it: its elements stay for the gradient, but not for the user */
    tg_exp(saved);
    expect_error(TG_ERR_LIFETIME, "dropped", "square");
    ck_assert_int_eq(tg_rank(unsaved), 0);
    ck_assert_int_eq(tg_backward(z), TG_OK);
    expect_value(tg_grad_of(x), 2 * 6 * 9);
    tg_tape_rewind(start);
}
END_TEST

START_TEST(test_recording_modes) {
    tg_tensor *x = leaf(2), *c = tg_scalar(TG_F64, 5);
    ck_assert(!tg_requires_grad(tg_mul(c, c)));
    ck_assert(tg_requires_grad(tg_mul(x, c)));
    ck_assert(tg_set_grad_enabled(false));
    ck_assert(!tg_grad_enabled());
    tg_tensor *y = tg_mul(x, c);
    ck_assert(!tg_set_grad_enabled(true));
    ck_assert(!tg_requires_grad(y) && tg_node_of(y) == NULL);
    tg_tensor *d = tg_detach(tg_mul(x, c));
    ck_assert(!tg_requires_grad(d));
    expect_value(d, 10);
    tg_tensor *z = tg_mul(x, c);
    ck_assert(tg_is_poison(tg_set_requires_grad(z, false)));
    expect_error(TG_ERR_TAPE, "result of mul", "tg_detach");
    ck_assert(tg_is_poison(tg_set_requires_grad(tg_scalar(TG_I64, 1), true)));
    expect_error(TG_ERR_DTYPE, "i64");
    ck_assert(tg_is_poison(tg_param(tg_scalar(TG_I64, 1))));
    expect_error(TG_ERR_DTYPE, "i64");
}
END_TEST

START_TEST(test_printed_tape) {
    tg_mark start = tg_tape_mark();
    tg_tensor *w = tg_set_name(param(TG_SHAPE(3, 2)), "w");
    tg_tensor *x = tg_set_name(tg_ones(TG_F64, 4, 3), "x");
    tg_sum(tg_tanh(tg_matmul(x, w)), .axes = TG_SHAPE(0));
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    tg_tape_print(file, start);
    fclose(file);
    const char *words[] = {"#0 matmul(x [4, 3] f64, w [3, 2] f64) -> [4, 2] f64   test_tape.c:",
                           "#1 tanh(#0 [4, 2])", "#2 sum(#1 [4, 2], axes=[0], keepdim=false) -> [2] f64"};
    for (size_t i = 0; i < 3; i++) ck_assert_msg(strstr(text, words[i]), "no \"%s\" in:\n%s", words[i], text);
    free(text);
    ck_assert_ptr_null(tg_tape_node(99));
    ck_assert_ptr_null(tg_tape_node(-1));
    tg_tape_rewind(start);
    tg_free(w);
}
END_TEST

static const char *print_with(tg_mark start, tg_tape_print_opts opts) {
    static char text[4096];
    FILE *file = fmemopen(text, sizeof text, "w");
    tg_tape_print_with(file, start, opts);
    fclose(file);
    return text;
}

START_TEST(test_printed_names_and_values) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x =
        tg_set_name(tg_set_requires_grad(tg_from(TG_F32, ((float[]){0.25f, -1.5f, 0, 4}), 2, 2), true), "x");
    tg_tensor *h = tg_set_name(tg_affine(x, 2, 0), "hidden"), *y = tg_log(h), *most;
    tg_max(tg_expand(tg_reshape(y, 4), 3, 4), 1, .index = &most);
    tg_drop_elements(y);
    const char *text = print_with(start, (tg_tape_print_opts){.values = true});
    static const char *const words[] = {
        "#0 affine(x [2, 2] f32, scale=2, shift=0) -> hidden [2, 2] f32   test_tape.c:",
        "\n     = 0.5, -3, 0, 8\n#1 log(#0 hidden [2, 2]) -> [2, 2] f32   test_tape.c:",
        "\n     = -0.693147, nan, -inf, 2.07944, .. of 12, from -0.693147 to 2.07944, 3 NaN, 3 infinite\n",
        "\n     = nan, nan, nan\n     = 1, 1, 1\n"};
    for (size_t i = 0; i < 4; i++) ck_assert_msg(strstr(text, words[i]), "no \"%s\" in:\n%s", words[i], text);
    text = print_with(start, (tg_tape_print_opts){.values = true, .most = 1});
    ck_assert_msg(strstr(text, "\n     = 0.5, .. of 4, from -3 to 8\n"), "%s", text);
    ck_assert_ptr_null(strstr(print_with(start, (tg_tape_print_opts){.most = 3}), "\n     = "));
    ck_assert_ptr_null(strstr(print_with(start, (tg_tape_print_opts){.most = 3}), "dx"));
    tg_tape_print(stderr, start, .most = -1);
    expect_error(TG_ERR_ARGUMENT, "tg_tape_print: .most is -1", "test_tape.c:");
}
END_TEST

/* An op whose gradient is code alone. */
static void nothing_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = dout[0];
}
static tg_status nothing_forward(const tg_call *call) {
    tg_array_copy(call->out[0], call->in[0]);
    return TG_OK;
}
static const tg_op silent = {
    .name = "silent", .n_in = 1, .infer = tg_infer_same, .forward = nothing_forward, .grad = nothing_grad};

START_TEST(test_printed_rules) {
    tg_mark start = tg_tape_mark();
    tg_tensor *x = tg_set_requires_grad(tg_from(TG_F64, ((double[]){0.25, -1.5}), 2), true);
    tg_apply(&silent, (tg_tensor *[]){tg_mul(tg_relu(x), x)}, 1, NULL);
    const char *text = print_with(start, (tg_tape_print_opts){.rules = true});
    static const char *const words[] = {"#0 relu(", "\n     dx = dout where x > 0, else 0\n#1 mul(",
                                        "\n     da = dout * b; db = dout * a\n#2 silent(",
                                        "\n     a gradient of which the op says nothing\n"};
    for (size_t i = 0; i < 4; i++) ck_assert_msg(strstr(text, words[i]), "no \"%s\" in:\n%s", words[i], text);
    text = print_with(start, (tg_tape_print_opts){.rules = true, .values = true});
    ck_assert_msg(strstr(text, "\n     = 0.25, 0\n     dx = dout where x > 0, else 0\n#1 mul("), "%s", text);
}
END_TEST

/* ---- marks that were passed long ago, and tapes that are gone ---- */

/* As many rewinds as bring the 16 bits of a handle back. */
START_TEST(test_an_old_mark_stays_refused) {
    tg_mark outer = tg_tape_mark();
    leaf(1);
    tg_mark old = tg_tape_mark();
    for (int i = 0; i < 2 * 65535 + 3; i++) {
        ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
        leaf(2);
        if (tg_tape_rewind(old) == TG_OK) ck_abort_msg("accepted after %d rewinds", i + 1);
        tg_error_clear();
    }
    ck_assert_int_eq(tg_tape_rewind(outer), TG_OK);
}
END_TEST

/* Calls that leave no tensor leave the tape where it was: a mark behind them is the one before them. */
START_TEST(test_calls_that_leave_nothing) {
    tg_tensor *x = leaf(1), *many[20], *out[20];
    for (int i = 0; i < 20; i++) many[i] = x;
    tg_tape_tensors();
    tg_mark first = tg_tape_mark();
    ck_assert(tg_is_poison(tg_concat_with(0, 20, many)));
    tg_error_clear();
    ck_assert_int_eq(tg_jacobian(NULL, NULL, 20, many, out), TG_ERR_ARGUMENT);
    tg_error_clear();
    tg_mark second = tg_tape_mark();
    ck_assert(first.tensors == second.tensors && first.nodes == second.nodes && first.last == second.last);
    ck_assert_int_eq(tg_tape_rewind(second), TG_OK);
    ck_assert_int_eq(tg_tape_rewind(first), TG_OK);
    ck_assert_int_eq(tg_backward(tg_square(x)), TG_OK);
}
END_TEST

START_TEST(test_freed_tapes) {
    tg_tape *mine = tg_tape_current(), *gone = tg_tape_new();
    tg_tape_free(gone);
    ck_assert_ptr_eq(tg_tape_use(gone), mine);
    expect_error(TG_ERR_ARGUMENT, "tg_tape_use", "freed");
    ck_assert_ptr_eq(tg_tape_current(), mine);
    tg_tape_free(gone);
    expect_error(TG_ERR_ARGUMENT, "tg_tape_free", "freed");
    tg_tape *used = tg_tape_new();
    tg_tape_use(used);
    tg_mark mark = tg_tape_mark();
    tg_tape_free(used); /* the current one */
    ck_assert_ptr_eq(tg_tape_current(), mine);
    ck_assert_int_eq(tg_tape_rewind(mark), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "another tape");
    tg_tape_print(stderr, mark);
    expect_error(TG_ERR_TAPE, "tg_tape_print");
    tg_tape_print(NULL, before);
    expect_error(TG_ERR_ARGUMENT, "tg_tape_print", "NULL");
    tg_tape_free(NULL);
    ck_assert_ptr_eq(tg_tape_use(NULL), mine);
    tg_tape_use((tg_tape *)(void *)&mark);
    expect_error(TG_ERR_ARGUMENT, "tg_tape_use");
}
END_TEST

static tg_tape *theirs;
static atomic_int stage;
/* f sets stage 1 when `theirs` is its thread's, and stays until stage 2; it returns NULL where something is wrong. */
static void refuse_their_tape(void *(*f)(void *), void *argument) {
    pthread_t thread;
    void *ok;
    atomic_store(&stage, 0);
    pthread_create(&thread, NULL, f, argument);
    while (atomic_load(&stage) != 1) sched_yield();
    tg_tape *mine = tg_tape_use(theirs);
    expect_error(TG_ERR_TAPE, "another thread");
    ck_assert_ptr_eq(tg_tape_current(), mine);
    tg_tape_free(theirs);
    expect_error(TG_ERR_TAPE, "another thread");
    atomic_store(&stage, 2);
    pthread_join(thread, &ok);
    ck_assert_ptr_nonnull(ok);
}

static void *holds_a_tape(void *unused) {
    tg_tape_use(theirs);
    tg_tensor *x = leaf(3);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2) sched_yield();
    return tg_backward(tg_square(x)) == TG_OK && tg_item(tg_grad_of(x)) == 6 ? unused : NULL;
}

START_TEST(test_a_tape_is_current_on_one_thread) {
    theirs = tg_tape_new();
    refuse_their_tape(holds_a_tape, &stage);
    tg_tape_free(theirs); /* now nobody's */
    expect_ok();
}
END_TEST

/* While that thread is on another one. */
static void *leaves_its_own(void *other) {
    theirs = tg_tape_current();
    tg_tape_use(other);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2) sched_yield();
    tg_tape_free(other);
    return tg_tape_current() == theirs && tg_error_status() == TG_OK ? other : NULL;
}

START_TEST(test_a_threads_own_tape_is_for_it_alone) { refuse_their_tape(leaves_its_own, tg_tape_new()); }
END_TEST

/* `theirs` is where a hook began that is on another tape meanwhile: it goes back, or lets its end put the tape back. */
static tg_tape *meanwhile;
static tg_tensor *on_another_tape(tg_tensor *grad, void *goes_back) {
    tg_tape_use(meanwhile);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2) sched_yield();
    if (goes_back) tg_tape_use(theirs);
    return grad;
}

static void *walks_with_hook(void *goes_back) {
    tg_tape_use(theirs);
    tg_tensor *x = leaf(3), *y = tg_square(x);
    tg_register_hook(y, on_another_tape, goes_back);
    tg_status s = tg_backward(y);
    bool refused = tg_error_status() == TG_ERR_TAPE && strstr(tg_error_message(), "left another tape");
    tg_error_clear();
    bool ok = goes_back ? s == TG_OK && tg_item(tg_grad_of(x)) == 6 : s == TG_ERR_TAPE && refused;
    return ok && tg_tape_current() == theirs ? theirs : NULL;
}

START_TEST(test_a_tape_waits_for_the_function_that_left_it) {
    theirs = tg_tape_new();
    meanwhile = tg_tape_new();
    refuse_their_tape(walks_with_hook, _i ? &stage : NULL);
    tg_tape_free(theirs);
    tg_tape_free(meanwhile);
    expect_ok();
}
END_TEST

/* In the middle of a function: none runs any more. */
static void *ends(void *other) {
    tg_tape_use(theirs);
    tg_callback_begin();
    tg_tape_use(other);
    return other;
}

START_TEST(test_a_thread_ends_with_what_it_runs) {
    pthread_t thread;
    tg_tape *other = tg_tape_new();
    theirs = tg_tape_new();
    pthread_create(&thread, NULL, ends, other);
    pthread_join(thread, NULL);
    tg_tape *mine = tg_tape_use(theirs);
    tg_tape_use(mine);
    tg_tape_free(theirs);
    tg_tape_free(other);
    expect_ok();
}
END_TEST

static void setup(void) {
    tg_error_clear();
    before = tg_tape_mark();
}

/* Without forks the next test goes on with this tape. */
static void teardown(void) {
    expect_ok();
    tg_set_grad_enabled(true);
    tg_tape_rewind(before);
}

TCase *tcase_tape(void) {
    TCase *tc = tcase_create("tape");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_mark_and_rewind);
    tcase_add_test(tc, test_use_after_rewind_names_maker_and_line);
    tcase_add_test(tc, test_marks_are_checked);
    tcase_add_test(tc, test_forged_marks);
    tcase_add_test(tc, test_explicit_tapes);
    tcase_add_test(tc, test_kept_outlives_rewind);
    tcase_add_test(tc, test_freed_parameter_in_a_graph);
    tcase_add_test(tc, test_release);
    tcase_add_test(tc, test_recording_modes);
    tcase_add_test(tc, test_printed_tape);
    tcase_add_test(tc, test_printed_names_and_values);
    tcase_add_test(tc, test_printed_rules);
    tcase_add_test(tc, test_an_old_mark_stays_refused);
    tcase_add_test(tc, test_calls_that_leave_nothing);
    tcase_add_test(tc, test_freed_tapes);
    tcase_add_test(tc, test_a_tape_is_current_on_one_thread);
    tcase_add_test(tc, test_a_threads_own_tape_is_for_it_alone);
    tcase_add_loop_test(tc, test_a_tape_waits_for_the_function_that_left_it, 0, 2);
    tcase_add_test(tc, test_a_thread_ends_with_what_it_runs);
    return tc;
}
