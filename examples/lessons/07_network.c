/* Lesson 7: a network.
 *
 *     Z1 = X W1^T + b1     A1 = tanh(Z1)     Z2 = A1 W2^T + b2     P = softmax(Z2)
 *
 * Two layers learn "exclusive or": four samples of two inputs, of which one or the other is on, but not both; Y
 * is 1 in the column of the right class. Each layer keeps its weights as [out, in], as most libraries do. Backward is lesson 5, then lesson 6, then lesson 4, and lesson 6 again:
 *
 *     dZ2 = (P - Y) / n          dW2 = dZ2^T A1     db2 = column sums of dZ2
 *     dA1 = dZ2 W2
 *     dZ1 = dA1 (1 - A1^2)       dW1 = dZ1^T X      db1 = column sums of dZ1
 *
 * A slip near the loss spoils all that follows. The grade names the first, and says of the rest whether that follows from it.
 *
 * Exercise: a gradient points uphill, and yours points elsewhere.
 *     07_network [--solved] [page.html]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

enum { N = 4, HIDDEN = 4, CLASSES = 2 };
/* EXERCISE: dL/dZ2. */
static tg_tensor *yours(tg_tensor *p, tg_tensor *y) { return tg_mul_scalar(tg_sub(y, p), 1.0 / N); }

static tg_tensor *solution(tg_tensor *p, tg_tensor *y) { return tg_mul_scalar(tg_sub(p, y), 1.0 / N); }

typedef struct pass {
    tg_tensor *z1, *a1, *z2, *loss;
} pass;
static pass forward(tg_model *m, tg_tensor *x, tg_tensor *y) {
    pass f = {.z1 = tg_nn_linear(m, "fc1", x, HIDDEN)};
    f.a1 = tg_tanh(f.z1);
    f.z2 = tg_nn_linear(m, "fc2", f.a1, CLASSES);
    f.loss = tg_cross_entropy(f.z2, y);
    return f;
}

/* What the same gradients, taken by the tape, make of it in 200 steps. */
static void train(tg_model *m, const double *in, const double *out) {
    tg_optim *adam = tg_adam(m, 0.05);
    for (int i = 0; i < 200; i++) {
        const tg_mark step = tg_tape_mark();
        const pass f = forward(m, tg_from(TG_F64, in, N, 2), tg_from(TG_F64, out, N, CLASSES));
        tg_backward(f.loss);
        tg_optim_step(adam);
        if (i == 0 || i == 199) printf("step %3d: L = %.4f\n", i + 1, tg_item(f.loss));
        tg_tape_rewind(step);
    }
    tg_optim_free(adam);
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    static const double in[] = {0, 0, 0, 1, 1, 0, 1, 1}, out[] = {1, 0, 0, 1, 0, 1, 1, 0};
    tg_model *m = tg_model_new(1);
    const tg_mark step = tg_tape_mark();
    tg_tensor *x = tg_set_name(tg_from(TG_F64, in, N, 2), "X"), *y = tg_from(TG_F64, out, N, CLASSES);
    const pass f = forward(m, x, y);
    tg_tensor *w1 = tg_model_find(m, "fc1.weight"), *b1 = tg_model_find(m, "fc1.bias");
    tg_tensor *w2 = tg_model_find(m, "fc2.weight"), *b2 = tg_model_find(m, "fc2.bias");

    tg_set_grad_enabled(false); /* by hand */
    tg_tensor *dz2 = (solved ? solution : yours)(tg_softmax(f.z2, 1), y);
    tg_tensor *dw2 = tg_matmul(tg_transpose(dz2, 0, 1), f.a1), *db2 = tg_sum(dz2, .axes = {1, {0}});
    tg_tensor *da1 = tg_matmul(dz2, w2), *dz1 = tg_mul(da1, tg_affine(tg_square(f.a1), -1, 1));
    tg_tensor *dw1 = tg_matmul(tg_transpose(dz1, 0, 1), x), *db1 = tg_sum(dz1, .axes = {1, {0}});
    tg_set_grad_enabled(true);

    if (page) tg_trace_html(page, step, .title = "A network");
    const tg_by_hand hand[] = {{"dZ2", f.z2, dz2}, {"dW2", w2, dw2}, {"db2", b2, db2}, {"dA1", f.a1, da1},
                               {"dZ1", f.z1, dz1}, {"dW1", w1, dw1}, {"db1", b1, db1}};
    tg_grade_report r;
    tg_grade(f.loss, 7, hand, &r);
    puts(r.message);
    tg_tape_rewind(step);
    if (r.ok) train(m, in, out);
    tg_model_free(m);
    return !r.ok || tg_error_status() != TG_OK;
}
