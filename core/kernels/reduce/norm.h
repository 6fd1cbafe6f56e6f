/* Private. The part of core/kernels/simd/kernel_set.c for layer_norm and rms_norm, row by row as in core/kernels/reduce/softmax.h. */
#ifndef TG_CORE_KERNELS_REDUCE_NORM_H
#define TG_CORE_KERNELS_REDUCE_NORM_H

#include "core/kernels/reduce/softmax.h"

/* A row of n elements in equal parts: one behind the other, or `step` apart. Then they lie on pages of their own, which the
 * machine does not foresee, and what reads one part asks for the next. */
typedef struct layout {
    int64_t n, part, step;
    double eps;
    bool centred, parted;
} layout;

INLINE int64_t place(const layout *p, int64_t i) {
    return p->parted ? i / p->part * p->step + i % p->part : i;
}

INLINE S sum_row(const layout *p, const row *r, row_term *f) {
    S level[LEVELS];
    row q = *r;
    int64_t count = 0;
    if (!p->parted) return sum_terms(p->n, r, f);
    for (int64_t left = p->n; left > 0; left -= p->part, q.x += p->step)
        for (int64_t i = 0; i < p->part; i += BLOCK, count++)
            carry(sum_block(i, p->part - i < BLOCK ? p->part - i : BLOCK, &q, f), count, level, op_sum);
    return carried(count, level, op_sum, 0);
}

INLINE pair sum_row_pairs(const layout *p, const row *r, row_terms *f) {
    S a[LEVELS], b[LEVELS];
    row q = *r;
    int64_t count = 0;
    if (!p->parted) return sum_pairs(p->n, r, f);
    q.ahead = p->step;
    for (int64_t left = p->n; left > 0; left -= p->part, q.x += p->step, q.g += p->step)
        for (int64_t i = 0; i < p->part; i += BLOCK, count++) {
            if (left == p->part) q.ahead = 0;
            pair sum = sum_pair_block(i, p->part - i < BLOCK ? p->part - i : BLOCK, &q, f);
            carry(sum.a, count, a, op_sum);
            carry(sum.b, count, b, op_sum);
        }
    return (pair){carried(count, a, op_sum, 0), carried(count, b, op_sum, 0)};
}

/* x less its mean, in units that keep its square inside the dtype. The mean is shift + rest: the rounded mean, and the
 * mean of what it leaves. */
INLINE V centred(const row *r, int64_t i, int64_t m) {
    return vfma(load(r->x, i, m), r->unit, -r->shift) - r->rest;
}
INLINE V weighted(const row *r, int64_t i, int64_t m) {
    V g = load(r->g, i, m);
    return r->w ? g * load(r->w, i, m) : g;
}

INLINE V term_x(const row *r, int64_t i, int64_t m) { return load(r->x, i, m); }
INLINE V term_in_units(const row *r, int64_t i, int64_t m) { return load(r->x, i, m) * r->unit; }
INLINE V term_square(const row *r, int64_t i, int64_t m) {
    V d = centred(r, i, m);
    return d * d;
}
INLINE vpair terms_distance(const row *r, int64_t i, int64_t m, vpair sum) {
    V d = load(r->x, i, m) - r->shift;
    return (vpair){sum.a + d, vfma(d, d, sum.b)};
}
INLINE vpair terms_distance_ahead(const row *r, int64_t i, int64_t m, vpair sum) {
    __builtin_prefetch(r->x + i + r->ahead);
    return terms_distance(r, i, m, sum);
}
INLINE vpair terms_product(const row *r, int64_t i, int64_t m, vpair sum) {
    V h = weighted(r, i, m);
    return (vpair){sum.a + h, vfma(h, centred(r, i, m), sum.b)};
}
INLINE vpair terms_product_plain(const row *r, int64_t i, int64_t m, vpair sum) {
    V h = weighted(r, i, m);
    return (vpair){sum.a + h, vfma(h, load(r->x, i, m) - r->shift, sum.b)};
}

/* Squares between 1 / SAFE and SAFE leave room for products of three; a remainder below NOISE of a mean is rounding. */
#if TG_REAL == 32
enum { LEAST_EXPONENT = -100 };
#define SAFE 0x1p60
#define NOISE 0x1p-19
#else
enum { LEAST_EXPONENT = -980 };
#define SAFE 0x1p500
#define NOISE 0x1p-48
#endif

/* 1, or the power of two that brings the largest element (or the root of eps, which will be added to the square) to
 * [1, 2), where squares are not safe. */
INLINE double unit_of(const layout *p, const row *r, double square) {
    S largest = (S)sqrt(p->eps);
    int exponent;
    if (square + p->eps >= 1 / SAFE && square <= SAFE) return 1;
    for (int64_t i = 0; i < p->n; i++) largest = MATH(fmax)(largest, MATH(fabs)(r->x[place(p, i)]));
    if (!(largest > 0 && largest <= (S)(TG_REAL == 32 ? FLT_MAX : DBL_MAX))) return 1;
    frexp((double)largest, &exponent);
    return ldexp(1, 1 - (exponent > LEAST_EXPONENT ? exponent : LEAST_EXPONENT));
}

/* What a row is normalised with. */
typedef struct moments {
    S unit, shift, rest, scale, out;
    bool plain; /* unit is 1, and rest no larger than the root of the variance */
    double variance;
} moments;

/* The mean once more, of what its rounded value leaves: of equal numbers it is then that number, and none deviates. */
APART moments moments_with_care(const layout as, const S *x, double square) {
    const layout *p = &as;
    row r = {.x = x, .shift = K(0), .rest = K(0)};
    double unit = unit_of(p, &r, square), n = (double)p->n, eps = sqrt(p->eps);
    moments m = {.unit = (S)unit};
    r.unit = K(m.unit);
    if (p->centred) {
        S first = (S)(sum_row(p, &r, term_in_units) / (S)n);
        r.shift = K(first);
        S lost = sum_row(p, &r, centred) / (S)n;
        m.shift = first + lost, m.rest = (first - m.shift) + lost;
        if (MATH(fabs)(m.rest) <= (S)NOISE * MATH(fabs)(lost)) m.rest = 0;
        r.shift = K(m.shift), r.rest = K(m.rest);
    }
    double root = sqrt((double)sum_row(p, &r, term_square) / n), inverse = 1 / hypot(root, eps * unit);
    m.scale = (S)(inverse > SAFE ? SAFE : inverse);
    m.out = (S)(1 / hypot(root / unit, eps));
    m.variance = root / unit * (root / unit);
    return m;
}

/* The number that distances are taken from: the mean, rounded; of a row in parts that of the first one, which is near enough
 * to the row's. */
INLINE S first_shift(const layout *p, const S *x) {
    const row r = {.x = x};
    int64_t some = p->parted ? p->part : p->n;
    return p->centred ? sum_terms(some, &r, term_x) / (S)some : 0;
}

/* unit, shift, rest, scale = 1 / sqrt(variance + eps) of x in units, and out, the same of x itself; and the variance of x. Where
 * the shift, which is given, is not near the mean the squares of the distances are much larger than the variance, and more care
 * is taken. They are set one by one: a struct that is moved as a whole waits for each of its members. Neither r's address nor
 * the layout's is passed on, so that vectors stay in registers and what the layout is known to be is not asked again. */
INLINE void moments_about_shift(const layout *p, const S *x, moments *m) {
    S n = (S)p->n;
    const row r = {.x = x, .shift = K(m->shift)};
    pair d = p->parted ? sum_row_pairs(p, &r, terms_distance_ahead) : sum_pairs(p->n, &r, terms_distance);
    S square = d.b / n, rest = p->centred ? d.a / n : 0, variance = square - rest * rest;
    bool safe = (double)square + p->eps >= 1 / SAFE && square <= (S)SAFE;
    if (!(safe && variance + variance >= square)) {
        *m = moments_with_care(*p, x, (double)square);
        return;
    }
    m->unit = 1, m->rest = rest, m->plain = true, m->variance = (double)variance;
    m->scale = m->out = (S)(1 / sqrt((double)variance + p->eps));
}

INLINE void set_moments(row *r, const moments *m) {
    r->unit = K(m->unit), r->shift = K(m->shift), r->rest = K(m->rest);
    r->scale = K(m->scale), r->out = K(m->out);
}

/* Of m rows, one after the other: sums of one row do not wait for those of another, and the machine takes them together. */
enum { TOGETHER = 4, LONGEST_TOGETHER = 4096 / (int)sizeof(S) };
INLINE int64_t rows_together(const tg_norm_rows *p, int64_t k) {
    int64_t most = p->n > LONGEST_TOGETHER ? 1 : TOGETHER;
    return p->rows - k < most ? p->rows - k : most;
}
INLINE void find_moments(const layout *p, int64_t m, const S *x, moments *of) {
    for (int64_t i = 0; i < m; i++) of[i].shift = first_shift(p, x + i * p->n);
    for (int64_t i = 0; i < m; i++) moments_about_shift(p, x + i * p->n, &of[i]);
}

INLINE void step_norm(const row *r, int64_t i, int64_t m) {
    V y = centred(r, i, m) * r->scale;
    if (r->w) y *= load(r->w, i, m);
    if (r->b) y += load(r->b, i, m);
    store(r->y, i, m, y);
}

INLINE layout layout_of(const tg_norm_rows *p) {
    return (layout){.n = p->n, .eps = p->eps, .centred = p->centred};
}

static void norm_rows(const tg_norm_rows *p) {
    const layout as = layout_of(p);
    row r = {.x = p->x, .w = p->w, .b = p->b, .y = p->y};
    moments of[TOGETHER];
    for (int64_t k = 0, m; k < p->rows; k += m) {
        m = rows_together(p, k);
        find_moments(&as, m, r.x, of);
        for (int64_t i = 0; i < m; i++, r.x += p->n, r.y += p->n) {
            set_moments(&r, &of[i]);
            each(p->n, &r, step_norm);
        }
    }
}

/* Return |d|. */
INLINE V step_norm_grad(const row *r, int64_t i, int64_t m) {
    V d = centred(r, i, m);
    store(r->y, i, m, ((weighted(r, i, m) - r->mean) - d * r->slope) * r->out);
    return vabs(d);
}
/* With rest times the slope in the mean. */
INLINE V step_norm_grad_plain(const row *r, int64_t i, int64_t m) {
    V d = load(r->x, i, m) - r->shift;
    store(r->y, i, m, vfma(d, -r->slope, weighted(r, i, m) - r->mean) * r->out);
    return vabs(d);
}

/* dx of a row of which one element, number t, has nearly all of the squares. What is left of h without its parts along d
 * and along the mean is small there, and differences of numbers as large as h would have lost its digits: it is made of
 * the others, as in ops/structured/normalised.c. */
APART void norm_grad_with_dominant(const layout as, const S *x, const S *g, const S *w, S *dx, const moments m) {
    const layout *p = &as;
    double n = (double)p->n, unit = (double)m.unit, e = n * p->eps * unit * unit, most = -1;
    double x_mean = 0, h_mean = 0, uu = 0, uv = 0, c = p->centred ? (n - 1) / n : 1;
    int64_t t = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double distance = fabs((double)x[place(p, i)] * unit - (double)m.shift);
        if (distance > most) most = distance, t = i;
    }
#define X_OF(i) ((double)x[place(p, i)] * unit - x_mean)
#define H_OF(i) ((double)g[place(p, i)] * (w ? (double)w[p->parted ? 0 : i] : 1) - h_mean)
    double x_sum = 0, h_sum = 0;
    for (int64_t i = 0; p->centred && i < p->n; i++)
        if (i != t) x_sum += X_OF(i) / (n - 1), h_sum += H_OF(i) / (n - 1);
    x_mean = x_sum, h_mean = h_sum;
    for (int64_t i = 0; i < p->n; i++)
        if (i != t) uu += X_OF(i) * X_OF(i), uv += X_OF(i) * H_OF(i);
    double d = X_OF(t), k = H_OF(t), all = uu + d * d * c + e;
    double left = (k * (uu + e) - d * uv) / all, along = (k * d * c + uv) / all,
           mean = p->centred ? left / n : 0;
    for (int64_t i = 0; i < p->n; i++)
        dx[place(p, i)] = (S)((double)m.out * (i == t ? c * left : H_OF(i) - X_OF(i) * along - mean));
#undef X_OF
#undef H_OF
}

/* The d^2 from which on it and the mean have 7/8 of an element's own share. */
INLINE S dominant_square(const layout *p, S scale) {
    if (p->centred && p->n == 1) return (S)INFINITY;
    return ((S)0.875 * (S)p->n - (p->centred ? 1 : 0)) / (scale * scale);
}

INLINE void step_dw(const row *r, int64_t i, int64_t m) {
    store(r->dw, i, m, load(r->dw, i, m) + load(r->g, i, m) * (centred(r, i, m) * r->scale));
}
INLINE void step_db(const row *r, int64_t i, int64_t m) {
    store(r->db, i, m, load(r->db, i, m) + load(r->g, i, m));
}

/* The mean of h, and its part along d, of a row. */
typedef struct projection {
    S mean, slope;
} projection;
INLINE projection project(const layout *p, const row *r, const moments *m) {
    S n = (S)p->n;
    pair h = m->plain ? sum_pairs(p->n, r, terms_product_plain) : sum_pairs(p->n, r, terms_product);
    if (m->plain) h.b -= m->rest * h.a;
    S mean = p->centred ? h.a / n : 0, slope = h.b / n * (m->scale * m->scale);
    return (projection){m->plain ? mean - m->rest * slope : mean, slope};
}

/* The row at r->y. */
INLINE void write_norm_grad(const layout *p, row *r, const S *w, const moments *m, const projection *h,
                            bool *bad) {
    r->mean = K(h->mean), r->slope = K(h->slope);
    V limit = K(dominant_square(p, m->scale));
    V top = m->plain && bad ? each_larger_looked_at(p->n, r, step_norm_grad_plain, bad)
            : m->plain      ? each_larger(p->n, r, step_norm_grad_plain)
                            : each_larger(p->n, r, step_norm_grad);
    const bool dominant = any_larger(top * top, limit);
    if (__builtin_expect(dominant, 0)) norm_grad_with_dominant(*p, r->x, r->g, w, r->y, *m);
    if (bad && (dominant || !m->plain) && !all_finite(p->n, r->y)) *bad = true;
}

/* dx, dw and db of two plain rows, vector by vector, so that g and x are read once for all three, and dw and db once for both rows. */
INLINE void step_two(const row r[2], int64_t i, int64_t m, V top[2], V *zero) {
    V dw = load(r->dw, i, m), db = load(r->db, i, m);
    UNROLL(2)
    for (int k = 0; k < 2; k++) {
        V d = load(r[k].x, i, m) - r[k].shift, g = load(r[k].g, i, m), h = r->w ? g * load(r->w, i, m) : g;
        V dx = vfma(d, -r[k].slope, h - r[k].mean) * r[k].out;
        store(r[k].y, i, m, dx);
        top[k] = vlarger(vabs(d), top[k]);
        *zero = vfma(dx, K(0), *zero);
        dw += g * ((d - r[k].rest) * r[k].scale), db += g;
    }
    store(r->dw, i, m, dw), store(r->db, i, m, db);
}
static void write_two_norm_grads(const layout *p, const row *first, const moments of[2],
                                 const projection h[2], bool *bad) {
    row r[2] = {*first, *first};
    V top[2] = {K(0), K(0)}, zero = K(0);
    for (int k = 0; k < 2; k++) {
        r[k].x += k * p->n, r[k].g += k * p->n, r[k].y += k * p->n;
        set_moments(&r[k], &of[k]);
        r[k].mean = K(h[k].mean), r[k].slope = K(h[k].slope);
    }
    int64_t i = 0;
    for (; i + W <= p->n; i += W) step_two(r, i, W, top, &zero);
    if (i < p->n) step_two(r, i, p->n - i, top, &zero);
    for (int k = 0; k < 2; k++)
        if (__builtin_expect(any_larger(top[k] * top[k], K(dominant_square(p, of[k].scale))), 0)) {
            norm_grad_with_dominant(*p, r[k].x, r[k].g, r->w, r[k].y, of[k]);
            zero += K(all_finite(p->n, r[k].y) ? 0 : (S)NAN);
        }
    if (bad && any(zero != zero)) *bad = true;
}

/* With d the centred x and h = g w: dx = (h - mean h - d mean(h d) scale^2) out, dw += g d scale, db += g. */
static void norm_rows_grad(const tg_norm_rows *p) {
    const layout as = layout_of(p);
    row r = {.x = p->x, .g = p->g, .w = p->w, .y = p->y, .dw = p->dw, .db = p->db};
    moments of[TOGETHER];
    projection h[TOGETHER];
    for (int64_t k = 0, m; k < p->rows; k += m) {
        m = rows_together(p, k);
        if (p->y || p->dw) find_moments(&as, m, r.x, of);
        for (int64_t i = 0; p->y && i < m; i++) {
            row q = {.x = r.x + i * p->n, .g = r.g + i * p->n, .w = p->w};
            set_moments(&q, &of[i]);
            h[i] = project(&as, &q, &of[i]);
        }
        int64_t i = 0;
        for (; p->y && p->dw && p->db && i + 2 <= m && of[i].plain && of[i + 1].plain;
             i += 2, r.x += 2 * p->n, r.g += 2 * p->n, r.y += 2 * p->n)
            write_two_norm_grads(&as, &r, &of[i], &h[i], p->bad);
        for (; i < m; i++, r.x += p->n, r.g += p->n) {
            if (p->y || p->dw) set_moments(&r, &of[i]);
            if (p->y) write_norm_grad(&as, &r, p->w, &of[i], &h[i], p->bad), r.y += p->n;
            if (p->dw) each(p->n, &r, step_dw);
            if (p->db) each(p->n, &r, step_db);
        }
    }
}

#endif
