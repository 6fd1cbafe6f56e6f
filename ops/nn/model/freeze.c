/* Freezing: which parameters of a model require a gradient. */
#include "ops/nn/model/model_private.h"

#include "autograd/tape.h"
#include "core/memory.h"
#include "core/work.h"

#include <fnmatch.h>
#include <string.h>

void tg_model_freezes_free(tg_model_object *m) {
    for (int i = 0; i < m->freezes; i++) tg_dealloc(m->freeze[i].pattern, strlen(m->freeze[i].pattern) + 1);
    tg_dealloc(m->freeze, (size_t)m->freezes * sizeof *m->freeze);
    m->freeze = NULL, m->freezes = 0;
}

void tg_model_freeze_new(tg_model_object *m, const tg_entry *e) {
    const tg_freeze *last = NULL;
    for (int i = 0; i < m->freezes; i++) {
        tg_freeze *f = &m->freeze[i];
        if (fnmatch(f->pattern, e->name, 0) == 0) f->matched = true, last = f;
    }
    if (last) tg_set_requires_grad(e->tensor, last->thaw);
}

tg_status tg_model_check_freezes(const tg_model_object *m, const char *who) {
    for (int i = 0; i < m->freezes; i++)
        if (!m->freeze[i].matched && !m->freeze[i].allow_empty)
            return tg_fail(TG_ERR_ARGUMENT,
                           "%s: the pattern \"%.100s\" of tg_model_freeze matches none of the model's %d parameters "
                           "(.allow_empty says that this is meant)",
                           who, m->freeze[i].pattern, m->store[TG_PARAMETERS].count);
    return TG_OK;
}

/* Puts f behind all others, in place of one of the same pattern. */
static tg_status put(tg_model_object *m, tg_freeze f) {
    for (int i = 0; i < m->freezes; i++) {
        if (strcmp(m->freeze[i].pattern, f.pattern) != 0) continue;
        f.pattern = m->freeze[i].pattern;
        memmove(&m->freeze[i], &m->freeze[i + 1], (size_t)(m->freezes - i - 1) * sizeof f);
        m->freeze[m->freezes - 1] = f;
        return TG_OK;
    }
    const size_t size = strlen(f.pattern) + 1, had = (size_t)m->freezes * sizeof f;
    tg_freeze *more = tg_alloc(had + sizeof f);
    char *copy = tg_alloc(size);
    if (!more || !copy) {
        tg_dealloc(more, had + sizeof f), tg_dealloc(copy, size);
        return tg_fail(TG_ERR_MEMORY, "tg_model_freeze: there is no memory for a pattern");
    }
    if (had) memcpy(more, m->freeze, had);
    tg_dealloc(m->freeze, had);
    f.pattern = memcpy(copy, f.pattern, size);
    more[m->freezes] = f;
    m->freeze = more, m->freezes++;
    return TG_OK;
}

tg_status tg_model_freeze_with(tg_model *model, const char *pattern, tg_model_freeze_opts opts) {
    static const char who[] = "tg_model_freeze";
    TG_NAMED(who);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(who)) return tg_error_status();
    tg_model_object *m = tg_model_object_of(model, who);
    if (!m) return tg_error_status();
    if (!pattern || !*pattern) return tg_fail(TG_ERR_ARGUMENT, "%s: there is no pattern", who);
    const tg_store *params = &m->store[TG_PARAMETERS];
    for (int i = 0; i < params->count; i++)
        if (!tg_is_alive(params->at[i].tensor))
            return tg_fail(TG_ERR_LIFETIME, "%s: %s was freed, but belongs to the model", who,
                           params->at[i].name);
    if (put(m, (tg_freeze){(char *)(uintptr_t)pattern, opts.thaw, opts.allow_empty, false}) != TG_OK)
        return tg_error_status();
    for (int i = 0; i < params->count; i++) {
        tg_model_freeze_new(m, &params->at[i]);
        if (!tg_requires_grad(params->at[i].tensor)) tg_zero_grad(params->at[i].tensor);
    }
    return tg_error_status();
}
