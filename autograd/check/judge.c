/* From the values on a ladder to a verdict. */
#include "autograd/check/ladder.h"

#include <math.h>
#include <stdio.h>

/* Where the derivative itself is 0 as far as can be told, as at the bottom of a bowl, u may be so small a part of the slope that phi has
 * at the first step. */
static const double RESOLVED_0 = 1e-7;

/* Beyond so many error bars a value is excluded. */
enum { BARS = 2 };

/* The ladder begins at this part of the scale, no power of 2: a function of period 2^-k would repeat itself at every step. */
static const double FIRST_STEP = 0.11731;

/* After so many rungs that have told nothing the steps are too coarse. */
enum { RUNGS_TO_TELL = 6 };

/* phi does not move where all of its values are within so much noise of each other. */
enum { STILL = 16 };

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
    for (int i = 0; i < m; i++)
        xx += (x[i] - mean_x) * (x[i] - mean_x), xz += (x[i] - mean_x) * (z[i] - mean_z);
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
    if (fabs(n) <= BARS * u && u <= 1e-3 * fabs(a)) return TG_HINT_EXTRA;
    if (fabs(a / n + 1) < 1e-3) return TG_HINT_SIGN;
    for (int i = 0; i < 6; i++)
        if (fabs(a / n / factor[i] - 1) < 1e-3) return TG_HINT_FACTOR;
    return TG_HINT_NONE;
}

/* ---- the verdict ---- */

static double larger(double a, double b) { return fmax(fabs(a), fabs(b)); }

/* What is allowed for: the relative difference between right derivatives, the error of the analytic one, and how far phi may
 * move unseen. */
typedef struct allowance {
    double rtol, rounding, hidden;
} allowance;

static bool excluded(double a, const tg_limit *n, allowance by) {
    return !(fabs(a - n->value) <= BARS * (n->error + by.rounding) + by.rtol * larger(a, n->value));
}

/* Whether the limit is known well enough for a claim of this size to be judged by it. */
static bool is_resolved(const tg_limit *n, double size) { return n->error <= TG_RESOLVED * size; }

/* The sides have limits of their own, or one has and the other runs away: what phi does there is no noise. */
static bool is_kink(const tg_ladder *l, allowance by) {
    const tg_limit *r = &l->right, *s = &l->left;
    if (l->n < 3) return false;
    double rtol = by.rtol, noise = fmax(l->noise, by.hidden);
    double apart = fabs(r->value - s->value), size = larger(r->value, s->value);
    if (is_resolved(r, size) && is_resolved(s, size)) return apart > 4 * (r->error + s->error) + rtol * size;
    /* a jump: the difference of the two sides does not shrink with the step */
    int last = l->n - 1;
    double jump = fabs(l->high[last] + l->low[last] - 2 * l->at_0);
    const tg_limit *calm = r->error < s->error ? r : s;
    double wild = fabs((calm == r ? l->at_0 - l->low[last] : l->high[last] - l->at_0));
    return jump > 64 * noise && wild > 64 * noise && isfinite(calm->error) &&
           calm->error <= 1e-3 * wild / l->above[last] && jump > 0.25 * tg_ladder_range(l);
}

/* A value between the limits of the two sides, or one of them, is a subgradient. */
static bool is_subgradient(const tg_ladder *l, double a, allowance by) {
    const tg_limit *r = &l->right, *s = &l->left;
    double size = larger(r->value, s->value);
    bool both = is_resolved(r, size) && is_resolved(s, size);
    if (!both) return !excluded(a, r->error < s->error ? r : s, by);
    double slack = BARS * (r->error + s->error + by.rounding) + by.rtol * size;
    return a >= fmin(r->value, s->value) - slack && a <= fmax(r->value, s->value) + slack;
}

static tg_verdict verdict_on(const tg_ladder *l, double a, allowance by) {
    const tg_limit *n = &l->central;
    if (l->n == 0) return TG_NO_VERDICT;
    if (!isfinite(a)) return TG_WRONG;
    double moves = tg_ladder_range(l), size = larger(a, n->value), h = l->above[0],
           noise = fmax(l->noise, by.hidden);
    /* what a claims to move is lost in rounding; where f is noisier than that, what drowns is no rest */
    bool still = fabs(a) * h <= STILL * (by.hidden > 0 ? by.hidden : l->noise) + BARS * by.rounding * h;
    if (moves <= STILL * l->noise && still) return TG_NOT_EXERCISED;
    if (is_kink(l, by) && (excluded(a, n, by) || !is_resolved(n, size)))
        return is_subgradient(l, a, by) ? TG_KINK : TG_WRONG;
    double error = n->error + by.rounding;
    bool resolved =
        error <= TG_RESOLVED * size || (size <= 2 * BARS * error && error <= RESOLVED_0 * moves / h);
    const tg_verdict lost = still && moves <= STILL * noise ? TG_NOT_EXERCISED : TG_NOISE_LIMITED;
    if (!excluded(a, n, by)) return resolved ? TG_CORRECT : lost;
    by.rounding += by.hidden / h;
    if (!excluded(a, n, by)) return lost;
    return error <= 0.25 * size ? TG_WRONG : TG_NOISE_LIMITED;
}

static bool has_decided(const tg_ladder *l, double a, allowance by) {
    double size = larger(a, l->central.value);
    return l->n >= TG_FEWEST_RUNGS && verdict_on(l, a, by) == TG_CORRECT && l->central.error <= 1e-7 * size &&
           is_resolved(&l->right, size) && is_resolved(&l->left, size) && !is_kink(l, by);
}

/* On one step of a staircase phi is flat, which is no derivative: the leap to the next step is noise. */
static double noise_of_steps(tg_ladder *l, double a, allowance by) {
    tg_verdict v = verdict_on(l, a, by);
    if (l->n == 0 || l->central.value != 0 || (v != TG_WRONG && v != TG_CORRECT)) return 0;
    return 0.3 * tg_ladder_stair(l); /* rounding to steps of 1 deviates by 1 / sqrt(12) */
}

static void write_evidence(const tg_ladder *l, double a, allowance by, tg_evidence *e) {
    bool kink = is_kink(l, by);
    *e = (tg_evidence){.verdict = verdict_on(l, a, by),
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
    e->noticed = a != 0 && verdict_on(l, -a, by) == TG_WRONG && verdict_on(l, 1.03 * a, by) == TG_WRONG;
    if (kink && e->verdict == TG_CORRECT && !e->noticed) e->verdict = TG_KINK; /* the mean of two slopes */
}

/* How much finer the next step is: 4, or less where phi is noisy, such that in the last step it moves by the geometric mean of
 * what it does in the first and of the noise. */
static double ratio_of(const tg_ladder *l, int i, bool stands) {
    bool coarse = i >= RUNGS_TO_TELL && !(l->central.error <= fabs(l->central.value));
    if (!stands || coarse) return 16;
    return fmin(4, fmax(1.25, pow(tg_ladder_range(l) / l->noise, 0.5 / (TG_RUNGS - 1))));
}

/* Whether phi is the same a millionth of the scale away, which is many steps of float: on a step as wide as that 0 is the
 * slope, whatever that of the stairs is. */
static bool is_flat(tg_ladder *l, double scale) {
    double up = 1e-6 * scale, down = -up;
    l->evaluations += 2;
    return l->phi(&up, l->user) == l->at_0 && l->phi(&down, l->user) == l->at_0;
}

static void go_down(tg_ladder *l, tg_line phi, void *user, double analytic, tg_judge_opts opts, allowance by) {
    double h = FIRST_STEP * (opts.scale > 0 ? opts.scale : 1);
    if (!tg_ladder_begin(l, phi, user, opts.noise)) return;
    for (int i = 0; i < TG_RUNGS; i++) { /* the edge of a domain may be near, or all steps so far too coarse */
        h /= ratio_of(l, i, tg_ladder_descend(l, h));
        if (!opts.full && has_decided(l, analytic, by)) break;
    }
}

tg_status tg_judge(tg_line phi, void *user, double analytic, tg_judge_opts opts, tg_evidence *out) {
    if (!phi || !out)
        return tg_fail(TG_ERR_ARGUMENT, "tg_judge: the %s is NULL", phi ? "evidence" : "function");
    if (!(opts.scale >= 0) || !(opts.rtol >= 0) || !(opts.noise >= 0) || !(opts.rounding >= 0) ||
        !(opts.hidden >= 0) || !isfinite(opts.scale))
        return tg_fail(
            TG_ERR_ARGUMENT,
            "tg_judge: .scale is %g, .rtol %g, .noise %g, .rounding %g, .hidden %g; none may be negative",
            opts.scale, opts.rtol, opts.noise, opts.rounding, opts.hidden);
    allowance by = {opts.rtol > 0 ? opts.rtol : 1e-6, opts.rounding, opts.hidden};
    tg_ladder l;
    go_down(&l, phi, user, analytic, opts, by);
    double noise = noise_of_steps(&l, analytic, by);
    if (noise > 2 * l.noise) {
        int before = l.evaluations;
        opts.noise = noise;
        go_down(&l, phi, user, analytic, opts, by);
        l.evaluations += before;
    }
    write_evidence(&l, analytic, by, out);
    bool noisy = l.noise > 0x1p-20 * tg_ladder_range(&l);
    if (analytic == 0 && noisy && out->verdict == TG_WRONG && is_flat(&l, opts.scale > 0 ? opts.scale : 1)) {
        out->verdict = TG_NOISE_LIMITED, out->hint = TG_HINT_NONE;
        out->evaluations = l.evaluations;
    }
    return TG_OK;
}

/* On a ladder that begins where the other one ends: a kink, or a wiggle, may be nearer than its last steps. Against
 * WRONG it counts where it contradicts the other, and not where it only sees less. */
static const double CLOSER = 1e-7;
static tg_status judge_closer(tg_line phi, void *user, double analytic, tg_judge_opts opts, tg_evidence *out) {
    tg_evidence near = {.verdict = TG_NO_VERDICT};
    opts.scale = CLOSER * (opts.scale > 0 ? opts.scale : 1);
    tg_status s = tg_judge(phi, user, analytic, opts, &near);
    bool contradicts = !(fabs(near.numeric - out->numeric) <= BARS * (near.error + out->error));
    if (s == TG_OK && near.verdict == TG_CORRECT && near.noticed && (contradicts || out->verdict != TG_WRONG))
        *out = near;
    return s;
}

static tg_status judge_again(tg_line phi, void *user, double analytic, tg_judge_opts *opts, int *in_vain,
                             tg_evidence *out) {
    if (*in_vain == TG_MOST_IN_VAIN) return TG_OK;
    double noise = tg_noise_of(phi, user, 0.7 * (opts->scale > 0 ? opts->scale : 1));
    if (tg_error_status() != TG_OK) return tg_error_status();
    /* it stands on a step, whose edge was taken for noise, and there are no others near */
    if (out->verdict == TG_NOISE_LIMITED && analytic == 0 && out->noise > 4 * fmax(noise, opts->noise)) {
        out->verdict = TG_NOT_EXERCISED;
        return TG_OK;
    }
    if (!(noise > 2 * opts->noise && isfinite(noise))) {
        ++*in_vain;
        return TG_OK;
    }
    opts->noise = noise;
    return tg_judge(phi, user, analytic, *opts, out);
}

tg_status tg_judge_twice(tg_line phi, void *user, double analytic, tg_judge_opts *opts, int *in_vain,
                         tg_evidence *out) {
    tg_status s = tg_judge(phi, user, analytic, *opts, out);
    if (s == TG_OK && (out->verdict == TG_WRONG || out->verdict == TG_NOISE_LIMITED))
        s = judge_again(phi, user, analytic, opts, in_vain, out);
    if (s == TG_OK && tg_error_status() == TG_OK &&
        (out->verdict == TG_WRONG || out->verdict == TG_NOISE_LIMITED))
        s = judge_closer(phi, user, analytic, *opts, out);
    return s == TG_OK ? tg_error_status() : s;
}
