/* A physics-informed network (Raissi, Perdikaris and Karniadakis 2019): Burgers' equation of a wave that steepens to a front,
 *     u_t + u u_x = nu u_xx,    u(x, 0) = -sin(pi x),    u(-1, t) = u(1, t) = 0,    nu = 0.1 / pi.
 * The network N(x, t) never sees the solution. With
 *     u(x, t) = -sin(pi x) + t (1 - x^2) N(x, t),
 * which is right at the edges whatever N is, the loss is the mean square of what is left of the equation at points,
 *     r = u_t + u u_x - nu u_xx.
 * Derivatives by x and t are walks over the tape that are recorded themselves, so that the loss has a gradient by the weights.
 * Adam finds the way to a good start, and L-BFGS, which needs all points in every step, the last digits.
 */
#include <tapegrad.h>

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PI 3.14159265358979323846
enum {
    POINTS = 2000,
    WIDTH = 20,
    LAYERS = 3,
    COLUMNS = 101,
    ROWS = 51
}; /* the last two: of the picture, x and t */
static const double nu = 0.1 / PI;

/* ---- the equation ---- */

/* u [n, 1] at the points xt [n, 2]. */
static tg_tensor *solution(tg_model *m, tg_tensor *xt) {
    tg_tensor *x = tg_narrow(xt, 1, 0, 1), *t = tg_narrow(xt, 1, 1, 1), *n = xt;
    for (int i = 0; i < LAYERS; i++)
        n = tg_tanh(tg_nn_linear(tg_nn_scope(m, "layer%d", i), "linear", n, WIDTH));
    n = tg_nn_linear(m, "out", n, 1);
    tg_tensor *inside = tg_mul(t, tg_affine(tg_square(x), -1, 1));
    return tg_sub(tg_mul(inside, n), tg_sin(tg_mul_scalar(x, PI)));
}

/* dy_i/dx_i, of the shape of x. Rows do not depend on each other, so it is the gradient of their sum. */
static tg_tensor *slope(tg_tensor *y, tg_tensor *x) {
    tg_tensor *sum = tg_sum(y), *g;
    tg_grad(1, &sum, 1, &x, &g, .create_graph = true);
    return g;
}

static tg_tensor *residual(tg_model *m, tg_tensor *xt) {
    tg_tensor *u = solution(m, xt), *first = slope(u, xt);
    tg_tensor *u_x = tg_narrow(first, 1, 0, 1), *u_t = tg_narrow(first, 1, 1, 1);
    tg_tensor *u_xx = tg_narrow(slope(u_x, xt), 1, 0, 1);
    return tg_sub(tg_add(u_t, tg_mul(u, u_x)), tg_mul_scalar(u_xx, nu));
}

typedef struct problem {
    tg_model *m;
    tg_tensor *points; /* [POINTS, 2], which require a gradient */
} problem;

/* What L-BFGS asks for, many times in a step, and what Adam does. */
static tg_tensor *squares(void *user) {
    const problem *p = user;
    return tg_mean(tg_square(residual(p->m, p->points)));
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)batch;
    return squares(user);
}

/* ---- the solution ---- */

/* By the transformation of Hopf (1950) and Cole (1951): with F(y) = exp(-cos(pi y) / (2 pi nu)) and G(s) = exp(-s^2 / (4 nu t))
 *     u(x, t) = -integral sin(pi (x - s)) F(x - s) G(s) ds / integral F(x - s) G(s) ds,
 * by the trapezoidal rule, whose error falls exponentially here. */
static double exact(double x, double t) {
    double above = 0, below = 0;
    for (int i = -400; i <= 400; i++) {
        double z = i / 50.0, y = x - z * sqrt(4 * nu * t),
               weight = exp(-(1 + cos(PI * y)) / (2 * PI * nu) - z * z);
        above -= sin(PI * y) * weight;
        below += weight;
    }
    return above / below;
}

/* |u - exact| / |exact| over a grid, and pictures of it where a name is given. */
static double compare(tg_model *m, const char *name) {
    static double at[ROWS * COLUMNS][2], right[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        at[i][0] = -1 + 2.0 * (i % COLUMNS) / (COLUMNS - 1);
        at[i][1] = (double)(i / COLUMNS) / (ROWS - 1);
        right[i] = exact(at[i][0], at[i][1]);
    }
    bool was = tg_set_grad_enabled(false);
    tg_tensor *u = tg_reshape(solution(m, tg_from(TG_F64, at, ROWS * COLUMNS, 2)), ROWS, COLUMNS);
    tg_tensor *v = tg_from(TG_F64, right, ROWS, COLUMNS), *error = tg_sub(u, v);
    tg_set_grad_enabled(was);
    if (name) {
        char file[2][4096];
        for (int i = 0; i < 2; i++)
            snprintf(file[i], sizeof file[i], "%s-%s.svg", name, i ? "error" : "solution");
        tg_plot_heatmap(file[0], u, .title = "u", .x = "x", .y = "t", .x_min = -1, .x_max = 1, .y_max = 1,
                        .diverging = true);
        tg_plot_heatmap(file[1], error, .title = "u - exact solution", .x = "x", .y = "t", .x_min = -1,
                        .x_max = 1, .y_max = 1, .diverging = true);
    }
    return tg_item(tg_norm(error)) / tg_item(tg_norm(v));
}

/* Learns, and returns the error. */
static double run(int64_t adam_steps, int64_t lbfgs_steps, const char *name) {
    static double at[POINTS][2]; /* -1 <= x < 1, 0 <= t < 1, evenly spread by Roberts' sequence of two axes (2018) */
    for (int i = 0; i < POINTS; i++) {
        at[i][0] = 2 * fmod(0.7548776662466927 * i, 1) - 1;
        at[i][1] = fmod(0.5698402909980532 * i, 1);
    }
    problem p = {tg_model_new(1), tg_set_requires_grad(tg_from(TG_F64, at, POINTS, 2), true)};
    tg_optim *adam = tg_adam(p.m, 5e-3);
    tg_schedule *cosine = tg_schedule_new(adam, tg_lr_cosine(adam_steps));
    tg_training training = {.model = p.m, .optim = adam, .schedule = cosine};
    tg_fit(&training, loss, .epoch_steps = adam_steps, .user = &p, .log = stdout);
    printf("%3lld steps of Adam     relative error %.2e\n", (long long)adam_steps, compare(p.m, NULL));
    tg_optim *lbfgs = tg_lbfgs(p.m, 1, .strong_wolfe = true, .max_iter = 50, .history_size = 50);
    double value;
    for (int64_t i = 1; i <= lbfgs_steps && tg_optim_step_closure(lbfgs, squares, &p, &value) == TG_OK; i++)
        printf("%3lld steps of L-BFGS   relative error %.2e   loss before %.2e\n", (long long)i,
               compare(p.m, NULL), value);
    double error = tg_error_status() == TG_OK ? compare(p.m, name) : INFINITY;
    tg_schedule_free(cosine), tg_optim_free(adam), tg_optim_free(lbfgs), tg_model_free(p.m);
    return error;
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"adam", 1, NULL, 'a'}, {"lbfgs", 1, NULL, 'l'}, {"expect", 1, NULL, 'e'}, {"plot", 1, NULL, 'p'}, {0}};
    int64_t adam_steps = 300, lbfgs_steps = 40; /* of the latter, each of up to 50 iterations */
    double expect = 1e-3;                       /* a larger error is a failure */
    const char *name = NULL;                    /* how the files of the pictures begin */
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (c == 'a')
            adam_steps = atoll(optarg);
        else if (c == 'l')
            lbfgs_steps = atoll(optarg);
        else if (c == 'e')
            expect = atof(optarg);
        else if (c == 'p')
            name = optarg;
        else
            return 2;

    double error = run(adam_steps, lbfgs_steps, name);
    if (tg_error_status() != TG_OK) fprintf(stderr, "physics: %s\n", tg_error_message());
    return tg_error_status() == TG_OK && error <= expect ? 0 : 1;
}
