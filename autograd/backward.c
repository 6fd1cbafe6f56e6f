/* tg_backward and tg_grad: seeds in, a walk, gradients out. */
#include "autograd/walk.h"
#include "autograd/blame/blame.h"
#include "autograd/plan/record.h"
#include "core/kernels/look.h"
#include "core/work.h"

/* A tensor that L may be: alive, float, and with a gradient to walk, unless `constant` ones may be, too. */
static tg_slot *read_output(const tg_tensor *t, const char *who, int i, bool constant) {
    tg_slot *s = tg_slot_of_argument(t, who, i < 0 ? "the output" : "output", i);
    char text[160];
    if (s && !s->requires_grad && !constant) {
        tg_fail(TG_ERR_TAPE, "%s: %s has no history: nothing it was computed from requires a gradient", who,
                tg_describe(t, text, sizeof text));
        return NULL;
    }
    if (s && s->node && tg_tape_node(s->node->id) != s->node) {
        tg_fail(TG_ERR_TAPE, "%s: %s was recorded on another tape than the current one", who,
                tg_describe(t, text, sizeof text));
        return NULL;
    }
    return s;
}

/* The seed given for `out`, or a one. Its handle belongs to the tape. */
static tg_slot *read_seed(const tg_slot *out, const tg_tensor *seed, const char *who) {
    char text[160], other[160];
    if (!seed) {
        if (out->a.numel == 1)
            return tg_slot_of(tg_full_with((tg_dtype)out->a.dtype, 1, tg_array_shape(&out->a)), who);
        tg_fail(TG_ERR_SHAPE, "%s: %s is not a scalar, and no seed of its shape was given", who,
                tg_describe(tg_handle(out), text, sizeof text));
        return NULL;
    }
    tg_slot *s = tg_slot_of_argument(seed, who, "the seed", -1);
    if (s) s = tg_slot_with_data(seed, who);
    if (!s || (s->a.dtype == out->a.dtype && tg_array_same_shape(&s->a, &out->a))) return s;
    tg_fail(s->a.dtype != out->a.dtype ? TG_ERR_DTYPE : TG_ERR_SHAPE, "%s: the seed %s does not match %s",
            who, tg_describe(seed, other, sizeof other), tg_describe(tg_handle(out), text, sizeof text));
    return NULL;
}

/* ---- backward ---- */

/* Makes the gradient of a target its own: contiguous, in memory nothing else sees. */
static tg_status own_value(tg_target *t) {
    tg_array *v = &t->adjoint.value;
    if (tg_array_is_contiguous(v) && tg_array_is_exclusive(v)) return TG_OK;
    tg_array copy = {0};
    tg_status s = tg_array_alloc_like(&copy, v);
    if (s == TG_OK) s = tg_work_copy("backward", &copy, v);
    if (s != TG_OK) return tg_array_drop(&copy), s;
    tg_array_drop(v);
    *v = copy;
    return TG_OK;
}

/* All that can fail comes first: a tensor is made ready for each new gradient. */
static tg_status prepare(tg_target *t) {
    if (!tg_target_slot(t) || tg_recorder_storing(t->slot) != TG_OK) return tg_error_status();
    if (t->slot->grad) return TG_OK;
    tg_status s = own_value(t);
    tg_slot *kept = s == TG_OK ? tg_slot_new_kept("backward") : NULL;
    if (!kept) return tg_error_status();
    t->kept = tg_handle(kept);
    return TG_OK;
}

static void commit(tg_target *t) {
    tg_recorder_stored(t->slot, &t->adjoint.value);
    if (!t->kept) {
        tg_slot *grad = tg_slot_peek(t->slot->grad);
        tg_map_axpy(1, &t->adjoint.value, &grad->a);
        grad->a.buffer->version++;
        return;
    }
    tg_buffer_share(t->adjoint.value.buffer);
    tg_slot_peek(t->kept)->a = t->adjoint.value;
    t->adjoint.value.data = NULL, t->adjoint.value.buffer = NULL;
    t->slot->grad = t->kept;
}

/* The targets that have a gradient, in the order in which the walk met them, which does not depend on where their slots
 * lie; NULL for the others. */
static tg_target **targets_met(tg_walk *w) {
    tg_target **met = tg_walk_scratch(w, (size_t)w->n_targets + 1, sizeof *met);
    for (int64_t i = 0; met && i < w->cap_targets; i++)
        if (w->target[i].adjoint.value.data) met[w->target[i].number] = &w->target[i];
    return met;
}

/* Whether this thread's last walk to all leaves that was checked met one worth a look. Small nodes would feel the looking, so
 * that a walk looks where the one before would have had to; where it does not, all are read at its end. */
static _Thread_local bool met_large;

static bool is_finite(const tg_adjoint *a) { return a->finite || tg_array_is_finite(&a->value); }

/* The finite check, of all that is to be stored: the last first, which is in the cache. */
static tg_status check_gradients(const tg_walk *w, tg_target *const *met, tg_slot *root, tg_tensor *seed) {
    const tg_rewalk walk = {.n = 1, .root = &root, .seeds = &seed};
    tg_status s = TG_OK;
    met_large = false;
    for (int64_t i = w->n_targets - 1; i >= 0; i--)
        if (met[i] && met[i]->adjoint.value.numel >= TG_LOOK_LEAST) met_large = true;
    for (int64_t i = w->n_targets - 1; s == TG_OK && i >= 0; i--)
        if (met[i] && !is_finite(&met[i]->adjoint) && tg_target_slot(met[i]))
            s = tg_check_gradient("tg_backward", &walk, met[i]->slot, &met[i]->adjoint.value);
    return s;
}

static tg_status store_gradients(const tg_walk *w, tg_target *const *met) {
    tg_status s = TG_OK;
    for (int64_t i = 0; s == TG_OK && i < w->n_targets; i++)
        if (met[i]) s = prepare(met[i]);
    for (int64_t i = 0; i < w->n_targets; i++) {
        if (!met[i]) continue;
        if (s == TG_OK)
            commit(met[i]);
        else if (met[i]->kept)
            tg_free(met[i]->kept);
    }
    return s == TG_OK ? tg_error_status()
                      : s; /* a plan may refuse what has been stored, and then fails as a whole */
}

/* Walks, and hands the gradients over. */
static tg_status walk_back(tg_walk *w, tg_slot *root, tg_slot *seed, tg_tensor *given) {
    if (tg_walk_seed(w, root, seed) != TG_OK || tg_walk_run(w) != TG_OK) return tg_error_status();
    tg_target **met = targets_met(w);
    if (!met || (tg_checking && check_gradients(w, met, root, given) != TG_OK)) return tg_error_status();
    return store_gradients(w, met);
}

tg_status tg_backward_with(tg_tensor *out, tg_backward_opts opts) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_slot *s = read_output(out, "tg_backward", -1, false);
    if (!s) return tg_error_status();
    tg_tape *tape = tg_tape_get();
    int64_t tensors = tape->region.count, nodes = tape->n_nodes;
    if (tg_checking && tg_check_output("tg_backward", s) != TG_OK) return tg_error_status();
    tg_slot *seed = read_seed(s, opts.seed, "tg_backward");
    tg_walk w;
    tg_look look;
    tg_walk_mode mode = {.retain = opts.retain, .all_leaves = true};
    tg_status status = seed ? tg_walk_begin(&w, 1, &s, mode) : tg_error_status();
    if (status == TG_OK) {
        if (tg_checking == TG_FINITE_AT_BACKWARD && met_large) w.look = &look;
        status = walk_back(&w, s, seed, opts.seed);
        tg_walk_end(&w);
    }
    tg_tape_cut(tape, tensors, nodes);
    return status;
}

tg_tensor *tg_grad_of(const tg_tensor *t) {
    tg_slot *s = tg_slot_of(t, "tg_grad_of");
    if (!s) return tg_poison();
    char text[160];
    if (!s->grad) {
        tg_fail(TG_ERR_ARGUMENT, "tg_grad_of: %s has no gradient yet", tg_describe(t, text, sizeof text));
        return tg_poison();
    }
    tg_slot *g = tg_slot_new("grad_of");
    if (!g) return tg_poison();
    tg_array_share(&g->a, &tg_slot_peek(s->grad)->a);
    return tg_handle(g);
}

bool tg_has_grad(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_has_grad");
    return s && s->grad;
}

static tg_status zero_grad(const tg_array *const *none, const void *data) {
    (void)none;
    tg_slot *s = tg_slot_of(*(tg_tensor *const *)data, "tg_zero_grad");
    if (!s) return tg_error_status();
    if (s->grad) tg_free(s->grad);
    s->grad = NULL;
    return TG_OK;
}

tg_status tg_zero_grad(tg_tensor *t) {
    return TG_WORK_DO(zero_grad, NULL, &t, .name = "tg_zero_grad", .outside = true, .size = sizeof t);
}

/* ---- grad ---- */

static tg_status add_targets(const char *who, tg_walk *w, int n, tg_tensor *const *in) {
    for (int i = 0; i < n; i++) {
        tg_slot *s = tg_slot_of_input(in[i], who, i);
        char text[160];
        if (s && !s->requires_grad)
            return tg_fail(TG_ERR_TAPE, "%s: input %d, %s, does not require a gradient", who, i,
                           tg_describe(in[i], text, sizeof text));
        if (!s || !tg_walk_add_target(w, s)) return tg_error_status();
    }
    return TG_OK;
}

/* The gradient of one input as a tensor on the tape. */
static tg_tensor *take_gradient(tg_grad_caller caller, const tg_walk *w, int i, const tg_tensor *in,
                                bool allow_unused) {
    tg_slot *s = tg_slot_of_input(in, caller.who, i);
    if (!s) return tg_poison(); /* a hook freed it */
    const tg_adjoint *a = &tg_walk_find_target(w, s)->adjoint;
    if (caller.unused) caller.unused[i] = tg_adjoint_is_empty(a);
    if (a->handle) return a->handle;
    if (a->value.data) return tg_from_array(&a->value);
    if (allow_unused) return tg_zeros_with((tg_dtype)s->a.dtype, tg_array_shape(&s->a));
    char text[160];
    tg_fail(TG_ERR_TAPE, "%s: no output depends on input %d, %s (.allow_unused gives zeros)", caller.who, i,
            tg_describe(in, text, sizeof text));
    return tg_poison();
}

/* Outputs without history have a seed that is checked and goes nowhere. */
static tg_status seed_all(const char *who, tg_walk *w, int n, tg_slot *const *out, tg_tensor *const *seeds) {
    for (int i = 0; i < n; i++) {
        tg_slot *seed = read_seed(out[i], seeds ? seeds[i] : NULL, who);
        if (!seed || (out[i]->requires_grad && tg_walk_seed(w, out[i], seed) != TG_OK))
            return tg_error_status();
    }
    return TG_OK;
}

static bool gradient_is_finite(const tg_walk *w, const tg_tensor *in, const tg_tensor *g) {
    const tg_slot *s = tg_slot_peek(in);
    const tg_target *t = s ? tg_walk_find_target(w, s) : NULL;
    return (t && t->adjoint.finite) || tg_array_is_finite(tg_elements_there(g));
}

static tg_status grad_of(tg_grad_caller caller, tg_walk_mode mode, int n_out, tg_slot **slot,
                         tg_tensor *const *out, int n_in, tg_tensor *const *in, tg_tensor **grads,
                         tg_grad_opts opts) {
    for (int i = 0; i < n_out; i++)
        if (!(slot[i] = read_output(out[i], caller.who, i, opts.allow_unused)) ||
            (caller.checked && tg_checking && tg_check_output(caller.who, slot[i]) != TG_OK))
            return tg_error_status();
    tg_walk w;
    tg_look look;
    tg_status s = tg_walk_begin(&w, n_out, slot, mode);
    if (s != TG_OK) return s;
    if (caller.checked && tg_checking == TG_FINITE_AT_BACKWARD && !mode.record) w.look = &look;
    s = add_targets(caller.who, &w, n_in, in);
    if (s == TG_OK) s = seed_all(caller.who, &w, n_out, slot, opts.seeds);
    if (s == TG_OK) s = tg_walk_run(&w);
    const tg_rewalk walk = {.n = n_out, .root = slot, .seeds = opts.seeds};
    for (int i = 0; s == TG_OK && i < n_in; i++) {
        grads[i] = take_gradient(caller, &w, i, in[i], opts.allow_unused);
        s = tg_error_status();
        if (s == TG_OK && caller.checked && tg_checking && !gradient_is_finite(&w, in[i], grads[i]))
            s = tg_check_gradient(caller.who, &walk, tg_slot_peek(in[i]), tg_elements_there(grads[i]));
    }
    tg_walk_end(&w);
    return s;
}

tg_status tg_grad_for(tg_grad_caller caller, int n_out, tg_tensor *const *out, int n_in, tg_tensor *const *in,
                      tg_tensor **grads, tg_grad_opts opts) {
    tg_status s = tg_error_status();
    if (s == TG_OK && (n_out < 1 || n_in < 1 || !out || !in || !grads))
        s = tg_fail(TG_ERR_ARGUMENT,
                    "%s: at least one output, one input, and an array for the gradients must be given",
                    caller.who);
    tg_tape *tape = s == TG_OK ? tg_tape_get() : NULL;
    if (tape) {
        tg_walk_mode mode = {
            .record = opts.create_graph, .retain = opts.retain || opts.create_graph, .sparse = caller.sparse};
        tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
        int64_t tensors = tape->region.count, nodes = tape->n_nodes;
        size_t bytes = (size_t)n_out * sizeof(tg_slot *);
        tg_slot **slot = tg_arena_alloc(&tape->scratch, bytes);
        s = slot ? grad_of(caller, mode, n_out, slot, out, n_in, in, grads, opts) : tg_fail_memory(bytes);
        tg_arena_rewind(&tape->scratch, scratch);
        if (s != TG_OK) tg_tape_cut(tape, tensors, nodes);
    } else {
        s = tg_error_status();
    }
    for (int i = 0; s != TG_OK && grads && i < n_in; i++) grads[i] = tg_poison();
    return s;
}

tg_status tg_grad_with(int n_out, tg_tensor *const *out, int n_in, tg_tensor *const *in, tg_tensor **grads,
                       tg_grad_opts opts) {
    return tg_grad_for((tg_grad_caller){.who = "tg_grad", .checked = true}, n_out, out, n_in, in, grads, opts);
}
