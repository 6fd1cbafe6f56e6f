/* A backward pass written by hand, graded: which gradient is the first that is not right, where it comes from, by what factor it is off,
 * and what was probably forgotten. For exercises: the student writes a part of the backward pass, and the tape has all of it.
 *
 * A whole pass, or some of it, as tensors:
 *
 *     tg_tensor *z = tg_matmul(x, w), *a = tg_tanh(z), *loss = tg_mse_loss(a, y);
 *     tg_tensor *da = ..., *dz = ..., *dw = ...;                     // by hand
 *     tg_grade_report r;
 *     tg_grade(loss, 3, (tg_by_hand[]){{"da", a, da}, {"dz", z, dz}, {"dw", w, dw}}, &r);
 *     puts(r.message);
 *
 *     dz, by #1 tanh (train.c:12), is what comes in there, unchanged, and not multiplied by the slope. First at [0, 1]: 0.5 instead of 0.2,
 *     2.5 times that (by differences 0.2 +- 3e-12). dw follows from it, and has no slip of its own.
 *
 * Or one rule, in place of a built-in op's, as op.h has it:
 *
 *     static void rule(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
 *         din[0] = tg_mul(dout[0], node->in[1]);
 *         din[1] = tg_mul(dout[0], node->in[0]);
 *     }
 *     ...
 *     tg_grade_rule(loss, "mul", rule, &r);
 *
 *     right: mul, at 2 nodes, 12 numbers
 *
 * The loss is one number on the current tape that requires a gradient; its graph is walked in private, before tg_backward or after it, until
 * the tape is rewound. No gradient is touched, and no hook run. Where the tape's rule would read elements that have been dropped or
 * changed since, it cannot be graded, and the message says so.
 *
 * "First" is in the order of the walk, from the loss back. A gradient is compared with what the tape makes of the one that was given for what
 * comes after it in the program: so one slip is one, although everything behind it differs too. Numbers are equal where they are apart by
 * no more than rounding makes: 1e-4 of the right one for f32, 1e-9 for f64, and 64 units in the last place of the largest number that
 * comes in. The number that a gradient should be is not only the tape's: central differences of the loss, from its nodes run again
 * in f64, say the same, where they can be had (nodes that have state, or are checkpoints, cannot be run again).
 */
#ifndef TG_AUTOGRAD_CHECK_GRADE_H
#define TG_AUTOGRAD_CHECK_GRADE_H

#include "autograd/check/verdict.h"
#include "autograd/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is wrong with a gradient: the first of these that holds. */
typedef enum tg_slip {
    TG_SLIP_NONE,
    TG_SLIP_ABSENT,     /* it was not given */
    TG_SLIP_FAILED,     /* the rule raised an error */
    TG_SLIP_TRANSPOSED, /* it is right when the last two axes change places */
    TG_SLIP_NOT_SUMMED, /* it is right when it is summed over the axes along which the tensor was broadcast */
    TG_SLIP_SUMMED,     /* it is a sum where each element has a gradient of its own */
    TG_SLIP_SHAPE,      /* it is of another shape, or dtype */
    TG_SLIP_NOT_FINITE, /* it has a NaN or an infinity */
    TG_SLIP_ZERO,       /* it is 0 everywhere */
    TG_SLIP_PATH,       /* of several contributions some are missing: they add up */
    TG_SLIP_SIGN,       /* all of it is -1 times what it should be */
    TG_SLIP_SLOPE,      /* it is what comes in, dout: the slope of the op is missing */
    TG_SLIP_DOUT,       /* it is the slope of the op: it was not multiplied by what comes in, dout */
    TG_SLIP_COUNT, /* all of it is n times, or 1/n of, what it should be, n the size of an axis: a mean and a sum */
    TG_SLIP_FACTOR, /* all of it is some number times what it should be */
    TG_SLIP_SOME,   /* some elements are right */
    TG_SLIP_OTHER
} tg_slip;
TG_API const char *tg_slip_name(tg_slip slip); /* "TRANSPOSED" */

typedef struct tg_grade_report {
    bool ok;
    int64_t compared; /* gradients, of which */
    int64_t wrong;    /* have a slip of their own, and */
    int64_t follow;   /* are not the tape's for that reason alone; of one rule 0 */
    int64_t numbers;  /* how many were compared */
    /* The first that is wrong. */
    tg_slip slip;
    int index; /* which of those given; of a rule, which input of the node; -1: none is wrong, or nothing was compared */
    int64_t node;    /* the id of the node whose rule makes it: of several, the first of the walk; -1: none */
    char op[64];     /* its op */
    int64_t element; /* the first that differs, row-major; -1: it has another shape, or is not there */
    double given, right;
    double factor; /* given / right; NaN where right is 0 */
    bool all;      /* the factor is that of every element */
    /* What differences say of the right number: TG_NO_VERDICT where they cannot be had. */
    tg_verdict verdict;
    double numeric, error;
    char message[1024]; /* a line that says all this, or why nothing could be compared */
} tg_grade_report;

/* One gradient by hand. */
typedef struct tg_by_hand {
    const char *name;    /* in messages: "dZ1"; NULL: made of the tensor's */
    tg_tensor *of;       /* a result or a leaf that requires a gradient */
    tg_tensor *gradient; /* dL/d(of); NULL: not yet, which is TG_SLIP_ABSENT */
} tg_by_hand;

/* Grades n gradients of the loss, in any order, of different tensors. Returns report.ok; `report` may be NULL. Where nothing can be compared it is
 * false, the message says why, and no error is left pending: a loss that is not one number, that requires no gradient or is not on the
 * current tape; a tensor that requires none; two gradients of one tensor; n below 1; handles that are NULL or stale; no memory. An error that is pending
 * before the call is such a reason itself, and stays. */
TG_API bool tg_grade(tg_tensor *loss, int n, const tg_by_hand *given, tg_grade_report *report);

/* Grades a rule at each node of the op of that name that the loss depends on. It is given the adjoints that the tape has there, and each of the
 * gradients that it sets is compared. As every rule it may return them in the broadcast shape. An error that it raises is
 * TG_SLIP_FAILED and does not stay. Further reasons not to compare: no such node; a name or rule that is NULL. */
TG_API bool tg_grade_rule(tg_tensor *loss, const char *op, tg_grad_fn rule, tg_grade_report *report);

#ifdef __cplusplus
}
#endif

#endif
