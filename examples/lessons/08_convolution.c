/* Lesson 8: convolution.
 *
 *     y[i] = w[0] x[i] + w[1] x[i + 1] + w[2] x[i + 2]
 *
 * Three weights slide along six inputs. It is the layer of lesson 6, in which most weights are 0 and the others are shared; and with that
 * its backward pass is told: where something is shared, what comes back is added (lesson 3).
 *
 *     dw[k] = sum over i of dy[i] x[i + k]     w[k] was used at every place i
 *     dx[j] = sum over k of dy[j - k] w[k]     x[j] was seen by w[k] at place j - k
 *
 * So dx is a convolution too, of dy with the weights in the opposite order. As loops both are the forward one, with the roles changed:
 * for each i and k, x[i + k] and w[k] met in y[i].
 *
 * Exercise: dx is not right. It is right where the weights are the same from both ends; here they are not.
 *     08_convolution [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { LENGTH = 6, K = 3, OUT = LENGTH - K + 1 };

/* EXERCISE: dx, which begins as zeros. */
static void yours(const double *dy, const double *w, double *dx) {
    for (int i = 0; i < OUT; i++)
        for (int k = 0; k < K; k++) dx[i + k] += dy[i] * w[K - 1 - k];
}

static void solution(const double *dy, const double *w, double *dx) {
    for (int i = 0; i < OUT; i++)
        for (int k = 0; k < K; k++) dx[i + k] += dy[i] * w[k];
}

/* One image, or one kernel, of one channel. */
static tg_tensor *vector(const double *v, int n) { return tg_from(TG_F64, v, 1, 1, n); }

static void show(const char *name, const double *v, int n) {
    printf("%-3s", name);
    for (int i = 0; i < n; i++) printf(" %7.3f", v[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    const double xs[LENGTH] = {1, 0, 2, -1, 1, 3}, ws[K] = {1, -2, 0.5};

    tg_mark step = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_set_requires_grad(vector(xs, LENGTH), true), "x");
    tg_tensor *w = tg_set_name(tg_set_requires_grad(vector(ws, K), true), "w");
    tg_tensor *y = tg_conv1d(x, w);
    tg_tensor *loss = tg_mul_scalar(tg_sum(tg_square(y)), 0.5);
    double dy[OUT], dw[K] = {0}, dx[LENGTH] = {0};

    tg_copy_out(y, dy, sizeof dy); /* the slope of y^2 / 2 */
    for (int i = 0; i < OUT; i++)
        for (int k = 0; k < K; k++) dw[k] += dy[i] * xs[i + k];
    (solved ? solution : yours)(dy, ws, dx);
    show("x", xs, LENGTH);
    show("w", ws, K);
    show("y", tg_data(y), OUT);
    printf("L = sum y^2 / 2 = %g\n\n", tg_item(loss));
    show("dy", dy, OUT);
    show("dw", dw, K);
    show("dx", dx, LENGTH);

    if (page) tg_trace_html(page, step, .title = "Convolution");
    const tg_by_hand hand[] = {
        {"dy", y, vector(dy, OUT)}, {"dw", w, vector(dw, K)}, {"dx", x, vector(dx, LENGTH)}};
    tg_grade_report r;
    tg_grade(loss, 3, hand, &r);
    puts(r.message);
    return !r.ok;
}
