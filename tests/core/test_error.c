#define _POSIX_C_SOURCE 200809L
#include "ops/tapegrad.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TCase *tcase_error(void);

static void clear(void) { tg_error_clear(); }

START_TEST(first_failure_stays) {
    ck_assert_int_eq(tg_error_status(), TG_OK);
    ck_assert_str_eq(tg_error_message(), "");
    ck_assert_int_eq(tg_fail(TG_ERR_SHAPE, "add: %d and %s", 3, "four"), TG_ERR_SHAPE);
    ck_assert_int_eq(tg_fail(TG_ERR_DTYPE, "later"), TG_ERR_SHAPE);
    ck_assert_int_eq(tg_error_status(), TG_ERR_SHAPE);
    ck_assert_str_eq(tg_error_message(), "add: 3 and four");
    tg_error_clear();
    ck_assert_int_eq(tg_error_status(), TG_OK);
    ck_assert_str_eq(tg_error_message(), "");
    ck_assert_int_eq(tg_fail(TG_OK, "nothing wrong"), TG_OK);
    ck_assert_str_eq(tg_error_message(), "");
    tg_fail(TG_ERR_IO, "second");
    expect_message(TG_ERR_IO, "second");
}
END_TEST

START_TEST(place_is_noted_once) {
    tg_status_at(TG_OK, "early.c", 1);
    ck_assert_int_eq(tg_status_at(tg_fail(TG_ERR_TAPE, "backward: no"), "/home/me/src/train.c", 41),
                     TG_ERR_TAPE);
    tg_status_at(TG_ERR_TAPE, "other.c", 7);
    tg_at(tg_poison(), "other.c", 8);
    expect_message(TG_ERR_TAPE, "backward: no   (train.c:41)");
    tg_fail(TG_ERR_TAPE, "backward: no");
    ck_assert_ptr_eq(tg_at(tg_poison(), "net.c", 5), tg_poison());
    expect_message(TG_ERR_TAPE, "backward: no   (net.c:5)");
}
END_TEST

START_TEST(long_texts_are_cut_before_the_place) {
    char text[8000], path[300];
    memset(text, 'x', sizeof text - 1), text[sizeof text - 1] = '\0';
    memset(path, 'p', sizeof path - 1), path[sizeof path - 1] = '\0';
    for (int n = 4064; n < 4104; n++) {
        tg_fail(TG_ERR_SHAPE, "%.*s", n, text);
        ck_assert_uint_eq(strlen(tg_error_message()), (size_t)(n < 4095 ? n : 4095));
        tg_status_at(TG_ERR_SHAPE, "dir/train.c", 123456);
        size_t length = strlen(tg_error_message());
        ck_assert_uint_le(length, 4095);
        ck_assert_str_eq(tg_error_message() + length - strlen("x   (train.c:123456)"), "x   (train.c:123456)");
        tg_error_clear();
    }
    tg_fail(TG_ERR_SHAPE, "%s", text);
    tg_status_at(TG_ERR_SHAPE, path, 1);
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "ppp:1)"));
}
END_TEST

/* Names and paths are the user's; UTF-8 in them stays. */
START_TEST(messages_are_one_line) {
    tg_fail(TG_ERR_ARGUMENT, "op: %s", "two\nlines\ta\x7f Z\xc3\xbcrich");
    tg_status_at(TG_ERR_ARGUMENT, "a\nb.c", 3);
    expect_message(TG_ERR_ARGUMENT, "op: two?lines?a? Z\xc3\xbcrich   (a?b.c:3)");
    tg_fail(TG_ERR_ARGUMENT, NULL);
    expect_error(TG_ERR_ARGUMENT, "no text");
}
END_TEST

/* Of what several functions stand on: the name of the last one that could be asked, but not of another error. */
START_TEST(errors_from_below_take_a_name) {
    tg_fail_memory(12);
    tg_error_by("zeros", TG_OK);
    tg_error_by("later", TG_OK);
    expect_message(TG_ERR_MEMORY, "zeros: out of memory: 12 bytes could not be allocated");
    tg_fail_memory(12);
    tg_status_at(TG_ERR_MEMORY, "a.c",
                 3); /* the call that raised it has ended: it is no longer for others to name */
    tg_error_by("later", TG_OK);
    expect_message(TG_ERR_MEMORY, "tg_alloc: out of memory: 12 bytes could not be allocated   (a.c:3)");
    tg_fail(TG_ERR_SHAPE, "matmul: inner sizes differ");
    tg_error_by("zeros", TG_OK);
    expect_message(TG_ERR_SHAPE, "matmul: inner sizes differ");
    tg_error_by("zeros", TG_OK);
    expect_ok();
}
END_TEST

/* A call that fails while an error of a function from below is pending, whose place no macro has told, leaves its text. */
START_TEST(what_was_pending_is_not_renamed) {
    const char *text = "tg_alloc: out of memory: 12 bytes could not be allocated";
    tg_tensor *t = tg_zeros(TG_F32, 2), *kept = tg_keep(t);
    tg_array a = *tg_array_of(t);
    tg_fail_memory(12);
    tg_memory_fail_from(1);
    tg_zeros_with(TG_F32, TG_SHAPE(-1));
    tg_uniform_with(TG_F32, 0, 1, TG_SHAPE(-1));
    tg_normal_with(TG_F32, 0, 1, TG_SHAPE(-1));
    tg_keep(tg_poison());
    tg_set_name(kept, "a name");
    tg_set_name(tg_poison(), "a name");
    ck_assert_int_eq(tg_memory_sites(NULL, 0), -1);
    while (!tg_is_poison(tg_from_array(&a))) continue;
    tg_memory_fail_from(-1);
    expect_message(TG_ERR_MEMORY, text);
    tg_free(kept);
}
END_TEST

START_TEST(raising_allocates_nothing) {
    tg_memory_fail_from(1);
    uint64_t before = tg_memory_now().mallocs;
    tg_fail(TG_ERR_MEMORY, "%s", "no memory");
    tg_status_at(TG_ERR_MEMORY, "a.c", 1);
    ck_assert_uint_eq(tg_memory_now().mallocs, before);
    tg_memory_fail_from(-1);
    expect_message(TG_ERR_MEMORY, "no memory   (a.c:1)");
}
END_TEST

START_TEST(status_names) {
    static const char *const name[] = {"TG_OK",           "TG_ERR_SHAPE",    "TG_ERR_DTYPE",
                                       "TG_ERR_ARGUMENT", "TG_ERR_LIFETIME", "TG_ERR_TAPE",
                                       "TG_ERR_MEMORY",   "TG_ERR_IO",       "TG_ERR_FORMAT"};
    for (int i = 0; i < COUNT(name); i++) ck_assert_str_eq(tg_status_name((tg_status)i), name[i]);
    ck_assert_int_eq(COUNT(name) - 1, TG_ERR_FORMAT);
    ck_assert_str_eq(tg_status_name((tg_status)99), "unknown status");
}
END_TEST

static void *other_thread(void *unused) {
    (void)unused;
    if (tg_error_status() != TG_OK) return "not clean at first";
    tg_fail(TG_ERR_IO, "theirs");
    return strcmp(tg_error_message(), "theirs") == 0 ? NULL : "lost";
}

START_TEST(threads_have_their_own) {
    pthread_t thread;
    void *result;
    tg_fail(TG_ERR_SHAPE, "ours");
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, &result);
    ck_assert_msg(!result, "%s", (const char *)result);
    expect_message(TG_ERR_SHAPE, "ours");
}
END_TEST

/* ---- strict mode: in child processes, as it ends them ---- */

static void strict_at_a_place(void) {
    tg_set_strict(true);
    tg_fail(TG_ERR_SHAPE, "first");
    fputs("raised ", stderr); /* not yet: the place is still to come */
    tg_status_at(TG_ERR_SHAPE, "train.c", 41);
}

static void strict_without_places(void) {
    tg_set_strict(true);
    tg_fail(TG_ERR_SHAPE, "first");
    tg_fail(TG_ERR_DTYPE, "second");
}

static void strict_after_a_clear(void) {
    tg_fail(TG_ERR_SHAPE, "first");
    tg_set_strict(true);
    tg_error_clear();
    tg_status_at(TG_OK, "train.c", 40);
    tg_fail(TG_ERR_SHAPE, "second");
    tg_at(tg_poison(), "train.c", 42);
}

static void strict_off_again(void) {
    if (tg_set_strict(true) || !tg_set_strict(false) || tg_set_strict(false))
        fputs("wrong previous setting", stderr);
    tg_fail(TG_ERR_SHAPE, "first");
    tg_status_at(TG_ERR_SHAPE, "train.c", 41);
    tg_fail(TG_ERR_SHAPE, "second");
}

static void run_self(const char *value) {
    setenv("TG_STRICT", value, 1);
    execl(program, program, "fail", (char *)NULL);
}

static void environment_on(void) { run_self("1"); }
static void environment_off(void) { run_self("0"); }

static const struct {
    void (*body)(void);
    int signal;
    const char *printed;
} strict_cases[] = {
    {strict_at_a_place, SIGABRT, "raised first   (train.c:41)\n"},
    {strict_without_places, SIGABRT, "first\n"},
    {strict_after_a_clear, SIGABRT, "second   (train.c:42)\n"},
    {strict_off_again, 0, ""},
    {environment_on, SIGABRT, "sizes differ   (train.c:41)\n"},
    {environment_off, 0, ""},
};

START_TEST(strict_mode) {
    int ends[2], status;
    char printed[1000];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]), close(ends[1]);
        strict_cases[_i].body();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], printed + n, sizeof printed - 1 - n)) > 0;) n += (size_t)got;
    printed[n] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : 0, strict_cases[_i].signal);
    ck_assert_str_eq(printed, strict_cases[_i].printed);
}
END_TEST

TCase *tcase_error(void) {
    TCase *tc = tcase_create("error");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, clear, clear);
    tcase_add_test(tc, first_failure_stays);
    tcase_add_test(tc, place_is_noted_once);
    tcase_add_test(tc, long_texts_are_cut_before_the_place);
    tcase_add_test(tc, messages_are_one_line);
    tcase_add_test(tc, errors_from_below_take_a_name);
    tcase_add_test(tc, what_was_pending_is_not_renamed);
    tcase_add_test(tc, raising_allocates_nothing);
    tcase_add_test(tc, status_names);
    tcase_add_test(tc, threads_have_their_own);
    tcase_add_loop_test(tc, strict_mode, 0, COUNT(strict_cases));
    return tc;
}
