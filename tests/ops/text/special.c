/* Functions of numbers, in long double, by other ways than the library's. */
#include "tests/ops/text/text.h"

#include <math.h>

static const real pi = 3.14159265358979323846264338327950288L;

real sigmoid_of(real x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }


/* Newton's method, whose slope is 2 e^(-x^2) / sqrt(pi). */
real inverse_erf(real y) {
    real x = 0;
    for (int i = 0; i < 100; i++) x -= (erfl(x) - y) * sqrtl(pi) / 2 * expl(x * x);
    return x;
}

/* psi(x) = psi(x + 1) - 1/x, and from 40 on log x - 1/2x - sum of B_2k / (2k x^2k). */
real digamma_of(real x) {
    real sum = 0;
    for (; x < 40; x++) sum -= 1 / x;
    real s = 1 / (x * x);
    return sum + logl(x) - 0.5L / x - s * (1.0L / 12 - s * (1.0L / 120 - s * (1.0L / 252 - s * (1.0L / 240 - s / 132))));
}

/* (-1)^(n+1) n! times the sum over k of (x + k)^-(n+1), the rest of it by Euler and Maclaurin. */
real polygamma_of(int n, real x) {
    static const real b[] = {1.0L / 6, -1.0L / 30, 1.0L / 42, -1.0L / 30, 5.0L / 66};
    real sum = 0, s = n + 1;
    if (n == 0) return digamma_of(x);
    for (; x < 60; x++) sum += powl(x, -s);
    sum += powl(x, 1 - s) / (s - 1) + powl(x, -s) / 2;
    real term = s * powl(x, -s - 1) / 2; /* s (s + 1) .. (s + 2k - 2) / (2k)! x^(-s-2k+1) */
    for (int k = 1; k <= 5; k++) {
        sum += b[k - 1] * term;
        term *= (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2) * x * x);
    }
    return (n % 2 ? 1 : -1) * tgammal(s) * sum;
}

/* The series of pi^n S^(n)(pi x), S(t) = sum of (-1)^k t^2k / (2k + 1)!, term by term: its arguments are small here. */
real sinc_slope(int n, real x) {
    real t = pi * x, sum = 0;
    for (int k = (n + 1) / 2; k < 60; k++) {
        real term = (k % 2 ? -1 : 1) * powl(t, 2 * k - n) / (2 * k + 1);
        for (int i = 2; i <= 2 * k - n; i++) term /= i;
        sum += term;
    }
    return powl(pi, n) * sum;
}

/* A polynomial in s = sigmoid(t), whose derivative by t is that of the polynomial times s - s^2. Terms cancel where s is near 1,
 * so it is computed on the other side: sigmoid(t) - 1/2 is odd. */
real sigmoid_slope(int n, real scale, real x) {
    if (n > 0 && scale * x > 0) return n % 2 ? sigmoid_slope(n, scale, -x) : -sigmoid_slope(n, scale, -x);
    real p[24] = {0, 1}, s = sigmoid_of(scale * x), sum = 0;
    for (int m = 0; m < n; m++) {
        real q[24] = {0};
        for (int k = 1; k <= m + 1; k++) q[k] += k * p[k], q[k + 1] -= k * p[k];
        for (int k = 0; k < 24; k++) p[k] = q[k] * scale;
    }
    for (int k = n + 1; k >= 1; k--) sum = (sum + p[k]) * s;
    return sum;
}

/* A polynomial in x times e^(-scale x^2). */
real gaussian_slope(int n, real scale, real x) {
    real p[24] = {1}, sum = 0;
    for (int m = 0; m < n; m++) {
        real q[24] = {0};
        for (int k = 0; k <= m; k++) {
            if (k > 0) q[k - 1] += k * p[k];
            q[k + 1] -= 2 * scale * p[k];
        }
        for (int k = 0; k < 24; k++) p[k] = q[k];
    }
    for (int k = n; k >= 0; k--) sum = sum * x + p[k];
    return sum * expl(-scale * x * x);
}
