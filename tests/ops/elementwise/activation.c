#include "tests/ops/samples.h"

#define AT_ZERO .kink = {0}, .n_kinks = 1
#define PLAIN(name, ...) {name, NULL, {{"ab", __VA_ARGS__}}, .any_shape = true}
#define WIDE(name, ...) {name, "wide", {{"abc", .lo = -6, .hi = 6, __VA_ARGS__}}, .any_shape = true}
#define WITH(name, label, ...) {name, label, {{"ab", AT_ZERO}}, ARG(__VA_ARGS__), .any_shape = true}
#define TAIL .f32_rtol = 1e-5, .reason = "the left tail, e^(-x^2/2), multiplies the rounding of x^2 by x^2"

static const sample rows[] = {
    {"tanh", NULL, {{"ab", .large = {-30, 30}}}, .any_shape = true},
    {"tanh", "rank 3", {{"abc", .lo = -5, .hi = 5, .large = {-1e4, 1e4}}}, .any_shape = true},
    {"sigmoid", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"sigmoid", "rank 3", {{"abc", .lo = -10, .hi = 10, .large = {-1e4, 1e4}}}, .any_shape = true},
    {"relu", NULL, {{"ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    {"softplus", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"softplus", "right tail", {{"abc", .lo = 18, .hi = 22}}, .any_shape = true},
    {"logsigmoid", NULL, {{"ab", .large = {-80, 80}}}, .any_shape = true},
    {"logsigmoid", "rank 3", {{"abc", .lo = -10, .hi = 10, .large = {-1e4, 1e4}}}, .any_shape = true},
    WITH("leaky_relu", NULL, 0.01),
    WITH("leaky_relu", "steep", 3),
    WITH("leaky_relu", "negative slope", -0.5),
    WITH("elu", NULL, 1),
    WITH("elu", "alpha 0.3", 0.3),
    PLAIN("selu", AT_ZERO),
    WITH("celu", NULL, 1),
    WITH("celu", "alpha 0.3", 0.3),
    WITH("celu", "alpha 2", 2),
    {"celu", "narrow", {{"ab", AT_ZERO, .lo = -0.1, .hi = 0.1}}, ARG(0.01), .any_shape = true},
    PLAIN("gelu", .large = {-20, 200}),
    {"gelu", "wide", {{"abc", .lo = -6, .hi = 6, .large = {6, 600}}}, .any_shape = true, TAIL},
    PLAIN("gelu_tanh", .large = {-20, 200}),
    {"gelu_tanh", "wide", {{"abc", .lo = -6, .hi = 6, .large = {6, 600}}}, .any_shape = true, TAIL},
    PLAIN("silu", .large = {-80, 80}),
    WIDE("silu", .large = {-200, 200}),
    PLAIN("mish", .large = {-40, 80}),
    WIDE("mish", .large = {-30, 600}),
    PLAIN("softsign", AT_ZERO),
    WIDE("softsign", AT_ZERO),
    {"softplus_beta", NULL, {{"ab", .kink = {10}, .n_kinks = 1}}, ARG(2, 20), .any_shape = true},
    {"softplus_beta", "early", {{"abc", .kink = {8}, .n_kinks = 1, .lo = -6, .hi = 12}}, ARG(0.5, 4),
     .any_shape = true},
    {"softplus_beta", "steep", {{"ab", .lo = -0.1, .hi = 0.1}}, ARG(80, 1e30), .any_shape = true},
    {"hardtanh", NULL, {{"ab", .kink = {-1, 1}, .n_kinks = 2}}, ARG(-1, 1), .any_shape = true},
    {"hardtanh", "bounds", {{"abc", .kink = {-0.25, 1.5}, .n_kinks = 2}}, ARG(-0.25, 1.5), .any_shape = true},
    {"hardsigmoid", NULL, {{"ab", .lo = -5, .hi = 5, .kink = {-3, 3}, .n_kinks = 2}}, .any_shape = true},
    {"hardswish", NULL, {{"ab", .lo = -5, .hi = 5, .kink = {-3, 3}, .n_kinks = 2}}, .any_shape = true},
};

SAMPLES(activation, .exempt = NULL);
