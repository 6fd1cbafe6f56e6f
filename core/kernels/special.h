/* Private. Special functions that no vector library serves, in double. */
#ifndef TG_CORE_KERNELS_SPECIAL_H
#define TG_CORE_KERNELS_SPECIAL_H

double tg_lgamma(double x);   /* log |gamma(x)|; unlike lgamma it sets no global */
double tg_digamma(double x);  /* d/dx log gamma(x); at +0 -inf, at -0 +inf, at negative integers NaN */
double tg_trigamma(double x); /* d/dx digamma(x); at 0 and negative integers +inf */
double tg_erfinv(double x);   /* erf(erfinv(x)) = x; at -1 and 1 infinite, NaN outside */

#endif
