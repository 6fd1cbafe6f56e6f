#include "tests/ops/samples.h"

static const sample rows[] = {
    {"exp", NULL, {{"ab", .large = {70, 80}}}, .any_shape = true},
    {"exp", "negative", {{"abc", .lo = -10, .hi = -1, .large = {-80, -70}}}, .any_shape = true},
    {"log", NULL, {{"ab", .lo = 0.2, .hi = 3, .large = {100, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"log", "near 1", {{"abc", .lo = 0.9, .hi = 1.1, .large = {1e3, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"sqrt", NULL, {{"ab", .lo = 0.2, .hi = 3, .large = {1e3, 1e6}, .small = {1e-3, 1e-2}}},
     .any_shape = true},
    {"square", NULL, {{"ab", .large = {50, 500}}}, .any_shape = true},
    {"square", "rank 3", {{"abc", .large = {-500, -50}}}, .any_shape = true},
    {"abs", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    {"tanh", NULL, {{"ab", .large = {-30, 30}}}, .any_shape = true},
    {"tanh", "rank 3", {{"abc", .lo = -5, .hi = 5, .large = {-1e4, 1e4}}}, .any_shape = true},
    {"sigmoid", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"sigmoid", "rank 3", {{"abc", .lo = -10, .hi = 10, .large = {-1e4, 1e4}}}, .any_shape = true},
    {"relu", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    {"softplus", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"softplus", "right tail", {{"abc", .lo = 18, .hi = 22}}, .any_shape = true},
    {"logsigmoid", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"logsigmoid", "rank 3", {{"abc", .lo = -10, .hi = 10, .large = {-1e4, 1e4}}}, .any_shape = true},
    {"sign", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
};

#define ALWAYS_ZERO "the gradient of sign is zero everywhere"
static const equivalent equal[] = {
    {"sign", "sign flipped", -1, ALWAYS_ZERO}, {"sign", "zero", -1, ALWAYS_ZERO},
    {"sign", "times 1.03", -1, ALWAYS_ZERO},   {"sign", "reversed", -1, ALWAYS_ZERO},
    {"sign", "transposed", -1, ALWAYS_ZERO},   {"sign", "ignores dout", -1, ALWAYS_ZERO},
    {"sign", "detached", -1, ALWAYS_ZERO},
};

SAMPLES(basic, EQUAL(equal));
