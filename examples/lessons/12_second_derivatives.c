/* Lesson 12: second derivatives.
 *
 *     a = tanh(x)        g = da/dx = 1 - a^2        dg/dx = -2 a g
 *
 * A backward pass is a program too: the rule of tanh multiplies and subtracts. When it is recorded (.create_graph), its result g is on the
 * tape with all that it was made of, and can be differentiated in turn, by the same rules; and so on, to any order. On the page the
 * nodes of the first backward pass stand below those of tanh, and the walk goes back through both.
 *
 * What is it for? The slope says where downhill is; the second derivative says how far. Newton's step to where f' is 0 is
 *
 *     x <- x - f'(x) / f''(x)
 *
 * and with it the root of f' is found to all digits in a few steps; below, the least of f(x) = e^x - 2 x, which is at log 2.
 *
 * Exercise: dg/dx is not right. By the chain rule, a itself has a slope.
 *     12_second_derivatives [--solved] [page.html]
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: the derivative of g = 1 - a^2 by x, where a = tanh(x). */
static double yours(double a) { return -2 * a; }

static double solution(double a) { return -2 * a * (1 - a * a); }

static tg_tensor *variable(double v) {
    return tg_set_name(tg_set_requires_grad(tg_scalar(TG_F64, v), true), "x");
}

/* Newton's method, its derivatives by two walks. */
static void newton(double x) {
    for (int i = 0; i < 6; i++) {
        const tg_mark step = tg_tape_mark();
        tg_tensor *at = variable(x), *f = tg_sub(tg_exp(at), tg_mul_scalar(at, 2)), *first, *second;
        tg_grad(1, &f, 1, &at, &first, .create_graph = true);
        tg_grad(1, &first, 1, &at, &second);
        printf("    x = %.12f   f' = %9.2e   f'' = %.4f\n", x, tg_item(first), tg_item(second));
        x -= tg_item(first) / tg_item(second);
        tg_tape_rewind(step);
    }
    printf("    log 2 is %.12f\n\n", log(2));
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];

    tg_mark step = tg_tape_mark();
    tg_tensor *x = variable(0.5), *g;
    tg_tensor *a = tg_tanh(x);
    tg_grad(1, &a, 1, &x, &g, .create_graph = true);
    tg_set_name(g, "g");
    const double second = (solved ? solution : yours)(tg_item(a));
    printf("a = tanh(0.5)       = %.6f\n"
           "g = da/dx = 1 - a^2 = %.6f\n"
           "dg/dx, by hand      = %.6f\n\n",
           tg_item(a), tg_item(g), second);
    printf("the least of e^x - 2 x by Newton's method:\n");
    newton(0);

    if (page) tg_trace_html(page, step, .loss = g, .title = "Second derivatives");
    tg_grade_report r;
    tg_grade(g, 1, &(tg_by_hand){"dg/dx", x, tg_scalar(TG_F64, second)}, &r);
    puts(r.message);
    return !r.ok;
}
