/* What the step of a shared plan may not do, since several threads run it at once: change what outlives the run. What it has
 * made itself, in this run, is its own. */
#include "autograd/plan/recorder.h"

void tg_recorder_refuse_shared(const tg_recorder *r, const tg_work *w, const tg_array *const *a) {
    if (w->outside || w->stream)
        tg_recorder_refuse(w->name,
                           w->outside
                               ? "changes what outlives the run, which the step of a shared plan may not do"
                               : "draws from a stream of the program's own, and the step of a shared plan "
                                 "may only use the thread's (without .rng)",
                           NULL);
    for (int i = 0; i < w->n && tg_error_pending == TG_OK; i++) {
        if (!((w->makes | w->changes) >> i & 1) || !a[i]->buffer || tg_recorder_is_young(r, a[i])) continue;
        int found = tg_recorder_find(r, a[i]);
        const tg_memory *m = found >= 0 ? &r->rec->memory[found] : NULL;
        tg_recorder_refuse(w->name, "outlives the run, and the step of a shared plan may not change it",
                           !m                           ? NULL
                           : m->kind == TG_MEMORY_INPUT ? r->in[m->input]
                                                        : m->handle);
    }
}

void tg_recorder_refuse_twice(const tg_recorder *r, const tg_work *w, const tg_array *const *a) {
    for (int i = 0; i < w->n && tg_error_pending == TG_OK; i++) {
        const int found = (w->makes | w->changes) >> i & 1 ? tg_recorder_find(r, a[i]) : -1;
        const tg_memory *m = found >= 0 ? &r->rec->memory[found] : NULL;
        if (m && m->kind == TG_MEMORY_INPUT)
            tg_recorder_refuse(
                w->name, "is an input of the plan, and cannot be changed where two inputs have one memory",
                r->in[m->input]);
    }
}

int tg_recorder_input(const tg_recorder *r, const tg_slot *s) {
    int found = -1;
    for (int i = 0; i < r->rec->n_in; i++)
        if (r->in[i] == tg_handle(s)) found = i;
    return found;
}

/* The gradient of a leaf of the step's own ends with it, and is nobody's. */
tg_status tg_recorder_storing(const tg_slot *s) {
    const tg_recorder *r = tg_recorder_now();
    if (!r || (!s->kept && tg_recorder_input(r, s) < 0)) return TG_OK;
    if (tg_slot_hooks(s))
        return tg_recorder_refuse("tg_backward", "has hooks, which a plan cannot call", tg_handle(s));
    if (!r->shared) return TG_OK;
    return tg_recorder_refuse(
        "tg_backward",
        "would get a gradient, and the step of a shared plan may not store any: tg_grad returns them",
        tg_handle(s));
}
