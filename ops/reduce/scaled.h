/* Private. Numbers m 2^e, for products that may leave the range of the dtype and come back, and for sums
 * of such. */
#ifndef TG_OPS_REDUCE_SCALED_H
#define TG_OPS_REDUCE_SCALED_H

#include <math.h>
#include <stdint.h>

typedef struct tg_scaled {
    double m;
    int64_t e;
} tg_scaled;

#define TG_SCALED_ONE ((tg_scaled){1, 0})

/* v, of which the exponent is moved to *e when it is far from 1. */
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

/* ---- a sum or product without terms, which is 0 times anything, an infinity too ---- */

#define TG_SCALED_NOTHING ((tg_scaled){0, INT64_MIN})
static inline int tg_scaled_is_nothing(tg_scaled p) { return p.e == INT64_MIN; }

static inline tg_scaled tg_scaled_product(tg_scaled p, tg_scaled q) {
    if (tg_scaled_is_nothing(p) || tg_scaled_is_nothing(q)) return TG_SCALED_NOTHING;
    tg_scaled r = {p.m * q.m, p.e + q.e};
    r.m = tg_scaled_near(r.m, &r.e);
    return r;
}

/* The sum has the larger exponent; the other term may be too small to change it. */
static inline tg_scaled tg_scaled_sum(tg_scaled p, tg_scaled q) {
    if (tg_scaled_is_nothing(p)) return q;
    if (tg_scaled_is_nothing(q)) return p;
    if (p.m == 0 || q.m == 0) return p.m == 0 ? q : p;
    tg_scaled a = p.e >= q.e ? p : q, b = p.e >= q.e ? q : p;
    int64_t apart = a.e - b.e;
    a.m += ldexp(b.m, apart > 4000 ? -4000 : -(int)apart);
    a.m = tg_scaled_near(a.m, &a.e);
    return a;
}

#endif
