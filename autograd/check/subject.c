/* The function checked, along lines through its inputs. */
#include "autograd/check/subject.h"
#include "autograd/check/tally.h"
#include "core/work.h"

#include <math.h>
#include <string.h>

void *tg_subject_memory(size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&tg_tape_get()->scratch, bytes) : NULL;
    if (!p) tg_fail_memory(n * size);
    return p;
}

tg_tensor *tg_subject_random(tg_subject *s, tg_shape shape) {
    tg_tensor *v = tg_zeros_with(TG_F64, shape);
    const tg_array *a = tg_is_poison(v) ? NULL : tg_array_of(v);
    for (int64_t i = 0; a && i < a->numel; i++) tg_array_set(a, i, tg_check_signed(tg_rng_uniform(&s->rng)));
    return v;
}

double tg_subject_largest(const tg_array *a) {
    double most = 0;
    for (int64_t i = 0; i < a->numel; i++) most = fmax(most, fabs(tg_array_get(a, i)));
    return most;
}

/* ---- the inputs ---- */

static bool shares_memory(const tg_subject *s, tg_tensor *const *in, int i, const tg_array *a) {
    for (int j = 0; j < s->n; j++) {
        const tg_slot *other = tg_slot_peek(in[j]);
        if (in[j] != in[i] && other && other->a.buffer == a->buffer) return true;
    }
    return false;
}

/* The input as f is given it: itself, so that a function which reaches it by another way than `in`, as a network its
 * parameters, is checked all the same. What has a history, what repeats elements or shares them with another input, what
 * comes again, and what may only be read, is copied. */
static tg_tensor *leaf_of(const tg_subject *s, tg_tensor *const *in, int i) {
    const tg_slot *slot = tg_slot_with_data(in[i], s->who);
    if (!slot) return tg_poison();
    bool itself = !slot->node && tg_array_visits_once(&slot->a) && !shares_memory(s, in, i, &slot->a);
    itself = itself && !(slot->a.buffer && slot->a.buffer->read_only);
    for (int j = 0; j < i; j++) itself = itself && in[j] != in[i];
    if (itself) return in[i];
    tg_tensor *copy = tg_zeros_with(TG_F64, tg_array_shape(&slot->a));
    if (!tg_is_poison(copy)) tg_array_copy(tg_array_of(copy), &slot->a);
    return tg_set_requires_grad(copy, true);
}

static tg_status make_tables(tg_subject *s) {
    size_t n = (size_t)s->n;
    s->in = tg_subject_memory(n, sizeof *s->in);
    s->which = tg_subject_memory(n, sizeof *s->which);
    s->was = tg_subject_memory(n, sizeof *s->was);
    s->analytic = tg_subject_memory(n, sizeof *s->analytic);
    s->rounding = tg_subject_memory(n, sizeof *s->rounding);
    s->kept = tg_subject_memory(n, sizeof *s->kept);
    s->unused = tg_subject_memory(n, sizeof *s->unused);
    for (int k = 0; k < TG_MAX_ORDER; k++) s->v[k] = tg_subject_memory(n, sizeof *s->v[k]);
    return tg_error_status();
}

/* Input number i requires a gradient. */
static tg_status add_checked(tg_subject *s, tg_tensor *const *in, int i, const tg_slot *slot) {
    if (slot->a.dtype != TG_F64)
        return tg_fail(TG_ERR_DTYPE, "%s: input %d is %s; it must be f64 (tg_to makes it so)", s->who, i,
                       tg_dtype_name((tg_dtype)slot->a.dtype));
    s->in[i] = leaf_of(s, in, i);
    const tg_array *a = tg_is_poison(s->in[i]) ? NULL : tg_array_of(s->in[i]);
    tg_array copy = {0};
    if (!a || tg_array_alloc_like(&copy, a) != TG_OK) return tg_error_status();
    tg_array_copy(&copy, a);
    s->unused[s->n_which] = false;
    s->analytic[s->n_which] = tg_subject_memory((size_t)a->numel, sizeof(double));
    s->rounding[s->n_which] = tg_subject_memory((size_t)a->numel, sizeof(double));
    s->was[s->n_which] = copy;
    s->which[s->n_which++] = i;
    return tg_error_status();
}

tg_status tg_subject_begin(tg_subject *s, tg_tensor *const *in) {
    if (make_tables(s) != TG_OK) return tg_error_status();
    for (int i = 0; i < s->n; i++) {
        const tg_slot *slot = tg_slot_of_input(in[i], s->who, i);
        if (!slot) return tg_error_status();
        s->in[i] = in[i];
        if (slot->requires_grad && add_checked(s, in, i, slot) != TG_OK) return tg_error_status();
    }
    return tg_error_status();
}

static bool is_as_it_was(const tg_array *a, const tg_array *was) {
    for (int64_t i = 0; i < a->numel; i++) {
        double x = tg_array_get(a, i), y = tg_array_get(was, i);
        if (memcmp(&x, &y, sizeof x) != 0) return false;
    }
    return true;
}

void tg_subject_end(tg_subject *s) {
    for (int k = 0; k < s->n_which; k++) {
        const tg_slot *slot = tg_slot_peek(s->in[s->which[k]]);
        bool same_shape =
            slot && slot->a.data && tg_shape_equal(tg_array_shape(&slot->a), tg_array_shape(&s->was[k]));
        if (same_shape && !is_as_it_was(&slot->a, &s->was[k])) tg_array_copy(&slot->a, &s->was[k]);
        tg_array_drop(&s->was[k]);
    }
}

/* ---- values ---- */

static tg_tensor *output(tg_subject *s) {
    tg_callback inside = tg_callback_begin();
    tg_tensor *y = s->f(s->in, s->user);
    s->evaluations++;
    tg_slot *slot =
        tg_callback_end(inside, tg_error_status(), s->who) == TG_OK ? tg_callback_result(y, s->who) : NULL;
    if (slot && slot->a.dtype != TG_F64)
        tg_fail(TG_ERR_DTYPE, "%s: the function returned %s; it must compute in f64", s->who,
                tg_dtype_name((tg_dtype)slot->a.dtype));
    if (slot && s->p && !tg_shape_equal(tg_array_shape(&slot->a), tg_shape_of(s->p))) {
        char now[128], then[128];
        tg_fail(TG_ERR_SHAPE, "%s: the function returned %s, and %s before", s->who,
                tg_shape_text(tg_array_shape(&slot->a), now, sizeof now),
                tg_shape_text(tg_shape_of(s->p), then, sizeof then));
    }
    return tg_error_status() == TG_OK ? y : tg_poison();
}

/* p . (y - base), where base is NULL p . y. Elements that did not move count for nothing, be they infinite. */
static double project(tg_subject *s, const tg_tensor *p, const tg_tensor *y, const tg_tensor *base) {
    const tg_array *a[3] = {tg_array_of(p), tg_array_of(y), base ? tg_array_of(base) : NULL};
    if (!a[0] || !a[1] || a[0]->numel != a[1]->numel) return NAN;
    const double *x = tg_array_is_contiguous(a[1]) ? a[1]->data : NULL, *was = a[2] ? a[2]->data : NULL;
    double *weight = a[0]->data;
    double sum = 0; /* most of the time goes here: projections and bases are contiguous */
    for (int64_t i = 0; i < a[1]->numel; i++) {
        double now = x ? x[i] : tg_array_get(a[1], i);
        double size = fabs(weight[i] * now);
        bool moved = !was || now != was[i];
        if (moved) sum += weight[i] * (was ? now - was[i] : now);
        if (moved) s->moved_size += size;
        if (!moved && isfinite(size)) s->still_size += size;
        if (!moved && s->mutes) weight[i] = 0;
    }
    return sum;
}

/* The gradients of order `times`, for each of `which`; g has room for as many inputs besides. The last of them can be
 * differentiated again where it is `again`. */
static tg_status gradients(tg_subject *s, int times, bool again, tg_tensor **g) {
    tg_tensor *y = output(s), **x = g + s->n_which;
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_requires_grad(y) && !s->may_stand_alone)
        return tg_fail(TG_ERR_TAPE, "%s: the result does not depend on any input by recorded ops", s->who);
    for (int k = 0; k < s->n_which; k++) x[k] = s->in[s->which[k]];
    tg_status status =
        tg_grad_for((tg_grad_caller){.who = s->who, .unused = s->unused}, 1, &y, s->n_which, x, g,
                    (tg_grad_opts){.seeds = &s->p, .create_graph = again || times > 1, .allow_unused = true});
    for (int k = 1; status == TG_OK && k < times; k++) { /* gradients that are constant have no history */
        tg_tensor **of = x + s->n_which;
        memcpy(of, g, (size_t)s->n_which * sizeof *of);
        status = tg_grad_for(
            (tg_grad_caller){.who = s->who}, s->n_which, of, s->n_which, x, g,
            (tg_grad_opts){.seeds = s->v[k], .create_graph = again || k + 1 < times, .allow_unused = true});
    }
    return status;
}

/* What is projected: y, or the gradients of the order before. g has room for three times as many inputs. */
static tg_status projected(tg_subject *s, tg_tensor **g) {
    if (s->order > 1) return gradients(s, s->order - 1, false, g);
    bool was = tg_set_grad_enabled(s->records);
    g[0] = output(s);
    if (tg_error_status() == TG_ERR_TAPE && !s->records) {
        tg_error_clear();
        tg_set_grad_enabled(s->records = true);
        g[0] = output(s);
    }
    tg_set_grad_enabled(was);
    return tg_error_status();
}

static int n_projected(const tg_subject *s) { return s->order > 1 ? s->n_which : 1; }

double tg_subject_value(tg_subject *s) {
    tg_mark mark = tg_tape_mark();
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    tg_tensor **g = tg_subject_memory((size_t)s->n_which * 3, sizeof *g);
    double value = 0;
    s->moved_size = s->still_size = 0;
    if (g && projected(s, g) == TG_OK)
        for (int k = 0; k < n_projected(s); k++)
            value += project(s, s->order > 1 ? s->v[s->order - 1][k] : s->p, g[k], s->base ? s->base[k] : NULL);
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    tg_tape_rewind(mark);
    return tg_error_status() == TG_OK ? value : NAN;
}

bool tg_subject_is_single(const tg_subject *s) {
    for (int k = 0; s->base && k < n_projected(s); k++) {
        const tg_array *a = tg_array_of(s->base[k]);
        for (int64_t i = 0; a && i < a->numel; i++)
            if (tg_array_get(a, i) != (double)(float)tg_array_get(a, i)) return false;
    }
    return true;
}

static void find_odd(tg_subject *s, const tg_array *y) {
    s->odd_element = -1;
    if (y) s->result = tg_array_shape(y);
    for (int64_t i = 0; y && i < y->numel && s->odd_element < 0; i++) {
        s->odd_value = tg_array_get(y, i);
        if (!isfinite(s->odd_value)) s->odd_element = i;
    }
}

/* Copies of what is projected, on the tape from here on. */
static tg_status keep_base(tg_subject *s) {
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    tg_tensor **g = tg_subject_memory((size_t)s->n_which * 3, sizeof *g);
    if (g && projected(s, g) == TG_OK)
        for (int k = 0; k < n_projected(s) && tg_error_status() == TG_OK; k++) {
            const tg_array *a = tg_array_of(g[k]);
            tg_tensor *copy = a ? tg_zeros_with(TG_F64, tg_array_shape(a)) : tg_poison();
            if (!tg_is_poison(copy)) tg_array_copy(tg_array_of(copy), a);
            s->kept[k] = copy;
        }
    if (s->order == 1 && tg_error_status() == TG_OK) find_odd(s, tg_array_of(s->kept[0]));
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    s->base = tg_error_status() == TG_OK ? s->kept : NULL;
    return tg_error_status();
}

/* ---- derivatives ---- */

static tg_status check_unchanged(const tg_subject *s) {
    for (int k = 0; k < s->n_which && tg_error_status() == TG_OK; k++) {
        const tg_array *a = tg_array_of(s->in[s->which[k]]);
        if (a && !is_as_it_was(a, &s->was[k]))
            return tg_fail(TG_ERR_ARGUMENT, "%s: the function changes input %d", s->who, s->which[k]);
    }
    return tg_error_status();
}

static tg_status check_same_value(tg_subject *s) {
    s->base = NULL;
    double first = tg_subject_value(s), second = tg_error_status() == TG_OK ? tg_subject_value(s) : NAN;
    if (s->order == 1) s->natural = s->moved_size;
    s->weights = 0;
    for (int64_t i = 0, n = tg_numel(s->p); i < n; i++) s->weights += fabs(tg_get(s->p, i));
    if (tg_error_status() != TG_OK || memcmp(&first, &second, sizeof first) == 0 ||
        (isnan(first) && isnan(second)))
        return tg_error_status();
    return tg_fail(
        TG_ERR_ARGUMENT,
        "%s: the function is not deterministic, as a model with dropout in training is: called twice, the sum of its result "
        "with random weights is %.17g and %.17g, %.3g apart",
        s->who, first, second, fabs(second - first));
}

tg_status tg_subject_check_still(tg_subject *s) {
    tg_subject_value(s);
    if (tg_error_status() != TG_OK || !(s->moved_size > 0)) return tg_error_status();
    return tg_fail(
        TG_ERR_ARGUMENT,
        "%s: the function is not deterministic: at the end of the check it does not give at its inputs what it "
        "gave at the beginning; it counts its calls, or keeps something of them",
        s->who);
}

tg_status tg_subject_derivatives(tg_subject *s, double *const *to) {
    tg_mark mark = tg_tape_mark();
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    tg_tensor **g = tg_subject_memory((size_t)s->n_which * 3, sizeof *g);
    tg_status status = g ? gradients(s, s->order, false, g) : tg_error_status();
    for (int k = 0; status == TG_OK && k < s->n_which; k++)
        status = tg_copy_out(g[k], to[k], (size_t)tg_numel(g[k]) * sizeof(double));
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    tg_tape_rewind(mark);
    return status;
}

tg_status tg_subject_derive(tg_subject *s, int order) {
    s->order = order;
    s->p = NULL;
    s->base = NULL;
    s->jitter = 0;
    tg_tensor *y = output(s);
    if (tg_error_status() != TG_OK || check_unchanged(s) != TG_OK) return tg_error_status();
    s->p = tg_subject_random(s, tg_shape_of(y));
    for (int k = 1; k < order; k++)
        for (int i = 0; i < s->n_which; i++)
            s->v[k][i] = tg_subject_random(s, tg_shape_of(s->in[s->which[i]]));
    tg_status status = tg_subject_derivatives(s, s->analytic);
    if (status == TG_OK) status = check_same_value(s);
    if (status == TG_OK) status = keep_base(s);
    return status == TG_OK ? tg_subject_find_rounding(s) : status;
}

int tg_subject_idle(const tg_subject *s, const bool *moved) {
    for (int k = 0; k < s->n_which; k++)
        if (s->unused[k] && !moved[k] && s->was[k].numel > 0) return k;
    return -1;
}

/* ---- lines ---- */

/* *t is a step that the elements have in fact been moved by: of one element what rounding made of it, of a direction the step
 * itself, whose rounding differs from element to element. */
double tg_subject_on_line(double *t, void *of) {
    const tg_subject_line *line = of;
    tg_subject *s = line->subject;
    const tg_array *was = &s->was[line->k],
                   *a = tg_error_status() == TG_OK ? tg_array_of(s->in[s->which[line->k]]) : NULL;
    if (!a) return NAN;
    tg_array x = {0}; /* a reference of its own, as f may free the input */
    tg_array_share(&x, a);
    if (line->d) {
        for (int64_t i = 0; i < x.numel; i++) tg_array_set(&x, i, tg_array_get(was, i) + *t * line->d[i]);
    } else {
        double from = tg_array_get(was, line->element), to = from + *t;
        tg_array_set(&x, line->element, to);
        *t = to - from;
    }
    double value = tg_subject_value(s);
    if (tg_error_status() == TG_ERR_ARGUMENT && *t != 0) tg_error_clear();
    if (line->d)
        tg_array_copy(&x, was);
    else
        tg_array_set(&x, line->element, tg_array_get(was, line->element));
    tg_array_drop(&x);
    return value;
}
