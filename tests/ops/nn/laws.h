/* Distributions of initial values, checked by their bounds, mean and variance within five deviations of the sampling error. */
#ifndef TESTS_OPS_NN_LAWS_H
#define TESTS_OPS_NN_LAWS_H

#include "tests/ops/nn/helpers.h"

typedef struct law {
    double low, high, mean, variance, fourth; /* the fourth central moment */
} law;

static inline law uniform_law(double low, double high) {
    double h = (high - low) / 2;
    return (law){low, high, (low + high) / 2, h * h / 3, h * h * h * h / 5};
}
static inline law normal_law(double mean, double d) {
    return (law){-INFINITY, INFINITY, mean, d * d, 3 * d * d * d * d};
}

static inline void check_law(const char *name, const tg_tensor *w, law l) {
    double n = (double)tg_numel(w), sum = 0, squares = 0;
    for (int64_t i = 0; i < tg_numel(w); i++) {
        double v = tg_get(w, i);
        ck_assert_msg(v >= l.low && v <= l.high, "%s: %g is outside [%g, %g]", name, v, l.low, l.high);
        sum += v - l.mean, squares += (v - l.mean) * (v - l.mean);
    }
    ck_assert_msg(fabs(sum / n) <= 5 * sqrt(l.variance / n), "%s: mean %g instead of %g", name,
                  l.mean + sum / n, l.mean);
    ck_assert_msg(fabs(squares / n - l.variance) <= 5 * sqrt((l.fourth - l.variance * l.variance) / n),
                  "%s: variance %g instead of %g", name, squares / n, l.variance);
}

#endif
