/* Verdicts and evidence in words. */
#include "autograd/check/ladder.h"

#include <math.h>
#include <stdio.h>

#define NAME(table, i) ((size_t)(i) < sizeof(table) / sizeof *(table) ? (table)[i] : (table)[0])

const char *tg_verdict_name(tg_verdict verdict) {
    static const char *const name[] = {"NO VERDICT", "CORRECT",       "WRONG",
                                       "KINK",       "NOISE-LIMITED", "NOT-EXERCISED"};
    return NAME(name, verdict);
}

const char *tg_gap_law_name(tg_gap_law law) {
    static const char *const name[] = {"no law fits the gap", "the gap is within the noise",
                                       "the gap shrinks with the step", "the gap is the same at every step",
                                       "the slopes to either side differ at every step"};
    return NAME(name, law);
}

const char *tg_hint_name(tg_hint hint) {
    static const char *const name[] = {"",
                                       "the sign is wrong",
                                       "a small whole factor, or a use of the input, is missing or repeated",
                                       "a term, or all of it, is missing",
                                       "a mean stands for a sum, or a sum for a mean",
                                       "there is a term too many: the function does not depend on this element",
                                       "another element has this value: transposed or permuted"};
    return NAME(name, hint);
}

/* What the noise of a value would have to be for the error bar to be small beside the derivative. */
static double noise_needed(const tg_evidence *e) {
    return e->noise * TG_RESOLVED * fmax(fabs(e->analytic), fabs(e->numeric)) / e->error;
}

static void write_why(FILE *file, const tg_evidence *e) {
    if (!isfinite(e->analytic)) {
        fputs("; the gradient is not finite", file);
        return;
    }
    if (e->verdict == TG_KINK)
        fprintf(file, ", slopes %.6g to the left and %.6g to the right", e->left, e->right);
    else
        fprintf(file, "; %s", tg_gap_law_name(e->law));
    if (!isnan(e->taylor)) fprintf(file, "; Taylor slope %.2f", e->taylor);
    if (e->hint != TG_HINT_NONE) fprintf(file, "; %s", tg_hint_name(e->hint));
    double needed = noise_needed(e);
    if (e->verdict == TG_NOISE_LIMITED && needed > 0 && isfinite(needed))
        fprintf(file, "; the noise of a value is %.1g, and %.1g would do", e->noise, needed);
}

void tg_evidence_text(const tg_evidence *e, char *text, size_t n) {
    if (!e || (!text && n)) {
        tg_fail(TG_ERR_ARGUMENT, "tg_evidence_text: the %s is NULL", e ? "text" : "evidence");
        return;
    }
    const double analytic = isnan(e->analytic) ? (double)NAN : e->analytic; /* a sign of NaN tells nothing */
    int used = snprintf(text, n, "%s: analytic %.12g, numeric %.12g +- %.2g", tg_verdict_name(e->verdict),
                        analytic, e->numeric, e->error);
    if (used < 0 || (size_t)used >= n) return;
    FILE *file = fmemopen(text + used, n - (size_t)used, "w");
    if (!file) return; /* the numbers stand there */
    write_why(file, e);
    fclose(file);
    text[n - 1] = '\0';
}
