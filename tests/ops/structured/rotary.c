#include "tests/ops/samples.h"

static const sample rows[] = {
    {"rotary", NULL, {{"ab4"}}, ARG(0, 0, 0), OF_SUMS},
    {"rotary", "heads, offset", {{"abc6"}}, ARG(7, 100, 0), .sizes = "a2b2c3", OF_SUMS},
    {"rotary", "interleaved", {{"ab6"}}, ARG(-2, 0, 1), OF_SUMS},
    {"rotary", "one pair, far away", {{"b2"}}, ARG(1000000, 2, 1), OF_SUMS},
};

static const exemption exempt[] = {
    {"rotary", KIND(K_SCALAR), "rank 0 is an error: structured/errors.c"},
};

extern const sample_set samples_rotary;
SAMPLES(rotary, EXEMPT(exempt));
