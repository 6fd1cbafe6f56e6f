#include "tests/ops/samples.h"

#include "tests/samples.def" /* SAMPLE_SETS, made of the list in tests/meson.build */

#define DECLARED(name) extern const sample_set samples_##name;
#define LISTED(name) &samples_##name,
SAMPLE_SETS(DECLARED)
static const sample_set *const all[] = {SAMPLE_SETS(LISTED)};

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
