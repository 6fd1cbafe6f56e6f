/* Backpropagation by hand, beside the tape.
 *
 * One network of two layers,
 *     Z1 = X W1 + b1,   A1 = relu(Z1),   Z2 = A1 W2 + b2,   P = g(Z2),
 * three times: g is the identity (regression), the sigmoid (two classes), softmax (more classes). Each step
 * is computed twice: by the formulas of a textbook on plain arrays of doubles, and by the library. The
 * program prints both, and exits with 1 when they differ by more than 1e-12 anywhere.
 *
 *     backprop_by_hand [page.html]
 *
 * The page has the steps of the tape beside the graph of the last of the three (docs/tracing.md).
 *
 * Rows are samples: X [n, inputs], W1 [inputs, hidden], W2 [hidden, outputs]. P is the prediction, "y hat";
 * Y the target; L the loss, a mean over the n samples. dZ2 stands for dL/dZ2, of Z2's shape, and so on.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOLERANCE 1e-12

/* ---- a small matrix, passed by value, so that formulas read as on paper ---- */

typedef struct mat {
    int rows, cols;
    double v[12];
} mat;

#define FOR_EACH(m, i, j) \
    for (int i = 0; i < (m).rows; i++) \
        for (int j = 0; j < (m).cols; j++)

static double at(const mat *m, int i, int j) { return m->v[i * m->cols + j]; }
static double *put(mat *m, int i, int j) { return &m->v[i * m->cols + j]; }

static mat matmul(mat a, mat b) {
    mat out = {.rows = a.rows, .cols = b.cols};
    FOR_EACH(out, i, j)
    for (int k = 0; k < a.cols; k++) *put(&out, i, j) += at(&a, i, k) * at(&b, k, j);
    return out;
}

static mat transpose(mat a) {
    mat out = {.rows = a.cols, .cols = a.rows};
    FOR_EACH(out, i, j) * put(&out, i, j) = at(&a, j, i);
    return out;
}

/* b, a single row, is added to every row. */
static mat add_row(mat a, mat b) {
    FOR_EACH(a, i, j) * put(&a, i, j) += at(&b, 0, j);
    return a;
}

static mat sub(mat a, mat b) {
    FOR_EACH(a, i, j) * put(&a, i, j) -= at(&b, i, j);
    return a;
}

static mat times(mat a, mat b) {
    FOR_EACH(a, i, j) * put(&a, i, j) *= at(&b, i, j);
    return a;
}

static mat over(mat a, mat b) {
    FOR_EACH(a, i, j) * put(&a, i, j) /= at(&b, i, j);
    return a;
}

static mat scale(mat a, double s) {
    FOR_EACH(a, i, j) * put(&a, i, j) *= s;
    return a;
}

static mat map(double (*f)(double), mat a) {
    FOR_EACH(a, i, j) * put(&a, i, j) = f(at(&a, i, j));
    return a;
}

static mat column_sums(mat a) {
    mat out = {.rows = 1, .cols = a.cols};
    FOR_EACH(a, i, j) * put(&out, 0, j) += at(&a, i, j);
    return out;
}

static mat first_columns(mat a, int n) {
    mat out = {.rows = a.rows, .cols = n};
    FOR_EACH(out, i, j) * put(&out, i, j) = at(&a, i, j);
    return out;
}

static double total(mat a) {
    double sum = 0;
    FOR_EACH(a, i, j) sum += at(&a, i, j);
    return sum;
}

static double relu(double z) { return z > 0 ? z : 0; }
static double relu_slope(double z) { return z > 0 ? 1 : 0; }
static double sigmoid(double z) { return 1 / (1 + exp(-z)); }
static double one_minus(double x) { return 1 - x; }

static mat softmax_rows(mat z) {
    mat e = map(exp, z);
    for (int i = 0; i < z.rows; i++) {
        double sum = 0;
        for (int j = 0; j < z.cols; j++) sum += at(&e, i, j);
        for (int j = 0; j < z.cols; j++) *put(&e, i, j) /= sum;
    }
    return e;
}

/* ---- the three networks ---- */

enum { N = 4, INPUTS = 3, HIDDEN = 2, CLASSES = 3 };

static const mat X = {N, INPUTS, {1, 2, -1, 2, -1, 0.5, -2, 1, 0.5, 1.5, 0, 1}};
static const mat W1 = {INPUTS, HIDDEN, {0.5, -0.3, 0.2, 0.8, -0.4, 0.1}};
static const mat b1 = {1, HIDDEN, {0.1, -0.2}};
static const mat W2_all = {HIDDEN, CLASSES, {0.6, -0.2, 0.1, -0.5, 0.4, 0.3}}; /* with one output: column 0 */
static const mat b2_all = {1, CLASSES, {0.1, 0, -0.1}};

typedef enum task { REGRESSION, BINARY, MULTICLASS } task;

typedef struct problem {
    task kind;
    mat Y;
    const char *title, *prediction, *loss, *start, *fused;
} problem;

static const problem problems[] = {
    {REGRESSION,
     {N, 1, {1, 0.5, -1, 2}},
     "1. Regression: linear output, half the mean squared error",
     "P = Z2",
     "L = sum (P - Y)^2 / (2 n)",
     "dP = (P - Y) / n",
     "tg_mse_loss(Z2, Y) / 2"},
    {BINARY,
     {N, 1, {1, 0, 0, 1}},
     "2. Two classes: sigmoid, binary cross-entropy",
     "P = 1 / (1 + exp(-Z2))",
     "L = -sum (Y log P + (1-Y) log(1-P)) / n",
     "dP = (P - Y) / (P (1 - P) n)",
     "tg_binary_cross_entropy_with_logits(Z2, Y)"},
    {MULTICLASS,
     {N, CLASSES, {0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0}},
     "3. Three classes: softmax, cross-entropy",
     "P = exp(Z2) / rowsum exp(Z2)",
     "L = -sum Y log P / n",
     "dP = -Y / (P n)",
     "tg_cross_entropy(Z2, classes of Y)"},
};

/* ---- by hand ---- */

typedef struct by_hand {
    mat Z1, A1, Z2, P, L;                      /* forward; L is 1 by 1 */
    mat dP, dZ2, dA1, dZ1, dW2, db2, dW1, db1; /* backward */
} by_hand;

static mat loss_by_hand(task kind, mat P, mat Y) {
    mat L = {.rows = 1, .cols = 1};
    mat miss = sub(P, Y);
    if (kind == REGRESSION) L.v[0] = total(times(miss, miss)) / (2 * N);
    if (kind == BINARY)
        L.v[0] = -total(times(Y, map(log, P))) / N -
                 total(times(map(one_minus, Y), map(log, map(one_minus, P)))) / N;
    if (kind == MULTICLASS) L.v[0] = -total(times(Y, map(log, P))) / N;
    return L;
}

static mat loss_slope_by_hand(task kind, mat P, mat Y) {
    if (kind == REGRESSION) return scale(sub(P, Y), 1.0 / N);
    if (kind == BINARY) return scale(over(sub(P, Y), times(P, map(one_minus, P))), 1.0 / N);
    return scale(over(Y, P), -1.0 / N);
}

static by_hand run_by_hand(const problem *p, mat W2, mat b2) {
    by_hand r;
    r.Z1 = add_row(matmul(X, W1), b1);
    r.A1 = map(relu, r.Z1);
    r.Z2 = add_row(matmul(r.A1, W2), b2);
    r.P = p->kind == REGRESSION ? r.Z2 : p->kind == BINARY ? map(sigmoid, r.Z2) : softmax_rows(r.Z2);
    r.L = loss_by_hand(p->kind, r.P, p->Y);

    r.dP = loss_slope_by_hand(p->kind, r.P, p->Y);
    r.dZ2 = scale(sub(r.P, p->Y), 1.0 / N); /* the same in all three: each loss is the match of its g */
    r.dW2 = matmul(transpose(r.A1), r.dZ2);
    r.db2 = column_sums(r.dZ2);
    r.dA1 = matmul(r.dZ2, transpose(W2));
    r.dZ1 = times(r.dA1, map(relu_slope, r.Z1));
    r.dW1 = matmul(transpose(X), r.dZ1);
    r.db1 = column_sums(r.dZ1);
    return r;
}

/* ---- the tape ---- */

typedef struct by_tape {
    tg_tensor *Z1, *A1, *Z2, *P, *L;
    tg_tensor *dP, *dZ2, *dA1, *dZ1, *dW2, *db2, *dW1, *db1;
    tg_tensor *fused_L, *fused_dZ2;
} by_tape;

static tg_tensor *constant(mat m) { return tg_from(TG_F64, m.v, m.rows, m.cols); }
static tg_tensor *leaf(mat m, const char *name) {
    return tg_set_name(tg_set_requires_grad(constant(m), true), name);
}

/* The number of the class that each row of a one-hot matrix marks. */
static tg_tensor *classes(mat one_hot) {
    int64_t c[N] = {0};
    FOR_EACH(one_hot, i, j) if (at(&one_hot, i, j) > 0) c[i] = j;
    return tg_from(TG_I64, c, N);
}

static void losses(const problem *p, by_tape *r) {
    if (p->kind == MULTICLASS) {
        tg_tensor *y = classes(p->Y);
        r->P = tg_softmax(r->Z2, -1);
        r->L = tg_nll_loss(tg_log(r->P), y);
        r->fused_L = tg_cross_entropy(r->Z2, y);
        return;
    }
    tg_tensor *y = constant(p->Y);
    if (p->kind == BINARY) {
        r->P = tg_sigmoid(r->Z2);
        r->L = tg_binary_cross_entropy(r->P, y);
        r->fused_L = tg_binary_cross_entropy_with_logits(r->Z2, y);
    } else {
        r->P = r->Z2;
        r->L = tg_mul_scalar(tg_mean(tg_square(tg_sub(r->P, y))), 0.5);
        r->fused_L = tg_mul_scalar(tg_mse_loss(r->Z2, y), 0.5);
    }
}

static tg_status run_tape(const problem *p, mat W2_value, mat b2_value, by_tape *r) {
    tg_tensor *W1_ = leaf(W1, "W1"), *b1_ = leaf(b1, "b1");
    tg_tensor *W2 = leaf(W2_value, "W2"), *b2 = leaf(b2_value, "b2");
    r->Z1 = tg_add(tg_matmul(constant(X), W1_), b1_);
    r->A1 = tg_relu(r->Z1);
    r->Z2 = tg_add(tg_matmul(r->A1, W2), b2);
    losses(p, r);

    /* tg_grad answers for intermediate results too; tg_backward alone would fill the four parameters only. */
    tg_tensor *g[8], *in[8] = {r->P, r->Z2, r->A1, r->Z1, W2, b2, W1_, b1_};
    tg_status status = tg_grad(1, &r->L, 8, in, g, .retain = true);
    r->dP = g[0], r->dZ2 = g[1], r->dA1 = g[2], r->dZ1 = g[3];
    r->dW2 = g[4], r->db2 = g[5], r->dW1 = g[6], r->db1 = g[7];
    return status == TG_OK ? tg_grad(1, &r->fused_L, 1, &r->Z2, &r->fused_dZ2) : status;
}

/* ---- side by side ---- */

static double worst = 0; /* the largest difference of the whole run */

/* One number; what rounds to zero has no sign. */
static void cell(double v) { printf("%8.4f", fabs(v) < 5e-5 ? 0 : v); }

static void row(const char *left, const mat *m, tg_tensor *t, int i) {
    if (i >= m->rows) {
        printf("%s\n", left);
        return;
    }
    printf("%-31s", left);
    for (int j = 0; j < m->cols; j++) cell(at(m, i, j));
    printf("%*s", 8 * (CLASSES - m->cols) + 1, "");
    for (int j = 0; j < m->cols; j++) cell(tg_get(t, i * m->cols + j));
    printf("\n");
}

/* A NaN on either side counts as infinitely different. */
static void show(const char *formula, mat hand, tg_tensor *tape) {
    double largest = tg_numel(tape) == hand.rows * hand.cols ? 0 : INFINITY;
    FOR_EACH(hand, i, j) {
        double d = fabs(at(&hand, i, j) - tg_get(tape, i * hand.cols + j));
        if (!(d <= largest)) largest = isnan(d) ? INFINITY : d;
    }
    worst = fmax(worst, largest);

    char difference[32];
    if (largest > 0)
        snprintf(difference, sizeof difference, "    differ by %.1e", largest);
    else
        snprintf(difference, sizeof difference, "    no difference");
    const char *left[2] = {formula, difference};
    int wide = strlen(formula) > 30; /* a long formula has a line to itself */
    if (wide) printf("%s\n", formula);
    for (int i = 0; i < hand.rows || i < 2 - wide; i++)
        row(i < 2 - wide ? left[i + wide] : "", &hand, tape, i);
}

static void heading(const char *text) { printf("\n%-31s%8s%25s\n", text, "by hand", "tape"); }

static void print_given(const char *name, mat m) {
    for (int i = 0; i < m.rows; i++) {
        printf("    %-3s", i ? "" : name);
        for (int j = 0; j < m.cols; j++) printf("%8.4f", at(&m, i, j));
        printf("\n");
    }
}

static void report(const problem *p, const by_hand *h, const by_tape *t) {
    heading("Forward");
    show("Z1 = X W1 + b1", h->Z1, t->Z1);
    show("A1 = relu(Z1)", h->A1, t->A1);
    show("Z2 = A1 W2 + b2", h->Z2, t->Z2);
    show(p->prediction, h->P, t->P);
    show(p->loss, h->L, t->L);

    heading("Backward, from the loss down");
    show(p->start, h->dP, t->dP);
    show("dZ2 = (P - Y) / n", h->dZ2, t->dZ2);
    show("dW2 = A1^T dZ2", h->dW2, t->dW2);
    show("db2 = column sums of dZ2", h->db2, t->db2);
    show("dA1 = dZ2 W2^T", h->dA1, t->dA1);
    show("dZ1 = dA1 where Z1 > 0, else 0", h->dZ1, t->dZ1);
    show("dW1 = X^T dZ1", h->dW1, t->dW1);
    show("db1 = column sums of dZ1", h->db1, t->db1);

    printf("\nThe fused loss goes from Z2 to L in one step and forms no P:\n");
    printf("%s\n", p->fused);
    show("L", h->L, t->fused_L);
    show("dZ2 = (P - Y) / n", h->dZ2, t->fused_dZ2);
}

/* ---- the page ---- */

enum { ROWS = 10, PROBLEMS = sizeof problems / sizeof *problems };

/* All that is between the prediction and the parameters. Formulas begin with a name and " = ". */
static tg_status write_page(const char *path, tg_mark mark, const by_tape *t) {
    tg_trace_row rows[PROBLEMS][ROWS];
    tg_trace_seed seeds[PROBLEMS];
    for (int k = 0; k < PROBLEMS; k++) {
        const problem *p = &problems[k];
        tg_tensor *on = tg_to(tg_gt(t[k].Z1, tg_zeros_like(t[k].Z1)), TG_F64);
        const tg_trace_row row[ROWS] = {{"P", p->prediction + 4, t[k].P},
                                        {"dP", p->start + 5, t[k].dP},
                                        {"dZ2", "(P - Y) / n", t[k].dZ2},
                                        {"dW2", "A1^T dZ2", t[k].dW2},
                                        {"db2", "column sums of dZ2", t[k].db2},
                                        {"dA1", "dZ2 W2^T", t[k].dA1},
                                        {"relu'(Z1)", "1 where Z1 > 0, else 0", on},
                                        {"dZ1", "dA1 where Z1 > 0, else 0", t[k].dZ1},
                                        {"dW1", "X^T dZ1", t[k].dW1},
                                        {"db1", "column sums of dZ1", t[k].db1}};
        memcpy(rows[k], row, sizeof row);
        seeds[k] = (tg_trace_seed){p->title, ROWS, rows[k]};
    }
    return tg_trace_html(path, mark, .loss = t[PROBLEMS - 1].L, .seeds = seeds, .n_seeds = PROBLEMS,
                         .title = "Backpropagation by hand");
}

static void introduce(void) {
    printf("Backpropagation through two layers, by hand and by the tape, in float64.\n\n"
           "    Z1 = X W1 + b1     A1 = relu(Z1)     Z2 = A1 W2 + b2     P = g(Z2)\n\n"
           "Rows are samples. X [n, inputs], W1 [inputs, hidden], W2 [hidden, outputs].\n"
           "P is the prediction, Y the target, L the mean loss of n = %d samples, and\n"
           "dZ2 stands for dL/dZ2. The loss is matched to g each time, such that dP times\n"
           "the slope of g comes out as dZ2 = (P - Y) / n in all three: everything below\n"
           "that line is the same program.\n\n"
           "Given in all three:\n\n",
           N);
    print_given("X", X);
    print_given("W1", W1);
    print_given("b1", b1);
}

int main(int argc, char **argv) {
    by_tape t[PROBLEMS];
    tg_mark mark = tg_tape_mark();
    introduce();
    for (int i = 0; i < PROBLEMS; i++) {
        const problem *p = &problems[i];
        mat W2 = first_columns(W2_all, p->Y.cols), b2 = first_columns(b2_all, p->Y.cols);
        printf("\n\n%s\n", p->title);
        for (const char *c = p->title; *c; c++) putchar('=');
        printf("\n\n");
        print_given("W2", W2);
        print_given("b2", b2);
        print_given("Y", p->Y);

        mark = tg_tape_mark();
        by_hand h = run_by_hand(p, W2, b2);
        if (run_tape(p, W2, b2, &t[i]) != TG_OK) {
            fprintf(stderr, "%s\n", tg_error_message());
            return 1;
        }
        report(p, &h, &t[i]);
    }
    if (argc > 1 && write_page(argv[1], mark, t) != TG_OK) fprintf(stderr, "%s\n", tg_error_message());
    bool ok = worst <= TOLERANCE && tg_error_status() == TG_OK;
    printf("\nLargest difference of all: %.1e, %s %.0e.\n", worst, ok ? "within" : "NOT within", TOLERANCE);
    return ok ? 0 : 1;
}
