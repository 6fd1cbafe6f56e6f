/* The noise of a function: what is left of its values beside a smooth curve, if it is as much nearer to 0 (as Moré and Wild
 * hold, "Estimating computational noise", SIAM J. Sci. Comput. 33, 2011) and not the wiggle of a continuous function.
 *
 * The points are drawn, since a lattice, such as float makes of doubles, may look smooth in equal steps. Each side of 0 has
 * a curve of its own: 0 is where kinks and jumps are asked about. */
#include "autograd/check/ladder.h"

#include <math.h>

enum { VALUES = 8, TERMS = 4, LOOKS = 12 };

/* Values to one side of 0, from the nearest on, and what is left of them. */
typedef struct side {
    double t[VALUES], value[VALUES], rest[VALUES];
} side;

/* Takes the cubic that fits best away from the values, by orthogonal polynomials, and returns the sum of squares left. */
static double take_cubic(side *s, double reach) {
    double q[TERMS][VALUES], sum = 0;
    for (int k = 0; k < TERMS; k++) {
        double norm = 0, along = 0;
        for (int i = 0; i < VALUES; i++) q[k][i] = k ? q[k - 1][i] * s->t[i] / reach : 1;
        for (int j = 0; j < k; j++) {
            double dot = 0;
            for (int i = 0; i < VALUES; i++) dot += q[j][i] * q[k][i];
            for (int i = 0; i < VALUES; i++) q[k][i] -= dot * q[j][i];
        }
        for (int i = 0; i < VALUES; i++) norm += q[k][i] * q[k][i];
        norm = norm > 0 ? 1 / sqrt(norm) : 0;
        for (int i = 0; i < VALUES; i++) along += (q[k][i] *= norm) * s->rest[i];
        for (int i = 0; i < VALUES; i++) s->rest[i] -= along * q[k][i];
    }
    for (int i = 0; i < VALUES; i++) sum += s->rest[i] * s->rest[i];
    return sum;
}

/* Neighbours that differ more than others, less a trend. */
typedef struct pair {
    double trend, from, to, apart;
} pair;

/* What the values within `reach` of 0 show. */
typedef struct view {
    double noise, size;  /* deviation from smooth curves; the largest value */
    pair raw, trendless; /* differences as they are, and less the slope of their side */
    int still, moves;    /* neighbours that are equal, and that differ */
} view;

/* The values to one side, up to `reach`, whose sign is the side's; false where one is not finite. `drawn` of [0, 1) goes on
 * by the golden section. */
static bool look_aside(tg_line phi, void *user, double reach, double *drawn, side *s, double *size) {
    double largest = 0;
    for (int i = 0; i < VALUES; i++) {
        *drawn += *drawn < 0.3819660112501051 ? 0.6180339887498949 : -0.3819660112501051;
        s->t[i] = reach * (i + 0.1 + 0.8 * *drawn) / VALUES;
        s->value[i] = phi(&s->t[i], user);
        if (!isfinite(s->value[i])) return false;
        s->rest[i] = s->value[i] - s->value[0];
        largest = fmax(largest, fabs(s->value[i]));
    }
    *size = fmax(*size, largest);
    return true;
}

static void find_pair(const side *s, double trend, pair *most) {
    for (int i = 0; i + 1 < VALUES; i++) {
        double apart = fabs(s->value[i + 1] - s->value[i] - trend * (s->t[i + 1] - s->t[i]));
        if (apart > most->apart) *most = (pair){trend, s->t[i], s->t[i + 1], apart};
    }
}

static bool look(tg_line phi, void *user, double reach, double *drawn, view *v) {
    double sum = 0;
    int sides = 0;
    *v = (view){0};
    for (int sign = 1; sign >= -1; sign -= 2) {
        side s;
        if (!look_aside(phi, user, sign * reach, drawn, &s, &v->size)) continue;
        sum += take_cubic(&s, reach), sides++;
        double trend = (s.value[VALUES - 1] - s.value[0]) / (s.t[VALUES - 1] - s.t[0]);
        find_pair(&s, 0, &v->raw);
        find_pair(&s, trend, &v->trendless);
        for (int i = 0; i + 1 < VALUES; i++) *(s.value[i] == s.value[i + 1] ? &v->still : &v->moves) += 1;
    }
    if (sides > 0) v->noise = sqrt(sum / (sides * (VALUES - TERMS)));
    return sides > 0;
}

static bool leaps_between(tg_line phi, void *user, const pair *p, double noise) {
    double leap = tg_leap(phi, user, p->from, p->to, p->trend, noise / 64);
    return leap > noise / 8 && leap < 64 * noise; /* at a pole it is far larger */
}

/* A staircase has its leaps where it differs more; with a slope between them, where it differs more from its trend. */
static bool leaps(tg_line phi, void *user, const view *v) {
    return leaps_between(phi, user, &v->raw, v->noise) || leaps_between(phi, user, &v->trendless, v->noise);
}

static bool is_as_large(const view *v, const view *before) {
    return v->noise > before->noise / 4 && v->noise < 4 * before->noise;
}

/* Noise is as large in three views, each of a 32nd of the one before, or in two and then gone with all movement: on one step
 * of a staircase. A function of many variables with a jump here and there has fewer of them in each view, and moves. */
static bool is_noise(const view v[3]) {
    return is_as_large(&v[1], &v[0]) && (is_as_large(&v[2], &v[1]) || v[2].still > v[2].moves);
}

double tg_noise_of(tg_line phi, void *user, double scale) {
    if (!phi) return tg_fail(TG_ERR_ARGUMENT, "tg_noise_of: the function is NULL"), NAN;
    if (!(scale > 0) || !isfinite(scale))
        return tg_fail(TG_ERR_ARGUMENT, "tg_noise_of: the scale is %g; it must be positive", scale), NAN;
    double reach = scale / 8, noise = NAN, drawn = 0;
    view v[3] = {{0}};
    for (int i = 0; i < LOOKS; i++, reach /= 32) {
        view now;
        if (!look(phi, user, reach, &drawn, &now)) continue;
        v[0] = v[1], v[1] = v[2], v[2] = now;
        if (is_noise(v) && leaps(phi, user, &v[1]))
            return sqrt((v[0].noise * v[0].noise + v[1].noise * v[1].noise) / 2);
        noise = fmax(now.noise, 0x1p-53 * now.size);
        if (now.noise <= 0x1p-51 * now.size) break;
    }
    return noise;
}
