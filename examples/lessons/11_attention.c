/* Lesson 11: attention.
 *
 *     S = Q K^T / sqrt(e)        A = softmax(S), along each row        O = A V
 *
 * Each query, a row of Q, asks all keys, the rows of K; how well they fit, S, becomes weights A that are positive and add up to 1, and
 * its answer is that mean of the values, the rows of V. Three products and a softmax, so backward is lesson 6 three times and one rule:
 *
 *     dA = dO V^T        dV = A^T dO
 *     dS = A (dA - the sum of dA A along the row)
 *     dQ = dS K / sqrt(e)        dK = dS^T Q / sqrt(e)
 *
 * The rule of softmax is where weights compete: each of them grows at the cost of all others, since they share 1. What counts is by how
 * much dA differs from its mean under the weights A.
 *
 * Exercise: your rule takes the place of that of softmax. It treats each weight as if it were alone, as a sigmoid's output is.
 *     11_attention [--solved] [page.html]
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: node->out[0] is A, dout[0] is dA, and din[0] is to be dS. Rows are along axis 1. */
static void yours(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *a = node->out[0];
    din[0] = tg_mul(dout[0], tg_mul(a, tg_affine(a, -1, 1)));
}

static void solution(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *a = node->out[0], *mean = tg_sum(tg_mul(dout[0], a), .axes = {1, {1}}, .keepdim = true);
    din[0] = tg_mul(a, tg_sub(dout[0], mean));
}

enum { QUERIES = 2, KEYS = 3, E = 2 };

static tg_tensor *leaf(const char *name, const double *v, int rows) {
    return tg_set_name(tg_set_requires_grad(tg_from(TG_F64, v, rows, E), true), name);
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved];
    static const double qs[] = {1, 0, 0.5, -1}, ks[] = {1, 0.5, -1, 2, 0, -1}, vs[] = {1, 0, 0, 1, 2, 2},
                        ys[] = {1, 1, 0, 2};

    tg_mark step = tg_tape_mark();
    tg_tensor *q = leaf("Q", qs, QUERIES), *k = leaf("K", ks, KEYS), *v = leaf("V", vs, KEYS);
    tg_tensor *s = tg_mul_scalar(tg_matmul(q, tg_transpose(k, 0, 1)), 1 / sqrt(E));
    tg_tensor *a = tg_softmax(s, 1);
    tg_tensor *o = tg_matmul(a, v);
    tg_tensor *loss = tg_mse_loss(o, tg_from(TG_F64, ys, QUERIES, E));

    tg_tensor *d[3];
    tg_grad(1, &loss, 3, (tg_tensor *[]){o, a, s}, d, .retain = true);
    printf("S = Q K^T / sqrt(e) =\n"), tg_print(stdout, s);
    printf("A = softmax(S) =\n"), tg_print(stdout, a);
    printf("O = A V =\n"), tg_print(stdout, o);
    printf("L = %.4f\n\ndO =\n", tg_item(loss)), tg_print(stdout, d[0]);
    printf("dA = dO V^T =\n"), tg_print(stdout, d[1]);
    printf("dS = A (dA - row sum of dA A) =\n"), tg_print(stdout, d[2]);

    if (page) tg_trace_html(page, step, .title = "Attention");
    tg_grade_report r;
    tg_grade_rule(loss, "softmax", solved ? solution : yours, &r);
    puts(r.message);
    return !r.ok;
}
