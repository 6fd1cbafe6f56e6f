/* The ladder of steps, and the extrapolation of what its rungs say to a step of 0. */
#include "autograd/check/ladder.h"

#include <math.h>

bool tg_ladder_begin(tg_ladder *l, tg_line phi, void *user, double noise) {
    const tg_limit none = {0, INFINITY, 0};
    double t = 0;
    *l = (tg_ladder){.phi = phi, .user = user, .central = none, .right = none, .left = none};
    l->at_0 = phi(&t, user);
    l->evaluations = 1;
    l->noise = noise > 0 ? noise : 0x1p-52 * fabs(l->at_0);
    return isfinite(l->at_0);
}

double tg_ladder_central(const tg_ladder *l, int i) {
    return (l->high[i] - l->low[i]) / (l->above[i] + l->below[i]);
}
double tg_ladder_right(const tg_ladder *l, int i) { return (l->high[i] - l->at_0) / l->above[i]; }
double tg_ladder_left(const tg_ladder *l, int i) { return (l->at_0 - l->low[i]) / l->below[i]; }

double tg_ladder_noise(const tg_ladder *l, int i) {
    double rounding = 0x1p-53 * fmax(fabs(l->high[i]), fabs(l->low[i]));
    return 4 * fmax(l->noise, rounding) / fmin(l->above[i], l->below[i]);
}

double tg_ladder_range(const tg_ladder *l) {
    double range = 0;
    for (int i = 0; i < l->n; i++)
        range = fmax(range, fmax(fabs(l->high[i] - l->at_0), fabs(l->low[i] - l->at_0)));
    return range;
}

/* ---- limits ---- */

/* Whether the finer rungs bear out a limit made of those up to i: what separates the quantity from it shrinks. Steps that are
 * all too coarse for what phi does near 0 may agree with each other. */
static bool is_borne_out(const tg_ladder *l, double (*of)(const tg_ladder *, int), double value, double error,
                         int i) {
    double gap = fabs(of(l, i) - value) / 2;
    for (int k = i + 1; k < l->n; k++)
        if (fabs(of(l, k) - value) > gap + 4 * error + tg_ladder_noise(l, k)) return false;
    return true;
}

/* Row i of Neville's table for a quantity whose error is a series in h^power: entry j takes j terms of it away,
 *     T[i][j] = T[i][j-1] + (T[i][j-1] - T[i-1][j-1]) / (q - 1),   q = (h[i-j] / h[i])^power.
 * An entry counts if it agrees with those of the two rungs before it; the sooner of two that agree as well is the better
 * one, for it has less noise: each term taken away makes it larger by (q + 1) / (q - 1) at most. */
static void extrapolate(const tg_ladder *l, double (*of)(const tg_ladder *, int), int power, tg_limit *best) {
    double before[2][TG_RUNGS] = {{0}}, row[TG_RUNGS], grown[TG_RUNGS] = {1};
    best->error = INFINITY;
    for (int i = 0; i < l->n; i++) {
        row[0] = of(l, i);
        for (int j = 1; j <= i; j++) {
            double q = pow(l->above[i - j] / l->above[i], power);
            row[j] = row[j - 1] + (row[j - 1] - before[0][j - 1]) / (q - 1);
            grown[j] = grown[j - 1] * (q + 1) / (q - 1);
        }
        for (int j = 0; j + 2 <= i; j++) {
            double apart = fmax(fabs(row[j] - before[0][j]), fabs(row[j] - before[1][j]));
            double error = apart + grown[j] * tg_ladder_noise(l, i);
            if (error < best->error && is_borne_out(l, of, row[j], error, i))
                *best = (tg_limit){row[j], error, i};
        }
        for (int j = 0; j <= i; j++) before[1][j] = before[0][j], before[0][j] = row[j];
    }
}

static void find_limits(tg_ladder *l) {
    extrapolate(l, tg_ladder_central, 2, &l->central);
    extrapolate(l, tg_ladder_right, 1, &l->right);
    extrapolate(l, tg_ladder_left, 1, &l->left);
}

bool tg_ladder_descend(tg_ladder *l, double h) {
    double up = h, down = -h, high = l->phi(&up, l->user), low = l->phi(&down, l->user);
    l->evaluations += 2;
    if (!isfinite(high) || !isfinite(low) || !(up > 0) || !(down < 0) || l->n == TG_RUNGS) return false;
    if (l->n > 0 && up >= l->above[l->n - 1]) return false;
    l->above[l->n] = up, l->below[l->n] = -down;
    l->high[l->n] = high, l->low[l->n] = low;
    l->n++;
    find_limits(l);
    return true;
}

/* ---- leaps ---- */

static double beside(tg_line phi, void *user, double *t, double trend) {
    double value = phi(t, user);
    return value - trend * *t;
}

double tg_leap(tg_line phi, void *user, double from, double to, double trend, double small) {
    double a = beside(phi, user, &from, trend), b = beside(phi, user, &to, trend);
    while (fabs(b - a) > small) {
        double middle = from + (to - from) / 2, value = beside(phi, user, &middle, trend);
        if (!isfinite(value)) return 0;
        if (fabs(middle) <= fmin(fabs(from), fabs(to)) || fabs(middle) >= fmax(fabs(from), fabs(to))) break;
        if (fabs(value - a) > fabs(b - value))
            to = middle, b = value;
        else
            from = middle, a = value;
    }
    return fabs(b - a);
}

double tg_ladder_stair(tg_ladder *l) {
    int i = l->n - 1;
    while (i >= 0 && l->high[i] == l->at_0 && l->low[i] == l->at_0) i--;
    if (i < 0 || i + 2 >= l->n) return 0;
    bool above = fabs(l->high[i] - l->at_0) > fabs(l->low[i] - l->at_0);
    double far = above ? l->above[i] : -l->below[i], near = above ? l->above[i + 1] : -l->below[i + 1];
    double moves = fabs((above ? l->high[i] : l->low[i]) - l->at_0);
    double leap = tg_leap(l->phi, l->user, near, far, 0, moves / 64);
    return leap > moves / 16 ? leap : 0;
}
