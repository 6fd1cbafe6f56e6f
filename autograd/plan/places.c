/* The lines of the program at which calls were made. */
#include "autograd/plan/recorder.h"

/* For calls that have no tensor to tell. */
void tg_recorder_placed(tg_listener *l, const char *file, int line) {
    tg_recorder *r = (tg_recorder *)(void *)l;
    for (int64_t i = r->placed; i < r->rec->n_calls && !r->compares; i++)
        r->rec->call[i].file = file, r->rec->call[i].line = line;
    r->placed = r->rec->n_calls;
}

/* What the walk does with the results of a rule is at the rule's place. Where nothing differs from the run
 * before, all places are known. */
void tg_recorder_note_places(const tg_recorder *r) {
    const tg_plan_call *rule = NULL;
    for (int64_t i = 0; i < r->rec->n_calls && !r->compares; i++) {
        tg_plan_call *c = &r->rec->call[i];
        const tg_slot *s = tg_slot_peek(r->made[i]);
        const tg_maker *m = s ? tg_slot_maker(s) : NULL;
        if (m && m->file) c->file = m->file, c->line = m->line;
        if (c->kind == TG_CALL_GRADIENT) rule = c;
        if (c->kind == TG_CALL_WORK && c->backward && rule) c->file = rule->file, c->line = rule->line;
    }
}
