/* Hooks that leave the gradient as it is, whatever else they do: rewind, free, walk, remove themselves, and try to rewind
 * below the walk, which is refused. */
#include "tests/fuzz/programs.h"

static tg_tensor *looks(tg_tensor *grad, void *user) {
    (void)user;
    tg_get(grad, 0);
    return NULL;
}

static tg_tensor *returns_it(tg_tensor *grad, void *user) {
    (void)user;
    return grad;
}

static tg_tensor *copies(tg_tensor *grad, void *user) {
    (void)user;
    return tg_mul_scalar(grad, 1);
}

static tg_tensor *rewinds(tg_tensor *grad, void *user) {
    (void)user;
    tg_mark mark = tg_tape_mark();
    tg_sum(tg_square(grad));
    tg_tape_rewind(mark);
    return NULL;
}

static tg_tensor *rewinds_too_far(tg_tensor *grad, void *user) {
    const tg_mark *mark = user;
    (void)grad;
    tg_tape_rewind(*mark);
    tg_error_clear();
    return NULL;
}

static tg_tensor *frees(tg_tensor *grad, void *user) {
    (void)user;
    tg_tensor *kept = tg_param(tg_square(grad));
    tg_free(kept);
    return NULL;
}

/* A walk of its own, over leaves of its own. */
static tg_tensor *walks(tg_tensor *grad, void *user) {
    (void)user;
    tg_mark mark = tg_tape_mark();
    bool was = tg_set_grad_enabled(true);
    tg_tensor *x = tg_set_requires_grad(tg_detach(grad), true), *g = NULL;
    tg_tensor *y = tg_sum(tg_square(x));
    tg_grad(1, &y, 1, &x, &g, .create_graph = true);
    tg_backward(tg_sum(tg_mul(g, x)));
    tg_set_grad_enabled(was);
    tg_tape_rewind(mark);
    return NULL;
}

static tg_tensor *removes(tg_tensor *grad, void *user) {
    (void)grad;
    tg_remove_hooks(user);
    return NULL;
}

static tg_tensor *removes_itself(tg_tensor *grad, void *user) {
    (void)grad;
    tg_remove_hook(user, removes_itself, user);
    return NULL;
}

void step_hook(run *r) {
    static const tg_hook hooks[] = {looks, returns_it, copies,  rewinds,       rewinds_too_far,
                                    frees, walks,      removes, removes_itself};
    static tg_mark marks[64];
    tg_tensor *t = any_value(r);
    tg_hook hook = hooks[below(r, COUNT(hooks))];
    tg_mark *mark = &marks[below(r, COUNT(marks))];
    *mark = tg_tape_mark();
    if (!tg_requires_grad(t)) return;
    tg_register_hook(t, hook, hook == removes || hook == removes_itself ? (void *)t : (void *)mark);
}
