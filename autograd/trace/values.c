/* Elements of arrays as a trace keeps them: all of few, of more the first and a summary. */
#include "autograd/trace/model.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024, LEAST = 256 /* elements of a histogram */ };

/* Calls fn for the elements in row-major order, in blocks. The array is contiguous. */
typedef void each_fn(void *to, const double *v, int64_t begin, int64_t n);
static void each_block(const tg_array *a, each_fn *fn, void *to) {
    double v[BLOCK];
    for (int64_t begin = 0; begin < a->numel; begin += BLOCK) {
        const int64_t n = a->numel - begin < BLOCK ? a->numel - begin : BLOCK;
        if (a->dtype == TG_F64)
            memcpy(v, (const double *)a->data + begin, (size_t)n * sizeof *v);
        else if (a->dtype == TG_F32)
            for (int64_t i = 0; i < n; i++) v[i] = (double)((const float *)a->data)[begin + i];
        else
            for (int64_t i = 0; i < n; i++) v[i] = tg_array_get(a, begin + i);
        fn(to, v, begin, n);
    }
}

/* ---- the summary ---- */

typedef struct summing {
    tg_traced_values *v;
    long double sum, squares; /* wide, so that nothing overflows that is in the range of f64 */
    int64_t finite;
    double lo, hi;
} summing;

/* A block's sum is one of f64; where that overflows it is added element by element. */
static long double block_sum(const double *x, int64_t n) {
    double sum = 0;
    long double wide = 0;
    for (int64_t i = 0; i < n; i++) sum += isfinite(x[i]) ? x[i] : 0;
    if (isfinite(sum)) return (long double)sum;
    for (int64_t i = 0; i < n; i++) wide += isfinite(x[i]) ? (long double)x[i] : 0;
    return wide;
}

static void count(void *to, const double *x, int64_t begin, int64_t n) {
    summing *s = to;
    double lo = INFINITY, hi = -INFINITY;
    int64_t zero = 0, nan = 0, inf = 0;
    (void)begin;
    for (int64_t i = 0; i < n; i++) {
        zero += x[i] == 0, nan += isnan(x[i]) != 0, inf += isinf(x[i]) != 0;
        if (!isfinite(x[i])) continue;
        lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
    }
    s->v->zero += zero, s->v->nan += nan, s->v->inf += inf;
    s->finite += n - nan - inf;
    s->lo = lo < s->lo ? lo : s->lo, s->hi = hi > s->hi ? hi : s->hi;
    s->sum += block_sum(x, n);
}

static void spread(void *to, const double *x, int64_t begin, int64_t n) {
    summing *s = to;
    const long double mean = s->sum / (long double)s->finite;
    double squares = 0;
    long double wide = 0;
    (void)begin;
    for (int64_t i = 0; i < n; i++) {
        const double off = isfinite(x[i]) ? x[i] - (double)mean : 0;
        squares += off * off;
    }
    for (int64_t i = 0; !isfinite(squares) && i < n; i++)
        wide += isfinite(x[i]) ? ((long double)x[i] - mean) * ((long double)x[i] - mean) : 0;
    s->squares += isfinite(squares) ? (long double)squares : wide;
}

static void summarise(tg_traced_values *v, const tg_array *a) {
    summing s = {.v = v, .lo = INFINITY, .hi = -INFINITY};
    each_block(a, count, &s);
    v->any = s.finite > 0;
    if (!v->any) return;
    v->min = s.lo, v->max = s.hi;
    each_block(a, spread, &s);
    v->mean = (double)(s.sum / (long double)s.finite);
    v->std = (double)sqrtl(s.squares / (long double)s.finite);
}

/* ---- the histogram ---- */

typedef struct placing {
    double lo, width;
    int64_t *hist;
} placing;

static void place(void *to, const double *x, int64_t begin, int64_t n) {
    const placing *p = to;
    (void)begin;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) continue;
        int k = (int)((x[i] / 2 - p->lo / 2) / p->width * TG_TRACE_HIST);
        p->hist[k < 0 ? 0 : k >= TG_TRACE_HIST ? TG_TRACE_HIST - 1 : k]++;
    }
}

static bool make_hist(tg_trace *t, tg_traced_values *v, const tg_array *a) {
    placing p = {v->min, v->max / 2 - v->min / 2, NULL};
    if (!v->any || !(p.width > 0) || v->n < LEAST) return true;
    if (!(p.hist = tg_trace_room(t, TG_TRACE_HIST, sizeof *p.hist))) return false;
    each_block(a, place, &p);
    v->hist = p.hist;
    return true;
}

/* ---- the map: an array of rank 2 or more as a matrix, its last axis being a row ---- */

typedef struct mapping {
    int64_t rows, cols;
    int r, c;
    double sum[TG_TRACE_MAP * TG_TRACE_MAP];
    int64_t count[TG_TRACE_MAP * TG_TRACE_MAP];
} mapping;

static void block_sums(void *to, const double *x, int64_t begin, int64_t n) {
    mapping *m = to;
    int64_t row = begin / m->cols, col = begin % m->cols;
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = row * m->r / m->rows * m->c + col * m->c / m->cols;
        m->sum[k] += x[i], m->count[k]++;
        if (++col == m->cols) col = 0, row++;
    }
}

static bool make_map(tg_trace *t, tg_traced_values *v, const tg_array *a, int most) {
    static const char letter[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    mapping m = {.cols = a->rank > 1 ? a->shape[a->rank - 1] : 0};
    if (m.cols < 2 || a->numel / m.cols < 2 || !v->any || !(v->max / 2 - v->min / 2 > 0)) return true;
    m.rows = a->numel / m.cols;
    m.r = (int)(m.rows < most ? m.rows : most), m.c = (int)(m.cols < most ? m.cols : most);
    char *map = tg_trace_room(t, (size_t)(m.r * m.c) + 1, 1);
    if (!map) return false;
    each_block(a, block_sums, &m);
    for (int k = 0; k < m.r * m.c; k++) {
        const double mean = m.sum[k] / (double)m.count[k];
        const int level =
            isfinite(mean) ? (int)lrint((mean / 2 - v->min / 2) / (v->max / 2 - v->min / 2) * 63) : -1;
        map[k] = level < 0 ? '.' : letter[level > 63 ? 63 : level];
    }
    v->rows = m.r, v->cols = m.c, v->map = map;
    return true;
}

/* ---- all of it ---- */

static bool show(tg_trace *t, tg_traced_values *v, const tg_array *a, int n) {
    const size_t size = tg_dtype_size(v->dtype);
    void *e = tg_trace_room(t, (size_t)n, size);
    if (!e) return false;
    if (n > 0) memcpy(e, a->data, (size_t)n * size);
    v->e = e, v->shown = n;
    return true;
}

/* Of a contiguous array. */
static bool make(tg_trace *t, tg_traced_values *v, const tg_array *a, tg_trace_care care) {
    const int most = care == TG_TRACE_BRIEF || t->detail == 2 ? (t->most < 16 ? t->most : 16) : t->most;
    v->whole = a->numel <= most;
    if (v->whole) return show(t, v, a, (int)a->numel);
    const bool main = care == TG_TRACE_MAIN, brief = care == TG_TRACE_BRIEF;
    const int first = TG_TRACE_FIRST / (t->detail == 2 && !main ? 4 : t->detail == 2 || brief ? 2 : 1);
    if (!show(t, v, a, first < most ? first : most)) return false;
    summarise(v, a);
    if (!brief && (t->detail < 2 || main) && !make_hist(t, v, a)) return false;
    if (!brief && (t->detail == 0 || main))
        return make_map(t, v, a,
                        t->detail || (!main && t->end - t->first > TG_TRACE_FEW) ? TG_TRACE_MAP / 2
                                                                                 : TG_TRACE_MAP);
    return true;
}

static int add(tg_trace *t, const tg_traced_values *v) {
    if (!TG_TRACE_GROW(t->value, t->cap_values, t->n_values)) return -1;
    t->value[t->n_values] = *v;
    return (int)t->n_values++;
}

int tg_trace_values(tg_trace *t, const tg_array *a, tg_trace_care care) {
    tg_traced_values v = {.n = a->numel, .dtype = (tg_dtype)a->dtype};
    tg_array dense = {0};
    if (tg_array_contiguous(&dense, a) != TG_OK) return -1;
    const bool made = make(t, &v, &dense, care);
    tg_array_drop(&dense);
    return made ? add(t, &v) : -1;
}

/* ---- twice as much ---- */

int tg_trace_twice(tg_trace *t, int of) {
    tg_traced_values v = t->value[of];
    const size_t size = tg_dtype_size(v.dtype);
    void *e = tg_trace_room(t, (size_t)v.shown, size);
    if (!e) return -1;
    for (int i = 0; i < v.shown; i++)
        if (v.dtype == TG_F32)
            ((float *)e)[i] = 2 * ((const float *)v.e)[i];
        else
            ((double *)e)[i] = 2 * ((const double *)v.e)[i];
    v.e = e;
    return add(t, &v);
}
