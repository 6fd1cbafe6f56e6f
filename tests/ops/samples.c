#include "tests/ops/samples.h"

#include "tests/samples.def" /* SAMPLE_SETS, made of the list in tests/meson.build */

#include <stdlib.h>
#include <string.h>

#define DECLARED(name) extern const sample_set samples_##name;
#define LISTED(name) &samples_##name,
SAMPLE_SETS(DECLARED)

/* A function of one tensor, smooth for all numbers, needs no row of its own: each that has none is given this one. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static sample smooth[] = {
#define DO(name) {#name, NULL, {{"ab"}}, .any_shape = true},
#include "tests/unaries.def"
#undef DO
};
static sample_set without_rows = {"smooth", smooth, 0};
static const sample_set *const all[] = {SAMPLE_SETS(LISTED) & without_rows};

static bool has_row(const char *name) {
    for (int i = 0; i < COUNT(all) - 1; i++)
        for (int k = 0; k < all[i]->n_rows; k++)
            if (strcmp(all[i]->rows[k].call, name) == 0) return true;
    return false;
}

static const sample **rows; /* of all sets */
static int n_rows;

/* Once for all the processes of the tests. */
__attribute__((constructor)) static void list_rows(void) {
    for (int i = 0; i < COUNT(smooth); i++)
        if (!has_row(smooth[i].call)) smooth[without_rows.n_rows++] = smooth[i];
    for (int f = 0; f < COUNT(all); f++) n_rows += all[f]->n_rows;
    rows = calloc((size_t)n_rows, sizeof *rows);
    if (!rows) abort();
    for (int f = 0, k = 0; f < COUNT(all); f++)
        for (int i = 0; i < all[f]->n_rows; i++) rows[k++] = &all[f]->rows[i];
}

int sample_sets(const sample_set *const **out) {
    *out = all;
    return COUNT(all);
}

int n_samples(void) { return n_rows; }

const sample *sample_at(int i) { return rows[i]; }
