/* What a gradient check says: one line, a page, JSON. */
#include "autograd/check/check.h"
#include "core/span.h"
#include "core/io/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static void say(tg_gradcheck_report *r, const char *format, ...) TG_PRINTF(2, 3);
static void say(tg_gradcheck_report *r, const char *format, ...) {
    size_t at = strlen(r->message);
    va_list args;
    va_start(args, format);
    vsnprintf(r->message + at, sizeof r->message - at, format, args);
    va_end(args);
}

static const char *describe_input(const tg_check *c, int k, char *text, size_t n) {
    return tg_describe(c->given[c->s.which[k]], text, n); /* the leaf made of it is gone by then */
}

/* ---- by tolerances ---- */

static bool nothing_moved(const tg_check *c) {
    for (int k = 0; k < c->s.n_which; k++)
        if (c->moved[k]) return false;
    return true;
}

/* The numbers agree, or the worst of those that do not. */
static void conclude_tolerances(tg_check *c) {
    tg_gradcheck_report *r = c->r;
    char text[160];
    bool agree = r->worst <= 1, exacting = agree && !c->opts.allow_zero;
    int idle = exacting ? tg_subject_idle(&c->s, c->moved) : -1;
    bool zero = exacting && nothing_moved(c);
    r->ok = agree && idle < 0 && !zero;
    if (idle >= 0)
        say(r,
            "nothing was checked of input %d, %s: the result does not depend on it (.allow_zero accepts that)",
            c->s.which[idle], describe_input(c, idle, text, sizeof text));
    else if (zero)
        say(r,
            "nothing was checked: every derivative is 0, analytic and numeric, %" PRId64
            " of them (.allow_zero accepts that)",
            r->compared);
    else
        say(r,
            "%s: %" PRId64 " compared; the worst, in input %d at element %" PRId64
            ", order %d: analytic %.12g, numeric %.12g "
            "(%.3g of the tolerance)",
            r->ok ? "ok" : "gradients differ", r->compared, r->input, r->element, r->order, r->analytic,
            r->numeric, r->worst);
}

/* ---- by verdicts ---- */

static bool passes(const tg_check *c, int k) {
    tg_verdict v = c->input[k].verdict;
    if (c->s.was[k].numel == 0) return c->opts.allow_empty;
    return tg_verdict_passes(v) || (v == TG_NOT_EXERCISED && c->opts.allow_zero);
}

/* The input whose verdict is the gravest, and of these the first. */
static int gravest_input(const tg_check *c) {
    int worst = -1;
    for (int k = 0; k < c->s.n_which; k++) {
        if (c->s.was[k].numel == 0) {
            if (c->opts.allow_empty) continue;
            c->input[k].verdict = TG_NOT_EXERCISED;
        }
        int gravity = tg_check_gravity(c->input[k].verdict);
        if (worst < 0 || gravity > tg_check_gravity(c->input[worst].verdict)) worst = k;
    }
    return worst;
}

static void say_unexercised(tg_check *c, int k) {
    char text[160];
    const tg_checked_input *in = &c->input[k];
    const char *why =
        c->s.was[k].numel == 0           ? "it has no elements"
        : in->worst.order == 0           ? "there was no time for it"
        : c->s.unused[k] && !c->moved[k] ? "the result does not depend on it"
        : c->moved[k] ? "a gradient that is wrong by its sign or by 3 % would not be noticed at any element"
                      : "every derivative is 0: the function does not move";
    const char *option = c->s.was[k].numel ? ".allow_zero" : ".allow_empty";
    say(c->r, passes(c, k) ? "%s: input %d, %s: %s (accepted by %s)" : "%s: input %d, %s: %s (%s accepts that)",
        tg_verdict_name(TG_NOT_EXERCISED), c->s.which[k], describe_input(c, k, text, sizeof text), why, option);
}

/* An input of which nothing was judged, or whose function has no finite value. */
static void say_no_verdict(tg_check *c, int k) {
    char text[160];
    say(c->r, "%s: input %d, %s: ", tg_verdict_name(TG_NO_VERDICT), c->s.which[k],
        describe_input(c, k, text, sizeof text));
    if (c->input[k].worst.order == 0)
        say(c->r,
            "nothing of it was judged before the time was over or the progress function stopped the check");
    else if (c->s.odd_element >= 0)
        say(c->r,
            "the function is %g at element %" PRId64 " of its result %s (tg_find_nonfinite_in names the op)",
            c->s.odd_value, c->s.odd_element, tg_shape_text(c->s.result, text, sizeof text));
    else
        say(c->r, "the function has no finite values about element %" PRId64, c->input[k].worst.element);
}

static void say_worst(tg_check *c, int k) {
    char text[512], described[160];
    const tg_checked *one = &c->input[k].worst;
    tg_gradcheck_report *r = c->r;
    tg_evidence_text(&one->evidence, text, sizeof text);
    const char *numbers = strchr(text, ':');
    say(r, "%s: input %d, %s, ", tg_verdict_name(c->input[k].verdict), one->input,
        describe_input(c, k, described, sizeof described));
    if (one->element < 0)
        say(r, "along a random direction");
    else
        say(r, "element %" PRId64, one->element);
    if (one->order > 1) say(r, ", order %d", one->order);
    say(r, "%s", numbers ? numbers : "");
    if (r->op[0])
        say(r, "; at fault is %s: %s", r->place,
            r->fault == TG_FAULT_TRANSPOSE ? "grad and grad_kernel differ"
            : r->fault == TG_FAULT_SECOND  ? "the derivative of its rule is wrong"
                                           : "its rule is not the derivative of what it computes");
    else if (r->verdict == TG_WRONG && !c->opts.no_search)
        say(r, "; every op on the tape alone is right: a path to this input is missing (tg_detach, tg_item, recording "
               "off), or there twice");
}

static void conclude_verdicts(tg_check *c) {
    tg_gradcheck_report *r = c->r;
    int k = gravest_input(c);
    r->ok = k >= 0;
    for (int i = 0; i < c->s.n_which; i++) r->ok = r->ok && passes(c, i);
    r->verdict = k < 0 ? TG_NO_VERDICT : c->input[k].verdict;
    if (r->verdict == TG_WRONG && !c->opts.no_search) tg_check_locate(c);
    if (r->verdict == TG_NOT_EXERCISED)
        say_unexercised(c, k);
    else if (r->verdict == TG_NO_VERDICT && k >= 0)
        say_no_verdict(c, k);
    else
        say_worst(c, k);
    say(r, " (%" PRId64 " judged", r->compared);
    if (r->left_out) say(r, ", %" PRId64 " left out", r->left_out);
    if (c->opts.directions) say(r, ", directions only");
    say(r, ", an error of 3 %% noticed in %" PRId64 ")", r->noticed);
}

/* ---- files ---- */

static void write_page(const tg_check *c, FILE *file) {
    const tg_gradcheck_report *r = c->r;
    char text[160];
    fprintf(file, "gradient check, order %d: %s\n", c->opts.order, tg_verdict_name(r->verdict));
    fprintf(file, "  %9s %9s %9s %9s %9s %9s %9s  %s\n", "judged", "correct", "kink", "unmoved", "noisy",
            "wrong", "left out", "input");
    for (int k = 0; c->input && k < c->s.n_which; k++) {
        const tg_checked_input *in = &c->input[k];
        int64_t judged = 0;
        for (int v = 0; v < 6; v++) judged += in->verdicts[v];
        fprintf(file,
                "  %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64
                "  %d, %s: %s\n",
                judged, in->verdicts[TG_CORRECT], in->verdicts[TG_KINK], in->verdicts[TG_NOT_EXERCISED],
                in->verdicts[TG_NOISE_LIMITED], in->verdicts[TG_WRONG], in->left_out, c->s.which[k],
                describe_input(c, k, text, sizeof text), tg_verdict_name(in->verdict));
    }
    fprintf(file, "%s\n", r->message);
    if (r->compared)
        fprintf(file, "noise of a value %.2g; %" PRId64 " evaluations, %.1f a derivative; %.3f s\n",
                r->evidence.noise, r->evaluations, (double)r->evaluations / (double)r->compared,
                1e-9 * (double)(tg_span_now() - c->began));
    if (c->opts.directions)
        fprintf(
            file,
            "along random directions: which elements are wrong, and kinks of single elements, are not seen\n");
}

static void write_string(FILE *file, const char *string) {
    const char *end = string + strlen(string);
    fputc('"', file);
    for (const char *p = string; p < end;) {
        uint32_t code;
        int n = tg_utf8_decode(p, end - p, &code);
        if (*p == '"' || *p == '\\')
            fprintf(file, "\\%c", *p);
        else if (n == 1 && (code < 0x20 || code == 0x7f))
            fprintf(file, "\\u%04x", (unsigned)code);
        else if (n == 0)
            fputs("\\ufffd", file);
        else
            fwrite(p, 1, (size_t)n, file);
        p += n ? n : 1;
    }
    fputc('"', file);
}

/* JSON has no NaN and no infinity. */
static void write_number(FILE *file, const char *name, double x) {
    if (isfinite(x))
        fprintf(file, ",\"%s\":%.17g", name, x);
    else
        fprintf(file, ",\"%s\":null", name);
}

static void write_evidence(FILE *file, const tg_checked *one) {
    const tg_evidence *e = &one->evidence;
    fprintf(file, "{\"verdict\":\"%s\",\"order\":%d,\"input\":%d,\"element\":%" PRId64,
            tg_verdict_name(e->verdict), one->order, one->input, one->element);
    write_number(file, "analytic", e->analytic);
    write_number(file, "numeric", e->numeric);
    write_number(file, "error", e->error);
    write_number(file, "left", e->left);
    write_number(file, "right", e->right);
    write_number(file, "noise", e->noise);
    write_number(file, "step", e->step);
    write_number(file, "taylor", e->taylor);
    fprintf(file, ",\"law\":\"%s\",\"hint\":\"%s\",\"evaluations\":%d}", tg_gap_law_name(e->law),
            tg_hint_name(e->hint), e->evaluations);
}

static void write_json(const tg_check *c, FILE *file) {
    const tg_gradcheck_report *r = c->r;
    fprintf(file,
            "{\"ok\":%s,\"verdict\":\"%s\",\"judged\":%" PRId64 ",\"left_out\":%" PRId64
            ",\"noticed\":%" PRId64 ",\"evaluations\":%" PRId64 ",\"message\":",
            r->ok ? "true" : "false", tg_verdict_name(r->verdict), r->compared, r->left_out, r->noticed,
            r->evaluations);
    write_string(file, r->message);
    if (r->op[0]) {
        fputs(",\"at_fault\":", file);
        write_string(file, r->place);
    }
    fputs(",\"inputs\":[", file);
    for (int k = 0; c->input && k < c->s.n_which; k++) {
        char text[160];
        const tg_checked_input *in = &c->input[k];
        fprintf(file, "%s{\"input\":%d,\"tensor\":", k ? "," : "", c->s.which[k]);
        write_string(file, describe_input(c, k, text, sizeof text));
        fprintf(file, ",\"verdict\":\"%s\"", tg_verdict_name(in->verdict));
        if (in->worst.order) fputs(",\"worst\":", file), write_evidence(file, &in->worst);
        fputc('}', file);
    }
    fputs("]}\n", file);
}

/* ---- all ---- */

void tg_check_conclude(tg_check *c) {
    tg_gradcheck_report *r = c->r;
    r->evaluations = c->s.evaluations;
    if (tg_error_status() != TG_OK)
        say(r, "%s", tg_error_message()), r->ok = false;
    else if (c->s.n_which == 0)
        say(r, "nothing was checked: no input requires a gradient");
    else if (r->compared == 0 && c->stopped)
        say(r, "nothing was checked: there was no time for it");
    else if (r->compared == 0 && (c->opts.tolerances || c->opts.allow_empty))
        say(r, "%s: the inputs have no elements", (r->ok = c->opts.allow_empty) ? "ok" : "nothing was checked");
    else if (c->opts.tolerances)
        conclude_tolerances(c);
    else
        conclude_verdicts(c);
    r->evaluations = c->s.evaluations;
    if (c->opts.page) write_page(c, c->opts.page);
    if (c->opts.json) write_json(c, c->opts.json);
}
