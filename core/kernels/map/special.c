#include "core/kernels/map/special.h"

#include <math.h>

double lgamma_r(double x, int *sign); /* which <math.h> declares to those who ask for more than POSIX */

static const double pi = 3.14159265358979323846;

double tg_scalar_lgamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* x less the nearest integer n is exact, where pi x is not: sin(pi x) = (-1)^n sin(pi (x - n)). */
static double off_integer(double x) { return x - nearbyint(x); }
static double parity(double x) { return off_integer(0.5 * nearbyint(x)) == 0 ? 1 : -1; }

double tg_scalar_sinpi(double x) { return parity(x) * sin(pi * off_integer(x)); }
double tg_scalar_cospi(double x) { return parity(x) * sin(pi * (0.5 - fabs(off_integer(x)))); }

/* c[0] + c[1] t + ... + c[6] t^6 */
static double polynomial(const double c[7], double t) {
    double sum = 0;
    for (int i = 6; i >= 0; i--) sum = sum * t + c[i];
    return sum;
}

/* psi(x) = psi(x + 1) - 1/x up to x >= 10, where the asymptotic series
 * log x - 1/(2x) - sum B_2k / (2k x^2k) is exact to 1e-16; psi(1 - x) - psi(x) = pi / tan(pi x) on the left. */
double tg_scalar_digamma(double x) {
    static const double b[7] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                1.0 / 132, -691.0 / 32760, 1.0 / 12};
    if (x == 0) return copysign(INFINITY, -x);
    if (x == -INFINITY || (x < 0 && x == floor(x))) return NAN;
    if (x < 0) return tg_scalar_digamma(1 - x) - pi / tan(pi * off_integer(x));
    double sum = 0;
    for (; x < 10; x += 1) sum += 1 / x;
    double t = 1 / (x * x);
    return log(x) - 0.5 / x - t * polynomial(b, t) - sum;
}

/* psi'(x) = psi'(x + 1) + 1/x^2; asymptotically 1/x + 1/(2x^2) + sum B_2k / x^(2k+1);
 * psi'(1 - x) + psi'(x) = (pi / sin(pi x))^2. */
double tg_scalar_trigamma(double x) {
    static const double b[7] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
    if (x == -INFINITY) return NAN;
    if (x == INFINITY) return 0;
    if (x <= 0 && x == floor(x)) return INFINITY;
    if (x < 0) {
        double s = pi / sin(pi * off_integer(x));
        return s * s - tg_scalar_trigamma(1 - x);
    }
    double sum = 0;
    for (; x < 10; x += 1) sum += 1 / (x * x);
    double t = 1 / (x * x);
    return (1 + (0.5 + t * polynomial(b, t) * x) / x) / x + sum;
}

/* Winitzki's closed form (near 0, the first term of the series) is right to two digits; each Halley step
 * triples them. For |x| > 1/2 the residue is taken as (1 - |x|) - erfc(y), where 1 - |x| is exact. */
double tg_scalar_erfinv(double x) {
    const double half_root_pi = 0.88622692545275801365, c = 0.147;
    double a = fabs(x);
    if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
    double l = log1p(-a * a), h = 2 / (pi * c) + l / 2;
    double y = a < 0.1 ? a * half_root_pi : sqrt(sqrt(h * h - l / c) - h);
    for (int i = 0; i < 3; i++) {
        double residue = a > 0.5 ? (1 - a) - erfc(y) : erf(y) - a;
        double u = residue * half_root_pi * exp(y * y);
        y -= u / (1 + y * u);
    }
    return copysign(y, x);
}
