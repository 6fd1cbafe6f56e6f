/* Gradient checking: a verdict on the gradients of a function of tensors, with the evidence for it. It reports; it prints
 * nothing but what it is given a file for.
 *
 *     static tg_tensor *f(tg_tensor *const *in, void *user) { return tg_tanh(tg_matmul(in[0], in[1])); }
 *     ...
 *     tg_gradcheck_report r;
 *     if (!tg_gradcheck(f, NULL, 2, (tg_tensor *[]){x, w}, &r)) puts(r.message);
 *
 *     WRONG: input 1, w [3, 4] f64, at [1, 1], where it is 0.3: analytic 0, numeric 0.734 +- 2e-12; the gap is the same at every step;
 *     a term, or all of it, is missing; at fault is matmul (train.c:41): its rule is not the derivative of what it computes
 *
 * For a function y = f(x_1 .. x_n) and a random vector p of +-[0.5, 1.5), of y's shape, the derivative of p . y by each
 * element e of each x_i that requires a gradient, which the tape gives, is judged against values of p . y on a ladder of
 * steps (autograd/check/verdict.h: what CORRECT, WRONG, KINK, NOISE_LIMITED and NOT_EXERCISED mean). Signed random
 * projections see what sum(y) is blind to: the gradient of sum(softmax(x)) is zero. Of order 2, the same is done with
 * v . dy/dx in place of y, v random, and so on.
 *
 * Of an input the verdict is
 *     WRONG           if that of some element is
 *     NOISE_LIMITED   if not, and that of some element is
 *     NOT_EXERCISED   if no element was CORRECT in such a way that its negative, and 1.03 times it, would have been WRONG
 *                     (the negative control, made in every call), and none is at a kink
 *     KINK            if some element is at one, where the gradient is a subgradient
 *     CORRECT         otherwise; elements by which the function does not move, such as those of a dead relu, are counted
 * and that of the whole is the first of WRONG, no verdict, NOISE_LIMITED, NOT_EXERCISED, KINK and CORRECT that some input has.
 * CORRECT and KINK pass.
 */
#ifndef TG_AUTOGRAD_CHECK_GRADCHECK_H
#define TG_AUTOGRAD_CHECK_GRADCHECK_H

#include "autograd/backward.h"
#include "autograd/check/verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The function checked: computes one tensor (any shape, f64) from the inputs with recorded ops. It must be
 * deterministic, and must neither keep nor change what it is given: a call whose result differs from that of the call
 * before by one bit, or that changes an input, gets no verdict, and the report says by how much. */
typedef tg_tensor *(*tg_gradcheck_fn)(tg_tensor *const *in, void *user);

/* One derivative, as it is judged: element `element` of input `input`, or, where that is -1, along a random direction. */
typedef struct tg_checked {
    int order, input;
    int64_t element;
    tg_evidence evidence;
} tg_checked;
typedef void (*tg_checked_fn)(const tg_checked *one, void *user);

typedef struct tg_gradcheck_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    double eps, atol;             /* of .tolerances: 0 means 1e-6 and 1e-5, TG_ZERO 0 (not of eps) */
    double rtol;                  /* 0 means 1e-6, and with .tolerances 1e-3, TG_ZERO 0 */
    int projections;              /* random vectors p; 0 means 1, and with .tolerances 2 */
    uint64_t seed;                /* of the random vectors and samples */
    int order;                    /* 0 or 1: first order. k: all orders up to k, at most 8 */
    bool allow_empty;             /* inputs without elements pass */
    bool allow_zero; /* so do inputs that are not exercised: f does not move by them, and their gradients are 0 */
    int64_t samples; /* judges so many elements of each input that has more, drawn at random; 0: all */
    int directions; /* judges derivatives along so many random directions of each input, in place of elements, 12 to 30
                       * evaluations each. One wrong element of N is diluted to a share of about 1/sqrt(N) of such a
                       * derivative, of which 1e-6 is still seen. What the elements are, and KINKs of single ones among
                       * others that are none, this does not see. */
    bool full; /* all rungs of the ladder for each derivative, 30 evaluations; else 12 where these suffice. What comes out WRONG or
                * NOISE_LIMITED is looked at again, which takes up to 150 more. Besides, some 130 an order, for noise,
                * rounding and determinism */
    double seconds; /* what is not judged by then is left out, and counted. Each input has a share of it, and elements are taken
                    * from all over. 0: no limit, TG_ZERO: nothing is judged */
    tg_check_progress progress; /* called before each derivative, and after the last; NULL: none */
    void *progress_user;
    tg_checked_fn each; /* is shown each derivative judged; NULL: nobody */
    void *each_user;
    FILE *page;     /* a page of text: a line an input, and what the verdict stands on. NULL: none */
    FILE *json;     /* the same as one JSON object */
    bool no_search; /* where the verdict is WRONG, the op at fault is not looked for */
    bool tolerances; /* instead of all that: |analytic - numeric| <= atol + rtol |numeric| for central differences of step
                      * eps, as torch.autograd.gradcheck has it. Fails, too, where every derivative is 0. No verdict. */
} tg_gradcheck_opts;

/* What is wrong with the op at fault. */
typedef enum tg_fault {
    TG_FAULT_NONE,      /* not looked for, or every op alone is right: a path is missing or there twice */
    TG_FAULT_RULE,      /* its rule is not the derivative of what it computes */
    TG_FAULT_TRANSPOSE, /* grad and grad_kernel differ: <u, J v> of the one is not <J^T u, v> of the other */
    TG_FAULT_SECOND     /* the rule itself is right, and its own derivative is not */
} tg_fault;

typedef struct tg_gradcheck_report {
    bool ok;
    tg_verdict verdict;
    int64_t compared;    /* derivatives judged */
    int64_t left_out;    /* not judged: samples not drawn, and what the time did not suffice for */
    int64_t verdicts[6]; /* how many of each, by tg_verdict */
    int64_t noticed;     /* of how many a planted error would have been noticed */
    int64_t evaluations; /* of f */
    /* The worst: of the gravest verdict, the largest |analytic - numeric| / (error + rtol numeric), which is `worst`; with
     * .tolerances over (atol + rtol |numeric|). Infinite when not finite. */
    double worst;
    int order;
    int input;       /* -1 when nothing was compared */
    int64_t element; /* the row-major position in that input; -1: along a direction */
    double analytic, numeric;
    tg_evidence evidence;
    /* Where the verdict is WRONG: the first op of the tape that alone is wrong, at its real inputs. "" and TG_FAULT_NONE where
     * none is. */
    tg_fault fault;
    char op[64],
        place[128];     /* "matmul", and "#3 matmul(x [2, 3] f64, w [3, 4] f64) -> [2, 4] f64   train.c:41" */
    char message[1024]; /* one line that says all this, or why there is no verdict */
} tg_gradcheck_report;

/* Checks f at the inputs: f64 tensors, of which those that require a gradient are checked (others are passed
 * through, of any dtype). f is given the inputs themselves, one element of which is a step off during a call and
 * afterwards what it was to the bit: f may reach them by another way than `in`, as a network does its parameters, and no
 * other thread may use them meanwhile. (Given as copies are results of ops, inputs that repeat elements in memory or
 * share them with another input, those in memory that may only be read, and a second mention of one.) Returns report.ok; an error in f, a bad option or a
 * handle that is not f64 makes it false, with the error's text in the message, and leaves no error pending. `report` may
 * be NULL. */
TG_API bool tg_gradcheck_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                              tg_gradcheck_report *report, tg_gradcheck_opts opts);

#ifdef __cplusplus
}
#endif

#endif
