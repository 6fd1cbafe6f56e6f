/* What an element does to outputs that are small beside others: those that do not move are left out, with what the tape claims of
 * them. exp(x) at -20 and 20 is such a case: beside e^20 no change of e^-20 would count. */
#include "autograd/check/subject.h"

static tg_tensor *weights_of(tg_subject *s, int i) { return s->order > 1 ? s->v[s->order - 1][i] : s->p; }

static tg_status keep_weights(tg_subject *s, tg_muted *m) {
    m->n = 0;
    m->was = tg_subject_memory((size_t)s->n_which, sizeof *m->was);
    for (int n = s->order > 1 ? s->n_which : 1; m->was && m->n < n && tg_error_status() == TG_OK; m->n++) {
        const tg_array *w = tg_array_of(weights_of(s, m->n));
        m->was[m->n] = (tg_array){0};
        if (w && tg_array_alloc_like(&m->was[m->n], w) == TG_OK) tg_array_copy(&m->was[m->n], w);
    }
    return tg_error_status();
}

void tg_subject_unmute(tg_subject *s, tg_muted *m) {
    for (int i = 0; i < m->n; i++) {
        const tg_array *w = m->was[i].data && tg_error_status() == TG_OK ? tg_array_of(weights_of(s, i)) : NULL;
        if (w) tg_array_copy(w, &m->was[i]);
        tg_array_drop(&m->was[i]);
    }
    m->n = 0;
}

static double along(const tg_subject_line *line, const double *derivative, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; line->d && i < n; i++) sum += line->d[i] * derivative[i];
    return line->d ? sum : derivative[line->element];
}

static tg_status claim(tg_subject *s, const tg_subject_line *line, double *analytic) {
    tg_arena_mark scratch = tg_arena_get_mark(&tg_tape_get()->scratch);
    double **to = tg_subject_memory((size_t)s->n_which, sizeof *to);
    for (int k = 0; to && k < s->n_which; k++)
        to[k] = tg_subject_memory((size_t)s->was[k].numel, sizeof **to);
    if (tg_error_status() == TG_OK && tg_subject_derivatives(s, to) == TG_OK)
        *analytic = along(line, to[line->k], s->was[line->k].numel);
    tg_arena_rewind(&tg_tape_get()->scratch, scratch);
    return tg_error_status();
}

tg_status tg_subject_mute(tg_subject *s, tg_subject_line *line, double t, double *analytic, tg_muted *m) {
    if (keep_weights(s, m) != TG_OK) return tg_error_status();
    s->mutes = true;
    tg_subject_on_line(&t, line);
    s->mutes = false;
    return tg_error_status() == TG_OK ? claim(s, line, analytic) : tg_error_status();
}
