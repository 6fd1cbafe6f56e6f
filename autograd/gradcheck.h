/* Gradient checking: analytic gradients against central differences, in float64. It reports; it never prints.
 *
 * For a function y = f(x_1 .. x_n) and a random vector p of +-[0.5, 1.5) of y's shape it compares, for every
 * element e of every x_i that requires a gradient,
 *     analytic  = d(p . y)/de, from the tape
 *     numeric   = (p . y(e + eps) - p . y(e - eps)) / (2 eps)
 * and fails where |analytic - numeric| > atol + rtol |numeric|, or where either is not finite. Signed random
 * projections see what sum(y) is blind to (the gradient of sum(softmax(x)) is zero). The defaults of eps, atol
 * and rtol are those of torch.autograd.gradcheck.
 *
 * It also fails where it would pass without having checked anything: when no input requires a gradient, when the result
 * has no recorded history, when it depends on some input neither by recorded ops nor by its values, and when every
 * derivative is 0, analytic and numeric.
 */
#ifndef TG_AUTOGRAD_GRADCHECK_H
#define TG_AUTOGRAD_GRADCHECK_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The function checked: computes one tensor (any shape, f64) from the inputs with recorded ops. It must be
 * deterministic, and must neither keep nor change what it is given. */
typedef tg_tensor *(*tg_gradcheck_fn)(tg_tensor *const *in, void *user);

typedef struct tg_gradcheck_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double eps, atol,
        rtol; /* 0 means 1e-6, 1e-5, 1e-3, TG_ZERO 0 (not of eps); negative or not finite is an error */
    int projections;  /* 0 means 2 random vectors */
    uint64_t seed;    /* of the random vectors */
    int order;        /* 0 or 1: first order. 2: checks the gradient of (v . grad) as well, v random */
    bool allow_empty; /* inputs without elements pass */
    bool allow_zero; /* so do inputs that f does not depend on, and functions all of whose derivatives are 0 */
} tg_gradcheck_opts;

typedef struct tg_gradcheck_report {
    bool ok;
    int64_t compared; /* how many numbers were compared */
    /* the largest |analytic - numeric| / (atol + rtol |numeric|), infinite when not finite; the next five fields say where */
    double worst;
    int order;       /* 1 or 2 */
    int input;       /* -1 when nothing was compared */
    int64_t element; /* the row-major position in that input */
    double analytic, numeric;
    char message[512]; /* one line that says all this, or why nothing could be compared */
} tg_gradcheck_report;

/* Checks f at the inputs: f64 tensors, of which those that require a gradient are checked (others are passed
 * through, of any dtype). f is given the inputs themselves, one element of which is a step off during a call and
 * afterwards what it was to the bit: f may reach them by another way than `in`, as a network does its parameters, and no
 * other thread may use them meanwhile. (Given as copies are results of ops, inputs that repeat elements in memory or
 * share them with another input, those in memory that may only be read, and a second mention of one.) Returns report.ok; an error in f, a bad option or a
 * handle that is not f64 makes it false, with the error's text in the message, and leaves no error pending. `report` may
 * be NULL.
 *     tg_gradcheck_report r;
 *     if (!tg_gradcheck(my_f, NULL, 2, (tg_tensor *[]){x, w}, &r)) puts(r.message); */
TG_API bool tg_gradcheck_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                              tg_gradcheck_report *report, tg_gradcheck_opts opts);

#ifdef __cplusplus
}
#endif

#endif
