#include "core/work.h"
#include "ops/nn/model/model_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PREFIX = 257 }; /* 255 characters, a dot and the NUL */

/* The scope of this prefix, made on the first call. */
static tg_model *scope_of(tg_model_object *m, const char *prefix) {
    static const char who[] = "nn_scope";
    const int at = tg_store_find(&m->scopes, prefix, tg_name_hash(prefix));
    if (at >= 0) return (tg_model *)m->scopes.at[at].tensor;
    if (tg_error_status() != TG_OK) return NULL;
    tg_entry e = tg_entry_new(NULL, prefix);
    if (!e.name || !tg_store_reserve(&m->scopes, 1)) {
        tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the scope %s", who, prefix);
        tg_entry_free(&e);
        return NULL;
    }
    tg_listener *l = tg_listen_not(); /* a scope is made once */
    tg_model *scope = tg_model_object_new(m->whole, prefix, who);
    tg_listen_again(l);
    e.tensor = (tg_tensor *)scope;
    if (scope)
        tg_store_add(&m->scopes, e);
    else
        tg_entry_free(&e);
    return scope;
}

tg_model *tg_nn_scope(tg_model *model, const char *format, ...) {
    TG_NAMED("nn_scope");
    const char *outer;
    tg_model_object *m = tg_model_scope_of(model, &outer, "nn_scope");
    if (!m || !format) {
        if (m) tg_fail(TG_ERR_ARGUMENT, "nn_scope: the name is NULL");
        return NULL;
    }
    char text[PREFIX], prefix[PREFIX];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n <= 0) {
        tg_fail(TG_ERR_ARGUMENT, "nn_scope: a scope needs a name");
        return NULL;
    }
    if (n >= PREFIX || snprintf(prefix, sizeof prefix, "%s%s.", outer, text) >= PREFIX) {
        tg_fail(TG_ERR_ARGUMENT, "nn_scope: the name %.40s%.40s.. is longer than 255 characters", outer, text);
        return NULL;
    }
    return scope_of(m, prefix);
}
