/* The noise of a function: Moré and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011). */
#include "autograd/check/verdict.h"

#include <math.h>

enum { VALUES = 8, TRIES = 7 };

typedef enum finding { FOUND, TOO_SHORT, TOO_LONG, NOT_FINITE } finding;

/* The differences of level k replace those of level k - 1. */
static void differences(double *d, int k) {
    for (int i = 0; i < VALUES - k; i++) d[i] = d[i + 1] - d[i];
}

/* Whether some differences of the second level, not the one or two that a kink or jump makes, are of the largest's size. */
static bool is_spread(const double *d) {
    double most = 0;
    int n = 0;
    for (int i = 0; i < VALUES - 2; i++) most = fmax(most, fabs(d[i]));
    for (int i = 0; i < VALUES - 2; i++) n += fabs(d[i]) > 0.01 * most;
    return n >= 3;
}

/* The first level k of differences whose size has settled: noise of deviation s makes k-th differences of mean square
 * s^2 (2k)! / (k!)^2, while those of a smooth function fall off fast. They change sign, too. */
static finding settle(double *d, double *noise) {
    double sigma[VALUES], weight = 1;
    bool changes[VALUES] = {false};
    int zeros = 0;
    for (int k = 1; k < VALUES; k++) {
        double sum = 0;
        weight *= k / (2.0 * (2 * k - 1));
        differences(d, k);
        if (k == 2 && !is_spread(d)) return TOO_SHORT;
        for (int i = 0; i < VALUES - k; i++) {
            sum += d[i] * d[i];
            zeros += k == 1 && d[i] == 0;
            if (i > 0) changes[k] |= (d[i - 1] < 0) != (d[i] < 0);
        }
        sigma[k] = sqrt(weight * sum / (VALUES - k));
    }
    if (2 * zeros >= VALUES) return TOO_SHORT;
    for (int k = 1; k + 2 < VALUES; k++) {
        double low = fmin(sigma[k], fmin(sigma[k + 1], sigma[k + 2]));
        double high = fmax(sigma[k], fmax(sigma[k + 1], sigma[k + 2]));
        if (high > 4 * low || !changes[k]) continue;
        *noise = sigma[k];
        return FOUND;
    }
    return TOO_LONG;
}

static finding look(tg_line phi, void *user, double step, double *noise, double *size) {
    double value[VALUES];
    for (int i = 0; i < VALUES; i++) {
        double t = (i - VALUES / 2) * step;
        value[i] = phi(&t, user);
        if (!isfinite(value[i])) return NOT_FINITE;
        *size = fmax(*size, fabs(value[i]));
    }
    return settle(value, noise);
}

double tg_noise_of(tg_line phi, void *user, double step) {
    double noise = 0, size = 0;
    if (!phi) return tg_fail(TG_ERR_ARGUMENT, "tg_noise_of: the function is NULL"), NAN;
    if (!(step > 0) || !isfinite(step))
        return tg_fail(TG_ERR_ARGUMENT, "tg_noise_of: the step is %g; it must be positive", step), NAN;
    for (int i = 0; i < TRIES; i++) {
        double here = 0;
        finding f = look(phi, user, step, &here, &size);
        if (f == NOT_FINITE) return NAN;
        if (f == TOO_SHORT && noise > 0) break; /* the shorter step tells nothing */
        if (f == FOUND && noise > 0 && here > noise / 5) break;
        if (f == FOUND) noise = here; /* of noise, unlike of a kink, as much is seen with a shorter step */
        step = f == TOO_SHORT ? step * 30 : step / 30;
    }
    return fmax(noise, 0x1p-53 * size);
}
