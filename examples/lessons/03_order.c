/* Lesson 3: gradients add up, and why the order matters.
 *
 *     b = a^2        c = 3 b        d = b c
 *
 * b reaches d by two paths: by itself, and through c. If b grows a little, both bring it to d at once, so what they contribute is added:
 *
 *     dc = b                = 4      d = b c has the slope b by c,
 *     db = c + 3 dc         = 24     and c by b; c = 3 b has the slope 3
 *     da = db 2 a           = 96     (d = 3 a^4, whose slope is 12 a^3)
 *
 * So the rule of b = a^2 must wait until both contributions to db are there. The tape is walked backwards for that: whoever uses b was recorded
 * after b. A program that walks depth first, from d to b to a, and then from d to c to b to a, runs the rule of b with 12 first and with 24
 * later, and gives a 48 + 96. On the page, "Why in this order?" plays both.
 *
 * Exercise: db is not right. Which path was forgotten?
 *     03_order [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: dL/db, L being d. */
static double yours(double c, double dc) {
    (void)dc;
    return c;
}

static double solution(double c, double dc) { return c + 3 * dc; }

static tg_tensor *constant(double v) { return tg_scalar(TG_F64, v); }

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];

    tg_mark step = tg_tape_mark();
    tg_tensor *a = tg_set_name(tg_set_requires_grad(constant(2), true), "a");
    tg_tensor *b = tg_square(a);
    tg_tensor *c = tg_mul_scalar(b, 3);
    tg_tensor *d = tg_mul(b, c);
    const double dc = tg_item(b), db = (solved ? solution : yours)(tg_item(c), dc), da = db * 2 * tg_item(a);
    printf("a = %g   b = a^2 = %g   c = 3 b = %g   d = b c = %g\n"
           "dc = %g   db = %g   da = %g\n\n",
           tg_item(a), tg_item(b), tg_item(c), tg_item(d), dc, db, da);

    /* Gradients add up over walks, too, until someone clears them. */
    tg_backward(d, .retain = true);
    printf("after tg_backward        the gradient of a is %g\n", tg_item(tg_grad_of(a)));
    tg_backward(d, .retain = true);
    printf("after a second one       %g\n", tg_item(tg_grad_of(a)));
    tg_zero_grad(a);
    tg_backward(d, .retain = true);
    printf("cleared, and once more   %g\n\n", tg_item(tg_grad_of(a)));

    if (page) tg_trace_html(page, step, .loss = d, .title = "Gradients add up");
    tg_grade_report r;
    tg_grade(d, 3, (tg_by_hand[]){{"dc", c, constant(dc)}, {"db", b, constant(db)}, {"da", a, constant(da)}},
             &r);
    puts(r.message);
    return !r.ok;
}
