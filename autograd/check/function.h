/* Gradient checking without tensors: a verdict on a gradient written by hand, of any C function of n numbers. It needs this
 * header and the library, and nothing else of it.
 *
 *     static double f(const double *x, size_t n, void *user) { .. }
 *     static void g(const double *x, size_t n, double *grad, void *user) { .. }    // grad[i] = df/dx_i
 *     ...
 *     tg_function_report r;
 *     if (!tg_check_function(f, g, user, n, x, (tg_function_opts){0}, &r)) puts(r.message);
 *
 *     WRONG: element 5 of 12, where x is 0.3: analytic 0, numeric 0.734 +- 2e-12; the gap is the same at every step; a term, or all of it,
 *     is missing (12 judged, an error of 3 % noticed in 11)
 *
 * Each grad[i] is judged against values of f on a ladder of steps (autograd/check/verdict.h: what CORRECT, WRONG, KINK,
 * NOISE_LIMITED and NOT_EXERCISED mean). Of a function y = f(x) of m values it is (J^T u)[i], J = dy/dx, for a random u of
 * +-[0.5, 1.5), against values of u . y. The verdict of the whole is
 *     WRONG           if that of some element is
 *     NO_VERDICT      if not, and that of some element is: f is not finite there
 *     NOISE_LIMITED   if not, and that of some element is
 *     NOT_EXERCISED   if no element was CORRECT in such a way that its negative, and 1.03 times it, would have been WRONG
 *                     (the negative control, made in every call), and none is at a kink
 *     KINK            if some element is at one, where the gradient is a subgradient
 *     CORRECT         otherwise; elements by which f does not move are counted: their gradient is 0, or 2^-46 of the largest
 * CORRECT and KINK pass.
 *
 * The functions are given copies: x is never written, and gradients and values are written to arrays of the checker's with
 * marks in them and 16 elements around them. No verdict, and a message that says which element and by how much, has what
 *     differs by a bit between two calls with the same x;
 *     changes its input;
 *     leaves an element of grad or y unwritten, or adds to what is there instead of setting it;
 *     writes up to 16 elements before its first or past its last.
 */
#ifndef TG_AUTOGRAD_CHECK_FUNCTION_H
#define TG_AUTOGRAD_CHECK_FUNCTION_H

#include "autograd/check/verdict.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* f(x), and its gradient. */
typedef double (*tg_scalar_fn)(const double *x, size_t n, void *user);
typedef void (*tg_gradient_fn)(const double *x, size_t n, double *grad, void *user);

/* y = f(x) of m values; xbar = J^T u; ydot = J v. */
typedef void (*tg_vector_fn)(const double *x, size_t n, double *y, size_t m, void *user);
typedef void (*tg_vjp_fn)(const double *x, size_t n, const double *u, size_t m, double *xbar, void *user);
typedef void (*tg_jvp_fn)(const double *x, size_t n, const double *v, double *ydot, size_t m, void *user);

/* Sees each derivative judged: by element, or, where that is -1, along a random direction. */
typedef void (*tg_function_each)(int64_t element, const tg_evidence *evidence, void *user);

typedef struct tg_function_opts { /* 0 is the default of each */
    double rtol;    /* what may be between two right derivatives that round differently; 0: 1e-6 */
    uint64_t seed;  /* of u, samples and directions */
    size_t samples; /* judges so many elements, drawn at random; 0: all */
    int directions; /* judges derivatives along so many random directions instead: 11 to 29 evaluations each, whatever n is.
                      * One wrong element of n is diluted to a share of about 1/sqrt(n) of such a derivative, of which 1e-6 is
                      * still seen; which it is, and the kinks of single elements, are not. */
    bool full; /* all rungs of the ladder for each derivative, 29 evaluations; else 11 where these suffice */
    double seconds; /* what is not judged by then is left out, and counted; 0: no limit, TG_ZERO: nothing is judged */
    bool allow_zero;            /* a function that does not move, with a gradient of 0, passes */
    bool allow_empty;           /* so do no elements */
    tg_check_progress progress; /* called before each derivative, and after the last; NULL: none */
    void *progress_user;
    tg_function_each each; /* NULL: nobody */
    void *each_user;
    FILE *page; /* a page of text: how many of which verdict, and what the worst stands on. NULL: none */
    FILE *json; /* the same as one JSON object */
} tg_function_opts;

/* What is wrong, where a forward product is there to tell: <u, J v> = <J^T u, v> holds of a transpose, whatever it is the
 * derivative of. */
typedef enum tg_function_fault {
    TG_FUNCTION_RIGHT,     /* nothing, or there was no forward product */
    TG_FUNCTION_TRANSPOSE, /* J v is the derivative, and J^T u is not its transpose */
    TG_FUNCTION_FORWARD,   /* the other way round */
    TG_FUNCTION_DERIVATIVE, /* they belong together, and to another function: a formula that both are made of is wrong */
    TG_FUNCTION_BOTH /* neither is the derivative, and they do not belong together */
} tg_function_fault;
TG_API const char *tg_function_fault_name(tg_function_fault fault);

typedef struct tg_function_report {
    bool ok;
    tg_verdict verdict;
    int64_t compared;    /* derivatives judged */
    int64_t left_out;    /* not judged: samples not drawn, and what the time did not suffice for */
    int64_t verdicts[6]; /* how many of each, by tg_verdict */
    int64_t noticed;     /* of how many a planted error would have been noticed */
    int64_t evaluations; /* of f */
    /* The worst: of the gravest verdict, the largest |analytic - numeric| / (error + rtol numeric), which is `worst`. */
    double worst;
    int64_t element; /* -1: along a direction, or nothing was judged */
    tg_evidence evidence;
    double forward; /* <u, J v> there; NaN without a forward product */
    tg_function_fault fault;
    char message[768]; /* one line that says all this, or why there is no verdict */
} tg_function_report;

/* Checks the gradient g of f at x, n numbers. Returns report.ok; `report` may be NULL. What cannot be checked (a function that
 * is NULL, a bad option, no memory, an error that f raised by tg_fail) makes it false, with the reason in the message, and
 * leaves no error pending; one that is pending before the call is the reason itself, and stays. */
TG_API bool tg_check_function(tg_scalar_fn f, tg_gradient_fn g, void *user, size_t n, const double *x,
                              tg_function_opts opts, tg_function_report *report);

/* The same of a function of m values, with its transpose product and, where `forward` is not NULL, its forward product, which
 * is judged too. */
TG_API bool tg_check_products(tg_vector_fn f, tg_vjp_fn transpose, tg_jvp_fn forward, void *user, size_t n,
                              const double *x, size_t m, tg_function_opts opts, tg_function_report *report);

#ifdef __cplusplus
}
#endif

#endif
