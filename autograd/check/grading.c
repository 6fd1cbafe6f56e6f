/* What both ways to grade share: the walk in which each contribution is heard alone, and sentences. */
#include "autograd/check/grading.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- beginning and end ---- */

bool tg_grading_begin(tg_grading *g, const char *who, tg_tensor *loss, tg_grade_report *r) {
    *r = (tg_grade_report){.index = -1, .node = -1, .element = -1, .factor = NAN};
    g->who = who, g->r = r, g->outside = tg_rule_running;
    if (tg_error_status() != TG_OK) {
        snprintf(r->message, sizeof r->message, "%s", tg_error_message());
        return false;
    }
    return tg_may_do(who) && tg_tape_get() && (g->loss = tg_slot_of_loss(loss, who)) != NULL;
}

bool tg_grading_end(tg_grading *g) {
    if (tg_error_status() != TG_OK) {
        *g->r = (tg_grade_report){.index = -1, .node = -1, .element = -1, .factor = NAN};
        snprintf(g->r->message, sizeof g->r->message, "%s", tg_error_message());
        tg_error_clear();
    }
    return g->r->ok;
}

/* ---- the walk ---- */

tg_status tg_grading_walk(tg_grading *g) {
    tg_array none = {0};
    return tg_walk_again(&(tg_rewalk){.n = 1, .root = &g->loss}, &g->watcher, &none);
}

/* Not that of a rule which walks for itself, nor one inside a checkpoint. */
bool tg_grading_is_own(const tg_grading *g, const tg_walk *w) {
    return tg_rule_running == g->outside && !w->mode.record;
}

/* The walk's scratch memory is not for these: adjoints are made in it meanwhile. */
tg_array *tg_grading_arrays(int n) {
    const size_t bytes = (size_t)n * sizeof(tg_array);
    tg_array *a = tg_sys_alloc(bytes);
    if (!a) return tg_fail_memory(bytes), NULL;
    return memset(a, 0, bytes);
}

void tg_grading_drop(tg_array *a, int n) {
    for (int i = 0; a && i < n; i++) tg_array_drop(&a[i]);
    tg_sys_free(a, (size_t)n * sizeof(tg_array));
}

/* While somebody else sees an adjoint no kernel adds to it, but writes what it has to give elsewhere. */
tg_status tg_grading_hear(tg_grading *g, tg_walk *w, tg_node *node, tg_adjoint *adjoints, tg_hear *hear) {
    tg_array *held = tg_grading_arrays(node->n_in);
    if (!held) return tg_error_status();
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *s = tg_walk_needed(w, node, i);
        const tg_adjoint *a = s ? tg_walk_find_adjoint(w, s) : NULL;
        if (a && a->value.data) tg_array_share(&held[i], &a->value);
    }
    w->hear = hear, w->hearer = g, w->look = &g->look;
    const tg_status s = tg_step_plain(w, node, adjoints);
    w->hear = NULL, w->hearer = NULL, w->look = NULL;
    tg_grading_drop(held, node->n_in);
    return s;
}

double tg_grading_largest(const tg_array *a) {
    double most = 0;
    for (int64_t i = 0; a->data && i < a->numel; i++) most = fmax(most, fabs(tg_array_get(a, i)));
    return most;
}

/* ---- in words ---- */

void tg_grading_write_node(FILE *file, const tg_node *node) {
    const tg_slot *s = tg_slot_peek(node->out[0]);
    const tg_maker *m = s ? tg_slot_maker(s) : NULL;
    fprintf(file, "#%" PRId32 " %s", node->id, node->op->name);
    if (m && m->file) fprintf(file, " (%.100s:%d)", tg_base_name(m->file), m->line);
}

/* What differences say beside the number that should be there. */
static void write_evidence(FILE *file, const tg_evidence *e) {
    if (e->verdict == TG_CORRECT)
        fprintf(file, " (by differences %.6g +- %.1g)", e->numeric, e->error);
    else if (e->verdict == TG_KINK)
        fprintf(file, " (at a kink: its slopes are %.6g and %.6g)", e->left, e->right);
    else if (e->verdict == TG_WRONG)
        fprintf(file, " (but differences say %.6g +- %.1g: is the rule of that op right? tg_gradcheck tells)",
                e->numeric, e->error);
}

static void write_numbers(FILE *file, const tg_seen *right, const tg_slip_found *f) {
    const bool said = f->slip == TG_SLIP_SIGN || f->slip == TG_SLIP_COUNT || f->slip == TG_SLIP_FACTOR;
    if (right->sum.numel > 1) {
        fputs(". First at ", file), tg_write_position(file, &right->sum, f->element), fputs(": ", file);
    } else {
        fputs(". It is ", file);
    }
    fprintf(file, "%.6g instead of %.6g", f->given, f->right);
    if (!said && isfinite(f->factor) && f->factor != 0)
        fputs(", ", file), tg_slip_write_times(file, f->factor), fputs(" that", file);
}

void tg_grading_tell(FILE *file, tg_grading *g, const tg_seen *right, const tg_array *given,
                     const tg_slip_found *f, const tg_replay *replay) {
    tg_grade_report *r = g->r;
    tg_evidence e = {.verdict = TG_NO_VERDICT};
    r->slip = f->slip, r->element = f->element;
    r->given = f->given, r->right = f->right, r->factor = f->factor, r->all = f->all;
    tg_slip_write(file, right, given, f);
    if (f->element >= 0) {
        write_numbers(file, right, f);
        tg_replay_judge(replay, f->right, &e);
        write_evidence(file, &e);
    }
    r->verdict = e.verdict, r->numeric = e.numeric, r->error = e.error;
    fputc('.', file);
}
