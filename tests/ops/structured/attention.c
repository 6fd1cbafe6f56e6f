#include "tests/ops/samples.h"

/* Products of numbers in the hundreds leave softmax with one element that matters. */
#define HUGE_SCORES KIND(K_LARGE) | KIND(K_INF)
#define HUGE_WHY "softmax of huge scores has no gradient to compare"

/* Equal keys give equal scores: the gradient of the queries is 0, and only rounding is left to compare. */
#define ONE_KEY \
    .skip = HUGE_SCORES | KIND(K_EXPANDED), .why = HUGE_WHY "; a gradient of 0 where all keys are one", OF_SUMS

#define MASKED \
    .skip = HUGE_SCORES | KIND(K_EXPANDED) | KIND(K_NAN), \
    .why = "huge scores and equal keys as above; in a tile with a hidden key a weight of 0 times NaN is NaN", \
    OF_SUMS

static const sample rows[] = {
    {"attention",
     NULL,
     {{"abc", .large = {-3, 3}}, {"adc", .large = {-3, 3}}, {"ade"}}, /* large values, not scores */
     ARG(0, 0),
     .sizes = "a2b3c2d2e2",
     OF_SUMS},
    {"attention", "causal, scale", {{"bc"}, {"dc"}, {"de"}}, ARG(1, 0.5), MASKED},
    {"attention",
     "keys for all heads",
     {{"abc"}, {"dc"}, {"1de"}},
     ARG(0, 0),
     .sizes = "a2d2",
     .kind = K_RIGHT,
     ONE_KEY},
    {"attention", "queries for all heads", {{"bc"}, {"1dc"}, {"ade"}}, ARG(1, 0), .kind = K_LEFT, MASKED},
    {"attention",
     "all broadcast",
     {{"f1bc"}, {"adc"}, {"de"}},
     ARG(0, 0),
     .sizes = "a2b2c2d3e2f3",
     .kind = K_BOTH,
     ONE_KEY},
    {"attention_mask", "bool", {{"bc"}, {"dc"}, {"de"}, {"bd", TG_BOOL}}, ARG(0, 0), MASKED},
    {"attention_mask", "bool, queries for all heads", {{"bc"}, {"1dc"}, {"ade"}, {"bd", TG_BOOL}}, ARG(0, 0),
     .kind = K_LEFT, MASKED},
    {"attention_mask", "bool, one value for all heads", {{"abc"}, {"adc"}, {"de"}, {"bd", TG_BOOL}}, ARG(0, 0),
     .sizes = "a2b3c2d2e2", .kind = K_RIGHT, MASKED},
    {"attention_mask", "bool, all broadcast", {{"f1bc"}, {"adc"}, {"de"}, {"bd", TG_BOOL}}, ARG(0, 0),
     .sizes = "a2b2c2d3e2f3", .kind = K_BOTH, MASKED},
    {"attention_mask", "bool, of the values alone",
     {{"bc", .constant = true}, {"dc", .constant = true}, {"de"}, {"bd", TG_BOOL}}, ARG(0, 0),
     .skip = HUGE_SCORES | KIND(K_NAN), .why = "as above", OF_SUMS},
    {"attention_mask", "bool, causal", {{"bc"}, {"dc"}, {"de"}, {"d", TG_BOOL}}, ARG(1, 0), MASKED},
    {"attention_mask",
     "added",
     {{"abc"}, {"adc"}, {"ade"}, {"bd"}},
     ARG(1, 0),
     .sizes = "a2b3c2d2e2",
     MASKED},
    {"attention_mask",
     "added, one a key",
     {{"abc"}, {"adc"}, {"ade"}, {"d"}},
     ARG(0, 2),
     .sizes = "a2b3c2d3e2",
     MASKED},
    {"attention_logsumexp",
     NULL,
     {{"bc"}, {"dc"}, {"de", .constant = true}},
     ARG(1, 0),
     .nonempty = "d",
     .skip = HUGE_SCORES | KIND(K_NAN),
     .why = "as above; of nothing it is -inf",
     OF_SUMS},
    {"attention_both",
     NULL,
     {{"abc"}, {"adc"}, {"ade"}},
     ARG(0, 0.5),
     .sizes = "a2b3c2d2e2",
     .nonempty = "d",
     .skip = HUGE_SCORES,
     .why = "as above; of nothing it is -inf",
     OF_SUMS},
};

static const exemption exempt[] = {
    {"scaled_dot_product_attention", KIND(K_SCALAR), "rank 0 is an error: structured/errors.c"},
};

extern const sample_set samples_attention;
SAMPLES(attention, EXEMPT(exempt));
