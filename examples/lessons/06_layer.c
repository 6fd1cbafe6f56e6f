/* Lesson 6: a layer as matrices.
 *
 *     Z = X W + b        X [n, in]   W [in, out]   b [out]   Z [n, out]
 *
 * A row is a sample, a column a unit. All that a layer does to n samples is one product of matrices, and so is its backward pass:
 *
 *     dX = dZ W^T                   [n, out] [out, in]
 *     dW = X^T dZ                   [in, n] [n, out]
 *     db = the column sums of dZ    b was added to each row, and what reaches it from all rows is added
 *
 * A gradient has the shape of what it belongs to, which leaves one way only to write each of these down. Element [i, j] of dW is the sum,
 * over the samples, of input i times dZ of unit j: who was there together is who is blamed.
 *
 * Exercise: dW is not right. The shapes tell.
 *     06_layer [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { N = 4, IN = 3, OUT = 2 };

static tg_tensor *transposed(tg_tensor *m) { return tg_transpose(m, 0, 1); }

/* EXERCISE: dL/dW. */
static tg_tensor *yours(tg_tensor *x, tg_tensor *dz) { return tg_matmul(transposed(dz), x); }

static tg_tensor *solution(tg_tensor *x, tg_tensor *dz) { return tg_matmul(transposed(x), dz); }

static tg_tensor *leaf(const char *name, tg_tensor *t) {
    return tg_set_name(tg_set_requires_grad(t, true), name);
}

static void show(const char *name, tg_tensor *t) { printf("%s =\n", name), tg_print(stdout, t); }

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    static const double xs[] = {1, 2, -1, 2, -1, 0.5, -2, 1, 0.5, 1.5, 0, 1};
    static const double ws[] = {0.5, -0.3, 0.2, 0.8, -0.4, 0.1}, bs[] = {0.1, -0.2},
                        ys[] = {1, 0, 0.5, 1, -1, 0, 2, 1};

    tg_mark step = tg_tape_mark();
    tg_tensor *x = leaf("X", tg_from(TG_F64, xs, N, IN)), *y = tg_set_name(tg_from(TG_F64, ys, N, OUT), "Y");
    tg_tensor *w = leaf("W", tg_from(TG_F64, ws, IN, OUT)), *b = leaf("b", tg_from(TG_F64, bs, OUT));
    tg_tensor *z = tg_add(tg_matmul(x, w), b);
    tg_tensor *loss = tg_mse_loss(z, y);
    show("Z = X W + b", z);
    printf("L = mean (Z - Y)^2 = %.4f\n\n", tg_item(loss));

    /* by hand: with recording off, since these are numbers and no part of the program */
    tg_set_grad_enabled(false);
    tg_tensor *dz = tg_mul_scalar(tg_sub(z, y), 2.0 / (N * OUT));
    tg_tensor *dw = (solved ? solution : yours)(x, dz);
    tg_tensor *db = tg_sum(dz, .axes = {1, {0}});
    tg_tensor *dx = tg_matmul(dz, transposed(w));
    tg_set_grad_enabled(true);
    show("dZ = 2 (Z - Y) / (n out)", dz);
    show("dW", dw);
    show("db = column sums of dZ", db);
    show("dX = dZ W^T", dx);

    if (page) tg_trace_html(page, step, .title = "A layer as matrices");
    tg_grade_report r;
    tg_grade(loss, 4, (tg_by_hand[]){{"dZ", z, dz}, {"dW", w, dw}, {"db", b, db}, {"dX", x, dx}}, &r);
    puts(r.message);
    return !r.ok;
}
