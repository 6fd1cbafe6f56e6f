/* What is refused, with which words; and memory that fails at each place. */
#include "tests/autograd/trace/read.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* One of each writer. */
typedef tg_status writer(tg_mark m, tg_trace_opts opts);
static FILE *text_file;
static tg_status html(tg_mark m, tg_trace_opts o) { return tg_trace_html_with(trace_path("t.html"), m, o); }
static tg_status json(tg_mark m, tg_trace_opts o) { return tg_trace_json_with(trace_path("t.json"), m, o); }
static tg_status dot(tg_mark m, tg_trace_opts o) { return tg_trace_dot_with(trace_path("t.dot"), m, o); }
static tg_status svg(tg_mark m, tg_trace_opts o) { return tg_trace_svg_with(trace_path("t.svg"), m, o); }
static tg_status text(tg_mark m, tg_trace_opts o) {
    rewind(text_file);
    return tg_trace_text_with(text_file, m, o);
}
static writer *const writers[] = {html, json, dot, svg, text};
static const char *const name[] = {
    "tg_trace_html: ", "tg_trace_json: ", "tg_trace_dot: ", "tg_trace_svg: ", "tg_trace_text: "};
enum { WRITERS = 5 };

static void setup(void) {
    trace_setup();
    text_file = tmpfile();
    ck_assert(text_file);
}
static void teardown(void) {
    fclose(text_file);
    trace_teardown();
}

#define refuse(status, ...) \
    do { \
        ck_assert_int_eq(s, status); \
        expect_error(status, name[_i], __VA_ARGS__); \
    } while (0)

START_TEST(bad_marks_and_losses) {
    writer *w = writers[_i];
    const tg_trace_opts none = {0};
    tg_mark m = tg_tape_mark();
    tg_status s = w(m, none);
    refuse(TG_ERR_ARGUMENT, "nothing from the mark on");
    s = w((tg_mark){0}, none);
    refuse(TG_ERR_TAPE, "tg_tape_mark");
    tg_tensor *x = leaf(2), *before = tg_exp(x);
    tg_mark later = tg_tape_mark();
    tg_tensor *y = tg_mul(x, before), *v = tg_expand(y, 3), *c = tg_scalar(TG_F64, 1);
    s = w(later, (tg_trace_opts){.loss = before});
    refuse(TG_ERR_TAPE, "before the mark");
    s = w(later, (tg_trace_opts){.loss = v});
    refuse(TG_ERR_ARGUMENT, "[3] f64", "not one number");
    s = w(later, (tg_trace_opts){.loss = c});
    refuse(TG_ERR_ARGUMENT, "requires no gradient");
    s = w(later, (tg_trace_opts){.loss = x});
    refuse(TG_ERR_ARGUMENT, "leaf");
    s = w(later, (tg_trace_opts){.most = -1});
    refuse(TG_ERR_ARGUMENT, ".most is -1");
    tg_tape_rewind(later);
    s = w(m, (tg_trace_opts){.loss = y});
    refuse(TG_ERR_LIFETIME, "");
    tg_tape_rewind(m);
    leaf(1);
    s = w(later, none);
    refuse(TG_ERR_TAPE, "rewound");
    tg_expand(tg_set_requires_grad(tg_zeros(TG_F32, 1), true), 3);
    s = w(m, none);
    refuse(TG_ERR_ARGUMENT, "none made one number");
}
END_TEST

START_TEST(other_tapes_and_pending_errors) {
    writer *w = writers[_i];
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = tg_exp(leaf(1));
    tg_tape *own = tg_tape_current(), *second = tg_tape_new();
    tg_tape_use(second);
    tg_status s = w(m, (tg_trace_opts){0});
    refuse(TG_ERR_TAPE, "another tape");
    tg_mark of_second = tg_tape_mark();
    tg_exp(leaf(2)), tg_exp(leaf(3));
    s = w(of_second, (tg_trace_opts){.loss = loss});
    refuse(TG_ERR_TAPE, "another tape");
    tg_tape_use(own);
    tg_tape_free(second);
    tg_fail(TG_ERR_IO, "disk");
    ck_assert_int_eq(w(m, (tg_trace_opts){0}), TG_ERR_IO);
    expect_error(TG_ERR_IO, "disk");
    ck_assert(access(trace_path("t.json"), F_OK) != 0);
}
END_TEST

static tg_status (*const to[])(const char *, tg_mark, tg_trace_opts) = {tg_trace_html_with, tg_trace_json_with,
                                                                        tg_trace_dot_with, tg_trace_svg_with};

START_TEST(paths) {
    tg_mark m = tg_tape_mark();
    tg_exp(leaf(1));
    tg_status s = to[_i](NULL, m, (tg_trace_opts){0});
    refuse(TG_ERR_ARGUMENT, "the path is NULL");
    s = to[_i]("/no/such/folder/t.html", m, (tg_trace_opts){0});
    refuse(TG_ERR_IO, "/no/such/folder/t.html");
    s = to[_i]("/dev/full", m, (tg_trace_opts){0});
    refuse(TG_ERR_IO, "/dev/full");
    if (access("/sys/kernel", F_OK) == 0) { /* in which nobody may make a file */
        s = to[_i]("/sys/kernel/t.html", m, (tg_trace_opts){0});
        refuse(TG_ERR_IO, "/sys/kernel/t.html");
    }
    if (geteuid() != 0) { /* root may write everywhere */
        chmod(trace_folder, 0500);
        s = to[_i](trace_path("t"), m, (tg_trace_opts){0});
        chmod(trace_folder, 0700);
        refuse(TG_ERR_IO, trace_folder);
    }
}
END_TEST

/* As on a full disk, with files of no more than 2,000 bytes: an old one stays, and no other is left. */
START_TEST(full_disk) {
    struct rlimit was, small;
    tg_mark m = tg_tape_mark();
    tg_tensor *h = tg_set_requires_grad(tg_randn(TG_F32, 4, 4), true);
    for (int i = 0; i < 30; i++) h = tg_sin(h);
    tg_sum(h);
    FILE *old = fopen(trace_path("t"), "wb");
    fputs("old", old);
    fclose(old);
    getrlimit(RLIMIT_FSIZE, &was);
    small = was, small.rlim_cur = 2000;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    tg_status s = to[_i](trace_path("t"), m, (tg_trace_opts){0});
    setrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, before);
    refuse(TG_ERR_IO, trace_path("t"));
    size_t n;
    char *text = read_all(trace_path("t"), &n);
    ck_assert_str_eq(text, "old");
    free(text);
}
END_TEST

/* As on a full disk. */
START_TEST(text_to_a_full_disk) {
    tg_mark m = tg_tape_mark();
    tg_exp(leaf(1));
    ck_assert_int_eq(tg_trace_text(NULL, m), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_trace_text: the file is NULL", "test_refused.c:");
    FILE *full = fopen("/dev/full", "w");
    if (!full) return;
    ck_assert_int_eq(tg_trace_text(full, m), TG_ERR_IO);
    expect_error(TG_ERR_IO, "tg_trace_text: the file cannot be written");
    fclose(full);
}
END_TEST

static tg_status traced_inside;
static tg_tensor *step(tg_tensor *const *in, void *user) {
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = tg_sum(tg_exp(tg_mul(in[0], *(tg_tensor **)user)));
    traced_inside = tg_trace_json(trace_path("t.json"), m);
    return loss;
}

START_TEST(while_a_plan_is_recorded) {
    tg_tensor *w = tg_param(tg_ones(TG_F32, 3)), *x = tg_ones(TG_F32, 3);
    tg_plan *p = tg_plan_new(step, &w);
    tg_plan_run(p, x);
    ck_assert_int_ne(tg_error_status(), TG_OK);
    ck_assert_msg(strstr(tg_error_message(), "tg_trace_json"), "%s", tg_error_message());
    ck_assert_int_ne(traced_inside, TG_OK);
    tg_error_clear();
    ck_assert(access(trace_path("t.json"), F_OK) != 0);
    tg_plan_free(p);
    tg_free(w);
}
END_TEST

/* A small program of all that a trace has: names, sources, several uses, products that add up, a node that cannot be run. */
static tg_tensor *make(void) {
    tg_tensor *x = tg_set_name(tg_set_requires_grad(tg_full(TG_F32, 0.5, 9, 9), true), "fc.weight");
    tg_tensor *h = tg_matmul(tg_matmul(x, x), x), *e = tg_exp(x);
    tg_tensor *loss = tg_add(tg_mean(h), tg_sum(tg_mul(e, x)));
    return loss;
}

START_TEST(without_memory) {
    tg_mark m = tg_tape_mark();
    tg_tensor *loss = make();
    const int64_t tensors = tg_tape_tensors();
    int failures = 0, in_a_row = 0;
    for (int64_t n = 1; in_a_row < 3; n++) {
        tg_memory_trim();
        tg_memory_fail_at(n);
        tg_status s = writers[_i](m, (tg_trace_opts){.loss = loss, .title = "t"});
        tg_memory_fail_at(-1);
        failures += s != TG_OK;
        in_a_row = s == TG_OK ? in_a_row + 1 : 0;
        if (s != TG_OK) {
            ck_assert_msg(tg_error_status() == TG_ERR_MEMORY, "%s", tg_error_message());
            tg_error_clear();
        }
        expect_ok();
        ck_assert_int_eq(tg_tape_tensors(), tensors);
        ck_assert_int_lt((int)n, 3000);
    }
    ck_assert_int_gt(failures, 20);
    ck_assert_int_eq(tg_backward(loss), TG_OK);
}
END_TEST

/* From a hook, in the middle of a walk. */
static tg_mark in_hook;
static tg_tensor *traced_in_loss;
static tg_tensor *hook(tg_tensor *g, void *user) {
    (void)user;
    json_t *root = traced(in_hook, (tg_trace_opts){.loss = traced_in_loss});
    ck_assert(element(root, number_in(item(root, "tensors", tensor_named(root, "x")), "grad"), 0) == 4);
    json_decref(root);
    return g;
}

START_TEST(inside_of_a_hook) {
    in_hook = tg_tape_mark();
    tg_tensor *x = tg_set_name(leaf(2), "x"), *y = tg_square(x);
    traced_in_loss = tg_mul_scalar(y, 1);
    tg_register_hook(y, hook, NULL);
    ck_assert_int_eq(tg_backward(traced_in_loss), TG_OK);
    expect_value(tg_grad_of(x), 4);
}
END_TEST

TCase *tcase_trace_refused(void);
TCase *tcase_trace_refused(void) {
    TCase *t = tcase_create("trace refused");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, bad_marks_and_losses, 0, WRITERS);
    tcase_add_loop_test(t, other_tapes_and_pending_errors, 0, WRITERS);
    tcase_add_loop_test(t, paths, 0, 4);
    tcase_add_loop_test(t, full_disk, 0, 4);
    tcase_add_test(t, text_to_a_full_disk);
    tcase_add_test(t, while_a_plan_is_recorded);
    tcase_add_loop_test(t, without_memory, 0, WRITERS);
    tcase_add_test(t, inside_of_a_hook);
    return t;
}
