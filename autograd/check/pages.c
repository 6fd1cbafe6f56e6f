/* Parts of pages and of JSON. */
#include "autograd/check/pages.h"
#include "core/io/json.h"
#include "core/span.h"

#include <inttypes.h>
#include <math.h>

int64_t tg_check_judged(const int64_t verdicts[6]) {
    int64_t sum = 0;
    for (int v = 0; v < 6; v++) sum += verdicts[v];
    return sum;
}

void tg_check_write_heads(FILE *file, const char *last) {
    fprintf(file, "  %9s %9s %9s %9s %9s %9s %9s  %s\n", "judged", "correct", "kink", "unmoved", "noisy",
            "wrong", "left out", last);
}

void tg_check_write_counts(FILE *file, const int64_t verdicts[6], int64_t left_out) {
    fprintf(file, "  %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64,
            tg_check_judged(verdicts), verdicts[TG_CORRECT], verdicts[TG_KINK], verdicts[TG_NOT_EXERCISED],
            verdicts[TG_NOISE_LIMITED], verdicts[TG_WRONG], left_out);
}

void tg_check_write_costs(FILE *file, const tg_evidence *e, int64_t evaluations, int64_t compared,
                          int64_t began) {
    fprintf(file, "noise of a value %.2g; %" PRId64 " evaluations, %.1f a derivative; %.3f s\n", e->noise,
            evaluations, (double)evaluations / (double)compared, 1e-9 * (double)(tg_span_now() - began));
}

static void put(void *to, const char *bytes, size_t n) { fwrite(bytes, 1, n, to); }
void tg_check_json_string(FILE *file, const char *string) { tg_json_string(put, file, string); }

/* JSON has no NaN and no infinity. */
void tg_check_json_number(FILE *file, const char *name, double x) {
    if (isfinite(x))
        fprintf(file, ",\"%s\":%.17g", name, x);
    else
        fprintf(file, ",\"%s\":null", name);
}

void tg_check_json_counts(FILE *file, int64_t judged, const int64_t verdicts[6], int64_t noticed,
                          int64_t left_out) {
    fprintf(file,
            "\"judged\":%" PRId64 ",\"left_out\":%" PRId64 ",\"noticed\":%" PRId64 ",\"correct\":%" PRId64
            ",\"kink\":%" PRId64 ",\"not_exercised\":%" PRId64 ",\"noise_limited\":%" PRId64
            ",\"wrong\":%" PRId64 ",\"no_verdict\":%" PRId64,
            judged, left_out, noticed, verdicts[TG_CORRECT], verdicts[TG_KINK], verdicts[TG_NOT_EXERCISED],
            verdicts[TG_NOISE_LIMITED], verdicts[TG_WRONG], verdicts[TG_NO_VERDICT]);
}

void tg_check_json_evidence(FILE *file, const tg_evidence *e) {
    fprintf(file, "\"verdict\":\"%s\"", tg_verdict_name(e->verdict));
    tg_check_json_number(file, "analytic", e->analytic);
    tg_check_json_number(file, "numeric", e->numeric);
    tg_check_json_number(file, "error", e->error);
    tg_check_json_number(file, "left", e->left);
    tg_check_json_number(file, "right", e->right);
    tg_check_json_number(file, "noise", e->noise);
    tg_check_json_number(file, "step", e->step);
    tg_check_json_number(file, "taylor", e->taylor);
    fprintf(file, ",\"law\":\"%s\",\"hint\":\"%s\",\"evaluations\":%d", tg_gap_law_name(e->law),
            tg_hint_name(e->hint), e->evaluations);
}
