/* Lesson 3: gradients add up, and why the order matters.
 *
 *     b = a + a        c = b a
 *
 * a reaches c by three paths: twice through b, and once by itself. If a grows a little, all three bring it to c at once, so what they
 * contribute is added:
 *
 *     db = a            = 3        c = b a has the slope a by b,
 *     da = b            = 6        and b by a,
 *        + db + db      = 6        and each side of a + a passes db on
 *                       = 12       (c = 2 a^2, whose slope is 4 a)
 *
 * So a rule may run only when the adjoint of its output is complete: had add run before c's contribution to b was there, it would have
 * passed on too little. The tape is walked backwards for that: whoever uses b stands behind b. On the page, "Why in this order?" shows
 * what a program does that walks depth first.
 *
 * Exercise: da is not right. Which path was forgotten?
 *     03_order [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: dL/da, from a, b and db, L being c. */
static double yours(double a, double b, double db) {
    (void)a, (void)db;
    return b;
}

static double solution(double a, double b, double db) {
    (void)a;
    return b + db + db;
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];

    tg_mark step = tg_tape_mark();
    tg_tensor *a = tg_set_name(tg_set_requires_grad(tg_scalar(TG_F64, 3), true), "a");
    tg_tensor *b = tg_add(a, a);
    tg_tensor *c = tg_mul(b, a);
    const double db = tg_item(a), da = (solved ? solution : yours)(tg_item(a), tg_item(b), db);
    printf("a = %g   b = a + a = %g   c = b a = %g\n"
           "db = %g   da = %g\n\n",
           tg_item(a), tg_item(b), tg_item(c), db, da);

    /* Gradients add up over walks, too, until someone clears them. */
    tg_backward(c, .retain = true);
    printf("after tg_backward        the gradient of a is %g\n", tg_item(tg_grad_of(a)));
    tg_backward(c, .retain = true);
    printf("after a second one       %g\n", tg_item(tg_grad_of(a)));
    tg_zero_grad(a);
    tg_backward(c, .retain = true);
    printf("cleared, and once more   %g\n\n", tg_item(tg_grad_of(a)));

    if (page) tg_trace_html(page, step, .loss = c, .title = "Gradients add up");
    tg_grade_report r;
    tg_grade(c, 2, (tg_by_hand[]){{"db", b, tg_scalar(TG_F64, db)}, {"da", a, tg_scalar(TG_F64, da)}}, &r);
    puts(r.message);
    return !r.ok;
}
