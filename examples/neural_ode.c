/* A neural ordinary differential equation (Chen et al. 2018): a network f that is the velocity dy/dt = f(y), learnt from points
 * of a path. The truth is a spiral of theirs,
 *     dy/dt = A y^3,    A = (-0.1  2; -2  -0.1),    y(0) = (2, 0),    0 <= t <= 10.
 * The solver is Dormand and Prince's (1980), which chooses its steps by an estimate of their error. So the number of ops of a
 * training step is not known before: the loop decides what is on the tape, and the gradient goes back through just that.
 */
#include <tapegrad.h>

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 101, DENSE = 501 };        /* of the path: those to learn from, and those of the picture */
enum { BATCH = 40, SPAN = 6, WIDTH = 50 }; /* segments in a step, and their points; neurons */
static const double END = 10;

/* ---- the solver ---- */

typedef struct solver {
    tg_tensor *(*f)(tg_model *m, tg_tensor *y);
    tg_model *m;
    double tolerance, h; /* h: the step to be tried next */
    int64_t accepted, rejected;
} solver;

/* One step of length h: k_s = f(y + h sum_j a_sj k_j) for s = 0 .. 6, of which the last point is the solution of order 5.
 * *error is what it differs by from that of order 4, h sum_j e_j k_j, as a multiple of what the tolerance allows. */
static tg_tensor *step(const solver *s, tg_tensor *y, double h, double *error) {
    static const double a[7][6] = {
        {0},
        {1. / 5},
        {3. / 40, 9. / 40},
        {44. / 45, -56. / 15, 32. / 9},
        {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
        {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
        {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
    };
    static const double e[7] = {71. / 57600,      0,         -71. / 16695, 71. / 1920,
                                -17253. / 339200, 22. / 525, -1. / 40};
    tg_tensor *k[7], *x = y, *difference = tg_zeros_like(y);
    for (int i = 0; i < 7; i++) {
        x = y;
        for (int j = 0; j < i; j++)
            if (a[i][j] != 0) x = tg_add(x, tg_mul_scalar(k[j], h * a[i][j]));
        k[i] = s->f(s->m, x);
    }
    for (int i = 0; i < 7; i++)
        tg_add_(difference, k[i], h * e[i]); /* in place: the step size is a constant to the gradient */
    tg_tensor *allowed = tg_affine(tg_abs(tg_detach(y)), s->tolerance, s->tolerance);
    *error = tg_item(tg_amax(tg_div(tg_abs(difference), allowed)));
    return x;
}

/* y after the time t. A step that is rejected is taken off the tape. */
static tg_tensor *advance(solver *s, tg_tensor *y, double t) {
    while (t > 0 && tg_error_status() == TG_OK) {
        double h = fmin(s->h, t), error;
        tg_mark mark = tg_tape_mark();
        tg_tensor *next = step(s, y, h, &error);
        if (error <= 1) {
            y = next;
            t -= h;
            s->accepted++;
        } else {
            tg_tape_rewind(mark);
            s->rejected++;
        }
        if (error > 1 || h == s->h) s->h = h * fmin(5, fmax(0.2, 0.9 * pow(error, -0.2)));
        if (!(s->h > 1e-9)) tg_fail(TG_ERR_ARGUMENT, "neural_ode: the solver cannot go on: error %g", error);
    }
    return y;
}

/* y at the times 0, t, 2t, .., n of them: [n, .. as y]. */
static tg_tensor *path(solver *s, tg_tensor *y, int n, double t) {
    tg_tensor *at[DENSE] = {y};
    for (int i = 1; i < n; i++) at[i] = advance(s, at[i - 1], t);
    return tg_stack_with(0, n, at);
}

/* ---- truth and network ---- */

static tg_tensor *truth(tg_model *m, tg_tensor *y) {
    (void)m;
    static const double transposed[] = {-0.1, -2, 2, -0.1};
    return tg_matmul(tg_mul(y, tg_square(y)), tg_from(TG_F64, transposed, 2, 2));
}

static tg_tensor *network(tg_model *m, tg_tensor *y) {
    y = tg_tanh(tg_nn_linear(m, "in", y, WIDTH));
    y = tg_tanh(tg_nn_linear(m, "hidden", y, WIDTH));
    return tg_nn_linear(m, "out", y, 2);
}

/* The mean square of what segments of the path differ from those that the network predicts from their first points. */
typedef struct problem {
    tg_tensor *path; /* [POINTS, 1, 2] */
    solver solver;
    int64_t least, most; /* ops on the tape of a step so far */
} problem;

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)m, (void)batch;
    problem *p = user;
    int64_t place[BATCH], before = tg_tape_nodes();
    for (int i = 0; i < BATCH; i++) place[i] = (int64_t)tg_rng_below(NULL, POINTS - SPAN);
    tg_tensor *start = tg_from(TG_I64, place, 1, BATCH);
    tg_tensor *index = tg_add(start, tg_reshape(tg_arange(TG_I64, 0, SPAN, 1), SPAN, 1)); /* [SPAN, BATCH] */
    tg_tensor *target = tg_reshape(tg_index_select(p->path, 0, tg_reshape(index, -1)), SPAN, BATCH, 2);
    tg_tensor *out = tg_mse_loss(path(&p->solver, tg_select(target, 0, 0), SPAN, END / (POINTS - 1)), target);
    int64_t ops = tg_tape_nodes() - before;
    if (p->least == 0 || ops < p->least) p->least = ops;
    if (ops > p->most) p->most = ops;
    return out;
}

/* |predicted - true| / |true| as vectors of the path of the data, and of one from another start; and a picture of both. */
static void compare(tg_model *m, double error[2], const char *plot) {
    bool was = tg_set_grad_enabled(false);
    tg_tensor *start = tg_from(TG_F64, ((double[]){2, 0, 1.4, 0.3}), 2, 2);
    solver exact = {.f = truth, .tolerance = 1e-8, .h = 0.01};
    solver learnt = {.f = network, .m = m, .tolerance = 1e-6, .h = 0.01};
    tg_tensor *right = path(&exact, start, DENSE, END / (DENSE - 1));
    tg_tensor *said = path(&learnt, start, DENSE, END / (DENSE - 1));
    static const char *const name[] = {"true", "learnt", "true, not trained on", "learnt, not trained on"};
    tg_series line[4];
    for (int i = 0; i < 4; i++) {
        tg_tensor *a = tg_select(i % 2 ? said : right, 1, i / 2);
        line[i] = (tg_series){name[i], .x = tg_select(a, 1, 0), .y = tg_select(a, 1, 1)};
        if (i % 2)
            error[i / 2] = tg_item(tg_norm(tg_sub(a, tg_select(right, 1, i / 2)))) / tg_item(tg_norm(a));
    }
    if (plot)
        tg_plot_lines(plot, 4, line, .title = "dy/dt = f(y)", .x = "y1", .y = "y2", .width = 560,
                      .height = 560);
    tg_set_grad_enabled(was);
}

/* Learns, and says whether the last loss and the error on the path of the data are at most these. */
static bool run(int64_t steps, double most_loss, double most_error, const char *plot) {
    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 1e-2);
    tg_schedule *cosine = tg_schedule_new(adam, tg_lr_cosine(steps));
    tg_training training = {.model = m, .optim = adam, .schedule = cosine};
    solver exact = {.f = truth, .tolerance = 1e-8, .h = 0.01};
    problem p = {.solver = {.f = network, .m = m, .tolerance = 1e-4, .h = 0.01}};
    p.path = path(&exact, tg_from(TG_F64, ((double[]){2, 0}), 1, 2), POINTS, END / (POINTS - 1));
    double error[2] = {INFINITY, INFINITY};
    tg_fit_report r = {0};
    if (tg_fit(&training, loss, .epochs = 10, .epoch_steps = steps / 10, .user = &p, .log = stdout,
               .report = &r) == TG_OK) {
        compare(m, error, plot);
        printf(
            "the solver took %lld steps, and %lld more that it rejected; a training step had %lld to %lld ops\n",
            (long long)p.solver.accepted, (long long)p.solver.rejected, (long long)p.least, (long long)p.most);
        printf("loss %.2e; relative error %.4f on the path of the data, %.4f on another\n",
               tg_meter_mean(&r.loss), error[0], error[1]);
    }
    tg_schedule_free(cosine), tg_optim_free(adam), tg_model_free(m);
    return tg_error_status() == TG_OK && tg_meter_mean(&r.loss) <= most_loss && error[0] <= most_error;
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"steps", 1, NULL, 's'}, {"expect", 1, NULL, 'e'}, {"loss", 1, NULL, 'l'}, {"plot", 1, NULL, 'p'}, {0}};
    int64_t steps = 4000;
    double error = 0.05, most = 1e-3; /* a larger error, and a larger loss, is a failure */
    const char *plot = NULL;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (c == 's')
            steps = atoll(optarg);
        else if (c == 'e')
            error = atof(optarg);
        else if (c == 'l')
            most = atof(optarg);
        else if (c == 'p')
            plot = optarg;
        else
            return 2;

    tg_seed(1);
    bool ok = run(steps, most, error, plot);
    if (tg_error_status() != TG_OK) fprintf(stderr, "neural_ode: %s\n", tg_error_message());
    return ok ? 0 : 1;
}
