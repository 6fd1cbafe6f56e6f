/* A step length that satisfies the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6), point for point
 * as torch.optim.lbfgs. */
#include "ops/nn/optim/lbfgs_private.h"

#include <math.h>
#include <string.h>

static const double c1 = 1e-4, c2 = 0.9;

double tg_line_dot(int64_t n, const double *a, const double *b) {
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < n; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double tg_line_largest(int64_t n, const double *a) {
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i]) <= most)) most = fabs(a[i]);
    return most;
}

/* A point of the line: f and its slope, and where its gradient is. */
typedef struct point {
    double t, f, slope;
} point;

/* The minimum of the cubic through two points and their slopes, within [lo, hi]; the middle where there is none, or a number
 * is not finite. */
static double interpolate(point a, point b, double lo, double hi) {
    double e = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t), square = e * e - a.slope * b.slope;
    if (!(square >= 0)) return (lo + hi) / 2;
    const point left = a.t <= b.t ? a : b, right = a.t <= b.t ? b : a;
    double root = sqrt(square);
    double t =
        right.t - (right.t - left.t) * ((right.slope + root - e) / (right.slope - left.slope + 2 * root));
    if (isnan(t)) return (lo + hi) / 2;
    if (lo > t) t = lo;
    return hi < t ? hi : t;
}

/* A NaN counts as infinite, so that the search turns back from it. */
static tg_status look(tg_line *l, double t, point *p) {
    *p = (point){.t = t};
    tg_status s = l->evaluate(l->at, t, &p->f, l->g[2]);
    if (isnan(p->f)) p->f = INFINITY;
    p->slope = tg_line_dot(l->n, l->g[2], l->d);
    l->evaluations++;
    return s;
}

static void keep(const tg_line *l, double *at, const double *g) { memcpy(at, g, (size_t)l->n * sizeof *g); }

/* What both phases go by: f and slope at 0, and the iterations of both. */
typedef struct search {
    point start;
    int64_t i, most;
    bool done;
} search;

static bool too_high(const search *s, point p) { return p.f > s->start.f + c1 * p.t * s->start.slope; }
static bool is_flat(const search *s, point p) { return fabs(p.slope) <= -c2 * s->start.slope; }

/* Goes on until a point is found, or a bracket around one: end[0] and end[1], whose gradients are g[0] and g[1]. A point alone
 * is both ends. */
static tg_status bracket(tg_line *l, search *s, double t, const double *g, point end[2]) {
    point before = s->start, now;
    keep(l, l->g[0], g);
    tg_status status = look(l, t, &now);
    for (; status == TG_OK && s->i < s->most; s->i++) {
        if (too_high(s, now) || (s->i > 1 && now.f >= before.f)) break;
        s->done = is_flat(s, now);
        if (s->done || now.slope >= 0) break;
        double next = interpolate(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
        before = now;
        keep(l, l->g[0], l->g[2]);
        status = look(l, next, &now);
    }
    keep(l, l->g[1], l->g[2]);
    end[0] = s->done ? now : before, end[1] = now;
    if (s->done) keep(l, l->g[0], l->g[2]);
    if (s->i < s->most || s->done) return status;
    end[0] = s->start;
    keep(l, l->g[0], g);
    return status;
}

/* A trial within the bracket, that keeps a tenth of it away from its ends if one has come near to them before. */
static double trial(const point end[2], bool *near) {
    double lo = fmin(end[0].t, end[1].t), hi = fmax(end[0].t, end[1].t), margin = 0.1 * (hi - lo);
    double t = interpolate(end[0], end[1], lo, hi);
    bool close = fmin(hi - t, t - lo) < margin, move = close && (*near || t >= hi || t <= lo);
    *near = close && !move;
    if (!move) return t;
    return fabs(t - hi) < fabs(t - lo) ? hi - margin : lo + margin;
}

/* Makes the bracket smaller; returns the number of its lower end. */
static tg_status zoom(tg_line *l, search *s, double tolerance, point end[2], int *low) {
    double size = tg_line_largest(l->n, l->d);
    bool near = false;
    for (*low = end[0].f <= end[1].f ? 0 : 1; !s->done && s->i < s->most; s->i++) {
        if (fabs(end[1].t - end[0].t) * size < tolerance) break;
        point now;
        int high = 1 - *low;
        if (look(l, trial(end, &near), &now) != TG_OK) return tg_error_status();
        if (too_high(s, now) || now.f >= end[*low].f) {
            end[high] = now;
            keep(l, l->g[high], l->g[2]);
            *low = end[0].f <= end[1].f ? 0 : 1;
            continue;
        }
        s->done = is_flat(s, now);
        if (!s->done && now.slope * (end[high].t - end[*low].t) >= 0) {
            end[high] = end[*low];
            keep(l, l->g[high], l->g[*low]);
        }
        end[*low] = now;
        keep(l, l->g[*low], l->g[2]);
    }
    return TG_OK;
}

tg_status tg_line_strong_wolfe(tg_line *l, double *t, double *f, double *g, double gtd, double tolerance) {
    search s = {.start = {.t = 0, .f = *f, .slope = gtd}, .most = l->most};
    point end[2];
    int low = 0;
    l->evaluations = 0;
    if (bracket(l, &s, *t, g, end) != TG_OK || zoom(l, &s, tolerance, end, &low) != TG_OK)
        return tg_error_status();
    *t = end[low].t, *f = end[low].f;
    keep(l, g, l->g[low]);
    return TG_OK;
}
