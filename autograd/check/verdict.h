/* The verdict on one derivative, and the evidence for it.
 *
 * A number a is claimed to be the derivative of phi at 0, phi a function of one variable that computes in double. phi is
 * evaluated on a ladder of steps, h and -h for h = h0, h0/4, h0/16, .., and each rung gives
 *     D(h) = (phi(h) - phi(-h)) / 2h     the central difference, off by c h^2 where phi is smooth
 *     R(h) = (phi(h) - phi(0)) / h,  L(h) = (phi(0) - phi(-h)) / h     the slopes to either side, off by c h
 * What is known of the derivative is a number with an error bar, n +- u. n is one of the extrapolations to h = 0 of all D
 * (Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", 1982), and u is how far it is from those that two coarser
 * ladders give, so that one coincidence does not count, and what the noise of phi can have done to it. That noise is
 * measured (Moré and Wild, "Estimating computational noise", 2011), not assumed.
 *
 *   CORRECT        |a - n| <= u + rtol max(|a|, |n|), and u is small beside the derivative: a wrong by 3 % would be seen.
 *   WRONG          |a - n| is larger than that.
 *   KINK           R and L have limits that differ, and a is one of them or lies between them: a subgradient. (WRONG
 *                  where it does not. Jumps count too: one side then has a limit, and a is that.)
 *   NOISE_LIMITED  u is not small beside the derivative on any rung. phi needs more precision, or another point.
 *   NOT_EXERCISED  phi does not move beyond its noise on any rung, and a is 0: nothing was tested.
 *
 * A tolerance on |a - n| alone is no verdict: one of 1e-5 passes every gradient below 1e-5.
 */
#ifndef TG_AUTOGRAD_CHECK_VERDICT_H
#define TG_AUTOGRAD_CHECK_VERDICT_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_verdict {
    TG_NO_VERDICT, /* nothing could be judged; a message says why */
    TG_CORRECT,
    TG_WRONG,
    TG_KINK,
    TG_NOISE_LIMITED,
    TG_NOT_EXERCISED
} tg_verdict;

/* "CORRECT", "NOISE-LIMITED", ..; "NO VERDICT" for the first and for what is none of them. */
TG_API const char *tg_verdict_name(tg_verdict verdict);

/* Whether a suite goes on: CORRECT and KINK. */
static inline bool tg_verdict_passes(tg_verdict v) { return v == TG_CORRECT || v == TG_KINK; }

/* How the gap |D(h) - a| behaves on the ladder. */
typedef enum tg_gap_law {
    TG_GAP_UNKNOWN,    /* none of these, or too few rungs to tell */
    TG_GAP_NOISE,      /* within the noise on every rung: phi is linear, or nearly, and a is its slope */
    TG_GAP_TRUNCATION, /* shrinks with h, as h^2 at a smooth point: a is right */
    TG_GAP_CONSTANT,   /* does not shrink: a is wrong */
    TG_GAP_KINK        /* the slopes to either side differ at every step */
} tg_gap_law;
TG_API const char *tg_gap_law_name(tg_gap_law law);

/* What the ratio a / n suggests where a is wrong. */
typedef enum tg_hint {
    TG_HINT_NONE,
    TG_HINT_SIGN,    /* -1 */
    TG_HINT_FACTOR,  /* 2 or 1/2, 3 or 1/3, 4 or 1/4: a missing or repeated factor, or use */
    TG_HINT_MISSING, /* a is 0, and n is not: a term, or the whole, is missing */
    TG_HINT_MEAN,    /* 1/N or N, N the number of elements: a mean for a sum, or the other way round */
    TG_HINT_EXTRA,   /* n is 0, and a is not */
    TG_HINT_MOVED    /* another element has this value: transposed, or permuted */
} tg_hint;
TG_API const char *tg_hint_name(tg_hint hint);

typedef struct tg_evidence {
    tg_verdict verdict;
    double analytic;       /* a */
    double numeric, error; /* n +- u */
    double left, right;    /* limits of L and R; equal, but for their errors, where phi is smooth */
    double noise;          /* of a value of phi */
    double step;           /* the finest that n is made of */
    tg_gap_law law;
    double taylor; /* the exponent s of |phi(h) - phi(0) - a h| ~ h^s: 2 where a is right, 1 where it is wrong; NaN where
                    * that is within the noise on all rungs but one, as for a linear phi */
    tg_hint hint;
    bool noticed;    /* the negative control: -a and 1.03 a come out WRONG on the same ladder */
    int evaluations; /* of phi */
} tg_evidence;

/* How far a check of many derivatives is: false ends it there, as a time budget does. */
typedef bool (*tg_check_progress)(int64_t done, int64_t all, void *user);

/* phi(*t). Where the argument is rounded on the way, as it is next to a large number, *t becomes what it was in fact. A
 * value that is not finite makes the step count for nothing; at 0 there is no verdict then. */
typedef double (*tg_line)(double *t, void *user);

typedef struct tg_judge_opts {
    double scale;    /* of the argument: the ladder begins at 0.117 of it; 0 means 1 */
    double rtol;     /* what may be between two right derivatives that round differently; 0 means 1e-6 */
    double noise;    /* of a value of phi, where it is known; 0: that of rounding, 2^-52 |phi(0)| */
    double rounding; /* error of `analytic`, by rounding, where it is known: it counts with u */
    double hidden; /* by so much phi may move without a trace, where that is known: less than half a unit in the last place of
                      * something large. It excuses what is not seen to move; it makes nothing CORRECT. */
    bool full; /* all rungs, also where the first few have decided */
} tg_judge_opts;

/* Judges `analytic` as the derivative of phi at 0, by 11 to 29 evaluations; some 100 where phi comes in steps,
 * which are told from a function that does not move. NULL pointers are TG_ERR_ARGUMENT. Options are
 * a struct, not named arguments: this header stands alone. */
TG_API tg_status tg_judge(tg_line phi, void *user, double analytic, tg_judge_opts opts, tg_evidence *out);

/* The noise of phi near 0: what its values within an eighth of `scale` leave beside a cubic to each side, or, where that is
 * less, within a 32nd of that, and so on, until it is rounding or as much as before and no wiggle of a continuous function
 * (an interval that is halved again and again keeps a leap). 48 evaluations where phi is smooth, some 80 where it is noisy.
 * NaN where phi is not finite; never less than 2^-53 of its largest value there. */
TG_API double tg_noise_of(tg_line phi, void *user, double scale);

/* One line: "CORRECT: 1.25 against 1.2500000000 +- 3e-12; gap within the noise; Taylor slope 2.00", of at most n bytes with
 * the final NUL. */
TG_API void tg_evidence_text(const tg_evidence *e, char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
