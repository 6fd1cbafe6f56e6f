#include "tests/ops/samples.h"

/* In this order they are numbered through. */
#define SETS(X) \
    X(solve) X(determinant) X(triangular) X(lstm) X(gru) X(layer_norm) X(batch_norm) X(conv) X(max_pool) X(avg_pool) X(unfold) \
    X(attention) X(vector_norm) X(aggregate) X(scan) X(multilinear) X(loss) X(loss_class) X(loss_distance) X(linear) X(vectors) X(cross_entropy) \
    X(embedding) X(interpolate) X(join) X(pad) X(diagonal) X(sort) X(scatter) X(arithmetic) X(matmul) X(reduce) \
    X(argmax) X(view) X(slice) X(softmax) X(gather) X(compare) X(math) X(polygamma) X(activation) X(logical) \
    X(binary) X(blend) X(bells)

#define DECLARED(name) extern const sample_set samples_##name;
#define LISTED(name) &samples_##name,
SETS(DECLARED)
static const sample_set *const all[] = {SETS(LISTED)};

int sample_sets(const sample_set *const **out) {
    *out = all;
    return COUNT(all);
}

int n_samples(void) {
    int n = 0;
    for (int f = 0; f < COUNT(all); f++) n += all[f]->n_rows;
    return n;
}

const sample *sample_at(int i) {
    int f = 0;
    while (i >= all[f]->n_rows) i -= all[f++]->n_rows;
    return &all[f]->rows[i];
}
