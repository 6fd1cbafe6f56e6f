/* Private. Special functions of one double that no vector library serves. */
#ifndef TG_CORE_KERNELS_MAP_SPECIAL_H
#define TG_CORE_KERNELS_MAP_SPECIAL_H

double tg_scalar_lgamma(double x);   /* log |gamma(x)|; unlike lgamma it sets no global */
double tg_scalar_digamma(double x);  /* d/dx log gamma(x); at +0 -inf, at -0 +inf, at negative integers NaN */
double tg_scalar_trigamma(double x); /* d/dx digamma(x); at 0 and negative integers +inf */
double tg_scalar_sinpi(double x);    /* sin(pi x), exact at whole and half numbers */
double tg_scalar_cospi(double x);
double tg_scalar_erfinv(double x); /* erf(erfinv(x)) = x; at -1 and 1 infinite, NaN outside */

#endif
