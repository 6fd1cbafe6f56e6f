#include "tests/ops/samples.h"

extern const sample_set samples_arithmetic, samples_matmul, samples_reduce, samples_argmax;
extern const sample_set samples_linear, samples_vectors, samples_cross_entropy;
extern const sample_set samples_view, samples_slice, samples_softmax, samples_gather, samples_compare;
extern const sample_set samples_math, samples_polygamma, samples_activation, samples_logical, samples_binary, samples_blend, samples_bells;
extern const sample_set samples_join, samples_pad, samples_diagonal, samples_sort, samples_scatter;
extern const sample_set samples_lstm, samples_gru;
extern const sample_set samples_aggregate, samples_scan, samples_loss, samples_vector_norm, samples_multilinear;
extern const sample_set samples_solve, samples_determinant, samples_triangular;
extern const sample_set samples_layer_norm, samples_conv, samples_max_pool, samples_avg_pool, samples_unfold, samples_attention,
    samples_embedding, samples_interpolate;

static const sample_set *const all[] = {
    &samples_solve, &samples_determinant, &samples_triangular,
    &samples_lstm, &samples_gru,
    &samples_layer_norm, &samples_conv, &samples_max_pool, &samples_avg_pool, &samples_unfold, &samples_attention,
    &samples_vector_norm, &samples_aggregate, &samples_scan, &samples_multilinear, &samples_loss, &samples_linear, &samples_vectors, &samples_cross_entropy,
    &samples_embedding, &samples_interpolate,
    &samples_join, &samples_pad, &samples_diagonal, &samples_sort, &samples_scatter,
    &samples_arithmetic, &samples_matmul,  &samples_reduce, &samples_argmax,
    &samples_view,       &samples_slice,       &samples_softmax, &samples_gather,  &samples_compare,
    &samples_math,       &samples_polygamma,  &samples_activation, &samples_logical, &samples_binary,
    &samples_blend, &samples_bells,
};

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
