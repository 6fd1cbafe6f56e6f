/* What single derivatives come to. */
#include "autograd/check/tally.h"

#include <math.h>

int tg_check_gravity(tg_verdict v) {
    static const int gravity[] = {4, 0, 5, 1, 3, 2}; /* by tg_verdict */
    return gravity[v];
}

int tg_check_gravity_of_one(tg_verdict v) { return v == TG_NOT_EXERCISED ? 0 : 1 + tg_check_gravity(v); }

tg_verdict tg_check_verdict_of(const int64_t verdicts[6], int64_t noticed) {
    if (verdicts[TG_WRONG]) return TG_WRONG;
    if (verdicts[TG_NO_VERDICT]) return TG_NO_VERDICT;
    if (verdicts[TG_NOISE_LIMITED]) return TG_NOISE_LIMITED;
    if (!noticed && !verdicts[TG_KINK]) return TG_NOT_EXERCISED;
    return verdicts[TG_KINK] ? TG_KINK : TG_CORRECT;
}

static int64_t divisor(int64_t a, int64_t b) { return b ? divisor(b, a % b) : a; }

int64_t tg_check_place(int64_t i, int64_t n) {
    if (n > INT32_MAX) return i;
    int64_t stride = (int64_t)(0.6180339887498949 * (double)n);
    while (stride > 1 && divisor(n, stride) > 1) stride--;
    return stride > 1 ? i * stride % n : i;
}

double tg_check_ratio(const tg_evidence *e, double rtol) {
    double gap = fabs(e->analytic - e->numeric), size = fmax(fabs(e->analytic), fabs(e->numeric));
    return gap == 0 ? 0 : isfinite(gap) ? gap / (e->error + rtol * size) : INFINITY;
}

static bool is_moved(const tg_evidence *e, const double *analytic, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (fabs(analytic[i] - e->numeric) <= 3 * e->error + 1e-9 * fabs(e->numeric)) return true;
    return false;
}

void tg_check_hint(tg_evidence *e, const double *analytic, int64_t n) {
    double ratio = e->analytic / e->numeric, all = (double)n;
    if (e->verdict != TG_WRONG || e->hint != TG_HINT_NONE || n < 2) return;
    if (fabs(ratio * all - 1) < 1e-3 || fabs(ratio / all - 1) < 1e-3)
        e->hint = TG_HINT_MEAN;
    else if (is_moved(e, analytic, n))
        e->hint = TG_HINT_MOVED;
}
