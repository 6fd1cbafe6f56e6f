/* Rows of max_pool1d, avg_pool1d and adaptive_avg_pool1d, compositions. */
#include "tests/ops/samples.h"

static const sample rows[] = {
    {"max_pool1d", NULL, {DISTINCT("ab6")}, ARG(2), .sizes = "a2b2"},
    {"max_pool1d", "overlapping, padding", {DISTINCT("ab5")}, ARG(3, 2, 1), .sizes = "a2b2"},
    {"max_pool1d", "dilation", {DISTINCT("ab7")}, ARG(2, 1, 1, 3), .sizes = "a2b2"},
    {"avg_pool1d", NULL, {{"ab6"}}, ARG(3, 0, 0, 0), .sizes = "a2b2", OF_SUMS},
    {"avg_pool1d", "overlapping, padding", {{"ab5"}}, ARG(3, 2, 1, 0), .sizes = "a2b2", OF_SUMS},
    {"avg_pool1d", "padding excluded", {{"ab5"}}, ARG(3, 1, 1, 1), .sizes = "a2b2", OF_SUMS},
    {"adaptive_avg_pool1d", NULL, {{"ab7"}}, ARG(3), .sizes = "a2b2", OF_SUMS},
    {"adaptive_avg_pool1d", "to one", {{"ab5"}}, ARG(1), .sizes = "a2b2", OF_SUMS},
};

extern const sample_set samples_pool1d;
SAMPLES(pool1d);
