/* Lesson 9: normalisation.
 *
 *     m = mean x        c = x - m        v = mean c^2        s = sqrt(v)        y = c / s
 *
 * y has the mean 0 and the variance 1, whatever x is. So nothing that moves all of x by the same, or stretches it, reaches y, and what
 * comes back from y cannot ask for it: of dy the mean, and the part along y, are taken away. Step by step, over n elements:
 *
 *     ds = -sum dy c / s^2            y = c / s
 *     dv = ds / (2 s)                 s = sqrt(v)
 *     dc = dy / s + dv 2 c / n        c is used twice: by y, and by v
 *     dx = dc - mean dc               x is used twice: by c, and by m
 *
 * Put together that is dx = (dy - mean dy - y mean(dy y)) / s, as textbooks have it; the tape needs no such formula.
 *
 * Exercise: dc is not right. The library knows which path was forgotten.
 *     09_normalisation [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { N = 5 };

/* EXERCISE: dL/dc, element by element. */
static double yours(double dy, double s, double dv, double c) {
    (void)dv, (void)c;
    return dy / s;
}

static double solution(double dy, double s, double dv, double c) { return dy / s + dv * 2 * c / N; }

static tg_tensor *vector(const double *v) { return tg_from(TG_F64, v, N); }

static void show(const char *name, const double *v) {
    printf("%-12s", name);
    for (int i = 0; i < N; i++) printf(" %8.4f", v[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    const double xs[N] = {1, 2, 4, 3, 0}, dy[N] = {1, 0, -1, 2, 0.5}; /* L = sum dy y */

    tg_mark step = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_set_requires_grad(vector(xs), true), "x");
    tg_tensor *m = tg_mean(x);
    tg_tensor *c = tg_sub(x, m);
    tg_tensor *v = tg_mean(tg_square(c));
    tg_tensor *s = tg_sqrt(v);
    tg_tensor *y = tg_div(c, s);
    tg_tensor *loss = tg_sum(tg_mul(y, vector(dy)));

    const double sd = tg_item(s), *cs = tg_data(c);
    double ds = 0, dc[N], dx[N], mean = 0;
    for (int i = 0; i < N; i++) ds -= dy[i] * cs[i] / (sd * sd);
    const double dv = ds / (2 * sd);
    for (int i = 0; i < N; i++) dc[i] = (solved ? solution : yours)(dy[i], sd, dv, cs[i]);
    for (int i = 0; i < N; i++) mean += dc[i] / N;
    for (int i = 0; i < N; i++) dx[i] = dc[i] - mean;
    printf("m = %g   v = %g   s = %.4f   L = %.4f   ds = %.4f   dv = %.4f\n", tg_item(m), tg_item(v), sd,
           tg_item(loss), ds, dv);
    show("y", tg_data(y));
    show("dy", dy);
    show("dc", dc);
    show("dx", dx);

    if (page) tg_trace_html(page, step, .title = "Normalisation");
    const tg_by_hand hand[] = {{"ds", s, tg_scalar(TG_F64, ds)},
                               {"dv", v, tg_scalar(TG_F64, dv)},
                               {"dc", c, vector(dc)},
                               {"dx", x, vector(dx)}};
    tg_grade_report r;
    tg_grade(loss, 4, hand, &r);
    puts(r.message);
    return !r.ok;
}
