#include "tests/ops/samples.h"

static const sample rows[] = {
    {"linear", NULL, {{"ab"}, {"cb"}}, OF_SUMS},
    {"linear", "square", {{"aa"}, {"aa"}}, OF_SUMS},
    {"linear", "vector", {{"b"}, {"cb"}}, OF_SUMS},
    {"linear", "batch", {{"dab"}, {"cb"}}, OF_SUMS},
    {"linear", "batch of rank 3", {{"edab"}, {"cb"}}, .sizes = "d2e3", OF_SUMS},
    {"linear_bias", NULL, {{"ab"}, {"cb"}, {"c"}}, OF_SUMS},
    {"linear_bias", "square", {{"aa"}, {"aa"}, {"a"}}, OF_SUMS},
    {"linear_bias", "vector", {{"b"}, {"cb"}, {"c"}}, OF_SUMS},
    {"linear_bias", "batch", {{"dab"}, {"cb"}, {"c"}}, OF_SUMS},
    {"linear_bias", "one output", {{"ab"}, {"1b"}, {"1"}}, OF_SUMS},
};

static const exemption exempt[] = {
    {"linear", KIND(K_SCALAR), "rank 0 is an error: products/errors.c"},
    {"linear", KINDS_BROADCAST, "nothing broadcasts but the leading axes of x, which w has not"},
};

SAMPLES(linear, EXEMPT(exempt));
