/* A gradient written by hand, checked; nothing of tensors is needed (the header autograd/check/function.h alone would do).
 *
 * The function is the loss of a logistic regression with weight decay, as programs of another library, or none, have it:
 *     f(w) = 1/N sum_k log(1 + exp(-y_k w . x_k)) + lambda/2 |w|^2
 *     df/dw = -1/N sum_k y_k x_k s(-y_k w . x_k) + lambda w,      s the sigmoid
 *
 * The first gradient forgets that the last weight, the bias, is not decayed: an error of 3 % in one element of four. The
 * program exits with 0 when the checker says WRONG to that one and CORRECT to the other.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>

enum { ROWS = 6, WEIGHTS = 4 };
static const double row[ROWS][WEIGHTS] = {{0.5, -1.2, 0.3, 1}, {1.5, 0.7, -0.4, 1},  {-0.8, 0.1, 2.0, 1},
                                          {0.2, 0.9, 0.9, 1},  {-1.1, -0.6, 0.5, 1}, {0.7, -0.3, -1.6, 1}};
static const double label[ROWS] = {1, -1, 1, -1, 1, -1};
static const double decay = 0.01;

static double margin(const double *w, int k) {
    double z = 0;
    for (int i = 0; i < WEIGHTS; i++) z += w[i] * row[k][i];
    return label[k] * z;
}

static double loss(const double *w, size_t n, void *user) {
    double sum = 0, square = 0;
    (void)user;
    for (int k = 0; k < ROWS; k++) sum += log1p(exp(-margin(w, k)));
    for (size_t i = 0; i + 1 < n; i++) square += w[i] * w[i];
    return sum / ROWS + decay / 2 * square;
}

/* What is decayed is said by `user`: how many of the weights. */
static void gradient(const double *w, size_t n, double *grad, void *user) {
    size_t decayed = *(const size_t *)user;
    for (size_t i = 0; i < n; i++) grad[i] = i < decayed ? decay * w[i] : 0;
    for (int k = 0; k < ROWS; k++) {
        double s = 1 / (1 + exp(margin(w, k)));
        for (size_t i = 0; i < n; i++) grad[i] -= label[k] * row[k][i] * s / ROWS;
    }
}

int main(void) {
    const double w[WEIGHTS] = {0.4, -0.2, 0.1, 0.3};
    size_t all = WEIGHTS, but_bias = WEIGHTS - 1;
    tg_function_report careless, right;
    tg_check_function(loss, gradient, &all, WEIGHTS, w, (tg_function_opts){0}, &careless);
    tg_check_function(loss, gradient, &but_bias, WEIGHTS, w, (tg_function_opts){0}, &right);
    printf("all weights decayed: %s\nall but the bias:    %s\n", careless.message, right.message);
    return careless.verdict == TG_WRONG && careless.element == WEIGHTS - 1 && right.verdict == TG_CORRECT ? 0
                                                                                                          : 1;
}
