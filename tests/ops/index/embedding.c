/* Rows of embedding, a composition. */
#include "tests/ops/samples.h"

static const sample rows[] = {
    {"embedding", NULL, {{"ab"}, {"cd", TG_I64, .index_of = 'a'}}, ARG(0), .nonempty = "a", .why = "an index needs a row"},
};

extern const sample_set samples_embedding;
SAMPLES(embedding);
