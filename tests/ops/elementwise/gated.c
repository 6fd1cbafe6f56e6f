/* Rows of glu and prelu, compositions. */
#include "tests/ops/samples.h"

#define KINK .kink = {0}, .n_kinks = 1

static const sample rows[] = {
    {"glu", NULL, {{"a6"}}, ARG(-1)},
    {"glu", "axis 0", {{"4b"}}, ARG(0)},
    {"glu", "axis 1 of three", {{"a2c"}}, ARG(1)},
    {"prelu", NULL, {{"ab", KINK}, {"1", .lo = 0.25, .hi = 0.75}}, .skip = KINDS_BROADCAST, .why = "a number, or one a channel"},
    {"prelu", "0-d", {{"ab", KINK}, {""}}, .skip = KINDS_BROADCAST, .why = "a number, or one a channel"},
    {"prelu", "by channel", {{"ab", KINK}, {"b"}}, .skip = KINDS_BROADCAST, .why = "a number, or one a channel"},
    {"prelu", "by channel, images", {{"ab2c", KINK}, {"b"}}, .sizes = "a2b3c2", .skip = KINDS_BROADCAST, .why = "a number, or one a channel"},
};

extern const sample_set samples_gated;
SAMPLES(gated);
