/* Private. One call of tg_gradcheck: what its files share. */
#ifndef TG_AUTOGRAD_CHECK_CHECK_H
#define TG_AUTOGRAD_CHECK_CHECK_H

#include "autograd/check/subject.h"
#include "autograd/check/tally.h"

/* What was found of one input. */
typedef struct tg_checked_input {
    int64_t verdicts[6], noticed, left_out;
    tg_checked worst;
    double ratio; /* the worst's |analytic - numeric| / (error + rtol numeric) */
    tg_verdict verdict;
} tg_checked_input;

typedef struct tg_check {
    tg_subject s;
    tg_gradcheck_opts opts;
    tg_gradcheck_report *r;
    tg_tensor *const *given;
    tg_checked_input *input; /* for each of the subject's `which`, over all orders */
    bool *moved;             /* for each of them: some derivative was not 0, analytic or numeric */
    int64_t all;             /* derivatives to be judged */
    int reached;             /* the order of the last that was */
    int64_t began;           /* on the clock of core/span.h */
    double noisier;          /* than rounding, f's values are by so much; 0: not measured yet */
    int in_vain;             /* measured again without finding more */
    double until;            /* seconds: when the share of this input is over, */
    int64_t shares;          /* of so many that are still to come, this one included, */
    int64_t alone;           /* and so much of it has been judged */
    bool stopped;            /* out of time, or by the progress function */
} tg_check;

/* Compares by tolerances (check/tolerance.c), or judges (check/elements.c), all derivatives of the order that the subject is
 * set to. */
tg_status tg_check_compare(tg_check *c);
tg_status tg_check_judge(tg_check *c);

/* Looks for the op at fault, and writes it in the report: check/locate.c. */
void tg_check_locate(tg_check *c);

/* The report's message, and the page and JSON that were asked for: check/report.c. */
void tg_check_conclude(tg_check *c);

/* Elements i, and ratio, of a derivative compared: whether it is the worst so far. */
bool tg_check_is_worse(const tg_check *c, double ratio);

#endif
