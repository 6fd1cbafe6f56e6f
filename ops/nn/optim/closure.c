/* Steps with the loss as a function: once for most rules, and for one that searches as often as it asks. */
#include "ops/nn/optim/optim_private.h"

#include "autograd/composed.h"
#include "core/memory.h"
#include "core/work.h"
#include "ops/elementwise/inplace.h"
#include "ops/shape/view.h"

struct tg_optim_closure {
    tg_closure f;
    void *user;
    tg_optim_object *o;
    tg_tensor **param, **grad; /* of the calls, and what tg_grad returns */
};

/* The loss, with its history; the poison tensor with the error raised. */
static tg_tensor *run(tg_closure f, void *user) {
    static const char who[] = "tg_optim_step_closure: the closure";
    char text[160];
    bool recording = tg_set_grad_enabled(true);
    tg_callback c = tg_callback_begin();
    tg_tensor *loss = f(user);
    tg_status status = tg_callback_end(c, tg_error_status(), who);
    tg_set_grad_enabled(recording);
    if (status != TG_OK) return tg_poison();
    if (!loss || tg_is_poison(loss))
        tg_fail(TG_ERR_ARGUMENT, "%s returned no tensor", who);
    else if (tg_numel(loss) != 1)
        tg_fail(TG_ERR_SHAPE, "%s returned %s, which is no scalar", who, tg_describe(loss, text, sizeof text));
    return tg_error_status() == TG_OK ? loss : tg_poison();
}

/* Loss and gradients of a graph that has just been made. */
static tg_status differentiate(tg_optim_search *s, tg_tensor *loss) {
    struct tg_optim_closure *c = s->closure;
    if (tg_error_status() != TG_OK || tg_optim_check_whole(c->o, "tg_optim_step_closure: the closure") != TG_OK)
        return tg_error_status();
    double value = tg_item(loss);
    tg_status status = tg_grad_with(1, &loss, s->n, c->param, c->grad, (tg_grad_opts){.allow_unused = true});
    if (status == TG_OK) status = tg_optim_check_whole(c->o, "tg_optim_step_closure: a hook");
    for (int i = 0; status == TG_OK && i < s->n; i++)
        tg_array_copy(s->calls[i].grad, tg_array_of(c->grad[i]));
    if (status == TG_OK) s->loss = value;
    return tg_error_status();
}

tg_status tg_optim_evaluate(tg_optim_search *s) {
    TG_NAMED("tg_optim_step_closure");
    if (!s || !s->closure) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_evaluate: there is no search");
    if (tg_error_status() != TG_OK) return tg_error_status();
    const tg_optim_object *o = s->closure->o;
    for (int i = 0; i < o->count; i++)
        if (o->at[i].grad) tg_inplace(o->at[i].param, o->rule->name);
    tg_mark before = tg_tape_mark();
    tg_status status = differentiate(s, run(s->closure->f, s->closure->user));
    tg_tape_rewind(before);
    return status;
}

/* Lets the rule search. The parameters are put back where it fails. */
static tg_status search(tg_optim_search *s, tg_tensor **copy) {
    static const char who[] = "tg_optim_step_closure: search";
    tg_optim_object *o = s->closure->o;
    for (int i = 0; i < s->n; i++)
        copy[i] = tg_zeros_like(s->closure->param[i]), tg_copy_(copy[i], s->closure->param[i]);
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int i = 0; i < o->count; i++)
        if (o->at[i].grad) tg_optim_touch(o, &o->at[i]);
    tg_callback c = tg_callback_begin();
    tg_status status = tg_callback_end(c, o->rule->search(s), who);
    for (int i = 0; status != TG_OK && i < s->n; i++)
        if (tg_is_alive(s->closure->param[i])) tg_array_copy(s->calls[i].param, tg_array_of(copy[i]));
    return status;
}

/* The parameters are there by now, for the loss is made of them. */
static tg_status step(tg_optim_object *o, tg_optim_search *s, tg_tensor *loss) {
    s->n = tg_optim_prepare_calls(o, true), s->calls = o->call;
    if (tg_error_status() != TG_OK) return tg_error_status();
    size_t size = 3 * ((size_t)s->n + 1) * sizeof(tg_tensor *);
    tg_tensor **room = tg_alloc(size);
    if (!room)
        return tg_fail(TG_ERR_MEMORY, "tg_optim_step_closure: there is no memory for %d parameters", s->n);
    s->closure->param = room, s->closure->grad = room + s->n;
    for (int i = 0, k = 0; i < o->count; i++)
        if (o->at[i].grad) room[k++] = o->at[i].param;
    if (differentiate(s, loss) == TG_OK) search(s, room + 2 * s->n);
    tg_dealloc(room, size);
    return tg_error_status();
}

static tg_status step_searching(tg_optim_object *o, tg_closure f, void *user, double *value) {
    struct tg_optim_closure closure = {.f = f, .user = user, .o = o};
    tg_optim_search s = {.closure = &closure};
    bool recording = tg_set_grad_enabled(false);
    o->running++;
    tg_tensor *loss = run(f, user);
    if (tg_error_status() == TG_OK) {
        *value = tg_item(loss);
        step(o, &s, loss);
    }
    o->running--;
    for (int i = 0; i < o->count && tg_error_status() == TG_OK; i++)
        if (o->at[i].grad) tg_optim_count(&o->at[i]);
    if (tg_error_status() != TG_OK) tg_optim_undo(o);
    tg_set_grad_enabled(recording);
    return tg_error_status();
}

tg_status tg_optim_step_closure(tg_optim *optim, tg_closure f, void *user, double *loss) {
    TG_COMPOSED("tg_optim_step_closure");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_optim_step_closure")) return tg_error_status();
    tg_optim_object *o = tg_optim_object_idle(optim, "tg_optim_step_closure");
    if (!o) return tg_error_status();
    if (!f) return tg_fail(TG_ERR_ARGUMENT, "tg_optim_step_closure: the closure is NULL");
    double value = 0;
    tg_mark before = tg_tape_mark();
    if (o->rule->search) {
        step_searching(o, f, user, &value);
    } else {
        tg_tensor *t = run(f, user);
        if (tg_error_status() == TG_OK) value = tg_item(t);
        if (tg_backward_with(t, (tg_backward_opts){0}) == TG_OK) tg_optim_step(optim);
    }
    tg_tape_rewind(before);
    if (tg_error_status() == TG_OK && loss) *loss = value;
    return tg_error_status();
}
