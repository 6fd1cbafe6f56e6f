/* Derivatives judged one by one, by elements or along random directions, and what they make of an input and of the whole. */
#include "autograd/check/check.h"
#include "autograd/check/ladder.h"
#include "core/span.h"

#include <float.h>
#include <math.h>

bool tg_check_is_worse(const tg_check *c, double ratio) { return c->r->input < 0 || ratio > c->r->worst; }

/* ---- the verdict of an input ---- */

static void note(tg_check *c, int k, tg_checked *one) {
    tg_checked_input *in = &c->input[k];
    tg_evidence *e = &one->evidence;
    tg_gradcheck_report *r = c->r;
    if (one->element >= 0) tg_check_hint(e, c->s.analytic[k], c->s.was[k].numel);
    double ratio = tg_check_ratio(e, c->opts.rtol);
    int gravity = tg_check_gravity_of_one(e->verdict);
    in->verdicts[e->verdict]++, r->verdicts[e->verdict]++, r->compared++;
    c->reached = one->order;
    in->noticed += e->noticed && e->verdict == TG_CORRECT;
    r->noticed += e->noticed && e->verdict == TG_CORRECT;
    if (e->verdict != TG_NOT_EXERCISED) c->moved[k] = true;
    int before = in->worst.order ? tg_check_gravity_of_one(in->worst.evidence.verdict) : -1;
    if (gravity > before || (gravity == before && ratio > in->ratio)) in->worst = *one, in->ratio = ratio;
    before = r->input < 0 ? -1 : tg_check_gravity_of_one(r->evidence.verdict);
    if (gravity > before || (gravity == before && ratio > r->worst)) {
        r->worst = ratio, r->order = one->order, r->input = one->input, r->element = one->element;
        r->analytic = e->analytic, r->numeric = e->numeric, r->evidence = *e;
    }
    in->verdict = tg_check_verdict_of(in->verdicts, in->noticed);
    if (c->opts.each) c->opts.each(one, c->opts.each_user);
}

/* ---- one derivative ---- */

static double seconds_since(const tg_check *c) { return 1e-9 * (double)(tg_span_now() - c->began); }

static bool may_go_on(tg_check *c) {
    double seconds = seconds_since(c);
    if (seconds >= c->opts.seconds) c->stopped = true;
    if (c->opts.progress && !c->stopped && !c->opts.progress(c->r->compared, c->all, c->opts.progress_user))
        c->stopped = true;
    return !c->stopped && (seconds < c->until || c->alone == 0);
}

/* What is left of the time is divided evenly among the inputs, and orders, to come; each has one derivative judged at least. */
static void take_share(tg_check *c) {
    double now = seconds_since(c);
    c->until = now + (c->opts.seconds - now) / (double)c->shares;
    c->shares--, c->alone = 0;
}

/* By how much more f is noisy than by rounding, as one that computes in single precision is. */
static double noisier_along(tg_subject_line *line, double scale, double least) {
    double measured = tg_noise_of(tg_subject_on_line, line, scale);
    return isfinite(measured) ? fmax(1, measured / least) : 1;
}

/* A value rounds by 2^-53 of the size of what moves, at least; of gradients also of what those of order 1 are by nature, as one
 * that cancels is a rest of larger ones. By how much more than that f is noisy, as one that computes in single precision, is
 * measured along the first line of each order that moves anything. What does not move may do so by less than it can show. */
static void find_noise(tg_check *c, tg_subject_line *line, double scale, double most, tg_judge_opts *opts) {
    double t = 0.125 * scale, of_gradients = c->s.order > 1 ? c->s.natural / pow(most, c->s.order - 1) : 0;
    tg_subject_on_line(&t, line);
    double least = 0x1p-53 * c->s.moved_size;
    if (!isfinite(of_gradients)) of_gradients = 0;
    opts->hidden = 0x1p-53 * (c->s.still_size + c->s.moved_size + of_gradients);
    /* what S moves by where the inputs do by rounding; much more than that is noise, and no rounding */
    if (!isfinite(opts->hidden)) opts->hidden = 0;
    if (c->s.jitter <= 0x1p-40 * (c->s.natural + c->s.weights * most))
        opts->hidden = fmax(opts->hidden, c->s.jitter);
    if (tg_error_status() != TG_OK || !isfinite(least)) return;
    if (!(c->noisier >= 1) && least > 0) c->noisier = noisier_along(line, scale, least);
    opts->noise = fmax(least * fmax(1, c->noisier), 0x1p-53 * of_gradients);
}

/* What the first step along a line shows: sizes of what moves and of what does not; and the largest element of the input. */
typedef struct first_step {
    double moved, still, most;
} first_step;

/* Outputs that do not move may hide what those that do show: then these are judged by themselves. */
static tg_status judge_muted(tg_check *c, tg_subject_line *line, tg_judge_opts opts, const first_step *at,
                             tg_evidence *e) {
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    double least = 0x1p-53 * at->moved, analytic = NAN;
    tg_evidence alone = {.verdict = TG_NO_VERDICT};
    tg_muted m;
    if (tg_subject_mute(&c->s, line, 0.125 * opts.scale, &analytic, &m) == TG_OK) {
        opts.noise = least * fmax(1, c->noisier);
        opts.hidden = fmax(least, tg_subject_jitter(&c->s));
        bool normal = least >= DBL_MIN && isfinite(opts.hidden) && isfinite(opts.noise);
        if (tg_error_status() == TG_OK && normal)
            tg_judge_twice(tg_subject_on_line, line, analytic, &opts, &c->in_vain, &alone);
    }
    tg_subject_unmute(&c->s, &m);
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    if (alone.verdict == TG_WRONG || alone.verdict == TG_CORRECT) *e = alone;
    return tg_error_status();
}

/* What a function in single precision rounds away, which outputs that stand still are then to have done: it is not known to be WRONG by
 * as little. */
static void excuse_single(tg_check *c, tg_subject_line *line, tg_judge_opts opts, const first_step *at,
                          tg_evidence *e) {
    double gap = fabs(e->analytic - (at->moved > 0 ? e->numeric : 0));
    if (!(gap * 0.125 * opts.scale <= 0x1p-24 * at->still) || !tg_subject_is_single(&c->s)) return;
    tg_evidence alone = *e;
    if (at->moved > 0) judge_muted(c, line, opts, at, &alone);
    if (at->moved == 0 || alone.verdict != TG_WRONG || alone.analytic == e->analytic)
        e->verdict = TG_NOISE_LIMITED, e->hint = TG_HINT_NONE;
}

/* Of what moved and yet shows nothing: whether noise that is no rounding may hide a derivative, or the edge of a domain, over which the
 * larger steps went. (Noise is as much close by; jumps are not.) */
static bool hides(tg_check *c, tg_subject_line *line, tg_judge_opts opts, const first_step *at,
                  const tg_evidence *e) {
    double natural = c->s.natural + c->s.weights * fmax(1, at->most);
    if (c->s.order == 1 && fabs(e->analytic) * 0.125 * opts.scale > 0x1p-44 * natural) return true;
    if (!(e->noise > 0x1p-36 * natural)) return false;
    return tg_noise_of(tg_subject_on_line, line, 1e-7 * opts.scale) > e->noise / 4;
}

/* What was found, seen beside what the first step has shown. */
static tg_status look_again(tg_check *c, tg_subject_line *line, tg_judge_opts opts, const first_step *at,
                            tg_evidence *e) {
    bool lost = e->verdict == TG_NOT_EXERCISED || e->verdict == TG_NOISE_LIMITED;
    if (lost && at->moved > 0 && opts.hidden > 0x1p-51 * at->moved) judge_muted(c, line, opts, at, e);
    if (e->verdict == TG_WRONG) excuse_single(c, line, opts, at, e);
    if (e->verdict == TG_NOT_EXERCISED && at->moved > 0 && tg_error_status() == TG_OK &&
        hides(c, line, opts, at, e))
        e->verdict = TG_NOISE_LIMITED;
    return tg_error_status();
}

static tg_status judge(tg_check *c, tg_subject_line *line, double analytic, double rounding, double scale,
                       double most) {
    tg_checked one = {
        .order = c->s.order, .input = c->s.which[line->k], .element = line->d ? -1 : line->element};
    tg_judge_opts opts = {.scale = scale, .rtol = c->opts.rtol, .rounding = rounding, .full = c->opts.full};
    find_noise(c, line, scale, most > 0 && isfinite(most) ? most : 1, &opts);
    const first_step at = {c->s.moved_size, c->s.still_size, most};
    if (tg_error_status() == TG_OK)
        tg_judge_twice(tg_subject_on_line, line, analytic, &opts, &c->in_vain, &one.evidence);
    if (tg_error_status() == TG_OK) look_again(c, line, opts, &at, &one.evidence);
    if (c->s.odd_element >= 0 && !isfinite(analytic)) one.evidence.verdict = TG_NO_VERDICT;
    if (tg_error_status() == TG_OK) note(c, line->k, &one);
    return tg_error_status();
}

/* The scale of a step: that of the element, unless it is small among the others. */
static tg_status judge_element(tg_check *c, int k, int64_t i, double most) {
    double x = fabs(tg_array_get(&c->s.was[k], i));
    tg_subject_line line = {&c->s, k, i, NULL};
    return judge(c, &line, c->s.analytic[k][i], c->s.rounding[k][i],
                 most > 0 && isfinite(most) ? fmax(x, 0.1 * most) : 1, most);
}

/* Along d with d_i of +-[0.5, 1.5) times the scale of element i. */
static tg_status judge_direction(tg_check *c, int k, double *d, double most) {
    const tg_array *x = &c->s.was[k];
    double analytic = 0, rounding = 0;
    for (int64_t i = 0; i < x->numel; i++) {
        double size = fmax(fabs(tg_array_get(x, i)), 0.1 * most);
        d[i] = tg_check_signed(tg_rng_uniform(&c->s.rng)) * (size > 0 && isfinite(size) ? size : 1);
        analytic += d[i] * c->s.analytic[k][i];
        rounding += fabs(d[i]) * c->s.rounding[k][i];
    }
    tg_subject_line line = {&c->s, k, -1, d};
    return judge(c, &line, analytic, rounding, 1, most);
}

/* ---- one input ---- */

static tg_status judge_directions(tg_check *c, int k, double most) {
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    double *d = tg_subject_memory((size_t)c->s.was[k].numel, sizeof *d);
    for (int i = 0; d && i < c->opts.directions && tg_error_status() == TG_OK; i++) {
        if (!may_go_on(c)) break;
        c->alone++;
        judge_direction(c, k, d, most);
    }
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    return tg_error_status();
}

/* All elements, or so many of n drawn without repeats, in order: each of those to come is taken with the chance that as
 * many of them are still wanted. */
static tg_status judge_elements(tg_check *c, int k, double most) {
    int64_t n = c->s.was[k].numel, wanted = c->opts.samples && c->opts.samples < n ? c->opts.samples : n;
    for (int64_t at = 0; at < n && wanted > 0; at++) {
        if (wanted < n - at && (int64_t)tg_rng_below(&c->s.rng, (uint64_t)(n - at)) >= wanted) continue;
        int64_t i = isfinite(c->opts.seconds) ? tg_check_place(at, n) : at;
        if (!may_go_on(c)) return TG_OK;
        wanted--, c->alone++;
        if (judge_element(c, k, i, most) != TG_OK) return tg_error_status();
    }
    return TG_OK;
}

tg_status tg_check_judge(tg_check *c) {
    c->noisier = 0, c->in_vain = 0;
    for (int k = 0; k < c->s.n_which && tg_error_status() == TG_OK; k++) {
        if (c->s.was[k].numel == 0) continue;
        double most = tg_subject_largest(&c->s.was[k]);
        take_share(c);
        c->opts.directions ? judge_directions(c, k, most) : judge_elements(c, k, most);
    }
    return tg_error_status() == TG_OK ? tg_subject_check_still(&c->s) : tg_error_status();
}
