/* Lesson 5: losses, and the gradient that they start with.
 *
 * A network ends with scores Z. An output function makes predictions P of them, and a loss compares these with Y, what they should be:
 *
 *     linear     P = Z                  L = sum (P - Y)^2 / (2 n)                       dP = (P - Y) / n
 *     sigmoid    P = 1 / (1 + e^-Z)     L = -sum (Y log P + (1 - Y) log (1 - P)) / n    dP = (P - Y) / (P (1 - P) n)
 *     softmax    P = e^Z / sum e^Z      L = -sum Y log P / n                            dP = -Y / (P n)
 *
 * n being the number of rows. Three losses and three slopes; yet dP, sent back through its output function, gives the same each time:
 *
 *     dZ = (P - Y) / n        dW = X^T dZ        db = the column sums of dZ
 *
 * That is why they go together. All that comes before Z is one program, whatever the loss. The page has the rows of all three.
 *
 * Exercise: dZ is not right.
 *     05_losses [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { N = 4, IN = 3, OUT = 2, ROWS = 6 };
static const double X[] = {1, 2, -1, 0.5, 0, 1, -1, 1, 0.5, 2, 0, 1}, W[] = {0.5, -0.3, 0.2, 0.8, -0.4, 0.1};
static const double Y[] = {1, 0, 0, 1, 0, 1, 1, 0}; /* each row is one of two classes */

/* EXERCISE: the gradient of the scores. */
static tg_tensor *yours(tg_tensor *p, tg_tensor *y) { return tg_sub(p, y); }

static tg_tensor *solution(tg_tensor *p, tg_tensor *y) { return tg_mul_scalar(tg_sub(p, y), 1.0 / N); }

static const struct pair {
    const char *title, *p, *dp, *slope;
} pairs[] = {{"Linear, squared error", "Z", "(P - Y) / n", "1"},
             {"Sigmoid, cross-entropy", "1 / (1 + e^-Z)", "(P - Y) / (P (1 - P) n)", "P (1 - P)"},
             {"Softmax, cross-entropy", "e^Z / sum e^Z", "-Y / (P n)", "P_i ([i = j] - P_j), of row 0"}};

static tg_tensor *predict(int k, tg_tensor *z) {
    return k == 0 ? z : k == 1 ? tg_sigmoid(z) : tg_softmax(z, 1);
}
static tg_tensor *loss_of(int k, tg_tensor *p, tg_tensor *y) {
    if (k == 0) return tg_mul_scalar(tg_sum(tg_square(tg_sub(p, y))), 0.5 / N);
    tg_tensor *hits = tg_mul(y, tg_log(p));
    if (k == 1) hits = tg_add(hits, tg_mul(tg_affine(y, -1, 1), tg_log(tg_affine(p, -1, 1))));
    return tg_mul_scalar(tg_sum(hits), -1.0 / N);
}
static tg_tensor *slope_of(int k, tg_tensor *p) {
    tg_tensor *p0 = tg_reshape(tg_slice(p, 0, 0, 1, 1), OUT);
    if (k == 2) return tg_sub(tg_diag(p0, 0), tg_outer(p0, p0));
    return k == 0 ? tg_ones_like(p) : tg_mul(p, tg_affine(p, -1, 1));
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    tg_tensor *x = tg_set_name(tg_from(TG_F64, X, N, IN), "X"),
              *y = tg_set_name(tg_from(TG_F64, Y, N, OUT), "Y"), *dp;
    tg_tensor *w = tg_set_name(tg_set_requires_grad(tg_from(TG_F64, W, IN, OUT), true), "W");
    tg_tensor *b = tg_set_name(tg_set_requires_grad(tg_zeros(TG_F64, OUT), true), "b");
    tg_trace_row rows[3][ROWS];
    tg_trace_seed seeds[3];
    tg_grade_report r[3];
    for (int k = 0; k < 3; k++) {
        tg_mark step = tg_tape_mark();
        tg_tensor *z = tg_add(tg_matmul(x, w), b), *p = predict(k, z), *loss = loss_of(k, p, y);
        tg_grad(1, &loss, 1, &p, &dp, .retain = true);
        tg_tensor *now = tg_detach(p), *dz = (solved ? solution : yours)(now, y);
        tg_tensor *dw = tg_matmul(tg_transpose(x, 0, 1), dz), *db = tg_sum(dz, .axes = {1, {0}});
        const tg_trace_row row[ROWS] = {
            {"P", pairs[k].p, now},    {"dP", pairs[k].dp, dp}, {"dP/dZ", pairs[k].slope, slope_of(k, now)},
            {"dZ", "(P - Y) / n", dz}, {"dW", "X^T dZ", dw},    {"db", "column sums of dZ", db}};
        memcpy(rows[k], row, sizeof row);
        seeds[k] = (tg_trace_seed){pairs[k].title, ROWS, rows[k]};
        if (page && k == 2)
            tg_trace_html(page, step, .loss = loss, .seeds = seeds, .n_seeds = 3, .title = "Losses");
        tg_grade(loss, 3, (tg_by_hand[]){{"dZ", z, dz}, {"dW", w, dw}, {"db", b, db}}, &r[k]);
        printf("%s: L = %.4f\n    %s\n", pairs[k].title, tg_item(loss), r[k].message);
    }
    return !(r[0].ok && r[1].ok && r[2].ok);
}
