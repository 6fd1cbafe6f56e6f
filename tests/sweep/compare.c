/* Distances in units in the last place of the exact result, counted. */
#include "tests/sweep/sweep.h"

#include <math.h>

typedef struct format {
    int digits, least, most; /* explicit digits; exponents of the least normal and of the largest number */
} format;
static const format formats[] = {[TG_F32] = {23, -126, 127}, [TG_F64] = {52, -1022, 1023}};

/* An infinity counts as the number after the largest, and what rounds to it too. Scaled, so that it is one. */
static double countable(double v, format f) {
    double end = ldexp(1, f.most - 99);
    double scaled = ldexp(v, -100);
    return fabs(scaled) > end ? copysign(end, v) : scaled;
}

/* How far off, in units in the last place of the result or of the larger terms that cancel in it; below the least normal
 * number, in least subnormals. */
static double distance(double got, double want, double terms, tg_dtype d) {
    format f = formats[d];
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    double size = fabs(want) > terms ? fabs(want) : terms;
    double unit = ldexp(1, (size == 0 || ilogb(size) < f.least ? f.least : ilogb(size)) - f.digits);
    if (size < 1 && fabs(got) < 1) return fabs(got - want) / unit;
    double w = countable(want, f), largest = fmax(fabs(w), ldexp(terms, -100));
    if (largest == 0) return INFINITY; /* 0 is wanted, and no small number was got */
    return fabs(countable(got, f) - w) / ldexp(1, ilogb(largest) - f.digits);
}

/* What countable() makes of an infinity. */
static double end_of(const golden *g) { return ldexp(1, formats[g->dtype].most - 99); }

typedef struct place {
    const golden *g;
    const char *isa;
    order o;
    int point;
    FILE *failures;
} place;

static const char *const order_names[N_ORDERS] = {"value", "first", "first, recorded", "second"};

static void report(const place *p, double got, double want, double off) {
    const golden *g = p->g;
    fprintf(p->failures, "%-16s", g->call);
    for (int i = 0; i < g->arg.n; i++) fprintf(p->failures, "%s%g", i ? ", " : "(", g->arg.v[i]);
    fprintf(p->failures, "%s %s %-6s %-16s x", g->arg.n ? ")" : "", tg_dtype_name(g->dtype), p->isa,
            order_names[p->o]);
    for (int k = 0; k < g->width; k++) fprintf(p->failures, " %.17g", g->x[(int64_t)p->point * g->width + k]);
    fprintf(p->failures, "  got %.17g  want %.17g  (%.3g ulp)\n", got, want, off);
}

static void count(const place *p, double got, double want, double terms, bool left_out, tally_of *t) {
    const golden *g = p->g;
    if (left_out) {
        t->left_out++;
        return;
    }
    bool beyond = p->o != O_VALUE && !isnan(want) && !isfinite(got) &&
                  fabs(countable(want, formats[g->dtype])) >= end_of(g);
    double off =
        beyond ? 0 : distance(got, want, terms, g->dtype); /* a derivative out of range need not have a sign */
    bool wrong = !(off <= bound_of(g, p->o));
    t->compared++;
    t->wrong += wrong;
    if (wrong && p->failures) report(p, got, want, off);
    if (off <= t->worst) return;
    t->worst = off, t->got = got, t->want = want;
    for (int k = 0; k < g->width && k < MAX_FREE; k++) t->at[k] = g->x[(int64_t)p->point * g->width + k];
}

void compare(const golden *g, const computed *c, tally_of by[N_ORDERS], FILE *failures, const char *isa) {
    int m = g->n_free, all = 1 + m + triangle(m);
    static const double none[1 + MAX_FREE + MAX_FREE * (MAX_FREE + 1) / 2] = {0};
    for (int n = 0; n < g->n_points; n++) {
        const double *terms = g->terms ? g->terms + (int64_t)n * all : none;
        place p = {g, isa, O_VALUE, n, failures};
        count(&p, c->value[n], g->value[n], terms[0], g->free_value[n], &by[O_VALUE]);
        for (int i = 0, at = n * m; i < m; i++, at++) {
            p.o = O_FIRST;
            count(&p, c->first[at], g->first[at], terms[1 + i], g->free_first[at], &by[O_FIRST]);
            p.o = O_RECORDED;
            count(&p, c->recorded[at], g->first[at], terms[1 + i], g->free_first[at], &by[O_RECORDED]);
        }
        p.o = O_SECOND;
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++) {
                int want = n * triangle(m) + corner(m, i, j);
                count(&p, c->second[(n * m + i) * m + j], g->second[want], terms[1 + m + corner(m, i, j)],
                      g->free_second[want], &by[O_SECOND]);
            }
    }
}
