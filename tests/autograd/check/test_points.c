/* Functions whose derivatives are known, at random points: a right derivative is not called WRONG, and none that is off by 3 % or
 * more, negated or zero passes. */
#include "autograd/check/ladder.h"
#include "core/random.h"
#include "tests/autograd/helpers.h"

#include <math.h>

static double p, q; /* of the point */
typedef double point_fn(double x);

#define PI 3.14159265358979323846
#define POINTS(name, value, slope) \
    static double name(double x) { return value; } \
    static double name##_slope(double x) { return slope; }

static double sech2(double x) { return 1 / (cosh(x) * cosh(x)); }
static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double bell(double x) { return exp(-4.5 * x * x) / sqrt(2 * PI); }
static double sign(double x) { return x < 0 ? -1 : 1; }
POINTS(sine, p *sin(q *x), p *q *cos(q *x))
POINTS(exponential, p *exp(x), p *exp(x))
POINTS(line, p *x, p + 0 * x)
POINTS(power, p *pow(x, 7), 7 * p * pow(x, 6))
POINTS(hyperbolic, p *tanh(q *x), p *q *sech2(q *x))
POINTS(offset, 1e8 + p * sin(q * x), p *q *cos(q *x))
POINTS(logarithm, p *log(fabs(x)), p / x)
POINTS(root, p *sqrt(fabs(x)), 0.5 * p * sign(x) / sqrt(fabs(x)))
POINTS(inverse, p / x, -p / (x * x))
POINTS(kink, p *sin(x) + q * fabs(x - 0.3), p *cos(x) + q * sign(x - 0.3))
POINTS(bump, p *x + 1e-6 * tanh((x - q * 1e-6) / 1e-6), p + sech2((x - q * 1e-6) / 1e-6))
POINTS(cancelling, tanh(x) - x, -tanh(x) * tanh(x))
POINTS(saturated, log(tanh(fabs(x) * q + 1e-3)), q *sign(x) * 2 / sinh(2 * (fabs(x) * q + 1e-3)))
POINTS(softplus, log1p(exp(q *x * 10)), 10 * q * logistic(10 * q * x))
POINTS(steep, p *logistic(30 * x), 30 * p * logistic(30 * x) * logistic(-30 * x))
POINTS(in_step, x + 0.999 * sin(4096 * PI * x) / (4096 * PI), 1 + 0.999 * cos(4096 * PI * x))
POINTS(wiggly, p *x + 1e-3 * sin(q * 1e5 * x), p + 100 * q * cos(q * 1e5 * x))
POINTS(gelu, 0.5 * x * (1 + erf(3 * x * sqrt(0.5))), 0.5 * (1 + erf(3 * x * sqrt(0.5))) + 3 * x * bell(x))
POINTS(relu, x > q * 0.01 ? p * x : p * q * 0.01, x > q * 0.01 ? p : 0)
POINTS(large, 1e150 * p * sin(x), 1e150 * p * cos(x))
POINTS(small, 1e-150 * p * sin(x), 1e-150 * p * cos(x))
POINTS(single_in, p *(double)(float)x, p + 0 * x)
POINTS(single_out, (double)(float)(p *sin(x)), p *cos(x))
POINTS(single_term, p *sin(q *x) + (double)((float)x * 3.0F), p *q *cos(q *x) + 3)
POINTS(single_sine, p *(double)sinf((float)x), p *cos(x))
POINTS(single_log, (double)logf(1.5F + (float)x), 1 / (1.5 + x))

#define POINT(name) \
    { #name, name, name##_slope }
static const struct {
    const char *name;
    point_fn *f, *slope;
} family[] = {
    POINT(sine),       POINT(exponential), POINT(line),       POINT(power),       POINT(hyperbolic),
    POINT(offset),     POINT(logarithm),   POINT(root),       POINT(inverse),     POINT(kink),
    POINT(bump),       POINT(cancelling),  POINT(saturated),  POINT(softplus),    POINT(steep),
    POINT(in_step),    POINT(wiggly),      POINT(gelu),       POINT(relu),        POINT(large),
    POINT(small),      POINT(single_in),   POINT(single_out), POINT(single_term), POINT(single_sine),
    POINT(single_log),
};

typedef struct place {
    point_fn *f;
    double x;
} place;
static double on_line(double *t, void *user) {
    const place *at = user;
    double x = at->x + *t;
    *t = x - at->x;
    return at->f(x);
}

static tg_verdict judge(place *at, double a, tg_judge_opts *opts) {
    tg_evidence e;
    int in_vain = 0;
    tg_judge_twice(on_line, at, a, opts, &in_vain, &e);
    return e.verdict;
}

enum { AT = 300, WRONGS = 5 };
START_TEST(random_points) {
    int alarms = 0;
    tg_rng rng = {.seed = 7};
    for (int i = 0; i < AT; i++) {
        place at = {family[_i].f, 2 * tg_rng_uniform(&rng) - 1};
        if (i % 3 == 0) at.x *= pow(10, -3 * tg_rng_uniform(&rng));
        p = pow(10, 2 * tg_rng_uniform(&rng) - 1) * (i % 2 ? 1 : -1);
        q = (0.2 + 2 * tg_rng_uniform(&rng)) * (i % 5 == 0 ? 10 : 1);
        double a = family[_i].slope(at.x), scale = i % 4 < 2 ? 1 : fmax(fabs(at.x), 0.1);
        double noise = tg_noise_of(on_line, &at, scale);
        tg_judge_opts opts = {.scale = scale, .noise = isfinite(noise) ? noise : 0, .full = i % 2};
        alarms += judge(&at, a, &opts) == TG_WRONG;
        const double wrong[WRONGS] = {1.03 * a, 1.05 * a, 1.3 * a, -a, 0};
        for (int k = 0; k < WRONGS && a != 0; k++)
            ck_assert_msg(!tg_verdict_passes(judge(&at, wrong[k], &opts)), "%s at %.17g, %g, %g: %g passes",
                          family[_i].name, at.x, p, q, wrong[k]);
    }
    int allowed = family[_i].f == single_term ? 3 : 0; /* of it the noise is not found everywhere */
    ck_assert_msg(alarms <= allowed, "%s: %d of %d are WRONG", family[_i].name, alarms, AT);
}
END_TEST

TCase *tcase_points(void) {
    TCase *tc = tcase_create("points");
    tcase_set_timeout(tc, 60);
    tcase_set_tags(tc, "slow");
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_loop_test(tc, random_points, 0, sizeof family / sizeof *family);
    return tc;
}
