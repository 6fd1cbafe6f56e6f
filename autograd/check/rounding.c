/* What rounding does to the function checked and to its derivatives: both are computed again where all inputs are some units in the last
 * place off. */
#include "autograd/check/subject.h"

#include <math.h>

/* Element x moved by up to eight units in the last place, in the direction of the sign; 0: in either. */
static double nudged(tg_subject *s, double x, double sign) {
    double ulps = 1 + (double)tg_rng_below(&s->rng, 8);
    if (sign == 0) sign = tg_rng_uniform(&s->rng) < 0.5 ? -1 : 1;
    return x + sign * ulps * 0x1p-52 * fabs(x);
}

static void nudge_inputs(tg_subject *s, double sign) {
    for (int k = 0; k < s->n_which; k++) {
        const tg_array *a = tg_array_of(s->in[s->which[k]]);
        for (int64_t i = 0; a && i < a->numel; i++)
            tg_array_set(a, i, nudged(s, tg_array_get(&s->was[k], i), sign));
    }
}

/* All inputs up or down, and the weights of the projections either way: no more than rounding itself does. */
static void nudge(tg_subject *s, double sign) {
    nudge_inputs(s, sign);
    const tg_array *p = tg_array_of(s->p);
    for (int64_t i = 0; p && i < p->numel; i++) tg_array_set(p, i, nudged(s, tg_array_get(p, i), 0));
}

static void put_inputs_back(tg_subject *s) {
    for (int k = 0; k < s->n_which; k++) {
        const tg_array *a = tg_array_of(s->in[s->which[k]]);
        if (a) tg_array_copy(a, &s->was[k]);
    }
}

static double scale_of(const tg_array *a) {
    double most = tg_subject_largest(a);
    return most > 0 && isfinite(most) ? most : 1;
}

/* The derivatives where all elements are some units in the last place higher, twice, and lower, twice: what they differ by is
 * the rounding inside the rules. The lesser of up and down counts, since one of them may cross a kink that an input is at;
 * and none that is large beside what a derivative of that order of such an f can be, as a tie that is broken is. */
static tg_status measure_rounding(tg_subject *s, double **other, double **high) {
    tg_status status = TG_OK;
    for (int k = 0; k < s->n_which; k++)
        for (int64_t i = 0; i < s->was[k].numel; i++) high[k][i] = s->rounding[k][i] = 0;
    for (int turn = 0; turn < 4 && status == TG_OK; turn++) {
        nudge(s, turn < 2 ? 1 : -1);
        double moved = fabs(tg_subject_value(s));
        if (isfinite(moved)) s->jitter = fmax(s->jitter, moved);
        status = tg_error_status() == TG_OK ? tg_subject_derivatives(s, other) : tg_error_status();
        for (int k = 0; status == TG_OK && k < s->n_which; k++)
            for (int64_t i = 0; i < s->was[k].numel; i++) {
                double *most = turn < 2 ? &high[k][i] : &s->rounding[k][i];
                *most = fmax(*most, fabs(other[k][i] - s->analytic[k][i]));
            }
    }
    put_inputs_back(s);
    for (int k = 0; k < s->n_which; k++) {
        double scale = scale_of(&s->was[k]),
               limit = 1e-10 * (s->natural + s->weights * scale) / pow(scale, s->order);
        for (int64_t i = 0; i < s->was[k].numel; i++) {
            double least = fmin(s->rounding[k][i], high[k][i]);
            s->rounding[k][i] = least <= limit ? 2 * least : 0;
        }
    }
    return status;
}

/* The weights are moved with the inputs, and put back. */
tg_status tg_subject_find_rounding(tg_subject *s) {
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    double **other = tg_subject_memory((size_t)s->n_which, sizeof *other);
    double **high = tg_subject_memory((size_t)s->n_which, sizeof *high);
    for (int k = 0; other && high && k < s->n_which; k++) {
        other[k] = tg_subject_memory((size_t)s->was[k].numel, sizeof **other);
        high[k] = tg_subject_memory((size_t)s->was[k].numel, sizeof **high);
    }
    const tg_array *p = tg_array_of(s->p);
    tg_array was = {0};
    if (p && tg_array_alloc_like(&was, p) == TG_OK) {
        tg_array_copy(&was, p);
        if (tg_error_status() == TG_OK) measure_rounding(s, other, high);
        tg_array_copy(p, &was);
    }
    tg_array_drop(&was);
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    return tg_error_status();
}

double tg_subject_jitter(tg_subject *s) {
    double most = 0;
    for (int turn = 0; turn < 2 && tg_error_status() == TG_OK; turn++) {
        nudge_inputs(s, turn ? -1 : 1);
        double moved = fabs(tg_subject_value(s));
        if (isfinite(moved)) most = fmax(most, moved);
    }
    put_inputs_back(s);
    return most;
}
