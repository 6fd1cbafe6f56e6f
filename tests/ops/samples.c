#include "tests/ops/samples.h"

extern const family samples_arithmetic, samples_elementwise, samples_matmul, samples_reduce, samples_max;
extern const family samples_view, samples_slice, samples_softmax, samples_index, samples_select;

static const family *const all[] = {
    &samples_arithmetic, &samples_elementwise, &samples_matmul,  &samples_reduce, &samples_max,
    &samples_view,       &samples_slice,       &samples_softmax, &samples_index,  &samples_select,
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
