/* From the values on a ladder to a verdict. */
#include "autograd/check/ladder.h"

#include <math.h>
#include <stdio.h>

/* A derivative that is 3 % off must be seen to be wrong: u may be a hundredth of it. Where the derivative itself is 0, as at
 * the bottom of a bowl, u may be so small a part of the slope that phi has an eighth of the scale away. */
static const double RESOLVED = 0.01, RESOLVED_0 = 1e-7;

/* Beyond so many error bars a value is excluded. */
enum { BARS = 3 };

/* ---- how gaps and remainders depend on the step ---- */

/* The exponent of y ~ h^s over the three finest of the n rungs where y is above the noise; NaN where there are fewer than
 * two. */
static double exponent(const double *h, const double *y, const double *noise, int n) {
    double x[3], z[3], mean_x = 0, mean_z = 0, xx = 0, xz = 0;
    int m = 0;
    for (int i = n - 1; i >= 0 && m < 3; i--)
        if (y[i] > noise[i]) x[m] = log(h[i]), z[m++] = log(y[i]);
    if (m < 2) return NAN;
    for (int i = 0; i < m; i++) mean_x += x[i] / m, mean_z += z[i] / m;
    for (int i = 0; i < m; i++) xx += (x[i] - mean_x) * (x[i] - mean_x), xz += (x[i] - mean_x) * (z[i] - mean_z);
    return xz / xx;
}

static tg_gap_law law_of(const tg_ladder *l, const tg_evidence *e, bool kink) {
    double gap[TG_RUNGS], noise[TG_RUNGS];
    bool above = false;
    for (int i = 0; i < l->n; i++) {
        gap[i] = fabs(tg_ladder_central(l, i) - e->analytic);
        noise[i] = 2 * tg_ladder_noise(l, i) + 0x1p-50 * fabs(e->analytic);
        above |= gap[i] > noise[i];
    }
    if (kink) return TG_GAP_KINK;
    if (!above) return l->n > 0 ? TG_GAP_NOISE : TG_GAP_UNKNOWN;
    double s = exponent(l->above, gap, noise, l->n);
    return s > 1.2 ? TG_GAP_TRUNCATION : fabs(s) < 0.3 ? TG_GAP_CONSTANT : TG_GAP_UNKNOWN;
}

static double taylor_of(const tg_ladder *l, double a) {
    double rest[TG_RUNGS], noise[TG_RUNGS];
    for (int i = 0; i < l->n; i++) {
        rest[i] = fabs(l->high[i] - l->at_0 - a * l->above[i]);
        noise[i] = 16 * l->noise + 0x1p-50 * fabs(a * l->above[i]);
    }
    return exponent(l->above, rest, noise, l->n);
}

static tg_hint hint_of(double a, double n, double u) {
    static const double factor[] = {2, 0.5, 3, 1.0 / 3, 4, 0.25};
    if (a == 0) return TG_HINT_MISSING;
    if (fabs(n) <= BARS * u) return TG_HINT_EXTRA;
    if (fabs(a / n + 1) < 1e-3) return TG_HINT_SIGN;
    for (int i = 0; i < 6; i++)
        if (fabs(a / n / factor[i] - 1) < 1e-3) return TG_HINT_FACTOR;
    return TG_HINT_NONE;
}

/* ---- the verdict ---- */

static double larger(double a, double b) { return fmax(fabs(a), fabs(b)); }

static bool excluded(double a, const tg_limit *n, double rtol) {
    return !(fabs(a - n->value) <= BARS * n->error + rtol * larger(a, n->value));
}

/* Whether the limit is known well enough for a claim of this size to be judged by it. */
static bool is_resolved(const tg_limit *n, double size) { return n->error <= RESOLVED * size; }

/* The sides have limits of their own, or one has and the other runs away: what phi does there is no noise. */
static bool is_kink(const tg_ladder *l, double rtol) {
    const tg_limit *r = &l->right, *s = &l->left;
    if (l->n < 3) return false;
    double apart = fabs(r->value - s->value), size = larger(r->value, s->value);
    if (is_resolved(r, size) && is_resolved(s, size))
        return apart > 4 * (r->error + s->error) + rtol * size;
    /* a jump: the difference of the two sides does not shrink with the step */
    int last = l->n - 1;
    double jump = fabs(l->high[last] + l->low[last] - 2 * l->at_0);
    const tg_limit *calm = r->error < s->error ? r : s;
    double wild = fabs((calm == r ? l->at_0 - l->low[last] : l->high[last] - l->at_0));
    return jump > 64 * l->noise && wild > 64 * l->noise && isfinite(calm->error) &&
           calm->error <= 1e-3 * wild / l->above[last] && jump > 0.25 * tg_ladder_range(l);
}

/* A value between the limits of the two sides, or one of them, is a subgradient. */
static bool is_subgradient(const tg_ladder *l, double a, double rtol) {
    const tg_limit *r = &l->right, *s = &l->left;
    double size = larger(r->value, s->value);
    bool both = is_resolved(r, size) && is_resolved(s, size);
    if (!both) return !excluded(a, r->error < s->error ? r : s, rtol);
    double slack = BARS * (r->error + s->error) + rtol * size;
    return a >= fmin(r->value, s->value) - slack && a <= fmax(r->value, s->value) + slack;
}

static tg_verdict verdict_on(const tg_ladder *l, double a, double rtol) {
    const tg_limit *n = &l->central;
    double moves = tg_ladder_range(l);
    if (l->n == 0) return TG_NO_VERDICT;
    if (!isfinite(a)) return TG_WRONG;
    if (moves <= 4 * l->noise && fabs(a) * l->above[0] <= 4 * l->noise) return TG_NOT_EXERCISED;
    if (is_kink(l, rtol) && (excluded(a, n, rtol) || !is_resolved(n, larger(a, n->value))))
        return is_subgradient(l, a, rtol) ? TG_KINK : TG_WRONG;
    bool resolved = is_resolved(n, larger(a, n->value)) || n->error <= RESOLVED_0 * moves / l->above[0];
    if (excluded(a, n, rtol)) return n->error <= larger(a, n->value) ? TG_WRONG : TG_NOISE_LIMITED;
    return resolved ? TG_CORRECT : TG_NOISE_LIMITED;
}

static bool has_decided(const tg_ladder *l, double a, double rtol) {
    double size = larger(a, l->central.value);
    return l->n >= TG_FEWEST_RUNGS && verdict_on(l, a, rtol) == TG_CORRECT && l->central.error <= 1e-7 * size &&
           is_resolved(&l->right, size) && is_resolved(&l->left, size) && !is_kink(l, rtol);
}

static void write_evidence(const tg_ladder *l, double a, double rtol, tg_evidence *e) {
    bool kink = is_kink(l, rtol);
    *e = (tg_evidence){.verdict = verdict_on(l, a, rtol),
                       .analytic = a,
                       .numeric = l->n ? l->central.value : NAN,
                       .error = l->n ? l->central.error : INFINITY,
                       .left = l->left.value,
                       .right = l->right.value,
                       .noise = l->noise,
                       .step = l->n ? l->above[l->central.rung] : 0,
                       .taylor = taylor_of(l, a),
                       .evaluations = l->evaluations};
    e->law = law_of(l, e, kink);
    if (e->verdict == TG_WRONG && isfinite(a) && !kink) e->hint = hint_of(a, e->numeric, e->error);
    e->noticed = a != 0 && verdict_on(l, -a, rtol) == TG_WRONG && verdict_on(l, 1.03 * a, rtol) == TG_WRONG;
}

tg_status tg_judge(tg_line phi, void *user, double analytic, tg_judge_opts opts, tg_evidence *out) {
    if (!phi || !out)
        return tg_fail(TG_ERR_ARGUMENT, "tg_judge: the %s is NULL", phi ? "evidence" : "function");
    if (!(opts.scale >= 0) || !(opts.rtol >= 0) || !(opts.noise >= 0) || !isfinite(opts.scale))
        return tg_fail(TG_ERR_ARGUMENT, "tg_judge: .scale is %g, .rtol %g, .noise %g; none may be negative",
                       opts.scale, opts.rtol, opts.noise);
    double rtol = opts.rtol > 0 ? opts.rtol : 1e-6, h = 0.125 * (opts.scale > 0 ? opts.scale : 1);
    tg_ladder l;
    if (tg_ladder_begin(&l, phi, user, opts.noise))
        for (int i = 0; i < TG_RUNGS; i++, h /= 4) {
            tg_ladder_descend(&l, h);
            if (!opts.full && has_decided(&l, analytic, rtol)) break;
        }
    write_evidence(&l, analytic, rtol, out);
    return TG_OK;
}
