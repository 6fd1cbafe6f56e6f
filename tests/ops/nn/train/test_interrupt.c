/* Ctrl-C, in children of this process; and the bar, in a file. */
#include "tests/ops/nn/helpers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t before;
static void count(int number) {
    (void)number;
    before++;
}

/* In the order in which a program meets them; what a child exits with says where it stopped. */
static void once(void) {
    signal(SIGINT, count);
    tg_interrupts_catch(true);
    if (tg_interrupted()) _exit(2);
    raise(SIGINT);
    if (!tg_interrupted() || before) _exit(3);
    tg_interrupts_catch(false);
    raise(SIGINT); /* the program's own handler is back */
    if (before != 1 || !tg_interrupted()) _exit(4);
    tg_interrupts_catch(true); /* and it begins anew */
    if (tg_interrupted()) _exit(5);
    tg_interrupts_catch(false);
    _exit(0);
}
static void nested(void) {
    signal(SIGINT, count);
    tg_interrupts_catch(true), tg_interrupts_catch(true);
    tg_interrupts_catch(false);
    raise(SIGINT);
    if (!tg_interrupted() || before) _exit(2);
    tg_interrupts_catch(false), tg_interrupts_catch(false); /* one too many */
    raise(SIGINT);
    _exit(before == 1 ? 0 : 3);
}
static void twice(void) {
    signal(SIGINT, SIG_DFL);
    tg_interrupts_catch(true);
    raise(SIGINT);
    raise(SIGINT);
    _exit(0);
}
static void ignored(void) {
    signal(SIGINT, SIG_IGN);
    tg_interrupts_catch(true);
    raise(SIGINT);
    bool seen = tg_interrupted();
    tg_interrupts_catch(false);
    raise(SIGINT);
    _exit(seen);
}

START_TEST(a_signal_is_noted_once) {
    static void (*const programs[])(void) = {once, nested, ignored, twice};
    for (int i = 0; i < COUNT(programs); i++) {
        pid_t child = fork();
        if (child == 0) programs[i]();
        int status = 0;
        ck_assert(child > 0 && waitpid(child, &status, 0) == child);
        if (programs[i] == twice)
            ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
        else
            ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "program %d: %d", i,
                          WEXITSTATUS(status));
    }
}
END_TEST

START_TEST(lines_of_a_bar) {
    char text[4096] = "";
    FILE *file = tmpfile();
    tg_progress p = tg_progress_begin(file, "epoch 1/2", 200);
    ck_assert(!p.terminal);
    tg_progress_show(&p, 10, "loss 1"); /* too soon */
    p.start -= 60, p.last -= 60;
    tg_progress_show(&p, 50, "loss 0.5");
    p.last -= 60, p.start -= 7200;
    tg_progress_show(&p, 100, NULL);
    p.terminal = true, p.last -= 1;
    tg_progress_show(&p, 150, "loss 0.1"); /* no terminal, whose width would be known: 80 columns */
    p.last -= 1;
    tg_progress_show(&p, 200, "x");
    tg_progress_end(&p);
    ck_assert(tg_progress_seconds(&p) >= 7260);
    rewind(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    ck_assert_str_eq(text, "epoch 1/2   25%  loss 0.5  3:00 left\n"
                           "epoch 1/2   50%  2h01 left\n"
                           "\r\033[Kepoch 1/2 [======================>       ]  75%  loss 0.1  40:20 left"
                           "\r\033[Kepoch 1/2 [==============================] 100%  x  0:00 left\r\033[K");
    tg_progress none = tg_progress_begin(NULL, NULL, 0);
    tg_progress_show(&none, 1, NULL);
    tg_progress_end(&none);
}
END_TEST

TCase *tcase_interrupt(void);
TCase *tcase_interrupt(void) {
    TCase *t = tcase_create("interrupt");
    tcase_add_test(t, a_signal_is_noted_once);
    tcase_add_test(t, lines_of_a_bar);
    return t;
}
