/* A suite of gradient checks for ops and layers of your own: a row says how one is called, and the suite does the rest.
 *
 *     static tg_tensor *swish(tg_tensor *const *in, void *user) { return tg_mul(in[0], tg_sigmoid(in[0])); }
 *     static const tg_check_row rows[] = {
 *         {.name = "swish", .f = swish, .in = {{"ab"}}, .any_shape = true},
 *         {.name = "project", .f = project, .in = {{"ab"}, {"cb"}}},
 *         {.name = "my_op", .op = &my_op, .attr = &(my_attr){.beta = 2}, .in = {{"ab", .low = 0.1, .high = 3}}},
 *     };
 *     tg_check_report r;
 *     return tg_check_suite("mine", 3, rows, &r, .tap = stdout) ? 0 : 1;
 *
 * What is checked of each row, at random points, each check by itself:
 *
 *   TG_CHECK_FIRST    verdicts on the first derivatives, of every element (autograd/check/gradcheck.h), and on those of the
 *                     parameters of the row's model
 *   TG_CHECK_SECOND   the same of f + f^2/2 up to the row's order, so that linear functions have a second derivative to see
 *   TG_CHECK_KERNEL   gradients of a walk that is not recorded (grad_kernel) and of one that is (grad) are the same
 *   TG_CHECK_ADJOINT  <u, J v> = <J^T u, v> for random u and v
 *   TG_CHECK_F32      in f32 the value and the gradients are those of f64, to rounding, and the value is f32
 *   TG_CHECK_LAYOUT   inputs in column order, with gaps that hold NaN, with negative strides, repeated by stride 0: the
 *                     same values and gradients as from contiguous ones
 *   TG_CHECK_SHAPES   verdicts where all sizes are one; with .any_shape also of scalars, and where one input is broadcast
 *   TG_CHECK_EMPTY    each size in turn zero: a result, and gradients of the inputs' shapes
 *   TG_CHECK_NAN      NaN in each element in turn: what changes with the element becomes NaN
 *   TG_CHECK_PLAN     as the step of a plan, with its gradient: the same bits as without one
 *   TG_CHECK_PLANTED  wrong gradients on purpose, of each input: negated, times 1.03, zero, shifted by an element, transposed.
 *                     Each must come out WRONG; one that does not, or that cannot be told from the right one however it is
 *                     planted, makes the row NOT-EXERCISED: its domain shows nothing
 *
 * A check passes, fails with a message, or is skipped with a reason; a suite passes when no check fails and each row passed
 * TG_CHECK_FIRST or had a reason to skip it.
 */
#ifndef TG_OPS_NN_CHECK_SUITE_H
#define TG_OPS_NN_CHECK_SUITE_H

#include "autograd/check/gradcheck.h"
#include "ops/nn/model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_check_kind {
    TG_CHECK_FIRST,
    TG_CHECK_SECOND,
    TG_CHECK_KERNEL,
    TG_CHECK_ADJOINT,
    TG_CHECK_F32,
    TG_CHECK_LAYOUT,
    TG_CHECK_SHAPES,
    TG_CHECK_EMPTY,
    TG_CHECK_NAN,
    TG_CHECK_PLAN,
    TG_CHECK_PLANTED,
    TG_CHECK_KINDS
} tg_check_kind;
TG_API const char *tg_check_kind_name(tg_check_kind kind); /* "first", "second", .. */

/* One input of a row. */
typedef struct tg_check_input {
    const char *shape; /* an axis a character: a digit is its size, a letter a size of the row's; "" a scalar. NULL: none */
    double low, high; /* the domain [low, high); both 0: [-2, 2). Of integers both are whole numbers */
    tg_dtype dtype; /* TG_F32, 0, stands for the float type under test; integers and bools are data as they are */
    double kink[3]; /* n_kinks points that numbers keep away from, */
    int n_kinks;    /*   where f has a kink of which not every subgradient is right */
    double apart;   /* by so much; 0: a hundredth of the domain */
    char index_of; /* integers: places along the axes of this letter, [0, its size), in place of the domain */
    bool distinct; /* no two elements are closer than a fourth of (high - low) / their number: for maxima */
    bool constant; /* takes no gradient */
} tg_check_input;

enum { TG_CHECK_MOST_INPUTS = 6 };

/* One function. `f` or `op` is given. */
typedef struct tg_check_row {
    const char *name;
    tg_function f; /* of the inputs, in the order of `in`; works in the float type that it is given, and is deterministic */
    void *user;      /*   and this */
    const tg_op *op; /* or an op, of which output 0 is checked, with these attributes */
    const void *attr;
    tg_check_input in[TG_CHECK_MOST_INPUTS]; /* up to the first without a shape */
    const char *sizes;    /* "a3b4": the sizes of letters; else a = 3, b = 4, c = 2, d = 5, all others 3 */
    bool any_shape;       /* elementwise: every input may have any shape that broadcasts with the others */
    const char *nonempty; /* letters whose size may not be zero */
    tg_model *model; /* a layer's: its parameters, of f64, are checked as inputs are. Skips F32, EMPTY and PLAN */
    int order;       /* 0 means 2; at most 8 */
    double f32_tolerance; /* of F32, relative to the largest element; 0: 1e-5 */
    bool allow_zero;      /* inputs by which f does not move pass */
    unsigned skip;        /* TG_CHECK_BIT(kind) | ..: not checked, */
    const char *why;      /*   and why: required with skip and nonempty */
} tg_check_row;

#define TG_CHECK_BIT(kind) (1u << (kind))

typedef enum tg_check_outcome { TG_CHECK_PASSED, TG_CHECK_FAILED, TG_CHECK_SKIPPED } tg_check_outcome;

typedef struct tg_check_result {
    const char *row; /* its name, which is the caller's */
    tg_check_kind kind;
    tg_check_outcome outcome;
    tg_verdict verdict; /* of those that give one, and TG_NOT_EXERCISED of PLANTED */
    int64_t numbers;    /* compared or judged */
    double seconds;
    char message[512]; /* why it failed or was skipped; "" */
} tg_check_result;
typedef void (*tg_check_result_fn)(const tg_check_result *result, void *user);

typedef struct tg_check_report {
    bool ok;
    int rows, rows_failed;
    int passed, failed, skipped;    /* checks */
    int planted, caught;            /* wrong gradients */
    int by_kind[TG_CHECK_KINDS][3]; /* the coverage: rows by kind and outcome */
    int64_t numbers;
    char message[512]; /* one line: the first failure, or what was done */
} tg_check_report;

typedef struct tg_check_suite_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    FILE *tap;                    /* the results as TAP 13, a line each; NULL: none */
    FILE *junit;                  /* the results as JUnit XML */
    const char *only;             /* rows whose name contains this; NULL: all */
    int points;                   /* random points for FIRST and SECOND; 0: 2 */
    uint64_t seed;
    tg_check_result_fn each; /* is shown each result; NULL: nobody */
    void *each_user;
} tg_check_suite_opts;

/* Runs all checks of n rows. Returns report.ok; `report` may be NULL. What is wrong with a row itself (no name, no function, a
 * shape that cannot be read, skipping without a reason) makes its first check fail, and the others are skipped. What cannot be
 * done at all (n < 1 or rows NULL, no row that `only` names, no memory, a file that cannot be written) makes ok false, with the
 * reason in the message. No error is left pending; one that is pending before is the reason, and stays. The tape is as it was. */
TG_API bool tg_check_suite_with(const char *name, int n, const tg_check_row *rows, tg_check_report *report,
                                tg_check_suite_opts opts);

typedef tg_gradcheck_opts tg_require_gradient_opts;

/* tg_gradcheck as a function with a status, for tests that ask tg_error_status: TG_OK where the check passes; else
 * TG_ERR_ARGUMENT, raised with the report's message, or the pending error.
 *     if (tg_require_gradient(f, NULL, 1, &x, .order = 2) != TG_OK) ...
 * In tests by Check, tg_ck_assert_gradient(f, NULL, 1, &x, .order = 2) fails the test with that message (ops/calls.h). */
TG_API tg_status tg_require_gradient_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                                          tg_require_gradient_opts opts);

#ifdef __cplusplus
}
#endif

#endif
