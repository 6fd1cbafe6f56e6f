/* Private. Running products that may leave the dtype and come back: m 2^e. */
#ifndef TG_OPS_SCALED_H
#define TG_OPS_SCALED_H

#include <math.h>
#include <stdint.h>

typedef struct tg_scaled {
    double m;
    int64_t e;
} tg_scaled;

#define TG_SCALED_ONE ((tg_scaled){1, 0})

/* The exponent of what is far from 1 moves to *e. */
static inline double tg_scaled_near(double v, int64_t *e) {
    double size = fabs(v);
    if ((size >= 0x1p-400 && size <= 0x1p400) || size == 0 || !isfinite(v)) return v;
    int exponent;
    v = frexp(v, &exponent);
    *e += exponent;
    return v;
}

static inline tg_scaled tg_scaled_times(tg_scaled p, double x) {
    p.m *= tg_scaled_near(x, &p.e);
    p.m = tg_scaled_near(p.m, &p.e);
    return p;
}

static inline double tg_scaled_value(tg_scaled p) {
    return ldexp(p.m, p.e > 4000 ? 4000 : p.e < -4000 ? -4000 : (int)p.e);
}

#endif
