/* What a gradient check says: one line, a page, JSON. */
#include "autograd/check/check.h"
#include "autograd/check/pages.h"

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

static const char *position(const tg_array *a, int64_t element, char *text, size_t n) {
    return tg_shape_text(tg_shape_position(tg_array_shape(a), element), text, n);
}

/* "at [5, 2], where it is 0.734"; of a scalar "which is 0.734" */
static void say_place(const tg_check *c, int k, int64_t element) {
    char text[160];
    const tg_array *a = &c->s.was[k];
    if (element < 0)
        say(c->r, "along a random direction");
    else if (a->rank == 0)
        say(c->r, "which is %.6g", tg_array_get(a, element));
    else
        say(c->r, "at %s, where it is %.6g", position(a, element, text, sizeof text), tg_array_get(a, element));
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
    char text[160], where[160];
    say(c->r, "%s: input %d, %s: ", tg_verdict_name(TG_NO_VERDICT), c->s.which[k],
        describe_input(c, k, text, sizeof text));
    if (c->input[k].worst.order == 0)
        say(c->r,
            "nothing of it was judged before the time was over or the progress function stopped the check");
    else if (c->s.odd_element >= 0)
        say(c->r, "the function is %s at %s of its result %s (tg_find_nonfinite_in names the op)",
            isnan(c->s.odd_value) ? "NaN"
            : c->s.odd_value > 0  ? "inf"
                                  : "-inf",
            tg_shape_text(tg_shape_position(c->s.result, c->s.odd_element), where, sizeof where),
            tg_shape_text(c->s.result, text, sizeof text));
    else {
        say(c->r, "the function has no finite values ");
        say_place(c, k, c->input[k].worst.element);
    }
}

static void say_worst(tg_check *c, int k) {
    char text[512], described[160];
    const tg_checked *one = &c->input[k].worst;
    tg_gradcheck_report *r = c->r;
    tg_evidence_text(&one->evidence, text, sizeof text);
    const char *numbers = strchr(text, ':');
    say(r, "%s: input %d, %s, ", tg_verdict_name(c->input[k].verdict), one->input,
        describe_input(c, k, described, sizeof described));
    say_place(c, k, one->element);
    if (one->order > 1) say(r, ", order %d", one->order);
    say(r, "%s", numbers ? numbers : "");
    if (r->op[0])
        say(r, "; at fault is %s: %s", r->place,
            r->fault == TG_FAULT_TRANSPOSE ? "grad and grad_kernel differ"
            : r->fault == TG_FAULT_SECOND  ? "the derivative of its rule is wrong"
                                           : "its rule is not the derivative of what it computes");
    else if (r->verdict == TG_WRONG && !isfinite(one->evidence.analytic))
        say(r, " (tg_find_nonfinite_grad names the rule that made it)");
    else if (r->verdict == TG_WRONG && !c->opts.no_search)
        say(r, "; every op on the tape alone is right: a path to this input is missing (tg_detach, tg_item, recording "
               "off), or there twice");
}

/* Of all orders and projections: samples that were not drawn, and what there was no time for. */
static void count_left_out(tg_check *c) {
    for (int k = 0; k < c->s.n_which; k++) {
        tg_checked_input *in = &c->input[k];
        int64_t each = c->s.was[k].numel && c->opts.directions ? c->opts.directions : c->s.was[k].numel;
        in->left_out = each * c->opts.order * c->opts.projections;
        in->left_out -= tg_check_judged(in->verdicts);
        c->r->left_out += in->left_out;
    }
}

static void conclude_verdicts(tg_check *c) {
    tg_gradcheck_report *r = c->r;
    count_left_out(c);
    int k = gravest_input(c);
    r->ok = k >= 0;
    for (int i = 0; i < c->s.n_which; i++) r->ok = r->ok && passes(c, i);
    r->verdict = k < 0 ? TG_NO_VERDICT : c->input[k].verdict;
    if (r->verdict == TG_WRONG && !c->opts.no_search) tg_check_locate(c);
    bool cut = r->ok && c->reached < c->opts.order;
    if (cut) r->ok = false, r->verdict = TG_NO_VERDICT;
    if (cut)
        say(r,
            "%s: orders above %d, of %d, were not judged before the time was over or the progress function stopped the check",
            tg_verdict_name(TG_NO_VERDICT), c->reached, c->opts.order);
    else if (r->verdict == TG_NOT_EXERCISED)
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
    tg_check_write_heads(file, "input");
    for (int k = 0; c->input && k < c->s.n_which; k++) {
        tg_check_write_counts(file, c->input[k].verdicts, c->input[k].left_out);
        fprintf(file, "  %d, %s: %s\n", c->s.which[k], describe_input(c, k, text, sizeof text),
                tg_verdict_name(c->input[k].verdict));
    }
    fprintf(file, "%s\n", r->message);
    if (r->compared) tg_check_write_costs(file, &r->evidence, r->evaluations, r->compared, c->began);
    if (c->opts.directions)
        fprintf(
            file,
            "along random directions: which elements are wrong, and kinks of single elements, are not seen\n");
}

static void write_worst(const tg_check *c, int k, FILE *file) {
    const tg_checked *one = &c->input[k].worst;
    char text[160];
    fprintf(file, ",\"worst\":{\"order\":%d,\"input\":%d,\"element\":%" PRId64, one->order, one->input,
            one->element);
    if (one->element >= 0) {
        fprintf(file, ",\"position\":%s", position(&c->s.was[k], one->element, text, sizeof text));
        tg_check_json_number(file, "x", tg_array_get(&c->s.was[k], one->element));
    }
    fputc(',', file);
    tg_check_json_evidence(file, &one->evidence);
    fputc('}', file);
}

static void write_fault(const tg_gradcheck_report *r, FILE *file) {
    static const char *const fault[] = {"path", "rule", "transpose", "second"};
    fprintf(file, ",\"at_fault\":{\"fault\":\"%s\",\"op\":", fault[r->fault]);
    tg_check_json_string(file, r->op);
    fputs(",\"node\":", file);
    tg_check_json_string(file, r->place);
    fputc('}', file);
}

static void write_json(const tg_check *c, FILE *file) {
    const tg_gradcheck_report *r = c->r;
    fprintf(file, "{\"ok\":%s,\"verdict\":\"%s\",", r->ok ? "true" : "false", tg_verdict_name(r->verdict));
    tg_check_json_counts(file, r->compared, r->verdicts, r->noticed, r->left_out);
    fprintf(file, ",\"evaluations\":%" PRId64 ",\"message\":", r->evaluations);
    tg_check_json_string(file, r->message);
    if (r->op[0]) write_fault(r, file);
    fputs(",\"inputs\":[", file);
    for (int k = 0; c->input && k < c->s.n_which; k++) {
        char text[160];
        const tg_checked_input *in = &c->input[k];
        fprintf(file, "%s{\"input\":%d,\"tensor\":", k ? "," : "", c->s.which[k]);
        tg_check_json_string(file, describe_input(c, k, text, sizeof text));
        fprintf(file, ",\"verdict\":\"%s\",", tg_verdict_name(in->verdict));
        tg_check_json_counts(file, tg_check_judged(in->verdicts), in->verdicts, in->noticed, in->left_out);
        if (in->worst.order) write_worst(c, k, file);
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
