/* Lesson 1: one neuron.
 *
 *     z = w x + b        a = tanh(z)        L = (a - y)^2
 *
 * It has one input x, and its output a should be y. L says how far it is from that. Backward asks, of each number on the way: if it
 * grew a little, by how much would L grow? The answer for z is written dL/dz, or dz for short. It begins at the end, where dL/dL = 1,
 * and each step back multiplies by one slope:
 *
 *     da = 2 (a - y)                   the slope of the square
 *     dz = da (1 - a^2)                the slope of tanh, where it stands
 *     dw = dz x      db = dz           z = w x + b has the slope x by w, and 1 by b
 *
 * Exercise: below, dz is not right. The program says where, and by what factor; mend it, and it says "right".
 *     01_neuron [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: dL/dz, from da and the neuron's output a. */
static double yours(double da, double a) {
    (void)a;
    return da;
}

static double solution(double da, double a) { return da * (1 - a * a); }

static tg_tensor *number(const char *name, double v) {
    return tg_set_name(tg_set_requires_grad(tg_scalar(TG_F64, v), true), name);
}

static tg_tensor *constant(double v) { return tg_scalar(TG_F64, v); }

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    const double x = 2, y = 0;

    tg_mark step = tg_tape_mark();
    tg_tensor *w = number("w", 0.4), *b = number("b", 0.2);
    tg_tensor *z = tg_add(tg_mul(w, constant(x)), b);
    tg_tensor *a = tg_tanh(z);
    tg_tensor *loss = tg_square(tg_sub(a, constant(y)));
    printf("z = w x + b   = %.4f\n"
           "a = tanh(z)   = %.4f\n"
           "L = (a - y)^2 = %.4f\n\n",
           tg_item(z), tg_item(a), tg_item(loss));

    /* by hand */
    const double da = 2 * (tg_item(a) - y);
    const double dz = (solved ? solution : yours)(da, tg_item(a));
    const double dw = dz * x, db = dz;
    printf("da = 2 (a - y)    = %.4f\n"
           "dz = da (1 - a^2) = %.4f\n"
           "dw = dz x         = %.4f\n"
           "db = dz           = %.4f\n\n",
           da, dz, dw, db);

    if (page) tg_trace_html(page, step, .title = "One neuron");
    const tg_by_hand hand[] = {
        {"da", a, constant(da)}, {"dz", z, constant(dz)}, {"dw", w, constant(dw)}, {"db", b, constant(db)}};
    tg_grade_report r;
    tg_grade(loss, 4, hand, &r);
    puts(r.message);
    return !r.ok;
}
