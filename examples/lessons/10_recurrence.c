/* Lesson 10: recurrence.
 *
 *     h_t = tanh(w h_{t-1} + x_t)        L = sum over t of (h_t - y_t)^2        t = 1 .. T
 *
 * A loop that carries h along. On the tape there is no loop: each turn has left nodes of its own, and the whole is one long network whose
 * layers share the weight w. "Back through time" is back along that:
 *
 *     dh_t = 2 (h_t - y_t) + w dz_{t+1}     from its own loss, and from the step after it, which there is none of at T
 *     dz_t = dh_t (1 - h_t^2)
 *     dw   = sum over t of dz_t h_{t-1}     it is used in each step
 *
 * What comes from far ahead has been multiplied by w (1 - h^2) at each step. Below 1 it vanishes, above 1 it explodes: lesson 4 again, in
 * time.
 *
 * Exercise: dh is not right.
 *     10_recurrence [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { T = 4 };

/* EXERCISE: dL/dh_t, from what h_t and y_t are, from w, and from dz of the step after it (0 at the end). */
static double yours(double h, double y, double w, double dz_next) {
    (void)w, (void)dz_next;
    return 2 * (h - y);
}

static double solution(double h, double y, double w, double dz_next) { return 2 * (h - y) + w * dz_next; }

static tg_tensor *constant(double v) { return tg_scalar(TG_F64, v); }

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    const double xs[T + 1] = {0, 1, 0, -0.5, 0.25}, ys[T + 1] = {0, 0.5, 0.5, 0, 0};

    tg_mark step = tg_tape_mark();
    tg_tensor *w = tg_set_name(tg_set_requires_grad(constant(0.8), true), "w");
    tg_tensor *h[T + 1] = {constant(0)}, *loss = NULL;
    for (int t = 1; t <= T; t++) {
        tg_tensor *z = tg_add(tg_mul(w, h[t - 1]), constant(xs[t]));
        h[t] = tg_tanh(z);
        tg_tensor *miss = tg_square(tg_sub(h[t], constant(ys[t])));
        loss = loss ? tg_add(loss, miss) : miss;
    }

    double dz = 0, dw = 0;
    tg_by_hand given[T + 1];
    static const char *const name[] = {"", "dh1", "dh2", "dh3", "dh4"};
    printf(" t       h_t      dh_t      dz_t   dz_t h_{t-1}\n");
    for (int t = T; t >= 1; t--) {
        const double a = tg_item(h[t]), before = tg_item(h[t - 1]);
        const double dh = (solved ? solution : yours)(a, ys[t], tg_item(w), dz);
        dz = dh * (1 - a * a);
        dw += dz * before;
        given[t - 1] = (tg_by_hand){name[t], h[t], constant(dh)};
        printf("%2d %9.4f %9.4f %9.4f %9.4f\n", t, a, dh, dz, dz * before);
    }
    given[T] = (tg_by_hand){"dw", w, constant(dw)};
    printf("L = %.4f   dw = %.4f\n\n", tg_item(loss), dw);

    if (page) tg_trace_html(page, step, .title = "Recurrence");
    tg_grade_report r;
    tg_grade(loss, T + 1, given, &r);
    puts(r.message);
    return !r.ok;
}
