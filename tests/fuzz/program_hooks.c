/* Hooks that leave the gradient as it is, whatever else they do: rewind, free and walk. */
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

void step_hook(run *r) {
    static const tg_hook hooks[] = {looks, returns_it, copies, rewinds, frees, walks};
    tg_tensor *t = any_value(r);
    tg_hook hook = hooks[below(r, COUNT(hooks))];
    if (tg_requires_grad(t)) tg_register_hook(t, hook, NULL);
}
