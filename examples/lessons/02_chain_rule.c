/* Lesson 2: the chain rule.
 *
 *     y = x^2        u = 3 y        v = u + 4        L = sqrt(v)
 *
 * Each step has a slope of its own: 2 x, 3, 1 and 1 / (2 L). The slope of the whole is their product:
 *
 *     dL/dx = 1 / (2 L) * 1 * 3 * 2 x        at x = 2:   1/8 * 1 * 3 * 4 = 1.5
 *
 * No step knows the others. Given dout, what dL/d(its output) is, it says what dL/d(its input) is: dout times its slope. Such a
 * rule is all that an op needs, and a program of any length is differentiated by passing one number back through its rules.
 *
 * Exercise: your rule takes the place of the library's for the op square. It is wrong; mend it.
 *     02_chain_rule [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: din[0] is dL/d(input 0), the input being node->in[0], and dout[0] is dL/d(output). The op is out = x * x. */
static void yours(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], node->in[0]);
}

static void solution(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(node->in[0], 2));
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];

    tg_mark step = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_set_requires_grad(tg_scalar(TG_F64, 2), true), "x");
    tg_tensor *y = tg_square(x);
    tg_tensor *u = tg_mul_scalar(y, 3);
    tg_tensor *v = tg_add_scalar(u, 4);
    tg_tensor *loss = tg_sqrt(v);

    tg_tensor *d[4];
    tg_grad(1, &loss, 4, (tg_tensor *[]){v, u, y, x}, d, .retain = true);
    printf("forward             backward\n"
           "x           %-8.4g\n"
           "y = x^2     %-8.4gdL/dv = 1 / (2 L)   = %.4g\n"
           "u = 3 y     %-8.4gdL/du = dL/dv * 1   = %.4g\n"
           "v = u + 4   %-8.4gdL/dy = dL/du * 3   = %.4g\n"
           "L = sqrt v  %-8.4gdL/dx = dL/dy * 2 x = %.4g\n\n",
           tg_item(x), tg_item(y), tg_item(d[0]), tg_item(u), tg_item(d[1]), tg_item(v), tg_item(d[2]),
           tg_item(loss), tg_item(d[3]));

    if (page) tg_trace_html(page, step, .title = "The chain rule");
    tg_grade_report r;
    tg_grade_rule(loss, "square", solved ? solution : yours, &r);
    puts(r.message);
    return !r.ok;
}
