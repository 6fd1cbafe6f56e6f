/* Nodes of the tape run again in f64, with one element a step off: what differences say of a derivative, whatever its rule does. */
#include "autograd/check/grading.h"
#include "core/work.h"

#include <math.h>
#include <string.h>

enum { MOST_WORK = 1 << 22 }; /* elements of all results of one run */

typedef struct running {
    const tg_replay *r;
    tg_tape *tape;
    int64_t first, n;              /* the nodes [first, first + n) */
    bool *moves;                   /* whether the node depends on the element */
    tg_tensor *(*out)[TG_MAX_OUT]; /* what it gives this time */
    tg_tensor **in;                /* of one node */
    double t;
} running;

/* ---- which nodes ---- */

static void *scratch(running *x, size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&x->tape->scratch, bytes + 1) : NULL;
    return p ? memset(p, 0, bytes) : NULL;
}

static bool made_anew(const running *x, const tg_slot *s) {
    return s && s->node && s->node->id >= x->first && s->node->id < x->first + x->n &&
           x->moves[s->node->id - x->first];
}

static bool reads(const running *x, const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
        if (s && (s == x->r->s || made_anew(x, s))) return true;
    }
    return false;
}

/* What it reads is there, or is made anew: a composition drops what it needs no more. */
static bool can_run(const running *x, const tg_node *node) {
    if (node->op->has_state || node->op->grad == tg_walks_itself) return false;
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
        if (node->in[i] && (!s || (!s->a.data && (x->r->node || !made_anew(x, s))))) return false;
    }
    return true;
}

/* All nodes between the tensor and the loss that the one leads to; or the one node. */
static bool choose(running *x) {
    const tg_replay *r = x->r;
    const int64_t last = r->node ? r->node->id : r->loss->node->id;
    x->first = r->node      ? last
               : r->s->node ? r->s->node->id + 1
                            : r->loss->node->first,
    x->n = last + 1 - x->first;
    if (x->n < 1) return false;
    x->moves = scratch(x, (size_t)x->n, sizeof *x->moves);
    x->out = scratch(x, (size_t)x->n, sizeof *x->out);
    int64_t work = 0;
    int most = 1;
    for (int64_t k = 0; x->moves && x->out && k < x->n; k++) {
        const tg_node *node = tg_node_at(x->tape, x->first + k);
        x->moves[k] = r->node || reads(x, node);
        if (!x->moves[k]) continue;
        if (!can_run(x, node)) return false;
        if (node->n_in > most) most = node->n_in;
        for (int o = 0; o < node->n_out; o++) {
            const tg_slot *s = tg_slot_peek(node->out[o]);
            work += s ? s->a.numel : 0;
        }
    }
    x->in = scratch(x, (size_t)most, sizeof *x->in);
    return x->in && x->moves && x->out && work <= MOST_WORK;
}

/* ---- one run ---- */

/* Real numbers as f64, and the element where it is to be. */
static tg_tensor *input(const running *x, const tg_node *node, int i) {
    const tg_slot *s = node->in[i] ? tg_slot_peek(node->in[i]) : NULL;
    const bool moved = x->r->node ? i == x->r->i : s == x->r->s;
    if (!s) return NULL;
    if (!moved && made_anew(x, s) && !x->r->node) return x->out[s->node->id - x->first][tg_output_index(s)];
    if (!moved && s->a.dtype != TG_F32) return node->in[i];
    tg_tensor *copy = tg_zeros_with(TG_F64, tg_array_shape(&s->a));
    const tg_slot *made = tg_is_poison(copy) ? NULL : tg_slot_peek(copy);
    if (!made) return copy;
    tg_array_copy(&made->a, &s->a);
    if (moved) tg_array_set(&made->a, x->r->element, tg_array_get(&s->a, x->r->element) + x->t);
    return copy;
}

static double value_of(const running *x) {
    const tg_node *node = x->r->node;
    tg_tensor *const *out = x->out[x->n - 1];
    if (!node) return tg_item(out[tg_output_index(x->r->loss)]);
    double sum = 0;
    for (int o = 0; o < node->n_out; o++)
        for (int64_t k = 0; x->r->dout[o].data && k < x->r->dout[o].numel; k++)
            sum += tg_array_get(&x->r->dout[o], k) * tg_get(out[o], k);
    return sum;
}

static double value_at(double *t, void *user) {
    running *x = user;
    const tg_mark mark = tg_tape_mark();
    x->t = *t;
    tg_status s = tg_error_status();
    for (int64_t k = 0; s == TG_OK && k < x->n; k++) {
        const tg_node *node = tg_node_at(x->tape, x->first + k);
        if (!x->moves[k]) continue;
        for (int i = 0; i < node->n_in; i++) x->in[i] = input(x, node, i);
        s = tg_error_status();
        if (s == TG_OK) s = tg_apply_multi(node->op, x->in, node->n_in, node->attr, x->out[k]);
    }
    const double value = s == TG_OK ? value_of(x) : NAN;
    tg_tape_rewind(mark);
    return tg_error_status() == TG_OK ? value : NAN;
}

/* ---- the verdict ---- */

/* Whether it gives what the program gave: nothing was changed in place since. */
static bool is_as_before(running *x) {
    double zero = 0;
    if (x->r->node) return true;
    if (!x->r->loss->a.data) return false;
    const double now = value_at(&zero, x), then = tg_array_get(&x->r->loss->a, 0);
    return fabs(now - then) <= 1e-4 * fabs(then) + 1e-6;
}

void tg_replay_judge(const tg_replay *r, double right, tg_evidence *evidence) {
    running x = {.r = r, .tape = tg_tape_get()};
    *evidence = (tg_evidence){.verdict = TG_NO_VERDICT};
    if (tg_error_status() != TG_OK || !x.tape || !r->s->a.data || r->element < 0 || !isfinite(right)) return;
    const tg_arena_mark before = tg_arena_get_mark(&x.tape->scratch);
    const bool was_off = tg_set_grad_enabled(false);
    const double size = fabs(tg_array_get(&r->s->a, r->element));
    if (choose(&x) && is_as_before(&x))
        tg_judge(value_at, &x, right,
                 (tg_judge_opts){.scale = size > 0 && size < 1 ? fmax(size, 0.1) : 0,
                                 .rtol = r->s->a.dtype == TG_F32 ? 1e-4 : 0},
                 evidence);
    if (tg_error_status() != TG_OK) {
        tg_error_clear(); /* none was pending before */
        *evidence = (tg_evidence){.verdict = TG_NO_VERDICT};
    }
    tg_set_grad_enabled(was_off);
    tg_arena_rewind(&x.tape->scratch, before);
}
