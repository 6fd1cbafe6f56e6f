/* Private. What single derivatives come to: how grave a verdict is, what those of its elements make of an input, and what only
 * the elements together can tell of one. For tensors (gradcheck.h) and for plain arrays (function.h). */
#ifndef TG_AUTOGRAD_CHECK_TALLY_H
#define TG_AUTOGRAD_CHECK_TALLY_H

#include "autograd/check/verdict.h"

#include <stdint.h>

/* How grave a verdict is, WRONG being the gravest: that on an input, or that on one derivative, where NOT_EXERCISED is the least. */
int tg_check_gravity(tg_verdict v);
int tg_check_gravity_of_one(tg_verdict v);

/* The verdict on an input of whose elements verdicts[v] have verdict v, and `noticed` are CORRECT with a negative control
 * that was noticed. */
tg_verdict tg_check_verdict_of(const int64_t verdicts[6], int64_t noticed);

/* |analytic - numeric| in units of what may lie between them; infinite where it is not finite. */
double tg_check_ratio(const tg_evidence *e, double rtol);

/* Of a WRONG element that has no hint: whether it is off by the number of elements, or is another one of the n. */
void tg_check_hint(tg_evidence *e, const double *analytic, int64_t n);

/* Where the i-th of n elements to be looked at lies, if time may run out: by the golden section, so that the first few lie all
 * over. A permutation, as the stride shares no divisor with n. */
int64_t tg_check_place(int64_t i, int64_t n);

/* [0, 1) to +-[0.5, 1.5). */
static inline double tg_check_signed(double u) { return u < 0.5 ? -0.5 - 2 * u : 2 * u - 0.5; }

#endif
