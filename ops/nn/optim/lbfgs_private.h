/* Private. A line search of L-BFGS (lbfgs.c). */
#ifndef TG_OPS_NN_OPTIM_LBFGS_PRIVATE_H
#define TG_OPS_NN_OPTIM_LBFGS_PRIVATE_H

#include "ops/nn/optim/optim.h"

/* The function f(t) along a direction d of n numbers. */
typedef struct tg_line {
    int64_t n;
    const double *d;
    double *g[3]; /* gradients, of n numbers each: at the two ends of the bracket, and at the point evaluated last */
    tg_status (*evaluate)(void *at, double t, double *f, double *g);
    void *at;
    int64_t evaluations, most; /* so many were made, and may be */
} tg_line;

double tg_line_dot(int64_t n, const double *a, const double *b);
double tg_line_largest(int64_t n, const double *a); /* magnitude; NaN where there is one */

/* From f(0) = f, with gradient g and slope gtd < 0, finds a t that satisfies the strong Wolfe conditions, beginning with *t,
 * or the best point that it comes to. Leaves t, f there and the gradient in g. */
tg_status tg_line_strong_wolfe(tg_line *l, double *t, double *f, double *g, double gtd, double tolerance);

#endif
