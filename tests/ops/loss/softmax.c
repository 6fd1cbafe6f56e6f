#include "tests/ops/samples.h"

#define WIDE .large = {-1000, 1000}

static const sample rows[] = {
    {"softmax", NULL, {{"ab", WIDE}}, ARG(-1), OF_SUMS},
    {"softmax", "axis 0", {{"ab", WIDE}}, ARG(0), OF_SUMS},
    {"softmax", "axis 1 of 3", {{"abc", WIDE}}, ARG(1), OF_SUMS},
    {"log_softmax", NULL, {{"ab", WIDE}}, ARG(-1), OF_SUMS},
    {"log_softmax", "axis 0", {{"ab", WIDE}}, ARG(0), OF_SUMS},
    {"log_softmax", "axis 1 of 3", {{"abc", WIDE}}, ARG(1), OF_SUMS},
};

#define NO_AXIS "a 0-d tensor has no axis to name: loss/errors.c"
static const exemption exempt[] = {
    {"softmax", KIND(K_SCALAR), NO_AXIS},
    {"log_softmax", KIND(K_SCALAR), NO_AXIS},
};

SAMPLES(softmax, EXEMPT(exempt));
