#include "tests/ops/samples.h"

/* Zeros at the integers, where f32 rounds pi x. */
#define WAVES \
    .f32_rtol = 1e-5, .f32_atol = 5e-6, .reason = "f32 rounds pi x, and the zeros are where that shows"

static const sample rows[] = {
    {"sinc", NULL, {{"ab", .large = {-20, 20}}}, {0}, .any_shape = true, WAVES},
    {"sinc_derivative", "first", {{"ab", .large = {-20, 20}}}, ARG(1), .any_shape = true, WAVES},
    {"sinc_derivative", "second", {{"abc", .large = {-20, 20}}}, ARG(2), .any_shape = true, WAVES},
    {"sinc_derivative", "fifth", {{"ab", .large = {-20, 20}}}, ARG(5), .any_shape = true, .f32_rtol = 1e-5,
     .f32_atol = 1e-3, .reason = "in units of pi^5 = 306; otherwise as sinc"},
    {"polygamma", "digamma", {{"ab", .lo = 0.3, .hi = 4, .large = {100, 1e4}, .small = {0.02, 0.1}}}, ARG(0),
     .any_shape = true},
    {"polygamma", "trigamma", {{"ab", .lo = 0.3, .hi = 4, .large = {100, 1e4}, .small = {0.05, 0.1}}}, ARG(1),
     .any_shape = true},
    {"polygamma", "negative", {{"ab", .lo = -1.8, .hi = -1.2, .large = {-7.8, -7.2}, .small = {-0.1, -0.05}}},
     ARG(1), .any_shape = true},
    {"polygamma", "order 2", {{"abc", .lo = 0.7, .hi = 4, .large = {100, 1e3}, .small = {0.1, 0.2}}}, ARG(2),
     .any_shape = true},
    {"polygamma", "order 3, negative",
     {{"ab", .lo = -1.8, .hi = -1.2, .large = {-7.8, -7.2}, .small = {-0.2, -0.1}}}, ARG(3),
     .any_shape = true},
};

SAMPLES(polygamma, .exempt = NULL);
