/* How far an op may be off, in units in the last place of the exact result. Values are right to a few; a derivative to
 * 1e-5 of itself in f32 and 1e-9 in f64. Whatever is less exact has its reason beside it. Below the least normal number a
 * unit is the least subnormal. */
#include "tests/sweep/sweep.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

typedef struct bound {
    const char *call;
    double value[2], first[2], second[2]; /* f32, f64; 0: the usual */
    const char *why;
} bound;

#define FROM_Y "f32: made of the result, which rounds to 1 (docs/performance.md)"
#define ZERO "terms cancel near a zero of the function"

static const bound usual = {"", {4, 4}, {84, 4.5e6}, {84, 4.5e6}};

static const bound bounds[] = {
    {"tanh", .first = {2e7}, .second = {2e7}, .why = FROM_Y},
    {"sigmoid", .first = {2e7}, .second = {2e7}, .why = FROM_Y},
    {"gelu", .second = {400}, .why = ZERO},
    {"gelu_tanh", .second = {400}, .why = ZERO},
    {"mish", .first = {200}, .second = {400}, .why = ZERO},
    {"digamma", .value = {0, 1e4}, .why = ZERO},
    {"polygamma", .value = {0, 20}, .why = ZERO},
    {"sinc_derivative", .value = {20, 40}, .why = ZERO},
};

static const bound *find(const char *name) {
    for (int i = 0; i < COUNT(bounds); i++)
        if (strcmp(bounds[i].call, name) == 0) return &bounds[i];
    return &usual;
}

const char *bound_reason(const char *name) { return find(name)->why; }

double bound_of(const golden *g, order o) {
    const bound *b = find(g->call);
    const double *of = o == O_VALUE ? b->value : o == O_SECOND ? b->second : b->first;
    const double *otherwise = o == O_VALUE ? usual.value : o == O_SECOND ? usual.second : usual.first;
    int d = g->dtype == TG_F64;
    return of[d] > 0 ? of[d] : otherwise[d];
}
