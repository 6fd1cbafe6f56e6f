/* Gradient checking: options, and the orders one after the other. */
#include "autograd/check/check.h"
#include "core/span.h"
#include "core/work.h"

#include <math.h>
#include <string.h>

static const char who[] = "tg_gradcheck";

/* 0 stands for the default, TG_ZERO for 0; what no check can work with is refused. */
static tg_status read_number(double *option, double otherwise, const char *name) {
    if (!(*option >= 0 && isfinite(*option)))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .%s is %g; it must be positive, or 0 for %g", who, name, *option,
                       otherwise);
    *option = tg_option(*option, otherwise);
    return TG_OK;
}

static tg_status read_counts(tg_gradcheck_opts *o) {
    if (o->projections < 0 || o->order < 0 || o->order > TG_MAX_ORDER)
        return tg_fail(
            TG_ERR_ARGUMENT,
            "%s: .projections is %d and .order is %d; .projections must be positive, or 0 for the default, "
            "and .order 1 to %d, or 0 for 1",
            who, o->projections, o->order, TG_MAX_ORDER);
    if (o->samples < 0 || o->directions < 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: .samples is %lld and .directions is %d; neither may be negative",
                       who, (long long)o->samples, o->directions);
    if (o->samples && o->directions)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: .samples are of elements, and .directions take their place: give one", who);
    if (o->projections == 0) o->projections = o->tolerances ? 2 : 1;
    if (o->order == 0) o->order = 1;
    return TG_OK;
}

static tg_status read_tolerances(tg_gradcheck_opts *o) {
    if (!o->tolerances && (o->eps != 0 || o->atol != 0 || signbit(o->eps) || signbit(o->atol)))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .eps and .atol are options of .tolerances = true", who);
    if (o->tolerances && (o->samples || o->directions || o->full))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .samples, .directions and .full are no options of .tolerances",
                       who);
    tg_status s = read_number(&o->eps, 1e-6, "eps");
    if (s == TG_OK && o->eps == 0)
        s = tg_fail(TG_ERR_ARGUMENT, "%s: .eps is 0; the step of a difference must be positive", who);
    if (s == TG_OK) s = read_number(&o->atol, 1e-5, "atol");
    return s == TG_OK ? read_number(&o->rtol, o->tolerances ? 1e-3 : 1e-6, "rtol") : s;
}

static tg_status read_options(tg_check *c) {
    tg_gradcheck_opts *o = &c->opts;
    if (!c->s.f || !c->given || c->s.n < 1)
        return tg_fail(TG_ERR_ARGUMENT, "%s: a function and at least one input must be given", who);
    if (!(o->seconds >= 0))
        return tg_fail(TG_ERR_ARGUMENT, "%s: .seconds is %g; it must be positive, or 0 for no limit", who,
                       o->seconds);
    o->seconds = tg_option(o->seconds, INFINITY);
    tg_status s = read_counts(o);
    return s == TG_OK ? read_tolerances(o) : s;
}

static int64_t derivatives_of_order(const tg_check *c) {
    int64_t all = 0;
    for (int k = 0; k < c->s.n_which; k++) {
        int64_t n = c->s.was[k].numel, some = c->opts.samples;
        all += n == 0 ? 0 : c->opts.directions ? c->opts.directions : some && some < n ? some : n;
    }
    return all * c->opts.projections;
}

static tg_status begin(tg_check *c) {
    tg_status s = read_options(c);
    if (s == TG_OK) s = tg_subject_begin(&c->s, c->given);
    if (s != TG_OK) return s;
    c->input = tg_subject_memory((size_t)c->s.n_which, sizeof *c->input);
    c->moved = tg_subject_memory((size_t)c->s.n_which, sizeof *c->moved);
    if (tg_error_status() != TG_OK) return tg_error_status();
    memset(c->input, 0, (size_t)c->s.n_which * sizeof *c->input);
    memset(c->moved, 0, (size_t)c->s.n_which * sizeof *c->moved);
    c->all = derivatives_of_order(c) * c->opts.order;
    c->shares = (int64_t)c->s.n_which * c->opts.order * c->opts.projections;
    c->s.may_stand_alone = c->opts.allow_zero;
    return TG_OK;
}

static tg_status run_order(tg_check *c, int order) {
    tg_mark mark = tg_tape_mark();
    for (int k = 0; k < c->opts.projections && tg_error_status() == TG_OK && !c->stopped; k++) {
        if (tg_subject_derive(&c->s, order) == TG_OK)
            c->opts.tolerances ? tg_check_compare(c) : tg_check_judge(c);
        tg_tape_rewind(mark);
    }
    return tg_error_status();
}

static void run(tg_check *c, tg_tape *tape) {
    bool was = tg_set_grad_enabled(true);
    tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
    tg_mark mark = tg_tape_mark();
    c->began = tg_span_now();
    tg_status s = begin(c);
    for (int order = 1; s == TG_OK && c->s.n_which && order <= c->opts.order && !c->stopped; order++)
        s = run_order(c, order);
    if (s == TG_OK && c->opts.progress && !c->stopped && c->r->compared > 0)
        c->opts.progress(c->r->compared, c->all, c->opts.progress_user);
    tg_tape_rewind(mark);
    tg_check_conclude(c);
    tg_subject_end(&c->s);
    tg_tape_rewind(mark);
    tg_arena_rewind(&tape->scratch, scratch);
    tg_set_grad_enabled(was);
}

bool tg_gradcheck_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                       tg_gradcheck_report *report, tg_gradcheck_opts opts) {
    tg_gradcheck_report none;
    tg_check c = {.s = {.who = who, .f = f, .user = user, .n = n, .rng = {.seed = opts.seed}},
                  .opts = opts,
                  .given = in,
                  .r = report ? report : &none};
    *c.r = (tg_gradcheck_report){.input = -1, .element = -1};
    bool pending = tg_error_status() != TG_OK;
    tg_tape *tape = pending ? NULL : tg_tape_get();
    if (tape && tg_may_do(who))
        run(&c, tape);
    else
        tg_check_conclude(&c);
    if (!pending) tg_error_clear();
    return c.r->ok;
}
