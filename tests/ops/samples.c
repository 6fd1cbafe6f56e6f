#include "tests/ops/samples.h"

extern const family samples_arithmetic, samples_elementwise, samples_matmul, samples_reduce, samples_max;
extern const family samples_linear, samples_products, samples_cross_entropy;
extern const family samples_view, samples_slice, samples_softmax, samples_index, samples_select;
extern const family samples_functions, samples_derivative, samples_activation, samples_logical, samples_binary, samples_blend, samples_density;
extern const family samples_join, samples_pad, samples_diagonal, samples_sort, samples_scatter;
extern const family samples_lstm, samples_gru;
extern const family samples_aggregate, samples_scan, samples_loss, samples_vector_norm, samples_multilinear;
extern const family samples_linalg, samples_determinant, samples_triangular;
extern const family samples_norm, samples_conv, samples_max_pool, samples_avg_pool, samples_unfold, samples_attention,
    samples_embedding, samples_interpolate;

static const family *const all[] = {
    &samples_linalg, &samples_determinant, &samples_triangular,
    &samples_lstm, &samples_gru,
    &samples_norm, &samples_conv, &samples_max_pool, &samples_avg_pool, &samples_unfold, &samples_attention,
    &samples_vector_norm, &samples_aggregate, &samples_scan, &samples_multilinear, &samples_loss, &samples_linear, &samples_products, &samples_cross_entropy,
    &samples_embedding, &samples_interpolate,
    &samples_join, &samples_pad, &samples_diagonal, &samples_sort, &samples_scatter,
    &samples_arithmetic, &samples_elementwise, &samples_matmul,  &samples_reduce, &samples_max,
    &samples_view,       &samples_slice,       &samples_softmax, &samples_index,  &samples_select,
    &samples_functions,       &samples_derivative,  &samples_activation, &samples_logical, &samples_binary,
    &samples_blend, &samples_density,
};

int families(const family *const **out) {
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
