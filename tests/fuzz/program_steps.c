/* Steps that are no ops: what a program does between them to its tape and its tensors. */
#include "tests/fuzz/programs.h"

#include <string.h>

/* ---- a part of the program run twice ---- */

typedef struct part {
    const program *p;
    uint64_t choice;
    int n, depth;
} part;
static part parts[64];
static int n_parts;

void forget_users(void) { n_parts = 0; }

/* Ends with the last value of f's own, or with its first input. */
static tg_tensor *run_part(tg_tensor *const *in, void *user) {
    const part *of = user;
    run r = {.p = of->p, .choice = of->choice, .depth = of->depth, .n = of->n, .fixed = of->n};
    memcpy(r.value, in, (size_t)of->n * sizeof *in);
    run_steps(&r, 3);
    return tg_sin(r.value[r.n - 1]);
}

static void step_checkpoint(run *r) {
    tg_tensor *in[2] = {any_value(r), any_value(r)};
    if (n_parts == COUNT(parts) || r->depth > 2) return;
    part *user = &parts[n_parts++];
    *user = (part){r->p, (uint64_t)below(r, INT64_MAX), 1 + (int)below(r, 2), r->depth + 1};
    add_value(r, tg_checkpoint(run_part, user, user->n, in));
}

/* ---- what is rewound again ---- */

static void step_garbage(run *r) {
    if (r->depth > 2) return;
    run garbage = *r;
    garbage.fixed = garbage.n, garbage.depth++;
    tg_mark mark = tg_tape_mark();
    run_steps(&garbage, 2);
    if (tg_tape_rewind(mark) != TG_OK) finding(r->p, "garbage cannot be rewound: %s", tg_error_message());
    r->choice = garbage.choice;
}

/* A result gives up its elements; nodes that saved them keep them. */
static void step_release(run *r) {
    if (r->n == r->fixed) return;
    int i = r->fixed + (int)below(r, r->n - r->fixed);
    tg_tensor *t = r->value[i];
    r->value[i] = r->value[--r->n];
    for (int k = 0; k < r->n; k++)
        if (r->value[k] == t) return; /* tg_contiguous returns its argument */
    if (tg_node_of(t)) tg_drop_elements(t);
}

/* ---- changes in place ---- */

static void step_in_place(run *r) {
    tg_tensor *v = any_value(r), *c = constant(r, tg_shape_of(v)), *d = constant(r, tg_shape_of(v));
    switch (below(r, 4)) {
    case 0:
        tg_add_(c, d, 0.5);
        break;
    case 1:
        tg_mul_(c, d);
        break;
    case 2:
        tg_fill_(c, 1.25);
        break;
    default:
        tg_copy_(c, d);
    }
    add_value(r, tg_mul(v, c));
}

/* What a node saved and changed since is an error that changes nothing. */
static void step_changed(run *r) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = tg_set_requires_grad(constant(r, TG_SHAPE(3)), true), *c = constant(r, TG_SHAPE(3));
    tg_tensor *y = tg_sum(tg_mul(x, c));
    tg_fill_(c, 1);
    if (tg_error_status() == TG_OK && tg_requires_grad(y)) {
        if (tg_backward(y) != TG_ERR_TAPE || tg_has_grad(x))
            finding(r->p, "a change in place is not noticed");
        tg_error_clear();
    }
    tg_tape_rewind(mark);
}

static void step_detour(run *r) { /* through the other float type, or around recording */
    tg_tensor *v = any_value(r);
    bool was = tg_set_grad_enabled(false);
    tg_tensor *unused = tg_exp(v);
    tg_set_grad_enabled(was);
    if (tg_requires_grad(unused)) finding(r->p, "recorded while recording is off");
    add_value(r, tg_add(v, tg_mul_scalar(v, 0.5)));
}

void step_besides(run *r) {
    static void (*const steps[])(run *) = {step_checkpoint, step_garbage, step_release, step_in_place,
                                           step_changed,    step_detour,  step_hook};
    static const char *const names[] = {"checkpoint", "garbage", "release", "in place",
                                        "changed",    "detour",  "hook"};
    int64_t i = below(r, COUNT(steps));
    if ((r->p->planned && steps[i] == step_changed) || (r->p->plain && steps[i] == step_hook)) i = 3;
    steps[i](r);
    if (tg_error_status() != TG_OK && !r->p->planned)
        finding(r->p, "the step %s fails: %s", names[i], tg_error_message());
    count_step(names[i]);
}
