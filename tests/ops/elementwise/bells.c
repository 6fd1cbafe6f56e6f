#include "tests/ops/samples.h"

#define SIGMOID(label, order) \
    {"sigmoid_derivative", label, {{"ab", .lo = -6, .hi = 6, .large = {-80, 80}}}, ARG(order), .any_shape = true}
#define GAUSSIAN(label, scale, order) \
    {"gaussian_derivative", label, {{"ab", .large = {-6, 6}}}, ARG(scale, order), .any_shape = true}

static const sample rows[] = {
    SIGMOID("value", 0),
    SIGMOID("first", 1),
    SIGMOID("second", 2),
    SIGMOID("fifth", 5),
    GAUSSIAN("value", 1, 0),
    GAUSSIAN("first", 0.5, 1),
    GAUSSIAN("second", 0.5, 2),
    GAUSSIAN("fourth", 1.5, 4),
};

SAMPLES(bells, .exempt = NULL);
